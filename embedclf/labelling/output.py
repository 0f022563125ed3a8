"""What a labelling session writes: the rows of the file with their labels, and the test set beside them."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from embedclf.data.corpus import Corpus
from embedclf.data.excel_sink import ExcelSink
from embedclf.data.formats import FormatError, named_beside
from embedclf.data.label_cells import SeveralLabels
from embedclf.data.label_sets import LABEL_SEPARATOR, LabelSet, listed_labels
from embedclf.data.parquet_types import ParquetError, Record, with_value
from embedclf.data.rows import Row, relabelled
from embedclf.data.writer import CorpusWriter, check_output
from embedclf.errors import OutputError
from embedclf.formatting import to_json
from embedclf.labelling.states import Result
from embedclf.missing import is_missing
from embedclf.validation import text_fault

LABEL, NOTE = "label", "note"


def test_set_beside(output: str | os.PathLike[str]) -> Path:
    """Return the path of the test set of an output: ``labelled_test.csv``, or ``labelled_test.csv.gz``."""
    return named_beside(output, "_test")


@dataclass(frozen=True)
class LabelledRows:
    """The rows of a file, to be written with other labels.

    Attributes
    ----------
    corpus : Corpus
    output : Path
        Where to, in the format of its extension.
    several : bool
        Whether a text may have several labels.
    separator : str or None
        What separates them in new cells; None writes lists.
    escape_formulas : bool
        See `CorpusWriter`.
    """

    corpus: Corpus
    output: Path
    several: bool
    separator: str | None = None
    escape_formulas: bool = False

    @cached_property
    def label_column(self) -> str:
        """The column of the labels; one that the file does not have is added."""
        corpus = self.corpus
        if corpus.label_column is not None or corpus.has_header:
            return corpus.label_column or LABEL
        return str(len(corpus.columns) + 1)

    @property
    def _is_added(self) -> bool:
        return not self.corpus.label_columns and self.label_column not in self.corpus.columns

    @cached_property
    def _cells(self) -> SeveralLabels | None:
        """How several labels are written; None if texts have one."""
        if not self.several:
            return None
        corpus = self.corpus
        found = SeveralLabels.of(corpus.rows, self.label_column, self.separator, corpus.label_columns)
        if found is not None and (self.separator is not None or corpus.label_columns or found.example is not None):
            return found
        example = None if self.separator is not None else ["a"] if self._holds_lists else '["a"]'
        return SeveralLabels(self.label_column, self.separator or LABEL_SEPARATOR, (), example)

    @property
    def _holds_lists(self) -> bool:
        """Whether a new cell may hold a list, rather than the text of one."""
        if self._is_added or self.corpus.schema is None:
            return check_output(self.output) in ("jsonl", "parquet")
        return hasattr(self.corpus.schema.field(self.label_column).type, "value_field")

    def label_fault(self, label: str) -> str | None:
        """Return why a label would not be read back as it is written; None if it would."""
        if (fault := text_fault(label, "label")) is not None:
            return fault
        if self.corpus.label_columns:
            known = label in self.corpus.label_columns
            return None if known else f"the file has no column for the label {label!r}"
        if listed_labels(label) is not None:
            return f"{label!r} would be read as a list of labels"
        if self.several and self.separator is not None and self.separator in label:
            return f"{label!r} contains {self.separator!r}, which separates labels"
        try:
            self._labelled(self.corpus.rows[0], (label,))
        except ParquetError as error:
            return str(error)
        return None

    def check(self) -> None:
        """Check that a workbook can hold the rows, before anybody labels them.

        Raises
        ------
        OutputError
            If it cannot.
        """
        if check_output(self.output) != "xlsx":
            return
        names = self.corpus.columns
        try:
            sink = ExcelSink(names, header=self.corpus.has_header)
            for row in self.corpus.rows:
                if sink.add(None, [row.record.get(name) for name in names], (), row.line):
                    sink.take()
        except FormatError as error:
            raise OutputError(f"cannot write {self.output}: {error.problem}", path=str(self.output)) from error

    def write(self, results: Sequence[Result]) -> list[Path]:
        """Write the rows with their labels, and return the paths of the files written.

        Texts of the test set are written to a file of their own, and only there.

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        test_rows = {row for row, (labels, last) in enumerate(results) if last and last.is_test and labels is not None}
        written, test_path = [self.output], test_set_beside(self.output)
        self._write(self.output, results, (row for row in range(len(results)) if row not in test_rows))
        if test_rows or test_path.exists():
            self._write(test_path, results, sorted(test_rows))
            written.append(test_path)
        return written

    def _write(self, path: Path, results: Sequence[Result], rows: Iterable[int]) -> None:
        corpus = self.corpus
        has_notes = any(last is not None and last.note for _, last in results)
        adds_notes = has_notes and NOTE not in corpus.columns
        kind = list if self.several and self.separator is None and self._holds_lists else str
        added: dict[str, Any] = {self.label_column: list[str] if kind is list else str} if self._is_added else {}
        added |= {NOTE: str} if adds_notes else {}
        with CorpusWriter(
            path,
            corpus.columns,
            added,
            dialect=corpus.dialect,
            bom=corpus.has_bom,
            schema=corpus.schema,
            header=corpus.has_header,
            escape_formulas=self.escape_formulas,
        ) as writer:
            for row in rows:
                labels, last = results[row]
                note = "" if last is None else last.note
                done = self.corpus.rows[row]
                cells: list[Any] = []
                if self._is_added:
                    done = _without(done, self.label_column)
                    cells.append(None if labels is None else self._cell(labels))
                elif labels is not None:
                    done = self._labelled(done, labels)
                elif (
                    self.label_column not in done.record and not corpus.label_columns
                ):  # records of JSON may have different columns
                    done = replace(done, record={**done.record, self.label_column: None}, source="")
                if adds_notes:
                    cells.append(note or None)
                elif note:
                    done = _with_note(done, note)
                writer.write(done, cells)

    def _labelled(self, row: Row, labels: LabelSet) -> Row:
        if self._is_added or labels == (row.labels or ((row.label,) if row.label else None)):
            return row
        if self._cells is None:
            return relabelled(row, self.label_column, labels[0])
        return self._cells.relabelled(row, to_json(labels))

    def _cell(self, labels: LabelSet) -> str | list[str]:
        if self._cells is None:
            return labels[0]
        value = self._cells.relabelled(replace(self.corpus.rows[0], record={}, source=""), to_json(labels))
        cell: str | list[str] = value.record[self.label_column]
        return cell


def _without(row: Row, column: str) -> Row:
    if column not in row.record:
        return row
    return replace(row, record={name: value for name, value in row.record.items() if name != column}, source="")


def _with_note(row: Row, note: str) -> Row:
    """Return a row with a note in a column that the file has; where the column cannot hold it, without."""
    if isinstance(row.source, Record):
        try:
            return replace(row, source=with_value(row.source, NOTE, note))
        except ParquetError:
            return row
    before = row.record.get(NOTE)
    if not is_missing(before) and not isinstance(before, str):
        return row
    return replace(row, record={**row.record, NOTE: note}, source="")
