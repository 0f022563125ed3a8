"""``embedclf cluster``."""

import click

from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.options import PageOptions, page_options, report_option
from embedclf.cli.screen import echo
from embedclf.cli.training_options import EmbeddingOptions, embedding_options
from embedclf.embedding.tasks import CLUSTERING


@click.command(
    "cluster",
    cls=Command,
    page="exploring.md#cluster",
    examples=[
        "embedclf cluster inbox.csv",
        "embedclf cluster inbox.csv -k 12 -o groups.csv",
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "-k", "--clusters", metavar="N", type=click.IntRange(min=1), help="Number of clusters.  [default: estimated]"
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the rows with the name of their cluster to a .csv, .tsv, .jsonl, .parquet or .xlsx file.",
)
@report_option
@page_options
@embedding_options
@file_job("optional", what="the file", writes_tables=True)
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
    from embedclf.printing.explored import cluster_lines

    job.check_places(output=output, report=report)
    job.read()
    job.open(embedding, usual_task=CLUSTERING)
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
    facts = {"data": facts_of_file(job.corpus), "embedder": job.embedder.spec.described}
    page.write(cluster_page, result, f"Clusters of {job.name}", places_in(job.corpus), **facts)
    if job.as_json:
        shown = result.to_dict()
        job.print_json(shown, *(one["central"] for one in shown["clusters"]), shown["texts"])
    else:
        job.print_lines(cluster_lines(result, job.corpus))
        if output is None:
            echo("To write each row with its cluster, use --output FILE.", err=True)
