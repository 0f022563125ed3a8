"""Records of a table that may have no header: those of CSV, and those of a spreadsheet."""

import itertools
import logging
from collections.abc import Iterator, Sequence
from typing import cast

from embedclf.data.columns import DEFAULT, Columns, candidates, names_in
from embedclf.data.damaged_lines import undamaged
from embedclf.data.formats import FormatError
from embedclf.data.headers import LOOKED_AT, find_columns, looks_like_names
from embedclf.data.quoted_records import CsvRecord
from embedclf.data.rows import numbered_names
from embedclf.data.source import Source, SourceRecord
from embedclf.formatting import counted

logger = logging.getLogger(__name__)

NO_HEADER = (
    "the first line looks like a row: pass --no-header (columns are then 1, 2, …), or add a header such as text,label"
)


class TableSource(Source):
    """The records of an open table; without a header, its columns are their numbers. A subclass sets `_records`."""

    _records: Iterator[CsvRecord]

    def _is_known_headerless(self, names: Sequence[str]) -> bool:
        """Return whether a classifier remembers a column by its number, which the first line has not as a name."""
        asked, usual = self.reading.text_column, self.reading.usual.text
        if not all(map(str.isdecimal, names_in(usual))) or asked not in (None, usual):
            return False
        numbers = [str(number) for number in range(len(names) + 1)]
        if names in (numbers[:-1], numbers[1:]) or {*names_in(usual), self.reading.usual.label} <= set(names):
            return False  # a header of numbers, as pandas writes it, or the one that is remembered
        return not candidates(names, "text", DEFAULT.text)

    def _read_without_header(self, line: int, first: list[str]) -> None:
        """Name the columns by number, and find those that are not known by what the first rows hold.

        Raises
        ------
        FormatError
            If they cannot be told.
        """
        reading = self.reading
        self.columns = names = [str(number) for number in range(1, len(first) + 1)]
        self._records = itertools.chain([CsvRecord(line, first)], self._records)
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
        for line, fields, fault in self._records:
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
