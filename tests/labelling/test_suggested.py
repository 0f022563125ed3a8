"""The order of the texts that are likely to improve the classifier most."""

import numpy as np
import pytest

from corpus import LABELS, TEXTS
from embedclf.data.label_sets import LabelSet
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.exploration.suggestions import representative_rows
from embedclf.labelling import suggested
from embedclf.labelling.learner import BackgroundLearner
from embedclf.labelling.suggested import SuggestedOrder
from embedclf.labelling.trainings import NameVectors, Training, train_on_rows
from embedclf.training.recipe import Recipe
from running import wait_until

QUICK = Recipe(C=1.0, features="embedding", label_names=False)
KNOWN: dict[int, LabelSet] = {row: (LABELS[row],) for row in range(30) if row % 10 < 3}
UNSURE = "Money back because my account is locked"


@pytest.fixture(scope="module")
def texts() -> EmbeddedTexts:
    """The small corpus, a text between two labels, and near-duplicates of it and of the first one."""
    return EmbeddedTexts([*TEXTS, UNSURE, f"{UNSURE}!", f"{TEXTS[0]}?"])


@pytest.fixture(scope="module")
def training(texts: EmbeddedTexts) -> Training:
    return train_on_rows(texts, KNOWN, QUICK, NameVectors(texts), several=False)


def asked(order: SuggestedOrder, n: int, gone: set[int] | None = None) -> list[int]:
    """Ask n texts, each of which is answered at once."""
    gone = set() if gone is None else gone
    rows = []
    while len(rows) < n and (found := order.next(lambda row: row not in gone)) is not None:
        assert not found[1]
        rows.append(found[0])
        gone.add(found[0])
    return rows


def test_without_a_classifier_the_first_texts_represent_the_others(texts: EmbeddedTexts):
    """Each subject comes up, and no text that is nearly the same as one before it."""
    rows = asked(SuggestedOrder(texts), 6)
    assert {LABELS[row] for row in rows if row < 30} == set(LABELS)
    assert len({texts.texts[row].strip("!?") for row in rows}) == 6


def test_representative_texts_are_chosen_without_near_duplicates(texts: EmbeddedTexts):
    rows = representative_rows(texts.vectors, 100)
    assert sorted(rows.tolist()) == list(range(31))


def test_after_a_training_the_uncertain_ones_come_first(texts: EmbeddedTexts, training: Training):
    order = SuggestedOrder(texts)
    order.refresh(training, KNOWN)
    rows = asked(order, 5, set(KNOWN))
    assert not set(rows) & set(KNOWN)
    assert 30 in rows or 31 in rows


def test_near_duplicates_of_what_was_asked_or_labelled_come_last(texts: EmbeddedTexts, training: Training):
    order = SuggestedOrder(texts)
    order.refresh(training, KNOWN)
    rows = asked(order, 100, set(KNOWN))
    assert sorted([*rows, *KNOWN]) == list(range(33))
    assert set(rows[-2:]) in ({30, 32}, {31, 32})


def test_what_was_asked_before_a_training_counts_after_it(texts: EmbeddedTexts, training: Training):
    order = SuggestedOrder(texts)
    assert order.next(lambda row: row == 31) == (31, False)
    order.refresh(training, KNOWN)
    rows = asked(order, 100, {*KNOWN, 31})
    assert set(rows[-2:]) == {30, 32}


def test_every_open_text_is_asked_once_and_then_none(texts: EmbeddedTexts):
    order = SuggestedOrder(texts)
    gone: set[int] = set()
    assert sorted(asked(order, 100, gone)) == list(range(33))
    assert order.next(lambda row: row not in gone) is None
    assert order.next(lambda row: row == 7) == (7, False)  # its answer was taken back


def test_the_same_labels_lead_to_the_same_order(texts: EmbeddedTexts, training: Training):
    found = []
    for _ in range(2):
        order = SuggestedOrder(texts, seed=3)
        order.refresh(training, KNOWN)
        found.append(asked(order, 100, set(KNOWN)))
    assert found[0] == found[1]


def test_another_seed_leads_to_another_order(texts: EmbeddedTexts, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(suggested, "_MOST_TO_BEGIN", 5)
    assert asked(SuggestedOrder(texts, seed=4), 100) != asked(SuggestedOrder(texts, seed=5), 100)


def test_of_many_texts_a_sample_is_suggested_from(
    texts: EmbeddedTexts, training: Training, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(suggested, "_MOST_TEXTS", 4)
    order = SuggestedOrder(texts)
    order.refresh(training, KNOWN)
    assert len(set(asked(order, 100, set(KNOWN)))) == 33 - len(KNOWN)


def test_too_few_labels_for_a_classifier_change_nothing(texts: EmbeddedTexts):
    order, other = SuggestedOrder(texts), SuggestedOrder(texts)
    order.refresh(None, KNOWN)
    assert asked(order, 33) == asked(other, 33)


def test_one_text_is_enough():
    order = SuggestedOrder(EmbeddedTexts(["hello there"]))
    assert asked(order, 2) == [0]


def test_texts_may_have_several_labels_and_no_vectors_but_words():
    texts = EmbeddedTexts(TEXTS, embedder="words")
    labels: dict[int, LabelSet] = {row: (LABELS[row],) for row in range(30) if row % 10 < 5} | {0: (), 1: ("a", "b")}
    training = train_on_rows(texts, labels, Recipe(features="words"), NameVectors(texts), several=True)
    order = SuggestedOrder(texts)
    order.refresh(training, labels)
    assert sorted(asked(order, 100, set(labels))) == sorted(set(range(30)) - set(labels))


def test_it_follows_a_learner(texts: EmbeddedTexts):
    order, refreshed = SuggestedOrder(texts), []
    with BackgroundLearner(texts, recipe=QUICK) as learner:
        learner.follow(order.refresh)
        learner.follow(lambda training, labels: refreshed.append(training))
        learner.learn(KNOWN, {})
        wait_until(lambda: refreshed)
    rows = asked(order, 5, set(KNOWN))
    assert 30 in rows or 31 in rows


def test_vectors_of_any_length_are_compared_by_their_direction():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 8)).astype(np.float32) * 7
    texts = EmbeddedTexts([f"text {number}" for number in range(40)], vectors=vectors)
    assert sorted(asked(SuggestedOrder(texts), 40)) == list(range(40))
