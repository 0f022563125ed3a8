"""Writing rows with added columns, in the format given by the file's extension."""

import codecs
import csv
import io
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from embedclf.data.atomic_file import STDIN, AtomicFile
from embedclf.data.columns import shown_delimiter
from embedclf.data.compression import Packer, packer_for
from embedclf.data.dialect import DEFAULT_DIALECT, SEP, Dialect, takes_in_rows, without_formula
from embedclf.data.excel_sink import ExcelSink
from embedclf.data.formats import (
    FORMATS,
    Format,
    FormatError,
    check_delimiter,
    data_suffix,
    file_format,
    packed_suffix,
)
from embedclf.data.parquet_sink import ParquetSink
from embedclf.data.parquet_types import ParquetError, Record
from embedclf.data.part_file import PartFile
from embedclf.data.rows import Row, cell_text, free_names
from embedclf.errors import OutputError
from embedclf.formatting import joined, to_json

logger = logging.getLogger(__name__)

# Python reads these as JSON, most other programs do not. What is in strings stays.
_NOT_FINITE = re.compile(r'("(?:[^"\\]|\\.)*")|-?Infinity|NaN')


class CorpusWriter:
    """A file of rows with added columns, moved into place when its ``with`` block succeeds.

    Parameters
    ----------
    path : str or Path
        The extension determines the format, as when reading; ``.json`` is an array of records. After ``.gz`` or
        ``.zst``, it is packed, in a part of its own for the rows before each `flush`.
    columns : sequence of str
        Original columns of the rows, which are copied.
    added : sequence of str, or mapping of str to type
        The added columns. A number is appended to a name that is taken: no column is ever overwritten. The types
        (`str`, `int`, `float`, lists of `str` or `float`) apply to a Parquet file; without them, all are `str`.
    dialect : Dialect
        How the fields of the input are told apart, which a CSV or TSV output follows. It has no quoting if the input
        has none and is separated by the same character.
    bom : bool
        Whether to start with a byte order mark, which some spreadsheets need to recognize UTF-8.
    schema : pyarrow.Schema, optional
        Schema of the Parquet file from which the rows were read. A Parquet output keeps its types; without it, all
        original columns become strings.
    header : bool
        Whether a CSV file starts with the names of the columns.
    escape_formulas : bool
        Whether to put an apostrophe in front of cells of CSV and TSV that a spreadsheet may take for formulas.
    file : PartFile, optional
        The file to write to, if it should be resumable; its existing content is the beginning of the output.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        columns: Sequence[str],
        added: Sequence[str] | Mapping[str, type],
        *,
        dialect: Dialect = DEFAULT_DIALECT,
        bom: bool = False,
        schema: Any = None,
        header: bool = True,
        escape_formulas: bool = False,
        file: PartFile | None = None,
    ) -> None:
        check_delimiter(dialect.delimiter)
        self._path = path
        self._format = check_output(path)
        self._columns = list(columns)
        self._wanted = list(added)
        self._added = free_names(self._wanted, self._columns)
        self._delimiter = "\t" if self._format == "tsv" else dialect.delimiter or ","
        self._is_unquoted = dialect.unquoted == self._delimiter
        self._escape_char = dialect.escape_char
        self._escape_formulas = escape_formulas
        self._warned = False
        self._sink: ParquetSink | ExcelSink | None = None
        self._packer: Packer | None = None
        self._is_array = data_suffix(path) == ".json"
        self._before = b"[\n"
        with self._as_output_errors():
            self._packer = packer_for(path)
            if self._format == "parquet":
                kinds = added.values() if isinstance(added, Mapping) else [str] * len(self._added)
                self._sink = ParquetSink(self._columns, schema, dict(zip(self._added, kinds, strict=True)))
            elif self._format == "xlsx":
                self._sink = ExcelSink([*self._columns, *self._added], header=header)
        self._file = AtomicFile(path) if file is None else file
        if self._sink is not None and self._file.is_direct:
            self._file.discard()
            raise OutputError(
                f"cannot write {self._path}: {self._sink.name} needs a file, not a pipe", path=os.fspath(path)
            )
        if file is not None and file.state is not None:
            self._before = b",\n" if file.state["bytes"] else self._before
            return
        if self._packer is not None:
            self._put(b"")  # so that an output without rows is a packed file, too
        if self._sink is not None:
            self._put(self._sink.start())
        elif self._format != "jsonl":
            # If the first name itself starts with a byte order mark, readers would strip that one.
            bom = bom or "".join([*self._columns, *self._added][:1]).startswith("\ufeff")
            self._put(codecs.BOM_UTF8 if bom else b"")
            if header:
                self._write_csv([*self._columns, *self._added], 1)

    @contextmanager
    def _as_output_errors(self) -> Iterator[None]:
        try:
            yield
        except (ParquetError, FormatError) as error:
            path = os.fspath(self._path)
            raise OutputError(f"cannot write {path}: {error}", path=path) from error

    def __enter__(self) -> "CorpusWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: Any) -> None:
        if self._is_array and kind is None:
            self._put(b"[]\n" if self._before == b"[\n" else b"\n]\n")
        if self._sink is None or kind is not None:
            if kind is None:
                self.flush()
            self._file.__exit__(kind, *exception)
            return
        try:
            self.flush()
            with self._as_output_errors(), self._file.written() as stream, AtomicFile(self._path) as whole:
                self._sink.convert(stream, whole.file)
        except BaseException as error:
            self._file.discard()
            if isinstance(error, OSError):
                path = os.fspath(self._path)
                raise OutputError(f"cannot write {path}: {error.strerror or error}", path=path) from error
            raise
        self._file.remove()

    def flush(self) -> None:
        """Write the buffered rows: those of a Parquet or an Excel file, and what is packed, are written in batches."""
        if self._sink is not None:
            self._file.write(self._sink.take())
        if self._packer is not None:
            self._file.write(self._packer.finish())

    def _put(self, data: bytes) -> None:
        """Write bytes, packed if the output is."""
        self._file.write(data if self._packer is None else self._packer.pack(data))

    def write(self, row: Row, added: Sequence[str | float | list[str] | None]) -> None:
        """Write a row with the values of its added columns; None is written as an empty cell (JSONL: null).

        A list is written as one, in CSV as its strings `joined`.
        """
        if self._format == "jsonl":
            # A key that only this record has may clash, too.
            names = self._added if row.record.keys().isdisjoint(self._added) else free_names(self._wanted, row.record)
            line = _extended(row, dict(zip(names, added, strict=True)))
            if self._is_array:
                line, self._before = self._before + line.removesuffix(b"\n"), b",\n"
            self._put(line)
            return
        if not self._warned and (lost := [key for key in row.record if key not in self._columns]):
            self._warned = True
            logger.warning(
                "line %d has %s, which the first record does not have: left out of the output; "
                "use an output file that ends in .jsonl to keep everything",
                row.line,
                ", ".join(map(repr, lost)),
            )
        own = [row.record.get(column) for column in self._columns]
        if self._sink is not None:
            with self._as_output_errors():
                if self._sink.add(row.source if isinstance(row.source, Record) else None, own, added, row.line):
                    self.flush()
            return
        self._write_csv([*map(cell_text, own), *map(_added_text, added)], row.line)

    def _write_csv(self, fields: Sequence[str], line: int) -> None:
        if self._escape_formulas:
            fields = [*map(without_formula, fields)]
        if self._is_unquoted:
            text = self._unquoted(fields, line)
        elif self._escape_char is not None:
            text = self._escaped(fields, self._escape_char)
        else:
            text = self._quoted(fields)
        self._put(text.encode("utf-8", "backslashreplace") + b"\n")

    def _unquoted(self, fields: Sequence[str], line: int) -> str:
        # What is wrong with a row is said in our words, which need not be kept to the letter.
        of_errors = [name == "error" for name in [*[""] * len(self._columns), *self._wanted]]
        special = re.compile(f"[\r\n{re.escape(self._delimiter)}]")
        fields = [
            special.sub(" ", field) if is_error and line > 1 else field
            for field, is_error in zip(fields, of_errors, strict=True)
        ]
        for name, field in zip([*self._columns, *self._added], fields, strict=True):
            if (found := special.search(field)) is not None:
                what = shown_delimiter(found[0]) if found[0] == self._delimiter else "line break"
                raise self._not_without_quoting(f"has a {what} in {name!r}", line)
        text = self._delimiter.join(fields)
        if not text or SEP.fullmatch(text):
            raise self._not_without_quoting(f"has only {text!r}", line)
        return text

    def _not_without_quoting(self, problem: str, line: int) -> OutputError:
        path = os.fspath(self._path)
        return OutputError(
            f"cannot write {path}: line {line} {problem}, which a file without quoting cannot hold; write to another "
            "format, such as .jsonl",
            path=path,
        )

    def _escaped(self, fields: Sequence[str], escape: str) -> str:
        special = re.compile(f'["\r\n{re.escape(self._delimiter + escape)}]')
        quoted = ['"' + field.replace(escape, escape * 2).replace('"', f'{escape}"') + '"' for field in fields]
        line = self._delimiter.join(
            whole if special.search(field) or fields == [""] else field
            for field, whole in zip(fields, quoted, strict=True)
        )
        return line if self._is_clear(line, fields) else self._delimiter.join(quoted)

    def _quoted(self, fields: Sequence[str]) -> str:
        line = self._csv_line(fields, csv.QUOTE_MINIMAL)
        return line if self._is_clear(line, fields) else self._csv_line(fields, csv.QUOTE_ALL)

    def _is_clear(self, line: str, fields: Sequence[str]) -> bool:
        """Return whether a record is read as it is meant, though not all of its fields are quoted."""
        if SEP.fullmatch(line) is not None:
            return False
        if "\n" not in line and "\r" not in line:
            return True
        return takes_in_rows([*io.StringIO(line, newline="")], fields, self._delimiter) is None

    def _csv_line(self, fields: Sequence[str], quoting: Literal[0, 1]) -> str:
        # csv quotes a field that contains a character of the line terminator. With \r in the terminator, a carriage
        # return is quoted on every version of Python.
        text = io.StringIO()
        csv.writer(text, delimiter=self._delimiter, quoting=quoting, lineterminator="\r\n").writerow(fields)
        return text.getvalue().removesuffix("\r\n")


def _added_text(value: str | float | list[str] | None) -> str:
    if isinstance(value, list):
        return joined(value)
    return cell_text(f"{value:.4f}" if isinstance(value, float) else value)


def check_output(path: str | os.PathLike[str]) -> Format:
    """Return the format that an output's extension stands for.

    Raises
    ------
    OutputError
        If that format cannot be written.
    """
    if os.fspath(path) == STDIN:
        raise OutputError(f"cannot write {STDIN}: for standard output, use /dev/stdout", path=STDIN)
    name, kind = os.fspath(path), file_format(path)
    if data_suffix(path) not in {*FORMATS, ".csv", ".txt", ""}:
        known = ".csv, .tsv, .jsonl, .parquet or .xlsx"
        raise OutputError(f"cannot write {name}: the output must end in {known}", path=name)
    if packed_suffix(path) and kind in ("parquet", "xlsx"):
        plain = os.fspath(Path(path).with_suffix(""))
        raise OutputError(f"cannot write {name}: such files are compressed already; call it {plain}", path=name)
    return kind


def _extended(row: Row, added: Mapping[str, Any]) -> bytes:
    """Return the JSON line of a record with keys added; the original is copied verbatim, every digit of it.

    Only a number that JSON does not have becomes null.
    """
    if not isinstance(row.source, str) or not row.source:
        return json_line({**row.record, **added})
    source = row.source.strip()
    if "NaN" in source or "Infinity" in source:
        source = _NOT_FINITE.sub(lambda found: found[1] or "null", source)
    if not added:
        return f"{source}\n".encode("utf-8", "backslashreplace")
    own = source.removesuffix("}").rstrip()
    return f"{own}{', ' if row.record else ''}".encode("utf-8", "backslashreplace") + json_line(added)[1:]


def json_line(record: Mapping[str, Any]) -> bytes:
    """Return one line of JSONL. A lone surrogate is written as its JSON escape."""
    return (to_json(record) + "\n").encode("utf-8", "backslashreplace")
