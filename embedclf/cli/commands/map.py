"""``embedclf map``."""

from functools import partial

import click

from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.training_options import EmbeddingOptions, embedding_options


@click.command(
    "map",
    cls=Command,
    page="exploring.md#map",
    examples=[
        "embedclf map tickets.csv -o map.html",
        "embedclf map groups.csv -o map.html --label-column cluster",
    ],
)
@click.argument("dataset", metavar="FILE")
@click.option("-o", "--output", metavar="FILE", help="HTML file to write; not needed with --json.")
@embedding_options
@file_job("optional", json_help="Print one JSON object with the coordinates of each text.")
def command(job: Job, output: str | None, embedding: EmbeddingOptions) -> None:
    """Draw an interactive map of FILE as an HTML page, with similar texts near each other.

    Each text is a point in the colour of its label. Hover over a point to read its text; the page can be zoomed,
    searched and limited to one label. To colour by another column, such as a cluster, use --label-column.
    """
    from embedclf.exploration.projection import text_map
    from embedclf.pages.maps import map_page
    from embedclf.printing.explored import map_lines

    if output is None and not job.as_json and not job.asked.dry_run:
        raise click.UsageError("Missing --output FILE.html (or use --json for the coordinates only).")
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
    else:
        job.print_lines(map_lines(result))
