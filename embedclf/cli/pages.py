"""Write HTML pages."""

import shlex
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from embedclf._version import __version__
from embedclf.cli.options import PageOptions
from embedclf.cli.screen import echo
from embedclf.data.atomic_file import AtomicFile
from embedclf.data.label_sets import labels_in
from embedclf.errors import OutputError
from embedclf.formatting import counted
from embedclf.phases import phase

if TYPE_CHECKING:
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.data.corpus import Corpus
    from embedclf.pages.row_list import RowPlace


class PageFile:
    """The output file of an HTML page; checks at once that the page can be written.

    Parameters
    ----------
    path : str or None
        None writes no page.
    about : PageOptions

    Raises
    ------
    click.UsageError
        If there is something to say on a page, but no page.
    OutputError
        If the file cannot be written, or its extension is not ``.html``.
    """

    def __init__(self, path: str | None, about: PageOptions) -> None:
        self._path, self._about = path, about
        if path is None:
            if about.title is not None or about.note is not None or about.dated:
                raise click.UsageError("--title, --note and --dated are for an HTML page, but none is written.")
            return
        if Path(path).suffix.lower() not in (".html", ".htm", ""):
            raise OutputError(f"cannot write {path}: a page must be an .html file", path=path)
        AtomicFile(path).discard()

    def write(
        self, make: Callable[..., str], record: object, title: str, *places: "RowPlace | None", **facts: str
    ) -> None:
        """Write a page; do nothing if there is no path.

        Parameters
        ----------
        make : callable
            Makes the page from the record, the title, the places, and what it says of itself.
        record : object
        title : str
            The title, unless another is asked for.
        *places : callable or None
            Give the places of its rows.
        **facts : str
            What the page is about.
        """
        if self._path is None:
            return
        facts = {**facts, "version": f"embedclf {__version__}"}
        if self._about.dated:
            facts["date"] = date.today().isoformat()
        facts["command"] = command_line(click.get_current_context())
        title, note = self._about.title or title, self._about.note or ""
        with phase("Drawing the page"), AtomicFile(self._path) as file:
            page = make(record, title, *places, facts=tuple(facts.items()), note=note)
            # A file name may contain bytes that are not valid text.
            file.write(page.encode(errors="backslashreplace"))
        echo(f"Wrote {self._path}", err=True)


def command_line(context: click.Context) -> str:
    """Return the command as it could be typed again.

    Pages are shared, so a path that starts at the root is shown without its folder, and an address without a user.
    """
    words = context.command_path.split()
    options, arguments = [], []
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if context.get_parameter_source(parameter.name or "") != ParameterSource.COMMANDLINE:
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        if isinstance(parameter, click.Argument):
            arguments += [_shareable(one) for one in values]
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            options.append(parameter.opts[-1] if value else parameter.secondary_opts[-1])
        else:
            options += [word for one in values for word in (parameter.opts[-1], _shareable(one))]
    return shlex.join([*words, *arguments, *options])


def _shareable(value: object) -> str:
    word = str(value)
    if "://" in word:
        return urlsplit(word)._replace(netloc=urlsplit(word).netloc.rpartition("@")[2], query="").geturl()
    return (Path(word).name or word) if Path(word).is_absolute() else word  # "/" may separate labels


def facts_of_file(corpus: "Corpus", n_rows: int | None = None) -> str:
    """Return a file as a page names it: without its directory, with its size; by default, that of its usable rows."""
    from embedclf.data.corpus import names_of

    n_labels = len(labels_in(corpus.given_labels) - {""})
    labels = f", {counted(n_labels, 'label')}" if n_labels else ""
    name = names_of([Path(file).name for file in corpus.files or (corpus.name,)])
    return f"{name} ({counted(n_rows or len(corpus.texts), 'row')}{labels})"


def facts_of_model(path: str, classifier: "TextClassifier") -> str:
    """Return a model as a page names it: without its directory, with its size and what it is made of."""
    size = f"{Path(path).stat().st_size / 1_000:,.1f} kB"
    made_of = (
        f"{classifier.card.head}, {classifier.card.embedder.described}"
        if classifier.model.uses_vectors
        else "words only"
    )
    return f"{Path(path).name} ({size}; {counted(len(classifier.classes), 'label')}; {made_of})"


def places_in(corpus: "Corpus | None") -> "RowPlace | None":
    """Return a function that gives the place of a row as file:line, without directory since pages are shared."""
    if corpus is None:
        return None
    return lambda row: f"{Path(corpus.file(row)).name}:{corpus.lines[row]}"
