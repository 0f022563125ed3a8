"""Dividing texts into training and test rows."""

import numpy as np
import pytest

import embedclf
from corpus import LABELS, TEXTS
from embedclf.errors import ArgumentError, TrainingError
from embedclf.quality.spelling_groups import spelling_groups
from embedclf.training.splits import divide, hold_out


def sentences(n: int, seed: int = 0) -> list[str]:
    """Return texts of which no two are near-duplicates."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return [" ".join("".join(rng.choice(letters, 6)) for _ in range(5)) for _ in range(n)]


def test_each_label_has_its_share_on_both_sides():
    """20 % of each, to the row, and every row is on one side."""
    labels = ["a"] * 100 + ["b"] * 50 + ["c"] * 10
    train, test = embedclf.split(sentences(160), labels)
    assert sorted([*train, *test]) == list(range(160))
    assert [sum(labels[row] == name for row in test) for name in "abc"] == [20, 10, 2]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_near_duplicates_are_on_one_side(seed: int):
    """A typo, other punctuation, another case: also if the labels differ."""
    texts = sentences(60)
    copies = [*(f"{text.upper()}!" for text in texts[:30]), *(text.replace("e", "x", 1) for text in texts[30:])]
    labels = ["a", "b"] * 60
    train, test = embedclf.split([*texts, *copies], labels, seed=seed)
    assert len(test) == 24
    assert {row % 60 for row in test}.isdisjoint(row % 60 for row in train)


def test_the_same_seed_gives_the_same_rows_and_another_gives_others():
    """Wherever it runs."""
    texts, labels = sentences(20), ["a", "b"] * 10
    assert embedclf.split(texts, labels)[1].tolist() == embedclf.split(texts, labels)[1].tolist()
    assert embedclf.split(texts, labels)[1].tolist() != embedclf.split(texts, labels, seed=1)[1].tolist()
    assert embedclf.split(TEXTS, LABELS)[1].tolist() == embedclf.split(TEXTS, LABELS, seed=0)[1].tolist()


def test_without_near_duplicates_it_is_the_holdout_of_training():
    """The same rows as `train(holdout=…)` holds out."""
    y, groups = np.repeat(np.arange(4), [40, 17, 3, 1]), np.arange(61)
    for seed in range(5):
        assert (divide(y, groups, 0.2, seed=seed) == hold_out(y, groups, 0.2, seed=seed)).all()


def test_large_groups_do_not_change_the_share():
    """A group larger than what its label should have in the test set stays in training."""
    y = np.zeros(100, dtype=np.intp)
    groups = np.concatenate([np.zeros(50, dtype=np.intp), np.arange(1, 51)])
    for seed in range(10):
        held = divide(y, groups, 0.2, seed=seed)
        assert held.sum() == 20
        assert not held[:50].any()


def test_texts_with_several_labels_are_divided_by_the_rarest():
    """A text without labels counts as one of the commonest label."""
    labels = [["a"]] * 40 + [["a", "b"]] * 20 + [["a", "b", "c"]] * 10 + [[]] * 10
    _, test = embedclf.split(sentences(80), labels)
    assert len(test) == 16
    assert [sum(name in labels[row] for row in test) for name in "bc"] == [6, 2]


def test_a_label_with_one_text_stays_in_training():
    """It could not be learned otherwise."""
    train, test = embedclf.split(sentences(21), ["a"] * 20 + ["b"], test=0.5)
    assert 20 in train
    assert len(test) == 10


@pytest.mark.parametrize(
    ("texts", "labels", "share", "error", "message"),
    [
        (["one"], ["a"], 0.2, TrainingError, "too few texts (1 text) to divide"),
        (["Hi!", "hi"], ["a", "a"], 0.5, TrainingError, "none of 2 rows can be held out"),
        (["one", "two"], ["a", "b"], 0.5, TrainingError, "none of 2 rows can be held out"),
        (["one", "two"], ["a", "a"], 1.0, ArgumentError, "test must be above 0 and below 1, got 1"),
    ],
)
def test_what_cannot_be_divided(texts: list[str], labels: list[str], share: float, error: type, message: str):
    """An error says why."""
    with pytest.raises(error) as caught:
        embedclf.split(texts, labels, test=share)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "are_near"),
    [
        ("Where is my refund?", "where is my refund", True),
        ("I have been charged twice", "I have been charged twise", True),
        ("How do I change my PIN?", "How do I change my name?", False),
        ("Why was my top-up rejected?", "My top up was rejected. Why?", True),
        ("Why didn`t it top up?", "why didnt it topup", True),
        ("日本語のテキストです", "日本語のテキストです。", True),
        ("!!!", "!!!", True),
        ("!!!", "???", False),
        ("שלום לכולם כאן", "שלום לכולם כאן!", True),
        ("a", "b", False),
        ("", "", True),
    ],
)
def test_what_is_a_near_duplicate(one: str, other: str, are_near: bool):
    """Case and punctuation do not count, and a typo in a longer text hardly does."""
    first, second = spelling_groups([one, other])
    assert (first == second) == are_near


def test_many_texts_from_a_template_are_one_group():
    """They share no rare sequence, but are neighbours in alphabetical order."""
    texts = [f"Order {number} has not arrived yet, please tell me where it may be now" for number in range(3_000)]
    assert not spelling_groups(texts).any()


def test_long_texts_are_compared_by_a_sample():
    """A changed word among hundreds does not matter; another text does."""
    one, other = (" ".join(sentences(60, seed)) for seed in (1, 2))
    assert spelling_groups([one, other, f"{one} and so on"]).tolist() == [0, 1, 0]
