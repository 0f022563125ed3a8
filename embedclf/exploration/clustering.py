"""Clusters of similar texts, for discovering labels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.data_frames import DataFrame, data_frame
from embedclf.embedding.base import EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.tasks import CLUSTERING
from embedclf.errors import ArgumentError
from embedclf.exploration.communities import communities, exactly
from embedclf.exploration.words import distinctive_words
from embedclf.formatting import counted
from embedclf.phases import phase
from embedclf.records import WithPage
from embedclf.stats.neighbours import nearest, of_unit_length
from embedclf.validation import check_whole, group_duplicates

if TYPE_CHECKING:
    from scipy import sparse


# From the middle of the range that works well on datasets/support_tickets.csv; see benchmarks/README.md for the results
# of these and other values.
NEIGHBOURS = 20
RESOLUTION = 2.0
# A text is left unassigned if its fit is below this share of the median …
_LEAST_FIT = 1 / 3
# … but at least this share of all texts is assigned.
_LEAST_PLACED = 0.9
_N_CENTRAL = 3
_N_WORDS = 8
N_WORDS_OF_NAME = 3


class Central(NamedTuple):
    """A text at the centre of its cluster.

    Attributes
    ----------
    row : int
        Index of the text; of the first, if several are equal.
    text : str
    similarity : float
        Cosine similarity to the mean of the cluster, from −1 to 1.
    """

    row: int
    text: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """A group of similar texts.

    Attributes
    ----------
    name : str
        The cluster's number, starting with 1 for the largest, and its first few words; no name is part of another.
    size : int
        Number of texts assigned to the cluster.
    words : tuple of str
        Words that set it apart from the other clusters, the most distinctive first; at most eight.
    central : tuple of Central
        The three most central texts, all different, the most central first.
    """

    name: str
    size: int
    words: tuple[str, ...]
    central: tuple[Central, ...]


@dataclass(frozen=True, slots=True)
class Clustering(WithPage):
    """Texts assigned to clusters.

    Attributes
    ----------
    clusters : tuple of Cluster
        The largest first.
    assigned : tuple of (int or None)
        For each text, the index of its cluster, counted from 0; None if it is unassigned.
    texts : tuple of str
    """

    clusters: tuple[Cluster, ...]
    assigned: tuple[int | None, ...]
    texts: tuple[str, ...]

    def __repr__(self) -> str:
        n = len(self.assigned)
        return (
            f"<Clustering: {counted(len(self.clusters), 'cluster')}, {n - self.n_left_out:,} of {n:,} texts assigned>"
        )

    @property
    def names(self) -> list[str | None]:
        """For each text, the name of its cluster; None if it is unassigned."""
        return [None if number is None else self.clusters[number].name for number in self.assigned]

    @property
    def n_left_out(self) -> int:
        """Number of unassigned texts."""
        return self.assigned.count(None)

    def to_frame(self) -> Any:
        """Return the clusters as a data frame of pandas, or of Polars if only that is installed.

        Which cluster each text is in, `names` says.
        """
        rows = [
            {"name": one.name, "size": one.size, "words": ", ".join(one.words), "text": one.central[0].text}
            for one in self.clusters
        ]
        return data_frame(rows, ("name", "size", "words", "text"))

    def to_dict(self) -> dict[str, Any]:
        """Return the clustering as plain types, for JSON."""
        return {
            "n_texts": len(self.assigned),
            "n_left_out": self.n_left_out,
            "clusters": [
                {
                    "name": one.name,
                    "size": one.size,
                    "words": list(one.words),
                    "central": [central._asdict() for central in one.central],
                }
                for one in self.clusters
            ],
            "texts": [{"row": row, "cluster": name} for row, name in enumerate(self.names)],
        }


def cluster(
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    n_clusters: int | None = None,
    *,
    text: str | None = None,
    embedder: EmbedderLike | None = None,
    vectors: Vectors | None = None,
) -> Clustering:
    """Cluster similar texts.

    Each text is linked to its 20 nearest neighbours by cosine similarity (fewer if there are few texts), and clusters
    are groups whose links mostly stay inside them; see `embedclf.exploration.communities`. The fit of a text is its
    similarity to the cluster's mean times the share of its links inside. Texts whose fit is far below the usual are
    left unassigned, at most a tenth of all.

    Parameters
    ----------
    texts : iterable of str, DataFrame or EmbeddedTexts
        An EmbeddedTexts brings its own embedder and vectors.
    n_clusters : int, optional
        Number of clusters. None selects it automatically, and leaves texts without similar ones unassigned.
    text : str, optional
        The column of a data frame; None means "text".
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As for `embedclf.train`.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        Precomputed embeddings of the texts; None embeds them.

    Raises
    ------
    ArgumentError
        If there are no texts, fewer distinct texts than clusters, or not one vector per text.
    TextError
        If a text is empty, not valid Unicode, or rejected by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    embedded = EmbeddedTexts.of(texts, text=text, embedder=embedder, vectors=vectors, usual_task=CLUSTERING)
    check_clusters(embedded.texts, n_clusters)
    vectors = of_unit_length(embedded.vectors)
    # Equal vectors are one, or each would be surrounded by copies of itself.
    same = group_duplicates([vector.tobytes() for vector in vectors])
    _, first = np.unique(same, return_index=True)
    counts = np.bincount(same)
    if n_clusters is not None and n_clusters > len(first):
        raise ArgumentError(
            f"cannot form {counted(n_clusters, 'cluster')}: the texts have only "
            f"{counted(len(first), 'distinct vector')}"
        )
    distinct = vectors[first]
    graph = _neighbour_graph(distinct)
    with phase("Clustering"):
        groups = communities(graph, RESOLUTION) if n_clusters is None else exactly(graph, n_clusters, RESOLUTION)
    near = _nearness(distinct, groups)
    kept = _placed(near * _share_inside(graph, groups), groups, counts)
    if n_clusters is None:
        kept &= np.bincount(groups, weights=counts)[groups] > 1
    with phase("Naming clusters"):
        return _described(embedded.texts, np.where(kept, groups, -1)[same], near[same])


def check_clusters(texts: Sequence[str], n_clusters: int | None) -> None:
    """Check that texts can be divided into this number of clusters.

    Raises
    ------
    ArgumentError
        If there are no texts, or fewer distinct texts than clusters.
    """
    if not texts:
        raise ArgumentError("there are no texts to cluster")
    if n_clusters is not None:
        check_whole(n_clusters, "n_clusters", least=1)
        if n_clusters > (n_distinct := len(set(texts))):
            raise ArgumentError(
                f"cannot form {counted(n_clusters, 'cluster')} from {counted(n_distinct, 'distinct text')}: ask for "
                f"{n_distinct:,} or fewer, or leave the number out"
            )


def _neighbour_graph(vectors: Vectors) -> "sparse.csr_array":
    """Link each vector to its nearest neighbours, weighted by similarity; a one-sided link has half the weight."""
    from scipy import sparse

    n = len(vectors)
    k = min(NEIGHBOURS, isqrt(n))
    found = nearest(vectors, vectors, k + 1)
    starts = np.repeat(np.arange(n), found.rows.shape[1])
    ends, weights = found.rows.ravel(), found.similarities.ravel().astype(np.float64)
    linked = (starts != ends) & (weights > 0)
    graph = sparse.csr_array((weights[linked], (starts[linked], ends[linked])), shape=(n, n))
    return ((graph + graph.T) / 2).tocsr()


def _nearness(vectors: Vectors, groups: Ints) -> Floats:
    """Return the cosine similarity of each vector to the mean of its cluster."""
    from scipy import sparse

    n = len(vectors)
    member = sparse.csr_array((np.ones(n), (groups, np.arange(n))), shape=(groups.max() + 1, n))
    means = member @ vectors
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    near: Floats = np.einsum("ij,ij->i", vectors, means[groups], dtype=np.float64)
    return near


def _share_inside(graph: "sparse.csr_array", groups: Ints) -> Floats:
    """Return the share of each node's link weight that stays within its cluster; 1 for a node without links."""
    links = graph.tocoo()
    rows, columns = links.coords
    inside = groups[rows] == groups[columns]
    of_all = np.bincount(rows, weights=links.data, minlength=len(groups))
    of_group = np.bincount(rows[inside], weights=links.data[inside], minlength=len(groups))
    return np.divide(of_group, of_all, out=np.ones(len(groups)), where=of_all > 0)


def _placed(fit: Floats, groups: Ints, counts: Ints) -> Mask:
    """Return which rows stay assigned.

    Rows with a far worse fit than usual are left out, the worst first, up to the allowed share; no cluster is emptied.
    """
    order = np.argsort(fit, kind="stable")
    allowed = np.cumsum(counts[order]) <= (1 - _LEAST_PLACED) * counts.sum()
    kept = np.ones(len(fit), dtype=bool)
    kept[order[allowed & (fit[order] < _LEAST_FIT * np.median(fit))]] = False
    _, best = np.unique(groups[order[::-1]], return_index=True)
    kept[order[::-1][best]] = True
    return kept


def _described(texts: Sequence[str], groups: Ints, near: Floats) -> Clustering:
    """Sort the clusters by size, and find their words and central texts; −1 means unassigned."""
    members = [np.flatnonzero(groups == number) for number in range(int(groups.max()) + 1)]
    members = sorted((rows for rows in members if len(rows)), key=len, reverse=True)
    words = distinctive_words([[texts[row] for row in rows.tolist()] for rows in members], _N_WORDS)
    digits = max(2, len(str(len(members))))
    clusters = []
    assigned: list[int | None] = [None] * len(texts)
    for number, (rows, of_group) in enumerate(zip(members, words, strict=True)):
        for row in rows.tolist():
            assigned[row] = number
        # Numbers are padded to equal length, so that search-and-replace of one name cannot hit another.
        name = "_".join([f"{number + 1:0{digits}}", *of_group[:N_WORDS_OF_NAME]])
        clusters.append(Cluster(name, len(rows), tuple(of_group), _central(texts, rows, near)))
    return Clustering(tuple(clusters), tuple(assigned), tuple(texts))


def _central(texts: Sequence[str], rows: Ints, near: Floats) -> tuple[Central, ...]:
    seen: dict[str, Central] = {}
    for row in rows[np.argsort(-near[rows], kind="stable")].tolist():
        if len(seen) == _N_CENTRAL:
            break
        seen.setdefault(texts[row], Central(row, texts[row], float(near[row])))
    return tuple(seen.values())
