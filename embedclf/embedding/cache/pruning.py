"""Pruning the cache: choosing and dropping the least recently used vectors across all models.

Each vector has its own last use (`last_used`), so that one vector that is read every day does not keep its whole
segment. Before a segment is deleted, the vectors to keep are written to a new one, as in merging.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.embedding.cache.keys import KEY
from embedclf.embedding.cache.last_used import Times
from embedclf.embedding.cache.merging import tidy
from embedclf.embedding.cache.model_cache import CacheInfo, ModelCache
from embedclf.embedding.cache.model_folder import ModelFolder
from embedclf.embedding.cache.segment_layout import FORMAT, checked_lengths, segment_bytes
from embedclf.embedding.cache.segment_store import SegmentStore
from embedclf.embedding.cache.segments import Segment
from embedclf.errors import ArgumentError, OutputError

_CHECKSUM_BYTES = 8
_TIME_BYTES = 4
_SECONDS_FOR_LOCK = 60.0


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What pruning drops or has dropped.

    Attributes
    ----------
    dropped : list of CacheInfo
        For each affected model: the vectors dropped, the segments deleted or rewritten, the bytes freed, and about how
        many tokens it would cost to embed the texts again.
    n_kept : int
        Distinct vectors kept, across all models.
    kept_bytes : int
        Their size on disk.
    """

    dropped: list[CacheInfo]
    n_kept: int
    kept_bytes: int

    @property
    def n_dropped(self) -> int:
        """Vectors dropped, across all models."""
        return sum(one.n_vectors for one in self.dropped)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON."""
        return {**asdict(self), "n_dropped": self.n_dropped}


class _Choice(NamedTuple):
    """A segment, its bytes on disk, the last use of its rows, and which rows to drop."""

    part: ModelCache
    segment: Segment
    n_bytes: int
    used: Times
    dropped: npt.NDArray[np.bool_]

    @property
    def row_bytes(self) -> int:
        """Bytes per row of a rewritten segment: vector, checksums, key and time."""
        n_columns = self.segment.n_columns
        return n_columns * 4 + len(checked_lengths(n_columns)) * _CHECKSUM_BYTES + KEY.itemsize + _TIME_BYTES

    @property
    def head_bytes(self) -> int:
        """Bytes of a rewritten segment besides its rows."""
        return self._bytes_of(self.segment.n_rows) - self.segment.n_rows * self.row_bytes

    def _bytes_of(self, n_rows: int) -> int:
        n_columns, n_tokens = self.segment.n_columns, self.segment.n_tokens
        return segment_bytes(FORMAT, n_rows, n_columns, n_tokens) + n_rows * _TIME_BYTES

    @property
    def n_tokens(self) -> int:
        """About how many tokens the dropped rows would cost again."""
        return round(self.segment.n_tokens * int(self.dropped.sum()) / len(self.dropped))

    def bytes_after(self) -> int:
        """Return an upper bound of the bytes that remain on disk."""
        n_dropped = int(self.dropped.sum())
        if not n_dropped:
            return self.n_bytes
        n_kept = len(self.dropped) - n_dropped
        return self._bytes_of(n_kept) if n_kept else 0


def preview(parts: Sequence[ModelCache], older_than: timedelta | None, max_bytes: int | None) -> PruneReport:
    """Return what `prune` would drop."""
    return _report(_choose(parts, older_than, max_bytes))


def prune(parts: Sequence[ModelCache], older_than: timedelta | None, max_bytes: int | None) -> PruneReport:
    """Drop vectors across models; see `VectorCache.prune`."""
    parts = [part for part in parts if times_of(part.store)]
    with contextlib.ExitStack() as stack:
        for part in parts:
            stack.enter_context(removing_from(part.folder))
        choices = _choose(parts, older_than, max_bytes)
        report = _report(choices)
        # Segments that are dropped entirely first: rewriting the others may need the space that this frees.
        for choice in sorted(choices, key=lambda choice: not choice.dropped.all()):
            n_tokens = choice.segment.n_tokens - choice.n_tokens
            try:
                drop_rows(choice.part.store, choice.segment, choice.used, choice.dropped, n_tokens)
            except (FileNotFoundError, ValueError):  # deleted or truncated by another program
                continue
            except (OSError, OutputError) as error:
                folder = choice.segment.path.parent
                reason = getattr(error, "strerror", None) or error
                raise OutputError(f"cannot prune {folder}: {reason}", path=str(folder)) from error
        for part in parts:
            with contextlib.suppress(OSError, OutputError):  # optional, and the next prune tries again
                tidy(part.store)
    return report


@contextlib.contextmanager
def removing_from(folder: ModelFolder) -> Iterator[None]:
    """Hold a folder's `removal_lock`.

    Raises
    ------
    OutputError
        If the lock cannot be acquired.
    """
    from filelock import Timeout

    try:
        lock = folder.removal_lock(_SECONDS_FOR_LOCK).acquire()
    except Timeout as error:
        reason = "another process has been using it for a minute: try again later"
        raise OutputError(f"cannot prune {folder.path}: {reason}", path=str(folder.path)) from error
    except (OSError, NotImplementedError) as error:
        cause = getattr(error, "strerror", None) or error
        raise OutputError(f"cannot prune {folder.path}: {cause}", path=str(folder.path)) from error
    with lock:
        yield


def times_of(store: SegmentStore) -> list[tuple[Segment, int, Times]]:
    """Return each segment, the bytes of its times file, and when each of its rows was last used."""
    store.refresh()
    times = [(segment, store.times.of(segment)) for segment in store.segments]
    return [(segment, one.size(), one.read()) for segment, one in times]


def drop_rows(
    store: SegmentStore, segment: Segment, seen: Times, dropped: npt.NDArray[np.bool_], n_tokens: int
) -> None:
    """Drop rows of a segment unless they have been used since they were chosen. Call it within `removing_from`.

    Parameters
    ----------
    store : SegmentStore
    segment : Segment
    seen : ndarray of shape (n,)
        The last use of each row at the time of choosing.
    dropped : ndarray of shape (n,), bool
        Which rows to drop.
    n_tokens : int
        Tokens billed for the other rows.

    Raises
    ------
    OSError or OutputError
        If the other rows cannot be written; the segment is then left unchanged.
    """
    used = store.times.of(segment).read()
    kept = np.flatnonzero(~dropped | (used > seen))
    if len(kept) == len(used):
        return
    if len(kept):
        vectors = np.empty((len(kept), segment.n_columns), dtype=np.float32)
        intact = segment.copy_rows(kept, vectors, np.arange(len(kept)))
        if intact.any():
            kept = kept[intact]
            store.add(segment.keys[kept], vectors[intact], n_tokens, used[kept])
    store.delete(segment)


def _choose(parts: Sequence[ModelCache], older_than: timedelta | None, max_bytes: int | None) -> list[_Choice]:
    """Choose the rows to drop: first those that are too old, then the least recently used."""
    if older_than is None and max_bytes is None:
        raise ArgumentError("older_than or max_bytes is required")
    if (older_than is not None and older_than < timedelta(0)) or (max_bytes is not None and max_bytes < 0):
        raise ArgumentError("older_than and max_bytes must not be negative")
    limit = -np.inf if older_than is None else time.time() - older_than.total_seconds()
    choices = [
        _Choice(part, segment, segment.n_bytes + n_bytes, used, used <= limit)
        for part in parts
        for segment, n_bytes, used in times_of(part.store)
    ]
    if max_bytes is None or not choices or sum(choice.bytes_after() for choice in choices) <= max_bytes:
        return choices
    used = np.concatenate([choice.used for choice in choices])
    dropped = np.concatenate([choice.dropped for choice in choices])
    counts = [len(choice.used) for choice in choices]
    row_bytes = np.repeat([choice.row_bytes for choice in choices], counts)
    left = np.flatnonzero(~dropped)
    order = left[np.argsort(used[left], kind="stable")]
    # Slightly too high, since it assumes that every segment is rewritten.
    too_many = int(row_bytes[left].sum()) + sum(choice.head_bytes for choice in choices) - max_bytes
    dropped[order[: int(np.searchsorted(np.cumsum(row_bytes[order]), too_many)) + 1]] = True
    chosen = np.split(dropped, np.cumsum(counts)[:-1])
    return [choice._replace(dropped=mine) for choice, mine in zip(choices, chosen, strict=True)]


def _report(choices: list[_Choice]) -> PruneReport:
    dropped, n_kept, kept_bytes = [], 0, 0
    for part, group in groupby(choices, key=lambda choice: choice.part):
        mine = list(group)
        kept = np.concatenate([choice.segment.keys[~choice.dropped] for choice in mine])
        info = part.info()
        touched = [choice for choice in mine if choice.dropped.any()]
        if touched:
            stay = len(np.unique(kept))
            gone = replace(
                info,
                n_vectors=info.n_vectors - stay,
                n_segments=len(touched),
                n_bytes=max(0, sum(choice.n_bytes - choice.bytes_after() for choice in touched)),
                n_tokens=sum(choice.n_tokens for choice in touched),
            )
            dropped.append(gone)
            info = replace(info, n_vectors=stay, n_bytes=info.n_bytes - gone.n_bytes)
        n_kept += info.n_vectors
        kept_bytes += info.n_bytes
    return PruneReport(dropped, n_kept, kept_bytes)
