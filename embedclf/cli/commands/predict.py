"""``embedclf predict``."""

import os
import shlex
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from embedclf.cli.file_options import FileOptions, escape_formulas_option, file_options, read_texts
from embedclf.cli.help import Command
from embedclf.cli.options import (
    EmbedderOptions,
    coverage_option,
    embedder_again_option,
    embedder_options,
    min_confidence_option,
    model_option,
    train_set_option,
)
from embedclf.cli.screen import echo
from embedclf.errors import DataError, list_faults
from embedclf.formatting import counted, shown_share

if TYPE_CHECKING:
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.data.rows import Row
    from embedclf.prediction.row_sources import FileRows, TextRows


_AS_TEXT = "To classify it as a text, use --text"


class _Given(NamedTuple):
    """What to classify: texts, or a file, or, if neither, the lines of standard input."""

    texts: tuple[str, ...]
    file: str | None = None


class _Predict(Command):
    """The command, which takes each argument after ``--`` for a text."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments."""
        ends = (at for at, arg in enumerate(args) if arg == "--" and args[at - 1 : at] != ["--text"])
        if (end := next(ends, None)) is not None:
            args = [*args[:end], *(f"--text={text}" for text in args[end + 1 :])]
        return super().parse_args(ctx, args)


@click.command(
    "predict",
    cls=_Predict,
    page="predict-at-scale.md",
    examples=[
        'embedclf predict "Where is my parcel?"',
        "embedclf predict new.csv -o labelled.csv",
    ],
)
@click.argument("given", nargs=-1, metavar="[TEXT|FILE]...")
@click.option(
    "--text", "texts", metavar="TEXT", multiple=True, help="Text to classify, whatever it looks like; may be repeated."
)
@model_option
@embedder_again_option
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    help="File with a column of texts, whatever its extension; - is a table on standard input.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the rows with their labels to a .csv, .tsv, .jsonl, .parquet or .xlsx file.",
)
@escape_formulas_option
@click.option("--resume", is_flag=True, help="Continue an interrupted run that wrote to --output, if there is one.")
@click.option(
    "--engine",
    type=click.Choice(["loky", "dask"]),
    help="Write --output using all cores (loky) or a Dask cluster.  [default: one core]",
)
@click.option("--scheduler", metavar="ADDRESS", help="Address of the Dask scheduler, tcp://HOST:PORT.")
@click.option("-k", "--top-k", metavar="N", type=click.IntRange(min=1), help="Return the N most likely labels.")
@coverage_option
@min_confidence_option
@click.option(
    "--explain",
    is_flag=True,
    help="Show which words support or oppose the label; with --train-set, also the nearest training examples.",
)
@train_set_option
@click.option(
    "--label-column", metavar="NAME", help="Column with the labels of --train-set.  [default: found by its name]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per text.")
@file_options("none")
@embedder_options
def command(
    given: tuple[str, ...],
    texts: tuple[str, ...],
    model: str | None,
    embedder: str | None,
    input_file: str | None,
    output: str | None,
    escape_formulas: bool,
    resume: bool,
    engine: str | None,
    scheduler: str | None,
    top_k: int | None,
    coverage: float | None,
    min_confidence: float | None,
    explain: bool,
    train_set: str | None,
    label_column: str | None,
    as_json: bool,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Predict the labels of texts with a trained classifier.

    Pass each TEXT in quotes, or a single - to read one text per line from standard input. An argument that ends in
    .csv, .tsv, .jsonl, .parquet or the like is a FILE with a column of texts, unless it comes after --. One line is
    printed per text, in order: the label (- if the classifier abstains), a tab and the confidence; with --output, the
    rows are written to a file with their labels. A text that cannot be classified does not stop the others; the exit
    code is then 1.
    """
    wanted = _told_apart(given, texts, input_file)
    _check_options(output, resume, engine, scheduler, explain, train_set, label_column, as_json, asked)
    from embedclf.classifier.loading import load
    from embedclf.cli.costs import print_estimate, show_usage
    from embedclf.cli.label_file import label_into_file, say_labelled
    from embedclf.cli.label_on_screen import label_on_screen
    from embedclf.cli.models import find_model
    from embedclf.cli.progress import ProgressLine
    from embedclf.data.atomic_file import STDIN, check_places
    from embedclf.data.writer import check_output
    from embedclf.prediction.resumable_run import rows_done

    if output is not None:
        check_output(output)
    with ExitStack() as stack:
        place = None if wanted.texts else wanted.file or STDIN
        stack.enter_context(ProgressLine(reads_stdin=place == STDIN))
        model = find_model(model)
        read = {
            "--input" if input_file is not None else "the input": place,
            "the model": model,
            "--train-set": train_set,
        }
        check_places(read, {"--output": output}, in_parts=True)
        classifier = load(model, embedder=embedder, **asked.settings())
        if min_confidence is not None:
            classifier = classifier.with_min_confidence(min_confidence)
        if coverage is not None:
            _check_coverage(classifier, coverage)
        file = file.as_trained(classifier)
        source = _rows_of(wanted, file)
        stack.enter_context(source)
        labelled = replace(file, label_column=label_column, labels="needed")
        trained_on = None if train_set is None else read_texts(train_set, labelled)
        also = [] if trained_on is None else trained_on.texts
        # These rows are already labelled.
        done = rows_done(output) if output is not None and resume else 0
        if asked.dry_run:
            to_embed = chain(_usable(islice(source, done, None)), also)
            print_estimate(classifier.embedder, to_embed, asked, as_json=as_json)
            return
        if asked.max_cost is not None:
            left = _usable(islice(source.preview(), done, None))
            classifier.embedder.check_cost(classifier.embedder.estimate(chain(left, also)))
        try:
            if output is None:
                of_rows = label_on_screen(
                    classifier,
                    source,
                    top_k=top_k,
                    coverage=coverage,
                    as_json=as_json,
                    explained=explain,
                    trained_on=trained_on,
                )
            else:
                of_rows = label_into_file(
                    classifier,
                    source,
                    output,
                    top_k=top_k,
                    coverage=coverage,
                    delimiter=file.delimiter,
                    escape_formulas=escape_formulas,
                    resume=resume,
                    engine=engine,
                    scheduler=scheduler,
                )
        finally:
            show_usage(classifier.embedder)
    if output is not None:
        say_labelled(of_rows, output)
    if of_rows.n_faults:
        raise click.ClickException(
            f"{of_rows.n_faults:,} of {counted(of_rows.rows, 'text')} could not be classified:\n"
            f"{list_faults(source.name, of_rows.faults, of_rows.n_faults)}"
        )


def _told_apart(given: tuple[str, ...], texts: tuple[str, ...], input_file: str | None) -> _Given:
    """Tell texts, files and - apart.

    Raises
    ------
    click.UsageError
        If there is nothing to classify, or more than texts, or one file, or standard input.
    DataError
        If an argument that looks like the name of a file is none.
    """
    from embedclf.data.formats import is_data_file
    from embedclf.data.plain_file import meant

    files = [one for one in given if is_data_file(one)]
    for name in given:
        if name in files or _is_path(name):
            if "://" in name:
                raise DataError(f"{name}: URLs are not read; download the file. {_AS_TEXT}", source=name)
            if not os.path.exists(name):  # noqa: PTH110 - Path fails for a long name
                raise DataError(f"{name}: file not found{meant(Path(name)) or '.'} {_AS_TEXT}", source=name)
            if Path(name).is_dir():
                raise DataError(f"{name}: is a folder; expected a file of texts. {_AS_TEXT}", source=name)
            if name not in files:
                raise click.UsageError(
                    f"{name} is a file: label its rows with --input {shlex.quote(name)}. {_AS_TEXT}."
                )
    if len(files) > 1:
        raise click.UsageError(
            f"predict labels one file at a time. Run it once per file: embedclf predict {files[0]} -o "
            f"{_beside(files[0])}, then embedclf predict {files[1]} -o {_beside(files[1])}."
        )
    if files and (len(given) > 1 or texts):
        raise click.UsageError(
            f"{files[0]} is a file and cannot be combined with texts; to classify its name as a text, use --text."
        )
    if "-" in given and len(given) + len(texts) > 1:
        raise click.UsageError("- reads the texts from standard input and cannot be combined with other texts.")
    if bool(given or texts) == bool(input_file):
        raise click.UsageError(
            "Use either TEXT or --input FILE, not both." if input_file else "Missing TEXT, FILE or -."
        )
    if files:
        return _Given((), files[0])
    return _Given((), None) if given == ("-",) else _Given((*given, *texts), input_file)


def _beside(name: str) -> str:
    """Return a name for an output beside a file: ``labelled_may.csv``."""
    return str(Path(name).with_name(f"labelled_{Path(name).name}"))


def _is_path(name: str) -> bool:
    """Return whether an argument is a path: it exists, or so does the folder that it names."""
    if name == "-":
        return False
    if os.path.lexists(name):
        return True
    folder = name.rpartition("/")[0]
    if not folder or len(name.split()) > 1:
        return False
    return name.startswith(("./", "../")) or os.path.isdir(folder)  # noqa: PTH112 - Path fails for a long name


def _check_options(
    output: str | None,
    resume: bool,
    engine: str | None,
    scheduler: str | None,
    explain: bool,
    train_set: str | None,
    label_column: str | None,
    as_json: bool,
    asked: EmbedderOptions,
) -> None:
    """Check that the options are compatible.

    Raises
    ------
    click.UsageError
        If they are not.
    """
    if as_json and output:
        raise click.UsageError("--json prints to the screen; to write JSON Lines to a file, use --output FILE.jsonl.")
    if resume and output is None:
        raise click.UsageError("--resume needs --output FILE.")
    if engine is not None and output is None:
        raise click.UsageError("--engine needs --output FILE.")
    if (engine == "dask") != (scheduler is not None):
        raise click.UsageError("--engine dask and --scheduler ADDRESS must be used together.")
    if scheduler is not None and "://" not in scheduler:
        raise click.UsageError(f"--scheduler must be an address such as tcp://10.0.0.1:8786, got {scheduler!r}.")
    if train_set is not None and not explain:
        raise click.UsageError("--train-set FILE needs --explain.")
    if label_column is not None and train_set is None:
        raise click.UsageError("--label-column needs --train-set FILE.")
    if explain and output:
        raise click.UsageError(
            "--explain prints to the screen and cannot be used with --output; for machine-readable output, use --json."
        )


def _check_coverage(classifier: "TextClassifier", coverage: float) -> None:
    """Check that the classifier reaches a coverage, and say so if it does with at most one label for each text.

    Raises
    ------
    ArgumentError
        If it does not.
    """
    card = classifier.card
    if card.set_threshold(coverage) > 1 and card.conformal is not None:
        right = shown_share(card.conformal.n_likeliest / card.conformal.n_examples)
        echo(
            f"No set has more than one label: the most likely one alone is right in {right} of cases "
            f"({counted(card.conformal.n_examples, 'cross-validated row')}), so sets are empty where it is unlikely.",
            err=True,
        )


def _rows_of(wanted: _Given, file: FileOptions) -> "FileRows | TextRows":
    """Return the rows from the command line, standard input or a file."""
    from embedclf.prediction.row_sources import FileRows, given_texts, stdin_lines

    if wanted.texts:
        return given_texts(wanted.texts)
    if wanted.file is None:
        return stdin_lines(file.encoding)
    return FileRows(wanted.file, file)


def _usable(rows: "Iterable[Row]") -> Iterator[str]:
    return (row.text for row in rows if row.fault is None)
