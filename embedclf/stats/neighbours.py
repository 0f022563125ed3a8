"""Exact nearest-neighbour search in plain numpy."""

from typing import NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.phases import phase

NEAR_COPY = 0.95
"""The least cosine similarity at which two texts count as near-duplicates."""

# Limits on the similarities of a block of rows to all queries that are in memory at once: their number, and the rows
# per block. Those of one query fit into the processor's cache.
_MOST_NUMBERS = 8_000_000
_MOST_ROWS = 65_536
_MOST_QUERIES = 1_024
# In a matrix product, the similarities of equal rows may differ in the last digits, depending on their position in the
# block. So every row within this distance of the k-th best is a candidate, and the similarities of candidates are
# recomputed one by one. If more than _MOST_NEAR candidates are that close to the k-th best, the first rows are kept.
_SLACK = np.float32(2e-6)
_MOST_NEAR = 1_024
# An embedder normalizes all vectors or none, so a sample is enough: measuring a million takes longer than searching
# them.
_MEASURED = 1_000
_ROUNDING = 1e-3


class Nearest(NamedTuple):
    """The nearest rows to each query, the nearest first; ties in order of the rows.

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

    The result for a query does not depend on how many queries are searched together.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
        Of unit length; may be memory-mapped, and is read in blocks.
    queries : ndarray of shape (n_queries, n_dimensions), float32
        Of unit length.
    k : int
        Number of rows per query; at most as many as there are finite vectors are returned.
    """
    k = min(k, len(vectors))
    rows = np.empty((len(queries), k), dtype=np.intp)
    similarities = np.empty((len(queries), k), dtype=np.float32)
    fewest = k
    with phase("Finding neighbours", len(queries), "text") as finding:
        for start in range(0, len(queries), _MOST_QUERIES):
            some = queries[start : start + _MOST_QUERIES]
            for number, candidates in enumerate(_candidates(vectors, some, k), start):
                exact = _similarities(vectors, candidates, queries[number])
                best = np.argsort(-exact, kind="stable")[:k]
                fewest = min(fewest, len(best))
                rows[number, : len(best)], similarities[number, : len(best)] = candidates[best], exact[best]
            finding.reach(start + len(some))
    return Nearest(rows[:, :fewest], similarities[:, :fewest])


def of_unit_length(vectors: Vectors) -> Vectors:
    """Return the vectors scaled to unit length: themselves if they already are, else a copy. Zero vectors stay zero.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
        May be memory-mapped.
    """
    lengths = np.linalg.norm(vectors[:: len(vectors) // _MEASURED + 1], axis=1)
    if ((np.abs(lengths - 1) < _ROUNDING) | (lengths == 0)).all():
        return vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    return np.asarray(vectors / lengths, dtype=np.float32)


def _candidates(vectors: Vectors, queries: Vectors, k: int) -> list[Ints]:
    """Return, for each query, the rows that may be among its k nearest, in order of the rows."""
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
        In ascending order.
    similarities : ndarray of shape (n,), float32
    least : float
        The similarity that a row must exceed: the k-th best so far, minus the slack.
    """

    def __init__(self, k: int) -> None:
        self.k = k
        self.rows = np.empty(0, dtype=np.intp)
        self.similarities = np.empty(0, dtype=np.float32)
        self.least = np.float32(-np.inf)

    def add(self, start: int, similarities: Vectors) -> None:
        """Add the next rows, starting with row `start`."""
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
    """Compute the similarities of some rows to a query so that equal rows get exactly equal values."""
    exact = np.empty(len(rows), dtype=np.float32)
    size = max(_MOST_NUMBERS // len(query), 1)
    for start in range(0, len(rows), size):
        products = vectors[rows[start : start + size]] * query.astype(np.float64)
        exact[start : start + size] = products.sum(axis=1)
    return exact.clip(-1, 1)
