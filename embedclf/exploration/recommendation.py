"""Recommendations: more like a text, without its copies, and spread over what differs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from embedclf.arrays import Mask, Vectors
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError
from embedclf.exploration.retrieval import Hit, SearchedTexts, check_text
from embedclf.stats.neighbours import NEAR_COPY, Nearest, nearest
from embedclf.validation import check_whole

# Lambda of MMR: how much the similarity to the text counts, against that to what was chosen before. With 0.6 and less
# the last of five are often about something else, with 0.8 and more they are nearly as much alike as the nearest are
# (benchmarks/search.py).
RELEVANCE = 0.7
# What is far from the text would win by being different alone, so only the nearest are chosen from; more of them, where
# these are copies.
_N_CANDIDATES = 300


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Texts that are like another, and unlike each other.

    Attributes
    ----------
    text : str
        What they are like.
    row : int or None
        Which of the texts it is; None if it was given as a text.
    n_texts : int
        How many there are to choose from.
    hits : tuple of Hit
        In the order in which they were chosen: the nearest, and then those that add most to the ones before.
        Fewer than were asked for, if all others are near-copies of the text or of these.
    """

    text: str
    row: int | None
    n_texts: int
    hits: tuple[Hit, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON."""
        return {
            "text": self.text,
            "row": self.row,
            "n_texts": self.n_texts,
            "hits": [hit._asdict() for hit in self.hits],
        }


def recommend(
    texts: Iterable[str] | EmbeddedTexts,
    *,
    row: int | None = None,
    text: str | None = None,
    k: int = 5,
    labels: Iterable[str] | None = None,
    embedder: Any = None,
    vectors: Vectors | None = None,
    text_vector: Vectors | None = None,
) -> Recommendation:
    """Find texts that are like one, that differ from each other, and are near-copies neither of it nor of each other.

    They are chosen one after the other by maximal marginal relevance: by their similarity to the text, less that to
    the nearest of those that were chosen before (Carbonell & Goldstein, "The Use of MMR, Diversity-Based Reranking for
    Reordering Documents and Producing Summaries", SIGIR 1998).

    Parameters
    ----------
    texts : iterable of str or EmbeddedTexts
        An EmbeddedTexts has its own labels, embedder and vectors.
    row : int, optional
        Which of the texts they are to be like.
    text : str, optional
        What they are to be like, instead of a row.
    k : int
        How many to find; fewer, if all others are near-copies.
    labels : iterable of str, optional
        One per text, empty where there is none.
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As of `embedclf.train`.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the embedder makes of the texts, if that is known; may be mapped from a file. None embeds them.
    text_vector : ndarray of shape (n_dimensions,), float32, optional
        What it makes of `text`, if that is known.

    Raises
    ------
    TypeError
        If not one of `row` and `text` is given.
    ArgumentError
        If there are no texts, or not one label or vector per text, or no such row, or `text` is empty.
    TextError
        If one of the texts that are to be embedded is empty, not Unicode, or refused by the embedder.
    EmbedclfError
        If the embedder refuses `text`.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    searched = SearchedTexts(texts, labels, embedder=embedder, vectors=vectors)
    n_texts = len(searched.texts)
    if (row is None) == (text is None):
        raise TypeError("give either a row or a text")
    check_whole(k, "k", least=1)
    if text is not None:
        check_text(text, "text")
        of_texts, wanted = searched.vectors_with(text, "text", text_vector)
    else:
        row = check_whole(row, "row")  # type: ignore[arg-type]  # one of both is given
        if not 0 <= row < n_texts:
            raise ArgumentError(f"row is the index of a text, from 0 to {n_texts - 1:,}, not {row:,}")
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
    """Choose up to k of some candidates, the nearest of which comes first, by maximal marginal relevance."""
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
