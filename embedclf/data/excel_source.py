"""Reading workbooks of Excel."""

from embedclf.data.columns import candidates
from embedclf.data.excel_sheet import Sheet
from embedclf.data.headers import is_doubtful, looks_like_row
from embedclf.data.open_file import OpenFile
from embedclf.data.reading import Reading
from embedclf.data.table_source import NO_HEADER, TableSource

_MOST_SHOWN = 40


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
        self._sheet = Sheet(file, self._is_header if reading.header else None)
        self.notes += self._sheet.notes
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
        """Return that the first row looks like a title or a row, rather than like a header; None if it does not."""
        if not self.has_header:
            return None
        first, others = self._sheet.first.fields, [one.fields for one in self._sheet.head]
        names = [name for name in first if name]
        if len(names) == 1 and any(sum(map(bool, fields)) > 1 for fields in others):
            return (
                f"the first row has only {names[0][:_MOST_SHOWN]!r}. If the header is below it, name its columns with "
                "--text-column and --label-column, or delete the rows above it"
            )
        return NO_HEADER if looks_like_row(first, others) else None

    def _is_header(self, names: list[str]) -> bool:
        """Return whether a row has the names of the columns of texts and, if they are needed, of labels."""
        reading = self.reading
        if is_doubtful(names) or not reading.has_texts(names):
            return False
        if reading.labels not in ("needed", "alone"):
            return True
        if asked := reading.label_columns or (reading.label_column and (reading.label_column,)):
            return not set(names).isdisjoint(asked)
        return bool(candidates(names, "label", reading.usual.label)) or not set(names).isdisjoint(
            reading.usual_label_columns
        )
