"""What was spent, and what the cache saved, summed from the ledger by day, model or command."""

from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from embedclf.embedding.base import LOCAL_PROVIDERS, EmbedderSpec
from embedclf.embedding.charges import price_from
from embedclf.embedding.usage import Usage
from embedclf.phases import phase
from embedclf.records import Printable

if TYPE_CHECKING:
    from embedclf.embedding.ledger import Entry, Ledger

By = Literal["day", "model", "command"]
BY: tuple[By, ...] = get_args(By)

_COUNTS = tuple(field.name for field in fields(Usage) if field.name != "dollars")


@dataclass(frozen=True, slots=True)
class SpendingRow:
    """What was spent on one day, with one model or by one command.

    Attributes
    ----------
    name : str or None
        The day as ``2026-11-28``, the model as ``provider:model``, or the command; None if it is not recorded.
    endpoint : str or None
        The base URL of a model.
    usage : Usage
        Its `dollars` leave out what is of unknown price; they are None if nothing else was spent.
    unpriced_requests : int
        Requests whose price is unknown.
    saved_dollars : float or None
        About what the texts from the cache would have cost; None if their price is unknown.
    """

    name: str | None
    endpoint: str | None
    usage: Usage
    unpriced_requests: int
    saved_dollars: float | None

    @property
    def estimated_dollars(self) -> float:
        """The part of the dollars that is estimated."""
        return max(0.0, round((self.usage.dollars or 0.0) - self.usage.charged_dollars, 12))

    @property
    def dollars_source(self) -> str | None:
        """Where the dollars are from, as in `Usage`; those that are unknown are not among them."""
        if self.usage.charged_answers and not self.estimated_dollars:
            return "charged"
        return self.usage.dollars_source

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON, without its name."""
        return {
            **self.usage.to_dict(),
            "dollars_source": self.dollars_source,
            "unpriced_requests": self.unpriced_requests,
            "saved_dollars": self.saved_dollars,
        }


@dataclass(frozen=True, slots=True)
class Spending(Printable):
    """What was spent, and what the cache saved.

    What the cache saved is the estimated tokens of the texts found in it, at the latest price charged, or at
    the list price if the server does not say what it charges.

    Attributes
    ----------
    by : str
        What each row is about: ``day``, ``model`` or ``command``.
    since : datetime or None
        What was recorded before is left out.
    time_zone : str
        That of the days: the local one.
    rows : list of SpendingRow
        Days in their order; models and commands with the largest spending first.
    total : SpendingRow
    """

    by: By
    since: datetime | None
    time_zone: str
    rows: list[SpendingRow]
    total: SpendingRow

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON."""
        return {
            "by": self.by,
            "since": None if self.since is None else self.since.isoformat(timespec="seconds"),
            "time_zone": self.time_zone,
            "rows": [{**self._named(row), **row.to_dict()} for row in self.rows],
            "total": self.total.to_dict(),
        }

    def _named(self, row: SpendingRow) -> dict[str, Any]:
        return {self.by: row.name, **({"endpoint": row.endpoint} if self.by == "model" else {})}


class _Model(NamedTuple):
    provider: str
    name: str
    endpoint: str | None


class _Sum:
    """The sum of some entries."""

    def __init__(self) -> None:
        self.counts: dict[str, Any] = dict.fromkeys(_COUNTS, 0)
        self.dollars = 0.0
        self.is_priced = False
        self.unpriced_requests = 0
        self.saved_tokens: dict[_Model, int] = {}

    def add(self, usage: Usage, model: _Model) -> None:
        counts = self.counts
        for name in _COUNTS:
            counts[name] += getattr(usage, name)
        if usage.dollars is None:
            self.unpriced_requests += usage.requests - usage.charged_answers
            self.dollars += usage.charged_dollars
        else:
            self.dollars += usage.dollars
        self.is_priced |= usage.dollars is not None or usage.charged_answers > 0
        if usage.saved_tokens:
            self.saved_tokens[model] = self.saved_tokens.get(model, 0) + usage.saved_tokens

    def merge(self, other: "_Sum") -> None:
        for name, count in other.counts.items():
            self.counts[name] += count
        self.dollars += other.dollars
        self.is_priced |= other.is_priced
        self.unpriced_requests += other.unpriced_requests
        for model, tokens in other.saved_tokens.items():
            self.saved_tokens[model] = self.saved_tokens.get(model, 0) + tokens

    def row(self, name: str | None, endpoint: str | None, prices: dict[_Model, float | None]) -> SpendingRow:
        priced = [
            (price, tokens) for model, tokens in self.saved_tokens.items() if (price := prices[model]) is not None
        ]
        saved = sum(price * tokens / 1e6 for price, tokens in priced) if priced or not self.saved_tokens else None
        # Without what floating point adds to sums of fractions of a cent.
        counts = {name: round(count, 12) for name, count in self.counts.items()}
        usage = Usage(**counts, dollars=round(self.dollars, 12) if self.is_priced else None)
        return SpendingRow(name, endpoint, usage, self.unpriced_requests, saved)


def price_in(ledger: "Ledger", spec: EmbedderSpec) -> float | None:
    """Return the price of a model in dollars per million tokens, as last charged or as listed; None if unknown."""
    from embedclf.embedding.aimlapi.catalogue import CATALOGUE, UNKNOWN

    if spec.provider in LOCAL_PROVIDERS:
        return 0.0
    price = price_from(ledger.charges(spec), CATALOGUE.get(spec.model, UNKNOWN).dollars_per_million_tokens)
    return None if price is None else price.dollars_per_million_tokens


def spending_in(ledger: "Ledger", by: By, since: date | timedelta | None) -> Spending:
    """Sum what a ledger has; see `VectorCache.spending`."""
    if by not in BY:
        raise ValueError(f"by must be one of {', '.join(map(repr, BY))}, got {by!r}")
    start = _start(since)
    sums: dict[tuple[str | None, str | None], _Sum] = {}
    total, now = _Sum(), datetime.now().astimezone()
    with phase("Reading the ledger"):
        for entry in ledger.read():
            if start is not None and (entry.time is None or entry.time < start):
                continue
            key = _key(entry, by)
            if (of_key := sums.get(key)) is None:
                of_key = sums[key] = _Sum()
            of_key.add(entry.usage, _Model(entry.provider, entry.model, entry.endpoint))
    for one in sums.values():
        total.merge(one)
    prices = {
        model: price_in(ledger, EmbedderSpec(model.provider, model.name, None, model.endpoint))
        for model in total.saved_tokens
    }
    rows = [one.row(*key, prices) for key, one in sums.items()]
    if by == "day":
        rows.sort(key=lambda row: row.name or "")
    else:
        rows.sort(key=lambda row: (-(row.usage.dollars or 0.0), row.name or "", row.endpoint or ""))
    return Spending(by, start, now.tzname() or "local time", rows, total.row(None, None, prices))


def _key(entry: "Entry", by: By) -> tuple[str | None, str | None]:
    if by == "model":
        return f"{entry.provider}:{entry.model}", entry.endpoint
    if by == "command":
        return entry.command, None
    return None if entry.time is None else _local(entry.time).date().isoformat(), None


def _local(time: datetime) -> datetime:
    try:
        return time.astimezone()
    except (ValueError, OverflowError, OSError):  # year 1 or 9999, which only a damaged line has
        return time


def _start(since: date | timedelta | None) -> datetime | None:
    if isinstance(since, timedelta):
        try:
            return datetime.now().astimezone() - since
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)
    if since is None:
        return None
    if not isinstance(since, datetime):
        since = datetime(since.year, since.month, since.day)
    return _local(since)
