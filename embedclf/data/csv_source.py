"""Reading CSV and TSV, with or without a header."""

import itertools
import logging
import re
from collections.abc import Iterator
from typing import cast

from embedclf.data.columns import candidates, common_delimiter, fields_of, find_delimiter
from embedclf.data.csv_records import CsvRecords, PlainLines
from embedclf.data.dialect import SEP, Dialect
from embedclf.data.fasttext_source import FastTextSource, is_fasttext
from embedclf.data.formats import FormatError
from embedclf.data.headers import LOOKED_AT, is_doubtful, looks_like_row, recurs
from embedclf.data.open_file import OpenFile
from embedclf.data.reading import Reading
from embedclf.data.source import Source, SourceRecord
from embedclf.data.table_source import NO_HEADER, TableSource

logger = logging.getLogger(__name__)

NO_QUOTING = "no quoting found (if fields are quoted, use --quoting csv)"
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


class CsvSource(TableSource):
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
        self.has_header = reading.header and not self._is_known_headerless(fields_of(first, cast(str, delimiter)))
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
        self._records = iter(self._parsed)
        if self.has_header:
            self.columns = self._parsed.header
            if (damage := file.damaged.fault_of(1, self.columns)) is not None:
                raise FormatError(f"the header is damaged: {damage}", 1)
        else:
            self._read_without_header(self._parsed.header_line, self._parsed.header)

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
                raise FormatError(NO_HEADER, 1)

    def __iter__(self) -> Iterator[SourceRecord]:
        was_quoted = self._parsed.is_quoted
        for record in super().__iter__():
            if was_quoted and not self._parsed.is_quoted:
                was_quoted = False
                logger.info("%s: %s from line %d on", self.file.name, NO_QUOTING, record.line)
            yield record

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
        return NO_HEADER if looks_like_row(first, others) else None
