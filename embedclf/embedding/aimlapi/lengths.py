"""How each text may be sent, going by its length and what is known of the model."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from embedclf.embedding.aimlapi.catalogue import ModelFacts

Ways = npt.NDArray[np.int8]


class Way(IntEnum):
    """How a text may be sent."""

    TOGETHER = 0
    """In a list with others: it surely fits."""
    APART = 1
    """In a list with others that may be too long as well, so that a refusal does not concern texts that fit."""
    ALONE = 2
    """As a string, for which the model allows more characters than for a text in a list."""
    IN_PIECES = 3
    """Not whole: it is too long."""


def n_characters(text: str) -> int:
    """Return the characters of a text as JavaScript counts them: UTF-16 units, of which an emoji has two.

    These are at least as many as Python's characters, so a text within a limit is within it however the server counts.
    """
    return len(text.encode("utf-16-le")) // 2


def ways_of(texts: Sequence[str], sizes: npt.NDArray[np.int64], facts: ModelFacts) -> Ways:
    """Return how each text may be sent.

    Parameters
    ----------
    texts : sequence of str
    sizes : ndarray of shape (n_texts,)
        In UTF-8 bytes.
    facts : ModelFacts

    Returns
    -------
    ndarray of shape (n_texts,), int8
        One `Way` for each text.
    """
    # A token has at least one byte, and so has a character.
    ways = np.where(sizes <= facts.input_tokens, Way.TOGETHER, Way.APART).astype(np.int8)
    if facts.list_characters is not None:
        for place in np.flatnonzero(sizes > facts.list_characters).tolist():
            n = n_characters(texts[place])
            if facts.text_characters is not None and n > facts.text_characters:
                ways[place] = Way.IN_PIECES
            elif n > facts.list_characters:
                ways[place] = Way.ALONE
    if facts.text_bytes is not None:
        ways[sizes > facts.text_bytes] = Way.IN_PIECES
    return ways
