"""What a request that failed means, and what to do about it, in the provider's words."""

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
from embedclf.embedding.aimlapi.api_key import KEY_PAGE, KEY_VARIABLE, named, told
from embedclf.embedding.base import EmbedderSpec
from embedclf.errors import EmbedderError

# An answer 429 that no waiting within minutes can help: AI/ML API's free tier has a number of requests an hour.
_FREE_TIER = re.compile(rb"free[- ]tier|free limit", re.IGNORECASE)
# The openai client waits for no longer than this when it is told how long.
MOST_SECONDS_TO_WAIT = 120.0
_ABOUT_LENGTH = re.compile(
    r"\btokens?\b|context length|input length|maximum\b.*\blength|too (long|large)|longer than|at most \d",
    re.IGNORECASE,
)
_COMMON_KEYS = {"message", "path", "requestId", "statusCode", "timestamp", "error", "detail"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was refused for what stands in it.

    Attributes
    ----------
    reason : str
        In the provider's words.
    about_length : bool
        Whether something was too long.
    request : str
        The request's id, as it is shown.
    status : int
    """

    reason: str
    about_length: bool
    request: str
    status: int

    def error(self, spec: EmbedderSpec) -> EmbedderError:
        """Make an error of it, where the fault is the request's own and not one of its texts'."""
        said = f"{spec} at {spec.endpoint} answered {self.status}, “{self.reason}”{self.request}"
        return EmbedderError(said, status=self.status)


def is_final(response: Any) -> bool:
    """Whether an answer 429 will stay one for longer than anyone waits."""
    return bool(_FREE_TIER.search(response.content)) or seconds_to_wait(response) > MOST_SECONDS_TO_WAIT


def seconds_to_wait(response: Any) -> float:
    """Read how long an answer asks to wait; 0 if it does not say."""
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
    """Read an HTTP date as the seconds from now; 0 if it is none."""
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):  # of the year 1, or of a time zone days away
        return 0.0


def of_status(response: Any, spec: EmbedderSpec) -> Refusal | EmbedderError:
    """Say what an answer with an error status means.

    Parameters
    ----------
    response : httpx.Response
    spec : EmbedderSpec
        What was asked.
    """
    import jiter

    status = response.status_code
    try:
        body = jiter.from_json(response.content)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    said = error_message(body) or told(response.reason_phrase)
    more = {name: value for name, value in body.items() if name not in _COMMON_KEYS and value}
    if "message" in body and more:
        said += told(f" {json.dumps(more, ensure_ascii=False)}")[:300]
    request = named(body.get("requestId") or response.headers.get("x-request-id"))
    if status in (400, 413, 422):
        return Refusal(said, status == 413 or bool(_ABOUT_LENGTH.search(said)), request, status)
    answered = f"{spec} at {spec.endpoint} answered {status}, “{said}”{request}{_advice(response)}"
    return EmbedderError(answered, status=status)


def _advice(response: Any) -> str:
    status = response.status_code
    if 300 <= status < 400:
        return ": the texts are not sent on to another address; if it has moved, give the new one with --base-url"
    if status == 429 and is_final(response):
        # Whether it is the hour of the clock or one from the first request on is not said: an hour is enough for both.
        until = datetime.now().astimezone() + timedelta(seconds=seconds_to_wait(response) or 3_600)
        return f": no more requests for now; come back at {until:%H:%M}, or top up the account"
    advice = {
        401: f"check {KEY_VARIABLE}; keys are made at {KEY_PAGE}",
        403: "top up the account",
        404: "check the model's name and the base URL",
        429: "wait a while, or send fewer at once with --concurrency",
    }.get(status, "try again, and tell the provider if it stays so" if status >= 500 else "")
    return f": {advice}" if advice else ""


def of_connection(error: BaseException, spec: EmbedderSpec, seconds: float) -> EmbedderError:
    """Say why no answer came.

    Parameters
    ----------
    error : Exception
        Of the HTTP client.
    spec : EmbedderSpec
        What was asked.
    seconds : float
        How long an answer was waited for.
    """
    late = any("Timeout" in type(cause).__name__ for cause in _causes(error))
    return EmbedderError(_connection_fault(error, spec, seconds, late), late=late)


def _connection_fault(error: BaseException, spec: EmbedderSpec, seconds: float, late: bool) -> str:
    endpoint = spec.endpoint
    causes = list(_causes(error))
    kinds = [type(cause).__name__ for cause in causes]
    if late:
        return (
            f"{endpoint} did not answer within {seconds:g} s: try again, wait longer with --timeout, or ask for less "
            "at once with --batch-size (what was sent may be charged all the same)"
        )
    said = told(next((str(cause) for cause in reversed(causes) if str(cause)), kinds[-1]))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"{endpoint} cannot be reached: there is no such host ({said}); check the base URL and the network"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return (
            f"{endpoint} cannot be reached: its certificate is not trusted ({said}); if a proxy stands between, name "
            "its certificates with SSL_CERT_FILE"
        )
    if any(map(_is_without_tls, causes)):
        return f"{endpoint} cannot be reached: it does not speak TLS ({said}); is its address http://…?"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{endpoint} cannot be reached: nothing listens there ({said}); check the base URL"
    if any(kind in ("RemoteProtocolError", "ReadError", "DecodingError") for kind in kinds):
        return f"{endpoint} cannot be reached: it hung up in the middle of an answer ({said})"
    return f"{endpoint} cannot be reached: {said}"


def is_hopeless(error: BaseException) -> bool:
    """Whether a fault of the connection stays, however often it is tried: of the host, of TLS, of its certificate."""
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
    behind: BaseException | None = error
    while behind is not None:
        yield behind
        behind = behind.__cause__ or behind.__context__
