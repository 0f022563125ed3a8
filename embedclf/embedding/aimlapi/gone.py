"""Models that AI/ML API no longer serves: what to use instead."""

import shlex

from embedclf.embedding.aimlapi.advice import is_aimlapi
from embedclf.embedding.aimlapi.catalogue import GONE
from embedclf.embedding.base import EmbedderSpec
from embedclf.errors import EmbedderError


def check_served(spec: EmbedderSpec, trained_file: str | None = None) -> None:
    """Check that AI/ML API still serves a model. Another server may go on serving it, which only its answer shows.

    Parameters
    ----------
    spec : EmbedderSpec
    trained_file : str, optional
        The model file that was trained with it.

    Raises
    ------
    EmbedderError
        If it does not; says what to use instead.
    """
    if is_aimlapi(str(spec.endpoint)) and (advice := advice_if_gone(spec.model, trained_file)):
        raise EmbedderError(advice)


def advice_if_gone(model: str, trained_file: str | None = None) -> str | None:
    """Return what to do if AI/ML API no longer serves a model; None if that is not known of it."""
    if (gone := GONE.get(model)) is None:
        return None
    file = "MODEL" if trained_file is None else shlex.quote(trained_file)
    what = "a model that was trained with it" if trained_file is None else "it on the same data"
    return (
        f"AI/ML API no longer serves {model} ({gone.why}): use aimlapi:{gone.successor} instead. "
        f"To retrain {what}: embedclf retrain {file} --embedder aimlapi:{gone.successor}"
    )
