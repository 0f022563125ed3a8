"""The labels of texts that may have several each, or none."""

import ast
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import Any, TypeAlias

import numpy as np

from embedclf.data_frames import is_data_frame
from embedclf.errors import ArgumentError
from embedclf.missing import is_missing
from embedclf.validation import Label, label_of, text_fault

LabelSet: TypeAlias = tuple[str, ...]
"""The labels of a text, sorted, each once."""

AnyLabels: TypeAlias = Iterable[Label] | Iterable[Collection[Label]]
"""One label per text, or a collection of labels per text."""


LABEL_SEPARATOR = "|"
"""What separates the labels of a text in a file, unless it is something else."""
NO_LABELS = "[]"
"""A cell of a text that has been labelled and has no label."""
SEPARATORS = ("|", ";", ",", "/")
"""What may separate the labels of a text in a cell."""
# A longer cell is no list of labels.
_MOST_CHARACTERS = 10_000
_YES, _NO = frozenset(["1", "true", "t", "yes", "y"]), frozenset(["0", "false", "f", "no", "n"])
# A number that was written as a decimal, as data frames do in columns with gaps.
_ZEROS = re.compile(r"\.0*\Z")
# An array as NumPy writes it, without commas: Python would read 'a' 'b' as one text.
_ITEM = re.compile(r"""'[^']*'|"[^"]*"|-?\d+""")
_ARRAY = re.compile(rf"\[\s*(?:{_ITEM.pattern})(?:\s+(?:{_ITEM.pattern}))+\s*\]")
_ENDS = ("[]", "()", "{}")


def listed_labels(value: Any) -> LabelSet | None:
    """Return the labels of a cell that is a list, or the text of one in JSON or Python; None if it is not.

    In Python, the text may also be that of a tuple or a set of strings, or of a NumPy array.
    """
    found = _listed(value)
    return (
        None if found is None or any(map(_is_no_label, found)) else tuple(sorted({str(one).strip() for one in found}))
    )


def list_fault(value: Any) -> str | None:
    """Return why a cell with a list, or the text of one, has no valid labels; None if it has, or is no list."""
    if isinstance(value, Mapping):
        return "the label is an object; expected a string or a list of strings"
    wrong = [one for one in _listed(value) or () if _is_no_label(one)]
    if not wrong:
        return None
    return f"the list of labels has {json.dumps(wrong[0], default=str)[:40]} in it; expected strings"


def _listed(value: Any) -> list[Any] | None:
    """Return the items of a list, or of the text of one; None if a value is neither."""
    if not isinstance(value, str):
        return value if isinstance(value, list) else None
    shown = value.strip()
    if shown[:1] + shown[-1:] not in _ENDS or len(value) > _MOST_CHARACTERS:
        return None
    if _ARRAY.fullmatch(shown):
        return [item.strip("'\"") for item in _ITEM.findall(shown)]
    try:
        found = json.loads(shown)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(shown)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return None
    if isinstance(found, list):
        return found
    if isinstance(found, tuple | set) and all(isinstance(one, str) for one in found):
        return list(found)
    return None


def _is_no_label(value: Any) -> bool:
    return isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip()


def indicated_labels(record: Mapping[str, Any], columns: Sequence[str]) -> tuple[LabelSet, str | None]:
    """Return the labels whose columns have a 1, and what is wrong with a column that has neither 0 nor 1."""
    found = []
    for column in columns:
        value = record.get(column)
        shown = ("" if is_missing(value) else str(value)).strip().casefold()
        plain = _ZEROS.sub("", shown)
        if plain in _YES:
            found.append(column)
        elif plain not in _NO:
            return (), f"{column!r} is {f'{value!r:.40}' if shown else 'empty'}; expected 0 or 1"
    return tuple(sorted(found)), None


def likely_separator(labels: Iterable[str]) -> str | None:
    """Return what separates several labels in some of the cells: each of them also stands alone or in other cells."""
    counts = Counter(labels)
    for separator in SEPARATORS:
        joined = [label for label in counts if separator in label.strip(separator)]
        parts = Counter(part for label in counts for part in set(split_labels(label, separator)))
        if len(joined) >= 2 and all(parts[part] >= 2 for label in joined for part in split_labels(label, separator)):
            return separator
    return None


def written_labels(labels: Sequence[str] | Sequence[LabelSet]) -> list[str]:
    """Return the label of each text, or all of its labels as a JSON list."""
    return [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in labels]


def joined_labels(labels: Sequence[str] | Sequence[LabelSet], separator: str = LABEL_SEPARATOR) -> list[str]:
    """Return the label of each text, or all of its labels joined by a separator, to be shown."""
    return [one if isinstance(one, str) else separator.join(one) for one in labels]


def labels_cell(labels: Iterable[str], separator: str) -> str:
    """Return a cell with all labels of a text: an empty list if it has none, since an empty cell is unlabelled."""
    return separator.join(labels) or NO_LABELS


def labels_of_cell(cell: str, separator: str) -> LabelSet:
    """Return the labels of a cell that is a list of them, or has the separator, or is one label."""
    listed = listed_labels(cell)
    return split_labels(cell, separator) if listed is None else listed


def labels_in(labels: Iterable[str] | Iterable[LabelSet]) -> set[str]:
    """Return the labels that occur, of texts that have one each or several."""
    return {label for one in labels for label in ((one,) if isinstance(one, str) else one)}


def split_labels(cell: str, separator: str) -> LabelSet:
    """Return the labels in a cell such as ``billing|refund``; none if it is blank."""
    return tuple(sorted({part for piece in cell.split(separator) if (part := piece.strip())}))


def is_matrix_in_lists(rows: Any) -> bool:
    """Return whether rows of 0 and 1 in lists or arrays, more than one a row and all as long, are a matrix."""
    if not isinstance(rows, list | tuple) or not rows:
        return False
    if not all(isinstance(row, list | tuple) or getattr(row, "ndim", 0) == 1 for row in rows):
        return False
    if len(rows[0]) < 2 or len(set(map(len, rows))) > 1 or any(isinstance(one, str) for one in rows[0]):
        return False
    return are_zeros_and_ones(rows)


def are_zeros_and_ones(values: Any) -> bool:
    """Return whether an array of numbers has only 0 and 1."""
    try:
        found = np.unique(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        return False
    return bool(np.isin(found, (0, 1)).all())


def as_label_sets(labels: Any) -> list[LabelSet] | None:
    """Return the labels of each text if they are lists or an indicator matrix; None if each text has one label.

    Parameters
    ----------
    labels : iterable
        A list, tuple, set or one-dimensional array of labels per text; or a matrix or data frame of 0 and 1 with a row
        per text and a column per label, whose labels are the names of the columns, or ``"0"``, ``"1"``, …. A matrix
        may also be a list of its rows.

    Raises
    ------
    TypeError
        If only some texts have lists, or a label is neither a string nor a whole number.
    ArgumentError
        If a matrix has other numbers than 0 and 1, or a label has nothing to read.
    MissingValueError
        If a label is missing.
    """
    if is_data_frame(labels) or getattr(labels, "ndim", 1) == 2 or hasattr(labels, "tocsr"):
        return _of_indicators(labels)
    if isinstance(labels, str | bytes) or not isinstance(labels, Iterable):
        return None
    given = list(labels) if not isinstance(labels, Sequence) else labels
    if is_matrix_in_lists(given):
        return _of_indicators(np.asarray(given))
    if not any(_is_collection(one) for one in given):
        return None
    return [_label_set(one, f"labels[{index}]") for index, one in enumerate(given)]


def _is_collection(value: object) -> bool:
    return isinstance(value, list | tuple | Set) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _label_set(value: Any, name: str) -> LabelSet:
    if not _is_collection(value):
        if is_missing(value):
            raise ArgumentError(f"{name} is missing; pass an empty list for a text without labels")
        raise TypeError(f"{name} is of type {type(value).__name__}, but other texts have lists of labels: pass a list")
    found = sorted({label_of(label, f"a label of {name}") for label in value})
    for label in found:
        if fault := text_fault(label, "label"):
            raise ArgumentError(f"{name}: {fault}: {label!r}")
    return tuple(found)


def _of_indicators(matrix: Any) -> list[LabelSet]:
    columns = getattr(matrix, "columns", None)
    if hasattr(matrix, "tocsr"):
        matrix = matrix.toarray()
    elif hasattr(matrix, "to_numpy"):
        matrix = matrix.to_numpy()
    try:
        values = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            "a matrix of labels must hold 0 and 1 only, one row per text, one column per label"
        ) from None
    if wrong := np.argwhere((values != 0) & (values != 1)).tolist():
        row, column = wrong[0]
        raise ArgumentError(
            f"a matrix of labels must hold 0 and 1 only, got {values[row, column]:g} in row {row}, column {column}"
        )
    names = (
        [str(number) for number in range(values.shape[1])] if columns is None else [label_of(one) for one in columns]
    )
    return [tuple(sorted(names[column] for column in np.flatnonzero(row))) for row in values]
