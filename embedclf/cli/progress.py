"""What long work is doing, on a terminal: a bar while texts are embedded, a line with the latest step of a fit."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from embedclf.embedding.usage import Progress
from embedclf.formatting import shown_dollars

_SECONDS_BEFORE_IT_SHOWS = 2.0


class _LateLine:
    """A line on standard error, if that is a terminal and the work takes more than two seconds.

    To be used as a context. What makes the line is in the classes below.

    Parameters
    ----------
    shown : bool
        Whether to show it at all.
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
        """Take it away."""
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
            # Nothing on standard output is touched: it may be a pipe.
            console = Console(stderr=True)
            self._line = Line(*self._columns(), console=console, transient=True, redirect_stdout=False)
            self._task = self._line.add_task("", total=None)
            self._update()
            self._line.start()

    def _columns(self) -> tuple[Any, ...]:
        """Return what rich puts into the line."""
        raise NotImplementedError

    def _update(self) -> None:
        """Write the line anew; it is there, and locked."""
        raise NotImplementedError


class ProgressBar(_LateLine):
    """A bar that shows how many texts are embedded.

    Attributes
    ----------
    before : int
        Texts that were done in earlier parts of the work.
    passed : int
        Those of them that were done before it began.
    share : float or None
        How much of the whole work `before` and the present part are; None if this part is the whole.
    """

    def __init__(self, *, shown: bool = True) -> None:
        super().__init__(shown=shown)
        self.before = self.passed = 0
        self.share: float | None = 1.0
        self._latest: Progress | None = None
        self._started: float | None = None

    def next_part(self, before: int, passed: int, share: float | None) -> None:
        """Begin the next part of the work; see the attributes."""
        with self._lock:
            self.before, self.passed, self.share = before, passed, share
            self._latest = None  # what was told of the last part is in `before` now

    def on_event(self, progress: Progress) -> None:
        """Show how far the work has come."""
        with self._lock:
            # The rate is that of embedding: what comes before is loading.
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


class Steps(_LateLine):
    """A line with the latest step that the library logs, and the time that has passed."""

    def __init__(self) -> None:
        super().__init__()
        self._latest = ""
        self._logger = logging.getLogger("embedclf.steps")

    def __enter__(self) -> Self:
        self._logger.handlers[:] = [_Calling(self._on_step)]
        self._logger.propagate = False
        if self._shown:
            self._logger.setLevel(logging.DEBUG)
        return super().__enter__()

    def end(self) -> None:
        """Take it away, and listen no more."""
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


class _Calling(logging.Handler):
    """Passes each message on."""

    def __init__(self, receive: Callable[[str], None]) -> None:
        super().__init__()
        self._receive = receive

    def emit(self, record: logging.LogRecord) -> None:
        self._receive(record.getMessage())
