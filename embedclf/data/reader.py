"""Reading rows: CSV, TSV, JSON Lines and Parquet."""

import codecs
import io
import itertools
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self, cast

from embedclf.data.atomic_file import STDIN, Place
from embedclf.data.columns import (
    DEFAULT,
    Columns,
    Kind,
    candidates,
    find_delimiter,
    no_column_problem,
    several_columns_problem,
    shown_delimiter,
)
from embedclf.data.csv_records import CsvRecords
from embedclf.data.dialect import SEP, Dialect, Quoting, check_dialect
from embedclf.data.formats import Format, FormatError, check_delimiter, check_encoding, file_format
from embedclf.data.jsonl_records import JsonRecord, jsonl_records
from embedclf.data.parquet_source import ParquetSource
from embedclf.data.parquet_types import MAGIC, ParquetError
from embedclf.data.plain_file import meant
from embedclf.data.rows import Row, RowMaker, numbered_names
from embedclf.data.text_lines import accepting_bom, open_stdin
from embedclf.errors import DataError
from embedclf.formatting import counted
from embedclf.phases import phase

logger = logging.getLogger(__name__)

Labels = Literal["needed", "optional", "none"]

_REMEMBERED = " (as in training)"
# First bytes of unsupported files, and what to do about each.
_FOREIGN = {
    b"PK\x03\x04": "Excel and ZIP files are not supported: save the file as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "old Excel files are not supported: save the file as CSV (UTF-8)",
    b"\x1f\x8b": "gzip files are not supported: decompress the file first",
}

_NO_QUOTING = "no quoting found (if fields are quoted, use --quoting csv)"
_ROWS_A_STEP = 1_024


class CorpusReader:
    """An open file of texts, with or without labels, whose rows can be iterated over once.

    Parameters
    ----------
    path : str or Path
        The file, or ``-`` for standard input (CSV, or JSONL if it starts with a brace). A Parquet file is recognized by
        its first bytes, whatever its name.
    text_column, label_column : str or None
        None finds the column: it is called as `usual` says, or ``text`` and ``label``, or is the only one with another
        usual name, such as ``Message`` or ``category``. What was found is logged.
    labels : {"needed", "optional", "none"}
        Whether a row without a label is an error, whether the column may be missing, too, and whether labels are read
        at all. A column that was asked for must exist, unless it is called ``label`` and optional.
    usual : Columns
        The names to look for first.
    delimiter : str or None
        None finds it in the header: a tab for ``.tsv`` and a comma otherwise, unless only another makes a header of it.
    encoding : str
        A byte order mark is accepted.
    quoting : {"auto", "csv", "none"}
        Whether fields of CSV and TSV may be quoted; see `CsvRecords`. What was found is logged if there is no quoting.
    escape_char : str or None
        The character before a quote inside a quoted field, where such quotes are not doubled.

    Attributes
    ----------
    name : str
        Name of the file in messages.
    place : str or Path
        The path as it was passed.
    columns : list of str
        The header, with repeated names numbered; for JSONL, the keys of the first record.
    text_column, label_column : str
        The columns that are read; `label_column` is None if labels are not.
    delimiter : str or None
        The delimiter of a CSV or TSV file that was given or found; None if it is the usual one.
    dialect : Dialect
        How its fields are told apart.
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
        text_column: str | None = None,
        label_column: str | None = None,
        labels: Labels = "needed",
        usual: Columns = DEFAULT,
        delimiter: str | None = None,
        encoding: str = "utf-8",
        quoting: Quoting = "auto",
        escape_char: str | None = None,
    ) -> None:
        self.name = "stdin" if os.fspath(path) == STDIN else os.fspath(path)
        self.place: Place | None = path
        self._path = None if os.fspath(path) == STDIN else Path(path)
        self._asked: dict[Kind, str | None] = {"text": text_column, "label": label_column}
        self._labels, self._usual = labels, usual
        self._maker = RowMaker(text_column or usual.text, None, labels == "needed")
        self._notes: list[str] = []
        self._encoding = encoding
        check_delimiter(delimiter)
        check_encoding(encoding)
        check_dialect(quoting, escape_char, delimiter)
        self._quoting: Quoting = quoting
        self._escape_char = escape_char
        self._csv: CsvRecords | None = None
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
        self.delimiter = delimiter
        self.schema: Any = None
        self._parquet: ParquetSource | None = None
        read: dict[Format, Callable[[], tuple[list[str], Iterator[Row]]]] = {
            "jsonl": self._read_jsonl,
            "parquet": self._read_parquet,
        }
        try:
            with self._as_data_errors():
                header, self._rows = read.get(self.format, self._read_csv)()
                self._choose_columns(header)
                if self.delimiter != delimiter:
                    self._notes.append(f"delimiter {shown_delimiter(cast(str, self.delimiter))}")
                if quoting == "auto" and self.dialect.unquoted is not None:
                    self._notes.append(_NO_QUOTING)
                self.columns = header if self.format == "jsonl" else numbered_names(header)
        except BaseException:
            self.close()
            raise
        if self._notes:
            logger.info("%s: %s", self.name, ", ".join(self._notes))

    @property
    def dialect(self) -> Dialect:
        """How the fields of a CSV or TSV file are told apart, as far as has been found out."""
        unquoted = None if self._csv is None or self._csv.is_quoted else self._csv.delimiter
        return Dialect(self.delimiter, unquoted, None if self._csv is None else self._escape_char)

    @property
    def text_column(self) -> str:
        """The column with the texts."""
        return self._maker.text_column

    @property
    def label_column(self) -> str | None:
        """The column with the labels; None if they are not read."""
        return self._maker.label_column

    def _open(self) -> io.BufferedReader:
        if self._path is None:
            return open_stdin()
        try:
            if self._path.is_dir():
                raise self._error("is a folder; expected a file of texts")
            return self._path.open("rb")
        except FileNotFoundError:
            raise self._error(f"file not found{meant(self._path)}") from None
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

    def _choose_columns(self, header: list[str]) -> None:
        """Find the columns, and check that each appears exactly once."""
        maker, asked = self._maker, self._asked
        if header or self.format != "jsonl":  # no line of JSON has keys; each is reported when it is read
            strings = header if self._parquet is None else self._parquet.text_columns
            text = asked["text"] or self._column("text", header, strings, asked["label"])
            maker.text_column = self._checked("text", header, text)
            if self._parquet is not None and (kind := self._parquet.not_text(text)) is not None:
                raise self._error(
                    f"the column {text!r} contains {kind}, not strings. Choose another with --text-column"
                )
        if self._labels == "none":
            return
        optional = self._labels == "optional"
        if not header and self.format == "jsonl":
            maker.label_column = asked["label"] or self._usual.label
        elif asked["label"] is not None and not (
            optional and asked["label"] == DEFAULT.label and DEFAULT.label not in header
        ):
            maker.label_column = self._checked("label", header, asked["label"])
        elif asked["label"] is None and (label := self._column("label", header, header, maker.text_column)):
            maker.label_column = self._checked("label", header, label)

    def _column(self, kind: Kind, header: list[str], possible: list[str], taken: str | None) -> str:
        """Find the column of the texts or labels; return an empty string if labels are optional and there are none."""
        usual: str = getattr(self._usual, kind)
        optional = kind == "label" and self._labels == "optional"
        found = candidates(possible, kind, usual, taken)
        if len(found) == 1:
            if found[0] != getattr(DEFAULT, kind):
                self._notes.append(f"{kind}s in {found[0]!r}")
                if found[0] == usual:
                    self._notes = [note.removesuffix(_REMEMBERED) for note in self._notes]
                    self._notes[-1] += _REMEMBERED
            return found[0]
        if optional:
            if found:
                names = " or ".join(map(repr, found))
                self._notes.append(f"no labels read (choose {names} with --label-column)")
            return ""
        if found:
            raise self._header_error(several_columns_problem(found, kind, header))
        name = usual if usual in header else getattr(DEFAULT, kind)
        if name in header:  # a Parquet column that holds no strings
            return name
        raise self._header_error(
            no_column_problem(name, kind, header, asked=False, taken=taken, labelled=self._labels != "none")
        )

    def _checked(self, kind: Kind, header: list[str], column: str) -> str:
        """Check that a column exists exactly once, and return its name."""
        if column not in header:
            raise self._header_error(no_column_problem(column, kind, header, asked=True))
        if header.count(column) > 1:
            raise self._error(f"the column {column!r} appears {header.count(column)} times in the header", 1)
        return column

    def _header_error(self, problem: str) -> DataError:
        return self._error(problem, None if self._parquet is not None else 1)

    def _read_csv(self) -> tuple[list[str], Iterator[Row]]:
        """Return the header and the rows."""
        usual = "\t" if self.format == "tsv" else ","
        ahead = [self._file.readline()]
        found = usual
        if (sep := SEP.fullmatch(ahead[0])) is not None:
            found, ahead = sep[1], ["\n"]  # a blank line in its place, so that the others keep their numbers
        elif self.delimiter is None:
            while ahead[-1] in ("\n", "\r\n", "\r"):
                ahead.append(self._file.readline())
            found = find_delimiter(ahead[-1], usual, self._has_texts)
        if self.delimiter is None and found != usual:
            self.delimiter = found
        lines = itertools.chain(ahead, self._file)
        self._csv = CsvRecords(lines, self.delimiter or usual, self._quoting, self._escape_char)
        return self._csv.header, self._csv_rows(self._csv)

    def _has_texts(self, header: list[str]) -> bool:
        asked = self._asked["text"]
        if asked is not None:
            return asked in header
        return bool(candidates(header, "text", self._usual.text, self._asked["label"]))

    def _csv_rows(self, records: CsvRecords) -> Iterator[Row]:
        keys = numbered_names(records.header)
        was_quoted = records.is_quoted
        for line, fields, quoting_fault in records:
            if was_quoted and not records.is_quoted:
                was_quoted = False
                logger.info("%s: %s from line %d on", self.name, _NO_QUOTING, line)
            record = dict(zip(keys, fields, strict=False))
            if quoting_fault is not None:
                yield Row(line, record, "", "", quoting_fault)
                continue
            if len(fields) == len(keys):
                yield self._maker.row(line, record)
                continue
            fault = f"expected {counted(len(keys), 'field')} as in the header, got {len(fields)}"
            if surplus := fields[len(keys) :]:
                fault += f" (extra: {', '.join(map(repr, surplus))[:200]})"
            yield Row(line, record, "", "", fault)

    def _read_jsonl(self) -> tuple[list[str], Iterator[Row]]:
        """Return the keys of the first non-empty record, and the rows."""
        records = jsonl_records(self._file)
        ahead = []
        for one in records:
            ahead.append(one)
            if one.record:
                break
        if not ahead:
            raise self._error("the file is empty; expected JSON Lines")
        return list(ahead[-1].record), map(self._jsonl_row, itertools.chain(ahead, records))

    def _jsonl_row(self, one: JsonRecord) -> Row:
        if one.fault is not None:
            return Row(one.line, {}, "", "", one.fault)
        return self._maker.row(one.line, one.record, one.source)

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
