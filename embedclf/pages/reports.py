"""HTML reports on an evaluation, a cross-validation, a learning curve or a comparison.

Each is one self-contained file, which opens from disk and needs no network.
"""

from collections.abc import Sequence
from dataclasses import replace

from embedclf.classifier.answer_figures import AnswerFigures
from embedclf.evaluation.comparison import Comparison
from embedclf.evaluation.cross_validation import AnyCrossValidation, CrossValidation
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.report import Report
from embedclf.formatting import (
    counted,
    shown_confidence,
    shown_difference,
    shown_share,
    shown_shares,
    shown_threshold,
)
from embedclf.pages import charts
from embedclf.pages.markup import Markup, breakable, tag
from embedclf.pages.names import capitalized
from embedclf.pages.rendering import Facts, Heading, Section, folded, render, table
from embedclf.pages.row_list import Listed, RowPlace, row_list
from embedclf.pages.verdict import percent, verdict, weakest_first
from embedclf.printing.answered import difference_of
from embedclf.printing.cross_validation import described, fold_cells
from embedclf.printing.figures import depth_cells, dollars_of, level_cells, names_of_upper_levels, upper_levels
from embedclf.printing.tables import shown_word
from embedclf.stats.intervals import Interval
from embedclf.stats.metrics import CoveragePoint

# With more labels, the confusion matrix shows the weakest and is collapsed in full, and the others are collapsed in
# tables.
_MAX_IN_MATRIX = 25
# With so few, the confusion matrix and the table of labels stand side by side.
_MAX_BESIDE = 14
# The script fills it in, too.
_OF_THRESHOLD = "Threshold {0}: {1} answered ({2}), {3} of these wrong ({4})."
INTERVALS = "Intervals are 95 % bootstrap intervals over the rows."


def evaluation_page(
    report: Report,
    title: str,
    place: RowPlace | None = None,
    near_place: RowPlace | None = None,
    *,
    facts: Facts = (),
    note: str = "",
) -> str:
    """Return the page of an evaluation.

    Parameters
    ----------
    report : Report
    title : str
    place, near_place : callable, optional
        Return the origins of rows and of training examples as `file:line`; None does not show them.
    facts : sequence of (str, str)
        What was evaluated, and how.
    note : str
        A remark to show at the top.
    """
    order = weakest_first(report)
    said = verdict(report, order, report.accuracy, report.accuracy_interval)
    heading = Heading(title, said, _tiles(report), facts, note)
    return render(heading, _sections(report, order, place, near_place), INTERVALS)


def cross_validation_page(
    result: CrossValidation, title: str, place: RowPlace | None = None, *, facts: Facts = (), note: str = ""
) -> str:
    """Return the page of a cross-validation: overall figures, those of each fold, and details of the first repeat."""
    tiles = [
        tile("accuracy", result.accuracy, result.accuracy_interval),
        tile("macro-F1", result.macro_f1, result.macro_f1_interval),
        ("calibration error (ECE)", f"{result.ece:.3f}", ""),
        ("rows", f"{result.n_examples:,}", described(result)),
    ]
    order = weakest_first(result.report)
    sections = with_folds(_sections(result.report, order, place), result)
    said = verdict(result.report, order, result.accuracy, result.accuracy_interval)
    return render(Heading(title, said, tiles, facts, note), sections, INTERVALS)


def with_folds(sections: Sequence[Section], result: AnyCrossValidation) -> list[Section]:
    """Return the sections of the report of a cross-validation, and one of its folds."""
    header, rows = fold_cells(result)
    folds = Section("Folds", "How much the figures vary between folds.", [table("Folds", header, rows, left=())])
    if result.n_repeats > 1:
        sections = [replace(section, note=f"{section.note} First repeat only.") for section in sections]
    return [*sections, folds]


def learning_curve_page(curve: LearningCurve, title: str, *, facts: Facts = (), note: str = "") -> str:
    """Return the page of a learning curve."""
    last, title_of = curve.points[-1], capitalized(curve.metric)
    tiles = [
        tile(f"{curve.metric} with {last.n_labels:,} training rows", last.score, last.interval),
        ("gain from last doubling", f"{100 * curve.gain:+z.1f} points", between(curve.gain_interval, 100, 1)),
        ("held-out rows", f"{curve.n_held_out:,}", ""),
    ]
    rows = [
        [f"{one.n_labels:,}", f"{one.score:.3f}", between(one.interval), *upper_levels(one), str(one.n_draws)]
        for one in curve.points
    ]
    header = ["training rows", curve.metric, "95 % interval", *names_of_upper_levels(last), "runs"]
    sections = [
        Section(
            title_of,
            "With 95 % intervals, on the same held-out rows.",
            [wide(f"{title_of} by training rows", charts.learning_chart(curve))],
        ),
        Section("Figures", parts=[table("Figures", header, rows, left=())]),
    ]
    return render(Heading(title, [curve.verdict], tiles, facts, note), sections, INTERVALS)


def comparison_page(result: Comparison, title: str, *, facts: Facts = (), note: str = "") -> str:
    """Return the page of a comparison."""
    best, metric, title_of = result.candidates[0], result.metric, capitalized(result.metric)
    tiles = [
        ("best", best.embedder, charts.made_of(best)),
        tile(f"best {metric}", best.score.value, best.score.interval),
        ("rows", f"{result.n_examples:,}", f"{result.n_folds}-fold cross-validation"),
    ]
    rows = []
    for place, one in enumerate(result.candidates):
        difference = shown_difference(one.difference, *one.difference_interval, significant=one.worse)
        tokens = "–" if one.tokens is None else f"{one.tokens:,}"
        rows.append(
            [
                *(one.name, f"{one.dimensions:,}" if one.dimensions else "–", one.head, one.features),
                f"{one.score.value:.3f}",
                *(between(one.score.interval), *upper_levels(one)),
                *("best" if place == 0 else difference, tokens, dollars_of(one)),
                f"{one.model_bytes / 1_000:,.1f} kB",
                f"{one.ms_to_classify + (one.ms_to_embed or 0):.2f}{'' if one.ms_to_embed is not None else ' + API'}",
            ]
        )
    header = [
        *("embedder", "dimensions", "head", "features", metric, "95 % interval"),
        *(*names_of_upper_levels(best), f"Δ {metric} vs best (95 %)"),
        *("tokens", "dollars", "model size", "ms/text"),
    ]
    sections = [
        Section(
            title_of,
            "With 95 % intervals."
            + (" The paired differences in the table are more precise." if len(result.candidates) > 1 else ""),
            [wide(f"{title_of} of each candidate", charts.comparison_chart(result))],
        ),
        Section("Figures", parts=[table("Figures", header, rows, left=(0, 2, 3))]),
    ]
    return render(Heading(title, _comparison_verdict(result), tiles, facts, note), sections, INTERVALS)


def _comparison_verdict(result: Comparison) -> list[str]:
    best, *others = result.candidates
    texts = counted(result.n_examples, "text")
    name = f"{best.embedder} ({charts.made_of(best)})"
    reached = f"{percent(best.accuracy)} of {texts} get the right label"
    if best.micro_f1 is not None:
        reached = f"micro-F1 {best.micro_f1:.3f}, and {percent(best.accuracy)} of {texts} get exactly their labels"
    said = [f"The best is {name}: {reached}."]
    n_worse = sum(one.worse for one in others)
    if len(others) == 1:
        said.append(f"The other is {'' if n_worse else 'not '}significantly worse.")
    elif others:
        which = f"{n_worse:,}" if n_worse else "None"
        said.append(f"{which} of the {len(others):,} others {'is' if n_worse < 2 else 'are'} significantly worse.")
    return said


def tile(name: str, figure: float, interval: Interval) -> tuple[str, str, str]:
    """Return a tile with a figure and its interval."""
    return name, f"{figure:.3f}", between(interval)


def between(interval: Interval, factor: float = 1, decimals: int = 3) -> str:
    """Return an interval without a minus before a zero."""
    low, high = (factor * end for end in interval)
    return f"{low:z.{decimals}f} to {high:z.{decimals}f}"


def _decimals(*figures: float) -> list[str]:
    return [f"{figure:.3f}" for figure in figures]


def _tiles(report: Report) -> list[tuple[str, str, str]]:
    tiles = [
        tile("accuracy", report.accuracy, report.accuracy_interval),
        tile("macro-F1", report.macro_f1, report.macro_f1_interval),
        ("calibration error (ECE)", f"{report.ece:.3f}", ""),
        ("rows", f"{report.n_examples:,}", _n_wrong(report)),
    ]
    if (answered := report.answered) is not None and report.threshold is not None:
        name = f"coverage at threshold {shown_threshold(report.threshold)}"
        tiles.append((name, shown_share(answered.coverage), shown_shares(answered.coverage_interval)))
        if answered.accuracy is not None and answered.accuracy_interval is not None:
            tiles.append(tile("accuracy on these", answered.accuracy, answered.accuracy_interval))
    elif answered is not None:
        tiles.append(("answered", shown_share(answered.coverage), shown_shares(answered.coverage_interval)))
    if sets := report.label_sets:
        tiles.append(tile(f"sets that hold the label, at {sets.target:g}", sets.coverage, sets.coverage_interval))
        none = f", {shown_share(sets.empty)} none" if sets.empty else ""
        tiles.append(("labels per set", f"{sets.mean_size:.2f}", f"{shown_share(sets.single)} have one{none}"))
    if report.answers is not None and (cost := report.answers.cost) is not None:
        tiles.append(tile("mean cost", cost.mean, cost.mean_interval))
    if outside := report.out_of_scope:
        rejected = "" if outside.recall is None else f"{shown_share(outside.recall)} rejected"
        tiles.append(("out-of-scope AUROC", f"{outside.auroc:.3f}", rejected))
        if outside.f1 is not None:
            precision = "" if outside.precision is None else f"precision {shown_share(outside.precision)}"
            tiles.append(("F1 of rejecting", f"{outside.f1:.3f}", precision))
        right = shown_share(outside.in_scope_accuracy)
        tiles.append(("in-scope answered correctly", right, shown_shares(outside.in_scope_accuracy_interval)))
    return tiles


def _n_wrong(report: Report) -> str:
    if report.out_of_scope is None or not report.out_of_scope.n_answered:
        return f"{len(report.wrong):,} misclassified"
    answered = report.out_of_scope.n_answered
    return f"{len(report.wrong) - answered:,} misclassified, {answered:,} out-of-scope answered"


def _sections(
    report: Report, order: Sequence[str], place: RowPlace | None, near_place: RowPlace | None = None
) -> list[Section]:
    return [
        *_levels(report),
        *answers_section(report.answers, "accuracy", report.accuracy),
        _confusion_matrix(report, order),
        _labels(report, order),
        _reliability(report),
        _coverage(report),
        *_words(report, order),
        _wrong(report, order, place, near_place),
    ]


def _levels(report: Report) -> list[Section]:
    """Return the figures of labels in a tree."""
    if (tree := report.hierarchy) is None:
        return []
    note = f"The first 1, 2, … parts of the most likely label, separated by “{tree.separator.strip()}”."
    sections = [Section("Levels", note, [table("Levels", *level_cells(tree), left=(3,))], half=bool(tree.answered))]
    if tree.answered:
        note = "At the threshold; an answer is right if it is the true label or one above it."
        if tree.mean_depth is not None:
            note += f" Answers have {tree.mean_depth:.2f} parts on average."
        parts = [table("Depth of answers", *depth_cells(tree), left=(3,))]
        sections.append(Section("Depth of answers", note, parts, half=True))
    return sections


def answers_section(
    answers: AnswerFigures | None, figure: str, value: float, others: str = "most likely label"
) -> list[Section]:
    """Return how the answers compare with others, the most likely labels, if they are not the same.

    Parameters
    ----------
    answers : AnswerFigures or None
    figure : str
        The name of the figure whose difference they have.
    value : float
        That of the answers.
    others : str
    """
    if answers is None:
        return []
    difference = difference_of(answers.difference, answers.difference_interval)
    rows: list[list[object]] = [[figure, *_decimals(value, answers.likeliest_accuracy), difference]]
    if (cost := answers.cost) is not None:
        difference = difference_of(cost.difference, cost.difference_interval)
        rows.append(["mean cost", *_decimals(cost.mean, cost.likeliest), difference])
    for one in answers.recalls:
        name = [tag("span", "recall of "), tag("bdi", breakable(one.label))]
        rows.append([tag("span", *name), *_decimals(one.recall, one.likeliest), f"{one.recall - one.likeliest:+z.3f}"])
    header = ["figure", "answers", others, "difference (95 %)"]
    parts = [table("Answers compared", header, rows, left=(0,))]
    if answers.targets:
        reached: list[list[object]] = [
            [
                tag("bdi", breakable(one.label)),
                one.figure,
                f"{one.target:g}",
                "–" if one.reached is None else f"{one.reached:.3f}",
                "–" if one.interval is None else between(one.interval),
                f"{one.n_examples:,}",
            ]
            for one in answers.targets
        ]
        targets = ["label", "figure", "target", "reached", "95 % interval", "rows"]
        parts.append(table("Targets of labels", targets, reached, left=(0, 1)))
    note = "The answers follow class weights, costs or targets; the other figures are about them, too."
    return [Section("Answers", note, parts)]


def _confusion_matrix(report: Report, order: Sequence[str]) -> Section:
    numbers = {name: number for number, name in enumerate(report.classes)}
    indices = [numbers[name] for name in order if name in numbers]
    n = len(indices)
    note = "Rows are true labels, columns predicted labels; the weakest labels first."
    # A single remaining label is shown as itself, since "1 other label" would take as much room.
    n_shown = n if n <= _MAX_IN_MATRIX + 1 else _MAX_IN_MATRIX
    parts = [wide("Confusion matrix", charts.confusion_chart(report, indices, n_shown))]
    if report.wrong:
        hint = "Select a cell with the mouse, or with Tab, the arrow keys and Enter, to see its rows."
        parts.insert(0, tag("p", hint, class_="note hint", hidden=True))
    if n_shown < n:
        note += f" The last row and column combine the {n - n_shown} strongest labels."
        parts.append(
            folded(
                f"All {n} labels",
                tag("button", "Fit to width", type="button", class_="zoom", aria_pressed="false", hidden=True),
                wide(f"All {n} labels", charts.confusion_chart(report, indices, n), "wide map"),
                printed=False,
            )
        )
    if report.confusions:
        of = {name: number for number, name in enumerate(order)}
        rows = [
            [
                tag(
                    "a",
                    tag("bdi", breakable(one.label)),
                    " → ",
                    tag("bdi", breakable(one.predicted)),
                    href="#rows",
                    data_label=of[one.label],
                    data_predicted=of[one.predicted],
                ),
                f"{one.n_texts:,}",
            ]
            for one in report.confusions
        ]
        parts.append(
            folded(
                "Most frequent confusions",
                table("Most frequent confusions", ["label → predicted", "rows"], rows),
                printed=False,
            )
        )
    return Section("Confusion matrix", note, parts, half=n <= _MAX_BESIDE)


def wide(name: str, chart: Markup, class_: str = "wide") -> Markup:
    """Return a chart that scrolls sideways if it is too wide."""
    return tag("div", chart, class_=class_, tabindex=0, role="region", aria_label=name)


def _labels(report: Report, order: Sequence[str]) -> Section:
    header = ["label", "", "F1", "precision", "recall", "rows"]
    rows: list[list[object]] = []
    for name in order:
        if (one := report.per_class.get(name)) is not None:
            figures = _decimals(one.f1, one.precision, one.recall)
            rows.append([tag("bdi", breakable(name)), charts.bar(one.f1), *figures, f"{one.support:,}"])
    n, few = len(rows), len(rows) <= _MAX_IN_MATRIX + 1
    shown = rows if few else rows[:_MAX_IN_MATRIX]
    parts = [table("Labels", header, shown, left=(0, 1))]
    if not few:
        others = f"The other {n - len(shown)} labels"
        parts.append(folded(others, table(others, header, rows[len(shown) :], left=(0, 1))))
    return Section(
        "Labels",
        f"F1 of {'each label' if few else f'the {len(shown)} weakest of {n} labels'}, weakest first.",
        parts,
        half=n <= _MAX_BESIDE,
    )


def _reliability(report: Report) -> Section:
    header = ["confidence", "rows", "mean confidence", "accuracy"]
    rows = [
        [f"{one.low:.1f} to {one.high:.1f}", f"{one.n_examples:,}", *_decimals(one.confidence, one.accuracy)]
        for one in report.reliability
    ]
    return Section(
        "Reliability",
        "Calibrated models follow the dashed line: 80 % confidence, 80 % correct.",
        [
            charts.reliability_chart(report.reliability),
            folded("Figures", table("Figures of reliability", header, rows, left=()), printed=False),
        ],
        half=True,
    )


def _coverage(report: Report) -> Section:
    points = charts.coverage_points(report)
    used = ""
    if report.threshold is not None:
        threshold, dotted = shown_threshold(report.threshold), any(one.threshold == report.threshold for one in points)
        used = (
            f" The large dot marks the model’s threshold {threshold}."
            if dotted
            else f" Too few rows are answered at the model’s threshold {threshold} to mark it."
        )
    rows = [
        [
            shown_threshold(one.threshold),
            shown_share(one.coverage),
            f"{round(one.coverage * report.n_examples):,}",
            shown_share(one.accuracy or 0),
        ]
        for one in charts.main_points(report, points)
    ]
    header = ["threshold", "coverage", "rows", "accuracy"]
    parts = [charts.coverage_chart(report, points)]
    if points:
        parts.append(_slider(report, points))
    parts.append(folded("Figures", table("Figures of coverage", header, rows, left=()), printed=False))
    return Section(
        "Coverage", f"The share of texts answered at each threshold, and the accuracy on them.{used}", parts, half=True
    )


def _slider(report: Report, points: Sequence[CoveragePoint]) -> Markup:
    """Return a slider for the threshold, which says what share is answered, and what share of that is wrong."""
    figures = []
    for one in points:
        answered, accuracy = round(one.coverage * report.n_examples), one.accuracy or 0.0
        figures.append(
            [
                *(shown_threshold(one.threshold), shown_share(one.coverage), counted(answered, "row")),
                *(shown_share(1 - accuracy), f"{round((1 - accuracy) * answered):,}"),
            ]
        )
    numbers = range(len(points))
    if report.threshold is None:
        start = min(numbers, key=lambda number: abs(points[number].coverage - 0.5))
    else:
        threshold = report.threshold
        start = min(numbers, key=lambda number: abs(points[number].threshold - threshold))
    slider = tag("input", type="range", min=0, max=len(points) - 1, value=start)
    return tag(
        "div",
        tag("label", "threshold", slider, hidden=True),
        tag("output", _OF_THRESHOLD.format(*figures[start]), aria_live="off"),
        class_="slider",
        data_said=_OF_THRESHOLD,
        # Not as JSON, since each of its quotes would take six characters.
        data_points="|".join(
            ";".join([f"{x:.1f}", f"{y:.1f}", *shown])
            for (x, y), shown in zip(charts.coverage_places(points), figures, strict=True)
        ),
    )


def _words(report: Report, order: Sequence[str]) -> list[Section]:
    if not report.words_by_label:
        return []
    rows = [
        # The no-break space keeps each weight on the line of its word.
        [
            label,
            ", ".join(f"{shown_word(one.word)}\u00a0{one.weight:+.2f}" for one in report.words_by_label[label]),
        ]
        for label in order
        if label in report.words_by_label
    ]
    note = (
        "The words that support each label most: how much a word adds to the lead over the runner-up, on average over "
        "the texts for which the label is predicted."
    )
    shown = table("Words", ["label", "words"], rows, left=(0, 1))
    if len(rows) <= _MAX_IN_MATRIX + 1:
        return [Section("Words", note, [shown])]
    return [Section("Words", note, [folded(f"Words of all {counted(len(rows), 'label')}", shown)], printed=False)]


def _wrong(report: Report, order: Sequence[str], place: RowPlace | None, near_place: RowPlace | None) -> Section:
    title = "Misclassified rows"
    if not report.wrong:
        return Section(title, "None.")
    note = "Most confident first; check these labels, as they are the most likely to be wrong."
    if any(one.spans for one in report.wrong):
        note += " Words in blue support the predicted label, words in orange the runner-up."
    rows = [
        Listed(
            "" if place is None else place(one.row),
            one.text,
            (one.label, one.predicted, shown_confidence(one.confidence)),
            [
                (
                    f"{near.similarity:.2f} {'' if near_place is None else near_place(near.row) + ' '}{near.label}:",
                    near.text,
                )
                for near in one.neighbours
            ],
            one.spans,
        )
        for one in report.wrong
    ]
    columns = ["label", "predicted", "confidence"]
    choices = {"label": order, "predicted": order}
    return Section(title, note, [row_list(rows, columns, choices, wrong="predicted", numbers=["confidence"])])
