"""LangChain ``Embeddings`` as embedders, and embedders as LangChain ``Embeddings``."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

from embedclf.arrays import Vectors
from embedclf.embedding.aimlapi.api_key import redact
from embedclf.embedding.aimlapi.catalogue import CATALOGUE
from embedclf.embedding.base import EXTERNAL, LOCAL_PROVIDERS, WORDS, Embedder, EmbedderSpec, LangChainEmbeddings
from embedclf.embedding.batch_embedder import Batch, BatchEmbedder, Refused
from embedclf.embedding.cache.vector_cache import VectorCache, open_cache
from embedclf.embedding.cached_embedder import CachedEmbedder
from embedclf.embedding.requests.cancellation import check_not_stopped, in_a_thread
from embedclf.embedding.usage import Meter, OnEvent
from embedclf.errors import EmbedderError
from embedclf.validation import check_texts


class EmbedclfEmbeddings(Embeddings):
    """A LangChain ``Embeddings`` backed by an embedder and its cache."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one unit-length vector per text."""
        vectors: list[list[float]] = self.embedder.embed_checked(check_texts(texts)).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of one text, the same as from `embed_documents`."""
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts without blocking the event loop; a cancellation stops it like `apredict`."""
        return await in_a_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """Embed one text without blocking the event loop."""
        return await in_a_thread(self.embed_query, text)


def as_langchain(embedder: Embedder) -> Embeddings:
    """Return an embedder as a LangChain ``Embeddings``.

    Parameters
    ----------
    embedder : Embedder or str
        From `embedclf.open_embedder`; open it with ``cache=True`` to cache its vectors.
    """
    if not isinstance(embedder, Embedder):
        open_it = f"as_langchain(embedclf.open_embedder({embedder!r}))" if isinstance(embedder, str) else ""
        raise TypeError(f"embedder must be an Embedder, got {type(embedder).__name__}{open_it and f': {open_it}'}")
    return EmbedclfEmbeddings(embedder)


_BATCH_TEXTS = 512


class LangChainModel(BatchEmbedder):
    """Wraps a LangChain ``Embeddings`` as a `BatchEmbedder`.

    Parameters
    ----------
    embeddings : langchain_core.embeddings.Embeddings
        Any object with a method ``embed_documents``.
    name : str
        Its name in the cache and in model files.
    provider : str
        Its LangChain provider, recorded with the name.
    dimensions : int, optional
        The known length of its vectors; None takes it from the first result.
    is_local : bool
        Whether it runs in this process: if so, it is free and its calls do not count as requests.
    """

    def __init__(
        self,
        embeddings: LangChainEmbeddings,
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
        self.meter = Meter(0.0 if is_local else None, counts_tokens=False)

    def __repr__(self) -> str:
        return f"LangChainModel({type(self._embeddings).__name__}, {self._name!r})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _remake, (self._embeddings, self._name, self._provider, self._dimensions, self._is_local)

    def __getstate__(self) -> dict[str, Any]:
        # For skops, which would store whatever the object holds. A pickle uses `__reduce__`.
        raise EmbedderError(f"{self._name} cannot be stored: it is a third-party embedder, which may hold a key")

    @property
    def spec(self) -> EmbedderSpec:
        """The model that its vectors come from; dimensions may be None before the first result."""
        return EmbedderSpec(self._provider, self._name, self._dimensions)

    @property
    def is_local(self) -> bool:
        """Whether it runs in this process."""
        return self._is_local

    def embed_batches(self, texts: Sequence[str], keep: Callable[[Batch], None]) -> dict[int, Refused]:
        """Embed texts batch by batch; see `BatchEmbedder`."""
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
        if self._provider == EXTERNAL:  # the caller made the object, so its own exceptions are more useful
            return self._embeddings.embed_documents(texts)
        try:
            return self._embeddings.embed_documents(texts)
        except Exception as error:  # noqa: BLE001 - each provider raises its own
            fault = f"{self.spec} failed: {redact(str(error))} ({type(error).__name__})"
        # Not chained: the provider's error or its cause may hold a key.
        raise EmbedderError(fault)

    def _checked(self, answer: Any, texts: list[str]) -> Vectors:
        try:
            vectors = np.array(answer, dtype=np.float32)
        except (TypeError, ValueError):
            raise EmbedderError(f"{self._name} did not return a list of equally long vectors") from None
        if (
            vectors.ndim != 2
            or len(vectors) != len(texts)
            or vectors.shape[1] != (self._dimensions or vectors.shape[1])
        ):
            expected = f"({len(texts)}, {self._dimensions or 'n'})"
            raise EmbedderError(f"{self._name} returned vectors of shape {vectors.shape}, expected {expected}")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise EmbedderError(f"{self._name} returned vectors that are zero or not finite")
        return np.asarray(vectors / lengths, dtype=np.float32)


def _remake(embeddings: Any, name: str, provider: str, dimensions: int | None, is_local: bool) -> LangChainModel:
    return LangChainModel(embeddings, name, provider=provider, dimensions=dimensions, is_local=is_local)


def from_langchain(
    embeddings: LangChainEmbeddings,
    *,
    cache_name: str | None = None,
    cache: VectorCache | bool = True,
    is_local: bool = False,
    prompt: str | None = None,
) -> Embedder:
    """Return a LangChain ``Embeddings`` as an embedder.

    An ``Embeddings`` object does not reveal whether its vectors equal those of another, so nothing is cached unless
    you pass a `cache_name`.

    Parameters
    ----------
    embeddings : langchain_core.embeddings.Embeddings
    cache_name : str, optional
        A name that identifies this model with these settings; None disables the cache.
    cache : VectorCache or bool
        The cache to use if there is a `cache_name`; True uses the command line's cache.
    is_local : bool
        Whether it runs in this process. A service then calls it from one thread at a time, files are read in small
        chunks, and it counts as free.
    prompt : str, optional
        An instruction to put before each text, as it is.
    """
    model = LangChainModel(embeddings, cache_name or type(embeddings).__name__, is_local=is_local)
    return CachedEmbedder(model, cache=open_cache(cache) if cache_name else None, prompt=prompt)


def open_provider(
    provider: str,
    model: str,
    *,
    dimensions: int | None = None,
    cache: VectorCache | None = None,
    on_event: OnEvent | None = None,
    prompt: str | None = None,
) -> Embedder:
    """Open an embedder of one of LangChain's providers with ``langchain.embeddings.init_embeddings``.

    Raises
    ------
    EmbedderError
        If the provider is unknown, or a package that it needs is not installed.
    """
    built_in = "Built in: wordllama, words, aimlapi:MODEL, fastembed:MODEL (see embedclf embedders)"
    if not provider or not model:
        name = f"{provider}:{model}".rstrip(":")
        likely = _meant(name)
        hint = f". Did you mean {likely}?" if likely else ""
        raise EmbedderError(f"unknown embedder {name!r}. {built_in}. LangChain: PROVIDER:MODEL{hint}")
    try:
        from langchain.embeddings import init_embeddings
    except ImportError:
        raise EmbedderError(
            f"unknown embedder '{provider}:{model}'. {built_in}. For LangChain's providers, install langchain and the "
            f"provider's package: pip install langchain langchain-{provider.replace('_', '-')}"
        ) from None
    try:
        embeddings = init_embeddings(model, provider=provider)
    except ImportError as error:
        package = re.search(r"[`']pip install (?:-U )?([\w.-]+)[`']", str(error))
        name = (package[1] if package else f"langchain-{provider}").replace("_", "-")
        raise EmbedderError(f"{provider}:{model} needs a package that is not installed: pip install {name}") from None
    except Exception as error:  # noqa: BLE001 - each provider raises its own
        raise EmbedderError(f"{provider}:{model} cannot be opened: {redact(str(error))}") from None
    is_local = provider in LOCAL_PROVIDERS
    opened = LangChainModel(embeddings, model, provider=provider, dimensions=dimensions, is_local=is_local)
    return CachedEmbedder(opened, dimensions=dimensions, cache=cache, on_event=on_event, prompt=prompt)


def _meant(name: str) -> str | None:
    """Return the embedder that may be meant by the name of an unknown one; None if none is spelt like it."""
    from difflib import get_close_matches

    known = {model: f"aimlapi:{model}" for model in CATALOGUE} | {"openai": "aimlapi:text-embedding-3-small"}
    known |= {"aimlapi": "aimlapi:text-embedding-3-small"}
    known |= {"wordllama": "wordllama", WORDS: WORDS}
    found = get_close_matches(name, known, n=1, cutoff=0.8)
    return known[found[0]] if found else None
