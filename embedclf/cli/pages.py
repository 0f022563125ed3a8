"""How commands write pages."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.cli.screen import echo
from embedclf.data.atomic_file import AtomicFile
from embedclf.errors import OutputError

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.pages.rendering import RowPlace


class PageFile:
    """The file of a page; whether it can be made and written is found out before the work, not after.

    Parameters
    ----------
    path : str or None
        None writes none.
    charts : bool
        Whether it has charts, which need packages of their own.

    Raises
    ------
    EmbedclfError
        If a package that pages need is not installed, or the file cannot be written or is no ``.html``.
    """

    def __init__(self, path: str | None, *, charts: bool = True) -> None:
        self._path = path
        if path is None:
            return
        if Path(path).suffix.lower() not in ((".html", ".htm", "") if charts else (".html", ".htm")):
            raise OutputError(f"cannot write {path}: a page is an .html file", path=path)
        if charts:
            from embedclf.pages.rendering import check_installed

            check_installed()
        AtomicFile(path).discard()

    def write(self, make: Callable[..., str], record: object, title: str, *places: "RowPlace | None") -> None:
        """Write the page that is made of a record, and of where its rows stand, if it is a page that shows these."""
        if self._path is not None:
            with AtomicFile(self._path) as file:
                # The name of a file may hold bytes that are no letters.
                file.write(make(record, title, *places).encode(errors="backslashreplace"))
            echo(f"Wrote {self._path}", err=True)


def places_in(corpus: "Corpus | None") -> "RowPlace | None":
    """Return what says where a row of a file stands; without its folder, since a page is sent to others."""
    if corpus is None:
        return None
    name, lines = Path(corpus.name).name, corpus.lines
    return lambda row: f"{name}:{lines[row]}"
