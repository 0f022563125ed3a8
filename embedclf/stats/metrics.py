"""How good, and how honest about it: figures computed from labels and probabilities, in plain numpy."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from embedclf.arrays import AnyFloats, Ints, Mask


class ClassFigures(NamedTuple):
    """Precision, recall and F1 in [0, 1] (0 where nothing defines them), and support, the number of examples."""

    precision: float
    recall: float
    f1: float
    support: int


def accuracy(y_true: Ints, y_pred: Ints) -> float:
    """Share of examples whose label is right."""
    return float(np.mean(y_true == y_pred))


def per_class(y_true: Ints, y_pred: Ints, names: Sequence[str]) -> dict[str, ClassFigures]:
    """Precision, recall, F1 and support of each class that occurs, true or predicted.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n,)
        Indices into `names`.
    """
    n = len(names)
    support = np.bincount(y_true, minlength=n)
    predicted = np.bincount(y_pred, minlength=n)
    right = np.bincount(y_true[y_true == y_pred], minlength=n)
    figures = {}
    for index in map(int, np.flatnonzero(support + predicted)):
        true_positives = int(right[index])
        precision = true_positives / predicted[index] if predicted[index] else 0.0
        recall = true_positives / support[index] if support[index] else 0.0
        f1 = 2 * true_positives / (support[index] + predicted[index])
        figures[names[index]] = ClassFigures(float(precision), float(recall), float(f1), int(support[index]))
    return figures


def macro_f1(figures: dict[str, ClassFigures]) -> float:
    """Mean F1 over the classes, each counting the same."""
    return float(np.mean([figure.f1 for figure in figures.values()]))


def weighted_f1(figures: dict[str, ClassFigures]) -> float:
    """Mean F1 over the classes, each counting by its support."""
    return float(np.average([f.f1 for f in figures.values()], weights=[f.support for f in figures.values()]))


def log_loss(y_true: Ints, probabilities: AnyFloats) -> float:
    """Mean of −ln of the true class's probability, which is kept above the float32 epsilon as scikit-learn does.

    Parameters
    ----------
    y_true : ndarray of shape (n,)
        Column of the true class.
    probabilities : ndarray of shape (n, n_classes)
    """
    of_true = probabilities[np.arange(len(y_true)), y_true].astype(np.float64)
    return float(np.abs(np.log(np.clip(of_true, np.finfo(np.float32).eps, 1.0))).mean())


def expected_calibration_error(correct: Mask, confidence: AnyFloats, n_bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over bins of equal width, weighted by their size.

    Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, equation 3, 15 bins.

    Parameters
    ----------
    correct : ndarray of shape (n,)
        Whether each answer is right.
    confidence : ndarray of shape (n,)
        The probability, in [0, 1], that was given to each answer.
    """
    bins = np.minimum((confidence * n_bins).astype(np.intp), n_bins - 1)
    gaps = np.bincount(bins, weights=confidence.astype(np.float64) - correct, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(correct))


class ReliabilityBin(NamedTuple):
    """Answers of about one confidence.

    Attributes
    ----------
    low, high : float
        Their confidence is from low to below high; 1 belongs to the last bin.
    n_examples : int
    confidence, accuracy : float
        Their mean confidence, and the share of them that is right.
    """

    low: float
    high: float
    n_examples: int
    confidence: float
    accuracy: float


def reliability(correct: Mask, confidence: AnyFloats, n_bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """Compare confidence with accuracy in bins of equal width; those without an answer are left out.

    Parameters
    ----------
    correct, confidence : ndarray of shape (n,)
        As of `expected_calibration_error`.
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
    """What a threshold brings about.

    Attributes
    ----------
    threshold : float
        The least confidence that is answered.
    coverage : float
        Share of the texts that are.
    accuracy : float or None
        Share of these answers that is right; None if there are none.
    """

    threshold: float
    coverage: float
    accuracy: float | None


def coverage(correct: Mask, confidence: AnyFloats, thresholds: Iterable[float]) -> tuple[CoveragePoint, ...]:
    """Tell for each threshold which share of the texts is answered, and how well.

    Parameters
    ----------
    correct, confidence : ndarray of shape (n,)
        As of `expected_calibration_error`.
    thresholds : iterable of float
    """
    # float32 would round the threshold, too, and answer what a classifier does not.
    confidence = confidence.astype(np.float64)
    points = []
    for threshold in thresholds:
        answered = confidence >= threshold
        right = float(correct[answered].mean()) if answered.any() else None
        points.append(CoveragePoint(float(threshold), float(answered.mean()), right))
    return tuple(points)


def auroc(positive: Mask, score: AnyFloats) -> float:
    """Chance that a positive example scores higher than another, equal scores counting half.

    The area under the receiver operating characteristic, by the Mann–Whitney statistic (Hanley & McNeil, "The Meaning
    and Use of the Area under a ROC Curve", 1982).

    Parameters
    ----------
    positive : ndarray of shape (n,)
        Which examples are positive; some are, and some are not.
    score : ndarray of shape (n,)
    """
    _, places, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    n = int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))
