"""What is learned from the labels while a person gives them."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import embedclf
from corpus import LABELS, SMALL, TEXTS
from embedclf.data.label_sets import LabelSet
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import EmbedderError
from embedclf.evaluation.changes import Change
from embedclf.labelling import advice, learning
from embedclf.labelling.advice import advise, change_between
from embedclf.labelling.answers import AnswersFile
from embedclf.labelling.learner import BackgroundLearner
from embedclf.labelling.learning import Learning
from embedclf.labelling.orders import FileOrder
from embedclf.labelling.session import Session
from embedclf.labelling.trainings import NameVectors, predicted_labels, train_on_rows
from embedclf.stats.intervals import Interval
from embedclf.training.recipe import Recipe
from running import wait_until

QUICK = Recipe(C=1.0, features="embedding", label_names=False)
ALL: dict[int, LabelSet] = {row: (label,) for row, label in enumerate(LABELS)}
SETS: dict[int, LabelSet] = {row: () if row % 10 == 9 else (label,) for row, label in enumerate(LABELS)} | {
    0: ("delivery", "refund"),
    10: ("delivery", "password"),
}


@pytest.fixture(scope="module")
def texts() -> EmbeddedTexts:
    return EmbeddedTexts(TEXTS)


@pytest.fixture
def learner(texts: EmbeddedTexts) -> Iterator[BackgroundLearner]:
    with BackgroundLearner(texts, recipe=QUICK) as learner:
        yield learner


def some(*rows: int) -> dict[int, LabelSet]:
    return {row: ALL[row] for row in rows}


def spread(n: int) -> dict[int, LabelSet]:
    """The labels of the first n rows of each label."""
    return {row: ALL[row] for row in ALL if row % 10 < n}


def guessed(learner: BackgroundLearner, row: int) -> list[str]:
    return [guess.label for guess in learner.guesses(row)]


class TestTraining:
    @pytest.mark.parametrize("recipe", [QUICK, Recipe(), Recipe(head="centroid")], ids=["quick", "usual", "centroid"])
    def test_the_classifier_is_the_one_that_train_makes(self, recipe: Recipe):
        texts = EmbeddedTexts(TEXTS)
        own = train_on_rows(texts, ALL, recipe, NameVectors(texts), several=False).classifier
        train = embedclf.train(
            TEXTS,
            LABELS,
            head=recipe.head,
            C=recipe.C,
            features=recipe.features,
            label_names=recipe.label_names,
            holdout=0,
        )
        assert own.classes == train.classes
        assert np.array_equal(own.predict_proba(TEXTS), train.predict_proba(TEXTS))

    def test_so_is_one_of_several_labels(self, texts: EmbeddedTexts):
        own = train_on_rows(texts, SETS, Recipe(), NameVectors(texts), several=True)
        train = embedclf.train(TEXTS, list(SETS.values()), holdout=0)
        assert isinstance(own.classifier, embedclf.MultiLabelClassifier)
        assert own.classifier.predict(TEXTS) == train.predict(TEXTS)
        assert set(own.out_of_fold) == set(SETS)
        right = np.mean([own.out_of_fold[row] == labels for row, labels in SETS.items()])
        assert right > 0.3

    def test_the_order_in_which_texts_were_labelled_does_not_matter(self, texts: EmbeddedTexts):
        one, other = (
            train_on_rows(texts, labels, QUICK, NameVectors(texts), several=False)
            for labels in (ALL, dict(reversed(ALL.items())))
        )
        assert np.array_equal(one.classifier.model.weights, other.classifier.model.weights)
        assert one.out_of_fold == other.out_of_fold

    def test_the_only_text_of_a_label_counts_as_wrong_out_of_fold(self, texts: EmbeddedTexts):
        labels = ALL | {0: ("other",)}
        assert train_on_rows(texts, labels, QUICK, NameVectors(texts), several=False).out_of_fold[0] == ()

    def test_answers_out_of_fold_are_none_of_a_classifier_that_knows_the_row(self, texts: EmbeddedTexts):
        """One that does would get all of these wrong labels right."""
        wrong = {row: (LABELS[(row * 7) % 30],) for row in ALL}
        found = train_on_rows(texts, wrong, Recipe(C=100.0, label_names=False), NameVectors(texts), several=False)
        known = predicted_labels(found.classifier, texts, list(wrong))
        assert np.mean([one == label for one, label in zip(known, wrong.values(), strict=True)]) > 0.9
        assert np.mean([found.out_of_fold[row] == label for row, label in wrong.items()]) < 0.6


class TestLearning:
    def test_the_curve_has_a_point_for_each_training_from_twenty_labels_on(self, texts: EmbeddedTexts):
        subject = Learning(texts, recipe=QUICK)
        for n in (2, 7, 9, 10):
            subject.learn(spread(n), {})
        assert [point.n_labels for point in subject.learned.curve] == [21, 27, 30]
        last = subject.learned.curve[-1]
        assert last.interval.low < last.accuracy <= last.interval.high

    def test_the_curve_of_several_labels_is_of_micro_f1(self, texts: EmbeddedTexts):
        subject = Learning(texts, several=True, recipe=QUICK)
        subject.learn(SETS, {})
        (point,) = subject.learned.curve
        assert 0.3 < point.accuracy < 1

    def test_a_long_curve_has_few_points(self, texts: EmbeddedTexts):
        subject = Learning(texts, recipe=QUICK)
        for n in range(20, 31):
            subject.learn(some(*[row % 3 * 10 + row // 3 for row in range(n)]), {})
        assert [point.n_labels for point in subject.learned.curve] == [20, 25, 30]

    def test_the_test_set_is_measured_from_twenty_rows_on_and_not_trained_on(self, texts: EmbeddedTexts):
        subject = Learning(texts, recipe=QUICK)
        train = spread(3)
        test = {row: label for row, label in ALL.items() if row not in train}
        subject.learn(train, dict(list(test.items())[:19]))
        assert subject.learned.test is None
        subject.measure(test)
        assert subject.learned.test is not None
        assert subject.learned.test.n_labels == 9
        classifier = subject.learned.training.classifier
        answers = classifier.predict([TEXTS[row] for row in test])
        right = np.mean([(answer,) == label for answer, label in zip(answers, test.values(), strict=True)])
        assert subject.learned.test.accuracy == pytest.approx(right)

    def test_a_text_that_is_in_the_test_set_as_well_is_not_trained_on(self):
        subject = Learning(EmbeddedTexts([*TEXTS, TEXTS[0]]), recipe=QUICK)
        subject.learn(ALL, {30: ALL[0]})
        assert subject.learned.training.rows == set(ALL) - {0}

    def test_there_is_no_classifier_any_more_once_too_few_labels_are_left(self, texts: EmbeddedTexts):
        subject = Learning(texts, recipe=QUICK)
        subject.learn(ALL, {})
        subject.learn(some(0, 1), {})
        assert subject.learned.training is None
        assert [guess.confidence for guess in subject.guesses(0, some(0, 1))] == [None]


class TestGuesses:
    def test_those_of_a_classifier_have_confidences_the_largest_first(self, texts: EmbeddedTexts):
        subject = Learning(texts, recipe=QUICK)
        subject.learn(ALL, {})
        guesses = subject.guesses(0, {})
        assert guesses[0].label == "delivery"
        assert sum(guess.confidence for guess in guesses) == pytest.approx(1, abs=1e-5)
        assert sorted(guesses, key=lambda guess: -guess.confidence) == list(guesses)

    def test_before_there_is_one_they_are_the_labels_of_similar_texts(self, texts: EmbeddedTexts):
        subject = Learning(texts, recipe=QUICK)
        assert subject.guesses(3, {}) == ()
        assert subject.guesses(25, some(0, 10, 20))[0].label == "refund"
        assert all(guess.confidence is None for guess in subject.guesses(25, some(0, 10, 20)))

    def test_before_there_is_a_label_they_are_those_with_similar_names(self, texts: EmbeddedTexts):
        subject = Learning(texts, known=sorted(SMALL), recipe=QUICK)
        subject.read_names()
        right = [subject.guesses(row, {})[0].label == label for row, label in enumerate(LABELS)]
        assert np.mean(right) > 0.7

    def test_names_without_a_meaning_are_no_guesses(self, texts: EmbeddedTexts):
        subject = Learning(texts, known=["1", "2"], recipe=QUICK)
        subject.read_names()
        assert subject.guesses(0, {}) == ()

    def test_words_alone_are_enough_to_learn_and_to_guess_from(self):
        subject = Learning(EmbeddedTexts(TEXTS, embedder="words"), known=sorted(SMALL))
        subject.read_names()
        assert subject.guesses(20, some(0, 10, 29))[0].label == "refund"  # both are about money back
        subject.learn(ALL, {})
        assert subject.guesses(0, {})[0].label == "delivery"


def change(difference: float, low: float, high: float) -> Change:
    return Change("accuracy", 500, 0.8, 0.8 + difference, Interval(0.8, 0.9), difference, Interval(low, high))


class TestAdvice:
    @pytest.mark.parametrize(
        ("found", "said"),
        [
            (
                change(0.001, -0.007, 0.009),
                "The last 100 labels changed the accuracy by +0.1 points (−0.7 to +0.9). As many again are unlikely to "
                "change much: you could stop here.",
            ),
            (
                change(-0.03, -0.05, -0.01),
                "The last 100 labels changed the accuracy by −3.0 points (−5.0 to −1.0). More labels rarely cause a "
                "drop: keep labelling and see.",
            ),
            (
                change(0.034, 0.011, 0.059),
                "The last 100 labels changed the accuracy by +3.4 points (+1.1 to +5.9). More labels still help.",
            ),
            (
                change(0.004, -0.03, 0.04),
                "The last 100 labels changed the accuracy by +0.4 points (−3.0 to +4.0). That is too uncertain to say "
                "whether more labels help.",
            ),
        ],
    )
    def test_it_says_what_the_last_labels_changed_and_what_follows(self, found: Change, said: str):
        assert advise(found, 100, ALL) == said

    def test_it_names_the_rarest_label(self):
        labels: dict[int, LabelSet] = dict.fromkeys(range(100), ("refund",)) | {100: ("fraud",)}
        said = advise(change(0.034, 0.011, 0.059), 100, labels)
        assert said.endswith(" The label 'fraud' has only 1 text.")
        assert advise(None, 100, labels) == ""
        said = advise(change(0.034, 0.011, 0.059), 100, labels | {101: ("loss",), 102: ("loss",), 103: ("theft",)})
        assert said.endswith(" The label 'fraud' has only 1 text; 2 other labels have fewer than 5.")

    @pytest.mark.parametrize("several", [False, True])
    def test_both_classifiers_answer_the_rows_that_they_know_out_of_fold(self, texts: EmbeddedTexts, several: bool):
        labels = SETS if several else ALL
        early = {row: labels[row] for row in labels if row % 10 < 4}
        before, now = (
            train_on_rows(texts, known, QUICK, NameVectors(texts), several=several) for known in (early, labels)
        )
        found = change_between(before, now, texts, labels, {}, several=several)
        assert found is not None
        assert found.n_held_out == 30
        if not several:
            since = [row for row in labels if row not in early]
            old = before.out_of_fold | dict(zip(since, predicted_labels(before.classifier, texts, since), strict=True))
            assert found.before == np.mean([old[row] == labels[row] for row in labels])
            assert found.after == np.mean([now.out_of_fold[row] == labels[row] for row in labels])

    def test_rows_that_the_earlier_one_knows_and_did_not_answer_out_of_fold_do_not_count(self, texts: EmbeddedTexts):
        """Of many rows, only some are answered out of fold."""
        before, now = (
            train_on_rows(texts, known, QUICK, NameVectors(texts), several=False) for known in (spread(4), ALL)
        )
        some_answers = {row: labels for row, labels in before.out_of_fold.items() if row > 1}
        found = change_between(replace(before, out_of_fold=some_answers), now, texts, ALL, {}, several=False)
        assert found is not None
        assert found.n_held_out == 28
        assert change_between(before, replace(now, out_of_fold={}), texts, ALL, {}, several=False) is None

    def test_a_test_set_that_is_large_enough_is_preferred(self, texts: EmbeddedTexts, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(advice, "ENOUGH_TEST_ROWS", 12)
        train = spread(6)
        test = {row: label for row, label in ALL.items() if row not in train}
        before, now = (
            train_on_rows(texts, known, QUICK, NameVectors(texts), several=False) for known in (spread(2), train)
        )
        found = change_between(before, now, texts, train, test, several=False)
        assert found is not None
        rows = list(test)
        old, new = (
            np.mean(
                [a == test[row] for a, row in zip(predicted_labels(one.classifier, texts, rows), rows, strict=True)]
            )
            for one in (before, now)
        )
        assert (found.n_held_out, found.before, found.after) == (12, old, new)

    def test_it_comes_once_there_are_enough_labels_since_the_first_classifier(
        self, texts: EmbeddedTexts, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(learning, "_LEAST_BETWEEN", 12)
        subject = Learning(texts, recipe=QUICK)
        subject.learn(spread(3), {})
        subject.learn(spread(6), {})
        assert subject.learned.advice == ""
        subject.learn(spread(9), {})
        assert subject.learned.advice.startswith("The last 18 labels changed the accuracy by ")

    def test_it_looks_back_no_further_than_it_must(self, texts: EmbeddedTexts, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(learning, "_LEAST_BETWEEN", 3)
        monkeypatch.setattr(learning, "LABELS_BETWEEN", 9)
        monkeypatch.setattr(learning, "_APART", 1)
        subject = Learning(texts, recipe=QUICK)
        for n in range(2, 11):
            subject.learn(spread(n), {})
        assert subject.learned.advice.startswith("The last 9 labels changed ")


class TestInTheBackground:
    def test_a_session_gets_guesses_a_curve_and_then_advice(self, learner: BackgroundLearner):
        with AnswersFile("labelled.csv") as file:
            session = Session(TEXTS, [None] * 30, file, FileOrder(30), learner)
            question = session.ask("window")
            while question is not None:
                question = session.answer("window", question.row, ALL[question.row], revision=0)
            wait_until(lambda: session.progress().curve and session.progress().curve[-1].n_labels == 30)
            wait_until(lambda: not session.progress().is_learning)
        assert guessed(learner, 0)[0] == "delivery"

    def test_it_trains_on_the_newest_labels_and_drops_older_ones(self, learner: BackgroundLearner):
        let, trained = threading.Event(), []
        learner.follow(lambda training, labels: (trained.append(len(labels)), let.wait(60)))
        learner.learn(spread(2), {})
        wait_until(lambda: trained == [6])
        for n in (4, 6, 8, 10):
            learner.learn(spread(n), {})
        assert learner.is_learning
        let.set()
        wait_until(lambda: len(trained) > 1 and not learner.is_learning)
        assert trained == [6, 30]

    def test_fewer_labels_than_five_are_learned_in_a_pause(self, learner: BackgroundLearner):
        learner.learn(some(0, 1, 10, 11), {})
        wait_until(lambda: learner.guesses(0) and learner.guesses(0)[0].confidence is not None)
        assert guessed(learner, 0) == ["delivery", "password"]

    def test_test_rows_that_come_alone_are_measured_without_a_training(self, learner: BackgroundLearner):
        trained: list[object] = []
        learner.follow(lambda training, labels: trained.append(training))
        learner.learn(spread(3), {})
        wait_until(lambda: trained)
        learner.learn(spread(3), {row: label for row, label in ALL.items() if row % 10 >= 3})
        wait_until(lambda: learner.test is not None)
        assert len(trained) == 1

    def test_one_label_only_ends_nothing(self, learner: BackgroundLearner, caplog: pytest.LogCaptureFixture):
        trained: list[object] = []
        learner.follow(lambda training, labels: trained.append(training))
        learner.learn(some(*range(10)), {})
        wait_until(lambda: trained)
        assert trained == [None]
        assert learner.curve == ()
        assert guessed(learner, 0) == ["delivery"]
        learner.learn(ALL, {})
        wait_until(lambda: learner.curve)
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

    def test_what_goes_wrong_is_logged_and_ends_nothing(
        self, texts: EmbeddedTexts, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        with BackgroundLearner(texts, recipe=QUICK) as learner:
            broken = [EmbedderError("the embedder is gone"), ValueError("a bug")]

            def follower(training: object, labels: object) -> None:
                if broken:
                    raise broken.pop(0)

            learner.follow(follower)
            for n in (2, 4, 6):
                learner.learn(spread(n), {})
                wait_until(lambda: learner.guesses(0)[0].confidence and not learner.is_learning)
                wait_until(lambda n=n: not broken or len(broken) <= 2 - n // 2)
        assert [record.getMessage() for record in caplog.records] == [
            "no classifier could be trained in the background: the embedder is gone",
            "no classifier could be trained in the background",
        ]

    def test_closing_ends_the_thread(self, texts: EmbeddedTexts):
        before = threading.active_count()
        learner = BackgroundLearner(texts, recipe=QUICK)
        assert threading.active_count() == before + 1
        learner.close()
        wait_until(lambda: threading.active_count() == before)
