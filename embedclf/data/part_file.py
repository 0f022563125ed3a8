"""An output that is written piece by piece beside its final path, and can be resumed after an interruption."""

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
    return OSError(f"{path.name} is in the way: {reason}. Move it, or choose another output")


def _open_regular(path: Path, flags: int) -> int:
    """Open a regular file beside an output.

    Raises
    ------
    OSError
        If it cannot be opened, or is not a regular file (a symbolic link, a named pipe).
    """
    try:
        return open_plain(path, flags)
    except OSError:
        if not os.path.lexists(path) or stat.S_ISREG(path.lstat().st_mode):
            raise
    raise _in_the_way(path, "it is not a regular file")


def _read_journal(path: Path, kinds: Mapping[str, type]) -> dict[str, Any] | None:
    """Return the last state that a `PartFile` saved in its journal; None if there is no journal.

    Raises
    ------
    OSError
        If the file cannot be read, or is not the journal of a `PartFile`.
    """
    try:
        with os.fdopen(_open_regular(path, os.O_RDONLY), "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return None
    if not content:  # an empty file can safely be overwritten
        return None
    with contextlib.suppress(ValueError, RecursionError):
        noted = json.loads(content)
        if (
            isinstance(noted, dict)
            and all(isinstance(noted.get(name), kind) for name, kind in {"bytes": int, **kinds}.items())
            and noted["bytes"] >= 0
        ):
            return noted
    raise _in_the_way(path, "embedclf did not write it")


def noted_beside(path: Place, kinds: Mapping[str, type]) -> dict[str, Any] | None:
    """Return the last saved state of the `PartFile` of a path; None if there is nothing to resume."""
    return _saved_state_in(*part_and_journal(path), kinds)


def _saved_state_in(part: Path, journal: Path, kinds: Mapping[str, type]) -> dict[str, Any] | None:
    with contextlib.suppress(OSError):  # opening the file for writing reports it
        return _if_complete(_read_journal(journal, kinds), part.lstat().st_size)
    return None


def _if_complete(noted: dict[str, Any] | None, n_bytes: int) -> dict[str, Any] | None:
    """Return the saved state if a part file of `n_bytes` bytes contains that much complete output; else None."""
    return noted if noted is not None and 0 < noted["bytes"] <= n_bytes else None


class PartFile(AtomicFile):
    """A file that is moved into place when its ``with`` block succeeds, and can be resumed otherwise.

    It is written as ``<path>.part``. Its journal, ``<path>.part.json``, records how much of it is complete, and the
    state of the run. A part file has a journal from its first byte on: a non-empty one without a matching journal was
    not written by embedclf.

    Parameters
    ----------
    path : str or Path
        See `AtomicFile`. Only a regular file can be resumed.
    kinds : mapping of str to type
        Keys of the state, and their types. A journal without these was not written by embedclf either.

    Attributes
    ----------
    part : Path
        Path of the part file.
    state : dict or None
        The last saved state: of this run or, until `start` is called, of an earlier one. None if no output is complete.

    Raises
    ------
    OutputError
        If the file cannot be written, another run is writing it, or foreign files are in its way.
    """

    def __init__(self, path: Place, kinds: Mapping[str, type]) -> None:
        self.part, self._journal = part_and_journal(path)
        self._kinds = kinds
        self.state: dict[str, Any] | None = None
        self._lock: int | None = None
        super().__init__(path)

    def _open_temporary(self) -> BinaryIO:
        self._beside = self.part
        _read_journal(self._journal, self._kinds)  # fails on a foreign file, before anything is created
        while True:
            # Not truncated until it is known to belong to embedclf and to no other run.
            file = os.fdopen(_open_regular(self.part, os.O_RDWR | os.O_CREAT | os.O_APPEND), "a+b")
            if fcntl is None:
                break
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.close()
                raise OSError(f"another run is writing {self.part.name}") from error
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), self.part.lstat()):
                    # The file is closed before it is moved into place; a second descriptor holds the lock until then.
                    self._lock = os.dup(file.fileno())
                    break
            file.close()  # another run has moved it into place in the meantime
        try:
            self.state = self._saved_state_of(file)
        except BaseException:
            file.close()
            self._release_lock()
            raise
        return file

    def _saved_state_of(self, file: BinaryIO) -> dict[str, Any] | None:
        """Return the saved state of an open part file, as `_if_complete` does.

        Raises
        ------
        OSError
            If embedclf did not write the file.
        """
        noted, about = _read_journal(self._journal, self._kinds), os.fstat(file.fileno())
        if about.st_nlink > 1:
            raise _in_the_way(self.part, "it is a hard link to another file")
        # An empty file is left over from a run that ended before its journal was written.
        if about.st_size and (noted is None or noted["bytes"] > about.st_size):
            raise _in_the_way(self.part, f"embedclf did not write it, or it does not match {self._journal.name}")
        return _if_complete(noted, about.st_size)

    def start(self, **state: Any) -> None:
        """Start over with an empty file, and save the state."""
        self.state = None
        if self.is_direct:
            return
        try:
            # The journal comes first: without a matching one, the part file of an earlier run would look foreign.
            self._write_journal({"bytes": 0, **state})
            self.file.truncate(0)
            self.file.seek(0, os.SEEK_END)
        except OSError as error:
            raise self._error(error) from error

    def go_on(self) -> None:
        """Continue after the output recorded as complete; anything that an earlier run wrote after it is discarded."""
        if self.state is None:
            raise ValueError("there is no complete output to resume from")
        try:
            self.file.truncate(self.state["bytes"])
            self.file.seek(0, os.SEEK_END)
        except OSError as error:
            raise self._error(error) from error

    def note(self, **state: Any) -> None:
        """Record that everything written so far is complete, and save the state."""
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
        # A unique name, so that no file is overwritten.
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
            self._release_lock()

    def discard(self) -> None:
        """Close the file; its complete part is kept so that it can be resumed."""
        if not self.is_direct:
            # Read from disk: an interrupt may have come after the journal was written, but before `state` was set.
            self.state = _saved_state_in(self.part, self._journal, self._kinds)
        if self.state is None:
            self.remove()
            return
        with contextlib.suppress(OSError):
            self.file.close()
        self._release_lock()

    def remove(self) -> None:
        """Close the file, and delete the part file and its journal."""
        super().remove()
        if not self.is_direct:
            with contextlib.suppress(OSError):
                self._journal.unlink(missing_ok=True)
        self._release_lock()

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
