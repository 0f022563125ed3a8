"""A terminal in which a test labels, key by key."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

import pytest

from embedclf.cli import keys
from embedclf.cli.keys import Keys
from embedclf.cli.label_in_terminal import label_in_terminal
from embedclf.labelling.session import Session
from running import PATIENCE, wait_until

ENTER, ERASE, ESC, TAB, CTRL_Z, CTRL_C, CTRL_D = "\r", "\x7f", "\x1b", "\t", "\x1a", "\x03", "\x04"
UP, DOWN, RIGHT, LEFT, PAGE_DOWN = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[6~"

_ERASE = "\x1b[K"
_END_OF_PART = b"\x1e"  # nothing that the commands print


def as_left(written: str) -> str:
    """Return what stands on the terminal: without codes, and of each line what was written over the rest."""
    lines = []
    for line in re.sub(r"\x1b\[[0-9;]*m", "", written).replace("\r\n", "\n").split("\n"):
        cells: list[str] = []
        for part in line.split("\r"):
            if part.startswith(_ERASE):
                part, cells = part.removeprefix(_ERASE), []
            cells[: len(part)] = part
        lines.append("".join(cells).rstrip())
    return "\n".join(lines)


class LabellingTerminal:
    """A pseudo-terminal in which somebody labels, in a thread of this process.

    Parameters
    ----------
    run : callable
        What reads the keys.
    monkeypatch : MonkeyPatch

    Attributes
    ----------
    written : str
        All that was written to it.
    """

    def __init__(self, run: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
        self.written, self._own, self._n_reads = "", run, 0
        self._failure: BaseException | None = None
        self._master, self._slave = os.openpty()
        self._stdin = os.fdopen(self._slave, closefd=False, encoding="utf-8")
        self._stderr = os.fdopen(self._slave, "w", closefd=False, encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", self._stdin)
        monkeypatch.setattr(sys, "stderr", self._stderr)
        monkeypatch.setattr(Keys, "read", self._counting(Keys.read))
        monkeypatch.setattr(keys, "_SECONDS_OF_SILENCE", 0.01)  # what a test presses comes at once
        self._thread = threading.Thread(target=self._run)

    def _counting(self, read: Any) -> Any:
        def counted(pressed: Keys) -> str:
            self._n_reads += 1
            return read(pressed)

        return counted

    def _run(self) -> None:
        try:
            self._own()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread of the test
            self._failure = error

    @property
    def has_ended(self) -> bool:
        """Whether the person has ended it."""
        return not self._thread.is_alive()

    def start(self) -> str:
        """Begin, and return what is shown then."""
        self._thread.start()
        return self._shown_after(1)

    def press(self, *pressed: str) -> str:
        """Press keys, each a special one or some characters, all at once; return what is shown since."""
        n = sum(1 if one.startswith(ESC) else len(one) for one in pressed)
        return self.send("".join(pressed), n)

    def send(self, typed: str | bytes, n_keys: int) -> str:
        """Send what comes to so many keys; return what is shown since."""
        target = self._n_reads + n_keys
        os.write(self._master, typed if isinstance(typed, bytes) else typed.encode())
        return self._shown_after(target)

    def shown(self) -> str:
        """Return all that stands on the terminal."""
        return as_left(self.written)

    def close(self) -> None:
        """End it."""
        if self._thread.is_alive():
            os.write(self._master, CTRL_C.encode())
            self._thread.join(PATIENCE)
        for one in (self._stdin, self._stderr):
            one.close()
        os.close(self._slave)
        os.close(self._master)
        if self._failure is not None:
            raise self._failure

    def _shown_after(self, n_reads: int) -> str:
        wait_until(lambda: self._n_reads >= n_reads or self.has_ended)
        if self.has_ended:
            self._thread.join()
        os.write(self._slave, _END_OF_PART)
        part = b""
        while not part.endswith(_END_OF_PART):
            assert select.select([self._master], [], [], PATIENCE)[0]
            part += os.read(self._master, 65_536)
        new = part.removesuffix(_END_OF_PART).decode()
        self.written += new
        return as_left(new)


@contextmanager
def labelling(
    what: Session | Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
    columns: int = 80,
    rows: int = 24,
    term: str = "xterm",
) -> Iterator[LabellingTerminal]:
    """Label a session, or whatever is run, in a terminal of a size."""
    for name, value in {"COLUMNS": str(columns), "LINES": str(rows), "TERM": term}.items():
        monkeypatch.setenv(name, value)
    terminal = LabellingTerminal(partial(label_in_terminal, what) if isinstance(what, Session) else what, monkeypatch)
    try:
        terminal.start()
        yield terminal
    finally:
        terminal.close()


class CommandTerminal:
    """A pseudo-terminal in which a command runs, in a process of its own; a context manager, which kills it at last."""

    def __init__(self, *arguments: object, columns: int = 80, **environment: str) -> None:
        self.written, self._place = "", 0
        self._master, slave = os.openpty()
        self._size(slave, columns)
        own = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        command = [sys.executable, "-m", "embedclf", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env={**own, "TERM": "xterm", **environment}
        )
        os.close(slave)

    @staticmethod
    def _size(terminal: int, columns: int) -> None:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def resize(self, columns: int) -> None:
        """Make it narrower or wider."""
        self._size(self._master, columns)

    def wait_for(self, pattern: str) -> str:
        """Wait until something is shown that has not been waited for, and return what is shown until then."""
        while (found := re.compile(pattern, re.DOTALL).search(self.written, self._place)) is None:
            assert select.select([self._master], [], [], PATIENCE)[0], self.written
            part = self._read()
            assert part, self.written
            self.written += part
        shown, self._place = self.written[self._place : found.end()], found.end()
        return as_left(shown)

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def end(self) -> str:
        """Wait for the end of the command, and return what is shown until then."""
        while part := self._read():
            self.written += part
        self.process.wait(PATIENCE)
        return as_left(self.written[self._place :])

    def kill(self) -> None:
        """Kill the command."""
        self.process.kill()
        self.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()
        os.close(self._master)

    def _read(self) -> str:
        try:
            return os.read(self._master, 65_536).decode()
        except OSError:  # how Linux says that the other end is closed
            return ""
