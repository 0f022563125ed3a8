"""The cells of a file in which texts have several labels, to be written again with other labels."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from embedclf.data.label_sets import LABEL_SEPARATOR, NO_LABELS, LabelSet, labels_cell, labels_of_cell, listed_labels
from embedclf.data.parquet_types import Record, with_value
from embedclf.data.rows import Row
from embedclf.missing import is_missing


@dataclass(frozen=True)
class SeveralLabels:
    """How a file writes the labels of texts that may have several.

    Attributes
    ----------
    column : str
        The column of the labels, if they are in one.
    separator : str
        What separates them there, and in corrections.
    columns : tuple of str
        The columns of a label each, with 0 and 1, if they are in such.
    example : object
        A list of labels in the file, or the text of one; None if they are separated.
    """

    column: str
    separator: str
    columns: tuple[str, ...]
    example: Any

    @classmethod
    def of(cls, rows: Sequence[Row], column: str, separator: str | None, columns: tuple[str, ...]) -> Self | None:
        """Return how a file writes the labels of texts; None if each text has one."""
        if separator is None and not columns and all(row.labels is None for row in rows):
            return None
        cells = [] if columns else [value for row in rows if not is_missing(value := row.record.get(column))]
        lists = [value for value in cells if listed_labels(value) is not None]
        filled = [value for value in lists if value not in (NO_LABELS, [])]
        if separator is not None:  # beside separated labels, an empty list is a text without any
            lists = filled
        return cls(column, separator or LABEL_SEPARATOR, columns, next(iter(filled or lists), None))

    def labels(self, cell: str) -> LabelSet:
        """Return the labels in a cell of corrections."""
        return labels_of_cell(cell, self.separator)

    def in_order(self, cell: str | None) -> str | None:
        """Return a cell of corrections with its labels sorted, as they are read from the file."""
        return cell if cell is None or not cell.strip() else labels_cell(self.labels(cell), self.separator)

    def fault(self, cell: str) -> str | None:
        """Return why the labels of a cell cannot be written to the file; None if they can."""
        unknown = [label for label in self.labels(cell) if self.columns and label not in self.columns]
        return f"the file has no column for the label {unknown[0]!r}" if unknown else None

    def relabelled(self, row: Row, cell: str) -> Row:
        """Return a row with the labels of a cell of corrections, written as the row, or else the file, has them.

        Raises
        ------
        ParquetError
            If the type of a Parquet column has no such value.
        """
        labels = self.labels(cell)
        source: str | Record = row.source if isinstance(row.source, Record) else ""
        values: dict[str, Any] = {}
        for name in self.columns:
            values[name] = _indicator(row.record.get(name), is_given=name in labels)
        if not self.columns:
            before = row.record.get(self.column)
            values[self.column] = self._cell(labels, before if listed_labels(before) is not None else self.example)
        if isinstance(source, Record):
            for name, value in values.items():
                source = with_value(source, name, value if isinstance(value, str | list) else json.dumps(value))
        return replace(
            row,
            record={**row.record, **values},
            label=self.separator.join(labels),
            labels=labels,
            fault=None,
            source=source,
        )

    def _cell(self, labels: LabelSet, before: Any) -> Any:
        """Return labels as a list, or the text of one in JSON or Python, as they were, or else separated."""
        if before is None or (before == NO_LABELS and self.example is None):
            return labels_cell(labels, self.separator)
        alike = self.example if before in (NO_LABELS, []) else before
        if not isinstance(alike, str):
            return _numbers(labels) if all(isinstance(one, int) for one in alike or [""]) else [*labels]
        if "'" not in alike and '"' not in alike and alike != NO_LABELS:
            return json.dumps(_numbers(labels), ensure_ascii=False)
        is_python = "'" in alike and '"' not in alike
        return str([*labels]) if is_python else json.dumps(labels, ensure_ascii=False)


def _numbers(labels: LabelSet) -> list[Any]:
    """Return labels with those that are whole numbers as such."""
    return [int(one) if one.isascii() and one.isdigit() and str(int(one)) == one else one for one in labels]


def _indicator(before: Any, *, is_given: bool) -> Any:
    """Return 1 or 0 as a column of a label had it: a number, a truth value, or a word."""
    if isinstance(before, bool):
        return is_given
    if is_missing(before):
        return int(is_given)
    if isinstance(before, int | float):
        return type(before)(is_given)
    word = str(before).strip()
    pairs = (("0", "1"), ("0.0", "1.0"), ("false", "true"), ("False", "True"), ("FALSE", "TRUE"), ("no", "yes"))
    pair = next((pair for pair in (*pairs, ("No", "Yes"), ("NO", "YES")) if word in pair), pairs[0])
    return pair[is_given]
