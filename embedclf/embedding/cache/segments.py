"""Segments: files of vectors with their keys and checksums, byte for byte as ``joblib.dump`` would write them.

``joblib.load`` can read such a file, but this module never unpickles it: see `segment_layout`.

Each row has checksums that cover its key and its vector: one for the whole vector, and one for each prefix that is
likely to be read alone, so that reading 256 of 3,072 columns need not touch the others. A last row of checksums covers
all rows together, which is faster to check when most of a segment is read. Segments of format 1 have no checksums:
their rows are checked for unit length instead, and get checksums when they are rewritten.
"""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64, xxh3_64_intdigest

from embedclf.arrays import Vectors
from embedclf.data.plain_file import open_plain
from embedclf.embedding.cache.keys import KEY, Keys
from embedclf.embedding.cache.segment_layout import (
    FORMAT,
    Layout,
    SegmentError,
    checked_lengths,
    read_at,
    read_layout,
)

Rows = npt.NDArray[np.intp]
Checksums = npt.NDArray[np.uint64]

# Vectors have unit length.
_TOLERANCE = 1e-3
# Checked or copied at once; it should fit into the processor's L2 cache.
_BLOCK_BYTES = 2**19


class Segment(NamedTuple):
    """A segment on disk. The file is not kept open, to save file descriptors.

    Attributes
    ----------
    path : Path
    keys : ndarray of shape (n_rows,)
    n_columns : int
    n_tokens : int
        Tokens billed for its vectors.
    format : int
    n_bytes : int
        Size of the file.
    written_ns : int
        When it was written, in nanoseconds since 1970.
    """

    path: Path
    keys: Keys
    n_columns: int
    n_tokens: int
    format: int
    n_bytes: int
    written_ns: int

    @property
    def n_rows(self) -> int:
        """The number of vectors."""
        return len(self.keys)

    def copy_rows(self, rows: Rows, out: Vectors, places: Rows) -> npt.NDArray[np.bool_]:
        """Copy vectors, or as many of their columns as `out` has, into rows of an array.

        Parameters
        ----------
        rows : ndarray of shape (n,)
            Which vectors to copy.
        out : ndarray of shape (n_places, n_columns), float32
        places : ndarray of shape (n,)
            The rows of `out` to copy them to.

        Returns
        -------
        ndarray of shape (n,), bool
            Which vectors are intact. Damaged ones are copied, too.

        Raises
        ------
        OSError, ValueError
            If the file no longer exists or has changed.
        """
        layout = Layout(self.format, self.n_rows, self.n_columns, self.n_tokens)
        with os.fdopen(open_plain(self.path), "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size != layout.n_bytes:
                raise SegmentError("its size has changed")
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        shape = (self.n_rows, self.n_columns)
        vectors = np.frombuffer(content, "<f4", self.n_rows * self.n_columns, layout.vectors_at).reshape(shape)
        n_columns = out.shape[1]
        if layout.checksums_at is None:
            intact = self._of_unit_length(vectors[:, :n_columns], rows)
        else:
            lengths = checked_lengths(self.n_columns)
            column = next(column for column, length in enumerate(lengths) if length >= n_columns)
            n_checksums = (self.n_rows + 1) * len(lengths)
            stored = np.frombuffer(content, "<u8", n_checksums, layout.checksums_at).reshape(-1, len(lengths))
            intact = self._intact(vectors[:, : lengths[column]], stored[:, column], rows)
        for few in _blocks(len(rows), n_columns):
            _put(_take(vectors[:, :n_columns], rows[few]), out, places[few])
        return intact

    def _of_unit_length(self, vectors: Vectors, rows: Rows) -> npt.NDArray[np.bool_]:
        squares = np.empty(len(rows), dtype=np.float32)
        for few in _blocks(len(rows), vectors.shape[1]):
            block = _take(vectors, rows[few])
            np.einsum("ij,ij->i", block, block, out=squares[few])
        intact = (squares > 0) & (squares < 1 + _TOLERANCE)
        if vectors.shape[1] == self.n_columns:
            intact &= squares > 1 - _TOLERANCE
        return intact

    def _intact(self, vectors: Vectors, stored: Checksums, rows: Rows) -> npt.NDArray[np.bool_]:
        """Return which rows match their stored checksums: (n,), bool."""
        if 2 * len(rows) >= self.n_rows and _checksum_of_all(self.keys, vectors) == stored[-1]:
            return np.ones(len(rows), dtype=bool)
        intact = np.empty(len(rows), dtype=bool)
        for few in _blocks(len(rows), vectors.shape[1]):
            chosen = rows[few]
            intact[few] = _checksums(self.keys[chosen], _take(vectors, chosen)) == stored[chosen]
        return intact


def write_segment(file: BinaryIO, keys: Keys, vectors: Vectors, n_tokens: int) -> None:
    """Write a segment.

    Parameters
    ----------
    file : binary file
    keys : ndarray of shape (n,)
    vectors : ndarray of shape (n, n_columns), float32
        Of unit length.
    n_tokens : int
        Tokens billed for them.
    """
    vectors = np.ascontiguousarray(vectors, dtype="<f4")
    n_rows, n_columns = vectors.shape
    layout = Layout(FORMAT, n_rows, n_columns, n_tokens)
    checksums = np.empty((n_rows + 1, len(checked_lengths(n_columns))), dtype="<u8")
    for column, length in enumerate(checked_lengths(n_columns)):
        checksums[:-1, column] = _checksums(keys, vectors[:, :length])
        checksums[-1, column] = _checksum_of_all(keys, vectors[:, :length])
    before_keys, before_checksums, before_vectors, after = [piece for _, piece in layout.around]
    for data in (
        before_keys,
        np.ascontiguousarray(keys, dtype=KEY).tobytes(),
        before_checksums,
        checksums.data,
        before_vectors,
        vectors.data,
        after,
    ):
        file.write(data)


def read_segment(path: Path) -> Segment:
    """Read a segment's keys and numbers, but not its vectors.

    Raises
    ------
    SegmentError
        If the bytes around its arrays differ from those that `write_segment` or format 1 would write.
    NewerFormatError
        If a later version wrote the file.
    OSError
        If the file cannot be read.
    """
    with os.fdopen(open_plain(path), "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        layout = read_layout(file, status.st_size)
        number, n_rows, n_columns, n_tokens = layout.numbers
        keys = np.frombuffer(read_at(file, layout.keys_at, n_rows * KEY.itemsize), KEY)
    return Segment(path, keys, n_columns, n_tokens, number, status.st_size, status.st_mtime_ns)


def _checksums(keys: Keys, vectors: Vectors) -> Checksums:
    """Return a checksum of each vector and its key: (n,)."""
    sums = np.fromiter(map(xxh3_64_intdigest, vectors), dtype=np.uint64, count=len(vectors))
    return sums ^ keys["high"] ^ keys["low"]  # type: ignore[no-any-return]


def _checksum_of_all(keys: Keys, vectors: Vectors) -> int:
    """Return one checksum of all keys and vectors."""
    checksum = xxh3_64(keys.tobytes())
    for few in _blocks(len(keys), vectors.shape[1]):
        checksum.update(np.ascontiguousarray(vectors[few]).data)
    return checksum.intdigest()


def _blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    size = max(1, _BLOCK_BYTES // (4 * n_columns))
    for start in range(0, n_rows, size):
        yield slice(start, start + size)


def _take(vectors: Vectors, rows: Rows) -> Vectors:
    """Return ``vectors[rows]``, without a copy if the rows are consecutive."""
    return vectors[rows[0] : rows[0] + len(rows)] if _is_run(rows) else vectors[rows]


def _put(block: Vectors, out: Vectors, places: Rows) -> None:
    """Do ``out[places] = block``, with a single copy if the places are consecutive."""
    if _is_run(places):
        out[places[0] : places[0] + len(places)] = block
    else:
        out[places] = block


def _is_run(numbers: Rows) -> bool:
    return bool(numbers[-1] - numbers[0] == len(numbers) - 1 and (np.diff(numbers) == 1).all())
