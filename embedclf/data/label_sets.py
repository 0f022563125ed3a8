"""The labels of texts that may have several each, or none."""

from collections.abc import Collection, Iterable, Sequence, Set
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
