"""The probability that a text is in scope, for a classifier that has learned from examples of what to reject."""

from dataclasses import dataclass

import numpy as np

from embedclf.arrays import Floats, Vectors


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """A logistic regression on measures of the scores of a text, which are relative to the out-of-scope score.

    Attributes
    ----------
    intercept : float
    log_odds : float
        Weight of the log-odds that the text is of any class rather than out of scope: the log-sum-exp of its scores.
    energy : float
        Weight of the energy (Liu, Wang, Owens & Li, "Energy-based Out-of-distribution Detection", NeurIPS 2020): the
        log-sum-exp of the scores, less their mean and before the division by the temperature.
    temperature : float
        That temperature.
    """

    intercept: float
    log_odds: float
    energy: float
    temperature: float

    def probability(self, scores: Vectors) -> Floats:
        """Return the probability that each text is in scope: (…), from scores (…, n_classes)."""
        log_odds, energy = measures(scores, self.temperature)
        z = self.intercept + self.log_odds * log_odds + self.energy * energy
        small = np.exp(-np.abs(z))
        in_scope: Floats = np.where(z >= 0, 1.0, small) / (1.0 + small)
        return in_scope


def measures(scores: Vectors, temperature: float) -> tuple[Floats, Floats]:
    """Return the log-odds and the energy of each text, (…), from scores (…, n_classes); see `ScopeRule`."""
    exact = scores.astype(np.float64)
    centred = exact - exact.mean(axis=-1, keepdims=True)
    return log_sum_exp(exact), log_sum_exp(centred * temperature)


def log_sum_exp(scores: Floats) -> Floats:
    """Return the logarithm of the sum of the exponentials over the last axis, where nothing overflows."""
    largest = scores.max(axis=-1, keepdims=True)
    total: Floats = np.log(np.exp(scores - largest).sum(axis=-1)) + largest[..., 0]
    return total
