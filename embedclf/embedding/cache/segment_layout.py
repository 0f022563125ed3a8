"""The layout of a segment's file: the bytes that joblib writes around its arrays, and the numbers in them.

For arrays of given shapes exactly one byte sequence is valid. So the numbers of a file (rows, columns, tokens) are
parsed, the sequence is composed from them, and any file that differs from it is rejected. Nothing in a file is
executed, and nothing larger than the file is allocated.
"""

from typing import BinaryIO, NamedTuple

from embedclf.embedding.cache.keys import KEY

FORMAT = 2
WITHOUT_CHECKSUMS = 1
_PREFIXES = (256, 512, 1_024, 2_048)
# An upper bound of the bytes before, between and after the arrays.
_MAX_AROUND = 512

# The pickle around the arrays. The first array defines objects that the others refer to.
_PROTOCOL = b"\x80\x04"
_PROTOCOL_5 = b"\x80\x05"  # in format 1 segments written by Python 3.14
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
    """A file is damaged or is not a segment."""


class NewerFormatError(ValueError):
    """A segment was written by a later version."""


class Numbers(NamedTuple):
    """The numbers that determine a segment's layout."""

    format: int
    n_rows: int
    n_columns: int
    n_tokens: int


class Layout:
    """The offsets of a segment's arrays, and the bytes around them.

    Attributes
    ----------
    numbers : Numbers
        The numbers that determine it.
    around : list of (int, bytes)
        The offsets and contents of everything but the arrays.
    keys_at, vectors_at : int
        Offsets of the arrays.
    checksums_at : int or None
        None in a format without checksums.
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

    def _array(self, content: bytes, n_bytes: int) -> int:
        """Add an array and the bytes before it; return the array's offset."""
        start = b"" if self.around else _PROTOCOL
        before = start + _framed(content)
        # Pad as joblib does: the first byte is the number of padding bytes that follow.
        padding = _ALIGNMENT - (self.n_bytes + len(before) + 1) % _ALIGNMENT
        self._add(before + bytes([padding]) + b"\xff" * padding)
        place = self.n_bytes
        self.n_bytes += n_bytes
        return place

    def _add(self, piece: bytes) -> None:
        self.around.append((self.n_bytes, piece))
        self.n_bytes += len(piece)


def checked_lengths(n_columns: int) -> tuple[int, ...]:
    """Return the lengths of the vector prefixes that have checksums, ending with the whole length."""
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
        Size of the file in bytes.

    Raises
    ------
    SegmentError
        If the bytes around the arrays differ from those that `write_segment` or format 1 would write.
    NewerFormatError
        If a later version wrote the file.
    """
    try:
        numbers = _parse(file, size)
    except IndexError:
        raise SegmentError("it is cut off") from None
    layout = Layout(*numbers)
    if layout.n_bytes != size:
        raise SegmentError("it is cut off or damaged")
    for place, piece in layout.around:
        found = read_at(file, place, len(piece))
        if place == 0 and numbers.format == WITHOUT_CHECKSUMS and found.startswith(_PROTOCOL_5):
            found = _PROTOCOL + found[len(_PROTOCOL_5) :]
        if found != piece:
            raise SegmentError("it is damaged")
    return layout


def _parse(file: BinaryIO, size: int) -> Numbers:
    """Parse the format, rows, columns and tokens of a segment, each at its fixed position.

    Raises
    ------
    IndexError
        If the file ends too early.
    """
    head = read_at(file, 0, _MAX_AROUND)
    at = len(_PROTOCOL) + _FRAME_BYTES
    if not head[at:].startswith(_BEGIN):
        raise SegmentError("it is not a cache segment")
    at += len(_BEGIN)
    number = head[at]
    if number > FORMAT:
        raise NewerFormatError(f"it has format {number}, written by a later version")
    n_rows, at = _parsed(head, at + 1 + len(_FIRST_ARRAY))
    if not 0 < n_rows <= size // KEY.itemsize:
        raise SegmentError("its number of rows does not match its size")
    # The lengths up to here depend only on numbers that have been parsed.
    shortest = Layout(number, n_rows, 1, 0)
    at = shortest.keys_at + n_rows * KEY.itemsize
    if number != WITHOUT_CHECKSUMS:
        piece = read_at(file, at, _MAX_AROUND)
        n_checksums, end = _parsed(piece, _FRAME_BYTES + len(_CHECKSUMS) + len(_ARRAY) + len(_number(n_rows + 1)))
        end += len(_TYPE) + len(b"h\x15") + len(_END)
        at += end + 1 + piece[end] + (n_rows + 1) * max(n_checksums, 0) * 8
    piece = read_at(file, at, _MAX_AROUND)
    n_columns, end = _parsed(piece, _FRAME_BYTES + len(_VECTORS) + len(_ARRAY) + len(_number(n_rows)))
    if not 0 < n_columns <= size // n_rows // 4:
        raise SegmentError("its number of columns does not match its size")
    last = Layout(number, n_rows, n_columns, 0).around[-1][0]
    n_tokens, _ = _parsed(read_at(file, last, _MAX_AROUND), _FRAME_BYTES + _TOKENS.index(b"%"))
    if n_tokens < 0:
        raise SegmentError("it is damaged")
    return Numbers(number, n_rows, n_columns, n_tokens)


def read_at(file: BinaryIO, place: int, size: int) -> bytes:
    """Read up to `size` bytes of a file from an offset."""
    file.seek(place)
    return file.read(size)


def _framed(content: bytes) -> bytes:
    return _FRAME + len(content).to_bytes(8, "little") + content


def _number(value: int) -> bytes:
    """Encode a number as pickle does."""
    if value <= 0xFF:
        return b"K" + value.to_bytes(1, "little")
    if value <= 0xFFFF:
        return b"M" + value.to_bytes(2, "little")
    if value <= 0x7FFFFFFF:
        return b"J" + value.to_bytes(4, "little")
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little")


def _parsed(data: bytes, at: int) -> tuple[int, int]:
    """Decode a number of a pickle; return it and the offset of its end."""
    kind, at = data[at], at + 1
    if kind == 0x8A:
        size, at = data[at], at + 1
    else:
        size = {ord("K"): 1, ord("M"): 2, ord("J"): 4}.get(kind, 0)
    if not 0 < size <= 8 or at + size > len(data):
        raise SegmentError("it is damaged")
    return int.from_bytes(data[at : at + size], "little", signed=size > 2), at + size
