"""``embedclf suggest``."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from embedclf.cli.job import Job, file_job
from embedclf.cli.lines import PLAIN, Line, heading
from embedclf.cli.options import embedder_again_option, model_option
from embedclf.cli.screen import echo
from embedclf.cli.tables import add_lines, place_of, shortened, shown_label
from embedclf.errors import DataError
from embedclf.formatting import counted, rounded_down, shown_confidence

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.data.writer import CorpusWriter
    from embedclf.exploration.suggestions import Suggestion, Suggestions


@click.command("suggest")
@click.argument("dataset", metavar="UNLABELLED")
@model_option
@embedder_again_option
@click.option(
    "-n", "n", metavar="N", type=click.IntRange(min=1), default=20, show_default=True, help="Number of rows to suggest."
)
@click.option(
    "--output",
    metavar="FILE",
    help="Write the rows, with a label column to fill in, to a .csv, .tsv, .jsonl or .parquet file.",
)
@file_job("optional", what="the file")
def command(job: Job, model: str | None, embedder: str | None, n: int, output: str | None) -> None:
    """Suggest rows of UNLABELLED to label next (active learning).

    UNLABELLED is a CSV, TSV (.tsv) or JSONL (.jsonl) file with a column of texts; - is standard input. Rows that
    already have a label are skipped. Suggested rows are those that the classifier is least sure of and that represent
    many similar rows, without near-duplicates; they are listed in the order in which to label them.
    """
    from embedclf.cli.models import find_model
    from embedclf.exploration.suggestions import suggest

    model = find_model(model)
    job.check_places({"the model": model}, output=output)
    classifier = job.load(model, embedder)
    job.corpus, n_labelled = _without_labelled(job.read())
    if job.is_dry():
        return
    label_column = str(job.file.label_column)
    label = {} if label_column in job.corpus.columns else {label_column: str}
    writer = job.writer(output, {**label, "predicted_label": str, "confidence": float})
    vectors = job.embed()
    result = suggest(classifier, job.corpus.texts, n, vectors=vectors)
    if writer is not None:
        _write(writer, result, job.corpus, label_column)
    job.end_writing(output, len(result.rows))
    if len(result.rows) < min(n, result.n_texts):
        others = counted(result.n_texts - len(result.rows), "row")
        echo(f"No more suggestions: near-duplicates of these are left out ({others})", err=True)
    if job.as_json:
        shown = {"n_labelled": n_labelled, **result.to_dict()}
        add_lines(shown["rows"], job.corpus)
        for row in shown["rows"]:
            del row["row"]  # it is an index into the unlabelled rows, not into the file
        job.print_json(shown)
    else:
        job.print_lines(_lines(result, job.corpus))


def _without_labelled(corpus: "Corpus") -> tuple["Corpus", int]:
    rows = [row for row in corpus.rows if not row.label]
    n_labelled = len(corpus.rows) - len(rows)
    if not rows:
        raise DataError(
            f"{corpus.name}: nothing to suggest, all rows are labelled ({n_labelled:,})",
            source=corpus.name,
        )
    if n_labelled:
        echo(f"Skipped {counted(n_labelled, 'labelled row')}", err=True)
    return replace(corpus, rows=rows), n_labelled


def _write(writer: "CorpusWriter", result: "Suggestions", corpus: "Corpus", label_column: str) -> None:
    has_labels = label_column in corpus.columns
    for one in result.rows:
        row = corpus.rows[one.row]
        if has_labels and label_column not in row.record:  # JSON objects may have different keys
            row = replace(row, record={**row.record, label_column: None}, source="")
        label: list[str | None] = [] if has_labels else [None]
        writer.write(row, [*label, one.predicted, rounded_down(one.confidence)])


def _lines(result: "Suggestions", corpus: "Corpus") -> list[Line]:
    number = counted(len(result.rows), "row")
    lines: list[Line] = [heading(f"{number} of {corpus.name} to label next, of {result.n_texts:,} without a label:")]
    for one in result.rows:
        lines.append([("  ", PLAIN), place_of(one.row, corpus), (f"  {_labels(one)}", PLAIN)])
        lines.append(f"    {shortened(one.text, beside=4)}")
    return lines


def _labels(one: "Suggestion") -> str:
    return (
        f"{shown_label(one.predicted)} ({shown_confidence(one.confidence)}) or "
        f"{shown_label(one.runner_up)} ({shown_confidence(one.runner_up_confidence)})"
    )
