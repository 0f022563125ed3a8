"""Short names of labels for charts."""

import unicodedata
from collections.abc import Sequence

MOST_IN_NAME = 26
"""Maximum width of a shortened name, in characters; wide characters count twice."""


def distinct_names(names: Sequence[str]) -> list[str]:
    """Return the names, each on one line, shortened and made unique."""
    shown: dict[str, None] = {}
    for name in names:
        line = in_one_line(name)
        short, number = shortened(line, MOST_IN_NAME), 1
        while short in shown:
            number += 1
            short = f"{shortened(line, MOST_IN_NAME - len(f' ({number})'))} ({number})"
        shown[short] = None
    return list(shown)


def capitalized(name: str) -> str:
    """Return the name of a metric as a title: ``Micro-F1``."""
    return f"{name[0].upper()}{name[1:]}"


def in_one_line(name: str) -> str:
    """Return a name on one line, without characters that are invisible or turn the direction of the text."""
    # The zero-width joiner joins emoji.
    return " ".join("".join(c if c.isprintable() or c == "\u200d" else " " for c in name).split())


def shortened(name: str, width: int) -> str:
    """Return a name, without its middle if it is too long, since names often differ at the end."""
    widths = [2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in name]
    if sum(widths) <= width:
        return name
    start, end, room = 0, len(name), width - 1
    while room >= (nearer := widths[start] if start <= len(name) - end else widths[end - 1]):
        start, end = (start + 1, end) if start <= len(name) - end else (start, end - 1)
        room -= nearer
    return f"{name[:start]}…{name[end:]}"
