"""Explanations of predictions: how much each word of a text contributes to the score of its label.

A score is a sum over the n-grams of a text plus a product with the embedder's vector, and where that vector is a sum
over tokens, the product is one too. So the contributions are exact, not estimated: those of the words, that of the
vector as a whole and the intercepts sum to the difference between the scores of two labels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Floats, Hashes, Ints, Vectors
from embedclf.classifier.decisions import first_of_largest
from embedclf.classifier.linear import LinearModel, WordWeights
from embedclf.data_frames import data_frame
from embedclf.embedding.base import Embedder, TokenShares
from embedclf.features.ngrams import normalized, original_places, words_of
from embedclf.records import Printable

# How far the sum over tokens may differ from the product with the whole vector. Rounding in float32 stays well below.
_TOLERANCE = 1e-3


class Span(NamedTuple):
    """A part of a text and its contribution to the difference between two scores.

    Attributes
    ----------
    start, end : int
        Character offsets; `end` is exclusive.
    weight : float
        Positive if it supports the most likely label, negative if it supports the runner-up.
    """

    start: int
    end: int
    weight: float


class Neighbour(NamedTuple):
    """A training example similar to a text.

    Attributes
    ----------
    row : int
        Index of the training example.
    text, label : str
    similarity : float
        Cosine similarity, from −1 to 1.
    """

    row: int
    text: str
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Explanation(Printable):
    """Why a text gets its label rather than the runner-up.

    The weights of the spans, `vector` and `bias` sum to `difference`.

    Attributes
    ----------
    label : str
        The most likely label.
    confidence : float
        Its probability.
    runner_up : str
        The second most likely label.
    runner_up_confidence : float
        Its probability.
    difference : float
        Score of the label minus score of the runner-up, which is the log of the ratio of their probabilities.
    spans : tuple of Span
        Contributions of the words, in the order of the text. They do not overlap; those of 0 are left out.
    vector : float
        Contribution of the embedder's vector as a whole; 0 if it is already in the spans, or if vectors are not used.
    bias : float
        Contribution of the intercepts, the same for every text with these two labels.
    supporting, opposing : tuple of Neighbour
        The nearest training examples of this label and of all other labels; empty without training examples.
    text : str
        The text itself.
    """

    label: str
    confidence: float
    runner_up: str
    runner_up_confidence: float
    difference: float
    spans: tuple[Span, ...]
    vector: float
    bias: float
    supporting: tuple[Neighbour, ...] = ()
    opposing: tuple[Neighbour, ...] = ()
    text: str = ""

    def __repr__(self) -> str:
        return f"<Explanation: {self.label!r} ({self.confidence:.4f}) over {self.runner_up!r}>"

    def to_frame(self) -> Any:
        """Return the words with their weights as a data frame of pandas, or of Polars if only that is installed."""
        rows = [{"word": self.text[start:end], "start": start, "end": end, "weight": weight}
                for start, end, weight in self.spans]  # fmt: skip
        return data_frame(rows, ("word", "start", "end", "weight"))

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain types, for JSON."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "runner_up": self.runner_up,
            "runner_up_confidence": self.runner_up_confidence,
            "difference": self.difference,
            "spans": [span._asdict() for span in self.spans],
            "vector": self.vector,
            "bias": self.bias,
            "for": [neighbour._asdict() for neighbour in self.supporting],
            "against": [neighbour._asdict() for neighbour in self.opposing],
        }


def weighs_words(model: LinearModel, embedder: Embedder) -> bool:
    """Return whether predictions can be explained word by word."""
    return model.words is not None or (model.uses_vectors and embedder.has_token_shares)


def explanations(
    model: LinearModel, embedder: Embedder, texts: Sequence[str], vectors: Vectors, scores: Vectors
) -> Iterator[Explanation]:
    """Explain the most likely label of each text: over the runner-up, or over its absence if there may be several.

    Parameters
    ----------
    model : LinearModel
    embedder : Embedder
        The embedder that made the vectors.
    texts : sequence of str, of length n
    vectors : ndarray of shape (n, n_dimensions), float32
        Ignored if the model uses only words.
    scores : ndarray of shape (n, n_classes), float32
        The model's scores of the texts.
    """
    for text, vector, of_text, ngrams in zip(texts, vectors, scores, _ngrams(model.words, texts), strict=True):
        probabilities = model.to_probabilities(of_text)
        best = int(first_of_largest(probabilities))
        label, second = model.classes[best], None
        runner_up, its_probability = f"not {label}", 1 - float(probabilities[best])
        if not model.is_multilabel:
            # Ranked by score, since the probabilities of all other classes may round to 0.
            others = of_text.copy()
            others[best] = -np.inf
            second = int(first_of_largest(others))
            runner_up, its_probability = model.classes[second], float(probabilities[second])
        bias = float(model.bias[best]) - (0.0 if second is None else float(model.bias[second]))
        parts = _words(text, ngrams, best, second)
        whole = 0.0
        if model.uses_vectors:
            direction = model.weights[best].astype(np.float64) - (0.0 if second is None else model.weights[second])
            whole = float(vector.astype(np.float64) @ direction)
            tokens = embedder.token_shares(text, direction)
            # A vector that the caller passed in need not be the sum of the tokens.
            if tokens is not None and abs(tokens.values.sum() - whole) <= _TOLERANCE * max(
                1.0, float(np.abs(tokens.values).sum())
            ):
                parts, whole = _with_tokens(parts, tokens, len(text)), 0.0
        each = zip(*(column.tolist() for column in parts), strict=True)
        spans = tuple(Span(start, end, weight) for start, end, weight in each if weight)
        yield Explanation(
            label=label,
            confidence=float(probabilities[best]),
            runner_up=runner_up,
            runner_up_confidence=its_probability,
            difference=sum(span.weight for span in spans) + whole + bias,
            spans=spans,
            vector=whole,
            bias=bias,
            text=text,
        )


def by_word(text: str, spans: Sequence[Span]) -> dict[str, float]:
    """Return the total weight of each word of a text, in lower case; spans of white space are left out."""
    words: dict[str, float] = {}
    for start, end, weight in spans:
        if word := normalized(text[start:end]).strip():
            words[word] = words.get(word, 0.0) + weight
    return words


class _Parts(NamedTuple):
    """Non-overlapping parts of a text, in order, with their weights."""

    starts: Ints
    ends: Ints
    weights: Floats


class _Ngrams(NamedTuple):
    """The n-grams of a text that are in the vocabulary, sorted (n,), with TF-IDF (n,) and weights (n, n_classes)."""

    hashes: Hashes
    values: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float16]


def _ngrams(words: WordWeights | None, texts: Sequence[str]) -> Iterator[_Ngrams | None]:
    if words is None:
        yield from [None] * len(texts)
        return
    terms = words.vocabulary.terms(texts)
    borders = np.searchsorted(terms.texts, np.arange(len(texts) + 1)).tolist()
    for begin, end in pairwise(borders):
        columns = terms.columns[begin:end]
        yield _Ngrams(words.vocabulary.hashes[columns], terms.values[begin:end], words.weights[columns])


def _words(text: str, known: _Ngrams | None, best: int, second: int | None) -> _Parts:
    """Find the words of a text and their contributions through n-grams.

    The weight of a pair is split evenly between its two words, that of a repeated n-gram between its occurrences.
    """
    found = words_of([normalized(text)])
    n = len(found.hashes)
    weights = np.zeros(n)
    if known is not None and len(known.hashes):
        first, of_pairs = found.pairs()
        ngrams = np.concatenate([found.hashes, of_pairs])
        which = np.minimum(np.searchsorted(known.hashes, ngrams), len(known.hashes) - 1)
        there = np.flatnonzero(known.hashes[which] == ngrams)
        which = which[there]
        against = 0.0 if second is None else known.weights[:, second]
        adds = known.values * (known.weights[:, best].astype(np.float64) - against)
        shares = (adds / np.bincount(which))[which] / 2
        weights += np.bincount(np.append(np.arange(n), first)[there], shares, minlength=n)
        weights += np.bincount(np.append(np.arange(n), first + 1)[there], shares, minlength=n)
    places = original_places(text)
    return _merged(places.starts[found.starts], places.ends[found.ends - 1], weights)


def _merged(starts: Ints, ends: Ints, weights: Floats) -> _Parts:
    """Merge overlapping parts, which must be sorted."""
    if not len(starts):
        return _Parts(starts, ends, weights)
    reached = np.maximum.accumulate(ends)
    firsts = np.flatnonzero(np.append(True, starts[1:] >= reached[:-1]))
    return _Parts(starts[firsts], np.maximum.reduceat(ends, firsts), np.add.reduceat(weights, firsts))


def _with_tokens(words: _Parts, tokens: TokenShares, length: int) -> _Parts:
    """Add the shares of tokens to the words that they overlap; a token that overlaps none becomes a part of its own."""
    # An empty token counts as the character at its position.
    begins = np.minimum(tokens.starts, length - 1)
    stops = np.maximum(tokens.ends, begins + 1)
    first = np.searchsorted(words.ends, begins, side="right")
    n_words = np.maximum(np.searchsorted(words.starts, stops), first) - first
    # A token that spans several words, such as "...", is split evenly between them.
    of_tokens = np.repeat(np.arange(len(begins)), n_words)
    places = first[of_tokens] + np.arange(len(of_tokens)) - np.repeat(np.cumsum(n_words) - n_words, n_words)
    shares = tokens.values[of_tokens] / n_words[of_tokens]
    weights = words.weights + np.bincount(places, shares, minlength=len(words.weights))
    outside = np.flatnonzero(n_words == 0)
    outside = outside[np.argsort(begins[outside], kind="stable")]
    # Tokens outside words may share a character, so they can overlap.
    others = _merged(begins[outside], stops[outside], tokens.values[outside])
    pairs = zip(words._replace(weights=weights), others, strict=True)
    starts, ends, weights = (np.concatenate(pair) for pair in pairs)
    order = np.argsort(starts, kind="stable")
    return _Parts(starts[order], ends[order], weights[order])
