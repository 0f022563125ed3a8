"""Merging small segments, so that a cache that is written text by text does not become as many files.

Each segment below a size is merged with others of about its size as soon as there are enough of them, so that a vector
is written again only when its segment has grown by about that factor. One process merges at a time, under
`ModelFolder.removal_lock`: it writes the new segment before it deletes the old ones, so a reader finds each vector at
every moment, and a crash in between leaves it twice.
"""

import logging
import math
from collections.abc import Sequence

import numpy as np

from embedclf.embedding.cache import key_index
from embedclf.embedding.cache.segment_store import MANY_SEGMENTS, SegmentStore
from embedclf.embedding.cache.segments import Segment
from embedclf.errors import OutputError

logger = logging.getLogger(__name__)

# Larger segments are never merged.
SMALL_BYTES = 4**11
# Smaller ones count as of one size: there, files cost more than bytes.
TINY_BYTES = 4**9
_MOST_ALIKE = 4
_MOST_AT_ONCE = 64


def merge_small(store: SegmentStore) -> None:
    """Merge small segments, if there are enough and no other process is merging or pruning.

    What fails is left for another time: nothing is lost by it.
    """
    from filelock import Timeout

    try:
        store.refresh()
        if alike_segments(store.segments):
            with store.folder.removal_lock(seconds=0):
                store.refresh()
                _merge_all(store)
    except Timeout:  # another process does it
        return
    except (OSError, OutputError, ValueError, NotImplementedError) as error:  # a file system without locks, for one
        logger.debug("cache: small segments were not merged: %s", error)


def tidy(store: SegmentStore) -> None:
    """Merge what has become small, and bring the index up to date; only under `ModelFolder.removal_lock`.

    Raises
    ------
    OSError or OutputError
        If something cannot be written or deleted. Nothing is lost by it.
    """
    store.refresh()
    _merge_all(store)
    index = store.folder.path / key_index.NAME
    if len(store.segments) >= MANY_SEGMENTS:
        store.write_index()
    elif index.is_file():
        index.unlink(missing_ok=True)


def alike_segments(segments: Sequence[Segment]) -> list[Segment]:
    """Return small segments of about one size, if there are enough of any to merge."""
    by_size: dict[int, list[Segment]] = {}
    for segment in segments:
        if segment.n_bytes < SMALL_BYTES:
            size = int(math.log(max(segment.n_bytes, TINY_BYTES), _MOST_ALIKE))
            by_size.setdefault(size, []).append(segment)
    return next((alike for alike in by_size.values() if len(alike) >= _MOST_ALIKE), [])


def _merge_all(store: SegmentStore) -> None:
    while alike := alike_segments(store.segments):
        _merge(store, alike[:_MOST_AT_ONCE])
        store.refresh()
    store.folder.sweep()


def _merge(store: SegmentStore, small: Sequence[Segment]) -> None:
    """Write the vectors of some segments into one, each key once and without those that are damaged."""
    keys = np.concatenate([segment.keys for segment in small])
    vectors = np.empty((len(keys), small[0].n_columns), dtype=np.float32)
    intact = np.empty(len(keys), dtype=bool)
    end = 0
    for segment in small:
        start, end = end, end + segment.n_rows
        intact[start:end] = segment.copy_rows(np.arange(segment.n_rows), vectors, np.arange(start, end))
    used = np.concatenate([store.times.of(segment).read() for segment in small])
    keys, vectors, used = keys[intact], vectors[intact], used[intact]
    # Of equal keys the last. In the order of writing, in which they are likely to be read: whole blocks are copied.
    _, first_from_end, of_key = np.unique(keys[::-1], return_index=True, return_inverse=True)
    latest = np.zeros(len(first_from_end), dtype=used.dtype)
    np.maximum.at(latest, of_key, used[::-1])
    last = np.sort(len(keys) - 1 - first_from_end)
    if len(last):
        n_tokens = sum(segment.n_tokens for segment in small)
        store.add(keys[last], vectors[last], n_tokens, latest[of_key[::-1][last]])
    for segment in small:
        store.delete(segment)
