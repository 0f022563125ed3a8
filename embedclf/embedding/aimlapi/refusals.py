"""Turn failed requests into errors that quote the provider and say what to do, and tell which of them may pass.

What the server says counts for more than its status: a 429 may mean a moment's rush or an empty account, and a 500 may
mean a text that is too long.
"""

import json
import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

from embedclf.embedding.aimlapi import advice
from embedclf.embedding.aimlapi.answers import error_message
from embedclf.embedding.aimlapi.api_key import redact
from embedclf.embedding.aimlapi.request_ids import clean_id, request_note
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.charges import Charge, read_charge
from embedclf.errors import EmbedderError

# The openai client ignores a longer Retry-After.
MAX_RETRY_AFTER = 120.0
# No error is longer, in bytes.
_MOST_OF_ERROR = 2**16
_COMMON_KEYS = {"message", "path", "requestId", "statusCode", "timestamp", "error", "detail"}

_ABOUT_LENGTH = re.compile(
    r"\btokens?\b.*(\d|limit|maximum|exceed|too )|(\d|limit|maximum|exceed|too many).*\btokens?\b|context length"
    r"|context size|input length|maximum\b.*\blength|too (long|large|big)|longer than|out of memory|at most \d",
    re.IGNORECASE,
)
# Strict, since other errors with these statuses may pass.
_TOO_LARGE = re.compile(
    r"too (long|large|big)\b|context (length|size|window)|maximum (context|input|sequence)? ?length"
    r"|(physical )?batch size|exceeds? the (maximum|max|limit|model)|longer than|maximum allowed batch",
    re.IGNORECASE,
)
# "Limit 40000, Requested 52000": no waiting makes room for it.
_LIMIT_AND_REQUESTED = re.compile(r"limit:? *([\d,]+)\b.*\brequested:? *([\d,]+)", re.IGNORECASE)
_FLAGGED = re.compile(
    r"content[ _-]?(policy|filter|management|moderation)|moderat|flagged|safety (system|filter|policy)|inappropriate"
    r"|prohibited content|sensitive content|data_inspection",
    re.IGNORECASE,
)
_PER_MINUTE = re.compile(r"per[ -_]?(min(ute)?|sec(ond)?)\b|\b[rt]p[ms]\b|/ ?(min|sec|s)\b", re.IGNORECASE)
_PER_DAY = re.compile(
    r"(per[ -_]?|/ ?)(day|month|week)|\b(daily|monthly|weekly)\b|\b[rt]pd\b|free[- ]tier|free limit", re.IGNORECASE
)
_OVERLOADED = re.compile(r"overload|too many requests|rate.?limit|at capacity", re.IGNORECASE)
_USED_UP = re.compile(
    r"insufficient[_ ](user_)?quota|quota_exceeded|(exceeded|out of|used up) (your )?(current )?quota", re.IGNORECASE
)
_WAIT = re.compile(
    r"(?:try again|retry|wait|available|resets?)\D{0,30}?(?=\d)"
    r"((?:\d+ ?h(?:ours?)?)? ?(?:\d+ ?m(?:in(?:ute)?s?)?)? ?(?:\d+(?:\.\d+)? ?(?:ms|s(?:ec(?:ond)?s?)?))?)(?![a-z\d])",
    re.IGNORECASE,
)
_UNITS = {"h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}

_NUMBER = r"(\d[\d,]*)(?!\d|\.\d|\s*-?\s*(?:tokens?|char|bytes?|[kmg]i?b\b|dimension|second|minute|ms\b|%))"
_MOST_TEXTS = [
    re.compile(pattern + r"\D{0,40}?" + _NUMBER, re.IGNORECASE)
    for pattern in (
        r"\b(?:maximum|max\.?|max_?\w*|maximum allowed \w+|largest)",
        r"\b(?:at most|up to|(?:more|larger|greater|bigger|longer) than|less than or equal to|exceeds?)",
        r"\b(?:limit(?:ed)?|allows?|allowed|accepts?|only|<=|≤)",
    )
]
_OF_ONE_TEXT = re.compile(r"context|token|char|model|sequence|prompt", re.IGNORECASE)
_OF_LISTS = re.compile(r"batch|array|\blist\b|items|elements", re.IGNORECASE)
_OF_TEXTS = re.compile(
    r"batch|inputs?\b|texts?\b|items?\b|elements?\b|array|\blist\b|requests?\b|documents?\b|strings?\b|sentences?\b",
    re.IGNORECASE,
)


class Kind(Enum):
    """What a failed request means for the next one."""

    CONTENT = "rejected for its texts or their number"
    PASSING = "may pass"
    RATE = "too many requests"
    LATE = "no response in time"
    FINAL = "no other request would fare better"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that failed.

    Attributes
    ----------
    kind : Kind
    message : str
        The whole message of the error, with what to do.
    reason : str
        The provider's own words, or ours if there are none.
    about_length : bool
        Whether the message says that something was too long.
    request : str
        The request's id, formatted for messages about a single text.
    status : int or None
        None if there was no response.
    """

    kind: Kind
    message: str
    reason: str
    about_length: bool = False
    request: str = ""
    status: int | None = None

    def error(self) -> EmbedderError:
        """Return it as an error, for when the request itself is at fault rather than one of its texts."""
        return EmbedderError(self.message, status=self.status, late=self.kind is Kind.LATE)

    def of_text(self, model: str) -> str:
        """Return it as the reason why one text has no vector."""
        if self.kind is Kind.CONTENT:
            return f"rejected by {model}: “{self.reason}”{self.request}"
        return f"{model} fails on it each time: “{self.reason}”{self.request}"

    def most_texts(self, n_texts: int) -> int | None:
        """Return how many texts a request may have, if the message says so and it is fewer than `n_texts`."""
        if self.kind is not Kind.CONTENT or not _OF_TEXTS.search(self.reason):
            return None
        for pattern in _MOST_TEXTS:
            for match in pattern.finditer(self.reason):
                most = int(match[1].replace(",", "")[:9])
                is_of_one = _OF_ONE_TEXT.search(match[0]) or (
                    "length" in match[0] and not _OF_LISTS.search(self.reason)
                )
                if 0 < most < n_texts and not is_of_one:
                    return most
        return None


def status_of(response: Any) -> int:
    """Return the status of a response: the one in its content if it is an error that arrived as a success."""
    content = response.content
    if not response.is_success or len(content) > _MOST_OF_ERROR:
        return int(response.status_code)
    body = _body(response)
    error = body.get("error")
    if not error or body.get("data"):
        return int(response.status_code)
    parts = [error, body] if isinstance(error, dict) else [body]
    said = [str(part.get(name)) for part in parts for name in ("code", "status", "statusCode", "status_code")]
    return next((int(status) for status in said if re.fullmatch("[45][0-9]{2}", status)), int(response.status_code))


def error_id(response: Any) -> str:
    """Return the id that an error has in its body, which the provider's support asks for; empty if there is none."""
    return clean_id(_body(response).get("requestId"))


def error_charge(response: Any) -> Charge | None:
    """Return what an error says it cost; None if it does not say."""
    return read_charge(response.headers, _body(response))


def kind_of(response: Any) -> Kind:
    """Return what a response with an error status means for the next request."""
    status, words = response.status_code, _words(response)
    if status == 429:
        return _kind_of_429(response, words)
    if status in (400, 413, 422):
        return Kind.CONTENT
    if status >= 500:
        if status in (501, 505) or advice.is_about_funds(words):
            return Kind.FINAL
        if status == 529 or _OVERLOADED.search(words):
            return Kind.RATE
        return Kind.CONTENT if _TOO_LARGE.search(words) else Kind.PASSING
    if status in (408, 409, 424, 425):
        return Kind.PASSING
    # Some providers answer so when a text is flagged.
    return Kind.CONTENT if status in (403, 451) and _FLAGGED.search(words) else Kind.FINAL


def _kind_of_429(response: Any, words: str) -> Kind:
    amounts = _LIMIT_AND_REQUESTED.search(words)
    if amounts and int(amounts[2].replace(",", "")) > int(amounts[1].replace(",", "")):
        return Kind.CONTENT
    if re.search(r"request too large|too many (tokens|inputs) in", words, re.IGNORECASE):
        return Kind.CONTENT
    seconds = seconds_to_wait(response)
    if seconds > MAX_RETRY_AFTER or "insufficient_quota" in words:
        return Kind.FINAL
    if seconds or _PER_MINUTE.search(words):
        return Kind.FINAL if _PER_DAY.search(words) and not seconds else Kind.RATE
    return Kind.FINAL if _PER_DAY.search(words) or _USED_UP.search(words) or advice.is_about_funds(words) else Kind.RATE


def seconds_to_wait(response: Any) -> float:
    """Return how many seconds a response asks to wait, in its headers or its words; 0 if it does not say."""
    headers = response.headers
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name, "")
        try:
            seconds = float(value) * unit
        except ValueError:
            seconds = _seconds_until(value)
        if 0 < seconds < 1e9:
            return seconds
    if response.status_code not in (429, 503, 529):
        return 0.0
    words = error_message(_body(response))
    return max((_seconds_of(match[1]) for match in _WAIT.finditer(words)), default=0.0)


def _seconds_of(time_said: str) -> float:
    parts = re.findall(r"(\d+(?:\.\d+)?) ?(ms|[hms])", time_said.lower())
    return min(sum(float(number[:9]) * _UNITS[unit] for number, unit in parts), 1e9)


def _seconds_until(date: str) -> float:
    """Return the seconds from now until an HTTP date; 0 if it is not one."""
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):  # overflow: year 1, or an absurd time zone
        return 0.0


def _body(response: Any) -> dict[str, Any]:
    import jiter

    try:
        body = jiter.from_json(response.content)
    except ValueError:
        return {}
    if isinstance(body, list) and body:  # Gemini sends its error in a list
        body = body[0]
    return body if isinstance(body, dict) else {}


def _words(response: Any) -> str:
    """Return all that an error says, including its code and type."""
    body = _body(response)
    error = body.get("error")
    parts = [body, error] if isinstance(error, dict) else [body]
    codes = [part[name] for part in parts for name in ("code", "type", "status", "error_type") if name in part]
    return " ".join([_reason(response, body), *(code for code in codes if isinstance(code, str))])[:4_000]


def _reason(response: Any, body: dict[str, Any]) -> str:
    reason = error_message(body) or redact(response.reason_phrase)
    if not reason and (title := re.search(rb"<title>([^<]{1,200})", response.content, re.IGNORECASE)):
        reason = redact(title[1].decode("utf-8", "replace"))
    return reason


def from_status(response: Any, spec: EmbedderSpec) -> Refusal:
    """Return the refusal that a response with an error status stands for.

    Parameters
    ----------
    response : httpx.Response
    spec : EmbedderSpec
        The model that was requested.
    """
    status, kind, words = response.status_code, kind_of(response), _words(response)
    reason, request = _quoted(response)
    return Refusal(
        kind,
        f"{spec} at {spec.endpoint} returned {status}: “{reason}”{request}{_advice(response, spec, kind, words)}",
        reason,
        status == 413 or bool(_ABOUT_LENGTH.search(reason)),
        request_note(response, _body(response).get("requestId"), short=True),
        status,
    )


def from_lookup(response: Any, url: str, base_url: str, *, needs_key: bool) -> EmbedderError:
    """Return the error that a response to a GET with an error status stands for.

    Parameters
    ----------
    response : httpx.Response
    url : str
        What was asked.
    base_url : str
        The base URL that it was made from.
    needs_key : bool
        Whether a key is meant to be sent.
    """
    status, (reason, request) = response.status_code, _quoted(response)
    said = advice.for_lookup(
        status,
        _words(response),
        base_url,
        is_page=_is_page(response),
        is_aimlapi=_is_from_aimlapi(response, base_url),
        needs_key=needs_key,
    )
    return EmbedderError(f"{url} returned {status}: “{reason}”{request}{f'; {said}' if said else ''}", status=status)


def _quoted(response: Any) -> tuple[str, str]:
    """Return the words of an error as they are quoted, and its request id as a note."""
    body = _body(response)
    reason = _reason(response, body)
    more = {name: value for name, value in body.items() if name not in _COMMON_KEYS and value}
    if "message" in body and more:
        reason += f" {redact(json.dumps(more, ensure_ascii=False))[:300]}"
    return reason, request_note(response, body.get("requestId"))


def _advice(response: Any, spec: EmbedderSpec, kind: Kind, words: str) -> str:
    status = response.status_code
    if status == 429 and kind is Kind.FINAL:
        if advice.is_about_funds(words) or _USED_UP.search(words):
            return "; check the plan, or top up the account"
        # The quota may reset on the hour or an hour after the first request; an hour covers both.
        seconds = seconds_to_wait(response) or (0 if re.search(r"day|daily|month|week", words, re.I) else 3_600)
        if not seconds:
            return "; quota used up: try again when it has been renewed, or choose a larger plan"
        until = datetime.now().astimezone() + timedelta(seconds=seconds)
        when = f"{until:%H:%M}" if seconds < 12 * 3_600 else f"{until:%Y-%m-%d %H:%M}"
        return f"; quota used up: try again after {when}, or top up the account"
    if kind is Kind.CONTENT and status == 429:
        return "; lower --batch-size"
    is_aimlapi = _is_from_aimlapi(response, str(spec.endpoint))
    said = advice.for_status(status, words, str(spec.endpoint), is_page=_is_page(response), is_aimlapi=is_aimlapi)
    return f"; {said}" if said else ""


def _is_from_aimlapi(response: Any, base_url: str) -> bool:
    return advice.is_aimlapi(base_url) or {"requestId", "statusCode"} <= _body(response).keys()


def _is_page(response: Any) -> bool:
    return bool(response.content.lstrip()[:1] == b"<")
