"""``embedclf recommend``."""

from typing import TYPE_CHECKING, Any

import click

from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.notices import place_columns, write_found
from embedclf.cli.screen import echo
from embedclf.cli.training_options import EmbeddingOptions, embedding_options
from embedclf.printing.explored import found
from embedclf.printing.tables import place_of, shortened, shown_label

if TYPE_CHECKING:
    from embedclf.exploration.recommendation import Recommendation


def _row(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """Take a line, or a file and a line, as messages show them: ``93``, ``:93``, ``tickets.csv:93``."""
    if value is None:
        return None
    file, _, line = value.rpartition(":")
    if not (line.isascii() and line.isdigit() and int(line)):
        raise click.BadParameter(f"{value!r} is not the line of a row, such as 93 or tickets.csv:93.")
    return file, int(line)


@click.command(
    "recommend",
    cls=Command,
    page="exploring.md#recommend",
    examples=[
        "embedclf recommend tickets.csv --row 93",
        'embedclf recommend tickets.csv --text "parcel never arrived" -k 10',
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--row",
    metavar="[FILE:]LINE",
    callback=_row,
    help="Line where the row starts; with several files, tickets.csv:93.",
)
@click.option("--text", help="Text to compare with, instead of a row.")
@click.option(
    "-k", metavar="N", type=click.IntRange(min=1), default=5, show_default=True, help="Number of rows to return."
)
@click.option(
    "-o", "--output", metavar="FILE", help="Write the rows found to a .csv, .tsv, .jsonl, .parquet or .xlsx file."
)
@embedding_options
@file_job("optional", writes_tables=True)
def command(
    job: Job, row: tuple[str, int] | None, text: str | None, k: int, output: str | None, embedding: EmbeddingOptions
) -> None:
    """Find rows of FILE that are similar to one row, or to a text, but different from each other.

    A row is identified by the line where it starts, as shown in messages; the header is line 1. Near-duplicates of it
    and of rows already shown are left out (cosine similarity of 0.95 or more). Several files with the same columns are
    read as one.
    """
    if (row is None) == (text is None):
        raise click.UsageError("Use either --row LINE or --text TEXT.")
    if row is not None and row[0] not in (job.datasets if len(job.datasets) > 1 else ("", *job.datasets)):
        raise click.UsageError(
            f"--row is in one of the files: name it too, such as --row {job.datasets[0]}:{row[1]}."
            if len(job.datasets) > 1
            else f"--row is in {job.datasets[0]}, not in {row[0]}."
        )
    from embedclf.exploration.recommendation import recommend
    from embedclf.exploration.retrieval import check_text

    if text is not None:
        check_text(text, "text")
    job.check_places(output=output)
    job.read()
    job.open(embedding)
    number = None if row is None else job.corpus.number_at(row[1], row[0])
    if job.is_dry([] if text is None else [text]):
        return
    writer = job.writer(output, {**place_columns(job.corpus), "similarity": float})
    vectors, of_text = job.embed_beside(text, "text")
    corpus = job.corpus
    if row is not None:
        number = corpus.number_at(row[1], row[0])  # again, since rows that the embedder rejected are gone
    result = recommend(
        corpus.texts, row=number, text=text, k=k, labels=corpus.labels, vectors=vectors, text_vector=of_text
    )
    write_found(writer, result.hits, corpus)
    job.end_writing(output, len(result.hits))
    if number is not None:
        label = f" ({shown_label(corpus.labels[number])})" if corpus.labels[number] else ""
        echo(f'Rows similar to {place_of(number, corpus)[0]}{label} "{shortened(result.text)}"', err=True)
    if len(result.hits) < k:
        echo(_why_no_more(result), err=True)
    if job.as_json:
        shown = result.to_dict()
        place: dict[str, Any] = {"line": None if number is None else corpus.lines[number]}
        if number is not None and corpus.files:
            place["file"] = corpus.file(number)
        job.print_json({**shown, **place}, shown["hits"])
    elif result.hits:
        job.print_lines(found(result.hits, corpus))


def _why_no_more(result: "Recommendation") -> str:
    n_others = result.n_texts - len(result.hits) - (result.row is not None)
    if not n_others:
        return "There are no other rows."
    others = "row is a near-duplicate" if n_others == 1 else f"{n_others:,} rows are near-duplicates"
    return f"The other {others}: not shown."
