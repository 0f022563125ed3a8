"""Reading rows: CSV, TSV, fastText, JSON Lines, Parquet and Excel, also packed."""

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from embedclf.data.annotation_exports import rows_of_export
from embedclf.data.atomic_file import Place
from embedclf.data.column_choice import ColumnChoice
from embedclf.data.columns import TextColumn, shown_delimiter
from embedclf.data.csv_source import NO_QUOTING, source_of_lines
from embedclf.data.dialect import Dialect
from embedclf.data.excel_source import ExcelSource
from embedclf.data.foreign_files import ZIP_MAGIC
from embedclf.data.formats import Format, file_format
from embedclf.data.json_source import JsonSource
from embedclf.data.label_map import MappedLabels, as_label_map
from embedclf.data.label_sets import LABEL_SEPARATOR
from embedclf.data.open_file import OpenFile
from embedclf.data.parquet_source import ParquetSource
from embedclf.data.parquet_types import MAGIC
from embedclf.data.reading import DEFAULT_READING, Reading
from embedclf.data.rows import Row, RowMaker, numbered_names
from embedclf.data.source import Source
from embedclf.phases import phase

logger = logging.getLogger(__name__)

_ROWS_A_STEP = 1_024
_JSON_START = re.compile(rb"(\xef\xbb\xbf)?\s*(\{\s*[\"}]|\[\s*[\[{])")


class CorpusReader:
    """An open file of texts, with or without labels, whose rows can be iterated over once.

    Parameters
    ----------
    path : str or Path
        The file, or ``-`` for standard input (CSV, or JSON if it starts with a brace or ``[{``). A Parquet or
        an Excel file, and one packed with gzip or Zstandard, is recognized by its first bytes, whatever its name, and a
        file of fastText by ``__label__``.
    reading : Reading

    Attributes
    ----------
    name : str
        Name of the file in messages.
    place : str or Path
        The path as it was passed.
    format : {"csv", "tsv", "jsonl", "parquet", "xlsx"}
    columns : list of str
        The header, with repeated names numbered; for JSONL, the keys of the first record.
    text_column, label_column : str
        The columns that are read, a tuple for several columns of texts; `label_column` is None if labels are not, or
        are in columns of their own.
    label_columns : tuple of str
        Those columns, one per label.
    has_bom : bool
        Whether the file starts with a UTF-8 byte order mark.
    has_header : bool
        False for a CSV file without one.
    schema : pyarrow.Schema or None
        Schema of a Parquet file; None for other formats.
    mapped : MappedLabels or None
        What became of the labels of the rows that have been read; None if they are not mapped.

    Raises
    ------
    DataError
        If the file does not exist, is empty, is not in this encoding, violates its format, or lacks a column.
    """

    def __init__(self, path: str | os.PathLike[str], reading: Reading = DEFAULT_READING) -> None:
        self.place: Place | None = path
        self._file = OpenFile(path, reading.encoding)
        self.name, self.has_bom = self._file.name, self._file.has_bom
        try:
            self.format: Format = self._found_format(path)
            with self._file.as_data_errors():
                self._source = rows_of_export(self._open_source(reading))
                choice = ColumnChoice(self._source, reading)
        except BaseException:
            self.close()
            raise
        self.columns = numbered_names(self._source.columns)
        self.text_column: TextColumn = choice.text
        self.label_column = choice.label
        self.has_header, self.schema = self._source.has_header, self._source.schema
        self.label_columns = choice.labels
        label_map = as_label_map(reading.label_map)
        self.mapped = None
        if label_map is not None and (choice.label is not None or choice.labels):
            self.mapped = MappedLabels(label_map, separator=reading.label_separator or LABEL_SEPARATOR)
        needed = reading.labels in ("needed", "alone")
        self._maker = RowMaker(choice.text, choice.label, needed, reading.label_separator, choice.labels)
        self._log(reading, choice)

    def _found_format(self, path: str | os.PathLike[str]) -> Format:
        """Return the format that the first bytes of the file show, or its name."""
        start = self._file.start
        if start.startswith(MAGIC):
            return "parquet"
        if start.startswith(ZIP_MAGIC):
            return "xlsx"
        named: Format = "csv" if self._file.path is None else file_format(path)
        return "jsonl" if named == "csv" and _JSON_START.match(start) else named

    def _open_source(self, reading: Reading) -> Source:
        if self.format == "parquet":
            return ParquetSource(self._file, reading)
        if self.format == "xlsx":
            return ExcelSource(self._file, reading)
        if self.format == "jsonl":
            return JsonSource(self._file, reading)
        return source_of_lines(self._file, reading, "\t" if self.format == "tsv" else ",")

    def _log(self, reading: Reading, choice: ColumnChoice) -> None:
        """Log what was found out about the file."""
        notes = [*self._source.notes, *choice.notes]
        path = self._file.path
        if self.format == "jsonl" and path is not None and file_format(path) != "jsonl":
            notes.insert(0, "JSON")
        dialect = self.dialect
        if dialect.delimiter is not None and dialect.delimiter != reading.delimiter:
            notes.append(f"delimiter {shown_delimiter(dialect.delimiter)}")
        if reading.label_map is not None and self.mapped is None:
            notes.append("no labels, so the label map changes nothing")
        if reading.quoting == "auto" and dialect.unquoted is not None:
            notes.append(NO_QUOTING)
        if notes and reading.labels != "alone":
            logger.info("%s: %s", self.name, ", ".join(notes))

    @property
    def dialect(self) -> Dialect:
        """How the fields of a CSV or TSV file are told apart, as far as has been found out."""
        return self._source.dialect

    @property
    def share_read(self) -> float | None:
        """The share of the file that has been read, from 0 to 1; None if its size is unknown."""
        return self._source.share_read

    def close(self) -> None:
        """Close the file; standard input stays open."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Row]:
        make = self._maker.row
        with self._file.as_data_errors():
            for record in self._source:
                row: Row | None = make(*record)
                if self.mapped is not None and row is not None:
                    row = self.mapped.row(row, self.label_column)
                if row is not None:
                    yield row
        if self.mapped is not None and not self.mapped.fits:  # the rows are written as strings
            self.schema = None
        if self._file.damaged.found:
            logger.warning("%s: %s", self.name, self._file.damaged.summary())


def read_all(reader: CorpusReader) -> Iterator[Row]:
    """Yield the rows of a file that is read as a whole, as a phase."""
    with phase(f"Reading {Path(reader.name).name}", unit="row") as reading:
        for number, row in enumerate(reader, 1):
            yield row
            if number % _ROWS_A_STEP == 0:
                reading.reach(number)
                reading.estimate_total(number, reader.share_read)
