"""Options that several commands have."""

import codecs
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from embedclf.errors import counted, list_faults

if TYPE_CHECKING:
    from embedclf.corpus import Corpus
    from embedclf.embedding.cache import VectorCache

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _delimiter(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value in (r"\t", "tab"):
        return "\t"
    if value is not None and (len(value) != 1 or value in '"\r\n\0'):
        raise click.BadParameter(r"one character is needed, such as ';' or '\t'", ctx, param)
    return value


def _encoding(ctx: click.Context, param: click.Parameter, value: str) -> str:
    try:
        known = codecs.lookup(value)
        "".encode(known.name)  # not every codec is one of text, and one exists to fail
        codecs.getincrementaldecoder(known.name)
    except (LookupError, UnicodeError):
        raise click.BadParameter(f"Python knows no encoding of text {value!r}", ctx, param) from None
    return value


def _add(options: list[Decorator]) -> Decorator:
    return lambda command: functools.reduce(lambda function, option: option(function), reversed(options), command)


def file_options(*, labelled: bool) -> Decorator:
    """Add the options that say how a file of texts is to be read."""
    text_column = click.option(
        "--text-column", metavar="NAME", default="text", show_default=True, help="Column of the texts."
    )
    label_column = click.option(
        "--label-column", metavar="NAME", default="label", show_default=True, help="Column of the labels."
    )
    delimiter = click.option(
        "--delimiter", metavar="CHAR", callback=_delimiter, help="Between columns.  [default: by the extension]"
    )
    encoding = click.option(
        "--encoding",
        metavar="NAME",
        default="utf-8",
        show_default=True,
        callback=_encoding,
        help="Of the file; a byte order mark is accepted.",
    )
    skip = click.option(
        "--skip-bad-rows", is_flag=True, help="Leave out rows that cannot be used, instead of stopping."
    )
    if labelled:
        return _add([text_column, label_column, delimiter, encoding, skip])
    return _add([text_column, delimiter, encoding])


def read_labelled(dataset: str, **settings: Any) -> "Corpus":
    """Read a labelled file as the options say, and name the rows that are left out."""
    from embedclf.corpus import read_corpus

    corpus = read_corpus(dataset, **settings)
    if corpus.skipped:
        faults = list_faults(corpus.name, corpus.skipped)
        click.echo(f"Left out {counted(len(corpus.skipped), 'row')}:\n{faults}", err=True)
    return corpus


cache_dir_option = click.option(
    "--cache-dir",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Where vectors are kept.  [default: $EMBEDCLF_CACHE_DIR, else your cache folder]",
)

embedder_options = _add(
    [
        click.option(
            "--base-url",
            metavar="URL",
            help="Another OpenAI-compatible server for aimlapi.  [default: $AIMLAPI_BASE_URL, else AI/ML API]",
        ),
        click.option("--allow-http", is_flag=True, help="Allow a server that is not encrypted."),
        cache_dir_option,
        click.option("--no-cache", is_flag=True, help="Neither read nor keep vectors."),
    ]
)


def cache_of(cache_dir: str | None, no_cache: bool) -> "VectorCache | bool":
    """Give the cache that the options mean."""
    if no_cache and cache_dir is not None:
        raise click.UsageError("Give either --cache-dir or --no-cache.")
    if no_cache:
        return False
    from embedclf.embedding.cache import VectorCache

    return VectorCache(cache_dir)


model_option = click.option(
    "-m",
    "--model",
    metavar="FILE",
    help="The trained classifier.  [default: $EMBEDCLF_MODEL, else the one trained last, else the only one in models/]",
)
