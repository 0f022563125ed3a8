"""Files of labelled texts whose rows are not all usable: what is wrong with these, and a copy that is clean."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from embedclf.data.corpus import Corpus
from embedclf.data.reader import CorpusReader
from embedclf.data.rows import Row
from embedclf.data.writer import CorpusWriter
from embedclf.errors import BadRowsError, DataError, RowFault, list_faults
from embedclf.formatting import counted
from embedclf.quality.findings import Finding

_NO_LABEL = "the label is empty"


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair has kept of a file, and what not.

    Attributes
    ----------
    n_rows : int
        Rows that were written.
    n_duplicates : int
        Rows left out because an earlier one has the same text and label.
    n_empty : int
        Rows left out because they have no text.
    n_unreadable : int
        Rows left out because they cannot be read.
    """

    n_rows: int
    n_duplicates: int
    n_empty: int
    n_unreadable: int


@dataclass(frozen=True, slots=True)
class WholeFile:
    """All rows of a file, whether they can be used or not.

    Attributes
    ----------
    rows : list of Row
        All of them; a row that cannot be used has a fault. If any row has a label, one without is at fault.
    corpus : Corpus
        Those that can be used.
    """

    rows: list[Row]
    corpus: Corpus

    @property
    def findings(self) -> list[Finding]:
        """The rows that cannot be used, as `check` reports what is wrong: kinds ``empty`` and ``malformed``."""
        return [
            Finding(
                "empty" if _lacks_something(row) else "malformed",
                "error",
                None,
                row.text,
                row.label,
                row.fault,
                line=row.line,
            )
            for row in self.rows
            if row.fault is not None
        ]


def repair(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    text_column: str = "text",
    label_column: str = "label",
    delimiter: str | None = None,
    encoding: str = "utf-8",
    skip_bad_rows: bool = False,
) -> Repair:
    """Write a copy of a file of labelled texts without exact duplicates and without rows that have no text.

    A text without a label stays: it is worth a label. Columns, their order and the order of rows stay, too.

    Parameters
    ----------
    source, output : str or Path
        CSV, TSV, JSONL or Parquet, by their extensions; they may be the same file. A `source` of ``-`` is the standard
        input.
    text_column, label_column : str
        A file without the latter has no labels: then of equal texts one is left.
    delimiter : str, optional
        Between the columns of both.
    encoding : str
        Of `source`; the copy is in UTF-8.
    skip_bad_rows : bool
        Whether to leave out rows that cannot be read, instead of stopping.

    Returns
    -------
    Repair
        How many rows were written, and left out for each reason.

    Raises
    ------
    BadRowsError
        If a row cannot be read and `skip_bad_rows` is false; nothing is written then.
    DataError
        If the file as a whole cannot be read, or has no rows.
    OutputError
        If the copy cannot be written.
    """
    file = read_whole(
        source, text_column=text_column, label_column=label_column, delimiter=delimiter, encoding=encoding
    )
    return write_repaired(file, output, delimiter=delimiter, skip_bad_rows=skip_bad_rows)


def read_whole(
    source: str | os.PathLike[str],
    *,
    text_column: str = "text",
    label_column: str | None = "label",
    needs_labels: bool = False,
    delimiter: str | None = None,
    encoding: str = "utf-8",
) -> WholeFile:
    """Read a file, whatever its rows are like; see `repair` and `CorpusReader`.

    Raises
    ------
    DataError
        If the file as a whole cannot be read, or has no rows.
    """
    with CorpusReader(
        source,
        text_column=text_column,
        label_column=label_column,
        needs_labels=needs_labels,
        delimiter=delimiter,
        encoding=encoding,
    ) as reader:
        rows = list(reader)
    if not rows:
        raise DataError(f"{reader.name}: the file has a header but no rows", source=reader.name)
    if any(row.label for row in rows):
        rows = [row if row.label or row.fault else replace(row, fault=_NO_LABEL) for row in rows]
    usable = [row for row in rows if row.fault is None]
    corpus = Corpus(reader.name, usable, reader.columns, reader.has_bom, _faults(rows), reader.schema)
    return WholeFile(rows, corpus)


def write_repaired(
    file: WholeFile, output: str | os.PathLike[str], *, delimiter: str | None = None, skip_bad_rows: bool = False
) -> Repair:
    """Write the copy that `repair` makes of a file that has been read."""
    readable = [row for row in file.rows if row.fault is None or _lacks_something(row)]
    unreadable = _faults(row for row in file.rows if not _lacks_something(row))
    corpus = file.corpus
    if unreadable and not skip_bad_rows:
        raise BadRowsError(
            f"cannot copy {counted(len(unreadable), 'row')} of {corpus.name}:\n"
            f"{list_faults(corpus.name, unreadable)}\nMend them, or leave them out with --skip-bad-rows.",
            source=corpus.name,
            faults=unreadable,
        )
    filled = [row for row in readable if row.text.strip()]
    firsts = {(row.text, row.label): row for row in reversed(filled)}
    kept = [row for row in filled if firsts[row.text, row.label] is row]
    with CorpusWriter(
        output, corpus.columns, [], delimiter=delimiter, bom=corpus.has_bom, schema=corpus.schema
    ) as writer:
        for row in kept:
            writer.write(row, [])
    return Repair(len(kept), len(filled) - len(kept), len(readable) - len(filled), len(unreadable))


def _faults(rows: Iterable[Row]) -> list[RowFault]:
    return [RowFault(row.line, row.fault) for row in rows if row.fault is not None]


def _lacks_something(row: Row) -> bool:
    """Return whether a row can be read, but has no text or no label."""
    fault = row.fault or ""
    return fault.endswith(" is empty") or fault.startswith("there is no ")
