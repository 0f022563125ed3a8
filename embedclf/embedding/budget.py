"""A limit in dollars, and whether a request still fits under it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from embedclf.embedding.usage import Estimate, Meter, about_tokens
from embedclf.errors import MaxCostError
from embedclf.formatting import about_dollars, counted, shown_dollars


def check_cost(estimate: Estimate, limit: float, meter: Meter) -> None:
    """Check that what is still to be embedded is within what is left of a limit in dollars.

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
    """Holds a limit in dollars, whatever was estimated. Threads may share it.

    A request is let go while it, those in flight and what is spent are within the limit, by the measure of what came
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
        self._bytes_in_flight = 0
        self._settled_bytes = 0
        self._settled_tokens = 0

    @contextmanager
    def room_for(self, n_bytes: int) -> Iterator[Callable[[int], None]]:
        """Wait until a request of some bytes may go; what is yielded is to be called with the tokens that it took.

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
                if not self._bytes_in_flight:
                    spent = self._spent()
                    raise MaxCostError(
                        f"{shown_dollars(spent)} is spent, and --max-cost is {self._limit:g}: stopped before the "
                        "request that would go beyond it",
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
