"""Learning in the background, while a person labels."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from embedclf.data.label_sets import LabelSet
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import EmbedclfError
from embedclf.labelling.learning import Learning
from embedclf.labelling.questions import Guess, Point
from embedclf.labelling.trainings import Training
from embedclf.training.recipe import Recipe

logger = logging.getLogger(__name__)

# Train after this many new labels, or this share more; and after fewer once nobody has answered for a second, and for a
# multiple of the time that the last training took.
_LEAST_NEW, _SHARE_NEW, _MOST_NEW = 5, 0.1, 50
_PAUSE, _PAUSE_OF_TRAINING = 1.0, 3.0
# How long to wait at the end for a training that nobody needs any more.
_PATIENCE = 1.0

Labels = dict[int, LabelSet]


class _Snapshot(NamedTuple):
    """The labels of the rows to train on, and of those of the test set."""

    labels: Labels
    test: Labels

    def n_new(self, since: "_Snapshot") -> int:
        """Return how many rows have other labels than they had, or have gained or lost them."""
        return len(self.labels.items() ^ since.labels.items())


class BackgroundLearner:
    """A classifier that learns from the answers in a background thread; see `Learner`.

    It is retrained after every five new labels, or a tenth more if there are many, and when the person pauses; see
    `Learning` for what it measures. So which labels a training sees depends on how fast they are given, but a training
    on the same labels has the same result. Errors in the background are logged, and do not end the session.

    Parameters
    ----------
    texts, several, known, recipe, seed
        See `Learning`.
    """

    def __init__(
        self,
        texts: EmbeddedTexts,
        *,
        several: bool = False,
        known: Sequence[str] = (),
        recipe: Recipe | None = None,
        seed: int = 0,
    ) -> None:
        self._learning = Learning(texts, several=several, known=known, recipe=recipe, seed=seed)
        self._followers: list[Callable[[Training | None, Labels], None]] = []
        self._newest = self._learned_from = _Snapshot({}, {})
        self._answered = 0.0
        self._took = 0.0
        self._is_learning = self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="embedclf-learner", daemon=True)
        self._thread.start()

    def follow(self, follower: Callable[[Training | None, Labels], None]) -> None:
        """Call a function after each training, in the thread of the learner.

        Parameters
        ----------
        follower : callable
            It gets the training, None if there is no classifier, and the labels of all rows, test set included.
        """
        self._followers.append(follower)

    def learn(self, labels: Labels, test: Labels) -> None:
        """Train on the labels of some rows, and measure on others, soon; return at once.

        Labels that wait for a training are replaced by newer ones.
        """
        with self._changed:
            self._newest = _Snapshot(labels, test)
            self._answered = time.monotonic()
            self._changed.notify_all()

    def guesses(self, row: int) -> tuple[Guess, ...]:
        """Return the labels of the classifier for a row, the most likely first.

        Before there is a classifier, they are those of the most similar texts; see `Learning.guesses`.
        """
        return self._learning.guesses(row, self._newest.labels)

    @property
    def curve(self) -> tuple[Point, ...]:
        """See `Progress`."""
        return self._learning.learned.curve

    @property
    def test(self) -> Point | None:
        """See `Progress`."""
        return self._learning.learned.test

    @property
    def advice(self) -> str:
        """See `Progress`."""
        return self._learning.learned.advice

    @property
    def is_learning(self) -> bool:
        """See `Progress`."""
        return self._is_learning

    def close(self) -> None:
        """End the thread; wait for a running training, but not for long."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(_PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        self._try(self._learning.read_names)
        while (snapshot := self._next()) is not None:
            began = time.monotonic()
            self._try(partial(self._learn_from, snapshot))
            self._took = time.monotonic() - began
            self._is_learning = False

    def _next(self) -> _Snapshot | None:
        """Wait until there are enough new labels to train on, and return them; None once the learner is closed."""
        while True:
            newest = self._newest
            wait = self._seconds_until_due(newest)  # not while answers wait for the lock
            with self._changed:
                if self._is_closed:
                    return None
                if newest is not self._newest:
                    continue
                if wait is not None and wait <= 0:
                    self._is_learning = True
                    return newest
                self._changed.wait(wait)

    def _seconds_until_due(self, newest: _Snapshot) -> float | None:
        """Return how long to wait for more labels; None until there are any new ones."""
        last = self._learned_from
        n_new = newest.n_new(last)
        if not n_new and newest.test == last.test:
            return None
        if n_new >= min(max(_LEAST_NEW, _SHARE_NEW * len(last.labels)), _MOST_NEW):
            return 0.0
        return self._answered + _PAUSE + _PAUSE_OF_TRAINING * self._took - time.monotonic()

    def _learn_from(self, snapshot: _Snapshot) -> None:
        if not snapshot.n_new(self._learned_from) and self._learning.learned.training is not None:
            self._learned_from = snapshot
            self._learning.measure(snapshot.test)
            return
        self._learned_from = snapshot
        self._learning.learn(*snapshot)
        for follower in self._followers:
            follower(self._learning.learned.training, snapshot.labels | snapshot.test)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except EmbedclfError as error:
            logger.warning("no classifier could be trained in the background: %s", error)
        except Exception:  # a bug of ours, but the answers are worth more
            logger.exception("no classifier could be trained in the background")
