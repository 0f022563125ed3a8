"""Many requests in flight at once: as many as the server bears, and none that nobody waits for."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Generic, TypeVar

from embedclf.embedding.requests.cancellation import SECONDS_A_LOOK, Run, StoppedError, this_run, work_for

logger = logging.getLogger(__name__)

Job = TypeVar("Job")

# What is in flight when someone interrupts is paid for: it is waited for this long.
_SECONDS_AFTER_INTERRUPT = 3.0
# After an error, nobody is impatient; but a server may trickle for ever.
_SECONDS_AFTER_ERROR = 60.0


def work_through(jobs: Sequence[Job], work: Callable[[Job], Sequence[Job]], n_threads: int) -> None:
    """Do some jobs in several threads; each may return more jobs.

    The first error ends the work: no new request starts, those in flight are waited for, so that what is paid for is
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
            if n_in_flight := run.count():
                logger.info("Stopping: waiting for %d requests under way, which are paid for …", n_in_flight)
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
        """Put jobs before those that wait, and hire threads for them."""
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
            # What stops a run that this is a part of does not know who waits here.
            while not self._changed.wait_for(
                lambda: self._run.stopped or not (self._jobs or self._busy), SECONDS_A_LOOK
            ):
                pass

    def _labour(self) -> None:
        work_for(self._run)
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
