"""How sure a figure is."""

import tracemalloc

import numpy as np
import pytest
from scipy.stats import beta, binomtest

from embedclf.stats import metrics, multilabel
from embedclf.stats.intervals import (
    interval_of_macro_difference,
    interval_of_macro_f1,
    interval_of_macro_ratio,
    interval_of_mean,
)


@pytest.fixture(scope="module")
def answers() -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes of 400 rows, of eight classes, one of them rare."""
    rng = np.random.default_rng(0)
    y_true = rng.choice(8, 400, p=[0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.08, 0.02])
    y_pred = np.where(rng.random(400) < 0.8, y_true, rng.integers(0, 8, 400))
    return y_true, y_pred


def macro_f1(y_true: np.ndarray, y_pred: np.ndarray, weights: np.ndarray) -> float:
    """Macro-F1 of weighted rows, as it is defined."""
    f1s = []
    for number in np.union1d(y_true, y_pred):
        right = weights[(y_true == number) & (y_pred == number)].sum()
        f1s.append(2 * right / (weights[y_true == number].sum() + weights[y_pred == number].sum()))
    return float(np.mean(f1s))


def test_they_are_those_of_weighting_groups(answers):
    """Drawing a weight for each kind of group is drawing one for each group: rows of one text have the same."""
    y_true, y_pred = answers
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 150, 400)
    n = len(np.unique(groups))
    means, f1s, unseen = [], [], rng.beta(1, n, 2_000)
    for _ in range(2_000):
        weights = rng.exponential(size=150)[groups]
        means.append(weights @ (y_true == y_pred) / weights.sum())
        f1s.append(macro_f1(y_true, y_pred, weights))
    f1s -= 2 * (np.mean(f1s) - macro_f1(y_true, y_pred, np.ones(400)))
    for figures, found in (
        (np.array(means), interval_of_mean(y_true == y_pred, groups)),
        (np.array(f1s), interval_of_macro_f1(y_true, y_pred, groups)),
    ):
        low = np.percentile(figures * (1 - unseen), 2.5)
        high = np.percentile(figures * (1 - unseen) + unseen, 97.5)
        np.testing.assert_allclose(found, (low, high), atol=0.012)


def test_copies_make_nothing_surer(answers):
    """Of rows that stand three times each, the intervals are those of the rows: √3 times those of as many texts."""
    y_true, y_pred = answers
    thrice, groups = np.tile(np.arange(400), 3), np.tile(np.arange(400), 3)
    right = y_true == y_pred
    once = interval_of_mean(right)
    assert interval_of_mean(right[thrice], groups) == pytest.approx(once)
    apart = interval_of_mean(right[thrice])
    assert once.high - once.low > 1.6 * (apart.high - apart.low)
    assert interval_of_macro_f1(y_true[thrice], y_pred[thrice], groups) == pytest.approx(
        interval_of_macro_f1(y_true, y_pred)
    )
    # One text that makes up half of the rows is one text.
    half = np.where(np.arange(400) < 200, 0, np.arange(400))
    wide = interval_of_mean(np.arange(400) >= 200, half)
    assert wide.high - wide.low > 0.5


@pytest.mark.parametrize(("n", "n_right"), [(30, 30), (30, 29), (22, 19), (100, 95), (1_000, 800), (40, 0), (40, 1)])
def test_of_truth_values_they_are_exact(n: int, n_right: int):
    """Clopper and Pearson's."""
    expected = (
        beta.ppf(0.025, n_right, n - n_right + 1) if n_right else 0,
        beta.ppf(0.975, n_right + 1, n - n_right) if n_right < n else 1,
    )
    np.testing.assert_allclose(interval_of_mean(np.arange(n) < n_right), expected, atol=0.01)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_they_hold_the_truth_as_often_as_they_say():
    """About 95 of 100 times; macro-F1 of many classes of few rows, too, which comes out too low."""
    rng = np.random.default_rng(2)
    hits = [low <= 0.8 <= high for low, high in (interval_of_mean(rng.random(300) < 0.8) for _ in range(400))]
    assert 0.92 <= np.mean(hits) <= 0.98

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        y_true = rng.integers(0, 40, n)
        return y_true, np.where(rng.random(n) < 0.85, y_true, rng.integers(0, 40, n))

    truth = macro_f1(*drawn(400_000), np.ones(400_000))
    hits = [low <= truth <= high for low, high in (interval_of_macro_f1(*drawn(400)) for _ in range(150))]
    assert np.mean(hits) >= 0.9


@pytest.mark.parametrize(("n_worse", "n_better"), [(5, 0), (6, 0), (7, 1), (9, 1), (9, 2), (12, 2)])
def test_a_difference_is_more_than_chance_where_the_exact_test_says_so(n_worse: int, n_better: int):
    """The sign test of the rows that differ, which is McNemar's."""
    differences = np.zeros(200)
    differences[:n_worse] = -1
    differences[n_worse : n_worse + n_better] = 1
    certain = binomtest(n_better, n_worse + n_better).pvalue < 0.05
    assert (interval_of_mean(differences, least=-1).high < 0) == certain


def test_where_nothing_differs_something_may():
    """Of 100 rows none is better and none worse: less than 1 − 0.025^(1/100) of all are so."""
    low, high = interval_of_mean(np.zeros(100), least=-1)
    assert (low, high) == (pytest.approx(-(1 - 0.025**0.01)), pytest.approx(1 - 0.025**0.01))
    # Of repeats, or where two answers differ by a part.
    low, high = interval_of_mean(np.array([-0.2] * 30 + [0.0] * 70), least=-1)
    assert low < -0.06 < high
    assert high > -0.05


def test_all_right_is_not_certain():
    """Of 30 rows that are all right, the interval is the exact one: a classifier that is right 89 % may do that."""
    low, high = interval_of_mean(np.ones(30, dtype=bool))
    assert (low**30, high) == (pytest.approx(0.025), 1)
    assert interval_of_mean(np.zeros(30, dtype=bool)) == (0, pytest.approx(1 - low))
    assert interval_of_mean(np.ones(30)) == (low, high)
    assert interval_of_mean(np.ones(90), np.arange(90) // 3) == (low, high)
    y = np.array([0] * 10 + [1] * 20)
    assert interval_of_macro_f1(y, y) == (pytest.approx(low), 1)
    assert interval_of_macro_f1(np.tile(y, 3), np.tile(y, 3), np.tile(np.arange(30), 3)) == (pytest.approx(low), 1)


@pytest.mark.slow
def test_many_classes_and_groups_take_little_memory():
    """10,000 texts of 77 classes, predicted in five repeats, nearly all of them in ways of their own."""
    rng = np.random.default_rng(5)
    y = np.tile(rng.integers(0, 77, 10_000), 5)
    predicted = np.where(rng.random(50_000) < 0.5, y, rng.integers(0, 77, 50_000))
    repeat = 77 * np.repeat(np.arange(5), 10_000)
    tracemalloc.start()
    low, high = interval_of_macro_f1(y + repeat, predicted + repeat, np.tile(np.arange(10_000), 5))
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()
    assert 0.49 < low < 0.51 < high < 0.53


@pytest.mark.slow
@pytest.mark.exhaustive
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


def test_a_difference_of_two_macro_ratios_is_paired():
    """It is narrower than if the rows were others, and holds the difference."""
    rng = np.random.default_rng(0)
    hits, n = 0, 8
    for _ in range(n):
        given = rng.random((80, 6)) < 0.3
        before = given ^ (rng.random(given.shape) < 0.2)
        after = np.where(rng.random(given.shape) < 0.5, given, before)
        parts, old = multilabel.f1_parts(given, after), multilabel.f1_parts(given, before)
        low, high = interval_of_macro_difference(*parts, *old)
        # The F1 of all such rows, of which a label is wrong in a share e.
        f1_before, f1_after = (2 * 0.3 * (1 - e) / (0.3 + 0.3 * (1 - e) + 0.7 * e) for e in (0.2, 0.1))
        hits += low <= f1_after - f1_before <= high
    assert hits == n
    one, other = (interval_of_macro_ratio(*each) for each in (parts, old))
    assert high - low < np.hypot(one.high - one.low, other.high - other.low)
