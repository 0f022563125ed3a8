"""Reports: pages of an evaluation, a cross-validation, a learning curve, a comparison.

Each is one self-contained HTML file, which opens from disk and needs no network.
"""

from dataclasses import replace
from typing import Any

from embedclf.evaluation.comparison import Comparison
from embedclf.evaluation.cross_validation import CrossValidation
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.report import Report
from embedclf.formatting import counted, shown_share, shown_threshold
from embedclf.pages import charts
from embedclf.pages.names import MOST_IN_NAME, shortened
from embedclf.pages.rendering import RowPlace, Section, render
from embedclf.stats.intervals import Interval

# Of a larger matrix, its busiest part is shown, and the whole behind a click; of more bars, the worst.
_MOST_IN_MATRIX = 25


def evaluation_page(
    report: Report, title: str, place: RowPlace | None = None, near_place: RowPlace | None = None
) -> str:
    """Return the page of an evaluation; it shows where rows and training examples are from, if that is known."""
    return render(title, _tiles(report), _sections(report, place, near_place))


def cross_validation_page(result: CrossValidation, title: str, place: RowPlace | None = None) -> str:
    """Return the page of a cross-validation: its figures, each fold's, and the evaluation of the first repeat."""
    tiles = [
        _tile("accuracy", result.accuracy, result.accuracy_interval),
        _tile("macro-F1", result.macro_f1, result.macro_f1_interval),
        ("calibration error", f"{result.ece:.3f}", ""),
        ("rows", f"{result.n_examples:,}", f"in {result.n_folds} folds, {result.n_repeats} ×"),
    ]
    folds = Section(
        "Folds",
        "How far apart they lie.",
        header=["repeat", "fold", "rows", "accuracy", "macro-F1", "log loss"],
        rows=[
            [
                str(one.repeat),
                str(one.fold),
                f"{one.n_examples:,}",
                *_decimals(one.accuracy, one.macro_f1, one.log_loss),
            ]
            for one in result.folds
        ],
    )
    sections = _sections(result.report, place)
    if result.n_repeats > 1:
        sections = [replace(section, note=f"{section.note} Of the first repeat.") for section in sections]
    return render(title, tiles, [*sections, folds])


def learning_curve_page(curve: LearningCurve, title: str) -> str:
    """Return the page of a learning curve."""
    last = curve.points[-1]
    tiles = [
        _tile(f"accuracy with {last.n_labels:,} labels", last.accuracy, last.interval),
        ("last doubling", f"{100 * curve.gain:+z.1f} points", _between(curve.gain_interval, 100, 1)),
        ("rows held out", f"{curve.n_held_out:,}", ""),
    ]
    table = Section(
        "Figures",
        header=["labels", "accuracy", "95 % interval", "choices"],
        rows=[
            [f"{one.n_labels:,}", f"{one.accuracy:.3f}", _between(one.interval), str(one.n_draws)]
            for one in curve.points
        ],
    )
    return render(
        title,
        tiles,
        [Section("Would more labels help?", curve.verdict, [("Accuracy", charts.learning_chart(curve))]), table],
    )


def comparison_page(result: Comparison, title: str) -> str:
    """Return the page of a comparison."""
    best = result.candidates[0]
    tiles = [
        ("the best", best.embedder, f"{best.dimensions:,} dimensions, {best.head}"),
        _tile("its accuracy", best.accuracy, best.accuracy_interval),
        ("rows", f"{result.n_examples:,}", f"in {result.n_folds} folds"),
    ]
    rows = []
    for place, one in enumerate(result.candidates):
        low, high = (-100 * end for end in reversed(one.difference_interval))
        behind = f"{-100 * one.difference:z.1f} ({low:z.1f} to {high:z.1f}){'' if one.worse else ', may be chance'}"
        tokens = "–" if one.tokens is None else f"{one.tokens:,}"
        dollars = "free" if one.tokens is None else "not known" if one.dollars is None else f"${one.dollars:,.4f}"
        rows.append(
            [
                *(
                    one.embedder,
                    f"{one.dimensions:,}",
                    one.head,
                    f"{one.accuracy:.3f}",
                    _between(one.accuracy_interval),
                ),
                *("the best" if place == 0 else behind, tokens, dollars, f"{one.model_bytes / 1_000:,.1f} kB"),
                f"{one.ms_to_classify + (one.ms_to_embed or 0):.2f}{'' if one.ms_to_embed is not None else ' + API'}",
            ]
        )
    header = [
        *("embedder", "dimensions", "head", "accuracy", "95 % interval", "points behind"),
        *("tokens", "dollars", "model", "ms a text"),
    ]
    sections = [
        Section(
            "Accuracy",
            "With 95 % intervals. The differences below are paired, and tell more.",
            [("Accuracy", charts.comparison_chart(result))],
        ),
        Section("Figures", header=header, rows=rows, left=(0, 2)),
    ]
    return render(title, tiles, sections)


def _tile(name: str, figure: float, interval: Interval) -> tuple[str, str, str]:
    return name, f"{figure:.3f}", _between(interval)


def _between(interval: Interval, factor: float = 1, decimals: int = 3) -> str:
    low, high = (factor * end for end in interval)
    return f"{low:z.{decimals}f} to {high:z.{decimals}f}"


def _decimals(*figures: float) -> list[str]:
    return [f"{figure:.3f}" for figure in figures]


def _tiles(report: Report) -> list[tuple[str, str, str]]:
    tiles = [
        _tile("accuracy", report.accuracy, report.accuracy_interval),
        _tile("macro-F1", report.macro_f1, report.macro_f1_interval),
        ("calibration error", f"{report.ece:.3f}", ""),
        ("rows", f"{report.n_examples:,}", _n_wrong(report)),
    ]
    if report.threshold is not None:
        (point,) = [one for one in report.coverage if one.threshold == report.threshold]
        right = "" if point.accuracy is None else f"{shown_share(point.accuracy)} of these right"
        tiles.append((f"answered from {shown_threshold(report.threshold)} on", shown_share(point.coverage), right))
    if outside := report.out_of_scope:
        rejected = "" if outside.recall is None else f"{shown_share(outside.recall)} rejected"
        tiles.append(("out of scope: AUROC", f"{outside.auroc:.3f}", rejected))
    return tiles


def _n_wrong(report: Report) -> str:
    if report.out_of_scope is None or not report.out_of_scope.n_answered:
        return f"{len(report.wrong):,} wrong"
    answered = report.out_of_scope.n_answered
    return f"{len(report.wrong) - answered:,} wrong, and {answered:,} out of scope answered"


def _sections(report: Report, place: RowPlace | None, near_place: RowPlace | None = None) -> list[Section]:
    shown = charts.coverage_points(report)
    used = ""
    if report.threshold is not None:
        threshold, dotted = shown_threshold(report.threshold), any(one.threshold == report.threshold for one in shown)
        used = (
            f" The dot is the threshold {threshold}."
            if dotted
            else f" At the threshold {threshold} too few are answered for a dot."
        )
    note = "The surest first: these are the likeliest to be labelled wrong."
    if any(one.spans for one in report.wrong):
        note += (
            " Words in blue spoke for the label that the text was taken for, words in orange for the next likeliest."
        )
    wrong = Section("Wrong rows", note, wrong=report, place=place, near_place=near_place)
    if not report.wrong:
        wrong = Section("Wrong rows", "None.")
    return [
        Section("Confusion matrix", *_confusion_matrix(report)),
        _labels(report),
        Section(
            "Reliability",
            "Of answers with a confidence of 80 %, 80 % should be right: on the line.",
            [("Reliability", charts.reliability_chart(report))],
            half=True,
        ),
        Section(
            "Coverage",
            f"How much is answered, and how well, when the classifier abstains below a confidence.{used}",
            [("Coverage", charts.coverage_chart(report, shown))],
            half=True,
        ),
        *_words(report),
        wrong,
    ]


def _words(report: Report) -> list[Section]:
    if not report.words_by_label:
        return []
    rows = [
        # A figure stays on the line of its word.
        [label, ", ".join(f"{shortened(one.word, MOST_IN_NAME)}\u00a0{one.weight:+.2f}" for one in words)]
        for label, words in report.words_by_label.items()
    ]
    note = (
        "What speaks most for each label: how much a word adds to its score, over the score of the next likeliest "
        "label, on average over the texts that are answered with it."
    )
    folded = "" if len(rows) <= _MOST_IN_MATRIX + 1 else f"Words of all {counted(len(rows), 'label')}"
    return [Section("Words", note, header=["label", "words"], rows=rows, left=(0, 1), folded=folded)]


def _confusion_matrix(report: Report) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    n = len(report.classes)
    mistakes = [
        sum(report.confusion_matrix[i])
        - report.confusion_matrix[i][i]
        + sum(row[i] for row in report.confusion_matrix)
        - report.confusion_matrix[i][i]
        for i in range(n)
    ]
    # The busiest first; a stable sort keeps the others in order.
    order = sorted(range(n), key=lambda i: -mistakes[i])
    note = "Rows are the labels, columns what they were taken for; the labels with most mistakes first."
    # A single label is not put together with others: it is no longer than they would be.
    if n <= _MOST_IN_MATRIX + 1:
        return note, [("Confusion matrix", charts.confusion_chart(report, order))]
    note += f" The mistakes with the {n - _MOST_IN_MATRIX} labels that have fewest are in the last row and column."
    return note, [
        (f"The {_MOST_IN_MATRIX} labels with most mistakes", charts.confusion_chart(report, order[:_MOST_IN_MATRIX])),
        (f"All {n} labels", charts.confusion_chart(report, order)),
    ]


def _labels(report: Report) -> Section:
    ordered = sorted(report.per_class.items(), key=lambda pair: pair[1].f1)
    n = len(ordered)
    few = n <= _MOST_IN_MATRIX + 1
    bars = ordered if few else ordered[:_MOST_IN_MATRIX]
    return Section(
        "Labels",
        f"F1 of {'each label' if few else f'the {len(bars)} worst of {n} labels'}, the worst first.",
        [("F1 of labels", charts.f1_chart(bars))],
        header=["label", "F1", "precision", "recall", "rows"],
        rows=[[name, *_decimals(one.f1, one.precision, one.recall), f"{one.support:,}"] for name, one in ordered],
        left=(0,),
        folded=f"Figures of {'all ' if n > 1 else ''}{counted(n, 'label')}",
    )
