"""Reading rows: CSV, TSV, JSON Lines and Parquet."""

import codecs
import io
import itertools
import json
import logging
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self, cast

from embedclf.data.atomic_file import STDIN, Place
from embedclf.data.columns import (
    DEFAULT,
    Columns,
    Kind,
    TextColumn,
    as_text_column,
    candidates,
    common_delimiter,
    fields_of,
    find_delimiter,
    looks_like_header,
    names_in,
    no_column_problem,
    several_columns_problem,
    shown_columns,
    shown_delimiter,
)
from embedclf.data.csv_records import CsvRecord, CsvRecords, PlainLines
from embedclf.data.damaged_lines import (
    ERRORS,
    DamagedLines,
    encoding_advice,
    is_damaged_only,
    shown_encoding,
    undamaged,
    utf8_line,
)
from embedclf.data.dialect import SEP, Dialect, Quoting, check_dialect
from embedclf.data.fasttext_lines import PREFIX, fasttext_records
from embedclf.data.foreign_files import LONGEST, binary_problem, foreign_problem
from embedclf.data.formats import (
    Format,
    FormatError,
    WrongEncodingError,
    check_delimiter,
    check_encoding,
    file_format,
)
from embedclf.data.headers import LOOKED_AT, find_columns, is_doubtful, looks_like_names, looks_like_row, recurs
from embedclf.data.json_shapes import json_problem, python_problem
from embedclf.data.jsonl_records import JsonRecord, is_python, jsonl_records
from embedclf.data.parquet_source import ParquetSource
from embedclf.data.parquet_types import MAGIC, ParquetError
from embedclf.data.plain_file import meant
from embedclf.data.rows import Row, RowMaker, numbered_names
from embedclf.data.sampled_file import SampledFile, sample_of
from embedclf.data.text_lines import accepting_bom, open_stdin
from embedclf.errors import DataError
from embedclf.formatting import counted
from embedclf.phases import phase

logger = logging.getLogger(__name__)

Labels = Literal["needed", "optional", "none"]

_REMEMBERED = " (as in training)"
_NO_QUOTING = "no quoting found (if fields are quoted, use --quoting csv)"
_ROWS_A_STEP = 1_024
_AT_FIRST = 64
_NO_HEADER = (
    "the first line looks like a row: pass --no-header (columns are then 1, 2, …), or add a header such as text,label"
)
_JSON_START = re.compile(rb"(\xef\xbb\xbf)?\s*(\{\s*[\"}]|\[\s*[\[{])")


class CorpusReader:
    """An open file of texts, with or without labels, whose rows can be iterated over once.

    Parameters
    ----------
    path : str or Path
        The file, or ``-`` for standard input (CSV, or JSON if it starts with a brace or ``[{``). A Parquet file is
        recognized by its first bytes, whatever its name, and a file of fastText by ``__label__``.
    text_column, label_column : str or None
        Several columns of texts are joined by line breaks. None finds the column: it is called as `usual` says, or
        ``text`` and ``label``, or is the only one with another usual name, such as ``Message`` or ``category``. What
        was found is logged.
    labels : {"needed", "optional", "none"}
        Whether a row without a label is an error, whether the column may be missing, too, and whether labels are read
        at all. A column that was asked for must exist, unless it is called ``label`` and optional.
    usual : Columns
        The names to look for first.
    delimiter : str or None
        None finds it in the header: a tab for ``.tsv`` and a comma otherwise, unless only another makes a header of it.
    encoding : str
        A byte order mark is accepted.
    header : bool
        Whether the first line of a CSV file has the names of the columns. Without it, they are ``1``, ``2``, …; a file
        is also read so if it lacks the column `usual.text`, and that is such a number.
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
        The columns that are read, a tuple for several columns of texts; `label_column` is None if labels are not.
    delimiter : str or None
        The delimiter of a CSV or TSV file that was given or found; None if it is the usual one.
    dialect : Dialect
        How its fields are told apart.
    has_bom : bool
        Whether the file starts with a UTF-8 byte order mark.
    has_header : bool
        False for a CSV file without one.
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
        text_column: str | Sequence[str] | None = None,
        label_column: str | None = None,
        labels: Labels = "needed",
        usual: Columns = DEFAULT,
        delimiter: str | None = None,
        encoding: str = "utf-8",
        header: bool = True,
        quoting: Quoting = "auto",
        escape_char: str | None = None,
    ) -> None:
        self.name = "stdin" if os.fspath(path) == STDIN else os.fspath(path)
        self.place: Place | None = path
        self._path = None if os.fspath(path) == STDIN else Path(path)
        self._asked: dict[Kind, Any] = {"text": as_text_column(text_column), "label": label_column}
        self._labels, self._usual = labels, usual
        self._maker = RowMaker(self._asked["text"] or usual.text, None, labels == "needed")
        self._notes: list[str] = []
        self._encoding = encoding
        check_delimiter(delimiter)
        check_encoding(encoding)
        check_dialect(quoting, escape_char, delimiter)
        self.has_header = header
        self._damaged = DamagedLines(encoding)
        self._lines: Iterator[str] = iter(())
        self._is_judged = False
        self._head: list[str] = []
        self._quoting: Quoting = quoting
        self._escape_char = escape_char
        self._csv: CsvRecords | None = None
        self._bytes = self._open()
        start = self._bytes.peek(LONGEST)
        if (problem := foreign_problem(start, self._path) or self._unreadable(start)) is not None:
            if self._path is not None:
                self._bytes.close()
            raise self._error(problem)
        self.has_bom = start.startswith(codecs.BOM_UTF8)
        self._sampled = None if self._path is not None and self._bytes.seekable() else SampledFile(self._bytes)
        self._file = io.TextIOWrapper(
            cast(BinaryIO, self._sampled or self._bytes), encoding=accepting_bom(encoding), errors=ERRORS, newline=""
        )
        if start.startswith(MAGIC):
            self.format: Format = "parquet"
        elif self._path is None and _JSON_START.match(start):
            self.format = "jsonl"
        else:
            self.format = file_format(path)
            if self.format == "csv" and _JSON_START.match(start):
                self.format = "jsonl"
                self._notes.append("JSON")
        self._warn_of_utf8()
        self.delimiter = delimiter
        self.schema: Any = None
        self._parquet: ParquetSource | None = None
        read: dict[Format, Callable[[], tuple[list[str], Iterator[Row]]]] = {
            "jsonl": self._read_jsonl,
            "parquet": self._read_parquet,
        }
        try:
            with self._as_data_errors():
                names, self._rows = read.get(self.format, self._read_csv)()
                if self.format != "jsonl" and self.has_header and (damage := self._damage_of(1, names)) is not None:
                    raise FormatError(f"the header is damaged: {damage}", 1)
                self._choose_columns(names)
                if self.delimiter != delimiter:
                    self._notes.append(f"delimiter {shown_delimiter(cast(str, self.delimiter))}")
                if quoting == "auto" and self.dialect.unquoted is not None:
                    self._notes.append(_NO_QUOTING)
                self.columns = names if self.format == "jsonl" else numbered_names(names)
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
    def text_column(self) -> TextColumn:
        """The column with the texts, or several."""
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
            if self._path.is_symlink():
                target = str(self._path.readlink())
                advice = ": fetch it with git annex get" if "/annex/objects/" in target else ""
                raise self._error(f"is a link to {target}, which is not there{advice}") from None
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
            self._bytes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Row]:
        with self._as_data_errors():
            yield from self._rows
        if self._damaged.found:
            logger.warning("%s: %s", self.name, self._damaged.summary())

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

    def _unreadable(self, start: bytes) -> str | None:
        """Return why the first bytes of a file cannot be read as they should be; None if they can."""
        if start.startswith(MAGIC) or not start:
            return None
        expects_wide = codecs.lookup(self._encoding).name.startswith(("utf-16", "utf-32"))
        if self._is_wide(start) != expects_wide:
            return f"this is not {shown_encoding(self._encoding)}. {encoding_advice(start, self._encoding)}"
        return None if expects_wide else binary_problem(start)

    def _warn_of_utf8(self) -> None:
        """Warn of a file that is UTF-8 but is to be read in another encoding, in which each byte is a character."""
        if codecs.lookup(self._encoding).name in ("utf-8", "utf-8-sig"):
            return
        sample = self._bytes.peek(LONGEST) if self._sampled else sample_of(cast(Path, self._path), 0)
        if (line := utf8_line(sample)) is not None:
            logger.warning(
                "%s is UTF-8 and reads %r; with --encoding %s it reads %r",
                self.name, line, self._encoding, line.encode().decode(self._encoding, "replace"),
            )  # fmt: skip

    def _is_wide(self, start: bytes) -> bool:
        marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
        return start.startswith(marks) or start[:_AT_FIRST].count(0) * 10 > len(start[:_AT_FIRST])

    def _not_this_encoding(self, error: UnicodeDecodeError) -> DataError:
        byte = f"0x{error.object[error.start]:02x}"
        problem = f"byte {byte} is not valid {shown_encoding(self._encoding)}"
        return self._error(f"{problem}. {encoding_advice(self._sample(), self._encoding)}")

    def _sample(self) -> bytes:
        """Return some of the bytes around those that were read last."""
        if self._sampled is not None:
            return self._sampled.sample
        return sample_of(self._path, self._bytes.tell()) if self._path is not None else b""

    def _damage_of(self, line: int, parts: Iterable[str]) -> str | None:
        """Return the fault of the row that starts at a line, if its bytes are damaged.

        Raises
        ------
        FormatError
            At the first one, if not this row is at fault but the file as a whole is in another encoding.
        """
        damage = self._damaged.first_from(line, parts)
        if damage is None:
            return None
        if not self._is_judged:
            self._is_judged = True
            sample = self._sample()
            if not is_damaged_only(sample, self._encoding):
                problem = f"{damage} is not valid {shown_encoding(self._encoding)}, nor is the file as a whole"
                raise WrongEncodingError(f"{problem}. {encoding_advice(sample, self._encoding)}", damage.line)
        return self._damaged.fault(damage, line)

    def _choose_columns(self, header: list[str]) -> None:
        """Find the columns, and check that each appears exactly once."""
        maker, asked = self._maker, self._asked
        if header or self.format != "jsonl":  # no line of JSON has keys; each is reported when it is read
            strings = header if self._parquet is None else self._parquet.text_columns
            text: TextColumn = asked["text"] or self._remembered(header)
            text = text or self._column("text", header, strings, asked["label"])
            maker.text_column = self._checked_texts(header, text)
            for name in names_in(text):
                if self._parquet is not None and (kind := self._parquet.not_text(name)) is not None:
                    raise self._error(
                        f"the column {name!r} contains {kind}, not strings. Choose another with --text-column"
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

    def _column(self, kind: Kind, header: list[str], possible: list[str], taken: TextColumn | None) -> str:
        """Find the column of the texts or labels; return an empty string if labels are optional and there are none."""
        usual: TextColumn = getattr(self._usual, kind)
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
        self._check_header()
        if found:
            raise self._header_error(several_columns_problem(found, kind, header))
        name = usual if usual in header else getattr(DEFAULT, kind)
        if name in header:  # a Parquet column that holds no strings
            return name
        raise self._header_error(
            no_column_problem(name, kind, header, asked=False, taken=taken, labelled=self._labels == "needed")
        )

    def _remembered(self, header: list[str]) -> TextColumn:
        """Return the columns of texts that a classifier remembers, if there were several and any of them is here."""
        usual = self._usual.text
        if isinstance(usual, str) or set(usual).isdisjoint(header):
            return ""
        lacking = [name for name in usual if name not in header]
        if lacking and self.format != "jsonl":
            there = " ".join(f"--text-column {shlex.quote(name)}" for name in usual if name in header)
            raise self._header_error(
                f"no column {shown_columns(tuple(lacking))}, but the model was trained on {shown_columns(usual)}, "
                f"joined. To go without, use {there}"
            )
        self._notes.append(f"texts in {shown_columns(usual)}{_REMEMBERED}")
        return usual

    def _checked_texts(self, header: list[str], text: TextColumn) -> TextColumn:
        """Check that the columns of texts exist exactly once; an object of JSON may lack some of several."""
        names = names_in(text)
        if self.format == "jsonl" and len(names) > 1:
            names = tuple(name for name in names if name in header) or names
        for name in names:
            self._checked("text", header, name)
        return text

    def _checked(self, kind: Kind, header: list[str], column: str) -> str:
        """Check that a column exists exactly once, and return its name."""
        if column not in header:
            self._check_header()
            raise self._header_error(no_column_problem(column, kind, header, asked=True))
        if header.count(column) > 1:
            raise self._error(f"the column {column!r} appears {header.count(column)} times in the header", 1)
        return column

    def _header_error(self, problem: str) -> DataError:
        return self._error(problem, None if self._parquet is not None else 1)

    def _check_header(self) -> None:
        """Check that the first line of a CSV file looks like a header, now that a column is missing.

        Raises
        ------
        FormatError
            If it looks like a row.
        """
        if self._head and self.has_header:
            lines = [line for line in self._head if not line.isspace()]
            usual = self._usual_delimiter
            delimiter = self.delimiter or common_delimiter(lines, usual) or usual
            first, *others = [fields_of(line, delimiter) or line.split(delimiter) for line in lines]
            if looks_like_row(first, others):
                raise FormatError(_NO_HEADER, 1)

    @property
    def _usual_delimiter(self) -> str:
        return "\t" if self.format == "tsv" else ","

    def _read_csv(self) -> tuple[list[str], Iterator[Row]]:
        """Return the header and the rows."""
        usual = found = self._usual_delimiter
        lines = self._damaged.watch(self._file)
        ahead = [next(lines, "")]
        if (sep := SEP.fullmatch(ahead[0])) is not None:
            found = sep[1]
            ahead = ["\n"]  # a blank line in its place, so that the others keep their numbers
        else:
            while ahead[-1] in ("\n", "\r\n", "\r"):
                ahead.append(next(lines, ""))
            if ahead[-1].startswith(PREFIX) and self.delimiter is None:
                return self._read_fasttext(itertools.chain(ahead, lines))
            if self.delimiter is None:
                found = find_delimiter(ahead[-1], usual, self._has_texts)
        header = ahead[-1]
        others = list(itertools.islice(lines, LOOKED_AT))
        lines = itertools.chain(ahead, others, lines)
        if not self.has_header or self._is_known_headerless(header, self.delimiter or found):
            self.has_header = False
            common = common_delimiter([*ahead, *others], found)
            if common is None and self.delimiter is None:
                return self._read_headerless(PlainLines(lines))
            found = common or found
        if self.delimiter is None and found != usual:
            self.delimiter = found
        elif is_doubtful(first := fields_of(header, self.delimiter or found)):
            texts = candidates(first, "text", self._usual.text)
            if recurs(first, [fields_of(line, self.delimiter or found) for line in others], texts):
                raise FormatError(_NO_HEADER, 1)
        if sep is None:
            self._head = [*ahead, *others]
        self._csv = CsvRecords(lines, self.delimiter or usual, self._quoting, self._escape_char)
        if self.has_header:
            return self._csv.header, self._csv_rows(self._csv, numbered_names(self._csv.header))
        return self._read_headerless(self._csv)

    def _is_known_headerless(self, line: str, delimiter: str) -> bool:
        """Return whether a classifier remembers a column by its number, which the first line has not as a name."""
        usual = names_in(self._usual.text)
        if not all(map(str.isdecimal, usual)) or self._asked["text"] not in (None, self._usual.text):
            return False
        names = fields_of(line, delimiter)
        return set(usual).isdisjoint(names) and not candidates(names, "text", DEFAULT.text)

    def _read_headerless(self, records: CsvRecords | PlainLines) -> tuple[list[str], Iterator[Row]]:
        """Return the numbers of the columns, found by what they hold if they are not known, and the rows."""
        names = [str(number) for number in range(1, len(records.header) + 1)]
        known = Columns(
            *(
                cast(str, asked or (usual if set(names_in(usual)) <= set(names) else ""))
                for asked, usual in zip(self._asked.values(), self._usual, strict=True)
            )
        )
        if self._labels == "none":
            known = known._replace(label=known.label or "-")
        all_records = itertools.chain([CsvRecord(records.header_line, records.header)], records)
        self._notes.append("no header")
        if looks_like_names(records.header):
            logger.warning("%s:1: the first line looks like a header, but is read as a row (--no-header)", self.name)
        if not all(known):
            ahead = list(itertools.islice(all_records, LOOKED_AT))
            all_records = itertools.chain(ahead, all_records)
            found = find_columns(names, [one.fields for one in ahead], known)
            for kind, column, was in zip(self._asked, found, known, strict=True):
                if column and not was:
                    self._asked[kind] = column
                    self._notes.append(f"{kind}s in column {column}")
                elif not column and (kind == "text" or self._labels == "needed"):
                    first = ", ".join(
                        f"{name}: {value[:30]!r}" for name, value in zip(names, records.header, strict=True)
                    )
                    raise FormatError(f"which column has the {kind}s? ({first}). Choose it with --{kind}-column", 1)
        return names, self._csv_rows(all_records, names)

    def _has_texts(self, header: list[str]) -> bool:
        asked, usual = self._asked["text"], self._usual.text
        if set(names_in(asked or usual)) <= set(header):
            return True
        return asked is None and bool(candidates(header, "text", usual, self._asked["label"]))

    def _csv_rows(self, records: Iterable[CsvRecord], keys: list[str]) -> Iterator[Row]:
        was_quoted = self.dialect.unquoted is None
        for line, fields, quoting_fault in records:
            if was_quoted and self._csv is not None and not self._csv.is_quoted:
                was_quoted = False
                logger.info("%s: %s from line %d on", self.name, _NO_QUOTING, line)
            record = dict(zip(keys, fields, strict=False))
            if self._damaged.found and (damage := self._damage_of(line, fields)) is not None:
                yield Row(line, {key: undamaged(value) for key, value in record.items()}, "", "", damage)
                continue
            if quoting_fault is not None:
                yield Row(line, record, "", "", quoting_fault)
                continue
            if len(fields) == len(keys):
                yield self._maker.row(line, record)
                continue
            fault = f"expected {counted(len(keys), 'field')} as in the {'header' if self.has_header else 'first row'}"
            fault += f", got {len(fields)}"
            if surplus := fields[len(keys) :]:
                fault += f" (extra: {', '.join(map(repr, surplus))[:200]})"
            yield Row(line, record, "", "", fault)

    def _read_fasttext(self, lines: Iterable[str]) -> tuple[list[str], Iterator[Row]]:
        """Return the names of the columns of a file of fastText, and its rows."""
        self._notes.append(f"fastText's format ({PREFIX})")
        return ["text", "label"], self._fasttext_rows(lines)

    def _fasttext_rows(self, lines: Iterable[str]) -> Iterator[Row]:
        for line, record, fault in fasttext_records(lines):
            if (damage := self._damage_of(line, record.values()) or fault) is not None:
                yield Row(line, {key: undamaged(value) for key, value in record.items()}, "", "", damage)
            else:
                yield self._maker.row(line, record)

    def _read_jsonl(self) -> tuple[list[str], Iterator[Row]]:
        """Return the keys of the first record that has a text, or of the first that has any, and the rows."""
        records = map(self._undamaged, jsonl_records(self._damaged.watch(self._file)))
        ahead: list[JsonRecord] = []
        header: list[str] = []
        for one in records:
            ahead.append(one)
            header = header or list(one.record)
            if self._has_texts(list(one.record)):
                header = list(one.record)
                break
            if len(ahead) == LOOKED_AT:
                break
        if not ahead:
            raise self._error("the file is empty; expected JSON Lines, or an array of records")
        self._check_shape(ahead, records)
        rows = map(self._jsonl_row, itertools.chain(ahead, records))
        return header, rows if header else self._checked_jsonl(ahead[0], rows)

    def _checked_jsonl(self, first: JsonRecord, rows: Iterator[Row]) -> Iterator[Row]:
        """Iterate over rows none of the first of which is an object, unless the file is no JSON at all."""
        if is_python(first.source):
            raise FormatError(python_problem(self._path))
        if looks_like_header(first.source):
            raise FormatError("this is not JSON; it looks like CSV: give it a name that ends in .csv")
        yield from rows

    def _undamaged(self, one: JsonRecord) -> JsonRecord:
        if (damage := self._damage_of(one.line, [one.source])) is None:
            return one
        source = undamaged(one.source)
        return one._replace(fault=damage, source=source, record=json.loads(source) if one.record else {})

    def _check_shape(self, ahead: list[JsonRecord], records: Iterator[JsonRecord]) -> None:
        """Check that the first records of a JSON file are objects for one text each.

        Raises
        ------
        FormatError
            If they have another shape that is known.
        """
        if len(ahead) == 1:
            ahead += itertools.islice(records, 1)
        first = ahead[0]
        names = list(first.record)
        lacks_label = self._labels == "needed" and not (
            self._asked["label"] or candidates(names, "label", self._usual.label)
        )
        problem = json_problem(
            first.value or first.record,
            self._path,
            first.layout,
            is_alone=len(ahead) == 1,
            lacks_column=lacks_label or not self._has_texts(names),
        )
        if problem is not None:
            raise FormatError(problem)

    def _jsonl_row(self, one: JsonRecord) -> Row:
        if one.fault is not None:
            return Row(one.line, one.record, "", "", one.fault, one.source if one.record else "")
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
