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

from embedclf.data.atomic_file import AtomicFile
from embedclf.data.plain_file import read_plain
from embedclf.embedding.cache.segments import FORMAT as SEGMENT_FORMAT
from embedclf.embedding.cache.segments import segment_bytes
from embedclf.errors import OutputError

NAME = "keys.index"
_FORMAT = 2
_DIGEST_BYTES = 16
_KEY_BYTES = 16


class IndexedSegment(NamedTuple):
    """What is known of a segment: its file's name, size and time, and the numbers from which the rest follows."""

    name: str
    n_bytes: int
    written_ns: int
    n_rows: int
    n_columns: int
    n_tokens: int
    format: int


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
        content = read_plain(folder / NAME)
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
        if not all(map(_is_possible, segments)):
            return None
        n_rows = sum(one.n_rows for one in segments)
        keys = np.frombuffer(body, dtype="<u8", count=2 * n_rows, offset=end).reshape(-1, 2)
        order = np.frombuffer(body, dtype="<u4", offset=end + n_rows * _KEY_BYTES)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    whole = len(order) == n_rows and (not n_rows or int(order.max()) < n_rows)
    return KeyIndex(segments, keys, order) if whole else None


def _is_possible(one: IndexedSegment) -> bool:
    if not isinstance(one.name, str) or any(type(number) is not int for number in one[1:]):
        return False
    # Bounded first: what follows from larger numbers could not be written as bytes.
    numbers_fit = 0 < one.format <= SEGMENT_FORMAT and 0 <= one.n_tokens < 2**63
    if not numbers_fit or min(one.n_rows, one.n_columns) < 1 or max(one.n_rows, one.n_columns) > one.n_bytes:
        return False
    return one.n_bytes < 2**60 and one.n_bytes == segment_bytes(one.format, one.n_rows, one.n_columns, one.n_tokens)
