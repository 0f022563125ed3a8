"""The two heads, fitted to vectors and words."""

import logging
from dataclasses import dataclass

import numpy as np

from embedclf.arrays import Ints, Vectors
from embedclf.classifier.linear import LinearModel, WordWeights
from embedclf.classifier.model_file import Head
from embedclf.features.vocabulary import Vocabulary
from embedclf.training.inputs import Inputs
from embedclf.training.solver import Design, Fit

logger = logging.getLogger(__name__)

# What the words may take in a model file: what is larger is a burden to a service that loads it. At first, twice as
# many are fitted, those that most texts have.
MOST_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted head, in terms of an embedder's vectors and of TF-IDF.

    Attributes
    ----------
    fit : Fit
        Its word weights are for words that are not scaled.
    vocabulary : Vocabulary or None
        None if vectors alone are used.
    """

    fit: Fit
    vocabulary: Vocabulary | None = None

    def model(self, temperature: float, classes: tuple[str, ...]) -> LinearModel:
        """Make a model of it, its temperature folded in."""
        fit, words = self.fit.divided_by(temperature), None
        if self.vocabulary is not None:
            most = float(np.finfo(np.float16).max)
            words = WordWeights(self.vocabulary, np.clip(fit.word_weights, -most, most).astype(np.float16))
        return LinearModel(fit.weights.astype(np.float32), fit.bias.astype(np.float32), classes, words)

    def started(self, vocabulary: Vocabulary | None) -> Fit:
        """Return the same for the n-grams of another vocabulary, to start a fit from."""
        weights = np.zeros((0 if vocabulary is None else len(vocabulary), len(self.fit.bias)))
        if vocabulary is not None and self.vocabulary is not None:
            _, here, there = np.intersect1d(
                self.vocabulary.hashes, vocabulary.hashes, assume_unique=True, return_indices=True
            )
            weights[there] = self.fit.word_weights[here]
        return Fit(self.fit.weights, self.fit.bias, weights)


class Rows:
    """Rows to fit on, with what can be computed once for all fits to them.

    Parameters
    ----------
    inputs : Inputs
    y : ndarray of shape (n,)
    vocabulary : Vocabulary, optional
        None takes that of these rows.
    is_rotated : bool
        As of `Design`.
    """

    def __init__(
        self, inputs: Inputs, y: Ints, vocabulary: Vocabulary | None = None, *, is_rotated: bool = False
    ) -> None:
        self._inputs, self._y, self._is_rotated = inputs, y, is_rotated
        most = 2 * most_ngrams(int(y.max()) + 1)
        self.vocabulary = inputs.vocabulary(most) if vocabulary is None else vocabulary
        self._words = inputs.words(self.vocabulary)
        self._designs: dict[float, Design] = {}

    def fit(
        self, head: Head, C: float | None, scale: float, *, start: Trained | None = None, exact: bool = True
    ) -> Trained:
        """Fit a head, with words of a length of `scale` beside vectors of length 1; see `Design.fit`."""
        vocabulary = self.vocabulary if scale else None
        words = self._words if scale else None
        if head == "centroid":
            return Trained(fit_centroid(self._inputs.vectors, words, scale, self._y), vocabulary)
        if C is None:
            raise ValueError("the logistic head needs C")
        if scale not in self._designs:
            design = Design(self._inputs.vectors, words, scale, is_rotated=self._is_rotated)
            self._designs = {scale: design}  # one at a time: they are large
        begun = None if start is None else start.started(vocabulary)
        fit = self._designs[scale].fit(self._y, C, start=begun, exact=exact)
        if exact and not fit.converged:
            logger.warning(
                "the fit with C = %g did not converge: probabilities may be a little off; use a smaller C", C
            )
        return Trained(fit, vocabulary)


def fit_centroid(vectors: Vectors, words: object, scale: float, y: Ints) -> Fit:
    """Fit nearest centroid: the squared distance to centroid c, less what all classes share, is ‖c‖² − 2 x·c."""
    from scipy.sparse import csr_array

    # scikit-learn's NearestCentroid refuses vectors that are all equal, for the sake of variances that are not used.
    n_classes = int(y.max()) + 1
    sizes = np.bincount(y)
    of_class = csr_array((1 / sizes[y], (y, np.arange(len(y)))), shape=(n_classes, len(y)))
    centroids = of_class @ vectors.astype(np.float64)
    of_words = np.zeros((n_classes, 0)) if words is None else (of_class @ words).toarray()
    squares = (centroids**2).sum(axis=1) + scale**2 * (of_words**2).sum(axis=1)
    return Fit(2 * centroids, -squares, 2 * scale**2 * of_words.T)


def most_ngrams(n_classes: int) -> int:
    """Return how many n-grams fit into `MOST_BYTES`: a hash, a frequency, and a weight for each class."""
    return MOST_BYTES // (8 + 2 + 2 * n_classes)


def within_limit(trained: Trained) -> Vocabulary | None:
    """Return its vocabulary, without as many n-grams of the least weights as it takes to fit into `MOST_BYTES`."""
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
