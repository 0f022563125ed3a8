"""Any LangChain ``Embeddings`` as an embedder."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from embedclf.embedding import EXTERNAL, Batch, Embedder, EmbedderSpec, Vectors, open_cache
from embedclf.embedding.cache import VectorCache
from embedclf.embedding.cached import CachedEmbedder
from embedclf.errors import EmbedderError

_BATCH_TEXTS = 512


class LangChainModel:
    """A LangChain ``Embeddings`` as a `BatchEmbedder`.

    Parameters
    ----------
    embeddings : langchain_core.embeddings.Embeddings
        Anything with its method ``embed_documents``.
    name : str
        What it is called in the cache and in model files.
    """

    shortens = False

    def __init__(self, embeddings: Any, name: str) -> None:
        self._embeddings = embeddings
        self._name = name
        self._dimensions: int | None = None

    def __repr__(self) -> str:
        return f"LangChainModel({type(self._embeddings).__name__}, {self._name!r})"

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors apart; without dimensions before the first answer."""
        return EmbedderSpec(EXTERNAL, self._name, self._dimensions)

    def embed_batches(self, texts: Sequence[str]) -> Iterator[Batch]:
        """Embed texts, batch by batch; see `BatchEmbedder`."""
        for start in range(0, len(texts), _BATCH_TEXTS):
            part = list(texts[start : start + _BATCH_TEXTS])
            yield Batch(slice(start, start + len(part)), self._checked(self._embeddings.embed_documents(part), part), 0)

    def _checked(self, answer: Any, texts: list[str]) -> Vectors:
        try:
            vectors = np.array(answer, dtype=np.float32)
        except (TypeError, ValueError):
            raise EmbedderError(f"{self._name} gave something else than a list of vectors of one length") from None
        if (
            vectors.ndim != 2
            or len(vectors) != len(texts)
            or vectors.shape[1] != (self._dimensions or vectors.shape[1])
        ):
            expected = f"({len(texts)}, {self._dimensions or 'n'})"
            raise EmbedderError(f"{self._name} gave vectors of shape {vectors.shape}, where {expected} was expected")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise EmbedderError(f"{self._name} gave vectors that are zero or not finite")
        self._dimensions = vectors.shape[1]
        return np.asarray(vectors / lengths, dtype=np.float32)


def from_langchain(embeddings: Any, *, cache_name: str | None = None, cache: VectorCache | bool = True) -> Embedder:
    """Make an embedder of a LangChain ``Embeddings``.

    Nothing about such an object tells whether two of them give the same vectors, so nothing is cached unless you say
    by a name that they do.

    Parameters
    ----------
    embeddings : langchain_core.embeddings.Embeddings
    cache_name : str, optional
        A name of your own for this model with these settings; None caches nothing.
    cache : VectorCache or bool
        Where to keep the vectors if there is a name; True is the cache that the command line uses.
    """
    model = LangChainModel(embeddings, cache_name or type(embeddings).__name__)
    return CachedEmbedder(model, cache=open_cache(cache) if cache_name else None)
