"""The answers to the last texts of a service (a sliding window), to compare with those to held-out texts."""

from collections import Counter, deque
from threading import Lock
from typing import NamedTuple

import numpy as np

from embedclf.arrays import Vectors
from embedclf.classifier.decisions import NOTHING
from embedclf.classifier.reference import Measures
from embedclf.classifier.reference_shift import AnswerTally, ReferenceShift
from embedclf.classifier.text_classifier import TextClassifier

WINDOW_TEXTS = 1_000
"""The size of the window, large enough that a distance from the reference is hardly due to chance."""

# Scores are collected up to this number, since processing them together is faster than one by one.
_WAITING_TEXTS = 64


class _Seen(NamedTuple):
    confidence: float
    energy: float
    labels: tuple[int, ...]
    is_answered: bool


class WindowFigures(NamedTuple):
    """The figures of the texts in a window.

    Attributes
    ----------
    measures : Measures
    n_answered : int
    of_labels : Counter of int
        How many texts have each class as the most likely one, or get it if they may have several labels.
    shift : ReferenceShift or None
        None without texts, or without a reference to compare them with.
    """

    measures: Measures
    n_answered: int
    of_labels: Counter[int]
    shift: ReferenceShift | None


class AnswerWindow:
    """The answers of a classifier to the last 1,000 texts. It is thread-safe, and does not grow.

    Parameters
    ----------
    classifier : TextClassifier
    """

    def __init__(self, classifier: TextClassifier) -> None:
        self.classifier = classifier
        self._decision = classifier.decision
        self._waiting: list[Vectors] = []
        self._n_waiting = 0
        self._seen: deque[_Seen] = deque(maxlen=WINDOW_TEXTS)
        self._lock = Lock()

    def add(self, scores: Vectors) -> None:
        """Add texts by their scores, of shape (n, n_classes), which are not changed later; NaN adds nothing."""
        with self._lock:
            self._waiting.append(scores[-WINDOW_TEXTS:])
            self._n_waiting += len(scores)
            if self._n_waiting >= _WAITING_TEXTS:
                self._take_in()

    def figures(self) -> WindowFigures:
        """Return the figures of the texts in the window."""
        with self._lock:
            self._take_in()
            seen = list(self._seen)
        confidence = np.array([one.confidence for one in seen])
        measures = Measures(confidence, np.array([one.energy for one in seen]))
        n_answered = sum(one.is_answered for one in seen)
        of_labels = Counter(label for one in seen for label in one.labels)
        shift = None
        if (reference := self.classifier.card.reference) is not None:
            tally = AnswerTally(reference)
            tally.add(measures, n_answered)
            shift = tally.shift()
        return WindowFigures(measures, n_answered, of_labels, shift)

    def _take_in(self) -> None:
        if not self._waiting:
            return
        scores = np.concatenate(self._waiting)
        self._waiting, self._n_waiting = [], 0
        scores = scores[~np.isnan(scores).any(axis=1)][-WINDOW_TEXTS:]
        if not len(scores):
            return
        model = self.classifier.model
        probabilities = model.to_probabilities(scores)
        decided = self._decision.decide(probabilities)
        measures = Measures.of(scores, probabilities, several=model.is_multilabel)
        labels: list[tuple[int, ...]]
        if decided.given is None:
            labels = [(place,) for place in decided.ranking.likeliest.tolist()]
        else:
            labels = [tuple(np.flatnonzero(row).tolist()) for row in decided.given[:, : len(model.classes)] > 0]
        answered = (decided.chosen != NOTHING).tolist()
        columns = (measures.confidence.tolist(), measures.energy.tolist(), labels, answered)
        self._seen.extend(_Seen(*one) for one in zip(*columns, strict=True))
