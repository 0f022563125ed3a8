"""What was found by looking at texts, as lines: hits, clusters, suggestions and maps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedclf.formatting import counted, shown_confidence
from embedclf.printing.lines import HEADING, PLAIN, Line, Piece, heading, width_of
from embedclf.printing.tables import in_one_line, percent, place_of, shortened, shown_label, table, taken_by, widths_of
from embedclf.printing.width import columns

if TYPE_CHECKING:
    from embedclf.exploration.clustering import Cluster, Clustering
    from embedclf.exploration.projection import TextMap
    from embedclf.exploration.retrieval import Hit
    from embedclf.exploration.suggestions import Suggestion, Suggestions
    from embedclf.printing.tables import Places

_WIDTH = 80


def found(hits: "Sequence[Hit]", corpus: "Places") -> list[Line]:
    """Return search results as a table: similarity, line, label and text."""
    header = ["similarity", "row", "label", "text"]
    rows: list[list[str | Piece]] = [
        [f"{hit.similarity:z.3f}", place_of(hit.row, corpus), shown_label(hit.label or "")] for hit in hits
    ]
    if not any(hit.label for hit in hits):
        header, rows = [*header[:2], header[3]], [row[:2] for row in rows]
    beside = taken_by(widths_of([header[:-1], *rows])) + 2
    every = [[*row, shortened(hit.text, beside=beside)] for row, hit in zip(rows, hits, strict=True)]
    return table(header, every, left=(1, 2, 3))


def cluster_lines(result: "Clustering", corpus: "Places") -> list[Line]:
    """Return clusters as lines: for each its name, size, words and most central texts."""
    lines: list[Line] = [line for one in result.clusters for line in [*_of_cluster(one, corpus), ""]]
    n, n_placed = len(result.assigned), len(result.assigned) - result.n_left_out
    return [
        *lines,
        f"{counted(len(result.clusters), 'cluster')}; {n_placed:,} of {counted(n, 'row')} assigned, "
        f"{result.n_left_out:,} unassigned",
    ]


def _of_cluster(one: "Cluster", corpus: "Places") -> list[Line]:
    from embedclf.exploration.clustering import N_WORDS_OF_NAME

    name = in_one_line(one.name)
    line = f"{name}  {counted(one.size, 'row')}"
    # Add words that are not in the name, as far as they fit.
    for number, word in enumerate(one.words[N_WORDS_OF_NAME:]):
        longer = f"{line}{', ' if number else ' · '}{in_one_line(word)}"
        if width_of(longer) > (columns() or _WIDTH):
            break
        line = longer
    lines: list[Line] = [[(name, HEADING), (line[len(name) :], PLAIN)]]
    for central in one.central:
        place = place_of(central.row, corpus)
        used = len(place[0]) + 4
        lines.append([("  ", PLAIN), place, (f"  {shortened(central.text, _WIDTH - used, beside=used)}", PLAIN)])
    return lines


def suggestion_lines(result: "Suggestions", corpus: "Places") -> list[Line]:
    """Return the rows to label next as lines, with the two labels between which the classifier hesitates."""
    number = counted(len(result.rows), "row") + (f" of {corpus.name}" if corpus.name else "")
    lines: list[Line] = [heading(f"{number} to label next, of {result.n_texts:,} without a label:")]
    for one in result.rows:
        lines.append([("  ", PLAIN), place_of(one.row, corpus), (f"  {_labels(one, result.is_multilabel)}", PLAIN)])
        lines.append(f"    {shortened(one.text, beside=4)}")
    return lines


def _labels(one: "Suggestion", is_multilabel: bool) -> str:
    second = f"{shown_label(one.runner_up)} ({shown_confidence(one.runner_up_confidence)})"
    if is_multilabel:
        return f"{shown_label(one.predicted) or 'no label'}, least sure of {second}"
    return f"{shown_label(one.predicted)} ({shown_confidence(one.confidence)}) or {second}"


def map_lines(result: "TextMap") -> list[Line]:
    """Return how a map was made and how faithful it is, as one line."""
    from embedclf.exploration.projection import N_NEAREST

    line = f"{result.method} map of {counted(len(result.texts), 'text')}"
    if result.neighbours_kept is not None:
        line += f"; {percent(result.neighbours_kept)} of each text's {N_NEAREST} nearest neighbours preserved"
    return [line]
