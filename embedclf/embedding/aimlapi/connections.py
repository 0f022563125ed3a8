"""Turn requests that got no response into errors that say why, and tell which of them may pass."""

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from embedclf.embedding.aimlapi.api_key import redact
from embedclf.embedding.aimlapi.base_url import is_loopback_url, proxy_variable
from embedclf.embedding.aimlapi.refusals import Kind, Refusal
from embedclf.embedding.aimlapi.request_ids import unanswered_note
from embedclf.embedding.base import EmbedderSpec


def from_connection(error: BaseException, spec: EmbedderSpec, seconds: float, sent_as: str = "") -> Refusal:
    """Return the refusal for a request that got no response.

    Parameters
    ----------
    error : Exception
        Raised by the HTTP client.
    spec : EmbedderSpec
        The model that was requested.
    seconds : float
        The timeout.
    sent_as : str
        The id that the request was sent with, by which the provider's logs tell what became of it.
    """
    endpoint = spec.endpoint
    causes = list(_causes(error))
    if is_late(error):
        return Refusal(
            Kind.LATE,
            f"{endpoint} did not respond within {seconds:g} s: try again, raise --timeout, or lower --batch-size and "
            f"--concurrency (the request may still be billed){unanswered_note(sent_as, str(endpoint))}",
            f"no response within {seconds:g} s",
        )
    kinds = [type(cause).__name__ for cause in causes]
    reason = redact(next((str(cause) for cause in reversed(causes) if str(cause)), kinds[-1]))
    if any(kind in ("RemoteProtocolError", "ReadError", "DecodingError") for kind in kinds):
        note = unanswered_note(sent_as, str(endpoint))
        message = f"{endpoint} closed the connection in the middle of a response ({reason}){note}"
        return Refusal(Kind.PASSING, message, f"the connection was closed: {reason}")
    return Refusal(Kind.FINAL, _connection_fault(causes, kinds, str(endpoint), reason), reason)


def _connection_fault(causes: list[BaseException], kinds: list[str], endpoint: str, reason: str) -> str:
    unreached = f"{endpoint} cannot be reached: "
    proxy = proxy_variable(endpoint)
    if "ProxyError" in kinds or (proxy and any(isinstance(cause, ConnectionRefusedError) for cause in causes)):
        named = f"the proxy of {proxy or 'the environment'}"
        if re.search(r"\b407\b|proxy authentication", reason, re.IGNORECASE):
            return (
                f"{unreached}{named} asks for a user name and a password ({reason}); put them into the variable: "
                "http://USER:PASSWORD@HOST:PORT"
            )
        fault = "cannot be reached" if "ProxyError" not in kinds else "does not let it through"
        return f"{unreached}{named} {fault} ({reason}); check that variable, or except the host in NO_PROXY"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        where = proxy or "the network"
        return f"{unreached}host not found ({reason}); check the base URL and {where}"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return f"{unreached}its certificate is not trusted ({reason}); {_advice_on_certificate(reason, proxy)}"
    if any(map(_is_without_tls, causes)):
        return f"{unreached}it does not speak TLS ({reason}); should its URL start with http://?"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{unreached}nothing is listening there ({reason}); {_advice_on_refusal(endpoint)}"
    return f"{unreached}{reason}"


def _advice_on_refusal(endpoint: str) -> str:
    if not is_loopback_url(endpoint):
        return "check the base URL"
    parts = urlsplit(endpoint)
    if parts.port is None:
        port = {"http": 80, "https": 443}[parts.scheme]
        return f"the base URL names no port, so {port} is used: add the server's, such as {parts.hostname}:8080"
    return "is the server running, and is that its port?"


def _advice_on_certificate(reason: str, proxy: str | None) -> str:
    if "expired" in reason:
        return "it has expired: check this machine's clock, and tell who runs the server"
    if "mismatch" in reason.lower() or "not valid for" in reason:
        return "it is made out to another name: check the host in the base URL"
    whose = "the proxy's certificates" if proxy else "the certificate that signed it"
    return f"behind a proxy, or with a certificate of your own, point SSL_CERT_FILE at {whose}"


def is_late(error: BaseException) -> bool:
    """Return whether there was no response in time."""
    return any("Timeout" in type(cause).__name__ for cause in _causes(error))


def is_unconnected(error: BaseException) -> bool:
    """Return whether no connection was made."""
    return any(
        "ConnectError" in type(cause).__name__ or "ProxyError" in type(cause).__name__ for cause in _causes(error)
    )


def is_permanent(error: BaseException) -> bool:
    """Return whether retrying cannot help: unknown host, no TLS, untrusted certificate, unsupported address family."""
    return any(
        isinstance(cause, ssl.SSLCertVerificationError)
        or _is_without_tls(cause)
        or (isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME)
        or (isinstance(cause, OSError) and cause.errno == errno.EAFNOSUPPORT)
        or (type(cause).__name__ == "ProxyError" and "407" in str(cause))
        for cause in _causes(error)
    )


def _is_without_tls(cause: BaseException) -> bool:
    return isinstance(cause, ssl.SSLError) and getattr(cause, "reason", None) in (
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
