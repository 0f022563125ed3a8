"""An open file of texts, or standard input: its bytes, its lines, and what is wrong with it as a whole."""

import codecs
import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from embedclf.data.atomic_file import STDIN, Place
from embedclf.data.compression import unpacked, unpacked_start
from embedclf.data.damaged_lines import ERRORS, DamagedLines, encoding_advice, shown_encoding, utf8_line
from embedclf.data.foreign_files import LONGEST, ZIP_MAGIC, binary_problem, foreign_problem
from embedclf.data.formats import FormatError
from embedclf.data.parquet_types import MAGIC, ParquetError
from embedclf.data.plain_file import meant
from embedclf.data.sampled_file import SampledFile, sample_of
from embedclf.errors import DataError

logger = logging.getLogger(__name__)

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_AT_FIRST = 64


def usual_encoding(place: Place) -> str:
    """Return UTF-8, or the UTF-16 that spreadsheets write as Unicode text if a file starts with its mark."""
    with suppress(OSError, ValueError, FormatError):
        if Path(place).is_file() and unpacked_start(Path(place), 2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
    return "utf-8"


class OpenFile:
    """An open file of texts, whose lines can be iterated over once.

    Parameters
    ----------
    place : str or Path
        ``-`` is standard input.
    encoding : str
        A byte order mark is accepted.

    Attributes
    ----------
    name : str
        Name of the file in messages.
    path : Path or None
        None for standard input.
    binary : binary file
        The file as bytes, unpacked.
    is_packed : bool
        Whether it was packed, with gzip or Zstandard.
    start : bytes
        The first of them, `LONGEST` or more unless the file is shorter.
    has_bom : bool
        Whether it starts with a UTF-8 byte order mark.
    damaged : DamagedLines
        What was noticed of damage in `lines`.

    Raises
    ------
    DataError
        If the file does not exist, is none of texts, or is plainly not in this encoding.
    """

    def __init__(self, place: Place, encoding: str) -> None:
        is_stdin = os.fspath(place) == STDIN
        self.name = "stdin" if is_stdin else os.fspath(place)
        self.path = None if is_stdin else Path(place)
        self._encoding = encoding
        self._file = self._open()
        try:
            with self.as_data_errors():
                self.binary = unpacked(self._file)
                self.is_packed = self.binary is not self._file
                self.start = self.binary.peek(LONGEST)
                problem = foreign_problem(self.start, self.path) or _encoding_problem(self.start, encoding)
            if problem is not None:
                raise self.error(problem)
        except DataError:
            if self.path is not None:
                self._file.close()
            raise
        self.has_bom = self.start.startswith(codecs.BOM_UTF8)
        self._sampled = None if self.path is not None and self.binary.seekable() else SampledFile(self.binary)
        self._text = io.TextIOWrapper(
            cast(BinaryIO, self._sampled or self.binary), encoding=accepting_bom(encoding), errors=ERRORS, newline=""
        )
        self.damaged = DamagedLines(encoding, self._sample)
        self._warn_of_utf8()

    def _open(self) -> io.BufferedReader:
        if self.path is None:
            return open_stdin()
        try:
            if self.path.is_dir():
                raise self.error("is a folder; expected a file of texts")
            return self.path.open("rb")
        except FileNotFoundError:
            if self.path.is_symlink():
                target = str(self.path.readlink())
                advice = ": fetch it with git annex get" if "/annex/objects/" in target else ""
                raise self.error(f"is a link to {target}, which is not there{advice}") from None
            raise self.error(f"file not found{meant(self.path)}") from None
        except OSError as error:
            raise self.error(f"cannot be read ({error.strerror})") from error

    def lines(self) -> Iterator[str]:
        """Iterate over the lines, decoded with `ERRORS`, and notice which are damaged."""
        return self.damaged.watch(self._text)

    @property
    def share_read(self) -> float | None:
        """The share of the bytes that has been read, from 0 to 1; None if their number is unknown."""
        if self.path is None or not self._file.seekable():
            return None
        return self._file.tell() / max(os.fstat(self._file.fileno()).st_size, 1)

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self.path is None:
            self._text.detach()
        else:
            self._text.close()
            self.binary.close()
            self._file.close()

    def error(self, problem: str, line: int | None = None) -> DataError:
        """Return the error of what is wrong with the file, or with one of its lines."""
        where = self.name if line is None else f"{self.name}:{line}"
        return DataError(f"{where}: {problem}", source=self.name, line=line)

    @contextmanager
    def as_data_errors(self) -> Iterator[None]:
        """Raise what goes wrong while the file is read as a `DataError` that names it."""
        try:
            yield
        except ParquetError as error:
            raise self.error(str(error)) from error
        except UnicodeDecodeError as error:
            problem = f"byte 0x{error.object[error.start]:02x} is not valid {shown_encoding(self._encoding)}"
            raise self.error(f"{problem}. {encoding_advice(self._sample(), self._encoding)}") from error
        except FormatError as error:
            raise self.error(error.problem, error.line) from error
        except UnicodeError as error:
            raise self.error(f"cannot be read as {self._encoding} ({error})") from error

    def _sample(self) -> bytes:
        """Return some of the bytes around those that were read last."""
        if self._sampled is not None:
            return self._sampled.sample
        return sample_of(self.path, self.binary.tell()) if self.path is not None else b""

    def _warn_of_utf8(self) -> None:
        """Warn of a file that is UTF-8 but is to be read in another encoding, in which each byte is a character."""
        if codecs.lookup(self._encoding).name in ("utf-8", "utf-8-sig"):
            return
        sample = self.binary.peek(LONGEST) if self._sampled else sample_of(cast(Path, self.path), 0)
        if (line := utf8_line(sample)) is not None:
            logger.warning(
                "%s is UTF-8 and reads %r; with --encoding %s it reads %r",
                self.name, line, self._encoding, line.encode().decode(self._encoding, "replace"),
            )  # fmt: skip


def accepting_bom(encoding: str) -> str:
    """Return the encoding; for UTF-8, the variant that skips a byte order mark at the start."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def open_stdin() -> io.BufferedReader:
    """Return standard input as a binary file, packed if it is.

    Raises
    ------
    DataError
        If it is closed.
    """
    if sys.stdin is None:
        raise DataError("stdin: standard input is closed", source="stdin")
    return cast(io.BufferedReader, sys.stdin.buffer)


def _encoding_problem(start: bytes, encoding: str) -> str | None:
    """Return why the first bytes of a file cannot be text in an encoding; None if they can."""
    if start.startswith((MAGIC, ZIP_MAGIC)) or not start:  # of a workbook
        return None
    is_wide = start.startswith(_WIDE_MARKS) or start[:_AT_FIRST].count(0) * 10 > len(start[:_AT_FIRST])
    expects_wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
    if is_wide != expects_wide:
        return f"this is not {shown_encoding(encoding)}. {encoding_advice(start, encoding)}"
    return None if expects_wide else binary_problem(start)
