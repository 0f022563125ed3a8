"""A session of labelling: what is asked, in which window, and what becomes of the answers."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from embedclf.data.label_sets import LabelSet
from embedclf.errors import ArgumentError, OutputError
from embedclf.labelling import session as session_module
from embedclf.labelling.answers import AnswersFile, answers_beside, digest_of
from embedclf.labelling.orders import FileOrder
from embedclf.labelling.session import AnsweredElsewhereError, Session

TEXTS = ["parcel?", "money back", "locked out", "late again"]


def opened(texts: Sequence[str] = TEXTS, given: Sequence[LabelSet | None] | None = None, **options: object) -> Session:
    labels = [None] * len(texts) if given is None else given
    return Session(texts, labels, AnswersFile("out.csv"), FileOrder(len(texts)), **options)


def labels_of(session: Session) -> list[LabelSet | None]:
    return [labels for labels, _ in session.results()]


def answer(session: Session, window: str, label: str, note: str = "") -> int | None:
    """Answer what a window shows, and return the next row."""
    shown = session.ask(window)
    following = session.answer(window, shown.row, (label,), revision=shown.revision, note=note)
    return None if following is None else following.row


def skip(session: Session, window: str) -> int | None:
    shown = session.ask(window)
    following = session.skip(window, shown.row, revision=shown.revision)
    return None if following is None else following.row


def test_an_answer_is_on_disk_before_the_next_text():
    with opened() as session:
        assert session.ask("a").row == 0
        assert answer(session, "a", "delivery", note="or refund?") == 1
        head, line = answers_beside("out.csv").read_text().splitlines()
    assert json.loads(head) == {"embedclf": "answers", "format": 1}
    record = json.loads(line)
    del record["time"]
    assert record == {"row": 0, "text": digest_of("parcel?"), "labels": ["delivery"], "note": "or refund?"}


def test_what_was_answered_is_gone_on_with():
    with opened() as session:
        answer(session, "a", "delivery", note="hm")
        skip(session, "a")
    with opened() as session:
        assert session.ask("b").row == 2
        assert labels_of(session) == [("delivery",), None, None, None]
        assert session.results()[0][1].note == "hm"
        assert session.labels == ("delivery",)


def test_answers_follow_their_texts():
    """Rows may have been moved, added and removed since."""
    with opened() as session:
        answer(session, "a", "delivery")
        answer(session, "a", "refund")
    with opened(["new", "money back", "locked out"]) as session:
        assert labels_of(session) == [None, ("refund",), None]
        assert session.states.n_gone == 1
    with opened() as session:
        assert labels_of(session) == [("delivery",), ("refund",), None, None]


def test_equal_texts_are_asked_once():
    with opened(["a", "b", "a", "b", "c"], [None, ("x",), None, None, None]) as session:
        assert session.progress().n_labelled == 2
        assert answer(session, "w", "y") == 4
        assert answer(session, "w", "z") is None
        assert labels_of(session) == [("y",), ("x",), ("y",), ("x",), ("z",)]
        assert session.progress().of_labels == {"x": 2, "y": 2, "z": 1}


def test_equal_texts_with_different_labels_are_asked_if_one_has_none():
    with opened(["a", "a", "a", "b", "b"], [("x",), ("y",), None, ("x",), ("y",)]) as session:
        assert labels_of(session) == [("x",), ("y",), None, ("x",), ("y",)]
        assert session.progress().of_labels == {"x": 2, "y": 2}
        assert session.ask("w").row == 0
        assert answer(session, "w", "y") is None
        assert labels_of(session) == [("y",), ("y",), ("y",), ("x",), ("y",)]


def test_two_windows_show_different_texts():
    with opened() as session:
        assert [session.ask(window).row for window in "abab"] == [0, 1, 0, 1]
        session.leave("a")
        assert session.ask("c").row == 2
        assert answer(session, "c", "x") == 3
        assert answer(session, "c", "x") == 0


def test_two_windows_do_not_overwrite_each_other():
    with opened() as session:
        shown = session.ask("a")
        session.answer("b", shown.row, ("refund",), revision=0)
        with pytest.raises(AnsweredElsewhereError, match="another window has already answered") as raised:
            session.answer("a", shown.row, ("delivery",), revision=shown.revision)
        assert raised.value.question.labels == ("refund",)
        assert labels_of(session)[0] == ("refund",)
        session.answer("a", shown.row, ("delivery",), revision=raised.value.question.revision)
        assert labels_of(session)[0] == ("delivery",)


def test_a_window_that_was_closed_locks_no_text(monkeypatch: pytest.MonkeyPatch):
    with opened(["one", "two"]) as session:
        session.ask("gone")
        assert answer(session, "b", "x") is None
        monkeypatch.setattr(session_module, "LAST_LEASE_SECONDS", 0.0)
        assert session.ask("b").row == 0
        # It was not gone after all: whoever is first is right.
        session.answer("gone", 0, ("y",), revision=0)
        with pytest.raises(AnsweredElsewhereError):
            session.answer("b", 0, ("x",), revision=0)
        assert session.ask("b") is None


def test_after_ten_minutes_a_text_is_asked_elsewhere(monkeypatch: pytest.MonkeyPatch):
    with opened() as session:
        session.ask("gone")
        assert session.ask("b").row == 1
        monkeypatch.setattr(session_module, "LEASE_SECONDS", 0.0)
        answer(session, "b", "x")
        answer(session, "b", "x")
        answer(session, "b", "x")
        assert session.ask("b").row == 0


def test_undo_takes_back_one_answer_after_the_other():
    with opened() as session:
        for label in "xyz":
            answer(session, "a", label)
        assert [session.undo("a").row for _ in range(3)] == [2, 1, 0]
        assert session.undo("a") is None
        assert labels_of(session) == [None] * 4
        assert session.labels == ()
        assert answer(session, "a", "w") == 1
        assert labels_of(session)[0] == ("w",)
    with opened() as session:
        assert labels_of(session) == [("w",), None, None, None]


def test_undo_brings_back_what_held_before():
    """An earlier answer, or the label in the file, also after a restart."""
    with opened(["a", "b"], [("x",), None], asks_labelled=True) as session:
        answer(session, "w", "y")
        session.answer("w", 0, ("z",), revision=1, note="sure")
        again = session.undo("w")
        assert (again.row, again.labels, again.note, again.revision) == (0, ("y",), "", 3)
    with opened(["a", "b"], [("x",), None], asks_labelled=True) as session:
        assert labels_of(session)[0] == ("y",)
        assert session.undo("w").labels == ("x",)
        assert labels_of(session)[0] == ("x",)
        assert session.progress().of_labels == {"x": 1}


def test_undo_in_one_window_spares_the_answers_of_others():
    with opened() as session:
        answer(session, "a", "x")  # row 0
        answer(session, "b", "y")
        answer(session, "a", "z")
        last = session.progress().n_labelled
        session.answer("b", 0, ("theirs",), revision=1)
        assert last == session.progress().n_labelled
        session.undo("a")
        assert session.undo("a") is None
        assert labels_of(session)[0] == ("theirs",)


def test_a_window_takes_back_what_an_earlier_run_answered_last():
    with opened() as session:
        answer(session, "a", "x")
        answer(session, "a", "y")
    with opened() as session:
        answer(session, "b", "z")
        assert [session.undo("b").row for _ in range(3)] == [2, 1, 0]


def test_a_skip_can_be_taken_back():
    with opened() as session:
        assert skip(session, "a") == 1
        assert session.progress().n_skipped == 1
        assert session.undo("a").row == 0
        assert session.progress().n_skipped == 0


def test_skipped_texts_come_again_once_when_nothing_else_is_left():
    with opened(["one", "two", "three"]) as session:
        assert skip(session, "a") == 1
        assert answer(session, "a", "x") == 2
        assert skip(session, "a") == 0
        assert skip(session, "a") == 2
        assert answer(session, "a", "y") is None
        assert session.ask("a") is None
    with opened(["one", "two", "three"]) as session:
        assert session.ask("a").row == 0
        assert session.progress().n_skipped == 1


def test_a_skipped_text_keeps_the_label_of_the_file():
    with opened(["a"], [("x",)], asks_labelled=True) as session:
        skip(session, "w")
        assert labels_of(session) == [("x",)]
        assert session.progress().of_labels == {"x": 1}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((), "a text must have exactly one label"),
        (("a", "b"), "a text must have exactly one label"),
        ((" ",), "the label is empty"),
        (("\ud800",), "half a character"),
        ("ab", "list of strings"),
        ((1,), "list of strings"),
    ],
)
def test_labels_that_cannot_be(labels: LabelSet, message: str):
    with opened() as session, pytest.raises(ArgumentError, match=message):
        session.answer("a", 0, labels, revision=0)


def test_a_note_that_cannot_be_written_is_refused():
    with opened() as session, pytest.raises(ArgumentError, match="the note contains half a character"):
        session.answer("a", 0, ("x",), revision=0, note="\ud800")


def test_texts_may_have_several_labels_or_none():
    with opened(several=True) as session:
        session.answer("a", 0, (" b ", "a", "b"), revision=0)
        session.answer("a", 1, (), revision=0)
        assert labels_of(session)[:2] == [("a", "b"), ()]
        assert session.progress().n_labelled == 2


def test_many_threads_answer_each_text_once():
    texts = [f"text {number}" for number in range(120)]
    with opened(texts) as session:

        def label(window: str) -> None:
            while (shown := session.ask(window)) is not None:
                session.answer(window, shown.row, (window,), revision=shown.revision)

        threads = [threading.Thread(target=label, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session.progress().n_labelled == 120
        assert sum(session.progress().of_labels.values()) == 120
    assert len(answers_beside("out.csv").read_text().splitlines()) == 121


class Watched(list):
    """Texts that count how often they are looked at."""

    n_read = 0

    def __getitem__(self, index):
        self.n_read += 1
        return super().__getitem__(index)


def test_a_key_press_looks_at_few_texts():
    """Not at all 50,000."""
    texts = Watched(f"text {number}" for number in range(50_000))
    given: Watched = Watched([None] * 50_000)
    with Session(texts, given, AnswersFile("out.csv"), FileOrder(50_000)) as session:
        session.ask("a")
        texts.n_read = given.n_read = 0
        for label in "xyzxyzxyz":
            answer(session, "a", label)
            session.progress()
        session.undo("a")
        assert texts.n_read + given.n_read < 100


KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
from test_session import *
session = opened([f"text {{number}}" for number in range(1000)])
for number in range(1000):
    answer(session, "a", f"label {{number}}")
    print(number, flush=True)
    if number == {last}:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def run_until_killed(last: int) -> int:
    """Label in a process of its own until it is killed, and return how many answers it said to be kept."""
    code = KILLED.format(here=str(Path(__file__).parent), last=last)
    n_said = 0
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        for _ in process.stdout:
            n_said += 1
            if last < 0 and n_said == -last:
                process.send_signal(signal.SIGKILL)  # wherever it is
    assert process.returncode == -signal.SIGKILL
    return n_said


@pytest.mark.parametrize("last", [4, pytest.param(-40, marks=[pytest.mark.exhaustive, pytest.mark.slow])])
def test_a_killed_process_has_lost_nothing(last: int):
    for _ in range(1 if last > 0 else 10):
        n_said = run_until_killed(last)
        with opened([f"text {number}" for number in range(1000)]) as session:
            kept = labels_of(session)
            assert kept[:n_said] == [(f"label {number}",) for number in range(n_said)]
            assert sum(one is not None for one in kept) in (n_said, n_said + 1)
        answers_beside("out.csv").unlink()


def test_a_line_that_was_cut_off_is_dropped():
    with opened() as session:
        answer(session, "a", "x")
        answer(session, "a", "y")
    path = answers_beside("out.csv")
    whole = path.read_bytes()
    for cut in range(1, len(whole.splitlines(keepends=True)[-1])):
        path.write_bytes(whole[:-cut])
        with opened() as session:
            assert labels_of(session)[:2] == [("x",), None]
            answer(session, "a", "z")
        with opened() as session:
            assert labels_of(session)[:2] == [("x",), ("z",)]
    path.write_bytes(whole[:9])
    with opened() as session:
        answer(session, "a", "x")
    with opened() as session:
        assert labels_of(session)[0] == ("x",)


def test_a_damaged_line_is_named():
    with opened() as session:
        answer(session, "a", "x")
        answer(session, "a", "y")
    path = answers_beside("out.csv")
    lines = path.read_text().splitlines()
    for damaged in ("{", "[]", "{}", lines[1].replace('["x"]', '"x"'), lines[1].replace('"row": 0', '"row": -1')):
        path.write_text("\n".join([lines[0], damaged, lines[2], ""]))
        with pytest.raises(OutputError, match=r"^out\.csv\.answers:2 is damaged: delete this line"):
            AnswersFile("out.csv")


def test_one_run_at_a_time():
    with opened(), pytest.raises(OutputError, match=r"^out\.csv is being labelled by another run"):
        AnswersFile("out.csv")
    with opened():
        pass


@pytest.mark.parametrize("content", ["text,label\n", "text", '{"embedclf": "answers", "format": 2}\n'])
def test_a_file_of_others_is_not_touched(content: str):
    path = answers_beside("out.csv")
    path.write_text(content)
    with pytest.raises(OutputError, match=r"^out\.csv\.answers is in the way"):
        AnswersFile("out.csv")
    assert path.read_text() == content


def test_a_link_in_the_way_is_not_followed(tmp_path: Path):
    (tmp_path / "theirs").write_text("")
    answers_beside("out.csv").symlink_to(tmp_path / "theirs")
    with pytest.raises(OutputError, match=r"cannot write .*out\.csv\.answers: it is a symbolic link"):
        AnswersFile("out.csv")


def test_a_folder_that_may_only_be_read(tmp_path: Path):
    folder = tmp_path / "shut"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("nothing is shut for this user")
    with pytest.raises(OutputError, match="Permission denied"):
        AnswersFile(folder / "out.csv")


def test_an_answer_that_does_not_fit_on_the_disk_is_not_kept():
    """What follows, once there is space, is."""
    resource = pytest.importorskip("resource")
    with opened() as session:
        answer(session, "a", "x")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (answers_beside("out.csv").stat().st_size + 20, before[1]))
        try:
            with pytest.raises(OutputError, match=r"cannot write .*out\.csv\.answers: File too large"):
                answer(session, "a", "y")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert labels_of(session)[:2] == [("x",), None]
        assert session.ask("a").row == 1
        answer(session, "a", "z")
    with opened() as session:
        assert labels_of(session)[:2] == [("x",), ("z",)]


def test_a_file_of_answers_that_was_deleted_takes_no_more():
    with opened() as session:
        answer(session, "a", "x")
        answers_beside("out.csv").unlink()
        with pytest.raises(OutputError, match="it has been deleted; stop, and start again"):
            answer(session, "a", "y")


def test_without_an_answer_nothing_is_left_behind(tmp_path: Path):
    with opened() as session:
        session.ask("a")
    assert not list(tmp_path.iterdir())
