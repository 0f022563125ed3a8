"""Enforcing a spending limit in dollars."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from embedclf.embedding.usage import Estimate, Meter, about_tokens
from embedclf.errors import MaxCostError
from embedclf.formatting import counted, exact_dollars


def check_cost(estimate: Estimate, limit: float, meter: Meter) -> None:
    """Check that an estimated cost is within what is left of a spending limit.

    Raises
    ------
    MaxCostError
        If it exceeds the limit. Nothing has been sent in that case.
    """
    spent, dollars = meter.usage.dollars or 0.0, estimate.dollars or 0.0
    if dollars > limit - spent:
        already = f" ({exact_dollars(spent)} already spent)" if spent else ""
        raise MaxCostError(
            f"embedding {counted(estimate.to_embed, 'text')} would cost about {exact_dollars(dollars)} (at most "
            f"{exact_dollars(estimate.most_dollars or 0.0)}), but --max-cost is {exact_dollars(limit)}{already}: "
            f"nothing {'more ' if spent else ''}was sent",
            spent=spent,
            limit=limit,
        )


class Budget:
    """Enforces a spending limit request by request. Thread-safe.

    A request may start if its cost, that of the requests in flight and the amount spent are within the limit. Costs are
    predicted from the tokens per byte seen so far, so the first request goes alone. Spending in other processes is not
    counted.

    Parameters
    ----------
    limit : float or None
        In dollars; None sets no limit.
    meter : Meter
        Knows the amount spent and the price, which must be known.
    """

    def __init__(self, limit: float | None, meter: Meter) -> None:
        self._limit = limit
        self._meter = meter
        self._changed = threading.Condition()
        self._bytes_in_flight = 0
        self._settled_bytes = 0
        self._settled_tokens = 0

    @contextmanager
    def room_for(self, n_bytes: int) -> Iterator[Callable[[int], None]]:
        """Wait until a request of `n_bytes` may start; yield a function to call with the tokens that it used.

        Raises
        ------
        MaxCostError
            If the request would exceed the limit.
        """
        if self._limit is None:
            yield lambda taken: None
            return
        with self._changed:
            while not self._has_room(n_bytes, self._limit):
                if not self._bytes_in_flight:
                    spent = self._spent()
                    raise MaxCostError(
                        f"{exact_dollars(spent)} spent of --max-cost {exact_dollars(self._limit)}: stopped before the "
                        "request that would exceed it",
                        spent=spent,
                        limit=self._limit,
                    )
                self._changed.wait()
            self._bytes_in_flight += n_bytes
        tokens = 0

        def settle(taken: int) -> None:
            nonlocal tokens
            tokens = taken

        try:
            yield settle
        finally:
            with self._changed:
                self._bytes_in_flight -= n_bytes
                if tokens:
                    self._settled_bytes += n_bytes
                    self._settled_tokens += tokens
                self._changed.notify_all()

    def _has_room(self, n_bytes: int, limit: float) -> bool:
        if not self._settled_bytes:
            return (
                not self._bytes_in_flight
                and self._spent() + (self._meter.dollars(about_tokens(n_bytes)) or 0.0) <= limit
            )
        expected = self._settled_tokens * (self._bytes_in_flight + n_bytes) // self._settled_bytes
        return self._spent() + (self._meter.dollars(expected) or 0.0) <= limit

    def _spent(self) -> float:
        return self._meter.usage.dollars or 0.0
