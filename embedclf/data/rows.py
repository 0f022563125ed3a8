"""Rows of a data file, and their column names."""

import contextlib
import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from embedclf.data.columns import TextColumn
from embedclf.data.label_sets import (
    LABEL_SEPARATOR,
    LabelSet,
    indicated_labels,
    list_fault,
    listed_labels,
    split_labels,
)
from embedclf.data.parquet_types import Record, with_value
from embedclf.formatting import to_json
from embedclf.missing import is_gap, is_missing, join_parts
from embedclf.validation import label_of, text_fault

NO_LABEL = "the label is empty"
"""The fault of a row without a label, or the beginning of it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A record of a file.

    Attributes
    ----------
    line : int
        The line on which the record starts, counted from 1.
    record : dict
        Its columns, as they were read.
    source : str or Record
        The record in its original form in a JSONL or Parquet file; empty for other formats.
    text, label : str
        Empty if missing; `label` is also empty if labels are not read. Several labels are written with a separator.
    fault : str or None
        Why the row cannot be used; None if it can.
    file : str or None
        Name of its file, if the rows of several were joined.
    labels : tuple of str, or None
        The labels, sorted, if they stand in a list or in columns of their own, or are separated; None otherwise.
    """

    line: int
    record: Mapping[str, Any]
    text: str
    label: str
    fault: str | None
    source: str | Record = ""
    file: str | None = None
    labels: LabelSet | None = None

    @property
    def is_incomplete(self) -> bool:
        """Whether it was read but has no text or no label."""
        return self.fault is not None and is_gap(self.fault)


@dataclass(slots=True)
class RowMaker:
    """A converter from records to rows that also checks them.

    Attributes
    ----------
    text_column : str or tuple of str
        Several columns are joined by line breaks; a part that is missing is left out.
    label_column : str or None
        None reads no labels.
    needs_labels : bool
        Whether a row without a label is an error.
    separator : str or None
        What separates several labels in a cell; None takes only lists of labels for several.
    label_columns : tuple of str
        Columns that say of a label each, with 0 or 1, whether the text has it.
    """

    text_column: TextColumn
    label_column: str | None
    needs_labels: bool
    separator: str | None = None
    label_columns: tuple[str, ...] = ()

    def row(self, line: int, record: dict[str, Any], source: str | Record = "", known_fault: str | None = None) -> Row:
        """Return the row for a record; one that is known to be faulty has neither text nor label. See `Row`."""
        if known_fault is not None:
            return Row(line, record, "", "", known_fault, source)
        if not source and _repeats_names(record):
            return Row(line, record, "", "", "the header appears again in this line")
        text, fault = self._text(record)
        label, labels = "", None
        if self.label_columns:
            labels, wrong = indicated_labels(record, self.label_columns)
            if labels is None and self.needs_labels:
                wrong = NO_LABEL
            return Row(line, record, text, self._written(labels or ()), fault or wrong, source, None, labels)
        if self.label_column is not None:
            value = record.get(self.label_column)
            if (labels := self._labels(value)) is not None:
                label = self._written(labels)
                faults = (why for one in labels if (why := text_fault(one, "label")))
                return Row(line, record, text, label, fault or next(faults, None), source, None, labels)
            if is_missing(value):
                value = None
            if isinstance(value, bool):
                value = label_of(value)  # as data frames write it to CSV
            if isinstance(value, int | float):
                # A number used as a label is kept as it was written: 1.0 does not become 1.
                if isinstance(source, str):
                    value = json.loads(source, parse_float=str, parse_int=str, parse_constant=str)[self.label_column]
                value = value if isinstance(value, str) else json.dumps(value)
            if (wrong := list_fault(value)) is not None:
                fault = fault or wrong
            else:
                label = value or ""
                if self.separator is not None and not split_labels(label, self.separator):
                    label = ""  # nothing but separators
                if label or self.needs_labels:
                    fault = fault or text_fault(label, "label")
        return Row(line, record, text, label, fault, source)

    def _written(self, labels: LabelSet) -> str:
        return (self.separator or LABEL_SEPARATOR).join(labels)

    def _labels(self, value: Any) -> LabelSet | None:
        """Return the labels of a cell that is a list, or has the separator; None if it is one label, or missing."""
        if (listed := listed_labels(value)) is not None:
            return listed
        if self.separator is not None and isinstance(value, str) and not is_missing(value):
            return split_labels(value, self.separator) or None
        return None

    def _text(self, record: Mapping[str, Any]) -> tuple[str, str | None]:
        if isinstance(self.text_column, str):
            value = record.get(self.text_column)
            if is_missing(value):
                return "", f"{self.text_column!r} is missing"
            if not isinstance(value, str):
                return "", f"the text is not a string ({json.dumps(value)[:40]})"
            return value, text_fault(value)
        parts: list[Any] = [value for column in self.text_column if not is_missing(value := record.get(column))]
        for part in parts:
            if not isinstance(part, str):
                return "", f"a part of the text is not a string ({json.dumps(part)[:40]})"
        if not parts:
            return "", "the text is missing"
        text = join_parts(parts)
        return text, text_fault(text)


def _repeats_names(record: Mapping[str, Any]) -> bool:
    """Return whether a row is the header again, as in files that were put together, even with their marks."""
    return len(record) > 1 and all(value.removeprefix("\ufeff") == name for name, value in record.items())


def relabelled(row: Row, column: str, label: str) -> Row:
    """Return a row with another label, which has the type of the present one: 2 stays a number in JSONL and Parquet.

    Raises
    ------
    ParquetError
        If the type of a Parquet column has no such value.
    """
    value: Any = label
    before = row.record.get(column)
    old = before[0] if isinstance(before, list) and before else before
    if isinstance(old, bool):
        value = {"true": True, "false": False}.get(label.casefold(), label)
    elif isinstance(old, int | float):
        with contextlib.suppress(ValueError):
            parsed = json.loads(label)
            value = parsed if isinstance(parsed, int | float) else label
    if isinstance(before, list):
        value = [value]
    source = with_value(row.source, column, label) if isinstance(row.source, Record) else ""
    return replace(row, record={**row.record, column: value}, label=label, fault=None, source=source)


def numbered_names(names: Sequence[str]) -> list[str]:
    """Return the names, with a number appended to each repetition."""
    numbered: list[str] = []
    for name in names:
        numbered.append(_free_name(name, numbered))
    return numbered


def free_names(names: Sequence[str], taken: Collection[str]) -> list[str]:
    """Return the names, with a number appended to each that is already taken."""
    return [_free_name(name, taken) for name in names]


def _free_name(name: str, taken: Collection[str]) -> str:
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    return next(candidate for candidate in names if candidate not in taken)


def cell_text(value: Any) -> str:
    """Return the text of a cell for a value: empty for what JSON has no value for, JSON for anything but a string."""
    if isinstance(value, str):
        return value
    text = to_json(value)
    return "" if text == "null" else text
