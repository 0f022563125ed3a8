"""Files compressed with gzip or Zstandard: decompressing while reading, and compressing what is written."""

import io
import os
import sys
import zlib
from pathlib import Path
from typing import Any, Literal, cast

from embedclf.data.formats import PACKED, FormatError, packed_suffix

Packing = Literal["gzip", "Zstandard"]
_GZIP: Packing = "gzip"
_ZSTANDARD: Packing = "Zstandard"

_MARKS: tuple[tuple[bytes, Packing], ...] = ((b"\x1f\x8b", _GZIP), (b"\x28\xb5\x2f\xfd", _ZSTANDARD))
_LONGEST_MARK = 4
_PIECE = 1 << 17
# With a header and a checksum of gzip around the data.
_GZIP_BITS = 31
_GZIP_LEVEL = 6
# Text is rarely compressed to a twentieth. A file that decompresses to more than this, and to so many times its size,
# is made to fill the memory (a decompression bomb).
MOST_UNPACKED = 1 << 26
MOST_RATIO = 300


def zstd_or_error() -> Any:
    """Return the module of Zstandard: of the standard library from Python 3.14 on, a package before.

    Raises
    ------
    FormatError
        If it is not installed.
    """
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise FormatError("Zstandard needs backports.zstd: pip install 'embedclf[zstd]'") from None
    return zstd


def packing_of(start: bytes) -> Packing | None:
    """Return how a file is packed, by its first bytes; None if it is not."""
    return next((packing for mark, packing in _MARKS if start.startswith(mark)), None)


def unpacked(file: io.BufferedReader) -> io.BufferedReader:
    """Return a file that has what another unpacks to; that file itself if it is not packed.

    Reading from it raises `FormatError` if it is damaged.

    Raises
    ------
    FormatError
        If it is packed with Zstandard, which is not installed.
    """
    packing = packing_of(file.peek(_LONGEST_MARK))
    return file if packing is None else io.BufferedReader(_Unpacked(file, packing), _PIECE)


class _Unpacked(io.RawIOBase):
    """What a packed file unpacks to, from one or more members (gzip) or frames (Zstandard).

    Whatever follows the last of them is left out, as gunzip does. The packed file stays open when this is closed.
    """

    def __init__(self, file: io.BufferedReader, packing: Packing) -> None:
        self._file, self._packing = file, packing
        self._zstd = zstd_or_error() if packing == _ZSTANDARD else None
        self._errors: tuple[type[Exception], ...] = (zlib.error,) if self._zstd is None else (self._zstd.ZstdError,)
        self._rest = b""
        self._n_packed = self._n_unpacked = 0
        self._unpacker: Any = None
        self._at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view):
            piece = self._next(len(view) - filled)
            if not piece:
                break
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled

    def _next(self, most: int) -> bytes:
        """Return the next bytes, as many as this at most; none at the end."""
        while not self._at_end:
            if self._unpacker is None and not self._begin():
                break
            try:
                piece = self._unpack(most)
            except self._errors as error:
                shown = str(error).rpartition(": ")[2]
                raise FormatError(f"the {self._packing} file is damaged ({shown}): get it again") from error
            self._n_unpacked += len(piece)
            if self._n_unpacked > max(MOST_UNPACKED, MOST_RATIO * self._n_packed):
                raise FormatError(
                    f"the {self._packing} file decompresses to more than {MOST_RATIO} times its size, as no file of "
                    "texts does; if it really is one, decompress it first"
                )
            if piece:
                return piece
        return b""

    def _begin(self) -> bool:
        """Begin the next member or frame, and return whether there is one."""
        while len(self._rest) < _LONGEST_MARK and (more := self._read()):
            self._rest += more
        if packing_of(self._rest) != self._packing:
            self._at_end = True
            return False
        self._unpacker = zlib.decompressobj(_GZIP_BITS) if self._zstd is None else self._zstd.ZstdDecompressor()
        return True

    def _unpack(self, most: int) -> bytes:
        unpacker = self._unpacker
        needs_more = not self._rest if self._zstd is None else not self._rest and unpacker.needs_input
        if needs_more:
            self._rest = self._read()
            if not self._rest:
                raise FormatError(f"the {self._packing} file is truncated: get it again")
        piece: bytes = unpacker.decompress(self._rest, most)
        if unpacker.eof:
            self._rest, self._unpacker = unpacker.unused_data, None
        else:
            self._rest = unpacker.unconsumed_tail if self._zstd is None else b""
        return piece

    def _read(self) -> bytes:
        read = self._file.read1(_PIECE)
        self._n_packed += len(read)
        return read


def unpacked_start(path: Path, most: int) -> bytes:
    """Return the first bytes of a file, unpacked; all if there are no more than this.

    Raises
    ------
    OSError
        If it cannot be read.
    FormatError
        If it is packed and damaged, or cannot be unpacked.
    """
    with path.open("rb") as file:
        return unpacked(file).read(most)


class Packer:
    """Packs what is written to a file, in members (gzip) or frames (Zstandard) that are complete after each `finish`.

    Equal writes make equal bytes: there is no time and no name in them.

    Parameters
    ----------
    suffix : str
        ``.gz`` or ``.zst``.

    Raises
    ------
    FormatError
        If it is Zstandard, which is not installed.
    """

    def __init__(self, suffix: str) -> None:
        self._zstd = zstd_or_error() if PACKED[suffix] == _ZSTANDARD else None
        self._packer: Any = None

    def pack(self, data: bytes) -> bytes:
        """Return what can be written of the data so far."""
        if self._packer is None:
            self._packer = self._new()
        return cast(bytes, self._packer.compress(data))

    def finish(self) -> bytes:
        """Return the rest of the member or frame; nothing if none has begun."""
        if self._packer is None:
            return b""
        rest = cast(bytes, self._packer.flush())
        self._packer = None
        return rest

    def _new(self) -> Any:
        if self._zstd is None:
            return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_BITS)
        return self._zstd.ZstdCompressor(options={self._zstd.CompressionParameter.checksum_flag: 1})


def packer_for(path: str | os.PathLike[str]) -> Packer | None:
    """Return what packs an output with such a name; None if it is not packed.

    Raises
    ------
    FormatError
        If it is Zstandard, which is not installed.
    """
    suffix = packed_suffix(path)
    return Packer(suffix) if suffix else None
