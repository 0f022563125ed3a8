"""Counting and estimating what embedding costs."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any

from embedclf.embedding.charges import Charge, Charges, Price, price_from
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.embedding.tracing import Trace
from embedclf.formatting import about_dollars, charged_dollars

# English has about four bytes per token in OpenAI's encodings: https://help.openai.com/en/articles/4936856
BYTES_PER_TOKEN = 4
DECIMALS = 12
"""Of sums of fractions of a cent, without what floating point adds to them. Servers have nine."""


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
        What the server says it charged, or the tokens × the price where it does not say; None if neither is known.
    saved_tokens : int
        About how many tokens the cached texts would have cost.
    charged_answers, charged_tokens : int
        How many answers said what they cost, and their tokens.
    charged_dollars : float
        What they cost: the part of `dollars` that is not estimated.
    """

    texts: int = 0
    from_cache: int = 0
    duplicates: int = 0
    requests: int = 0
    tokens: int = 0
    credits: float = 0
    dollars: float | None = 0.0
    saved_tokens: int = 0
    charged_answers: int = 0
    charged_tokens: int = 0
    charged_dollars: float = 0.0

    @property
    def charges(self) -> Charges:
        """What the answers that say what they cost have cost."""
        return Charges(self.charged_answers, self.charged_tokens, self.charged_dollars)

    @property
    def known_dollars(self) -> float:
        """`dollars` as far as they are known."""
        return self.charged_dollars if self.dollars is None else self.dollars

    @property
    def dollars_source(self) -> str | None:
        """Where `dollars` is from: charged, estimated, or partly estimated; None if nothing was spent or is known."""
        if self.dollars is None or not (self.tokens or self.charged_answers):
            return None
        if self.charged_tokens >= self.tokens:
            return "charged"
        return "partly estimated" if self.charged_answers else "estimated"

    @property
    def shown_cost(self) -> str:
        """What was spent, for people: ``$0.01046 charged`` as the server says, ``about $0.0004``, ``price unknown``."""
        if self.dollars is None:
            charged = (
                f"{charged_dollars(self.charged_dollars)} charged, the rest at an " if self.charged_answers else ""
            )
            return f"{charged}unknown price" if charged else "price unknown"
        match self.dollars_source:
            case "charged":
                return f"{charged_dollars(self.charged_dollars)} charged"
            case "partly estimated":
                return f"{about_dollars(self.dollars)} ({charged_dollars(self.charged_dollars)} of it charged)"
            case _:
                return about_dollars(self.dollars) if self.dollars else "$0.00"

    def plus(self, other: "Usage", sign: int = 1) -> "Usage":
        """Return the sum with another `Usage`, or the difference if the sign is −1."""
        counts: dict[str, Any] = {}
        for field in fields(Usage):
            first, second = getattr(self, field.name), getattr(other, field.name)
            counts[field.name] = None if first is None or second is None else first + sign * second
        return Usage(**counts)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON, with `dollars_source`."""
        return {**asdict(self), "dollars_source": self.dollars_source}


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
    price_source : str or None
        Where the price is from: ``at the list price``. None if it is unknown, or embedding is free.
    """

    texts: int
    unique: int
    from_cache: int
    to_embed: int
    tokens: int
    most_tokens: int
    dollars: float | None
    most_dollars: float | None
    price_source: str | None = None

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
    list_price : float or None
        In dollars per million tokens; None if it is unknown.
    counts_tokens : bool
        Whether the tokens of every answer are known; if not, what requests cost is unknown unless they are free.

    Attributes
    ----------
    list_price : float or None
        As passed.
    quoted : Price or None
        The price that the server names, if it was asked.
    look_back : callable
        Returns what was charged in earlier runs; called when a price is first needed.
    trace : Trace
        The ids of the requests.
    """

    def __init__(self, list_price: float | None, *, counts_tokens: bool = True) -> None:
        self.list_price = list_price
        self._counts_tokens = counts_tokens
        self.quoted: Price | None = None
        self.look_back: Callable[[], Charges] = Charges
        self.trace = Trace()
        self._history: Charges | None = None
        self._lock = ForkSafeLock()
        self._counts = {field.name: 0 for field in fields(Usage) if field.name != "dollars"}

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy in another process counts from zero.
        return partial(Meter, counts_tokens=self._counts_tokens), (self.list_price,)

    def add(self, **counts: float) -> None:
        """Add to some of the counts of `Usage`."""
        with self._lock:
            for name, count in counts.items():
                self._counts[name] += count  # type: ignore[assignment]

    def add_answer(self, tokens: int, charge: Charge | None) -> None:
        """Count an answer: its tokens, and what it says it cost."""
        if charge is None:
            self.add(tokens=tokens)
            return
        self.add(
            tokens=tokens,
            credits=charge.credits,
            charged_answers=1,
            charged_tokens=tokens,
            charged_dollars=charge.dollars,
        )

    @property
    def price(self) -> Price | None:
        """What tokens cost: as the server says now, as it has charged so far, or as listed; None if unknown."""
        if self.quoted is not None:
            return self.quoted
        with self._lock:
            counts = self._counts
            charges = Charges(counts["charged_answers"], counts["charged_tokens"], counts["charged_dollars"])
        if self._history is None:
            self._history = self.look_back()
        return price_from(charges.plus(self._history), self.list_price)

    @property
    def usage(self) -> Usage:
        """The counts so far."""
        with self._lock:
            counts = dict(self._counts)
        counts["charged_dollars"] = round(counts["charged_dollars"], DECIMALS)
        dollars: float | None = counts["charged_dollars"]
        uncharged = counts["tokens"] - counts["charged_tokens"]
        if uncharged or (counts["requests"] and not self._counts_tokens):
            price = self.price
            dollars = None if price is None else counts["charged_dollars"] + price.of(uncharged)
        return Usage(**counts, dollars=None if dollars is None else round(dollars, DECIMALS))

    def estimate(self, sizes: Iterable[int], *, texts: int, unique: int) -> Estimate:
        """Estimate the tokens and cost of embedding texts of the given sizes in bytes."""
        n, tokens, most = 0, 0, 0
        for size in sizes:
            n, tokens, most = n + 1, tokens + about_tokens(size), most + size
        price = self.price
        if price is None:
            return Estimate(texts, unique, unique - n, n, tokens, most, None, None)
        return Estimate(texts, unique, unique - n, n, tokens, most, price.of(tokens), price.of(most), price.source)
