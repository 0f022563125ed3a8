"""Standard input as one text per line."""

import codecs
import io
from collections.abc import Iterator

from embedclf.data.compression import unpacked
from embedclf.data.damaged_lines import (
    ERRORS,
    DamagedLines,
    encoding_advice,
    is_damaged_only,
    shown_encoding,
    undamaged,
)
from embedclf.data.formats import FormatError, WrongEncodingError, check_encoding
from embedclf.data.open_file import accepting_bom, open_stdin
from embedclf.data.rows import Row
from embedclf.errors import DataError
from embedclf.validation import text_fault

_MOST_SEEN = 1 << 16


def read_lines(encoding: str = "utf-8") -> Iterator[Row]:
    """Read standard input as one text per line.

    Raises
    ------
    DataError
        If it is not in this encoding.
    """
    check_encoding(encoding)
    number = 0
    damaged = DamagedLines(encoding)
    try:
        for number, line in enumerate(damaged.watch(_decoded_lines(encoding)), 1):
            text = line.rstrip("\r\n")
            fault = damaged.fault_of(number, [text]) or text_fault(text)
            text = undamaged(text)
            yield Row(number, {"text": text}, text, "", fault)
    except WrongEncodingError as error:
        raise DataError(f"stdin:{number + 1}: {error.problem}", source="stdin", line=number + 1) from error
    except FormatError as error:
        raise DataError(f"stdin: {error.problem}", source="stdin") from error
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
        seen = bytearray()
        for line in _unpacked_stdin():
            seen = (seen if len(seen) < _MOST_SEEN else bytearray()) + (b"" if line.isascii() else line)
            try:
                # A last line without a line break may end in the middle of a character.
                yield decode(line, not line.endswith(b"\n"))
            except UnicodeDecodeError:
                if not is_damaged_only(bytes(seen), encoding):
                    problem = f"not valid {shown_encoding(encoding)}. {encoding_advice(line, encoding)}"
                    raise WrongEncodingError(problem) from None
                yield line.decode(encoding, ERRORS)
    else:
        file = io.TextIOWrapper(_unpacked_stdin(), encoding=encoding, newline="")
        yield from file
        file.detach()


def _unpacked_stdin() -> io.BufferedReader:
    file = open_stdin()
    # What a program puts in its place need not be a file that can be looked into.
    return unpacked(file) if isinstance(file, io.BufferedReader) else file
