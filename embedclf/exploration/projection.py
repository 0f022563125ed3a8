"""Maps: texts as points on a plane, with similar texts close together."""

import io
import logging
import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from embedclf.arrays import Floats32, Vectors
from embedclf.data.label_sets import AnyLabels
from embedclf.data_frames import DataFrame, data_frame
from embedclf.embedding.base import EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.tasks import CLUSTERING
from embedclf.errors import ArgumentError
from embedclf.formatting import counted
from embedclf.phases import Phase, is_watched, phase
from embedclf.records import WithPage

logger = logging.getLogger(__name__)

Method = Literal["t-SNE", "PCA"]

# t-SNE uses about three times as many neighbours as its perplexity; 30 is the value usual in its authors' papers.
_PERPLEXITY = 30
# With fewer texts, t-SNE has too few neighbours to arrange.
_LEAST_FOR_TSNE = 12
# Above this many texts, the layout takes so long that users should be told. The seconds of one core are measured by
# benchmarks/map.py; they grow a little faster than the number of texts, since the tree that t-SNE walks gets deeper.
_MANY, _SECONDS_FOR_10_000, _GROWTH = 3_000, 60, 1.25
# `neighbours_kept` is measured on this many neighbours, of this many texts at most.
N_NEAREST = 10
_MOST_MEASURED = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class TextMap(WithPage):
    """A map of texts: points on a plane.

    Attributes
    ----------
    positions : ndarray of shape (n_texts, 2), float32
        Similar texts are close together; the axes and their units carry no meaning. Texts with equal vectors have the
        same position.
    texts : tuple of str
    labels : tuple of str
        Empty for a text without a label.
    method : {"t-SNE", "PCA"}
        The method that produced the layout.
    neighbours_kept : float or None
        Share of each text's ten nearest neighbours by vector that are among its ten nearest on the map, measured on at
        most 1,000 distinct texts; None if there are too few texts to measure it.
    """

    positions: Floats32
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    method: Method
    neighbours_kept: float | None

    def __repr__(self) -> str:
        return f"<TextMap: {counted(len(self.texts), 'text')}, {self.method}>"

    def to_frame(self) -> Any:
        """Return the points as a data frame of pandas, or of Polars if only that is installed."""
        each = zip(self.positions.tolist(), self.labels, self.texts, strict=True)
        rows = [{"x": x, "y": y, "label": label or None, "text": text} for (x, y), label, text in each]
        return data_frame(rows, ("x", "y", "label", "text"))

    def to_dict(self) -> dict[str, Any]:
        """Return the map as plain types, for JSON, without the texts."""
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
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    embedder: EmbedderLike | None = None,
    vectors: Vectors | None = None,
) -> TextMap:
    """Lay out texts on a plane, with similar texts close together.

    The layout is that of t-SNE (van der Maaten and Hinton, "Visualizing Data using t-SNE", 2008; scikit-learn's
    implementation, perplexity 30, initialized with the first two principal components), or the principal components
    alone if there are fewer than 12 distinct vectors. Labels do not affect it. On the same machine, the same texts get
    the same positions.

    Parameters
    ----------
    texts : iterable of str, DataFrame or EmbeddedTexts
        A data frame brings its labels; an EmbeddedTexts brings labels, embedder and vectors.
    labels : iterable of str, or of lists of str, optional
        One per text, to colour the points by; an empty label means that there is none. Several labels of a text are
        joined to one by ``|``.
    text, label : str, optional
        The columns of a data frame; None means "text" and, if there is one, "label".
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As for `embedclf.train`.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        Precomputed embeddings of the texts; None embeds them.

    Raises
    ------
    ArgumentError
        If there are no texts, or the numbers of texts and labels or vectors differ.
    TextError
        If a text is empty, not valid Unicode, or rejected by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    embedded = EmbeddedTexts.of(
        texts, labels, text=text, label=label, embedder=embedder, vectors=vectors, usual_task=CLUSTERING
    )
    if not len(embedded):
        raise ArgumentError("there are no texts to map")
    with phase("Comparing vectors"):
        first, place = _different(embedded.vectors)
    different = embedded.vectors[first]
    positions, method = project(different)
    shown = embedded.shown_labels or [""] * len(embedded)
    with phase("Measuring the map"):
        kept = neighbours_kept(different, positions)
    return TextMap(positions[place], tuple(embedded.texts), tuple(shown), method, kept)


def _different(vectors: Vectors) -> tuple[list[int], list[int]]:
    """Return the first row of each distinct vector, and for each row the index of its vector among these."""
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
    """Lay out vectors, which must all differ, on a plane; return the positions (n, 2) and the method used."""
    n, n_dimensions = vectors.shape
    if n < _LEAST_FOR_TSNE or n_dimensions < 2:
        positions = np.zeros((n, 2), dtype=np.float32)
        if n > 1:
            from sklearn.decomposition import PCA

            found = PCA(min(2, *vectors.shape), svd_solver="full").fit_transform(vectors)
            positions[:, : found.shape[1]] = found
        return positions, "PCA"
    if n > _MANY:
        seconds = _SECONDS_FOR_10_000 * (n / 10_000) ** _GROWTH
        about = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
        logger.info("Laying out %s distinct texts (about %s) …", f"{n:,}", about)
    with phase("Laying out", unit="step") as laying_out, ExitStack() as stack:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        tsne = TSNE(perplexity=min(_PERPLEXITY, (n - 1) / 3), init="pca", random_state=0)
        if is_watched():
            # t-SNE tells its steps in no other way than by printing them.
            tsne.set_params(verbose=2)
            stack.enter_context(redirect_stdout(_Iterations(laying_out, tsne.max_iter)))
        # One thread, since the order in which forces are summed, and with it the map, depends on the number of threads.
        stack.enter_context(threadpool_limits(1))
        positions = tsne.fit_transform(vectors)
    return np.asarray(positions, dtype=np.float32), "t-SNE"


class _Iterations(io.TextIOBase):
    """Where t-SNE prints what it is doing, among which its iterations."""

    def __init__(self, laying_out: Phase, total: int) -> None:
        self._laying_out, self._total = laying_out, total

    def write(self, text: str) -> int:
        if found := re.search(r"Iteration (\d+)", text):
            if self._laying_out.total is None:  # so far, neighbours were searched for, which takes another time
                self._laying_out.total = self._total
                self._laying_out.begin_at(int(found[1]))
            self._laying_out.reach(int(found[1]))
        return len(text)


def neighbours_kept(vectors: Vectors, positions: Floats32) -> float | None:
    """Return the share of the ten nearest neighbours that is kept on the plane; see `TextMap`."""
    if len(vectors) <= 2 * N_NEAREST:
        return None
    from sklearn.neighbors import NearestNeighbors

    rows = np.linspace(0, len(vectors) - 1, min(len(vectors), _MOST_MEASURED)).astype(int)
    near, placed = (
        NearestNeighbors(n_neighbors=N_NEAREST + 1).fit(points).kneighbors(points[rows], return_distance=False)
        for points in (vectors, positions)
    )
    # Each text is among its own neighbours.
    kept = sum(
        len((set(one) & set(other)) - {row}) for row, one, other in zip(rows.tolist(), near, placed, strict=True)
    )
    return float(kept / (N_NEAREST * len(rows)))
