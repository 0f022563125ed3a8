"""The progress of a command: one line on the terminal with the phase, its steps, their rate, and the time left."""

import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Self, TextIO

from embedclf.cli.screen import printable
from embedclf.formatting import counted
from embedclf.phases import Phase, share_of, watched

_SECONDS_BEFORE_IT_SHOWS, _SECONDS_A_FRAME = 0.5, 0.1
# What is shown between two phases, unless the next one begins within these seconds.
_BETWEEN, _SECONDS_BETWEEN = "Working", 0.5
_ERASE = "\r\x1b[K"
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_IN_ASCII = str.maketrans(f"{_SPINNER}━─·…", "|/-\\|/-\\|/=-,.")
_LEAST_BAR, _MOST_BAR = 8, 40
_LEAST_NAME, _MOST_NAME = 8, 40
_LEAST_UNDER_WAY = 0.1


class ProgressLine:
    """The last line of a terminal while a command works; a context manager.

    It is shown if stderr is a terminal, after half a second. What is written to the terminal meanwhile goes above it.

    Parameters
    ----------
    reads_stdin : bool
        Whether standard input is read: the line is not shown where somebody may be typing.
    """

    def __init__(self, *, reads_stdin: bool = False) -> None:
        self._terminal = sys.stderr
        self._can_erase = self._terminal.isatty() and os.environ.get("TERM") != "dumb"
        self._is_shown = self._can_erase and not (reads_stdin and sys.stdin.isatty())
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._stack = ExitStack()
        self._is_drawn, self._is_free = False, True
        self._phases: list[Phase] = []

    def __enter__(self) -> Self:
        if self._is_shown:
            self._phases = self._stack.enter_context(watched())
            for name in ("stdout", "stderr"):
                stream = getattr(sys, name)
                if stream.isatty():
                    setattr(sys, name, _Above(stream, self))
                    self._stack.callback(setattr, sys, name, stream)
            threading.Thread(target=self._draw, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        # Ctrl-C leaves a ^C on the line, even if nothing is drawn there.
        self._is_drawn |= self._can_erase and kind is KeyboardInterrupt
        self.end()

    def end(self) -> None:
        """Remove the line before the end of the block, so that nothing more is drawn."""
        self._ended.set()
        with self._lock:
            self._erase()
            self._stack.close()

    def write_above(self, stream: TextIO, text: str) -> int:
        """Write a text where the line is; the line is drawn again once the text has ended with a line break."""
        with self._lock:
            self._erase()
            n = stream.write(text)
            self._is_free = text.endswith("\n") if text else self._is_free
            return n

    def _erase(self) -> None:
        if self._is_drawn:
            self._terminal.write(_ERASE)
            self._terminal.flush()
            self._is_drawn = False

    def _draw(self) -> None:
        began = seen = time.monotonic()
        for spun in range(sys.maxsize):
            if self._ended.wait(_SECONDS_A_FRAME):
                return
            now, phases = time.monotonic(), list(self._phases)
            seen = now if phases else seen
            if now - began < _SECONDS_BEFORE_IT_SHOWS or (not phases and now - seen < _SECONDS_BETWEEN):
                continue
            # Some terminals break a line that fills the last column.
            line = f"{_SPINNER[spun % len(_SPINNER)]} {shown(phases, now, _columns(self._terminal) - 3)}"
            encoding = self._terminal.encoding
            if not encoding.lower().startswith("utf"):
                line = line.translate(_IN_ASCII).encode(encoding, "replace").decode(encoding)
            with self._lock:
                if self._is_free and not self._ended.is_set():
                    self._terminal.write(f"{_ERASE}{line}")
                    self._terminal.flush()
                    self._is_drawn = True


class _Above:
    """A stream to the terminal that writes above the line."""

    def __init__(self, stream: TextIO, line: ProgressLine) -> None:
        self._stream, self._line = stream, line

    def write(self, text: str) -> int:
        return self._line.write_above(self._stream, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _columns(terminal: TextIO) -> int:
    try:
        columns = os.get_terminal_size(terminal.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return columns or shutil.get_terminal_size().columns


def shown(phases: Sequence[Phase], now: float, columns: int) -> str:
    """Return the progress of phases, the outermost first, in at most this many columns.

    What does not fit is left out, the least important first: the bar, remarks, phases within, the rate, the steps.
    """
    from rich.cells import cell_len, set_cell_size

    if not phases:
        return _BETWEEN[:columns]
    # A phase whose steps are unknown is measured by those of the first phase within that has any.
    main = next((one for one in phases if one.total is not None), phases[0])
    within = phases[phases.index(main) + 1 :]
    done = main.done + main.of_part
    if main.unit:
        main.begin_steps(share_of([one for one in within if one.whole is None]), now)
    # A step that has hardly begun says nothing.
    steps = done + main.under_way if done or main.under_way >= _LEAST_UNDER_WAY else 0.0
    seconds = main.changed - main.begun
    rate = (steps - main.passed) / seconds if seconds > 0 else 0.0

    time_shown = _time(main, steps, rate, now) or _clock(now - phases[0].begun)
    name, most = printable(phases[0].name), min(columns - cell_len(time_shown) - 3, _MOST_NAME)
    if most < _LEAST_NAME:
        return set_cell_size(name, columns).rstrip()
    if cell_len(name) > most:
        name = f"{set_cell_size(name, most - 1).rstrip()}…"
    left = columns - cell_len(time_shown) - 3 - cell_len(name)
    figures: list[str] = []

    def add(*ways: str) -> None:
        """Add the first way of saying something that fits."""
        nonlocal left
        for way in ways:
            if way and cell_len(way) + 3 <= left:
                figures.append(way)
                left -= cell_len(way) + 3
                return

    add(*_steps(main, done))
    if main.unit and done and rate:
        add(_rate(rate))
    figures.append(time_shown)
    for one in (main, *within):
        if one is not main and one.unit and one.whole is None:
            add(f"{printable(one.name)} {_steps(one, one.done)[0].strip()}".rstrip())
        for remark in one.remarks:
            add(printable(remark))
    bar = ""
    if main.total and left > _LEAST_BAR:
        length = min(left - 1, _MOST_BAR)
        full = min(length, int(length * max(steps, done) / main.total))
        bar = f"{'━' * full}{'─' * (length - full)} "
    else:
        figures[0] = figures[0].lstrip()
    return f"{name} {bar or '· '}{' · '.join(figures)}"


def _steps(phase: Phase, done: int) -> tuple[str, ...]:
    """Return how many steps are done, in ever shorter ways."""
    if phase.total is None:
        return (counted(done, phase.unit), f"{done:,}") if done else ("",)
    total = max(phase.total, done)
    share = f"{100 * done // max(total, 1):>3} %"
    if not phase.unit:
        return (share,)
    plain = f"{done:,}".rjust(len(f"{total:,}"))
    about = "about " if phase.is_about else ""
    return f"{plain} of {about}{counted(total, phase.unit)}", f"{plain} of {total:,}", share


def _rate(rate: float) -> str:
    if rate < 1:
        return f"{1 / rate:,.0f} s each"
    return f"{rate:,.{0 if rate >= 10 else 1}f}/s"


def _time(phase: Phase, done: float, rate: float, now: float) -> str | None:
    """Return the time left; None if it is unknown or overdue."""
    if phase.total is None or rate <= 0:
        return None
    at_once, n = max(1, min(phase.at_once, phase.total - phase.passed)), phase.total - phase.passed
    total = phase.passed + math.ceil(n / at_once) * at_once  # the last round takes as long with fewer steps
    left = (total - done) / rate - (now - phase.changed)
    return f"{_clock(left)} left" if left > 0 else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
