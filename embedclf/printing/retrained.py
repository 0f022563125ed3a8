"""A retraining as lines of text."""

from typing import TYPE_CHECKING

from embedclf.formatting import counted, shown_difference, shown_interval
from embedclf.printing.figures import training_lines
from embedclf.printing.lines import HEADING, Line, heading
from embedclf.printing.tables import in_one_line, table, with_interval

if TYPE_CHECKING:
    from embedclf.evaluation.retraining_result import Measured, Retraining


def retraining_lines(result: "Retraining") -> list[Line]:
    """Return how the new classifier was trained, both beside each other, and which is better."""
    lines = training_lines(result.classifier)
    if result.new is not None:
        lines += ["", heading(_title(result)), *table(*cells_of(result), left=(0, 1, 4, 5)), ""]
    return [*lines, [(verdict_of(result), HEADING)]]


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
