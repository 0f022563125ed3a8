"""How AI/ML API, or another server of its kind, is asked; checked before anything is sent."""

import os
from dataclasses import dataclass
from typing import TypedDict

from embedclf.embedding.aimlapi.base_url import BASE_URL, checked_base_url
from embedclf.errors import EmbedderError

CONCURRENCY = 16
# The openai client waits 0.5, 1, 2, 4 and then 8 s, less up to a quarter: this many last for more than a minute.
RETRIES = 14
SECONDS = 60.0
MOST_BATCH = 2_048


class RequestSettings(TypedDict, total=False):
    """How ``aimlapi`` is asked.

    Attributes
    ----------
    base_url : str
        Another OpenAI-compatible server; None takes ``AIMLAPI_BASE_URL``, else AI/ML API itself.
    allow_http : bool
        Whether a server without encryption that is not on this machine is allowed.
    batch_size : int
        Texts of one request; None takes what fills `concurrency`, from 32 to 2,048.
    concurrency : int
        The most requests in flight at once. There are fewer, for a while, when the server has too many.
    retries : int
        How often a request is tried again; the openai client's own.
    timeout : float
        Seconds to wait for the whole of an answer.
    max_cost : float
        Dollars that it may spend, by the measure of what was answered before; None sets no limit.
    """

    base_url: str | None
    allow_http: bool
    batch_size: int | None
    concurrency: int
    retries: int
    timeout: float
    max_cost: float | None


@dataclass(frozen=True)
class Settings:
    """`RequestSettings` with the defaults in their places, and checked.

    Attributes
    ----------
    base_url : str
        None at first takes ``AIMLAPI_BASE_URL``, else AI/ML API itself.
    allow_http, batch_size, concurrency, retries, timeout, max_cost
        See `RequestSettings`.

    Raises
    ------
    EmbedderError
        If the address cannot be one, or a number is out of bounds.
    """

    base_url: str | None = None
    allow_http: bool = False
    batch_size: int | None = None
    concurrency: int = CONCURRENCY
    retries: int = RETRIES
    timeout: float = SECONDS
    max_cost: float | None = None

    def __post_init__(self) -> None:
        url = checked_base_url(self.base_url or os.environ.get("AIMLAPI_BASE_URL") or BASE_URL, self.allow_http)
        object.__setattr__(self, "base_url", url)
        _check("batch_size", self.batch_size, 1, MOST_BATCH)
        _check("concurrency", self.concurrency, 1, 1_024)
        _check("retries", self.retries, 0, 1_000)
        _check("timeout", self.timeout, 1e-3, 86_400.0)
        _check("max_cost", self.max_cost, 0.0, float("inf"))


def _check(name: str, value: float | None, least: float, most: float) -> None:
    """Check that a setting is within bounds, and a whole number if these are."""
    whole = isinstance(least, int) and isinstance(most, int)
    if value is not None and not (isinstance(value, int if whole else int | float) and least <= value <= most):
        upper = "" if most == float("inf") else f" to {most:g}"
        raise EmbedderError(f"{name} is a {'whole ' if whole else ''}number from {least:g}{upper}, not {value!r}")
