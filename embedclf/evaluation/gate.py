"""Requirements that a classifier has to meet: figures not below a floor, or not worse than an older model's.

The outcome depends on the 95 % interval, not on the figure alone: with few rows, a classifier that just meets a
requirement on one file may miss it on the next. See `embedclf.stats.verdicts`.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.errors import ArgumentError
from embedclf.evaluation.answered_rows import LabelledRows, RowAnswers
from embedclf.evaluation.model_diff import FEW_PER_LABEL, ModelDiff
from embedclf.stats import metrics, multilabel
from embedclf.stats.intervals import (
    Interval,
    interval_of_macro_f1,
    interval_of_macro_ratio,
    interval_of_mean,
    interval_of_ratios,
)
from embedclf.stats.verdicts import Outcome, outcome_of_change, outcome_of_floor, rows_to_reach

OF_LABEL = ("precision", "recall", "f1")
OF_ONE = ("accuracy", "macro-f1", "coverage")
OF_SEVERAL = ("micro-f1", "macro-f1", "exact-match")
_METRICS = tuple(dict.fromkeys([*OF_ONE, *OF_SEVERAL, *OF_LABEL]))
_MOST_NAMED = 5


class Requirement(NamedTuple):
    """A figure that must not be below a floor.

    Attributes
    ----------
    metric : str
        One of `OF_ONE` or `OF_SEVERAL`, or of `OF_LABEL`.
    label : str or None
        The label that it is about; None if it is about all labels.
    floor : float
        A share.
    """

    metric: str
    label: str | None
    floor: float

    @property
    def name(self) -> str:
        """Its name, such as ``recall of refund``."""
        return self.metric if self.label is None else f"{self.metric} of {self.label}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A requirement, and whether it is met.

    Attributes
    ----------
    name : str
    floor : float
        For a comparison with an older model, minus the margin.
    value : float or None
        The figure, or its difference from the older model's; None if there are no rows to measure it on.
    interval : Interval or None
        95 %.
    n_examples : int
        Number of rows that it is measured on.
    outcome : {"passes", "fails", "cannot tell"}
    rows_needed : int or None
        Roughly how many such rows would be enough to tell; None if these are enough, or if it is not known.
    is_difference : bool
        Whether the value is a difference from an older model.
    """

    name: str
    floor: float
    value: float | None
    interval: Interval | None
    n_examples: int
    outcome: Outcome
    rows_needed: int | None = None
    is_difference: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types for JSON."""
        return {
            "name": self.name,
            "floor": self.floor,
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "n_examples": self.n_examples,
            "outcome": self.outcome,
            "rows_needed": self.rows_needed,
        }


@dataclass(frozen=True, slots=True)
class Gate:
    """All requirements with their outcomes.

    Attributes
    ----------
    judged : tuple of Judged
        At least one.
    """

    judged: tuple[Judged, ...]

    @property
    def outcome(self) -> Outcome:
        """The overall outcome: it fails if any requirement fails, and passes if all pass."""
        outcomes = {one.outcome for one in self.judged}
        if "fails" in outcomes:
            return "fails"
        return "cannot tell" if "cannot tell" in outcomes else "passes"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types for JSON."""
        return {"outcome": self.outcome, "requirements": [one.to_dict() for one in self.judged]}


def requirement_of(metric: str, floor: float) -> Requirement:
    """Return a requirement whose metric is written as ``accuracy`` or ``recall.refund``.

    Raises
    ------
    ArgumentError
        If there is no such metric, or it needs a label or takes none.
    """
    name, dot, label = metric.strip().partition(".")
    known = name.strip().lower().replace("_", "-")
    if known not in _METRICS:
        near = get_close_matches(known, _METRICS, n=1)
        meant = f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(_METRICS)}"
        raise ArgumentError(f"there is no metric {name.strip()!r}; {meant}")
    if known in OF_LABEL and not label.strip():
        raise ArgumentError(f"{known} needs a label, as in {known}.refund")
    if known not in OF_LABEL and dot:
        raise ArgumentError(
            f"{known} is about all labels, so it takes no label ({label!r}); per label, there are {', '.join(OF_LABEL)}"
        )
    return Requirement(known, label.strip() if dot else None, floor)


def check_requirements(requirements: Sequence[Requirement], labels: Collection[str], *, several: bool) -> None:
    """Check that requirements are about existing figures and labels.

    Parameters
    ----------
    requirements : sequence of Requirement
    labels : collection of str
        Those that the classifier knows, and those of the rows.
    several : bool
        Whether a text may have several labels.

    Raises
    ------
    ArgumentError
        If one is not; the message suggests what may be meant.
    """
    own = OF_SEVERAL if several else OF_ONE
    for one in requirements:
        if one.label is None and one.metric not in own:
            how_many = "several labels" if several else "one label"
            raise ArgumentError(f"{one.metric} is not a metric for texts with {how_many}: use {', '.join(own)}")
        if one.label is not None and one.label not in labels:
            near = get_close_matches(one.label, labels, n=1)
            shown = ", ".join(map(repr, sorted(labels)[:_MOST_NAMED])) + (", …" if len(labels) > _MOST_NAMED else "")
            meant = f"did you mean {near[0]!r}?" if near else f"the labels are {shown}"
            raise ArgumentError(f"neither the model nor the file has the label {one.label!r}; {meant}")


def judge(requirement: Requirement, rows: LabelledRows, answers: RowAnswers) -> Judged:
    """Return whether the answers to some rows meet a requirement.

    Macro-F1 is inconclusive with fewer than ten rows per label on average, since its interval is too narrow then.
    """
    value, interval, n = _measured(requirement, rows, answers)
    if value is None or interval is None:
        return Judged(requirement.name, requirement.floor, None, None, n, "cannot tell")
    if requirement.metric == "macro-f1" and n < (least := _least_rows(rows)):
        return Judged(requirement.name, requirement.floor, value, interval, n, "cannot tell", least)
    outcome = outcome_of_floor(interval, requirement.floor)
    needed = rows_to_reach(n, value, interval, requirement.floor) if outcome == "cannot tell" else None
    return Judged(requirement.name, requirement.floor, value, interval, n, outcome, needed)


def judge_change(result: ModelDiff, name: str) -> Judged:
    """Return whether a classifier is not worse than an older one, called `name`."""
    main = result.main
    if main.difference is None or main.difference_interval is None:
        raise TypeError("a comparison of two classifiers has a difference")
    value, interval = main.difference, main.difference_interval
    outcome = "passes" if result.are_alike else outcome_of_change(interval, result.margin)
    needed = None
    if outcome == "cannot tell":
        # It passes above minus the margin and fails below 0: the farther of the two needs fewer rows.
        floor = max((-result.margin, 0.0), key=lambda end: abs(value - end))
        needed = rows_to_reach(result.n_examples, value, interval, floor)
    about = f"{main.name} against {name}"
    return Judged(about, -result.margin, value, interval, result.n_examples, outcome, needed, is_difference=True)


def _measured(
    requirement: Requirement, rows: LabelledRows, answers: RowAnswers
) -> tuple[float | None, Interval | None, int]:
    """Return a figure, its interval, and the number of rows that it is about."""
    kept = np.flatnonzero(rows.inside)
    given, chosen, groups = rows.given[kept], answers.chosen[kept], rows.groups[kept]
    if requirement.label is not None:
        number = rows.names.index(requirement.label)
        has, gets = (one[:, number] if rows.are_several else one == number for one in (given, chosen))
        return _of_label(requirement.metric, has, gets, groups)
    if requirement.metric == "coverage":
        answered = answers.answered[kept]
        interval = interval_of_mean(answered, groups) if answers.abstains else Interval(1.0, 1.0)
        return float(answered.mean()), interval, len(kept)
    if rows.are_several:
        return (*_of_several(requirement.metric, given, chosen, groups), len(kept))
    if requirement.metric == "accuracy":
        return float((given == chosen).mean()), interval_of_mean(given == chosen, groups), len(kept)
    value = metrics.macro_f1(metrics.per_class(given, chosen, rows.names))
    return value, interval_of_macro_f1(given, chosen, groups), len(kept)


def _least_rows(rows: LabelledRows) -> int:
    """Return how many rows like these would have ten per label on average."""
    given = rows.given[rows.inside]
    of_labels = given.sum(axis=0) if rows.are_several else np.bincount(given)
    of_labels = of_labels[of_labels > 0]
    mean = of_labels.mean() if len(of_labels) else 1.0
    return math.ceil(FEW_PER_LABEL * len(given) / mean)


def _of_label(metric: str, has: Mask, gets: Mask, groups: Ints) -> tuple[float | None, Interval | None, int]:
    of = {"precision": gets, "recall": has, "f1": has | gets}[metric]
    n = int(of.sum())
    if not n:
        return None, None, 0
    if metric != "f1":
        right = (has & gets)[of]
        return float(right.mean()), interval_of_mean(right, groups[of]), n
    above, below = multilabel.f1_parts(has[of, None], gets[of, None])
    return float(above.sum() / below.sum()), interval_of_ratios(above, below, groups[of]), n


def _of_several(metric: str, given: Mask, chosen: Mask, groups: Ints) -> tuple[float, Interval]:
    if metric == "exact-match":
        return multilabel.exact_match(given, chosen), interval_of_mean((given == chosen).all(axis=1), groups)
    above, below = multilabel.f1_parts(given, chosen)
    if metric == "macro-f1":
        return multilabel.macro_f1(given, chosen), interval_of_macro_ratio(above, below, groups)
    sums = above.sum(axis=1, keepdims=True), below.sum(axis=1, keepdims=True)
    return multilabel.micro_f1(given, chosen), interval_of_ratios(*sums, groups)
