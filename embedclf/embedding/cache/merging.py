"""Merging small segments, so that a cache written text by text does not end up with one file per text.

A small segment is merged with others of similar size as soon as there are `_MERGE_FACTOR` of them, so a vector is
rewritten only when its segment grows by about that factor. One process merges at a time, under
`ModelFolder.removal_lock`. It writes the new segment before it deletes the old ones, so that readers find every vector
at all times; a crash in between leaves duplicates, which are harmless.
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
# Smaller ones count as equal in size, since their number matters more than their bytes.
TINY_BYTES = 4**9
_MERGE_FACTOR = 4
_MAX_AT_ONCE = 64


def merge_small(store: SegmentStore) -> None:
    """Merge small segments if there are enough and no other process is merging or pruning.

    Failures are ignored, since nothing is lost and the next write tries again.
    """
    from filelock import Timeout

    try:
        store.refresh()
        if similar_segments(store.segments):
            with store.folder.removal_lock(seconds=0):
                store.refresh()
                _merge_all(store)
    except Timeout:  # another process is merging or pruning
        return
    except (OSError, OutputError, ValueError, NotImplementedError) as error:  # e.g. a file system without locks
        logger.debug("cache: small segments were not merged: %s", error)


def tidy(store: SegmentStore) -> None:
    """Merge small segments and update the index. The caller must hold `ModelFolder.removal_lock`.

    Raises
    ------
    OSError or OutputError
        If something cannot be written or deleted. No vectors are lost.
    """
    store.refresh()
    _merge_all(store)
    index = store.folder.path / key_index.NAME
    if len(store.segments) >= MANY_SEGMENTS:
        store.write_index()
    elif index.is_file():
        index.unlink(missing_ok=True)


def similar_segments(segments: Sequence[Segment]) -> list[Segment]:
    """Return small segments of similar size if there are enough to merge; else an empty list."""
    by_size: dict[int, list[Segment]] = {}
    for segment in segments:
        if segment.n_bytes < SMALL_BYTES:
            size = int(math.log(max(segment.n_bytes, TINY_BYTES), _MERGE_FACTOR))
            by_size.setdefault(size, []).append(segment)
    return next((alike for alike in by_size.values() if len(alike) >= _MERGE_FACTOR), [])


def _merge_all(store: SegmentStore) -> None:
    while alike := similar_segments(store.segments):
        _merge(store, alike[:_MAX_AT_ONCE])
        store.refresh()
    store.folder.sweep()


def _merge(store: SegmentStore, small: Sequence[Segment]) -> None:
    """Replace segments by one with their vectors, without duplicates and damaged rows."""
    keys = np.concatenate([segment.keys for segment in small])
    vectors = np.empty((len(keys), small[0].n_columns), dtype=np.float32)
    intact = np.empty(len(keys), dtype=bool)
    end = 0
    for segment in small:
        start, end = end, end + segment.n_rows
        intact[start:end] = segment.copy_rows(np.arange(segment.n_rows), vectors, np.arange(start, end))
    used = np.concatenate([store.times.of(segment).read() for segment in small])
    keys, vectors, used = keys[intact], vectors[intact], used[intact]
    # Of equal keys keep the last. Keep the order of writing, since reads in that order copy whole blocks.
    _, first_from_end, of_key = np.unique(keys[::-1], return_index=True, return_inverse=True)
    latest = np.zeros(len(first_from_end), dtype=used.dtype)
    np.maximum.at(latest, of_key, used[::-1])
    last = np.sort(len(keys) - 1 - first_from_end)
    if len(last):
        n_tokens = sum(segment.n_tokens for segment in small)
        store.add(keys[last], vectors[last], n_tokens, latest[of_key[::-1][last]])
    for segment in small:
        store.delete(segment)
