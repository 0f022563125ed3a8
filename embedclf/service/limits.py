"""Limits, host names and tokens of a service."""

import ipaddress
import re
from dataclasses import dataclass

from embedclf.errors import EmbedclfError


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a service.

    Attributes
    ----------
    body_bytes : int
        Size of a request body; a larger one gets a 413 response.
    texts, characters : int
        Texts per request and characters per text; more get a 422 response.
    answers : int
        Labels with confidences per response, which ``top_k`` multiplies; more get a 422 response.
    requests : int
        Requests in flight: being received, waiting or being processed. Further ones get a 503 response.
    connections : int
        Open connections; further ones get a 503 response and are closed. The limit is lower if the process may not
        open as many files. Only `embedclf.service.server.serve` and the command enforce it: other servers have their
        own settings.
    seconds : float
        How long a request may take to arrive; a slower one gets a 408 response. `embedclf.service.server.serve` and the
        command also disconnect a client that takes longer to read its response.
    """

    body_bytes: int = 2_000_000
    texts: int = 1_000
    characters: int = 20_000
    answers: int = 100_000
    requests: int = 256
    connections: int = 1_024
    seconds: float = 30.0


LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


def host_name(name: str) -> str:
    """Return a host name as it appears in a ``Host`` header, without a port.

    Raises
    ------
    EmbedclfError
        If it is not just a host name or IP address.
    """
    plain = name.lower().removeprefix("[").removesuffix("]")
    try:
        return f"[{plain}]" if ipaddress.ip_address(plain).version == 6 else plain
    except ValueError:
        if not re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", name.lower()):
            raise EmbedclfError(
                f"{name!r} is not a host name; use the name without scheme, port or path, such as labels.example"
            ) from None
        return name.lower()


def check_token(token: str, name: str = "the token") -> None:
    """Check that a token can be sent in a header.

    Raises
    ------
    EmbedclfError
        If it cannot; the message does not contain the token.
    """
    if not token:
        raise EmbedclfError(f"{name} is empty, which would let anyone in; set a token, or unset it")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise EmbedclfError(f"{name} contains a space or a character that is not allowed in a header")
