"""What the estimators take as X and y: texts in one dimension or as one column, and labels of any type."""

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from embedclf.data_frames import is_data_frame
from embedclf.errors import ArgumentError
from embedclf.missing import check_none_missing


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
