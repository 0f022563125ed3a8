"""Records of CSV and TSV files."""

import csv
from collections.abc import Iterable, Iterator

from embedclf.data.columns import fields_of
from embedclf.data.formats import FormatError

# The csv module stores this limit in a C long, which has 32 bits on some platforms.
_ANY_FIELD_SIZE = 2**31 - 1


class CsvRecords:
    """An iterator over the records of a CSV file: the line where each starts, counted from 1, and its fields.

    Parameters
    ----------
    lines : iterable of str
        A text file opened with ``newline=""``, or its lines.
    delimiter : str

    Attributes
    ----------
    header : list of str
        The first record, which is not iterated over.
    header_line : int
        The line where it starts.

    Raises
    ------
    FormatError
        If there is no header or, while iterating, if the quoting of a record is invalid.
    """

    def __init__(self, lines: Iterable[str], delimiter: str) -> None:
        # Without `strict`, an unclosed quote silently swallows the rest of the file.
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)
        self.header_line, self.header = next(self, (0, []))
        if not self.header:
            raise FormatError("the file is empty; expected a header with column names")

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        return self

    def __next__(self) -> tuple[int, list[str]]:
        while True:
            line = self._reader.line_num + 1
            before = csv.field_size_limit(_ANY_FIELD_SIZE)  # global to the csv module, so restore it at once
            try:
                fields = next(self._reader)
            except csv.Error as error:
                raise FormatError(_quotes_problem(error), line) from error
            finally:
                csv.field_size_limit(before)
            if fields:  # a blank line has no fields
                return line, fields


class PlainLines:
    """The lines of a file as records of one field, as `CsvRecords` has them; quotes around a whole line are removed.

    Parameters
    ----------
    lines : iterable of str
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._numbered = enumerate(lines, 1)
        self.header_line, self.header = next(self, (0, []))
        if not self.header:
            raise FormatError("the file is empty; expected a text on each line")

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        return self

    def __next__(self) -> tuple[int, list[str]]:
        for number, line in self._numbered:
            if not line.isspace():
                fields = fields_of(line, ",")
                return number, fields if len(fields) == 1 else [line.rstrip("\r\n")]
        raise StopIteration


def _quotes_problem(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        problem = "a quote opened in this row is never closed, so the rest of the file is read as part of it"
    else:
        problem = f"the quoting of this row is invalid ({error})"
    return f"{problem}; double each quote inside a quoted field"
