"""Sets of labels that hold the true one in a given share of cases."""

import asyncio
import json
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

import embedclf
from corpus import LABELS, QUICK, TEXTS
from embedclf.classifier.decisions import LabelRules
from embedclf.classifier.label_sets import Conformal, label_sets
from embedclf.classifier.model_file import model_parts, parse_parts
from embedclf.training import fitting, settings

TEN = Conformal.of(np.array([[0.7, 0.2, 0.1]] * 10, np.float32), np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 2]))


@pytest.mark.parametrize(
    ("coverage", "threshold"), [(0.01, 1.7), (0.5, 1.7), (0.55, 0.2), (0.8, 0.2), (0.82, 0.1), (0.9, 0.1)]
)
def test_the_quantile_is_corrected_for_the_number_of_rows(coverage: float, threshold: float):
    """⌈(n + 1) · coverage⌉ of n examples are held: 6 of 10 by the most likely label alone, so up to 6 / 11."""
    assert TEN.threshold(coverage) == pytest.approx(threshold, rel=1e-3)
    assert TEN.threshold(coverage) <= threshold


@pytest.mark.parametrize(
    ("conformal", "coverage", "message"),
    [
        (
            TEN,
            0.91,
            "^coverage 0.91 needs at least 11 rows to calibrate on, and the model has 10: lower it to 0.909, or ",
        ),
        (
            Conformal(0, 0, (), ()),
            0.5,
            "^coverage 0.5 needs at least 1 row to calibrate on, and the model has 0: train it",
        ),
        (TEN, 0, "^coverage must be above 0 and below 1, got 0$"),
        (TEN, 90, "^coverage must be above 0 and below 1, got 90$"),
        (TEN, math.nan, "^coverage must be above 0 and below 1, got nan$"),
    ],
)
def test_what_cannot_be_reached_is_refused(conformal: Conformal, coverage: float, message: str):
    """With what can be."""
    with pytest.raises(embedclf.ArgumentError, match=message):
        conformal.threshold(coverage)


def test_of_many_rows_quantiles_are_kept():
    """200 of them; no threshold is higher than that of all rows, and the sets hold hardly more than they need to."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.3] * 20, 5_000).astype(np.float32)
    y = rng.integers(0, 20, 5_000)
    conformal = Conformal.of(probabilities, y)
    true = probabilities[np.arange(5_000), y] + (probabilities.argmax(axis=1) == y)
    assert len(conformal.steps) == len(conformal.likeliest) == 200
    assert conformal == Conformal.from_dict(json.loads(json.dumps(conformal.to_dict())))
    for coverage in (0.1, 0.3, 0.5, 0.9, 0.99, 0.999):
        exact = np.sort(true)[::-1][math.ceil(5_001 * coverage) - 1]
        assert conformal.threshold(coverage) <= exact
        assert (true >= conformal.threshold(coverage)).mean() <= coverage + 0.0055


@pytest.mark.parametrize("coverage", [0.4, 0.9])
def test_sets_hold_as_often_as_asked_for(coverage: float):
    """On rows like those of the calibration, also if the most likely label is right more often; over many draws."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(60):
        probabilities = rng.dirichlet([0.5] * 5, 299 + 100).astype(np.float32)
        y = (probabilities.cumsum(axis=1) < rng.random((399, 1))).sum(axis=1).clip(max=4)
        sets = label_sets(probabilities[299:], Conformal.of(probabilities[:299], y[:299]).threshold(coverage))
        ends = np.repeat(np.arange(100), sets.sizes)
        held.append((sets.places == y[299:][ends]).sum() / 100)
    assert np.mean(held) == pytest.approx(coverage, abs=0.01)


def test_the_likeliest_comes_first():
    """Equally likely labels are both in or both out; what cannot be classified has no set.

    A set is empty if the most likely label of others is right often enough.
    """
    rows = [[0.1, 0.5, 0.4], [0.3, 0.4, 0.3], [0.3, 0.3, 0.4], [np.nan] * 3, [0.5, 0.5, 0.0]]
    sets = label_sets(np.array(rows, np.float32), 0.35)
    names = [[label for label, _ in own] for own in sets.labels(("a", "b", "c"))]
    assert names == [["b", "c"], ["b"], ["c"], [], ["a", "b"]]
    names = [[label for label, _ in own] for own in label_sets(np.array(rows, np.float32), 1.45).labels("abc")]
    assert names == [["b"], [], [], [], ["a"]]


def test_what_scales_all_probabilities_of_a_text_changes_no_set():
    """As a probability of being in scope does: a set is about a text that has one of the labels."""
    probabilities = np.random.default_rng(0).dirichlet([0.5] * 5, 50).astype(np.float32)
    scaled = probabilities * np.float32(0.25)
    assert (label_sets(scaled, 0.2).places == label_sets(probabilities, 0.2).places).all()
    assert Conformal.of(scaled, np.arange(50) % 5) == Conformal.of(probabilities, np.arange(50) % 5)


def test_in_python_it_is_lists_of_labels(trained: embedclf.TextClassifier):
    """As `classify` has them with confidences; one bad text fails all, as with `predict`."""
    card = replace(trained.card, conformal=Conformal(30, 27, (0.9, 0.5, 0.01), (0.2, 0.05, 0.01)))
    less_sure = embedclf.TextClassifier(trained.embedder, trained.model, card)
    texts = ["my money never came", "where is my parcel"]
    assert less_sure.predict_sets(texts, 0.93) == [["refund", "password", "delivery"], ["delivery"]]
    assert less_sure.predict_sets(texts) == [["refund"], ["delivery"]]
    first, second, empty = asyncio.run(less_sure.aclassify([*texts, ""], coverage=0.93))
    assert [one.label for one in first.label_set] == ["refund", "password", "delivery"]
    assert first.label_set[0].confidence == first.confidence
    assert (len(second.label_set), empty.label_set) == (1, None)
    sets = [one.label_set for one in less_sure.classify(["hello", ""], coverage=0.03)]
    assert sets == [(), None]  # an empty set is a set, in the service's JSON as well
    assert less_sure.predict_sets([]) == []
    with pytest.raises(embedclf.TextError):
        less_sure.predict_sets(["my parcel", ""])
    assert pickle.loads(pickle.dumps(card)) == card  # other processes need it
    assert "conformal" not in less_sure.to_dict()


def test_texts_with_several_labels_have_no_sets(trained: embedclf.TextClassifier):
    """Their thresholds decide."""
    card = replace(trained.card, multilabel=LabelRules((0.5, 0.5, 0.5)))
    with pytest.raises(embedclf.ArgumentError, match="with this model a text may have several"):
        card.set_threshold(0.9)


def test_held_out_rows_calibrate_alone_if_they_are_enough(monkeypatch: pytest.MonkeyPatch):
    """What judged them saw more rows than what judged the others, so that sets are hardly larger than need be."""
    for module in (fitting, settings):
        monkeypatch.setattr(module, "FEW_ROWS", 0)
    found = []
    for enough in (6, 7):
        monkeypatch.setattr(fitting, "_ENOUGH_HELD_OUT", enough)
        found.append(embedclf.train(TEXTS, LABELS, **{**QUICK, "holdout": 0.2}).card.conformal.n_examples)
    assert found == [6, 30]


def test_training_keeps_a_calibration_whatever_the_rows():
    """None has been fitted on by what judged it; out-of-scope rows do not count; older versions can read the file."""
    texts, labels = [*TEXTS, "nice weather", "what a day"], [*LABELS, "other", "other"]
    held = embedclf.train(texts, labels, out_of_scope_label="other", **QUICK)
    assert held.card.conformal is not None
    assert held.card.conformal.n_examples == 30
    entry, tensors = model_parts(held.model, held.card)
    assert json.loads(entry)["format"] == 4  # for the rule of being in scope
    assert parse_parts(entry, tensors, "m")[1].conformal == held.card.conformal
    lone = embedclf.train(["a parcel", "my money"], ["d", "r"], **QUICK)
    with pytest.raises(embedclf.ArgumentError, match="needs at least 9 rows to calibrate on, and the model has 0"):
        lone.predict_sets(["a parcel"])
