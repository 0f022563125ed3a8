"""Progress on a terminal."""

import sys
import threading
import time
from typing import Any

from embedclf.embedding.usage import Progress
from embedclf.formatting import shown_dollars

_SECONDS_BEFORE_IT_SHOWS = 2.0


class ProgressBar:
    """A bar on standard error, if that is a terminal and the work takes more than two seconds.

    Parameters
    ----------
    shown : bool
        Whether to show it at all.

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
        self.before = self.passed = 0
        self.share: float | None = 1.0
        self._shown = shown and sys.stderr.isatty()
        self._lock = threading.Lock()
        self._bar: Any = None
        self._latest: Progress | None = None
        self._started: float | None = None
        self._timer = threading.Timer(_SECONDS_BEFORE_IT_SHOWS, self._show)
        self._timer.daemon = True

    def __enter__(self) -> "ProgressBar":
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
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

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
            if self._bar is not None:
                self._update(progress)

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        with self._lock:
            if not self._shown:
                return
            # Nothing on standard output is touched: it may be a pipe.
            console = Console(stderr=True)
            columns = (BarColumn(bar_width=24), TextColumn("{task.description}"))
            self._bar = Bar(*columns, console=console, transient=True, redirect_stdout=False)
            self._task = self._bar.add_task("embedding …", total=None)
            if self._latest is not None:
                self._update(self._latest)
            self._bar.start()

    def _update(self, progress: Progress) -> None:
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
        self._bar.update(self._task, completed=done, total=total, description=" · ".join(parts))
