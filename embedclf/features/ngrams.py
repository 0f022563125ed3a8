"""Words of texts and pairs of adjacent words, as 64-bit hashes.

Training and prediction share this code, so that both find the same n-grams. All texts of a batch are processed at once:
their characters form one array, and the hash of a word is a polynomial in its characters.

A word is a run of letters, marks and digits, in lower case and in Unicode's composed form (NFC). In scripts without
spaces between words, each character is a word. Each punctuation mark and symbol is a word in any script.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Hashes, Ints

# Kinds of characters: not in a word, part of a word, a word by itself, a mark on the preceding one, not looked up yet.
_GAP, _LETTER, _SINGLE, _MARK, _UNKNOWN = range(5)
_KINDS = np.full(0x110000, _UNKNOWN, dtype=np.uint8)
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
_CHARACTERS_AT_ONCE = 1 << 18
# Odd, so that multiplication modulo 2**64 is invertible.
_BASE, _PAIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


class Words(NamedTuple):
    """The words of some texts, in order.

    The lowest bit of a word's hash is 0, that of a pair's hash is 1.

    Attributes
    ----------
    texts : ndarray of shape (n_words,)
        Index of the text to which each word belongs.
    hashes : ndarray of shape (n_words,), uint64
    starts, ends : ndarray of shape (n_words,)
        Position of each word in the concatenation of all texts.
    """

    texts: Ints
    hashes: Hashes
    starts: Ints
    ends: Ints

    def pairs(self) -> tuple[Ints, Hashes]:
        """Return the pairs of adjacent words: the index of each pair's first word, and the hash of the pair."""
        first = np.flatnonzero(self.texts[1:] == self.texts[:-1])
        return first, mixed(self.hashes[first] * _PAIR + self.hashes[first + 1]) | np.uint64(1)


def normalized(text: str) -> str:
    """Return a text in the form in which words are compared: lower case, composed (NFC)."""
    lower = text.lower()
    if lower.isascii():
        return lower
    # Sigma has a different form at the end of a word, and `lower` has its own rules for where words end.
    return unicodedata.normalize("NFC", lower.replace("ς", "σ"))


class Places(NamedTuple):
    """The origin of each character of a `normalized` text.

    Attributes
    ----------
    starts, ends : ndarray of shape (n_characters,)
        Span of the original text from which each character is derived.
    """

    starts: Ints
    ends: Ints


def original_places(text: str) -> Places:
    """Return the span of a text from which each character of ``normalized(text)`` is derived.

    Lower-casing and composition can make a text longer or shorter. They operate within a cluster: a character and the
    combining characters that follow it. All characters that replace a cluster are therefore derived from all of it.
    """
    whole = normalized(text)
    lower = text.lower()
    # No character has an empty lower-case form, so if the length is unchanged, each character became exactly one.
    if len(lower) == len(text) and (lower.isascii() or unicodedata.is_normalized("NFC", lower)):
        starts = np.arange(len(text))
        return Places(starts, starts + 1)
    begins = np.array([place for place, character in enumerate(text) if not place or not _combines(character)])
    ends = np.append(begins[1:], len(text))
    clusters = [normalized(text[begin:end]) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
    if "".join(clusters) != whole:
        # This version of Unicode composes characters that `_combines` does not cover: treat the text as one cluster.
        begins, ends, clusters = np.zeros(1, dtype=np.intp), np.array([len(text)]), [whole]
    lengths = np.fromiter(map(len, clusters), dtype=np.intp, count=len(clusters))
    return Places(np.repeat(begins, lengths), np.repeat(ends, lengths))


def words_of(texts: Sequence[str]) -> Words:
    """Find the words of `normalized` texts."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    lengths = np.fromiter(map(len, texts), dtype=np.intp, count=len(texts))
    begins = np.cumsum(lengths) - lengths
    kinds = _kinds_of(codes)
    before = np.empty_like(kinds)
    before[1:] = kinds[:-1]
    before[begins[lengths > 0]] = _GAP  # no word spans two texts
    starting = (kinds == _SINGLE) | ((kinds == _LETTER) & ((before == _GAP) | (before == _SINGLE)))
    starting |= (kinds == _MARK) & (before == _GAP)
    starts = np.flatnonzero(starting)
    if not len(starts):
        return Words(starts, starts.astype(np.uint64), starts, starts)
    filled = np.flatnonzero(kinds != _GAP)
    # Between one start and the next, the characters of the word come before any gap.
    n_characters = np.diff(np.searchsorted(filled, starts), append=len(filled))
    of_words = np.cumsum(n_characters) - n_characters
    places = np.arange(len(filled)) - np.repeat(of_words, n_characters)
    values = mixed(codes[filled].astype(np.uint64)) * _powers(int(n_characters.max()))[places]
    hashes = mixed(np.add.reduceat(values, of_words)) & ~np.uint64(1)
    n_words = np.diff(np.searchsorted(starts, begins), append=len(starts))
    return Words(np.repeat(np.arange(len(texts)), n_words), hashes, starts, starts + n_characters)


def batches(texts: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Normalize texts and yield them in batches of bounded size: the index of the first text, and the batch."""
    batch: list[str] = []
    first = characters = 0
    for number, text in enumerate(texts):
        batch.append(normalized(text))
        characters += len(text)
        if characters >= _CHARACTERS_AT_ONCE:
            yield first, batch
            batch, first, characters = [], number + 1, 0
    if batch:
        yield first, batch


def _combines(character: str) -> bool:
    """Return whether a character can be composed, or swapped, with the preceding one."""
    if character.isascii():
        return False
    # Hangul vowels and trailing consonants are letters, but are composed into syllables.
    return "\u1160" <= character <= "\u11ff" or unicodedata.category(character)[0] == "M"


def _powers(n: int) -> Hashes:
    powers = np.full(n, _BASE)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def mixed(numbers: Hashes) -> Hashes:
    """Mix the bits of numbers with the finalizer of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _kinds_of(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    kinds = _KINDS[codes]
    if (unknown := kinds == _UNKNOWN).any():
        for code in np.unique(codes[unknown]).tolist():
            _KINDS[code] = _kind(chr(code))
        kinds = _KINDS[codes]
    return kinds


def _kind(character: str) -> int:
    category = unicodedata.category(character)[0]
    if category == "M" or character == "\u200d":
        return _MARK
    if category in "LN":
        return _SINGLE if unicodedata.name(character, "").startswith(_UNSPACED) else _LETTER
    return _SINGLE if category in "PS" else _GAP
