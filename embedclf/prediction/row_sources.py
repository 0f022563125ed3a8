"""Sources of rows: a file, standard input, or a list of texts."""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Protocol, Self

from embedclf.data.atomic_file import STDIN, Place
from embedclf.data.columns import looks_like_header, looks_like_record
from embedclf.data.dialect import DEFAULT_DIALECT, Dialect
from embedclf.data.reader import CorpusReader
from embedclf.data.reading import Reading
from embedclf.data.rows import Row
from embedclf.data.text_lines import read_lines
from embedclf.validation import text_fault

logger = logging.getLogger(__name__)


class RowSource(Protocol):
    """A source of rows, read once and in order, such as `FileRows` and `TextRows`."""

    @property
    def name(self) -> str:
        """Name for messages."""
        ...

    @property
    def place(self) -> Place | None:
        """The file that rows are read from; ``-`` for standard input, None if there is no file."""
        ...

    @property
    def columns(self) -> list[str]:
        """Names of the columns of the rows."""
        ...

    @property
    def dialect(self) -> Dialect:
        """How the fields of a CSV or TSV file are told apart."""
        ...

    @property
    def has_bom(self) -> bool:
        """Whether the file starts with a byte order mark."""
        ...

    @property
    def has_header(self) -> bool:
        """Whether the file starts with the names of its columns, if it is a CSV file."""
        ...

    @property
    def schema(self) -> Any:
        """The ``pyarrow.Schema`` of a Parquet file; None for other sources."""
        ...

    @property
    def share_read(self) -> float | None:
        """The share of the source that has been read, from 0 to 1; None if unknown."""
        ...

    def __iter__(self) -> Iterator[Row]:
        """Iterate over the rows."""
        ...


class TextRows:
    """Rows with the single column ``text``, made from plain texts; see `given_texts` and `stdin_lines`.

    Parameters
    ----------
    rows : iterable of Row
    name : str
    place : str or Path, optional
    """

    dialect = DEFAULT_DIALECT
    has_bom = False
    has_header = True
    schema = None
    share_read = None

    def __init__(self, rows: Iterable[Row], name: str, place: Place | None = None) -> None:
        self.name, self.place, self.columns = name, place, ["text"]
        self._rows = rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def preview(self) -> Iterator[Row]:
        """Iterate over the rows before the run, keeping them in memory."""
        self._rows = list(self._rows)
        yield from self._rows


def given_texts(texts: Iterable[str]) -> TextRows:
    """Return rows for texts; their line numbers count from 1."""
    return TextRows(
        [Row(number, {"text": text}, text, "", text_fault(text)) for number, text in enumerate(texts, 1)], "text"
    )


def stdin_lines(encoding: str = "utf-8") -> TextRows:
    """Return a row for each line of standard input; warn if they look like the lines of a table."""
    return TextRows(_noticing_tables(read_lines(encoding)), "stdin", STDIN)


def _noticing_tables(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        if row.line == 1 and (looks_like_header(row.text) or looks_like_record(row.text)):
            what = "JSON Lines" if row.text.lstrip().startswith("{") else "a CSV header"
            logger.warning(
                "stdin:1 looks like %s, but - classifies each line as one text; use --input - to read a table", what
            )
        yield row


class FileRows(CorpusReader):
    """Rows of an unlabelled file; see `CorpusReader`.

    Parameters
    ----------
    path : str or Path
        CSV, TSV, JSONL, Parquet or Excel; ``-`` is standard input.
    reading : Reading
    """

    def __init__(self, path: Place, reading: Reading) -> None:
        super().__init__(path, reading)

        def again() -> FileRows:
            found = replace(
                reading,
                text_column=self.text_column,
                delimiter=self.dialect.delimiter,
                header=self.has_header,
                quoting=reading.quoting if self.dialect.unquoted is None else "none",
            )
            return FileRows(path, found)

        self._again = None if os.fspath(path) == STDIN else again
        self._kept: list[Row] | None = None

    def __iter__(self) -> Iterator[Row]:
        return super().__iter__() if self._kept is None else iter(self._kept)

    def preview(self) -> Iterator[Row]:
        """Iterate over the rows before the run: a file is read twice, rows of standard input are kept in memory."""
        if self._again is None:
            self._kept = list(self)
            yield from self._kept
        else:
            with self._again() as again:
                yield from again
