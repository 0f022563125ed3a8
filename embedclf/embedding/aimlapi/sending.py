"""Sending the texts of one call: again, in smaller requests, or not at all, going by what the server says and does."""

from collections.abc import Callable, Sequence
from functools import partial

from embedclf.embedding.aimlapi.answers import Answer
from embedclf.embedding.aimlapi.batch_sizes import BatchSizes, Job
from embedclf.embedding.aimlapi.batches import RejectionDetector, ServerState
from embedclf.embedding.aimlapi.client import RETRIES_OF_TEXTS, Client
from embedclf.embedding.aimlapi.refusals import Kind, Refusal
from embedclf.embedding.budget import TooManyTextsError
from embedclf.errors import MaxCostError

HARMLESS = "hello"
"""If a request with only this text is rejected, every request would be."""
# A text that fails although others pass is left out after so many rounds of retries.
_ROUNDS = 2
# If so many texts are left out for failures that may pass, and none was embedded, the server is at fault.
_MOST_LEFT_OUT = 16


class Sending:
    """The requests of one call. Thread-safe.

    Parameters
    ----------
    texts : sequence of str
    ask : callable
        Sends texts, with up to a number of retries; returns the answer, or why there is none.
    keep : callable
        Called with each job that was answered.
    client : Client
    sizes : BatchSizes
    n_retries : int
        How often a request may be retried.

    Attributes
    ----------
    refused : dict of int to Refusal
        The texts that were refused by themselves, by index.
    over_limit : MaxCostError or None
        Why texts were not sent that the spending limit has no room for.
    """

    def __init__(
        self,
        texts: Sequence[str],
        ask: Callable[[list[str], int], Answer | Refusal],
        keep: Callable[[Job, Answer], None],
        client: Client,
        sizes: BatchSizes,
        n_retries: int,
    ) -> None:
        self.refused: dict[int, Refusal] = {}
        self.over_limit: MaxCostError | None = None
        self._texts = texts
        self._ask = ask
        self._keep = keep
        self._client = client
        self._sizes = sizes
        self._n_retries = n_retries
        self._detector = RejectionDetector(partial(_accepts_harmless, ask))

    def send(self, job: Job) -> list[Job]:
        """Send a job; return the jobs that are left of it.

        Raises
        ------
        EmbedderError
            If no other request would fare better.
        """
        with self._sizes.turn(job) as parts:
            if len(parts) > 1:
                return parts
            try:
                answer = self._ask([self._texts[place] for place in job.places], RETRIES_OF_TEXTS)
            except TooManyTextsError as error:
                return job.without(error.fitting)
            except MaxCostError as error:
                # There may be room for shorter texts.
                self.over_limit = error
                return []
            if isinstance(answer, Answer):
                self._keep(job, answer)
                self._sizes.note_accepted(job, answer.seconds, self._client.limiter.limit)
                self._detector.note_accepted()
                return []
        match answer.kind:
            case Kind.CONTENT:
                return self._after_rejection(job, answer)
            case Kind.PASSING:
                return self._after_failure(job, answer)
            case _:
                return self._after_congestion(job, answer)

    def _after_rejection(self, job: Job, refusal: Refusal) -> list[Job]:
        """Look for the text at fault, unless every request is rejected."""
        if self._detector.note_rejected():
            raise refusal.error()
        return self._parts(job, refusal)

    def _after_failure(self, job: Job, refusal: Refusal) -> list[Job]:
        """Look for the text at fault if the server works otherwise."""
        state = self._detector.state_after_failure(self._n_retries - RETRIES_OF_TEXTS)
        if state is ServerState.FAILS or job.n_failed > max(self._n_retries, _ROUNDS):
            raise refusal.error()
        if state is ServerState.RECOVERED:
            return [job.failed()]
        return self._parts(job, refusal)

    def _after_congestion(self, job: Job, refusal: Refusal) -> list[Job]:
        """Send it again later, in smaller parts if the server was too slow."""
        if not self._client.may_pass(refusal):
            raise refusal.error()
        if refusal.kind is Kind.RATE:
            return [job]
        self._sizes.note_late(job)
        if len(job.places) > 1 or self._client.limiter.n_setbacks > 1:
            return [job]
        # The server answers others meanwhile.
        return self._parts(job, refusal)

    def _parts(self, job: Job, refusal: Refusal) -> list[Job]:
        """Return the parts to send in place of a refused job: none if it is a single text that is left out."""
        if len(job.places) > 1:
            return self._sizes.note_refused(job, refusal.most_texts(len(job.places)))
        if refusal.kind is not Kind.CONTENT and job.n_failed + 1 < _ROUNDS:
            return [job.failed()]
        (place,) = job.places.tolist()
        self.refused[place] = refusal
        self._sizes.note_text_refused(job)
        left_out = sum(one.kind is not Kind.CONTENT for one in list(self.refused.values()))
        if left_out >= _MOST_LEFT_OUT and not self._sizes.has_accepted:
            raise refusal.error()
        return []


# Not a method, which would make a cycle of references to the embedder.
def _accepts_harmless(ask: Callable[[list[str], int], Answer | Refusal], n_retries: int) -> bool:
    answer = ask([HARMLESS], n_retries)
    if isinstance(answer, Refusal) and answer.kind in (Kind.RATE, Kind.LATE):
        raise answer.error()
    return isinstance(answer, Answer)
