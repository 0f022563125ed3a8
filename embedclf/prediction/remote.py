"""Scoring in other processes, where ``joblib.parallel_config`` says: each opens the classifier once."""

import logging
import os
import pickle
import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.rows import Row
from embedclf.embedding.usage import Usage
from embedclf.errors import EmbedclfError
from embedclf.parallel.dask_cluster import asking, backend, dask_client, in_short
from embedclf.parallel.executors import in_order, n_slots
from embedclf.prediction.scores import Scores, score_texts, usable_texts

logger = logging.getLogger(__name__)


class WorkerScores(NamedTuple):
    """What a worker sends back.

    Attributes
    ----------
    scores : Scores
    worker : str
        Which one it is.
    usage : Usage
        What its embedder has used since it was opened.
    """

    scores: Scores
    worker: str
    usage: Usage


class PortableClassifier:
    """A classifier that is sent to other processes with each task, and opened once in each.

    Parameters
    ----------
    key : str
        Its name there.
    data : bytes or None
        The classifier, pickled; None if it is delivered by other means.
    classifier : TextClassifier, optional
        Itself, where it is open already: in this process, which does the work where one worker is left.
    """

    def __init__(self, key: str, data: bytes | None, classifier: TextClassifier | None = None) -> None:
        self._key, self._data, self._classifier = key, data, classifier

    def __reduce__(self) -> tuple[Any, ...]:
        # Nothing is opened here: what fails while a task is being unpacked cannot be reported for what it is.
        return PortableClassifier, (self._key, self._data)

    def open(self) -> tuple[TextClassifier, str]:
        """Return the classifier, and a name for this process."""
        if self._classifier is not None:
            return self._classifier, self._key
        with _opening:
            if self._key not in _opened:
                while len(_opened) >= _MOST_OPEN:
                    del _opened[next(iter(_opened))]
                data = _delivered.get(self._key) if self._data is None else self._data
                if data is None:
                    raise EmbedclfError("a worker has no classifier: the scheduler was started anew since it was sent")
                try:
                    opened = pickle.loads(data)  # noqa: S301 - as all that joblib sends
                except Exception as error:
                    raise EmbedclfError(
                        f"the classifier cannot be opened in another process ({in_short(error)}): what it "
                        "needs must be there as it is here"
                    ) from error
                _opened[self._key] = opened, os.urandom(8).hex()
            return _opened[self._key]


_MOST_OPEN = 4
_opened: dict[str, tuple[TextClassifier, str]] = {}
_delivered: dict[str, bytes] = {}
_opening = threading.Lock()


def _score(portable: PortableClassifier, texts: list[str], top_k: int) -> WorkerScores:
    classifier, worker = portable.open()
    scores = score_texts(classifier, texts, top_k)
    return WorkerScores(scores, worker, classifier.embedder.usage)


@dataclass(frozen=True, slots=True)
class ScoringEngine:
    """Where joblib is told to work.

    Attributes
    ----------
    portable : PortableClassifier
    n_slots : int
        How many chunks are worked on at once.
    n_sent : int
        How many are sent at most.
    """

    portable: PortableClassifier
    n_slots: int
    n_sent: int

    def score(self, chunks: Iterator[list[Row]], top_k: int) -> Generator[tuple[list[Row], WorkerScores]]:
        """Score chunks, in their order. No more are read than are about to be worked on."""
        read: deque[list[Row]] = deque()
        failures: list[EmbedclfError] = []

        def tasks() -> Iterator[tuple[PortableClassifier, list[str], int]]:
            try:
                for chunk in chunks:
                    read.append(chunk)
                    yield self.portable, usable_texts(chunk), top_k
            except EmbedclfError as error:  # raised when what came before is written
                failures.append(error)

        with closing(in_order(_score, tasks(), n_sent=self.n_sent, n_read=3 * self.n_slots)) as each:
            for scored in each:
                yield read.popleft(), scored
        if failures:
            raise failures[0]


@contextmanager
def engine_of(classifier: TextClassifier) -> Iterator[ScoringEngine | None]:
    """Enter the engine that ``joblib.parallel_config`` names; None stands for this process alone."""
    joblibs, client = backend(), dask_client()
    if joblibs is None or ((slots := n_slots()) == 1 and client is None):
        yield None
        return
    embedder = classifier.embedder
    n_sent = 2 * slots
    if embedder.max_concurrency is not None:
        # Where there are more processes than requests, each sends one, and no more work than may send one.
        n_sent = min(n_sent, embedder.max_concurrency)
    if getattr(joblibs, "supports_sharedmem", False):
        yield ScoringEngine(PortableClassifier("", None, classifier), slots, n_sent)
        return
    n_processes = slots
    if client is not None:
        with asking(client):
            n_processes = len(client.ncores())
    classifier = TextClassifier(embedder.split(max(1, n_processes)), classifier.model, classifier.card)
    try:
        key, data = os.urandom(16).hex(), pickle.dumps(classifier)
    except Exception as error:  # of an embedder that was handed over
        raise EmbedclfError(f"the classifier cannot be sent to other processes ({in_short(error)})") from error
    if client is None:
        yield ScoringEngine(PortableClassifier(key, data, classifier), slots, n_sent)
        return
    with _delivered_to_workers(client, key, data):
        yield ScoringEngine(PortableClassifier(key, None, classifier), slots, n_sent)


@contextmanager
def _delivered_to_workers(client: Any, key: str, data: bytes) -> Iterator[None]:
    """Deliver data to Dask's workers, once to each, and to those that come later.

    What is scattered is lost with the workers that hold it; the scheduler keeps a plugin.
    """
    from distributed import WorkerPlugin

    class Delivery(WorkerPlugin):
        def setup(self, worker: Any) -> None:
            _keep_delivered(key, data)

        def teardown(self, worker: Any) -> None:
            _forget_delivered(key)

    name = f"embedclf-{key}"
    with asking(client):
        client.register_plugin(Delivery(), name=name)
    try:
        yield
    finally:
        try:
            if client.status == "running":  # else the call would wait, and the cluster may be gone
                client.unregister_worker_plugin(name)
        except Exception:  # what went wrong before is worth more
            logger.debug("The classifier stays with the workers", exc_info=True)


def _keep_delivered(key: str, data: bytes) -> None:
    _delivered[key] = data


def _forget_delivered(key: str) -> None:
    _delivered.pop(key, None)
    _opened.pop(key, None)
