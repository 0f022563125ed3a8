"""The order that asks first about the texts that should improve the classifier most (active learning)."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.data.label_sets import LabelSet
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.exploration.suggestions import representative_rows, suggest
from embedclf.labelling.trainings import Training
from embedclf.stats.neighbours import NEAR_COPY, of_unit_length
from embedclf.threads import one_thread

# How many texts are suggested at once: enough to last until the next training, and some more.
_N_SUGGESTED = 100
# They are chosen from a sample: predicting more would delay the next training, and would hardly find better ones.
_MOST_TEXTS, _MOST_TO_BEGIN = 10_000, 2_000
# A text is compared with this many that were asked before it.
_N_COMPARED = 200
_BLOCK = 1_024


class SuggestedOrder:
    """The texts that the classifier is uncertain of and that represent others, as `embedclf.suggest` chooses them.

    After each training, a hundred are chosen from a sample of 10,000 texts, in the learner's thread
    (``learner.follow(order.refresh)``). Before the first training, they are texts that represent the others.
    Near-duplicates of texts that have been asked or labelled are passed over. If texts are labelled faster than they
    are chosen, or if only near-duplicates are left, the next one is random.

    The same labels and the same seed lead to the same suggestions after a training. Which labels a training sees
    depends on how fast they are given, though.

    Parameters
    ----------
    texts : EmbeddedTexts
    seed : int
        Seed for the samples and for random texts.
    """

    def __init__(self, texts: EmbeddedTexts, *, seed: int = 0) -> None:
        self._texts, self._seed = texts, seed
        self._vectors = of_unit_length(texts.vectors)
        self._asked: dict[int, None] = {}  # in the order in which they were asked
        self._lock = threading.Lock()
        shuffled = np.random.default_rng(seed).permutation(len(texts))
        sample = shuffled[:_MOST_TO_BEGIN]
        with one_thread():
            self._queue = deque(sample[representative_rows(self._vectors[sample], _N_SUGGESTED)].tolist())
        self._others = shuffled
        self._place = 0

    def next(self, is_open: Callable[[int], bool]) -> tuple[int, bool] | None:
        """Return the row to ask next; see `Order`."""
        with self._lock:
            for row in self._candidates():
                if is_open(row):
                    self._asked.pop(row, None)
                    self._asked[row] = None
                    return row, False
        return None

    def refresh(self, training: Training | None, labels: Mapping[int, LabelSet]) -> None:
        """Choose the texts to ask next.

        Parameters
        ----------
        training : Training or None
            The newest one; None keeps the texts that are left.
        labels : mapping of int to tuple of str
            Those of all labelled rows; only the rows matter.
        """
        if training is None:
            return
        with self._lock:
            gone = [*labels, *self._asked]
        left = np.ones(len(self._texts), dtype=bool)
        left[gone] = False
        rows = np.flatnonzero(left)
        if len(rows) > _MOST_TEXTS:
            rng = np.random.default_rng([self._seed, len(labels)])
            rows = np.sort(rng.choice(rows, _MOST_TEXTS, replace=False))
        if not len(rows):
            return
        chosen = EmbeddedTexts(
            [self._texts.texts[row] for row in rows.tolist()],
            embedder=self._texts.embedder,
            vectors=self._vectors[rows],
        )
        with one_thread():
            suggested = rows[[one.row for one in suggest(training.classifier, chosen, _N_SUGGESTED).rows]]
            new = suggested[~self._are_near_copies(suggested, np.array(list(labels), dtype=np.intp))]
        with self._lock:
            self._queue = deque(new.tolist())

    def _candidates(self) -> Iterator[int]:
        """Yield rows to ask, those suggested first; of the others, those behind the last one that was yielded."""
        while self._queue:
            row = self._queue.popleft()
            recent = list(self._asked)[-_N_COMPARED:]
            if not self._are_near_copies(np.array([row]), np.array(recent, dtype=np.intp))[0]:
                yield row
        # A row that was passed over may be open again, so go through them once more.
        for _ in range(len(self._others)):
            row = int(self._others[self._place])
            self._place = (self._place + 1) % len(self._others)
            yield row

    def _are_near_copies(self, rows: Ints, others: Ints) -> Mask:
        """Return which rows are near-duplicates of one of the others, and not the same row: (n,)."""
        near = np.zeros(len(rows), dtype=bool)
        for start in range(0, len(others), _BLOCK):
            part = others[start : start + _BLOCK]
            alike = self._vectors[rows] @ self._vectors[part].T >= NEAR_COPY
            near |= (alike & (rows[:, None] != part)).any(axis=1)
        return near
