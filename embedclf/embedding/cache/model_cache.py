"""The cached vectors of one model: reading and writing them by the keys of their texts.

The model's folder (`model_folder`) holds *segments* (`segments`): one file per finished batch with the keys, the
vectors (n, d) float32, their checksums and the tokens they cost, written beside its place and moved there. Which there
are, a `SegmentStore` knows; where each key is, its `KeyTable`. Small segments are merged when they are many
(`merging`). Models that can be shortened are kept at full length and cut on reading, so that no other length is paid
for again. A damaged row is passed over; its text is embedded again.

Locks: within a process, a `ModelCache` has one, which is held while it reads or writes. Between processes, reading and
adding a segment need none. Merging and pruning hold `ModelFolder.removal_lock`, a file lock, so that one process at a
time removes segments. Merging takes it after the first lock, and does not wait for it. Pruning takes it for all
folders, in the order of their names, before any other, and has `ModelCache` objects that no other thread has.
"""

import logging
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache.keys import Keys
from embedclf.embedding.cache.merging import merge_small
from embedclf.embedding.cache.model_folder import ModelFolder
from embedclf.embedding.cache.segment_store import SegmentStore
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.errors import OutputError

logger = logging.getLogger(__name__)

# Others may merge what has just been listed; each time it is read again.
_TRIES = 50


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What the cache holds of one model.

    Attributes
    ----------
    model : str
        ``provider:model``.
    endpoint : str or None
        The address that answered.
    n_vectors, n_segments, n_bytes : int
        Distinct vectors, files, and bytes on disk.
    n_tokens : int
        Tokens that the vectors cost.
    """

    model: str
    endpoint: str | None
    n_vectors: int
    n_segments: int
    n_bytes: int
    n_tokens: int


class ModelCache:
    """The vectors of one model, at full length. Processes and threads may share it.

    A folder that cannot be read counts as empty; one that cannot be written is left as it is, with one warning: the
    cache never stands in the way of vectors that are there.

    Parameters
    ----------
    path : Path
    spec : EmbedderSpec or None
        Noted in the folder when something is first written; its dimensions, if known, are those that segments must
        have. If they are not known, the length that most vectors on disk have is taken. None only looks at what there
        is.

    Attributes
    ----------
    folder : ModelFolder
    store : SegmentStore
        For pruning.
    """

    def __init__(self, path: Path, spec: EmbedderSpec | None) -> None:
        self.folder = ModelFolder(path, spec)
        self.store = SegmentStore(self.folder)
        self._lock = ForkSafeLock()
        self._writable = True

    def __reduce__(self) -> tuple[type["ModelCache"], tuple[Path, EmbedderSpec | None]]:
        return ModelCache, (self.folder.path, self.folder.spec)

    @property
    def dimensions(self) -> int | None:
        """Length of its vectors; None while there are none and the model's is not known."""
        if self.store.dimensions is None:
            with self._lock:
                self.store.refresh()
        return self.store.dimensions

    @property
    def writable(self) -> bool:
        """Whether nothing has failed to be written."""
        return self._writable

    def read(self, keys: Keys, n_columns: int | None = None) -> tuple[npt.NDArray[np.bool_], Vectors | None]:
        """Read the vectors of some keys.

        Parameters
        ----------
        keys : ndarray of shape (n,)
            From `hash_texts`.
        n_columns : int, optional
            How much of each vector to read, from its start; None reads all.

        Returns
        -------
        found : ndarray of shape (n,), bool
        vectors : ndarray of shape (n, n_columns), float32, or None
            Rows that were not found hold nothing in particular. None if nothing at all was found.
        """
        with self._lock:
            for _ in range(_TRIES):
                self.store.refresh()
                try:
                    return self._copy(keys, n_columns)
                except FileNotFoundError:  # merged by another process since it was listed
                    continue
                except (OSError, ValueError) as error:  # damaged since it was listed
                    logger.debug("reading the cache again: %s", error)
                    self.store.forget()
            self.folder.warn("unread", f"cache: {self.folder.path} cannot be read: left out")
            return np.zeros(len(keys), dtype=bool), None

    def contains(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Return whether the vectors of some keys, from `hash_texts`, are there: (n,), bool."""
        with self._lock:
            self.store.refresh()
            return self.store.table.locate(keys)[0]

    def write(self, keys: Keys, vectors: Vectors, n_tokens: int) -> bool:
        """Add vectors.

        Parameters
        ----------
        keys : ndarray of shape (n,)
            From `hash_texts`.
        vectors : ndarray of shape (n, d), float32
            At full length.
        n_tokens : int
            What they cost.

        Returns
        -------
        bool
            Whether they are on disk now. If not, there has been a warning.
        """
        with self._lock:
            try:
                self.folder.make()
                self.store.add(keys, vectors, n_tokens)
            except (OSError, OutputError) as error:
                self._writable = False
                self.folder.warn("write", f"the cache cannot be written, so these vectors are not kept: {error}")
                return False
            merge_small(self.store)
        return True

    def info(self) -> CacheInfo:
        """Return what it holds."""
        with self._lock:
            self.store.refresh()
            model, endpoint = self.folder.describe()
            segments = self.store.segments
            return CacheInfo(
                model=model,
                endpoint=endpoint,
                n_vectors=len(np.unique(self.store.table.keys)),
                n_segments=len(segments),
                n_bytes=sum(segment.n_bytes + self.store.times.of(segment).size() for segment in segments),
                n_tokens=sum(segment.n_tokens for segment in segments),
            )

    def _copy(self, keys: Keys, n_columns: int | None) -> tuple[npt.NDArray[np.bool_], Vectors | None]:
        """Copy the vectors of some keys out of the segments that were last listed, segment by segment."""
        table, listed = self.store.table, self.store.segments
        found, place = table.locate(keys)
        wanted = np.flatnonzero(found)
        if not len(wanted):
            return found, None
        segments, rows = table.segments[place[wanted]], table.rows[place[wanted]]
        length = listed[0].n_columns
        out = np.empty((len(keys), min(n_columns or length, length)), dtype=np.float32)
        order = np.argsort(segments, kind="stable")
        bounds = np.flatnonzero(np.diff(segments[order], prepend=-1, append=-1))
        for start, end in pairwise(bounds):
            chosen = order[start:end]
            intact = listed[segments[chosen[0]]].copy_rows(rows[chosen], out, wanted[chosen])
            found[wanted[chosen[~intact]]] = False
        for start, end in pairwise(bounds):
            self.store.times.note(listed[segments[order[start]]], rows[order[start:end]])
        if not found[wanted].all():
            path = self.folder.path
            self.folder.warn("unsound", f"cache: {path} holds vectors that are damaged: their texts are embedded again")
        return found, out
