"""Reading rows: CSV, TSV, JSON Lines and Parquet."""

import codecs
import io
import itertools
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from embedclf.data.atomic_file import STDIN, Place
from embedclf.data.csv_records import CsvRecords
from embedclf.data.formats import Format, FormatError, check_delimiter, file_format
from embedclf.data.jsonl_records import jsonl_records
from embedclf.data.parquet_source import ParquetSource
from embedclf.data.parquet_types import MAGIC, ParquetError
from embedclf.data.rows import LABEL_COLUMN, Row, RowMaker, numbered_names
from embedclf.data.text_lines import accepting_bom, open_stdin
from embedclf.errors import DataError
from embedclf.formatting import counted
from embedclf.phases import phase

# First bytes of unsupported files, and what to do about each.
_FOREIGN = {
    b"PK\x03\x04": "Excel and ZIP files are not supported: save the file as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "old Excel files are not supported: save the file as CSV (UTF-8)",
    b"\x1f\x8b": "gzip files are not supported: decompress the file first",
}

_ROWS_A_STEP = 1_024


class CorpusReader:
    """An open file of texts, with or without labels, whose rows can be iterated over once.

    Parameters
    ----------
    path : str or Path
        The file, or ``-`` for standard input (CSV, or JSONL if it starts with a brace). A Parquet file is recognized by
        its first bytes, whatever its name.
    text_column : str
    label_column : str or None
        None reads no labels.
    needs_labels : bool
        Whether a row without a label is an error. If not, the column ``label`` is optional as well; a column of another
        name was asked for explicitly, so it must exist.
    delimiter : str or None
        None means a tab for ``.tsv`` and a comma otherwise.
    encoding : str
        A byte order mark is accepted.

    Attributes
    ----------
    name : str
        Name of the file in messages.
    place : str or Path
        The path as it was passed.
    columns : list of str
        The header, with repeated names numbered; for JSONL, the keys of the first record.
    has_bom : bool
        Whether the file starts with a UTF-8 byte order mark.
    schema : pyarrow.Schema or None
        Schema of a Parquet file; None for other formats.

    Raises
    ------
    DataError
        If the file does not exist, is empty, is not in this encoding, violates its format, or lacks a column.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        text_column: str = "text",
        label_column: str | None = LABEL_COLUMN,
        needs_labels: bool = True,
        delimiter: str | None = None,
        encoding: str = "utf-8",
    ) -> None:
        self.name = "stdin" if os.fspath(path) == STDIN else os.fspath(path)
        self.place: Place | None = path
        self._path = None if os.fspath(path) == STDIN else Path(path)
        self._maker = RowMaker(text_column, label_column, needs_labels)
        self._encoding = encoding
        check_delimiter(delimiter)
        self._bytes = self._open()
        start = self._bytes.peek(4)
        for mark, advice in _FOREIGN.items():
            if start.startswith(mark):
                self._bytes.close()
                raise self._error(advice)
        self.has_bom = start.startswith(codecs.BOM_UTF8)
        self._file = io.TextIOWrapper(cast(BinaryIO, self._bytes), encoding=accepting_bom(encoding), newline="")
        if start.startswith(MAGIC):
            self.format: Format = "parquet"
        elif self._path is None and start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{"):
            self.format = "jsonl"
        else:
            self.format = file_format(path)
        self._delimiter = delimiter or ("\t" if self.format == "tsv" else ",")
        self.schema: Any = None
        self._parquet: ParquetSource | None = None
        read: dict[Format, Callable[[], tuple[list[str], Iterator[Row]]]] = {
            "jsonl": self._read_jsonl,
            "parquet": self._read_parquet,
        }
        try:
            with self._as_data_errors():
                header, self._rows = read.get(self.format, self._read_csv)()
                self._check_header(header)
                self.columns = header if self.format == "jsonl" else numbered_names(header)
        except BaseException:
            self.close()
            raise

    def _open(self) -> io.BufferedReader:
        if self._path is None:
            return open_stdin()
        try:
            if self._path.is_dir():
                raise self._error("is a folder; expected a file of texts")
            return self._path.open("rb")
        except FileNotFoundError:
            raise self._error("file not found") from None
        except OSError as error:
            raise self._error(f"cannot be read ({error.strerror})") from error

    @property
    def share_read(self) -> float | None:
        """The share of the file that has been read, from 0 to 1; None if its size is unknown."""
        if self._parquet is not None:
            return self._parquet.share_read
        if self._path is None or not self._bytes.seekable():
            return None
        return self._bytes.tell() / max(os.fstat(self._bytes.fileno()).st_size, 1)

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._path is None:
            self._file.detach()
        else:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Row]:
        with self._as_data_errors():
            yield from self._rows

    def _error(self, problem: str, line: int | None = None) -> DataError:
        where = self.name if line is None else f"{self.name}:{line}"
        return DataError(f"{where}: {problem}", source=self.name, line=line)

    @contextmanager
    def _as_data_errors(self) -> Iterator[None]:
        try:
            yield
        except ParquetError as error:
            raise self._error(str(error)) from error
        except UnicodeDecodeError as error:
            raise self._not_this_encoding(error) from error
        except FormatError as error:
            raise self._error(error.problem, error.line) from error
        except UnicodeError as error:
            raise self._error(f"cannot be read as {self._encoding} ({error})") from error

    def _not_this_encoding(self, error: UnicodeDecodeError) -> DataError:
        byte = f"0x{error.object[error.start]:02x}"
        hint = "utf-16" if error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "cp1252"
        advice = f"set the file's encoding with --encoding, for example --encoding {hint}"
        if self._path is None or not self._bytes.seekable():
            return self._error(f"byte {byte} is not valid {self._encoding}; {advice}")
        # error.object is the last chunk passed to the decoder; it ends at the current position of the file.
        offset = self._bytes.tell() - len(error.object) + error.start
        with self._path.open("rb") as again:
            line = again.read(offset).count(b"\n") + 1
        return self._error(f"byte {offset + 1:,} ({byte}) is not valid {self._encoding}; {advice}", line)

    def _check_header(self, header: list[str]) -> None:
        """Check that each required column exists exactly once."""
        if not header and self.format == "jsonl":  # no line has keys; each is reported when it is read
            return
        maker = self._maker
        if not maker.needs_labels and maker.label_column == LABEL_COLUMN and LABEL_COLUMN not in header:
            maker.label_column = None
        for column in [maker.text_column, *([] if maker.label_column is None else [maker.label_column])]:
            if column not in header:
                raise self._error(self._missing(column, header), None if self._parquet is not None else 1)
            if header.count(column) > 1:
                raise self._error(f"the column {column!r} appears {header.count(column)} times in the header", 1)
        if self._parquet is not None and (kind := self._parquet.not_text(maker.text_column)) is not None:
            column = repr(maker.text_column)
            raise self._error(f"the column {column} contains {kind}, not strings. Choose another with --text-column")

    def _missing(self, column: str, columns: list[str]) -> str:
        option = "--text-column" if column == self._maker.text_column else "--label-column"
        listed = ", ".join(repr(name[:60]) for name in columns[:20]) + (", …" if len(columns) > 20 else "")
        problem = f"no column {column!r} (found: {listed})"
        if "\0" in "".join(columns):
            return f"{problem}. The header contains NUL characters: try --encoding utf-16"
        if self.format in ("csv", "tsv") and columns[0].startswith("sep="):
            return f"{problem}. The first line is a spreadsheet's 'sep=': delete it, and use --delimiter"
        if self.format in ("csv", "tsv") and len(columns) == 1:
            for sign, name, value in (
                (";", "semicolons", ";"),
                ("\t", "tabs", r"\t"),
                ("|", "bars", "|"),
                (",", "commas", ","),
            ):
                if sign in columns[0] and sign != self._delimiter:
                    return f"{problem}. The header contains {name}: try --delimiter '{value}'"
        alike = [name for name in columns if name.strip().casefold() == column.strip().casefold()]
        if len(alike) == 1 and alike[0].isprintable():
            return f"{problem}. Use {option} {shlex.quote(alike[0])}"
        return f"{problem}. Choose one with {option}"

    def _read_csv(self) -> tuple[list[str], Iterator[Row]]:
        """Return the header and the rows."""
        records = CsvRecords(self._file, self._delimiter)
        return records.header, self._csv_rows(records)

    def _csv_rows(self, records: CsvRecords) -> Iterator[Row]:
        keys = numbered_names(records.header)
        for line, fields in records:
            record = dict(zip(keys, fields, strict=False))
            if len(fields) == len(keys):
                yield self._maker.row(line, record)
                continue
            fault = f"expected {counted(len(keys), 'field')} as in the header, got {len(fields)}"
            if surplus := fields[len(keys) :]:
                fault += f" (extra: {', '.join(map(repr, surplus))[:200]})"
            yield Row(line, record, "", "", fault)

    def _read_jsonl(self) -> tuple[list[str], Iterator[Row]]:
        """Return the keys of the first non-empty record, and the rows."""
        rows = (
            self._maker.row(one.line, one.record, one.source)
            if one.fault is None
            else Row(one.line, {}, "", "", one.fault)
            for one in jsonl_records(self._file)
        )
        ahead = []
        for row in rows:
            ahead.append(row)
            if row.record:
                break
        if not ahead:
            raise self._error("the file is empty; expected JSON Lines")
        return list(ahead[-1].record), itertools.chain(ahead, rows)

    def _read_parquet(self) -> tuple[list[str], Iterator[Row]]:
        """Return the names of the columns and the rows."""
        if self._path is None:
            raise self._error("Parquet cannot be read from standard input: pass the path of the file with --input")
        if not self._bytes.peek(4).startswith(MAGIC):
            raise self._error("not a Parquet file, despite its name")
        self._parquet = ParquetSource(cast(BinaryIO, self._bytes))
        self.schema, header = self._parquet.schema, self._parquet.columns
        if not header:
            raise self._error("the file has no columns")
        keys = numbered_names(header)
        return header, (
            self._maker.row(number, dict(zip(keys, values, strict=True)), source)
            for number, (values, source) in enumerate(self._parquet, 1)
        )


def read_all(reader: CorpusReader) -> Iterator[Row]:
    """Yield the rows of a file that is read as a whole, as a phase."""
    with phase(f"Reading {Path(reader.name).name}", unit="row") as reading:
        for number, row in enumerate(reader, 1):
            yield row
            if number % _ROWS_A_STEP == 0:
                reading.reach(number)
                reading.estimate_total(number, reader.share_read)
