"""What a new classifier changes: its figures on held-out rows beside those of the old one, in all and for parts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.data.label_sets import Labels, indicators, label_sets_of
from embedclf.evaluation.scores import ACCURACY, MICRO_F1
from embedclf.stats import multilabel
from embedclf.stats.intervals import (
    Interval,
    interval_of_macro_difference,
    interval_of_macro_ratio,
    interval_of_mean,
    interval_of_ratios,
)

MACRO_F1, EXACT_MATCH = "macro-F1", "exact match"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a figure for some held-out rows: all of them, those of a file, or of a label.

    Attributes
    ----------
    name : str
        What it is about: the name of the figure, ``"old"`` or ``"new"`` rows, or a label.
    n_held_out : int
        How many rows; for a label, those that have it.
    before : float or None
        With the old classifier: the figure, the accuracy on the rows, or the recall of the label; if texts may have
        several labels, the micro-F1 on the rows, or the F1 of the label. None for a label that it lacks.
    after : float
        With the new one.
    after_interval : Interval
        95 %.
    difference : float or None
    difference_interval : Interval or None
        95 %, paired over the distinct texts.
    """

    name: str
    n_held_out: int
    before: float | None
    after: float
    after_interval: Interval
    difference: float | None
    difference_interval: Interval | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the difference excludes zero."""
        interval = self.difference_interval
        return interval is not None and not interval.low <= 0 <= interval.high

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types, for JSON."""
        between = self.difference_interval
        return asdict(self) | {
            "after_interval": list(self.after_interval),
            "difference_interval": None if between is None else list(between),
        }


class Answers(Protocol):
    """How two classifiers answer the same held-out rows, or only the new one does."""

    @property
    def n_held_out(self) -> int:
        """The number of rows."""

    def figures(self) -> tuple[Change, ...]:
        """Return the figures on all rows, the main one first."""

    def of_rows(self, name: str, rows: Mask) -> Change:
        """Return the main figure on some of the rows, at least one."""

    def of_labels(self, known: set[str]) -> tuple[Change, ...]:
        """Return what changed for each label that a row has; the old classifier knows some of them."""


def answers_of(labels: Labels, classes: Sequence[str], new: Mask, groups: Ints, old: Mask | None = None) -> Answers:
    """Return how both classifiers answer.

    Parameters
    ----------
    labels : sequence of str, or of tuple of str, of length n_held_out
    classes : sequence of str
        Those of the new classifier.
    new, old : ndarray of shape (n_held_out,), or (n_held_out, n_classes) if rows may have several labels, bool
        What each of them answers correctly; see `HeldOutRows`.
    groups : ndarray of shape (n_held_out,)
        From `group_duplicates`.
    """
    sets = label_sets_of(labels)
    if not sets:
        return _OneLabel(np.array(labels), new, old, groups)
    given = indicators(sets, classes)
    return _SeveralLabels(tuple(classes), given, given == new, None if old is None else given == old, groups)


@dataclass(frozen=True, slots=True, eq=False)
class _OneLabel:
    labels: np.ndarray[Any, Any]
    new: Mask
    old: Mask | None
    groups: Ints

    @property
    def n_held_out(self) -> int:
        return len(self.new)

    def figures(self) -> tuple[Change, ...]:
        return (self.of_rows(ACCURACY, np.ones(len(self.new), dtype=bool)),)

    def of_rows(self, name: str, rows: Mask) -> Change:
        return of_shares(name, self.new[rows], None if self.old is None else self.old[rows], self.groups[rows])

    def of_labels(self, known: set[str]) -> tuple[Change, ...]:
        found = []
        for name in np.unique(self.labels).tolist():
            rows = self.labels == name
            old = self.old[rows] if self.old is not None and name in known else None
            found.append(of_shares(name, self.new[rows], old, self.groups[rows]))
        return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _SeveralLabels:
    """Which labels rows have, and which they are given: arrays of shape (n_held_out, n_classes)."""

    classes: tuple[str, ...]
    given: Mask
    new: Mask
    old: Mask | None
    groups: Ints

    @property
    def n_held_out(self) -> int:
        return len(self.given)

    def figures(self) -> tuple[Change, ...]:
        every = np.ones(len(self.given), dtype=bool)
        before = None if self.old is None else (self.old == self.given).all(axis=1)
        exact = of_shares(EXACT_MATCH, (self.new == self.given).all(axis=1), before, self.groups)
        return self.of_rows(MICRO_F1, every), self._macro_f1(), exact

    def of_rows(self, name: str, rows: Mask) -> Change:
        return self._f1(name, rows, slice(None), int(rows.sum()), is_known=True)

    def of_labels(self, known: set[str]) -> tuple[Change, ...]:
        found = []
        for column, name in enumerate(self.classes):
            if n := int(self.given[:, column].sum()):
                own = slice(column, column + 1)
                # Other rows say nothing about the F1 of this label.
                rows = np.any([one[:, column] for one in (self.given, self.new, self.old) if one is not None], axis=0)
                found.append(self._f1(name, rows, own, n, is_known=name in known))
        return tuple(found)

    def _f1(self, name: str, rows: Mask, columns: slice, n: int, *, is_known: bool) -> Change:
        """Return what became of the F1 of some labels together, on some rows."""
        groups, given = self.groups[rows], self.given[rows, columns]
        above, below = _sums(given, self.new[rows, columns])
        after, interval = _ratio(above, below), interval_of_ratios(above, below, groups)
        if self.old is None or not is_known:
            return Change(name, n, None, after, interval, None, None)
        above_before, below_before = _sums(given, self.old[rows, columns])
        before = _ratio(above_before, below_before)
        between = interval_of_ratios(
            *(np.hstack([above, above_before]), np.hstack([below, below_before]), groups), factors=(1, -1), least=-1
        )
        return Change(name, n, before, after, interval, after - before, between)

    def _macro_f1(self) -> Change:
        parts = multilabel.f1_parts(self.given, self.new)
        after, interval = multilabel.macro_f1(self.given, self.new), interval_of_macro_ratio(*parts, self.groups)
        n = len(self.given)
        if self.old is None:
            return Change(MACRO_F1, n, None, after, interval, None, None)
        before = multilabel.macro_f1(self.given, self.old)
        between = interval_of_macro_difference(*parts, *multilabel.f1_parts(self.given, self.old), self.groups)
        return Change(MACRO_F1, n, before, after, interval, after - before, between)


def of_shares(name: str, new: Mask, old: Mask | None, groups: Ints) -> Change:
    """Return what became of a share of rows; `new` and `old` say of each row whether it is in it, (n,) each."""
    after, interval = float(new.mean()), interval_of_mean(new, groups)
    if old is None:
        return Change(name, len(new), None, after, interval, None, None)
    differences = new.astype(float) - old
    between = interval_of_mean(differences, groups, least=-1)
    return Change(name, len(new), float(old.mean()), after, interval, float(differences.mean()), between)


def _sums(given: Mask, predicted: Mask) -> tuple[Ints, Ints]:
    """Return what each row adds to both parts of the F1 of some labels together: (n, 1) each."""
    above, below = multilabel.f1_parts(given, predicted)
    return above.sum(axis=1, keepdims=True), below.sum(axis=1, keepdims=True)


def _ratio(above: Ints, below: Ints) -> float:
    return float(above.sum() / max(1, int(below.sum())))
