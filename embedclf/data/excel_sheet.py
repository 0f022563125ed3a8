"""The rows of a sheet of a workbook of Excel, read with openpyxl."""

import io
import itertools
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
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
    """The rows of the first visible sheet of an open workbook that has any, which can be iterated over once.

    Cells are read as texts: numbers as Excel shows them without a format, and formulas as the values that were saved
    with them. Rows in which nothing stands are left out; the others have as many fields as the widest of the first
    200.

    Parameters
    ----------
    file : OpenFile

    Attributes
    ----------
    note : str
        Which of several sheets it is; empty if the workbook has no other.
    first : CsvRecord
        The first row; its line is its number in the sheet.
    head : list of CsvRecord
        Some rows after it.

    Raises
    ------
    FormatError
        If openpyxl is not installed, the file is not a workbook or is damaged, or has no rows.
    """

    def __init__(self, file: OpenFile) -> None:
        if not file.start.startswith(ZIP_MAGIC):
            raise FormatError("not an Excel file (.xlsx), despite its name")
        if file.is_packed:
            raise FormatError("Excel files are compressed already: decompress it first")
        openpyxl = openpyxl_or_error()
        _check_archive(file.binary)
        self.note = ""
        self._n_rows: int | None = None
        self._read = 0
        with _AsDamaged():
            workbook = openpyxl.load_workbook(file.binary, read_only=True, data_only=True, keep_links=False)
        rows = self._rows_of_first(workbook.worksheets)
        ahead = list(itertools.islice(rows, 1 + LOOKED_AT))
        if not ahead:
            raise FormatError("the workbook has no rows")
        self._width = max(len(one.fields) for one in ahead)
        self.first, *self.head = map(self._padded, ahead)
        self._rest = map(self._padded, rows)

    def __iter__(self) -> Iterator[CsvRecord]:
        return itertools.chain([self.first], self.head, self._rest)

    @property
    def share_read(self) -> float | None:
        """The share of the rows that has been read, from 0 to 1; None if the sheet does not say how many it has."""
        return min(self._read / self._n_rows, 1.0) if self._n_rows else None

    def _rows_of_first(self, sheets: list[Any]) -> Iterator[CsvRecord]:
        for sheet in [one for one in sheets if one.sheet_state == "visible"] or sheets:
            rows = self._rows(sheet)
            if (first := next(rows, None)) is not None:
                others = [repr(one.title) for one in sheets if one is not sheet]
                if others:
                    shown = ", ".join(others[:_MOST_NAMED]) + (", …" if len(others) > _MOST_NAMED else "")
                    self.note = f"sheet {sheet.title!r} read, not {shown}"
                return itertools.chain([first], rows)
        return iter(())

    def _rows(self, sheet: Any) -> Iterator[CsvRecord]:
        """Read the rows of a sheet, without the empty cells at the end of each."""
        self._n_rows = sheet.max_row
        sheet.reset_dimensions()  # which need not be true
        rows = enumerate(sheet.iter_rows(), 1)
        while True:
            with _AsDamaged():
                piece = list(itertools.islice(rows, _ROWS_AT_ONCE))
            if not piece:
                return
            for line, cells in piece:
                self._read = line
                fields = ["" if cell.data_type == "e" else cell_as_text(cell.value) for cell in cells]
                while fields and not fields[-1]:
                    fields.pop()
                if fields:
                    yield CsvRecord(line, fields)

    def _padded(self, row: CsvRecord) -> CsvRecord:
        return row._replace(fields=row.fields + [""] * (self._width - len(row.fields)))


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
