"""Reading workbooks of Excel."""

from embedclf.data.excel_sheet import Sheet
from embedclf.data.headers import looks_like_row
from embedclf.data.open_file import OpenFile
from embedclf.data.reading import Reading
from embedclf.data.table_source import NO_HEADER, TableSource


class ExcelSource(TableSource):
    """The rows of a sheet of an open workbook; see `Sheet`.

    Parameters
    ----------
    file : OpenFile
    reading : Reading

    Raises
    ------
    FormatError
        If openpyxl is not installed, the file is not a workbook or is damaged, or has no rows.
    """

    def __init__(self, file: OpenFile, reading: Reading) -> None:
        super().__init__(file, reading)
        self._sheet = Sheet(file)
        if self._sheet.note:
            self.notes.append(self._sheet.note)
        first = self._sheet.first
        self.header_line = first.line
        self._records = iter(self._sheet)
        next(self._records)
        self.has_header = reading.header and not self._is_known_headerless(first.fields)
        if self.has_header:
            self.columns = first.fields
        else:
            self._read_without_header(first.line, first.fields)

    @property
    def share_read(self) -> float | None:
        """The share of the rows that has been read, from 0 to 1; None if the sheet does not say how many it has."""
        return self._sheet.share_read

    def header_problem(self) -> str | None:
        """Return that the first row looks like a row rather than like a header; None if it does not."""
        others = [one.fields for one in self._sheet.head]
        return NO_HEADER if self.has_header and looks_like_row(self._sheet.first.fields, others) else None
