"""Limiting the number of requests in flight."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from embedclf.embedding.requests.cancellation import POLL_SECONDS, check_not_stopped, this_run

# The first request gets this head start, so that a wrong key or an empty account costs one request, not many.
_SECONDS_HEAD_START = 0.1


class RequestLimiter:
    """Limits the number of requests in flight to one server. Thread-safe.

    The limit is halved when the server reports too many requests, once for all that were in flight together, and grows
    by one per round of responses, like TCP's congestion window (Jacobson, "Congestion avoidance and control", 1988).

    Parameters
    ----------
    most : int
        The initial and maximum limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._in_flight = 0
        self._held_until = 0.0
        self._spread = 0.0
        self._slowed_at = 0.0
        self._head_start_until: float | None = None
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """The current limit."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """The number of requests in flight."""
        return self._in_flight

    @contextmanager
    def slot(self) -> Iterator[float]:
        """Wait until a request may be sent, and count it as in flight during the block; yield its start time.

        Raises
        ------
        StoppedError
            If the run that this thread works for is stopped while waiting.
        """
        run = this_run()
        lateness = random.random()  # noqa: S311 - jitter, so that held requests do not all resume at once
        with self._changed:
            while True:
                check_not_stopped()
                now = time.monotonic()
                seconds = max(self._held_until + lateness * self._spread, self._head_start_until or 0.0) - now
                if seconds <= 0 and self._in_flight < self.limit:
                    break
                # Polls, since stopping a run does not notify this condition.
                self._changed.wait(min(seconds, POLL_SECONDS) if seconds > 0 else POLL_SECONDS)
            self._in_flight += 1
            if self._head_start_until is None:
                self._head_start_until = now + _SECONDS_HEAD_START
        try:
            if run is not None:
                run.begin()
            yield time.monotonic()
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def slow_down(self, began: float, seconds: float) -> bool:
        """Halve the limit after a "too many requests" response, and hold all requests for some seconds.

        Parameters
        ----------
        began : float
            When the rejected request was sent. The limit is not halved again if it was halved after that.
        seconds : float

        Returns
        -------
        bool
            Whether the limit was halved or the hold extended.
        """
        with self._changed:
            held = self.hold(seconds)
            halved = began > self._slowed_at
            if halved:
                self._slowed_at = time.monotonic()
                self._limit = max(1.0, self._limit / 2)
            return halved or held

    def hold(self, seconds: float) -> bool:
        """Start no request for some seconds; return whether this extends the current hold."""
        with self._changed:
            until = time.monotonic() + seconds
            if not seconds or until <= self._held_until + 0.5:
                return False
            self._held_until = until
            self._spread = min(1.0, seconds / 4)
            return True

    def speed_up(self) -> None:
        """Raise the limit after a successful response."""
        with self._changed:
            self._head_start_until = 0.0
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
            self._changed.notify_all()
