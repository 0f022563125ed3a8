"""Dividing texts into requests, and finding out what a failed request means."""

import threading
import time
from collections.abc import Callable, Iterator
from enum import Enum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from embedclf.embedding.aimlapi.catalogue import ModelFacts
from embedclf.embedding.aimlapi.lengths import Way, Ways
from embedclf.embedding.aimlapi.settings import MAX_BATCH

Places = npt.NDArray[np.intp]

MIN_BATCH = 32
# The default batch size keeps a response below this many bytes; base64 takes 4/3 of the floats' bytes.
_MAX_RESPONSE_BYTES = 2**24
_REJECTED_IN_A_ROW = 16


class ServerState(Enum):
    """What a harmless text shows about a server after a request has failed."""

    WORKS = "accepts it at once, so the failure is about the request's texts"
    RECOVERED = "accepts it again"
    FAILS = "does not accept it either"


def default_batch_size(n_texts: int, concurrency: int, dimensions: int | None) -> int:
    """Return the default number of texts per request: as many as keep all requests busy, within bounds."""
    fills = -(-n_texts // concurrency)
    answered = _MAX_RESPONSE_BYTES * 3 // 16 // (dimensions or 1)
    return min(max(fills, MIN_BATCH), max(answered, MIN_BATCH), MAX_BATCH)


def batches_of(
    sizes: npt.NDArray[np.int64], ways: Ways, most_texts: int, facts: ModelFacts, first_bytes: int | None = None
) -> Iterator[Places]:
    """Divide texts into requests that the model accepts, without those that it would not accept whole.

    Parameters
    ----------
    sizes : ndarray of shape (n_texts,)
        In UTF-8 bytes.
    ways : ndarray of shape (n_texts,)
        How each text may be sent; see `ways_of`.
    most_texts : int
        Maximum texts per request.
    facts : ModelFacts
    first_bytes : int, optional
        If the first request is to be small: it gets the shortest texts that fit into this many bytes, at least one.

    Yields
    ------
    ndarray of int
        The indices of a request's texts.
    """
    most_texts = min(most_texts, facts.request_texts)
    if first_bytes is not None and len(sizes) and (easiest := ways.min()) != Way.IN_PIECES:
        alike = np.flatnonzero(ways == easiest)
        most = 1 if easiest == Way.ALONE else most_texts
        shortest = alike[np.argsort(sizes[alike], kind="stable")[:most]]
        n_first = max(1, int(np.searchsorted(np.cumsum(sizes[shortest]), first_bytes, side="right")))
        first = np.sort(shortest[:n_first])
        yield first
        others = np.setdiff1d(np.arange(len(sizes)), first)
        yield from (others[places] for places in batches_of(sizes[others], ways[others], most_texts, facts))
        return
    for way, most in ((Way.TOGETHER, most_texts), (Way.APART, most_texts), (Way.ALONE, 1)):
        places = np.flatnonzero(ways == way)
        ends = np.concatenate([[0], np.cumsum(sizes[places])])
        bounds = [0]
        while bounds[-1] < len(places):
            start = bounds[-1]
            within = int(np.searchsorted(ends, ends[start] + facts.request_tokens, side="right")) - 1
            bounds.append(min(max(within, start + 1), start + most))
        for start, end in pairwise(bounds):
            yield places[start:end]


class RejectionDetector:
    """Detects that a server rejects every request, and not just some texts. Thread-safe.

    After a rejection before anything was accepted, or after many in a row, it sends a harmless text. Without that test
    each text would be sent alone, only to find that none is accepted.

    Parameters
    ----------
    try_harmless : callable
        Sends a harmless text, with up to the given number of retries; returns whether it was accepted.
    """

    def __init__(self, try_harmless: Callable[[int], bool]) -> None:
        self._try_harmless = try_harmless
        self._n_rejected = 0
        self._tolerated = 1
        self._passed_at = 0.0
        self._lock, self._trying = threading.Lock(), threading.Lock()

    def note_accepted(self) -> None:
        """Record that a request was accepted."""
        with self._lock:
            self._n_rejected, self._tolerated = 0, _REJECTED_IN_A_ROW

    def note_rejected(self) -> bool:
        """Record that a request was rejected; return whether every request would be."""
        with self._trying:  # one thread tests at a time, and the others wait for the result
            with self._lock:
                self._n_rejected += 1
                if self._n_rejected < self._tolerated:
                    return False
                self._tolerated = max(2 * self._tolerated, _REJECTED_IN_A_ROW)
            return not self._try_harmless(0)

    def state_after_failure(self, n_retries: int) -> ServerState:
        """Return what a request means that failed for a reason that may pass, after some retries.

        Parameters
        ----------
        n_retries : int
            How often a harmless text may be sent again until the server accepts it.
        """
        failed_at = time.monotonic()
        with self._trying:
            if self._passed_at > failed_at:
                return ServerState.RECOVERED
            if self._try_harmless(0):
                state = ServerState.WORKS
            elif n_retries > 0 and self._try_harmless(n_retries - 1):
                state = ServerState.RECOVERED
            else:
                return ServerState.FAILS
            self._passed_at = time.monotonic()
            return state
