"""Report and remove unusable rows of a file of labelled texts."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from embedclf.data.columns import as_text_column
from embedclf.data.corpus import Corpus, corpus_of, faults_by_file, has_several_labels, join, no_rows_problem, rows_of
from embedclf.data.dialect import Quoting
from embedclf.data.label_map import as_label_map
from embedclf.data.reader import CorpusReader, read_all
from embedclf.data.reading import Reading
from embedclf.data.rows import Row
from embedclf.data.writer import CorpusWriter
from embedclf.errors import DataError, RowFault, bad_rows_error
from embedclf.formatting import counted
from embedclf.missing import has_something_to_read
from embedclf.quality.findings import Finding

_NO_LABEL = "the label is empty"


@dataclass(frozen=True, slots=True)
class Repair:
    """How many rows a repair kept, and how many it removed for each reason.

    Attributes
    ----------
    n_rows : int
        Rows written.
    n_duplicates : int
        Rows removed because an earlier one has the same text and label.
    n_empty : int
        Rows removed because they have no text.
    n_unreadable : int
        Rows removed because they cannot be read.
    """

    n_rows: int
    n_duplicates: int
    n_empty: int
    n_unreadable: int


@dataclass(frozen=True, slots=True)
class WholeFile:
    """All rows of a file, usable or not.

    Attributes
    ----------
    rows : list of Row
        All rows; an unusable row has a fault. If any row has a label, a row without one is unusable.
    corpus : Corpus
        The usable rows.
    """

    rows: list[Row]
    corpus: Corpus

    @property
    def findings(self) -> list[Finding]:
        """The unusable rows as findings of `check`: kinds ``empty`` and ``malformed``."""
        return [
            Finding(
                "empty" if row.is_incomplete else "malformed",
                "error",
                None,
                row.text,
                row.label,
                row.fault,
                line=row.line,
                file=row.file,
            )
            for row in self.rows
            if row.fault is not None
        ]


def repair(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    text_column: str | Sequence[str] | None = None,
    label_column: str | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    header: bool = True,
    quoting: Quoting = "auto",
    escape_char: str | None = None,
    label_map: Mapping[str, str] | str | os.PathLike[str] | None = None,
    skip_bad_rows: bool = False,
) -> Repair:
    """Write a copy of a file of labelled texts without exact duplicates and rows that have no text.

    Texts without a label are kept, since they can still be labelled. Columns, their order and the order of rows are
    kept, too.

    Parameters
    ----------
    source, output : str or Path
        CSV, TSV, JSONL, Parquet or Excel, by extension; they may be the same file. A `source` of ``-`` is standard
        input.
    text_column, label_column : str, optional
        Column names; None finds the columns by their usual names. Without labels, rows with the same text are
        duplicates.
    delimiter : str, optional
        Column delimiter of both files; None finds it in the header.
    encoding : str
        Encoding of `source`; the copy is in UTF-8.
    header : bool
        Whether the first line of a CSV file has the names of the columns; if not, that of the copy has none either.
    quoting : {"auto", "csv", "none"}
        Whether fields of CSV and TSV may be quoted, in both files; ``"auto"`` finds it out.
    escape_char : str, optional
        The character before a quote inside a quoted field, in both files, where such quotes are not doubled.
    label_map : mapping of str to str, str or Path, optional
        Labels to rename or join, or a file of them: the copy has the new labels, and not the rows left out.
    skip_bad_rows : bool
        Whether to skip rows that cannot be read instead of raising.

    Returns
    -------
    Repair
        How many rows were written, and how many removed for each reason.

    Raises
    ------
    BadRowsError
        If a row cannot be read and `skip_bad_rows` is false; then nothing is written.
    DataError
        If the file as a whole cannot be read, or has no rows.
    OutputError
        If the copy cannot be written.
    """
    reading = Reading(
        text_column=as_text_column(text_column),
        label_column=label_column,
        labels="optional",
        delimiter=delimiter,
        encoding=encoding,
        header=header,
        quoting=quoting,
        escape_char=escape_char,
        label_map=as_label_map(label_map),
    )
    return write_repaired(read_whole(source, reading), output, skip_bad_rows=skip_bad_rows)


def read_whole(source: str | os.PathLike[str], reading: Reading) -> WholeFile:
    """Read all rows of a file, usable or not; see `repair`.

    Raises
    ------
    DataError
        If the file as a whole cannot be read, or has no rows.
    """
    with CorpusReader(source, reading) as reader:
        rows = list(read_all(reader))
    if not rows:
        raise DataError(f"{reader.name}: {no_rows_problem(reader)}", source=reader.name)
    is_multilabel = bool(reading.label_separator or reader.label_columns)
    return _whole(rows, replace(corpus_of(reader, [], []), is_multilabel=is_multilabel))


def join_whole(files: Sequence[WholeFile]) -> WholeFile:
    """Return the rows of several files as one, in which each row knows its file.

    Raises
    ------
    DataError
        If the texts, or the labels, are in columns of different names.
    """
    if len(files) == 1:
        return files[0]
    rows = [row for file in files for row in rows_of(file.corpus.name, file.rows)]
    return _whole(rows, join([file.corpus for file in files]))


def _whole(rows: list[Row], corpus: Corpus) -> WholeFile:
    # Where others have several labels, a text without any is complete if a list or columns say so.
    is_multilabel = corpus.is_multilabel or has_several_labels(rows)
    if any(row.label for row in rows):
        rows = [
            row
            if row.label or row.fault or (is_multilabel and row.labels is not None)
            else replace(row, fault=_NO_LABEL)
            for row in rows
        ]
    usable = [row for row in rows if row.fault is None]
    return WholeFile(rows, replace(corpus, rows=usable, skipped=_faults(rows), is_multilabel=is_multilabel))


def write_repaired(
    file: WholeFile, output: str | os.PathLike[str], *, skip_bad_rows: bool = False, escape_formulas: bool = False
) -> Repair:
    """Write the cleaned copy of a file that has been read; see `repair` and `CorpusWriter`."""
    readable = [row for row in file.rows if row.fault is None or row.is_incomplete]
    unreadable = [row for row in file.rows if row.fault is not None and not row.is_incomplete]
    corpus = file.corpus
    if unreadable and not skip_bad_rows:
        problem = f"cannot copy {counted(len(unreadable), 'row')} of {corpus.name}"
        raise bad_rows_error(problem, faults_by_file(corpus.name, unreadable))
    filled = [row for row in readable if has_something_to_read(row.text)]
    firsts = {(row.text, row.label): row for row in reversed(filled)}
    kept = [row for row in filled if firsts[row.text, row.label] is row]
    with CorpusWriter(
        output,
        corpus.columns,
        [],
        dialect=corpus.dialect,
        bom=corpus.has_bom,
        schema=corpus.schema,
        header=corpus.has_header,
        escape_formulas=escape_formulas,
    ) as writer:
        for row in kept:
            writer.write(row, [])
    return Repair(len(kept), len(filled) - len(kept), len(readable) - len(filled), len(unreadable))


def _faults(rows: Iterable[Row]) -> list[RowFault]:
    return [RowFault(row.line, row.fault) for row in rows if row.fault is not None]
