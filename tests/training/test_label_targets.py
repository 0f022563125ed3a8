"""Thresholds of labels with a target where texts may have several, on scores made for it."""

from dataclasses import replace

import numpy as np
import pytest

from embedclf.classifier.decisions import MultiLabelDecision
from embedclf.classifier.linear import logistic
from embedclf.errors import TrainingError
from embedclf.training.calibration import OutOfFoldScores
from embedclf.training.label_calibration import LabelCalibration
from embedclf.training.label_targets import choose_label_targets, with_thresholds
from embedclf.training.settings import Settings
from embedclf.training.targets import AnswerRules
from embedclf.training.thresholds import wilson_low

CLASSES = ("a", "b", "c")
RNG = np.random.default_rng(0)
SCORES = RNG.normal(-1, 2, (800, 3)).astype(np.float32)
GIVEN = RNG.random(SCORES.shape) < logistic(SCORES)
USUAL = np.array([0.4, 0.4, 0.4])
OUT_OF_FOLD = OutOfFoldScores(SCORES, np.zeros(800, dtype=int), GIVEN)
SETTINGS = Settings(1.0, 0.0, False, 1.0, 0.1, 800, None, OUT_OF_FOLD, LabelCalibration.neutral(3))


@pytest.mark.parametrize(
    ("precision", "recall"),
    [({"a": 0.85}, {}), ({}, {"b": 0.9}), ({"a": 0.8}, {"b": 0.8, "c": 0.95}), ({"b": 0.6}, {"b": 0.8})],
)
def test_targets_are_reached_by_the_threshold_nearest_to_the_usual_one(precision, recall):
    """The lower end of the interval does, the figures are those of the answers, and other labels keep theirs."""
    targets = choose_label_targets(SETTINGS, USUAL, CLASSES, AnswerRules(None, precision, recall))
    assert len(targets) == len(precision) + len(recall)
    thresholds = with_thresholds(USUAL, targets, CLASSES)
    predicted = MultiLabelDecision(CLASSES, thresholds, at_least_one=False).given(logistic(SCORES))
    for one in targets:
        place = CLASSES.index(one.label)
        rows = (predicted if one.figure == "precision" else GIVEN)[:, place]
        reached = (predicted & GIVEN)[rows, place].mean()
        assert (one.cross_validated, one.n_examples) == (pytest.approx(reached), rows.sum())
        assert wilson_low(np.array([reached]), np.array([rows.sum()]))[0] >= one.target
        raised, lowered = one.threshold > 0.4, one.threshold < 0.4
        assert not (lowered if one.figure == "precision" else raised) or one.label in precision.keys() & recall.keys()
    named = precision.keys() | recall.keys()
    assert [float(one) for name, one in zip(CLASSES, thresholds, strict=True) if name not in named] == [0.4] * (
        3 - len(named)
    )


def test_a_target_that_is_reached_anyway_changes_nothing():
    for rules in (AnswerRules(None, {"a": 0.3}), AnswerRules(None, {}, {"a": 0.3})):
        (one,) = choose_label_targets(SETTINGS, USUAL, CLASSES, rules)
        assert one.threshold == 0.4


@pytest.mark.parametrize(
    ("precision", "recall", "says"),
    [
        ({"a": 0.999}, {}, r"'a' reliably reaches a precision of 0.999: the best is 0.9\d*, at which its recall goes"),
        ({}, {"b": 0.9999}, r"a recall of 0.9999: the best is 0.99\d*, at which its precision goes .* \(800 cross"),
        ({"b": 0.95}, {"b": 0.9}, r"a precision of 0.95 and a recall of 0.9: with that recall, the best precision is"),
        ({"b": 0.95}, {"b": 0.9999}, r"and a recall of 0.9999: the best recall is 0.99\d* \(800"),
    ],
)  # fmt: skip
def test_a_target_that_is_not_reached(precision, recall, says):
    """The message names the best, and what it costs."""
    with pytest.raises(TrainingError, match=says):
        choose_label_targets(SETTINGS, USUAL, CLASSES, AnswerRules(None, precision, recall))


def test_targets_need_rows():
    none = replace(OUT_OF_FOLD, given=GIVEN & [False, True, True])
    for settings, says in (
        (replace(SETTINGS, out_of_fold=none), "'a': it has no rows among 800 cross-validated rows"),
        (replace(SETTINGS, out_of_fold=None), "too few examples to choose the thresholds of labels"),
    ):
        with pytest.raises(TrainingError, match=says):
            choose_label_targets(settings, USUAL, CLASSES, AnswerRules(None, {"a": 0.5}))


def test_no_text_gets_a_label_below_the_threshold_for_its_precision():
    """Not even one that has no other label, and would otherwise get the nearest one."""
    probabilities = np.array([[0.6, 0.1, 0.1], [0.1, 0.3, 0.1], [0.8, 0.1, 0.5]], dtype=np.float32)
    strict = np.array([True, False, False])
    decision = MultiLabelDecision(CLASSES, np.array([0.7, 0.4, 0.4]), at_least_one=True, strict=strict)
    assert decision.given(probabilities).tolist() == [[False] * 3, [False, True, False], [True, False, True]]
