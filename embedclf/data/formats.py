"""The formats that files of rows have."""

import os
from pathlib import Path
from typing import Literal

from embedclf.errors import ArgumentError

Format = Literal["csv", "tsv", "jsonl", "parquet"]
FORMATS: dict[str, Format] = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


class FormatError(Exception):
    """A file does not keep to its format; the reader, which knows the file's name, makes a `DataError` of it.

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


def file_format(path: str | os.PathLike[str]) -> Format:
    """Return the format that a file's extension stands for; CSV for any that is not known."""
    return FORMATS.get(Path(path).suffix.lower(), "csv")


def check_delimiter(delimiter: str | None) -> None:
    """Check that a character can stand between columns.

    Raises
    ------
    ArgumentError
        If it is not one character, or one that means something else in a table.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise ArgumentError(f"delimiter must be one character, such as ';' or a tab, not {delimiter!r}")
