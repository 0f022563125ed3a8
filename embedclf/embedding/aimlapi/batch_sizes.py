"""Learning how many texts a server takes per request: as many as it accepts, and as it answers in time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from embedclf.embedding.aimlapi.batches import Places
from embedclf.embedding.aimlapi.settings import MAX_BATCH, SECONDS, Settings
from embedclf.embedding.requests.cancellation import POLL_SECONDS, check_not_stopped

# A server that embeds one text after another may need so long for each (30 ms): the first requests are small enough.
_SECONDS_PER_TEXT = SECONDS / MAX_BATCH
# After a time-out, requests get this many times fewer texts, and with each round of responses up to this many times
# more, as long as the server embeds those in flight within this part of the timeout.
_SHRINK, _GROW = 64, 4
_PART_OF_TIMEOUT = 0.5


@dataclass
class Learned:
    """What is known of a server.

    Attributes
    ----------
    accepted : float
        The largest number of texts that it has accepted.
    too_many : float
        The smallest number of texts that it refuses because of their number.
    in_time : float
        The number of texts that it can embed in time.
    """

    accepted: float = 1.0
    too_many: float = float("inf")
    in_time: float = float("inf")


def texts_at_first(settings: Settings) -> float:
    """Return how many texts to send per request until the server has shown how fast it is."""
    if settings.batch_size is not None and settings.timeout >= SECONDS:
        return float("inf")
    return max(1.0, settings.timeout / _SECONDS_PER_TEXT / settings.concurrency)


@dataclass(eq=False)
class Suspicion:
    """A request that was refused, perhaps because of its number of texts; if not, for one of them.

    Attributes
    ----------
    n_texts : int
    n_left : int
        How many of its texts are not yet embedded or refused by themselves.
    is_open : bool
        Whether none of them has been refused by itself.
    """

    n_texts: int
    n_left: int
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """Some texts to send.

    Attributes
    ----------
    places : ndarray of int
        Their indices.
    within : tuple of Suspicion
        The refused requests that they were part of.
    n_failed : int
        How often they have failed for a reason that may pass.
    """

    places: Places
    within: tuple[Suspicion, ...] = field(default=())
    n_failed: int = 0

    def split(self, first: int) -> "list[Job]":
        """Return it as two jobs, of which the first has so many texts."""
        return [Job(self.places[:first], self.within), Job(self.places[first:], self.within)]

    def without(self, first: list[int]) -> "list[Job]":
        """Return it as two jobs, of which the first has the texts of these indices."""
        return [Job(self.places[first], self.within), Job(np.delete(self.places, first), self.within)]

    def halves(self) -> "list[Job]":
        """Return it as two jobs, to find which of its texts is at fault."""
        return self.split(len(self.places) - len(self.places) // 2)

    def failed(self) -> "Job":
        """Return it with one more failure."""
        return Job(self.places, self.within, self.n_failed + 1)


class _Round:
    """Responses that show how fast a server is."""

    def __init__(self) -> None:
        self.n_responses = 0
        self._n_texts = 0
        self._seconds = 0.0
        self._began = time.monotonic()

    def add(self, n_texts: int, seconds: float) -> None:
        """Count a response."""
        self.n_responses += 1
        self._n_texts += n_texts
        self._seconds += seconds

    @property
    def texts_per_second(self) -> float:
        """How many texts it embeds; what it answers at once counts together, and pauses between requests do not."""
        return self._n_texts / max(1e-3, min(self._seconds, time.monotonic() - self._began))


class BatchSizes:
    """Decides how many texts to send per request. Thread-safe.

    If a request is refused and no request with as many texts has been accepted, their number is suspected until one of
    them is refused by itself. If all are accepted in smaller requests, it was too many, and one request at a time tries
    a number between the largest accepted and the smallest refused one. Meanwhile, the others keep to what is accepted.

    Parameters
    ----------
    learned : Learned
        Where to begin, and what is kept for the next call.
    timeout : float
        In seconds.

    Attributes
    ----------
    has_accepted : bool
        Whether a request was accepted.
    """

    def __init__(self, learned: Learned, timeout: float) -> None:
        self.has_accepted = False
        self._learned = learned
        self._timeout = timeout
        self._suspicions: list[Suspicion] = []
        self._n_sending = 0
        self._round = _Round()
        self._is_trying = False
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, job: Job) -> Iterator[list[Job]]:
        """Wait until a job may be sent; yield it, or the parts that it must be divided into first.

        Raises
        ------
        StoppedError
            If the run that this thread works for is stopped while waiting.
        """
        n_texts, is_trial = len(job.places), False
        with self._changed:
            while (most := self._most_for(job)) is None:
                check_not_stopped()
                self._changed.wait(POLL_SECONDS)
            most = int(max(1, min(most, n_texts, self._learned.in_time)))
            if is_sent := most == n_texts:
                self._n_sending += 1
                is_trial = self._learned.accepted < n_texts and self._bound() < float("inf")
                self._is_trying |= is_trial
        if not is_sent:
            yield job.split(most)
            return
        try:
            yield [job]
        finally:
            with self._changed:
                self._n_sending -= 1
                self._is_trying &= not is_trial
                self._changed.notify_all()

    def _most_for(self, job: Job) -> float | None:
        """Return how many texts of a job to send at once; None to wait for what other requests show."""
        bound = self._bound()
        # The parts of one refused request need not wait: which of them are refused shows why it was.
        if bound == float("inf") or (self._suspicions and self._suspicions[0] in job.within):
            return self._learned.too_many - 1
        if not self._suspicions and not self._is_trying:
            return max(self._learned.accepted, (self._learned.accepted + bound) // 2)
        if self._learned.accepted > 1:
            return self._learned.accepted
        return None if self._n_sending else (self._learned.accepted + bound) // 2

    def note_accepted(self, job: Job, seconds: float, limit: int) -> None:
        """Record that a request was accepted.

        Parameters
        ----------
        job : Job
        seconds : float
            How long that took.
        limit : int
            How many requests may be in flight.
        """
        n_texts = len(job.places)
        with self._changed:
            self.has_accepted = True
            self._learned.accepted = max(self._learned.accepted, n_texts)
            if n_texts >= self._learned.too_many:
                self._learned.too_many = float("inf")
            if self._learned.in_time < float("inf"):
                self._round.add(n_texts, seconds)
                if self._round.n_responses >= limit:
                    room = self._round.texts_per_second * self._timeout * _PART_OF_TIMEOUT / limit
                    self._learned.in_time = max(self._learned.in_time, min(_GROW * self._learned.in_time, room))
                    self._round = _Round()
            self._settle(job, is_open=True)

    def note_refused(self, job: Job, most: int | None) -> list[Job]:
        """Record that a request with several texts was refused; return the parts to send instead.

        Parameters
        ----------
        job : Job
        most : int or None
            The number of texts that the server says it accepts; None if it does not say.
        """
        n_texts = len(job.places)
        with self._changed:
            if most is not None:
                self._learned.too_many, self._learned.accepted = most + 1, most
                return job.split(most)
            if n_texts > self._learned.accepted:
                suspicion = Suspicion(n_texts, n_texts)
                self._suspicions.append(suspicion)
                job = Job(job.places, (*job.within, suspicion))
            return job.halves()

    def note_text_refused(self, job: Job) -> None:
        """Record that the one text of a job was refused by itself, so that its number was no reason."""
        with self._changed:
            self._settle(job, is_open=False)

    def note_late(self, job: Job) -> None:
        """Record that there was no response in time."""
        n_texts = len(job.places)
        with self._changed:
            if n_texts <= self._learned.in_time:
                self._learned.in_time = max(1, n_texts // _SHRINK)

    def _bound(self) -> float:
        """Return the smallest number of texts that is, or may be, too many."""
        known, too_many = self._learned.accepted, self._learned.too_many
        self._suspicions = [one for one in self._suspicions if one.is_open and known < one.n_texts < too_many]
        return min([self._learned.too_many, *(one.n_texts for one in self._suspicions)])

    def _settle(self, job: Job, *, is_open: bool) -> None:
        for suspicion in job.within:
            suspicion.n_left -= len(job.places)
            suspicion.is_open &= is_open
            if suspicion.is_open and not suspicion.n_left and suspicion.n_texts > self._learned.accepted:
                self._learned.too_many = min(self._learned.too_many, suspicion.n_texts)
        self._changed.notify_all()
