"""File formats of rows, and their extensions."""

import codecs
import os
import re
from pathlib import Path
from typing import Literal

from embedclf.errors import ArgumentError

Format = Literal["csv", "tsv", "jsonl", "parquet", "xlsx"]
FORMATS: dict[str, Format] = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
}
PACKED = {".gz": "gzip", ".zst": "Zstandard"}
"""Extensions of packed files, which come after those of what is in them, and how these are packed."""


_DATA_FILE = re.compile(
    r"\S.*\.(csv|txt|tsv|tab|json|jsonl|ndjson|parquet|feather|arrow|xlsx|xlsm|xls|ods)(\.(gz|bz2|xz|zst|zip))?",
    re.IGNORECASE,
)


def is_data_file(argument: str) -> bool:
    """Return whether an argument that may be a text is the name of a data file: by its extension, in one line."""
    return _DATA_FILE.fullmatch(argument) is not None


class FormatError(Exception):
    """A file violates its format. The reader, which knows the file's name, turns it into a `DataError`.

    Attributes
    ----------
    problem : str
    line : int or None
        Counted from 1; None for the file as a whole.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line


class WrongEncodingError(FormatError):
    """A file as a whole is in another encoding."""


def file_format(path: str | os.PathLike[str]) -> Format:
    """Return the format that a file's extension stands for, or the one before ``.gz``; CSV for an unknown extension."""
    return FORMATS.get(data_suffix(path), "csv")


def packed_suffix(path: str | os.PathLike[str]) -> str:
    """Return the extension that says how a file is packed, in lower case; empty if there is none."""
    suffix = Path(path).suffix.lower()
    return suffix if suffix in PACKED else ""


def data_suffix(path: str | os.PathLike[str]) -> str:
    """Return the extension of what a file holds, in lower case: ``.csv`` of ``may.csv.gz``."""
    return _unpacked_name(path).suffix.lower()


def data_stem(path: str | os.PathLike[str]) -> str:
    """Return the name of a file without its extensions: ``may`` of ``may.csv.gz``."""
    return _unpacked_name(path).stem


def named_beside(path: str | os.PathLike[str], addition: str) -> Path:
    """Return the path of a file beside another, with an addition to its name: ``may_test.csv.gz`` of ``may.csv.gz``."""
    place, stem = Path(path), data_stem(path)
    return place.with_name(f"{stem}{addition}{place.name[len(stem) :]}")


def _unpacked_name(path: str | os.PathLike[str]) -> Path:
    return Path(Path(path).stem) if packed_suffix(path) else Path(path)


def check_delimiter(delimiter: str | None) -> None:
    """Check that a column delimiter can be used.

    Raises
    ------
    ArgumentError
        If it is not a single character, or is one with another meaning in CSV (a quote, a line break).
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise ArgumentError(f"delimiter must be one character, such as ';' or a tab, not {delimiter!r}")


# Codecs of Python that turn bytes into text, but not those of any file.
_NOT_OF_FILES = ("idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined")


def check_encoding(encoding: str) -> None:
    """Check that a file can have this encoding.

    Raises
    ------
    ArgumentError
        If Python does not know it, or it is not an encoding of texts.
    """
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)  # fails for what turns bytes into bytes
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError):  # also an UnicodeError: the name itself cannot be encoded
        name = _NOT_OF_FILES[0]
    if name.replace("_", "-") in _NOT_OF_FILES:
        raise ArgumentError(f"unknown text encoding {encoding[:60]!r}")
