"""What commands show: the one way to the terminal for everything that may hold somebody else's characters.

A file's name, a label, a server's answer or another library's error can hold what moves the cursor, renames the window
or turns the line around. All of it is shown as escapes here.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

# Control characters but for line breaks and tabs, and the invisible ones that change how others are shown: of
# direction, of lines, and of no width; half characters, too. Joiners stay, which scripts and emoji need.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_MOST_CHARACTERS = 2_000
_MOST_LINES = 100


def printable(text: str) -> str:
    """Write what a terminal could take for a command as an escape."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def as_message(text: str) -> str:
    """Write a message with escapes, and cut it where it is longer than anyone reads."""
    lines = text.split("\n")
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"… and {len(lines) - _MOST_LINES:,} more lines"]
    return "\n".join(map(_cut, map(printable, lines)))


def _cut(line: str) -> str:
    more = len(line) - _MOST_CHARACTERS
    return line if more <= 0 else f"{line[:_MOST_CHARACTERS]} … and {more:,} more characters"


def echo(text: str = "", *, err: bool = False) -> None:
    """Print a result on standard output, or a message on standard error."""
    click.echo(as_message(text) if err else printable(text), err=err)


def wants_colour() -> bool:
    """Return whether results go to a terminal whose user has not turned colours off (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def echo_styled(pieces: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Print a line of pieces on standard output, each with a style of its own, as `click.style` takes it."""
    click.echo("".join(click.style(printable(text), **style) if style else printable(text) for text, style in pieces))


def echo_json(value: Any) -> None:
    """Print a value as a line of JSON, in which escapes stand for the same characters."""
    click.echo(safe_json(json.dumps(value, ensure_ascii=False)))


def safe_json(text: str) -> str:
    """Replace what a terminal could take for a command by JSON's escapes, which leave the value as it is."""
    return _UNSAFE.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[at : at + 2]):04x}" for at in range(0, len(units), 2))


def confirm(question: str) -> None:
    """Ask on standard error, and abort the command unless the answer is yes."""
    click.confirm(as_message(question), abort=True, err=True)


@contextmanager
def clean_errors() -> Iterator[None]:
    """Clean the messages of the errors that are shown, click's own among them, which quote arguments."""
    try:
        yield
    except click.ClickException as error:
        said = error.format_message()
        if (cleaned := as_message(said)) == said:
            raise
        if isinstance(error, click.UsageError):
            raise click.UsageError(cleaned, error.ctx) from error
        raise click.ClickException(cleaned) from error
