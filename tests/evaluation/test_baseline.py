"""What an accuracy is compared with: the commonest label, and words alone."""

import numpy as np
import pytest

import embedclf
from tests.support.corpus import LABELS, QUICK, TEXTS

# Noise, so that words are better than they are.
VECTORS = np.random.default_rng(0).normal(size=(len(TEXTS), 256)).astype(np.float32)
TRAINED = {"embedder": "wordllama", "vectors": VECTORS}


def test_train_measures_the_commonest_label_and_words_alone_on_the_held_out_rows():
    settings = {**QUICK, "holdout": 0.3}
    held_out = embedclf.train(TEXTS, LABELS, **TRAINED, **settings).card.held_out
    assert held_out.n_examples == 9
    assert held_out.baseline_accuracy == pytest.approx(3 / 9)
    assert held_out.words_accuracy > held_out.baseline_accuracy


def test_a_classifier_of_words_alone_is_not_compared_with_words_alone():
    held_out = embedclf.train(TEXTS, LABELS, features="words", holdout=0.3, regularization=1.0).card.held_out
    assert held_out.baseline_accuracy == pytest.approx(3 / 9)
    assert held_out.words_accuracy is None


def test_the_baseline_is_kept_in_the_model_file(tmp_path):
    classifier = embedclf.train(TEXTS, LABELS, **TRAINED, **{**QUICK, "holdout": 0.3})
    classifier.save(tmp_path / "m.safetensors")
    assert embedclf.load(tmp_path / "m.safetensors").card == classifier.card


def test_a_report_has_the_accuracy_of_always_predicting_its_commonest_label():
    classifier = embedclf.train(TEXTS, LABELS, **TRAINED, **QUICK)
    texts, labels = TEXTS[:13], LABELS[:13]
    report = embedclf.evaluate(classifier, texts, labels, vectors=VECTORS[:13])
    assert report.baseline == embedclf.Baseline("delivery", 10 / 13, None)
    assert report.to_dict()["baseline"] == {"label": "delivery", "accuracy": 10 / 13, "words_accuracy": None}


def test_out_of_scope_rows_are_no_part_of_the_baseline():
    settings = {**QUICK, "min_confidence": 0.1, "out_of_scope_label": "refund"}
    classifier = embedclf.train(TEXTS, LABELS, **TRAINED, **settings)
    report = embedclf.evaluate(classifier, TEXTS, LABELS, vectors=VECTORS)
    assert report.baseline == embedclf.Baseline("delivery", 0.5, None)


def test_with_the_train_set_a_report_says_what_words_alone_reach():
    classifier = embedclf.train(TEXTS, LABELS, **TRAINED, **QUICK)
    known = embedclf.EmbeddedTexts(TEXTS, LABELS, embedder=classifier.embedder, vectors=VECTORS)
    texts = ["my parcel and my courier", "the password of my login", "refund my money", "refund"]
    report = embedclf.evaluate(
        classifier, texts, ["delivery", "password", "refund", "unheard"], vectors=VECTORS[:4], train_set=known
    )
    assert report.baseline.words_accuracy == 0.75


def test_cross_validation_measures_words_alone_on_the_same_folds():
    settings = {key: value for key, value in QUICK.items() if key != "holdout"}
    result = embedclf.cross_validate(TEXTS, LABELS, **TRAINED, **settings)
    assert result.report.baseline.accuracy == pytest.approx(1 / 3)
    assert result.report.baseline.words_accuracy > result.accuracy  # the vectors are noise


def test_texts_without_words_are_predicted_all_the_same():
    texts = ["?", "!", "…", "–", "?!", "!!"]
    result = embedclf.cross_validate(
        texts, ["a", "b"] * 3, embedder="wordllama", vectors=VECTORS[:6], folds=3, regularization=1.0, label_names=False
    )
    assert 0 <= result.report.baseline.words_accuracy <= 1


# Every other text has the next one's labels as well.
PAIRS = [f"{text}. {TEXTS[row - 5]}" if row % 2 else text for row, text in enumerate(TEXTS)]
SETS = [sorted({LABELS[row], LABELS[row - 5]}) if row % 2 else [LABELS[row]] for row in range(len(TEXTS))]


def test_labels_of_several_are_compared_with_words_alone_as_well():
    """In a cross-validation on the same folds; in an evaluation, if the train set is known; in JSON, too."""
    settings = {key: value for key, value in QUICK.items() if key != "holdout"}
    result = embedclf.cross_validate(PAIRS, SETS, **TRAINED, **settings)
    assert result.report.baseline.words_micro_f1 > max(result.micro_f1, result.report.baseline.micro_f1)
    classifier = embedclf.train(PAIRS, SETS, **TRAINED, **QUICK)
    known = embedclf.EmbeddedTexts(PAIRS, SETS, embedder=classifier.embedder, vectors=VECTORS)
    texts = ["my parcel and my courier", "the password of my login", "refund my money", "my refund and my password"]
    sets = [["delivery"], ["password"], ["refund"], ["password", "refund", "unheard"]]
    report = embedclf.evaluate(classifier, texts, sets, vectors=VECTORS[:4], train_set=known)
    assert report.to_dict()["baseline"]["words_micro_f1"] == report.baseline.words_micro_f1 > 0.6
    assert embedclf.evaluate(classifier, texts, sets, vectors=VECTORS[:4]).baseline.words_micro_f1 is None
    by_words = embedclf.train(PAIRS, SETS, features="words", regularization=1.0, holdout=0)
    assert embedclf.evaluate(by_words, texts, sets, train_set=(PAIRS, SETS)).baseline.words_micro_f1 is None
    assert "\nwords alone        0." in str(report)
