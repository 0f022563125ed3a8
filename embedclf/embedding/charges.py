"""What a server says it charged, and the price that follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from embedclf.formatting import price_per_million

# https://docs.aimlapi.com/capabilities/request-tracing-and-cost. Credits are whole, and rounded up for each request.
CREDITS_PER_DOLLAR = 2_000_000
CREDIT = 1 / CREDITS_PER_DOLLAR
"""In dollars."""

# If rounding up may account for more than this part of what was charged, it says little about the price.
_MOST_ROUNDING = 0.25


class Charge(NamedTuple):
    """What one answer says it cost.

    Attributes
    ----------
    dollars, credits : float
    """

    dollars: float
    credits: float


def read_charge(headers: Mapping[str, str], body: Mapping[str, Any]) -> Charge | None:
    """Return what an answer says it cost, in its headers or its ``meta.usage``; None if it does not say.

    Parameters
    ----------
    headers : mapping of str to str
        Looked up in lower case.
    body : mapping of str to object
        The decoded JSON, or as much of it as is known.
    """
    usage = part_of(part_of(body, "meta"), "usage")
    dollars = _amount(headers.get("x-aimlapi-usd-spent"))
    used = _amount(headers.get("x-aimlapi-credits-used"))
    used = _amount(usage.get("credits_used")) if used is None else used
    if dollars is None and used is None:
        dollars = _amount(usage.get("usd_spent"))
    if dollars is None and used is None:
        return None
    if dollars is None:
        return Charge((used or 0.0) / CREDITS_PER_DOLLAR, used or 0.0)
    return Charge(dollars, round(dollars * CREDITS_PER_DOLLAR) if used is None else used)


def _amount(value: Any) -> float | None:
    try:
        amount = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        return None
    if not 0 <= amount < 1e15:
        return None
    return int(amount) if amount.is_integer() else amount


def part_of(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object inside decoded JSON; an empty one if there is none of that name."""
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Charges:
    """What the answers that say what they cost have cost together.

    Attributes
    ----------
    answers : int
        How many.
    tokens : int
        Their tokens.
    dollars : float
    """

    answers: int = 0
    tokens: int = 0
    dollars: float = 0.0

    def plus(self, other: "Charges") -> "Charges":
        """Return the sum."""
        return Charges(self.answers + other.answers, self.tokens + other.tokens, self.dollars + other.dollars)

    @property
    def dollars_per_million_tokens(self) -> float | None:
        """What a million tokens have cost; None if there were too few for the rounding of each answer's charge."""
        if not self.tokens or self.answers * CREDIT > _MOST_ROUNDING * self.dollars > 0:
            return None
        return 1e6 * self.dollars / self.tokens


@dataclass(frozen=True, slots=True)
class Price:
    """A price, and where it is from.

    Attributes
    ----------
    dollars_per_million_tokens : float
    source : str
        For people: ``at the list price``.
    """

    dollars_per_million_tokens: float
    source: str

    def of(self, tokens: float) -> float:
        """Return what some tokens cost, in dollars."""
        return self.dollars_per_million_tokens * tokens / 1e6


def price_from(charges: Charges, list_price: float | None) -> Price | None:
    """Return what tokens cost: as was charged or, if that says too little, as listed; None if unknown.

    Parameters
    ----------
    charges : Charges
    list_price : float or None
        In dollars per million tokens; None if it is unknown.
    """
    charged = charges.dollars_per_million_tokens
    if charged is None:
        return None if list_price is None else Price(list_price, "at the list price")
    if list_price:
        return Price(charged, f"at {charged / list_price:.2f} × the list price, as charged so far")
    return Price(charged, f"at {price_per_million(charged)}, as charged so far")
