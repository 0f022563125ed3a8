"""Classes without rows: a text gets the label whose own text is nearest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from embedclf.arrays import Vectors
from embedclf.classifier.linear import LinearModel, WordWeights
from embedclf.errors import TrainingError
from embedclf.training.label_names import LabelText

# There is nothing to calibrate on. On English tickets and on Banking77, with WordLlama and with MiniLM, by names and by
# descriptions, the least calibration error is at 0.075 to 0.105 (benchmarks/no_labels.py).
TEMPERATURE = 0.09
# Of the rows whose label is known, the share that labels without rows may take. A single text beside hundreds would
# never win; with this, a new label is found about as often as without any rows, and the others lose less than a point.
MOST_TAKEN = 0.01
_TIE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class NearestLabels:
    """Labels that are learned from their texts alone.

    Attributes
    ----------
    labels : tuple of str
        Sorted.
    weights : ndarray of shape (n_labels, n_dimensions), float32
    bias : ndarray of shape (n_labels,), float32
    temperature : float
        The number that similarities were divided by.
    """

    labels: tuple[str, ...]
    weights: Vectors
    bias: Vectors
    temperature: float

    @classmethod
    def of(
        cls,
        said: Sequence[LabelText],
        vectors: Vectors,
        *,
        mean_label: Vectors | None = None,
        mean_text: Vectors | None = None,
    ) -> Self:
        """Place labels at the mean of their texts, seen from the mean of all labels.

        Parameters
        ----------
        said : sequence of LabelText
        vectors : ndarray of shape (n, n_dimensions), float32
            Their vectors.
        mean_label, mean_text : ndarray of shape (n_dimensions,), optional
            From where labels and texts are seen; None is the mean of the labels.

        Raises
        ------
        TrainingError
            If the vectors of all labels are the same.
        """
        labels, y = np.unique([one.label for one in said], return_inverse=True)
        means = np.zeros((len(labels), vectors.shape[1]))
        np.add.at(means, y, vectors)
        means /= np.bincount(y)[:, None]
        mean_label = means.mean(axis=0) if mean_label is None else mean_label
        seen = means - mean_label
        lengths = np.linalg.norm(seen, axis=1)
        if not lengths.all():
            raise TrainingError("the labels cannot be told apart: their texts have the same vector")
        # The spread of vectors differs between embedders, and scores with it.
        temperature = TEMPERATURE * float(lengths.mean())
        weights = seen / lengths[:, None] / temperature
        bias = -weights @ (mean_label if mean_text is None else mean_text)
        return cls(tuple(map(str, labels)), weights.astype(np.float32), bias.astype(np.float32), temperature)

    def model(self) -> LinearModel:
        """Return the classifier of these labels alone."""
        return LinearModel(self.weights, self.bias, self.labels)

    def margins(self, scores: Vectors, vectors: Vectors) -> Vectors:
        """Return by how much the best of other labels is ahead of the best of these: (n,).

        Parameters
        ----------
        scores : ndarray of shape (n, n_classes), float32
            Of the other labels.
        vectors : ndarray of shape (n, n_dimensions), float32
        """
        ahead: Vectors = scores.max(axis=1) - (vectors @ self.weights.T + self.bias).max(axis=1)
        return ahead

    @staticmethod
    def bias_for(margins: Vectors) -> float:
        """Return what to add to the scores of these labels, so that few rows of other labels get one of them.

        `margins` are those of rows of other labels.
        """
        return float(np.sort(margins)[int(MOST_TAKEN * len(margins))]) - _TIE

    def beside(self, model: LinearModel, bias: float) -> LinearModel:
        """Return a model with these labels as additional classes."""
        names = [*model.classes, *self.labels]
        order = sorted(range(len(names)), key=names.__getitem__)
        words = None
        if model.words is not None:
            none = np.zeros((len(model.words.vocabulary), len(self.labels)), dtype=np.float16)
            words = WordWeights(model.words.vocabulary, np.hstack([model.words.weights, none])[:, order])
        return LinearModel(
            np.vstack([model.weights, self.weights])[order],
            np.concatenate([model.bias, self.bias + np.float32(bias)])[order],
            tuple(names[place] for place in order),
            words,
        )
