"""Recommendations: texts similar to another one, without near-duplicates, and diverse among themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from embedclf.arrays import Mask, Vectors
from embedclf.data.label_sets import AnyLabels
from embedclf.data_frames import DataFrame, data_frame
from embedclf.embedding.base import EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError
from embedclf.exploration.retrieval import Hit, SearchedTexts, check_text
from embedclf.formatting import counted
from embedclf.records import Printable
from embedclf.stats.neighbours import NEAR_COPY, Nearest, nearest
from embedclf.validation import check_whole

# Lambda of MMR: the weight of the similarity to the text, against that to the texts already chosen. At 0.6 or less, the
# last of five are often off topic; at 0.8 or more, they are almost as much alike as the nearest neighbours
# (benchmarks/search.py).
RELEVANCE = 0.7
# Distant texts would win merely by being different, so only the nearest are candidates. The number grows if too many of
# them are near-duplicates.
_N_CANDIDATES = 300


@dataclass(frozen=True, slots=True)
class Recommendation(Printable):
    """Texts that are similar to another text, and diverse among themselves.

    Attributes
    ----------
    text : str
        The text to which the hits are similar.
    row : int or None
        Its index among the texts; None if it was passed as a text.
    n_texts : int
        Number of texts to choose from.
    hits : tuple of Hit
        In the order in which they were chosen: the nearest first, then those that add most to the previous ones. Fewer
        than requested if all remaining texts are near-duplicates of the text or of these.
    """

    text: str
    row: int | None
    n_texts: int
    hits: tuple[Hit, ...]

    def __repr__(self) -> str:
        return f"<Recommendation: {counted(len(self.hits), 'hit')} of {counted(self.n_texts, 'text')}>"

    def to_frame(self) -> Any:
        """Return the hits as a data frame of pandas, or of Polars if only that is installed."""
        return data_frame([hit._asdict() for hit in self.hits], Hit._fields)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types, for JSON."""
        return {
            "text": self.text,
            "row": self.row,
            "n_texts": self.n_texts,
            "hits": [hit._asdict() for hit in self.hits],
        }


def recommend(
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    *,
    row: int | None = None,
    text: str | None = None,
    k: int = 5,
    labels: AnyLabels | None = None,
    embedder: EmbedderLike | None = None,
    vectors: Vectors | None = None,
    text_vector: Vectors | None = None,
) -> Recommendation:
    """Find texts that are similar to a given one but diverse among themselves, leaving out near-duplicates.

    They are chosen one by one by maximal marginal relevance: similarity to the given text, minus similarity to the
    nearest text already chosen (Carbonell & Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering
    Documents and Producing Summaries", SIGIR 1998).

    Parameters
    ----------
    texts : iterable of str, DataFrame or EmbeddedTexts
        A data frame has its texts in the column "text", and its labels in "label", if there is one; if they are called
        otherwise, pass ``EmbeddedTexts(df, text="…", label="…")``. An EmbeddedTexts brings labels, embedder and
        vectors.
    row : int, optional
        Index of the text to find similar texts for.
    text : str, optional
        The text to find similar texts for, instead of `row`.
    k : int
        How many to find. Fewer are returned if all remaining texts are near-duplicates.
    labels : iterable of str, or of lists of str, optional
        One per text, empty if it has none.
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As for `embedclf.train`.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        Precomputed embeddings of the texts; may be memory-mapped. None embeds them.
    text_vector : ndarray of shape (n_dimensions,), float32, optional
        Precomputed embedding of `text`.

    Raises
    ------
    TypeError
        If neither or both of `row` and `text` are passed.
    ArgumentError
        If there are no texts, the numbers of texts and labels or vectors differ, `row` is out of range, or `text` is
        empty.
    TextError
        If a text to be embedded is empty, not valid Unicode, or rejected by the embedder.
    EmbedclfError
        If the embedder rejects `text`.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    searched = SearchedTexts(texts, labels, embedder=embedder, vectors=vectors)
    n_texts = len(searched.texts)
    if (row is None) == (text is None):
        raise TypeError("pass either row or text")
    check_whole(k, "k", least=1)
    if text is not None:
        check_text(text, "text")
        of_texts, wanted = searched.vectors_with(text, "text", text_vector)
    else:
        row = check_whole(row, "row")  # type: ignore[arg-type]  # not None, since text is
        if not 0 <= row < n_texts:
            raise ArgumentError(f"row must be the index of a text, from 0 to {n_texts - 1:,}, not {row:,}")
        of_texts = searched.vectors
        text, wanted = searched.texts[row], of_texts[row]
    found = _recommended(of_texts, wanted, row, k)
    return Recommendation(text, row, n_texts, searched.hits(found.rows[0], found.similarities[0]))


def _recommended(vectors: Vectors, wanted: Vectors, row: int | None, k: int) -> Nearest:
    n_candidates = max(_N_CANDIDATES, k)
    while True:
        candidates = nearest(vectors, wanted[None, :], n_candidates)
        chosen = _spread(vectors[candidates.rows[0]], candidates.similarities[0], candidates.rows[0] == row, k)
        if len(chosen) == k or n_candidates >= len(vectors):
            return Nearest(candidates.rows[:, chosen], candidates.similarities[:, chosen])
        n_candidates *= 4


def _spread(vectors: Vectors, similarities: Vectors, left_out: Mask, k: int) -> list[int]:
    """Choose up to k candidates, which are sorted by similarity, by maximal marginal relevance."""
    free = ~left_out & (similarities < NEAR_COPY)
    to_chosen = np.full(len(vectors), -1, dtype=np.float32)
    chosen: list[int] = []
    while len(chosen) < k and free.any():
        worth = RELEVANCE * similarities - (1 - RELEVANCE) * to_chosen
        best = int(np.where(free, worth, -np.inf).argmax())
        chosen.append(best)
        to_best = vectors @ vectors[best]
        np.maximum(to_chosen, to_best, out=to_chosen)
        free &= to_best < NEAR_COPY
        free[best] = False
    return chosen
