"""Writing a file beside its place and moving it there: a reader sees the old one or the new one, whole."""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from embedclf.errors import OutputError


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
            self._direct = self._place.exists() and not stat.S_ISREG(self._place.stat().st_mode)
            if self._direct:
                self._beside = self._place
                self.file: BinaryIO = self._place.open("wb")
            else:
                self._place.parent.mkdir(parents=True, exist_ok=True)
                self._beside = self._place.with_name(f".{self._place.name[:200]}.{secrets.token_hex(4)}.part")
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
        done = kind is None
        try:
            if done and not self._direct:
                # Without it, a machine that loses its power may keep the name and not the content.
                self.file.flush()
                os.fsync(self.file.fileno())
            self.file.close()
            if done and not self._direct:
                if self._place.exists():
                    self._beside.chmod(stat.S_IMODE(self._place.stat().st_mode))
                self._beside.replace(self._place)
        except OSError as failure:
            if done:
                raise self._error(failure) from failure
        finally:
            if not self._direct:
                with contextlib.suppress(OSError):
                    self._beside.unlink(missing_ok=True)

    def discard(self) -> None:
        """Close the file and leave its place as it was."""
        self.__exit__(KeyboardInterrupt, None, None)

    def write(self, data: bytes) -> int:
        """Write some bytes, as a binary file does."""
        try:
            return self.file.write(data)
        except OSError as error:
            raise self._error(error) from error
