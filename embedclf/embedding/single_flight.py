"""Who embeds what: a text that several threads ask for at the same time is sent by one of them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Hashes
from embedclf.embedding.fork_safe_lock import ForkSafeLock

Claim = tuple[Hashes, threading.Event]


class Claims:
    """The texts, by hashes of theirs, that threads of this process are at work on."""

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._process = os.getpid()
        self._claims: list[Claim] = []

    @contextmanager
    def of(self, hashes: Hashes) -> Iterator[tuple[npt.NDArray[np.bool_], list[threading.Event]]]:
        """Claim what nobody else has claimed, for as long as the block takes.

        Parameters
        ----------
        hashes : ndarray of shape (n,)

        Returns
        -------
        mine : ndarray of shape (n,), bool
            Which are claimed now.
        others : list of Event
            Each is set when some of the rest, on which another thread is at work, are done or given up.
        """
        with self._lock:
            if self._process != os.getpid():  # those of the parent's threads, which are not here
                self._process, self._claims = os.getpid(), []
            mine = np.ones(len(hashes), dtype=bool)
            others = []
            for claimed, done in self._claims:
                theirs = np.isin(hashes, claimed)
                if theirs.any():
                    mine &= ~theirs
                    others.append(done)
            claim = (hashes[mine], threading.Event())
            self._claims.append(claim)
        try:
            yield mine, others
        finally:
            with self._lock:
                self._claims = [one for one in self._claims if one is not claim]
            claim[1].set()
