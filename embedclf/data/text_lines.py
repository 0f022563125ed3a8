"""Standard input, as bytes or as one text per line."""

import codecs
import io
import sys
from collections.abc import Iterator
from typing import cast

from embedclf.data.formats import check_encoding
from embedclf.data.rows import Row
from embedclf.errors import DataError
from embedclf.validation import text_fault


def accepting_bom(encoding: str) -> str:
    """Return the encoding; for UTF-8, the variant that skips a byte order mark at the start."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def open_stdin() -> io.BufferedReader:
    """Return standard input as a binary file.

    Raises
    ------
    DataError
        If it is closed.
    """
    if sys.stdin is None:
        raise DataError("stdin: standard input is closed", source="stdin")
    return cast(io.BufferedReader, sys.stdin.buffer)


def read_lines(encoding: str = "utf-8") -> Iterator[Row]:
    """Read standard input as one text per line.

    Raises
    ------
    DataError
        If it is not in this encoding.
    """
    check_encoding(encoding)
    number = 0
    try:
        for number, line in enumerate(_decoded_lines(encoding), 1):
            text = line.rstrip("\r\n")
            yield Row(number, {"text": text}, text, "", text_fault(text))
    except UnicodeError as error:
        raise DataError(
            f"stdin:{number + 1}: not valid {encoding} ({error}); set its encoding with --encoding",
            source="stdin",
            line=number + 1,
        ) from error


def _decoded_lines(encoding: str) -> Iterator[str]:
    if "\n".encode(encoding) == b"\n":
        # Decode line by line, so that each is processed whatever the encoding of the rest.
        decode = codecs.getincrementaldecoder(accepting_bom(encoding))().decode
        # A last line without a line break may end in the middle of a character.
        yield from (decode(line, not line.endswith(b"\n")) for line in open_stdin())
    else:
        file = io.TextIOWrapper(open_stdin(), encoding=encoding, newline="")
        yield from file
        file.detach()
