"""The workflow of a command over a file: read, announce, check, estimate, embed, write and show, in this order."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import click

from embedclf.cli.file_options import (
    FileOptions,
    check_different,
    escape_formulas_option,
    file_options,
    read_texts,
)
from embedclf.cli.notices import introduce, say_written
from embedclf.cli.options import Decorator, EmbedderOptions, add_options, embedder_options
from embedclf.cli.progress import ProgressLine
from embedclf.cli.refused_rows import without_refused
from embedclf.cli.screen import echo, echo_json, echo_lines
from embedclf.embedding.tasks import CLASSIFICATION
from embedclf.errors import EmbedclfError
from embedclf.printing.tables import add_lines

if TYPE_CHECKING:
    from embedclf.arrays import Vectors
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.cli.options import PageOptions
    from embedclf.cli.pages import PageFile
    from embedclf.cli.training_options import EmbeddingOptions
    from embedclf.data.corpus import Corpus
    from embedclf.data.writer import CorpusWriter
    from embedclf.embedding.base import Embedder
    from embedclf.embedding.usage import Usage
    from embedclf.printing.lines import Line


class Job:
    """One run of a command over a file.

    Parameters
    ----------
    datasets : sequence of str
        The file, or several that are read as one; ``-`` is standard input.
    file : FileOptions
        How to read it.
    asked : EmbedderOptions
        How to open the embedder.
    as_json : bool
        Whether to print the result as JSON.
    what : str
        The name of the file in messages.
    escape_formulas : bool
        Whether tables are written for spreadsheets; see `CorpusWriter`.

    Attributes
    ----------
    corpus : Corpus
        The rows of the file, once read; after embedding, without those that the embedder rejected.
    embedder : Embedder
        The embedder, once opened.
    also_used : Usage or None
        What the embedder of another classifier has used.
    hide_progress : callable
        Ends the progress line, for a command that has a dialogue with the person.
    """

    corpus: "Corpus"
    embedder: "Embedder"
    also_used: "Usage | None" = None

    def __init__(
        self,
        datasets: Sequence[str],
        file: FileOptions,
        asked: EmbedderOptions,
        *,
        as_json: bool,
        what: str = "the dataset",
        escape_formulas: bool = False,
    ) -> None:
        check_different(datasets)
        self.datasets, self.file, self.asked, self.as_json = datasets, file, asked, as_json
        self._what, self.escape_formulas = what, escape_formulas
        self._stack = ExitStack()
        self.hide_progress: Callable[[], None] = lambda: None

    def __enter__(self) -> "Job":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.__exit__(*exception)

    @property
    def name(self) -> str:
        """The name of the files in titles, without their directories."""
        from embedclf.data.corpus import names_of

        return names_of([Path(name).name for name in self.corpus.files or [self.corpus.name]])

    def check_places(self, read: Mapping[str, str | None] | None = None, **written: str | None) -> None:
        """Check that no output, given by option name, is the same file as an input or another output.

        Raises
        ------
        OutputError
            If two of them are the same file.
        """
        from embedclf.data.atomic_file import check_places

        outputs = {f"--{name}": path for name, path in written.items()}
        for dataset in self.datasets:
            check_places({self._what: dataset, **(read or {})}, outputs)

    def share_vectors(self) -> None:
        """Let several embedders of one model share its vectors without a cache as well: cache them for this run."""
        if self.asked.no_cache and self.asked.cache_dir is None:
            import tempfile

            folder = self._stack.enter_context(tempfile.TemporaryDirectory())
            self.asked = replace(self.asked, no_cache=False, cache_dir=folder)

    def read(self) -> "Corpus":
        """Read the files."""
        self.corpus = read_texts(self.datasets, self.file)
        return self.corpus

    def open(self, embedding: "EmbeddingOptions", *, usual_task: str = CLASSIFICATION) -> None:
        """Open the embedder, and announce the file and the embedder; see `as_embedder` for the usual task."""
        from embedclf.embedding.factory import as_embedder

        settings, reason = self.asked.settings(), self.reason_for(embedding)
        self.embedder = as_embedder(embedding.embedder, usual_task=usual_task, **embedding.asked, **settings)
        introduce(self.corpus, self.embedder, reason)
        if embedding.task is None and self.embedder.spec.task not in (None, CLASSIFICATION):
            told = {**embedding.asked, "task": CLASSIFICATION}
            self._say_if_cached(as_embedder(embedding.embedder, **told, **settings))

    def _say_if_cached(self, other: "Embedder") -> None:
        """Say that the vectors of another task are all in the cache, if those of this one are not."""
        missing = [one.estimate(self.corpus.texts).to_embed for one in (other, self.embedder)]
        if not missing[0] and missing[1]:
            task = other.spec.task
            echo(f"The vectors for {task} are all in the cache: --task {task} would send nothing.", err=True)

    def reason_for(self, embedding: "EmbeddingOptions") -> str | None:
        """Return why the default embedder was chosen, or None if one was given.

        Raises
        ------
        click.UsageError
            If a base URL is given for an embedder that takes none.
        """
        from embedclf.embedding.factory import default_embedder

        name, reason = default_embedder() if embedding.embedder is None else (embedding.embedder, None)
        if self.asked.base_url is not None and not name.startswith("aimlapi"):
            raise click.UsageError(
                "--base-url only applies to aimlapi embedders: set AIMLAPI_API_KEY, or use --embedder aimlapi:MODEL."
            )
        return reason

    def load(self, model: str, embedder: str | None, min_confidence: float | None = None) -> "TextClassifier":
        """Load a trained classifier; its embedder becomes the job's, and its columns are looked for first."""
        from embedclf.classifier.loading import load

        classifier = load(model, embedder=embedder, **self.asked.settings())
        self.embedder = classifier.embedder
        self.file = self.file.as_trained(classifier)
        return classifier if min_confidence is None else classifier.with_min_confidence(min_confidence)

    def is_dry(self, also: Sequence[str] = ()) -> bool:
        """Return whether this is a dry run; if so, print the estimated cost of embedding the file and `also`."""
        from embedclf.cli.costs import print_estimate

        if self.asked.dry_run:
            print_estimate(self.embedder, [*self.corpus.texts, *also], self.asked, as_json=self.as_json)
        return self.asked.dry_run

    def page(self, path: str | None, about: "PageOptions") -> "PageFile":
        """Check before the work starts that a page can be written; see `PageFile`."""
        from embedclf.cli.pages import PageFile

        return PageFile(path, about)

    def writer(
        self,
        path: str | None,
        added: Sequence[str] | Mapping[str, type],
        columns: Sequence[str] | None = None,
        *,
        for_review: bool = False,
    ) -> "CorpusWriter | None":
        """Open the output file before the work starts; return None if no path is given.

        Parameters
        ----------
        path : str or None
        added : sequence of str, or mapping of str to type
            Columns to add to those of the file; see `CorpusWriter`.
        columns : sequence of str, optional
            Columns to write instead of those of the file.
        for_review : bool
            Whether the output will be opened in a spreadsheet, which recognizes UTF-8 by its byte order mark.
        """
        from embedclf.data.writer import CorpusWriter

        if path is None:
            return None
        if columns is not None:
            return self._stack.enter_context(CorpusWriter(path, columns, added, escape_formulas=self.escape_formulas))
        own = self.corpus
        bom = own.has_bom or (for_review and not all(text.isascii() for text in [*own.texts, *own.labels]))
        return self._stack.enter_context(
            CorpusWriter(
                path,
                own.columns,
                added,
                dialect=own.dialect,
                bom=bom,
                schema=own.schema,
                header=own.has_header,
                escape_formulas=self.escape_formulas,
            )
        )

    def embed(self) -> "Vectors":
        """Embed the texts of the file, and print the usage.

        Raises
        ------
        BadRowsError
            If the embedder rejects a row and bad rows are not skipped.
        """
        vectors, refused = self.embed_partial(self.corpus.texts)
        return self.keep_usable(vectors, refused)

    def embed_beside(self, text: str | None, what: str) -> "tuple[Vectors, Vectors | None]":
        """Embed the texts of the file together with one more text; see `embed`.

        Raises
        ------
        EmbedclfError
            If the embedder rejects that text, called `what` in the message.
        """
        if text is None:
            return self.embed(), None
        vectors, refused = self.embed_partial([*self.corpus.texts, text])
        if (reason := refused.get(len(self.corpus.texts))) is not None:
            raise EmbedclfError(f"the {what} cannot be embedded: {reason}")
        return self.keep_usable(vectors[:-1], refused), vectors[-1]

    @overload
    def embed_with(self, other: "Corpus") -> "tuple[Vectors, Corpus, Vectors]": ...

    @overload
    def embed_with(self, other: "Corpus | None") -> "tuple[Vectors, Corpus | None, Vectors | None]": ...

    def embed_with(self, other: "Corpus | None") -> "tuple[Vectors, Corpus | None, Vectors | None]":
        """Embed the texts of two files, each distinct text once; see `embed`.

        Returns
        -------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
        other : Corpus or None
            The other file, without the rows that the embedder rejected.
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
        """Embed those texts that can be embedded, and print the usage; see `Embedder.embed_partial`."""
        from embedclf.cli.costs import show_usage

        try:
            return self.embedder.embed_partial(texts)
        finally:
            show_usage(self.embedder)

    def keep_usable(self, vectors: "Vectors", refused: Mapping[int, str]) -> "Vectors":
        """Drop the rows of the file that the embedder rejected, and return the vectors of the others."""
        if not refused:
            return vectors
        self.corpus, kept = without_refused(self.corpus, refused, skip_bad_rows=self.file.skip_bad_rows)
        return vectors[kept]

    def end_writing(self, path: str | None, n_rows: int) -> None:
        """Move the output into place, and report it if there is one."""
        self._stack.close()
        if path is not None:
            say_written(n_rows, path)

    def print_json(self, record: Mapping[str, Any], *of_rows: Iterable[dict[str, Any]]) -> None:
        """Print a result as JSON with the usage, and add the line of its row to each record in `of_rows`."""
        for records in of_rows:
            add_lines(records, self.corpus)
        usage = self.embedder.usage
        echo_json({**record, "usage": (usage if self.also_used is None else usage.plus(self.also_used)).to_dict()})

    def print_lines(self, lines: "Iterable[Line]") -> None:
        """Print a result as text."""
        echo_lines(lines)


def file_job(
    labels: Literal["needed", "optional"],
    *,
    kind: type[Job] = Job,
    what: str = "the dataset",
    json_help: str = "Print one JSON object.",
    writes_tables: bool = False,
    as_model: bool = False,
) -> Decorator:
    """Add the options shared by commands over a file: ``--json``, and those of the file and the embedder.

    The command receives them and its argument ``dataset``, one file or several, as one `Job`, and runs in its ``with``
    block.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(
            dataset: str | tuple[str, ...], file: FileOptions, asked: EmbedderOptions, as_json: bool, **values: Any
        ) -> None:
            datasets = (dataset,) if isinstance(dataset, str) else dataset
            escape_formulas = values.pop("escape_formulas", False)
            job = kind(datasets, file, asked, as_json=as_json, what=what, escape_formulas=escape_formulas)
            with ProgressLine(reads_stdin="-" in datasets) as line, job:
                job.hide_progress = line.end
                command(job, **values)

        as_json = click.option("--json", "as_json", is_flag=True, help=json_help)
        for_tables = [escape_formulas_option] if writes_tables else []
        return add_options([*for_tables, as_json, file_options(labels, as_model=as_model), embedder_options])(run)

    return decorate
