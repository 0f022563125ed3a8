"""``embedclf map``."""

from pathlib import Path

import click

from embedclf.cli.options import (
    EmbedderOptions,
    EmbeddingOptions,
    FileOptions,
    embedder_options,
    embedding_options,
    file_options,
)
from embedclf.cli.screen import echo, echo_json
from embedclf.cli.tables import percent
from embedclf.errors import OutputError
from embedclf.formatting import counted


@click.command("map")
@click.argument("dataset")
@click.option("--output", metavar="FILE", help="Where the page goes, an .html file; not needed with --json.")
@embedding_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with the place of each text.")
@file_options("optional")
@embedder_options
def command(
    dataset: str,
    output: str | None,
    as_json: bool,
    embedding: EmbeddingOptions,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Draw the texts of DATASET on a page, those that are alike near each other.

    Each text is a point of its label's colour. The page shows a text when its point is pointed at, singles a label out,
    and can be zoomed and searched. Name another column to colour by, such as a cluster, with --label-column.
    """
    from embedclf.cli.costs import add_lines, read_and_embed
    from embedclf.cli.progress import ProgressBar
    from embedclf.data.atomic_file import AtomicFile, check_places
    from embedclf.exploration.projection import N_NEAREST, text_map
    from embedclf.pages.maps import map_page

    if output is None and not as_json and not asked.dry_run:
        raise click.UsageError("Give --output FILE.html for the page, or --json for the places alone.")
    check_places({"the dataset": dataset}, {"--output": output})
    if output is not None:
        if Path(output).suffix.lower() not in (".html", ".htm"):
            raise OutputError(f"cannot write {output}: a page is an .html file", path=output)
        AtomicFile(output).discard()
    with ProgressBar() as bar:
        done = read_and_embed(dataset, embedding, file, asked, bar, as_json=as_json)
    if done is None:
        return
    corpus, opened, vectors, _ = done
    result = text_map(corpus.texts, corpus.labels, vectors=vectors)
    name = Path(corpus.name).name
    if output is not None:
        page = map_page(result, f"Map: {opened.spec} on {name}", source=name, lines=corpus.lines)
        with AtomicFile(output) as opened_file:
            # The name of a file may hold bytes that are no letters.
            opened_file.write(page.encode(errors="backslashreplace"))
        echo(f"Wrote {output}", err=True)
    if as_json:
        shown = result.to_dict()
        add_lines(shown["points"], corpus)
        echo_json({**shown, "usage": opened.usage.to_dict()})
        return
    echo(f"{counted(len(result.texts), 'text')}, placed by {result.method}")
    if result.neighbours_kept is not None:
        echo(
            f"Of each text's {N_NEAREST} nearest, {percent(result.neighbours_kept)} are among its {N_NEAREST} nearest "
            "on the map."
        )
