"""The main figure of a cross-validation, the accuracy or micro-F1, and how two of them differ on the same rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from embedclf.arrays import Floats, Ints
from embedclf.data.label_sets import LabelSet, chosen, indicators, label_sets_of
from embedclf.evaluation.cross_validation import AnyCrossValidation, CrossValidation
from embedclf.evaluation.multilabel_cross_validation import MultiLabelCrossValidation
from embedclf.stats import multilabel
from embedclf.stats.intervals import Interval, interval_of_mean, interval_of_ratios

ACCURACY, MICRO_F1 = "accuracy", "micro-F1"


class Score(NamedTuple):
    """The main figure of a result, with its 95 % interval."""

    value: float
    interval: Interval


def score_of(result: AnyCrossValidation) -> Score:
    """Return the accuracy of a cross-validation, or micro-F1 if texts have several labels."""
    if isinstance(result, MultiLabelCrossValidation):
        return Score(result.micro_f1, result.micro_f1_interval)
    return Score(result.accuracy, result.accuracy_interval)


def named_levels(accuracies: Sequence[float] | None) -> dict[str, float]:
    """Return the accuracy of each level of labels in a tree, as a column of a table; none without a tree."""
    return {f"level_{level}_accuracy": one for level, one in enumerate(accuracies or (), 1)}


def difference_of(
    result: AnyCrossValidation,
    best: AnyCrossValidation,
    labels: Sequence[str] | Sequence[LabelSet],
    groups: Ints,
) -> Score:
    """Return how much better one result is than another on the same folds, paired over the distinct texts.

    Parameters
    ----------
    result, best : CrossValidation or MultiLabelCrossValidation
    labels : sequence of str, or of tuple of str
        Those of all texts.
    groups : ndarray of shape (n_predicted,)
        From `group_duplicates`.
    """
    if isinstance(result, CrossValidation) and isinstance(best, CrossValidation):
        differences = _correct(result, labels) - _correct(best, labels)
        interval = Interval(0.0, 0.0) if result is best else interval_of_mean(differences, groups, least=-1)
        return Score(float(differences.mean()), interval)
    if result is best:
        return Score(0.0, Interval(0.0, 0.0))
    above, below = zip(*(_f1_parts(one, labels) for one in (result, best)), strict=True)
    value = score_of(result).value - score_of(best).value
    interval = interval_of_ratios(np.column_stack(above), np.column_stack(below), groups, factors=(1, -1), least=-1)
    return Score(value, interval)


def _correct(result: CrossValidation, labels: Sequence[str] | Sequence[LabelSet]) -> Floats:
    """Return 1 for each predicted row whose label is correct, else 0."""
    return np.array([float(one.label == labels[one.row]) for one in result.predictions])


def _f1_parts(result: AnyCrossValidation, labels: Sequence[str] | Sequence[LabelSet]) -> tuple[Ints, Ints]:
    """Return what each predicted row adds to micro-F1, above and below the line of the fraction."""
    if not isinstance(result, MultiLabelCrossValidation):
        raise TypeError("only one of the results is of texts with several labels")
    rows = [one.row for one in result.predictions]
    sets = label_sets_of(chosen(labels, rows))
    above, below = multilabel.f1_parts(indicators(sets, result.classes), result.predicted_by_repeat[0][rows])
    return above.sum(axis=1), below.sum(axis=1)
