"""The keys that a person presses, one by one.

`click.getchar` is not enough where people type quickly: each call throws away what was typed before it, and between two
calls the terminal shows the keys by itself.
"""

import codecs
import os
import re
import select
import sys
import unicodedata
from types import TracebackType
from typing import Self

import click

try:
    import termios
except ImportError:  # Windows
    HAS_TERMINALS = False
else:
    HAS_TERMINALS = True

ENTER, ERASE, CLEAR, TAB, UNDO, END = "enter", "erase", "clear", "tab", "undo", "end"
LEFT, RIGHT, UP, DOWN, PAGE_DOWN = "left", "right", "up", "down", "page down"

_CONTROLS = {
    "\r": ENTER,
    "\n": ENTER,
    "\x7f": ERASE,
    "\x08": ERASE,
    "\x1b": CLEAR,
    "\x15": CLEAR,  # Ctrl-U
    "\t": TAB,
    "\x1a": UNDO,  # Ctrl-Z
    "\x06": PAGE_DOWN,  # Ctrl-F
    "\x03": END,  # Ctrl-C
    "\x04": END,  # Ctrl-D
}
# What terminals send for keys without a character (ECMA-48, and xterm's control sequences).
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[^\[O\x1b])")
_SEQUENCES = {"A": UP, "B": DOWN, "C": RIGHT, "D": LEFT, "Z": UP, "6~": PAGE_DOWN}
_OF_WINDOWS = {"H": UP, "P": DOWN, "M": RIGHT, "K": LEFT, "Q": PAGE_DOWN}

# A sequence may come in two parts over a slow connection; the Esc key comes alone.
_SECONDS_OF_SEQUENCE = 0.1
# A key that is held down, or pressed before a text was there, is not meant for it.
_SECONDS_OF_SILENCE = 0.15
_MOST_BYTES = 1024


class Keys:
    """The keys of the terminal that is standard input; a context manager.

    Each key counts at once and is not shown. Ctrl-C is a key as well.
    """

    def __init__(self) -> None:
        self._typed = ""
        self._is_over = False
        self._decoder = codecs.getincrementaldecoder(sys.stdin.encoding or "utf-8")("replace")

    def __enter__(self) -> Self:
        if HAS_TERMINALS:
            self._fd = sys.stdin.fileno()
            self._before = termios.tcgetattr(self._fd)
            changed = termios.tcgetattr(self._fd)
            local, controls = 3, 6
            changed[local] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
            for one in (termios.VINTR, termios.VSUSP):
                changed[controls][one] = os.fpathconf(self._fd, "PC_VDISABLE").to_bytes()
            changed[controls][termios.VMIN], changed[controls][termios.VTIME] = 1, 0
            termios.tcsetattr(self._fd, termios.TCSADRAIN, changed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if HAS_TERMINALS:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def read(self) -> str:
        """Wait for a key; return its character, or its name if it has none. `END` once the terminal is gone."""
        while True:
            if not HAS_TERMINALS:
                return _read_on_windows()
            if (key := self._next()) is not None:
                return key
            if self._is_over:
                return END
            self._receive()

    def settle(self) -> None:
        """Forget what has been typed, and wait until nothing is; Ctrl-C is not forgotten."""
        if not HAS_TERMINALS:
            return
        while not self._is_over and self._has_more(_SECONDS_OF_SILENCE):
            self._receive()
        self._typed = "\x03" if "\x03" in self._typed else ""

    def _next(self) -> str | None:
        """Return the next key of what has been received, if there is one."""
        while self._typed:
            if self._typed[0] == "\x1b" and (len(self._typed) == 1 or self._typed[1] in "[O"):
                while _SEQUENCE.match(self._typed) is None and self._has_more(_SECONDS_OF_SEQUENCE):
                    self._receive()
            if (found := _SEQUENCE.match(self._typed)) is not None:
                self._typed = self._typed[found.end() :]
                if (key := _SEQUENCES.get(found[0][2:])) is not None:
                    return key
                continue
            first, self._typed = self._typed[0], self._typed[1:]
            if (key := _CONTROLS.get(first)) is not None:
                return key
            if unicodedata.category(first) not in ("Cc", "Cs"):
                return first
        return None

    def _has_more(self, seconds: float) -> bool:
        return not self._is_over and bool(select.select([self._fd], [], [], seconds)[0])

    def _receive(self) -> None:
        try:
            received = os.read(self._fd, _MOST_BYTES)
        except OSError:  # how Linux says that the terminal is gone
            received = b""
        self._is_over = not received
        self._typed += self._decoder.decode(received)


def _read_on_windows() -> str:
    while True:
        try:
            pressed = click.getchar()
        except KeyboardInterrupt:
            return END
        except EOFError:
            return UNDO
        if len(pressed) > 1:
            key = _OF_WINDOWS.get(pressed[1:])
        else:
            key = _CONTROLS.get(pressed) or (pressed if unicodedata.category(pressed) not in ("Cc", "Cs") else None)
        if key is not None:
            return key
