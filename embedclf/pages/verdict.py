"""The result of an evaluation in three sentences."""

from collections.abc import Sequence

from embedclf.evaluation.report import Report
from embedclf.formatting import counted, shown_threshold
from embedclf.pages.names import in_one_line
from embedclf.stats.intervals import Interval

_N_WEAKEST = 3
_N_CONFUSED = 2


def verdict(report: Report, order: Sequence[str], accuracy: float, interval: Interval) -> list[str]:
    """Return how good a classifier is, how good if it answers only where it is confident, and where it is weak.

    Parameters
    ----------
    report : Report
    order : sequence of str
        The labels, the weakest first.
    accuracy : float
    interval : Interval
        95 %, of the accuracy.
    """
    return list(filter(None, [_accuracy(report, accuracy, interval), _answering(report), _weakest(report, order)]))


def weakest_first(report: Report) -> list[str]:
    """Return all labels, the weakest first: the one order in which a page shows them.

    Labels that are neither right nor predicted anywhere come last; before them, those which only rows that are out of
    scope have.
    """
    known = sorted(report.per_class, key=lambda name: (report.per_class[name].f1, name))
    others = {name for one in report.wrong for name in (one.label, one.predicted)}
    return list(dict.fromkeys([*known, *sorted(others), *report.classes]))


def percent(share: float) -> str:
    """Return a share in whole percent; with a decimal where that would be 0 or 100 without being so."""
    whole = f"{100 * share:.0f} %"
    return whole if whole not in ("0 %", "100 %") or share in (0, 1) else f"{100 * share:.1f} %"


def _accuracy(report: Report, accuracy: float, interval: Interval) -> str:
    low, high = (percent(end).removesuffix(" %") for end in interval)
    said = f"{percent(accuracy)} of {counted(report.n_examples, 'text')} get the right label ({low} to {high} %)"
    if (baseline := report.baseline) is not None:
        said += f"; always guessing the commonest label would get {percent(baseline.accuracy)}"
        if baseline.words_accuracy is not None:
            said += f", and words alone {percent(baseline.words_accuracy)}"
    return f"{said}."


def _answering(report: Report) -> str:
    """Return the accuracy at the model's threshold, or else on about half of the texts."""
    points = [point for point in report.coverage if point.accuracy is not None]
    if report.threshold is not None:
        used = [point for point in points if point.threshold == report.threshold]
        if not used:
            return f"At its threshold {shown_threshold(report.threshold)}, it answers none of them."
        (at,) = used
        return (
            f"At its threshold {shown_threshold(report.threshold)}, it answers {percent(at.coverage)} of them, and "
            f"{percent(at.accuracy or 0)} of these answers are right."
        )
    point = min(points, key=lambda point: abs(point.coverage - 0.5), default=None)
    if point is None or point.coverage == 1:
        return ""
    part = "half" if abs(point.coverage - 0.5) < 0.05 else percent(point.coverage)
    return f"Answering only the surer {part}, {percent(point.accuracy or 0)} are right."


def _weakest(report: Report, order: Sequence[str]) -> str:
    if not report.confusions:
        return "None is misclassified."
    weakest = [name for name in order if name in report.per_class and report.per_class[name].f1 < 1][:_N_WEAKEST]
    labels = ", ".join(f"{in_one_line(name)} (F1 {report.per_class[name].f1:.2f})" for name in weakest)
    confused = ", ".join(
        f"{in_one_line(one.label)} predicted as {in_one_line(one.predicted)} ({counted(one.n_texts, 'row')})"
        for one in report.confusions[:_N_CONFUSED]
    )
    return f"Weakest: {labels}; most confused: {confused}."
