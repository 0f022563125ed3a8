"""Files about labels: what answers cost, and how much each label counts."""

import logging
import os
from collections.abc import Collection, Iterable, Sequence

from embedclf.classifier.costs import ANY, Costs, check_cost, meant, odd_costs
from embedclf.data.small_table import TableRow, bad_table, read_table
from embedclf.errors import ArgumentError, RowFault
from embedclf.formatting import counted, with_a_point
from embedclf.validation import MOST_WEIGHT

logger = logging.getLogger(__name__)

_TRUE = ("label", "true", "true_label", "true label", "actual")
_ANSWER = ("answer", "predicted", "predicted_label", "predicted label", "prediction")
_COST = ("cost", "costs")
_WEIGHT = ("weight", "weights", "class_weight")
# What `predict` prints where it abstains.
_ABSTAINING = ("", "-")
_MOST_NAMED = 3


def read_costs(path: str | os.PathLike[str], classes: Sequence[str], outside: str | None = None) -> Costs:
    """Read what answers cost.

    Parameters
    ----------
    path : str or Path
        CSV, TSV, JSONL, Parquet or Excel, with the columns ``label``, ``answer`` and ``cost``. An answer that is empty
        or ``-`` is abstaining; see `Costs` for what ``*`` stands for.
    classes : sequence of str
        The labels that there are.
    outside : str, optional
        The out-of-scope label.

    Raises
    ------
    DataError
        If the file cannot be read, or a row cannot be used.
    """
    name, rows = read_table(path, _TRUE, _ANSWER, _COST)
    known = dict.fromkeys(classes)
    found: dict[tuple[str, str | None], tuple[float, int]] = {}
    faults = []
    for row in rows:
        try:
            label, answer, cost = _cost(row, known, outside)
            before, line = found.setdefault((label, answer), (cost, row.line))
            if before != cost:
                raise ArgumentError(f"line {line} has another cost ({before:g}) for the same label and answer")
        except ArgumentError as error:
            faults.append(RowFault(row.line, str(error)))
    if faults:
        raise bad_table(name, faults)
    costs = Costs(tuple((label, answer, cost) for (label, answer), (cost, _) in found.items()))
    tell_of_costs(costs, classes, name)
    return costs


def _cost(row: TableRow, classes: Collection[str], outside: str | None) -> tuple[str, str | None, float]:
    label, answer, cost = row.cells["label"], row.cells["answer"], row.cells["cost"]
    if not label:
        raise ArgumentError(f"the label is missing; {ANY} stands for any")
    if not cost:
        raise ArgumentError("the cost is missing")
    chosen = None if answer in _ABSTAINING and answer not in classes else answer
    for kind, given in (("label", label), ("answer", chosen)):
        if given is not None and given != ANY and given not in classes and not (kind == "label" and given == outside):
            if given == outside:
                raise ArgumentError(
                    f"the answer {given!r} is the out-of-scope label, which is never given: leave the answer empty for "
                    "abstaining"
                )
            raise ArgumentError(f"the {kind} {given!r} does not occur{meant(given, list(classes))}")
    return label, chosen, check_cost(cost, "the cost")


def tell_of_costs(costs: Costs, classes: Sequence[str], name: str = "costs") -> None:
    """Log what may be a slip in costs: right answers that cost more than wrong ones, and labels that are left out."""
    for label in odd_costs(costs, classes)[:_MOST_NAMED]:
        logger.warning("%s: the right answer to %r costs more than a wrong one", name, label)
    true = {label for label, _, _ in costs.rows}
    missing = [] if ANY in true else [label for label in classes if label not in true]
    if missing:
        logger.info(
            "%s: no costs for %s: a wrong answer, or none, costs 1 unless the answer has a cost of its own",
            name,
            _some(missing),
        )


def read_class_weight(path: str | os.PathLike[str], classes: Sequence[str]) -> dict[str, float]:
    """Read the weights of labels, from a file with the columns ``label`` and ``weight``.

    Raises
    ------
    DataError
        If the file cannot be read, or a row cannot be used.
    """
    name, rows = read_table(path, _TRUE, _WEIGHT)
    found: dict[str, tuple[float, int]] = {}
    faults = []
    for row in rows:
        try:
            label, weight = row.cells["label"], _weight(row.cells["weight"])
            if not label:
                raise ArgumentError("the label is missing")
            if label not in classes:
                raise ArgumentError(f"the label {label!r} does not occur{meant(label, classes)}")
            if label in found:
                raise ArgumentError(f"line {found[label][1]} has a weight for the same label")
            found[label] = weight, row.line
        except ArgumentError as error:
            faults.append(RowFault(row.line, str(error)))
    if faults:
        raise bad_table(name, faults)
    if missing := [label for label in classes if label not in found]:
        logger.info("%s: no weight for %s: 1", name, _some(missing))
    return {label: weight for label, (weight, _) in found.items()}


def _weight(cell: str) -> float:
    if not cell:
        raise ArgumentError("the weight is missing")
    try:
        number = float(cell)
    except ValueError:
        number = float("nan")
    if not 0 < number <= MOST_WEIGHT:
        too_large = f" up to {MOST_WEIGHT:g}" if number > 0 else ""
        raise ArgumentError(f"the weight is {cell!r}, not a positive number{too_large}{with_a_point(cell)}")
    return number


def _some(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {counted(len(shown) - _MOST_NAMED, 'other label')}" if len(shown) > _MOST_NAMED else ""
    return ", ".join(map(repr, shown[:_MOST_NAMED])) + more
