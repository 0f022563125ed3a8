"""Dividing texts into requests, and dividing these again where a server refuses them."""

import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from embedclf.embedding.aimlapi.catalogue import ModelFacts
from embedclf.embedding.aimlapi.settings import MOST_BATCH

Places = npt.NDArray[np.intp]

LEAST_BATCH = 32
# A request is not made larger of itself than that its answer has this many bytes, four thirds of the floats'.
_MOST_ANSWER = 2**24
_REFUSED_IN_A_ROW = 16


def default_batch_size(n_texts: int, concurrency: int, dimensions: int | None) -> int:
    """Return how many texts a request has if that was not set: what fills all requests in flight, within bounds."""
    fills = -(-n_texts // concurrency)
    answered = _MOST_ANSWER * 3 // 16 // (dimensions or 1)
    return min(max(fills, LEAST_BATCH), max(answered, LEAST_BATCH), MOST_BATCH)


def batches_of(sizes: npt.NDArray[np.int64], most_texts: int, facts: ModelFacts) -> Iterator[Places]:
    """Divide texts into requests that the model takes; those that may be too long stand apart.

    Parameters
    ----------
    sizes : ndarray of shape (n_texts,)
        In UTF-8 bytes.
    most_texts : int
        Of one request.
    facts : ModelFacts

    Yields
    ------
    ndarray of int
        Which texts.
    """
    most_texts = min(most_texts, facts.request_texts)
    # A token has at least one byte.
    for places in (np.flatnonzero(sizes <= facts.input_tokens), np.flatnonzero(sizes > facts.input_tokens)):
        ends = np.concatenate([[0], np.cumsum(sizes[places])])
        bounds = [0]
        while bounds[-1] < len(places):
            start = bounds[-1]
            within = int(np.searchsorted(ends, ends[start] + facts.request_tokens, side="right")) - 1
            bounds.append(min(max(within, start + 1), start + most_texts))
        for start, end in pairwise(bounds):
            yield places[start:end]


def halves(places: Places) -> list[Places]:
    """Divide a request that was refused, to find which of its texts is at fault."""
    return list(np.array_split(places, 2))


class Doubt:
    """Whether requests are refused for their texts, or whatever their text.

    Refused while nothing was accepted, or many times in a row, a harmless text tells: without it each text would be
    asked for alone, to find that none is accepted. Threads may share it.

    Parameters
    ----------
    try_harmless : callable
        Asks with a harmless text; returns whether it was accepted.
    """

    def __init__(self, try_harmless: Callable[[], bool]) -> None:
        self._try_harmless = try_harmless
        self._refused = 0
        self._bearable = 1
        self._lock, self._trying = threading.Lock(), threading.Lock()

    def allay(self) -> None:
        """Note that something was accepted."""
        with self._lock:
            self._refused, self._bearable = 0, _REFUSED_IN_A_ROW

    def grows(self) -> bool:
        """Note that something was refused; return whether it is the request's fault."""
        with self._trying:  # while one asks, the other refusals wait for what it learns
            with self._lock:
                self._refused += 1
                if self._refused < self._bearable:
                    return False
                self._bearable = max(2 * self._bearable, _REFUSED_IN_A_ROW)
            return not self._try_harmless()
