"""The page of a clustering."""

from embedclf.exploration.clustering import Clustering
from embedclf.formatting import counted
from embedclf.pages.charts import bar
from embedclf.pages.markup import breakable, joined, tag
from embedclf.pages.rendering import Facts, Heading, Section, render, table
from embedclf.pages.row_list import Listed, RowPlace, row_list
from embedclf.pages.verdict import percent

_UNASSIGNED = "unassigned"
# More would make a page that no browser is quick with.
_MOST_ROWS = 3_000
_MOST_CHARACTERS = 160


def cluster_page(
    result: Clustering,
    title: str,
    place: RowPlace | None = None,
    *,
    facts: Facts = (),
    note: str = "",
) -> str:
    """Return the page of a clustering.

    Parameters
    ----------
    result : Clustering
    title : str
    place : callable, optional
        Returns the origin of a row as `file:line`; None does not show it.
    facts : sequence of (str, str)
        What was clustered, and how.
    note : str
        A remark to show at the top.
    """
    n, n_left_out = len(result.assigned), result.n_left_out
    tiles = [
        ("clusters", f"{len(result.clusters):,}", ""),
        ("rows", f"{n:,}", ""),
        ("assigned", f"{n - n_left_out:,}", percent(1 - n_left_out / n)),
        ("unassigned", f"{n_left_out:,}", "unlike all others" if n_left_out else ""),
    ]
    largest = result.clusters[0]
    said = [
        f"{counted(len(result.clusters), 'cluster')}: {n - n_left_out:,} of {counted(n, 'row')} assigned, "
        f"{n_left_out:,} unassigned.",
        f"The largest is {largest.name}, with {percent(largest.size / n)} of the rows. Clusters follow topics rather "
        "than intents: treat them as a starting point for labels.",
    ]
    sections = [_clusters(result, place), _rows(result, place)]
    return render(Heading(title, said, tiles, facts, note), sections)


def _clusters(result: Clustering, place: RowPlace | None) -> Section:
    most = result.clusters[0].size
    rows: list[list[object]] = []
    for one in result.clusters:
        central = [
            tag(
                "li",
                tag("span", "" if place is None else f"{place(each.row)} ", class_="place"),
                tag("bdi", _cut(each.text)),
            )
            for each in one.central
        ]
        rows.append(
            [
                tag("bdi", breakable(one.name)),
                joined([f"{one.size:,}", bar(one.size / most)]),
                ", ".join(one.words),
                tag("ul", *central, class_="near"),
            ]
        )
    shown = table("Clusters", ["cluster", "rows", "words", "most central texts"], rows, left=(0, 1, 2, 3))
    return Section("Clusters", "The largest first, each with the words that set it apart.", [shown])


def _rows(result: Clustering, place: RowPlace | None) -> Section:
    names = [name or _UNASSIGNED for name in result.names]
    order = [*(one.name for one in result.clusters), _UNASSIGNED]
    of_each = max(20, _MOST_ROWS // len(order))
    rows, listed = [], dict.fromkeys(order, 0)
    for row, (text, name) in enumerate(zip(result.texts, names, strict=True)):
        if listed[name] < of_each:
            listed[name] += 1
            rows.append(Listed("" if place is None else place(row), text, (name,)))
    note = "In the order of the file."
    if len(rows) < len(names):
        note += f" The first {of_each} of each cluster."
    return Section("Rows", note, [row_list(rows, ["cluster"], {"cluster": order})])


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} …"
