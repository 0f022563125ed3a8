"""What embedding costs: counted, estimated, and bounded."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from embedclf.embedding.fork_safe_lock import ForkSafeLock

# English has about four bytes a token in OpenAI's encodings: https://help.openai.com/en/articles/4936856
BYTES_PER_TOKEN = 4


def about_tokens(n_bytes: int) -> int:
    """Estimate the tokens of a text from its UTF-8 bytes; these are also the most that it can have."""
    return math.ceil(n_bytes / BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Usage:
    """What embedding took and cost.

    Attributes
    ----------
    texts, from_cache, duplicates : int
        Texts asked for; distinct ones that the cache had; and repetitions, which are embedded once.
    requests : int
        Sent, those that were tried again included.
    tokens : int
        As the server counts them; estimated where it does not say.
    credits : float
        AI/ML API's own unit; 0 where the server does not say.
    dollars : float or None
        Tokens at the published price; None if that is not known.
    saved_tokens : int
        About what the texts from the cache would have cost.
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
        """Add another's counts to these, or, with a sign of −1, take them away."""
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
    """What embedding would take and cost.

    Attributes
    ----------
    texts, unique, from_cache, to_embed : int
        All texts; the distinct ones; those of them that the cache has; and the rest.
    tokens, most_tokens : int
        About how many the rest have, and the most that they can have.
    dollars, most_dollars : float or None
        What that costs; None if the price is not known.
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
    """How far a call to `embed` has come.

    Attributes
    ----------
    done, total : int
        Distinct texts.
    in_flight : int
        Requests in flight.
    dollars : float or None
        Spent by the embedder so far; None if the price is not known.
    """

    done: int
    total: int
    in_flight: int
    dollars: float | None


OnEvent = Callable[[Progress], None]


class Meter:
    """Counts what an embedder takes. Threads may share it.

    Parameters
    ----------
    dollars_per_million_tokens : float or None
        None if the price is not known.
    """

    def __init__(self, dollars_per_million_tokens: float | None) -> None:
        self.price = dollars_per_million_tokens
        self._lock = ForkSafeLock()
        self._counts = {field.name: 0 for field in fields(Usage) if field.name != "dollars"}

    def __reduce__(self) -> tuple[Any, ...]:
        return Meter, (self.price,)  # a copy, in another process, counts what that takes

    def add(self, **counts: float) -> None:
        """Add to some of the counts of `Usage`."""
        with self._lock:
            for name, count in counts.items():
                self._counts[name] += count  # type: ignore[assignment]

    def dollars(self, tokens: int) -> float | None:
        """Return the price of some tokens; None if it is not known."""
        return None if self.price is None else self.price * tokens / 1e6

    @property
    def usage(self) -> Usage:
        """What has been counted so far."""
        with self._lock:
            counts = dict(self._counts)
        return Usage(**counts, dollars=self.dollars(counts["tokens"]))

    def estimate(self, sizes: Iterable[int], *, texts: int, unique: int) -> Estimate:
        """Estimate what it takes to embed texts of some sizes, in bytes."""
        n, tokens, most = 0, 0, 0
        for size in sizes:
            n, tokens, most = n + 1, tokens + about_tokens(size), most + size
        return Estimate(texts, unique, unique - n, n, tokens, most, self.dollars(tokens), self.dollars(most))
