"""Active learning: which texts to label next, by uncertainty and by how many similar texts they represent."""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import AnyFloats, Floats, Floats32, Ints, Vectors
from embedclf.classifier.decisions import LabelRules, MultiLabelDecision, rank
from embedclf.classifier.multilabel import MultiLabelClassifier
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.label_sets import LABEL_SEPARATOR
from embedclf.data_frames import DataFrame, data_frame
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.formatting import counted
from embedclf.phases import phase
from embedclf.records import Printable
from embedclf.stats.neighbours import NEAR_COPY
from embedclf.validation import check_whole

# Number of candidates per requested text, and the power of the uncertainty by which they are weighted;
# benchmarks/suggesting.py compares other values.
_CANDIDATES = 20
_POWER = 3
# Beyond this many, comparing all candidates with each other would take minutes.
_MOST_CANDIDATES = 20_000
# Texts are chosen in parts of this many, so that the similarities of a part's candidates fit into a few megabytes.
_MOST_AT_ONCE = 100
_BLOCK = 1_024
_TINY = 1e-9


class Suggestion(NamedTuple):
    """A text to label.

    Attributes
    ----------
    row : int
        Index of the text.
    text : str
    predicted : str
        The most likely label, whether or not the classifier would abstain. Where texts have several, all labels of the
        text, joined by the separator of the training file; empty if there are none.
    confidence : float
        The probability of the most likely label.
    runner_up : str
        The second most likely label; where texts have several, the one nearest to its threshold, which may be given.
    runner_up_confidence : float
    score : float
        Uncertainty of the classifier, from 0 to 1: 1 minus the margin between the two probabilities, or between the
        larger one and that of being out of scope, if the classifier has learned to reject. Where texts have several
        labels, the sum of the binary entropies of all labels, in bits.
    """

    row: int
    text: str
    predicted: str
    confidence: float
    runner_up: str
    runner_up_confidence: float
    score: float


@dataclass(frozen=True, slots=True)
class Suggestions(Printable):
    """The texts to label next, in the order in which to label them.

    Attributes
    ----------
    n_texts : int
        Number of texts to choose from.
    rows : tuple of Suggestion
        No two of them are near-duplicates. Each is the one that adds most to the previous ones.
    is_multilabel : bool
        Whether a text may have several labels.
    """

    n_texts: int
    rows: tuple[Suggestion, ...]
    is_multilabel: bool = False

    def __repr__(self) -> str:
        return f"<Suggestions: {counted(len(self.rows), 'row')} of {self.n_texts:,}>"

    def to_frame(self) -> Any:
        """Return the rows to label as a data frame of pandas, or of Polars if only that is installed."""
        return data_frame([row._asdict() for row in self.rows], Suggestion._fields)

    def to_dict(self) -> dict[str, Any]:
        """Return the suggestions as plain types, for JSON."""
        return {"n_texts": self.n_texts, "rows": [row._asdict() for row in self.rows]}


def suggest(
    classifier: TextClassifier,
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    n: int = 20,
    *,
    text: str | None = None,
    vectors: Vectors | None = None,
) -> Suggestions:
    """Choose the texts to label next that are likely to improve the classifier most (active learning).

    The candidates are the 20 n texts with the smallest margin between the two most likely labels, without near-
    duplicates; where texts have several labels, those with the largest sum of the entropies of the labels. Among them,
    texts are chosen greedily: each is the one that most increases the sum, over all candidates, of uncertainty cubed
    times cosine similarity to the nearest chosen text. This is the uncertainty-weighted facility location problem of
    Zhdanov, "Diverse mini-batch Active Learning", 2019 (solved there by k-means; the greedy algorithm reaches at least
    63 % of the optimum: Nemhauser, Wolsey & Fisher, "An analysis of approximations for maximizing submodular set
    functions", 1978).

    Parameters
    ----------
    classifier : TextClassifier
        Its threshold is ignored.
    texts : iterable of str, DataFrame or EmbeddedTexts
        Unlabelled texts. The vectors of an EmbeddedTexts must come from the classifier's embedder.
    n : int
        How many to choose. Fewer are returned if all remaining texts are near-duplicates of these (cosine similarity of
        0.95 or more).
    text : str, optional
        The column of a data frame; None means "text".
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        Precomputed embeddings of the texts, from the classifier's embedder and of unit length; None embeds them.

    Raises
    ------
    ArgumentError
        If `n` is less than 1, or there is not one vector per text.
    TextError
        If a text is empty, not valid Unicode, or rejected by the embedder.
    EmbedderError
        If the embedder fails, or the vectors do not have the length that the classifier was trained on.
    """
    own = isinstance(texts, EmbeddedTexts)
    embedded = EmbeddedTexts.of(texts, text=text, embedder=None if own else classifier.embedder, vectors=vectors)
    n = check_whole(n, "n", least=1)
    if not len(embedded):
        return Suggestions(0, ())
    texts, vectors = embedded.texts, embedded.vectors
    with phase("Predicting"):
        uncertainty = _uncertainty(classifier, texts, vectors)
    order = np.argsort(-uncertainty, kind="stable")
    n = min(n, len(texts))
    with phase("Choosing rows"):
        rows = _apart(vectors, order, min(_CANDIDATES * n, max(_MOST_CANDIDATES, 2 * n)))
        chosen = rows[_spread(vectors[rows], uncertainty[rows], min(n, len(rows)))]
    several = isinstance(classifier, MultiLabelClassifier)
    return Suggestions(len(texts), _described(classifier, texts, vectors, chosen), several)


def representative_rows(vectors: Vectors, n: int) -> Ints:
    """Choose texts that represent the others, to label before there is a classifier.

    This is how `suggest` chooses if the classifier is equally uncertain of all texts.

    Parameters
    ----------
    vectors : ndarray of shape (n_texts, n_dimensions), float32
        Of unit length. All are compared with each other, so 20 for each text to choose are enough.
    n : int

    Returns
    -------
    ndarray of shape (n_chosen,)
        Up to n rows, in the order in which to label them. No two of them are near-duplicates.
    """
    rows = _apart(vectors, np.arange(len(vectors)), len(vectors))
    return rows[_spread(vectors[rows], np.ones(len(rows), dtype=np.float32), min(n, len(rows)))]


def _uncertainty(classifier: TextClassifier, texts: list[str], vectors: Vectors) -> Floats32:
    """Return 1 minus the margin between the two largest probabilities, or the entropy of several labels: (n,)."""
    out = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK):
        block = slice(start, start + _BLOCK)
        out[block] = _closeness(classifier, classifier.probabilities(vectors[block], texts[block]))
    return out


def _closeness(classifier: TextClassifier, probabilities: Vectors) -> AnyFloats:
    """Return 1 minus the margin between the two most likely outcomes, one of which may be to be out of scope: (n,).

    Where texts have several labels, return the sum of the binary entropies instead.
    """
    if isinstance(classifier, MultiLabelClassifier):
        return _entropy(probabilities)
    if classifier.model.scope is not None:
        probabilities = np.column_stack([probabilities, 1 - probabilities.sum(axis=1)])
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    closeness: Floats32 = 1 - (first - second)
    return closeness


def _entropy(probabilities: Vectors) -> Floats:
    """Return the sum of the binary entropies of each row, in bits: (n,)."""
    sure = np.clip(probabilities.astype(np.float64), _TINY, 1 - _TINY)
    entropy: Floats = -(sure * np.log2(sure) + (1 - sure) * np.log2(1 - sure)).sum(axis=1)
    return entropy


def _apart(vectors: Vectors, order: Ints, most: int) -> Ints:
    """Return up to `most` rows, taken in this order, skipping near-duplicates of rows already taken."""
    taken = np.empty((min(most, len(order)), vectors.shape[1]), dtype=np.float32)
    rows: list[int] = []
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        of_block = vectors[block]
        free = (of_block @ taken[: len(rows)].T).max(axis=1, initial=-1.0) < NEAR_COPY
        block, of_block = block[free], of_block[free]
        alike = np.tril(of_block @ of_block.T >= NEAR_COPY, -1)
        # A text is dropped if it has an earlier near-duplicate in the block that is itself kept.
        stays = np.ones(len(block), dtype=bool)
        for number in np.flatnonzero(alike.any(axis=1)):
            stays[number] = not (alike[number] & stays).any()
        kept = np.flatnonzero(stays)[: most - len(rows)]
        taken[len(rows) : len(rows) + len(kept)] = of_block[kept]
        rows += block[kept].tolist()
        if len(rows) == most:
            break
    return np.array(rows, dtype=np.intp)


def _spread(vectors: Vectors, uncertainty: Floats32, n: int) -> Ints:
    """Choose n rows that represent the others; part by part, if n is large. The rows are sorted by uncertainty."""
    n_parts = math.ceil(n / _MOST_AT_ONCE)
    most = uncertainty.max()
    weights = (uncertainty / most) ** _POWER if most > 0 else np.ones_like(uncertainty)
    chosen = np.empty(0, dtype=np.intp)
    for part in range(n_parts):
        # Every n_parts-th row, so that each part has its share of more and less uncertain rows.
        rows = np.arange(part, len(vectors), n_parts)
        covered = np.zeros(len(rows), dtype=np.float32)
        for start in range(0, len(chosen), _BLOCK):
            similarities = vectors[rows] @ vectors[chosen[start : start + _BLOCK]].T
            covered = np.maximum(covered, similarities.max(axis=1))
        size = (part + 1) * n // n_parts - part * n // n_parts
        chosen = np.concatenate([chosen, rows[_best_covering(vectors[rows], weights[rows], covered, size)]])
    return chosen


def _best_covering(vectors: Vectors, weights: Floats32, covered: Floats32, n: int) -> list[int]:
    """Choose n rows greedily, each being the one that increases the weighted sum of `covered` most.

    The gain of a row can only fall as others are chosen. So a row that still leads after its gain has been recomputed
    is the best (Minoux, "Accelerated greedy algorithms for maximizing submodular set functions", 1978).
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
    if isinstance(decision := classifier.decision, MultiLabelDecision):
        return _of_several(decision, classifier.card.multilabel, texts, probabilities, chosen)
    ranking = rank(probabilities, 2)
    names, scores = classifier.classes, _closeness(classifier, probabilities)
    return tuple(
        Suggestion(row, texts[row], names[first], sure, names[second], less_sure, score)
        for row, (first, second), (sure, less_sure), score in zip(
            chosen.tolist(), ranking.places.tolist(), ranking.confidences.tolist(), scores.tolist(), strict=True
        )
    )


def _of_several(
    decision: MultiLabelDecision, rules: LabelRules | None, texts: list[str], probabilities: Vectors, chosen: Ints
) -> tuple[Suggestion, ...]:
    """Return the suggestions of a classifier that gives several labels, each with the one it is least sure of."""
    separator = LABEL_SEPARATOR if rules is None else rules.separator
    sure, least = (np.clip(one, _TINY, 1 - _TINY) for one in (probabilities.astype(np.float64), decision.thresholds))
    beyond = np.log(sure / (1 - sure)) - np.log(least / (1 - least))
    nearest = np.abs(beyond).argmin(axis=1).tolist()
    answers = decision.answers(decision.decide(probabilities))
    entropies = _entropy(probabilities).tolist()
    return tuple(
        Suggestion(
            row,
            texts[row],
            separator.join(label for label, _ in answer.labels or ()),
            answer.confidence or 0.0,
            decision.classes[place],
            float(of_row[place]),
            entropy,
        )
        for row, answer, place, of_row, entropy in zip(
            chosen.tolist(), answers, nearest, probabilities, entropies, strict=True
        )
    )
