"""``embedclf recommend``."""

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
from embedclf.cli.tables import found, shortened, shown_label
from embedclf.errors import EmbedclfError, TextError

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.exploration.recommendation import Recommendation


@click.command("recommend")
@click.argument("dataset")
@click.option("--row", "line", metavar="LINE", type=click.IntRange(min=1), help="The line at which the row starts.")
@click.option("--text", help="A text to go by, instead of a row.")
@click.option(
    "-k", metavar="N", type=click.IntRange(min=1), default=5, show_default=True, help="How many rows to find."
)
@embedding_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options("optional")
@embedder_options
def command(
    dataset: str,
    line: int | None,
    text: str | None,
    k: int,
    as_json: bool,
    embedding: EmbeddingOptions,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Find rows of DATASET that are like one of them, or like a text, and unlike each other.

    A row is named by the line at which it starts, the header being line 1, as messages name it. Near-copies of it, and
    of what is shown already, are left out: of a cosine similarity of 0.95 or more.
    """
    if (line is None) == (text is None):
        raise click.UsageError("Give either --row LINE or --text TEXT.")
    from embedclf.cli.costs import add_lines, read_and_embed
    from embedclf.cli.progress import ProgressBar
    from embedclf.exploration.recommendation import recommend
    from embedclf.exploration.retrieval import check_text

    if text is not None:
        check_text(text, "text")

    def number_of_row(corpus: "Corpus") -> int | None:
        return None if line is None else corpus.number_at(line)

    with ProgressBar() as bar:
        try:
            embedded = read_and_embed(
                dataset,
                embedding,
                file,
                asked,
                bar,
                also=[] if text is None else [text],
                check=number_of_row,
                as_json=as_json,
            )
        except TextError as error:
            raise EmbedclfError(f"the text cannot be embedded: {error.reasons[0]}") from error
    if embedded is None:
        return
    corpus, opened, vectors, of_text = embedded
    number = number_of_row(corpus)  # again: rows that the embedder refused are left out
    result = recommend(
        corpus.texts,
        row=number,
        text=text,
        k=k,
        labels=corpus.labels,
        vectors=vectors,
        text_vector=None if text is None else of_text[0],
    )
    if number is not None:
        label = f"{shown_label(corpus.labels[number])}: " if corpus.labels[number] else ""
        echo(f"Like {corpus.place(number)}  {label}{shortened(result.text)}", err=True)
    if len(result.hits) < k:
        echo(_why_no_more(result), err=True)
    if as_json:
        shown = result.to_dict()
        add_lines(shown["hits"], corpus)
        shown["line"] = line
        echo_json({**shown, "usage": opened.usage.to_dict()})
    elif result.hits:
        echo("\n".join(found(result.hits, corpus)))


def _why_no_more(result: "Recommendation") -> str:
    n_others = result.n_texts - len(result.hits) - (result.row is not None)
    if not n_others:
        return "There is no other row."
    others = "row is a near-copy" if n_others == 1 else f"{n_others:,} rows are near-copies"
    return f"The other {others} and left out."
