"""``embedclf cluster``."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

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
from embedclf.cli.tables import in_one_line, shortened
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.data.writer import CorpusWriter
    from embedclf.exploration.clustering import Cluster, Clustering


_WIDTH = 80
_LEAST_TEXT_WIDTH = 30
_COLUMN = "cluster"


@click.command("cluster")
@click.argument("file_name", metavar="FILE")
@click.option(
    "--clusters", metavar="N", type=click.IntRange(min=1), help="How many groups.  [default: as many as there seem]"
)
@click.option(
    "--output",
    metavar="FILE",
    help="Write the rows with the name of their group to a .csv, .tsv, .jsonl or .parquet file.",
)
@embedding_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options("optional")
@embedder_options
def command(
    file_name: str,
    clusters: int | None,
    output: str | None,
    as_json: bool,
    embedding: EmbeddingOptions,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Find groups of texts that are alike in FILE, to make labels of.

    Each group has its size, the words that set it apart, and its most central texts. Texts that fit nowhere are left
    out. Labels, if there are any, are not looked at.
    """
    from embedclf.cli.costs import add_lines, embed_and_tell, introduce, open_dataset, print_estimate
    from embedclf.cli.progress import ProgressBar
    from embedclf.data.atomic_file import check_places
    from embedclf.exploration.clustering import check_clusters, cluster

    check_places({"the file": file_name}, {"--output": output})
    with ExitStack() as stack:
        bar = stack.enter_context(ProgressBar())
        corpus, opened, reason = open_dataset(file_name, embedding, file, asked, bar)
        introduce(corpus, opened, reason)
        check_clusters(corpus.texts, clusters)
        if asked.dry_run:
            print_estimate(opened, corpus.texts, as_json=as_json)
            return
        writer = None if output is None else stack.enter_context(_writer(output, corpus, file))
        corpus, vectors = embed_and_tell(opened, corpus, bar, skip_bad_rows=file.skip_bad_rows)
        result = cluster(corpus.texts, clusters, vectors=vectors)
        if writer is not None:
            for row, name in zip(corpus.rows, result.names, strict=True):
                writer.write(row, [name])
    if output is not None:
        echo(f"Wrote {counted(len(corpus.rows), 'row')} to {output}", err=True)
    if as_json:
        shown = result.to_dict()
        for one in shown["clusters"]:
            add_lines(one["central"], corpus)
        add_lines(shown["texts"], corpus)
        echo_json({**shown, "usage": opened.usage.to_dict()})
    else:
        echo("\n".join(_lines(result, corpus)))


def _writer(path: str, corpus: "Corpus", file: FileOptions) -> "CorpusWriter":
    from embedclf.data.writer import CorpusWriter

    return CorpusWriter(
        path, corpus.columns, [_COLUMN], delimiter=file.delimiter, bom=corpus.has_bom, schema=corpus.schema
    )


def _lines(result: "Clustering", corpus: "Corpus") -> list[str]:
    lines = [line for one in result.clusters for line in [*_of_cluster(one, corpus), ""]]
    n, n_placed = len(corpus.rows), len(corpus.rows) - result.n_left_out
    fit = "fits" if result.n_left_out == 1 else "fit"
    return [
        *lines,
        f"{n_placed:,} of {counted(n, 'row')} in {counted(len(result.clusters), 'group')}; "
        f"{result.n_left_out:,} {fit} nowhere",
    ]


def _of_cluster(one: "Cluster", corpus: "Corpus") -> list[str]:
    from rich.cells import cell_len

    from embedclf.exploration.clustering import N_WORDS_OF_NAME

    line = f"{in_one_line(one.name)}  {counted(one.size, 'row')}"
    # What is not in the name already, as far as there is room.
    for number, word in enumerate(one.words[N_WORDS_OF_NAME:]):
        longer = f"{line}{', ' if number else ', also: '}{in_one_line(word)}"
        if cell_len(longer) > _WIDTH:
            break
        line = longer
    lines = [line]
    for central in one.central:
        place = f"  {corpus.place(central.row)}  "
        lines.append(place + shortened(central.text, max(_WIDTH - len(place), _LEAST_TEXT_WIDTH)))
    return lines
