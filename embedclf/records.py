"""What results have in common: how they print, and how they look in a notebook and as a page.

How a result looks is the business of `printing` and `pages`, which are above the modules that make results. This is the
one place where something low asks for something above it: by name, and only when a result is shown.
"""

import os
from importlib import import_module


class Printable:
    """A result that prints the table of its command, and that a notebook shows as HTML."""

    __slots__ = ()

    def __str__(self) -> str:
        text: str = import_module("embedclf.printing.of_records").text_of(self)
        return text

    def _repr_html_(self) -> str:
        shown: str = import_module("embedclf.pages.notebook").notebook_html(self)
        return shown


class WithPage(Printable):
    """A result with a page of its own."""

    __slots__ = ()

    def to_html(self, path: str | os.PathLike[str], *, title: str | None = None) -> None:
        """Write the result to one self-contained HTML page, as ``--report`` or ``embedclf map`` does.

        Parameters
        ----------
        path : str or path
        title : str, optional

        Raises
        ------
        EmbedclfError
            If a package that pages need is not installed.
        OutputError
            If the file cannot be written.
        """
        import_module("embedclf.pages.of_records").write_page(self, path, title)
