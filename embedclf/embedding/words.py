"""Vectors of hashed word n-grams: no model weights, no key, nothing to install."""

from typing import Any

import numpy as np

from embedclf.arrays import Vectors
from embedclf.embedding.base import EmbedderSpec, PartialEmbedder
from embedclf.errors import EmbedderError
from embedclf.features.vocabulary import count_ngrams
from embedclf.phases import tracked

MODEL = "ngrams"
DIMENSIONS = 1_024
_TEXTS_AT_ONCE = 4_096


class WordsEmbedder(PartialEmbedder):
    """Hashes words and word pairs into 1,024 dimensions.

    This is signed feature hashing (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009),
    which approximately preserves the cosine similarity of the n-gram vectors. A classifier trained on words alone uses
    the n-grams as features, not these vectors; they serve neighbour searches.
    """

    def __repr__(self) -> str:
        return "WordsEmbedder()"

    def __reduce__(self) -> tuple[Any, ...]:
        return WordsEmbedder, ()

    @property
    def spec(self) -> EmbedderSpec:
        """The model that its vectors come from."""
        return EmbedderSpec("words", MODEL, DIMENSIONS)

    @property
    def is_lexical(self) -> bool:
        """True: a classifier uses the n-grams as features, not these vectors."""
        return True

    def embed_usable(self, texts: list[str], faults: dict[int, str]) -> tuple[Vectors, dict[int, str]]:
        """Embed the texts that contain words; see `PartialEmbedder.embed_usable`."""
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        starts = range(0, len(texts), _TEXTS_AT_ONCE)
        for start in tracked(starts, "Hashing words", len(starts)):
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
    """Open the words embedder.

    Raises
    ------
    EmbedderError
        If the model is unknown or does not support the dimensions.
    """
    if model not in ("", MODEL):
        raise EmbedderError(f"unknown model words:{model}; the only one is words:{MODEL}")
    if dimensions not in (None, DIMENSIONS):
        raise EmbedderError(f"words:{MODEL} supports only {DIMENSIONS:,} dimensions, got {dimensions}")
    return WordsEmbedder()
