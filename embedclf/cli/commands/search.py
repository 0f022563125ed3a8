"""``embedclf search``."""

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
from embedclf.cli.tables import found
from embedclf.errors import EmbedclfError, TextError


@click.command("search")
@click.argument("dataset")
@click.argument("text")
@click.option(
    "-k", metavar="N", type=click.IntRange(min=1), default=5, show_default=True, help="How many rows to find."
)
@embedding_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options("optional")
@embedder_options
def command(
    dataset: str,
    text: str,
    k: int,
    as_json: bool,
    embedding: EmbeddingOptions,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Find the rows of DATASET that are nearest to TEXT, which is given in quotes.

    The nearest by cosine similarity come first. Equal texts are rows of their own, and each is shown.
    """
    from embedclf.cli.costs import add_lines, read_and_embed
    from embedclf.cli.progress import ProgressBar
    from embedclf.exploration.retrieval import check_text, search

    check_text(text, "query")
    with ProgressBar() as bar:
        try:
            embedded = read_and_embed(dataset, embedding, file, asked, bar, also=[text], as_json=as_json)
        except TextError as error:
            raise EmbedclfError(f"the query cannot be embedded: {error.reasons[0]}") from error
    if embedded is None:
        return
    corpus, opened, vectors, of_query = embedded
    result = search(corpus.texts, text, k, labels=corpus.labels, vectors=vectors, query_vector=of_query[0])
    if as_json:
        shown = result.to_dict()
        add_lines(shown["hits"], corpus)
        echo_json({**shown, "usage": opened.usage.to_dict()})
    else:
        echo("\n".join(found(result.hits, corpus)))
