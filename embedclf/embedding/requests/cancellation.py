"""Cancelling requests."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Given = TypeVar("Given")
Result = TypeVar("Result")

POLL_SECONDS = 0.2


class StoppedError(BaseException):
    """A run was stopped, so a request must not be sent.

    Not an ``Exception``, which the openai client would take for a connection failure and retry.
    """


class Run:
    """Work that is shared by several threads and can be stopped; it tracks which threads have a request in flight.

    Parameters
    ----------
    part_of : Run, optional
        An enclosing run; when it stops, this one stops, too.
    """

    def __init__(self, part_of: "Run | None" = None) -> None:
        self._part_of = part_of
        self._stopped = False
        self._sending: set[int] = set()
        self._changed = threading.Condition()

    @property
    def stopped(self) -> bool:
        """Whether no new request may start."""
        return self._stopped or (self._part_of is not None and self._part_of.stopped)

    def begin(self) -> None:
        """Record that this thread is sending a request."""
        with self._changed:
            if self.stopped:
                raise StoppedError
            self._sending.add(threading.get_ident())

    def end(self) -> None:
        """Record that this thread has no request in flight and no response left to store."""
        with self._changed:
            self._sending.discard(threading.get_ident())
            self._changed.notify_all()

    def stop(self) -> None:
        """Prevent new requests from starting."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def wait_for_answers(self, seconds: float) -> None:
        """Wait until the responses to the requests in flight are stored, for at most `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._sending, seconds)

    def count(self) -> int:
        """Return the number of requests in flight."""
        return len(self._sending)


# A context variable rather than a thread-local, since worker threads run in a copy of the caller's context.
_this_run: ContextVar[Run | None] = ContextVar("_this_run", default=None)


def this_run() -> Run | None:
    """Return the run that this thread works for, if any."""
    return _this_run.get()


def work_for(run: Run) -> None:
    """Set the run that this thread works for."""
    _this_run.set(run)


@contextmanager
def stopped_with() -> Iterator[None]:
    """Stop the requests that the block started, in any thread, if an exception leaves it."""
    run = Run(this_run())
    token = _this_run.set(run)
    try:
        yield
    except BaseException:
        run.stop()
        raise
    finally:
        _this_run.reset(token)


async def in_a_thread(call: Callable[[Given], Result], given: Given) -> Result:
    """Call a function in one of the event loop's threads; a cancellation stops the requests that it started."""
    from anyio.to_thread import run_sync

    with stopped_with():
        return await run_sync(call, given, abandon_on_cancel=True)


def check_not_stopped() -> None:
    """Check that the run that this thread works for is not stopped.

    Raises
    ------
    StoppedError
        If it is stopped.
    """
    run = _this_run.get()
    if run is not None and run.stopped:
        raise StoppedError
