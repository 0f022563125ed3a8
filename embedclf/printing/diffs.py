"""A comparison of two classifiers as lines of text."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from embedclf.evaluation.model_diff import FEW_PER_LABEL
from embedclf.formatting import counted, shown_difference
from embedclf.printing.lines import DIM, HEADING, PLAIN, RIGHT, WRONG, Line, heading
from embedclf.printing.tables import Places, in_one_line, place_of, shortened, shown_label, table

if TYPE_CHECKING:
    from embedclf.data.label_sets import LabelSet
    from embedclf.evaluation.changes import Change
    from embedclf.evaluation.model_diff import ChangedRow, Kind, ModelDiff
    from embedclf.stats.intervals import Interval

NO_ANSWER = "–"

_MOST_LABELS, _N_ROWS, _MOST_NAMED = 10, 5, 3
_SHARE_BY_CHANCE = 0.05
_TITLES: "dict[Kind, str]" = {
    "worse": "worse",
    "better": "better",
    "both wrong": "wrong both times",
}


def diff_lines(result: "ModelDiff", corpus: Places, rest: str, all_labels: str = "--report, --json") -> list[Line]:
    """Return a comparison as lines: figures, labels, rows, and the verdict last.

    Parameters
    ----------
    result : ModelDiff
    corpus : Places
        Where the rows are from.
    rest : str
        How to get all rows, for the end of a list that is cut short.
    all_labels : str
        Where all labels are.
    """
    lines: list[Line] = []
    for cells in diff_tables(result):
        lines += [*table(*cells, left=(0, 4)), ""]
    lines += [*of_labels(result, all_labels), *unknown_lines(result), ""]
    lines += _rows(result, corpus, rest)
    return [*lines, *([(sentence, HEADING)] for sentence in verdicts_of(result))]


def diff_tables(result: "ModelDiff") -> list[tuple[list[str], list[list[str]]]]:
    """Return the headers and the rows of the tables: the figures, and the labels that have changed, if any."""
    tables = [
        (
            ["figure", "rows", "old", "new", "Δ (95 %)"],
            [_cells(one, one.name, is_clear=result.is_clear(one)) for one in result.figures],
        )
    ]
    if shown := moved(result):
        header = ["label", "rows", "old", "new", f"Δ {result.metric_of_labels} (95 %)"]
        tables.append((header, [_cells(one, shown_label(one.name), is_clear=one.is_clear) for one in shown]))
    return tables


def moved(result: "ModelDiff") -> "list[Change]":
    """Return the labels that have clearly changed, most first, and then those that only the new classifier knows."""
    clear = sorted((one for one in result.by_label if one.is_clear), key=lambda one: -abs(one.difference or 0))
    new = [one for one in result.by_label if one.before is None and one.name not in result.unknown_to_new]
    return [*clear[:_MOST_LABELS], *new[:_MOST_LABELS]]


def _cells(one: "Change", name: str, *, is_clear: bool) -> list[str]:
    before = NO_ANSWER if one.before is None else f"{one.before:.3f}"
    difference = "new label"
    if one.difference is not None and one.difference_interval is not None:
        difference = shown_difference(one.difference, *one.difference_interval, significant=is_clear)
    return [name, f"{one.n_held_out:,}", before, f"{one.after:.3f}", difference]


def of_labels(result: "ModelDiff", all_labels: str) -> list[str]:
    """Return remarks on the labels that are not shown, and on how many may be shown by chance."""
    shown = moved(result)
    metric, n, others = result.metric_of_labels, len(result.by_label), len(result.by_label) - len(shown)
    said = []
    if any(one.is_clear and not result.is_clear(one) for one in result.figures):
        said.append(
            f"With fewer than {FEW_PER_LABEL} rows per label, the interval of macro-F1 is too narrow to rely on."
        )
    if others and not any(one.is_clear and one not in shown for one in result.by_label):
        said.append(f"No clear change in the {metric} of {counted(others, 'other label' if shown else 'label')}.")
    elif others:
        said.append(f"… {counted(others, 'more label')} ({all_labels}).")
    if (by_chance := round(_SHARE_BY_CHANCE * n)) and any(one.is_clear for one in shown):
        said.append(f"Of {n} labels, up to {by_chance} may seem to have changed by chance.")
    return said


def unknown_lines(result: "ModelDiff") -> list[str]:
    """Return which labels of the rows each classifier does not know."""
    return [
        f"The {which} model does not know {_named(unknown)}: counted as wrong."
        for which, unknown in (("old", result.unknown_to_old), ("new", result.unknown_to_new))
        if unknown
    ]


def _named(unknown: Mapping[str, int]) -> str:
    ordered = sorted(unknown.items(), key=lambda pair: -pair[1])
    named = [f"'{shown_label(name)}' ({counted(n, 'row')})" for name, n in ordered[:_MOST_NAMED]]
    if others := ordered[_MOST_NAMED:]:
        named.append(f"{counted(len(others), 'more label')} ({counted(sum(n for _, n in others), 'row')})")
    return ", ".join(named)


def summary_of_rows(result: "ModelDiff") -> str:
    """Return in a sentence how many rows get a different answer, and how many of these are better or worse."""
    if not result.changed:
        return "Both models give every row the same answer."
    parts = [f"{result.count(kind):,} {_TITLES[kind]}" for kind in _TITLES]
    n, get = len(result.changed), "gets" if len(result.changed) == 1 else "get"
    return f"{n:,} of {counted(result.n_examples, 'row')} {get} a different answer: {', '.join(parts)}."


def _rows(result: "ModelDiff", corpus: Places, rest: str) -> list[Line]:
    lines: list[Line] = [summary_of_rows(result)]
    is_cut = False
    for kind in ("worse", "better"):
        of_kind = [one for one in result.changed if one.change == kind]
        if of_kind:
            lines.append(heading(f"{'Worse' if kind == 'worse' else 'Better'}, most confident first:"))
        for one in of_kind[:_N_ROWS]:
            lines += [_row(one, corpus), f"    {shortened(one.text, beside=4)}"]
        is_cut = is_cut or len(of_kind) > _N_ROWS
    if rest and (is_cut or result.count("both wrong")):
        lines.append(rest)
    return [*lines, ""]


def _row(one: "ChangedRow", corpus: Places) -> Line:
    styles = {"better": (WRONG, RIGHT), "worse": (RIGHT, WRONG)}.get(one.change, (WRONG, WRONG))
    return [
        ("  ", PLAIN),
        place_of(one.row, corpus),
        (f"  labelled {shown_answer(one.label)}: ", PLAIN),
        (shown_answer(one.old), styles[0]),
        (" → ", PLAIN),
        (shown_answer(one.new), styles[1]),
        (f" ({one.old_confidence:.2f} → {one.new_confidence:.2f})", DIM),
    ]


def shown_answer(answer: "str | LabelSet | None") -> str:
    """Return the label or the labels of a text as people read them."""
    if answer is None or answer == ():
        return NO_ANSWER
    return shown_label(answer) if isinstance(answer, str) else ", ".join(map(shown_label, answer))


def verdicts_of(result: "ModelDiff") -> list[str]:
    """Return in sentences whether the new classifier is better, and what else has clearly changed."""
    sentences = [_verdict(result)]
    clear = [one for one in result.figures[1:] if result.is_clear(one)]
    if clear:
        sentences.append(f"Also clear: {'; '.join(map(_clear_change, clear))}.")
    return sentences


def _verdict(result: "ModelDiff") -> str:
    main, margin = result.main, points(result.margin)
    if main.difference is None or main.difference_interval is None:
        raise TypeError("a comparison of two classifiers has a difference")
    if result.are_alike:
        return "No difference: both models give every text the same probabilities."
    shown = f"{main.name} {signed_points(main.difference)} ({shown_points(main.difference_interval)})"
    if result.verdict == "no difference":
        return f"No difference that matters: {shown}, within ±{margin}."
    if result.verdict == "cannot tell":
        few = f"Cannot tell with {counted(result.n_examples, 'row')}: {shown}."
        return (
            few
            if result.rows_needed is None
            else f"{few} Roughly {result.rows_needed:,} rows like these would be enough."
        )
    return f"The new model is {result.verdict}: {shown}."


def _clear_change(one: "Change") -> str:
    if one.difference is None or one.difference_interval is None:
        raise TypeError("a clear change has a difference")
    if one.name == "mean cost":
        return f"{one.name} {shown_difference(one.difference, *one.difference_interval, significant=True)}"
    return f"{in_one_line(one.name)} {signed_points(one.difference)} ({shown_points(one.difference_interval)})"


def points(share: float) -> str:
    """Return a share in percentage points: ``1 point``, ``0.5 points``."""
    shown = f"{100 * share:g}"
    return f"{shown} point{'' if shown == '1' else 's'}"


def signed_points(share: float) -> str:
    """Return a difference in percentage points with its sign: ``+2.4 points``."""
    return f"{_signed(share)} points"


def shown_points(interval: "Interval") -> str:
    """Return the interval of a difference in percentage points."""
    return f"95 % interval {_signed(interval.low)} to {_signed(interval.high)}"


def _signed(share: float) -> str:
    return f"{100 * share:+z.1f}".replace("-", "−")
