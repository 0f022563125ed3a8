"""The solver of logistic regression: the optimum, whatever the rows are like."""

import logging
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from embedclf.training import solver
from embedclf.training.heads import Rows
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Recipe
from embedclf.training.settings import C_GRID, choose_settings
from embedclf.training.solver import Design
from embedclf.training.training_set import TrainingSet


def unit(n: int, n_columns: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, n_columns)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def with_constant_columns() -> np.ndarray:
    vectors = unit(80, 16)
    vectors[:, 3], vectors[:, 5] = 0.1, 0
    return vectors


ROWS = {
    "two classes": (unit(60, 8), (unit(60, 8)[:, 0] > 0).astype(int)),
    "one row a class": (unit(5, 16), np.arange(5)),
    "separable": (np.vstack([unit(30, 8) + 5, unit(30, 8) - 5]), np.repeat([0, 1], 30)),
    "constant columns": (with_constant_columns(), np.arange(80) % 4),
    "more columns than rows": (unit(40, 3_072), np.arange(40) % 3),
    "all rows equal": (np.repeat(unit(1, 8), 10, axis=0), np.arange(10) % 2),
    "equal rows of different classes": (np.repeat(unit(20, 32), 5, axis=0), np.arange(100) % 3),
    "rare classes": (unit(500, 32), np.r_[np.zeros(497, int), 1, 1, 2]),
    "long vectors": (unit(200, 32) * 100, np.arange(200) % 3),
    "200 classes": (unit(600, 16), np.arange(600) % 200),
}


def of_scikit_learn(vectors: np.ndarray, y: np.ndarray, C: float) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=C, solver="newton-cg", tol=1e-10, max_iter=10_000)
        return model.fit(vectors.astype(np.float64), y).predict_proba(vectors.astype(np.float64))


@pytest.mark.parametrize("C", [1e-6, 0.1, 10.0, 1e3])
@pytest.mark.parametrize("name", ROWS)
def test_its_probabilities_are_those_of_the_optimum(name: str, C: float):
    """Each within 1e-3 of a converged fit of scikit-learn's in float64."""
    vectors, y = ROWS[name]
    fitted = Design(vectors).fit(y, C)
    assert fitted.converged
    ours = softmax(fitted.scores(vectors.astype(np.float64)), axis=1)
    np.testing.assert_allclose(ours, of_scikit_learn(vectors, y, C), atol=1e-3)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_a_weight_counts_as_that_many_rows(n_classes: int):
    """In float32 and float64; also where the weights are no whole numbers, as scikit-learn has it."""
    vectors, y = unit(120, 16), np.arange(120) % n_classes
    whole = np.random.default_rng(0).integers(1, 4, 120)
    weighted = Design(vectors).fit(y, 10.0, sample_weight=whole.astype(float))
    repeated = Design(vectors.repeat(whole, axis=0)).fit(y.repeat(whole), 10.0)
    np.testing.assert_allclose(weighted.scores(vectors), repeated.scores(vectors), atol=1e-3)
    broken = whole * 0.37
    theirs = LogisticRegression(C=10.0, tol=1e-10, max_iter=10_000).fit(vectors.astype(np.float64), y, broken)
    ours = softmax(Design(vectors).fit(y, 10.0, sample_weight=broken).scores(vectors.astype(np.float64)), axis=1)
    np.testing.assert_allclose(ours, theirs.predict_proba(vectors.astype(np.float64)), atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("C", [1e-6, 1e6])
@pytest.mark.parametrize("name", ROWS)
def test_it_comes_to_an_end_at_either_end_of_c(name: str, C: float):
    """Finite, and converged but for 200 classes of three rows that are hardly held together: that, it says."""
    vectors, y = ROWS[name]
    # Exact, the hard one takes all the steps there are, which is seconds.
    for exact in (True, False) if (name, C) != ("200 classes", 1e6) else (False,):
        fitted = Design(vectors).fit(y, C, exact=exact)
        assert fitted.converged or (name == "200 classes" and C == 1e6)
        assert np.isfinite(fitted.weights).all()
        assert np.isfinite(fitted.bias).all()


def test_where_it_starts_does_not_matter():
    """Zero, or the fit with another C."""
    vectors, y = ROWS["constant columns"]
    design = Design(vectors)
    one = design.fit(y, 10.0)
    other = design.fit(y, 10.0, start=design.fit(y, 0.01, exact=False))
    np.testing.assert_allclose(softmax(one.scores(vectors), axis=1), softmax(other.scores(vectors), axis=1), atol=1e-4)


def test_it_says_where_it_did_not_converge(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """In one line, which names C."""
    monkeypatch.setattr(solver, "_MOST_STEPS", 2)
    vectors, y = ROWS["200 classes"]
    with caplog.at_level(logging.WARNING):
        assert not Rows(Inputs(vectors), y).fit("logistic", 1e6, 0.0).fit.converged
    assert caplog.messages == [
        "the fit with C = 1e+06 did not converge: probabilities may be slightly off; use a smaller C"
    ]


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0, 3.0])
def test_the_c_that_is_chosen_is_the_best_of_the_grid(noise: float):
    """However it is looked for: none of the others has a smaller log loss."""
    centres = unit(6, 24, seed=1)
    y = np.arange(240) % 6
    vectors = (centres[y] + noise * unit(240, 24, seed=2)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = np.arange(240)
    recipe = Recipe(features="embedding")
    examples = TrainingSet(Inputs(vectors), y, groups, tuple(map(str, range(int(y.max()) + 1))))
    chosen = choose_settings(recipe, examples, seed=0)
    assert chosen.out_of_fold is not None

    def loss(C: float) -> float:
        return choose_settings(replace(recipe, C=C), examples, seed=0).log_loss

    losses = {C: loss(C) for C in C_GRID}
    assert losses[chosen.C] <= min(losses.values()) * 1.001
