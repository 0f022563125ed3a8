"""A worker pool that keeps many requests in flight and stops cleanly."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Generic, TypeVar

from embedclf.embedding.requests.cancellation import POLL_SECONDS, Run, StoppedError, this_run, work_for
from embedclf.formatting import counted

logger = logging.getLogger(__name__)

Job = TypeVar("Job")

# Requests in flight at an interrupt are already billed, so their responses are worth a short wait.
_SECONDS_AFTER_INTERRUPT = 3.0
# After an error there is time to wait longer, but a server could send its response slowly without end.
_SECONDS_AFTER_ERROR = 60.0


def work_through(
    jobs: Sequence[Job], work: Callable[[Job], Sequence[Job]], n_threads: int, watch: Callable[[], None] = lambda: None
) -> None:
    """Run jobs in several threads; each job may return more jobs.

    After the first error no new request starts. Those in flight are given time to finish, so that their results, which
    are billed, are kept; then the error is raised here. The work is part of the caller's run. Meanwhile, `watch` is
    called several times a second.

    Raises
    ------
    StoppedError
        If the caller's run is stopped.
    """
    run = Run(this_run())
    workers = _Workers(work, run, n_threads)
    try:
        workers.add(jobs)
        workers.wait(watch)
    except BaseException:
        run.stop()
        with suppress(KeyboardInterrupt):
            if n_in_flight := run.count():
                in_flight = counted(n_in_flight, "in-flight request")
                logger.info("Stopping; waiting for %s (already billed) …", in_flight)
            run.wait_for_answers(_SECONDS_AFTER_INTERRUPT)
        raise
    if workers.error is not None:
        run.wait_for_answers(_SECONDS_AFTER_ERROR)
        raise workers.error
    if run.stopped:
        run.wait_for_answers(_SECONDS_AFTER_INTERRUPT)
        raise StoppedError


class _Workers(Generic[Job]):
    """A pool of threads that grows with the number of jobs."""

    def __init__(self, work: Callable[[Job], Sequence[Job]], run: Run, n_threads: int) -> None:
        self._jobs: list[Job] = []
        self._work = work
        self._run = run
        self._most = n_threads
        self._started = 0
        self._busy = 0
        self._changed = threading.Condition()
        self.error: BaseException | None = None

    def add(self, jobs: Sequence[Job]) -> None:
        """Put jobs at the front of the queue, and start threads for them."""
        with self._changed:
            self._jobs.extend(reversed(jobs))
            while self._started < min(self._most, self._busy + len(self._jobs)):
                # Daemon threads rather than a ThreadPoolExecutor, whose threads would delay the exit of the process
                # until their requests finish.
                try:
                    threading.Thread(target=copy_context().run, args=(self._work_loop,), daemon=True).start()
                except RuntimeError:  # the system's thread limit
                    if not self._started:
                        raise
                    self._most = self._started
                else:
                    self._started += 1
            self._changed.notify_all()

    def wait(self, watch: Callable[[], None]) -> None:
        """Wait until every job is done, or the run is stopped."""
        with self._changed:
            # Polls, since stopping the enclosing run does not notify this condition.
            while not self._changed.wait_for(lambda: self._run.stopped or not (self._jobs or self._busy), POLL_SECONDS):
                watch()

    def _work_loop(self) -> None:
        work_for(self._run)
        while (job := self._next()) is not None:
            try:
                self.add(self._work(job))
            except StoppedError:
                pass
            except BaseException as error:  # noqa: BLE001 - re-raised by `work_through`
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
                self._changed.wait(POLL_SECONDS)
            return None
