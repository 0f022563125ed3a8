"""The rows of a sheet of a workbook of Excel, read with openpyxl."""

import io
import itertools
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from embedclf.data.compression import MOST_RATIO, MOST_UNPACKED
from embedclf.data.excel_cells import cell_as_text, openpyxl_or_error
from embedclf.data.foreign_files import ZIP_MAGIC
from embedclf.data.formats import FormatError
from embedclf.data.headers import LOOKED_AT
from embedclf.data.open_file import OpenFile
from embedclf.data.quoted_records import CsvRecord

_ROWS_AT_ONCE = 1_024
_MOST_NAMED = 3
_MOST_LOOKED_AT = 20
_MOST_SHOWN = 40
_PROLOG = 4_096
_ROOT = re.compile(rb"<[A-Za-z_]")
# What openpyxl raises on damaged workbooks: of XML (a SyntaxError), of the archive, or for what it does not find.
_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


class Sheet:
    """The rows of one sheet of an open workbook, which can be iterated over once.

    It is the first visible sheet with a header among its first 20 rows, or else the first that has any rows. Rows above
    the header, such as a title, are left out.

    Cells are read as texts: numbers as Excel shows them without a format, and formulas as the values that were saved
    with them. Rows in which nothing stands are left out; the others have as many fields as the widest of the first
    200.

    Parameters
    ----------
    file : OpenFile
    is_header : callable, optional
        Returns whether the fields of a row are the names of the columns that are looked for; without it, the first row
        of a sheet is its header.

    Attributes
    ----------
    notes : list of str
        Which of several sheets it is, and which row has the header if it is not the first.
    first : CsvRecord
        The first row; its line is its number in the sheet.
    head : list of CsvRecord
        Some rows after it.

    Raises
    ------
    FormatError
        If openpyxl is not installed, the file is not a workbook or is damaged, or has no rows.
    """

    def __init__(self, file: OpenFile, is_header: Callable[[list[str]], bool] | None = None) -> None:
        if not file.start.startswith(ZIP_MAGIC):
            raise FormatError("not an Excel file (.xlsx), despite its name")
        if file.is_packed:
            raise FormatError("Excel files are compressed already: decompress it first")
        openpyxl = openpyxl_or_error()
        _check_archive(file.binary)
        self.notes: list[str] = []
        self._n_rows: int | None = None
        self._read = 0
        with _AsDamaged():
            workbook = openpyxl.load_workbook(file.binary, read_only=True, data_only=True, keep_links=False)
        ahead, rows = self._chosen(workbook.worksheets, is_header)
        self._width = max(len(one.fields) for one in ahead)
        self.first, *self.head = map(self._padded, ahead)
        self._rest = map(self._padded, rows)

    def __iter__(self) -> Iterator[CsvRecord]:
        return itertools.chain([self.first], self.head, self._rest)

    @property
    def share_read(self) -> float | None:
        """The share of the rows that has been read, from 0 to 1; None if the sheet does not say how many it has."""
        return min(self._read / self._n_rows, 1.0) if self._n_rows else None

    def _chosen(
        self, sheets: list[Any], is_header: Callable[[list[str]], bool] | None
    ) -> tuple[list[CsvRecord], Iterator[CsvRecord]]:
        """Choose the sheet; return some rows from its header on, and those after them."""
        found = []
        for sheet in [one for one in sheets if one.sheet_state == "visible"] or sheets:
            rows = self._rows(sheet)
            if ahead := list(itertools.islice(rows, 1 + LOOKED_AT)):
                place = None if is_header is None else _place_of_header(ahead, is_header)
                found.append((place, sheet, ahead, rows))
                if place is not None or is_header is None:
                    break
        if not found:
            raise FormatError("the workbook has no rows")
        place, sheet, ahead, rows = found[0] if found[-1][0] is None else found[-1]
        if others := [repr(one.title) for one in sheets if one is not sheet]:
            shown = ", ".join(others[:_MOST_NAMED]) + (", …" if len(others) > _MOST_NAMED else "")
            self.notes.append(f"sheet {sheet.title!r} read, not {shown}")
        if place:
            above = " ".join(filter(None, ahead[0].fields))
            self.notes.append(f"header in row {ahead[place].line}, below {above[:_MOST_SHOWN]!r}")
        return ahead[place or 0 :], rows

    def _rows(self, sheet: Any) -> Iterator[CsvRecord]:
        """Read the rows of a sheet, without the empty cells at the end of each."""
        n_rows = sheet.max_row
        sheet.reset_dimensions()  # which need not be true
        rows = enumerate(sheet.iter_rows(), 1)
        while True:
            with _AsDamaged():
                piece = list(itertools.islice(rows, _ROWS_AT_ONCE))
            if not piece:
                return
            for line, cells in piece:
                self._read, self._n_rows = line, n_rows
                fields = ["" if cell.data_type == "e" else cell_as_text(cell.value) for cell in cells]
                while fields and not fields[-1]:
                    fields.pop()
                if fields:
                    yield CsvRecord(line, fields)

    def _padded(self, row: CsvRecord) -> CsvRecord:
        return row._replace(fields=row.fields + [""] * (self._width - len(row.fields)))


def _place_of_header(rows: Sequence[CsvRecord], is_header: Callable[[list[str]], bool]) -> int | None:
    """Return which of the first rows is the header, counted from 0; None if none is."""
    widest = max(_n_filled(one) for one in rows)
    # A title may be called as a column of texts, but stands alone.
    places = (one for one, row in enumerate(rows[:_MOST_LOOKED_AT]) if _n_filled(row) > 1 or widest == 1)
    return next((one for one in places if is_header(rows[one].fields)), None)


def _n_filled(row: CsvRecord) -> int:
    return sum(map(bool, row.fields))


class _AsDamaged(warnings.catch_warnings):
    """Turn errors of openpyxl into `FormatError`, and drop its warnings about what is not kept on writing."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        super().__exit__(kind, error, trace)
        if isinstance(error, _ERRORS):
            shown = " ".join(str(error).split())[:200] or type(error).__name__
            raise FormatError(f"the Excel file is damaged or incomplete ({shown})") from error


def _check_archive(file: io.BufferedReader) -> None:
    """Check that a workbook does not unpack to far more than its size, and that its XML defines no entities.

    Raises
    ------
    FormatError
        If it does.
    """
    size = os.fstat(file.fileno()).st_size
    with _AsDamaged(), zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if sum(part.file_size for part in parts) > max(MOST_UNPACKED, MOST_RATIO * size):
            raise FormatError(f"the Excel file decompresses to more than {MOST_RATIO} times its size, as no sheet does")
        for part in parts:
            if part.filename.lower().endswith((".xml", ".rels")):
                with archive.open(part) as xml:
                    start = xml.read(_PROLOG).replace(b"\0", b"")
                root = _ROOT.search(start)
                if b"<!DOCTYPE" in start or (root is None and len(start) == _PROLOG):
                    raise FormatError(
                        f"the Excel file declares a document type in {part.filename}, which no Excel file needs"
                    )
    file.seek(0)
