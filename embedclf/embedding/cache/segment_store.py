"""The segments of one model: listing, adding and deleting them.

A damaged or foreign file is renamed; a segment of a later version or with vectors of another length is ignored. Their
texts are embedded again.
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

# Opening this many segments one by one is slow, so their keys are also kept in an index.
MANY_SEGMENTS = 64
# The beginning of a segment, with room for 4,000 keys.
_FETCHED_BYTES = 2**16
# Other processes may merge segments between listing and reading, which is then repeated.
_TRIES = 50


class SegmentStore:
    """The segments of one model's folder as of the last refresh.

    It is not thread-safe: its owner must hold a lock. Other processes may add segments at any time; only the holder of
    `ModelFolder.removal_lock` may delete segments.

    Parameters
    ----------
    folder : ModelFolder

    Attributes
    ----------
    folder : ModelFolder
    times : TimesOfSegments
        When the segments' rows were last used.
    dimensions : int or None
        Length of the vectors: the model's or, if unknown, that of most vectors. None while there are none.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self.folder = folder
        self.times = TimesOfSegments()
        self.dimensions = None if folder.spec is None else folder.spec.dimensions
        self._segments: dict[str, Segment] = {}
        self._of_other_length: dict[str, Segment] = {}
        # Damaged, written by a later version, or unreadable.
        self._refused: set[str] = set()
        # The unreadable ones, which are tried again on the next refresh.
        self._unread: set[str] = set()
        self._in_index: set[str] = set()
        self._table: KeyTable | None = None
        # Indices that sort the keys of the first segments; None once one of these is gone.
        self._first_order: Order | None = None

    @property
    def segments(self) -> list[Segment]:
        """The usable segments, in the order in which they were read."""
        return list(self._segments.values())

    @property
    def table(self) -> KeyTable:
        """The table of their keys."""
        if self._table is None:
            self._table = KeyTable(self.segments, self._first_order)
        return self._table

    def refresh(self) -> None:
        """List the segments, and read the keys of new ones."""
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
            # A segment merged since the listing is in a file that may not have been listed, so list again.

    def forget(self) -> None:
        """Forget all segments, so that the next refresh reads them again and renames damaged ones."""
        self._segments.clear()
        self._table = self._first_order = None

    def add(self, keys: Keys, vectors: Vectors, n_tokens: int, times: Times | None = None) -> None:
        """Write a segment. It is listed on the next refresh.

        Parameters
        ----------
        keys : ndarray of shape (n,)
        vectors : ndarray of shape (n, n_columns), float32
        n_tokens : int
            Tokens billed for them.
        times : ndarray of shape (n,), optional
            When each was last used; None means now.

        Raises
        ------
        OSError or OutputError
            If it cannot be written.
        """
        path = self.folder.path / f"{time.time_ns():016x}-{secrets.token_hex(4)}{SEGMENT_ENDING}"
        with AtomicFile(path) as file:
            if times is not None:  # before the segment is visible, so that no other process writes to the times file
                write_times(path, times)
            write_segment(file.file, keys, vectors, n_tokens)

    def delete(self, segment: Segment) -> None:
        """Delete a segment and its times file. The caller must hold `ModelFolder.removal_lock`.

        Raises
        ------
        OSError
            If the segment cannot be deleted.
        """
        segment.path.unlink()
        self.times.of(segment).delete()

    def write_index(self) -> None:
        """Write the index of all segments."""
        self._in_index = set(self._segments)
        self._first_order = key_order(joined([segment.keys for segment in self.segments]))
        try:
            key_index.write(self.folder.path, self.segments, self._first_order)
        except OutputError as error:  # the index only saves time
            logger.debug("cache: the index was not written: %s", error)

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
        """Load the unchanged segments from the index."""
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
        """Ask the system to read the keys of many segments at once, instead of one after another."""
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
        except (OSError, MemoryError) as error:  # the file itself may be intact
            if os.path.lexists(path):  # otherwise another process has merged it
                self._refused.add(path.name)
                self._unread.add(path.name)
                self._warn_left_out(path, getattr(error, "strerror", None) or str(error))
        return None

    def _set_aside(self, path: Path, error: Exception) -> None:
        """Rename a damaged file, unless the folder is opened only for inspection."""
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
        reason = f"({error}): renamed to {aside.name}, its texts are embedded again"
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
            fault = f"its vectors have {segment.n_columns} dimensions, expected {self.dimensions}"
            self._warn_left_out(segment.path, fault)

    def _warn_left_out(self, path: Path, reason: str) -> None:
        self.folder.warn("left out", f"cache: {path} cannot be used ({reason}): ignored, its texts are embedded again")
