"""Texts as points on a plane, those that are alike near each other."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from embedclf.arrays import Floats32, Vectors
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError

logger = logging.getLogger(__name__)

Method = Literal["t-SNE", "PCA"]

# t-SNE looks for about three times its perplexity of neighbours; 30 is its authors' usual value.
_PERPLEXITY = 30
# With fewer, it has too few neighbours to arrange.
_LEAST_FOR_TSNE = 12
# Above these, the work takes so long that somebody should be told: seconds of one core for so many texts, measured by
# benchmarks/map.py; a little more than in proportion, for the tree that it walks gets deeper.
_MANY, _SECONDS_FOR_10_000, _GROWTH = 3_000, 60, 1.25
# Of so many nearest, the share that is still among the nearest on the map; of so many texts at most.
N_NEAREST = 10
_MOST_MEASURED = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class TextMap:
    """Texts as points on a plane.

    Attributes
    ----------
    positions : ndarray of shape (n_texts, 2), float32
        What is alike is near; the axes and their unit mean nothing. Texts of equal vectors are at the same place.
    texts : tuple of str
    labels : tuple of str
        Empty where there is none.
    method : {"t-SNE", "PCA"}
        How they were placed.
    neighbours_kept : float or None
        Share of the ten nearest by their vectors that are among the ten nearest on the map, over at most 1,000
        different texts; None if there are too few to tell.
    """

    positions: Floats32 = field(repr=False)
    texts: tuple[str, ...] = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    method: Method
    neighbours_kept: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON; without the texts."""
        pairs = zip(self.positions.tolist(), self.labels, strict=True)
        return {
            "method": self.method,
            "neighbours_kept": self.neighbours_kept,
            "points": [
                {"row": row, "x": round(x, 4), "y": round(y, 4), "label": label or None}
                for row, ((x, y), label) in enumerate(pairs)
            ],
        }


def text_map(
    texts: Iterable[str] | EmbeddedTexts,
    labels: Iterable[str] | None = None,
    *,
    embedder: Any = None,
    vectors: Vectors | None = None,
) -> TextMap:
    """Place texts on a plane, those that are alike near each other.

    By t-SNE (van der Maaten and Hinton, "Visualizing Data using t-SNE", 2008; scikit-learn's, perplexity 30, begun from
    the first two principal components), and by these components alone where there are fewer than 12 different vectors.
    The labels have no part in it. The same texts get the same places, on the same machine.

    Parameters
    ----------
    texts : iterable of str or EmbeddedTexts
        An EmbeddedTexts has its own labels, embedder and vectors.
    labels : iterable of str, of equal length, optional
        What to color them by; an empty one is none.
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As of `embedclf.train`.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the embedder makes of the texts, if that is known; None embeds them.

    Raises
    ------
    ArgumentError
        If there are no texts, or not as many labels or vectors.
    TextError
        If a text is empty, not Unicode, or refused by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    embedded = EmbeddedTexts.of(texts, labels, embedder=embedder, vectors=vectors)
    if not len(embedded):
        raise ArgumentError("there are no texts to make a map of")
    first, place = _different(embedded.vectors)
    different = embedded.vectors[first]
    positions, method = project(different)
    shown = [""] * len(embedded) if embedded.labels is None else embedded.labels
    return TextMap(positions[place], tuple(embedded.texts), tuple(shown), method, neighbors_kept(different, positions))


def _different(vectors: Vectors) -> tuple[list[int], list[int]]:
    """Find the rows that are different, the first of each, and which of these each row is."""
    numbers: dict[bytes, int] = {}
    first: list[int] = []
    place: list[int] = []
    for row, vector in enumerate(vectors):
        number = numbers.setdefault(vector.tobytes(), len(numbers))
        if number == len(first):
            first.append(row)
        place.append(number)
    return first, place


def project(vectors: Vectors) -> tuple[Floats32, Method]:
    """Place vectors, which are all different, on a plane: (n, 2), and how that was done."""
    n, n_dimensions = vectors.shape
    if n < _LEAST_FOR_TSNE or n_dimensions < 2:
        positions = np.zeros((n, 2), dtype=np.float32)
        if n > 1:
            from sklearn.decomposition import PCA

            found = PCA(min(2, *vectors.shape), svd_solver="full").fit_transform(vectors)
            positions[:, : found.shape[1]] = found
        return positions, "PCA"
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if n > _MANY:
        seconds = _SECONDS_FOR_10_000 * (n / 10_000) ** _GROWTH
        about = f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
        logger.info("Placing %s different texts: this takes about %s", f"{n:,}", about)
    # On one core: with each number of cores, the forces are added up in another order, and the map is another.
    with threadpool_limits(1):
        tsne = TSNE(perplexity=min(_PERPLEXITY, (n - 1) / 3), init="pca", random_state=0)
        positions = tsne.fit_transform(vectors)
    return np.asarray(positions, dtype=np.float32), "t-SNE"


def neighbors_kept(vectors: Vectors, positions: Floats32) -> float | None:
    """Measure which share of the ten nearest is kept on the plane; see `TextMap`."""
    if len(vectors) <= 2 * N_NEAREST:
        return None
    from sklearn.neighbors import NearestNeighbors

    rows = np.linspace(0, len(vectors) - 1, min(len(vectors), _MOST_MEASURED)).astype(int)
    near, placed = (
        NearestNeighbors(n_neighbors=N_NEAREST + 1).fit(points).kneighbors(points[rows], return_distance=False)
        for points in (vectors, positions)
    )
    # Each is its own nearest, too.
    kept = sum(
        len((set(one) & set(other)) - {row}) for row, one, other in zip(rows.tolist(), near, placed, strict=True)
    )
    return float(kept / (N_NEAREST * len(rows)))
