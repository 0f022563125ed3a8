"""What the estimators take as X and y: texts in one dimension or as one column, and labels of any type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from embedclf.arrays import Mask
from embedclf.data.label_sets import are_zeros_and_ones, indicators, is_matrix_in_lists
from embedclf.data_frames import is_data_frame
from embedclf.errors import ArgumentError
from embedclf.missing import check_none_missing, is_missing


def n_columns(X: Any) -> int | None:
    """Return the number of columns of a table: a data frame, an array, or a list of lists; None if X is no table."""
    shape = getattr(X, "shape", None)
    if shape is not None:
        return shape[1] if len(shape) == 2 else None
    if isinstance(X, list | tuple) and X and all(isinstance(row, list | tuple) for row in X):
        return max(map(len, X))
    return None


def one_dimension(X: Any) -> Any:
    """Return texts in one dimension, those of a table being its only column.

    Raises
    ------
    ArgumentError
        If there are more columns, or more dimensions.
    """
    n = n_columns(X)
    if n == 1 and (table := np.asarray(X, dtype=object)).ndim == 2:
        return table[:, 0]
    if n is not None and n != 1:
        raise ArgumentError(
            f"expected texts, or one column of them, got {n:,} columns: choose the column of the texts with "
            f'ColumnTransformer([("t", EmbeddingTransformer(), {_column_of_texts(X)})])'
        )
    if (shape := getattr(X, "shape", None)) is not None and len(shape) != 1:
        raise ArgumentError(f"expected texts, or one column of them, got an array of shape {tuple(shape)}")
    return X


def _column_of_texts(X: Any) -> str:
    """Return the name of the first column of a table that begins with a text, as it is written in Python."""
    if not is_data_frame(X) or not X.shape[0]:
        return '"text"'
    names = list(getattr(X, "column_names", X.columns))  # of Arrow, and of pandas and Polars
    found = (
        "text" if "text" in names else next((name for name in names if isinstance(next(iter(X[name])), str)), "text")
    )
    return f'"{found}"' if isinstance(found, str) else repr(found)


@dataclass(frozen=True, slots=True, eq=False)
class SeveralLabels:
    """The labels of texts that may have several each.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, in their own type; for a matrix, the names of its columns, or their numbers.
    given : ndarray of shape (n_texts, n_classes), bool
        Which labels each text has.
    is_matrix : bool
        Whether they were a matrix rather than lists.
    """

    classes: Any
    given: Mask
    is_matrix: bool


def labels_in_rows(classes: Any, given: Mask) -> list[tuple[Any, ...]]:
    """Return the labels of each row, as `sklearn.preprocessing.MultiLabelBinarizer` does."""
    return [tuple(classes[row].tolist()) for row in given]


def several_labels(y: Any) -> SeveralLabels | None:
    """Return the labels of texts that may have several, or None if each text has one.

    Parameters
    ----------
    y : array, sparse matrix or data frame of 0 and 1 with a column per label, or list of lists, tuples or sets

    Raises
    ------
    ArgumentError
        If a matrix has other numbers, or the labels in lists cannot be sorted.
    """
    if getattr(y, "ndim", 0) == 1 and str(getattr(y, "dtype", "")) == "object":  # a Series or an array of lists
        y = list(y)
    if is_matrix_in_lists(y):
        y = np.asarray(y)
    if hasattr(y, "tocsr") or ((n_columns(y) or 0) > 1 and not isinstance(y, list | tuple)):
        names = list(y.columns) if is_data_frame(y) else range(y.shape[1])
        values = np.asarray(y.toarray() if hasattr(y, "tocsr") else y)
        if not are_zeros_and_ones(values):
            check_classification_targets(values)
            raise ArgumentError("a y of several columns must hold 0 and 1 only: one column per label")
        return SeveralLabels(np.asarray(names), values.astype(np.float64).astype(bool), is_matrix=True)
    # A list of lists of one each may be a column of labels.
    if not isinstance(y, Sequence) or not any(_is_set(one) or (_is_list(one) and len(one) != 1) for one in y):
        return None
    if wrong := [number for number, one in enumerate(y) if not (_is_list(one) or _is_set(one) or is_missing(one))]:
        raise ArgumentError(
            f"y[{wrong[0]}] is of type {type(y[wrong[0]]).__name__}, but others are lists of labels: pass a list"
        )
    check_none_missing([None if is_missing(one) else "" for one in y], "y", None)
    try:
        classes = np.asarray(sorted({label for labels in y for label in labels}))
    except TypeError:
        raise ArgumentError("every y must be a list of labels of one type that can be sorted") from None
    return SeveralLabels(classes, indicators(y, classes.tolist()), is_matrix=False)


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _is_set(value: object) -> bool:
    return isinstance(value, set | frozenset)


def labels_of(y: Any, name: str) -> Any:
    """Return labels as an array, (n,), after checking that each can be one.

    Parameters
    ----------
    y : list, array, Series or None
    name : str
        The estimator that needs them, for errors.

    Raises
    ------
    ValueError
        If there are none, one is missing, they have two dimensions or several types, or they are the target of a
        regression.
    """
    if y is None:
        raise ArgumentError(f"This {name} estimator requires y to be passed, but the target y is None.")
    # Looked for before numpy could turn them into texts: np.asarray(["a", nan]) has the label "nan".
    check_none_missing(np.asarray(y, dtype=object).ravel().tolist(), "y", y if getattr(y, "ndim", 0) == 1 else None)
    labels = column_or_1d(y, warn=True)
    try:
        check_classification_targets(labels)
    except TypeError:  # they cannot be sorted
        kinds = sorted({type(label).__name__ for label in labels.tolist()})
        raise ArgumentError(f"y mixes labels of several types ({', '.join(kinds)}): convert them to one") from None
    return labels
