"""Options that several commands have."""

import codecs
import functools
from collections.abc import Callable
from typing import Any

import click

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
        "".encode(known.name)  # not every codec is one of text
    except LookupError:
        raise click.BadParameter(f"Python knows no encoding of text {value!r}", ctx, param) from None
    return value


def file_options(*, labelled: bool) -> Decorator:
    """Add the options that say how a file of texts is to be read."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        options = [
            click.option(
                "--text-column", metavar="NAME", default="text", show_default=True, help="Column of the texts."
            ),
            click.option(
                "--label-column", metavar="NAME", default="label", show_default=True, help="Column of the labels."
            ),
            click.option(
                "--delimiter", metavar="CHAR", callback=_delimiter, help="Between columns.  [default: by the extension]"
            ),
            click.option(
                "--encoding",
                metavar="NAME",
                default="utf-8",
                show_default=True,
                callback=_encoding,
                help="Of the file; a byte order mark is accepted.",
            ),
            click.option(
                "--skip-bad-rows", is_flag=True, help="Leave out rows that cannot be used, instead of stopping."
            ),
        ]
        if not labelled:
            options = [options[0], *options[2:4]]
        return functools.reduce(lambda function, option: option(function), reversed(options), command)

    return decorate


model_option = click.option(
    "-m",
    "--model",
    metavar="FILE",
    help="The trained classifier.  [default: $EMBEDCLF_MODEL, else the one trained last, else the only one in models/]",
)
