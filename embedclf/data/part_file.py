"""An output that is written piece by piece, beside its place until it is whole, and can be gone on with."""

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from embedclf.data.atomic_file import AtomicFile, Place, move_into_place, part_and_journal
from embedclf.data.plain_file import open_plain

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def _in_the_way(path: Path, reason: str) -> OSError:
    return OSError(f"{path.name} is in the way: {reason}. Move it away, or name another output")


def _open_as_itself(path: Path, flags: int) -> int:
    """Open a regular file that stands beside an output.

    Raises
    ------
    OSError
        If it cannot be opened, or is something else: a symbolic link, a named pipe.
    """
    try:
        return open_plain(path, flags)
    except OSError:
        if not os.path.lexists(path) or stat.S_ISREG(path.lstat().st_mode):
            raise
    raise _in_the_way(path, "it is no regular file")


def _read_journal(path: Path, kinds: Mapping[str, type]) -> dict[str, Any] | None:
    """Read what a `PartFile` has noted last; None if nothing is there.

    Raises
    ------
    OSError
        If it cannot be read, or what is there was not noted by one.
    """
    try:
        with os.fdopen(_open_as_itself(path, os.O_RDONLY), "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return None
    if not content:  # so nothing is lost with it
        return None
    with contextlib.suppress(ValueError, RecursionError):
        noted = json.loads(content)
        if (
            isinstance(noted, dict)
            and all(isinstance(noted.get(name), kind) for name, kind in {"bytes": int, **kinds}.items())
            and noted["bytes"] >= 0
        ):
            return noted
    raise _in_the_way(path, "embedclf has not written it")


def noted_beside(path: Place, kinds: Mapping[str, type]) -> dict[str, Any] | None:
    """Return what a `PartFile` of some path has noted last; None if there is nothing to go on with."""
    return _noted_in(*part_and_journal(path), kinds)


def _noted_in(part: Path, journal: Path, kinds: Mapping[str, type]) -> dict[str, Any] | None:
    with contextlib.suppress(OSError):  # which is said when it is opened to be written
        return _fitting(_read_journal(journal, kinds), part.lstat().st_size)
    return None


def _fitting(noted: dict[str, Any] | None, n_bytes: int) -> dict[str, Any] | None:
    """Return what is noted of a part of so many bytes; None if nothing of it is whole."""
    return noted if noted is not None and 0 < noted["bytes"] <= n_bytes else None


class PartFile(AtomicFile):
    """A file that takes its place when its ``with`` block ends well; else what is whole of it waits to be gone on with.

    It grows as ``<path>.part``; how far it is whole, and what for, stands in ``<path>.part.json``, its journal. A part
    has a journal from its first byte on: one that has content and no journal that fits is somebody else's file.

    Parameters
    ----------
    path : str or Path
        See `AtomicFile`; of what is no regular file nothing stays.
    kinds : mapping of str to type
        What is noted: a journal without these is somebody else's file, too.

    Attributes
    ----------
    part : Path
        Where it grows.
    state : dict or None
        What was noted last, by this run or, until `start` is called, an earlier one; None if nothing is whole.

    Raises
    ------
    OutputError
        If it cannot be written, another run is writing it, or files that are not its own are in its way.
    """

    def __init__(self, path: Place, kinds: Mapping[str, type]) -> None:
        self.part, self._journal = part_and_journal(path)
        self._kinds = kinds
        self.state: dict[str, Any] | None = None
        self._held: int | None = None
        super().__init__(path)

    def _opened_beside(self) -> BinaryIO:
        self._beside = self.part
        _read_journal(self._journal, self._kinds)  # before anything is made beside a file of somebody else's
        while True:
            # Not emptied before it is known to be ours, and no other run's.
            file = os.fdopen(_open_as_itself(self.part, os.O_RDWR | os.O_CREAT | os.O_APPEND), "a+b")
            if fcntl is None:
                break
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.close()
                raise OSError(f"another run is writing {self.part.name}") from error
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), self.part.lstat()):
                    # Once more, so that the lock is held until the file is in its place, where it is closed before.
                    self._held = os.dup(file.fileno())
                    break
            file.close()  # another run has moved it to its place meanwhile
        try:
            self.state = self._noted_of(file)
        except BaseException:
            file.close()
            self._let_go()
            raise
        return file

    def _noted_of(self, file: BinaryIO) -> dict[str, Any] | None:
        """Return what is noted of a part, which is open, as `_fitting` does.

        Raises
        ------
        OSError
            If it is somebody else's file.
        """
        noted, about = _read_journal(self._journal, self._kinds), os.fstat(file.fileno())
        if about.st_nlink > 1:
            raise _in_the_way(self.part, "it is a hard link to another file")
        # An empty one is what is left of a run that ended before its journal was written.
        if about.st_size and (noted is None or noted["bytes"] > about.st_size):
            raise _in_the_way(self.part, f"embedclf has not written it, or not what is noted in {self._journal.name}")
        return _fitting(noted, about.st_size)

    def start(self, **state: Any) -> None:
        """Begin with nothing, whatever is there, and note what is to be known about it."""
        self.state = None
        if self.is_direct:
            return
        try:
            # First the journal: without one that fits, what an earlier run has left would no longer be known as ours.
            self._write_journal({"bytes": 0, **state})
            self.file.truncate(0)
            self.file.seek(0, os.SEEK_END)
        except OSError as error:
            raise self._error(error) from error

    def go_on(self) -> None:
        """Go on after what was noted to be whole; what an earlier run has written after it goes."""
        if self.state is None:
            raise ValueError("nothing of it is whole")
        try:
            self.file.truncate(self.state["bytes"])
            self.file.seek(0, os.SEEK_END)
        except OSError as error:
            raise self._error(error) from error

    def note(self, **state: Any) -> None:
        """Note that all that was written so far is whole, and what else there is to know about it."""
        if self.is_direct:
            return
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            noted = {"bytes": self.file.tell(), **state}
            self._write_journal(noted)
        except OSError as error:
            raise self._error(error) from error
        self.state = noted

    def _write_journal(self, noted: dict[str, Any]) -> None:
        # Under a name that no other file has, so that none is written over.
        beside = self._journal.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with beside.open("xb") as file:
                file.write(json.dumps(noted).encode())
                file.flush()
                os.fsync(file.fileno())
            move_into_place(beside, self._journal)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
            if kind is None and not self.is_direct:
                self._journal.unlink(missing_ok=True)
        finally:
            self._let_go()

    def discard(self) -> None:
        """Close the file; what is whole of it stays beside its place."""
        if not self.is_direct:
            # As the disk has it: an interrupt may have come when a journal was written, and before `state` was set.
            self.state = _noted_in(self.part, self._journal, self._kinds)
        if self.state is None:
            self.remove()
            return
        with contextlib.suppress(OSError):
            self.file.close()
        self._let_go()

    def remove(self) -> None:
        """Close the file, and take away what stands beside its place."""
        super().remove()
        if not self.is_direct:
            with contextlib.suppress(OSError):
                self._journal.unlink(missing_ok=True)
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None
