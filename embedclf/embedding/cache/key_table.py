"""A sorted in-memory table of all segments' keys, with the segment and row of each."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embedclf.embedding.cache.key_index import Order
from embedclf.embedding.cache.keys import Keys, joined
from embedclf.embedding.cache.segments import Segment


def key_order(keys: Keys, of_first: Order | None = None) -> Order:
    """Return the indices that sort keys by their first half, stably.

    Parameters
    ----------
    keys : ndarray of shape (n,)
    of_first : ndarray of shape (n_first,), optional
        The indices that sort the first `n_first` keys, if known.
    """
    order = np.arange(len(keys))
    if of_first is not None:
        order[: len(of_first)] = of_first
    if of_first is None or len(of_first) < len(keys):
        # Fast if most keys are in order already, since a stable sort merges sorted runs.
        order = order[np.argsort(keys["high"][order], kind="stable")]
    return order


class KeyTable:
    """A table that locates each key's vector.

    Parameters
    ----------
    segments : sequence of Segment
        In the order in which they were read.
    of_first : ndarray, optional
        See `key_order`.

    Attributes
    ----------
    keys : ndarray of shape (n,)
        Sorted by their first half.
    segments, rows : ndarray of shape (n,)
        The index of each key's segment, and its row in that segment.
    """

    def __init__(self, segments: Sequence[Segment], of_first: Order | None = None) -> None:
        keys = joined([segment.keys for segment in segments])
        sizes = [len(segment.keys) for segment in segments]
        order = key_order(keys, of_first)
        rows: list[npt.NDArray[np.intp]] = [np.arange(size) for size in sizes]
        self.keys = keys[order]
        self.segments = np.repeat(np.arange(len(segments)), sizes)[order]
        self.rows = np.concatenate([*rows, np.empty(0, dtype=np.intp)])[order]

    def locate(self, keys: Keys) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
        """Find keys.

        Returns
        -------
        found : ndarray of shape (n,), bool
        places : ndarray of shape (n,), int
            The position of each in the table; undefined for keys that were not found.
        """
        if not len(self.keys):
            return np.zeros(len(keys), dtype=bool), np.zeros(len(keys), dtype=np.intp)
        # Of equal keys take the last written, which replaces a damaged one.
        places = np.searchsorted(self.keys["high"], keys["high"], side="right") - 1
        found = self.keys[places] == keys
        # Different keys can share their first half, so search for the whole key.
        for number in np.flatnonzero(~found & (self.keys["high"][places] == keys["high"])):
            same = np.flatnonzero(self.keys == keys[number])
            if len(same):
                places[number], found[number] = same[-1], True
        return found, places
