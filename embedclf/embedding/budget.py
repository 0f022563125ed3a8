"""Enforcing a spending limit in dollars."""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from string import ascii_letters
from typing import Any

from embedclf.embedding.charges import CREDIT, Charge, Price
from embedclf.embedding.shared_spending import SharedCondition, SharedSpending, SpentPart, total_of
from embedclf.embedding.usage import Estimate, Meter, about_tokens
from embedclf.errors import MaxCostError
from embedclf.formatting import counted, exact_dollars

# The first request shows what the server charges, so it is small: it costs at most about this part of the limit, if
# tokens cost no more than this many times what is expected, or this many dollars per million where nothing is.
_FIRST_PART = 0.1
_MOST_TIMES_EXPECTED = 4.0
_MOST_UNEXPECTED = 1.0
_FIRST_BYTES = 2_000
# A token has at least one byte, but a server may count tokens that are not of the text. Then what was seen counts, with
# this margin.
_TOKENS_MARGIN = 1.25
# A single text may go alone if there is room for this many times what it is expected to cost; for fewer times if it is
# made like texts that were seen: words, letters and characters per byte are not below this part of theirs. The margin
# is then this, and more by this many tokens' deviation for a short text.
_SINGLE_MARGIN = 2.0
_ALIKE = 0.75
_ALIKE_MARGIN = 1.05
_DEVIATION = 2.0
_LETTERS = f"{ascii_letters} ".encode()


def check_cost(estimate: Estimate, limit: float, spent: float) -> None:
    """Check that an estimated cost is within what is left of a spending limit.

    Raises
    ------
    MaxCostError
        If it exceeds the limit. Nothing has been sent in that case.
    """
    dollars = estimate.dollars or 0.0
    if dollars > limit - spent:
        already = f" ({exact_dollars(spent)} already spent)" if spent else ""
        source = f" {estimate.price_source}" if estimate.price_source else ""
        raise MaxCostError(
            f"embedding {counted(estimate.to_embed, 'text')} would cost about {exact_dollars(dollars)}{source} "
            f"(at most {exact_dollars(estimate.most_dollars or 0.0)}), but --max-cost is {exact_dollars(limit)}"
            f"{already}: nothing {'more ' if spent else ''}was sent",
            spent=spent,
            limit=limit,
        )


_in_parts: ContextVar[bool] = ContextVar("_in_parts", default=False)


@contextmanager
def in_parts() -> Iterator[None]:
    """Enter a block whose texts are a part of many: once some have been paid for, go on as far as the limit allows."""
    token = _in_parts.set(True)
    try:
        yield
    finally:
        _in_parts.reset(token)


def is_in_parts() -> bool:
    """Return whether this is called within `in_parts`."""
    return _in_parts.get()


class TooManyTextsError(Exception):
    """A request has more texts than the limit has room for.

    Attributes
    ----------
    fitting : list of int
        The indices of those that there is room for.
    """

    def __init__(self, fitting: list[int]) -> None:
        super().__init__()
        self.fitting = fitting


class _SeenPrice:
    """Bounds of what a token costs, in dollars, from what answers were charged.

    A charge is rounded up by less than one credit, so each answer gives a lower and an upper bound.
    """

    def __init__(self) -> None:
        self.least = 0.0
        self.most: float | None = None
        self.tokens_per_byte = 1.0
        self.likely_tokens_per_byte = 0.0
        self.least_makeup: list[float] = []

    def add(self, texts: Sequence[str], sizes: Sequence[int], tokens: int, dollars: float, *, is_exact: bool) -> None:
        tokens, n_bytes = max(tokens, 1), max(1, sum(sizes))
        least, most = max(0.0, dollars if is_exact else dollars - CREDIT) / tokens, dollars / tokens
        if self.most is None:
            self.least, self.most = least, most
        elif max(self.least, least) <= min(self.most, most):
            self.least, self.most = max(self.least, least), min(self.most, most)
        else:  # the price depends on more than the tokens, or has changed
            self.least, self.most = least, max(self.most, most)
        self.tokens_per_byte = max(self.tokens_per_byte, _TOKENS_MARGIN * tokens / n_bytes)
        # A short text may have a token more than its length suggests.
        self.likely_tokens_per_byte = max(self.likely_tokens_per_byte, (tokens - len(sizes)) / n_bytes)
        makeup = _makeup(texts)
        self.least_makeup = [min(pair) for pair in zip(makeup, self.least_makeup or makeup, strict=True)]

    def most_likely_tokens(self, text: str, size: int) -> float:
        """Return how many tokens a text has at most if it is not much unlike those that were seen."""
        tokens = self.likely_tokens_per_byte * size + 1
        margin = _SINGLE_MARGIN
        if all(own >= _ALIKE * least for own, least in zip(_makeup([text]), self.least_makeup, strict=True)):
            margin = min(margin, _ALIKE_MARGIN + _DEVIATION / math.sqrt(tokens))
        return margin * tokens


class Reservation:
    """What a request may cost, kept free until it is known what it did cost.

    Attributes
    ----------
    most_dollars : float
    """

    def __init__(self, budget: "Budget", texts: Sequence[str], sizes: Sequence[int], most_dollars: float) -> None:
        self._budget, self._texts, self._sizes = budget, texts, sizes
        self.most_dollars = most_dollars

    def settle(self, tokens: int, charge: Charge | None, price: Price | None) -> None:
        """Note what it cost: what the answer says, else its tokens at a price."""
        if charge is not None:
            self._budget.note_price(self._texts, self._sizes, tokens, charge.dollars, is_exact=False)
        elif tokens:
            self._budget.note_price(
                self._texts, self._sizes, tokens, None if price is None else price.of(tokens), is_exact=True
            )

    def lose(self, charge: Charge | None) -> bool:
        """Note that it has failed, and may be charged if the charge is None; return whether it may be sent again."""
        return self._budget.note_lost(self.most_dollars if charge is None else 0.0, n=int(charge is None))


class Budget:
    """Enforces a spending limit request by request. Thread-safe.

    A request may start if the most that it can cost fits beside what was spent and the most that the requests in flight
    can cost: a token per byte, at the highest price that agrees with what was charged so far. So the first request is
    small and goes alone, and near the limit requests get smaller. Finally single texts go alone, as long as there is
    room for what they are expected to cost, with a margin: little for a long text that is made like those before.

    Parameters
    ----------
    limit : float or None
        In dollars; None sets no limit.
    meter : Meter
        Knows what was spent, and the price that is expected.
    most_tokens : int or None
        The maximum tokens per text; None if unknown.
    is_free : bool
        Whether a server that does not say what it charges, and whose price is unknown, is free.
    elsewhere : SpentPart, optional
        What other processes have spent of the same limit.
    shared : SharedSpending, optional
        Where other processes note what they spend of the same limit meanwhile.
    """

    def __init__(
        self,
        limit: float | None,
        meter: Meter,
        *,
        most_tokens: int | None = None,
        is_free: bool = False,
        elsewhere: SpentPart | None = None,
        shared: SharedSpending | None = None,
    ) -> None:
        self._limit = limit
        self._meter = meter
        self._most_tokens = most_tokens
        self._is_free = is_free
        self._changed: threading.Condition | SharedCondition = threading.Condition()
        self._seen = _SeenPrice()
        self._is_priceless = False
        self._own = SpentPart()
        self._others = elsewhere or SpentPart()
        if shared is not None:
            self._owner = shared.owner()
            self._changed = SharedCondition(shared, self._read, self._write)

    @property
    def lost_dollars(self) -> float:
        """The most that requests of this process without an answer can have cost."""
        return self._own.lost

    def first_bytes(self) -> int | None:
        """Return how large the next request may be, in bytes, if it is to show what the server charges; else None."""
        if self._limit is None or self._seen.most is not None:
            return None
        price = self._meter.price
        expected = _MOST_UNEXPECTED if price is None else _MOST_TIMES_EXPECTED * price.dollars_per_million_tokens
        if not expected:
            return _FIRST_BYTES
        return int(min(_FIRST_BYTES, _FIRST_PART * self._limit * 1e6 / expected))

    @contextmanager
    def room_for(self, texts: Sequence[str], sizes: Sequence[int]) -> Iterator[Reservation]:
        """Wait until a request with texts, of these sizes in bytes, may start; yield its reservation.

        Raises
        ------
        TooManyTextsError
            If there is room for fewer texts only.
        MaxCostError
            If there is no room for the first of them.
        """
        if self._limit is None:
            yield Reservation(self, texts, sizes, 0.0)
            return
        with self._changed:
            while len(fitting := self._fitting(texts, sizes, self._limit)) < len(sizes):
                if not self._in_flight:
                    if fitting:
                        raise TooManyTextsError(fitting)
                    raise self._spent_error(self._limit)
                self._changed.wait()
            reserved = self._most_dollars(sizes)
            self._own.reserved += reserved
            self._own.in_flight += 1
        try:
            yield Reservation(self, texts, sizes, reserved)
        finally:
            with self._changed:
                self._own.reserved -= reserved
                self._own.in_flight -= 1
                self._changed.notify_all()

    def note_price(
        self, texts: Sequence[str], sizes: Sequence[int], tokens: int, dollars: float | None, *, is_exact: bool
    ) -> None:
        """Note what an answer cost; None if it does not say and the price is unknown."""
        with self._changed:
            if self._limit is None:
                return
            if dollars is None:
                self._is_priceless = not self._is_free
                dollars = 0.0
            self._seen.add(texts, sizes, tokens, dollars, is_exact=is_exact)

    def note_lost(self, most_dollars: float, *, n: int = 1) -> bool:
        """Note a request that was sent and not answered; return whether there is room for as much again."""
        with self._changed:
            self._own.lost += most_dollars
            self._own.n_lost += n
            return self._limit is None or self._room(self._limit) >= 0

    def _fitting(self, texts: Sequence[str], sizes: Sequence[int], limit: float) -> list[int]:
        """Return the indices of texts that there is room for in one request now: the first ones, or the shortest."""
        room = self._room(limit)
        if self._is_priceless or room <= 0:
            return []
        first = self.first_bytes()
        if first is not None:
            # Until it is known what the server charges, one small request at a time.
            fits = not self._in_flight and self._likely_dollars(texts[0], sizes[0]) <= room
            return list(range(max(1, _n_within(sizes, first)))) if fits else []
        if self._most_dollars(sizes) <= room:
            return list(range(len(sizes)))
        n = self._n_fitting(sizes, room)
        if n or self._in_flight:
            return list(range(n))
        by_size = sorted(range(len(sizes)), key=sizes.__getitem__)
        n = self._n_fitting([sizes[index] for index in by_size], room)
        if n:
            return sorted(by_size[:n])
        shortest = by_size[0]
        return [shortest] if self._likely_dollars(texts[shortest], sizes[shortest]) <= room else []

    def _n_fitting(self, sizes: Sequence[int], room: float) -> int:
        """Return how many of the texts, from the first, there is room for, if it is not for all of them."""
        least, most = 0, len(sizes)
        while most - least > 1:
            middle = (least + most) // 2
            if self._most_dollars(sizes[:middle]) <= room:
                least = middle
            else:
                most = middle
        return least

    def _most_dollars(self, sizes: Sequence[int]) -> float:
        """Return the most that a request with texts of these sizes can cost."""
        cap = float("inf") if self._most_tokens is None else self._most_tokens
        tokens = sum(min(self._seen.tokens_per_byte * size, cap) for size in sizes)
        return self._dollars(tokens)

    def _likely_dollars(self, text: str, size: int) -> float:
        """Return what a single text costs at most if tokens and price are not far over what is expected."""
        if self._seen.most is None:
            price = self._meter.price
            return 0.0 if price is None else _SINGLE_MARGIN * price.of(about_tokens(size))
        return self._dollars(self._seen.most_likely_tokens(text, size))

    def _dollars(self, tokens: float) -> float:
        """Return the most that a request with this many tokens can cost."""
        if self._seen.most is None:
            price = self._meter.price
            return 0.0 if price is None else _MOST_TIMES_EXPECTED * price.of(tokens)
        return tokens * self._seen.most + (CREDIT if self._seen.most else 0.0)

    def _room(self, limit: float) -> float:
        # A sum of many charges is rounded, but never by as much.
        own, others = self._own, self._others
        return limit * (1 + 1e-9) - self._spent() - own.lost - others.lost - own.reserved - others.reserved

    @property
    def _in_flight(self) -> int:
        return self._own.in_flight + self._others.in_flight

    def _spent(self) -> float:
        return self._meter.usage.known_dollars + self._others.spent

    def _read(self, state: dict[str, Any]) -> None:
        """Learn what other processes know and have spent."""
        self._others = total_of(state, without=self._owner)
        vars(self._seen).update(state["price"])
        self._is_priceless = self._is_priceless or state["is_priceless"]

    def _write(self, state: dict[str, Any]) -> None:
        """Let other processes know what this one knows and has spent."""
        self._own.spent = self._meter.usage.known_dollars
        state["parts"][self._owner] = asdict(self._own)
        state["price"], state["is_priceless"] = dict(vars(self._seen)), self._is_priceless

    def _spent_error(self, limit: float) -> MaxCostError:
        spent = self._spent()
        if self._is_priceless:
            return MaxCostError(
                f"the server does not say what it charges, and the price of its model is unknown: --max-cost "
                f"{exact_dollars(limit)} cannot be enforced, so nothing more was sent",
                spent=spent,
                limit=limit,
            )
        lost = ""
        if n_lost := self._own.n_lost + self._others.n_lost:
            dollars = exact_dollars(self._own.lost + self._others.lost)
            lost = f", and up to {dollars} more for {counted(n_lost, 'request')} without an answer"
        return MaxCostError(
            f"{exact_dollars(spent)} spent of --max-cost {exact_dollars(limit)}{lost}: stopped before the request that "
            "could exceed it",
            spent=spent,
            limit=limit,
        )


def _makeup(texts: Sequence[str]) -> list[float]:
    """Return how many characters, words, and ASCII letters some texts have per byte: the fewer, the more tokens."""
    joined = " ".join(texts)
    content = joined.encode()
    n_bytes = max(1, len(content))
    n_letters = len(content) - len(content.translate(None, _LETTERS))
    return [count / n_bytes for count in (len(joined), content.count(b" ") + 1, n_letters)]


def _n_within(sizes: Sequence[int], most: int) -> int:
    """Return how many of the sizes, from the first, add up to at most `most`."""
    total = 0
    for n, size in enumerate(sizes):
        total += size
        if total > most:
            return n
    return len(sizes)
