"""The segments of one model: which there are, and adding and deleting them.

A file that is damaged or not ours is set aside, one of a later version or of another length is left out; their texts
are embedded again.
"""

import contextlib
import logging
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from embedclf.arrays import Vectors
from embedclf.data.atomic_file import AtomicFile
from embedclf.embedding.cache import key_index
from embedclf.embedding.cache.key_index import Order
from embedclf.embedding.cache.key_table import KeyTable, key_order
from embedclf.embedding.cache.keys import Keys, joined
from embedclf.embedding.cache.last_used import Times, TimesOfSegments, write_times
from embedclf.embedding.cache.model_folder import DAMAGED_ENDING, SEGMENT_ENDING, ModelFolder
from embedclf.embedding.cache.segment_layout import NewerFormatError, SegmentError
from embedclf.embedding.cache.segments import Segment, read_segment, write_segment
from embedclf.errors import OutputError

logger = logging.getLogger(__name__)

# To open this many segments one by one takes longer than one likes to wait: then their keys are put into one file.
MANY_SEGMENTS = 64
# Before a segment's vectors, in which 4,000 keys have room.
_FETCHED_BYTES = 2**16
# Others may merge what has just been listed; each time it is listed again.
_TRIES = 50


class SegmentStore:
    """The segments of one model's folder, as they were when it was last refreshed.

    Threads share it only under a lock of its owner's. Other processes may add segments at any time; only the holder of
    `ModelFolder.removal_lock` may delete some.

    Parameters
    ----------
    folder : ModelFolder

    Attributes
    ----------
    folder : ModelFolder
    times : TimesOfSegments
        When their rows were last used.
    dimensions : int or None
        The length of their vectors: the model's, or if that is not known, the one that most of them have. None while
        there are none.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self.folder = folder
        self.times = TimesOfSegments()
        self.dimensions = None if folder.spec is None else folder.spec.dimensions
        self._segments: dict[str, Segment] = {}
        self._of_other_length: dict[str, Segment] = {}
        # Damaged, of a later version, or not to be read.
        self._refused: set[str] = set()
        # Those of them that the system would not read now; it may later.
        self._unread: set[str] = set()
        self._in_index: set[str] = set()
        self._table: KeyTable | None = None
        # What sorts the keys of the first segments, as long as all of these are there.
        self._first_order: Order | None = None

    @property
    def segments(self) -> list[Segment]:
        """The segments that can be used, in the order in which they were read."""
        return list(self._segments.values())

    @property
    def table(self) -> KeyTable:
        """Their keys."""
        if self._table is None:
            self._table = KeyTable(self.segments, self._first_order)
        return self._table

    def refresh(self) -> None:
        """Look which segments there are, and read the keys of those that are new."""
        self._refused -= self._unread
        self._unread.clear()
        for _ in range(_TRIES):
            names = self._names()
            if names == self._known:
                return
            self.folder.check_mode()
            self._forget_gone(names)
            if not self._segments and len(names) >= MANY_SEGMENTS:
                self._read_index(names)
            self._read_new(sorted(names - self._known))
            self._leave_out_other_lengths()
            not_in_index = self._segments.keys() - self._in_index
            if self.folder.spec is not None and len(not_in_index) >= MANY_SEGMENTS:
                self.write_index()
            # One that was merged meanwhile is in a file that may not have been listed: look again.

    def forget(self) -> None:
        """Forget what was read, so that the next refresh reads everything anew, and sets aside what is damaged."""
        self._segments.clear()
        self._table = self._first_order = None

    def add(self, keys: Keys, vectors: Vectors, n_tokens: int, times: Times | None = None) -> None:
        """Write a segment. It is listed when the store is next refreshed.

        Parameters
        ----------
        keys : ndarray of shape (n,)
        vectors : ndarray of shape (n, n_columns), float32
        n_tokens : int
            What they cost.
        times : ndarray of shape (n,), optional
            When each was last used; None counts as now.

        Raises
        ------
        OSError or OutputError
            If it cannot be written.
        """
        path = self.folder.path / f"{time.time_ns():016x}-{secrets.token_hex(4)}{SEGMENT_ENDING}"
        with AtomicFile(path) as file:
            if times is not None:  # before the segment is in its place, when nobody else writes to it yet
                write_times(path, times)
            write_segment(file.file, keys, vectors, n_tokens)

    def delete(self, segment: Segment) -> None:
        """Delete a segment and its times; only under `ModelFolder.removal_lock`.

        Raises
        ------
        OSError
        """
        segment.path.unlink()
        self.times.of(segment).delete()

    def write_index(self) -> None:
        """Write the keys of all segments into one file."""
        self._in_index = set(self._segments)
        self._first_order = key_order(joined([segment.keys for segment in self.segments]))
        try:
            key_index.write(self.folder.path, self.segments, self._first_order)
        except OutputError as error:  # it is opened without, then
            logger.debug("cache: its index was not written: %s", error)

    @property
    def _known(self) -> set[str]:
        return self._segments.keys() | self._of_other_length.keys() | self._refused

    def _names(self) -> set[str]:
        try:
            return self.folder.segment_names()
        except OSError as error:
            self.folder.warn("unread", f"cache: {self.folder.path} cannot be read ({error})")
            return self._known

    def _forget_gone(self, names: set[str]) -> None:
        self._table = None
        for name in self._segments.keys() - names:
            self._first_order = None
            del self._segments[name]
            self.times.forget(name)
        for name in self._of_other_length.keys() - names:
            del self._of_other_length[name]
        self._refused &= names

    def _read_index(self, names: set[str]) -> None:
        """Take over what the index knows of the segments that are there and have not changed."""
        segments, order = key_index.read(self.folder.path, names)
        self._segments.update(segments)
        self._in_index = set(segments)
        if order is not None:
            self._first_order = order

    def _read_new(self, names: Sequence[str]) -> None:
        if len(names) >= MANY_SEGMENTS:
            self._fetch(names)
        for name in names:
            segment = self._read(self.folder.path / name)
            if segment is not None:
                self._segments[name] = segment

    def _fetch(self, names: Sequence[str]) -> None:
        """Have the system read where the keys are of many segments at once, instead of one after the other."""
        if not hasattr(os, "posix_fadvise"):  # macOS
            return
        for name in names:
            with contextlib.suppress(OSError), (self.folder.path / name).open("rb", buffering=0) as file:
                os.posix_fadvise(file.fileno(), 0, _FETCHED_BYTES, os.POSIX_FADV_WILLNEED)

    def _read(self, path: Path) -> Segment | None:
        try:
            return read_segment(path)
        except SegmentError as error:
            self._set_aside(path, error)
        except NewerFormatError as error:
            self._refused.add(path.name)
            self._warn_left_out(path, str(error))
        except (OSError, MemoryError) as error:  # no fault of the file's own, perhaps
            if os.path.lexists(path):  # else another process has merged it
                self._refused.add(path.name)
                self._unread.add(path.name)
                self._warn_left_out(path, getattr(error, "strerror", None) or str(error))
        return None

    def _set_aside(self, path: Path, error: Exception) -> None:
        """Rename a file that is damaged, unless the folder is only looked at."""
        self._refused.add(path.name)
        aside = path.with_name(f"{path.name}{DAMAGED_ENDING}")
        renamed = False
        if self.folder.spec is not None:
            with contextlib.suppress(OSError):
                path.rename(aside)
                renamed = True
        if not renamed:
            self._warn_left_out(path, str(error))
            return
        reason = f"({error}): set aside as {aside.name}, its texts are embedded again"
        self.folder.warn("damaged", f"cache: {path} cannot be used {reason}")

    def _leave_out_other_lengths(self) -> None:
        lengths = {segment.n_columns for segment in self.segments}
        if self.dimensions is None and lengths:
            counts = dict.fromkeys(lengths, 0)
            for segment in self.segments:
                counts[segment.n_columns] += segment.n_rows
            self.dimensions = max(counts, key=lambda length: counts[length])
        if lengths <= {self.dimensions}:
            return
        for name in [name for name, segment in self._segments.items() if segment.n_columns != self.dimensions]:
            segment = self._of_other_length[name] = self._segments.pop(name)
            self._first_order = None
            fault = f"its vectors have {segment.n_columns} dimensions, where {self.dimensions} belong"
            self._warn_left_out(segment.path, fault)

    def _warn_left_out(self, path: Path, reason: str) -> None:
        self.folder.warn("left out", f"cache: {path} cannot be used ({reason}): left out, its texts are embedded again")
