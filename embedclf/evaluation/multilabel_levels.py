"""The figures of labels in a tree where a text may have several: of each level, and how deep the answers are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.classifier.hierarchy import Hierarchy
from embedclf.data.label_sets import LabelSet, indicators, labels_in
from embedclf.stats import intervals, multilabel
from embedclf.stats.intervals import Interval


class LevelOfLabels(NamedTuple):
    """The figures of the first parts of labels.

    Attributes
    ----------
    level : int
        How many parts. A label of a text that has fewer is compared as a whole; a label that is given in place of those
        below it does not count at their levels.
    n_labels : int
        The number of labels of so many parts, or as many as there are.
    micro_f1, macro_f1, exact_match : float
    micro_f1_interval : Interval
        95 %, by the bootstrap over the distinct texts.
    """

    level: int
    n_labels: int
    micro_f1: float
    micro_f1_interval: Interval
    macro_f1: float
    exact_match: float


class GivenDepth(NamedTuple):
    """The labels of so many parts that texts are given.

    Attributes
    ----------
    depth : int
    n_given : int
    share : float
        Their share of all labels that are given.
    precision : float or None
        The share of them that the text has, or that are above one that it has; None if there are none.
    precision_interval : Interval or None
    """

    depth: int
    n_given: int
    share: float
    precision: float | None
    precision_interval: Interval | None


@dataclass(frozen=True, slots=True)
class LevelsOfLabels:
    """The figures of labels in a tree where a text may have several.

    Attributes
    ----------
    separator : str
        What separates the parts of labels.
    levels : tuple of LevelOfLabels
        From the top.
    given : tuple of GivenDepth
        From the top.
    mean_depth : float or None
        How many parts the labels that are given have on average; None if there are none.
    """

    separator: str
    levels: tuple[LevelOfLabels, ...]
    given: tuple[GivenDepth, ...]
    mean_depth: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types for JSON."""
        return {
            "separator": self.separator,
            "levels": [one._asdict() for one in self.levels],
            "given": [one._asdict() for one in self.given],
            "mean_depth": self.mean_depth,
        }

    @classmethod
    def of(cls, tree: Hierarchy, labels: Sequence[LabelSet], predicted: Mask, groups: Ints) -> "LevelsOfLabels":
        """Measure answers.

        Parameters
        ----------
        tree : Hierarchy
        labels : sequence of tuple of str, of length n
            Those that the texts have, as they are written in the tree.
        predicted : ndarray of shape (n, n_nodes), bool
            Which labels of the tree each text is given.
        groups : ndarray of shape (n,)
            Rows with the same number have the same text.
        """
        known = dict.fromkeys(tree.names)
        names = [*known, *sorted(labels_in(labels) - known.keys())]
        given = indicators(labels, names)
        # A label above the classes is at its own level only.
        is_class = np.arange(len(tree.names)) < len(tree.order)
        ends = np.where(is_class, np.inf, tree.depths)
        occurs = given.any(axis=0) | (np.arange(len(names)) < len(tree.order))
        levels = []
        for level, (cut, of_name) in enumerate(tree.levels(names), 1):
            of_tree = of_name[: len(tree.names)]
            has = _at_level(given, of_name, len(cut))
            gets = _at_level(predicted & (ends >= level), of_tree, len(cut))
            above, below = (part.sum(axis=1, keepdims=True) for part in multilabel.f1_parts(has, gets))
            levels.append(
                LevelOfLabels(
                    level,
                    len(np.unique(of_name[occurs])),
                    multilabel.micro_f1(has, gets),
                    intervals.interval_of_ratios(above, below, groups),
                    multilabel.macro_f1(has, gets),
                    multilabel.exact_match(has, gets),
                )
            )
        right = (given.astype(np.float32) @ tree.covers(names).T.astype(np.float32)) > 0
        n = int(predicted.sum())
        depths = [_given(depth, predicted & (tree.depths == depth), right, n, groups) for depth in _depths(tree)]
        mean = sum(one.depth * one.n_given for one in depths) / n if n else None
        return cls(tree.separator, tuple(levels), tuple(depths), mean)


def _depths(tree: Hierarchy) -> range:
    return range(1, int(tree.depths.max()) + 1)


def _at_level(given: Mask, of_name: Ints, n: int) -> Mask:
    """Return which of n labels that are cut to a level texts have, by the number of that of each label."""
    found = np.zeros((len(given), n), dtype=bool)
    for column in range(n):
        found[:, column] = given[:, of_name == column].any(axis=1)
    return found


def _given(depth: int, at: Mask, right: Mask, n_given: int, groups: Ints) -> GivenDepth:
    n = int(at.sum())
    if not n:
        return GivenDepth(depth, 0, 0.0, None, None)
    rows, _ = np.nonzero(at)
    interval = intervals.interval_of_mean(right[at], groups[rows])
    return GivenDepth(depth, n, n / n_given, float(right[at].mean()), interval)
