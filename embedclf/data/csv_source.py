"""Reading CSV and TSV, with or without a header."""

import itertools
import logging
import re
from collections.abc import Iterator, Sequence
from typing import cast

from embedclf.data.columns import DEFAULT, Columns, candidates, common_delimiter, fields_of, find_delimiter, names_in
from embedclf.data.csv_records import CsvRecords, PlainLines
from embedclf.data.damaged_lines import undamaged
from embedclf.data.dialect import SEP, Dialect
from embedclf.data.fasttext_source import FastTextSource, is_fasttext
from embedclf.data.formats import FormatError
from embedclf.data.headers import LOOKED_AT, find_columns, is_doubtful, looks_like_names, looks_like_row, recurs
from embedclf.data.open_file import OpenFile
from embedclf.data.quoted_records import CsvRecord
from embedclf.data.reading import Reading
from embedclf.data.rows import numbered_names
from embedclf.data.source import Source, SourceRecord
from embedclf.formatting import counted

logger = logging.getLogger(__name__)

NO_QUOTING = "no quoting found (if fields are quoted, use --quoting csv)"
_NO_HEADER = (
    "the first line looks like a row: pass --no-header (columns are then 1, 2, …), or add a header such as text,label"
)
_BY_SPACES = "the fields are separated by spaces, as R's write.table does it: use write.csv(…, row.names = FALSE) there"
_BLANK = ("\n", "\r\n", "\r")
_OF_R = re.compile(r'"[^"]*"(?: "[^"]*")+\s*')
_SPACED_QUOTES = re.compile(r' +".*" *', re.DOTALL)


def source_of_lines(file: OpenFile, reading: Reading, usual_delimiter: str) -> Source:
    """Return the records of a file of lines: CSV or TSV, or fastText's if the first line that is not blank says so."""
    lines = file.lines()
    ahead = [next(lines, "")]
    if (sep := SEP.fullmatch(ahead[0])) is not None:
        ahead = ["\n"]  # a blank line in its place, so that the others keep their numbers
    while ahead[-1] in _BLANK:
        ahead.append(next(lines, ""))
    if is_fasttext(ahead[-1]) and sep is None and reading.delimiter is None:
        return FastTextSource(file, reading, itertools.chain(ahead, lines))
    return CsvSource(file, reading, usual_delimiter, None if sep is None else sep[1], ahead, lines)


class CsvSource(Source):
    """The records of an open CSV or TSV file; without a header, its columns are their numbers.

    Parameters
    ----------
    file : OpenFile
    reading : Reading
    usual_delimiter : str
        The delimiter unless another is given or found.
    said_delimiter : str or None
        The delimiter that the first line of the file says it has, as Excel writes it.
    ahead : list of str
        The lines of `file` that have been read, the last of which is not blank.
    lines : iterator of str
        The lines after them.

    Raises
    ------
    FormatError
        If the file is empty, or its first line cannot be read, is damaged, or looks like a row instead of a header.
    """

    def __init__(
        self,
        file: OpenFile,
        reading: Reading,
        usual_delimiter: str,
        said_delimiter: str | None,
        ahead: list[str],
        lines: Iterator[str],
    ) -> None:
        super().__init__(file, reading)
        first = ahead[-1]
        self._head = [*ahead, *itertools.islice(lines, LOOKED_AT)]
        lines = itertools.chain(self._head, lines)
        told = reading.delimiter or said_delimiter
        if told is None and _OF_R.fullmatch(first):
            raise FormatError(_BY_SPACES, 1)
        delimiter: str | None = told or find_delimiter(first, usual_delimiter, reading.has_texts)
        self.has_header = reading.header and not self._is_known_headerless(first, cast(str, delimiter))
        if self.has_header:
            self._check_no_row(first, self._head[len(ahead) :], cast(str, delimiter))
        elif told is None:
            delimiter = common_delimiter(self._head, cast(str, delimiter))
        self._usual_delimiter = usual_delimiter
        self._delimiter = reading.delimiter or (None if delimiter == usual_delimiter else delimiter)
        self._parsed = (
            PlainLines(lines)
            if delimiter is None
            else CsvRecords(
                lines,
                delimiter,
                reading.quoting,
                reading.escape_char,
                skip_spaces=self._has_spaces_before_quotes(delimiter),
            )
        )
        self._records: Iterator[CsvRecord] = iter(self._parsed)
        if self.has_header:
            self.columns = self._parsed.header
            if (damage := file.damaged.fault_of(1, self.columns)) is not None:
                raise FormatError(f"the header is damaged: {damage}", 1)
        else:
            self._read_without_header()

    def _has_spaces_before_quotes(self, delimiter: str) -> bool:
        """Return whether many lines have a quoted field after a space, which would keep its quotes otherwise."""
        if self.reading.quoting == "none" or delimiter == "\t":
            return False
        lines = [line for line in self._head if not line.isspace()]
        spaced = [line for line in lines if any(map(_SPACED_QUOTES.fullmatch, fields_of(line, delimiter)))]
        if not spaced or 3 * len(spaced) < len(lines):
            return False
        self.notes.append("spaces before quotes skipped")
        return True

    def _is_known_headerless(self, line: str, delimiter: str) -> bool:
        """Return whether a classifier remembers a column by its number, which the first line has not as a name."""
        asked, usual = self.reading.text_column, self.reading.usual.text
        if not all(map(str.isdecimal, names_in(usual))) or asked not in (None, usual):
            return False
        names = fields_of(line, delimiter)
        numbers = [str(number) for number in range(len(names) + 1)]
        if names in (numbers[:-1], numbers[1:]) or {*names_in(usual), self.reading.usual.label} <= set(names):
            return False  # a header of numbers, as pandas writes it, or the one that is remembered
        return not candidates(names, "text", DEFAULT.text)

    def _check_no_row(self, first: str, others: list[str], delimiter: str) -> None:
        """Check that the first line is not a row in which a label is called as a column of texts may be.

        Raises
        ------
        FormatError
            If it is.
        """
        names = fields_of(first, delimiter)
        if is_doubtful(names):
            texts = candidates(names, "text", self.reading.usual.text)
            if recurs(names, [fields_of(line, delimiter) for line in others], texts):
                raise FormatError(_NO_HEADER, 1)

    def _read_without_header(self) -> None:
        """Name the columns by number, and find those that are not known by what the first rows hold.

        Raises
        ------
        FormatError
            If they cannot be told.
        """
        reading, first = self.reading, self._parsed.header
        self.columns = names = [str(number) for number in range(1, len(first) + 1)]
        self._records = itertools.chain([CsvRecord(self._parsed.header_line, first)], self._records)
        self.notes.append("no header")
        if looks_like_names(first):
            logger.warning(
                "%s:1: the first line looks like a header, but is read as a row (--no-header)", self.file.name
            )
        text, label = ("" if set(names_in(usual)) - set(names) else usual for usual in reading.usual)
        known = Columns(
            reading.text_column or text,
            reading.label_column
            or cast(str, label)
            or ("-" if reading.labels == "none" or reading.label_columns else ""),
        )
        if all(known):
            return
        ahead = list(itertools.islice(self._records, LOOKED_AT))
        self._records = itertools.chain(ahead, self._records)
        found = find_columns(names, [one.fields for one in ahead], known)
        self.found = Columns("" if known.text else found.text, "" if known.label else found.label)
        for kind, was, column in zip(("text", "label"), known, found, strict=True):
            if column and not was:
                self.notes.append(f"{kind}s in column {column}")
            elif not column and (kind == "text" or reading.labels in ("needed", "alone")):
                shown = ", ".join(f"{name}: {value[:30]!r}" for name, value in zip(names, first, strict=True))
                raise FormatError(f"which column has the {kind}s? ({shown}). Choose it with --{kind}-column", 1)

    def __iter__(self) -> Iterator[SourceRecord]:
        keys = numbered_names(self.columns)
        damaged = self.file.damaged
        was_quoted = self._parsed.is_quoted
        for line, fields, fault in self._records:
            if was_quoted and not self._parsed.is_quoted:
                was_quoted = False
                logger.info("%s: %s from line %d on", self.file.name, NO_QUOTING, line)
            record = dict(zip(keys, fields, strict=False))
            if damaged.found and (damage := damaged.fault_of(line, fields)) is not None:
                record, fault = {key: undamaged(value) for key, value in record.items()}, damage
            elif fault is None and len(fields) != len(keys):
                fault = self._size_fault(fields)
            yield SourceRecord(line, record, "", fault)

    def _size_fault(self, fields: Sequence[str]) -> str:
        """Return what is wrong with a record that has more or fewer fields than there are columns."""
        n_columns = len(self.columns)
        fault = f"expected {counted(n_columns, 'field')} as in the {'header' if self.has_header else 'first row'}"
        fault += f", got {len(fields)}"
        if surplus := fields[n_columns:]:
            fault += f" (extra: {', '.join(map(repr, surplus))[:200]})"
        return fault

    @property
    def dialect(self) -> Dialect:
        """How its fields are told apart, as far as has been found out."""
        if isinstance(self._parsed, PlainLines):
            return Dialect()
        unquoted = None if self._parsed.is_quoted else self._parsed.delimiter
        return Dialect(self._delimiter, unquoted, self.reading.escape_char)

    def header_problem(self) -> str | None:
        """Return that the first line looks like a row rather than like a header; None if it does not."""
        if not self.has_header:
            return None
        lines = [line for line in self._head if not line.isspace()]
        usual = self._usual_delimiter
        delimiter = self._delimiter or common_delimiter(lines, usual) or usual
        first, *others = [fields_of(line, delimiter) or line.split(delimiter) for line in lines]
        return _NO_HEADER if looks_like_row(first, others) else None
