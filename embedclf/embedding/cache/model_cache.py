"""The cache of vectors on disk: joblib files under per-text keys, so that no text is paid for twice.

A folder for each endpoint and model holds *segments* (`segments`): one file per finished batch with the keys, the
vectors (n, d) float32, their checksums and the tokens they cost, written beside its place and moved there. Small
segments are merged when they are many. A key is the 128-bit blake2b of the text; nothing of this source is part of it.
Models that can be shortened are kept at full length and cut on reading, so that no other length is paid for again.

A file that is damaged or not ours is set aside, and a damaged row is passed over; their texts are embedded again.
"""

import contextlib
import json
import logging
import math
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.data.atomic_file import AtomicFile
from embedclf.data.plain_file import read_plain
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache import key_table as key_index
from embedclf.embedding.cache import last_used
from embedclf.embedding.cache.last_used import LastUsed, Times
from embedclf.embedding.cache.segments import (
    KEY,
    Keys,
    NewerFormatError,
    Segment,
    SegmentError,
    read_segment,
    write_segment,
)
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.errors import OutputError

if TYPE_CHECKING:
    from filelock import FileLock


logger = logging.getLogger(__name__)

_ENDING = ".joblib"
_DAMAGED = ".damaged"
_ENDINGS = (_ENDING, f"{_ENDING}{_DAMAGED}", ".part", last_used.ENDING)
_ABOUT = "model.json"
_NAMED = ("provider", "model", "endpoint")
_LOCK = ".merge.lock"
# Segments below the size are small. So many small ones of about one size are merged, so that a vector is written again
# only when its segment has grown by about that factor. Below the lesser size, all count as of one size: there, files
# cost more than bytes.
_SMALL_BYTES = 4**11
_TINY_BYTES = 4**9
_MOST_ALIKE = 4
_MOST_AT_ONCE = 64
_MOST_ABOUT_BYTES = 2**16
_BLOCK_ROWS = 4_096
# Who is killed while it writes leaves half a file, of a name of its own; nobody takes so long to write one.
_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{16}\.part")
_SECONDS_TO_WRITE = 3_600.0
_SECONDS_FOR_LOCK = 60.0
# To open so many segments one by one takes longer than one likes to wait: then their keys are put into one file.
_MANY_SEGMENTS = 64
# Before a segment's vectors, in which 4,000 keys have room.
_FETCHED_BYTES = 2**16
# Others may merge what has just been listed; each time it is listed again.
_TRIES = 50


def hash_texts(texts: Sequence[str]) -> Keys:
    """Give the key of each text: its 128-bit blake2b, (n,)."""
    digests = b"".join([blake2b(text.encode(), digest_size=16).digest() for text in texts])
    return np.frombuffer(digests, dtype=KEY)


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


def _files_of(part: Path) -> list[Path]:
    """List the files in a model's folder that are the cache's own."""
    ours = {_ABOUT, _LOCK, key_index.NAME}
    with os.scandir(part) as entries:
        return [
            Path(entry.path)
            for entry in entries
            if (entry.name in ours or entry.name.endswith(_ENDINGS)) and not entry.is_dir(follow_symlinks=False)
        ]


class _Index(NamedTuple):
    """All keys of all segments in order, and where each is."""

    keys: Keys
    segments: npt.NDArray[np.intp]
    rows: npt.NDArray[np.intp]


class ModelCache:
    """The vectors of one model, at full length.

    A folder that cannot be read is empty; one that cannot be written is left as it is, with one warning: the cache
    never stands in the way of vectors at hand.

    Parameters
    ----------
    folder : Path
    spec : EmbedderSpec or None
        Noted in the folder when something is first written; its dimensions, if known, are those that segments must
        have. If they are not known, the length that most vectors on disk have is taken. None looks at what there is,
        and moves nothing.
    """

    def __init__(self, folder: Path, spec: EmbedderSpec | None) -> None:
        self._folder = folder
        self._spec = spec
        self._dimensions = None if spec is None else spec.dimensions
        self._lock = ForkSafeLock()
        self._segments: dict[str, Segment] = {}
        # Those whose vectors have another length than the model's.
        self._of_other_length: dict[str, Segment] = {}
        self._uses: dict[str, LastUsed] = {}
        self._refused: set[str] = set()
        self._unread: set[str] = set()
        self._index: _Index | None = None
        # What sorts the keys of the first segments, as long as all of these are there.
        self._first_order: npt.NDArray[np.intp] | None = None
        self._in_index: set[str] = set()
        self._warned: set[str] = set()
        # Whether the folder says which model's it is.
        self._noted = False

    def __getstate__(self) -> tuple[Path, EmbedderSpec | None]:
        return self._folder, self._spec

    def __setstate__(self, state: tuple[Path, EmbedderSpec | None]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    @property
    def dimensions(self) -> int | None:
        """Length of its vectors; None while there are none and the model's is not known."""
        if self._dimensions is None:
            with self._lock:
                self._refresh()
        return self._dimensions

    @property
    def writable(self) -> bool:
        """Whether nothing has failed to be written."""
        return "write" not in self._warned

    # Reading

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
                self._refresh()
                try:
                    return self._gather(keys, n_columns)
                except FileNotFoundError:  # merged by another process since it was listed
                    continue
                except (OSError, ValueError) as error:
                    # Damaged since it was listed: read anew, and set aside as any damaged file is.
                    logger.debug("reading the cache again: %s", error)
                    self._segments.clear()
                    self._index = self._first_order = None
            self._warn("unread", f"cache: {self._folder} cannot be read: left out")
            return np.zeros(len(keys), dtype=bool), None

    def contains(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Tell of some keys, from `hash_texts`, whether their vectors are there: (n,), bool."""
        with self._lock:
            self._refresh()
            return self._locate(keys)[0]

    def _locate(self, keys: Keys) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
        """Find which keys there are, and where each stands in the index."""
        index = self._indexed()
        if not len(index.keys):
            return np.zeros(len(keys), dtype=bool), np.zeros(len(keys), dtype=np.intp)
        # Of equal keys the last, which was written last: one that was damaged has been written again.
        place = np.searchsorted(index.keys["high"], keys["high"], side="right") - 1
        found = index.keys[place] == keys
        # Different keys may have the same first half; then the right one is looked for.
        for number in np.flatnonzero(~found & (index.keys["high"][place] == keys["high"])):
            same = np.flatnonzero(index.keys == keys[number])
            if len(same):
                place[number], found[number] = same[-1], True
        return found, place

    def _gather(self, keys: Keys, n_columns: int | None) -> tuple[npt.NDArray[np.bool_], Vectors | None]:
        found, place = self._locate(keys)
        index = self._indexed()
        wanted = np.flatnonzero(found)
        if not len(wanted):
            return found, None
        segments, rows = index.segments[place[wanted]], index.rows[place[wanted]]
        listed = list(self._segments.values())
        length = listed[0].n_columns
        out = np.empty((len(keys), min(n_columns or length, length)), dtype=np.float32)
        order = np.argsort(segments, kind="stable")
        bounds = np.flatnonzero(np.diff(segments[order], prepend=-1, append=-1))
        for start, end in pairwise(bounds):
            chosen = order[start:end]
            intact = listed[segments[chosen[0]]].copy_rows(rows[chosen], out, wanted[chosen])
            found[wanted[chosen[~intact]]] = False
        for start, end in pairwise(bounds):
            self._note_use(listed[segments[order[start]]], rows[order[start:end]])
        if not found[wanted].all():
            self._warn(
                "unsound", f"cache: {self._folder} holds vectors that are damaged: their texts are embedded again"
            )
        return found, out

    def _indexed(self) -> _Index:
        if self._index is None:
            segments = list(self._segments.values())
            keys = np.concatenate([segment.keys for segment in segments] or [np.empty(0, dtype=KEY)])
            sizes = [len(segment.keys) for segment in segments]
            order = np.arange(len(keys))
            if self._first_order is not None:
                order[: len(self._first_order)] = self._first_order
            if self._first_order is None or len(self._first_order) < len(keys):
                # Of what is in order already, this is a quick sort: a run is not taken apart.
                order = order[np.argsort(keys["high"][order], kind="stable")]
            self._index = _Index(
                keys[order],
                np.repeat(np.arange(len(segments)), sizes)[order],
                np.concatenate([np.arange(size) for size in sizes] or [np.empty(0, dtype=np.intp)])[order],
            )
        return self._index

    def _refresh(self) -> None:
        """See which segments there are, and read the keys of those that are new."""
        # What could not be read may be to be read now.
        self._refused -= self._unread
        self._unread.clear()
        for _ in range(_TRIES):
            names = self._names()
            if names == self._segments.keys() | self._of_other_length.keys() | self._refused:
                return
            self._check_mode()
            self._index = None
            for name in self._segments.keys() - names:
                self._first_order = None
                del self._segments[name]
                self._uses.pop(name, None)
            for name in self._of_other_length.keys() - names:
                del self._of_other_length[name]
            self._refused &= names
            if not self._segments and len(names) >= _MANY_SEGMENTS:
                self._read_index(names)
            new = sorted(names - self._segments.keys() - self._of_other_length.keys() - self._refused)
            if len(new) >= _MANY_SEGMENTS:
                self._fetch(new)
            for name in new:
                segment = self._read_segment(self._folder / name)
                if segment is not None:
                    self._segments[name] = segment
            self._leave_out_other_lengths()
            if self._spec is not None and len(self._segments.keys() - self._in_index) >= _MANY_SEGMENTS:
                self._write_index()
            # One that was merged meanwhile is in a file that may not have been listed: look again.

    def _leave_out_other_lengths(self) -> None:
        """Keep to vectors of one length: the model's, or else that of most."""
        lengths = {segment.n_columns for segment in self._segments.values()}
        if self._dimensions is None and lengths:
            counts = dict.fromkeys(lengths, 0)
            for segment in self._segments.values():
                counts[segment.n_columns] += segment.n_rows
            self._dimensions = max(counts, key=lambda length: counts[length])
        if lengths <= {self._dimensions}:
            return
        for name in [name for name, segment in self._segments.items() if segment.n_columns != self._dimensions]:
            segment = self._of_other_length[name] = self._segments.pop(name)
            self._first_order = None
            fault = f"its vectors have {segment.n_columns} dimensions, where {self._dimensions} belong"
            self._warn_left_out(segment.path, fault)

    def _fetch(self, names: Sequence[str]) -> None:
        """Have the system read where the keys are of many segments at once, instead of one after the other."""
        if not hasattr(os, "posix_fadvise"):  # macOS
            return
        for name in names:
            with contextlib.suppress(OSError), (self._folder / name).open("rb", buffering=0) as file:
                os.posix_fadvise(file.fileno(), 0, _FETCHED_BYTES, os.POSIX_FADV_WILLNEED)

    def _read_index(self, names: set[str]) -> None:
        """Take over what the index knows of the segments that are there and have not changed."""
        index = key_index.read(self._folder)
        if index is None:
            return
        keys = index.keys.view(KEY)[:, 0]
        start = 0
        for one in index.segments:
            own = keys[start : start + one.n_rows]
            start += one.n_rows
            if one.name not in names:
                continue
            path = self._folder / one.name
            with contextlib.suppress(OSError):
                status = path.lstat()
                if (status.st_size, status.st_mtime_ns) == (one.n_bytes, one.written_ns):
                    self._segments[one.name] = Segment(
                        path, own, one.n_columns, one.n_tokens, one.format, one.n_bytes, one.written_ns
                    )
        self._in_index = set(self._segments)
        if len(self._segments) == len(index.segments):
            self._first_order = index.order.astype(np.intp)

    def _write_index(self) -> None:
        self._in_index = set(self._segments)
        segments = [
            key_index.IndexedSegment(
                name, one.n_bytes, one.written_ns, one.n_rows, one.n_columns, one.n_tokens, one.format
            )
            for name, one in self._segments.items()
        ]
        keys = np.concatenate([segment.keys for segment in self._segments.values()] or [np.empty(0, dtype=KEY)])
        order = np.argsort(keys["high"], kind="stable")
        self._first_order = order
        try:
            key_index.write(self._folder, segments, keys.view("<u8").reshape(-1, 2), order)
        except OutputError as error:  # it is opened without, then
            logger.debug("cache: its index was not written: %s", error)

    def _names(self) -> set[str]:
        # A merge writes the new file before it removes the old ones, but a listing made meanwhile can miss both: it is
        # made until two agree.
        before: set[str] | None = None
        for _ in range(_TRIES):
            try:
                # Plain files only: a named pipe would be waited for, and a link leads elsewhere.
                with os.scandir(self._folder) as entries:
                    now = {
                        entry.name
                        for entry in entries
                        if entry.name.endswith(_ENDING) and entry.is_file(follow_symlinks=False)
                    }
            except (FileNotFoundError, NotADirectoryError):
                return set()
            except OSError as error:
                self._warn("unread", f"cache: {self._folder} cannot be read ({error})")
                return set(self._segments) | set(self._of_other_length) | self._refused
            if now == before:
                break
            before = now
        return now

    def _read_segment(self, path: Path) -> Segment | None:
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

    def _warn_left_out(self, path: Path, reason: str) -> None:
        self._warn("left out", f"cache: {path} cannot be used ({reason}): left out, its texts are embedded again")

    def _set_aside(self, path: Path, error: Exception) -> None:
        """Rename a file that is damaged, unless this only looks."""
        self._refused.add(path.name)
        aside = path.with_name(f"{path.name}{_DAMAGED}")
        renamed = False
        if self._spec is not None:
            with contextlib.suppress(OSError):
                path.rename(aside)
                renamed = True
        if not renamed:
            self._warn_left_out(path, str(error))
            return
        reason = f"({error}): set aside as {aside.name}, its texts are embedded again"
        self._warn("damaged", f"cache: {path} cannot be used {reason}")

    def _warn(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            logger.warning(message)

    # Writing

    def write(self, keys: Keys, vectors: Vectors, n_tokens: int) -> bool:
        """Add vectors; gives whether they are on disk now. If not, there has been a warning.

        Parameters
        ----------
        keys : ndarray of shape (n,)
            From `hash_texts`.
        vectors : ndarray of shape (n, d), float32
            At full length.
        n_tokens : int
            What they cost.
        """
        with self._lock:
            try:
                self._make_folder()
                self._write_segment(keys, vectors, n_tokens)
            except (OSError, OutputError) as error:
                self._warn("write", f"the cache cannot be written, so these vectors are not kept: {error}")
                return False
            try:
                self._merge()
            except (OSError, OutputError, ValueError, NotImplementedError) as error:  # of a lock that is not to be had
                logger.debug("cache: small segments were not merged: %s", error)
        return True

    def _make_folder(self) -> None:
        # Only its owner may look in: what one has embedded is nobody else's business.
        for folder in (self._folder.parent.parent, self._folder.parent, self._folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_mode()
        about = self._folder / _ABOUT
        if not self._noted and self._spec is not None:
            said = json.dumps({name: getattr(self._spec, name) for name in _NAMED}).encode()
            with contextlib.suppress(OSError):
                self._noted = read_plain(about, _MOST_ABOUT_BYTES) == said
            # What is no regular file is left alone, and not written through.
            if not self._noted and (about.is_file() or not os.path.lexists(about)) and not about.is_symlink():
                with AtomicFile(about) as file:
                    file.write(said)
            self._noted = True

    def _check_mode(self) -> None:
        """Warn if others can write to the cache, and so plant what is read from it."""
        if os.name != "posix":
            return
        for folder in (self._folder, self._folder.parent, self._folder.parent.parent):
            with contextlib.suppress(OSError):
                mode = folder.stat().st_mode
                # In a folder with the sticky bit, such as /tmp, nobody can rename what is another's.
                if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
                    self._warn("mode", f"cache: others can write to {folder}; mend it with: chmod -R go-w {folder}")

    def _write_segment(self, keys: Keys, vectors: Vectors, n_tokens: int, used: Times | None = None) -> None:
        path = self._folder / f"{time.time_ns():016x}-{secrets.token_hex(4)}{_ENDING}"
        with AtomicFile(path) as file:
            if used is not None:  # before the segment is in its place, when nobody else writes to it yet
                last_used.write_times(path, used)
            write_segment(file.file, keys, vectors, n_tokens)

    def _merge(self) -> None:
        """Make one segment of small ones of about the same size, once they are many."""
        self._refresh()
        if not self._alike():
            return
        from filelock import Timeout

        try:
            with self._alone(seconds=0):
                self._refresh()
                self._merge_alike()
        except Timeout:  # another process does it
            return

    def _alone(self, seconds: float) -> "FileLock":
        """Make the lock of who takes segments away."""
        from filelock import FileLock

        return FileLock(self._folder / _LOCK, timeout=seconds)

    def _merge_alike(self) -> None:
        while alike := self._alike():
            self._merge_these(alike[:_MOST_AT_ONCE])
            self._refresh()
        self._sweep()

    def _alike(self) -> list[Segment]:
        by_size: dict[int, list[Segment]] = {}
        for segment in self._segments.values():
            if segment.n_bytes < _SMALL_BYTES:
                size = int(math.log(max(segment.n_bytes, _TINY_BYTES), _MOST_ALIKE))
                by_size.setdefault(size, []).append(segment)
        return next((alike for alike in by_size.values() if len(alike) >= _MOST_ALIKE), [])

    def _merge_these(self, small: list[Segment]) -> None:
        keys = np.concatenate([segment.keys for segment in small])
        vectors = np.empty((len(keys), small[0].n_columns), dtype=np.float32)
        intact = np.empty(len(keys), dtype=bool)
        end = 0
        for segment in small:
            start, end = end, end + segment.n_rows
            intact[start:end] = segment.copy_rows(np.arange(segment.n_rows), vectors, np.arange(start, end))
        used = np.concatenate([self._use_of(segment).read() for segment in small])
        keys, vectors, used = keys[intact], vectors[intact], used[intact]
        # Of equal keys the last. In the order of writing, in which they are likely to be read: whole blocks are copied.
        _, first_from_end, of_key = np.unique(keys[::-1], return_index=True, return_inverse=True)
        latest = np.zeros(len(first_from_end), dtype=used.dtype)
        np.maximum.at(latest, of_key, used[::-1])
        last = np.sort(len(keys) - 1 - first_from_end)
        if len(last):
            n_tokens = sum(segment.n_tokens for segment in small)
            self._write_segment(keys[last], vectors[last], n_tokens, latest[of_key[::-1][last]])
        for segment in small:
            self._delete(segment)

    def _delete(self, segment: Segment) -> None:
        segment.path.unlink()
        self._use_of(segment).delete()

    def _sweep(self) -> None:
        """Delete what killed processes have left: files half written long ago, and times of no segment."""
        long_ago = time.time() - _SECONDS_TO_WRITE
        with os.scandir(self._folder) as entries:
            there = {entry.name: entry for entry in entries if entry.is_file(follow_symlinks=False)}
        for name, entry in there.items():
            half = _HALF_WRITTEN.fullmatch(name) and entry.stat().st_mtime < long_ago
            orphan = name.endswith(last_used.ENDING) and name.removesuffix(last_used.ENDING) + _ENDING not in there
            if half or orphan:
                Path(entry.path).unlink(missing_ok=True)

    # Pruning

    def times(self) -> list[tuple[Segment, int, Times]]:
        """Tell of each segment how many bytes its times take, and when each row was last used (seconds since 1970)."""
        self._refresh()
        uses = [(segment, self._use_of(segment)) for segment in self._segments.values()]
        return [(segment, use.size(), use.read()) for segment, use in uses]

    @contextlib.contextmanager
    def taking_away(self) -> Iterator[None]:
        """Be the only one who takes segments away, for as long as the block takes.

        Raises
        ------
        OutputError
            If that cannot be had.
        """
        from filelock import Timeout

        try:
            lock = self._alone(_SECONDS_FOR_LOCK).acquire()
        except Timeout as error:
            reason = "another process has been at work on it for a minute: try again later"
            raise OutputError(f"cannot prune {self._folder}: {reason}", path=str(self._folder)) from error
        except (OSError, NotImplementedError) as error:
            cause = getattr(error, "strerror", None) or error
            raise OutputError(f"cannot prune {self._folder}: {cause}", path=str(self._folder)) from error
        with lock:
            yield

    def drop(self, segment: Segment, seen: Times, dropped: npt.NDArray[np.bool_], n_tokens: int) -> None:
        """Drop rows of a segment, unless they have been used meanwhile; only within `taking_away`.

        Parameters
        ----------
        segment : Segment
        seen : ndarray of shape (n,)
            When each row had last been used when it was chosen.
        dropped : ndarray of shape (n,), bool
        n_tokens : int
            What the others cost.

        Raises
        ------
        OSError or OutputError
            If these cannot be written; the segment stays as it is.
        """
        used = self._use_of(segment).read()
        kept = np.flatnonzero(~dropped | (used > seen))
        if len(kept) == len(used):
            return
        if len(kept):
            vectors = np.empty((len(kept), segment.n_columns), dtype=np.float32)
            intact = segment.copy_rows(kept, vectors, np.arange(len(kept)))
            if intact.any():
                kept = kept[intact]
                self._write_segment(segment.keys[kept], vectors[intact], n_tokens, used[kept])
        self._delete(segment)

    def tidy(self) -> None:
        """Merge what has become small, and delete what is of no use any more; only within `taking_away`."""
        self._refresh()
        self._merge_alike()
        index = self._folder / key_index.NAME
        if len(self._segments) >= _MANY_SEGMENTS:
            self._write_index()
        elif index.is_file():
            index.unlink(missing_ok=True)

    def _use_of(self, segment: Segment) -> LastUsed:
        name = segment.path.name
        if name not in self._uses:
            self._uses[name] = LastUsed(segment.path, len(segment.keys), segment.written_ns / 1e9)
        return self._uses[name]

    def _note_use(self, segment: Segment, rows: npt.NDArray[np.intp]) -> None:
        try:
            self._use_of(segment).note(rows)
        except OSError as error:  # of a folder that may only be read, for one
            logger.debug("cache: when vectors of %s were used cannot be noted: %s", segment.path, error)

    def _about(self) -> tuple[str, str | None]:
        """Give the name of the model and its endpoint, as the folder says; else the folder's own name."""
        path = self._folder / _ABOUT
        reason = "it does not name a model"
        try:
            about = json.loads(read_plain(path, _MOST_ABOUT_BYTES))
            provider, model, endpoint = (about[name] for name in _NAMED)
            if isinstance(provider, str) and isinstance(model, str) and isinstance(endpoint, str | None):
                return f"{provider}:{model}", endpoint
        except FileNotFoundError:
            return self._folder.name, None
        except OSError as error:
            reason = error.strerror or str(error)
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        self._warn("about", f"cache: {path} cannot be used ({reason}): its vectors are listed under the folder's name")
        return self._folder.name, None

    def info(self) -> CacheInfo:
        """Tell what it holds."""
        with self._lock:
            self._refresh()
            model, endpoint = self._about()
            segments = self._segments.values()
            return CacheInfo(
                model=model,
                endpoint=endpoint,
                n_vectors=len(np.unique(self._indexed().keys)),
                n_segments=len(segments),
                n_bytes=sum(segment.n_bytes + self._use_of(segment).size() for segment in segments),
                n_tokens=sum(segment.n_tokens for segment in segments),
            )


def blocks_of(rows: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.intp]]:
    """Divide numbers of rows into blocks, so that what is made of a block's vectors takes little memory."""
    for start in range(0, len(rows), _BLOCK_ROWS):
        yield rows[start : start + _BLOCK_ROWS]
