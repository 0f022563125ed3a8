"""Stopping a run of requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SECONDS_A_LOOK = 0.2


class StoppedError(BaseException):
    """A request that is no longer to be sent.

    Not an ``Exception``, since the client would take that for a fault of the line, and try again.
    """


class Run:
    """One piece of work, done by several threads: whether it goes on, and which threads have a request in flight.

    Parameters
    ----------
    part_of : Run, optional
        The run that this one is a part of, and stops with.
    """

    def __init__(self, part_of: "Run | None" = None) -> None:
        self._part_of = part_of
        self._stopped = False
        self._asking: set[int] = set()
        self._changed = threading.Condition()

    @property
    def stopped(self) -> bool:
        """Whether no new request may start."""
        return self._stopped or (self._part_of is not None and self._part_of.stopped)

    def begin(self) -> None:
        """Note that this thread sends a request."""
        with self._changed:
            if self.stopped:
                raise StoppedError
            self._asking.add(threading.get_ident())

    def end(self) -> None:
        """Note that this thread waits for no answer, and has none to store."""
        with self._changed:
            self._asking.discard(threading.get_ident())
            self._changed.notify_all()

    def stop(self) -> None:
        """Let no new request start."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def wait_for_answers(self, seconds: float) -> None:
        """Wait until the requests in flight are answered and the answers stored, or some seconds are over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._asking, seconds)

    def count(self) -> int:
        """Count the requests in flight."""
        return len(self._asking)


# Not a thread's own: a thread that is given work is given the context, too.
_this_run: ContextVar[Run | None] = ContextVar("_this_run", default=None)


def this_run() -> Run | None:
    """Return the run that this thread works for."""
    return _this_run.get()


def work_for(run: Run) -> None:
    """Make a run the one that this thread works for, from now on."""
    _this_run.set(run)


@contextmanager
def stopped_with() -> Iterator[None]:
    """Stop what is going on in the block, in any thread, when it is left by an exception."""
    run = Run(this_run())
    token = _this_run.set(run)
    try:
        yield
    except BaseException:
        run.stop()
        raise
    finally:
        _this_run.reset(token)


def check_not_stopped() -> None:
    """Check that the run that this thread works for is not stopped.

    Raises
    ------
    StoppedError
    """
    run = _this_run.get()
    if run is not None and run.stopped:
        raise StoppedError
