"""A command over a file: read, introduced, checked, estimated, embedded, written and shown, in this order."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from embedclf.cli.file_options import FileOptions, file_options, read_texts
from embedclf.cli.notices import introduce, say_written
from embedclf.cli.options import Decorator, EmbedderOptions, add_options, embedder_options
from embedclf.cli.refused_rows import without_refused
from embedclf.cli.screen import echo, echo_json
from embedclf.cli.tables import add_lines
from embedclf.errors import EmbedclfError

if TYPE_CHECKING:
    from embedclf.arrays import Vectors
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.cli.pages import PageFile
    from embedclf.cli.training_options import EmbeddingOptions
    from embedclf.data.corpus import Corpus
    from embedclf.data.writer import CorpusWriter
    from embedclf.embedding.base import Embedder


class Job:
    """One run of a command over a file.

    Parameters
    ----------
    dataset : str
        The file, ``-`` for the standard input.
    file : FileOptions
        How it is read.
    asked : EmbedderOptions
        How the embedder is opened.
    as_json : bool
        Whether the result is printed as JSON.
    what : str
        What messages call the file.

    Attributes
    ----------
    corpus : Corpus
        The rows of the file once they are read; once they are embedded, without those that the embedder refused.
    embedder : Embedder
        Once it is open.
    """

    corpus: "Corpus"
    embedder: "Embedder"

    def __init__(
        self, dataset: str, file: FileOptions, asked: EmbedderOptions, *, as_json: bool, what: str = "the dataset"
    ) -> None:
        from embedclf.cli.progress import ProgressBar

        self.dataset, self.file, self.asked, self.as_json = dataset, file, asked, as_json
        self.bar = ProgressBar()
        self._what = what
        self._stack = ExitStack()

    def __enter__(self) -> "Job":
        self._stack.enter_context(self.bar)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.__exit__(*exception)

    @property
    def name(self) -> str:
        """What titles call the file: its name, without its folder."""
        return Path(self.corpus.name).name

    def check_places(self, read: Mapping[str, str | None] | None = None, **written: str | None) -> None:
        """Check that no output, named by its option, is the file itself, another one that is read, or another output.

        Raises
        ------
        OutputError
        """
        from embedclf.data.atomic_file import check_places

        outputs = {f"--{name}": path for name, path in written.items()}
        check_places({self._what: self.dataset, **(read or {})}, outputs)

    def read(self) -> "Corpus":
        """Read the file."""
        self.corpus = read_texts(self.dataset, self.file)
        return self.corpus

    def open(self, embedding: "EmbeddingOptions") -> None:
        """Open the embedder, and say what is worked on, and with what."""
        from embedclf.embedding.factory import open_embedder

        settings, reason = self.asked.settings(self.bar.on_event), self.reason_for(embedding)
        self.embedder = open_embedder(embedding.embedder, dimensions=embedding.dimensions, **settings)
        introduce(self.corpus, self.embedder, reason)

    def reason_for(self, embedding: "EmbeddingOptions") -> str | None:
        """Return the reason why the default embedder is used, or None if one is named.

        Raises
        ------
        click.UsageError
            If an address is given for one that has none.
        """
        from embedclf.embedding.factory import default_embedder

        name, reason = default_embedder() if embedding.embedder is None else (embedding.embedder, None)
        if self.asked.base_url is not None and not name.startswith("aimlapi"):
            raise click.UsageError(
                "--base-url goes with an aimlapi embedder: set AIMLAPI_API_KEY, or name one with --embedder "
                "aimlapi:MODEL."
            )
        return reason

    def load(self, model: str, embedder: str | None, min_confidence: float | None = None) -> "TextClassifier":
        """Load a trained classifier, whose embedder is that of the job."""
        from embedclf.classifier.loading import load

        classifier = load(model, embedder=embedder, **self.asked.settings(self.bar.on_event))
        self.embedder = classifier.embedder
        return classifier if min_confidence is None else classifier.with_min_confidence(min_confidence)

    def is_dry(self, also: Sequence[str] = ()) -> bool:
        """Return whether nothing is to be sent, which prints what embedding the file and other texts would cost."""
        from embedclf.cli.costs import print_estimate

        if self.asked.dry_run:
            print_estimate(self.embedder, [*self.corpus.texts, *also], as_json=self.as_json)
        return self.asked.dry_run

    def page(self, path: str | None, *, charts: bool = True) -> "PageFile":
        """Check that a page can be made and written, before the work and not after; see `PageFile`."""
        from embedclf.cli.pages import PageFile

        return PageFile(path, charts=charts)

    def writer(
        self,
        path: str | None,
        added: Sequence[str] | Mapping[str, type],
        columns: Sequence[str] | None = None,
    ) -> "CorpusWriter | None":
        """Open a file to write rows to, before the work and not after; None if none is asked for.

        Parameters
        ----------
        path : str or None
        added : sequence of str, or mapping of str to type
            The columns that are added to the rows' own; see `CorpusWriter`.
        columns : sequence of str, optional
            Columns to write in place of the file's own.
        """
        from embedclf.data.writer import CorpusWriter

        if path is None:
            return None
        if columns is not None:
            return self._stack.enter_context(CorpusWriter(path, columns, added))
        own = self.corpus
        return self._stack.enter_context(
            CorpusWriter(path, own.columns, added, delimiter=self.file.delimiter, bom=own.has_bom, schema=own.schema)
        )

    def embed(self) -> "Vectors":
        """Embed the texts of the file, and say what that took.

        Raises
        ------
        BadRowsError
            If the embedder refuses a row and rows are not to be left out.
        """
        vectors, refused = self.embed_partial(self.corpus.texts)
        return self.keep_usable(vectors, refused)

    def embed_beside(self, text: str | None, what: str) -> "tuple[Vectors, Vectors | None]":
        """Embed the texts of the file, and one of another kind with them; see `embed`.

        Raises
        ------
        EmbedclfError
            If the embedder refuses that text, which messages call `what`.
        """
        if text is None:
            return self.embed(), None
        vectors, refused = self.embed_partial([*self.corpus.texts, text])
        if (reason := refused.get(len(self.corpus.texts))) is not None:
            raise EmbedclfError(f"the {what} cannot be embedded: {reason}")
        return self.keep_usable(vectors[:-1], refused), vectors[-1]

    def embed_with(self, other: "Corpus | None") -> "tuple[Vectors, Corpus | None, Vectors | None]":
        """Embed the texts of the file and those of another, each distinct text once; see `embed`.

        Returns
        -------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
        other : Corpus or None
            Without the rows that the embedder refused.
        of_other : ndarray of shape (n_others, n_dimensions), float32, or None
        """
        if other is None:
            return self.embed(), None, None
        n = len(self.corpus.texts)
        vectors, refused = self.embed_partial([*self.corpus.texts, *other.texts])
        own = self.keep_usable(vectors[:n], {row: why for row, why in refused.items() if row < n})
        of_other, refused = vectors[n:], {row - n: why for row, why in refused.items() if row >= n}
        if refused:
            other, kept = without_refused(other, refused, skip_bad_rows=self.file.skip_bad_rows)
            of_other = of_other[kept]
        return own, other, of_other

    def embed_partial(self, texts: Sequence[str]) -> "tuple[Vectors, dict[int, str]]":
        """Embed those texts that can be embedded, and say what that took; see `Embedder.embed_partial`."""
        from embedclf.cli.costs import show_usage

        try:
            return self.embedder.embed_partial(texts)
        finally:
            self.bar.end()
            show_usage(self.embedder)

    def keep_usable(self, vectors: "Vectors", refused: Mapping[int, str]) -> "Vectors":
        """Leave out the rows of the file that the embedder refused, and return the vectors of the others."""
        if not refused:
            return vectors
        self.corpus, kept = without_refused(self.corpus, refused, skip_bad_rows=self.file.skip_bad_rows)
        return vectors[kept]

    def end_writing(self, path: str | None, n_rows: int) -> None:
        """Move what was written into place, and say so if there is a file."""
        self._stack.close()
        if path is not None:
            say_written(n_rows, path)

    def print_json(self, record: Mapping[str, Any], *of_rows: Iterable[dict[str, Any]]) -> None:
        """Print a result as JSON, with the usage, and to each record in `of_rows` the line where its row starts."""
        for records in of_rows:
            add_lines(records, self.corpus)
        echo_json({**record, "usage": self.embedder.usage.to_dict()})

    def print_lines(self, lines: Iterable[str]) -> None:
        """Print a result as a person reads it."""
        echo("\n".join(lines))


def file_job(
    labels: Literal["needed", "optional"],
    *,
    kind: type[Job] = Job,
    what: str = "the dataset",
    json_help: str = "Print one JSON object.",
) -> Decorator:
    """Add what commands over a file have in common: ``--json``, and the options of the file and of the embedder.

    The command gets them, and its argument ``dataset``, as one `Job`, in whose ``with`` block it runs.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(dataset: str, file: FileOptions, asked: EmbedderOptions, as_json: bool, **values: Any) -> None:
            with kind(dataset, file, asked, as_json=as_json, what=what) as job:
                command(job, **values)

        as_json = click.option("--json", "as_json", is_flag=True, help=json_help)
        return add_options([as_json, file_options(labels), embedder_options])(run)

    return decorate
