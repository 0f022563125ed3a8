"""Writing a file beside its place and moving it there: a reader sees the old one or the new one, whole."""

import contextlib
import json
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from embedclf.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_DESCRIPTORS = {"/dev/stdout": 1, "/dev/stderr": 2}


class AtomicFile:
    """A binary file that takes its place when its ``with`` block ends well, and leaves no trace otherwise.

    It is opened for writing at once, so that a path that cannot be written is found out before any work is done.
    Something that is no regular file (``/dev/stdout``, a named pipe) is written to directly.

    Parameters
    ----------
    path : str or Path
        Where the file goes. Missing folders are made; a symbolic link is followed, a file's mode is kept.

    Attributes
    ----------
    is_direct : bool
        Whether it is something that is no regular file.

    Raises
    ------
    OutputError
        If it cannot be written, now or when it is moved into place.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._place = Path(os.path.realpath(self.path))
        try:
            if self._place.is_dir():
                raise IsADirectoryError("it is a folder")
            descriptor = _DESCRIPTORS.get(str(self.path))
            self.is_direct = descriptor is not None or (self.path.exists() and not _is_regular(self.path))
            if self.is_direct:
                # Where the shell has opened a file for /dev/stdout, others write to it as well, each after the other.
                self.file: BinaryIO = (
                    self.path.open("wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb")
                )
                return
            self._place.parent.mkdir(parents=True, exist_ok=True)
            if self._place.exists() and not os.access(self._place, os.W_OK):
                raise PermissionError("it is read-only")
            self.file = self._opened_beside()
        except OSError as error:
            raise self._error(error) from error

    def _opened_beside(self) -> BinaryIO:
        self._beside = self._place.with_name(f".{secrets.token_hex(8)}.part")
        return self._beside.open("xb")

    def _error(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self.path}: {error.strerror or error}", path=str(self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.discard()
            return
        try:
            if not self.is_direct:
                # Without it, a machine that loses its power may keep the name and not the content.
                self.file.flush()
                os.fsync(self.file.fileno())
            self.file.close()
            if not self.is_direct:
                if self._place.exists():
                    self._beside.chmod(stat.S_IMODE(self._place.stat().st_mode))
                self._beside.replace(self._place)
        except OSError as failure:
            self.discard()
            raise self._error(failure) from failure

    def discard(self) -> None:
        """Close the file and leave its place as it was."""
        self.remove()

    def remove(self) -> None:
        """Close the file, and take away what was written beside its place."""
        with contextlib.suppress(OSError):
            self.file.close()
        if not self.is_direct:
            with contextlib.suppress(OSError):
                self._beside.unlink(missing_ok=True)

    def write(self, data: bytes) -> int:
        """Write some bytes, as a binary file does."""
        try:
            return self.file.write(data)
        except OSError as error:
            raise self._error(error) from error

    def written(self) -> BinaryIO:
        """Open what has been written so far, to be read from its start."""
        self.file.flush()
        return self._beside.open("rb")


def _part_and_journal(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    place = Path(os.path.realpath(path))
    return place.with_name(f"{place.name}.part"), place.with_name(f"{place.name}.part.json")


def noted_beside(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Give what a `PartFile` of some path has noted last; None if there is nothing to go on with."""
    part, journal = _part_and_journal(path)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # a journal that is damaged, or another's
        noted = json.loads(journal.read_bytes())
        if isinstance(noted, dict) and 0 <= noted["bytes"] <= part.stat().st_size:
            return noted
    return None


class PartFile(AtomicFile):
    """A file that takes its place when its ``with`` block ends well; else what is whole of it waits to be gone on with.

    It grows as ``<path>.part``; how far it is whole, and what for, stands in ``<path>.part.json``.

    Parameters
    ----------
    path : str or Path
        See `AtomicFile`; of what is no regular file nothing stays.

    Attributes
    ----------
    part : Path
        Where it grows.
    state : dict or None
        What was noted last, by this run or, until `keep` is called, an earlier one; None if there is nothing.

    Raises
    ------
    OutputError
        If it cannot be written, or another run is writing it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.part, self._journal = _part_and_journal(path)
        self.state: dict[str, Any] | None = None
        self._held: int | None = None
        super().__init__(path)

    def _opened_beside(self) -> BinaryIO:
        self._beside = self.part
        while True:
            # Not "wb", which would empty it before it is known whether another run is writing it.
            file = self.part.open("a+b")
            if fcntl is None:
                break
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.close()
                raise OSError(f"another run is writing {self.part.name}") from error
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), self.part.stat()):
                    # Once more, so that the lock is held until the file is in its place, where it is closed before.
                    self._held = os.dup(file.fileno())
                    break
            file.close()  # another run has moved it to its place meanwhile
        self.state = noted_beside(self.path)
        return file

    def keep(self, state: dict[str, Any] | None) -> None:
        """Go on from what was noted, or, with None, from nothing."""
        self.state = state
        if self.is_direct:
            return
        try:
            if state is None:
                self._journal.unlink(missing_ok=True)
            self.file.truncate(0 if state is None else state["bytes"])
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
            beside = self._journal.with_name(f"{self._journal.name}.new")
            beside.write_text(json.dumps(noted), encoding="utf-8")
            beside.replace(self._journal)
        except OSError as error:
            raise self._error(error) from error
        self.state = noted

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


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(path.stat().st_mode)
