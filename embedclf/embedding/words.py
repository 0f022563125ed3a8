"""Vectors of words alone: no weights, no key, nothing to install."""

from typing import Any

import numpy as np

from embedclf.arrays import Vectors
from embedclf.embedding.base import EmbedderSpec, PartialEmbedder
from embedclf.errors import EmbedderError
from embedclf.features.vocabulary import count_ngrams

MODEL = "ngrams"
DIMENSIONS = 1_024
_TEXTS_AT_ONCE = 4_096


class WordsEmbedder(PartialEmbedder):
    """Embeds texts by their words and pairs of words, each of which is added to or taken from one of 1,024 numbers.

    This is the hashing trick with signs (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML
    2009), by which the cosine of two vectors is about that of the n-grams themselves. A classifier that uses words
    alone weighs the n-grams, not these vectors; they are for what goes by neighbours.
    """

    def __repr__(self) -> str:
        return "WordsEmbedder()"

    def __reduce__(self) -> tuple[Any, ...]:
        return WordsEmbedder, ()

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors from another embedder's."""
        return EmbedderSpec("words", MODEL, DIMENSIONS)

    @property
    def is_lexical(self) -> bool:
        """True: a classifier weighs the n-grams themselves, not these vectors."""
        return True

    def embed_usable(self, texts: list[str], faults: dict[int, str]) -> tuple[Vectors, dict[int, str]]:
        """Embed those texts that have words; see `PartialEmbedder.embed_usable`."""
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            part = texts[start : start + _TEXTS_AT_ONCE]
            numbers, hashes, counts = count_ngrams(part)
            signs = np.where(hashes >> np.uint64(63), 1.0, -1.0)
            places = numbers * DIMENSIONS + (hashes % np.uint64(DIMENSIONS)).astype(np.intp)
            sums = np.bincount(places, signs * (1 + np.log(counts)), minlength=len(part) * DIMENSIONS)
            vectors[start : start + len(part)] = sums.reshape(len(part), DIMENSIONS)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        no_vector = {int(row): "it has no words" for row in np.flatnonzero(lengths[:, 0] == 0)}
        lengths[lengths == 0] = np.nan
        vectors /= lengths
        return vectors, dict(sorted((no_vector | faults).items()))


def open_words(model: str, dimensions: int | None) -> WordsEmbedder:
    """Open it by its name.

    Raises
    ------
    EmbedderError
        If there is no such model, or none with vectors of that length.
    """
    if model not in ("", MODEL):
        raise EmbedderError(f"there is no model words:{model}; there is words:{MODEL}")
    if dimensions not in (None, DIMENSIONS):
        raise EmbedderError(f"words:{MODEL} has vectors of {DIMENSIONS:,} dimensions, not of {dimensions}")
    return WordsEmbedder()
