"""Records of CSV and TSV files, with quoted fields or without quoting.

Whether a file has quoting is found out for tabs only: it has none if that leaves fewer bad rows among the lines that
are looked at.
"""

from collections.abc import Iterable, Iterator
from functools import partial

from embedclf.data.columns import fields_of
from embedclf.data.dialect import Quoting, split
from embedclf.data.formats import FormatError
from embedclf.data.quoted_records import UNCLOSED, CsvRecord, QuotedRecords
from embedclf.data.record_lines import RecordLines

# A quote that opens this close to the end of the lines that are looked at may be closed after them.
_WINDOW_EDGE = 100


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
    skip_spaces : bool
        Whether spaces after a delimiter are no part of the field, so that a quote after them opens it.

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
        self,
        lines: Iterable[str],
        delimiter: str,
        quoting: Quoting = "csv",
        escape_char: str | None = None,
        *,
        skip_spaces: bool = False,
    ) -> None:
        self._lines, self.delimiter = RecordLines(lines), delimiter
        self.is_quoted = quoting != "none"
        is_open = quoting == "auto" and delimiter == "\t" and escape_char is None
        if is_open:
            first_line = next((line for line in self._lines.ahead()[0] if line.strip("\r\n")), "")
            is_open = not _opens_quote(first_line)  # what quotes the header quotes fields
        without_quotes = is_open or not self.is_quoted
        quoted = partial(QuotedRecords, escape_char=escape_char, skip_spaces=skip_spaces)
        records = self._unquoted() if without_quotes else quoted(self._lines, 0, delimiter)
        first = next(records, CsvRecord(1, []))
        if first.fault is not None:
            raise FormatError(first.fault, first.line)
        if not first.fields:
            raise FormatError("the file is empty; expected a header with column names")
        self.header_line, self.header, _ = first
        self._quoted = quoted(self._lines, len(self.header), delimiter, suspects="rows" if quoting == "auto" else None)
        if is_open:
            self._records = self._found() or self._until_found()
        else:
            self._records = self._quoted if self.is_quoted else records

    def __iter__(self) -> Iterator[CsvRecord]:
        return self._records

    def _unquoted(self, *, to_first_quote: bool = False) -> Iterator[CsvRecord]:
        for line in self._lines:
            if to_first_quote and _opens_quote(line):
                self._lines.put_back(self._lines.take())
                return
            number = self._lines.number
            self._lines.take()
            if line.strip("\r\n"):
                yield CsvRecord(number, split(line, self.delimiter))

    def _until_found(self) -> Iterator[CsvRecord]:
        """Yield the records, which read the same either way until a field starts with a quote."""
        yield from self._unquoted(to_first_quote=True)
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
    for record in QuotedRecords(RecordLines(lines), n_fields, "\t", suspects="lines"):
        if record.fault is not None:
            may_close_later = not is_whole and record.fault.startswith(UNCLOSED)
            n_bad += not (may_close_later and record.line > len(lines) - _WINDOW_EDGE)
        elif len(record.fields) != n_fields:
            n_bad += 1
        elif record.fields != split(lines[record.line - 1], "\t"):
            n_quoted += 1
            n_bad_unquoted += any('"' in field for field in record.fields)  # rightly doubled
    return n_bad > n_bad_unquoted and 2 * n_quoted < len(lines)


class PlainLines:
    """The lines of a file as records of one field, as `CsvRecords` has them; quotes around a whole line are removed.

    Parameters
    ----------
    lines : iterable of str
    """

    is_quoted = True

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
