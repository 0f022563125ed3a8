"""Which run and which command a request belongs to, as the provider's logs and the ledger name them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

from embedclf.embedding.fork_safe_lock import ForkSafeLock

# Of the ids that servers give, in a line of the ledger.
_MOST_IDS = 100


class Origin(NamedTuple):
    """Where requests come from.

    Attributes
    ----------
    run : str
        An id of this run of the program, which its worker processes share.
    command : str
        The command that runs; ``python`` for a program that uses the library.
    """

    run: str
    command: str


class _Process:
    def __init__(self) -> None:
        self.id = os.urandom(4).hex()
        self.numbers = count(1)


_process = _Process()
_origin = Origin(_process.id, "python")


def this_origin() -> Origin:
    """Return where the requests of this process come from."""
    return _origin


@contextmanager
def running(command: str) -> Iterator[None]:
    """Name the command that runs in the block."""
    global _origin
    before, _origin = _origin, _origin._replace(command=command)
    try:
        yield
    finally:
        _origin = before


class Trace:
    """The requests that an embedder has sent, by their ids. Thread-safe.

    Parameters
    ----------
    origin : Origin, optional
        None is this process's own.

    Attributes
    ----------
    origin : Origin
    """

    def __init__(self, origin: Origin | None = None) -> None:
        self.origin = this_origin() if origin is None else origin
        self._lock = ForkSafeLock()
        self._first = self._last = ""
        self._inference_ids: list[str] = []
        self._error_ids: list[str] = []

    def next_id(self) -> str:
        """Return the id for another request: run and number, and between them the process if it is a worker's.

        Each attempt of a request that is retried has its own. The provider records each under an inference id of its
        own and may charge for it, also where its answer was lost, so one id for both would not tell which it was.
        """
        run = self.origin.run
        sender = run if run == _process.id else f"{run}.{_process.id}"
        request_id = f"embedclf-{sender}-{next(_process.numbers)}"
        with self._lock:
            self._first, self._last = self._first or request_id, request_id
        return request_id

    def note(self, *, inference_id: str = "", error_id: str = "") -> None:
        """Note the ids that a server gave to a request; those that are empty, or too many, are left out."""
        with self._lock:
            for value, kept in ((inference_id, self._inference_ids), (error_id, self._error_ids)):
                if value and len(kept) < _MOST_IDS:
                    kept.append(value)

    def take(self) -> dict[str, Any]:
        """Return the ids since this was last called, as the ledger has them."""
        with self._lock:
            taken = {
                "first_request": self._first,
                "last_request": self._last,
                "inference_ids": self._inference_ids,
                "error_ids": self._error_ids,
            }
            self._first = self._last = ""
            self._inference_ids, self._error_ids = [], []
        return {name: ids for name, ids in taken.items() if ids}


def _become_another_process() -> None:
    global _process
    _process = _Process()


# The numbers of a forked process would be its parent's.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_become_another_process)
