"""Heads, calibration and splits: the same answers as scikit-learn, and honest ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

import embedclf
from corpus import DATASETS, LABELS, QUICK, TEXTS
from embedclf.data.corpus import read_corpus
from embedclf.training.calibration import fit_temperature
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Recipe
from embedclf.training.settings import choose_settings
from embedclf.training.splits import assign_folds, hold_out
from embedclf.training.training_set import TrainingSet
from embedclf.validation import group_duplicates


@pytest.fixture(scope="module")
def tickets():
    corpus = read_corpus(DATASETS / "support_tickets.csv")
    return corpus.texts, corpus.labels, embedclf.open_embedder("wordllama").embed(corpus.texts)


@pytest.mark.parametrize("n_classes", [2, 12])
@pytest.mark.parametrize("C", [0.3, 10.0, 100.0])
def test_logistic_is_scikit_learns(tickets, C: float, n_classes: int):
    """Before the temperature, probabilities equal a converged LogisticRegression's to 1e-4, and all labels do."""
    texts, labels, vectors = tickets
    chosen = np.isin(labels, sorted(set(labels))[:n_classes])
    texts, labels = np.array(texts)[chosen], np.array(labels)[chosen]
    ours = embedclf.train(texts, labels, C=C, features="embedding", label_names=False)
    theirs = LogisticRegression(C=C, tol=1e-9, max_iter=10_000).fit(vectors[chosen].astype(np.float64), labels)
    assert ours.classes == tuple(theirs.classes_)
    scores = ours.model.scores(vectors) * ours.card.temperature
    np.testing.assert_allclose(softmax(scores, axis=1), theirs.predict_proba(vectors), atol=1e-4)
    assert (np.array(ours.classes)[scores.argmax(axis=1)] == theirs.predict(vectors)).all()


def test_centroid_is_scikit_learns(tickets):
    """Every label is NearestCentroid's."""
    texts, labels, vectors = tickets
    ours = embedclf.train(texts, labels, head="centroid", features="embedding")
    theirs = NearestCentroid().fit(vectors.astype(np.float64), labels)
    assert (np.array(ours.predict(texts)) == theirs.predict(vectors)).all()


@pytest.mark.parametrize(
    "use",
    [
        lambda vectors: embedclf.train(TEXTS, LABELS, vectors=vectors),
        lambda vectors: embedclf.cross_validate(TEXTS, LABELS, vectors=vectors),
        lambda vectors: embedclf.learning_curve(TEXTS, LABELS, vectors=vectors),
        lambda vectors: embedclf.evaluate(embedclf.train(TEXTS, LABELS), TEXTS, LABELS, vectors=vectors),
        lambda vectors: embedclf.suggest(embedclf.train(TEXTS, LABELS), TEXTS, vectors=vectors),
        lambda vectors: embedclf.cluster(TEXTS, vectors=vectors),
        lambda vectors: embedclf.text_map(TEXTS, vectors=vectors),
    ],
)
def test_vectors_that_are_not_finite_are_refused(use: Callable[[Any], object]):
    """And the first of them is named."""
    vectors = np.eye(30, 256, dtype=np.float32)
    vectors[4] = np.nan
    with pytest.raises(embedclf.EmbedclfError, match=r"^vectors\[4\] is not finite: drop texts that have no vector$"):
        use(vectors)
    vectors[7:9, 3] = np.inf
    with pytest.raises(embedclf.EmbedclfError, match=r"^vectors\[4\] is not finite, nor are 2 other rows: drop"):
        use(vectors)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["logistic", "centroid"])
@pytest.mark.parametrize("same", [slice(None), slice(0, 10)])
def test_vectors_that_are_all_equal(head: str, same: slice):
    """Of all examples, or of a class: whatever is measured, it comes to an end."""
    vectors = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    vectors[same] = [1, 0, 0, 0]
    classifier = embedclf.train(TEXTS, LABELS, vectors=vectors, head=head, features="embedding")
    probabilities = classifier.probabilities(vectors)
    assert np.isfinite(probabilities).all()
    if same == slice(None):
        np.testing.assert_allclose(probabilities, 1 / 3, atol=1e-3)
    assert 0 <= embedclf.cross_validate(TEXTS, LABELS, vectors=vectors, head=head).accuracy <= 1
    assert 0 <= embedclf.learning_curve(TEXTS, LABELS, vectors=vectors, head=head).points[-1].accuracy <= 1


def test_the_measured_quality_is_that_of_unseen_rows(tickets):
    """The held-out accuracy is what a fit on the other rows, with the same C, scores on them."""
    texts, labels, vectors = tickets
    classifier = embedclf.train(texts, labels, seed=3, features="embedding", regularization=3.0)
    names = sorted(set(labels))
    y = np.array([names.index(label) for label in labels])
    held = hold_out(y, group_duplicates(texts), 0.2, seed=3)
    theirs = LogisticRegression(C=classifier.card.regularization, tol=1e-9, max_iter=10_000)
    theirs.fit(vectors[~held].astype(np.float64), y[~held])
    assert classifier.card.held_out.n_examples == held.sum()
    assert classifier.card.held_out.accuracy == pytest.approx(theirs.score(vectors[held], y[held]), abs=1e-9)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_calibration_beats_scikit_learns_default(tickets):
    """On unseen rows, the mean confidence is near the accuracy; scikit-learn's C = 1 is far below it."""
    texts, labels, _ = tickets
    test = read_corpus(DATASETS / "support_tickets_test.csv")
    for head in ("logistic", "centroid"):
        report = embedclf.evaluate(embedclf.train(texts, labels, head=head), test.texts, test.labels)
        assert report.ece < 0.12
    C1 = embedclf.train(texts, labels, regularization=1.0, features="embedding")
    confidence = softmax(C1.model.scores(C1.embedder.embed(test.texts)) * C1.card.temperature, axis=1).max(axis=1)
    assert np.mean(np.array(C1.predict(test.texts)) == test.labels) - confidence.mean() > 0.2


@pytest.mark.slow
@pytest.mark.exhaustive
def test_c_is_the_one_with_the_smallest_loss(tickets):
    """Of the grid, after the best temperature, on rows not fitted on: found again with scikit-learn alone."""
    texts, labels, vectors = tickets
    names = sorted(set(labels))
    y = np.array([names.index(label) for label in labels])
    groups = group_duplicates(texts)
    chosen = choose_settings(
        Recipe(features="embedding"), TrainingSet(Inputs(vectors), y, groups, tuple(names)), seed=0
    )
    folds = assign_folds(y, groups, 10, seed=0)
    losses = {}
    for C in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0):
        scores = np.empty((len(y), len(names)))
        for fold in range(10):
            head = LogisticRegression(C=C, tol=1e-6, max_iter=5_000).fit(vectors[folds != fold], y[folds != fold])
            scores[folds == fold] = head.decision_function(vectors[folds == fold])
        losses[C] = fit_temperature(scores, y)[1]
    assert chosen.n_judged == len(y)
    assert losses[chosen.C] == pytest.approx(min(losses.values()), rel=0.01)


def test_the_temperature_is_the_one_that_was_put_in():
    """Scores made too large by a factor are divided by it again."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20_000, 4)) * 2
    y = np.array([rng.choice(4, p=p) for p in softmax(scores, axis=1)])
    for factor in (0.2, 1.0, 7.0):
        assert fit_temperature(scores * factor, y)[0] == pytest.approx(factor, rel=0.03)


def test_all_right_is_not_always_sure():
    """Ten examples, all right by a wide margin, do not make a classifier that is certain."""
    scores = np.eye(2)[[0, 1] * 5] * 3.0
    temperature, _ = fit_temperature(scores, np.array([0, 1] * 5))
    assert 0.85 < softmax(scores / temperature, axis=1).max() < 0.99


class TestSplits:
    """Dividing examples."""

    def test_a_holdout_is_stratified_and_keeps_duplicates_together(self):
        """Each class gives its share; equal texts are on one side."""
        rng = np.random.default_rng(0)
        y = np.repeat([0, 1, 2], [100, 50, 7])
        groups = np.arange(157)
        groups[rng.choice(100, 40, replace=False)] = 3  # 40 copies of one text
        held = hold_out(y, groups, 0.2, seed=1)
        assert len(set(held[groups == 3])) == 1
        distinct = [len(np.unique(groups[y == c])) for c in range(3)]
        counts = [len(np.unique(groups[held & (y == c)])) for c in range(3)]
        assert all(abs(count - 0.2 * n) < 1 for count, n in zip(counts, distinct, strict=True))

    def test_another_seed_holds_out_others(self):
        """And the same seed the same."""
        y = np.repeat([0, 1], 50)
        masks = [hold_out(y, np.arange(100), 0.3, seed=seed) for seed in (1, 2, 1)]
        assert (masks[0] != masks[1]).any()
        assert (masks[0] == masks[2]).all()

    def test_every_class_keeps_an_example_whatever_the_labels(self):
        """Also where one text stands under two labels, for both ways of dividing."""
        for seed in range(200):
            rng = np.random.default_rng(seed)
            n = int(rng.integers(2, 30))
            y = np.unique(rng.integers(0, 4, n), return_inverse=True)[1]
            groups = rng.integers(0, n, n)
            folds = assign_folds(y, groups, 5, seed=seed)
            for group in np.unique(groups):
                assert len(set(folds[groups == group])) == 1
            for fold in range(5):
                assert set(y[folds != fold]) == set(y)
            try:
                held = hold_out(y, groups, rng.random() * 0.9, seed=seed)
            except embedclf.TrainingError:
                continue
            assert set(y[~held]) == set(y)
            for group in np.unique(groups):
                assert len(set(held[groups == group])) == 1

    def test_folds_are_equal_in_size_and_in_classes(self):
        """To one example."""
        y = np.repeat([0, 1, 2], [33, 20, 11])
        folds = assign_folds(y, np.arange(64), 5, seed=0)
        for part in (y >= 0, y == 0, y == 1, y == 2):
            counts = np.bincount(folds[part], minlength=5)
            assert counts.max() - counts.min() <= 1


class TestPython:
    """embedclf.train, from Python."""

    def test_numpy_strings_and_generators_are_lists_too(self):
        """Arrays and generators train the same classifier as lists."""
        from_lists = embedclf.train(TEXTS, LABELS)
        from_others = embedclf.train((text for text in TEXTS), np.array(LABELS))
        assert (from_lists.model.weights == from_others.model.weights).all()
        assert all(type(name) is str for name in from_others.classes)

    @pytest.mark.parametrize(
        ("texts", "labels", "error", "message"),
        [
            ("a text", ["a"], TypeError, "texts must be a list of strings, not a single str"),
            (["a", "b"], "ab", TypeError, "labels must be a list of strings, not a single str"),
            (["a", 5], ["x", "y"], TypeError, r"texts must be strings, but texts\[1\] is of type int"),
            (["a", "b"], [1, 2.5], TypeError, r"labels\[1\] is of type float, neither a string nor a whole number"),
            (["a", "b"], [1, float("nan")], TypeError, r"labels\[1\] is missing \(nan\): leave such rows out"),
            (["a", "b"], ["x"], embedclf.ArgumentError, "got 2 texts but 1 label"),
            ([], [], embedclf.TrainingError, "no examples to train on"),
            (["a", "b"], ["x", " "], embedclf.TrainingError, "the label is empty: ' '"),
            (["a", "b"], ["x", "\ud800"], embedclf.TrainingError, "the label contains half a character"),
            ({"a": 1}, ["x"], TypeError, "texts must be a list of strings, not a dict"),
            (pd.DataFrame({"text": ["a"]}), ["x"], TypeError, "labels cannot be passed beside a data frame"),
            (["a", ""], ["x", "y"], embedclf.TextError, r"texts\[1\]: the text is empty"),
        ],
    )
    def test_what_cannot_be_trained_on(self, texts, labels, error, message):
        """Each misuse has its own error."""
        with pytest.raises(error, match=message):
            embedclf.train(texts, labels)

    @pytest.mark.parametrize(
        ("settings", "error", "message"),
        [
            ({"head": "tree"}, embedclf.ArgumentError, "unknown head 'tree': expected 'logistic' or 'centroid'"),
            ({"holdout": 1.0}, embedclf.ArgumentError, "holdout must be at least 0 and less than 1, got 1"),
            ({"regularization": 0}, embedclf.ArgumentError, "scikit-learn's C, from 1e-06 to 1e[+]06, got 0"),
            ({"regularization": 1e-30}, embedclf.ArgumentError, "scikit-learn's C, from 1e-06 to 1e[+]06, got 1e-30"),
            ({"head": "centroid", "regularization": 1.0}, embedclf.ArgumentError, "the centroid head has none"),
            ({"C": "much"}, embedclf.ArgumentError, "^C must be 'auto' or scikit-learn's C, .* got 'much'"),
            ({"C": 1, "regularization": 1.0}, embedclf.ArgumentError, "C and regularization are two names of the same"),
            ({"sample_weight": [1, 0] * 15}, embedclf.ArgumentError, r"sample_weight\[1\] is 0: leave out the texts"),
            ({"sample_weight": [1]}, embedclf.ArgumentError, "must be one number per text, 30 in all"),
            ({"class_weight": {"refunds": 2}}, embedclf.ArgumentError, "'refunds', which is not among the labels"),
        ],
    )
    def test_settings_that_cannot_be(self, settings, error, message):
        """Said before anything is embedded."""
        with pytest.raises(error, match=message):
            embedclf.train(TEXTS, LABELS, **settings)

    @pytest.mark.parametrize("head", ["logistic", "centroid"])
    def test_weights_count_like_copies(self, head):
        """With metrics, which they do not change, and beside out-of-scope texts, whose weights mean nothing."""
        settings = {**QUICK, "regularization": 1.0 if head == "logistic" else "auto"}
        weighted = embedclf.train(TEXTS, LABELS, **settings, head=head, sample_weight=[3] * 15 + [1] * 15)
        copied = embedclf.train(TEXTS[:15] * 2 + TEXTS, LABELS[:15] * 2 + LABELS, **settings, head=head)
        directions = [one.model.weights / np.linalg.norm(one.model.weights) for one in (weighted, copied)]
        np.testing.assert_allclose(*directions, atol=2e-5)
        assert weighted.card.n_examples == 30

    def test_class_weights(self):
        """By label, as it is written or as the whole number it was."""
        numbers, texts = [len(label) for label in LABELS], TEXTS
        by_text = embedclf.train(texts, numbers, **QUICK, class_weight={"6": 5})
        by_number = embedclf.train(texts, numbers, **QUICK, class_weight={6: 5.0})
        assert (by_text.model.weights == by_number.model.weights).all()
        weights = {6: 8.0, 8: 1}
        weighted, plain = (embedclf.train(texts, numbers, **QUICK, class_weight=how) for how in (weights, None))
        by_weights = weighted.predict_proba(texts) * [8, 1]
        assert weighted.predict(texts) == [weighted.classes[place] for place in by_weights.argmax(axis=1)]
        # The probabilities are those of texts in which labels are as frequent as they are.
        assert weighted.predict_proba(texts)[:, 0].mean() == pytest.approx(1 / 3, abs=0.05)
        counts = [one.predict(texts).count("6") for one in (weighted, plain)]
        assert counts[0] >= counts[1]
        outside = {**QUICK, "out_of_scope_label": "refund"}
        balanced = [embedclf.train(TEXTS, LABELS, **outside, class_weight=how) for how in (None, "balanced")]
        assert (balanced[0].model.weights == balanced[1].model.weights).all()

    def test_an_open_embedder_has_its_own_dimensions(self):
        """Two that may differ are refused."""
        with pytest.raises(TypeError, match="dimensions needs an embedder's name"):
            embedclf.EmbeddingClassifier(embedclf.open_embedder(), dimensions=64).fit(TEXTS, LABELS)
