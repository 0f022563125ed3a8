"""Where rows come from: a file, the standard input, or texts that are given."""

import os
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, Self

from embedclf.data.atomic_file import STDIN, Place
from embedclf.data.reader import CorpusReader
from embedclf.data.rows import Row
from embedclf.data.text_lines import read_lines
from embedclf.validation import text_fault


class RowSource(Protocol):
    """What rows come from, once and in order; `FileRows` and `TextRows` are two."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def place(self) -> Place | None:
        """The file that they are read from, ``-`` for the standard input; None if they come from no file."""
        ...

    @property
    def columns(self) -> list[str]:
        """The rows' own columns."""
        ...

    @property
    def has_bom(self) -> bool:
        """Whether it starts with a byte order mark."""
        ...

    @property
    def schema(self) -> Any:
        """Of a Parquet file, a ``pyarrow.Schema``; None for others."""
        ...

    @property
    def share_read(self) -> float | None:
        """How much of the whole has been read, from 0 to 1; None if that is not known."""
        ...

    def __iter__(self) -> Iterator[Row]:
        """Iterate over the rows."""
        ...


class TextRows:
    """Rows of one column, ``text``, that come from no table; see `given_texts` and `stdin_lines`.

    Parameters
    ----------
    rows : iterable of Row
    name : str
    place : str or Path, optional
    """

    has_bom = False
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
        """Iterate over the rows beforehand; they are kept."""
        self._rows = list(self._rows)
        yield from self._rows


def given_texts(texts: Iterable[str]) -> TextRows:
    """Make rows of texts; their lines are their numbers, counted from 1."""
    return TextRows(
        [Row(number, {"text": text}, text, "", text_fault(text)) for number, text in enumerate(texts, 1)], "text"
    )


def stdin_lines(encoding: str = "utf-8") -> TextRows:
    """Make a row of each line of the standard input."""
    return TextRows(read_lines(encoding), "stdin", STDIN)


class FileRows(CorpusReader):
    """Rows of a file without labels; see `CorpusReader`.

    Parameters
    ----------
    path : str or Path
        CSV, TSV, JSONL or Parquet; ``-`` is the standard input.
    text_column, delimiter, encoding
        As of `CorpusReader`.
    """

    def __init__(
        self, path: Place, *, text_column: str = "text", delimiter: str | None = None, encoding: str = "utf-8"
    ) -> None:
        super().__init__(path, text_column=text_column, label_column=None, delimiter=delimiter, encoding=encoding)

        def again() -> FileRows:
            return FileRows(path, text_column=text_column, delimiter=delimiter, encoding=encoding)

        self._again = None if os.fspath(path) == STDIN else again
        self._kept: list[Row] | None = None

    def __iter__(self) -> Iterator[Row]:
        return super().__iter__() if self._kept is None else iter(self._kept)

    def preview(self) -> Iterator[Row]:
        """Iterate over the rows beforehand: a file is opened twice, the rows of the standard input are kept."""
        if self._again is None:
            self._kept = list(self)
            yield from self._kept
        else:
            with self._again() as again:
                yield from again
