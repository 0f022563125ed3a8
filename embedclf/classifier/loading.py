"""A classifier from its file, with the embedder that it was trained with."""

import os
from typing import Any, Unpack

from embedclf.classifier.model_file import read_model
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.base import EXTERNAL, OURS
from embedclf.embedding.factory import EmbedderSettings, as_embedder, open_embedder
from embedclf.errors import EmbedderError, ModelFileError


def load(path: str | os.PathLike[str], *, embedder: Any = None, **settings: Unpack[EmbedderSettings]) -> TextClassifier:
    """Load a trained classifier from its file. Nothing in the file is run, and no address in it is called.

    Parameters
    ----------
    path : str or Path
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        Needed if the classifier was trained with an embedder that is not one of ours; None opens the one that the
        file names.
    **settings
        How the embedder is opened: ``cache``, ``base_url``, ``max_cost`` and so on, see `EmbedderSettings`. An embedder
        that is handed over open has its own.

    Raises
    ------
    ModelFileError
        If the file is not there or not usable, or was trained with another embedder.
    EmbedderError
        If its embedder is unknown here or not installed.
    """
    model, card = read_model(path)
    name, trained_with = os.fspath(path), card.embedder
    if embedder is None and trained_with.provider not in OURS:
        again = "hand it over again, in Python, with embedclf.load(path, embedder=…)"
        if trained_with.provider != EXTERNAL:
            again = f"none is opened because a file says so. Name it again: --embedder {trained_with} (embedder=…)"
        raise EmbedderError(
            f"{name} was trained with an embedder that is not one of ours "
            f"({trained_with if trained_with.provider != EXTERNAL else trained_with.model}): {again}"
        )
    try:
        if embedder is None or isinstance(embedder, str):
            given = str(trained_with) if embedder is None else embedder
            opened = open_embedder(given, dimensions=trained_with.dimensions, **settings)
        else:
            opened = as_embedder(embedder)
    except EmbedderError as error:
        raise EmbedderError(f"{name} was trained with {trained_with}: {error}") from error
    here = opened.spec
    if trained_with.provider != EXTERNAL and here.endpoint != trained_with.endpoint:
        raise ModelFileError(
            f"{name} was trained with {trained_with} at {trained_with.endpoint}, and here it would be asked at "
            f"{here.endpoint}. An address in a file is never called by itself: if you trust it, give it with "
            "--base-url or AIMLAPI_BASE_URL (in Python: base_url=…)",
            path=name,
        )
    same_model = trained_with.provider == EXTERNAL or str(here) == str(trained_with)
    if not same_model or here.dimensions not in (None, trained_with.dimensions):
        raise ModelFileError(
            f"{name} was trained with {trained_with} of {trained_with.dimensions} dimensions, and the embedder given "
            f"is {here} of {here.dimensions}",
            path=name,
        )
    return TextClassifier(opened, model, card)
