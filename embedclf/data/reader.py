"""Reading rows: CSV, TSV, JSON Lines, Parquet, and plain lines of standard input."""

import codecs
import csv
import io
import itertools
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from embedclf.data.atomic_file import STDIN, Place
from embedclf.data.parquet import MAGIC, ParquetError, ParquetSource, Record
from embedclf.data.rows import _LABEL, Format, Row, _numbered, file_format
from embedclf.errors import DataError
from embedclf.formatting import counted
from embedclf.validation import text_fault

# How files begin that are neither, and what to do with them.
_FOREIGN = {
    b"PK\x03\x04": "it is an Excel or ZIP file: save it as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "it is an old Excel file: save it as CSV (UTF-8)",
    b"\x1f\x8b": "it is packed with gzip: unpack it first",
}

# Python reads and writes about 1,000 levels, less those of the program that asks for it.
_MOST_NESTED = 200
_NESTED_TOO_DEEPLY = "the line is not usable JSON (nested too deeply)"

# csv counts a field's characters in a C long, which has 32 bits on some platforms.
_ANY_FIELD_SIZE = 2**31 - 1


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

    def __enter__(self) -> Self:
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


def check_delimiter(delimiter: str | None) -> None:
    """Check that a character can stand between columns.

    Raises
    ------
    ValueError
        If it is not one character, or one that means something else in a table.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise ValueError(f"delimiter must be one character, such as ';' or a tab, not {delimiter!r}")
