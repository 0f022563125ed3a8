"""What a long fit is doing, on a terminal."""

import logging
import sys
import threading
from types import TracebackType
from typing import Any

_SECONDS_BEFORE_IT_SHOWS = 2.0


class Steps(logging.Handler):
    """A line on standard error with the latest step of the library, if that is a terminal and it takes a while.

    To be used as a context.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines = threading.Lock()
        self._latest = ""
        self._bar: Any = None
        self._ended = False
        self._timer = threading.Timer(_SECONDS_BEFORE_IT_SHOWS, self._show)
        self._timer.daemon = True
        self._logger = logging.getLogger("embedclf.steps")

    def __enter__(self) -> "Steps":
        self._logger.handlers[:] = [self]
        self._logger.propagate = False
        if sys.stderr.isatty():
            self._logger.setLevel(logging.DEBUG)
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._logger.setLevel(logging.NOTSET)
        self._logger.handlers[:] = []
        with self._lines:
            self._ended = True
            if self._bar is not None:
                self._bar.stop()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a step."""
        with self._lines:
            self._latest = record.getMessage()
            if self._bar is not None:
                self._bar.update(self._task, description=self._latest)

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        with self._lines:
            if self._ended:
                return
            columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
            # Nothing on standard output is touched: it may be a pipe.
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
            self._task = self._bar.add_task(self._latest, total=None)
            self._bar.start()
