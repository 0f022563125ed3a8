"""Opening regular files only, where someone else may have put something in their place.

A named pipe would block forever, a device may never end, and a symbolic link may lead anywhere.
"""

import errno
import os
import re
import shlex
import stat
from pathlib import Path
from typing import BinaryIO

_FLAGS = (
    getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
# As a Path writes it, with one slash.
_ADDRESS = re.compile(r"([a-z][a-z0-9]+):/+")


def open_plain(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file and return its descriptor.

    Parameters
    ----------
    path : Path
    flags : int
        As for `os.open`.

    Raises
    ------
    OSError
        If the file cannot be opened, or is a symbolic link, a named pipe, a folder or a device.
    """
    try:
        descriptor = os.open(path, flags | _FLAGS, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a symbolic link, and links are not followed here") from None
        if error.errno == errno.ENXIO:  # a named pipe without a reader
            raise OSError(errno.EINVAL, "it is not a regular file") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return descriptor


def read_plain(path: Path, most_bytes: int | None = None) -> bytes:
    """Read a regular file.

    Parameters
    ----------
    path : Path
    most_bytes : int, optional
        Raise OSError for a larger file instead of reading it.

    Raises
    ------
    OSError
        If the file cannot be read, is too large, or is not a regular file.
    """
    file: BinaryIO
    with os.fdopen(open_plain(path), "rb") as file:
        if most_bytes is not None and os.fstat(file.fileno()).st_size > most_bytes:
            raise OSError(errno.EFBIG, f"it is larger than {most_bytes:,} bytes")
        return file.read()


def meant(path: Path, extension: str = "") -> str:
    """Return what may have been meant by a file that is not there; empty if nothing.

    That is an address, or a file beside it with a similar name, which may lack its extension.
    """
    from difflib import get_close_matches

    if (address := _ADDRESS.match(str(path))) is not None:
        url = f"{address[1]}://{str(path)[address.end() :]}"
        command = f": curl -LO {shlex.quote(url)}" if address[1].startswith("http") else ""
        return f". URLs are not read; download the file{command}"
    try:
        files = [entry.name for entry in os.scandir(path.parent) if not entry.name.startswith(".") and entry.is_file()]
    except (OSError, ValueError):
        return ""
    names = [name for name in files if name.endswith(extension)]
    by_name = {name.partition(".")[0]: name for name in sorted(names, reverse=True)} | {name: name for name in names}
    found = get_close_matches(path.name, by_name, 1, cutoff=0.8)
    return f". Did you mean {shlex.quote(str(path.with_name(by_name[found[0]])))}?" if found else ""
