"""The application: what any ASGI server can run, and another application mount."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.classifier.text_classifier import TextClassifier
from embedclf.errors import EmbedclfError
from embedclf.extras import check_extra

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a service takes on.

    Attributes
    ----------
    body_bytes : int
        Of one request; more is answered 413.
    texts, characters : int
        Texts of one request, and characters of one text; more is answered 422.
    requests : int
        Requests in hand: being received, waiting, or worked on. One more is answered 503.
    seconds : float
        How long a request may take to arrive; a slower one is answered 408.
    """

    body_bytes: int = 2_000_000
    texts: int = 1_000
    characters: int = 20_000
    requests: int = 256
    seconds: float = 30.0


def create_app(classifier: TextClassifier, *, token: str | None = None, limits: Limits | None = None) -> "FastAPI":
    """Make an application that answers for a classifier.

    It has ``/predict``, ``/health``, ``/ready``, ``/model``, ``/metrics``, ``/docs`` and ``/openapi.json``.

    Parameters
    ----------
    classifier : TextClassifier
    token : str, optional
        What ``/predict``, ``/model`` and ``/metrics`` want as ``Authorization: Bearer …``; None wants nothing.
    limits : Limits, optional

    Raises
    ------
    EmbedclfError
        If the token could not be sent as one, or a package is missing.
    """
    if token is not None:
        check_token(token)
    check_installed()
    from embedclf.service.routes import make

    return make(classifier, token, limits or Limits())


def check_installed() -> None:
    """See that what a service needs is installed.

    Raises
    ------
    EmbedclfError
    """
    check_extra("serve", "a service", "fastapi", "prometheus_client", "uvicorn")


def check_token(token: str, name: str = "the token") -> None:
    """See that a token can be sent in a header.

    Raises
    ------
    EmbedclfError
        Which does not hold it.
    """
    if not token:
        raise EmbedclfError(f"{name} is empty, which would let everyone in: set one, or unset it")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise EmbedclfError(f"{name} holds a space or a character that no header has")
