"""The nearest rows to some vectors: exact, in plain numpy."""

from typing import NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors

NEAR_COPY = 0.95
"""The cosine similarity from which on a text says the same as another."""

# The similarities of a block of rows to all queries are at hand at once: so many numbers at most, of so many rows. Few
# enough that those of one query stay in the processor's cache.
_MOST_NUMBERS = 8_000_000
_MOST_ROWS = 65_536
_MOST_QUERIES = 1_024
# A product of matrices gives equal rows similarities that differ in the last digits, by where they stand in a block. So
# what is within this of the k-th best is a candidate, and the similarities of the candidates are computed anew, each by
# itself. Of more than so many candidates that near to the k-th best, the first rows are taken.
_SLACK = np.float32(2e-6)
_MOST_NEAR = 1_024
# Whoever makes vectors scales all of them or none, so that these many tell; to measure a million takes longer than to
# search them.
_MEASURED = 1_000
_ROUNDING = 1e-3


class Nearest(NamedTuple):
    """The nearest rows to each of some queries, the nearest first; of equals, the first row.

    Attributes
    ----------
    rows : ndarray of shape (n_queries, k), int
    similarities : ndarray of shape (n_queries, k), float32
        Cosine similarity, from −1 to 1.
    """

    rows: Ints
    similarities: Vectors


def nearest(vectors: Vectors, queries: Vectors, k: int) -> Nearest:
    """Find the nearest rows by cosine similarity.

    The answer does not depend on how many queries are asked together.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
        Of unit length; may be mapped from a file, and is read in blocks.
    queries : ndarray of shape (n_queries, n_dimensions), float32
        Of unit length.
    k : int
        How many for each; no more than there are finite vectors are returned.
    """
    k = min(k, len(vectors))
    rows = np.empty((len(queries), k), dtype=np.intp)
    similarities = np.empty((len(queries), k), dtype=np.float32)
    fewest = k
    for start in range(0, len(queries), _MOST_QUERIES):
        some = queries[start : start + _MOST_QUERIES]
        for number, candidates in enumerate(_candidates(vectors, some, k), start):
            exact = _similarities(vectors, candidates, queries[number])
            best = np.argsort(-exact, kind="stable")[:k]
            fewest = min(fewest, len(best))
            rows[number, : len(best)], similarities[number, : len(best)] = candidates[best], exact[best]
    return Nearest(rows[:, :fewest], similarities[:, :fewest])


def of_unit_length(vectors: Vectors) -> Vectors:
    """Return vectors of unit length: these if they are, else a copy, each divided by its length; zeros stay zeros.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
        May be mapped from a file.
    """
    lengths = np.linalg.norm(vectors[:: len(vectors) // _MEASURED + 1], axis=1)
    if ((np.abs(lengths - 1) < _ROUNDING) | (lengths == 0)).all():
        return vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    return np.asarray(vectors / lengths, dtype=np.float32)


def _candidates(vectors: Vectors, queries: Vectors, k: int) -> list[Ints]:
    """Find the rows that may be among the k nearest to each of some queries, in their order."""
    kept = [_Candidates(k) for _ in queries]
    size = min(_MOST_ROWS, max(_MOST_NUMBERS // max(len(queries), 1), 1))
    for start in range(0, len(vectors), size):
        of_block = queries @ vectors[start : start + size].T
        for candidates, similarities in zip(kept, of_block, strict=True):
            candidates.add(start, similarities)
    return [candidates.rows for candidates in kept]


class _Candidates:
    """The rows that may be among the k nearest to a query.

    Attributes
    ----------
    rows : ndarray of shape (n,), int
        In their order.
    similarities : ndarray of shape (n,), float32
    least : float
        What a similarity has to exceed; not less than the k-th best so far, but for the slack.
    """

    def __init__(self, k: int) -> None:
        self.k = k
        self.rows = np.empty(0, dtype=np.intp)
        self.similarities = np.empty(0, dtype=np.float32)
        self.least = np.float32(-np.inf)

    def add(self, start: int, similarities: Vectors) -> None:
        """Take the next rows, from `start` on."""
        near = np.flatnonzero(similarities > self.least)
        if not len(near):
            return
        self.rows = np.concatenate([self.rows, near + start])
        self.similarities = np.concatenate([self.similarities, similarities[near]])
        if len(self.rows) > self.k:
            border = np.partition(self.similarities, -self.k)[-self.k]
            self.least = border - _SLACK
            self._keep(self.similarities > self.least)
            beyond = self.similarities > border + _SLACK
            if len(self.rows) > np.count_nonzero(beyond) + self.k + _MOST_NEAR:
                self._keep(beyond | (np.cumsum(~beyond) <= self.k + _MOST_NEAR))

    def _keep(self, which: Mask) -> None:
        self.rows, self.similarities = self.rows[which], self.similarities[which]


def _similarities(vectors: Vectors, rows: Ints, query: Vectors) -> Vectors:
    """Compute the similarities of some rows to a query such that equal rows have equal ones."""
    exact = np.empty(len(rows), dtype=np.float32)
    size = max(_MOST_NUMBERS // len(query), 1)
    for start in range(0, len(rows), size):
        products = vectors[rows[start : start + size]] * query.astype(np.float64)
        exact[start : start + size] = products.sum(axis=1)
    return exact.clip(-1, 1)
