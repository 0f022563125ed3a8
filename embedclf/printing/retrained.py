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
    for cells in tables_of(result):
        lines += [*table(*cells, left=(0, 4)), ""]
    shown = moved(result.by_label)
    if (result.by_rows or result.by_figure) and len(shown) < len(result.by_label):
        lines.append(_of_others(result, shown))
    sentences = verdicts_of(result) if result.by_rows else [verdict_of(result)]
    return [*lines, *([(sentence, HEADING)] for sentence in sentences)]


def tables_of(result: "Retraining") -> "list[tuple[list[str], list[list[str]]]]":
    """Return the headers and the rows of tables of what changed: figures, old and new rows, labels."""
    found = []
    if result.by_figure:
        found.append(_cells_of_changes("figure", "Δ (95 %)", result.by_figure[1:]))
    if result.by_rows:
        found.append(_cells_of_changes("rows", f"Δ {result.metric} (95 %)", result.by_rows))
    if (result.by_rows or result.by_figure) and (labels := moved(result.by_label)):
        found.append(_cells_of_changes("label", f"Δ {result.metric_of_labels} (95 %)", labels))
    return found


def moved(labels: "Sequence[Change]") -> "list[Change]":
    """Return the labels that are new, and those whose recall, or F1, has clearly changed, the most first."""
    new = [one for one in labels if one.before is None]
    clear = sorted((one for one in labels if one.is_clear), key=lambda one: -abs(one.difference or 0))
    return [*new[:_MOST_LABELS], *clear[:_MOST_LABELS]]


def _of_others(result: "Retraining", shown: "Sequence[Change]") -> str:
    labels = result.by_label
    n, n_shown = len(labels), len(shown)
    of_others = [one for one in labels if one not in shown]
    if any(one.is_clear or one.before is None for one in of_others):
        return f"{counted(n - n_shown, 'more label')}, all in --json."
    which = counted(n - n_shown, "other label" if shown else "label")
    return f"No clear change in the {result.metric_of_labels} of {which}."


def _cells_of_changes(what: str, delta: str, changes: "Sequence[Change]") -> tuple[list[str], list[list[str]]]:
    header = [what, "held out", "before", "after", delta]
    name = shown_label if what == "label" else str
    return header, [_cells_of_change(one, name(one.name)) for one in changes]


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
            sentences.append(f"{rows}, the {result.metric} is {abs(one.difference):.3f} {more} than before ({shown}).")
        else:
            sentences.append(f"{rows}, no clear change: the difference may be zero ({shown}).")
    return sentences


def _title(result: "Retraining") -> str:
    n = result.new.n_held_out if result.new is not None else 0
    of_both = ", the same for both" if result.reason is None else ""
    return f"Held-out test ({counted(n, 'row')}{of_both}):"


def cells_of(result: "Retraining") -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table of the new and the old classifier."""
    header = ["model", "embedder", "dims", "rows", f"{result.metric} (95 %)"]
    difference: list[str] = []
    if result.difference is not None and result.difference_interval is not None:
        significant = result.verdict != "unclear"
        header.append(f"Δ {result.metric} (95 %)")
        difference = [shown_difference(result.difference, *result.difference_interval, significant=significant)]
    rows = [[*_cells("new", result.new), *difference]] if result.new is not None else []
    if result.old is not None:
        rows.append([*_cells("old", result.old), *(["–"] if difference else [])])
    return header, rows


def _cells(which: str, one: "Measured") -> list[str]:
    score, interval = one.score
    if interval is None:
        shown = f"{score:.3f}  (from its file, {counted(one.n_held_out, 'row')})"
    else:
        shown = with_interval(score, interval)
    dimensions = f"{one.dimensions:,}" if one.dimensions else "–"
    return [which, in_one_line(one.name), dimensions, f"{one.n_rows:,}", shown]


def verdict_of(result: "Retraining") -> str:
    """Return in a sentence whether the new classifier is better than the old one."""
    interval = result.difference_interval
    if interval is None or result.difference is None:
        what = "is what its file records" if result.old is not None else "is not in its file either"
        return (
            "Which model is better is unknown: the old one could not be measured again, row by row "
            f"({in_one_line(result.reason or '')}); its {result.metric} {what}."
        )
    shown = f"95 % interval {shown_interval((interval.low, interval.high))}"
    if result.verdict == "unclear":
        return f"Neither model is clearly better: the difference may be zero ({shown})."
    changed = f"{abs(result.difference):.3f} {'higher' if result.difference > 0 else 'lower'}"
    return f"The new model is {result.verdict} than the old one: its {result.metric} is {changed} ({shown})."
