"""The nearest rows to some vectors: exact, in plain numpy."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

# The similarities of a block of rows to all queries are at hand at once: so many numbers at most.
_MOST_NUMBERS = 8_000_000
_MOST_QUERIES = 1_024


class Nearest(NamedTuple):
    """The nearest rows to each of some queries, the nearest first; of equals, the first row.

    Attributes
    ----------
    rows : ndarray of shape (n_queries, k), int
    similarities : ndarray of shape (n_queries, k), float32
        Cosine similarity, from −1 to 1.
    """

    rows: npt.NDArray[np.intp]
    similarities: Vectors


def nearest(vectors: Vectors, queries: Vectors, k: int) -> Nearest:
    """Find the nearest rows by cosine similarity.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
        Of unit length; may be mapped from a file, and is read in blocks.
    queries : ndarray of shape (n_queries, n_dimensions), float32
        Of unit length.
    k : int
        How many for each; no more than n are given.
    """
    parts = [
        _nearest(vectors, queries[start : start + _MOST_QUERIES], min(k, len(vectors)))
        for start in range(0, max(len(queries), 1), _MOST_QUERIES)
    ]
    return Nearest(np.concatenate([part.rows for part in parts]), np.concatenate([part.similarities for part in parts]))


def _nearest(vectors: Vectors, queries: Vectors, k: int) -> Nearest:
    rows = np.empty((len(queries), 0), dtype=np.intp)
    similarities = np.empty((len(queries), 0), dtype=np.float32)
    size = max(k, _MOST_NUMBERS // max(len(queries), 1))
    for start in range(0, len(vectors), size):
        of_block = queries @ vectors[start : start + size].T
        best = _best(of_block, min(k, of_block.shape[1]))
        rows = np.concatenate([rows, best + start], axis=1)
        similarities = np.concatenate([similarities, np.take_along_axis(of_block, best, axis=1)], axis=1)
        chosen = _best(similarities, min(k, similarities.shape[1]))
        rows, similarities = np.take_along_axis(rows, chosen, 1), np.take_along_axis(similarities, chosen, 1)
    return Nearest(rows, similarities)


def _best(similarities: Vectors, k: int) -> npt.NDArray[np.intp]:
    """Find the columns of the k largest of each row, the largest first; of equals, the first column."""
    n = similarities.shape[1]
    columns = (
        np.argpartition(similarities, n - k, axis=1)[:, n - k :]
        if k < n
        else np.arange(n)[None, :].repeat(len(similarities), axis=0)
    )
    columns.sort(axis=1)
    order = np.argsort(-np.take_along_axis(similarities, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)
