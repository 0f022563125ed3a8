"""Records with quoted fields.

A row whose quoting is invalid ends with its line, and the next line is read as a row again.
"""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from embedclf.data.dialect import escaped_quotes_doubled, split, takes_in_rows
from embedclf.data.formats import FormatError
from embedclf.data.record_lines import TOO_LONG, RecordLines

# The csv module stores this limit in a C long, which has 32 bits on some platforms.
_ANY_FIELD_SIZE = 2**31 - 1
# How many records before and after one say what the rows of a file look like, and how long their lines may be.
_NEIGHBOURS, _LONGEST_NEIGHBOUR = 200, 10_000

UNCLOSED = "a quote opened in this row is never closed"
"""How the fault of a record begins whose quote is still open at the end of the file."""

_STRAY = "a quote in an unquoted field, next to a row whose quoting is invalid"
_BACKSLASH = "\\"
_DIGITS = re.compile(r"\d+")


class CsvRecord(NamedTuple):
    """A record: the line where it starts, counted from 1, and its fields.

    `fault` says why its quoting cannot be trusted; None if it can.
    """

    line: int
    fields: list[str]
    fault: str | None = None


class _Parsed(NamedTuple):
    """A record with its lines, or what is wrong with the quoting of its first line and whether an escape mends it."""

    number: int
    lines: list[str]
    fields: list[str]
    problem: str | None = None
    is_escaped: bool = False


class QuotedRecords:
    """An iterator over records whose fields may be quoted; see `CsvRecords`.

    Parameters
    ----------
    lines : RecordLines
    n_fields : int
        The number of fields of the header; 0 before it is read.
    delimiter : str
    escape_char : str, optional
    skip_spaces : bool
        Whether spaces after a delimiter are no part of the field.
    suspects : {"rows", "lines"}, optional
        Whether to find fault with a record that takes in lines with as many fields as the header; with ``"rows"``, only
        if they also have the values of other rows.
    """

    def __init__(
        self,
        lines: RecordLines,
        n_fields: int,
        delimiter: str,
        escape_char: str | None = None,
        *,
        skip_spaces: bool = False,
        suspects: Literal["rows", "lines"] | None = None,
    ) -> None:
        self._n_fields = n_fields
        self._lines, self._delimiter, self._escape_char = lines, delimiter, escape_char
        self._skip_spaces, self._suspects = skip_spaces, suspects
        self._is_after_fault = False
        self._before: deque[_Parsed] = deque(maxlen=_NEIGHBOURS)
        self._ahead: deque[_Parsed] = deque()
        self._reads_unquoted: bool | None = None
        self._start()

    def _start(self) -> None:
        lines: Iterable[str] = self._lines
        if self._escape_char is not None:
            lines = escaped_quotes_doubled(lines, self._delimiter, self._escape_char)
        # Without `strict`, an unclosed quote silently swallows the rest of the file.
        self._reader = csv.reader(lines, delimiter=self._delimiter, skipinitialspace=self._skip_spaces, strict=True)

    def __iter__(self) -> Iterator[CsvRecord]:
        return self

    def __next__(self) -> CsvRecord:
        one = self._ahead.popleft() if self._ahead else self._parse()
        lines = one.lines
        if one.problem is None and len(lines) == 1 and not self._is_after_fault:  # nearly all records
            if len(lines[0]) <= _LONGEST_NEIGHBOUR:
                self._before.append(one)
            return CsvRecord(one.number, one.fields)
        fault = None
        if one.problem is not None:
            fault = f"{one.problem}; {self._cure(one)}"
            if one.problem == TOO_LONG:
                raise FormatError(fault, one.number)
            self._is_after_fault = True
        elif self._is_after_fault:  # the lines after it may be the rest of its text
            self._is_after_fault = any('"' in field for field in one.fields) and one.fields == self._split(one)
            fault = _STRAY if self._is_after_fault else None
        elif len(one.lines) > 1 and self._suspects and self._takes_in_rows(one):
            n_rows = sum(bool(line.strip("\r\n")) for line in one.lines) - 1
            which = (
                "the next line, which looks like a row"
                if n_rows == 1
                else f"the next {n_rows:,} lines, which look like rows"
            )
            fault = (
                f"a quoted field in this row takes in {which}; {self._cure(one)}; if they are part of the field, use "
                "--quoting csv"
            )
        if fault is None and not self._fits_unquoted(one):
            self._reads_unquoted = False
        return CsvRecord(one.number, one.fields, fault)

    def _parse(self) -> _Parsed:
        while True:
            before = csv.field_size_limit(_ANY_FIELD_SIZE)  # global to the csv module, so restore it at once
            try:
                fields = next(self._reader)
            except csv.Error as error:
                return self._damaged(error)
            finally:
                csv.field_size_limit(before)
            number = self._lines.number
            lines = self._lines.take()
            if fields:  # a blank line has no fields
                return _Parsed(number, lines, fields)

    def _damaged(self, error: csv.Error) -> _Parsed:
        """Return the first line of a record whose quoting is invalid; the others are read again."""
        number = self._lines.number
        first, *rest = lines = self._lines.take()
        problem = str(error)
        is_unclosed = "unexpected end of data" in problem or problem == TOO_LONG
        is_escaped = self._reads_escaped(lines, is_all=is_unclosed)
        self._lines.put_back(rest)
        self._start()
        if problem != TOO_LONG:
            problem = UNCLOSED if is_unclosed else "the quoting of this row is invalid"
        return _Parsed(number, [first], split(first, self._delimiter, self._n_fields), problem, is_escaped)

    def _reads_escaped(self, lines: list[str], *, is_all: bool = True) -> bool:
        """Return whether the first record of these lines can be read if a backslash escapes quotes.

        Unless they are all, the record may go on after them.
        """
        if self._escape_char is not None or not any(f'{_BACKSLASH}"' in line for line in lines):
            return False
        one = QuotedRecords(RecordLines(lines), self._n_fields, self._delimiter, _BACKSLASH)._parse()
        if one.problem is not None:
            return one.problem == UNCLOSED and not is_all
        return self._n_fields in (0, len(one.fields))

    def _split(self, one: _Parsed) -> list[str]:
        return split(one.lines[0], self._delimiter)

    def _cure(self, one: _Parsed) -> str:
        """Return what to do about a record: only what helps with it."""
        if one.is_escaped or (one.problem is None and self._reads_escaped(one.lines)):
            return f"if {_BACKSLASH}\" stands for a quote inside a field, use --escape-char '{_BACKSLASH}'"
        cure = "double each quote inside a quoted field"
        if self._escape_char is None and self._may_be_unquoted(one):
            cure += ", or if quotes have no meaning in this file, use --quoting none"
        return cure

    def _may_be_unquoted(self, one: _Parsed) -> bool:
        """Return whether a record and those around it can be read without quoting, and none is rightly quoted."""
        if self._reads_unquoted is None:
            self._look_ahead()
            around = [*self._before, *self._ahead]
            self._reads_unquoted = all(self._fits_unquoted(other) for other in around) and not any(
                other.problem is None and len(other.lines) == 1 and other.fields != self._split(other)
                for other in around
            )
        return self._reads_unquoted and self._fits_unquoted(one)

    def _fits_unquoted(self, one: _Parsed) -> bool:
        lines = (line for line in one.lines if line.strip("\r\n"))
        return all(len(split(line, self._delimiter)) == self._n_fields for line in lines)

    def _look_ahead(self) -> None:
        try:
            while len(self._ahead) < _NEIGHBOURS:
                self._ahead.append(self._parse())
        except StopIteration:
            pass

    def _takes_in_rows(self, one: _Parsed) -> bool:
        """Return whether a field takes in lines that look like rows.

        The number of fields alone says little: many texts have a comma in each line. In the other columns, the values
        must be such as other records have, but for digits.
        """
        if len(one.fields) != self._n_fields:
            return False
        place = takes_in_rows(one.lines, one.fields, self._delimiter)
        if place is None or self._suspects == "lines":
            return place is not None
        self._look_ahead()
        n_after = self._n_fields - 1 - place
        first, *others = [split(line, self._delimiter) for line in one.lines if line.strip("\r\n")]
        rows = [[*one.fields[: place + 1], *first[len(first) - n_after :]], *others]
        around = [*self._before, *(other for other in self._ahead if len(other.lines) == 1), one]
        around = [other for other in around if other.problem is None and len(other.fields) == self._n_fields]
        is_like_rows = False
        for column in {*range(self._n_fields)} - {place}:
            known = {_DIGITS.sub("0", other.fields[column]) for other in around}
            if len(known) <= max(2, len(around) // 2):  # else it says nothing
                is_like_rows = True
                if any(_DIGITS.sub("0", row[column]) not in known for row in rows):
                    return False
        return is_like_rows
