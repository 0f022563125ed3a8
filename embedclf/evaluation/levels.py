"""The figures of labels in a tree: how good each level is, and how deep the answers are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.classifier.decisions import NOTHING
from embedclf.classifier.hierarchy import Hierarchy
from embedclf.stats import intervals, metrics
from embedclf.stats.intervals import Interval


class Level(NamedTuple):
    """The figures of the first parts of the most likely label.

    Attributes
    ----------
    level : int
        How many parts; a label with fewer is compared as a whole.
    n_labels : int
        The number of labels of so many parts, or as many as there are.
    accuracy, macro_f1 : float
    accuracy_interval : Interval
        95 %, by the bootstrap over the distinct texts.
    """

    level: int
    n_labels: int
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float


class AnsweredDepth(NamedTuple):
    """The answers of so many parts at the threshold.

    Attributes
    ----------
    depth : int
    n_answered : int
    coverage : float
        Their share of all texts.
    accuracy : float or None
        The share of them that are the true label or one above it; None if there are none.
    accuracy_interval : Interval or None
    """

    depth: int
    n_answered: int
    coverage: float
    accuracy: float | None
    accuracy_interval: Interval | None


@dataclass(frozen=True, slots=True)
class Levels:
    """The figures of labels in a tree.

    Attributes
    ----------
    separator : str
        What separates the parts of labels.
    levels : tuple of Level
        From the top.
    answered : tuple of AnsweredDepth
        From the top; empty without a threshold.
    mean_depth : float or None
        How many parts the answers at the threshold have on average; None without a threshold or answers.
    """

    separator: str
    levels: tuple[Level, ...]
    answered: tuple[AnsweredDepth, ...]
    mean_depth: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types for JSON."""
        return {
            "separator": self.separator,
            "levels": [one._asdict() for one in self.levels],
            "answered": [one._asdict() for one in self.answered],
            "mean_depth": self.mean_depth,
        }

    @classmethod
    def of(
        cls,
        tree: Hierarchy,
        names: Sequence[str],
        y_true: Ints,
        y_pred: Ints,
        chosen: Ints | None,
        right: Mask,
        groups: Ints,
    ) -> "Levels":
        """Measure answers.

        Parameters
        ----------
        tree : Hierarchy
        names : sequence of str
        y_true, y_pred : ndarray of shape (n,)
            True and most likely label, as indices into `names`.
        chosen : ndarray of shape (n,), optional
            Index of the label of the tree that is answered at the threshold, or `NOTHING`; None without a threshold.
        right : ndarray of shape (n,), bool
            Whether that is the true label or one above it.
        groups : ndarray of shape (n,)
            Rows with the same number have the same text.
        """
        levels = []
        for level, (cut, of_name) in enumerate(tree.levels(names), 1):
            true, predicted = of_name[y_true], of_name[y_pred]
            levels.append(
                Level(
                    level,
                    len(cut),
                    metrics.accuracy(true, predicted),
                    intervals.interval_of_mean(true == predicted, groups),
                    metrics.macro_f1(metrics.per_class(true, predicted, cut)),
                )
            )
        if chosen is None:
            return cls(tree.separator, tuple(levels), (), None)
        depths = np.where(chosen == NOTHING, 0, tree.depths[chosen])
        answered = [_answered(depth, depths == depth, right, groups) for depth in range(1, int(tree.depths.max()) + 1)]
        mean = float(depths[depths > 0].mean()) if depths.any() else None
        return cls(tree.separator, tuple(levels), tuple(answered), mean)


def _answered(depth: int, at: Mask, right: Mask, groups: Ints) -> AnsweredDepth:
    n, coverage = int(at.sum()), float(at.mean())
    if not n:
        return AnsweredDepth(depth, n, coverage, None, None)
    accuracy, interval = float(right[at].mean()), intervals.interval_of_mean(right[at], groups[at])
    return AnsweredDepth(depth, n, coverage, accuracy, interval)
