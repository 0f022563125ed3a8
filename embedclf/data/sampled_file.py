"""Bytes of a file to judge its encoding by, also of one that cannot be read again."""

import io
import os
from pathlib import Path

_MOST_BYTES = 1 << 16


class SampledFile(io.BufferedIOBase):
    """A binary file that keeps the bytes that were read last, for one that cannot be read again.

    Parameters
    ----------
    file : io.BufferedReader
        It stays open when this is closed.

    Attributes
    ----------
    sample : bytes
    """

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._kept = bytearray()

    @property
    def sample(self) -> bytes:
        """The bytes that were read last; at most 64 kB, more or less."""
        return bytes(self._kept)

    def readable(self) -> bool:
        """Return True."""
        return True

    def read1(self, size: int = -1, /) -> bytes:
        """Read some bytes, and keep them."""
        if len(self._kept) > _MOST_BYTES:
            del self._kept[: self._kept.find(b"\n", _MOST_BYTES // 2) + 1 or _MOST_BYTES // 2]
        read = self._file.read1(size)
        self._kept += read
        return read

    def read(self, size: int | None = -1, /) -> bytes:
        """Read bytes, and keep them."""
        read = self._file.read(size)
        self._kept += read
        return read


def sample_of(path: Path, place: int) -> bytes:
    """Return whole lines of a file, as far as it has any: from its start, and around a place further down."""
    with path.open("rb") as file:
        sample = file.read(_MOST_BYTES)
        if place > len(sample):
            file.seek(max(len(sample), place - _MOST_BYTES // 2), os.SEEK_SET)
            start = sample.rfind(b"\n") + 1
            around = file.read(_MOST_BYTES)
            sample = sample[:start] + around[around.find(b"\n") + 1 :]
    return sample
