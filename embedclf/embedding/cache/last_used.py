"""When each vector of a segment was last used: a file next to the segment with one number per row.

To keep reading cheap, a use is recorded only if the last record is at least an hour old, and adjacent rows are written
together. A row without a record counts as used when the segment was written, so a lost or truncated file does little
harm.
"""

import contextlib
import logging
import os
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embedclf.data.plain_file import open_plain
from embedclf.embedding.cache.segments import Rows, Segment

logger = logging.getLogger(__name__)

Times = npt.NDArray[np.uint32]

ENDING = ".used"
# Seconds since 1970; 32 bits suffice until 2106.
_TIME = np.dtype("<u4")
SECONDS_BETWEEN_NOTES = 3_600


class LastUsed:
    """The last uses of one segment's rows. Safe for concurrent processes, since each writes only rows that it used.

    Parameters
    ----------
    segment : Path
    n_rows : int
    written : float
        When the segment was written, in seconds since 1970.
    """

    def __init__(self, segment: Path, n_rows: int, written: float) -> None:
        self._path = path_beside(segment)
        self._n_rows = n_rows
        # A wrong clock or an unpacked archive can leave a modification time in the future or before 1970.
        self._written = max(0, min(int(written), int(time.time())))
        self._known: Times | None = None

    def read(self) -> Times:
        """Return when each row was last used, in seconds since 1970: (n_rows,)."""
        content = b""
        with contextlib.suppress(OSError), os.fdopen(open_plain(self._path), "rb", buffering=0) as file:
            content = file.read(self._n_rows * _TIME.itemsize + 1) or b""
        if len(content) != self._n_rows * _TIME.itemsize:
            return np.full(self._n_rows, self._written, dtype=np.uint32)
        recorded = np.frombuffer(content, dtype=_TIME).astype(np.uint32)
        recorded[recorded > time.time()] = 0  # from a wrong clock, or damaged
        return np.where(recorded > 0, recorded, np.uint32(self._written))

    def note(self, rows: Rows) -> None:
        """Record that rows are used now.

        Raises
        ------
        OSError
            If the file cannot be written. There is no other attempt within the hour.
        """
        now = int(time.time())
        if self._known is None:
            self._known = self.read()
        due = rows[self._known[rows] <= now - SECONDS_BETWEEN_NOTES]
        if not len(due):
            return
        due = np.unique(due)
        self._known[due] = now
        with os.fdopen(open_plain(self._path, os.O_RDWR | os.O_CREAT), "r+b", buffering=0) as file:
            size = self._n_rows * _TIME.itemsize
            found = os.fstat(file.fileno()).st_size
            if found != size:
                if found:  # truncated, or from another segment
                    file.truncate(0)
                file.truncate(size)
            # Not the whole file, since another process may be writing other rows.
            for run in np.split(due, np.flatnonzero(np.diff(due) != 1) + 1):
                file.seek(int(run[0]) * _TIME.itemsize)
                file.write(np.full(len(run), now, dtype=_TIME).tobytes())

    def size(self) -> int:
        """Return its size on disk in bytes."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def delete(self) -> None:
        """Delete the file if it exists."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


class TimesOfSegments:
    """The last uses of many segments' rows, read on first use."""

    def __init__(self) -> None:
        self._by_name: dict[str, LastUsed] = {}

    def of(self, segment: Segment) -> LastUsed:
        """Return the last uses of a segment's rows."""
        name = segment.path.name
        if name not in self._by_name:
            self._by_name[name] = LastUsed(segment.path, segment.n_rows, segment.written_ns / 1e9)
        return self._by_name[name]

    def note(self, segment: Segment, rows: Rows) -> None:
        """Record that rows of a segment are used now, if the file can be written."""
        try:
            self.of(segment).note(rows)
        except OSError as error:  # a read-only folder, for example
            logger.debug("cache: cannot record the use of vectors in %s: %s", segment.path, error)

    def forget(self, name: str) -> None:
        """Forget a segment that no longer exists."""
        self._by_name.pop(name, None)


def path_beside(segment: Path) -> Path:
    """Return the path of a segment's times file."""
    return segment.with_suffix(ENDING)


def write_times(segment: Path, times: Times) -> None:
    """Write the times file of a segment that is not yet in the cache."""
    with os.fdopen(open_plain(path_beside(segment), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        file.write(times.astype(_TIME).tobytes())
