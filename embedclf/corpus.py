"""Texts and labels in and out of files: CSV, TSV, JSONL and Parquet, from a path or from the standard input.

Rows are read and written one at a time, in order. Every complaint says ``file:line``, the header being line 1; a
Parquet file has no lines, and the number of the row, counted from 1, stands for one.
"""

import bisect
import codecs
import csv
import io
import itertools
import json
import logging
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from embedclf.atomic_file import STDIN, AtomicFile, PartFile, Place
from embedclf.errors import BadRowsError, DataError, OutputError, RowFault, counted, list_faults
from embedclf.parquet import MAGIC, ParquetError, ParquetSink, ParquetSource, Record
from embedclf.texts import text_fault

logger = logging.getLogger(__name__)

Format = Literal["csv", "tsv", "jsonl", "parquet"]
_FORMATS: dict[str, Format] = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
# How files begin that are neither, and what to do with them.
_FOREIGN = {
    b"PK\x03\x04": "it is an Excel or ZIP file: save it as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "it is an old Excel file: save it as CSV (UTF-8)",
    b"\x1f\x8b": "it is packed with gzip: unpack it first",
}
_LABEL = "label"

# Python reads and writes about 1,000 levels, less those of the program that asks for it.
_MOST_NESTED = 200
_NESTED_TOO_DEEPLY = "the line is not usable JSON (nested too deeply)"

# csv counts a field's characters in a C long, which has 32 bits on some platforms.
_ANY_FIELD_SIZE = 2**31 - 1


def file_format(path: str | os.PathLike[str]) -> Format:
    """Tell the format that a file's extension stands for; CSV for any that is not known."""
    return _FORMATS.get(Path(path).suffix.lower(), "csv")


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file.

    Attributes
    ----------
    line : int
        Where the record starts, counted from 1.
    record : dict
        Its own columns, as they were read.
    source : str or Record
        The record as it stands in a JSONL or Parquet file; empty for others.
    text, label : str
        Empty where there is none; `label` also where labels were not asked for.
    fault : str or None
        Why the row cannot be used; None if it can.
    """

    line: int
    record: Mapping[str, Any]
    text: str
    label: str
    fault: str | None
    source: str | Record = ""


class CorpusReader:
    """An open file of texts, and of labels if there are any; iterate over it for its rows, once.

    Parameters
    ----------
    path : str or Path
        The file, or ``-`` for the standard input (CSV, or JSONL if it starts with a brace). A Parquet file is known by
        how it begins, whatever it is called.
    text_column : str
    label_column : str or None
        None reads no labels.
    needs_labels : bool
        Whether a row without a label is at fault. If not, there need be no column ``label`` either; one of another name
        is there since somebody said so.
    delimiter : str or None
        None takes a tab for ``.tsv`` and a comma otherwise.
    encoding : str
        A byte order mark is accepted.

    Attributes
    ----------
    name : str
        What messages call it.
    place : str or Path
        Where it is, as it was given.
    columns : list of str
        The header, names that come again numbered; for JSONL, the keys of the first record.
    has_bom : bool
        Whether it starts with a UTF-8 byte order mark.
    schema : pyarrow.Schema or None
        Of a Parquet file; None for others.

    Raises
    ------
    DataError
        If it is not there, empty, not in this encoding, not of its format, or lacks a column.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        text_column: str = "text",
        label_column: str | None = _LABEL,
        needs_labels: bool = True,
        delimiter: str | None = None,
        encoding: str = "utf-8",
    ) -> None:
        self.name = "stdin" if os.fspath(path) == STDIN else os.fspath(path)
        self.place: Place | None = path
        self._path = None if os.fspath(path) == STDIN else Path(path)
        self._text_column, self._label_column = text_column, label_column
        self._needs_labels = needs_labels
        self._encoding = encoding
        check_delimiter(delimiter)
        self._bytes = self._open()
        start = self._bytes.peek(4)
        for mark, advice in _FOREIGN.items():
            if start.startswith(mark):
                self._bytes.close()
                raise self._error(advice)
        self.has_bom = start.startswith(codecs.BOM_UTF8)
        self._file = io.TextIOWrapper(cast(BinaryIO, self._bytes), encoding=_accepting_bom(encoding), newline="")
        if start.startswith(MAGIC):
            self.format: Format = "parquet"
        elif self._path is None and start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{"):
            self.format = "jsonl"
        else:
            self.format = file_format(path)
        self._delimiter = delimiter or ("\t" if self.format == "tsv" else ",")
        self._line = 0
        self.schema: Any = None
        self._parquet: ParquetSource | None = None
        read = {"jsonl": self._read_jsonl, "parquet": self._read_parquet}.get(self.format, self._read_csv)
        try:
            with self._complaints():
                self._records = read()
                self.columns = self._columns()
        except BaseException:
            self.close()
            raise

    def _open(self) -> io.BufferedReader:
        if self._path is None:
            return _stdin()
        try:
            if self._path.is_dir():
                raise self._error("it is a folder, where a file of texts is needed")
            return self._path.open("rb")
        except FileNotFoundError:
            raise self._error("there is no such file") from None
        except OSError as error:
            raise self._error(f"cannot be read ({error.strerror})") from error

    @property
    def share_read(self) -> float | None:
        """How much of the file has been read, from 0 to 1; None if its size is not known."""
        if self._parquet is not None:
            return self._parquet.share_read
        if self._path is None or not self._bytes.seekable():
            return None
        return self._bytes.tell() / max(os.fstat(self._bytes.fileno()).st_size, 1)

    def close(self) -> None:
        """Close the file; the standard input stays open."""
        if self._path is None:
            self._file.detach()
        else:
            self._file.close()

    def __enter__(self) -> "CorpusReader":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Row]:
        with self._complaints():
            yield from self._records

    def _error(self, problem: str, line: int | None = None) -> DataError:
        where = self.name if line is None else f"{self.name}:{line}"
        return DataError(f"{where}: {problem}", source=self.name, line=line)

    @contextmanager
    def _complaints(self) -> Iterator[None]:
        try:
            yield
        except ParquetError as error:
            raise self._error(str(error)) from error
        except UnicodeDecodeError as error:
            raise self._not_this_encoding(error) from error
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                problem = "a quote that is opened in this row is never closed, so the rest of the file is part of it"
            else:
                problem = f"the quotes of this row do not fit together ({error})"
            raise self._error(f"{problem}; write a quote inside a quoted field twice", self._line) from error
        except UnicodeError as error:
            raise self._error(f"it cannot be read as {self._encoding} ({error})") from error

    def _not_this_encoding(self, error: UnicodeDecodeError) -> DataError:
        byte = f"0x{error.object[error.start]:02x}"
        hint = "utf-16" if error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "cp1252"
        advice = f"give the file's encoding with --encoding, for example --encoding {hint}"
        if self._path is None or not self._bytes.seekable():
            return self._error(f"byte {byte} is not {self._encoding}; {advice}")
        # The decoder was fed up to where the file stands now, and error.object is the last of it.
        offset = self._bytes.tell() - len(error.object) + error.start
        with self._path.open("rb") as again:
            line = again.read(offset).count(b"\n") + 1
        return self._error(f"byte {offset + 1:,} ({byte}) is not {self._encoding}; {advice}", line)

    def _columns(self) -> list[str]:
        """Take the header from the first record, which is put back, and see that it has what is needed."""
        if self.format == "jsonl":
            ahead = []
            for row in self._records:
                ahead.append(row)
                if row.record:
                    break
            if not ahead:
                raise self._error("the file is empty: it holds no JSON lines")
            self._records = itertools.chain(ahead, self._records)
            columns = list(ahead[-1].record)
            if not columns:  # each line is at fault, and says so when it is read
                return columns
        else:
            columns = self._header
        if not self._needs_labels and self._label_column == _LABEL and _LABEL not in columns:
            self._label_column = None
        for column in [self._text_column, *([] if self._label_column is None else [self._label_column])]:
            if column not in columns:
                raise self._error(self._missing(column, columns), None if self._parquet is not None else 1)
            if columns.count(column) > 1:
                raise self._error(f"the column {column!r} stands {columns.count(column)} times in the header", 1)
        if self._parquet is not None and (kind := self._parquet.not_text(self._text_column)) is not None:
            column = repr(self._text_column)
            raise self._error(f"the column {column} holds {kind}, not strings; name the right one with --text-column")
        return columns if self.format == "jsonl" else self._keys

    def _missing(self, column: str, columns: list[str]) -> str:
        option = "--text-column" if column == self._text_column else "--label-column"
        listed = ", ".join(repr(name[:60]) for name in columns[:20]) + (", …" if len(columns) > 20 else "")
        problem = f"there is no column {column!r}; there are {listed}"
        if "\0" in "".join(columns):
            return f"{problem}; the header holds NUL characters: try --encoding utf-16"
        if self.format in ("csv", "tsv") and columns[0].startswith("sep="):
            return f"{problem}; the first line is a spreadsheet's 'sep=': delete it, and give --delimiter"
        if self.format in ("csv", "tsv") and len(columns) == 1:
            for sign, name, value in (
                (";", "semicolons", ";"),
                ("\t", "tabs", r"\t"),
                ("|", "bars", "|"),
                (",", "commas", ","),
            ):
                if sign in columns[0] and sign != self._delimiter:
                    return f"{problem}; the header holds {name}: try --delimiter '{value}'"
        return f"{problem}; name the right one with {option}"

    def _read_csv(self) -> Iterator[Row]:
        # strict: without it an unclosed quote swallows the rest of the file in silence.
        reader = csv.reader(self._file, delimiter=self._delimiter, strict=True)

        def records() -> Iterator[tuple[int, list[str]]]:
            while True:
                self._line = reader.line_num + 1
                before = csv.field_size_limit(_ANY_FIELD_SIZE)  # the module's own, so it is put back at once
                try:
                    fields = next(reader, None)
                finally:
                    csv.field_size_limit(before)
                if fields is None:
                    return
                if fields:  # a blank line
                    yield self._line, fields

        numbered = records()
        _, self._header = next(numbered, (0, []))
        if not self._header:
            raise self._error("the file is empty: it needs a header that names its columns")
        self._keys = _numbered(self._header)
        return self._csv_rows(numbered)

    def _csv_rows(self, numbered: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
        for line, fields in numbered:
            record = dict(zip(self._keys, fields, strict=False))
            if len(fields) != len(self._keys):
                fault = f"the row has {counted(len(fields), 'field')} where the header has {len(self._keys)}"
                if surplus := fields[len(self._keys) :]:
                    fault += f" (too many: {', '.join(map(repr, surplus))[:200]})"
                yield Row(line, record, "", "", fault)
            else:
                yield self._row(line, record)

    def _read_jsonl(self) -> Iterator[Row]:
        for line, source in enumerate(self._file, 1):
            if source.isspace():
                continue
            if line == 1 and (source.strip() == "{" or source.lstrip().startswith("[")):
                raise self._error("it is one large JSON value: JSON lines are needed, a whole object on each line", 1)
            try:
                record = json.loads(source)
            except ValueError as error:
                problem = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
                yield Row(line, {}, "", "", f"the line is not JSON ({problem})")
                continue
            except RecursionError:
                yield Row(line, {}, "", "", _NESTED_TOO_DEEPLY)
                continue
            if _is_nested_deeply(record, source):
                yield Row(line, {}, "", "", _NESTED_TOO_DEEPLY)
                continue
            if not isinstance(record, dict):
                yield Row(line, {}, "", "", "the line is JSON, but not an object with keys in braces")
                continue
            yield self._row(line, record, source)

    def _read_parquet(self) -> Iterator[Row]:
        if self._path is None:
            raise self._error("a Parquet file names its columns at its end: give its path with --input")
        if not self._bytes.peek(4).startswith(MAGIC):
            raise self._error("it is not a Parquet file, which its name says that it is")
        self._parquet = ParquetSource(cast(BinaryIO, self._bytes))
        self.schema, self._header = self._parquet.schema, self._parquet.columns
        if not self._header:
            raise self._error("it has no columns")
        self._keys = _numbered(self._header)
        return (
            self._row(number, dict(zip(self._keys, values, strict=True)), source)
            for number, (values, source) in enumerate(self._parquet, 1)
        )

    def _row(self, line: int, record: dict[str, Any], source: str | Record = "") -> Row:
        text, label, fault = record.get(self._text_column), "", None
        if text is None:
            fault, text = f"there is no {self._text_column!r}", ""
        elif not isinstance(text, str):
            fault, text = f"the text is not a string ({json.dumps(text)[:40]})", ""
        else:
            fault = text_fault(text)
        if self._label_column is not None:
            value = record.get(self._label_column)
            if isinstance(value, int | float):
                # A number where a name is meant is kept as it was written.
                if isinstance(source, str):
                    value = json.loads(source, parse_float=str, parse_int=str, parse_constant=str)[self._label_column]
                value = value if isinstance(value, str) else json.dumps(value)
            if isinstance(value, list | dict):
                fault = fault or "the label is a list or an object, where one name is needed"
            else:
                label = value or ""
                if label or self._needs_labels:
                    fault = fault or text_fault(label, "label")
        return Row(line, record, text, label, fault, source)


def _is_nested_deeply(value: Any, source: str) -> bool:
    """Tell whether a JSON value is nested more deeply than is sure to be written again by whoever has it."""
    if source.count("[") + source.count("{") <= _MOST_NESTED:
        return False
    level = [value]
    for _ in range(_MOST_NESTED):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return any(isinstance(one, dict | list) for one in level)


def _accepting_bom(encoding: str) -> str:
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def _stdin() -> io.BufferedReader:
    if sys.stdin is None:
        raise DataError("stdin: it is closed", source="stdin")
    return cast(io.BufferedReader, sys.stdin.buffer)


def read_lines(encoding: str = "utf-8") -> Iterator[Row]:
    """Read the standard input as one text a line.

    Raises
    ------
    DataError
        If it is not in this encoding.
    """
    number = 0
    try:
        for number, line in enumerate(_decoded_lines(encoding), 1):
            text = line.rstrip("\r\n")
            yield Row(number, {"text": text}, text, "", text_fault(text))
    except UnicodeError as error:
        raise DataError(
            f"stdin:{number + 1}: it is not {encoding} ({error}); give its encoding with --encoding",
            source="stdin",
            line=number + 1,
        ) from error


def _decoded_lines(encoding: str) -> Iterator[str]:
    if "\n".encode(encoding) == b"\n":
        # line by line, so that each is answered however the rest is encoded
        decode = codecs.getincrementaldecoder(_accepting_bom(encoding))().decode
        # The last line may have no end, and then half a character.
        yield from (decode(line, not line.endswith(b"\n")) for line in _stdin())
    else:
        file = io.TextIOWrapper(_stdin(), encoding=encoding, newline="")
        yield from file
        file.detach()


@dataclass(frozen=True)
class Corpus:
    """The usable rows of a file.

    Attributes
    ----------
    name : str
        What messages call the file.
    rows : list of Row
    columns : list of str
        The rows' own columns.
    has_bom : bool
        Whether the file starts with a UTF-8 byte order mark.
    skipped : list of RowFault
        The rows that were left out.
    schema : pyarrow.Schema or None
        Of a Parquet file; None for others.
    """

    name: str
    rows: list[Row] = field(repr=False)
    columns: list[str]
    has_bom: bool
    skipped: list[RowFault]
    schema: Any = field(default=None, repr=False)

    @cached_property
    def texts(self) -> list[str]:
        """The text of each row."""
        return [row.text for row in self.rows]

    @cached_property
    def labels(self) -> list[str]:
        """The label of each row; empty where there is none."""
        return [row.label for row in self.rows]

    @cached_property
    def lines(self) -> list[int]:
        """Where each row starts in the file, counted from 1."""
        return [row.line for row in self.rows]

    def place(self, number: int) -> str:
        """Give where a row, counted from 0, starts: ``file:line``."""
        return f"{self.name}:{self.lines[number]}"

    def number_at(self, line: int) -> int:
        """Give the number, counted from 0, of the row that starts at a line.

        Raises
        ------
        DataError
            If none of the rows does.
        """
        after = bisect.bisect_left(self.lines, line)
        if self.lines[after : after + 1] == [line]:
            return after
        reason = next((fault.reason for fault in self.skipped if fault.line == line), None)
        problem = "no row starts at this line" if reason is None else f"the row is left out, as {reason}"
        near = [f"{self.name}:{number}" for number in self.lines[max(after - 1, 0) : after + 1]]
        nearest = f"row starts at {near[0]}" if len(near) == 1 else f"rows start at {' and '.join(near)}"
        message = f"{self.name}:{line}: {problem}; the nearest usable {nearest}"
        raise DataError(message, source=self.name, line=line)

    def row(self, number: int) -> Row:
        """Give a row, counted from 0, as it is written: its line in the file, its text and its label."""
        row = self.rows[number]
        return replace(row, record={"line": row.line, "text": row.text, "label": row.label}, source="")


def read_corpus(
    path: str | os.PathLike[str],
    *,
    text_column: str = "text",
    label_column: str = _LABEL,
    needs_labels: bool = True,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    skip_bad_rows: bool = False,
) -> Corpus:
    """Read a file of texts and labels; see `CorpusReader`.

    Raises
    ------
    BadRowsError
        If a row cannot be used and `skip_bad_rows` is false.
    DataError
        If the file as a whole cannot be used, or holds no usable row.
    """
    rows, faults = [], []
    with CorpusReader(
        path,
        text_column=text_column,
        label_column=label_column,
        needs_labels=needs_labels,
        delimiter=delimiter,
        encoding=encoding,
    ) as reader:
        for row in reader:
            if row.fault is not None:
                faults.append(RowFault(row.line, row.fault))
            else:
                rows.append(row)
    name = reader.name
    if faults and not skip_bad_rows:
        bad = f"{counted(len(faults), 'row')} of {name} cannot be used"
        message = f"{bad}:\n{list_faults(name, faults)}\nMend them, or leave them out with --skip-bad-rows."
        raise BadRowsError(message, source=name, faults=faults)
    if not rows:
        problem = "none of its rows can be used" if faults else "the file has a header but no rows"
        raise DataError(f"{name}: {problem}", source=name)
    return Corpus(name, rows, reader.columns, reader.has_bom, faults, reader.schema)


class CorpusWriter:
    """A file of rows with columns added to them, moved into place when its ``with`` block ends well.

    Parameters
    ----------
    path : str or Path
        Its extension says the format, as when reading.
    columns : sequence of str
        The rows' own columns, which are carried over.
    added : sequence of str, or mapping of str to type
        The columns that are added. One whose name is taken gets a number: no column is ever overwritten. Types (`str`,
        `int`, `float`) are those of a Parquet file's columns; without them, `str`.
    delimiter : str or None
        For CSV; None takes a comma.
    bom : bool
        Whether to start with a byte order mark, by which some spreadsheets know UTF-8.
    schema : pyarrow.Schema, optional
        Of the Parquet file that the rows were read from, whose types a Parquet file keeps; None makes strings.
    file : PartFile, optional
        Where it grows, if it is to be gone on with after a break; what stands there already is its beginning.

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
        delimiter: str | None = None,
        bom: bool = False,
        schema: Any = None,
        file: PartFile | None = None,
    ) -> None:
        check_delimiter(delimiter)
        self._path = path
        self._format = check_output(path)
        self._columns = list(columns)
        self._wanted = list(added)
        self._added = _free_names(self._wanted, self._columns)
        self._delimiter = "\t" if self._format == "tsv" else delimiter or ","
        self._warned = False
        self._sink: ParquetSink | None = None
        self._schema = schema
        if self._format == "parquet":
            kinds = added.values() if isinstance(added, Mapping) else [str] * len(self._added)
            with self._complaints():
                self._sink = ParquetSink(self._columns, schema, dict(zip(self._added, kinds, strict=True)))
        self._file = AtomicFile(path) if file is None else file
        if self._sink is not None and self._file.is_direct:
            self._file.discard()
            raise OutputError(f"cannot write {self._path}: Parquet needs a file, not a pipe", path=os.fspath(path))
        if file is not None and file.state is not None:
            return
        if self._sink is not None:
            self._file.write(self._sink.start())
        elif self._format != "jsonl":
            # A name that starts with a byte order mark of its own would lose it to whoever reads it.
            bom = bom or "".join([*self._columns, *self._added][:1]).startswith("\ufeff")
            self._file.write(codecs.BOM_UTF8 if bom else b"")
            self._write_csv([*self._columns, *self._added])

    @contextmanager
    def _complaints(self) -> Iterator[None]:
        try:
            yield
        except ParquetError as error:
            path = os.fspath(self._path)
            raise OutputError(f"cannot write {path}: {error}", path=path) from error

    def __enter__(self) -> "CorpusWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: Any) -> None:
        if self._sink is None or kind is not None:
            self._file.__exit__(kind, *exception)
            return
        try:
            self.flush()
            with self._complaints(), self._file.written() as stream, AtomicFile(self._path) as whole:
                self._sink.convert(stream, whole.file)
        except BaseException as error:
            self._file.discard()
            if isinstance(error, OSError):
                path = os.fspath(self._path)
                raise OutputError(f"cannot write {path}: {error.strerror or error}", path=path) from error
            raise
        self._file.remove()

    def flush(self) -> None:
        """Write what is kept back: the rows of a Parquet file are written many at a time."""
        if self._sink is not None:
            self._file.write(self._sink.take())

    def write(self, row: Row, added: Sequence[str | float | None]) -> None:
        """Write a row with the values of its added columns; None leaves one empty (JSONL: null)."""
        if self._format == "jsonl":
            # A key that only this record has may clash as well.
            names = self._added if row.record.keys().isdisjoint(self._added) else _free_names(self._wanted, row.record)
            self._file.write(_extended(row, dict(zip(names, added, strict=True))))
            return
        if not self._warned and (lost := [key for key in row.record if key not in self._columns]):
            self._warned = True
            logger.warning(
                "line %d has %s, which the first record has not: left out of the output; "
                "name an output that ends in .jsonl to keep everything",
                row.line,
                ", ".join(map(repr, lost)),
            )
        if self._sink is not None and self._schema is not None and isinstance(row.source, Record):
            if self._sink.add(row.source, added):
                self.flush()
            return
        own = [row.record.get(column) for column in self._columns]
        if self._sink is not None:
            if self._sink.add([None if value is None else _cell(value) for value in own], added):
                self.flush()
            return
        numbers = [f"{value:.4f}" if isinstance(value, float) else value for value in added]
        self._write_csv([*map(_cell, own), *map(_cell, numbers)])

    def _write_csv(self, fields: Sequence[str]) -> None:
        line = io.StringIO()
        # What is in the terminator is quoted in a field: with both, a carriage return is, on every version of Python.
        csv.writer(line, delimiter=self._delimiter, lineterminator="\r\n").writerow(fields)
        self._file.write(line.getvalue().removesuffix("\r\n").encode("utf-8", "backslashreplace") + b"\n")


def check_delimiter(delimiter: str | None) -> None:
    """Check that a character can stand between columns.

    Raises
    ------
    ValueError
        If it is not one character, or one that means something else in a table.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise ValueError(f"delimiter must be one character, such as ';' or a tab, not {delimiter!r}")


def check_output(path: str | os.PathLike[str]) -> Format:
    """Tell the format that an output's extension stands for.

    Raises
    ------
    OutputError
        If it stands for one that is not written.
    """
    if os.fspath(path) == STDIN:
        raise OutputError(f"cannot write {STDIN}: for the standard output, give /dev/stdout", path=STDIN)
    if Path(path).suffix.lower() not in {*_FORMATS, ".csv", ".txt", ""}:
        name = os.fspath(path)
        raise OutputError(f"cannot write {name}: the output is .csv, .tsv, .jsonl or .parquet", path=name)
    return file_format(path)


def _numbered(names: Sequence[str]) -> list[str]:
    """Give each name that comes again a number."""
    numbered: list[str] = []
    for name in names:
        numbered.append(_free_name(name, numbered))
    return numbered


def _free_names(names: Sequence[str], taken: Collection[str]) -> list[str]:
    return [_free_name(name, taken) for name in names]


def _free_name(name: str, taken: Collection[str]) -> str:
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    return next(candidate for candidate in names if candidate not in taken)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _extended(row: Row, added: Mapping[str, Any]) -> bytes:
    """Write a record with keys added to it; what was read is copied as it stands, every digit of it."""
    if not isinstance(row.source, str) or not row.source:
        return json_line({**row.record, **added})
    if not added:
        return f"{row.source.strip()}\n".encode("utf-8", "backslashreplace")
    own = row.source.strip().removesuffix("}").rstrip()
    return f"{own}{', ' if row.record else ''}".encode("utf-8", "backslashreplace") + json_line(added)[1:]


def json_line(record: Mapping[str, Any]) -> bytes:
    """One line of JSONL. A lone surrogate comes out as the escape by which JSON writes it."""
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
