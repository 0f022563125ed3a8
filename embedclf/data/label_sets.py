"""The labels of texts that may have several each, or none."""

import ast
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
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

GivenLabels: TypeAlias = Sequence[str] | Sequence[LabelSet]
"""The label of each text, or its labels if texts may have several, once they are checked."""


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


def listed_labels(value: Any) -> LabelSet | None:
    """Return the labels of a cell that is a list, or the text of one in JSON or Python; None if it is not."""
    if isinstance(value, str):
        if not (value[:1] == "[" and value.rstrip()[-1:] == "]" and len(value) <= _MOST_CHARACTERS):
            return None
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            try:
                value = ast.literal_eval(value.strip())
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                return None
    if not isinstance(value, list) or any(isinstance(one, bool) or not isinstance(one, str | int) for one in value):
        return None
    labels = [str(one).strip() for one in value]
    return tuple(sorted(set(labels))) if all(labels) else None


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


def each_label(labels: Iterable[str] | Iterable[LabelSet]) -> Iterator[str]:
    """Yield the label of each text, or each of its labels."""
    for one in labels:
        yield from (one,) if isinstance(one, str) else one


def joined(labels: GivenLabels, others: GivenLabels) -> GivenLabels:
    """Return the labels of some texts, and then those of others; of both, texts have one label or may have several."""
    every: Any = [*labels, *others]
    return every  # type: ignore[no-any-return]


def chosen(labels: GivenLabels, rows: Iterable[int]) -> GivenLabels:
    """Return the labels of some of the texts."""
    found: Any = [labels[row] for row in rows]
    return found  # type: ignore[no-any-return]


def labels_in(labels: Iterable[str] | Iterable[LabelSet]) -> set[str]:
    """Return the labels that occur, of texts that have one each or several."""
    return set(each_label(labels))


def split_labels(cell: str, separator: str) -> LabelSet:
    """Return the labels in a cell such as ``billing|refund``; none if it is blank."""
    return tuple(sorted({part for piece in cell.split(separator) if (part := piece.strip())}))


def as_label_sets(labels: Any) -> list[LabelSet] | None:
    """Return the labels of each text if they are lists or an indicator matrix; None if each text has one label.

    Parameters
    ----------
    labels : iterable
        A list, tuple, set or one-dimensional array of labels per text; or a matrix or data frame of 0 and 1 with a row
        per text and a column per label, whose labels are the names of the columns, or ``"0"``, ``"1"``, ….

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
