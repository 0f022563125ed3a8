"""Writing a file beside its place and moving it there: a reader sees the old one or the new one, whole.

Nothing that is written takes the place of a file that is read, or of anybody else's file.
"""

import contextlib
import json
import os
import secrets
import stat
import sys
from collections.abc import Mapping
from itertools import chain, combinations
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from embedclf.errors import OutputError
from embedclf.plain_file import open_plain

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

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
            for beside in _part_and_journal(place)
        ]
    pairs = chain(
        ((output, source) for output in outputs for source in sources),
        ((second, first[:2]) for first, second in combinations(outputs, 2)),
    )
    for (name, place, path), (other, other_place) in pairs:
        if _are_one(place, other_place):
            raise OutputError(f"{name} is the same file as {other}: name another", path=os.fspath(path))


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
                _move(self._beside, self._place)
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


def _move(path: Path, place: Path) -> None:
    """Move a file to its place, and make that outlast a loss of power where the system can."""
    path.replace(place)
    # Windows opens no folders, and some file systems do not sync them.
    with contextlib.suppress(OSError):
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _part_and_journal(path: Place) -> tuple[Path, Path]:
    place = Path(os.path.realpath(path))
    return place.with_name(f"{place.name}.part"), place.with_name(f"{place.name}.part.json")


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
    return _noted_in(*_part_and_journal(path), kinds)


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
        self.part, self._journal = _part_and_journal(path)
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
            _move(beside, self._journal)
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
