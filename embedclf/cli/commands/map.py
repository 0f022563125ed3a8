"""``embedclf map``."""

from functools import partial

import click

from embedclf.cli.job import Job, file_job
from embedclf.cli.tables import percent
from embedclf.cli.training_options import EmbeddingOptions, embedding_options
from embedclf.formatting import counted


@click.command("map")
@click.argument("dataset")
@click.option("--output", metavar="FILE", help="Where the page goes, an .html file; not needed with --json.")
@embedding_options
@file_job("optional", json_help="Print one JSON object, with the place of each text.")
def command(job: Job, output: str | None, embedding: EmbeddingOptions) -> None:
    """Draw the texts of DATASET on a page, those that are alike near each other.

    Each text is a point of its label's colour. The page shows a text when its point is pointed at, singles a label out,
    and can be zoomed and searched. Name another column to colour by, such as a cluster, with --label-column.
    """
    from embedclf.exploration.projection import N_NEAREST, text_map
    from embedclf.pages.maps import map_page

    if output is None and not job.as_json and not job.asked.dry_run:
        raise click.UsageError("Give --output FILE.html for the page, or --json for the places alone.")
    job.check_places(output=output)
    page = job.page(output, charts=False)
    job.read()
    job.open(embedding)
    if job.is_dry():
        return
    vectors = job.embed()
    corpus = job.corpus
    result = text_map(corpus.texts, corpus.labels, vectors=vectors)
    make = partial(map_page, source=job.name, lines=corpus.lines)
    page.write(make, result, f"Map: {job.embedder.spec} on {job.name}")
    if job.as_json:
        shown = result.to_dict()
        job.print_json(shown, shown["points"])
        return
    lines = [f"{counted(len(result.texts), 'text')}, placed by {result.method}"]
    if result.neighbours_kept is not None:
        lines.append(
            f"Of each text's {N_NEAREST} nearest, {percent(result.neighbours_kept)} are among its {N_NEAREST} nearest "
            "on the map."
        )
    job.print_lines(lines)
