"""Records of CSV and TSV files, with quoted fields or without quoting.

A row whose quoting is invalid ends with its line, and the next line is read as a row again. Whether a file has quoting
is found out for tabs only: it has none if that leaves fewer bad rows among the lines that are looked at.
"""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from embedclf.data.columns import fields_of
from embedclf.data.dialect import Quoting, escaped_quotes_doubled, split, takes_in_rows
from embedclf.data.formats import FormatError

# The csv module stores this limit in a C long, which has 32 bits on some platforms.
_ANY_FIELD_SIZE = 2**31 - 1
# An unclosed quote must not fill the memory with the rest of a large file, nor must its rows before the error is seen.
_MOST_CHARACTERS = 4_000_000
# How far to look ahead to find out whether there is quoting: no further, since the lines may come from a pipe.
_WINDOW_CHARACTERS, _WINDOW_LINES = 1_000_000, 5_000
# A quote that opens this close to the end of the window may be closed after it.
_WINDOW_EDGE = 100
# How many records before and after one say what the rows of a file look like, and how long their lines may be.
_NEIGHBOURS, _LONGEST_NEIGHBOUR = 200, 10_000

_UNCLOSED = "a quote opened in this row is never closed"
_TOO_LONG = f"a quote opened in this row is not closed within {_MOST_CHARACTERS:,} characters"
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


class CsvRecords:
    """An iterator over the records of a CSV or TSV file.

    Parameters
    ----------
    lines : iterable of str
        A text file opened with ``newline=""``, or its lines.
    delimiter : str
    quoting : {"auto", "csv", "none"}
        Whether fields may be quoted. ``"auto"`` finds out whether fields between tabs are, and finds fault with a
        record that takes in lines which look like rows; ``"csv"`` reads such a record as it is.
    escape_char : str, optional
        The character before a quote inside a quoted field, where such quotes are not doubled.

    Attributes
    ----------
    delimiter : str
    header : list of str
        The first record, which is not iterated over.
    header_line : int
        The line where it starts.
    is_quoted : bool
        Whether fields may be quoted, as far as is known.

    Raises
    ------
    FormatError
        If there is no header, its quoting is invalid or, while iterating, a quote is not closed for very long.
    """

    def __init__(
        self, lines: Iterable[str], delimiter: str, quoting: Quoting = "csv", escape_char: str | None = None
    ) -> None:
        self._lines, self.delimiter = _Lines(lines), delimiter
        self.is_quoted = quoting != "none"
        is_open = quoting == "auto" and delimiter == "\t" and escape_char is None
        if is_open:
            first_line = next((line for line in self._lines.ahead()[0] if line.strip("\r\n")), "")
            is_open = not _opens_quote(first_line)  # what quotes the header quotes fields
        without_quotes = is_open or not self.is_quoted
        records = self._unquoted() if without_quotes else _QuotedRecords(self._lines, 0, delimiter, escape_char)
        first = next(records, CsvRecord(1, []))
        if first.fault is not None:
            raise FormatError(first.fault, first.line)
        if not first.fields:
            raise FormatError("the file is empty; expected a header with column names")
        self.header_line, self.header, _ = first
        self._quoted = _QuotedRecords(
            self._lines, len(self.header), delimiter, escape_char, suspects="rows" if quoting == "auto" else None
        )
        if is_open:
            self._records = self._found() or self._until_found()
        else:
            self._records = self._quoted if self.is_quoted else records

    def __iter__(self) -> Iterator[CsvRecord]:
        return self._records

    def _unquoted(self) -> Iterator[CsvRecord]:
        for line in self._lines:
            number = self._lines.number
            self._lines.take()
            if line.strip("\r\n"):
                yield CsvRecord(number, split(line, self.delimiter))

    def _until_found(self) -> Iterator[CsvRecord]:
        """Yield the records, which read the same either way until a field starts with a quote."""
        for line in self._lines:
            if _opens_quote(line):
                self._lines.put_back(self._lines.take())
                break
            number = self._lines.number
            self._lines.take()
            if line.strip("\r\n"):
                yield CsvRecord(number, split(line, self.delimiter))
        yield from self._found() or ()

    def _found(self) -> Iterator[CsvRecord] | None:
        """Return the records as the next lines say they should be read; None if nothing is quoted in them."""
        lines, is_whole = self._lines.ahead()
        if not any(map(_opens_quote, lines)):
            return None
        self.is_quoted = not _has_no_quoting(len(self.header), lines, is_whole=is_whole)
        return self._quoted if self.is_quoted else self._unquoted()


def _opens_quote(line: str) -> bool:
    return line.startswith('"') or '\t"' in line


def _has_no_quoting(n_fields: int, lines: list[str], *, is_whole: bool) -> bool:
    """Return whether lines with tabs read better without quoting."""
    n_bad = n_quoted = 0
    n_bad_unquoted = sum(len(split(line, "\t")) != n_fields for line in lines if line.strip("\r\n"))
    for record in _QuotedRecords(_Lines(lines), n_fields, "\t", suspects="lines"):
        if record.fault is not None:
            may_close_later = not is_whole and record.fault.startswith(_UNCLOSED)
            n_bad += not (may_close_later and record.line > len(lines) - _WINDOW_EDGE)
        elif len(record.fields) != n_fields:
            n_bad += 1
        elif record.fields != split(lines[record.line - 1], "\t"):
            n_quoted += 1
            n_bad_unquoted += any('"' in field for field in record.fields)  # rightly doubled
    return n_bad > n_bad_unquoted and 2 * n_quoted < len(lines)


class _Lines:
    """An iterator over lines that keeps those of the current record, so that they can be read again.

    Attributes
    ----------
    number : int
        The number of the first line of the current record, counted from 1.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._rest = iter(lines)
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._characters = 0
        self.number = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._rest)
        taken = self._taken
        taken.append(line)
        if len(taken) > 1:
            self._characters += len(line)
            if self._characters > _MOST_CHARACTERS:
                raise csv.Error(_TOO_LONG)
        return line

    def take(self) -> list[str]:
        """Return the lines of the current record, and go on to the next."""
        taken, self._taken, self._characters = self._taken, [], 0
        self.number += len(taken)
        return taken

    def put_back(self, lines: list[str]) -> None:
        """Read the last lines that were taken again."""
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)

    def ahead(self) -> tuple[list[str], bool]:
        """Return the next lines, which are still to be read, and whether these are all."""
        lines: list[str] = []
        n_characters = 0
        while len(lines) < _WINDOW_LINES and n_characters < _WINDOW_CHARACTERS:
            if len(lines) == len(self._again):
                if (line := next(self._rest, None)) is None:
                    return lines, True
                self._again.append(line)
            lines.append(self._again[len(lines)])
            n_characters += len(lines[-1])
        return lines, False


class _Parsed(NamedTuple):
    """A record with its lines, or what is wrong with the quoting of its first line and whether an escape mends it."""

    number: int
    lines: list[str]
    fields: list[str]
    problem: str | None = None
    is_escaped: bool = False


class _QuotedRecords:
    """An iterator over records whose fields may be quoted; see `CsvRecords`.

    Parameters
    ----------
    lines : _Lines
    n_fields : int
        The number of fields of the header; 0 before it is read.
    delimiter : str
    escape_char : str, optional
    suspects : {"rows", "lines"}, optional
        Whether to find fault with a record that takes in lines with as many fields as the header; with ``"rows"``, only
        if they also have the values of other rows.
    """

    def __init__(
        self,
        lines: _Lines,
        n_fields: int,
        delimiter: str,
        escape_char: str | None = None,
        *,
        suspects: Literal["rows", "lines"] | None = None,
    ) -> None:
        self._n_fields = n_fields
        self._lines, self._delimiter, self._escape_char = lines, delimiter, escape_char
        self._suspects = suspects
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
        self._reader = csv.reader(lines, delimiter=self._delimiter, strict=True)

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
            if one.problem == _TOO_LONG:
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
        is_unclosed = "unexpected end of data" in problem or problem == _TOO_LONG
        is_escaped = self._reads_escaped(lines, is_all=is_unclosed)
        self._lines.put_back(rest)
        self._start()
        if problem != _TOO_LONG:
            problem = _UNCLOSED if is_unclosed else "the quoting of this row is invalid"
        return _Parsed(number, [first], split(first, self._delimiter, self._n_fields), problem, is_escaped)

    def _reads_escaped(self, lines: list[str], *, is_all: bool = True) -> bool:
        """Return whether the first record of these lines can be read if a backslash escapes quotes.

        Unless they are all, the record may go on after them.
        """
        if self._escape_char is not None or not any(f'{_BACKSLASH}"' in line for line in lines):
            return False
        one = _QuotedRecords(_Lines(lines), self._n_fields, self._delimiter, _BACKSLASH)._parse()
        if one.problem is not None:
            return one.problem == _UNCLOSED and not is_all
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


class PlainLines:
    """The lines of a file as records of one field, as `CsvRecords` has them; quotes around a whole line are removed.

    Parameters
    ----------
    lines : iterable of str
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._numbered = enumerate(lines, 1)
        self.header_line, self.header, _ = next(self, CsvRecord(1, []))
        if not self.header:
            raise FormatError("the file is empty; expected a text on each line")

    def __iter__(self) -> Iterator[CsvRecord]:
        return self

    def __next__(self) -> CsvRecord:
        for number, line in self._numbered:
            if not line.isspace():
                fields = fields_of(line, ",")
                return CsvRecord(number, fields if len(fields) == 1 else [line.rstrip("\r\n")])
        raise StopIteration
