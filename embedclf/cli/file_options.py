"""Options for reading a file of texts, and the reading itself."""

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
    """Settings for reading a file of texts."""

    text_column: str
    delimiter: str | None
    encoding: str
    label_column: str | None = None
    needs_labels: bool = True
    skip_bad_rows: bool = False


def file_options(labels: Literal["needed", "optional", "none"]) -> Decorator:
    """Add the options for reading a file of texts; the command receives them as `file`."""
    options = {
        "text_column": click.option(
            "--text-column", metavar="NAME", default="text", show_default=True, help="Column with the texts."
        ),
        "label_column": click.option(
            "--label-column",
            metavar="NAME",
            default="label",
            show_default=True,
            help="Column with the labels." if labels == "needed" else "Column with the labels, if any.",
        ),
        "delimiter": click.option(
            "--delimiter", metavar="CHAR", callback=_delimiter, help="Column delimiter.  [default: by file extension]"
        ),
        "encoding": click.option(
            "--encoding",
            metavar="NAME",
            default="utf-8",
            show_default=True,
            callback=_encoding,
            help="File encoding; a byte order mark is accepted.",
        ),
        "skip_bad_rows": click.option(
            "--skip-bad-rows", is_flag=True, help="Skip rows that cannot be used instead of stopping."
        ),
    }
    if labels == "none":
        del options["label_column"], options["skip_bad_rows"]
    return collected("file", partial(FileOptions, needs_labels=labels == "needed"), options)


def read_texts(dataset: str, file: FileOptions) -> "Corpus":
    """Read a file with the given options, and list the rows that are skipped."""
    from embedclf.data.corpus import read_corpus

    corpus = read_corpus(dataset, **asdict(file))
    if corpus.skipped:
        show_left_out(corpus.name, corpus.skipped)
    return corpus


def _delimiter(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value in (r"\t", "tab"):
        return "\t"
    if value is not None and (len(value) != 1 or value in '"\r\n\0'):
        raise click.BadParameter(r"must be a single character, such as ';' or '\t'.", ctx, param)
    return value


def _encoding(ctx: click.Context, param: click.Parameter, value: str) -> str:
    try:
        known = codecs.lookup(value)
        "".encode(known.name)  # some codecs are not text encodings, and "undefined" always fails
        codecs.getincrementaldecoder(known.name)
    except (LookupError, UnicodeError):
        raise click.BadParameter(f"unknown text encoding {value!r}.", ctx, param) from None
    return value
