"""What tasks in other processes have to say: how far they are, and their warnings.

A worker process shares the terminal, where what it prints would stand in the middle of the progress line. So its
warnings come back with the result, and are given out here. How far it is, it writes to a small file now and then.
"""

import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from embedclf.phases import Phase, is_watched, share_of, watched

_SECONDS = 0.5


class Told(NamedTuple):
    """The result of a task, and what was said meanwhile in another process."""

    result: Any
    records: list[logging.LogRecord]
    warned: list[tuple[str, type[Warning], str, int]]


class Reporting:
    """A function whose result comes with what it had to say, if it runs in another process.

    Parameters
    ----------
    function : callable
    folder : str or None
        Where each task writes how far it is; None if nobody watches.
    """

    def __init__(self, function: Callable[..., Any], folder: str | None) -> None:
        self._function, self._folder, self._home = function, folder, os.getpid()

    def __call__(self, number: int, *task: Any) -> Told:
        """Run a task."""
        if os.getpid() == self._home:
            return Told(self._function(*task), [], [])
        place = nullcontext() if self._folder is None else _writing_share(Path(self._folder) / str(number))
        with _collected() as records, warnings.catch_warnings(record=True) as warned, place:
            result = self._function(*task)
        return Told(result, records, [(str(one.message), one.category, one.filename, one.lineno) for one in warned])


@contextmanager
def watching(doing: Phase) -> Iterator[str | None]:
    """Watch how far tasks in other processes are; yield the folder for `Reporting`.

    Parameters
    ----------
    doing : Phase
        Each task is a step of it.
    """
    if not is_watched():
        yield None
        return
    with (
        TemporaryDirectory(prefix="embedclf-", ignore_cleanup_errors=True) as folder,
        _repeated(
            lambda: doing.begin_steps(sum(map(_share_in, Path(folder).iterdir())) - doing.done, time.monotonic())
        ),
    ):
        yield folder


def heard(told: Iterable[Told]) -> Iterator[Any]:
    """Yield the results of tasks, and give out what was said; each message once."""
    seen = set()
    for result, records, warned in told:
        for record in records:
            if (said := (record.name, record.getMessage())) not in seen:
                seen.add(said)
                logging.getLogger(record.name).handle(record)
        for message, category, file, line in warned:
            warnings.warn_explicit(message, category, file, line)
        yield result


@contextmanager
def _collected() -> Iterator[list[logging.LogRecord]]:
    """Collect the warnings of this package, instead of what a forked process would do with them."""
    records: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            record.msg, record.args, record.exc_info = record.getMessage(), None, None  # what can be pickled
            records.append(record)

    collector, logger = Collector(logging.WARNING), logging.getLogger("embedclf")
    before = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [collector], False
    try:
        yield records
    finally:
        logger.handlers[:], logger.propagate = before


@contextmanager
def _writing_share(path: Path) -> Iterator[None]:
    """Write what share of the task is done to a file; in the end, 1."""
    with watched() as phases, _repeated(lambda: path.write_text(f"{share_of(list(phases)):.4f}")):
        yield
    with suppress(OSError):
        path.write_text("1")


def _share_in(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):  # it is being written
        return 0.0


@contextmanager
def _repeated(action: Callable[[], object]) -> Iterator[None]:
    """Do something twice a second, in a thread, as long as the block lasts."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(_SECONDS):
            with suppress(OSError):
                action()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
