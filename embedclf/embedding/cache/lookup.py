"""Reading vectors of a model from the cache alone, where the model itself is out of reach."""

from collections.abc import Sequence
from dataclasses import replace

from embedclf.arrays import Vectors
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache.keys import hash_texts
from embedclf.embedding.cache.vector_cache import VectorCache


def cached_vectors(cache: VectorCache, spec: EmbedderSpec, texts: Sequence[str]) -> Vectors | None:
    """Return the vectors of texts if the cache has all of them, else None.

    Only vectors of the length that `spec` has are found: whether longer ones may be cut is for the model to say.
    """
    keys = hash_texts(texts)
    for asked in (None, spec.dimensions):  # a length that was requested has a folder of its own
        part = cache.of_model(replace(spec, dimensions=None), asked)
        if part.dimensions == spec.dimensions:
            found, vectors = part.read(keys)
            if vectors is not None and found.all():
                return vectors
    return None
