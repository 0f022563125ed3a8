"""A labelling session: which text each window asks next, and what the answers change.

A session may be used from several threads. The order of the texts and the classifier that learns from the answers are
behind two protocols, `Order` and `Learner`.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from embedclf.data.label_sets import LabelSet
from embedclf.errors import ArgumentError, EmbedclfError
from embedclf.labelling.answers import Answer, AnswersFile
from embedclf.labelling.questions import Guess, Point, Progress, Question
from embedclf.labelling.states import Result, States
from embedclf.validation import text_fault, unicode_fault

# After so long without a request, the text that a window shows may be asked elsewhere: it may have been closed.
LEASE_SECONDS = 600.0
# The same if no other text is left.
LAST_LEASE_SECONDS = 60.0


class AnsweredElsewhereError(EmbedclfError):
    """The text has been answered in another window since it was shown.

    Attributes
    ----------
    question : Question
        The text, with that answer.
    """

    def __init__(self, question: Question) -> None:
        super().__init__("another window has already answered this text")
        self.question = question


class Order(Protocol):
    """The order in which texts are asked."""

    def next(self, is_open: Callable[[int], bool]) -> tuple[int, bool] | None:
        """Return the row to ask next and whether it is for the test set, or None if no row is open.

        `is_open` says of a row whether it may be asked: it has neither labels nor an answer, and no window shows it. Of
        equal texts, only the first is open.
        """


class Learner(Protocol):
    """A classifier that learns from the answers in the background."""

    def learn(self, labels: dict[int, LabelSet], test: dict[int, LabelSet]) -> None:
        """Train on the labels of some rows, and measure on others, soon; return at once.

        Of equal texts, only the first is among them. The dictionaries are the learner's own.
        """

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


class _Shown(NamedTuple):
    """What a window shows: a row, whether it is for the test set, and when the window was last heard of."""

    row: int
    is_test: bool
    time: float


class Session:
    """A labelling session. It is closed by ``close``, or at the end of its ``with`` block.

    Equal texts are asked once, and the answer applies to all of them.

    Parameters
    ----------
    texts : sequence of str
    labels : sequence of (tuple of str or None)
        The labels that each text has already; None if it has not been labelled.
    file : AnswersFile
        Where the answers are kept. Its earlier answers apply, wherever their texts are now. The session closes it.
    order : Order
    learner : Learner, optional
        None learns nothing.
    several : bool
        Whether a text may have several labels.
    known : sequence of str
        Labels that may be given, besides those that a text has.
    places : sequence of str
        Where each text is from, for messages; see `Question`.
    asks_labelled : bool
        Whether texts that have labels in the file are asked as well.
    label_fault : callable
        Returns why a label cannot be given; None if it can.

    Attributes
    ----------
    states : States
    several : bool
    lock : RLock
        Held while an answer is recorded, and by whatever else writes to the file of answers.
    save : callable
        Writes the outputs now, rather than when the session is closed; does nothing unless it is replaced.
    closing : ExitStack
        What to do when the session is closed, before the file is closed.
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
        asks_labelled: bool = False,
        label_fault: Callable[[str], str | None] = lambda label: text_fault(label, "label"),
    ) -> None:
        self._texts, self._places = texts, places
        self._file, self._order, self._learner = file, order, learner
        self.several, self._asks_labelled, self._label_fault = several, asks_labelled, label_fault
        self._known = dict.fromkeys(known)
        self.lock = threading.RLock()
        self.states = States(texts, labels, file.answers)
        self._shown: dict[str, _Shown] = {}
        self._window_of: dict[int, str] = {}
        self._for_test: dict[int, bool] = {}  # whether a row was asked for the test set
        self._given_in: dict[str, list[tuple[int, Answer]]] = {}  # the answers of each window, the oldest first
        self._earlier = [
            (row, answer)
            for answer in file.answers
            if not answer.is_undone and (row := self.states.row_of(answer.digest)) is not None
        ]
        self._passed_again: set[int] = set()
        self.save: Callable[[], None] = lambda: None
        self.closing = ExitStack()
        self.closing.callback(file.close)
        self._learn()

    def ask(self, window: str) -> Question | None:
        """Return the text that a window shows, the next one if it shows none; None if there is none left.

        When all others are answered, skipped texts come back, once per run.

        Parameters
        ----------
        window : str
            A name of the window, made up by it. Two windows never show the same text, unless one of them has been
            silent for ten minutes, or for one if no other text is left.
        """
        with self.lock:
            if (shown := self._shown.get(window)) is None:
                found = self._next()
                return None if found is None else self._show(window, *found)
            return self._show(window, shown.row, shown.is_test)

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
            If the labels are not valid, such as two for a text that has one.
        OutputError
            If the answer cannot be written.
        """
        return self._keep(window, row, self._checked(labels), revision, note)

    def skip(self, window: str, row: int, *, revision: int, note: str = "") -> Question | None:
        """Skip a text, which keeps the labels that it has, and return the next one; see `answer`."""
        return self._keep(window, row, None, revision, note)

    def undo(self, window: str) -> Question | None:
        """Undo the last answer of a window, and return its text; None if there is nothing to undo.

        This restores an earlier answer, or the labels in the file. After its own answers, a window undoes those of
        earlier runs. An answer that another window has replaced since stays. The text that the window showed is asked
        again later.
        """
        with self.lock:
            for given in (self._given_in.get(window, []), self._earlier):
                while given:
                    row, answer = given[-1]
                    if self.states.last(row) is answer:
                        self._write(row, None, "", is_test=answer.is_test, is_undone=True)
                        given.pop()
                        self._passed_again.discard(row)
                        self._learn()
                        return self._show(window, row, answer.is_test)
                    given.pop()
            return None

    def leave(self, window: str) -> None:
        """Release the text that a window shows for other windows."""
        with self.lock:
            if (shown := self._shown.pop(window, None)) is not None:
                del self._window_of[shown.row]

    def take_over(self, row: int, labels: LabelSet | None, note: str) -> None:
        """Keep labels that were given elsewhere, such as in a spreadsheet; None undoes all answers about a text.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        with self.lock:
            last = self.states.last(row)
            is_test = last is not None and last.is_test
            if labels is not None:
                self._write(row, labels, note, is_test=is_test)
            while labels is None and self.states.last(row) is not None:
                self._write(row, None, "", is_test=is_test, is_undone=True)
            self._learn()

    def progress(self) -> Progress:
        """Return the progress. Equal texts count as often as they occur."""
        with self.lock:
            states = self.states
            n_skipped = sum(states.n_rows(row) for row in states.skipped if states.labels(row) is None)
            of_labels = dict(states.counts.most_common())
            known = Progress(len(self._texts), states.n_labelled, n_skipped, states.n_test, of_labels)
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

    def results(self) -> list[Result]:
        """Return the labels and the last answer of each row."""
        return self.snapshot()[0]

    def snapshot(self) -> tuple[list[Result], int]:
        """Return what is known of each row, and how many answers there are, at one moment."""
        with self.lock:  # for as little time as possible, since answers wait for it
            answered, n_answers = self.states.answered(), len(self._file.answers)
        return self.states.results(answered), n_answers

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that have been given or are known, in alphabetical order."""
        with self.lock:
            return tuple(sorted({*self._known, *self.states.counts}))

    def close(self) -> None:
        """Write the outputs, and release the file for another run. Closing twice is harmless."""
        self.closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _is_open(self, row: int) -> bool:
        states = self.states
        return (
            row not in self._window_of
            and states.first[row] == row
            and states.last(row) is None
            and (self._asks_labelled or not states.is_labelled(row))
        )

    def _next(self) -> tuple[int, bool] | None:
        self._leave_silent(LEASE_SECONDS)
        found = self._next_free()
        if found is None and self._leave_silent(LAST_LEASE_SECONDS):
            found = self._next_free()
        return found

    def _leave_silent(self, seconds: float) -> bool:
        """Release the texts of windows that have been silent; return whether there are any."""
        now = time.monotonic()
        silent = [window for window, shown in self._shown.items() if now - shown.time >= seconds]
        for window in silent:
            self.leave(window)
        return bool(silent)

    def _next_free(self) -> tuple[int, bool] | None:
        if (found := self._order.next(self._is_open)) is not None:
            return found
        for row in self.states.skipped:
            if row not in self._window_of and row not in self._passed_again:
                return row, self._is_for_test(row)
        return None

    def _show(self, window: str, row: int, is_test: bool) -> Question:
        if row in self._window_of:
            self.leave(self._window_of[row])
        self.leave(window)
        self._shown[window] = _Shown(row, is_test, time.monotonic())
        self._window_of[row], self._for_test[row] = window, is_test
        return self._question(row, is_test)

    def _is_for_test(self, row: int) -> bool:
        last = self.states.last(row)
        return self._for_test.get(row, False) if last is None else last.is_test

    def _question(self, row: int, is_test: bool) -> Question:
        last = self.states.last(row)
        guesses = () if is_test or self._learner is None else self._learner.guesses(row)
        guessed = {one.label for one in guesses}
        others = tuple(Guess(label, None) for label in self.labels if label not in guessed)
        return Question(
            row,
            self._places[row] if self._places else "",
            self._texts[row],
            guesses + others,
            self.states.labels(row),
            "" if last is None else last.note,
            is_test,
            self.states.revision(row),
        )

    def _keep(self, window: str, row: int, labels: LabelSet | None, revision: int, note: str) -> Question | None:
        if (fault := unicode_fault(note, "note")) is not None:
            raise ArgumentError(fault)
        with self.lock:
            if not 0 <= row < len(self._texts):
                raise ArgumentError(f"there is no text {row}")
            row, is_test = self.states.first[row], self._is_for_test(row)
            if revision != self.states.revision(row):
                if self._window_of.get(row) == window:
                    self.leave(window)
                raise AnsweredElsewhereError(self._question(row, is_test))
            if labels is None and row in self.states.skipped:
                self._passed_again.add(row)
            answer = self._write(row, labels, note, is_test=is_test)
            self._given_in.setdefault(window, []).append((row, answer))
            if row in self._window_of:
                self.leave(self._window_of[row])
            self._learn()
            return self.ask(window)

    def _checked(self, labels: LabelSet) -> LabelSet:
        if not all(isinstance(label, str) for label in labels) or isinstance(labels, str):
            raise ArgumentError("labels must be a list of strings")
        known = {*self._known, *self.states.counts}
        labels = tuple(sorted({label if label in known else label.strip() for label in labels}))
        if not self.several and len(labels) != 1:
            raise ArgumentError("a text must have exactly one label")
        for label in labels:
            if (fault := self._label_fault(label)) is not None:
                raise ArgumentError(fault)
        return labels

    def _write(self, row: int, labels: LabelSet | None, note: str, *, is_test: bool, is_undone: bool = False) -> Answer:
        answer = self._file.write(Answer(row, self.states.digests[row], labels, note, is_test, is_undone))
        self.states.add(row, answer)
        return answer

    def _learn(self) -> None:
        if self._learner is not None:
            self._learner.learn(dict(self.states.for_training), dict(self.states.for_test))
