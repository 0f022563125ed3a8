"""Labelling in the terminal, key by key."""

import logging
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

from embedclf.data.label_sets import LabelSet
from embedclf.errors import OutputError
from embedclf.labelling.answers import AnswersFile
from embedclf.labelling.orders import FileOrder
from embedclf.labelling.questions import Guess, Point
from embedclf.labelling.session import Session
from embedclf.printing.lines import width_of
from embedclf.stats.intervals import Interval
from labelling_terminal import (
    CTRL_C,
    CTRL_D,
    CTRL_Z,
    DOWN,
    ENTER,
    ERASE,
    ESC,
    LEFT,
    PAGE_DOWN,
    RIGHT,
    TAB,
    UP,
    labelling,
)

TEXTS = ["parcel?", "money back", "locked out", "late again"]
LABELS = ("delivery", "password", "refund")


def opened(
    texts: Sequence[str] = TEXTS,
    given: Sequence[LabelSet | None] | None = None,
    known: Sequence[str] = LABELS,
    **options: Any,
) -> Session:
    labels = [None] * len(texts) if given is None else given
    places = [f"inbox.csv:{line}" for line in range(2, len(texts) + 2)]
    order = FileOrder(len(texts))
    return Session(texts, labels, AnswersFile("out.csv"), order, known=known, places=places, **options)


def labels_of(session: Session) -> list[LabelSet | None]:
    return [labels for labels, _ in session.results()]


@dataclass
class Learned:
    """A learner that has learned."""

    sure: dict[str, float]
    curve: tuple[Point, ...] = ()
    test: Point | None = None
    advice: str = ""
    is_learning: bool = False

    def learn(self, labels: dict[int, LabelSet], test: dict[int, LabelSet]) -> None:
        """Learn nothing more."""

    def guesses(self, row: int) -> tuple[Guess, ...]:
        return tuple(Guess(label, sure) for label, sure in self.sure.items())


def test_what_stands_on_the_terminal(monkeypatch: pytest.MonkeyPatch):
    """Digits, letters, a new label, skipping, undoing and a note; it can all be read again."""
    with opened(learner=Learned({"refund": 0.834, "delivery": 0.16, "password": 0.006})) as session:
        with labelling(session, monkeypatch) as terminal:
            terminal.press("1")
            terminal.press("del", ENTER)
            terminal.press("+", "or password?", ENTER)
            terminal.press("lost key", ENTER)
            terminal.press(" ")
            terminal.press(LEFT)
            terminal.press(CTRL_C)
            assert terminal.has_ended
        assert labels_of(session) == [("refund",), ("delivery",), ("lost key",), None]
        assert session.results()[2][1].note == "or password?"
    labels = "1  refund     83 %\n2  delivery   16 %\n3  password   <1 %\n"
    more = labels + "4  lost key\n"
    assert terminal.shown() == (
        "A digit or letters choose a label, ? lists the keys, Ctrl-C stops.\n"
        f"\ninbox.csv:2 · 0 of 4 labelled\n  parcel?\n{labels}> refund\n"
        f"\ninbox.csv:3 · 1 of 4 labelled\n  money back\n{labels}> delivery\n"
        f"\ninbox.csv:4 · 2 of 4 labelled\n  locked out\n{labels}Note: or password?\n> lost key\n"
        f"\ninbox.csv:5 · 3 of 4 labelled\n  late again\n{more}Skipped\n"
        f"\ninbox.csv:5 · 3 of 4 labelled · 1 skipped\n  late again\n{more}Undid the last answer\n"
        f"\ninbox.csv:5 · 3 of 4 labelled\n  late again\n{more}\n"
    )


def test_letters_find_a_label(monkeypatch: pytest.MonkeyPatch):
    known = ["card_arrival", "card_linking", "lost_card", "Überweisung", "refund"]
    with opened(known=known) as session, labelling(session, monkeypatch) as terminal:
        assert terminal.press("c").endswith("> c   Enter: card_arrival · ↓ 2 others, new label")
        assert terminal.press("ard").endswith("> card   Enter: card_arrival · ↓ 2 others, new label")
        assert terminal.press(DOWN, DOWN).endswith("> card   Enter: lost_card · ↓ new label")
        assert terminal.press(DOWN).endswith("> card   Enter: new label")
        assert terminal.press(UP).endswith("> card   Enter: lost_card · ↓ new label")
        listed = "> card\ncard_arrival  card_linking  lost_card\n> card   Enter: lost_card · ↓ new label"
        assert terminal.press(TAB) == listed
        terminal.press(ENTER)
        assert terminal.press("uber").endswith("> uber   Enter: Überweisung · ↓ new label")
        assert terminal.press(ERASE * 5).endswith(">")
        assert terminal.press("xy").endswith("> xy   Enter: new label")
        assert terminal.press("\x15").endswith(">")
        terminal.press("REFUND", ENTER)
        assert labels_of(session) == [("lost_card",), ("refund",), None, None]


def test_a_label_that_is_spelt_nearly_alike(monkeypatch: pytest.MonkeyPatch):
    with opened() as session, labelling(session, monkeypatch) as terminal:
        assert terminal.press("refudn").endswith("> refudn   Enter: refund, spelt similarly · ↓ new label")
        assert terminal.press(DOWN).endswith("> refudn   Enter: new label, spelt almost like refund")
        terminal.press(UP, ENTER)
        assert terminal.press("Refund!").endswith("> Refund!   Enter: refund, spelt similarly · ↓ new label")
        terminal.press(DOWN, ENTER)
        assert labels_of(session) == [("refund",), ("Refund!",), None, None]


def test_before_there_are_labels(monkeypatch: pytest.MonkeyPatch):
    """Then a digit begins a label."""
    with opened(known=()) as session, labelling(session, monkeypatch) as terminal:
        assert "\nThere are no labels yet. Type the first one and press Enter.\n>" in terminal.shown()
        assert terminal.press(DOWN, ENTER).endswith(">    A digit or letters choose a label, Space skips the text.")
        assert terminal.press("2 stars").endswith("> 2 stars   Enter: new label")
        assert terminal.press(ENTER).endswith("\n1  2 stars\n>")
        terminal.press("1")
        assert labels_of(session) == [("2 stars",), ("2 stars",), None, None]


def test_more_labels_than_digits(monkeypatch: pytest.MonkeyPatch):
    known = [f"label {number:02}" for number in range(77)]
    with opened(known=known) as session, labelling(session, monkeypatch) as terminal:
        assert terminal.shown().endswith("9  label 08\n…  68 more (Tab lists them)\n>")
        listed = terminal.press(TAB).splitlines()
        assert listed[1] == "  ".join(f"label {number:02}" for number in range(0, 77, 10))
        assert len(listed) == 12
        terminal.press("0")  # no label has this digit
        terminal.press(ESC)
        terminal.press("7")
        assert labels_of(session)[0] == ("label 06",)
    assert "7  label 06" in terminal.shown()


def test_several_labels(monkeypatch: pytest.MonkeyPatch):
    """Digits choose and unchoose, and Enter goes on; that none is meant is asked once more."""
    given: list[LabelSet | None] = [None, ("delivery", "refund"), None, ()]
    with opened(given=given, several=True, asks_labelled=True) as session:
        with labelling(session, monkeypatch) as terminal:
            assert terminal.press("3").endswith("[refund] >    Enter: save 1 label")
            assert terminal.press("1").endswith("[refund] [delivery] >    Enter: save 2 labels")
            assert terminal.press("3").endswith("[delivery] >    Enter: save 1 label")
            assert terminal.press("new one").endswith("[delivery] > new one   Enter: new label")
            assert terminal.press(ENTER).endswith("[delivery] [new one] >    Enter: save 2 labels")
            shown = terminal.press(ENTER)
            assert "> delivery, new one\n" in shown
            assert shown.endswith(
                "  money back\n1  delivery  current\n2  new one\n3  password\n4  refund    current\n"
                "[delivery] [refund] >    Enter: keep these"
            )
            assert "[delivery] [refund] [password] > " in terminal.press("3")
            terminal.press(ENTER)
            assert terminal.press(ENTER).endswith(">    No label is selected. Enter again: it has none.")
            assert terminal.press(ENTER).endswith(">    Enter: keep no label")
            terminal.press(ENTER)
        assert labels_of(session) == [("delivery", "new one"), ("delivery", "password", "refund"), (), ()]


def test_an_answer_that_is_taken_back_is_chosen_again(monkeypatch: pytest.MonkeyPatch):
    with opened(several=True) as session, labelling(session, monkeypatch) as terminal:
        terminal.press("1", "3", ENTER)
        shown = terminal.press(CTRL_Z)
        assert "Undone: delivery, refund\n" in shown
        assert shown.endswith("[delivery] [refund] >    Enter: save 2 labels")
        assert terminal.press(ERASE).startswith("There is nothing to undo.\n[delivery] [refund] >")


def test_checking_labels(monkeypatch: pytest.MonkeyPatch):
    """Enter keeps the label that a text has."""
    given: list[LabelSet | None] = [("refund",), ("refund",), ("password",), ("password",)]
    learner = Learned({"refund": 0.6, "delivery": 0.4}, advice="4 texts may have a wrong label.")
    with opened(given=given, asks_labelled=True, learner=learner) as session:
        with labelling(session, monkeypatch) as terminal:
            assert terminal.shown().endswith(
                "\n\n4 texts may have a wrong label.\ninbox.csv:2\n  parcel?\n"
                "1  refund     60 %  current\n2  delivery   40 %\n3  password\n>    Enter: keep refund"
            )
            terminal.press("2")
            assert "> refund\n" in terminal.press(ENTER)
        assert labels_of(session) == [("delivery",), ("refund",), ("password",), ("password",)]
    assert terminal.shown().count("may have a wrong label") == 1


def test_q_ends_unless_it_begins_a_label(monkeypatch: pytest.MonkeyPatch):
    with opened(known=("question", "refund")) as session:
        with labelling(session, monkeypatch) as terminal:
            assert terminal.press("q").endswith("> q   Enter: finish · ↓ 1 other, new label")
            assert terminal.press("u").endswith("> qu   Enter: question · ↓ new label")
            terminal.press(ENTER)
            terminal.press("q", ENTER)
            assert terminal.has_ended
        assert labels_of(session) == [("question",), None, None, None]


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D])
def test_ends_at_once(monkeypatch: pytest.MonkeyPatch, key: str):
    with opened() as session, labelling(session, monkeypatch) as terminal:
        terminal.press("del", key)
        assert terminal.has_ended
        assert labels_of(session) == [None] * 4


def test_what_the_labels_bring_is_said_as_it_changes(monkeypatch: pytest.MonkeyPatch):
    learner = Learned({"refund": 0.5})
    with opened(learner=learner) as session, labelling(session, monkeypatch) as terminal:
        assert "Accuracy" not in terminal.shown()
        learner.curve = (Point(20, 0.7131, Interval(0.652, 0.768)),)
        learner.advice = "More labels still help."
        said = "Accuracy 71.3 % (65.2 to 76.8 %), out of fold on 20 labelled texts\n"
        assert terminal.press("1").startswith(f"> refund\n\n{said}More labels still help.\ninbox.csv:3")
        assert terminal.press("1").startswith("> refund\n\ninbox.csv:4")
        learner.test = Point(30, 0.7, Interval(0.52, 0.833))
        said = "Accuracy on the test set 70.0 % (52.0 to 83.3 %): 30 random texts that the\n  classifier has not seen\n"
        assert terminal.press("1").startswith(f"> refund\n\n{said}inbox.csv:5")


def test_keys_pressed_before_a_text_is_there_are_not_meant_for_it(monkeypatch: pytest.MonkeyPatch):
    with opened() as session, labelling(session, monkeypatch) as terminal:
        terminal.send("1111refund\r", 1)
        assert labels_of(session) == [("delivery",), None, None, None]
        terminal.press("2")
        assert labels_of(session) == [("delivery",), ("password",), None, None]
        terminal.send(f"11{CTRL_C}", 1)  # but this key is
        assert terminal.has_ended
        assert labels_of(session) == [("delivery",), ("password",), ("delivery",), None]


def test_erasing_what_is_typed_takes_no_answer_back(monkeypatch: pytest.MonkeyPatch):
    with opened() as session, labelling(session, monkeypatch) as terminal:
        terminal.press("1")
        terminal.press("xy", ERASE * 4)
        assert labels_of(session)[0] == ("delivery",)
        terminal.press(LEFT)
        assert labels_of(session)[0] is None


def test_a_long_text_is_shown_in_parts(monkeypatch: pytest.MonkeyPatch):
    texts = [" ".join(f"word{number}" for number in range(200)), "short"]
    with opened(texts) as session, labelling(session, monkeypatch, columns=40) as terminal:
        first = terminal.shown()
        assert first.count("  word") == 15
        assert "\n… (Page ↓ shows more of the 1,489\n  characters)\n1  delivery\n" in first
        assert terminal.press(PAGE_DOWN).count("\n  word") == 22
        last = terminal.press("\x06")
        assert "word199\n1  delivery\n" in last
        assert terminal.press(PAGE_DOWN) == ">"
        assert "  short\n" in terminal.press("1")
    assert re.findall(r"word\d+", terminal.shown()) == [f"word{number}" for number in range(200)]


UGLY = [
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred \u202eevil\u202c\x9b1m",
    "\n\nline\r\n> refund\n\n1  refund\tx\u2028y",
    "注文した商品がまだ届いていません。" * 12,
    "👨‍👩‍👧 family 👍🏽 e\u0301te\u0301 " * 20,
    "איפה החבילה שלי? " * 20,
    "w" * 700,
    "   " + "a" * 37 + " b",
]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_whatever_is_in_a_text_stays_in_its_place(monkeypatch: pytest.MonkeyPatch, columns: int):
    known = ["x" * 300, "注文" * 60, "a\x1b[31m\tb"]
    with opened(UGLY, known=known) as session, labelling(session, monkeypatch, columns, rows=60) as terminal:
        for number in range(len(UGLY)):
            terminal.press(TAB)
            terminal.press(str(number % 3 + 1))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.written)
    assert not set(plain) & set("\x1b\x07\x9b\u202e\u2028")
    assert max(width_of(line) for line in re.split("[\r\n]+", plain)) <= columns
    shown = terminal.shown()
    assert "  \\x1b]0;owned\\x07\\x1b[2J\\x1b[31mred" in shown
    assert "\n  line\n  > refund\n\n  1  refund   x\\u2028y\n" in shown
    assert "\n  " + "w" * (columns - 2) + "\n" in shown


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_nothing_but_text_is_written(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]):
    term = environment.get("TERM", "xterm")
    for name in {"NO_COLOR"} & set(environment):
        monkeypatch.setenv(name, "1")
    with opened() as session, labelling(session, monkeypatch, term=term) as terminal:
        terminal.press("del", DOWN, TAB, ESC)
        terminal.press("?", "1")
    assert "\x1b" not in terminal.written


def test_colours(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    with opened() as session, labelling(session, monkeypatch) as terminal:
        terminal.press("del")
    assert "\x1b[2minbox.csv:2 · 0 of 4 labelled\x1b[0m" in terminal.written
    assert "\x1b[1m1\x1b[0m  delivery" in terminal.written
    assert "\r> del   \x1b[2mEnter: delivery · ↓ new label\x1b[0m" in terminal.written


def test_the_keys_are_listed(monkeypatch: pytest.MonkeyPatch):
    with opened() as session, labelling(session, monkeypatch) as terminal:
        shown = terminal.press("?")
        assert shown.startswith(">\n1 … 9           give the label with that digit\nletters   ")
        assert shown.endswith("Every answer is saved already\n1  delivery\n2  password\n3  refund\n>")
    with opened(several=True) as session, labelling(session, monkeypatch) as terminal:
        assert "\n1 … 9           select or deselect the label with that digit\n" in terminal.press("?")


def test_a_note_can_be_changed_and_left(monkeypatch: pytest.MonkeyPatch):
    with opened() as session, labelling(session, monkeypatch) as terminal:
        terminal.press("+", "hn", ERASE, "m é", ENTER)
        terminal.press("1")
        assert "\n  parcel?\nNote: hm é\n1  delivery" in terminal.press(LEFT)
        assert terminal.press("+").endswith("Note: hm é   Enter: save the note")
        assert terminal.press(" no", ESC).endswith("Note: hm é\n>")
        terminal.press("1")
        assert session.results()[0][1].note == "hm é"
        assert terminal.press("+", "x", ERASE, ENTER).endswith("No note\n>")
        assert terminal.send("+a\n1 more\nthan a note", 3).endswith("Note: a\n>")  # pasted
        assert "Skipped\n" in terminal.press(RIGHT)
        assert terminal.press(LEFT).startswith("Undid the last answer")


def test_what_others_say_meanwhile_comes_before_the_next_text(monkeypatch: pytest.MonkeyPatch):
    logger, heard = logging.getLogger("embedclf"), []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        with opened() as session, labelling(session, monkeypatch) as terminal:
            logger.warning("disk full")
            terminal.press("de")
            assert not heard
            terminal.press(ENTER)
            assert heard == ["disk full"]
            logger.warning("still full")
        assert heard == ["disk full", "still full"]
    finally:
        logger.removeHandler(handler)


def test_a_label_that_was_edited_meanwhile_holds(monkeypatch: pytest.MonkeyPatch):
    with opened() as session, labelling(session, monkeypatch) as terminal:
        session.take_over(0, ("password",), "")
        shown = terminal.press("1")
        assert shown.startswith("Already labelled password elsewhere; your answer was not saved.\n\ninbox.csv:3")
        assert labels_of(session)[0] == ("password",)


def test_an_answer_that_cannot_be_kept(monkeypatch: pytest.MonkeyPatch):
    """It is said, and the text stays."""
    with opened() as session, labelling(session, monkeypatch) as terminal:
        write = AnswersFile.write

        def full(*_: object) -> None:
            raise OutputError("cannot write out.csv.answers: No space left on device", path="out.csv.answers")

        monkeypatch.setattr(AnswersFile, "write", full)
        assert terminal.press("1") == "\nNot saved: cannot write out.csv.answers: No space left on device\n>"
        monkeypatch.setattr(AnswersFile, "write", write)
        terminal.press("1")
        monkeypatch.setattr(AnswersFile, "write", full)
        assert terminal.press(LEFT) == "\nNot saved: cannot write out.csv.answers: No space left on device\n>"
        assert labels_of(session)[0] == ("delivery",)


def test_a_label_that_cannot_be(monkeypatch: pytest.MonkeyPatch):
    with opened(label_fault=lambda label: "no stars, please" if "*" in label else None) as session:
        with labelling(session, monkeypatch) as terminal:
            assert terminal.press("*", ENTER) == "\nNot saved: no stars, please\n> *   Enter: new label"
            terminal.press(ESC)
            terminal.press("1")
        assert labels_of(session)[0] == ("delivery",)


def test_nothing_left(monkeypatch: pytest.MonkeyPatch):
    with opened(["parcel?"]) as session, labelling(session, monkeypatch) as terminal:
        assert terminal.press("1").endswith("\n\nNo texts left.\n>    Enter: finish · ←: undo the last answer")
        assert "  parcel?\n" in terminal.press(LEFT)
        shown = terminal.press(" ")
        assert "· 1 skipped\n  parcel?\n" in shown
        assert terminal.press(" ").startswith("Skipped\n\nNo texts left, but 1 text skipped.\n")
        terminal.press(CTRL_Z)
        terminal.press("2")
        terminal.press(ENTER)
        assert terminal.has_ended
        assert labels_of(session) == [("password",)]


def test_a_terminal_that_is_made_narrower(monkeypatch: pytest.MonkeyPatch):
    texts = ["word " * 30, "other " * 30]
    with opened(texts) as session, labelling(session, monkeypatch, columns=120) as terminal:
        assert max(map(width_of, terminal.shown().splitlines())) > 100
        monkeypatch.setenv("COLUMNS", "50")
        shown = terminal.press("password and delivery and more", ENTER)
    assert max(map(width_of, shown.splitlines())) <= 50


def test_characters_and_keys_that_come_in_parts(monkeypatch: pytest.MonkeyPatch):
    """Over a slow connection; and keys that mean nothing here mean nothing."""
    with opened(known=("übel",)) as session, labelling(session, monkeypatch) as terminal:
        terminal.send("ü".encode()[:1], 0)
        terminal.send("ü".encode()[1:] + b"x\x1b[1;5C\x1bOP\x01\x1bx", 2)
        assert terminal.press(ERASE).endswith("> ü   Enter: übel · ↓ new label")
        os.write(terminal._master, b"\x1b")
        assert terminal.send(b"[B", 1).endswith("> ü   Enter: new label")
