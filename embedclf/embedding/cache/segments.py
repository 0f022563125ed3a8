"""A segment: one file of vectors with their keys and checksums, byte for byte as ``joblib.dump`` would write it.

``joblib.load`` reads such a file, but here it is never unpickled: see `segment_layout`.

Each row has checksums of its vector, tied to its key: of the whole vector, and of the prefixes that are likely to be
read alone, so that reading 256 of 3,072 columns need not touch the others. Below them stand those of all rows together,
which are faster to check where most of a segment is read. Segments of format 1 have no checksums. Their rows are
checked for unit length instead, and get checksums when they are rewritten.
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
# What is checked or copied at once: it should fit into the processor's second cache.
_BLOCK_BYTES = 2**19


class Segment(NamedTuple):
    """A segment on disk. It is not kept open: each open file takes a file descriptor.

    Attributes
    ----------
    path : Path
    keys : ndarray of shape (n_rows,)
    n_columns : int
    n_tokens : int
        What its vectors cost.
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
        """How many vectors it holds."""
        return len(self.keys)

    def copy_rows(self, rows: Rows, out: Vectors, places: Rows) -> npt.NDArray[np.bool_]:
        """Copy some of its vectors, or as many of their columns as fit, to places in an array.

        Parameters
        ----------
        rows : ndarray of shape (n,)
        out : ndarray of shape (n_places, n_columns), float32
        places : ndarray of shape (n,)

        Returns
        -------
        ndarray of shape (n,), bool
            Which are intact. The others have been copied, too.

        Raises
        ------
        OSError, ValueError
            If the file is gone, or is not what it was.
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
            noted = np.frombuffer(content, "<u8", n_checksums, layout.checksums_at).reshape(-1, len(lengths))
            intact = self._intact(vectors[:, : lengths[column]], noted[:, column], rows)
        for few in _blocks(len(rows), n_columns):
            _put(_taken(vectors[:, :n_columns], rows[few]), out, places[few])
        return intact

    def _of_unit_length(self, vectors: Vectors, rows: Rows) -> npt.NDArray[np.bool_]:
        squares = np.empty(len(rows), dtype=np.float32)
        for few in _blocks(len(rows), vectors.shape[1]):
            block = _taken(vectors, rows[few])
            np.einsum("ij,ij->i", block, block, out=squares[few])
        intact = (squares > 0) & (squares < 1 + _TOLERANCE)
        if vectors.shape[1] == self.n_columns:
            intact &= squares > 1 - _TOLERANCE
        return intact

    def _intact(self, vectors: Vectors, noted: Checksums, rows: Rows) -> npt.NDArray[np.bool_]:
        """Return whether the checksums of some rows are those that are noted: (n,)."""
        if 2 * len(rows) >= self.n_rows and _checksum_of_all(self.keys, vectors) == noted[-1]:
            return np.ones(len(rows), dtype=bool)
        intact = np.empty(len(rows), dtype=bool)
        for few in _blocks(len(rows), vectors.shape[1]):
            chosen = rows[few]
            intact[few] = _checksums(self.keys[chosen], _taken(vectors, chosen)) == noted[chosen]
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
        What they cost.
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
    """Read a segment's keys and numbers. Its vectors stay on the disk.

    Raises
    ------
    SegmentError
        If it is not, byte for byte, what `write_segment`, or format 1, puts around its arrays.
    NewerFormatError
    OSError
        If it cannot be read.
    """
    with os.fdopen(open_plain(path), "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        layout = read_layout(file, status.st_size)
        number, n_rows, n_columns, n_tokens = layout.numbers
        keys = np.frombuffer(read_at(file, layout.keys_at, n_rows * KEY.itemsize), KEY)
    return Segment(path, keys, n_columns, n_tokens, number, status.st_size, status.st_mtime_ns)


def _checksums(keys: Keys, vectors: Vectors) -> Checksums:
    """Return a checksum of each vector, (n,), that no other key's vector has."""
    sums = np.fromiter(map(xxh3_64_intdigest, vectors), dtype=np.uint64, count=len(vectors))
    return sums ^ keys["high"] ^ keys["low"]  # type: ignore[no-any-return]


def _checksum_of_all(keys: Keys, vectors: Vectors) -> int:
    """Return a checksum of all vectors and keys, in their order."""
    checksum = xxh3_64(keys.tobytes())
    for few in _blocks(len(keys), vectors.shape[1]):
        checksum.update(np.ascontiguousarray(vectors[few]).data)
    return checksum.intdigest()


def _blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    size = max(1, _BLOCK_BYTES // (4 * n_columns))
    for start in range(0, n_rows, size):
        yield slice(start, start + size)


def _taken(vectors: Vectors, rows: Rows) -> Vectors:
    """``vectors[rows]``, without a copy where the rows follow each other."""
    return vectors[rows[0] : rows[0] + len(rows)] if _is_run(rows) else vectors[rows]


def _put(block: Vectors, out: Vectors, places: Rows) -> None:
    """``out[places] = block``, as one copy where the places follow each other."""
    if _is_run(places):
        out[places[0] : places[0] + len(places)] = block
    else:
        out[places] = block


def _is_run(numbers: Rows) -> bool:
    return bool(numbers[-1] - numbers[0] == len(numbers) - 1 and (np.diff(numbers) == 1).all())
