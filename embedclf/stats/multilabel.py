"""Metrics of predictions with several labels per text, in plain numpy."""

from collections.abc import Sequence

import numpy as np

from embedclf.arrays import Mask
from embedclf.stats.metrics import ClassFigures


def exact_match(given: Mask, predicted: Mask) -> float:
    """Return the share of texts with exactly the predicted labels, which scikit-learn calls the subset accuracy.

    Parameters
    ----------
    given, predicted : ndarray of shape (n, n_classes)
        Which labels each text has, and which are predicted.
    """
    return float((given == predicted).all(axis=1).mean())


def micro_f1(given: Mask, predicted: Mask) -> float:
    """Return the F1 of all labels of all texts together; 0 if there are none, neither given nor predicted."""
    return float(2 * (given & predicted).sum() / max(1, int(given.sum() + predicted.sum())))


def per_label(given: Mask, predicted: Mask, names: Sequence[str]) -> dict[str, ClassFigures]:
    """Return precision, recall, F1 and support of each label that a text has or gets."""
    right, support, n_predicted = ((one.sum(axis=0)) for one in (given & predicted, given, predicted))
    figures = {}
    for index in map(int, np.flatnonzero(support + n_predicted)):
        true_positives = int(right[index])
        precision = true_positives / n_predicted[index] if n_predicted[index] else 0.0
        recall = true_positives / support[index] if support[index] else 0.0
        f1 = 2 * true_positives / (support[index] + n_predicted[index])
        figures[names[index]] = ClassFigures(float(precision), float(recall), float(f1), int(support[index]))
    return figures
