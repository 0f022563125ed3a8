"""Load a classifier from its file, with the embedder that it was trained with."""

import os
from typing import Any, Unpack

from embedclf.classifier.model_file import read_model
from embedclf.classifier.multilabel import make_classifier
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.base import EXTERNAL, Embedder, EmbedderLike, EmbedderSpec
from embedclf.embedding.factory import EmbedderSettings, as_embedder, reopen_embedder
from embedclf.embedding.tasks import NO_TASK
from embedclf.errors import EmbedderError, ModelFileError


def load(
    path: str | os.PathLike[str], *, embedder: EmbedderLike | None = None, **settings: Unpack[EmbedderSettings]
) -> TextClassifier:
    """Load a trained classifier from its file. No code in the file is executed, and no URL in it is called.

    Parameters
    ----------
    path : str or Path
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        Required if the classifier was trained with a third-party embedder; None opens the one that the file names.
    **settings
        How to open the embedder: ``cache``, ``base_url``, ``max_cost`` and so on, see `EmbedderSettings`. Ignored for
        an embedder object, which has its own settings.

    Raises
    ------
    ModelFileError
        If the file does not exist or is not usable, or the classifier was trained with another embedder.
    EmbedderError
        If the embedder is unknown or not installed.
    TypeError
        If a setting is passed that the file has: the dimensions, the task or the prompt.
    """
    if of_file := sorted(settings.keys() & {"dimensions", "task", "prompt"}):
        raise TypeError(f"the {of_file[0]} is the model file's: do not pass {of_file[0]}=")
    model, card = read_model(path)
    name, trained_with = os.fspath(path), card.embedder
    opened = open_as_trained(trained_with, embedder, name, how=how_to_pass(trained_with), trained_file=name, **settings)
    return make_classifier(opened, model, card)


def how_to_pass(trained_with: EmbedderSpec) -> str:
    """Return how to pass an embedder that no file can open, for errors."""
    if trained_with.provider == EXTERNAL:
        return "pass it in Python, with embedclf.load(path, embedder=…)"
    if trained_with.is_in_folder:
        return (
            "a model file cannot choose which folder to read, so pass it with --embedder fastembed:/PATH (embedder=…)"
        )
    return f"a model file cannot choose which package to load, so pass it with --embedder {trained_with} (embedder=…)"


def open_as_trained(
    trained_with: EmbedderSpec,
    embedder: Any,
    name: str,
    *,
    how: str,
    trained_file: str | None = None,
    cache_name: str | None = None,
    **settings: Any,
) -> Embedder:
    """Open the embedder that something in a file was trained with, without calling a URL from the file.

    Parameters
    ----------
    trained_with : EmbedderSpec
        From the file.
    embedder : str, Embedder, langchain_core.embeddings.Embeddings or None
        None opens the one that the file names.
    name : str
        What was trained, for errors.
    how : str
        How to pass an embedder of a third party, for errors.
    trained_file : str, optional
        The file, if it is a model file; see `reopen_embedder`.
    cache_name, **settings
        See `as_embedder`.

    Raises
    ------
    ModelFileError
        If the embedder is another one.
    EmbedderError
        If the embedder is unknown or not installed.
    """
    if embedder is None and not trained_with.is_enough:
        kind = "an embedder in a folder" if trained_with.is_in_folder else "a third-party embedder"
        raise EmbedderError(
            f"{name} was trained with {kind} "
            f"({trained_with if trained_with.provider != EXTERNAL else trained_with.model}): {how}"
        )
    try:
        if embedder is None or isinstance(embedder, str):
            given = str(trained_with) if embedder is None else embedder
            opened = reopen_embedder(given, trained_with, trained_file=trained_file, **settings)
        else:
            # An embedder that is open has its own prompt, which is compared below.
            prompt = None if isinstance(embedder, Embedder) else trained_with.prompt
            opened = as_embedder(embedder, prompt=prompt, cache_name=cache_name, cache=settings.get("cache", False))
    except EmbedderError as error:
        raise EmbedderError(f"{name} was trained with {trained_with}: {error}") from error
    here = opened.spec
    if trained_with.provider != EXTERNAL and here.endpoint != trained_with.endpoint:
        raise ModelFileError(
            f"{name} was trained with {trained_with} at {trained_with.endpoint}, but would now call "
            f"{here.endpoint or 'no URL'}. A URL in a model file is never called automatically: if you trust it, pass "
            "it with --base-url or AIMLAPI_BASE_URL (in Python: base_url=…)",
            path=name,
        )
    same_model = trained_with.provider == EXTERNAL or str(here) == str(trained_with)
    if not same_model or here.dimensions not in (None, trained_with.dimensions):
        raise ModelFileError(
            f"{name} was trained with {trained_with} ({trained_with.dimensions} dimensions), but the embedder is "
            f"{here} ({here.dimensions} dimensions)",
            path=name,
        )
    if (here.task, here.prompt) != (trained_with.task, trained_with.prompt):
        asked = ", ".join(
            f"{what}={value!r}"
            for what, value, other in (
                ("task", trained_with.task or NO_TASK, here.task or NO_TASK),
                ("prompt", trained_with.prompt or "", here.prompt or ""),
            )
            if value != other
        )
        raise ModelFileError(
            f"{name} was trained with {_told(trained_with)}, but the embedder is {_told(here)}: open it with {asked}",
            path=name,
        )
    return opened


def _told(spec: EmbedderSpec) -> str:
    return spec.described if spec.told else f"{spec} (no task, no prompt)"
