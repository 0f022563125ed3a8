"""Where the files of a command are: what it writes takes the place of nothing that it reads."""

import os
import stat
from collections.abc import Mapping
from itertools import chain, combinations
from pathlib import Path

from embedclf.corpus import STDIN
from embedclf.errors import OutputError

Place = str | os.PathLike[str]


def check_places(read: Mapping[str, Place | None], written: Mapping[str, Place | None]) -> None:
    """See that no file is written over one that is read, or over another that is written.

    Parameters
    ----------
    read, written : mappings of str to path
        What messages call each file, and its path; None for one that was not asked for. ``-`` is read from the
        standard input, which is no file.

    Raises
    ------
    OutputError
        If two of them are one file, under whatever names and links.
    """
    sources = [(name, path) for name, path in read.items() if path is not None and os.fspath(path) != STDIN]
    outputs = [(name, path) for name, path in written.items() if path is not None]
    pairs = chain(
        ((output, source) for output in outputs for source in sources),
        ((second, first) for first, second in combinations(outputs, 2)),
    )
    for (name, path), (other, place) in pairs:
        if _are_one(path, place):
            raise OutputError(f"{name} {path} is the same file as {other} {place}: name another", path=os.fspath(path))


def _are_one(path: Place, other: Place) -> bool:
    try:
        one, two = Path(path).stat(), Path(other).stat()
    except OSError:  # one of them is still to be made, or cannot be reached, which whoever opens it says
        return os.path.realpath(path) == os.path.realpath(other)
    # What is no regular file, such as /dev/null, has nothing that could be overwritten.
    return os.path.samestat(one, two) and stat.S_ISREG(one.st_mode)
