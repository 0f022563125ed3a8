"""Files of labels: the name of each, and what it stands for."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from embedclf.data.columns import Columns
from embedclf.data.compression import unpacked_start
from embedclf.data.formats import FormatError, data_suffix
from embedclf.data.label_map import LabelMap
from embedclf.data.open_file import usual_encoding
from embedclf.data.reader import CorpusReader, read_all
from embedclf.data.reading import Reading
from embedclf.data.rows import Row
from embedclf.errors import DataError, RowFault, list_faults
from embedclf.formatting import counted
from embedclf.missing import has_something_to_read, is_gap
from embedclf.validation import text_fault

COLUMNS = Columns("description", "label")
_DELIMITERS = ",;\t"
_MOST_BYTES = 1 << 26
_BY_NAME = Columns("description", "name")


def read_label_file(
    path: str | os.PathLike[str], encoding: str = "utf-8", label_map: LabelMap | None = None
) -> dict[str, tuple[str, ...]]:
    """Read a file with a column of labels and, if there are any, one of their descriptions.

    A label that has several rows has several descriptions, which may be examples of its texts. A ``.txt`` file may have
    a label on each line, and a ``.json`` file may be a list of labels, or an object of the descriptions of each.

    Parameters
    ----------
    path : str or Path
    encoding : str
        Of a file that is not in UTF-8, nor in UTF-16 with a byte order mark.
    label_map : LabelMap, optional
        Renames and joins labels; an empty new label leaves the label out.

    Returns
    -------
    dict of str to tuple of str
        The descriptions of each label, in the order of the file; empty if it has none.

    Raises
    ------
    DataError
        If the file cannot be read, has no labels, or has a row without a label or twice.
    """
    found = _of_json(path)
    described = _in_encoding(path, encoding) if found is None else found
    if label_map is None:
        return described
    mapped: dict[str, tuple[str, ...]] = {}
    for label, texts in described.items():
        if new := label_map.get(label, label):
            mapped[new] = tuple(dict.fromkeys((*mapped.get(new, ()), *texts)))
    return mapped


def _of_json(path: str | os.PathLike[str]) -> dict[str, tuple[str, ...]] | None:
    """Return the labels of a JSON file that is a list of them, or has the descriptions of each; None if it is not."""
    try:
        if data_suffix(path) != ".json":
            return None
        value = json.loads(unpacked_start(Path(path), _MOST_BYTES).decode("utf-8-sig"), object_pairs_hook=_unique)
    except (OSError, ValueError, RecursionError, FormatError):  # whoever reads rows says what is wrong
        return None
    if isinstance(value, list) and value and all(map(_is_text, value)):
        value = dict.fromkeys(value)
    elif isinstance(value, list) and all(map(_is_record, value)) and any(map(_has_several, value)):
        said = {one["label"]: one.get("description") for one in value}
        value = said if len(said) == len(value) else None
    elif not isinstance(value, dict) or not value or "label" in value or not all(map(_is_said, value.values())):
        return None
    problems = (f"{text_fault(label, 'label')}: {label!r}" for label in value if text_fault(label, "label"))
    if (problem := next(problems, None)) is not None:
        raise DataError(f"{os.fspath(path)}: {problem}", source=os.fspath(path))
    return {label: _texts(said) for label, said in value.items()}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _has_several(one: Any) -> bool:
    return isinstance(one.get("description"), list)


def _is_record(one: Any) -> bool:
    return isinstance(one, dict) and _is_text(one.get("label")) and _is_said(one.get("description"))


def _is_said(value: Any) -> bool:
    return value is None or isinstance(value, str) or (isinstance(value, list) and all(map(_is_text, value)))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(said: str | list[str] | None) -> tuple[str, ...]:
    texts = said if isinstance(said, list) else [said or ""]
    return tuple(dict.fromkeys(text for text in texts if has_something_to_read(text)))


def _in_encoding(path: str | os.PathLike[str], encoding: str) -> dict[str, tuple[str, ...]]:
    """Read rows in UTF-8 if they are, since the texts to train on may be in another encoding, else in this one."""
    usual = usual_encoding(path)
    try:
        return _of_rows(path, usual)
    except DataError:
        if (names := _names_in(path, usual)) is not None:
            return dict.fromkeys(names, ())
        if usual == "utf-8" and encoding != "utf-8":
            return _of_rows(path, encoding)
        raise


def _names_in(path: str | os.PathLike[str], encoding: str) -> list[str] | None:
    """Return the lines of a ``.txt`` file that has nothing but labels, and no header; else None."""
    if data_suffix(path) != ".txt":
        return None
    try:
        text = unpacked_start(Path(path), _MOST_BYTES).decode(encoding.replace("utf-8", "utf-8-sig"))
    except (OSError, ValueError, FormatError):
        return None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    plain = names and not any(sign in name for name in names for sign in _DELIMITERS)
    return names if plain and not any(text_fault(name, "label") for name in names) else None


def _of_rows(path: str | os.PathLike[str], encoding: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    faults: list[RowFault] = []
    lines: dict[tuple[str, str], int] = {}
    with _opened(path, encoding) as reader:
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


def _opened(path: str | os.PathLike[str], encoding: str) -> CorpusReader:
    asked: dict[str, Any] = {"labels": "alone", "encoding": encoding}
    try:
        return CorpusReader(path, Reading(usual=COLUMNS, **asked))
    except DataError as error:
        if "no column" in str(error):
            with suppress(DataError):
                return CorpusReader(path, Reading(usual=_BY_NAME, **asked))
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
