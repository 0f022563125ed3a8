"""``embedclf search``."""

from pathlib import Path

import click

from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.notices import place_columns, write_found
from embedclf.cli.training_options import EmbeddingOptions, embedding_options
from embedclf.printing.explored import found


@click.command(
    "search",
    cls=Command,
    page="exploring.md#search",
    examples=[
        'embedclf search tickets.csv "parcel never arrived"',
        'embedclf search tickets.csv "parcel never arrived" -k 20 --json',
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1)
@click.argument("text")
@click.option(
    "-k", metavar="N", type=click.IntRange(min=1), default=5, show_default=True, help="Number of rows to return."
)
@click.option(
    "-o", "--output", metavar="FILE", help="Write the rows found to a .csv, .tsv, .jsonl, .parquet or .xlsx file."
)
@embedding_options
@file_job("optional", writes_tables=True)
def command(job: Job, text: str, k: int, output: str | None, embedding: EmbeddingOptions) -> None:
    """Find the rows of FILE that are most similar to TEXT (in quotes).

    Several files with the same columns are read as one. Rows are sorted by cosine similarity. Rows with identical texts
    are all shown.
    """
    from embedclf.data.formats import is_data_file
    from embedclf.exploration.retrieval import check_text, search

    if not job.datasets or (is_data_file(text) and Path(text).exists()):
        file = text if is_data_file(text) else "FILE"
        raise click.UsageError(f'Name the file first, and what to search for last: embedclf search {file} "TEXT".')
    check_text(text, "query")
    job.check_places(output=output)
    job.read()
    job.open(embedding)
    if job.is_dry([text]):
        return
    writer = job.writer(output, {**place_columns(job.corpus), "similarity": float})
    vectors, of_query = job.embed_beside(text, "query")
    corpus = job.corpus
    result = search(corpus.texts, text, k, labels=corpus.labels, vectors=vectors, query_vector=of_query)
    write_found(writer, result.hits, corpus)
    job.end_writing(output, len(result.hits))
    if job.as_json:
        shown = result.to_dict()
        job.print_json(shown, shown["hits"])
    else:
        job.print_lines(found(result.hits, corpus))
