"""The HTML page of a comparison of two classifiers on the same texts."""

from collections.abc import Sequence

from embedclf.data.label_sets import LabelSet
from embedclf.evaluation.changes import Change
from embedclf.evaluation.model_diff import KINDS, MEAN_COST, ModelDiff
from embedclf.formatting import shown_difference
from embedclf.pages.markup import breakable, tag
from embedclf.pages.rendering import Facts, Heading, Section, folded, render, table
from embedclf.pages.reports import INTERVALS, between
from embedclf.pages.row_list import Listed, RowPlace, row_list
from embedclf.printing.diffs import NO_ANSWER, of_labels, signed_points, summary_of_rows, unknown_lines, verdicts_of

_MOST_LABELS = 25


def diff_page(
    result: ModelDiff, title: str, place: RowPlace | None = None, *, facts: Facts = (), note: str = ""
) -> str:
    """Return the page of a comparison; see `evaluation_page` for the parameters."""
    tiles = [_tile(one) for one in result.figures]
    changed = f"{result.count('better'):,} better, {result.count('worse'):,} worse"
    tiles.append(("rows with a different answer", f"{len(result.changed):,}", changed))
    heading = Heading(title, verdicts_of(result), tiles, facts, note)
    return render(heading, [_figures(result), _labels(result), _rows(result, place)], INTERVALS)


def _tile(one: Change) -> tuple[str, str, str]:
    if one.difference is None or one.difference_interval is None or one.before is None:
        raise TypeError("a comparison of two classifiers has a difference")
    figures = f"{one.before:.3f} → {one.after:.3f}"
    if one.name == MEAN_COST:
        return one.name, f"{one.difference:+z.3f}", f"{figures}; {between(one.difference_interval)}"
    return one.name, signed_points(one.difference), f"{figures}; {between(one.difference_interval, 100, 1)}"


def _cells(one: Change, *, is_clear: bool) -> list[object]:
    before = NO_ANSWER if one.before is None else f"{one.before:.3f}"
    difference = "new label"
    if one.difference is not None and one.difference_interval is not None:
        difference = shown_difference(one.difference, *one.difference_interval, significant=is_clear)
    name = tag("bdi", breakable(one.name))
    return [name, f"{one.n_held_out:,}", before, f"{one.after:.3f}", between(one.after_interval), difference]


def _figures(result: ModelDiff) -> Section:
    header = ["figure", "rows", "old", "new", "95 % interval", "difference (95 %)"]
    note = "Differences are paired: both classifiers answer the same rows."
    return Section(
        "Figures",
        note,
        [table("Figures", header, [_cells(one, is_clear=result.is_clear(one)) for one in result.figures])],
    )


def _labels(result: ModelDiff) -> Section:
    header = ["label", "rows", "old", "new", "95 % interval", f"difference in {result.metric_of_labels} (95 %)"]
    ordered = sorted(result.by_label, key=lambda one: (not one.is_clear, one.difference or 0.0, one.name))
    rows = [_cells(one, is_clear=one.is_clear) for one in ordered]
    few = len(rows) <= _MOST_LABELS + 1
    shown = rows if few else rows[:_MOST_LABELS]
    parts = [table("Labels", header, shown)]
    if not few:
        others = f"The other {len(rows) - len(shown)} labels"
        parts.append(folded(others, table(others, header, rows[len(shown) :])))
    note = f"The {result.metric_of_labels} of each label, clear changes first."
    return Section("Labels", " ".join([note, *of_labels(result, "below"), *unknown_lines(result)]), parts)


def _rows(result: ModelDiff, place: RowPlace | None) -> Section:
    title, note = "Rows with a different answer", summary_of_rows(result)
    if not result.changed:
        return Section(title, note)
    if any(one.spans for one in result.changed):
        note += " Words in blue support the new label, words in orange the runner-up."
    rows = [
        Listed(
            "" if place is None else place(one.row),
            one.text,
            (
                *(_names(one.label), _names(one.old), _names(one.new), one.change),
                f"{one.old_confidence:.2f} → {one.new_confidence:.2f}",
            ),
            spans=one.spans,
        )
        for one in result.changed
    ]
    columns = ["label", "old", "new", "change", "confidence"]
    names = sorted({name for row in rows for cell in row.cells[:3] for name in cell})
    choices: dict[str, Sequence[str]] = {"label": names, "old": names, "new": names, "change": KINDS}
    return Section(title, note, [row_list(rows, columns, choices, numbers=["confidence"])])


def _names(answer: str | LabelSet | None) -> Sequence[str]:
    if not answer:
        return [NO_ANSWER]
    return [answer] if isinstance(answer, str) else answer
