"""Tables fit the terminal: whole, with one column apart, or a cell a line."""

import numpy as np
import pytest

from embedclf.evaluation.measuring import report_on
from embedclf.printing.figures import label_lines
from embedclf.printing.lines import plain, width_of
from embedclf.printing.tables import shortened, shown_label, table

HEADER = ["label", "precision", "rows"]
ROWS = [["card_payment_wrong_exchange_rate", "0.900", "40"], ["配達の遅れ", "1.000", "3"]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch):
    """Pretend that the terminal has a width; None is a pipe."""

    def of(width: int | None) -> None:
        monkeypatch.setattr("embedclf.printing.tables.columns", lambda: width)

    return of


def shown(header, rows, **settings) -> list[str]:
    return [plain(line) for line in table(header, rows, **settings)]


@pytest.mark.parametrize("width", [None, 49, 300])
def test_a_table_with_room_enough_is_in_columns(terminal, width: int | None):
    terminal(width)
    assert shown(HEADER, ROWS) == [
        "label                             precision  rows",
        "card_payment_wrong_exchange_rate      0.900    40",
        "配達の遅れ                            1.000     3",
    ]


def test_labels_without_room_have_lines_of_their_own(terminal):
    terminal(40)
    assert shown(HEADER, ROWS) == [
        "label",
        "  precision  rows",
        "card_payment_wrong_exchange_rate",
        "      0.900    40",
        "配達の遅れ",
        "      1.000     3",
    ]


def test_only_those_labels_have_a_line_of_their_own_that_most_others_are_shorter_than(terminal):
    terminal(40)
    assert shown(HEADER, [*ROWS, ["refund", "0.500", "2"]]) == [
        "label       precision  rows",
        "card_payment_wrong_exchange_rate",
        "                0.900    40",
        "配達の遅れ      1.000     3",
        "refund          0.500     2",
    ]


def test_a_last_column_of_words_is_wrapped_in_its_place(terminal):
    terminal(48)
    words = "password, account, reset, locked, code, phone, out"
    assert shown(["label", "words"], [["account", words]], left=(0, 1)) == [
        "label    words",
        "account  password, account, reset, locked, code,",
        "           phone, out",
    ]


def test_where_there_is_no_room_at_all_each_cell_has_a_line(terminal):
    terminal(40)
    header = ["embedder", "features", "accuracy (95 %)", "dollars"]
    rows = [["wordllama:l2_supercat", "embedding", "0.595 (0.535 to 0.653)", "free"]]
    assert shown(header, rows) == [
        "embedder         wordllama:l2_supercat",
        "  features         embedding",
        "  accuracy (95 %)  0.595 (0.535 to 0.653)",
        "  dollars          free",
    ]


def test_a_label_may_take_two_thirds_of_a_wide_terminal(terminal):
    label = "balance not updated after a bank transfer or a cash deposit"
    terminal(None)
    assert width_of(shown_label(label)) <= 40
    terminal(100)
    assert shown_label(label) == label


def test_a_text_takes_what_is_left_of_the_line(terminal):
    text = "The courier never came with my package, and nobody at the depot knows where it is, or who has it now."
    terminal(None)
    assert shortened(text, beside=20) == (
        "The courier never came with my package, and nobody at the depot knows where it …"
    )
    terminal(60)
    assert shortened(text, beside=20) == "The courier never came with my …"
    terminal(200)
    assert shortened(text, beside=20) == text


def report_of(n_labels: int):
    names = [f"label_{number:02}" for number in range(n_labels)]
    # Each is predicted once rightly; the last ones are also predicted as the first.
    texts = [*names, *(f"again {name}" for name in names[-3:])]
    labels = [*names, *names[-3:]]
    probabilities = [[float(name == label) for name in names] for label in names]
    return report_on(texts, labels, names, np.array([*probabilities, *[probabilities[0]] * 3]))


def test_up_to_twenty_labels_are_all_shown(terminal):
    terminal(80)
    assert len(label_lines(report_of(20))) == 21


def test_of_more_labels_the_worst_are_shown_and_how_to_see_all(terminal):
    terminal(80)
    first, _, *rows, last = map(plain, label_lines(report_of(77)))
    assert first == "The 15 labels with the lowest F1, of 77:"
    assert [row.split()[0] for row in rows[:4]] == ["label_00", "label_74", "label_75", "label_76"]
    assert len(rows) == 15
    assert last == "… 62 more labels (--report FILE.html and --json have all)"
