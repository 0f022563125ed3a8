"""Files of labels: the name of each, and what it stands for."""

import os

from embedclf.data.columns import Columns
from embedclf.data.reader import CorpusReader, read_all
from embedclf.data.reading import Reading
from embedclf.data.rows import Row
from embedclf.errors import DataError, RowFault, list_faults
from embedclf.formatting import counted
from embedclf.missing import has_something_to_read, is_gap
from embedclf.validation import text_fault

COLUMNS = Columns("description", "label")


def read_label_file(path: str | os.PathLike[str]) -> dict[str, tuple[str, ...]]:
    """Read a file with a column of labels and, if there are any, one of their descriptions.

    A label that has several rows has several descriptions, which may be examples of its texts.

    Returns
    -------
    dict of str to tuple of str
        The descriptions of each label, in the order of the file; empty if it has none.

    Raises
    ------
    DataError
        If the file cannot be read, has no labels, or has a row without a label or twice.
    """
    found: dict[str, list[str]] = {}
    faults: list[RowFault] = []
    lines: dict[tuple[str, str], int] = {}
    with _opened(path) as reader:
        for row in read_all(reader):
            fault, text = _fault(row), row.text if has_something_to_read(row.text) else ""
            if fault is None and len(row.record) > 1 and not reader.text_column:
                more = ", ".join(list(row.record)[1:])
                fault = f"the first row has only a label, this one also {more}: write null there"
            before = lines.setdefault((row.label, text), row.line)
            if fault is None and before != row.line:
                same = " with the same description" if text else ""
                fault = f"the label {row.label!r} is also in line {before}{same}"
            if fault is not None:
                faults.append(RowFault(row.line, fault))
            else:
                found.setdefault(row.label, []).extend([text] if text else [])
    if faults:
        listed = list_faults(reader.name, faults)
        problem = f"{counted(len(faults), 'row')} of {reader.name} cannot be used:\n{listed}\nFix them."
        raise DataError(problem, source=reader.name, line=faults[0].line)
    if not found:
        raise DataError(f"{reader.name}: the file has no labels", source=reader.name)
    return {label: tuple(texts) for label, texts in found.items()}


def _opened(path: str | os.PathLike[str]) -> CorpusReader:
    try:
        return CorpusReader(path, Reading(labels="alone", usual=COLUMNS))
    except DataError as error:
        problem, found, _ = str(error).partition(")")
        if "no column" not in problem or not found:
            raise
        problem = problem.replace("no column 'text'", f"no column {COLUMNS.text!r}")
        message = f"{problem}). A file of labels has a column 'label' and, if needed, one named 'description'"
        raise DataError(message, source=error.source, line=error.line) from None


def _fault(row: Row) -> str | None:
    """Return what is wrong with a row; None if nothing is, which it also is without a description."""
    if row.fault is None:
        return None
    without_text = row.label and is_gap(row.fault) and not has_something_to_read(row.text)
    return text_fault(row.label, "label") if without_text else row.fault
