"""Counting and estimating what embedding costs."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from embedclf.embedding.fork_safe_lock import ForkSafeLock

# English has about four bytes per token in OpenAI's encodings: https://help.openai.com/en/articles/4936856
BYTES_PER_TOKEN = 4


def about_tokens(n_bytes: int) -> int:
    """Estimate the tokens of a text from its UTF-8 bytes, which are an upper bound."""
    return math.ceil(n_bytes / BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Usage:
    """What embedding has used and cost.

    Attributes
    ----------
    texts, from_cache, duplicates : int
        Texts to embed; distinct texts found in the cache; and repetitions, which are embedded once.
    requests : int
        Requests sent, including retries.
    tokens : int
        As counted by the server; estimated if it does not say.
    credits : float
        Cost in AI/ML API's own unit; 0 if the server does not say.
    dollars : float or None
        Cost of the tokens at the published price; None if the price is unknown.
    saved_tokens : int
        About how many tokens the cached texts would have cost.
    """

    texts: int = 0
    from_cache: int = 0
    duplicates: int = 0
    requests: int = 0
    tokens: int = 0
    credits: float = 0
    dollars: float | None = 0.0
    saved_tokens: int = 0

    def plus(self, other: "Usage", sign: int = 1) -> "Usage":
        """Return the sum with another `Usage`, or the difference if the sign is −1."""
        counts: dict[str, Any] = {}
        for field in fields(Usage):
            first, second = getattr(self, field.name), getattr(other, field.name)
            counts[field.name] = None if first is None or second is None else first + sign * second
        return Usage(**counts)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What embedding would use and cost.

    Attributes
    ----------
    texts, unique, from_cache, to_embed : int
        All texts; the distinct ones; the distinct ones in the cache; and the distinct ones to embed.
    tokens, most_tokens : int
        Estimate and upper bound of the tokens to embed.
    dollars, most_dollars : float or None
        Their cost; None if the price is unknown.
    """

    texts: int
    unique: int
    from_cache: int
    to_embed: int
    tokens: int
    most_tokens: int
    dollars: float | None
    most_dollars: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a call to `embed`.

    Attributes
    ----------
    done, total : int
        Distinct texts.
    in_flight : int
        Requests in flight.
    dollars : float or None
        Spent by the embedder so far; None if the price is unknown.
    """

    done: int
    total: int
    in_flight: int
    dollars: float | None


OnEvent = Callable[[Progress], None]


class Meter:
    """Counts what an embedder uses. Thread-safe.

    Parameters
    ----------
    dollars_per_million_tokens : float or None
        None if the price is unknown.
    """

    def __init__(self, dollars_per_million_tokens: float | None) -> None:
        self.price = dollars_per_million_tokens
        self._lock = ForkSafeLock()
        self._counts = {field.name: 0 for field in fields(Usage) if field.name != "dollars"}

    def __reduce__(self) -> tuple[Any, ...]:
        return Meter, (self.price,)  # a copy in another process counts from zero

    def add(self, **counts: float) -> None:
        """Add to some of the counts of `Usage`."""
        with self._lock:
            for name, count in counts.items():
                self._counts[name] += count  # type: ignore[assignment]

    def dollars(self, tokens: int) -> float | None:
        """Return the price of some tokens; None if unknown."""
        return None if self.price is None else self.price * tokens / 1e6

    @property
    def usage(self) -> Usage:
        """The counts so far."""
        with self._lock:
            counts = dict(self._counts)
        return Usage(**counts, dollars=self.dollars(counts["tokens"]))

    def estimate(self, sizes: Iterable[int], *, texts: int, unique: int) -> Estimate:
        """Estimate the tokens and cost of embedding texts of the given sizes in bytes."""
        n, tokens, most = 0, 0, 0
        for size in sizes:
            n, tokens, most = n + 1, tokens + about_tokens(size), most + size
        return Estimate(texts, unique, unique - n, n, tokens, most, self.dollars(tokens), self.dollars(most))
