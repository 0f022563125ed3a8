"""Writing a file beside its place and moving it there: a reader sees the old one or the new one, whole."""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from embedclf.errors import OutputError

_DESCRIPTORS = {"/dev/stdout": 1, "/dev/stderr": 2}


class AtomicFile:
    """A binary file that takes its place when its ``with`` block ends well, and leaves no trace otherwise.

    It is opened for writing at once, so that a path that cannot be written is found out before any work is done.
    Something that is no regular file (``/dev/stdout``, a named pipe) is written to directly.

    Parameters
    ----------
    path : str or Path
        Where the file goes. Missing folders are made; a symbolic link is followed, a file's mode is kept.

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
            self._direct = descriptor is not None or (self.path.exists() and not _is_regular(self.path))
            if self._direct:
                # Where the shell has opened a file for /dev/stdout, others write to it as well, each after the other.
                self.file: BinaryIO = (
                    self.path.open("wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb")
                )
                return
            self._place.parent.mkdir(parents=True, exist_ok=True)
            if self._place.exists() and not os.access(self._place, os.W_OK):
                raise PermissionError("it is read-only")
            self._beside = self._place.with_name(f".{secrets.token_hex(8)}.part")
            self.file = self._beside.open("xb")
        except OSError as error:
            raise self._error(error) from error

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
            if not self._direct:
                # Without it, a machine that loses its power may keep the name and not the content.
                self.file.flush()
                os.fsync(self.file.fileno())
            self.file.close()
            if not self._direct:
                if self._place.exists():
                    self._beside.chmod(stat.S_IMODE(self._place.stat().st_mode))
                self._beside.replace(self._place)
        except OSError as failure:
            self.discard()
            raise self._error(failure) from failure

    def discard(self) -> None:
        """Close the file and leave its place as it was."""
        with contextlib.suppress(OSError):
            self.file.close()
        if not self._direct:
            with contextlib.suppress(OSError):
                self._beside.unlink(missing_ok=True)

    def write(self, data: bytes) -> int:
        """Write some bytes, as a binary file does."""
        try:
            return self.file.write(data)
        except OSError as error:
            raise self._error(error) from error


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(path.stat().st_mode)
