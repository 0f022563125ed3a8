"""What answers cost, by the true label: the matrix by which the answer of least expected cost is chosen.

The answer with the smallest expected cost by the probabilities is the best one there is (Elkan, "The Foundations of
Cost-Sensitive Learning", IJCAI 2001).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from embedclf.arrays import Floats, Ints, Vectors
from embedclf.data_frames import as_mapping
from embedclf.errors import ArgumentError
from embedclf.formatting import with_a_point
from embedclf.missing import is_missing

ANY = "*"
"""Stands for every label that a cost does not name."""

_WRONG, _RIGHT = 1.0, 0.0
_MOST_COST = 1e12
_MOST_NAMED = 5
NOT_IN_TREE = (
    "--costs (costs) cannot be used with labels in a tree (label_hierarchy), where an answer may be a label above "
    "others, which has no cost: train without --label-hierarchy to answer by costs, always with whole labels"
)
"""Why a classifier whose labels are in a tree has no costs."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What answers cost.

    Attributes
    ----------
    rows : tuple of (str, str or None, float)
        The true label, the answer, and the cost. An answer of None is abstaining. ``"*"`` stands for every label, and
        as an answer for every wrong one. A row that names the answer counts before one that does not, and one that
        names the true label before one that does not: a pair that is named in full counts first, then the true label
        with any wrong answer, then any true label with the answer. What no row is about costs 1 if it is wrong, or
        abstaining, and 0 if it is right.
    """

    rows: tuple[tuple[str, str | None, float], ...]

    @classmethod
    def of(cls, costs: "CostsLike") -> "Costs":
        """Return costs that were given as a mapping of (true label, answer) to cost, once they are checked.

        Raises
        ------
        ArgumentError
            If a pair is none, or a cost is not a number of at least 0.
        """
        if isinstance(costs, Costs):
            return costs
        costs = as_mapping(costs, "costs")
        if not isinstance(costs, Mapping):
            raise ArgumentError(
                "costs must be a mapping of (label, answer) to cost, as in {('fraud', 'refund'): 10}; the answer None "
                "is abstaining"
            )
        rows = []
        for pair, cost in costs.items():
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise ArgumentError(f"costs must have pairs of a label and an answer as keys, got {pair!r}")
            label, answer = (None if is_missing(part) else _name(part) for part in pair)
            if label is None:
                raise ArgumentError("the true label of a cost is None: only the answer may be, which is abstaining")
            rows.append((label, answer, check_cost(cost, f"the cost of answering {answer!r} for {label!r}")))
        if not rows:
            raise ArgumentError("costs is empty: name at least one pair of a label and an answer")
        return cls(tuple(rows))

    @property
    def can_abstain(self) -> bool:
        """Whether abstaining has a cost, so that it may be chosen for it."""
        return any(answer is None for _, answer, _ in self.rows)

    def labels(self) -> list[str]:
        """Return the labels that are named, each once, in their order."""
        named = [name for label, answer, _ in self.rows for name in (label, answer) if name not in (None, ANY)]
        return [name for name in dict.fromkeys(named) if name is not None]

    def without(self, known: Iterable[str]) -> "Costs | None":
        """Return the costs of known labels only; None if there are none."""
        names = {*known, ANY, None}
        rows = tuple(row for row in self.rows if row[0] in names and row[1] in names)
        return Costs(rows) if rows else None

    def matrix(self, true_labels: Sequence[str], classes: Sequence[str], outside: str | None = None) -> Floats:
        """Return the cost of each answer for each true label: (n_true_labels, n_classes + 1), abstaining last.

        Parameters
        ----------
        true_labels : sequence of str
            Of texts; they need not be among the classes.
        classes : sequence of str
            The labels that can be answered.
        outside : str, optional
            The out-of-scope label, for which abstaining is right.
        """
        columns: dict[str | None, int] = {name: place for place, name in enumerate(classes)}
        columns[None] = abstaining = len(classes)
        numbers = {name: place for place, name in enumerate(true_labels)}
        costs = np.full((len(true_labels), len(classes) + 1), _WRONG)
        right = np.zeros(costs.shape, dtype=bool)
        for label, place in numbers.items():
            if label == outside:
                right[place, abstaining] = True
            elif label in columns:
                right[place, columns[label]] = True
        costs[right] = _RIGHT
        is_label = np.arange(len(classes) + 1) < abstaining
        for label, answer, cost in sorted(self.rows, key=lambda row: 2 * (row[0] != ANY) + (row[1] != ANY)):
            if label == ANY and answer == ANY:
                costs[~right & is_label] = cost
            elif label == ANY and answer in columns:
                of_answer = costs[:, columns[answer]]
                of_answer[~right[:, columns[answer]]] = cost
            elif label in numbers and answer == ANY:
                row = costs[numbers[label]]
                row[~right[numbers[label]] & is_label] = cost
            elif label in numbers and answer in columns:
                costs[numbers[label], columns[answer]] = cost
        return costs


CostsLike = Costs | Mapping[tuple[Any, Any], float]


def _name(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, int | np.integer) and not isinstance(part, bool):
        return str(int(part))
    raise ArgumentError(f"costs must name labels by strings or whole numbers, got {part!r}")


def check_cost(cost: Any, what: str) -> float:
    """Return a cost as a number.

    Raises
    ------
    ArgumentError
        If it is not a number from 0 to a trillion.
    """
    try:
        number = float(cost)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number <= _MOST_COST:
        raise ArgumentError(f"{what} is {cost!r}: a cost must be a number from 0 to {_MOST_COST:g}{with_a_point(cost)}")
    return number


def check_labels(costs: Costs, classes: Sequence[str], outside: str | None) -> None:
    """Check that costs are about labels that there are.

    Raises
    ------
    ArgumentError
        If they name another label, or the out-of-scope label as an answer.
    """
    known = {*classes, outside}
    for name in costs.labels():
        if name not in known:
            raise ArgumentError(f"costs name the label {name!r}, which does not occur{meant(name, classes)}")
    if outside is not None and any(answer == outside for _, answer, _ in costs.rows):
        raise ArgumentError(
            f"costs have the out-of-scope label {outside!r} as an answer, which is never given: leave the answer empty "
            "(None) for abstaining"
        )


def meant(name: str, classes: Sequence[str]) -> str:
    """Return which label may be meant by a name that is none, or which labels there are, to end a message."""
    from difflib import get_close_matches

    similar = [one for one in classes if one.casefold() == name.casefold()] or get_close_matches(name, classes, n=1)
    if similar:
        return f"; did you mean {similar[0]!r}?"
    return f" (labels: {', '.join(map(repr, classes[:_MOST_NAMED]))}{', …' if len(classes) > _MOST_NAMED else ''})"


def odd_costs(costs: Costs, classes: Sequence[str]) -> list[str]:
    """Return the labels for which some wrong answer costs less than the right one."""
    matrix = costs.matrix(classes, classes)[:, :-1]
    return [name for name, row, own in zip(classes, matrix, np.diag(matrix), strict=True) if (row < own).any()]


@lru_cache(maxsize=8)
def cost_matrix(costs: Costs, classes: tuple[str, ...], outside: str | None) -> Floats:
    """Return the costs of all answers by the true class, and last by the out-of-scope label: see `Costs.matrix`."""
    last = outside if outside is not None else "\0"  # a name that no label has
    matrix = costs.matrix([*classes, last], classes, last)
    matrix.flags.writeable = False
    return matrix


def expected_costs(probabilities: Vectors, matrix: Floats) -> Floats:
    """Return the expected cost of each answer for each text: (n, n_classes + 1), abstaining last.

    What the probabilities of a text lack to 1 is the probability that it is out of scope.
    """
    sure = probabilities.astype(np.float64)
    outside = 1 - sure.sum(axis=1)
    outside[outside < _ROUNDING] = 0  # NaN stays
    found: Floats = sure @ matrix[:-1] + outside[:, None] * matrix[-1]
    return found


# The probabilities are float32.
_ROUNDING = 1e-5


def costs_of(y: Ints, chosen: Ints, matrix: Floats) -> Floats:
    """Return what each answer cost: `chosen` has the place of a class, or −1 for abstaining, as in `Decided`."""
    found: Floats = matrix[y, chosen]
    return found
