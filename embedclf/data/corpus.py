"""Files of texts and labels: CSV, TSV, JSON Lines and Parquet, from a path or from standard input.

Rows are read and written one at a time, in order. Every error names ``file:line``, the header being line 1. A Parquet
file has no lines; the number of the row, counted from 1, is used instead.
"""

import bisect
import logging
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from embedclf.data.reader import CorpusReader, read_all
from embedclf.data.rows import LABEL_COLUMN, Row
from embedclf.errors import DataError, RowFault, bad_rows_error
from embedclf.formatting import counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """The usable rows of a file.

    Attributes
    ----------
    name : str
        Name of the file in messages.
    rows : list of Row
    columns : list of str
        Columns of the file.
    has_bom : bool
        Whether the file starts with a UTF-8 byte order mark.
    skipped : list of RowFault
        The rows that were skipped because they cannot be used.
    schema : pyarrow.Schema or None
        Schema of a Parquet file; None for other formats.
    """

    name: str
    rows: list[Row] = field(repr=False)
    columns: list[str]
    has_bom: bool
    skipped: list[RowFault]
    schema: Any = field(default=None, repr=False)

    @cached_property
    def texts(self) -> list[str]:
        """The text of each row."""
        return [row.text for row in self.rows]

    @cached_property
    def labels(self) -> list[str]:
        """The label of each row; empty if it has none."""
        return [row.label for row in self.rows]

    @cached_property
    def lines(self) -> list[int]:
        """The line of the file on which each row starts, counted from 1."""
        return [row.line for row in self.rows]

    def place(self, number: int) -> str:
        """Return where a row, counted from 0, starts: ``file:line``."""
        return f"{self.name}:{self.lines[number]}"

    def number_at(self, line: int) -> int:
        """Return the number, counted from 0, of the row that starts at a line.

        Raises
        ------
        DataError
            If no usable row starts there.
        """
        after = bisect.bisect_left(self.lines, line)
        if self.lines[after : after + 1] == [line]:
            return after
        reason = next((fault.reason for fault in self.skipped if fault.line == line), None)
        problem = "no row starts at this line" if reason is None else f"this row was skipped ({reason})"
        near = [f"{self.name}:{number}" for number in self.lines[max(after - 1, 0) : after + 1]]
        nearest = f"row starts at {near[0]}" if len(near) == 1 else f"rows start at {' and '.join(near)}"
        message = f"{self.name}:{line}: {problem}; the nearest usable {nearest}"
        raise DataError(message, source=self.name, line=line)

    def row(self, number: int) -> Row:
        """Return a row, counted from 0, as it is written to an output: its line in the file, its text and its label."""
        row = self.rows[number]
        return replace(row, record={"line": row.line, "text": row.text, "label": row.label}, source="")


def read_corpus(
    path: str | os.PathLike[str],
    *,
    text_column: str = "text",
    label_column: str = LABEL_COLUMN,
    needs_labels: bool = True,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    skip_bad_rows: bool = False,
) -> Corpus:
    """Read a file of texts and labels; see `CorpusReader`.

    Raises
    ------
    BadRowsError
        If a row cannot be used and `skip_bad_rows` is false.
    DataError
        If the file as a whole cannot be used, or has no usable rows.
    """
    rows, faults = [], []
    with CorpusReader(
        path,
        text_column=text_column,
        label_column=label_column,
        needs_labels=needs_labels,
        delimiter=delimiter,
        encoding=encoding,
    ) as reader:
        for row in read_all(reader):
            if row.fault is not None:
                faults.append(RowFault(row.line, row.fault))
            else:
                rows.append(row)
    name = reader.name
    if faults and not skip_bad_rows:
        raise bad_rows_error(f"{counted(len(faults), 'row')} of {name} cannot be used", name, faults)
    if not rows:
        problem = "none of its rows can be used" if faults else "the file has a header but no rows"
        raise DataError(f"{name}: {problem}", source=name)
    return Corpus(name, rows, reader.columns, reader.has_bom, faults, reader.schema)
