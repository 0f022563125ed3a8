"""Thresholds of labels with a target, and the correction for class weights, on scores made for it."""

from dataclasses import replace

import numpy as np
import pytest

from embedclf.classifier.answer_figures import LabelTarget, own_thresholds
from embedclf.classifier.costs import Costs, costs_of
from embedclf.classifier.decisions import NOTHING, Decision
from embedclf.classifier.linear import softmax
from embedclf.errors import TrainingError
from embedclf.training.calibration import OutOfFoldScores, fit_correction
from embedclf.training.targets import AnswerRules, cheapest_threshold, choose_targets, judge
from embedclf.training.thresholds import wilson_low

CLASSES = ("a", "b", "c")
RNG = np.random.default_rng(0)
SCORES = RNG.normal(0, 1.5, (600, 3)).astype(np.float32)
Y = (RNG.random((600, 1)) > softmax(SCORES).cumsum(axis=1)[:, :2]).sum(axis=1)
OUT_OF_FOLD = OutOfFoldScores(SCORES, Y)


def chosen(precision: dict[str, float], recall: dict[str, float]) -> tuple[tuple[LabelTarget, ...], np.ndarray]:
    targets = choose_targets(OUT_OF_FOLD, Decision(CLASSES), AnswerRules(None, precision, recall))
    decision = Decision(CLASSES, own=own_thresholds(targets, CLASSES))
    return targets, decision.decide(softmax(SCORES)).chosen


@pytest.mark.parametrize(
    ("precision", "recall"),
    [({"a": 0.85}, {}), ({}, {"b": 0.85}), ({"a": 0.8}, {"b": 0.8, "c": 0.7}), ({"b": 0.55}, {"b": 0.65})],
)
def test_targets_are_reached_with_something_to_spare(precision: dict[str, float], recall: dict[str, float]):
    """The lower end of the interval reaches them, and the figures are those of the answers."""
    targets, answered = chosen(precision, recall)
    assert len(targets) == len(precision) + len(recall)
    for one in targets:
        place = CLASSES.index(one.label)
        rows = (answered if one.figure == "precision" else Y) == place
        assert (one.cross_validated, one.n_examples) == (np.mean(answered[rows] == Y[rows]), rows.sum())
        assert wilson_low(np.array([one.cross_validated]), np.array([one.n_examples]))[0] >= one.target


def test_a_threshold_is_no_stricter_than_the_target_needs():
    """A lower one for precision, or a higher one for recall, does not reach it."""
    for precision, recall, step in (({"a": 0.85}, {}, -0.02), ({}, {"b": 0.85}, 0.02)):
        (one,), _ = chosen(precision, recall)
        assert one.threshold is not None
        other = one._replace(threshold=one.threshold + step)
        answered = Decision(CLASSES, own=own_thresholds([other], CLASSES)).decide(softmax(SCORES)).chosen
        rows = (answered if precision else Y) == CLASSES.index(one.label)
        assert np.mean(answered[rows] == Y[rows]) < one.cross_validated
        assert wilson_low(np.array([np.mean(answered[rows] == Y[rows])]), np.array([rows.sum()]))[0] < one.target


def test_a_recall_that_the_likeliest_label_has_needs_no_threshold():
    """The label keeps its answers, though: a common threshold does not apply to it."""
    (one,), answered = chosen({}, {"a": 0.3})
    assert (one.threshold, answered.tolist()) == (None, SCORES.argmax(axis=1).tolist())
    own = own_thresholds([one], CLASSES)
    strict = Decision(CLASSES, 0.999, own=own).decide(softmax(SCORES)).chosen
    assert set(strict[SCORES.argmax(axis=1) == 0]) == {0}
    assert NOTHING in strict
    judged = judge(OUT_OF_FOLD, Decision(CLASSES, own=own))
    assert (judged.confidence[SCORES.argmax(axis=1) == 0] == 1).all()


@pytest.mark.parametrize(
    ("precision", "recall", "says"),
    [
        ({"a": 0.999}, {}, r"'a' reliably reaches a precision of 0.999: the best is 0.9\d*, at which its recall"),
        ({}, {"b": 0.999}, r"a recall of 0.999: the best is 0.99\d*, at which its precision goes from .* \(600 cross"),
        ({"b": 0.95}, {"b": 0.9}, r"a precision of 0.95 and a recall of 0.9: with that recall, the best precision is"),
        ({}, {"b": 0.985, "c": 0.985}, r"beside the target of '[bc]': the best is"),
    ],
)  # fmt: skip
def test_a_target_that_is_not_reached(precision: dict[str, float], recall: dict[str, float], says: str):
    """The message names the best, and what it costs."""
    with pytest.raises(TrainingError, match=says):
        chosen(precision, recall)


def test_the_cheapest_threshold():
    """No other costs less; where abstaining has no cost to be chosen for, it is still what rows out of scope need.

    There is none where abstaining from what costs more is enough.
    """
    y = np.where(np.arange(600) % 3 == 0, 3, Y)
    out_of_fold = OutOfFoldScores(SCORES, y)
    for costs in ({("out", "*"): 4}, {("out", "*"): 0.1, ("a", "*"): 3}, {("out", "*"): 3, ("*", None): 0.5}):
        decision = AnswerRules(Costs.of(costs), outside="out").decision(CLASSES, None, ())
        threshold = cheapest_threshold(judge(out_of_fold, decision), out_of_fold, decision)

        def cost(at: float | None, decision: Decision = decision) -> float:
            answered = replace(decision, threshold=at).decide(softmax(SCORES)).chosen
            return float(costs_of(y, answered, decision.costs).mean())

        assert cost(threshold) == pytest.approx(min(cost(at) for at in np.linspace(0, 1, 401)), abs=0.003)
    of_known = OutOfFoldScores(SCORES, Y)
    found = []
    for costs in ({("a", "*"): 1}, {("*", None): 5}):
        decision = AnswerRules(Costs.of(costs), outside="out").decision(CLASSES, None, ())
        found.append(cheapest_threshold(judge(of_known, decision), of_known, decision))
    assert found == [0.0, None]


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 1.0), (0.5, 1.4), (2.0, 0.3), (1.3, 0.0)])
def test_class_weights_are_taken_out_of_the_scores(temperature: float, share: float):
    """As much of them as the fit has taken up, together with the temperature."""
    weights = np.array([8.0, 1.0, 0.5])
    shifted = (SCORES + share * np.log(weights)) * temperature
    found = fit_correction(shifted, Y, weights)
    assert found[:2] == pytest.approx((temperature, share), rel=0.12, abs=0.12)
    # Weighing rows twice is the same as having each twice.
    twice = fit_correction(np.vstack([shifted, shifted]), np.tile(Y, 2), weights, np.full(2 * len(Y), 3.0))
    assert twice == pytest.approx(found, rel=0.02, abs=0.02)
