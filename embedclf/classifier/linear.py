"""The classifier itself: a matrix."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embedclf.embedding import Vectors
from embedclf.texts import text_fault

_MOST = 1e30


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """Scores every class by ``vectors @ weights.T + bias``; the softmax of the scores is the probability.

    Logistic regression and nearest centroid are both of this form, their temperature folded into weights and bias.

    Attributes
    ----------
    weights : ndarray of shape (n_classes, n_dimensions), float32
    bias : ndarray of shape (n_classes,), float32
    classes : tuple of str
        Names of the classes, in the order of the rows.

    Raises
    ------
    ValueError
        If the shapes do not fit, a number is not finite, or a class has no name or that of another.
    """

    weights: Vectors
    bias: npt.NDArray[np.float32]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or self.bias.shape != self.weights.shape[:1]:
            raise ValueError(f"weights of shape {self.weights.shape} do not fit a bias of shape {self.bias.shape}")
        if len(self.classes) != len(self.bias):
            raise ValueError(f"there are {len(self.classes)} classes for {len(self.bias)} rows of weights")
        if len(self.classes) < 2:
            raise ValueError("there are fewer than two classes")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("a class is named twice")
        if not (np.isfinite(self.weights).all() and np.isfinite(self.bias).all()):
            raise ValueError("some weights are not finite numbers")
        # A vector has unit length, so a score is at most a row's length, plus the bias.
        if max(np.abs(self.weights).max(initial=0), np.abs(self.bias).max(initial=0)) > _MOST:
            raise ValueError("some weights are so large that scores would not be finite")
        for name in self.classes:
            if fault := text_fault(name, "name of a class"):
                raise ValueError(fault)

    def scores(self, vectors: Vectors) -> Vectors:
        """Score each vector for each class: (n, n_dimensions) to (n, n_classes)."""
        return vectors @ self.weights.T + self.bias

    def probabilities(self, vectors: Vectors) -> Vectors:
        """Probability of each class for each vector: (n, n_dimensions) to (n, n_classes), rows summing to 1."""
        return softmax(self.scores(vectors))


def softmax(scores: Vectors) -> Vectors:
    """Softmax over the last axis, computed after subtracting the maximum so that nothing overflows."""
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float32)
