"""Labelling in the terminal: texts and answers scroll by, and can be read again."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import MemoryHandler

import click

from embedclf.cli import keys
from embedclf.cli.keys import Keys
from embedclf.cli.label_entry import Act, LabelEntry
from embedclf.cli.screen import echo
from embedclf.cli.text_to_label import ShownProgress, ShownText, list_labels, show_keys, shown_label
from embedclf.cli.typed_line import TypedLine
from embedclf.data.label_sets import LabelSet
from embedclf.errors import ArgumentError, OutputError
from embedclf.formatting import counted
from embedclf.labelling.questions import Question
from embedclf.labelling.session import AnsweredElsewhereError, Session

_WINDOW = "terminal"
_MOST_HELD_BACK = 10_000
_MOST_CHARACTERS_OF_NOTE = 2000


def check_terminal(dataset: str) -> None:
    """Check that keys can be read and texts be shown.

    Raises
    ------
    click.UsageError
        If they cannot.
    """
    if dataset == "-":
        raise click.UsageError("--terminal reads keys from standard input, so FILE cannot be -.")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        which = "standard error" if sys.stdin.isatty() else "standard input"
        raise click.UsageError(f"--terminal needs a terminal, but {which} is not one. Without it, a page is opened.")


def label_in_terminal(session: Session) -> None:
    """Ask for the labels of one text after the other until the person ends it."""
    with _held_back() as say_messages, Keys() as pressed:
        _Dialogue(session, pressed, say_messages).run()


@contextmanager
def _held_back() -> Iterator[Callable[[], None]]:
    """Hold back log messages of other threads, so that they do not disturb the typing; yield what prints them."""
    logger = logging.getLogger("embedclf")
    before = list(logger.handlers)
    held = [MemoryHandler(_MOST_HELD_BACK, logging.CRITICAL + 1, one) for one in before]
    logger.handlers[:] = held

    def say() -> None:
        for one in held:
            one.flush()

    try:
        yield say
    finally:
        logger.handlers[:] = before
        say()


class _Dialogue:
    def __init__(self, session: Session, pressed: Keys, say_messages: Callable[[], None]) -> None:
        self._session, self._keys, self._say_messages = session, pressed, say_messages
        self._several = session.several
        self._line, self._progress = TypedLine(), ShownProgress(several=self._several)
        # What was answered here, by row, so that an answer that is undone can be corrected.
        self._answered: dict[int, tuple[LabelSet, str]] = {}

    def run(self) -> None:
        """Ask until the person ends it."""
        echo("A digit or letters choose a label, ? lists the keys, Ctrl-C stops.", err=True)
        question = self._session.ask(_WINDOW)
        is_going = True
        while is_going:
            echo(err=True)
            self._say_messages()
            self._progress.show(self._session.progress())
            question, is_going = self._end() if question is None else self._ask(question)

    def _end(self) -> tuple[Question | None, bool]:
        """Wait for the end, or for the last answer to be undone."""
        n_skipped = self._session.progress().n_skipped
        skipped = f", but {counted(n_skipped, 'text')} skipped" if n_skipped else ""
        echo(f"No texts left{skipped}.", err=True)
        self._keys.settle()
        while True:
            self._line.draw("> ", hint="Enter: finish · ←: undo the last answer")
            key = self._keys.read()
            if key in (keys.ENTER, keys.END, "q"):
                self._line.end("")
                return None, False
            if key in (keys.LEFT, keys.ERASE, keys.UNDO) and (question := self._undo()) is not None:
                return question, True

    def _ask(self, question: Question) -> tuple[Question | None, bool]:
        """Return the next question, and whether the person continues."""
        before, note = self._answered.get(question.row, ((), question.note))
        chosen = (question.labels if question.labels is not None else before) if self._several else ()
        entry = LabelEntry(question, several=self._several, chosen=chosen)
        shown = ShownText(question)
        shown.show(self._session.progress(), note)
        self._keys.settle()
        while True:
            self._line.draw(*entry.line())
            act = entry.press(self._keys.read())
            if act is Act.ANSWER or act is Act.SKIP:
                labels = None if act is Act.SKIP else tuple(entry.chosen)
                if (kept := self._keep(question, labels, note)) is not None:
                    return kept
            elif act is Act.UNDO:
                if (last := self._undo()) is not None:
                    return last, True
            elif act is Act.NOTE:
                note = self._note(note)
            elif act is Act.END:
                self._line.end("")
                return None, False
            elif act is not None:
                self._tell(act, entry, shown)

    def _keep(self, question: Question, labels: LabelSet | None, note: str) -> tuple[Question | None, bool] | None:
        """Keep an answer, and return what follows; None if it cannot be kept."""
        row, revision = question.row, question.revision
        try:
            if labels is None:
                following = self._session.skip(_WINDOW, row, revision=revision, note=note)
            else:
                following = self._session.answer(_WINDOW, row, labels, revision=revision, note=note)
        except AnsweredElsewhereError as error:
            now = error.question.labels
            self._line.end(
                f"Already labelled {_joined(now)} elsewhere; your answer was not saved." if now else "It has changed."
            )
            return self._session.ask(_WINDOW), True
        except (ArgumentError, OutputError) as error:
            self._say_not_saved(error)
            return None
        if labels is None:
            self._line.end("Skipped")
            self._answered.pop(row, None)
        else:
            self._line.end(f"> {_joined(labels)}")
            self._answered[row] = labels, note
        return following, True

    def _undo(self) -> Question | None:
        """Undo the last answer, and return its question; None if there is none, or it cannot be undone."""
        try:
            question = self._session.undo(_WINDOW)
        except OutputError as error:
            self._say_not_saved(error)
            return None
        if question is None:
            self._line.end("There is nothing to undo.")
        else:
            labels, _ = self._answered.get(question.row, (None, ""))
            self._line.end("Undid the last answer" if labels is None else f"Undone: {_joined(labels)}")
        return question

    def _say_not_saved(self, error: Exception) -> None:
        self._line.end("")
        echo(f"Not saved: {error}", err=True)

    def _note(self, note: str) -> str:
        """Let the person edit a note, and return it; Esc leaves it as it was."""
        typed = note
        while True:
            self._line.draw("Note: ", typed, "Enter: save the note")
            key = self._keys.read()
            if key in (keys.CLEAR, keys.END):
                self._line.end(f"Note: {note}" if note else "")
                return note
            if key == keys.ENTER:
                note = typed.strip()
                self._line.end(f"Note: {note}" if note else "No note")
                self._keys.settle()  # the rest of what was pasted is no answer
                return note
            if key == keys.ERASE:
                typed = typed[:-1]
            elif len(key) == 1:
                typed = (typed + key)[:_MOST_CHARACTERS_OF_NOTE]

    def _tell(self, act: Act, entry: LabelEntry, shown: ShownText) -> None:
        if act is Act.MORE and not shown.has_more:
            return
        self._line.leave(*entry.line()[:2])
        if act is Act.MORE:
            shown.show_more()
        elif act is Act.LIST:
            list_labels(entry.matches)
            return
        else:
            show_keys(several=self._several)
        shown.show_labels()


def _joined(labels: LabelSet) -> str:
    return ", ".join(map(shown_label, labels)) or "no label"
