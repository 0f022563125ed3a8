"""Settings for requests to AI/ML API or another OpenAI-compatible server, checked before anything is sent."""

import os
from dataclasses import dataclass
from typing import TypedDict

from embedclf.embedding.aimlapi.base_url import BASE_URL, checked_base_url
from embedclf.errors import EmbedderError

CONCURRENCY = 16
# The openai client waits 0.5, 1, 2, 4 and then 8 s, minus up to a quarter: 10 retries span more than half a minute.
RETRIES = 10
SECONDS = 60.0
MAX_BATCH = 2_048


class RequestSettings(TypedDict, total=False):
    """Request settings of ``aimlapi`` embedders.

    Attributes
    ----------
    base_url : str
        Another OpenAI-compatible server; None uses ``AIMLAPI_BASE_URL`` if set, else AI/ML API itself.
    allow_http : bool
        Whether to allow an unencrypted server that is not on this machine.
    batch_size : int
        Texts per request; None picks a size that keeps `concurrency` requests busy, from 32 to 2,048.
    concurrency : int
        Maximum concurrent requests. It is lowered temporarily when the server is overloaded.
    retries : int
        Retries per request, done by the openai client. Requests that come too fast for the server are retried as long
        as others succeed meanwhile.
    timeout : float
        Seconds to wait for a complete response.
    max_cost : float
        Spending limit in dollars, predicted from the responses so far; None sets no limit.
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
    """`RequestSettings` with defaults filled in, validated.

    Attributes
    ----------
    base_url : str
        If None is passed, ``AIMLAPI_BASE_URL`` if set, else AI/ML API itself.
    allow_http, batch_size, concurrency, retries, timeout, max_cost
        See `RequestSettings`.

    Raises
    ------
    EmbedderError
        If the base URL is invalid or a number is out of range.
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
        _check("batch_size", self.batch_size, 1, MAX_BATCH)
        _check("concurrency", self.concurrency, 1, 1_024)
        _check("retries", self.retries, 0, 1_000)
        _check("timeout", self.timeout, 1e-3, 86_400.0)
        _check("max_cost", self.max_cost, 0.0, float("inf"))


def _check(name: str, value: float | None, least: float, most: float) -> None:
    """Check that a setting is within its bounds, and a whole number if the bounds are."""
    whole = isinstance(least, int) and isinstance(most, int)
    if value is not None and not (isinstance(value, int if whole else int | float) and least <= value <= most):
        upper = "" if most == float("inf") else f" to {most:g}"
        raise EmbedderError(f"{name} must be a {'whole ' if whole else ''}number from {least:g}{upper}, got {value!r}")
