"""How commands write pages."""

from collections.abc import Callable
from typing import TypeVar

import click

from embedclf.atomic_file import AtomicFile

Record = TypeVar("Record")


class PageFile:
    """The file of a page; whether it can be made and written is found out before the work, not after.

    Parameters
    ----------
    path : str or None
        None writes none.

    Raises
    ------
    EmbedclfError
        If a package that pages need is not installed, or the file cannot be written.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        if path is not None:
            from embedclf.evaluation.page import check_extra

            check_extra()
            AtomicFile(path).discard()

    def write(self, make: Callable[[Record, str], str], record: Record, title: str) -> None:
        """Write the page that is made of a record."""
        if self._path is not None:
            with AtomicFile(self._path) as file:
                file.write(make(record, title).encode())
            click.echo(f"Wrote {self._path}", err=True)
