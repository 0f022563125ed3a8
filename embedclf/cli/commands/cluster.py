"""``embedclf cluster``."""

from functools import partial
from typing import TYPE_CHECKING

import click

from embedclf.cli.job import Job, file_job
from embedclf.cli.options import PageOptions, page_options, report_option
from embedclf.cli.tables import in_one_line, shortened
from embedclf.cli.training_options import EmbeddingOptions, embedding_options
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.exploration.clustering import Cluster, Clustering


_WIDTH = 80
_LEAST_TEXT_WIDTH = 30


@click.command("cluster")
@click.argument("dataset", metavar="FILE")
@click.option("--clusters", metavar="N", type=click.IntRange(min=1), help="Number of clusters.  [default: estimated]")
@click.option(
    "--output",
    metavar="FILE",
    help="Write the rows with the name of their cluster to a .csv, .tsv, .jsonl or .parquet file.",
)
@report_option
@page_options
@embedding_options
@file_job("optional", what="the file")
def command(
    job: Job,
    clusters: int | None,
    output: str | None,
    report: str | None,
    about: PageOptions,
    embedding: EmbeddingOptions,
) -> None:
    """Cluster the texts of FILE to discover labels.

    Each cluster is shown with its size, its distinctive words and its most central texts. Texts that fit no cluster are
    left unassigned. Existing labels are ignored.
    """
    from embedclf.cli.pages import facts_of_file, places_in
    from embedclf.exploration.clustering import check_clusters, cluster
    from embedclf.pages.clusters import cluster_page

    job.check_places(output=output, report=report)
    job.read()
    job.open(embedding)
    check_clusters(job.corpus.texts, clusters)
    if job.is_dry():
        return
    page, writer = job.page(report, about), job.writer(output, ["cluster"])
    vectors = job.embed()
    result = cluster(job.corpus.texts, clusters, vectors=vectors)
    if writer is not None:
        for row, name in zip(job.corpus.rows, result.names, strict=True):
            writer.write(row, [name])
    job.end_writing(output, len(job.corpus.rows))
    facts = {"data": facts_of_file(job.corpus), "embedder": str(job.embedder.spec)}
    make = partial(cluster_page, texts=job.corpus.texts, place=places_in(job.corpus))
    page.write(make, result, f"Clusters of {job.name}", **facts)
    if job.as_json:
        shown = result.to_dict()
        job.print_json(shown, *(one["central"] for one in shown["clusters"]), shown["texts"])
    else:
        job.print_lines(_lines(result, job.corpus))


def _lines(result: "Clustering", corpus: "Corpus") -> list[str]:
    lines = [line for one in result.clusters for line in [*_of_cluster(one, corpus), ""]]
    n, n_placed = len(corpus.rows), len(corpus.rows) - result.n_left_out
    return [
        *lines,
        f"{counted(len(result.clusters), 'cluster')}; {n_placed:,} of {counted(n, 'row')} assigned, "
        f"{result.n_left_out:,} unassigned",
    ]


def _of_cluster(one: "Cluster", corpus: "Corpus") -> list[str]:
    from rich.cells import cell_len

    from embedclf.exploration.clustering import N_WORDS_OF_NAME

    line = f"{in_one_line(one.name)}  {counted(one.size, 'row')}"
    # Add words that are not in the name, as far as they fit.
    for number, word in enumerate(one.words[N_WORDS_OF_NAME:]):
        longer = f"{line}{', ' if number else ' · '}{in_one_line(word)}"
        if cell_len(longer) > _WIDTH:
            break
        line = longer
    lines = [line]
    for central in one.central:
        place = f"  {corpus.place(central.row)}  "
        lines.append(place + shortened(central.text, max(_WIDTH - len(place), _LEAST_TEXT_WIDTH)))
    return lines
