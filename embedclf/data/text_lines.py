"""The standard input, whole or as one text a line."""

import codecs
import io
import sys
from collections.abc import Iterator
from typing import cast

from embedclf.data.rows import Row
from embedclf.errors import DataError
from embedclf.validation import text_fault


def accepting_bom(encoding: str) -> str:
    """Return an encoding that passes over a byte order mark at the start, in place of UTF-8."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def open_stdin() -> io.BufferedReader:
    """Return the standard input.

    Raises
    ------
    DataError
        If it is closed.
    """
    if sys.stdin is None:
        raise DataError("stdin: it is closed", source="stdin")
    return cast(io.BufferedReader, sys.stdin.buffer)


def read_lines(encoding: str = "utf-8") -> Iterator[Row]:
    """Read the standard input as one text a line.

    Raises
    ------
    DataError
        If it is not in this encoding.
    """
    number = 0
    try:
        for number, line in enumerate(_decoded_lines(encoding), 1):
            text = line.rstrip("\r\n")
            yield Row(number, {"text": text}, text, "", text_fault(text))
    except UnicodeError as error:
        raise DataError(
            f"stdin:{number + 1}: it is not {encoding} ({error}); give its encoding with --encoding",
            source="stdin",
            line=number + 1,
        ) from error


def _decoded_lines(encoding: str) -> Iterator[str]:
    if "\n".encode(encoding) == b"\n":
        # line by line, so that each is answered however the rest is encoded
        decode = codecs.getincrementaldecoder(accepting_bom(encoding))().decode
        # The last line may have no end, and then half a character.
        yield from (decode(line, not line.endswith(b"\n")) for line in open_stdin())
    else:
        file = io.TextIOWrapper(open_stdin(), encoding=encoding, newline="")
        yield from file
        file.detach()
