"""Every text embedded once: unique texts, those in the cache, and only the rest from the embedder behind it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from embedclf.embedding import BatchEmbedder, EmbedderSpec, Vectors
from embedclf.embedding.cache import ModelCache, VectorCache, hash_texts
from embedclf.errors import EmbedderError
from embedclf.texts import check_texts


class CachedEmbedder:
    """Embeds texts with a `BatchEmbedder`, each distinct text once, and with a cache never again.

    Parameters
    ----------
    behind : BatchEmbedder
    dimensions : int, optional
        Length that the vectors are cut to, and scaled to unit length again; None leaves them as they are.
    cache : VectorCache, optional
        None keeps nothing.

    Raises
    ------
    EmbedderError
        If the embedder has no vectors of that length.
    """

    def __init__(
        self, behind: BatchEmbedder, *, dimensions: int | None = None, cache: VectorCache | None = None
    ) -> None:
        full = behind.spec.dimensions
        if dimensions is not None and full is not None and dimensions != full:
            if not behind.shortens:
                raise EmbedderError(f"{behind.spec} has vectors of {full} dimensions, which cannot be shortened")
            if not 0 < dimensions < full:
                raise EmbedderError(f"{behind.spec} has vectors of 1 to {full:,} dimensions, not of {dimensions:,}")
        self._behind = behind
        self._cut = dimensions if dimensions != full else None
        self._cache = cache
        self._part: ModelCache | None = None if cache is None else cache.of_model(behind.spec)

    def __repr__(self) -> str:
        return f"CachedEmbedder({self._behind!r}, dimensions={self._cut}, cache={self._cache!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (self._behind, self._cut, self._cache)

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors apart; without dimensions while they are not known."""
        of = self._behind.spec
        return EmbedderSpec(of.provider, of.model, self._cut or of.dimensions, of.endpoint)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; see `Embedder.embed`.

        A batch that is answered is in the cache before its vectors are used.
        """
        texts = check_texts(texts)
        numbers: dict[str, int] = {}
        places = np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.intp)
        unique = list(numbers)
        vectors = self._embed_unique(unique)
        return vectors if len(unique) == len(texts) else vectors[places]

    def _embed_unique(self, texts: list[str]) -> Vectors:
        keys = hash_texts(texts)
        missing, out = np.arange(len(texts)), None
        if self._part is not None:
            found, out = self._part.read(keys, self._cut)
            missing = np.flatnonzero(~found)
            if out is not None and self._cut is not None:
                _scale(out, found)
        if len(missing):
            for batch in self._behind.embed_batches([texts[index] for index in missing]):
                places = missing[batch.places]
                cut = batch.vectors[:, : self._cut]
                if out is None:
                    out = np.empty((len(texts), cut.shape[1]), dtype=np.float32)
                if cut.shape[1] != out.shape[1]:
                    raise EmbedderError(
                        f"{self.spec} answered with {cut.shape[1]} dimensions where the cache has {out.shape[1]}: it "
                        "is not the model that it was; empty the cache with: embedclf cache clear"
                    )
                if self._part is not None:
                    self._part.write(keys[places], batch.vectors, batch.n_tokens)
                out[places] = cut
                if self._cut is not None:
                    _scale(out, places)
        return np.empty((0, self.spec.dimensions or 0), dtype=np.float32) if out is None else out


def _remake(behind: BatchEmbedder, cut: int | None, cache: VectorCache | None) -> CachedEmbedder:
    return CachedEmbedder(behind, dimensions=cut, cache=cache)


def _scale(vectors: Vectors, rows: Any) -> None:
    """Scale some rows to unit length, in place."""
    chosen = vectors[rows]
    lengths = np.sqrt(np.einsum("ij,ij->i", chosen, chosen))[:, None]
    if not lengths.all():
        raise EmbedderError("a vector is zero after it was cut: use more dimensions")
    vectors[rows] = chosen / lengths
