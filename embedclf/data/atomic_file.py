"""Writing a file beside its place and moving it there: a reader sees the old one or the new one, whole.

Nothing that is written takes the place of a file that is read, or of anybody else's file.
"""

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Mapping
from itertools import chain, combinations
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from embedclf.errors import OutputError

Place = str | os.PathLike[str]

STDIN = "-"

_DESCRIPTORS = {"/dev/stdout": 1, "/dev/stderr": 2}


def check_places(
    read: Mapping[str, Place | None], written: Mapping[str, Place | None], *, in_parts: bool = False
) -> None:
    """Check that no file is written over one that is read, or over another that is written.

    Parameters
    ----------
    read, written : mappings of str to path
        What messages call each file, and its path; None for one that was not asked for. In `read`, ``-`` is the
        standard input.
    in_parts : bool
        Whether `PartFile` writes the outputs: then the files that it needs beside each are checked, too.

    Raises
    ------
    OutputError
        If two of them are one file, under whatever names and links.
    """
    sources = [(f"{name} {place}", place) for name, place in read.items() if place is not None]
    outputs = [(f"{name} {place}", place, place) for name, place in written.items() if place is not None]
    if in_parts:
        outputs += [
            (f"{output} needs {beside.name} beside it, which", beside, place)
            for output, place, _ in outputs
            if not _is_direct(place)
            for beside in part_and_journal(place)
        ]
    pairs = chain(
        ((output, source) for output in outputs for source in sources),
        ((second, first[:2]) for first, second in combinations(outputs, 2)),
    )
    for (name, place, path), (other, other_place) in pairs:
        if _are_one(place, other_place):
            raise OutputError(f"{name} is the same file as {other}: name another", path=os.fspath(path))


def part_and_journal(path: Place) -> tuple[Path, Path]:
    """Return the two files that stand beside an output while a `PartFile` writes it."""
    place = Path(os.path.realpath(path))
    return place.with_name(f"{place.name}.part"), place.with_name(f"{place.name}.part.json")


def _are_one(written: Place, other: Place) -> bool:
    try:
        one = Path(written).stat()
        two = os.fstat(sys.stdin.fileno()) if os.fspath(other) == STDIN else Path(other).stat()
    except (OSError, ValueError, AttributeError):  # one of them is still to be made, or there is no standard input
        return os.fspath(other) != STDIN and os.path.realpath(written) == os.path.realpath(other)
    # What is no regular file, such as /dev/null, has nothing that could be overwritten.
    return os.path.samestat(one, two) and stat.S_ISREG(one.st_mode)


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
            self.is_direct = _is_direct(self.path)
            if self.is_direct:
                descriptor = _DESCRIPTORS.get(str(self.path))
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
                move_into_place(self._beside, self._place)
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


def _is_direct(path: Place) -> bool:
    """Tell whether something is no regular file, and so is written to as it is."""
    if str(path) in _DESCRIPTORS:
        return True
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except OSError:  # it is still to be made, or cannot be reached, which is said when it is opened
        return False


def move_into_place(path: Path, place: Path) -> None:
    """Move a file to its place, and make that outlast a loss of power where the system can."""
    path.replace(place)
    # Windows opens no folders, and some file systems do not sync them.
    with contextlib.suppress(OSError):
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
