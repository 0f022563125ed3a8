"""Texts with several labels: fits, calibration and thresholds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from embedclf.training.label_calibration import LabelCalibration, calibrate_labels, fit_label_temperature
from embedclf.training.solver import Design


def several(n: int = 300, d: int = 12, n_labels: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.random.default_rng(seed)
    vectors = numbers.normal(size=(n, d)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = 6 * vectors @ numbers.normal(size=(d, n_labels)) - 1
    return vectors, scores + numbers.logistic(size=scores.shape) > 0


@pytest.mark.parametrize("weighted", [None, "rows", "labels"])
def test_each_label_is_fitted_as_by_scikit_learn(weighted: str | None):
    """One against the rest, with the same C; however the examples are weighted, for each label or for all."""
    vectors, given = several()
    shape = given.shape if weighted == "labels" else len(given)
    weights = np.random.default_rng(1).uniform(0.2, 3, size=shape) if weighted else None
    fit = Design(vectors).fit(given, 3.0, sample_weight=weights)
    for label, has_label in enumerate(given.T):
        own = weights[:, label] if weighted == "labels" else weights
        theirs = LogisticRegression(C=3.0, tol=1e-10, max_iter=10_000).fit(vectors, has_label, sample_weight=own)
        assert fit.weights[label] == pytest.approx(theirs.coef_[0], abs=2e-3)
        assert fit.bias[label] == pytest.approx(theirs.intercept_[0], abs=2e-3)


def test_a_label_that_no_example_has_is_improbable():
    """And not impossible; one that all have is not certain either."""
    vectors, given = several()
    given[:, 0], given[:, 1] = False, True
    fit = Design(vectors).fit(given, 3.0)
    probabilities = 1 / (1 + np.exp(-fit.scores(vectors)))
    assert probabilities[:, 0] == pytest.approx(1 / 302, rel=0.05)
    assert probabilities[:, 1] == pytest.approx(301 / 302, rel=0.05)


def test_calibration_finds_factors_and_shifts():
    """With enough examples, what distorted the log-odds is undone."""
    numbers = np.random.default_rng(0)
    odds = 3 * numbers.normal(size=(20_000, 3)) - 1
    given = odds + numbers.logistic(size=odds.shape) > 0
    found = calibrate_labels(((odds - [0.5, -1, 0]) / [2, 0.5, 1]).astype(np.float32), given)
    assert found.factors == pytest.approx([2, 0.5, 1], rel=0.1)
    assert found.shifts == pytest.approx([0.5, -1, 0], abs=0.15)


def test_thresholds_raise_f1():
    """Over that at 1/2, where labels are rare."""
    numbers = np.random.default_rng(0)
    odds = 2 * numbers.normal(size=(5_000, 3)) - 3
    given, new = (odds + numbers.logistic(size=odds.shape) > 0 for _ in range(2))
    found = calibrate_labels(odds.astype(np.float32), given)
    probabilities = 1 / (1 + np.exp(-odds))
    ours, half = (f1_score(new, probabilities >= at, average="macro") for at in (found.thresholds, 0.5))
    assert ours > half + 0.05


def test_one_row_does_not_decide_on_a_threshold():
    """Where the only row with a label is the least likely one, the label is not given to all rows for its sake."""
    odds = 2 * np.random.default_rng(0).normal(size=(50, 1)) - 4
    given = odds == odds.min()
    found = calibrate_labels(odds.astype(np.float32), given)
    probabilities = 1 / (1 + np.exp(-(odds * found.factors + found.shifts)))
    assert 1 <= (probabilities >= found.thresholds).sum() < 25


def test_the_temperature_of_labels_is_that_of_the_scores():
    """Scores that are three times too large are divided by three."""
    numbers = np.random.default_rng(0)
    odds = 2 * numbers.normal(size=(5_000, 3))
    given = odds + numbers.logistic(size=odds.shape) > 0
    temperature, *_ = fit_label_temperature(3 * odds, given)
    assert temperature == pytest.approx(3, rel=0.05)


def test_class_weights_are_taken_out_of_the_scores_of_labels():
    """As much of them as the fit has taken up; the weighted label alone has another threshold, a lower one."""
    numbers = np.random.default_rng(0)
    odds = 2 * numbers.normal(size=(5_000, 3)) - 1
    given = odds + numbers.logistic(size=odds.shape) > 0
    weights = np.array([8.0, 1.0, 0.5])
    temperature, share, _ = fit_label_temperature(2 * (odds + 0.7 * np.log(weights)), given, None, weights)
    assert (temperature, share) == pytest.approx((2, 0.7), rel=0.1)
    found = calibrate_labels(odds.astype(np.float32), given, None, weights)
    assert found.shifts == pytest.approx([0, 0, 0], abs=0.15)
    lower, same, higher = found.thresholds / found.usual
    assert lower < 0.5 < same == 1 < higher
    assert LabelCalibration.neutral(3, weights).thresholds == pytest.approx(1 / (1 + weights))


def test_without_predictions_nothing_is_changed():
    """A label is then given from a probability of 1/2 on."""
    neutral = LabelCalibration.neutral(2)
    assert (neutral.factors == 1).all()
    assert (neutral.shifts == 0).all()
    assert (neutral.thresholds == 0.5).all()
