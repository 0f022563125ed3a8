"""The two classification heads, fitted to vectors and words."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask, Targets, Vectors
from embedclf.classifier.linear import LinearModel, WordWeights
from embedclf.classifier.model_card import Head, ModelCard
from embedclf.classifier.scope import ScopeRule
from embedclf.features.vocabulary import Vocabulary
from embedclf.training.inputs import Inputs
from embedclf.training.label_calibration import LabelCalibration
from embedclf.training.lbfgs import Floats
from embedclf.training.solver import Design, Fit

logger = logging.getLogger(__name__)

# The most that n-grams may take in a model file, so that a service loads it quickly. Fitting starts with twice as many
# n-grams, the most frequent ones.
MOST_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted head, with weights for the embedder's vectors and for TF-IDF values.

    Attributes
    ----------
    fit : Fit
        Its word weights apply to unscaled words.
    vocabulary : Vocabulary or None
        None if only vectors are used.
    """

    fit: Fit
    vocabulary: Vocabulary | None = None

    def model(
        self,
        temperature: float,
        classes: tuple[str, ...],
        of_labels: LabelCalibration | None = None,
        scope: ScopeRule | None = None,
        shift: Floats | None = None,
    ) -> LinearModel:
        """Return the linear model, with the temperature folded into its weights.

        Parameters
        ----------
        temperature : float
        classes : tuple of str
            If out-of-scope examples were fitted as one more class, scores are relative to its score.
        of_labels : LabelCalibration or None
            None if a text has one label.
        scope : ScopeRule or None
        shift : ndarray of shape (n_classes,), or None
            What to add to the score of each class after the division.
        """
        fit, words = self.fit.divided_by(temperature), None
        if len(fit.bias) > len(classes):
            fit = fit.relative_to_last()
        if shift is not None:
            fit = replace(fit, bias=fit.bias + shift)
        if of_labels is not None:
            fit = fit.scaled(of_labels.factors, of_labels.shifts)
        if self.vocabulary is not None:
            most = float(np.finfo(np.float16).max)
            words = WordWeights(self.vocabulary, np.clip(fit.word_weights, -most, most).astype(np.float16))
        weights, bias = fit.weights.astype(np.float32), fit.bias.astype(np.float32)
        return LinearModel(weights, bias, classes, words, of_labels is not None, scope)

    def start_for(self, vocabulary: Vocabulary | None) -> Fit:
        """Return the same weights for the n-grams of another vocabulary, as a starting point."""
        weights = np.zeros((0 if vocabulary is None else len(vocabulary), len(self.fit.bias)))
        if vocabulary is not None and self.vocabulary is not None:
            _, here, there = np.intersect1d(
                self.vocabulary.hashes, vocabulary.hashes, assume_unique=True, return_indices=True
            )
            weights[there] = self.fit.word_weights[here]
        return Fit(self.fit.weights, self.fit.bias, weights)


class Start(NamedTuple):
    """The weights of an earlier classifier, and the settings that they were fitted with."""

    trained: Trained
    C: float | None
    scale: float

    @classmethod
    def of(cls, model: LinearModel, card: ModelCard, classes: Sequence[str]) -> "Start":
        """Return the weights of a classifier for some classes; one that it does not know starts at zero."""
        number_of = {name: number for number, name in enumerate(model.classes)}
        rows = np.array([number_of.get(name, -1) for name in classes])

        def chosen(of_classes: Any) -> Floats:
            found = np.zeros((len(rows), *of_classes.shape[1:]))
            found[rows >= 0] = of_classes[rows[rows >= 0]].astype(np.float64) * card.temperature
            return found

        words, vocabulary = np.zeros((0, len(rows))), None
        if model.words is not None:
            words, vocabulary = chosen(model.words.weights.T).T, model.words.vocabulary
        fit = Fit(chosen(model.weights), chosen(model.bias), words)
        return cls(Trained(fit, vocabulary), card.regularization, card.word_scale)


class Rows:
    """Rows to fit on, with what all fits to them share.

    Parameters
    ----------
    inputs : Inputs
    y : ndarray of shape (n,), or (n, n_classes) if rows may have several labels
    sample_weight : ndarray of shape (n,), or (n, n_classes) if rows may have several labels, optional
        See `Design.fit`.
    vocabulary : Vocabulary, optional
        None uses the vocabulary of these rows.
    is_rotated : bool
        See `Design`.
    """

    def __init__(
        self,
        inputs: Inputs,
        y: Targets,
        sample_weight: Floats | None = None,
        vocabulary: Vocabulary | None = None,
        *,
        is_rotated: bool = False,
    ) -> None:
        self._inputs, self._y, self._sample_weight, self._is_rotated = inputs, y, sample_weight, is_rotated
        most = 2 * most_ngrams(int(y.max()) + 1 if y.ndim == 1 else y.shape[1])
        self.vocabulary = inputs.vocabulary(most) if vocabulary is None else vocabulary
        self._words = inputs.words(self.vocabulary)
        self._designs: dict[float, Design] = {}

    def fit(
        self, head: Head, C: float | None, scale: float, *, start: Trained | None = None, exact: bool = True
    ) -> Trained:
        """Fit a head, with word vectors of length `scale` beside vectors of length 1; see `Design.fit`."""
        vocabulary = self.vocabulary if scale else None
        words = self._words if scale else None
        if head == "centroid":
            of_rows = fit_centroid if self._y.ndim == 1 else fit_centroids_of_labels
            return Trained(of_rows(self._inputs.vectors, words, scale, self._y, self._sample_weight), vocabulary)
        if C is None:
            raise ValueError("the logistic head needs C")
        if scale not in self._designs:
            design = Design(self._inputs.vectors, words, scale, is_rotated=self._is_rotated)
            self._designs = {scale: design}  # only one, since a design is large
        first = None if start is None else start.start_for(vocabulary)
        fit = self._designs[scale].fit(self._y, C, start=first, exact=exact, sample_weight=self._sample_weight)
        if exact and not fit.converged:
            logger.warning(
                "the fit with C = %g did not converge: probabilities may be slightly off; use a smaller C", C
            )
        return Trained(fit, vocabulary)


def fit_centroid(vectors: Vectors, words: object, scale: float, y: Ints, sample_weight: Floats | None = None) -> Fit:
    """Fit nearest centroid: the squared distance to centroid c, less the common ‖x‖², is ‖c‖² − 2 x·c."""
    from scipy.sparse import csr_array

    # Not scikit-learn's NearestCentroid: it rejects vectors that are all equal, due to variances not needed here.
    n_classes = int(y.max()) + 1
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    of_class = csr_array((weights / np.bincount(y, weights)[y], (y, np.arange(len(y)))), shape=(n_classes, len(y)))
    centroids = of_class @ vectors.astype(np.float64)
    of_words = np.zeros((n_classes, 0)) if words is None else (of_class @ words).toarray()
    squares = (centroids**2).sum(axis=1) + scale**2 * (of_words**2).sum(axis=1)
    return Fit(2 * centroids, -squares, 2 * scale**2 * of_words.T)


def fit_centroids_of_labels(
    vectors: Vectors, words: object, scale: float, given: Mask, sample_weight: Floats | None = None
) -> Fit:
    """Fit nearest centroid for rows that may have several labels: of rows with a label, and of those without it."""
    parts = []
    for number, has_label in enumerate(given.T):
        counts = sample_weight if sample_weight is None or sample_weight.ndim == 1 else sample_weight[:, number]
        of_two = fit_centroid(vectors, words, scale, has_label.astype(np.intp), counts)
        if len(of_two.bias) == 2 and not has_label.all():
            parts.append((of_two.weights[1] - of_two.weights[0], of_two.bias[1] - of_two.bias[0],
                          of_two.word_weights[:, 1] - of_two.word_weights[:, 0]))  # fmt: skip
        else:  # all rows have it, or none
            sign = 1.0 if has_label.all() else -1.0
            parts.append((np.zeros(vectors.shape[1]), sign, np.zeros(of_two.word_weights.shape[0])))
    weights, bias, of_words = zip(*parts, strict=True)
    return Fit(np.array(weights), np.array(bias), np.array(of_words).T)


def most_ngrams(n_classes: int) -> int:
    """Return how many n-grams fit into `MOST_BYTES`: each has a hash, a frequency, and one weight per class."""
    return MOST_BYTES // (8 + 2 + 2 * n_classes)


def within_limit(trained: Trained) -> Vocabulary | None:
    """Return its vocabulary, reduced to the n-grams with the largest weights if it exceeds `MOST_BYTES`."""
    vocabulary, weights = trained.vocabulary, trained.fit.word_weights
    if vocabulary is None:
        return None
    most = most_ngrams(weights.shape[1])
    if len(vocabulary) <= most:
        return vocabulary
    largest = np.argsort(-(weights**2).sum(axis=1), kind="stable")[:most]
    chosen = np.zeros(len(vocabulary), dtype=bool)
    chosen[largest] = True
    return vocabulary[chosen]
