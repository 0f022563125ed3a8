"""Metrics of accuracy and calibration, computed from labels and probabilities in plain numpy."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from embedclf.arrays import AnyFloats, Floats, Ints, Mask


class ClassFigures(NamedTuple):
    """Precision, recall and F1 of a class, in [0, 1] (0 where undefined), and support, its number of examples."""

    precision: float
    recall: float
    f1: float
    support: int


def accuracy(y_true: Ints, y_pred: Ints) -> float:
    """Return the share of examples that are predicted correctly."""
    return float(np.mean(y_true == y_pred))


def per_class(y_true: Ints, y_pred: Ints, names: Sequence[str]) -> dict[str, ClassFigures]:
    """Return precision, recall, F1 and support of each class that occurs as a true or predicted label.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n,)
        Indices into `names`.
    """
    n = len(names)
    support = np.bincount(y_true, minlength=n)
    predicted = np.bincount(y_pred, minlength=n)
    right = np.bincount(y_true[y_true == y_pred], minlength=n)
    return class_figures(right, support, predicted, names)


def class_figures(right: Ints, support: Ints, predicted: Ints, names: Sequence[str]) -> dict[str, ClassFigures]:
    """Return the figures of each class from counts: of examples predicted rightly, of all, and of predictions.

    Parameters
    ----------
    right, support, predicted : ndarray of shape (n_classes,)
    names : sequence of str
        Of the classes, of which those that occur in neither count are left out.
    """
    figures = {}
    for index in map(int, np.flatnonzero(support + predicted)):
        true_positives = int(right[index])
        precision = true_positives / predicted[index] if predicted[index] else 0.0
        recall = true_positives / support[index] if support[index] else 0.0
        f1 = 2 * true_positives / (support[index] + predicted[index])
        figures[names[index]] = ClassFigures(float(precision), float(recall), float(f1), int(support[index]))
    return figures


def macro_f1(figures: dict[str, ClassFigures]) -> float:
    """Return the mean F1 over the classes, each with the same weight."""
    return float(np.mean([figure.f1 for figure in figures.values()]))


def weighted_f1(figures: dict[str, ClassFigures]) -> float:
    """Return the mean F1 over the classes, weighted by support."""
    return float(np.average([f.f1 for f in figures.values()], weights=[f.support for f in figures.values()]))


def log_loss(y_true: Ints, probabilities: AnyFloats) -> float:
    """Return the mean of −ln of the true class's probability, clipped to the float32 epsilon as in scikit-learn.

    Parameters
    ----------
    y_true : ndarray of shape (n,)
        Column of the true class.
    probabilities : ndarray of shape (n, n_classes)
    """
    of_true = probabilities[np.arange(len(y_true)), y_true].astype(np.float64)
    return float(np.abs(np.log(np.clip(of_true, np.finfo(np.float32).eps, 1.0))).mean())


def expected_calibration_error(correct: Mask, confidence: AnyFloats, n_bins: int = 15) -> float:
    """Return the expected calibration error (ECE): the mean gap between confidence and accuracy in equal-width bins.

    Bins are weighted by size: Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
    equation 3, 15 bins.

    Parameters
    ----------
    correct : ndarray of shape (n,)
        Whether each prediction is correct.
    confidence : ndarray of shape (n,)
        The probability of each prediction, in [0, 1].
    """
    bins = np.minimum((confidence * n_bins).astype(np.intp), n_bins - 1)
    gaps = np.bincount(bins, weights=confidence.astype(np.float64) - correct, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(correct))


class ReliabilityBin(NamedTuple):
    """A bin of predictions with similar confidence.

    Attributes
    ----------
    low, high : float
        The range of confidences: at least `low` and less than `high`. The last bin includes 1.
    n_examples : int
    confidence, accuracy : float
        Mean confidence and accuracy of the predictions.
    """

    low: float
    high: float
    n_examples: int
    confidence: float
    accuracy: float


def reliability(correct: Mask, confidence: AnyFloats, n_bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """Compare confidence with accuracy in bins of equal width, leaving out empty bins.

    Parameters
    ----------
    correct, confidence : ndarray of shape (n,)
        As for `expected_calibration_error`.
    """
    numbers = np.minimum((confidence * n_bins).astype(np.intp), n_bins - 1)
    counts = np.bincount(numbers, minlength=n_bins)
    sure = np.bincount(numbers, weights=confidence.astype(np.float64), minlength=n_bins)
    right = np.bincount(numbers, weights=correct, minlength=n_bins)
    return tuple(
        ReliabilityBin(
            number / n_bins,
            (number + 1) / n_bins,
            int(counts[number]),
            float(sure[number] / counts[number]),
            float(right[number] / counts[number]),
        )
        for number in map(int, np.flatnonzero(counts))
    )


class CoveragePoint(NamedTuple):
    """Coverage and selective accuracy at a threshold.

    Attributes
    ----------
    threshold : float
        The lowest confidence at which a text is answered.
    coverage : float
        Share of the texts that are answered.
    accuracy : float or None
        Accuracy on these; None if none is answered.
    """

    threshold: float
    coverage: float
    accuracy: float | None


def coverage(correct: Mask, confidence: AnyFloats, thresholds: Iterable[float]) -> tuple[CoveragePoint, ...]:
    """Return the coverage and the accuracy of the answered texts at each threshold.

    Parameters
    ----------
    correct, confidence : ndarray of shape (n,)
        As for `expected_calibration_error`.
    thresholds : iterable of float
    """
    # Comparing in float32 would round the threshold, and so answer texts on which the classifier abstains.
    confidence = confidence.astype(np.float64)
    points = []
    for threshold in thresholds:
        answered = confidence >= threshold
        right = float(correct[answered].mean()) if answered.any() else None
        points.append(CoveragePoint(float(threshold), float(answered.mean()), right))
    return tuple(points)


def coverage_of_steps(
    gained: Ints, begins: Mask, confidence: Floats, thresholds: Iterable[float]
) -> tuple[CoveragePoint, ...]:
    """Return the same as `coverage` for texts whose answer may change as the threshold falls.

    Parameters
    ----------
    gained : ndarray of shape (n_steps,), int
        By how much each answer changes the number of correct ones.
    begins : ndarray of shape (n_steps,), bool
        Whether it is the first answer to a text.
    confidence : ndarray of shape (n_steps,)
        The highest threshold at which it is given.
    thresholds : iterable of float
    """
    points = []
    for threshold in thresholds:
        given = confidence >= threshold
        n_answered = int(begins[given].sum())
        right = int(gained[given].sum()) / n_answered if n_answered else None
        points.append(CoveragePoint(float(threshold), n_answered / int(begins.sum()), right))
    return tuple(points)


def auroc(positive: Mask, score: AnyFloats) -> float:
    """Return the probability that a positive example scores higher than a negative one, with ties counting half.

    The area under the receiver operating characteristic, by the Mann–Whitney statistic (Hanley & McNeil, "The Meaning
    and Use of the Area under a ROC Curve", 1982).

    Parameters
    ----------
    positive : ndarray of shape (n,)
        Whether each example is positive. There must be both positive and negative ones.
    score : ndarray of shape (n,)
    """
    _, places, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    n = int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))
