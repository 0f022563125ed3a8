"""Turn failed requests into errors that quote the provider and say what to do."""

import errno
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from embedclf.embedding.aimlapi.answers import error_message
from embedclf.embedding.aimlapi.api_key import KEY_PAGE, key_name, redact, request_note
from embedclf.embedding.base import EmbedderSpec
from embedclf.errors import EmbedderError

# AI/ML API's free tier has an hourly quota, so waiting a few minutes does not help against such a 429.
_FREE_TIER = re.compile(rb"free[- ]tier|free limit", re.IGNORECASE)
# The openai client ignores a longer Retry-After.
MAX_RETRY_AFTER = 120.0
_ABOUT_LENGTH = re.compile(
    r"\btokens?\b|context length|input length|maximum\b.*\blength|too (long|large)|longer than|at most \d",
    re.IGNORECASE,
)
_COMMON_KEYS = {"message", "path", "requestId", "statusCode", "timestamp", "error", "detail"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that the server rejected because of its content.

    Attributes
    ----------
    reason : str
        The provider's message.
    about_length : bool
        Whether the message says that something was too long.
    request : str
        The request id, formatted for messages.
    status : int
    """

    reason: str
    about_length: bool
    request: str
    status: int

    def error(self, spec: EmbedderSpec) -> EmbedderError:
        """Return it as an error, for when the request itself is at fault rather than one of its texts."""
        message = f"{spec} at {spec.endpoint} returned {self.status}: “{self.reason}”{self.request}"
        return EmbedderError(message, status=self.status)


def is_final(response: Any) -> bool:
    """Return whether a 429 response will persist for too long to wait."""
    return bool(_FREE_TIER.search(response.content)) or seconds_to_wait(response) > MAX_RETRY_AFTER


def seconds_to_wait(response: Any) -> float:
    """Return how many seconds a response asks to wait; 0 if it does not say."""
    headers = response.headers
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name, "")
        try:
            seconds = float(value) * unit
        except ValueError:
            seconds = _seconds_until(value)
        if 0 < seconds < 1e9:
            return seconds
    return 0.0


def _seconds_until(date: str) -> float:
    """Return the seconds from now until an HTTP date; 0 if it is not one."""
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):  # overflow: year 1, or an absurd time zone
        return 0.0


def from_status(response: Any, spec: EmbedderSpec) -> Refusal | EmbedderError:
    """Return the refusal or error that a response with an error status stands for.

    Parameters
    ----------
    response : httpx.Response
    spec : EmbedderSpec
        The model that was requested.
    """
    import jiter

    status = response.status_code
    try:
        body = jiter.from_json(response.content)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    reason = error_message(body) or redact(response.reason_phrase)
    more = {name: value for name, value in body.items() if name not in _COMMON_KEYS and value}
    if "message" in body and more:
        reason += redact(f" {json.dumps(more, ensure_ascii=False)}")[:300]
    request = request_note(body.get("requestId") or response.headers.get("x-request-id"))
    if status in (400, 413, 422):
        return Refusal(reason, status == 413 or bool(_ABOUT_LENGTH.search(reason)), request, status)
    message = f"{spec} at {spec.endpoint} returned {status}: “{reason}”{request}{_advice(response)}"
    return EmbedderError(message, status=status)


def _advice(response: Any) -> str:
    status = response.status_code
    if 300 <= status < 400:
        return (
            "; redirects are not followed, since the texts would go to another address. If the API has moved, pass its "
            "new URL with --base-url"
        )
    if status == 429 and is_final(response):
        # The quota may reset on the hour or an hour after the first request; an hour covers both.
        until = datetime.now().astimezone() + timedelta(seconds=seconds_to_wait(response) or 3_600)
        return f"; quota used up: try again after {until:%H:%M}, or top up the account"
    advice = {
        401: f"check {key_name()} (create keys at {KEY_PAGE})",
        403: "top up the account",
        404: "check the model name and the base URL",
        429: "try again later, or lower --concurrency",
    }.get(status, "try again, and report it to the provider if it persists" if status >= 500 else "")
    return f"; {advice}" if advice else ""


def from_connection(error: BaseException, spec: EmbedderSpec, seconds: float) -> EmbedderError:
    """Return the error for a request that got no response.

    Parameters
    ----------
    error : Exception
        Raised by the HTTP client.
    spec : EmbedderSpec
        The model that was requested.
    seconds : float
        The timeout.
    """
    late = any("Timeout" in type(cause).__name__ for cause in _causes(error))
    return EmbedderError(_connection_fault(error, spec, seconds, late), late=late)


def _connection_fault(error: BaseException, spec: EmbedderSpec, seconds: float, late: bool) -> str:
    endpoint = spec.endpoint
    causes = list(_causes(error))
    kinds = [type(cause).__name__ for cause in causes]
    if late:
        return (
            f"{endpoint} did not respond within {seconds:g} s: try again, raise --timeout or lower --batch-size "
            "(the request may still be billed)"
        )
    reason = redact(next((str(cause) for cause in reversed(causes) if str(cause)), kinds[-1]))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"{endpoint} cannot be reached: host not found ({reason}); check the base URL and the network"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return (
            f"{endpoint} cannot be reached: its certificate is not trusted ({reason}); behind a proxy, point "
            "SSL_CERT_FILE at the proxy's certificates"
        )
    if any(map(_is_without_tls, causes)):
        return f"{endpoint} cannot be reached: it does not speak TLS ({reason}); should its URL start with http://?"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{endpoint} cannot be reached: nothing is listening there ({reason}); check the base URL"
    if any(kind in ("RemoteProtocolError", "ReadError", "DecodingError") for kind in kinds):
        return f"{endpoint} closed the connection in the middle of a response ({reason})"
    return f"{endpoint} cannot be reached: {reason}"


def is_permanent(error: BaseException) -> bool:
    """Return whether retrying cannot help: unknown host, no TLS, untrusted certificate, unsupported address family."""
    return any(
        isinstance(cause, ssl.SSLCertVerificationError)
        or _is_without_tls(cause)
        or (isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME)
        or (isinstance(cause, OSError) and cause.errno == errno.EAFNOSUPPORT)
        for cause in _causes(error)
    )


def _is_without_tls(cause: BaseException) -> bool:
    return isinstance(cause, ssl.SSLError) and getattr(cause, "reason", None) == "WRONG_VERSION_NUMBER"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
