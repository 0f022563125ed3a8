"""Limiting the number of requests in flight."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from embedclf.embedding.requests.cancellation import POLL_SECONDS, check_not_stopped, this_run

# The first request gets this head start, so that a wrong key or an empty account costs one request, not many.
_SECONDS_HEAD_START = 0.1
# The back-off doubles from the first to the longest hold, which is shorter if no request has succeeded yet: then the
# server, rather than its rate limit, is the likely cause.
_FIRST_HOLD = 0.5
_LONGEST_HOLD = 30.0
_LONGEST_HOLD_AT_FIRST = 5.0
# Beyond the limit that the last time-out left, it grows this much slower: more requests would only wait for each other.
_SLOWER = 16


class RequestLimiter:
    """Limits the number of requests in flight to one server. Thread-safe.

    The limit is halved when the server reports too many requests or does not respond, once for all that were in flight
    together, and grows by one per round of responses, like TCP's congestion window (Jacobson, "Congestion avoidance and
    control", 1988). If that happens again before any success, all requests are held for a time that doubles.

    Parameters
    ----------
    most : int
        The initial and maximum limit.

    Attributes
    ----------
    n_setbacks : int
        How often the limit was halved since the last success.
    has_succeeded : bool
        Whether any request has succeeded.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._ceiling = self._limit
        self._began: list[float] = []
        self._held_until = 0.0
        self._spread = 0.0
        self._slowed_at = 0.0
        self._level = 0
        self._alive_at: float | None = None
        self.n_setbacks = 0
        self.has_succeeded = False
        self._head_start_until: float | None = None
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """The current limit."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """The number of requests in flight."""
        return len(self._began)

    @property
    def longest_wait(self) -> float:
        """The seconds since the oldest request in flight was sent."""
        with self._changed:
            return time.monotonic() - min(self._began) if self._began else 0.0

    @property
    def seconds_of_silence(self) -> float:
        """The seconds since the last success, or since the first request."""
        return 0.0 if self._alive_at is None else time.monotonic() - self._alive_at

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
                if seconds <= 0 and self.in_flight < self.limit:
                    break
                # Polls, since stopping a run does not notify this condition.
                self._changed.wait(min(seconds, POLL_SECONDS) if seconds > 0 else POLL_SECONDS)
            self._began.append(now)
            if self._alive_at is None:
                self._alive_at = now
            if self._head_start_until is None:
                self._head_start_until = now + _SECONDS_HEAD_START
        try:
            if run is not None:
                run.begin()
            yield now
        finally:
            with self._changed:
                self._began.remove(now)
                self._changed.notify_all()

    def slow_down(self, began: float, seconds: float) -> bool:
        """Halve the limit after a "too many requests" response, and hold all requests for some seconds.

        Parameters
        ----------
        began : float
            When the rejected request was sent. The limit is not halved again if it was halved after that.
        seconds : float
            As the server asks; 0 if it does not. Then there is no hold for the first setback after a success, and it
            doubles with each further one.

        Returns
        -------
        bool
            Whether the limit was halved or the hold extended.
        """
        return self._set_back(began, seconds, _LONGEST_HOLD, least=False)

    def note_late(self, began: float, most: float) -> bool:
        """Halve the limit after a time-out, and hold all requests for at most some seconds; see `slow_down`.

        A server that has not answered at all gets one request at a time.
        """
        with self._changed:
            changed = self._set_back(began, 0.0, most, least=not self.has_succeeded)
            self._ceiling = self._limit
            return changed

    def _set_back(self, began: float, seconds: float, most: float, *, least: bool) -> bool:
        with self._changed:
            halved = began > self._slowed_at
            if halved:
                self._slowed_at = time.monotonic()
                self._limit = 1.0 if least else max(1.0, self._limit / 2)
                self._level += 1
                self.n_setbacks += 1
                if not seconds and self.n_setbacks > 1:
                    longest = _LONGEST_HOLD if self.has_succeeded else _LONGEST_HOLD_AT_FIRST
                    seconds = min(_FIRST_HOLD * 2.0 ** min(self._level - 1, 16), longest, most)
            return self.hold(seconds) or halved

    def first_wait(self) -> float:
        """Return how many seconds a rejected request waits by itself, with jitter."""
        return _FIRST_HOLD * (1 - random.random() / 4)  # noqa: S311 - see `slot`

    def hold(self, seconds: float) -> bool:
        """Start no request for some seconds; return whether that is over half a second more than now."""
        with self._changed:
            until = time.monotonic() + seconds
            if not seconds or until <= self._held_until:
                return False
            is_longer = until > self._held_until + 0.5
            self._held_until = until
            self._spread = min(1.0, seconds / 4)
            return is_longer

    def speed_up(self, began: float, *, is_slow: bool = False) -> None:
        """Raise the limit after a successful response; halve it if that came slowly and others did not come in time."""
        with self._changed:
            self._head_start_until = 0.0
            self._alive_at = time.monotonic()
            self.n_setbacks, self.has_succeeded = 0, True
            # Remembered longer than the setbacks, so that the next hold starts near to what was needed.
            self._level = max(0, self._level - 1)
            if not is_slow or self._ceiling == self._most:
                step = 1.0 if self._limit < self._ceiling else 1.0 / _SLOWER
                self._limit = min(float(self._most), self._limit + step / self._limit)
            elif began > self._slowed_at:
                self._slowed_at = time.monotonic()
                self._limit = self._ceiling = max(1.0, self._limit / 2)
            self._changed.notify_all()
