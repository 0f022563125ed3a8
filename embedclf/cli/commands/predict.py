"""``embedclf predict``."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING

import click

from embedclf.cli.file_options import FileOptions, file_options, read_texts
from embedclf.cli.options import (
    EmbedderOptions,
    embedder_again_option,
    embedder_options,
    min_confidence_option,
    model_option,
    train_set_option,
)
from embedclf.errors import list_faults
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.data.rows import Row
    from embedclf.prediction.row_sources import FileRows, TextRows


@click.command("predict")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@model_option
@embedder_again_option
@click.option("--input", "input_file", metavar="FILE", help="A file with a column of texts; - is the standard input.")
@click.option("--output", metavar="FILE", help="Write the rows with their labels: .csv, .tsv, .jsonl, .parquet.")
@click.option("--resume", is_flag=True, help="Go on with an --output whose run was broken off, if there is one.")
@click.option(
    "--engine",
    type=click.Choice(["loky", "dask"]),
    help="Label an --output on all cores (loky), or on a cluster of Dask's.  [default: one core]",
)
@click.option("--scheduler", metavar="ADDRESS", help="The cluster's scheduler, tcp://HOST:PORT.")
@click.option("--top-k", metavar="N", type=click.IntRange(min=1), help="Give the N likeliest labels.")
@min_confidence_option
@click.option(
    "--explain",
    is_flag=True,
    help="Show which words speak for the label and against it; with --train-set also the nearest training examples.",
)
@train_set_option
@click.option("--label-column", metavar="NAME", help="Column of the labels in the train set.  [default: label]")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON a text.")
@file_options("none")
@embedder_options
def command(
    texts: tuple[str, ...],
    model: str | None,
    embedder: str | None,
    input_file: str | None,
    output: str | None,
    resume: bool,
    engine: str | None,
    scheduler: str | None,
    top_k: int | None,
    min_confidence: float | None,
    explain: bool,
    train_set: str | None,
    label_column: str | None,
    as_json: bool,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Label texts with a trained classifier.

    Give each TEXT in quotes, a single - to read one text a line from the standard input, or a file with --input. A
    line is printed for each, the label (- where the classifier abstains) and its confidence with a tab between, in the
    order of the texts. A text that cannot be labelled does not stop the others; the exit code is then 1.
    """
    _check_options(
        texts, input_file, output, resume, engine, scheduler, explain, train_set, label_column, as_json, asked
    )
    from embedclf.classifier.loading import load
    from embedclf.cli.costs import print_estimate, show_usage
    from embedclf.cli.label_file import label_into_file, say_labelled
    from embedclf.cli.label_on_screen import label_on_screen
    from embedclf.cli.models import find_model
    from embedclf.cli.progress import ProgressBar
    from embedclf.data.atomic_file import check_places
    from embedclf.data.writer import check_output
    from embedclf.prediction.resumable_run import rows_done

    if output is not None:
        check_output(output)
    with ExitStack() as stack:
        # The answers on a terminal are a progress of their own, and a bar would stand among them.
        quiet = output is None and sys.stdout.isatty()
        bar = stack.enter_context(ProgressBar(shown=not quiet))
        model = find_model(model)
        read = {"--input": "-" if texts == ("-",) else input_file, "the model": model, "--train-set": train_set}
        check_places(read, {"--output": output}, in_parts=True)
        classifier = load(model, embedder=embedder, **asked.settings(bar.on_event))
        if min_confidence is not None:
            classifier = classifier.with_min_confidence(min_confidence)
        source = _rows_of(texts, input_file, file)
        stack.enter_context(source)
        labelled = replace(file, label_column="label" if label_column is None else label_column, needs_labels=True)
        trained_on = None if train_set is None else read_texts(train_set, labelled)
        also = [] if trained_on is None else trained_on.texts
        # Those are not labelled again.
        done = rows_done(output) if output is not None and resume else 0
        if asked.dry_run:
            print_estimate(classifier.embedder, chain(_usable(islice(source, done, None)), also), as_json=as_json)
            return
        if asked.max_cost is not None:
            left = _usable(islice(source.preview(), done, None))
            classifier.embedder.check_cost(classifier.embedder.estimate(chain(left, also)))
        try:
            if output is None:
                of_rows = label_on_screen(
                    classifier, source, bar, top_k=top_k, as_json=as_json, explained=explain, trained_on=trained_on
                )
            else:
                of_rows = label_into_file(
                    classifier,
                    source,
                    output,
                    bar,
                    top_k=top_k,
                    delimiter=file.delimiter,
                    resume=resume,
                    engine=engine,
                    scheduler=scheduler,
                )
        finally:
            bar.end()
            show_usage(classifier.embedder)
    if output is not None:
        say_labelled(of_rows, output)
    if of_rows.n_faults:
        raise click.ClickException(
            f"{of_rows.n_faults:,} of {counted(of_rows.rows, 'text')} could not be labelled:\n"
            f"{list_faults(source.name, of_rows.faults, of_rows.n_faults)}"
        )


def _check_options(
    texts: tuple[str, ...],
    input_file: str | None,
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
    """Check that the options go together.

    Raises
    ------
    click.UsageError
    """
    if bool(texts) == bool(input_file):
        raise click.UsageError("Give either texts or --input FILE." if texts else "Give a text, a -, or --input FILE.")
    if "-" in texts and len(texts) > 1:
        raise click.UsageError("A - reads the texts from the standard input, and stands alone.")
    if as_json and output:
        raise click.UsageError("--json is for the screen; for a file of JSON lines, name the --output *.jsonl.")
    if resume and output is None:
        raise click.UsageError("--resume goes on with an --output FILE, which is not given.")
    if engine is not None and output is None:
        raise click.UsageError("--engine labels an --output FILE, which is not given.")
    if (engine == "dask") != (scheduler is not None):
        raise click.UsageError("--engine dask and --scheduler ADDRESS go together.")
    if scheduler is not None and "://" not in scheduler:
        raise click.UsageError(f"--scheduler is an address, such as tcp://10.0.0.1:8786, not {scheduler!r}.")
    if engine is not None and asked.max_cost is not None:
        raise click.UsageError("--max-cost cannot be held by several processes, which spend side by side.")
    if train_set is not None and not explain:
        raise click.UsageError("--train-set FILE goes with --explain, which is not given.")
    if label_column is not None and train_set is None:
        raise click.UsageError("--label-column names a column of the --train-set, which is not given.")
    if explain and output:
        raise click.UsageError("--explain is for the screen; --json makes it a line for a program.")


def _rows_of(texts: tuple[str, ...], input_file: str | None, file: FileOptions) -> "FileRows | TextRows":
    """Return the rows of the command line, of the standard input, or of a file."""
    from embedclf.prediction.row_sources import FileRows, given_texts, stdin_lines

    if input_file is not None:
        return FileRows(input_file, text_column=file.text_column, delimiter=file.delimiter, encoding=file.encoding)
    return stdin_lines(file.encoding) if texts == ("-",) else given_texts(texts)


def _usable(rows: "Iterable[Row]") -> Iterator[str]:
    return (row.text for row in rows if row.fault is None)
