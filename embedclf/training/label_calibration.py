"""Calibration and thresholds of texts with several labels, on out-of-fold scores: each label by itself."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from embedclf.arrays import Mask, Vectors
from embedclf.classifier.linear import logistic
from embedclf.training.lbfgs import Floats

# How strongly a label's own calibration is drawn to the common one: as much as this many examples whose probabilities
# are uncertain, 1/2, would draw it (each has a curvature of 1/4).
_PRIOR = 1.0
# In the choice of a threshold, what the probabilities say of a label counts as much as this many rows that have it.
_ROWS_EXPECTED = 5.0
_MOST_STEPS, _ENOUGH = 50, 1e-9
_LEAST_FACTOR, _LEAST_THRESHOLD = 0.05, 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class LabelCalibration:
    """How the scores of each label become its probability, and from which on it is given.

    Attributes
    ----------
    factors, shifts : ndarray of shape (n_classes,)
        The probability is the logistic function of ``factor · score + shift``.
    thresholds : ndarray of shape (n_classes,)
    """

    factors: Floats
    shifts: Floats
    thresholds: Floats

    @classmethod
    def neutral(cls, n_classes: int) -> Self:
        """Return the calibration that changes nothing, for scores that cannot be calibrated."""
        return cls(np.ones(n_classes), np.zeros(n_classes), np.full(n_classes, 0.5))


def calibrate_labels(scores: Vectors, given: Mask, sample_weight: Floats | None = None) -> LabelCalibration:
    """Calibrate each label, and choose the probability from which on it is given.

    Platt's scaling ("Probabilistic Outputs for Support Vector Machines", 1999), drawn to no change, since a rare label
    has few examples to learn from. A label's threshold is the geometric mean of the one with the largest F1 of its own
    and the one for all labels with the largest micro-averaged F1, for the same reason. The fewer rows have a label, the
    more the F1 is that which its probabilities let expect, rather than the one observed, which is mostly chance then
    (``benchmarks/multilabel.py`` compares both, and 0.5).

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
        Already divided by a common temperature.
    given : ndarray of shape (n, n_classes), bool
        Which labels each example has.
    sample_weight : ndarray of shape (n,), optional
        How much each row counts in the calibration; None is the same for all.
    """
    factors, shifts = _platt(scores.astype(np.float64), given, sample_weight)
    probabilities = logistic((scores * factors + shifts).astype(np.float32)).astype(np.float64)
    common = _best_threshold(probabilities.ravel(), given.ravel())
    own = np.array([_best_threshold(*columns) for columns in zip(probabilities.T, given.T, strict=True)])
    return LabelCalibration(factors, shifts, np.clip(np.sqrt(own * common), _LEAST_THRESHOLD, 1.0))


def _platt(scores: Floats, given: Mask, sample_weight: Floats | None) -> tuple[Floats, Floats]:
    """Fit a factor and a shift per label by Newton's method: (n_classes,) each."""
    weights = np.ones(len(scores)) if sample_weight is None else sample_weight
    a, b = np.ones(scores.shape[1]), np.zeros(scores.shape[1])
    for _ in range(_MOST_STEPS):
        p = logistic((scores * a + b).astype(np.float32)).astype(np.float64)
        wrong = weights[:, None] * (p - given)
        slope_a, slope_b = (wrong * scores).sum(axis=0) + _PRIOR * (a - 1), wrong.sum(axis=0) + _PRIOR * b
        curved = weights[:, None] * p * (1 - p)
        of_a, of_b = (curved * scores**2).sum(axis=0) + _PRIOR, curved.sum(axis=0) + _PRIOR
        of_both = (curved * scores).sum(axis=0)
        determinant = of_a * of_b - of_both**2
        step_a = (of_b * slope_a - of_both * slope_b) / determinant
        step_b = (of_a * slope_b - of_both * slope_a) / determinant
        # Full steps can overshoot far from the optimum.
        shrink = 1 / np.maximum(1, np.maximum(np.abs(step_a), np.abs(step_b) / 2))
        a, b = np.maximum(a - shrink * step_a, _LEAST_FACTOR), b - shrink * step_b
        if max(np.abs(step_a).max(), np.abs(step_b).max()) < _ENOUGH:
            break
    return a, b


def _best_threshold(probabilities: Floats, has_label: Mask) -> float:
    """Return the threshold with the largest F1: halfway to the next smaller probability.

    A row has the label to the degree of its probability, as far as that counts; see `_ROWS_EXPECTED`.
    """
    order = np.argsort(-probabilities, kind="stable")
    sure, has = probabilities[order], has_label[order]
    share = _ROWS_EXPECTED / (_ROWS_EXPECTED + has.sum())
    right = (share * sure + (1 - share) * has).cumsum()
    f1 = 2 * right / (np.arange(1, len(sure) + 1) + right[-1])
    f1[:-1][sure[:-1] == sure[1:]] = -1  # equal probabilities are given together
    best = int(f1.argmax())
    return float(sure[best] if best + 1 == len(sure) else (sure[best] + sure[best + 1]) / 2)


def fit_label_temperature(scores: Floats, given: Mask, sample_weight: Floats | None = None) -> tuple[float, float]:
    """Find the temperature that minimizes the binary log loss of all labels; see `fit_temperature`.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
    given : ndarray of shape (n, n_classes), bool
    sample_weight : ndarray of shape (n,), optional

    Returns
    -------
    temperature : float
    log_loss : float
        The mean over the examples of the sum over the labels.
    """
    from scipy.optimize import minimize_scalar

    of_given = np.where(given, scores, 0).sum(axis=1, dtype=np.float64)
    of_all = scores.sum(axis=1, dtype=np.float64)
    n = len(scores)
    target = ((n + 1) * of_given + (of_all - of_given)) / (n + 2)

    def loss(log_inverse: float) -> float:
        inverse = np.exp(log_inverse)
        losses = np.logaddexp(0, scores * inverse).sum(axis=1, dtype=np.float64) - inverse * target
        return float(np.average(losses, weights=sample_weight))

    found = minimize_scalar(loss, bounds=(-7, 7), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(-found.x)), float(found.fun)
