"""``embedclf recommend``."""

from typing import TYPE_CHECKING

import click

from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.notices import FOUND, write_found
from embedclf.cli.screen import echo
from embedclf.cli.training_options import EmbeddingOptions, embedding_options
from embedclf.printing.explored import found
from embedclf.printing.tables import shortened, shown_label

if TYPE_CHECKING:
    from embedclf.exploration.recommendation import Recommendation


@click.command(
    "recommend",
    cls=Command,
    page="exploring.md#recommend",
    examples=[
        "embedclf recommend tickets.csv --row 93",
        'embedclf recommend tickets.csv --text "parcel never arrived" -k 10',
    ],
)
@click.argument("dataset", metavar="FILE")
@click.option("--row", "line", metavar="LINE", type=click.IntRange(min=1), help="Line where the row starts.")
@click.option("--text", help="Text to compare with, instead of a row.")
@click.option(
    "-k", metavar="N", type=click.IntRange(min=1), default=5, show_default=True, help="Number of rows to return."
)
@click.option("-o", "--output", metavar="FILE", help="Write the rows found to a .csv, .tsv, .jsonl or .parquet file.")
@embedding_options
@file_job("optional", writes_tables=True)
def command(
    job: Job, line: int | None, text: str | None, k: int, output: str | None, embedding: EmbeddingOptions
) -> None:
    """Find rows of FILE that are similar to one row, or to a text, but different from each other.

    A row is identified by the line where it starts, as shown in messages; the header is line 1. Near-duplicates of it
    and of rows already shown are left out (cosine similarity of 0.95 or more).
    """
    if (line is None) == (text is None):
        raise click.UsageError("Use either --row LINE or --text TEXT.")
    from embedclf.exploration.recommendation import recommend
    from embedclf.exploration.retrieval import check_text

    if text is not None:
        check_text(text, "text")
    job.check_places(output=output)
    job.read()
    job.open(embedding)
    number = None if line is None else job.corpus.number_at(line)
    if job.is_dry([] if text is None else [text]):
        return
    writer = job.writer(output, FOUND)
    vectors, of_text = job.embed_beside(text, "text")
    corpus = job.corpus
    if line is not None:
        number = corpus.number_at(line)  # again, since rows that the embedder rejected are gone
    result = recommend(
        corpus.texts, row=number, text=text, k=k, labels=corpus.labels, vectors=vectors, text_vector=of_text
    )
    write_found(writer, result.hits, corpus)
    job.end_writing(output, len(result.hits))
    if number is not None:
        label = f" ({shown_label(corpus.labels[number])})" if corpus.labels[number] else ""
        echo(f'Rows similar to :{line}{label} "{shortened(result.text)}"', err=True)
    if len(result.hits) < k:
        echo(_why_no_more(result), err=True)
    if job.as_json:
        shown = result.to_dict()
        job.print_json({**shown, "line": line}, shown["hits"])
    elif result.hits:
        job.print_lines(found(result.hits, corpus))


def _why_no_more(result: "Recommendation") -> str:
    n_others = result.n_texts - len(result.hits) - (result.row is not None)
    if not n_others:
        return "There are no other rows."
    others = "row is a near-duplicate" if n_others == 1 else f"{n_others:,} rows are near-duplicates"
    return f"The other {others}: not shown."
