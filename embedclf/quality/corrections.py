"""Apply corrections to a file of labelled texts that a person made in another file, row by row."""

import difflib
import logging
import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from embedclf.data.atomic_file import check_places
from embedclf.data.columns import TextColumn, as_text_column, candidates
from embedclf.data.dialect import Quoting, with_formula
from embedclf.data.formats import WrongEncodingError
from embedclf.data.label_cells import SeveralLabels
from embedclf.data.label_map import as_label_map
from embedclf.data.label_sets import NO_LABELS, labels_in
from embedclf.data.parquet_types import ParquetError
from embedclf.data.reader import CorpusReader
from embedclf.data.reading import Reading
from embedclf.data.rows import Row, cell_text, relabelled
from embedclf.data.writer import CorpusWriter
from embedclf.errors import BadRowsError, DataError, RowFault, bad_rows_error, list_faults
from embedclf.formatting import counted

ACTIONS = ("keep", "drop", "relabel")
"""What the column `action` may say. Empty, the label in the file decides."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Applied:
    """What corrections have changed.

    Attributes
    ----------
    n_rows : int
        Rows written.
    n_relabelled, n_dropped : int
    new_labels : tuple of str
        Labels that the corrections brought into a labelled file, which may be misspelt.
    other_files : tuple of str
        Other files that the corrections are also about; nothing was done about these.
    """

    n_rows: int
    n_relabelled: int
    n_dropped: int
    new_labels: tuple[str, ...]
    other_files: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types, for JSON."""
        return asdict(self)


class _Correction(NamedTuple):
    """One line of the corrections: where it stands, and the row of the dataset that it is about."""

    place: int
    line: int
    text: str
    label: str | None
    original: str | None
    suggested: str
    action: str
    file: str


class _Change(NamedTuple):
    """What to do with a row; a label of None drops it."""

    label: str | None
    place: int


class _Fault(Exception):  # noqa: N818 - never leaves this module
    """Why a correction cannot be applied."""


def apply_corrections(
    corrections: str | os.PathLike[str],
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
    label_separator: str | None = None,
    label_columns: Sequence[str] = (),
    skip_bad_rows: bool = False,
    escape_formulas: bool = False,
) -> Applied:
    """Write a copy of a file of labelled texts with corrected labels, and without the rows that were marked to drop.

    The corrections are a file from ``check --output`` or ``suggest --output`` that a person has edited, or any file
    with the columns ``line`` and ``text``, and ``label``, ``action`` or both. A changed label is applied. An action of
    ``drop`` drops the row, ``relabel`` applies the suggested label unless another has been entered, and ``keep`` or an
    empty cell changes nothing by itself. Rows of the dataset that no correction names stay as they are. Corrections of
    several files name each row's in their column ``file``, and only those of the dataset are applied.

    A correction applies to the row that starts on its line and has its text and, if there is a column
    ``original_label``, that label. If any does not match, nothing is written.

    Parameters
    ----------
    corrections : str or Path
        CSV, TSV, JSONL, Parquet or Excel, by extension, in UTF-8. A CSV may be delimited by commas, semicolons or
        tabs.
    source, output : str or Path
        The dataset, and its corrected copy, in the same formats. The output must be neither of the two other files.
    text_column, label_column : str, optional
        Column names of the dataset, found if they are not given; those of the corrections are ``text`` and ``label``,
        or the same.
    delimiter : str, optional
        Column delimiter of the dataset and its copy.
    encoding : str
        Encoding of the dataset; the copy is in UTF-8.
    header : bool
        Whether the first line of a dataset in CSV has the names of the columns; if not, that of the copy has none
        either.
    quoting : {"auto", "csv", "none"}
        Whether fields of the dataset and its copy may be quoted; ``"auto"`` finds it out.
    escape_char : str, optional
        The character before a quote inside a quoted field of the dataset, where such quotes are not doubled.
    label_map : mapping of str to str, str or Path, optional
        Labels to rename or join, or a file of them, as the corrections were written with: all rows of the copy have
        the new labels.
    escape_formulas : bool
        Whether to put an apostrophe in front of cells of the copy that a spreadsheet may take for formulas. In the
        corrections, it is removed again.
    label_separator : str, optional
        What separates the labels of a text that has several. A cell of the corrections has all of them, ``[]`` if there
        are none, and is written as the dataset has them: separated or as a list.
    label_columns : sequence of str
        Columns of the dataset of a label each, with 0 and 1, which are set to the labels of a corrected cell.
    skip_bad_rows : bool
        Whether to leave out rows of the dataset that cannot be read instead of raising.

    Returns
    -------
    Applied

    Raises
    ------
    BadRowsError
        If a correction cannot be applied, or a row of the dataset cannot be read.
    DataError
        If a file as a whole cannot be read.
    OutputError
        If the copy cannot be written, or is one of the other two files.
    """
    check_places({"the corrections": corrections, "the dataset": source}, {"the output": output})
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
        label_separator=label_separator,
        label_columns=tuple(label_columns),
    )
    with CorpusReader(source, reading) as reader:
        rows = list(reader)
    label_column = reader.label_column or label_column or "label"
    try:
        asked, name = _read_corrections(corrections, reader.text_column, label_column)
    except DataError as error:
        if isinstance(error.__cause__, WrongEncodingError):
            where = os.fspath(corrections)
            raise DataError(
                f"{where}: not in UTF-8: save it from the spreadsheet as 'CSV UTF-8'", source=where
            ) from error
        raise
    asked, other_files = _about(asked, reader.name)
    several = SeveralLabels.of(rows, label_column, label_separator, reader.label_columns)
    changes = _changes(asked, name, rows, reader.name, several)
    # A JSON object has its label among its own keys, whether or not the first one has.
    is_new = (
        reader.format != "jsonl" and not reader.label_columns and label_column not in reader.columns and bool(changes)
    )
    kept, n_relabelled, unreadable = [], 0, []
    for row in rows:
        change = changes.get(row.line)
        if change is None:
            if row.fault is None or row.is_incomplete:
                kept.append(row)
            else:
                unreadable.append(RowFault(row.line, row.fault))
        elif change.label is not None:
            try:
                if is_new:
                    kept.append(replace(row, label=change.label))
                elif several is not None:
                    kept.append(several.relabelled(row, change.label))
                else:
                    kept.append(relabelled(row, label_column, change.label))
            except ParquetError as error:
                raise DataError(f"{name}:{change.place}: {error}", source=name, line=change.place) from error
            n_relabelled += 1
    if unreadable and not skip_bad_rows:
        raise bad_rows_error(
            f"cannot copy {counted(len(unreadable), 'row')} of {reader.name}", {reader.name: unreadable}
        )
    with CorpusWriter(
        output,
        reader.columns,
        [label_column] if is_new else [],
        dialect=reader.dialect,
        bom=reader.has_bom,
        schema=reader.schema,
        header=reader.has_header,
        escape_formulas=escape_formulas,
    ) as writer:
        for row in kept:
            writer.write(row, [row.label or None] if is_new else [])
    n_dropped = len(rows) - len(kept) - len(unreadable)
    return Applied(len(kept), n_relabelled, n_dropped, _new_labels(changes, rows, name, several), other_files)


def _read_corrections(
    path: str | os.PathLike[str], text_column: TextColumn, label_column: str
) -> tuple[list[_Correction], str]:
    """Read the corrections, and the file's name in messages."""
    with _open(path, text_column) as reader:
        label_name = "label" if "label" in reader.columns or reader.format == "jsonl" else label_column
        # Suggestions are labelled in the column that the classifier was trained on, whatever the dataset calls it.
        if label_name not in reader.columns and len(names := candidates(reader.columns, "label", label_name)) == 1:
            label_name = names[0]
        for wanted in (["line"], [label_name, "action"]):
            if reader.format != "jsonl" and not set(wanted) & set(reader.columns):
                named = " or ".join(map(repr, wanted))
                found = ", ".join(map(repr, reader.columns[:20]))
                raise DataError(f"{reader.name}:1: no column {named} (found: {found})", source=reader.name, line=1)
        asked, faults = [], []
        for row in reader:
            if row.fault is not None and not row.is_incomplete:
                faults.append(RowFault(row.line, row.fault))
            elif any(cell_text(value).strip() for value in row.record.values()):  # spreadsheets may add empty rows
                try:
                    asked.append(_correction(row, label_name))
                except _Fault as fault:
                    faults.append(RowFault(row.line, str(fault)))
    if faults:
        raise _cannot_apply(reader.name, faults)
    return asked, reader.name


def _open(path: str | os.PathLike[str], text_column: TextColumn) -> CorpusReader:
    """Open the corrections, in which the column of the texts is called as usual or as in the dataset."""
    first: DataError | None = None
    for name in dict.fromkeys(["text", text_column]):
        try:
            return CorpusReader(path, Reading(text_column=name, labels="none", quoting="csv"))
        except DataError as error:
            first = first or error
    assert first is not None  # noqa: S101 - the loop runs at least once
    raise first


def _correction(row: Row, label_name: str) -> _Correction:
    cells = row.record

    def optional(name: str) -> str | None:
        return cell_text(cells[name]) if name in cells else None

    try:
        number = float(cell_text(cells.get("line")))  # a spreadsheet may write 433.0
        line = int(number)
        if line != number or line < 1:
            raise ValueError
    except (ValueError, OverflowError):
        raise _Fault(f"the line is not a number ({cell_text(cells.get('line'))[:40]!r})") from None
    action = (optional("action") or "").strip().casefold()
    if action not in ("", *ACTIONS):
        raise _Fault(f"unknown action {action[:40]!r}; use {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}")
    suggested = optional("suggested_label") or ""
    return _Correction(
        row.line,
        line,
        row.text,
        optional(label_name),
        optional("original_label"),
        suggested.strip(),
        action,
        optional("file") or "",
    )


def _about(asked: list[_Correction], source: str) -> tuple[list[_Correction], tuple[str, ...]]:
    """Return the corrections that are about a file, and the names of the other files that they are about.

    If none names the file, they are taken to be about it: it may have been renamed, or the column may be its own.
    """
    files = dict.fromkeys(one.file for one in asked if one.file)
    same = [name for name in files if name == source]
    named = same or [name for name in files if Path(name).name == Path(source).name]
    if len(named) != 1:
        return asked, ()
    others = tuple(name for name in files if name != named[0])
    return [one for one in asked if one.file in ("", named[0])], others


def _changes(
    asked: list[_Correction], name: str, rows: list[Row], of: str, several: SeveralLabels | None
) -> dict[int, _Change]:
    """Return what to do with each row of the dataset that changes, by its line."""
    by_line = {row.line: row for row in rows}
    known = {row.label for row in rows}
    nothing = Row(0, {}, "", "", None)
    lines_of: dict[str, list[int]] = {}
    for row in rows:
        lines_of.setdefault(_bare(row.text), []).append(row.line)
    changes: dict[int, _Change] = {}
    faults = []
    for each in asked:
        one = _with_formulas(each, known)
        row = by_line.get(one.line, nothing)
        try:
            if several is not None:
                one = one._replace(
                    label=several.in_order(one.label),
                    original=several.in_order(one.original),
                    suggested=several.in_order(one.suggested) or "",
                )
            label = _new_label(one, row.label)
            if several is not None and label is not None and (wrong := several.fault(label)) is not None:
                raise _Fault(wrong)
            if label == "":
                continue
            if row is nothing or _bare(row.text) != _bare(one.text):
                raise _Fault(_mismatch(one, of, lines_of))
            now = NO_LABELS if row.labels == () and several is not None else row.label
            if label is not None and label == now:  # applied before
                continue
            if one.original is not None and _bare(one.original) != _bare(row.label):
                raise _Fault(f"{of}:{one.line} now has the label {row.label!r}, not {one.original!r}")
            change = changes.setdefault(one.line, _Change(label, one.place))
            if change.label != label:
                raise _Fault(f"contradicts line {change.place}, which is about the same row")
        except _Fault as fault:
            faults.append(RowFault(one.place, str(fault)))
    if faults:
        raise _cannot_apply(name, faults)
    return changes


def _with_formulas(one: _Correction, known: Set[str]) -> _Correction:
    """Return a correction whose labels are written as in the dataset, also if they were escaped for a spreadsheet."""

    def own(label: str | None) -> str | None:
        return label if label is None or label in known else with_formula(label)

    return one._replace(label=own(one.label), original=own(one.original), suggested=own(one.suggested) or "")


def _new_label(one: _Correction, current: str) -> str | None:
    """Return the label that a correction asks for: None to drop the row, empty to leave it as it is."""
    before = current if one.original is None else one.original
    label = (one.label or "").strip()
    is_changed = one.label is not None and one.label != before
    if one.action == "drop":
        return None
    if one.action == "keep":
        if is_changed:
            raise _Fault("the label was changed, but the action is 'keep'")
        return ""
    if one.action == "relabel" and not is_changed:
        label, is_changed = one.suggested, True
        if not label:
            raise _Fault("the action is 'relabel', but there is no suggested label: enter the new label as the label")
    if is_changed and not label:
        raise _Fault("the label was deleted: restore it, or enter 'drop' as the action to drop the row")
    return label if is_changed else ""


def _mismatch(one: _Correction, of: str, lines_of: Mapping[str, list[int]]) -> str:
    lines = lines_of.get(_bare(one.text), []) if one.text.strip() else []
    now = f"; that text is on line {lines[0]}" if len(lines) == 1 else ""
    return f"the row on line {one.line} of {of} does not have this text{now}"


def _bare(cell: str) -> str:
    """Return a cell without what spreadsheets change or need: line ends, spaces around it, an apostrophe before it."""
    return " ".join(with_formula(cell).split())


def _cannot_apply(name: str, faults: list[RowFault]) -> BadRowsError:
    problem = f"{counted(len(faults), 'row')} of {name} cannot be applied, so nothing was written"
    faults = sorted(faults)
    advice = "Fix them. If the dataset has changed since the file was written, write it again."
    return BadRowsError(f"{problem}:\n{list_faults(name, faults)}\n{advice}", source=name, faults=faults)


def _new_labels(
    changes: Mapping[int, _Change], rows: list[Row], name: str, several: SeveralLabels | None
) -> tuple[str, ...]:
    """Return the labels that a labelled file did not have, and warn of them, since they may be misspelt."""
    known = labels_in([(row.label,) if row.labels is None else row.labels for row in rows]) - {""}
    new = {
        label: change.place
        for change in changes.values()
        if change.label is not None
        for label in ([change.label] if several is None else several.labels(change.label))
    }
    if not known:
        return ()
    found = tuple(sorted(new.keys() - known))
    for label in found:
        near = difflib.get_close_matches(label, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        logger.warning("%s:%d: the label %r is new%s", name, new[label], label, hint)
    return found
