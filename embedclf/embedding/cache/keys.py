"""The key of a text: what stands for it on disk, so that no text is kept there."""

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
    """Return keys as two numbers each, (n, 2), which is how they stand in files."""
    return keys.view("<u8").reshape(-1, 2)


def joined(parts: Sequence[Keys]) -> Keys:
    """Return the keys of several segments, in their order."""
    return np.concatenate([*parts, np.empty(0, dtype=KEY)])
