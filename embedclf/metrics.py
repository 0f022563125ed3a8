"""How good, and how honest about it: figures computed from labels and probabilities, in plain numpy."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


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


def log_loss(y_true: Ints, probabilities: Floats) -> float:
    """Mean of −ln of the true class's probability, which is kept above the float32 epsilon as scikit-learn does.

    Parameters
    ----------
    y_true : ndarray of shape (n,)
        Column of the true class.
    probabilities : ndarray of shape (n, n_classes)
    """
    of_true = probabilities[np.arange(len(y_true)), y_true].astype(np.float64)
    return float(-np.log(np.clip(of_true, np.finfo(np.float32).eps, 1.0)).mean())


def expected_calibration_error(correct: npt.NDArray[np.bool_], confidence: Floats, n_bins: int = 15) -> float:
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
