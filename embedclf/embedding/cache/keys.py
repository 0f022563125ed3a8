"""The keys of texts: hashes that represent them on disk, so that no text is stored."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.void]

KEY = np.dtype([("high", "<u8"), ("low", "<u8")])


def hash_texts(texts: Sequence[str]) -> Keys:
    """Return the key of each text: its 128-bit blake2b, (n,)."""
    digests = b"".join([blake2b(text.encode(), digest_size=16).digest() for text in texts])
    return np.frombuffer(digests, dtype=KEY)


def as_numbers(keys: Keys) -> npt.NDArray[np.uint64]:
    """Return keys as pairs of numbers, (n, 2), as stored in files."""
    return keys.view("<u8").reshape(-1, 2)


def joined(parts: Sequence[Keys]) -> Keys:
    """Return the concatenated keys of several segments."""
    return np.concatenate([*parts, np.empty(0, dtype=KEY)])
