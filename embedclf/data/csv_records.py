"""Records of CSV and TSV files."""

import csv
from collections.abc import Iterator
from typing import TextIO

from embedclf.data.formats import FormatError

# csv counts a field's characters in a C long, which has 32 bits on some platforms.
_ANY_FIELD_SIZE = 2**31 - 1


class CsvRecords:
    """The records of a table, once and in order: the line where each starts, counted from 1, and its fields.

    Parameters
    ----------
    file : text file
        Opened with ``newline=""``.
    delimiter : str

    Attributes
    ----------
    header : list of str
        The first record, which is not among the others.

    Raises
    ------
    FormatError
        If there is no header; while iterating, if the quotes of a record do not fit together.
    """

    def __init__(self, file: TextIO, delimiter: str) -> None:
        # strict: without it an unclosed quote swallows the rest of the file in silence.
        self._reader = csv.reader(file, delimiter=delimiter, strict=True)
        _, self.header = next(self, (0, []))
        if not self.header:
            raise FormatError("the file is empty: it needs a header that names its columns")

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        return self

    def __next__(self) -> tuple[int, list[str]]:
        while True:
            line = self._reader.line_num + 1
            before = csv.field_size_limit(_ANY_FIELD_SIZE)  # the module's own, so it is put back at once
            try:
                fields = next(self._reader)
            except csv.Error as error:
                raise FormatError(_quotes_problem(error), line) from error
            finally:
                csv.field_size_limit(before)
            if fields:  # a blank line has none
                return line, fields


def _quotes_problem(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        problem = "a quote that is opened in this row is never closed, so the rest of the file is part of it"
    else:
        problem = f"the quotes of this row do not fit together ({error})"
    return f"{problem}; write a quote inside a quoted field twice"
