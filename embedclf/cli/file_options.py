"""Options that say how a file of texts is to be read, and reading it so."""

import codecs
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import click

from embedclf.cli.notices import show_left_out
from embedclf.cli.options import Decorator, collected

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus


@dataclass(frozen=True)
class FileOptions:
    """How a file of texts is to be read."""

    text_column: str
    delimiter: str | None
    encoding: str
    label_column: str | None = None
    needs_labels: bool = True
    skip_bad_rows: bool = False


def file_options(labels: Literal["needed", "optional", "none"]) -> Decorator:
    """Add the options that say how a file of texts is to be read; the command gets them as `file`."""
    options = {
        "text_column": click.option(
            "--text-column", metavar="NAME", default="text", show_default=True, help="Column of the texts."
        ),
        "label_column": click.option(
            "--label-column",
            metavar="NAME",
            default="label",
            show_default=True,
            help="Column of the labels." if labels == "needed" else "Column of the labels, if there are any.",
        ),
        "delimiter": click.option(
            "--delimiter", metavar="CHAR", callback=_delimiter, help="Between columns.  [default: by the extension]"
        ),
        "encoding": click.option(
            "--encoding",
            metavar="NAME",
            default="utf-8",
            show_default=True,
            callback=_encoding,
            help="Of the file; a byte order mark is accepted.",
        ),
        "skip_bad_rows": click.option(
            "--skip-bad-rows", is_flag=True, help="Leave out rows that cannot be used, instead of stopping."
        ),
    }
    if labels == "none":
        del options["label_column"], options["skip_bad_rows"]
    return collected("file", partial(FileOptions, needs_labels=labels == "needed"), options)


def read_texts(dataset: str, file: FileOptions) -> "Corpus":
    """Read a file as the options say, and name the rows that are left out."""
    from embedclf.data.corpus import read_corpus

    corpus = read_corpus(dataset, **asdict(file))
    if corpus.skipped:
        show_left_out(corpus.name, corpus.skipped)
    return corpus


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
