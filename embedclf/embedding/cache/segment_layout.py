"""What a segment's file looks like: the bytes that joblib writes around its arrays, and the numbers in them.

Around arrays of given shapes there is only one sequence of bytes that belongs to us, so the numbers in a file (rows,
columns, tokens) are parsed, the sequence is composed again from them, and a file that differs from it is refused:
nothing in a file is executed, and nothing is allocated beyond the file's own size.
"""

from typing import BinaryIO, NamedTuple

from embedclf.embedding.cache.keys import KEY

FORMAT = 2
WITHOUT_CHECKSUMS = 1
_PREFIXES = (256, 512, 1_024, 2_048)
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


class Numbers(NamedTuple):
    """The numbers of a segment, from which its layout follows."""

    format: int
    n_rows: int
    n_columns: int
    n_tokens: int


class Layout:
    """Where everything is in a segment, and the bytes around its arrays.

    Attributes
    ----------
    numbers : Numbers
        What it follows from.
    around : list of (int, bytes)
        What stands between the arrays, and where.
    keys_at, vectors_at : int
    checksums_at : int or None
        None in a format without them.
    n_bytes : int
        Size of the file.
    """

    def __init__(self, number: int, n_rows: int, n_columns: int, n_tokens: int) -> None:
        self.numbers = Numbers(number, n_rows, n_columns, n_tokens)
        self.around: list[tuple[int, bytes]] = []
        self.n_bytes = 0
        rows = _number(n_rows)
        unsigned = _FIRST_TYPE + _LITTLE_ENDIAN % b"\x8c\x01<\x94"
        keys = _BEGIN + bytes([number]) + _FIRST_ARRAY + rows + _number(2) + unsigned + _FIRST_END
        self.keys_at = self._array(keys, n_rows * KEY.itemsize)
        self.checksums_at: int | None = None
        if number != WITHOUT_CHECKSUMS:
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
    return Layout(number, n_rows, n_columns, n_tokens).n_bytes


def read_layout(file: BinaryIO, size: int) -> Layout:
    """Read the numbers of a segment's file, and check every byte around its arrays.

    Parameters
    ----------
    file : binary file
    size : int
        Its bytes.

    Raises
    ------
    SegmentError
        If it is not, byte for byte, what `write_segment`, or format 1, puts around its arrays.
    NewerFormatError
    """
    try:
        numbers = _parse(file, size)
    except IndexError:
        raise SegmentError("it is cut short") from None
    layout = Layout(*numbers)
    if layout.n_bytes != size:
        raise SegmentError("it is cut short, or damaged")
    for place, piece in layout.around:
        found = read_at(file, place, len(piece))
        if place == 0 and numbers.format == WITHOUT_CHECKSUMS and found.startswith(_PROTOCOL_5):
            found = _PROTOCOL + found[len(_PROTOCOL_5) :]
        if found != piece:
            raise SegmentError("it is damaged")
    return layout


def _parse(file: BinaryIO, size: int) -> Numbers:
    """Parse the format, rows, columns and tokens of a segment, each at the place where it must be.

    Raises
    ------
    IndexError
        If the file ends too early.
    """
    head = read_at(file, 0, _MOST_AROUND)
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
    shortest = Layout(number, n_rows, 1, 0)
    at = shortest.keys_at + n_rows * KEY.itemsize
    if number != WITHOUT_CHECKSUMS:
        piece = read_at(file, at, _MOST_AROUND)
        n_checksums, end = _parsed(piece, _FRAME_BYTES + len(_CHECKSUMS) + len(_ARRAY) + len(_number(n_rows + 1)))
        end += len(_TYPE) + len(b"h\x15") + len(_END)
        at += end + 1 + piece[end] + (n_rows + 1) * max(n_checksums, 0) * 8
    piece = read_at(file, at, _MOST_AROUND)
    n_columns, end = _parsed(piece, _FRAME_BYTES + len(_VECTORS) + len(_ARRAY) + len(_number(n_rows)))
    if not 0 < n_columns <= size // n_rows // 4:
        raise SegmentError("its numbers of columns and bytes do not fit together")
    last = Layout(number, n_rows, n_columns, 0).around[-1][0]
    n_tokens, _ = _parsed(read_at(file, last, _MOST_AROUND), _FRAME_BYTES + _TOKENS.index(b"%"))
    if n_tokens < 0:
        raise SegmentError("it is damaged")
    return Numbers(number, n_rows, n_columns, n_tokens)


def read_at(file: BinaryIO, place: int, size: int) -> bytes:
    """Read some bytes of a file at a place; fewer where it ends."""
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
