"""Opening embedders by name."""

from typing import TYPE_CHECKING, NamedTuple, Unpack, cast

from embedclf.embedding.aimlapi.settings import RequestSettings
from embedclf.embedding.base import LOCAL_PROVIDERS, WORDS, Embedder, EmbedderLike, EmbedderSpec
from embedclf.embedding.tasks import CLASSIFICATION, NO_TASK, check_prompt, check_task
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
    name: str | None = None,
    *,
    dimensions: int | None = None,
    task: str | None = None,
    prompt: str | None = None,
    **settings: Unpack[EmbedderSettings],
) -> Embedder:
    """Open an embedder by name.

    Parameters
    ----------
    name : str, optional
        ``provider:model``, or ``provider`` alone for its default model; ``fastembed:/path`` for a model in a folder;
        None opens `default_embedder`. Providers that are not built in are LangChain's: ``ollama:…``,
        ``huggingface:…``.
    dimensions : int, optional
        Length of the vectors; None uses the model's own.
    task : {"classification", "clustering", "similarity", "none"}, optional
        What to tell the model that its vectors are for. None tells "classification" to the models that AI/ML API's
        documentation says can be told, "none" tells nothing.
    prompt : str, optional
        An instruction to put before each text, as it is, for models that follow one: it should end in a space or a line
        break.
    **settings
        See `RequestSettings` and `EmbedderSettings`.

    Raises
    ------
    EmbedderError
        If the provider or model is unknown, not installed or no longer served, or does not support the dimensions, a
        task or a prompt.
    """
    return _open(name, _Asked(dimensions, False, task, prompt, CLASSIFICATION), settings)


def reopen_embedder(
    name: str, spec: EmbedderSpec, *, trained_file: str | None = None, **settings: Unpack[EmbedderSettings]
) -> Embedder:
    """Open an embedder by name, to make vectors like those of `spec`; see `open_embedder`.

    A model that AI/ML API no longer serves is opened as well, for vectors that are in the cache. If other texts are to
    be embedded, the error names `trained_file`, the model file that was trained with it.
    """
    asked = _Asked(
        *(spec.dimensions, not spec.shortened, spec.task or NO_TASK, spec.prompt, CLASSIFICATION),
        reopens=True,
        trained_file=trained_file,
    )
    return _open(name, asked, settings)


class _Asked(NamedTuple):
    """What an embedder is asked for: see `open_embedder`, `reopen_embedder`, `AimlapiModel` and `as_embedder`."""

    dimensions: int | None
    is_own: bool
    task: str | None
    prompt: str | None
    usual_task: str
    reopens: bool = False
    trained_file: str | None = None

    def check_untold(self, name: str, *, why_no_prompt: str | None) -> None:
        """Check that a model that can be told no task is not told one, nor a prompt if there is a reason against it."""
        check_task(name, self.task, is_told=False, usual=self.usual_task)
        if why_no_prompt is not None and check_prompt(self.prompt) is not None:
            raise EmbedderError(f"{name} cannot be given a prompt: {why_no_prompt}. Leave out --prompt (prompt=)")


def _open(name: str | None, asked: _Asked, settings: EmbedderSettings) -> Embedder:
    dimensions, prompt = asked.dimensions, asked.prompt
    if dimensions is not None and dimensions < 1:
        raise EmbedderError(f"dimensions must be positive, got {dimensions}")
    provider, _, model = (default_embedder()[0] if name is None else name).partition(":")
    cache, on_event = settings.get("cache", False), settings.get("on_event")
    if provider == WORDS:
        from embedclf.embedding.words import open_words

        asked.check_untold(WORDS, why_no_prompt="its words would count as words of each text")
        return open_words(model, dimensions)
    if provider == "wordllama":
        from embedclf.embedding.wordllama import WordLlamaEmbedder

        asked.check_untold("wordllama", why_no_prompt="it averages the words of a text and follows no instruction")
        return WordLlamaEmbedder(model or None, dimensions=dimensions, on_event=on_event)
    if provider == "fastembed":
        from embedclf.embedding.cache.vector_cache import open_cache
        from embedclf.embedding.fastembed import open_fastembed

        asked.check_untold(f"fastembed:{model}", why_no_prompt=None)
        return open_fastembed(model, dimensions=dimensions, cache=open_cache(cache), on_event=on_event, prompt=prompt)
    if provider == "aimlapi":
        from embedclf.embedding.aimlapi.gone import check_served
        from embedclf.embedding.aimlapi.model import DEFAULT_MODEL, AimlapiModel
        from embedclf.embedding.cache.vector_cache import open_cache
        from embedclf.embedding.cached_embedder import CachedEmbedder

        known = {name: value for name, value in settings.items() if name in RequestSettings.__annotations__}
        requests = cast(RequestSettings, known)
        model = model or DEFAULT_MODEL
        task = check_task(f"aimlapi:{model}", asked.task, is_told=_is_told(model), usual=asked.usual_task)
        behind = AimlapiModel(model, dimensions=dimensions, is_own=asked.is_own, task=task, **requests)
        if not asked.reopens:
            check_served(behind.spec)
        behind.trained_file = asked.trained_file
        return CachedEmbedder(behind, dimensions=dimensions, cache=open_cache(cache), on_event=on_event, prompt=prompt)
    if settings.get("max_cost") is not None and provider not in LOCAL_PROVIDERS:
        raise EmbedderError(
            f"{provider}:{model} does not report what it charges, so --max-cost (max_cost) cannot be enforced"
        )
    from embedclf.embedding.cache.vector_cache import open_cache
    from embedclf.embedding.langchain import open_provider

    asked.check_untold(f"{provider}:{model}", why_no_prompt=None)
    return open_provider(
        provider, model, dimensions=dimensions, cache=open_cache(cache), on_event=on_event, prompt=prompt
    )


def what_it_takes(given: EmbedderLike | None) -> tuple[bool, bool]:
    """Return whether an embedder, as in `as_embedder`, may be told a task, and whether it may be given a prompt."""
    if given is not None and not isinstance(given, str):
        return False, not isinstance(given, Embedder)
    provider, _, model = (default_embedder()[0] if given is None else given).partition(":")
    return provider == "aimlapi" and _is_told(model) is not False, provider not in (WORDS, "wordllama")


def told_alike(given: EmbedderLike, known: EmbedderSpec) -> dict[str, str | None]:
    """Return the task and the prompt of an embedder, as far as another takes them, as arguments of `as_embedder`.

    A model whose documentation does not say that it takes a task is not told one, unless it is the same model.
    """
    provider, _, model = given.partition(":") if isinstance(given, str) else ("", "", "")
    if given == str(known):
        task: str | None = known.task or NO_TASK
    else:
        task = known.task if provider == "aimlapi" and _is_told(model) else None
    return {"task": task, "prompt": known.prompt if what_it_takes(given)[1] else None}


def _is_told(model: str) -> bool | None:
    """Return whether a model of `aimlapi` can be told its task; None if it is not in the catalogue."""
    from embedclf.embedding.aimlapi.catalogue import CATALOGUE
    from embedclf.embedding.aimlapi.model import DEFAULT_MODEL

    model = model or DEFAULT_MODEL
    return CATALOGUE[model].tasks if model in CATALOGUE else None


def as_embedder(
    given: EmbedderLike | None,
    *,
    dimensions: int | None = None,
    task: str | None = None,
    prompt: str | None = None,
    cache_name: str | None = None,
    usual_task: str = CLASSIFICATION,
    **settings: Unpack[EmbedderSettings],
) -> Embedder:
    """Return a name or an object as an embedder.

    Parameters
    ----------
    given : str, Embedder, langchain_core.embeddings.Embeddings or None
    dimensions, task, **settings
        For a name; see `open_embedder`.
    prompt : str, optional
        For a name or a LangChain ``Embeddings``.
    cache_name : str, optional
        For a LangChain ``Embeddings``; see `from_langchain`.
    usual_task : str
        For a name: what a model is told if it can be told its task and none is given.
    """
    if given is None or isinstance(given, str):
        return _open(given, _Asked(dimensions, False, task, prompt, usual_task), settings)
    is_open = isinstance(given, Embedder)
    for name, value in (("dimensions", dimensions), ("task", task), ("prompt", prompt if is_open else None)):
        if value is not None:
            raise TypeError(f"{name} needs an embedder's name: an embedder that is already open has its own")
    if isinstance(given, Embedder):
        return given
    if hasattr(given, "embed_documents"):
        from embedclf.embedding.langchain import from_langchain

        return from_langchain(given, cache_name=cache_name, cache=settings.get("cache", False), prompt=prompt)
    raise TypeError(f"embedder must be a name, an Embedder or a LangChain Embeddings, got {type(given).__name__}")
