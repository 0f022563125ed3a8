"""The only way to the terminal for anything that may contain untrusted characters.

A file name, a label, a server's response or another library's error may contain sequences that move the cursor, rename
the window or reverse the line. They are shown as escapes here.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from embedclf.formatting import to_json
from embedclf.printing.lines import Line, pieces_of, plain, wrapped
from embedclf.printing.width import columns

# Control characters except line breaks and tabs; invisible characters that change how others are shown (direction,
# line separators, zero width); and lone surrogates. Joiners are kept since scripts and emoji need them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_MOST_CHARACTERS = 2_000
_MOST_LINES = 100
_ERROR = "Error: "  # click puts it in front of the message of an error


def printable(text: str) -> str:
    """Return a text with everything a terminal could interpret as a command escaped."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def as_message(text: str) -> str:
    """Return a message with escapes, cut to a readable length."""
    lines = text.split("\n")
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"… {len(lines) - _MOST_LINES:,} more lines"]
    return "\n".join(map(_cut, map(printable, lines)))


def _cut(line: str) -> str:
    more = len(line) - _MOST_CHARACTERS
    return line if more <= 0 else f"{line[:_MOST_CHARACTERS]} … {more:,} more characters"


def echo(text: str = "", *, err: bool = False, as_is: bool = False) -> None:
    """Print a result to stdout, or a message to stderr; on a terminal wrapped to its width, unless `as_is`."""
    if not err:
        click.echo(fitted(printable(text)))
    else:
        click.echo(as_message(text) if as_is else fitted(as_message(text), err=True), err=True)


def fitted(text: str, *, err: bool = False) -> str:
    """Return a text with its lines wrapped to the width of the terminal; unchanged if there is none."""
    if (width := columns(err=err)) is None:
        return text
    return "\n".join(plain(part) for line in text.split("\n") for part in wrapped(line, width))


def wants_colour(*, err: bool = False) -> bool:
    """Return whether stdout (or stderr) is a terminal and colours are not turned off (https://no-color.org)."""
    is_terminal = (sys.stderr if err else sys.stdout).isatty()
    return is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def echo_lines(lines: Iterable[Line], *, err: bool = False) -> None:
    """Print a result to stdout, or lines to stderr; on a terminal in colour, and wrapped to its width."""
    width, coloured = columns(err=err), wants_colour(err=err)
    for line in lines:
        safe = _safe(line)
        for part in [safe] if width is None else wrapped(safe, width):
            click.echo(_styled(part, coloured=coloured).rstrip(" "), err=err)


def echo_over(line: Line, spaces: int = 0, back: str | None = None) -> None:
    """Write over the line of stderr that the cursor is in, and let the cursor stay there.

    Nothing but spaces and carriage returns is used for that, which every terminal knows.

    Parameters
    ----------
    line : Line
    spaces : int
        How many to write behind it.
    back : str, optional
        Its beginning, behind which the cursor is to be; None for the end.
    """
    shown = _styled(_safe(line), coloured=wants_colour(err=True))
    behind = "" if back is None else f"\r{printable(back)}"
    click.echo(f"\r{shown}{' ' * spaces}{behind}", err=True, nl=False)


def _safe(line: Line) -> Line:
    return [(printable(text), style) for text, style in pieces_of(line)]


def _styled(line: Line, *, coloured: bool) -> str:
    return "".join(click.style(text, **style) if style and coloured else text for text, style in pieces_of(line))


def echo_json(value: Any) -> None:
    """Print a value as one line of JSON; unsafe characters are JSON escapes."""
    click.echo(safe_json(to_json(value)))


def safe_json(text: str) -> str:
    """Replace everything a terminal could interpret as a command by JSON escapes, which keep the value the same."""
    return _UNSAFE.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[at : at + 2]):04x}" for at in range(0, len(units), 2))


def confirm(question: str) -> None:
    """Ask on stderr, and abort the command unless the answer is yes."""
    click.confirm(as_message(question), abort=True, err=True)


@contextmanager
def clean_errors() -> Iterator[None]:
    """Escape the messages of errors before they are shown; click's own quote arguments."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:  # it is the help, which fits the terminal already
        raise
    except click.ClickException as error:
        said = error.format_message()
        if (cleaned := fitted(f"{_ERROR}{as_message(said)}", err=True).removeprefix(_ERROR)) == said:
            raise
        if isinstance(error, click.UsageError):
            raise click.UsageError(cleaned, error.ctx) from error
        raise click.ClickException(cleaned) from error
