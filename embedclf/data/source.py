"""What every source of records is: CSV, fastText, JSON and Parquet each have one, in a module of its own."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

from embedclf.data.columns import Columns
from embedclf.data.dialect import Dialect
from embedclf.data.open_file import OpenFile
from embedclf.data.parquet_types import Record
from embedclf.data.reading import Reading


class SourceRecord(NamedTuple):
    """A record as it stands in a file, before its text and its label are looked up; see `Row`."""

    line: int
    record: dict[str, Any]
    source: str | Record = ""
    fault: str | None = None


class Source(ABC):
    """The records of an open file of one format, which can be iterated over once.

    Parameters
    ----------
    file : OpenFile
    reading : Reading

    Attributes
    ----------
    columns : list of str
        Their names, which may repeat; for JSON, the keys of the first record, and none if no record has any.
    found : Columns
        The columns that were found by what they hold; empty where that was not needed.
    notes : list of str
        What was found out about the file and should be logged.
    has_header : bool
        False for a CSV file without one.
    schema : pyarrow.Schema or None
        Schema of a Parquet file; None for other formats.
    header_line : int or None
        The line that has the names of the columns; None for Parquet, which has no lines.
    is_table : bool
        Whether every record has every column.
    """

    header_line: int | None = 1
    is_table = True

    def __init__(self, file: OpenFile, reading: Reading) -> None:
        self.file, self.reading = file, reading
        self.columns: list[str] = []
        self.found = Columns("", "")
        self.notes: list[str] = []
        self.has_header = reading.header
        self.schema: Any = None

    @abstractmethod
    def __iter__(self) -> Iterator[SourceRecord]: ...

    @property
    def dialect(self) -> Dialect:
        """How the fields of a CSV or TSV file are told apart, as far as has been found out."""
        return Dialect(self.reading.delimiter)

    @property
    def share_read(self) -> float | None:
        """The share of the file that has been read, from 0 to 1; None if its size is unknown."""
        return self.file.share_read

    @property
    def text_columns(self) -> list[str]:
        """The columns that may hold texts."""
        return self.columns

    def not_text(self, column: str) -> str | None:
        """Return the name of a column's type if it is not a string type; None if it is."""
        return None

    def header_problem(self) -> str | None:
        """Return what is wrong with the names of the columns as a whole, now that one is missing; None if nothing."""
        return None
