"""LangChain's embeddings as embedders, and embedders as LangChain's."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

from embedclf.arrays import Vectors
from embedclf.embedding.aimlapi.api_key import told
from embedclf.embedding.base import EXTERNAL, LOCAL_PROVIDERS, OURS, Embedder, EmbedderSpec
from embedclf.embedding.batch_embedder import Batch, BatchEmbedder, Refused
from embedclf.embedding.cache.vector_cache import VectorCache, open_cache
from embedclf.embedding.cached_embedder import CachedEmbedder
from embedclf.embedding.requests.cancellation import check_not_stopped
from embedclf.embedding.usage import Meter, OnEvent
from embedclf.errors import EmbedderError


class EmbedclfEmbeddings(Embeddings):
    """A LangChain ``Embeddings`` with one of our embedders, and its cache, behind it.

    The asynchronous methods are LangChain's own: they run these in a thread.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts: a unit-length vector each."""
        vectors: list[list[float]] = self.embedder.embed(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Embed one text, as `embed_documents` does."""
        return self.embed_documents([text])[0]


def as_langchain(embedder: Embedder) -> Embeddings:
    """Make a LangChain ``Embeddings`` of an embedder.

    Parameters
    ----------
    embedder : Embedder
        From `embedclf.open_embedder`; with ``cache=True`` it keeps what it embeds.
    """
    return EmbedclfEmbeddings(embedder)


_BATCH_TEXTS = 512


class LangChainModel(BatchEmbedder):
    """A LangChain ``Embeddings`` as a `BatchEmbedder`.

    Parameters
    ----------
    embeddings : langchain_core.embeddings.Embeddings
        Anything with its method ``embed_documents``.
    name : str
        What it is called in the cache and in model files.
    provider : str
        The same, of LangChain's providers.
    dimensions : int, optional
        The length that the vectors are known to have; None takes it from the first answer.
    is_local : bool
        Whether it runs in this process: then it costs nothing, and no call of it counts as a request.
    """

    def __init__(
        self,
        embeddings: Any,
        name: str,
        *,
        provider: str = EXTERNAL,
        dimensions: int | None = None,
        is_local: bool = False,
    ) -> None:
        self._embeddings = embeddings
        self._name = name
        self._provider = provider
        self._dimensions = dimensions
        self._is_local = is_local
        self.meter = Meter(0.0 if is_local else None)

    def __repr__(self) -> str:
        return f"LangChainModel({type(self._embeddings).__name__}, {self._name!r})"

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors apart; without dimensions before the first answer."""
        return EmbedderSpec(self._provider, self._name, self._dimensions)

    @property
    def is_local(self) -> bool:
        """Whether it runs in this process."""
        return self._is_local

    def embed_batches(self, texts: Sequence[str], keep: Callable[[Batch], None]) -> dict[int, Refused]:
        """Embed texts, batch after batch; see `BatchEmbedder`."""
        for start in range(0, len(texts), _BATCH_TEXTS):
            check_not_stopped()
            part = list(texts[start : start + _BATCH_TEXTS])
            vectors = self._checked(self._answer(part), part)
            keep(Batch(np.arange(start, start + len(part)), vectors, 0))
            self._dimensions = vectors.shape[1]
        return {}

    def _answer(self, texts: list[str]) -> Any:
        if not self._is_local:
            self.meter.add(requests=1)
        if self._provider == EXTERNAL:  # its owner knows its errors
            return self._embeddings.embed_documents(texts)
        try:
            return self._embeddings.embed_documents(texts)
        except Exception as error:  # noqa: BLE001 - each provider has its own
            fault = f"{self.spec} failed: {told(str(error))} ({type(error).__name__})"
        # Not from the provider's error: it, or what it was raised from, may hold a key.
        raise EmbedderError(fault)

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
        return np.asarray(vectors / lengths, dtype=np.float32)


def from_langchain(
    embeddings: Any, *, cache_name: str | None = None, cache: VectorCache | bool = True, is_local: bool = False
) -> Embedder:
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
    is_local : bool
        Whether it runs in this process; a service then calls it one at a time, files are read in small chunks, and it
        counts as free.
    """
    model = LangChainModel(embeddings, cache_name or type(embeddings).__name__, is_local=is_local)
    return CachedEmbedder(model, cache=open_cache(cache) if cache_name else None)


def open_provider(
    provider: str,
    model: str,
    *,
    dimensions: int | None = None,
    cache: VectorCache | None = None,
    on_event: OnEvent | None = None,
) -> Embedder:
    """Open an embedder of one of LangChain's providers, by ``langchain.embeddings.init_embeddings``.

    Raises
    ------
    EmbedderError
        If there is no such provider, or a package that it needs is not installed.
    """
    *others, last = [f"{name}:…" for name in OURS]
    known = f"ours are {', '.join(others)} and {last}, see embedclf embedders"
    if not provider or not model:
        raise EmbedderError(
            f"there is no embedder {f'{provider}:{model}'.rstrip(':')!r}; {known}; any other is PROVIDER:MODEL of "
            "LangChain's"
        )
    try:
        from langchain.embeddings import init_embeddings
    except ImportError:
        raise EmbedderError(
            f"there is no embedder '{provider}:{model}' of ours ({known}); for those of LangChain's providers install "
            f"langchain and the provider's package: pip install langchain langchain-{provider.replace('_', '-')}"
        ) from None
    try:
        embeddings = init_embeddings(model, provider=provider)
    except ImportError as error:
        package = re.search(r"[`']pip install (?:-U )?([\w.-]+)[`']", str(error))
        name = package[1] if package else f"langchain-{provider.replace('_', '-')}"
        raise EmbedderError(f"{provider}:{model} needs a package that is not installed: pip install {name}") from None
    except Exception as error:  # noqa: BLE001 - each provider has its own
        raise EmbedderError(f"{provider}:{model} cannot be opened: {told(str(error))}") from None
    is_local = provider in LOCAL_PROVIDERS
    opened = LangChainModel(embeddings, model, provider=provider, dimensions=dimensions, is_local=is_local)
    return CachedEmbedder(opened, dimensions=dimensions, cache=cache, on_event=on_event)
