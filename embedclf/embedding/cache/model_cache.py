"""The cached vectors of one model, read and written by the keys of their texts.

The model's folder (`model_folder`) contains *segments* (`segments`): one file per finished batch with the keys, the
vectors (n, d) float32, their checksums and token cost, written to a temporary file and renamed. A `SegmentStore` lists
the segments; its `KeyTable` locates each key. Small segments are merged when there are many (`merging`). Vectors that
can be shortened are stored at full length and cut on reading, so that other lengths cost nothing. Damaged rows are
skipped, and their texts are embedded again.

Locks: each `ModelCache` has a lock that its threads hold while reading or writing. Processes need no lock to read or
add a segment. Merging and pruning hold `ModelFolder.removal_lock`, a file lock, so that only one process at a time
removes segments. Merging takes it after the first lock, without waiting. Pruning takes it for all folders, in the order
of their names, before any other lock, and uses `ModelCache` objects that no other thread shares.
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

# Other processes may merge segments between listing and reading, which is then repeated.
_TRIES = 50


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """The cache's contents for one model.

    Attributes
    ----------
    model : str
        ``provider:model``.
    endpoint : str or None
        The server's URL.
    n_vectors, n_segments, n_bytes : int
        Distinct vectors, files, and bytes on disk.
    n_tokens : int
        Tokens billed for the vectors.
    task, prompt : str or None
        What the model was told; see `EmbedderSpec`.
    """

    model: str
    endpoint: str | None
    n_vectors: int
    n_segments: int
    n_bytes: int
    n_tokens: int
    task: str | None = None
    prompt: str | None = None


class ModelCache:
    """The cached vectors of one model, at full length. Safe for concurrent threads and processes.

    A folder that cannot be read counts as empty, and one that cannot be written is left unchanged, each with one
    warning: a broken cache never makes embedding fail.

    Parameters
    ----------
    path : Path
    spec : EmbedderSpec or None
        Recorded in the folder on the first write. Segments must have its dimensions or, if these are unknown, those of
        most vectors on disk. None opens the folder only for inspection.

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
        """Length of the vectors; None while the model's length is unknown and nothing is cached."""
        if self.store.dimensions is None:
            with self._lock:
                self.store.refresh()
        return self.store.dimensions

    @property
    def writable(self) -> bool:
        """Whether every write so far has succeeded."""
        return self._writable

    def read(self, keys: Keys, n_columns: int | None = None) -> tuple[npt.NDArray[np.bool_], Vectors | None]:
        """Read the vectors of keys.

        Parameters
        ----------
        keys : ndarray of shape (n,)
            From `hash_texts`.
        n_columns : int, optional
            Read only the first `n_columns` values of each vector; None reads all.

        Returns
        -------
        found : ndarray of shape (n,), bool
        vectors : ndarray of shape (n, n_columns), float32, or None
            Rows of keys that were not found are undefined. None if no key was found.
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
            self.folder.warn("unread", f"cache: {self.folder.path} cannot be read: ignored")
            return np.zeros(len(keys), dtype=bool), None

    def contains(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Return whether keys from `hash_texts` are cached: (n,), bool."""
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
            Tokens billed for them.

        Returns
        -------
        bool
            Whether they are on disk. If not, a warning has been logged.
        """
        with self._lock:
            try:
                self.folder.make()
                self.store.add(keys, vectors, n_tokens)
            except (OSError, OutputError) as error:
                self._writable = False
                self.folder.warn("write", f"the cache cannot be written, so new vectors are not stored: {error}")
                return False
            merge_small(self.store)
        return True

    def info(self) -> CacheInfo:
        """Return its contents."""
        with self._lock:
            self.store.refresh()
            spec = self.folder.describe()
            segments = self.store.segments
            return CacheInfo(
                model=self.folder.path.name if spec is None else str(spec),
                endpoint=None if spec is None else spec.endpoint,
                n_vectors=len(np.unique(self.store.table.keys)),
                n_segments=len(segments),
                n_bytes=sum(segment.n_bytes + self.store.times.of(segment).size() for segment in segments),
                n_tokens=sum(segment.n_tokens for segment in segments),
                task=None if spec is None else spec.task,
                prompt=None if spec is None else spec.prompt,
            )

    def _copy(self, keys: Keys, n_columns: int | None) -> tuple[npt.NDArray[np.bool_], Vectors | None]:
        """Copy the vectors of keys from the segments last listed, segment by segment."""
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
            self.folder.warn("unsound", f"cache: {path} contains damaged vectors: their texts are embedded again")
        return found, out
