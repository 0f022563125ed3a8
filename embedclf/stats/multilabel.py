"""Metrics of predictions with several labels per text, in plain numpy."""

from collections.abc import Sequence

import numpy as np

from embedclf.arrays import AnyFloats, Floats, Ints, Mask
from embedclf.stats.metrics import ClassFigures, class_figures


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


def macro_f1(given: Mask, predicted: Mask) -> float:
    """Return the mean F1 of the labels that a text has or gets; 0 if there are none."""
    above, below = (part.sum(axis=0) for part in f1_parts(given, predicted))
    occurs = below > 0
    return float((above[occurs] / below[occurs]).mean()) if occurs.any() else 0.0


def per_label(given: Mask, predicted: Mask, names: Sequence[str]) -> dict[str, ClassFigures]:
    """Return precision, recall, F1 and support of each label that a text has or gets."""
    right, support, n_predicted = (one.sum(axis=0) for one in (given & predicted, given, predicted))
    return class_figures(right, support, n_predicted, names)


def f1_parts(given: Mask, predicted: Mask) -> tuple[Ints, Ints]:
    """Return what the F1 of labels is made of, above and below the line of the fraction: (n, n_classes) each.

    Summed over texts, the fraction is the F1 of a label; summed over labels as well, it is micro-F1.
    """
    return 2 * (given & predicted), given.astype(np.intp) + predicted


def label_ranking_average_precision(given: Mask, scores: AnyFloats) -> Floats:
    """Return how well the labels of each text rank before others: (n,), whose mean is the metric.

    For each label that a text has, the share of its labels among those that score as high or higher, averaged; 1 for a
    text that has none or all of them (Schapire & Singer, "BoosTexter: A Boosting-based System for Text Categorization",
    2000; the same as in scikit-learn).

    Parameters
    ----------
    given : ndarray of shape (n, n_classes), bool
    scores : ndarray of shape (n, n_classes)
    """
    n_classes = given.shape[1]
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked, sorted_scores = np.take_along_axis(given, order, axis=1), np.take_along_axis(scores, order, axis=1)
    is_last = np.ones(given.shape, dtype=bool)  # of those that score the same
    is_last[:, :-1] = sorted_scores[:, :-1] != sorted_scores[:, 1:]
    ends = np.where(is_last, np.arange(n_classes), n_classes)
    ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    precision = np.take_along_axis(ranked.cumsum(axis=1), ends, axis=1) / (ends + 1)
    n_given = given.sum(axis=1)
    means: Floats = (precision * ranked).sum(axis=1) / np.maximum(n_given, 1)
    return np.where((n_given == 0) | (n_given == n_classes), 1.0, means)


def frequent_pairs(one: Mask, other: Mask | None, most: int) -> list[tuple[int, int, int]]:
    """Return which labels most often stand together: both numbers, and the number of texts, most frequent first.

    Parameters
    ----------
    one, other : ndarray of shape (n, n_classes), bool
        A pair is a label in `one` with a label in `other` of the same text; two labels in `one`, if that is None.
    most : int
        How many to return.
    """
    first = one.astype(np.float32)  # counts below 2 ** 24 are exact
    counts = first.T @ first if other is None else first.T @ other.astype(np.float32)
    if other is None:
        counts = np.triu(counts, 1)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    pairs = zip(*(places.tolist() for places in np.unravel_index(order, counts.shape)), strict=True)
    return [(left, right, int(counts[left, right])) for left, right in pairs if counts[left, right]]
