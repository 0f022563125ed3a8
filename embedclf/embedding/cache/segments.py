"""A segment: one file of vectors with their keys and checksums, byte for byte as ``joblib.dump`` would write it.

``joblib.load`` reads such a file, but here it is never unpickled. Around arrays of given shapes there is only one
sequence of bytes that belongs to us, so the numbers in it (rows, columns, tokens) are parsed, the sequence is composed
again from them, and a file that differs from it is refused: nothing in a file is executed, and nothing is allocated
beyond the file's own size.

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

Keys = npt.NDArray[np.void]
Rows = npt.NDArray[np.intp]
Checksums = npt.NDArray[np.uint64]

KEY = np.dtype([("high", "<u8"), ("low", "<u8")])
FORMAT = 2
_WITHOUT_CHECKSUMS = 1
_PREFIXES = (256, 512, 1_024, 2_048)
# Vectors have unit length.
_TOLERANCE = 1e-3
# What is checked or copied at once: it should fit into the processor's second cache.
_BLOCK_BYTES = 2**19
# More than what stands before, between or after the arrays.
_MOST_AROUND = 512

# What the pickle says around the arrays. The first array spells out what the others refer to.
_PROTOCOL = b"\x80\x04"
_PROTOCOL_5 = b"\x80\x05"  # of segments of format 1 that were written under Python 3.14
_FRAME = b"\x95"
_FRAME_BYTES = len(_FRAME) + 8
_BEGIN = b"}\x94(\x8c\x08embedclf\x94K"
_FIRST_ARRAY = (
    b"\x8c\x04keys\x94\x8c\x13joblib.numpy_pickle\x94\x8c\x11NumpyArrayWrapper\x94\x93\x94)\x81\x94}\x94("
    b"\x8c\x08subclass\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94\x8c\x05shape\x94"
)
_FIRST_TYPE = b"\x86\x94\x8c\x05order\x94\x8c\x01C\x94\x8c\x05dtype\x94h\t\x8c\x05dtype\x94\x93\x94\x8c\x02u8"
_LITTLE_ENDIAN = b"\x94\x89\x88\x87\x94R\x94(K\x03%bNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94b"
_FIRST_END = b"\x8c\nallow_mmap\x94\x88\x8c\x1bnumpy_array_alignment_bytes\x94K\x10ub"
_CHECKSUMS = b"\x8c\tchecksums"
_VECTORS = b"\x8c\x07vectors"
_ARRAY = b"\x94h\x05)\x81\x94}\x94(h\x08h\x0bh\x0c"
_TYPE = b"\x86\x94h\x0eh\x0fh\x10"
_END = b"h\x18\x88h\x19K\x10ub"
_TOKENS = b"\x8c\x06tokens\x94%bu."
_ALIGNMENT = 16


class SegmentError(ValueError):
    """A file is damaged, or is no segment."""


class NewerFormatError(ValueError):
    """A segment was written by a later version."""


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
        layout = _Layout(self.format, self.n_rows, self.n_columns, self.n_tokens)
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
        """Tell of some rows whether their checksums are those that are noted."""
        if 2 * len(rows) >= self.n_rows and _checksum_of_all(self.keys, vectors) == noted[-1]:
            return np.ones(len(rows), dtype=bool)
        intact = np.empty(len(rows), dtype=bool)
        for few in _blocks(len(rows), vectors.shape[1]):
            chosen = rows[few]
            intact[few] = _checksums(self.keys[chosen], _taken(vectors, chosen)) == noted[chosen]
        return intact


class _Layout:
    """Where everything is in a segment, and the bytes around its arrays.

    Attributes
    ----------
    around : list of (int, bytes)
        What stands between the arrays, and where.
    keys_at, vectors_at : int
    checksums_at : int or None
        None in a format without them.
    n_bytes : int
        Size of the file.
    """

    def __init__(self, number: int, n_rows: int, n_columns: int, n_tokens: int) -> None:
        self.around: list[tuple[int, bytes]] = []
        self.n_bytes = 0
        rows = _number(n_rows)
        unsigned = _FIRST_TYPE + _LITTLE_ENDIAN % b"\x8c\x01<\x94"
        keys = _BEGIN + bytes([number]) + _FIRST_ARRAY + rows + _number(2) + unsigned + _FIRST_END
        self.keys_at = self._array(keys, n_rows * KEY.itemsize)
        self.checksums_at: int | None = None
        if number != _WITHOUT_CHECKSUMS:
            n_checksums = len(checked_lengths(n_columns))
            checksums = _CHECKSUMS + _ARRAY + _number(n_rows + 1) + _number(n_checksums) + _TYPE + b"h\x15" + _END
            self.checksums_at = self._array(checksums, (n_rows + 1) * n_checksums * 8)
        floats = b"h\x12\x8c\x02f4" + _LITTLE_ENDIAN % b"h\x16"
        vectors = _VECTORS + _ARRAY + rows + _number(n_columns) + _TYPE + floats + _END
        self.vectors_at = self._array(vectors, n_rows * n_columns * 4)
        self._add(_framed(_TOKENS % _number(n_tokens)))

    def _array(self, said: bytes, n_bytes: int) -> int:
        """Add what precedes an array, and then its place; returns where that is."""
        start = b"" if self.around else _PROTOCOL
        before = start + _framed(said)
        # As joblib pads: at least one byte, the first of which says how many follow.
        padding = _ALIGNMENT - (self.n_bytes + len(before) + 1) % _ALIGNMENT
        self._add(before + bytes([padding]) + b"\xff" * padding)
        place = self.n_bytes
        self.n_bytes += n_bytes
        return place

    def _add(self, piece: bytes) -> None:
        self.around.append((self.n_bytes, piece))
        self.n_bytes += len(piece)


def checked_lengths(n_columns: int) -> tuple[int, ...]:
    """Return the lengths of the prefixes of a vector that have a checksum, the whole length last."""
    return *(length for length in _PREFIXES if length < n_columns), n_columns


def segment_bytes(number: int, n_rows: int, n_columns: int, n_tokens: int) -> int:
    """Return the size in bytes of a segment of a format."""
    return _Layout(number, n_rows, n_columns, n_tokens).n_bytes


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
    layout = _Layout(FORMAT, n_rows, n_columns, n_tokens)
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
        try:
            number, n_rows, n_columns, n_tokens = _numbers(file, status.st_size)
        except IndexError:
            raise SegmentError("it is cut short") from None
        layout = _Layout(number, n_rows, n_columns, n_tokens)
        if layout.n_bytes != status.st_size:
            raise SegmentError("it is cut short, or damaged")
        for place, piece in layout.around:
            found = _read_at(file, place, len(piece))
            if place == 0 and number == _WITHOUT_CHECKSUMS and found.startswith(_PROTOCOL_5):
                found = _PROTOCOL + found[len(_PROTOCOL_5) :]
            if found != piece:
                raise SegmentError("it is damaged")
        keys = np.frombuffer(_read_at(file, layout.keys_at, n_rows * KEY.itemsize), KEY)
    return Segment(path, keys, n_columns, n_tokens, number, status.st_size, status.st_mtime_ns)


def _numbers(file: BinaryIO, size: int) -> tuple[int, int, int, int]:
    """Parse the format, rows, columns and tokens of a segment, each at the place where it must be.

    Raises
    ------
    IndexError
        If the file ends too early.
    """
    head = _read_at(file, 0, _MOST_AROUND)
    at = len(_PROTOCOL) + _FRAME_BYTES
    if not head[at:].startswith(_BEGIN):
        raise SegmentError("it is not a segment of this cache")
    at += len(_BEGIN)
    number = head[at]
    if number > FORMAT:
        raise NewerFormatError(f"it is of format {number}, which a later version wrote")
    n_rows, at = _parsed(head, at + 1 + len(_FIRST_ARRAY))
    if not 0 < n_rows <= size // KEY.itemsize:
        raise SegmentError("its numbers of rows and bytes do not fit together")
    # The length of a piece depends on no number that has not been parsed yet.
    shortest = _Layout(number, n_rows, 1, 0)
    at = shortest.keys_at + n_rows * KEY.itemsize
    if number != _WITHOUT_CHECKSUMS:
        piece = _read_at(file, at, _MOST_AROUND)
        n_checksums, end = _parsed(piece, _FRAME_BYTES + len(_CHECKSUMS) + len(_ARRAY) + len(_number(n_rows + 1)))
        end += len(_TYPE) + len(b"h\x15") + len(_END)
        at += end + 1 + piece[end] + (n_rows + 1) * max(n_checksums, 0) * 8
    piece = _read_at(file, at, _MOST_AROUND)
    n_columns, end = _parsed(piece, _FRAME_BYTES + len(_VECTORS) + len(_ARRAY) + len(_number(n_rows)))
    if not 0 < n_columns <= size // n_rows // 4:
        raise SegmentError("its numbers of columns and bytes do not fit together")
    last = _Layout(number, n_rows, n_columns, 0).around[-1][0]
    n_tokens, _ = _parsed(_read_at(file, last, _MOST_AROUND), _FRAME_BYTES + _TOKENS.index(b"%"))
    if n_tokens < 0:
        raise SegmentError("it is damaged")
    return number, n_rows, n_columns, n_tokens


def _read_at(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)


def _framed(said: bytes) -> bytes:
    return _FRAME + len(said).to_bytes(8, "little") + said


def _number(value: int) -> bytes:
    """Write a number as a pickle does."""
    if value <= 0xFF:
        return b"K" + value.to_bytes(1, "little")
    if value <= 0xFFFF:
        return b"M" + value.to_bytes(2, "little")
    if value <= 0x7FFFFFFF:
        return b"J" + value.to_bytes(4, "little")
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little")


def _parsed(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of a pickle; returns it and where it ends."""
    kind, at = data[at], at + 1
    if kind == 0x8A:
        size, at = data[at], at + 1
    else:
        size = {ord("K"): 1, ord("M"): 2, ord("J"): 4}.get(kind, 0)
    if not 0 < size <= 8 or at + size > len(data):
        raise SegmentError("it is damaged")
    return int.from_bytes(data[at : at + size], "little", signed=size > 2), at + size


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
