"""The choice, on out-of-fold scores, of what tells out-of-scope texts from those in scope."""

import numpy as np

from embedclf.arrays import Floats, Mask, Vectors
from embedclf.classifier.scope import ScopeRule, measures

LEAST_SHARE = 0.2
"""The share of texts that is taken to be out of scope where the examples have fewer: few were collected, but that says
nothing of how many will come. With the shares that examples usually have, the confidence hardly considers the scope."""

_CANDIDATES = ((0,), (1,), (0, 1))
_N_FOLDS = 5


def assumed_share(in_scope: Mask) -> float:
    """Return the share of texts that is taken to be out of scope."""
    return max(LEAST_SHARE, 1 - float(in_scope.mean()))


def learn_scope(scores: Vectors, in_scope: Mask, temperature: float, *, seed: int) -> ScopeRule:
    """Learn the probability of being in scope, by the measure, or the two, with the least cross-validated log loss.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes), float32
        Out of fold, relative to the out-of-scope score, and divided by the temperature.
    in_scope : ndarray of shape (n,), bool
        Each kind occurs.
    temperature : float
    seed : int
        Seed for the folds.
    """
    values = np.stack(measures(scores, temperature), axis=1)
    mean, spread = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-6)
    values = (values - mean) / spread
    chosen = min(_CANDIDATES, key=lambda columns: _log_loss(values[:, columns], in_scope, seed))
    weights = np.zeros(2)
    intercept, weights[list(chosen)] = _fit(values[:, chosen], in_scope)
    weights /= spread
    odds = in_scope.sum() / (~in_scope).sum()
    share = assumed_share(in_scope)
    intercept += float(np.log((1 - share) / share / odds) - weights @ mean)
    return ScopeRule(intercept, float(weights[0]), float(weights[1]), temperature)


def _fit(values: Floats, in_scope: Mask) -> tuple[float, Floats]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit(values, in_scope)
    return float(fitted.intercept_[0]), fitted.coef_[0]


def _log_loss(values: Floats, in_scope: Mask, seed: int) -> float:
    """Return the log loss over folds that were not fitted on; infinity if there are too few examples to divide."""
    from sklearn.model_selection import StratifiedKFold

    n_folds = min(_N_FOLDS, int(in_scope.sum()), int((~in_scope).sum()))
    if n_folds < 2:
        return np.inf
    loss = 0.0
    for fitted, judged in StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(values, in_scope):
        intercept, weights = _fit(values[fitted], in_scope[fitted])
        z = intercept + values[judged] @ weights
        loss += float(np.logaddexp(0, np.where(in_scope[judged], -z, z)).sum())
    return loss
