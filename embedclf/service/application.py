"""The application: what any ASGI server can run, and another application mount."""

import ipaddress
import re
from collections.abc import Iterable
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
    answers : int
        Labels with their confidences in one answer, which ``top_k`` multiplies; more is answered 422.
    requests : int
        Requests in hand: being received, waiting, or worked on. One more is answered 503.
    connections : int
        Open connections; one more is answered 503 and closed. Fewer where the process may not open as many files.
        Only ``embedclf serve`` holds to it: other servers have settings of their own.
    seconds : float
        How long a request may take to arrive; a slower one is answered 408. ``embedclf serve`` also cuts off a client
        that takes longer to read its answer.
    """

    body_bytes: int = 2_000_000
    texts: int = 1_000
    characters: int = 20_000
    answers: int = 100_000
    requests: int = 256
    connections: int = 1_024
    seconds: float = 30.0


def create_app(
    classifier: TextClassifier,
    *,
    token: str | None = None,
    limits: Limits | None = None,
    allowed_hosts: Iterable[str] | None = None,
) -> "FastAPI":
    """Make an application that answers for a classifier.

    It has ``/predict``, ``/health``, ``/ready``, ``/model``, ``/metrics``, ``/docs`` and ``/openapi.json``.

    An application sees a request once its head has been read, and an answer only until it is handed over. The size of
    heads, the number of connections, and clients that do not read their answers are therefore the server's to bound.
    ``embedclf serve`` does; uvicorn on its own does not, and belongs behind a proxy that does.

    Parameters
    ----------
    classifier : TextClassifier
    token : str, optional
        What ``/predict``, ``/model`` and ``/metrics`` want as ``Authorization: Bearer …``; None wants nothing.
    limits : Limits, optional
    allowed_hosts : iterable of str, optional
        Serve only requests whose ``Host`` is one of these names, ``localhost``, ``127.0.0.1`` or ``[::1]``, with any
        port. It keeps out web pages whose own name has been made to lead to this machine (DNS rebinding), so it is
        worth giving where there is no token. None serves any name.

    Raises
    ------
    EmbedclfError
        If the token could not be sent as one, a host is not a name, or a package is missing.
    """
    if token is not None:
        check_token(token)
    hosts = None if allowed_hosts is None else _LOOPBACK_HOSTS | {host_name(name) for name in allowed_hosts}
    check_installed()
    from embedclf.service.routes import make

    return make(classifier, token, limits or Limits(), hosts)


_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


def host_name(name: str) -> str:
    """Return the name of a host as it stands in a ``Host`` header, without a port.

    Raises
    ------
    EmbedclfError
        If it is not a name or an address alone.
    """
    plain = name.lower().removeprefix("[").removesuffix("]")
    try:
        return f"[{plain}]" if ipaddress.ip_address(plain).version == 6 else plain
    except ValueError:
        if not re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", name.lower()):
            raise EmbedclfError(
                f"{name!r} is not the name of a host: give it without scheme, port and path, such as labels.example"
            ) from None
        return name.lower()


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
