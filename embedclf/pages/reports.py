"""HTML reports on an evaluation, a cross-validation, a learning curve or a comparison.

Each is one self-contained file, which opens from disk and needs no network.
"""

from dataclasses import replace
from typing import Any

from embedclf.evaluation.comparison import Comparison
from embedclf.evaluation.cross_validation import CrossValidation
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.report import Report
from embedclf.formatting import counted, shown_difference, shown_dollars, shown_share, shown_threshold
from embedclf.pages import charts
from embedclf.pages.names import MOST_IN_NAME, shortened
from embedclf.pages.rendering import RowPlace, Section, render
from embedclf.stats.intervals import Interval

# With more labels, the confusion matrix shows those with most errors and is collapsed in full, and the bar chart shows
# the worst labels.
_MAX_IN_MATRIX = 25


def evaluation_page(
    report: Report, title: str, place: RowPlace | None = None, near_place: RowPlace | None = None
) -> str:
    """Return the page of an evaluation; `place` and `near_place` give the origins of rows and training examples."""
    return render(title, _tiles(report), _sections(report, place, near_place))


def cross_validation_page(result: CrossValidation, title: str, place: RowPlace | None = None) -> str:
    """Return the page of a cross-validation: overall figures, those of each fold, and details of the first repeat."""
    repeats = "" if result.n_repeats == 1 else f", {result.n_repeats} repeats"
    tiles = [
        _tile("accuracy", result.accuracy, result.accuracy_interval),
        _tile("macro-F1", result.macro_f1, result.macro_f1_interval),
        ("calibration error (ECE)", f"{result.ece:.3f}", ""),
        ("rows", f"{result.n_examples:,}", f"{result.n_folds}-fold cross-validation{repeats}"),
    ]
    folds = Section(
        "Folds",
        "How much the figures vary between folds.",
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
        sections = [replace(section, note=f"{section.note} First repeat only.") for section in sections]
    return render(title, tiles, [*sections, folds])


def learning_curve_page(curve: LearningCurve, title: str) -> str:
    """Return the page of a learning curve."""
    last = curve.points[-1]
    tiles = [
        _tile(f"accuracy with {last.n_labels:,} training rows", last.accuracy, last.interval),
        ("gain from last doubling", f"{100 * curve.gain:+z.1f} points", _between(curve.gain_interval, 100, 1)),
        ("held-out rows", f"{curve.n_held_out:,}", ""),
    ]
    table = Section(
        "Figures",
        header=["training rows", "accuracy", "95 % interval", "runs"],
        rows=[
            [f"{one.n_labels:,}", f"{one.accuracy:.3f}", _between(one.interval), str(one.n_draws)]
            for one in curve.points
        ],
    )
    return render(
        title,
        tiles,
        [Section("Would more labelled rows help?", curve.verdict, [("Accuracy", charts.learning_chart(curve))]), table],
    )


def comparison_page(result: Comparison, title: str) -> str:
    """Return the page of a comparison."""
    best = result.candidates[0]
    tiles = [
        ("best", best.embedder, f"{best.dimensions:,} dimensions, {best.head}"),
        _tile("best accuracy", best.accuracy, best.accuracy_interval),
        ("rows", f"{result.n_examples:,}", f"{result.n_folds}-fold cross-validation"),
    ]
    rows = []
    for place, one in enumerate(result.candidates):
        difference = shown_difference(one.difference, *one.difference_interval, significant=one.worse)
        tokens = "–" if one.tokens is None else f"{one.tokens:,}"
        dollars = "free" if one.tokens is None else "unknown" if one.dollars is None else shown_dollars(one.dollars)
        rows.append(
            [
                *(
                    one.embedder,
                    f"{one.dimensions:,}",
                    one.head,
                    f"{one.accuracy:.3f}",
                    _between(one.accuracy_interval),
                ),
                *("best" if place == 0 else difference, tokens, dollars, f"{one.model_bytes / 1_000:,.1f} kB"),
                f"{one.ms_to_classify + (one.ms_to_embed or 0):.2f}{'' if one.ms_to_embed is not None else ' + API'}",
            ]
        )
    header = [
        *("embedder", "dimensions", "head", "accuracy", "95 % interval", "Δ accuracy vs best (95 %)"),
        *("tokens", "dollars", "model size", "ms/text"),
    ]
    sections = [
        Section(
            "Accuracy",
            "With 95 % intervals. The paired differences in the table are more precise.",
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
        ("calibration error (ECE)", f"{report.ece:.3f}", ""),
        ("rows", f"{report.n_examples:,}", _n_wrong(report)),
    ]
    if report.threshold is not None:
        (point,) = [one for one in report.coverage if one.threshold == report.threshold]
        accuracy = "" if point.accuracy is None else f"{shown_share(point.accuracy)} accuracy on these"
        threshold = shown_threshold(report.threshold)
        tiles.append((f"coverage at threshold {threshold}", shown_share(point.coverage), accuracy))
    if outside := report.out_of_scope:
        rejected = "" if outside.recall is None else f"{shown_share(outside.recall)} rejected"
        tiles.append(("out-of-scope AUROC", f"{outside.auroc:.3f}", rejected))
    return tiles


def _n_wrong(report: Report) -> str:
    if report.out_of_scope is None or not report.out_of_scope.n_answered:
        return f"{len(report.wrong):,} misclassified"
    answered = report.out_of_scope.n_answered
    return f"{len(report.wrong) - answered:,} misclassified, {answered:,} out-of-scope answered"


def _sections(report: Report, place: RowPlace | None, near_place: RowPlace | None = None) -> list[Section]:
    shown = charts.coverage_points(report)
    used = ""
    if report.threshold is not None:
        threshold, dotted = shown_threshold(report.threshold), any(one.threshold == report.threshold for one in shown)
        used = (
            f" The dot marks the threshold {threshold}."
            if dotted
            else f" Too few rows are answered at the threshold {threshold} to mark it."
        )
    note = "Most confident first; check these labels, as they are the most likely to be wrong."
    if any(one.spans for one in report.wrong):
        note += " Words in blue support the predicted label, words in orange the runner-up."
    wrong = Section("Misclassified rows", note, wrong=report, place=place, near_place=near_place)
    if not report.wrong:
        wrong = Section("Misclassified rows", "None.")
    return [
        Section("Confusion matrix", *_confusion_matrix(report)),
        _labels(report),
        Section(
            "Reliability",
            "Calibrated models follow the dashed line: 80 % confidence, 80 % correct.",
            [("Reliability", charts.reliability_chart(report))],
            half=True,
        ),
        Section(
            "Coverage",
            f"The share of texts answered at each threshold, and the accuracy on them.{used}",
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
        # The no-break space keeps each weight on the line of its word.
        [label, ", ".join(f"{shortened(one.word, MOST_IN_NAME)}\u00a0{one.weight:+.2f}" for one in words)]
        for label, words in report.words_by_label.items()
    ]
    note = (
        "The words that support each label most: how much a word adds to the lead over the runner-up, on average over "
        "the texts for which the label is predicted."
    )
    folded = "" if len(rows) <= _MAX_IN_MATRIX + 1 else f"Words of all {counted(len(rows), 'label')}"
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
    # Labels with most errors first; a stable sort keeps the order of ties.
    order = sorted(range(n), key=lambda i: -mistakes[i])
    note = "Rows are true labels, columns predicted labels; labels with the most errors first."
    # A single remaining label is shown as itself, since "1 other label" would take as much room.
    if n <= _MAX_IN_MATRIX + 1:
        return note, [("Confusion matrix", charts.confusion_chart(report, order))]
    note += f" The last row and column combine the {n - _MAX_IN_MATRIX} labels with the fewest errors."
    return note, [
        (f"The {_MAX_IN_MATRIX} labels with the most errors", charts.confusion_chart(report, order[:_MAX_IN_MATRIX])),
        (f"All {n} labels", charts.confusion_chart(report, order)),
    ]


def _labels(report: Report) -> Section:
    ordered = sorted(report.per_class.items(), key=lambda pair: pair[1].f1)
    n = len(ordered)
    few = n <= _MAX_IN_MATRIX + 1
    bars = ordered if few else ordered[:_MAX_IN_MATRIX]
    return Section(
        "Labels",
        f"F1 of {'each label' if few else f'the {len(bars)} worst of {n} labels'}, worst first.",
        [("F1 of labels", charts.f1_chart(bars))],
        header=["label", "F1", "precision", "recall", "rows"],
        rows=[[name, *_decimals(one.f1, one.precision, one.recall), f"{one.support:,}"] for name, one in ordered],
        left=(0,),
        folded=f"Figures for {'all ' if n > 1 else ''}{counted(n, 'label')}",
    )
