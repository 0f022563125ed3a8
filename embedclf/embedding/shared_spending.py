"""What several processes have spent of one limit, kept where all of them can change it."""

import json
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embedclf.embedding.requests.cancellation import check_not_stopped
from embedclf.errors import EmbedderError

# How often a process looks whether others have changed something that it waits for.
_SECONDS_BETWEEN_LOOKS = 0.02
_LOCK_POLL_SECONDS = 0.001


@dataclass(slots=True)
class SpentPart:
    """What one or several processes have spent of a limit.

    Attributes
    ----------
    spent : float
        In dollars.
    reserved, in_flight
        The most that requests in flight can cost, and how many they are.
    lost, n_lost
        The most that requests without an answer can have cost, and how many they are.
    """

    spent: float = 0.0
    reserved: float = 0.0
    in_flight: int = 0
    lost: float = 0.0
    n_lost: int = 0

    def add(self, other: "SpentPart") -> None:
        """Add what another has spent."""
        self.spent += other.spent
        self.reserved += other.reserved
        self.in_flight += other.in_flight
        self.lost += other.lost
        self.n_lost += other.n_lost

    def give_up(self) -> None:
        """Take requests in flight for lost, since their process is."""
        self.lost += self.reserved
        self.n_lost += self.in_flight
        self.reserved, self.in_flight = 0.0, 0


BEFORE = "before"
"""The name of the part that was spent before."""


class SharedSpending(ABC):
    """Where processes find what all of them have spent. It can be sent to them.

    It is a dict of plain values: ``parts`` has a `SpentPart` for each process, by its name; ``price`` and
    ``is_priceless`` are what is known of the price.
    """

    @abstractmethod
    def start(self, before: SpentPart) -> None:
        """Begin with what was spent before."""

    @abstractmethod
    def changing(self) -> AbstractContextManager[dict[str, Any]]:
        """Enter a block that may change it, while no other thread or process does.

        Raises
        ------
        EmbedderError
            If it cannot be reached.
        """

    def owner(self) -> str:
        """Return a new name for the part of this process."""
        return os.urandom(8).hex()


def first_state(before: SpentPart) -> dict[str, Any]:
    """Return the state in which only that was spent."""
    return {"parts": {BEFORE: asdict(before)}, "price": {}, "is_priceless": False}


def total_of(state: dict[str, Any], *, without: str | None = None) -> SpentPart:
    """Return what all processes have spent, or all but one."""
    total = SpentPart()
    for owner, part in state["parts"].items():
        if owner != without:
            total.add(SpentPart(**part))
    return total


class SpendingFile(SharedSpending):
    """A file, for processes on one machine.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def start(self, before: SpentPart) -> None:
        """Write the file."""
        self._path.write_text(json.dumps(first_state(before)))

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Enter a block that may change it; see `SharedSpending.changing`."""
        from filelock import FileLock

        try:
            with FileLock(f"{self._path}.lock").acquire(poll_interval=_LOCK_POLL_SECONDS):
                state = json.loads(self._path.read_text())
                yield state
                self._path.write_text(json.dumps(state))
        except (OSError, ValueError) as error:
            raise EmbedderError(f"--max-cost cannot be enforced any more ({error}), so nothing more is sent") from error


class SharedCondition:
    """A condition that also keeps other processes out, and brings their changes in. Waiting polls.

    Parameters
    ----------
    shared : SharedSpending
    read, write : callable
        Called with the state after it was entered, and before it is left.
    """

    def __init__(
        self,
        shared: SharedSpending,
        read: Callable[[dict[str, Any]], None],
        write: Callable[[dict[str, Any]], None],
    ) -> None:
        self._shared, self._read, self._write = shared, read, write
        self._lock = threading.Lock()
        self._open: tuple[AbstractContextManager[dict[str, Any]], dict[str, Any]] | None = None

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            changing = self._shared.changing()
            state = changing.__enter__()
        except BaseException:
            self._lock.release()
            raise
        self._open = changing, state
        self._read(state)

    def __exit__(self, *exception: object) -> None:
        if self._open is None:  # it could not be entered again after waiting
            return
        (changing, state), self._open = self._open, None
        try:
            self._write(state)
            changing.__exit__(None, None, None)
        finally:
            self._lock.release()

    def wait(self) -> None:
        """Leave it to others for a moment.

        Raises
        ------
        StoppedError
            If the run that this thread works for is stopped.
        """
        self.__exit__()
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        self.__enter__()
        check_not_stopped()

    def notify_all(self) -> None:
        """Do nothing, since waiting polls."""
