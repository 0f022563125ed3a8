"""Single flight: a text that several threads need at the same time is sent by only one of them."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Hashes
from embedclf.embedding.batch_embedder import Batch
from embedclf.embedding.cache.keys import Keys
from embedclf.embedding.cache.model_cache import ModelCache
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.embedding.requests.cancellation import POLL_SECONDS, check_not_stopped
from embedclf.embedding.storing import Keep

Claim = tuple[Hashes, threading.Event]
Places = npt.NDArray[np.intp]


class SingleFlight:
    """Embeds uncached texts, each in only one thread of this process; the other threads read it from the cache.

    Parameters
    ----------
    part : ModelCache
    """

    def __init__(self, part: ModelCache) -> None:
        self._part = part
        self._claims = Claims()

    def embed(
        self,
        texts: Sequence[str],
        keys: Keys,
        keep: Keep,
        send: Callable[[Sequence[str], Keys, Keep], dict[int, str]],
    ) -> dict[int, str]:
        """Embed distinct texts: first those that no other thread is embedding, then the rest.

        Parameters
        ----------
        texts : sequence of str, of length n
        keys : ndarray of shape (n,)
        keep : callable
            Called with each full-length batch once it is in the cache.
        send : callable
            Embeds and stores texts, passes each batch on, and returns why texts were rejected.

        Returns
        -------
        dict of int to str
            Why texts were rejected, by index.
        """
        refused: dict[int, str] = {}
        waiting = np.arange(len(texts))
        while len(waiting):
            with self._claims.of(keys["high"][waiting]) as (mine, others):
                # Other threads may have finished some of these since the cache was read.
                chosen = self._take_from_cache(waiting[mine], keys, keep)

                def keep_chosen(batch: Batch, chosen: Places = chosen) -> None:
                    keep(batch._replace(places=chosen[batch.places]))

                if len(chosen):
                    mine_refused = send([texts[place] for place in chosen], keys[chosen], keep_chosen)
                    refused |= {int(chosen[place]): reason for place, reason in mine_refused.items()}
            waiting = waiting[~mine]
            for other in others:
                # The other thread may have a long list, and finish these texts early.
                while len(waiting) and not other.wait(POLL_SECONDS):
                    check_not_stopped()
                    waiting = self._take_from_cache(waiting, keys, keep)
            # Texts that another thread could not embed are sent again, so that this thread gets the reason, too.
            waiting = self._take_from_cache(waiting, keys, keep)
        return refused

    def _take_from_cache(self, places: Places, keys: Keys, keep: Keep) -> Places:
        """Keep the texts that are now in the cache; return the places of the others."""
        if not len(places):
            return places
        found, vectors = self._part.read(keys[places])
        if vectors is not None and found.any():
            keep(Batch(places[found], vectors[found], 0))
        return places[~found]


class Claims:
    """The texts that threads of this process are embedding, identified by hashes."""

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._process = os.getpid()
        self._claims: list[Claim] = []

    @contextmanager
    def of(self, hashes: Hashes) -> Iterator[tuple[npt.NDArray[np.bool_], list[threading.Event]]]:
        """Claim texts that no other thread has claimed, for the duration of the block.

        Parameters
        ----------
        hashes : ndarray of shape (n,)

        Yields
        ------
        mine : ndarray of shape (n,), bool
            Which texts this thread has claimed.
        others : list of Event
            One per other thread that has claimed some of the rest, set when that thread is done or has failed.
        """
        with self._lock:
            if self._process != os.getpid():  # drop the claims of a parent process's threads
                self._process, self._claims = os.getpid(), []
            mine = np.ones(len(hashes), dtype=bool)
            others = []
            for claimed, done in self._claims:
                theirs = np.isin(hashes, claimed, kind="sort")  # numpy 2.0.0's table overflows with uint64
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
