"""Cutting a text that is longer than a model takes."""

import re
from collections.abc import Iterator

_SPACE = rb"(?:\s|%s)" % "|".join("\u00a0\u2002\u2003\u2009\u2028\u2029\u3000").encode()
# In order of preference: the end of a paragraph, of a line, of a sentence, of a word.
_BORDERS = [
    re.compile(pattern)
    for pattern in (
        rb"\n\s*\n\s*",
        rb"\n\s*",
        rb"[.!?][\"')\]]*%s+|(?:%s)+" % (_SPACE, "|".join("。！？｡").encode()),
        rb"%s+" % _SPACE,
    )
]


def cut(text: str, n_bytes: int) -> Iterator[str]:
    """Cut a text into pieces of at most so many UTF-8 bytes, at the end of sentences or words where it has any.

    A border is looked for in the second half of a piece, so that pieces do not get small. Joined, the pieces are the
    text.
    """
    rest = text.encode()
    while len(rest) > n_bytes:
        end = _border(rest[:n_bytes], n_bytes // 2) or n_bytes
        while rest[end] & 0b1100_0000 == 0b1000_0000:  # inside a character
            end -= 1
        yield rest[:end].decode()
        rest = rest[end:]
    yield rest.decode()


def _border(piece: bytes, least: int) -> int | None:
    for border in _BORDERS:
        ends = [match.end() for match in border.finditer(piece, least)]
        if ends:
            return ends[-1]
    return None
