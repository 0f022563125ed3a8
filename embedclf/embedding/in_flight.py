"""Many requests under way together: as many as the server bears, and none that nobody waits for."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

Job = TypeVar("Job")

# What is under way when someone interrupts is paid for: so long it is waited for.
_SECONDS_AFTER_INTERRUPT = 3.0
# After an error, nobody is impatient; but a server may trickle for ever.
_SECONDS_AFTER_ERROR = 60.0
SECONDS_A_LOOK = 0.2
# So long the others wait for the first answer: a wrong key or an empty account is found out by one request.
_SECONDS_HEAD_START = 0.1


class StoppedError(BaseException):
    """A request that is not to be sent any more.

    Not an ``Exception``, since the client would take that for a fault of the line, and try again.
    """


class Run:
    """One piece of work, done by several threads: whether it goes on, and who has a request under way.

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
        """Note that this thread waits for no answer, and has none to put away."""
        with self._changed:
            self._asking.discard(threading.get_ident())
            self._changed.notify_all()

    def stop(self) -> None:
        """Let no new request start."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def wait_for_answers(self, seconds: float) -> None:
        """Wait until the requests under way are answered, and the answers put away, or so many seconds are over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._asking, seconds)

    def count(self) -> int:
        """Count the requests under way."""
        return len(self._asking)


# Not a thread's own: whoever hands work to a thread hands it the context, too.
_run: ContextVar[Run | None] = ContextVar("_run", default=None)


def this_run() -> Run | None:
    """Give the run that this thread works for."""
    return _run.get()


@contextmanager
def stopped_with() -> Iterator[None]:
    """Stop what is under way in the block, in whatever threads, when it is left by an exception."""
    run = Run(this_run())
    token = _run.set(run)
    try:
        yield
    except BaseException:
        run.stop()
        raise
    finally:
        _run.reset(token)


def see_that_it_goes_on() -> None:
    """See that the run that this thread works for is not stopped.

    Raises
    ------
    StoppedError
    """
    run = _run.get()
    if run is not None and run.stopped:
        raise StoppedError


class Gate:
    """How many requests may be under way together.

    The limit is halved when the server has too many, once for all that were under way together, and grows by one for
    each round of answers, as TCP's window does (Jacobson, "Congestion avoidance and control", 1988).

    Parameters
    ----------
    most : int
        The limit to begin with, which is never exceeded.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._under_way = 0
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
    def under_way(self) -> int:
        """How many requests are under way."""
        return self._under_way

    @contextmanager
    def slot(self) -> Iterator[float]:
        """Wait for leave to send a request, and hold it for as long as the block takes; gives the time it began.

        Raises
        ------
        StoppedError
            If the run that this thread works for is stopped meanwhile.
        """
        run = this_run()
        lateness = random.random()  # noqa: S311 - so that those that were held do not come back all at once
        with self._changed:
            while True:
                see_that_it_goes_on()
                now = time.monotonic()
                seconds = max(self._held_until + lateness * self._spread, self._head_start_until or 0.0) - now
                if seconds <= 0 and self._under_way < self.limit:
                    break
                # Whoever stops a run does not know who waits here, so it is looked at now and then.
                self._changed.wait(min(seconds, SECONDS_A_LOOK) if seconds > 0 else SECONDS_A_LOOK)
            self._under_way += 1
            if self._head_start_until is None:
                self._head_start_until = now + _SECONDS_HEAD_START
        try:
            if run is not None:
                run.begin()
            yield time.monotonic()
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def slow_down(self, began: float, seconds: float) -> bool:
        """Halve the limit, after a request that began at some time was one too many, and hold all for some seconds.

        Gives whether anything changed: it does not where the limit was halved since the request began.
        """
        with self._changed:
            held = self.hold(seconds)
            halved = began > self._slowed_at
            if halved:
                self._slowed_at = time.monotonic()
                self._limit = max(1.0, self._limit / 2)
            return halved or held

    def hold(self, seconds: float) -> bool:
        """Let no request start for some seconds; gives whether that is news."""
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


def work_through(jobs: Sequence[Job], work: Callable[[Job], Sequence[Job]], n_threads: int) -> None:
    """Do some jobs in several threads; each may give more jobs.

    The first error ends the work: no new request starts, those under way are waited for, so that what is paid for is
    kept, and it is raised here. The work is a part of the run that the caller works for.

    Raises
    ------
    StoppedError
        If that run is stopped meanwhile.
    """
    run = Run(this_run())
    crew = _Crew(work, run, n_threads)
    try:
        crew.add(jobs)
        crew.wait()
    except BaseException:
        run.stop()
        with suppress(KeyboardInterrupt):
            if n_under_way := run.count():
                logger.info("Stopping: waiting for %d requests under way, which are paid for …", n_under_way)
            run.wait_for_answers(_SECONDS_AFTER_INTERRUPT)
        raise
    if crew.error is not None:
        run.wait_for_answers(_SECONDS_AFTER_ERROR)
        raise crew.error
    if run.stopped:
        run.wait_for_answers(_SECONDS_AFTER_INTERRUPT)
        raise StoppedError


class _Crew(Generic[Job]):
    """Threads that do jobs, hired as the jobs become more."""

    def __init__(self, work: Callable[[Job], Sequence[Job]], run: Run, n_threads: int) -> None:
        self._jobs: list[Job] = []
        self._work = work
        self._run = run
        self._most = n_threads
        self._hired = 0
        self._busy = 0
        self._changed = threading.Condition()
        self.error: BaseException | None = None

    def add(self, jobs: Sequence[Job]) -> None:
        """Put jobs before those that wait, and see that there are hands for them."""
        with self._changed:
            self._jobs.extend(reversed(jobs))
            while self._hired < min(self._most, self._busy + len(self._jobs)):
                # Not the threads of a pool: these are waited for at the end of a process, however long their requests
                # take.
                try:
                    threading.Thread(target=copy_context().run, args=(self._labour,), daemon=True).start()
                except RuntimeError:  # the system has no more threads
                    if not self._hired:
                        raise
                    self._most = self._hired
                else:
                    self._hired += 1
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until every job is done, or the run is stopped."""
        with self._changed:
            # Whoever stops a run that this is a part of does not know who waits here.
            while not self._changed.wait_for(
                lambda: self._run.stopped or not (self._jobs or self._busy), SECONDS_A_LOOK
            ):
                pass

    def _labour(self) -> None:
        _run.set(self._run)
        while (job := self._next()) is not None:
            try:
                self.add(self._work(job))
            except StoppedError:
                pass
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
                with self._changed:
                    self.error = self.error or error
                self._run.stop()
            finally:
                self._run.end()
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()

    def _next(self) -> Job | None:
        with self._changed:
            while not self._run.stopped:
                if self._jobs:
                    self._busy += 1
                    return self._jobs.pop()
                if not self._busy:
                    return None
                self._changed.wait(SECONDS_A_LOOK)
            return None
