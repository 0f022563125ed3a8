"""The numeric inputs that classifiers are fitted on: vectors and n-gram counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from embedclf.arrays import Hashes, Ints, Mask, Vectors
from embedclf.features.vocabulary import Terms, Vocabulary, count_ngrams, tf_idf
from embedclf.phases import phase
from embedclf.training.lbfgs import Floats

# A word that occurs in one text only still counts towards that text's length, by which the other words are normalized.
# A pair of words like that only takes space.
_LEAST_TEXTS_OF_A_PAIR = 2


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Texts as numbers.

    Attributes
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
        Has no columns if only words are used.
    counts : scipy.sparse.csr_array of shape (n, n_ngrams), float32, or None
        How often each n-gram occurs; None if only vectors are used.
    hashes : ndarray of shape (n_ngrams,), uint64, or None
        The n-grams of the columns, sorted.
    """

    vectors: Vectors
    counts: Any = None
    hashes: Hashes | None = None

    @classmethod
    def of(cls, texts: Sequence[str], vectors: Vectors | None, *, words: bool) -> Self:
        """Build inputs from texts and their vectors (None for words only), counting n-grams if `words`."""
        if vectors is None:
            vectors = np.empty((len(texts), 0), dtype=np.float32)
        if not words:
            return cls(vectors)
        from scipy.sparse import csr_array

        with phase("Counting words"):
            found = count_ngrams(texts)
            hashes, columns = np.unique(found.ngrams, return_inverse=True)
            ends = np.searchsorted(found.texts, np.arange(len(texts) + 1))
            counts = csr_array((found.counts, columns, ends), shape=(len(texts), len(hashes)))
        return cls(vectors, counts, hashes)

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, rows: Mask | Ints) -> Self:
        counts = None if self.counts is None else self.counts[np.flatnonzero(rows) if rows.dtype == bool else rows]
        return type(self)(self.vectors[rows], counts, self.hashes)

    def rotated(self, axes: Floats) -> Self:
        """Return the inputs with their vectors projected onto axes of shape (n_dimensions, n_axes)."""
        return type(self)(self.vectors @ axes.astype(np.float32), self.counts, self.hashes)

    def joined(self, others: "Inputs") -> Self:
        """Return these inputs followed by others whose n-grams have the same columns."""
        counts = None
        if self.counts is not None:
            from scipy.sparse import csr_array, vstack

            counts = csr_array(vstack([self.counts, others.counts]))
        return type(self)(np.vstack([self.vectors, others.vectors]), counts, self.hashes)

    def vocabulary(self, most: int | None = None) -> Vocabulary | None:
        """Return all words, and the pairs that occur in two or more texts, with their inverse document frequencies.

        `most` keeps only that many, by document frequency.
        """
        if self.counts is None or self.hashes is None:
            return None
        n_texts = np.bincount(self.counts.indices, minlength=len(self.hashes))
        of_words = self.hashes & np.uint64(1) == 0
        kept = (n_texts >= _LEAST_TEXTS_OF_A_PAIR) | (of_words & (n_texts > 0))
        if most is not None and kept.sum() > most:
            kept &= n_texts >= np.sort(n_texts[kept])[-most]
        idf = np.log((1 + len(self)) / (1 + n_texts[kept])) + 1
        return Vocabulary(self.hashes[kept], idf.astype(np.float16))

    def words(self, vocabulary: Vocabulary | None) -> Any:
        """Return the TF-IDF of a vocabulary's n-grams: a csr_array of shape (n, len(vocabulary)), or None."""
        if self.counts is None or self.hashes is None or vocabulary is None:
            return None
        from scipy.sparse import csr_array

        column_of = np.full(len(self.hashes), -1, dtype=np.intp)
        places = np.searchsorted(self.hashes, vocabulary.hashes)
        places[places == len(self.hashes)] = 0
        found = self.hashes[places] == vocabulary.hashes if len(self.hashes) else np.zeros(0, dtype=bool)
        column_of[places[found]] = np.flatnonzero(found)
        rows = np.repeat(np.arange(len(self)), np.diff(self.counts.indptr))
        columns = column_of[self.counts.indices]
        known = columns >= 0
        rows, columns = rows[known], columns[known]
        values = tf_idf(rows, self.counts.data[known], vocabulary.idf[columns], len(self))
        ends = np.searchsorted(rows, np.arange(len(self) + 1))
        return csr_array((values, columns, ends), shape=(len(self), len(vocabulary)))


def as_terms(words: Any) -> Terms | None:
    """Convert the result of `Inputs.words` to the terms that a model takes."""
    if words is None:
        return None
    rows = np.repeat(np.arange(words.shape[0]), np.diff(words.indptr))
    return Terms(rows, words.indices, words.data)
