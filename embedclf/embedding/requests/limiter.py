"""How many requests are in flight, and how many more may be."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from embedclf.embedding.requests.cancellation import SECONDS_A_LOOK, check_not_stopped, this_run

# This long the others wait for the first answer: a wrong key or an empty account is found out by one request.
_SECONDS_HEAD_START = 0.1


class RequestLimiter:
    """Limits how many requests to one server are in flight at once.

    The limit is halved when the server has too many, once for all that were in flight together, and grows by one for
    each round of answers, as TCP's window does (Jacobson, "Congestion avoidance and control", 1988).

    Parameters
    ----------
    most : int
        The limit to begin with, which is never exceeded.
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
        """The present limit."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """How many requests are in flight."""
        return self._in_flight

    @contextmanager
    def slot(self) -> Iterator[float]:
        """Wait until a request may be sent, and count it for as long as the block lasts; yield the time it began.

        Raises
        ------
        StoppedError
            If the run that this thread works for is stopped meanwhile.
        """
        run = this_run()
        lateness = random.random()  # noqa: S311 - so that those that were held do not come back all at once
        with self._changed:
            while True:
                check_not_stopped()
                now = time.monotonic()
                seconds = max(self._held_until + lateness * self._spread, self._head_start_until or 0.0) - now
                if seconds <= 0 and self._in_flight < self.limit:
                    break
                # What stops a run does not know who waits here, so it is looked at now and then.
                self._changed.wait(min(seconds, SECONDS_A_LOOK) if seconds > 0 else SECONDS_A_LOOK)
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
        """Halve the limit, after a request that began at some time was one too many, and hold all for some seconds.

        Returns
        -------
        bool
            Whether anything changed: it does not where the limit was halved since the request began.
        """
        with self._changed:
            held = self.hold(seconds)
            halved = began > self._slowed_at
            if halved:
                self._slowed_at = time.monotonic()
                self._limit = max(1.0, self._limit / 2)
            return halved or held

    def hold(self, seconds: float) -> bool:
        """Let no request start for some seconds; return whether that is news."""
        with self._changed:
            until = time.monotonic() + seconds
            if not seconds or until <= self._held_until + 0.5:
                return False
            self._held_until = until
            self._spread = min(1.0, seconds / 4)
            return True

    def speed_up(self) -> None:
        """Let the limit grow, after a request was answered."""
        with self._changed:
            self._head_start_until = 0.0
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
            self._changed.notify_all()
