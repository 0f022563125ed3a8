"""Atomic writes: write to a temporary file, then rename it, so that readers see the old file or the complete new one.

An output never overwrites an input, another output, or a file that embedclf did not write.
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
    """Check that no output overwrites an input or another output.

    Parameters
    ----------
    read, written : mappings of str to path
        Name of each file in messages, and its path; None for a file that was not requested. In `read`, ``-`` is
        standard input.
    in_parts : bool
        Whether `PartFile` writes the outputs. If so, the files that it needs next to each output are checked, too.

    Raises
    ------
    OutputError
        If two of them are the same file, even under different names or through links.
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
        if _are_same_file(place, other_place):
            raise OutputError(f"{name} is the same file as {other}: choose another", path=os.fspath(path))


def part_and_journal(path: Place) -> tuple[Path, Path]:
    """Return the paths of the two files that exist next to an output while a `PartFile` writes it."""
    place = Path(os.path.realpath(path))
    return place.with_name(f"{place.name}.part"), place.with_name(f"{place.name}.part.json")


def _are_same_file(written: Place, other: Place) -> bool:
    try:
        one = Path(written).stat()
        two = os.fstat(sys.stdin.fileno()) if os.fspath(other) == STDIN else Path(other).stat()
    except (OSError, ValueError, AttributeError):  # one of them does not exist yet, or there is no stdin
        return os.fspath(other) != STDIN and os.path.realpath(written) == os.path.realpath(other)
    # Only regular files have content that could be overwritten; /dev/null, say, has none.
    return os.path.samestat(one, two) and stat.S_ISREG(one.st_mode)


class AtomicFile:
    """A binary file that is moved into place when its ``with`` block succeeds, and leaves no trace otherwise.

    It is opened for writing at once, so that an unwritable path is detected before any work is done. Anything other
    than a regular file (``/dev/stdout``, a named pipe) is written to directly.

    Parameters
    ----------
    path : str or Path
        Path of the file. Missing folders are created, a symbolic link is followed, and the mode of an existing file
        is kept.

    Attributes
    ----------
    is_direct : bool
        Whether the path is not a regular file and is written to directly.

    Raises
    ------
    OutputError
        If the file cannot be written, now or when it is moved into place.
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
                # The shell may have redirected /dev/stdout to a file that others append to. Opening it by its path
                # would start at its beginning and overwrite their output.
                self.file: BinaryIO = (
                    self.path.open("wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb")
                )
                return
            self._place.parent.mkdir(parents=True, exist_ok=True)
            if self._place.exists() and not os.access(self._place, os.W_OK):
                raise PermissionError("it is read-only")
            self.file = self._open_temporary()
        except OSError as error:
            raise self._error(error) from error

    def _open_temporary(self) -> BinaryIO:
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
                # Without fsync, a power failure may keep the new name but lose the content.
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
        """Close the file without moving it into place."""
        self.remove()

    def remove(self) -> None:
        """Close the file and delete the temporary file."""
        with contextlib.suppress(OSError):
            self.file.close()
        if not self.is_direct:
            with contextlib.suppress(OSError):
                self._beside.unlink(missing_ok=True)

    def write(self, data: bytes) -> int:
        """Write bytes and return their number, as a binary file does."""
        try:
            return self.file.write(data)
        except OSError as error:
            raise self._error(error) from error

    def written(self) -> BinaryIO:
        """Open the content written so far for reading."""
        self.file.flush()
        return self._beside.open("rb")


def _is_direct(path: Place) -> bool:
    """Return whether a path is not a regular file, and so is written to directly."""
    if str(path) in _DESCRIPTORS:
        return True
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except OSError:  # it does not exist yet, or is inaccessible, which opening it reports
        return False


def move_into_place(path: Path, place: Path) -> None:
    """Move a file into place, and make the move survive a power failure where the system can."""
    path.replace(place)
    sync_folder(place.parent)


def sync_folder(path: Path) -> None:
    """Make new names of files in a folder survive a power failure where the system can."""
    # Windows cannot open folders, and some file systems cannot sync them.
    with contextlib.suppress(OSError):
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
