"""Where rows come from."""

from collections.abc import Iterator
from typing import Any, Protocol

from embedclf.data.atomic_file import Place
from embedclf.data.rows import Row


class RowSource(Protocol):
    """What rows come from, once and in order; a `CorpusReader` is one."""

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
        """How much of the whole has been read; None if that is not known."""
        ...

    def __iter__(self) -> Iterator[Row]:
        """Give the rows."""
        ...
