"""Files of texts and labels: CSV, TSV, JSON Lines and Parquet, from a path or from standard input.

Rows are read and written one at a time, in order. Every error names ``file:line``, the header being line 1. A Parquet
file has no lines; the number of the row, counted from 1, is used instead.
"""

import bisect
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from embedclf.data.columns import DEFAULT, Columns, TextColumn, as_text_column, shown_columns
from embedclf.data.dialect import DEFAULT_DIALECT, Dialect, Quoting
from embedclf.data.label_map import MappedLabels, as_label_map
from embedclf.data.label_sets import LabelSet, likely_separator
from embedclf.data.reader import CorpusReader, read_all
from embedclf.data.reading import Labels, Reading
from embedclf.data.rows import NO_LABEL, Row
from embedclf.errors import BadRowsError, DataError, RowFault, bad_rows_error, list_faults
from embedclf.formatting import counted

_MOST_NAMED = 3
MOST_UNLABELLED = 20
"""Of more rows without a label, the lines are of no use."""


@dataclass(frozen=True)
class Corpus:
    """The usable rows of a file, or of several that were joined.

    Attributes
    ----------
    name : str
        Name of the file in messages.
    rows : list of Row
    columns : list of str
        Columns of the file.
    has_bom : bool
        Whether the file starts with a UTF-8 byte order mark.
    skipped : list of RowFault
        The rows that were skipped because they cannot be used.
    schema : pyarrow.Schema or None
        Schema of a Parquet file; None for other formats.
    text_column, label_column : str
        The columns that were read, a tuple for several columns of texts; `label_column` is None if there are no labels,
        or they are in columns of their own.
    label_columns : tuple of str
        Those columns, one per label.
    is_multilabel : bool
        Whether a text may have several labels.
    dialect : Dialect
        How the fields of a CSV or TSV file are told apart.
    has_header : bool
        False for a CSV file without a header.
    files : tuple of str
        Names of the files, if several were joined.
    mapped : MappedLabels or None
        What became of the labels; None if they were not mapped.
    """

    name: str
    rows: list[Row] = field(repr=False)
    columns: list[str]
    has_bom: bool
    skipped: list[RowFault]
    schema: Any = field(default=None, repr=False)
    text_column: TextColumn = DEFAULT.text
    label_column: str | None = DEFAULT.label
    dialect: Dialect = DEFAULT_DIALECT
    has_header: bool = True
    files: tuple[str, ...] = ()
    label_columns: tuple[str, ...] = ()
    is_multilabel: bool = False
    mapped: MappedLabels | None = field(default=None, repr=False)

    @cached_property
    def texts(self) -> list[str]:
        """The text of each row."""
        return [row.text for row in self.rows]

    @cached_property
    def labels(self) -> list[str]:
        """The label of each row; empty if it has none. Several labels of a row are joined by a separator."""
        return [row.label for row in self.rows]

    @cached_property
    def label_sets(self) -> list[LabelSet] | None:
        """The labels of each row, if it may have several."""
        if not self.is_multilabel:
            return None
        return [((row.label,) if row.label else ()) if row.labels is None else row.labels for row in self.rows]

    @property
    def given_labels(self) -> list[str] | list[LabelSet]:
        """The labels as functions that measure and train take them: `label_sets` if rows may have several."""
        return self.labels if self.label_sets is None else self.label_sets

    @cached_property
    def lines(self) -> list[int]:
        """The line of the file on which each row starts, counted from 1."""
        return [row.line for row in self.rows]

    def place(self, number: int) -> str:
        """Return where a row, counted from 0, starts: ``file:line``."""
        return f"{self.file(number)}:{self.lines[number]}"

    def file(self, number: int) -> str:
        """Return the name of the file that a row, counted from 0, is from."""
        return self.rows[number].file or self.name

    def number_at(self, line: int, file: str = "") -> int:
        """Return the number, counted from 0, of the row that starts at a line; of several files, one is to be named.

        Raises
        ------
        DataError
            If no usable row starts there.
        """
        if self.files:
            numbers = [number for number, row in enumerate(self.rows) if row.file == file]
            own = replace(self, name=file, rows=[self.rows[number] for number in numbers], skipped=[], files=())
            return numbers[own.number_at(line)]
        after = bisect.bisect_left(self.lines, line)
        if self.lines[after : after + 1] == [line]:
            return after
        reason = next((fault.reason for fault in self.skipped if fault.line == line), None)
        problem = "no row starts at this line" if reason is None else f"this row was skipped ({reason})"
        near = [f"{self.name}:{number}" for number in self.lines[max(after - 1, 0) : after + 1]]
        nearest = f"row starts at {near[0]}" if len(near) == 1 else f"rows start at {' and '.join(near)}"
        message = f"{self.name}:{line}: {problem}; the nearest usable {nearest}"
        raise DataError(message, source=self.name, line=line)

    def row(self, number: int) -> Row:
        """Return a row, counted from 0, as it is written to an output, with the values of `row_columns`."""
        row = self.rows[number]
        record = {"file": self.file(number), "line": row.line, "text": row.text, "label": row.label}
        return replace(row, record={name: record[name] for name in self.row_columns}, source="")

    @property
    def row_columns(self) -> list[str]:
        """The columns that say which row of the files a row of an output is about."""
        return [*(["file"] if self.files else []), "line", "text", "label"]


def read_corpus(
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
    label_separator: str | None = None,
    label_columns: Sequence[str] = (),
    usual_label_columns: Sequence[str] = (),
    label_map: Mapping[str, str] | str | os.PathLike[str] | None = None,
    skip_bad_rows: bool = False,
) -> Corpus:
    """Read a file of texts and labels; see `Reading` for how. A label map may also be a file; see `as_label_map`.

    Raises
    ------
    BadRowsError
        If a row cannot be used and `skip_bad_rows` is false.
    DataError
        If the file as a whole cannot be used, or has no usable rows.
    """
    reading = Reading(
        text_column=as_text_column(text_column),
        label_column=label_column,
        labels=labels,
        usual=usual,
        delimiter=delimiter,
        encoding=encoding,
        header=header,
        quoting=quoting,
        escape_char=escape_char,
        label_separator=label_separator,
        label_columns=tuple(label_columns),
        usual_label_columns=tuple(usual_label_columns),
        label_map=as_label_map(label_map),
    )
    rows, faults = [], []
    with CorpusReader(path, reading) as reader:
        all_rows = list(read_all(reader))
        has_several = bool(label_separator or reader.label_columns) or has_several_labels(all_rows)
        likely = None if has_several else likely_separator(row.label for row in all_rows)
        for row in all_rows:
            if not has_several and row.labels == () and labels == "needed":  # an empty list is no label
                fault = "the list of labels is empty, but no other has several"
                if likely is not None:
                    fault += f" (are they separated? Use --label-separator '{likely}')"
                row = replace(row, fault=row.fault or fault)
            elif has_several and not row.label and row.labels is None and row.fault == NO_LABEL:
                none = "0 in its columns" if reader.label_columns else "[]"
                row = replace(row, fault=f"{NO_LABEL}; write {none} if the text has none")
            if row.fault is not None:
                faults.append(RowFault(row.line, row.fault))
            else:
                rows.append(row)
    name = reader.name
    if faults and not skip_bad_rows:
        raise _unusable_rows(name, faults, len(all_rows))
    if not rows:
        problem = "none of its rows can be used" if faults else no_rows_problem(reader)
        raise DataError(f"{name}: {problem}", source=name)
    return replace(corpus_of(reader, rows, faults), is_multilabel=has_several)


def _unusable_rows(name: str, faults: list[RowFault], n_rows: int) -> BadRowsError:
    """Return the error about rows that cannot be used; of many without a label, only how many there are."""
    unlabelled = [one for one in faults if one.reason.startswith(NO_LABEL)]
    if len(unlabelled) <= MOST_UNLABELLED:
        return bad_rows_error(f"{counted(len(faults), 'row')} of {name} cannot be used", {name: faults})
    how = unlabelled[0].reason.removeprefix(NO_LABEL)
    if len(unlabelled) == n_rows:
        message = f"none of the {n_rows:,} rows of {name} has a label{how}. To label them, run embedclf label."
    else:
        message = (
            f"{len(unlabelled):,} of the {n_rows:,} rows of {name} have no label{how}. To leave them out, use "
            "--skip-bad-rows; to label them, run embedclf label."
        )
    if others := [one for one in faults if not one.reason.startswith(NO_LABEL)]:
        message += f"\nBesides, {counted(len(others), 'row')} cannot be used:\n{list_faults(name, others)}"
    return BadRowsError(message, source=name, faults=faults)


def has_several_labels(rows: Iterable[Row]) -> bool:
    """Return whether any of some rows has several labels."""
    return any(len(row.labels or ()) > 1 for row in rows)


def no_rows_problem(reader: CorpusReader) -> str:
    """Return what is wrong with a file that has been read, and has no rows."""
    if reader.mapped is not None and reader.mapped.n_left_out:
        return f"{reader.mapped.of.name} leaves out all of its rows"
    return "the file has a header but no rows" if reader.format in ("csv", "tsv") else "the file has no rows"


def corpus_of(reader: CorpusReader, rows: list[Row], skipped: list[RowFault]) -> Corpus:
    """Return a corpus of the usable rows of a file, with what its reader knows about the file."""
    return Corpus(
        reader.name,
        rows,
        reader.columns,
        reader.has_bom,
        skipped,
        reader.schema,
        reader.text_column,
        reader.label_column,
        reader.dialect,
        reader.has_header,
        label_columns=reader.label_columns,
        mapped=reader.mapped,
    )


def join(corpora: Sequence[Corpus], *, alike: bool = True) -> Corpus:
    """Return the rows of several files as one corpus, in which each row knows its file.

    Unless they are to be `alike`, the columns are those of the first, and the rows are to be read only.

    Raises
    ------
    DataError
        If the texts, or the labels, are in columns of different names, and the files are to be `alike`.
    """
    first, *others = corpora
    if not others:
        return first
    for other in others if alike else []:
        for kind in ("text", "label"):
            own, name = (getattr(one, f"{kind}_column") for one in (first, other))
            if own != name:
                shown = [
                    f"no {kind} column" if one is None else f"the {kind} column {shown_columns(one)}"
                    for one in (own, name)
                ]
                raise DataError(
                    f"{other.name} has {shown[1]}, but {first.name} has {shown[0]}: files that are read together need "
                    "the same columns",
                    source=other.name,
                )
    names = tuple(name for corpus in corpora for name in corpus.files or (corpus.name,))
    dialect = first.dialect
    if any(corpus.dialect != dialect for corpus in corpora):  # their rows may not fit into a file without quoting
        dialect = replace(dialect, unquoted=None)
    mapped = first.mapped
    for other in others:
        mapped = other.mapped if mapped is None else mapped.plus(other.mapped)
    schema = first.schema if all(first.schema == other.schema for other in others) else None
    return replace(
        first,
        name=names_of(names),
        rows=[row for one in corpora for row in (one.rows if one.files else rows_of(one.name, one.rows))],
        columns=list(dict.fromkeys(column for corpus in corpora for column in corpus.columns)),
        skipped=[fault for corpus in corpora for fault in corpus.skipped],
        schema=schema,
        dialect=dialect,
        files=names,
        label_columns=tuple(dict.fromkeys(name for corpus in corpora for name in corpus.label_columns)),
        is_multilabel=any(corpus.is_multilabel for corpus in corpora),
        mapped=mapped,
    )


def rows_of(name: str, rows: Sequence[Row]) -> list[Row]:
    """Return rows that know their file."""
    return [replace(row, file=name) for row in rows]


def faults_by_file(name: str, rows: Iterable[Row]) -> dict[str, list[RowFault]]:
    """Return the faults of the rows that have one, by the name of their file."""
    by_file: dict[str, list[RowFault]] = {}
    for row in rows:
        if row.fault is not None:
            by_file.setdefault(row.file or name, []).append(RowFault(row.line, row.fault))
    return by_file


def names_of(files: Sequence[str]) -> str:
    """Return the names of several files in a few words."""
    if len(files) > _MOST_NAMED:
        return f"{files[0]} and {len(files) - 1:,} more"
    return files[0] if len(files) == 1 else f"{', '.join(files[:-1])} and {files[-1]}"
