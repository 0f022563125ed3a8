"""TF-IDF weights of n-grams, scaled to unit length per text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Floats32, Hashes, Ints, Mask
from embedclf.features.ngrams import batches, words_of


class Counts(NamedTuple):
    """Counts of n-grams in texts, sorted by text, with one entry per n-gram of a text.

    Attributes
    ----------
    texts : ndarray of shape (n,)
        Indices of the texts.
    ngrams : ndarray of shape (n,)
        Hashes, or indices of columns.
    counts : ndarray of shape (n,)
    """

    texts: Ints
    ngrams: npt.NDArray[Any]
    counts: Floats32


class Terms(NamedTuple):
    """The n-grams of texts that are in a vocabulary, sorted by text.

    Attributes
    ----------
    texts : ndarray of shape (n,)
        Indices of the texts.
    columns : ndarray of shape (n,)
        Indices of the n-grams in the vocabulary.
    values : ndarray of shape (n,), float32
        TF-IDF; the squares of a text's values sum to 1.
    """

    texts: Ints
    columns: Ints
    values: Floats32


def count_ngrams(texts: Sequence[str], known: Hashes | None = None) -> Counts:
    """Count the words and word pairs of texts; with `known`, only those in it, by their indices.

    `known` must be sorted.
    """
    parts = []
    for first, batch in batches(texts):
        words = words_of(batch)
        starts, of_pairs = words.pairs()
        numbers = first + np.concatenate([words.texts, words.texts[starts]])
        ngrams = np.concatenate([words.hashes, of_pairs])
        if known is not None:
            columns = np.searchsorted(known, ngrams)
            columns[columns == len(known)] = 0
            found = known[columns] == ngrams if len(known) else np.zeros(len(ngrams), dtype=bool)
            numbers, ngrams = numbers[found], columns[found]
        order = np.lexsort((ngrams, numbers))
        numbers, ngrams = numbers[order], ngrams[order]
        new = np.ones(len(numbers), dtype=bool)
        new[1:] = (numbers[1:] != numbers[:-1]) | (ngrams[1:] != ngrams[:-1])
        firsts = np.flatnonzero(new)
        parts.append(Counts(numbers[firsts], ngrams[firsts], np.diff(firsts, append=len(numbers)).astype(np.float32)))
    if not parts:
        return Counts(
            np.zeros(0, np.intp), np.zeros(0, np.uint64 if known is None else np.intp), np.zeros(0, np.float32)
        )
    return Counts(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def tf_idf(texts: Ints, counts: Floats32, idf: npt.NDArray[np.float16], n_texts: int) -> Floats32:
    """Return the TF-IDF of n-grams: (1 + ln count) times the inverse document frequency, of unit length per text.

    Parameters
    ----------
    texts : ndarray of shape (n,)
        Indices of the texts.
    counts, idf : ndarray of shape (n,)
        For each n-gram of each text.
    n_texts : int
    """
    values = (1 + np.log(counts)) * idf.astype(np.float32)
    squares = np.bincount(texts, values.astype(np.float64) ** 2, minlength=n_texts)
    return (values / np.sqrt(squares)[texts]).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The n-grams that a classifier knows.

    Attributes
    ----------
    hashes : ndarray of shape (n_ngrams,), uint64
        Sorted.
    idf : ndarray of shape (n_ngrams,), float16
        Inverse document frequencies.

    Raises
    ------
    ValueError
        If the shapes do not match, hashes are not sorted or not unique, or frequencies are out of range.
    """

    hashes: Hashes
    idf: npt.NDArray[np.float16]

    def __post_init__(self) -> None:
        if self.hashes.ndim != 1 or self.idf.shape != self.hashes.shape:
            raise ValueError(f"n-grams of shape {self.hashes.shape} do not match frequencies of shape {self.idf.shape}")
        if not (self.hashes[1:] > self.hashes[:-1]).all():
            raise ValueError("its n-grams are not sorted")
        if not ((self.idf >= 1) & (self.idf < 100)).all():
            raise ValueError("some inverse document frequencies are out of range")

    def __len__(self) -> int:
        return len(self.hashes)

    def __getitem__(self, chosen: Mask) -> "Vocabulary":
        return Vocabulary(self.hashes[chosen], self.idf[chosen])

    def terms(self, texts: Sequence[str]) -> Terms:
        """Return the known n-grams of texts with their TF-IDF."""
        numbers, columns, counts = count_ngrams(texts, self.hashes)
        return Terms(numbers, columns, tf_idf(numbers, counts, self.idf[columns], len(texts)))
