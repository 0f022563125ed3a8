"""What a service accepts: how much, for which hosts, with which token."""

import ipaddress
import re
from dataclasses import dataclass

from embedclf.errors import EmbedclfError


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a service accepts.

    Attributes
    ----------
    body_bytes : int
        Of one request; more is answered 413.
    texts, characters : int
        Texts of one request, and characters of one text; more is answered 422.
    answers : int
        Labels with their confidences in one answer, which ``top_k`` multiplies; more is answered 422.
    requests : int
        Requests in flight: being received, waiting, or processed. One more is answered 503.
    connections : int
        Open connections; one more is answered 503 and closed. Fewer where the process may not open as many files.
        Only `embedclf.service.server.serve` and the command enforce it: other servers have settings of their own.
    seconds : float
        How long a request may take to arrive; a slower one is answered 408. `embedclf.service.server.serve` and the
        command also cut off a client that takes longer to read its answer.
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
    """Return the name of a host as in a ``Host`` header, without a port.

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


def check_token(token: str, name: str = "the token") -> None:
    """Check that a token can be sent in a header.

    Raises
    ------
    EmbedclfError
        If it cannot; the message does not contain it.
    """
    if not token:
        raise EmbedclfError(f"{name} is empty, which would let everyone in: set one, or unset it")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise EmbedclfError(f"{name} holds a space or a character that no header has")
