"""Which texts to label next: those that a classifier is least sure of, and that stand for most others like them."""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Ints, Vectors
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.base import check_vectors
from embedclf.stats.neighbours import NEAR_COPY
from embedclf.validation import check_texts, check_whole

Floats = npt.NDArray[np.float32]

# Chosen among so many of the least sure for each that is asked for, each counting by this power of its uncertainty;
# benchmarks/suggesting.py has what others would bring.
_CANDIDATES = 20
_POWER = 3
# Beyond this many, comparing all candidates with each other would take minutes.
_MOST_CANDIDATES = 20_000
# Chosen in parts of so many, so that the similarities within a part's candidates fit into a few megabytes.
_MOST_AT_ONCE = 100
_BLOCK = 1_024


class Suggestion(NamedTuple):
    """A text to label.

    Attributes
    ----------
    row : int
        Which of the texts.
    text : str
    predicted : str
        The likeliest label, whether the classifier would abstain or not.
    confidence : float
        Its probability.
    runner_up : str
        The second likeliest.
    runner_up_confidence : float
    score : float
        How unsure the classifier is, from 0 to 1: 1 less the margin between the two probabilities.
    """

    row: int
    text: str
    predicted: str
    confidence: float
    runner_up: str
    runner_up_confidence: float
    score: float


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The texts to label next, in the order in which to label them.

    Attributes
    ----------
    n_texts : int
        How many they were chosen from.
    rows : tuple of Suggestion
        No two of them are near-copies. Each is the one that adds most to those before it.
    """

    n_texts: int
    rows: tuple[Suggestion, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain types, for JSON."""
        return {"n_texts": self.n_texts, "rows": [row._asdict() for row in self.rows]}


def suggest(
    classifier: TextClassifier, texts: Iterable[str], n: int = 20, *, vectors: Vectors | None = None
) -> Suggestions:
    """Choose which texts to label next, so that a classifier trained with them, too, is as good as it can be.

    The candidates are the 20 n texts with the smallest margin between the two likeliest labels, near-copies left out.
    Among them, texts are chosen one by one, each being the one that brings most to the sum over all candidates of
    their uncertainty, cubed, times their cosine similarity to the nearest text chosen: the facility location that
    Zhdanov, "Diverse mini-batch Active Learning", 2019, weights by uncertainty (there solved by k-means; here by the
    greedy choice, which reaches 63 % of the optimum or more: Nemhauser, Wolsey & Fisher, "An analysis of approximations
    for maximizing submodular set functions", 1978).

    Parameters
    ----------
    classifier : TextClassifier
        Whether it abstains plays no part.
    texts : iterable of str
        None of which has a label.
    n : int
        How many to choose; fewer are given where the others are near-copies of these (cosine similarity from 0.95).
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the classifier's embedder makes of the texts, if that is at hand; None embeds them. Of unit length.

    Raises
    ------
    TrainingError
        If `n` is below 1.
    EmbedclfError
        If there is not one vector a text.
    TextError
        If a text is empty, not Unicode, or refused by the embedder.
    EmbedderError
        If the embedder fails, or vectors are not of the length that the classifier was trained on.
    """
    texts = check_texts(texts)
    n = check_whole(n, "n", least=1)
    if not texts:
        return Suggestions(0, ())
    vectors = classifier.embedder.embed(texts) if vectors is None else check_vectors(vectors, len(texts))
    uncertainty = _uncertainty(classifier, texts, vectors)
    order = np.argsort(-uncertainty, kind="stable")
    n = min(n, len(texts))
    rows = _apart(vectors, order, min(_CANDIDATES * n, max(_MOST_CANDIDATES, 2 * n)))
    chosen = rows[_spread(vectors[rows], uncertainty[rows], min(n, len(rows)))]
    return Suggestions(len(texts), _described(classifier, texts, vectors, chosen))


def _uncertainty(classifier: TextClassifier, texts: list[str], vectors: Vectors) -> Floats:
    """Give 1 less the margin between the two largest probabilities: (n,)."""
    out = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK):
        block = slice(start, start + _BLOCK)
        probabilities = classifier.probabilities(vectors[block], texts[block])
        second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
        out[block] = 1 - (first - second)
    return out


def _apart(vectors: Vectors, order: Ints, most: int) -> Ints:
    """Take rows in an order, but no near-copy of one taken before, until there are so many."""
    taken = np.empty((min(most, len(order)), vectors.shape[1]), dtype=np.float32)
    rows: list[int] = []
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        of_block = vectors[block]
        free = (of_block @ taken[: len(rows)].T).max(axis=1, initial=-1.0) < NEAR_COPY
        block, of_block = block[free], of_block[free]
        alike = np.tril(of_block @ of_block.T >= NEAR_COPY, -1)
        # Only a text that has a near-copy before it in the block may have to go, and does if that one stays.
        stays = np.ones(len(block), dtype=bool)
        for number in np.flatnonzero(alike.any(axis=1)):
            stays[number] = not (alike[number] & stays).any()
        kept = np.flatnonzero(stays)[: most - len(rows)]
        taken[len(rows) : len(rows) + len(kept)] = of_block[kept]
        rows += block[kept].tolist()
        if len(rows) == most:
            break
    return np.array(rows, dtype=np.intp)


def _spread(vectors: Vectors, uncertainty: Floats, n: int) -> Ints:
    """Choose n rows that stand for the others, which are sorted by uncertainty; part by part, if n is large."""
    n_parts = math.ceil(n / _MOST_AT_ONCE)
    most = uncertainty.max()
    weights = (uncertainty / most) ** _POWER if most > 0 else np.ones_like(uncertainty)
    chosen = np.empty(0, dtype=np.intp)
    for part in range(n_parts):
        # Every n_parts-th row: each part has the same share of less and more uncertain ones.
        rows = np.arange(part, len(vectors), n_parts)
        covered = np.zeros(len(rows), dtype=np.float32)
        for start in range(0, len(chosen), _BLOCK):
            similarities = vectors[rows] @ vectors[chosen[start : start + _BLOCK]].T
            covered = np.maximum(covered, similarities.max(axis=1))
        size = (part + 1) * n // n_parts - part * n // n_parts
        chosen = np.concatenate([chosen, rows[_best_covering(vectors[rows], weights[rows], covered, size)]])
    return chosen


def _best_covering(vectors: Vectors, weights: Floats, covered: Floats, n: int) -> list[int]:
    """Choose n rows one by one, each of which raises the weighted sum of `covered` most.

    What a row would bring only falls while others are chosen, so that one which still leads when it is computed anew is
    the best (Minoux, "Accelerated greedy algorithms for maximizing submodular set functions", 1978).
    """
    similarities = np.maximum(vectors @ vectors.T, 0)
    heap = [(-float(np.maximum(row - covered, 0) @ weights), number) for number, row in enumerate(similarities)]
    heapq.heapify(heap)
    chosen: list[int] = []
    while len(chosen) < n:
        _, best = heapq.heappop(heap)
        now = (-float(np.maximum(similarities[best] - covered, 0) @ weights), best)
        if heap and now > heap[0]:
            heapq.heappush(heap, now)
            continue
        chosen.append(best)
        covered = np.maximum(covered, similarities[best])
    return chosen


def _described(classifier: TextClassifier, texts: list[str], vectors: Vectors, chosen: Ints) -> tuple[Suggestion, ...]:
    probabilities = classifier.probabilities(vectors[chosen], [texts[row] for row in chosen.tolist()])
    # A stable sort: of equals, the first in `classes` leads, as it does in the label.
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    likeliest = np.take_along_axis(probabilities, best, axis=1).astype(np.float64)
    names = classifier.classes
    return tuple(
        Suggestion(row, texts[row], names[first], sure, names[second], less_sure, 1 - (sure - less_sure))
        for row, (first, second), (sure, less_sure) in zip(
            chosen.tolist(), best.tolist(), likeliest.tolist(), strict=True
        )
    )
