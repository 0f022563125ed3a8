"""Scoring in the processes that ``joblib.parallel_config`` names; each loads the classifier once."""

import logging
import os
import pickle
import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.rows import Row
from embedclf.embedding.base import Embedder
from embedclf.embedding.shared_spending import SharedSpending, SpendingFile
from embedclf.embedding.usage import Usage
from embedclf.errors import EmbedclfError
from embedclf.parallel.dask_cluster import asking, backend, dask_client, in_short
from embedclf.parallel.executors import in_order, n_slots
from embedclf.prediction.scores import Scores, score_texts, usable_texts

logger = logging.getLogger(__name__)


class WorkerScores(NamedTuple):
    """The result that a worker returns for a chunk.

    Attributes
    ----------
    scores : Scores
    worker : str
        Identifies the worker's process.
    usage : Usage
        Usage of the worker's embedder since it was opened.
    """

    scores: Scores
    worker: str
    usage: Usage


class PortableClassifier:
    """A classifier that is sent to other processes with each task, and loaded once in each.

    Parameters
    ----------
    key : str
        Identifies the classifier in the other processes.
    data : bytes or None
        The pickled classifier; None if a Dask plugin delivers it.
    classifier : TextClassifier, optional
        The classifier itself, used without pickling if joblib runs a task in this process.
    """

    def __init__(self, key: str, data: bytes | None, classifier: TextClassifier | None = None) -> None:
        self._key, self._data, self._classifier = key, data, classifier

    def __reduce__(self) -> tuple[Any, ...]:
        # The classifier is not unpickled here: joblib and Dask would hide the cause of an error in unpickling a task.
        return PortableClassifier, (self._key, self._data)

    def open(self) -> tuple[TextClassifier, str]:
        """Return the classifier and an identifier of this process."""
        if self._classifier is not None:
            return self._classifier, self._key
        with _opening:
            if self._key not in _opened:
                while len(_opened) >= _MAX_OPEN:
                    del _opened[next(iter(_opened))]
                data = _delivered.get(self._key) if self._data is None else self._data
                if data is None:
                    raise EmbedclfError("a worker has no classifier, because the scheduler was restarted: run again")
                try:
                    opened = pickle.loads(data)  # noqa: S301 - joblib unpickles everything that it sends, too
                except Exception as error:
                    raise EmbedclfError(
                        f"the classifier cannot be loaded in a worker process ({in_short(error)}): install the same "
                        "packages there"
                    ) from error
                _opened[self._key] = opened, os.urandom(8).hex()
            return _opened[self._key]


_MAX_OPEN = 4
_opened: dict[str, tuple[TextClassifier, str]] = {}
_delivered: dict[str, bytes] = {}
_opening = threading.Lock()


def _score(portable: PortableClassifier, texts: list[str], top_k: int, coverage: float | None = None) -> WorkerScores:
    classifier, worker = portable.open()
    scores = score_texts(classifier, texts, top_k, coverage)
    return WorkerScores(scores, worker, classifier.embedder.usage)


@dataclass(frozen=True, slots=True)
class ScoringEngine:
    """The joblib backend that scores chunks.

    Attributes
    ----------
    portable : PortableClassifier
    n_slots : int
        Number of chunks that workers score at once.
    n_sent : int
        Maximum number of chunks submitted at once.
    """

    portable: PortableClassifier
    n_slots: int
    n_sent: int

    def score(
        self, chunks: Iterator[list[Row]], top_k: int, coverage: float | None = None
    ) -> Generator[tuple[list[Row], WorkerScores]]:
        """Yield chunks with their scores, in order. Only a few chunks are read ahead."""
        read: deque[list[Row]] = deque()
        failures: list[EmbedclfError] = []

        def tasks() -> Iterator[tuple[PortableClassifier, list[str], int, float | None]]:
            try:
                for chunk in chunks:
                    read.append(chunk)
                    yield self.portable, usable_texts(chunk), top_k, coverage
            except EmbedclfError as error:  # raised below, after the chunks before it have been yielded
                failures.append(error)

        with closing(in_order(_score, tasks(), n_sent=self.n_sent, n_read=3 * self.n_slots)) as each:
            for scored in each:
                yield read.popleft(), scored
        if failures:
            raise failures[0]


@contextmanager
def engine_of(classifier: TextClassifier) -> Iterator[ScoringEngine | None]:
    """Enter the engine that ``joblib.parallel_config`` names; None means this process alone."""
    joblibs, client = backend(), dask_client()
    if joblibs is None or ((slots := n_slots()) == 1 and client is None):
        yield None
        return
    embedder = classifier.embedder
    n_sent = 2 * slots
    if embedder.max_concurrency is not None:
        # With more processes than concurrent requests, each process may send one, so only this many chunks may run.
        n_sent = min(n_sent, embedder.max_concurrency)
    if getattr(joblibs, "supports_sharedmem", False):
        yield ScoringEngine(PortableClassifier("", None, classifier), slots, n_sent)
        return
    n_processes = slots
    if client is not None:
        with asking(client):
            n_processes = len(client.ncores())
    key = os.urandom(16).hex()
    with _divided(embedder, max(1, n_processes), client, key) as divided:
        classifier = type(classifier)(divided, classifier.model, classifier.card)
        try:
            data = pickle.dumps(classifier)
        except Exception as error:  # a user's own embedder may not be picklable
            raise EmbedclfError(f"the classifier cannot be sent to worker processes ({in_short(error)})") from error
        if client is None:
            yield ScoringEngine(PortableClassifier(key, data, classifier), slots, n_sent)
            return
        with _delivered_to_workers(client, key, data):
            yield ScoringEngine(PortableClassifier(key, None, classifier), slots, n_sent)


@contextmanager
def _divided(embedder: Embedder, n: int, client: Any, key: str) -> Iterator[Embedder]:
    """Yield the embedder for each of n processes, which spend of one limit, if it has one."""
    # Imported here, since it brings in the cache, which local embedders have no use for.
    from embedclf.embedding.cached_embedder import CachedEmbedder

    if embedder.max_cost is None or not isinstance(embedder, CachedEmbedder):
        yield embedder.split(n)
        return
    with ExitStack() as stack:
        if client is None:
            folder = stack.enter_context(TemporaryDirectory(prefix="embedclf-", ignore_cleanup_errors=True))
            shared: SharedSpending = SpendingFile(Path(folder, "spending.json"))
        else:
            from embedclf.prediction.dask_spending import kept_by_scheduler

            shared = stack.enter_context(kept_by_scheduler(client, key))
        yield stack.enter_context(embedder.sharing_limit(n, shared))


@contextmanager
def _delivered_to_workers(client: Any, key: str, data: bytes) -> Iterator[None]:
    """Deliver data to Dask's workers, once to each, including those that join later.

    Scattered data would be lost with the workers that hold it, but the scheduler keeps plugins.
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
            if client.status == "running":  # otherwise the call would block, and the cluster may be gone
                client.unregister_worker_plugin(name)
        except Exception:  # must not replace an error from the block above
            logger.debug("Could not remove the classifier from the workers", exc_info=True)


def _keep_delivered(key: str, data: bytes) -> None:
    _delivered[key] = data


def _forget_delivered(key: str) -> None:
    _delivered.pop(key, None)
    _opened.pop(key, None)
