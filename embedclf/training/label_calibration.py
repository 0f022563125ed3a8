"""Calibration and thresholds of texts with several labels, on out-of-fold scores: each label by itself."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from embedclf.arrays import Mask, Vectors
from embedclf.classifier.linear import logistic
from embedclf.training.calibration import MOST_SHARE
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
    usual : ndarray of shape (n_classes,)
        The thresholds without class weights.
    """

    factors: Floats
    shifts: Floats
    thresholds: Floats
    usual: Floats

    @classmethod
    def neutral(cls, n_classes: int, class_weight: Floats | None = None) -> Self:
        """Return the calibration that changes nothing, for scores that cannot be calibrated."""
        half = np.full(n_classes, 0.5)
        return cls(np.ones(n_classes), np.zeros(n_classes), _without_weights(half, class_weight), half)


def calibrate_labels(
    scores: Vectors, given: Mask, sample_weight: Floats | None = None, class_weight: Floats | None = None
) -> LabelCalibration:
    """Calibrate each label, and choose the probability from which on it is given.

    Platt's scaling ("Probabilistic Outputs for Support Vector Machines", 1999), drawn to no change, since a rare label
    has few examples to learn from. A label's threshold is the geometric mean of the one with the largest F1 of its own
    and the one for all labels with the largest micro-averaged F1, for the same reason. The fewer rows have a label, the
    more the F1 is that which its probabilities let expect, rather than the one observed, which is mostly chance then
    (``benchmarks/multilabel.py`` compares both, and 0.5).

    With class weights w, a label's own threshold is found where each row that has it counts w times: where the label is
    as much more frequent, and p becomes wp / (wp + 1 - p).

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
        Already divided by a common temperature.
    given : ndarray of shape (n, n_classes), bool
        Which labels each example has.
    sample_weight : ndarray of shape (n,), optional
        How much each row counts in the calibration; None is the same for all.
    class_weight : ndarray of shape (n_classes,), optional
        How much a row that has the label counts in the choice of its threshold, compared with one that does not.
    """
    factors, shifts = _platt(scores.astype(np.float64), given, sample_weight)
    probabilities = logistic((scores * factors + shifts).astype(np.float32)).astype(np.float64)
    common = _best_threshold(probabilities.ravel(), given.ravel(), np.ones(given.size))
    usual = _thresholds(probabilities, given, np.ones(given.shape), common)
    if class_weight is None:
        return LabelCalibration(factors, shifts, usual, usual)
    weighted = class_weight * probabilities
    weighted /= weighted + 1 - probabilities
    found = _thresholds(weighted, given, np.where(given, class_weight, 1.0), common)
    thresholds = np.clip(_without_weights(found, class_weight), _LEAST_THRESHOLD, 1.0)
    return LabelCalibration(factors, shifts, np.where(class_weight == 1, usual, thresholds), usual)


def _thresholds(probabilities: Floats, given: Mask, counts: Floats, common: float) -> Floats:
    """Return the threshold of each label, drawn to the common one: (n_classes,)."""
    own = np.array([_best_threshold(*columns) for columns in zip(probabilities.T, given.T, counts.T, strict=True)])
    return np.clip(np.sqrt(own * common), _LEAST_THRESHOLD, 1.0)


def _without_weights(thresholds: Floats, class_weight: Floats | None) -> Floats:
    """Return thresholds of a world in which labels are more frequent by their weights as those of the real one."""
    return thresholds if class_weight is None else thresholds / (thresholds + class_weight * (1 - thresholds))


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


def _best_threshold(probabilities: Floats, has_label: Mask, counts: Floats) -> float:
    """Return the threshold with the largest F1, in which rows count differently: halfway to the next probability.

    A row has the label to the degree of its probability, as far as that counts; see `_ROWS_EXPECTED`.
    """
    order = np.argsort(-probabilities, kind="stable")
    sure, has, counts = probabilities[order], has_label[order], counts[order]
    share = _ROWS_EXPECTED / (_ROWS_EXPECTED + has.sum())
    right = (counts * (share * sure + (1 - share) * has)).cumsum()
    f1 = 2 * right / (counts.cumsum() + right[-1])
    f1[:-1][sure[:-1] == sure[1:]] = -1  # equal probabilities are given together
    best = int(f1.argmax())
    return float(sure[best] if best + 1 == len(sure) else (sure[best] + sure[best + 1]) / 2)


def fit_label_temperature(
    scores: Floats, given: Mask, sample_weight: Floats | None = None, class_weight: Floats | None = None
) -> tuple[float, float, float]:
    """Find the temperature that minimizes the binary log loss of all labels; see `fit_temperature`.

    With class weights, the share of them that is to be taken out of the scores is found, too; see `fit_correction`.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
    given : ndarray of shape (n, n_classes), bool
    sample_weight : ndarray of shape (n,), optional
    class_weight : ndarray of shape (n_classes,), optional

    Returns
    -------
    temperature, share : float
        The share is 0 without class weights.
    log_loss : float
        The mean over the examples of the sum over the labels.
    """
    if class_weight is not None:
        return _fit_label_correction(scores, given, sample_weight, np.log(class_weight))
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
    return float(np.exp(-found.x)), 0.0, float(found.fun)


def _fit_label_correction(
    scores: Floats, given: Mask, sample_weight: Floats | None, logs: Floats
) -> tuple[float, float, float]:
    from scipy.optimize import minimize

    n = len(scores)
    targets = ((n + 1) * given + (~given)) / (n + 2)  # as in `fit_label_temperature`
    shares = np.full(n, 1 / n) if sample_weight is None else sample_weight / sample_weight.sum()
    scores = scores.astype(np.float64)

    def loss(at: Floats) -> tuple[float, Floats]:
        inverse = np.exp(at[0])
        shifted = scores * inverse - at[1] * logs
        value = shares @ (np.logaddexp(0, shifted) - targets * shifted).sum(axis=1)
        slope = (logistic(shifted.astype(np.float32)) - targets) * shares[:, None]
        return float(value), np.array([inverse * (slope * scores).sum(), -(slope.sum(axis=0) @ logs)])

    found = minimize(loss, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(-7, 7), (0, MOST_SHARE)])
    return float(np.exp(-found.x[0])), float(found.x[1]), float(found.fun)
