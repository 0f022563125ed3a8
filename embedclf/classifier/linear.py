"""The linear model: a weight matrix, a bias and, optionally, weights of words."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.classifier.scope import ScopeRule
from embedclf.features.vocabulary import Terms, Vocabulary
from embedclf.validation import unicode_fault

_MAX_WEIGHT = 1e30
# Limits the size of the temporary array of n-grams by classes.
_MAX_PRODUCTS = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class WordWeights:
    """The weights of n-grams for each class.

    Attributes
    ----------
    vocabulary : Vocabulary
    weights : ndarray of shape (n_ngrams, n_classes), float16
    """

    vocabulary: Vocabulary
    weights: npt.NDArray[np.float16]

    def scores(self, terms: Terms, n_texts: int) -> Vectors:
        """Return the scores of texts from their n-grams: (n_texts, n_classes)."""
        scores = np.zeros((n_texts, self.weights.shape[1]), dtype=np.float32)
        if not len(terms.texts):
            return scores
        firsts = np.flatnonzero(np.diff(terms.texts, prepend=-1))  # the first term of each text that has any
        most = max(1, _MAX_PRODUCTS // self.weights.shape[1])
        start = 0
        while start < len(firsts):
            stop = max(start + 1, int(np.searchsorted(firsts, firsts[start] + most)))
            begin, end = firsts[start], firsts[stop] if stop < len(firsts) else len(terms.texts)
            weighted = self.weights[terms.columns[begin:end]].astype(np.float32)
            weighted *= terms.values[begin:end, None]
            scores[terms.texts[firsts[start:stop]]] = np.add.reduceat(weighted, firsts[start:stop] - begin, axis=0)
            start = stop
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """A linear classifier: ``vectors @ weights.T + bias``, plus the scores of words; the softmax gives probabilities.

    Logistic regression and nearest centroid both have this form, with the temperature folded into weights and bias. If
    a text may have several labels, the logistic function of each score is the probability of its label.

    Attributes
    ----------
    weights : ndarray of shape (n_classes, n_dimensions), float32
        Has no columns if the model uses only words.
    bias : ndarray of shape (n_classes,), float32
    classes : tuple of str
        Names of the classes, in the order of the rows.
    words : WordWeights or None
        None if the model uses only vectors.
    is_multilabel : bool
        Whether a text may have several labels, or none.
    scope : ScopeRule or None
        How probable it is that a text is in scope; None if it always is.

    Raises
    ------
    ValueError
        If shapes do not match, a number is not finite, or a class name is empty or a duplicate.
    """

    weights: Vectors
    bias: npt.NDArray[np.float32]
    classes: tuple[str, ...]
    words: WordWeights | None = None
    is_multilabel: bool = False
    scope: ScopeRule | None = None

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or self.bias.shape != self.weights.shape[:1]:
            raise ValueError(f"weights of shape {self.weights.shape} do not match a bias of shape {self.bias.shape}")
        if len(self.classes) != len(self.bias):
            raise ValueError(f"{len(self.classes)} classes do not match {len(self.bias)} rows of weights")
        if len(self.classes) < 2:
            raise ValueError("a classifier needs at least two classes")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("class names are not unique")
        if not (np.isfinite(self.weights).all() and np.isfinite(self.bias).all()):
            raise ValueError("some weights are not finite")
        # Vectors have unit length, so a score is at most the norm of a row plus the bias.
        if max(np.abs(self.weights).max(initial=0), np.abs(self.bias).max(initial=0)) > _MAX_WEIGHT:
            raise ValueError("some weights are so large that scores would overflow")
        if self.words is None:
            if not self.weights.shape[1]:
                raise ValueError("there are no weights, neither for vectors nor for words")
        elif self.words.weights.shape != (len(self.words.vocabulary), len(self.classes)):
            raise ValueError(
                f"word weights of shape {self.words.weights.shape} do not match {len(self.words.vocabulary)} n-grams "
                f"and {len(self.classes)} classes"
            )
        elif not np.isfinite(self.words.weights).all():
            raise ValueError("some word weights are not finite")
        for name in self.classes:
            # A label that only has invisible characters is refused in training, but was not always.
            if not name.strip():
                raise ValueError("the name of a class is empty")
            if fault := unicode_fault(name, "name of a class"):
                raise ValueError(fault)

    @property
    def uses_vectors(self) -> bool:
        """Whether the model uses embedding vectors; if not, it uses only words."""
        return bool(self.weights.shape[1])

    @property
    def features(self) -> Literal["embedding", "words", "both"]:
        """What the model uses of a text."""
        if not self.uses_vectors:
            return "words"
        return "embedding" if self.words is None else "both"

    def scores(self, vectors: Vectors, terms: Terms | None = None) -> Vectors:
        """Score texts for each class.

        Parameters
        ----------
        vectors : ndarray of shape (n, n_dimensions), float32
            Only their number matters if the model uses only words.
        terms : Terms, optional
            The n-grams of the texts; required if the model uses words.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
        """
        if self.words is None:
            return vectors @ self.weights.T + self.bias
        if terms is None:
            raise ValueError("the model uses words, so terms are required")
        scores = self.words.scores(terms, len(vectors))
        if self.uses_vectors:
            scores += vectors @ self.weights.T
        return scores + self.bias

    def probabilities(self, vectors: Vectors, terms: Terms | None = None) -> Vectors:
        """Return the probability of each class for each text: (n, n_classes). See `scores` and `to_probabilities`."""
        return self.to_probabilities(self.scores(vectors, terms))

    def to_probabilities(self, scores: Vectors) -> Vectors:
        """Return the probabilities that scores stand for: (n, n_classes) float32.

        Rows sum to 1, unless a text may have several labels, or be out of scope: then they sum to the probability that
        it is in scope.
        """
        return logistic(scores) if self.is_multilabel else softmax_in_scope(scores, self.scope)


def log_softmax(scores: Vectors) -> Vectors:
    """Return the logarithm of the softmax over the last axis, which is finite even where the softmax rounds to 0."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), dtype=np.float32)


def log_logistic(scores: Vectors) -> Vectors:
    """Return the logarithm of the logistic function, which is finite even where the logistic function rounds to 0."""
    return np.asarray(np.minimum(scores, 0) - np.log1p(np.exp(-np.abs(scores))), dtype=np.float32)


def logistic(scores: Vectors) -> Vectors:
    """Return the logistic function of each score, computed from the side on which nothing overflows."""
    small = np.exp(-np.abs(scores))
    return np.asarray(np.where(scores >= 0, 1, small) / (1 + small), dtype=np.float32)


def softmax_in_scope(scores: Vectors, scope: ScopeRule | None) -> Vectors:
    """Return the softmax over the last axis, multiplied by the probability that the text is in scope."""
    probabilities = softmax(scores)
    if scope is None:
        return probabilities
    return np.asarray(probabilities * scope.probability(scores)[..., None], dtype=np.float32)


def softmax(scores: Vectors) -> Vectors:
    """Return the softmax over the last axis; the maximum is subtracted first, so that nothing overflows."""
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float32)
