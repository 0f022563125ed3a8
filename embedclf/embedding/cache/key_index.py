"""An index file with the keys of many segments and their sort order, so that a large cache opens quickly.

It is redundant: a process that finds many segments missing from it reads those and rewrites it. An entry is used only
if the segment's size and modification time still match, and an index with a wrong checksum is ignored. It contains
plain numbers and JSON, no pickle.
"""

import contextlib
import json
import os
import stat
from collections.abc import Collection, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.data.atomic_file import AtomicFile
from embedclf.data.plain_file import read_plain
from embedclf.embedding.cache.keys import KEY, Keys, as_numbers, joined
from embedclf.embedding.cache.segment_layout import FORMAT as SEGMENT_FORMAT
from embedclf.embedding.cache.segment_layout import segment_bytes
from embedclf.embedding.cache.segments import Segment
from embedclf.errors import OutputError

NAME = "keys.index"
_FORMAT = 2
_DIGEST_BYTES = 16

Order = npt.NDArray[np.intp]


class _Entry(NamedTuple):
    """A segment's entry: its name, size and modification time, and the numbers that determine its layout."""

    name: str
    n_bytes: int
    written_ns: int
    n_rows: int
    n_columns: int
    n_tokens: int
    format: int


class Indexed(NamedTuple):
    """The usable contents of an index.

    Attributes
    ----------
    segments : dict of str to Segment
        By name.
    order : ndarray of shape (n,) or None
        Indices that sort their keys by the first half; None if some segments of the index no longer exist.
    """

    segments: dict[str, Segment]
    order: Order | None


def write(folder: Path, segments: Sequence[Segment], order: Order) -> None:
    """Write the index of a folder.

    Parameters
    ----------
    folder : Path
    segments : sequence of Segment
    order : ndarray of shape (n,)
        Indices that sort all their keys by the first half.

    Raises
    ------
    OutputError
        If the index cannot be written.
    """
    path = folder / NAME
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise OutputError(f"cannot write {path}: not a regular file", path=str(path))
    entries = [
        _Entry(one.path.name, one.n_bytes, one.written_ns, one.n_rows, one.n_columns, one.n_tokens, one.format)
        for one in segments
    ]
    about = json.dumps({"embedclf_index": _FORMAT, "segments": entries}).encode() + b"\n"
    keys = np.ascontiguousarray(as_numbers(joined([one.keys for one in segments])), dtype="<u8")
    parts = [about, keys.tobytes(), order.astype("<u4").tobytes()]
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    with AtomicFile(path) as file:
        for part in [digest.digest(), *parts]:
            file.write(part)


def read(folder: Path, names: Collection[str]) -> Indexed:
    """Read the index of a folder, skipping segments that have changed.

    Parameters
    ----------
    folder : Path
    names : collection of str
        The names of the segments in the folder.

    Returns
    -------
    Indexed
        Without segments if there is no intact index.
    """
    content = _read_content(folder)
    if content is None:
        return Indexed({}, None)
    entries, keys, order = content
    segments: dict[str, Segment] = {}
    start = 0
    for one in entries:
        own = keys[start : start + one.n_rows]
        start += one.n_rows
        if one.name not in names:
            continue
        path = folder / one.name
        with contextlib.suppress(OSError):
            status = path.lstat()
            if (status.st_size, status.st_mtime_ns) == (one.n_bytes, one.written_ns):
                segments[one.name] = Segment(
                    path, own, one.n_columns, one.n_tokens, one.format, one.n_bytes, one.written_ns
                )
    return Indexed(segments, order.astype(np.intp) if len(segments) == len(entries) else None)


def _read_content(folder: Path) -> tuple[list[_Entry], Keys, npt.NDArray[np.uint32]] | None:
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
        entries = [_Entry(*one) for one in about["segments"]]
        if not all(map(_is_possible, entries)):
            return None
        n_rows = sum(one.n_rows for one in entries)
        keys = np.frombuffer(body, dtype=KEY, count=n_rows, offset=end)
        order = np.frombuffer(body, dtype="<u4", offset=end + n_rows * KEY.itemsize)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    whole = len(order) == n_rows and (not n_rows or int(order.max()) < n_rows)
    return (entries, keys, order) if whole else None


def _is_possible(one: _Entry) -> bool:
    if not isinstance(one.name, str) or any(type(number) is not int for number in one[1:]):
        return False
    # Checked first, since `segment_bytes` fails for larger numbers.
    numbers_fit = 0 < one.format <= SEGMENT_FORMAT and 0 <= one.n_tokens < 2**63
    if not numbers_fit or min(one.n_rows, one.n_columns) < 1 or max(one.n_rows, one.n_columns) > one.n_bytes:
        return False
    return one.n_bytes < 2**60 and one.n_bytes == segment_bytes(one.format, one.n_rows, one.n_columns, one.n_tokens)
