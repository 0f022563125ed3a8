"""The orders in which texts are asked, and the test set that is drawn beside them."""

import numpy as np
import pytest

import embedclf
from corpus import LABELS, TEXTS
from embedclf.errors import EmbedclfError
from embedclf.labelling.answers import digest_of
from embedclf.labelling.orders import FileOrder, Order, RandomOrder, WithTestSet, draw_held_out
from embedclf.labelling.suspects import find_suspects

DIGESTS = [digest_of(f"text {number}") for number in range(2000)]


def asked(order: Order, n: int, done: set[int] | None = None) -> list[tuple[int, bool]]:
    """Ask some texts, each of which is answered."""
    answered = set() if done is None else done
    found = []
    for _ in range(n):
        if (one := order.next(lambda row: row not in answered)) is None:
            break
        found.append(one)
        answered.add(one[0])
    return found


def test_the_order_of_the_file():
    order = FileOrder(4)
    assert asked(order, 9) == [(0, False), (1, False), (2, False), (3, False)]
    assert order.next(lambda row: row == 1) == (1, False), "what was taken back is asked again"


def test_a_random_order_is_the_same_for_the_same_seed():
    first, again, other = (asked(RandomOrder(50, seed=seed), 50) for seed in (0, 0, 1))
    assert first == again != other
    assert sorted(first) == [(row, False) for row in range(50)]


def test_every_tenth_question_is_for_the_test_set():
    order = WithTestSet(FileOrder(2000), draw_held_out(DIGESTS, 0.1, seed=0))
    found = asked(order, 1000)
    assert [number for number, (_, is_test) in enumerate(found, start=1) if is_test] == list(range(10, 1001, 10))


def test_a_restart_keeps_the_share():
    held_out = draw_held_out(DIGESTS, 0.1, seed=0)
    done: set[int] = set()
    first = asked(WithTestSet(FileOrder(2000), held_out), 15, done)
    rest = asked(WithTestSet(FileOrder(2000), held_out, n_asked=15, n_test=1), 15, done)
    assert first + rest == asked(WithTestSet(FileOrder(2000), held_out), 30)


def test_the_test_set_does_not_depend_on_what_is_preferred():
    held_out = draw_held_out(DIGESTS, 0.2, seed=3)

    def test_rows(order: Order) -> list[int]:
        return [row for row, is_test in asked(WithTestSet(order, held_out), 500) if is_test]

    assert test_rows(FileOrder(2000)) == test_rows(RandomOrder(2000, seed=1)) == held_out.rows[:100]


def test_the_test_set_is_a_simple_random_sample():
    """Each text is as likely to be drawn as any other, and so is each place in the file."""
    times = np.zeros(200)
    for seed in range(400):
        times[draw_held_out(DIGESTS[:200], 0.3, seed=seed).rows[:20]] += 1
    assert times.sum() == 400 * 20
    # 200 binomials of 400 and 0.1: their squared deviations follow chi square with 199 degrees of freedom, nearly.
    statistic = ((times - 40) ** 2 / 40).sum()
    assert 130 < statistic < 280


def test_the_test_set_stays_when_rows_come_and_go():
    before = draw_held_out(DIGESTS[:1000], 0.1, seed=0)
    after = draw_held_out(["", *reversed(DIGESTS)], 0.1, seed=0)
    drawn = [DIGESTS[row] for row in before.rows]
    still = [(["", *DIGESTS[::-1]])[row] for row in after.rows]
    assert [digest for digest in still if digest in set(drawn)] == drawn
    assert set(still) - set(drawn) <= set(DIGESTS[1000:])


def test_all_texts_are_asked_in_the_end():
    order = WithTestSet(FileOrder(300), draw_held_out(DIGESTS[:300], 0.3, seed=0))
    assert sorted(row for row, _ in asked(order, 999)) == list(range(300))


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return embedclf.open_embedder("wordllama", cache=False).embed(TEXTS)


def test_wrong_labels_are_found_the_most_suspicious_first(vectors: np.ndarray):
    labels = [(label,) for label in LABELS]
    labels[4], labels[14] = ("password",), ("delivery",)
    suspects = find_suspects(TEXTS, labels, vectors, several=False, seed=0)
    assert {4, 14} <= set(suspects.rows)
    assert [one.label for one in suspects.guesses(4)] == ["password", "delivery"]
    assert not suspects.guesses(0)
    assert "may be mislabelled, most suspicious first: keep or change each label." in suspects.advice


def test_one_text_with_two_labels_comes_first(vectors: np.ndarray):
    texts = [*TEXTS, TEXTS[5], "not labelled"]
    labels = [*((label,) for label in LABELS), ("refund",), None]
    every = np.vstack([vectors, vectors[5:6], vectors[:1]])
    suspects = find_suspects(texts, labels, every, several=False, seed=0)
    assert suspects.rows[0] == 5
    assert [one.label for one in suspects.guesses(5)] == ["delivery", "refund"]
    assert 30 not in suspects.rows


def test_missing_labels_are_found_where_texts_may_have_several(vectors: np.ndarray):
    sets = [(label,) if label == "refund" else ("other", label) for label in LABELS]
    sets[3] = ("delivery",)
    suspects = find_suspects(TEXTS, sets, vectors, several=True, seed=0)
    assert [one.label for one in suspects.guesses(3)][:2] == ["delivery", "other"]


def test_too_few_labels_are_not_checked(vectors: np.ndarray):
    with pytest.raises(EmbedclfError, match="labels cannot be checked: needs two labels with two texts each"):
        find_suspects(TEXTS, [("a",)] * 30, vectors, several=False, seed=0)
