"""``embedclf suggest``."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from embedclf.cli.file_options import read_texts
from embedclf.cli.help import Command, Option
from embedclf.cli.job import Job, file_job
from embedclf.cli.notices import place_columns, place_values
from embedclf.cli.options import embedder_again_option, model_option
from embedclf.cli.screen import echo
from embedclf.errors import DataError
from embedclf.formatting import counted, rounded_down
from embedclf.printing.tables import add_lines

if TYPE_CHECKING:
    from embedclf.cli.file_options import FileOptions
    from embedclf.data.corpus import Corpus
    from embedclf.data.writer import CorpusWriter
    from embedclf.exploration.suggestions import Suggestions


_ADDED = {
    "predicted_label": str,
    "confidence": float,
    "runner_up_label": str,
    "runner_up_confidence": float,
    "score": float,
}


@click.command(
    "suggest",
    cls=Command,
    page="exploring.md#suggest",
    examples=[
        "embedclf suggest inbox.csv",
        "embedclf suggest inbox.csv -k 50 -o to_label.csv",
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
@model_option
@embedder_again_option
@click.option(
    "-k",
    "n",
    cls=Option,
    old_names=["-n"],
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Number of rows to suggest.",
)
@click.option(
    "--exclude",
    metavar="FILE",
    multiple=True,
    help="Skip rows whose text is in this file, such as earlier suggestions; may be repeated.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the rows, with a label column to fill in, to a .csv, .tsv, .jsonl, .parquet or .xlsx file.",
)
@file_job("optional", what="the file", writes_tables=True)
def command(
    job: Job, model: str | None, embedder: str | None, n: int, exclude: tuple[str, ...], output: str | None
) -> None:
    """Suggest rows of FILE to label next (active learning).

    FILE is a CSV, TSV, JSONL, Parquet or Excel file with a column of texts; - is standard input. Rows that
    already have a label are skipped. Suggested rows are those that the classifier is least sure of and that represent
    many similar rows, without near-duplicates; they are listed in the order in which to label them.
    """
    from embedclf.cli.models import find_model
    from embedclf.exploration.suggestions import suggest
    from embedclf.printing.explored import suggestion_lines

    model = find_model(model)
    job.check_places({"the model": model}, output=output)
    for path in exclude:
        job.check_places({"--exclude": path}, output=output)
    classifier = job.load(model, embedder)
    job.corpus, n_labelled = _without_labelled(job.read())
    job.corpus, n_excluded = _without(job.corpus, exclude, job.file)
    if job.is_dry():
        return
    label_column = job.corpus.label_column or job.file.usual.label
    label = {} if label_column in job.corpus.columns else {label_column: str}
    writer = job.writer(output, {**label, **_ADDED, **place_columns(job.corpus)}, for_review=True)
    vectors = job.embed()
    result = suggest(classifier, job.corpus.texts, n, vectors=vectors)
    if writer is not None:
        _write(writer, result, job.corpus, label_column)
    job.end_writing(output, len(result.rows))
    if len(result.rows) < min(n, result.n_texts):
        others = counted(result.n_texts - len(result.rows), "row")
        echo(f"No more suggestions: near-duplicates of these are left out ({others})", err=True)
    if job.as_json:
        shown = {"n_labelled": n_labelled, "n_excluded": n_excluded, **result.to_dict()}
        add_lines(shown["rows"], job.corpus)
        for row in shown["rows"]:
            del row["row"]  # it is an index into the unlabelled rows, not into the file
        job.print_json(shown)
    else:
        job.print_lines(suggestion_lines(result, job.corpus))
        if output is None:
            echo("To write them to a file for labelling, use --output FILE.", err=True)


def _all(number: int, thing: str) -> str:
    return f"its only {thing} is" if number == 1 else f"all {counted(number, thing)} are"


def _without_labelled(corpus: "Corpus") -> tuple["Corpus", int]:
    # An empty list of labels, or columns of 0 alone, says that a text has none.
    rows = [row for row in corpus.rows if not row.label and row.labels is None]
    n_labelled = len(corpus.rows) - len(rows)
    if not rows:
        raise DataError(
            f"{corpus.name}: nothing to suggest: {_all(n_labelled, 'row')} already labelled",
            source=corpus.name,
        )
    if n_labelled:
        echo(f"Skipped {counted(n_labelled, 'labelled row')}", err=True)
    return replace(corpus, rows=rows), n_labelled


def _without(corpus: "Corpus", exclude: tuple[str, ...], file: "FileOptions") -> tuple["Corpus", int]:
    """Leave out the rows whose text is in one of the files to exclude, and count them."""
    if not exclude:
        return corpus, 0
    texts = {
        text
        for path in exclude
        for text in read_texts(path, replace(file, label_column="label", skip_bad_rows=True)).texts
    }
    rows = [row for row in corpus.rows if row.text not in texts]
    n_excluded = len(corpus.rows) - len(rows)
    if not rows:
        raise DataError(
            f"{corpus.name}: nothing to suggest: {_all(n_excluded, 'row')} in the excluded files",
            source=corpus.name,
        )
    echo(f"Skipped {counted(n_excluded, 'row')} excluded by {', '.join(exclude)}", err=True)
    return replace(corpus, rows=rows), n_excluded


def _write(writer: "CorpusWriter", result: "Suggestions", corpus: "Corpus", label_column: str) -> None:
    has_labels = label_column in corpus.columns
    for one in result.rows:
        row = corpus.rows[one.row]
        if has_labels and label_column not in row.record:  # JSON objects may have different keys
            row = replace(row, record={**row.record, label_column: None}, source="")
        label: list[str | None] = [] if has_labels else [None]
        confidences = rounded_down(one.confidence), rounded_down(one.runner_up_confidence)
        values: list[str | float] = [one.predicted, confidences[0], one.runner_up, confidences[1], one.score]
        writer.write(row, [*label, *values, *place_values(one.row, corpus)])
