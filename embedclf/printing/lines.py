"""Lines of output in a few styles, wrapped to the width of the terminal without breaking a word."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Style = Mapping[str, Any]
Piece = tuple[str, Style]
Line = str | Sequence[Piece]

PLAIN: Style = {}
HEADING: Style = {"bold": True}
RIGHT: Style = {"fg": "green"}
WRONG: Style = {"fg": "red"}
WARNING: Style = {"fg": "yellow"}
DIM: Style = {"dim": True}


def pieces_of(line: Line) -> Sequence[Piece]:
    """Return a line as styled pieces."""
    return [(line, PLAIN)] if isinstance(line, str) else line


def plain(line: Line) -> str:
    """Return a line without its styles."""
    return line if isinstance(line, str) else "".join(text for text, _ in line)


def heading(text: str) -> Line:
    """Return a heading."""
    return [(text, HEADING)]


def width_of(text: str) -> int:
    """Return the columns that a text takes: two for an ideograph, none for a combining accent."""
    from rich.cells import cell_len

    return cell_len(text)


def start_of(text: str, width: int) -> str:
    """Return as much of a text as fits into a width; an accent stays with its letter."""
    used = 0
    for place, character in enumerate(text):
        used += width_of(character)
        if used > width:
            return text[:place]
    return text


def cut(text: str, width: int) -> str:
    """Return a line of at most `width` columns, ended by `` …`` after its last whole word if it is longer."""
    if width_of(text) <= width:
        return text
    start = start_of(text, width - 2)
    if not text[len(start) :].startswith(" ") and len(whole := start.rpartition(" ")[0].rstrip()) >= len(start) // 2:
        return f"{whole} …"
    return f"{start.rstrip()} …"  # its end is one long word, or of a script that has no spaces


def without_middle(text: str, width: int) -> str:
    """Return a line of at most `width` columns; a longer one keeps both ends, where names differ."""
    if width_of(text) <= width:
        return text
    half = (width - 3) // 2
    return f"{start_of(text, half).rstrip()} … {start_of(text[::-1], half)[::-1].lstrip()}"


def wrapped(line: Line, width: int) -> Iterator[Line]:
    """Yield a line in parts of at most `width` columns, broken at spaces; all but the first are indented further.

    A word longer than a line, such as a path, is left whole: the terminal wraps it, and it can still be copied.
    """
    text = plain(line)
    if width_of(text) <= width:
        yield line
        return
    indent = min(len(text) - len(text.lstrip(" ")) + 2, width // 2)
    made: list[Piece] = []
    spaces: list[Piece] = []
    used = 0
    for word in _words(pieces_of(line)):
        size = sum(width_of(part) for part, _ in word)
        if word[0][0].startswith(" "):
            spaces = word
            continue
        space = sum(len(part) for part, _ in spaces)
        if made and used + space + size > width:
            yield made
            used = max(min(indent, width - size), 0)
            made = [(" " * used, PLAIN), *word]
        else:
            made, used = [*made, *spaces, *word], used + space
        spaces, used = [], used + size
    yield made


def _words(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Yield words and the spaces between them; a word may have several styles."""
    word: list[Piece] = []
    for text, style in pieces:
        for part in re.findall(" +|[^ ]+", text):
            if word and word[0][0].startswith(" ") != part.startswith(" "):
                yield word
                word = []
            word.append((part, style))
    if word:
        yield word
