"""Small tables of settings, such as costs and weights of labels: CSV, TSV, JSON Lines, Parquet and Excel."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedclf.data.csv_source import source_of_lines
from embedclf.data.dialect import Quoting
from embedclf.data.excel_source import ExcelSource
from embedclf.data.foreign_files import ZIP_MAGIC
from embedclf.data.formats import file_format
from embedclf.data.json_source import JsonSource
from embedclf.data.open_file import OpenFile, usual_encoding
from embedclf.data.parquet_source import ParquetSource
from embedclf.data.parquet_types import MAGIC
from embedclf.data.reading import Labels, Reading
from embedclf.data.rows import cell_text
from embedclf.data.source import Source
from embedclf.errors import BadRowsError, RowFault, bad_rows_error
from embedclf.formatting import counted
from embedclf.missing import is_missing

_MOST_NAMED = 2


@dataclass(frozen=True)
class _TableReading(Reading):
    """How to read a table, in whose header the names of some columns are looked for."""

    labels: Labels = "none"
    quoting: Quoting = "csv"
    names: tuple[tuple[str, ...], ...] = ()

    def has_texts(self, header: Sequence[str]) -> bool:
        """Return whether a header has all columns."""
        return all(_named(header, names) for names in self.names)


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table: its line, and its cells by the columns that were asked for, as text; empty if missing."""

    line: int
    cells: Mapping[str, str]


def read_table(path: str | os.PathLike[str], *columns: tuple[str, ...]) -> tuple[str, list[TableRow]]:
    """Read a small table.

    Parameters
    ----------
    path : str or Path
        CSV, TSV, JSONL, Parquet or Excel, by extension; ``-`` is standard input.
    *columns : tuple of str
        The names that each column may have, in any case. The first is the usual one, by which its cells are returned.

    Returns
    -------
    name : str
        Of the file in messages.
    rows : list of TableRow
        Without those in which nothing stands.

    Raises
    ------
    DataError
        If the file cannot be read, lacks a column, or has no rows.
    """
    file = OpenFile(path, usual_encoding(path))
    try:
        with file.as_data_errors():
            source = _source(file, path, _TableReading(names=columns))
            found = {names[0]: _column(file, source, names) for names in columns}
            rows, faults = [], []
            for record in source:
                if record.fault is not None and any(map(str.strip, map(_cell, record.record.values()))):
                    faults.append(RowFault(record.line, record.fault))
                cells = {name: _cell(record.record.get(column)) for name, column in found.items()}
                if any(cells.values()):
                    rows.append(TableRow(record.line, cells))
    finally:
        file.close()
    if faults:
        raise bad_table(file.name, faults)
    if not rows:
        raise file.error("the file has no rows")
    return file.name, rows


def bad_table(name: str, faults: Sequence[RowFault]) -> BadRowsError:
    """Return the error about rows of a table that cannot be used."""
    return bad_rows_error(f"{counted(len(faults), 'row')} of {name} cannot be used", {name: faults}, "Fix them.")


def _source(file: OpenFile, path: str | os.PathLike[str], reading: Reading) -> Source:
    if file.start.startswith(MAGIC):
        return ParquetSource(file, reading)
    if file.start.startswith(ZIP_MAGIC):
        return ExcelSource(file, reading)
    named = "csv" if file.path is None else file_format(path)
    if named == "jsonl" or file.start.lstrip().startswith((b"{", b"[{")):
        return JsonSource(file, reading)
    return source_of_lines(file, reading, "\t" if named == "tsv" else ",")


def _named(header: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the columns of a header that have one of some names."""
    return [column for column in header if column.strip().casefold() in names]


def _column(file: OpenFile, source: Source, names: Sequence[str]) -> str:
    found = _named(source.columns, names)
    if len(found) == 1:
        return found[0]
    shown = ", ".join(map(repr, source.columns[:20]))
    if found:
        problem = f"{' and '.join(map(repr, found))} could both be the column {names[0]!r} (found: {shown})"
    else:
        problem = f"no column {' or '.join(map(repr, names[:_MOST_NAMED]))} (found: {shown})"
    raise file.error(problem, source.header_line)


def _cell(value: Any) -> str:
    return "" if is_missing(value) else cell_text(value).strip()
