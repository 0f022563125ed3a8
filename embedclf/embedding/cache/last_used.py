"""When each vector of a segment was last used: a file of one number a row beside the segment.

Reading must not become writing: a use is noted only when the last one noted is an hour old, and rows that are used
together are written together. What is not noted counts as used when the segment was written, so the file may be lost,
cut or never made, at no greater harm than that.
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
# Seconds since 1970, which fit until 2106.
_TIME = np.dtype("<u4")
SECONDS_BETWEEN_NOTES = 3_600


class LastUsed:
    """The times of one segment's rows. Processes may share it: each writes only the rows that it has used.

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
        # A clock that was wrong, or an archive, may have left a file a time in the future or before 1970.
        self._written = max(0, min(int(written), int(time.time())))
        self._known: Times | None = None

    def read(self) -> Times:
        """Read when each row was last used, in seconds since 1970: (n_rows,)."""
        content = b""
        with contextlib.suppress(OSError), os.fdopen(open_plain(self._path), "rb", buffering=0) as file:
            content = file.read(self._n_rows * _TIME.itemsize + 1) or b""
        if len(content) != self._n_rows * _TIME.itemsize:
            return np.full(self._n_rows, self._written, dtype=np.uint32)
        noted = np.frombuffer(content, dtype=_TIME).astype(np.uint32)
        noted[noted > time.time()] = 0  # of a clock that was wrong, or damaged
        return np.where(noted > 0, noted, np.uint32(self._written))

    def note(self, rows: Rows) -> None:
        """Note that some rows are used now.

        Raises
        ------
        OSError
            If it cannot be written; it is not tried again within the hour.
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
            there = os.fstat(file.fileno()).st_size
            if there != size:
                if there:  # not of this segment, or cut
                    file.truncate(0)
                file.truncate(size)
            # Not the whole file: another process may be at other rows.
            for run in np.split(due, np.flatnonzero(np.diff(due) != 1) + 1):
                file.seek(int(run[0]) * _TIME.itemsize)
                file.write(np.full(len(run), now, dtype=_TIME).tobytes())

    def size(self) -> int:
        """Return its bytes on disk."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def delete(self) -> None:
        """Delete the file, if there is one."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


class TimesOfSegments:
    """The times of many segments' rows, each read when it is first needed."""

    def __init__(self) -> None:
        self._by_name: dict[str, LastUsed] = {}

    def of(self, segment: Segment) -> LastUsed:
        """Return the times of a segment's rows."""
        name = segment.path.name
        if name not in self._by_name:
            self._by_name[name] = LastUsed(segment.path, segment.n_rows, segment.written_ns / 1e9)
        return self._by_name[name]

    def note(self, segment: Segment, rows: Rows) -> None:
        """Note that some rows of a segment are used now, if it can be written."""
        try:
            self.of(segment).note(rows)
        except OSError as error:  # of a folder that may only be read, for one
            logger.debug("cache: when vectors of %s were used cannot be noted: %s", segment.path, error)

    def forget(self, name: str) -> None:
        """Forget a segment that is gone."""
        self._by_name.pop(name, None)


def path_beside(segment: Path) -> Path:
    """Return where the times of a segment are."""
    return segment.with_suffix(ENDING)


def write_times(segment: Path, times: Times) -> None:
    """Write the times of a segment that is not in its place yet."""
    with os.fdopen(open_plain(path_beside(segment), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        file.write(times.astype(_TIME).tobytes())
