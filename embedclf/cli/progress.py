"""Progress on a terminal: a bar while texts are embedded, and a line with the latest step of training."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from embedclf.embedding.usage import Progress
from embedclf.formatting import shown_dollars

_SECONDS_BEFORE_IT_SHOWS = 2.0


class _DelayedLine:
    """A progress line on stderr, shown if that is a terminal and the work takes more than two seconds.

    A context manager; subclasses provide the content.

    Parameters
    ----------
    shown : bool
        Whether to show the line at all.
    """

    def __init__(self, *, shown: bool = True) -> None:
        self._shown = shown and sys.stderr.isatty()
        self._lock = threading.Lock()
        self._line: Any = None
        self._timer = threading.Timer(_SECONDS_BEFORE_IT_SHOWS, self._show)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        if self._shown:
            self._timer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        """Remove the line."""
        self._timer.cancel()
        with self._lock:
            self._shown = False
            if self._line is not None:
                self._line.stop()
                self._line = None

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as Line

        with self._lock:
            if not self._shown:
                return
            # Leave stdout alone: it may be a pipe.
            console = Console(stderr=True)
            self._line = Line(*self._columns(), console=console, transient=True, redirect_stdout=False)
            self._task = self._line.add_task("", total=None)
            self._update()
            self._line.start()

    def _columns(self) -> tuple[Any, ...]:
        """Return the rich columns of the line."""
        raise NotImplementedError

    def _update(self) -> None:
        """Redraw the line; called with the lock held, once the line exists."""
        raise NotImplementedError


class ProgressBar(_DelayedLine):
    """A progress bar of embedded texts.

    Attributes
    ----------
    before : int
        Texts finished in earlier parts of the work.
    passed : int
        How many of these were finished before this run.
    share : float or None
        The share of the whole work that `before` and the current part cover; None if unknown.
    """

    def __init__(self, *, shown: bool = True) -> None:
        super().__init__(shown=shown)
        self.before = self.passed = 0
        self.share: float | None = 1.0
        self._latest: Progress | None = None
        self._started: float | None = None

    def next_part(self, before: int, passed: int, share: float | None) -> None:
        """Start the next part of the work; see the attributes."""
        with self._lock:
            self.before, self.passed, self.share = before, passed, share
            self._latest = None  # `before` now includes the previous part

    def on_event(self, progress: Progress) -> None:
        """Update the bar."""
        with self._lock:
            # Start the clock at the first event, so that loading does not count towards the rate.
            self._started = time.monotonic() if self._started is None else self._started
            self._latest = progress
            if self._line is not None:
                self._update()

    def _columns(self) -> tuple[Any, ...]:
        from rich.progress import BarColumn, TextColumn

        return BarColumn(bar_width=24), TextColumn("{task.description}")

    def _update(self) -> None:
        progress = self._latest
        if progress is None:
            self._line.update(self._task, description="embedding …")
            return
        done = self.before + progress.done
        total = None if not self.share else round((self.before + progress.total) / self.share)
        seconds = max(time.monotonic() - (self._started or 0.0), 1e-3)
        parts = [f"{done:,} of {'' if self.share == 1 else 'about '}{total:,} texts" if total else f"{done:,} texts"]
        if now := done - self.passed:
            parts.append(f"{now / seconds:,.0f}/s")
            if total:
                minutes, left = divmod(round(seconds * (total - done) / now), 60)
                parts.append(f"{minutes}:{left:02} left")
        if progress.in_flight:
            parts.append(f"{progress.in_flight} in flight")
        if progress.dollars:
            parts.append(shown_dollars(progress.dollars))
        self._line.update(self._task, completed=done, total=total, description=" · ".join(parts))


class Steps(_DelayedLine):
    """A line with the latest step logged by the library, and the elapsed time."""

    def __init__(self) -> None:
        super().__init__()
        self._latest = ""
        self._logger = logging.getLogger("embedclf.steps")

    def __enter__(self) -> Self:
        self._logger.handlers[:] = [_CallbackHandler(self._on_step)]
        self._logger.propagate = False
        if self._shown:
            self._logger.setLevel(logging.DEBUG)
        return super().__enter__()

    def end(self) -> None:
        """Remove the line and stop listening to the log."""
        self._logger.setLevel(logging.NOTSET)
        self._logger.handlers[:] = []
        super().end()

    def _on_step(self, step: str) -> None:
        with self._lock:
            self._latest = step
            if self._line is not None:
                self._update()

    def _columns(self) -> tuple[Any, ...]:
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        return SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()

    def _update(self) -> None:
        self._line.update(self._task, description=self._latest)


class _CallbackHandler(logging.Handler):
    """Log handler that passes each message to a function."""

    def __init__(self, receive: Callable[[str], None]) -> None:
        super().__init__()
        self._receive = receive

    def emit(self, record: logging.LogRecord) -> None:
        self._receive(record.getMessage())
