"""How sure a figure is."""

import numpy as np
import pytest

from embedclf import metrics
from embedclf.intervals import interval_of_macro_f1, interval_of_mean


@pytest.fixture(scope="module")
def answers() -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes of 400 rows, of eight classes, one of them rare."""
    rng = np.random.default_rng(0)
    y_true = rng.choice(8, 400, p=[0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.08, 0.02])
    y_pred = np.where(rng.random(400) < 0.8, y_true, rng.integers(0, 8, 400))
    return y_true, y_pred


def matrix(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    counts = np.zeros((8, 8), dtype=int)
    np.add.at(counts, (y_true, y_pred), 1)
    return counts


def test_they_are_those_of_drawing_rows(answers):
    """Drawing how often each kind of row occurs is drawing rows."""
    y_true, y_pred = answers
    rng = np.random.default_rng(1)
    accuracies, f1s = [], []
    for _ in range(2_000):
        rows = rng.integers(0, 400, 400)
        accuracies.append(metrics.accuracy(y_true[rows], y_pred[rows]))
        f1s.append(metrics.macro_f1(metrics.per_class(y_true[rows], y_pred[rows], list("abcdefgh"))))
    np.testing.assert_allclose(interval_of_mean(y_true == y_pred), np.percentile(accuracies, [2.5, 97.5]), atol=0.008)
    found = interval_of_macro_f1(matrix(y_true, y_pred))
    np.testing.assert_allclose(found, np.percentile(f1s, [2.5, 97.5]), atol=0.012)


def test_they_hold_the_truth_as_often_as_they_say():
    """About 95 of 100 times."""
    rng = np.random.default_rng(2)
    hits = [low <= 0.8 <= high for low, high in (interval_of_mean(rng.random(300) < 0.8) for _ in range(400))]
    assert 0.92 <= np.mean(hits) <= 0.98


def test_a_difference_is_between_its_signs(answers):
    """Of one classifier and itself there is none; of a better one it is above nothing."""
    y_true, y_pred = answers
    right = (y_true == y_pred).astype(float)
    assert interval_of_mean(right - right) == (0, 0)
    assert interval_of_mean(1 - right).low > 0


def test_all_right_is_not_certain():
    """Of 30 rows that are all right, the interval is the exact one: a classifier that is right 89 % may do that."""
    low, high = interval_of_mean(np.ones(30, dtype=bool))
    assert (low**30, high) == (pytest.approx(0.025), 1)
    assert interval_of_mean(np.zeros(30, dtype=bool)) == (0, pytest.approx(1 - low))
    assert interval_of_macro_f1(np.diag([10, 20])) == (low, 1)


def test_many_kinds_of_rows_take_little_memory():
    """They are drawn block by block; the same seed gives the same interval."""
    values = np.random.default_rng(3).random(20_000)
    low, high = interval_of_mean(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(20_000), rel=0.1)
    assert interval_of_mean(values) == (low, high)
    assert interval_of_mean(values, seed=1) != (low, high)


def test_a_log_loss_of_nothing_has_no_sign():
    """It is not shown as -0.000."""
    assert str(metrics.log_loss(np.array([0]), np.array([[1.0, 0.0]]))) == "0.0"


def test_coverage_compares_as_the_classifier_does():
    """0.9 as float32 is below 0.9: it abstains there."""
    assert metrics.coverage(np.array([True]), np.array([0.9], dtype=np.float32), [0.9]) == ((0.9, 0.0, None),)


def test_coverage_and_auroc_by_hand():
    """And AUROC as scikit-learn has it, with ties."""
    from sklearn.metrics import roc_auc_score

    correct, confidence = np.array([True, False, True, True]), np.array([0.9, 0.6, 0.5, 0.9])
    assert metrics.coverage(correct, confidence, [0.0, 0.6, 0.95]) == (
        (0.0, 1.0, 0.75),
        (0.6, 0.75, pytest.approx(2 / 3)),
        (0.95, 0.0, None),
    )
    rng = np.random.default_rng(4)
    positive, score = rng.random(500) < 0.3, rng.integers(0, 20, 500) / 20
    score = score + positive * 0.2
    assert metrics.auroc(positive, score) == pytest.approx(roc_auc_score(positive, score))


def test_reliability_by_hand():
    """Only bins that hold an answer; 1 belongs to the last."""
    correct, confidence = np.array([True, False, True, True]), np.array([0.95, 0.62, 0.66, 1.0])
    assert metrics.reliability(correct, confidence) == (
        (0.6, 0.7, 2, pytest.approx(0.64), 0.5),
        (0.9, 1.0, 2, pytest.approx(0.975), 1.0),
    )
