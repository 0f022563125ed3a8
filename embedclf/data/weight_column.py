"""The weights of rows, from a column of their file."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from embedclf.arrays import Floats
from embedclf.data.columns import names_in
from embedclf.data.corpus import Corpus, faults_by_file
from embedclf.data.rows import cell_text
from embedclf.errors import DataError, bad_rows_error
from embedclf.formatting import counted, with_a_point
from embedclf.missing import is_missing
from embedclf.validation import MOST_WEIGHT

logger = logging.getLogger(__name__)


def weigh(corpus: Corpus, column: str | None) -> tuple[Corpus, Floats | None]:
    """Return the rows that count, and the weight of each; rows of weight 0 are left out.

    Parameters
    ----------
    corpus : Corpus
    column : str or None
        None weighs all rows the same.

    Raises
    ------
    DataError
        If there is no such column, or all weights are 0.
    BadRowsError
        If a weight is missing, negative, or no number.
    """
    if column is None:
        return corpus, None
    weights, faults = _weights(corpus, column)
    if faults:
        raise bad_rows_error(
            f"{counted(len(faults), 'row')} of {corpus.name} {'has' if len(faults) == 1 else 'have'} no valid weight",
            faults_by_file(corpus.name, [replace(corpus.rows[row], fault=fault) for row, fault in faults.items()]),
            "Fix them; a row of weight 0 is left out.",
        )
    kept = [number for number, weight in enumerate(weights) if weight]
    if not kept:
        raise DataError(f"{corpus.name}: all weights in {column!r} are 0, so that no row is left", source=corpus.name)
    if left_out := len(weights) - len(kept):
        logger.info("%s: %s of weight 0 left out", corpus.name, counted(left_out, "row"))
        corpus = replace(corpus, rows=[corpus.rows[number] for number in kept])
    return corpus, np.array([weights[number] for number in kept])


def weight_faults(corpus: Corpus, column: str) -> dict[int, str]:
    """Return what is wrong with the weights of rows, by row number.

    Raises
    ------
    DataError
        If there is no such column.
    """
    return _weights(corpus, column)[1]


def _weights(corpus: Corpus, column: str) -> tuple[list[float], dict[int, str]]:
    if column not in corpus.columns:
        shown = ", ".join(map(repr, corpus.columns[:20]))
        raise DataError(
            f"{corpus.name}: no column {column!r} (found: {shown}); see --weight-column", source=corpus.name
        )
    if column in (*names_in(corpus.text_column), corpus.label_column):
        raise DataError(
            f"{corpus.name}: the column {column!r} has the texts or the labels: it cannot have the weights, too "
            "(--weight-column)",
            source=corpus.name,
        )
    having = {row.file for row in corpus.rows if column in row.record}
    if without := [name for name in corpus.files if name not in having]:
        raise DataError(f"{without[0]}: no column {column!r}, which the other files have", source=without[0])
    weights, faults = [], {}
    for number, row in enumerate(corpus.rows):
        fault, weight = _weight(row.record.get(column), column)
        weights.append(weight)
        if fault is not None:
            faults[number] = fault
    return weights, faults


def _weight(value: Any, column: str) -> tuple[str | None, float]:
    """Return what is wrong with a weight, and the weight."""
    if is_missing(value) or not (shown := cell_text(value).strip()):
        return f"no weight in {column!r}", 0.0
    try:
        weight = float(shown)
    except ValueError:
        return f"the weight {shown[:40]!r} is not a number{with_a_point(shown)}", 0.0
    if weight < 0:
        return f"the weight {shown[:40]} is negative", 0.0
    if MOST_WEIGHT < weight < float("inf"):
        return f"the weight {shown[:40]} is above {MOST_WEIGHT:g}", 0.0
    return (None if weight < float("inf") else f"the weight {shown[:40]!r} is not a finite number"), weight
