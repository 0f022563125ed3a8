"""A retraining as lines of text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedclf.formatting import counted, shown_difference, shown_interval
from embedclf.printing.figures import training_lines
from embedclf.printing.lines import HEADING, Line, heading
from embedclf.printing.tables import in_one_line, shown_label, table, with_interval

if TYPE_CHECKING:
    from embedclf.evaluation.changes import Change
    from embedclf.evaluation.retraining_result import Measured, Retraining

_MOST_LABELS = 10


def retraining_lines(result: "Retraining") -> list[Line]:
    """Return how the new classifier was trained, both beside each other, and which is better."""
    lines = training_lines(result.classifier)
    if result.new is not None:
        lines += ["", heading(_title(result)), *table(*cells_of(result), left=(0, 1, 4, 5)), ""]
    if not result.by_rows:
        return [*lines, [(verdict_of(result), HEADING)]]
    lines += [*table(*cells_of_rows(result), left=(0, 4)), ""]
    if shown := moved(result.by_label):
        lines += [*table(*cells_of_labels(shown), left=(0, 4)), ""]
    lines += [_of_others(result.by_label, shown)] if len(shown) < len(result.by_label) else []
    return [*lines, *([(sentence, HEADING)] for sentence in verdicts_of(result))]


def moved(labels: "Sequence[Change]") -> "list[Change]":
    """Return the labels that are new, and those whose recall has clearly changed, the most first."""
    new = [one for one in labels if one.before is None]
    clear = sorted((one for one in labels if one.is_clear), key=lambda one: -abs(one.difference or 0))
    return [*new[:_MOST_LABELS], *clear[:_MOST_LABELS]]


def _of_others(labels: "Sequence[Change]", shown: "Sequence[Change]") -> str:
    n, n_shown = len(labels), len(shown)
    of_others = [one for one in labels if one not in shown]
    if any(one.is_clear or one.before is None for one in of_others):
        return f"{counted(n - n_shown, 'more label')}, all in --json."
    which = counted(n - n_shown, "other label" if shown else "label")
    return f"No clear change in the recall of {which}."


def cells_of_rows(result: "Retraining") -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table of what changed on the old and on the new rows."""
    header = ["rows", "held out", "before", "after", "Δ accuracy (95 %)"]
    return header, [_cells_of_change(one, one.name) for one in result.by_rows]


def cells_of_labels(labels: "Sequence[Change]") -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table of what changed for some labels."""
    header = ["label", "held out", "before", "after", "Δ recall (95 %)"]
    return header, [_cells_of_change(one, shown_label(one.name)) for one in labels]


def _cells_of_change(one: "Change", name: str) -> list[str]:
    before = "–" if one.before is None else f"{one.before:.3f}"
    if one.difference is None or one.difference_interval is None:
        difference = f"new label: {shown_interval(one.after_interval)}"
    else:
        difference = shown_difference(one.difference, *one.difference_interval, significant=one.is_clear)
    return [name, f"{one.n_held_out:,}", before, f"{one.after:.3f}", difference]


def verdicts_of(result: "Retraining") -> list[str]:
    """Return in sentences what new rows have changed, for the old rows and for the new ones."""
    sentences = []
    if all(one.name != "new" for one in result.by_rows):
        sentences.append("No new row was held out, so what is learned from them is not measured.")
    for one in result.by_rows:
        rows = f"On the {one.name} rows"
        if one.difference is None or one.difference_interval is None:
            continue
        shown = f"95 % interval {shown_interval(one.difference_interval)}"
        if one.is_clear:
            more = "higher" if one.difference > 0 else "lower"
            sentences.append(f"{rows}, the accuracy is {abs(one.difference):.3f} {more} than before ({shown}).")
        else:
            sentences.append(f"{rows}, no clear change: the difference may be zero ({shown}).")
    return sentences


def _title(result: "Retraining") -> str:
    n = result.new.n_held_out if result.new is not None else 0
    of_both = ", the same for both" if result.reason is None else ""
    return f"Held-out test ({counted(n, 'row')}{of_both}):"


def cells_of(result: "Retraining") -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table of the new and the old classifier."""
    header = ["model", "embedder", "dims", "rows", "accuracy (95 %)"]
    difference: list[str] = []
    if result.difference is not None and result.difference_interval is not None:
        significant = result.verdict != "unclear"
        header.append("Δ accuracy (95 %)")
        difference = [shown_difference(result.difference, *result.difference_interval, significant=significant)]
    rows = [[*_cells("new", result.new), *difference]] if result.new is not None else []
    if result.old is not None:
        rows.append([*_cells("old", result.old), *(["–"] if difference else [])])
    return header, rows


def _cells(which: str, one: "Measured") -> list[str]:
    if one.accuracy_interval is None:
        accuracy = f"{one.accuracy:.3f}  (from its file, {counted(one.n_held_out, 'row')})"
    else:
        accuracy = with_interval(one.accuracy, one.accuracy_interval)
    dimensions = f"{one.dimensions:,}" if one.dimensions else "–"
    return [which, in_one_line(one.name), dimensions, f"{one.n_rows:,}", accuracy]


def verdict_of(result: "Retraining") -> str:
    """Return in a sentence whether the new classifier is better than the old one."""
    interval = result.difference_interval
    if interval is None or result.difference is None:
        what = "is what its file records" if result.old is not None else "is not in its file either"
        return (
            "Which model is better is unknown: the old one could not be measured again, row by row "
            f"({in_one_line(result.reason or '')}); its accuracy {what}."
        )
    shown = f"95 % interval {shown_interval((interval.low, interval.high))}"
    if result.verdict == "unclear":
        return f"Neither model is clearly better: the difference may be zero ({shown})."
    more = "higher" if result.difference > 0 else "lower"
    return (
        f"The new model is {result.verdict} than the old one: its accuracy is {abs(result.difference):.3f} {more} "
        f"({shown})."
    )
