"""The keys of many segments in one file, in order, so that a cache of a million vectors opens at once.

It says nothing that the segments do not say: whoever finds many that are not in it reads these, and writes it anew.
What it says of a segment is believed only while this has the size and time of then; a file that is damaged, by its
checksum, is no index. It holds plain numbers and JSON, and no pickle.
"""

import json
import os
import stat
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.atomic_file import AtomicFile
from embedclf.errors import OutputError

NAME = "keys.index"
_FORMAT = 1
_DIGEST_BYTES = 16
_KEY_BYTES = 16
# Neither waits for a named pipe nor follows a link that someone put there.
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class IndexedSegment(NamedTuple):
    """What is known of a segment: its file's name, size and time, and what lies where in it."""

    name: str
    n_bytes: int
    written_ns: int
    n_rows: int
    n_columns: int
    offset: int
    n_tokens: int


class KeyIndex(NamedTuple):
    """Segments, the keys of all their rows, two numbers each, (n, 2), and the order that sorts these, (n,)."""

    segments: list[IndexedSegment]
    keys: npt.NDArray[np.uint64]
    order: npt.NDArray[np.uint32]


def write(folder: Path, segments: Sequence[IndexedSegment], keys: npt.NDArray[np.uint64], order: npt.ArrayLike) -> None:
    """Write the index of a folder.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = folder / NAME
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise OutputError(f"cannot write {path}: it is no plain file", path=str(path))
    about = json.dumps({"embedclf_index": _FORMAT, "segments": segments}).encode() + b"\n"
    parts = [about, np.ascontiguousarray(keys, dtype="<u8").tobytes(), np.asarray(order, dtype="<u4").tobytes()]
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    with AtomicFile(path) as file:
        for part in [digest.digest(), *parts]:
            file.write(part)


def read(folder: Path) -> KeyIndex | None:
    """Read the index of a folder; None if there is none that is whole."""
    try:
        with os.fdopen(os.open(folder / NAME, os.O_RDONLY | _FLAGS), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            content = file.read()
    except (OSError, MemoryError):
        return None
    body = memoryview(content)[_DIGEST_BYTES:]
    if blake2b(body, digest_size=_DIGEST_BYTES).digest() != content[:_DIGEST_BYTES]:
        return None
    try:
        end = content.index(b"\n", _DIGEST_BYTES) + 1 - _DIGEST_BYTES
        about = json.loads(bytes(body[:end]))
        if about["embedclf_index"] != _FORMAT:
            return None
        segments = [IndexedSegment(*one) for one in about["segments"]]
        n_rows = sum(one.n_rows for one in segments)
        keys = np.frombuffer(body, dtype="<u8", count=2 * n_rows, offset=end).reshape(-1, 2)
        order = np.frombuffer(body, dtype="<u4", offset=end + n_rows * _KEY_BYTES)
    except (ValueError, KeyError, TypeError):
        return None
    whole = len(order) == n_rows and (not n_rows or int(order.max()) < n_rows)
    return KeyIndex(segments, keys, order) if whole and all(map(_is_possible, segments)) else None


def _is_possible(one: IndexedSegment) -> bool:
    numbers = one[1:]
    return (
        isinstance(one.name, str)
        and all(type(number) is int for number in numbers)
        and min(one.n_rows, one.n_columns) > 0
        and 0 <= one.offset <= one.n_bytes - one.n_rows * one.n_columns * 4
    )
