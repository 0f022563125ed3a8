"""Writing workbooks of Excel with openpyxl.

Rows are written as JSON, which can be continued after an interruption, and converted to a workbook at the end.
"""

import json
from collections.abc import Sequence
from typing import Any, BinaryIO

from embedclf.data.excel_cells import MOST_CHARACTERS, MOST_COLUMNS, MOST_ROWS, as_cell, openpyxl_or_error
from embedclf.data.formats import FormatError
from embedclf.data.parquet_types import Record
from embedclf.data.rows import cell_text
from embedclf.formatting import joined

_ROWS_AT_ONCE = 4_096
_DIGITS = 4
_ELSE = "write to another format, such as .csv or .jsonl"


class ExcelSink:
    """A converter from rows to lines of JSON, and from these to a workbook with one sheet.

    Texts are texts there: one that starts with an equals sign is no formula, and 007 is not made 7. A number is written
    as one if it is one in the input, or was added.

    Parameters
    ----------
    columns : sequence of str
    header : bool
        Whether the first row has the names of the columns.

    Raises
    ------
    FormatError
        If openpyxl is not installed, or there are more columns than a sheet can have.
    """

    name = "Excel"

    def __init__(self, columns: Sequence[str], *, header: bool) -> None:
        self._openpyxl = openpyxl_or_error()
        if len(columns) > MOST_COLUMNS:
            raise FormatError(f"a sheet has {MOST_COLUMNS:,} columns at most, not {len(columns):,}: {_ELSE}")
        self._columns, self._header = list(columns), header
        self._lines: list[bytes] = []

    def start(self) -> bytes:
        """Return the line of the header; nothing without one."""
        return self._line([*map(as_cell, self._columns)], 1) if self._header else b""

    def add(self, record: Record | None, own: Sequence[Any], added: Sequence[Any], line: int) -> bool:
        """Add a row, and return whether there are enough rows to `take`; see `ParquetSink.add`.

        Raises
        ------
        FormatError
            If a text is longer than a cell can be.
        """
        values = [value if isinstance(value, str | int | float) else cell_text(value) for value in own]
        for value in added:
            values.append(joined(value) if isinstance(value, list) else value)
            if isinstance(value, float):
                values[-1] = round(value, _DIGITS)
        self._lines.append(self._line([*map(as_cell, values)], line))
        return len(self._lines) >= _ROWS_AT_ONCE

    def _line(self, cells: list[Any], line: int) -> bytes:
        for name, cell in zip(self._columns, cells, strict=True):
            if isinstance(cell, str) and len(cell.encode("utf-16-le")) > 2 * MOST_CHARACTERS:
                problem = f"line {line} has {len(cell):,} characters in {name!r}, and a cell holds {MOST_CHARACTERS:,}"
                raise FormatError(f"{problem}; {_ELSE}")
        return json.dumps(cells).encode() + b"\n"

    def take(self) -> bytes:
        """Return the rows added since the last call."""
        taken = b"".join(self._lines)
        self._lines.clear()
        return taken

    def convert(self, stream: BinaryIO, to: BinaryIO) -> None:
        """Convert the lines to a workbook.

        Raises
        ------
        FormatError
            If they are damaged, or are more than a sheet can have.
        """
        from openpyxl.cell import WriteOnlyCell

        workbook = self._openpyxl.Workbook(write_only=True)
        sheet = workbook.create_sheet("Sheet1")
        for number, line in enumerate(stream, 1):
            if number > MOST_ROWS:
                raise FormatError(f"a sheet has {MOST_ROWS:,} rows at most: {_ELSE}")
            try:
                values = json.loads(line)
            except ValueError as error:
                raise FormatError(
                    "the partial output beside it is damaged: run without --resume to start over"
                ) from error
            row = []
            for value in values:
                cell = WriteOnlyCell(sheet, value)
                if isinstance(value, str):
                    cell.data_type = "s"  # whatever it looks like
                row.append(cell)
            sheet.append(row)
        workbook.save(to)
