"""The labels of texts that may have several each, or none."""

import ast
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, TypeAlias, overload

import numpy as np

from embedclf.arrays import Mask
from embedclf.data_frames import JoinedColumns, is_data_frame
from embedclf.errors import ArgumentError
from embedclf.missing import has_something_to_read, is_missing, missing_value
from embedclf.validation import Label, label_of, text_fault

LabelSet: TypeAlias = tuple[str, ...]
"""The labels of a text, sorted, each once."""

Labels: TypeAlias = Sequence[str] | Sequence[LabelSet]
"""The label of each text, or its labels if texts may have several, once they are checked."""

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


def indicated_labels(record: Mapping[str, Any], columns: Sequence[str]) -> tuple[LabelSet | None, str | None]:
    """Return the labels whose columns have a 1, and what is wrong with a column that has neither 0 nor 1.

    Where all columns are blank, there are no labels, not even none of them: None.
    """
    cells = [("" if is_missing(value) else str(value)).strip() for value in map(record.get, columns)]
    if not any(map(has_something_to_read, cells)):
        return None, None
    found = []
    for column, cell in zip(columns, cells, strict=True):
        plain = _ZEROS.sub("", cell.casefold())
        if plain in _YES:
            found.append(column)
        elif not has_something_to_read(cell):  # it may mean 0, or that nobody has decided
            return (), f"{column!r} is empty; write 0 if the text does not have the label"
        elif plain not in _NO:
            return (), f"{column!r} is {record[column]!r:.40}; expected 0 or 1"
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


def joined(labels: Labels, others: Labels) -> Labels:
    """Return the labels of some texts, and then those of others; of both, texts have one label or may have several."""
    every: Any = [*labels, *others]
    return every  # type: ignore[no-any-return]


def chosen(labels: Labels, rows: Iterable[int]) -> Labels:
    """Return the labels of some of the texts."""
    found: Any = [labels[row] for row in rows]
    return found  # type: ignore[no-any-return]


def labels_in(labels: Iterable[str] | Iterable[LabelSet]) -> set[str]:
    """Return the labels that occur, of texts that have one each or several."""
    return set(each_label(labels))


@overload
def without_outside(labels: Iterable[LabelSet], outside: str | None) -> list[LabelSet]: ...


@overload
def without_outside(labels: Labels, outside: str | None) -> Labels: ...


def without_outside(labels: Iterable[LabelSet] | Labels, outside: str | None) -> Any:
    """Return the labels of texts, which are none for a text that may have several, but has only the out-of-scope one.

    Texts with one label each keep it.
    """
    return [() if one == (outside,) else one for one in labels]


def outside_beside_others(labels: LabelSet, outside: str) -> str | None:
    """Return what is wrong with labels that the out-of-scope label is one of, beside others; None if it is not."""
    if outside not in labels or len(labels) == 1:
        return None
    others = " and ".join(repr(label) for label in labels if label != outside)
    return f"the label {outside!r}, for texts that no label applies to, stands beside {others}"


def label_sets_of(labels: Labels) -> list[LabelSet]:
    """Return the labels of each text if texts may have several; nothing if each has one."""
    return [one for one in labels if not isinstance(one, str)]


def indicators(labels: Sequence[Collection[Any]], names: Sequence[Any]) -> Mask:
    """Return which of some labels each text has: (n, n_names)."""
    numbers = {name: number for number, name in enumerate(names)}
    given = np.zeros((len(labels), len(names)), dtype=bool)
    for row, one in enumerate(labels):
        given[row, [numbers[label] for label in one]] = True
    return given


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
    frame, columns = matrix, getattr(matrix, "columns", None)
    if hasattr(matrix, "tocsr"):
        matrix = matrix.toarray()
    elif hasattr(matrix, "to_numpy"):
        matrix = matrix.to_numpy()
    try:
        if isinstance(matrix, np.ndarray) and matrix.dtype.kind == "O":  # so is pandas' own missing value
            matrix = np.where(np.vectorize(is_missing, otypes=[bool])(matrix), np.nan, matrix)
        values = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            "a matrix of labels must hold 0 and 1 only, one row per text, one column per label"
        ) from None
    n_labels = values.shape[1]
    names = [str(number) for number in range(n_labels)] if columns is None else [label_of(one) for one in columns]
    n_missing = np.isnan(values).sum(axis=1)
    if n_labels and (unlabelled := np.flatnonzero(n_missing == n_labels).tolist()):
        given = None if columns is None else JoinedColumns((), tuple(names), getattr(frame, "index", None))
        raise missing_value("labels", unlabelled[0], np.nan, given)
    if wrong := np.argwhere((values != 0) & (values != 1)).tolist():
        row, column = wrong[0]
        advice = "; use 0 if the text does not have the label" if np.isnan(values[row, column]) else ""
        raise ArgumentError(
            f"a matrix of labels must hold 0 and 1 only, got {values[row, column]:g} in row {row}, column {column}"
            + advice
        )
    return [tuple(sorted(names[column] for column in np.flatnonzero(row))) for row in values]
