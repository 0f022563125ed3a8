"""Write HTML pages."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.cli.screen import echo
from embedclf.data.atomic_file import AtomicFile
from embedclf.errors import OutputError
from embedclf.phases import phase

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.pages.rendering import RowPlace


class PageFile:
    """The output file of an HTML page; checks at once that the page can be made and written.

    Parameters
    ----------
    path : str or None
        None writes no page.
    charts : bool
        Whether the page has charts, which need extra packages.

    Raises
    ------
    EmbedclfError
        If a package that pages need is not installed, the file cannot be written, or its extension is not ``.html``.
    """

    def __init__(self, path: str | None, *, charts: bool = True) -> None:
        self._path = path
        if path is None:
            return
        if Path(path).suffix.lower() not in ((".html", ".htm", "") if charts else (".html", ".htm")):
            raise OutputError(f"cannot write {path}: a page must be an .html file", path=path)
        if charts:
            from embedclf.pages.rendering import check_installed

            check_installed()
        AtomicFile(path).discard()

    def write(self, make: Callable[..., str], record: object, title: str, *places: "RowPlace | None") -> None:
        """Write the page made from a record and the places of its rows; do nothing if there is no path."""
        if self._path is not None:
            with phase("Drawing the page"), AtomicFile(self._path) as file:
                # A file name may contain bytes that are not valid text.
                file.write(make(record, title, *places).encode(errors="backslashreplace"))
            echo(f"Wrote {self._path}", err=True)


def places_in(corpus: "Corpus | None") -> "RowPlace | None":
    """Return a function that gives the place of a row as file:line, without directory since pages are shared."""
    if corpus is None:
        return None
    return lambda row: f"{Path(corpus.file(row)).name}:{corpus.lines[row]}"
