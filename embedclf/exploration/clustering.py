"""Groups of texts that are alike, to find labels by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Floats, Ints, Vectors
from embedclf.embedding.base import check_vectors
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.factory import as_embedder
from embedclf.errors import TrainingError
from embedclf.exploration.communities import communities, exactly
from embedclf.exploration.words import distinctive_words
from embedclf.formatting import counted
from embedclf.stats.neighbours import nearest, of_unit_length
from embedclf.validation import check_texts, check_whole, group_duplicates

if TYPE_CHECKING:
    from scipy import sparse


# From the middle of what is good for datasets/support_tickets.csv; benchmarks/README.md has how they and others do.
NEIGHBOURS = 20
RESOLUTION = 2.0
# A text fits nowhere if it fits less than this share of how the median text does …
_LEAST_FIT = 1 / 3
# … but of all texts, so many are placed.
_LEAST_PLACED = 0.9
_N_CENTRAL = 3
_N_WORDS = 8
N_WORDS_OF_NAME = 3


class Central(NamedTuple):
    """A text at the centre of its group.

    Attributes
    ----------
    row : int
        Which of the texts; of equal ones, the first.
    text : str
    similarity : float
        Cosine similarity to the mean of the group, from −1 to 1.
    """

    row: int
    text: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """A group of texts that are alike.

    Attributes
    ----------
    name : str
        Its number, the largest group being 1, and the first of its words; no name is part of another.
    size : int
        Texts that are placed in it.
    words : tuple of str
        What sets it apart from the other groups, the most telling first; at most eight.
    central : tuple of Central
        Its three most central texts, all different, the most central first.
    """

    name: str
    size: int
    words: tuple[str, ...]
    central: tuple[Central, ...]


@dataclass(frozen=True, slots=True)
class Clustering:
    """Texts in groups.

    Attributes
    ----------
    clusters : tuple of Cluster
        The largest first.
    assigned : tuple of (int or None)
        For each text, which of the clusters it is placed in, counted from 0; None where it fits nowhere.
    """

    clusters: tuple[Cluster, ...]
    assigned: tuple[int | None, ...]

    @property
    def names(self) -> list[str | None]:
        """For each text, the name of its cluster; None where it fits nowhere."""
        return [None if number is None else self.clusters[number].name for number in self.assigned]

    @property
    def n_left_out(self) -> int:
        """How many texts fit nowhere."""
        return self.assigned.count(None)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain types, for JSON."""
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
    texts: Iterable[str],
    n_clusters: int | None = None,
    *,
    embedder: Any = None,
    dimensions: int | None = None,
    cache: VectorCache | bool = True,
    vectors: Vectors | None = None,
) -> Clustering:
    """Find groups of texts that are alike.

    Each text is linked to the 20 nearest by cosine similarity (fewer of few texts), and the groups are those that have
    most of their links inside; see `embedclf.exploration.communities`. A text fits its group by how near it is to the
    group's mean and how much of its links are inside. Those that fit far less than usual are left out, at most a tenth.

    Parameters
    ----------
    texts : iterable of str
    n_clusters : int, optional
        How many groups there are to be; None chooses, and leaves out what stands alone.
    embedder, dimensions, cache
        As of `embedclf.train`.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the embedder makes of the texts, if that is at hand; None embeds them.

    Raises
    ------
    TrainingError
        If there are fewer different texts than there are to be groups, or none at all.
    TextError
        If a text is empty, not Unicode, or refused by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    texts = check_texts(texts)
    check_clusters(texts, n_clusters)
    if vectors is None:
        vectors = as_embedder(embedder, dimensions=dimensions, cache=cache).embed(texts)
    vectors = of_unit_length(check_vectors(vectors, len(texts)))
    # Equal vectors are one, or each would be surrounded by copies of itself.
    same = group_duplicates([vector.tobytes() for vector in vectors])
    _, first = np.unique(same, return_index=True)
    counts = np.bincount(same)
    if n_clusters is not None and n_clusters > len(first):
        raise TrainingError(
            f"{counted(n_clusters, 'group')} cannot be made: the embedder gives these texts only "
            f"{counted(len(first), 'different vector')}"
        )
    distinct = vectors[first]
    graph = _neighbour_graph(distinct)
    groups = communities(graph, RESOLUTION) if n_clusters is None else exactly(graph, n_clusters, RESOLUTION)
    near = _nearness(distinct, groups)
    kept = _placed(near * _share_inside(graph, groups), groups, counts)
    if n_clusters is None:
        kept &= np.bincount(groups, weights=counts)[groups] > 1
    return _described(texts, np.where(kept, groups, -1)[same], near[same])


def check_clusters(texts: Sequence[str], n_clusters: int | None) -> None:
    """See that texts can be put into so many groups.

    Raises
    ------
    TrainingError
    """
    if not texts:
        raise TrainingError("there are no texts to put into groups")
    if n_clusters is not None:
        check_whole(n_clusters, "n_clusters", least=1)
        if n_clusters > (n_distinct := len(set(texts))):
            raise TrainingError(
                f"{counted(n_clusters, 'group')} cannot be made of {counted(n_distinct, 'different text')}: ask for "
                f"{n_distinct:,} or fewer, or let the number be chosen"
            )


def _neighbour_graph(vectors: Vectors) -> "sparse.csr_array":
    """Link each vector to its nearest by their similarity; half of it where only one is among the other's nearest."""
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
    """Give the cosine similarity of each vector to the mean of its group."""
    from scipy import sparse

    n = len(vectors)
    member = sparse.csr_array((np.ones(n), (groups, np.arange(n))), shape=(groups.max() + 1, n))
    means = member @ vectors
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    near: Floats = np.einsum("ij,ij->i", vectors, means[groups], dtype=np.float64)
    return near


def _share_inside(graph: "sparse.csr_array", groups: Ints) -> Floats:
    """Give the share of each node's links that stay in its group; 1 where there are none."""
    links = graph.tocoo()
    rows, columns = links.coords
    inside = groups[rows] == groups[columns]
    of_all = np.bincount(rows, weights=links.data, minlength=len(groups))
    of_group = np.bincount(rows[inside], weights=links.data[inside], minlength=len(groups))
    return np.divide(of_group, of_all, out=np.ones(len(groups)), where=of_all > 0)


def _placed(fit: Floats, groups: Ints, counts: Ints) -> npt.NDArray[np.bool_]:
    """Leave out what fits far less than usual, the worst first, up to the most that may be; no group loses all."""
    order = np.argsort(fit, kind="stable")
    allowed = np.cumsum(counts[order]) <= (1 - _LEAST_PLACED) * counts.sum()
    kept = np.ones(len(fit), dtype=bool)
    kept[order[allowed & (fit[order] < _LEAST_FIT * np.median(fit))]] = False
    _, best = np.unique(groups[order[::-1]], return_index=True)
    kept[order[::-1][best]] = True
    return kept


def _described(texts: Sequence[str], groups: Ints, near: Floats) -> Clustering:
    """Order the groups by their sizes, and find their words and central texts; −1 is no group."""
    members = [np.flatnonzero(groups == number) for number in range(int(groups.max()) + 1)]
    members = sorted((rows for rows in members if len(rows)), key=len, reverse=True)
    words = distinctive_words([[texts[row] for row in rows.tolist()] for rows in members], _N_WORDS)
    digits = max(2, len(str(len(members))))
    clusters = []
    assigned: list[int | None] = [None] * len(texts)
    for number, (rows, of_group) in enumerate(zip(members, words, strict=True)):
        for row in rows.tolist():
            assigned[row] = number
        # All numbers are equally long, so that a name can be replaced everywhere without touching another.
        name = "_".join([f"{number + 1:0{digits}}", *of_group[:N_WORDS_OF_NAME]])
        clusters.append(Cluster(name, len(rows), tuple(of_group), _central(texts, rows, near)))
    return Clustering(tuple(clusters), tuple(assigned))


def _central(texts: Sequence[str], rows: Ints, near: Floats) -> tuple[Central, ...]:
    seen: dict[str, Central] = {}
    for row in rows[np.argsort(-near[rows], kind="stable")].tolist():
        if len(seen) == _N_CENTRAL:
            break
        seen.setdefault(texts[row], Central(row, texts[row], float(near[row])))
    return tuple(seen.values())
