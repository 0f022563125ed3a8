"""What embedding costs: counted, estimated, and bounded."""

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any

from embedclf.embedding.forks import ForkSafeLock
from embedclf.errors import MaxCostError, counted

# English has about four bytes a token in OpenAI's encodings: https://help.openai.com/en/articles/4936856
_BYTES_A_TOKEN = 4


def about_tokens(n_bytes: int) -> int:
    """Estimate the tokens of a text from its UTF-8 bytes; these are also the most that it can have."""
    return math.ceil(n_bytes / _BYTES_A_TOKEN)


def shown_dollars(dollars: float) -> str:
    """Write a sum as a person reads it: ``$1.23``, ``$0.0004``, ``less than $0.0001``."""
    if 0 < dollars < 1e-4:
        return "less than $0.0001"
    return f"${dollars:,.2f}" if dollars >= 1 or not dollars else f"${dollars:,.4f}"


def about_dollars(dollars: float) -> str:
    """Write an estimated sum: ``about $0.0004``, ``less than $0.0001``."""
    shown = shown_dollars(dollars)
    return shown if shown.startswith("less") else f"about {shown}"


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
        """Give it as plain types, for JSON."""
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
        """Give it as plain types, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call to `embed` has come.

    Attributes
    ----------
    done, total : int
        Distinct texts.
    in_flight : int
        Requests under way.
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
        """Give the price of some tokens; None if it is not known."""
        return None if self.price is None else self.price * tokens / 1e6

    @property
    def usage(self) -> Usage:
        """What has been counted so far."""
        with self._lock:
            counts = dict(self._counts)
        return Usage(**counts, dollars=self.dollars(counts["tokens"]))

    def estimate(self, sizes: Iterable[int], *, texts: int, unique: int) -> Estimate:
        """Estimate what it takes to embed texts of some sizes, in bytes, of so many texts of which so many differ."""
        n, tokens, most = 0, 0, 0
        for size in sizes:
            n, tokens, most = n + 1, tokens + about_tokens(size), most + size
        return Estimate(texts, unique, unique - n, n, tokens, most, self.dollars(tokens), self.dollars(most))


def check_cost(estimate: Estimate, limit: float, meter: Meter) -> None:
    """See that what is still to be embedded is within what is left of a limit in dollars.

    Raises
    ------
    MaxCostError
        If it is about to cost more; nothing of it was sent then.
    """
    spent = meter.usage.dollars or 0.0
    if (estimate.dollars or 0.0) > limit - spent:
        already = f", of which {shown_dollars(spent)} is spent" if spent else ""
        raise MaxCostError(
            f"embedding {counted(estimate.to_embed, 'text')} would cost {about_dollars(estimate.dollars or 0.0)} "
            f"(at most {shown_dollars(estimate.most_dollars or 0.0)}), and --max-cost is {limit:g}{already}: nothing "
            f"{'more ' if spent else ''}was sent",
            spent=spent,
            limit=limit,
        )


class Budget:
    """Sees that no more is spent than was allowed, whatever was estimated. Threads may share it.

    A request is let go while it, those under way and what is spent are within the limit, by the measure of what came
    before. The first goes alone, since it is the measure. What a copy in another process spends is not known here.

    Parameters
    ----------
    limit : float or None
        In dollars; None allows everything.
    meter : Meter
        What has been spent, and the price, which must be known.
    """

    def __init__(self, limit: float | None, meter: Meter) -> None:
        self._limit = limit
        self._meter = meter
        self._changed = threading.Condition()
        self._under_way = 0
        self._settled_bytes = 0
        self._settled_tokens = 0

    @contextmanager
    def room_for(self, n_bytes: int) -> Iterator[Callable[[int], None]]:
        """Wait until a request of so many bytes may go; what is given is to be called with the tokens that it took.

        Raises
        ------
        MaxCostError
            If it would go beyond the limit.
        """
        if self._limit is None:
            yield lambda taken: None
            return
        with self._changed:
            while not self._has_room(n_bytes, self._limit):
                if not self._under_way:
                    spent = self._spent()
                    raise MaxCostError(
                        f"{shown_dollars(spent)} is spent, and --max-cost is {self._limit:g}: stopped before the "
                        "request that would go beyond it",
                        spent=spent,
                        limit=self._limit,
                    )
                self._changed.wait()
            self._under_way += n_bytes
        tokens = 0

        def settle(taken: int) -> None:
            nonlocal tokens
            tokens = taken

        try:
            yield settle
        finally:
            with self._changed:
                self._under_way -= n_bytes
                if tokens:
                    self._settled_bytes += n_bytes
                    self._settled_tokens += tokens
                self._changed.notify_all()

    def _has_room(self, n_bytes: int, limit: float) -> bool:
        if not self._settled_bytes:
            return not self._under_way and self._spent() + (self._meter.dollars(about_tokens(n_bytes)) or 0.0) <= limit
        expected = self._settled_tokens * (self._under_way + n_bytes) // self._settled_bytes
        return self._spent() + (self._meter.dollars(expected) or 0.0) <= limit

    def _spent(self) -> float:
        return self._meter.usage.dollars or 0.0
