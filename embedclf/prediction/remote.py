"""A classifier on its way to other processes."""

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


def _usage(classifier: TextClassifier) -> Usage:
    return classifier.embedder.usage


class _Scored(NamedTuple):
    """What a worker gives back: the scores, and what its embedder has taken since it was opened."""

    scores: Scores
    by: str
    usage: Usage


class _Sent:
    """A classifier on its way to other processes, each of which opens it once.

    Parameters
    ----------
    key : str
        Its name there.
    data : bytes or None
        The classifier, pickled; None where it is brought by other means.
    classifier : TextClassifier, optional
        Itself, where it is open already: in this process, which does the work where one worker is left.
    """

    def __init__(self, key: str, data: bytes | None, classifier: TextClassifier | None = None) -> None:
        self._key, self._data, self._classifier = key, data, classifier

    def __reduce__(self) -> tuple[Any, ...]:
        # Nothing is opened here: of what fails while a task is being unpacked, nobody can say what it was.
        return _Sent, (self._key, self._data)

    def open(self) -> tuple[TextClassifier, str]:
        """Give the classifier, and what tells this process's from another's."""
        if self._classifier is not None:
            return self._classifier, self._key
        with _opening:
            if self._key not in _opened:
                while len(_opened) >= _MOST_OPEN:
                    del _opened[next(iter(_opened))]
                data = _brought.get(self._key) if self._data is None else self._data
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
_brought: dict[str, bytes] = {}
_opening = threading.Lock()


def _score(sent: _Sent, texts: list[str], top_k: int) -> _Scored:
    classifier, by = sent.open()
    scores = score_texts(classifier, texts, top_k)
    return _Scored(scores, by, _usage(classifier))


@dataclass(frozen=True, slots=True)
class _Engine:
    """Where joblib is told to work: what is sent there, how many chunks are worked on at once, and at most sent."""

    sent: _Sent
    n_slots: int
    n_sent: int

    def score(self, chunks: Iterator[list[Row]], top_k: int) -> Generator[tuple[list[Row], _Scored]]:
        """Score chunks, in their order. No more are read than are about to be worked on."""
        read: deque[list[Row]] = deque()
        failures: list[EmbedclfError] = []

        def tasks() -> Iterator[tuple[_Sent, list[str], int]]:
            try:
                for chunk in chunks:
                    read.append(chunk)
                    yield self.sent, usable_texts(chunk), top_k
            except EmbedclfError as error:  # said when what came before is written
                failures.append(error)

        with closing(in_order(_score, tasks(), n_sent=self.n_sent, n_read=3 * self.n_slots)) as each:
            for scored in each:
                yield read.popleft(), scored
        if failures:
            raise failures[0]


@contextmanager
def _engine(classifier: TextClassifier) -> Iterator[_Engine | None]:
    """Give the engine that ``joblib.parallel_config`` names; None for this process alone."""
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
        yield _Engine(_Sent("", None, classifier), slots, n_sent)
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
        yield _Engine(_Sent(key, data, classifier), slots, n_sent)
        return
    with _brought_to_workers(client, key, data):
        yield _Engine(_Sent(key, None, classifier), slots, n_sent)


@contextmanager
def _brought_to_workers(client: Any, key: str, data: bytes) -> Iterator[None]:
    """Bring data to Dask's workers, once to each, and to those that come later.

    What is scattered is lost with the workers that hold it; this the scheduler keeps.
    """
    from distributed import WorkerPlugin

    class Bringing(WorkerPlugin):
        def setup(self, worker: Any) -> None:
            _keep_brought(key, data)

        def teardown(self, worker: Any) -> None:
            _forget_brought(key)

    name = f"embedclf-{key}"
    with asking(client):
        client.register_plugin(Bringing(), name=name)
    try:
        yield
    finally:
        try:
            if client.status == "running":  # else it is waited for, and the cluster may be gone
                client.unregister_worker_plugin(name)
        except Exception:  # what went wrong before is worth more
            logger.debug("The classifier stays with the workers", exc_info=True)


def _keep_brought(key: str, data: bytes) -> None:
    _brought[key] = data


def _forget_brought(key: str) -> None:
    _brought.pop(key, None)
    _opened.pop(key, None)
