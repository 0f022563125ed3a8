"""What was found by looking at texts, as lines: hits, clusters, suggestions and maps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedclf.formatting import counted, shown_confidence
from embedclf.printing.tables import in_one_line, percent, shortened, shown_label, table

if TYPE_CHECKING:
    from embedclf.exploration.clustering import Cluster, Clustering
    from embedclf.exploration.projection import TextMap
    from embedclf.exploration.retrieval import Hit
    from embedclf.exploration.suggestions import Suggestion, Suggestions
    from embedclf.printing.tables import Places

_WIDTH = 80
_LEAST_TEXT_WIDTH = 30


def found(hits: "Sequence[Hit]", corpus: "Places") -> list[str]:
    """Return search results as a table: similarity, place, label and text."""
    rows = [
        [f"{hit.similarity:z.3f}", corpus.place(hit.row), shown_label(hit.label or ""), shortened(hit.text)]
        for hit in hits
    ]
    header = ["similarity", "row", "label", "text"]
    if not any(hit.label for hit in hits):
        header, rows = header[:2] + header[3:], [row[:2] + row[3:] for row in rows]
    return table(header, rows, left=(1, 2, 3))


def cluster_lines(result: "Clustering", corpus: "Places") -> list[str]:
    """Return clusters as lines: for each its name, size, words and most central texts."""
    lines = [line for one in result.clusters for line in [*_of_cluster(one, corpus), ""]]
    n, n_placed = len(result.assigned), len(result.assigned) - result.n_left_out
    return [
        *lines,
        f"{counted(len(result.clusters), 'cluster')}; {n_placed:,} of {counted(n, 'row')} assigned, "
        f"{result.n_left_out:,} unassigned",
    ]


def _of_cluster(one: "Cluster", corpus: "Places") -> list[str]:
    from rich.cells import cell_len

    from embedclf.exploration.clustering import N_WORDS_OF_NAME

    line = f"{in_one_line(one.name)}  {counted(one.size, 'row')}"
    # Add words that are not in the name, as far as they fit.
    for number, word in enumerate(one.words[N_WORDS_OF_NAME:]):
        longer = f"{line}{', ' if number else ' · '}{in_one_line(word)}"
        if cell_len(longer) > _WIDTH:
            break
        line = longer
    lines = [line]
    for central in one.central:
        place = f"  {corpus.place(central.row)}  "
        lines.append(place + shortened(central.text, max(_WIDTH - len(place), _LEAST_TEXT_WIDTH)))
    return lines


def suggestion_lines(result: "Suggestions", corpus: "Places") -> list[str]:
    """Return the rows to label next as lines, with the two labels between which the classifier hesitates."""
    lines = [f"{counted(len(result.rows), 'row')} to label next, of {result.n_texts:,} without a label:"]
    for one in result.rows:
        lines += [f"  {corpus.place(one.row)}  {_labels(one)}", f"    {shortened(one.text)}"]
    return lines


def _labels(one: "Suggestion") -> str:
    return (
        f"{shown_label(one.predicted)} ({shown_confidence(one.confidence)}) or "
        f"{shown_label(one.runner_up)} ({shown_confidence(one.runner_up_confidence)})"
    )


def map_lines(result: "TextMap") -> list[str]:
    """Return how a map was made and how faithful it is, as one line."""
    from embedclf.exploration.projection import N_NEAREST

    line = f"{result.method} map of {counted(len(result.texts), 'text')}"
    if result.neighbours_kept is not None:
        line += f"; {percent(result.neighbours_kept)} of each text's {N_NEAREST} nearest neighbours preserved"
    return [line]
