"""Opening embedders by name."""

from typing import TYPE_CHECKING, Unpack, cast

from embedclf.embedding.aimlapi.settings import RequestSettings
from embedclf.embedding.base import LOCAL_PROVIDERS, WORDS, Embedder, EmbedderLike, EmbedderSpec
from embedclf.errors import EmbedderError

if TYPE_CHECKING:
    from embedclf.embedding.cache.vector_cache import VectorCache
    from embedclf.embedding.usage import OnEvent


class EmbedderSettings(RequestSettings, total=False):
    """Settings for opening an embedder by name; those that do not apply to an embedder are ignored.

    Attributes
    ----------
    cache : VectorCache or bool
        Where to cache vectors that cost something; True uses the command line's cache, False (the default) caches
        nothing.
    on_event : callable
        Called with a `Progress` as texts are embedded, from any thread; it must not call the embedder.
    """

    cache: "VectorCache | bool"
    on_event: "OnEvent | None"


def default_embedder() -> tuple[str, str]:
    """Return the name of the default embedder, and why it is the default.

    It is AI/ML API's text-embedding-3-small if there is a key for it, else WordLlama.
    """
    from embedclf.embedding.aimlapi.api_key import key_reason, key_source

    name = "wordllama:l2_supercat" if key_source() is None else "aimlapi:text-embedding-3-small"
    return name, key_reason()


def open_embedder(
    name: str | None = None, *, dimensions: int | None = None, **settings: Unpack[EmbedderSettings]
) -> Embedder:
    """Open an embedder by name.

    Parameters
    ----------
    name : str, optional
        ``provider:model``, or ``provider`` alone for its default model; None opens `default_embedder`. Providers that
        are not built in are LangChain's: ``ollama:…``, ``huggingface:…``.
    dimensions : int, optional
        Length of the vectors; None uses the model's own.
    **settings
        See `RequestSettings` and `EmbedderSettings`.

    Raises
    ------
    EmbedderError
        If the provider or model is unknown or not installed, or does not support the dimensions.
    """
    return _open(name, dimensions, is_own=False, settings=settings)


def reopen_embedder(name: str, spec: EmbedderSpec, **settings: Unpack[EmbedderSettings]) -> Embedder:
    """Open an embedder by name, to make vectors like those of `spec`; see `open_embedder`."""
    return _open(name, spec.dimensions, is_own=not spec.shortened, settings=settings)


def _open(name: str | None, dimensions: int | None, *, is_own: bool, settings: EmbedderSettings) -> Embedder:
    if dimensions is not None and dimensions < 1:
        raise EmbedderError(f"dimensions must be positive, got {dimensions}")
    provider, _, model = (default_embedder()[0] if name is None else name).partition(":")
    cache, on_event = settings.get("cache", False), settings.get("on_event")
    if provider == WORDS:
        from embedclf.embedding.words import open_words

        return open_words(model, dimensions)
    if provider == "wordllama":
        from embedclf.embedding.wordllama import WordLlamaEmbedder

        return WordLlamaEmbedder(model or None, dimensions=dimensions, on_event=on_event)
    if provider == "aimlapi":
        from embedclf.embedding.aimlapi.model import DEFAULT_MODEL, AimlapiModel
        from embedclf.embedding.cache.vector_cache import open_cache
        from embedclf.embedding.cached_embedder import CachedEmbedder

        asked = {name: value for name, value in settings.items() if name in RequestSettings.__annotations__}
        requests = cast(RequestSettings, asked)
        behind = AimlapiModel(model or DEFAULT_MODEL, dimensions=dimensions, is_own=is_own, **requests)
        return CachedEmbedder(behind, dimensions=dimensions, cache=open_cache(cache), on_event=on_event)
    if settings.get("max_cost") is not None and provider not in LOCAL_PROVIDERS:
        raise EmbedderError(
            f"{provider}:{model} does not report what it charges, so --max-cost (max_cost) cannot be enforced"
        )
    from embedclf.embedding.cache.vector_cache import open_cache
    from embedclf.embedding.langchain import open_provider

    return open_provider(provider, model, dimensions=dimensions, cache=open_cache(cache), on_event=on_event)


def as_embedder(
    given: EmbedderLike | None,
    *,
    dimensions: int | None = None,
    cache_name: str | None = None,
    **settings: Unpack[EmbedderSettings],
) -> Embedder:
    """Return a name or an object as an embedder.

    Parameters
    ----------
    given : str, Embedder, langchain_core.embeddings.Embeddings or None
    dimensions, **settings
        For a name; see `open_embedder`.
    cache_name : str, optional
        For a LangChain ``Embeddings``; see `from_langchain`.
    """
    if given is None or isinstance(given, str):
        return open_embedder(given, dimensions=dimensions, **settings)
    if dimensions is not None:
        raise TypeError("dimensions needs an embedder's name: an embedder that is already open has its own")
    if isinstance(given, Embedder):
        return given
    if hasattr(given, "embed_documents"):
        from embedclf.embedding.langchain import from_langchain

        return from_langchain(given, cache_name=cache_name, cache=settings.get("cache", False))
    raise TypeError(f"embedder must be a name, an Embedder or a LangChain Embeddings, got {type(given).__name__}")
