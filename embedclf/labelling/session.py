"""A session of labelling: which text is asked next, in each window, and what becomes of the answers.

A session may be used from several threads. What it needs of the order of the texts and of the classifier that learns
from the answers stands in two protocols, `Order` and `Learner`.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from embedclf.data.label_sets import LabelSet
from embedclf.errors import ArgumentError, EmbedclfError
from embedclf.labelling.answers import Answer, AnswersFile, digest_of
from embedclf.labelling.questions import Guess, Point, Progress, Question
from embedclf.validation import text_fault


class AnsweredElsewhereError(EmbedclfError):
    """The text has been answered in another window since it was shown.

    Attributes
    ----------
    question : Question
        The text, with that answer.
    """

    def __init__(self, question: Question) -> None:
        super().__init__("another window has answered this text in the meantime")
        self.question = question


class Order(Protocol):
    """The order in which texts are asked."""

    def next(self, is_open: Callable[[int], bool]) -> tuple[int, bool] | None:
        """Return the row to ask next and whether it is for the test set, or None if no row is open.

        `is_open` says of a row whether it may be asked: it has no answer, and no window shows it.
        """


class Learner(Protocol):
    """A classifier that learns from the answers in the background."""

    def learn(self, labels: dict[int, LabelSet], test: dict[int, LabelSet]) -> None:
        """Train on the labels of some rows, and measure on others, soon; return at once."""

    def guesses(self, row: int) -> tuple[Guess, ...]:
        """Return the labels of the classifier for a row, the most likely first; none before there is one."""

    @property
    def curve(self) -> tuple[Point, ...]:
        """See `Progress`."""

    @property
    def test(self) -> Point | None:
        """See `Progress`."""

    @property
    def advice(self) -> str:
        """See `Progress`."""

    @property
    def is_learning(self) -> bool:
        """See `Progress`."""


class Session:
    """The labelling of some texts.

    Parameters
    ----------
    texts : sequence of str
    labels : sequence of (tuple of str or None)
        The labels that each text has already; None if it has not been labelled.
    file : AnswersFile
        Where the answers are kept; those that it has are taken up.
    order : Order
    learner : Learner, optional
        None learns nothing.
    several : bool
        Whether a text may have several labels.
    known : sequence of str
        Labels that may be given, besides those that a text has.
    places : sequence of str
        Where each text is from, for messages; see `Question`.
    """

    def __init__(
        self,
        texts: Sequence[str],
        labels: Sequence[LabelSet | None],
        file: AnswersFile,
        order: Order,
        learner: Learner | None = None,
        *,
        several: bool = False,
        known: Sequence[str] = (),
        places: Sequence[str] = (),
    ) -> None:
        self._texts, self._given, self._places = texts, labels, places
        self._file, self._order, self._learner = file, order, learner
        self.several = several
        self._known = dict.fromkeys(known)
        self._lock = threading.RLock()
        self._answers: dict[int, list[Answer]] = {}  # those about each row, the oldest first
        self._shown: dict[
            str, tuple[int, bool]
        ] = {}  # what each window shows: a row, and whether it is for the test set
        self._given_in: dict[str, list[int]] = {}  # the rows that each window has answered, the oldest first
        for answer in file.answers:
            self._answers.setdefault(answer.row, []).append(answer)
        self._learn()

    def ask(self, window: str) -> Question | None:
        """Return the text that a window shows, the next one if it shows none; None if all are answered.

        Parameters
        ----------
        window : str
            A name of the window, made up by it. Two windows never show the same text.
        """
        with self._lock:
            if window not in self._shown:
                found = self._order.next(self._is_open)
                if found is None:
                    return None
                self._shown[window] = found
            return self._question(*self._shown[window])

    def answer(self, window: str, row: int, labels: LabelSet, *, revision: int, note: str = "") -> Question | None:
        """Keep the labels of a text, and return the next one as `ask` does.

        Parameters
        ----------
        window : str
        row : int
        labels : tuple of str
            One label, unless texts may have several; then there may be none, too.
        revision : int
            That of the question.
        note : str
            A remark, kept beside the labels.

        Raises
        ------
        AnsweredElsewhereError
            If another window has answered in the meantime; the answer is not kept.
        ArgumentError
            If the labels cannot be, such as two of a text that has one.
        OutputError
            If the answer cannot be written.
        """
        return self._keep(window, row, self._checked(labels), revision, note)

    def skip(self, window: str, row: int, *, revision: int, note: str = "") -> Question | None:
        """Pass over a text, and return the next one; see `answer`."""
        return self._keep(window, row, None, revision, note)

    def undo(self, window: str) -> Question | None:
        """Take back the last answer of a window, and return the text of it; None if there is none to take back.

        The text that the window showed is asked again later.
        """
        with self._lock:
            given = self._given_in.get(window, [])
            if not given:
                return None
            row = given[-1]
            last = self._last(row)
            self._write(Answer(row, self._digest(row), None, is_test=last.is_test if last else False, is_undone=True))
            given.pop()
            self._shown[window] = row, last.is_test if last else False
            self._learn()
            return self._question(*self._shown[window])

    def leave(self, window: str) -> None:
        """Let other windows have the text that a window shows."""
        with self._lock:
            self._shown.pop(window, None)

    def progress(self) -> Progress:
        """Return how far the work has come."""
        with self._lock:
            labels, test = self._labels()
            counts = Counter(one for of_row in (*labels.values(), *test.values()) for one in of_row)
            skipped = sum(last.is_skipped for row in self._answers if (last := self._last(row)) is not None)
        known = Progress(len(self._texts), len(labels) + len(test), skipped, len(test), dict(counts.most_common()))
        learner = self._learner
        if learner is None:
            return known
        return replace(
            known,
            curve=learner.curve,
            test=learner.test,
            advice=learner.advice,
            is_learning=learner.is_learning,
        )

    def results(self) -> list[tuple[LabelSet | None, Answer | None]]:
        """Return what is known of each text: its labels, and the answer about it; None if there is none."""
        with self._lock:
            last = [self._last(row) for row in range(len(self._texts))]
        return [(self._given[row] if one is None else one.labels, one) for row, one in enumerate(last)]

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that have been given or are known, in alphabetical order."""
        with self._lock:
            given, test = self._labels()
            return tuple(sorted({*self._known, *(one for of in (*given.values(), *test.values()) for one in of)}))

    def _is_open(self, row: int) -> bool:
        return self._last(row) is None and row not in {shown for shown, _ in self._shown.values()}

    def _last(self, row: int) -> Answer | None:
        """Return the answer that holds for a row; None if there is none, or it was taken back."""
        last = self._answers[row][-1] if row in self._answers else None
        return None if last is None or last.is_undone else last

    def _labels(self) -> tuple[dict[int, LabelSet], dict[int, LabelSet]]:
        """Return the labels of the rows to learn from, and of those of the test set."""
        known = {row: labels for row, labels in enumerate(self._given) if labels is not None}
        test: dict[int, LabelSet] = {}
        for row in self._answers:
            if (last := self._last(row)) is None:
                continue
            known.pop(row, None)
            if last.labels is not None:
                (test if last.is_test else known)[row] = last.labels
        return known, test

    def _question(self, row: int, is_test: bool) -> Question:
        last = self._last(row)
        guesses = () if is_test or self._learner is None else self._learner.guesses(row)
        guessed = {one.label for one in guesses}
        others = tuple(Guess(label, None) for label in self.labels if label not in guessed)
        return Question(
            row,
            self._places[row] if self._places else "",
            self._texts[row],
            guesses + others,
            self._given[row] if last is None else last.labels,
            "" if last is None else last.note,
            is_test,
            len(self._answers.get(row, ())),
        )

    def _keep(self, window: str, row: int, labels: LabelSet | None, revision: int, note: str) -> Question | None:
        with self._lock:
            if not 0 <= row < len(self._texts):
                raise ArgumentError(f"there is no text {row}")
            shown, is_test = self._shown.get(window, (None, False))
            last = self._last(row)
            if revision != len(self._answers.get(row, ())):
                if shown == row:
                    del self._shown[window]
                raise AnsweredElsewhereError(self._question(row, last is not None and last.is_test))
            if shown != row:
                is_test = last is not None and last.is_test
            self._write(Answer(row, self._digest(row), labels, note, is_test))
            self._given_in.setdefault(window, []).append(row)
            if shown == row:
                del self._shown[window]
            self._learn()
            return self.ask(window)

    def _checked(self, labels: LabelSet) -> LabelSet:
        labels = tuple(sorted({label.strip() for label in labels}))
        if not self.several and len(labels) != 1:
            raise ArgumentError("a text has one label here")
        for label in labels:
            if (fault := text_fault(label, "label")) is not None:
                raise ArgumentError(fault)
        return labels

    def _digest(self, row: int) -> str:
        return digest_of(self._texts[row])

    def _write(self, answer: Answer) -> None:
        self._answers.setdefault(answer.row, []).append(self._file.write(answer))

    def _learn(self) -> None:
        if self._learner is not None:
            self._learner.learn(*self._labels())
