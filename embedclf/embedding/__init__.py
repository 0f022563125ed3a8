"""Everything between a text and its vector."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from embedclf.errors import EmbedderError

if TYPE_CHECKING:
    from embedclf.embedding.cache import VectorCache

Vectors = npt.NDArray[np.float32]

EXTERNAL = "external"
"""The provider of embedders that are not ours: whoever loads a model must hand them over again."""


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """What tells one embedder's vectors from another's.

    Attributes
    ----------
    provider, model : str
        As in the string ``provider:model``.
    dimensions : int or None
        Length of a vector; None while it is not known.
    endpoint : str or None
        The address that answers; None if the model runs in this process. A fact to compare, never one to call.
    """

    provider: str
    model: str
    dimensions: int | None
    endpoint: str | None = None

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"


@runtime_checkable
class Embedder(Protocol):
    """Makes vectors of texts."""

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors from another embedder's."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts.

        Returns
        -------
        ndarray of shape (n_texts, n_dimensions), float32
            One finite vector of unit length a text, in the order of the texts.

        Raises
        ------
        TextError
            If a text is empty or not Unicode.
        EmbedderError
            If the embedder fails.
        """
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """A finished part of a list of texts.

    Attributes
    ----------
    places : slice
        Which of the texts.
    vectors : ndarray of shape (n, n_dimensions), float32
        At full length.
    n_tokens : int
        What they cost; 0 if it is not known.
    """

    places: slice
    vectors: Vectors
    n_tokens: int


class BatchEmbedder(Protocol):
    """What a cache can stand before: makes vectors of texts at full length, batch by batch."""

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors apart; without dimensions while they are not known."""
        ...

    @property
    def shortens(self) -> bool:
        """Whether its vectors can be cut and scaled to unit length again."""
        ...

    def embed_batches(self, texts: Sequence[str]) -> Iterator[Batch]:
        """Embed distinct texts; each batch is given as soon as it is finished.

        Raises
        ------
        EmbedderError
            If the embedder fails; the batches given before stand.
        """
        ...


KNOWN = "'aimlapi:text-embedding-3-small' (and -3-large, ada-002) and 'wordllama:l2_supercat'"


def default_embedder() -> tuple[str, str]:
    """Give the embedder that is used when none is named, and the reason.

    AI/ML API's text-embedding-3-small if its key is set, else WordLlama.
    """
    from embedclf.embedding.aimlapi import DEFAULT_MODEL, KEY_VARIABLE, has_key

    if has_key():
        return f"aimlapi:{DEFAULT_MODEL}", f"{KEY_VARIABLE} is set"
    return "wordllama:l2_supercat", f"{KEY_VARIABLE} is not set"


def open_embedder(
    name: str | None = None,
    *,
    dimensions: int | None = None,
    cache: "VectorCache | bool" = False,
    base_url: str | None = None,
    allow_http: bool = False,
) -> Embedder:
    """Open an embedder by its name.

    Parameters
    ----------
    name : str, optional
        ``provider:model``, or ``provider`` alone for its default model; None takes `default_embedder`.
    dimensions : int, optional
        Length of the vectors; None takes the model's own.
    cache : VectorCache or bool
        Where vectors are kept that cost something; True is the cache that the command line uses.
    base_url : str, optional
        Another OpenAI-compatible server for ``aimlapi``; None takes ``AIMLAPI_BASE_URL``, else AI/ML API itself.
    allow_http : bool
        Whether a server without encryption that is not on this machine is allowed.

    Raises
    ------
    EmbedderError
        If the provider or model is unknown or not installed, or has no vectors of that length.
    """
    if dimensions is not None and dimensions < 1:
        raise EmbedderError(f"dimensions is a number above 0, not {dimensions}")
    provider, _, model = (default_embedder()[0] if name is None else name).partition(":")
    if provider == "wordllama":
        from embedclf.embedding.wordllama import WordLlamaEmbedder

        return WordLlamaEmbedder(model or None, dimensions=dimensions)
    if provider == "aimlapi":
        from embedclf.embedding.aimlapi import DEFAULT_MODEL, AimlapiModel
        from embedclf.embedding.cached import CachedEmbedder

        behind = AimlapiModel(model or DEFAULT_MODEL, dimensions=dimensions, base_url=base_url, allow_http=allow_http)
        return CachedEmbedder(behind, dimensions=dimensions, cache=open_cache(cache))
    raise EmbedderError(f"there is no embedder {name!r}; the known ones are {KNOWN}")


def as_embedder(
    given: Any,
    *,
    dimensions: int | None = None,
    cache: "VectorCache | bool" = False,
    cache_name: str | None = None,
) -> Embedder:
    """Make an embedder of whatever stands for one.

    Parameters
    ----------
    given : str, Embedder, langchain_core.embeddings.Embeddings or None
    dimensions, cache
        For one given by its name; see `open_embedder`.
    cache_name : str, optional
        For a LangChain ``Embeddings``; see `from_langchain`.
    """
    if given is None or isinstance(given, str):
        return open_embedder(given, dimensions=dimensions, cache=cache)
    if dimensions is not None:
        raise TypeError("dimensions goes with an embedder's name; an embedder that is open has its own")
    if isinstance(given, Embedder):
        return given
    if hasattr(given, "embed_documents"):
        from embedclf.embedding.langchain_model import from_langchain

        return from_langchain(given, cache_name=cache_name, cache=cache)
    raise TypeError(f"an embedder is a name, an Embedder or a LangChain Embeddings, not a {type(given).__name__}")


def open_cache(cache: "VectorCache | bool") -> "VectorCache | None":
    """Give the cache that is meant: True is the one that the command line uses, False none."""
    if not isinstance(cache, bool):
        return cache
    from embedclf.embedding.cache import VectorCache

    return VectorCache() if cache else None
