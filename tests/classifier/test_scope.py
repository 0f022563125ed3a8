"""The probability that a text is in scope."""

import numpy as np
import pytest

from embedclf.classifier.linear import softmax, softmax_in_scope
from embedclf.classifier.scope import ScopeRule, measures
from embedclf.training.scope import learn_scope


def test_the_log_odds_alone_are_a_softmax_with_one_more_class():
    """Whose score is 0, and which is left out."""
    scores = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    one_more = softmax(np.column_stack([scores, np.zeros(50, dtype=np.float32)]))
    found = softmax_in_scope(scores, ScopeRule(0.0, 1.0, 0.0, 1.0))
    np.testing.assert_allclose(found, one_more[:, :-1], rtol=1e-5)
    np.testing.assert_array_equal(softmax_in_scope(scores[3], ScopeRule(0.0, 1.0, 0.0, 1.0)), found[3])


@pytest.mark.parametrize("size", [-1e30, 1e30])
def test_nothing_overflows(size: float):
    """Whatever scores and rule a file can have."""
    scores = np.array([[size, 0.0, -size]], dtype=np.float32)
    with np.errstate(over="raise", invalid="raise"):
        assert np.isfinite(softmax_in_scope(scores, ScopeRule(size, size, size, 1e30))).all()


def test_the_energy_is_used_where_it_tells_more():
    """Scores that are as large, but far apart or near each other, and as many of both kinds as of a fifth."""
    rng = np.random.default_rng(0)
    in_scope = np.arange(400) < 320
    scores = rng.normal(size=(400, 5)) * np.where(in_scope, 4, 1)[:, None]
    scores -= measures(scores.astype(np.float32), 1.0)[0][:, None]  # log-odds of 0 throughout
    rule = learn_scope(scores.astype(np.float32), in_scope, 1.0, seed=0)
    assert rule.energy > 0.1
    assert rule.probability(scores.astype(np.float32)).mean() == pytest.approx(0.8, abs=0.01)
