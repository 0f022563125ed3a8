"""What to answer for an empty text: explainers such as LIME ask about texts of which they removed every word."""

from collections.abc import Callable, Iterable
from typing import Literal, get_args

import numpy as np

from embedclf.arrays import Vectors
from embedclf.errors import ArgumentError
from embedclf.validation import check_texts, list_of_strings

OnEmpty = Literal["error", "uniform"]


def around_empty(
    texts: Iterable[str], n_classes: int, on_empty: OnEmpty, answer: Callable[[list[str]], Vectors]
) -> Vectors:
    """Return the probabilities of texts, of which some may be empty.

    Parameters
    ----------
    texts : iterable of str
    n_classes : int
    on_empty : {"error", "uniform"}
        Whether a text that is empty or only white space is an error, or has the same probability for each class.
    answer : callable
        Returns the probabilities of checked texts.

    Returns
    -------
    ndarray of shape (n_texts, n_classes), float32

    Raises
    ------
    ArgumentError
        If `on_empty` is something else.
    TextError
        If a text cannot be embedded.
    """
    if on_empty not in get_args(OnEmpty):
        raise ArgumentError(f"on_empty must be {' or '.join(map(repr, get_args(OnEmpty)))}, got {on_empty!r}")
    if on_empty == "error":
        return answer(check_texts(texts))
    strings = list_of_strings(texts, "texts")
    probabilities = np.full((len(strings), n_classes), 1 / n_classes, dtype=np.float32)
    if rows := [row for row, text in enumerate(strings) if text and not text.isspace()]:
        probabilities[rows] = answer(check_texts(strings[row] for row in rows))
    return probabilities
