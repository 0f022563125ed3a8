"""The reference distribution: the answers to held-out texts, for comparison with the answers in use.

Two measures of each text are compared. The *confidence* is the largest calibrated probability of a label, whatever the
thresholds and costs; with several labels per text, that of the most likely one. The *energy* is that of Liu, Wang,
Owens & Li, "Energy-based Out-of-distribution Detection", NeurIPS 2020, at a temperature of 1, of the scores that the
calibration has already divided by its temperature: minus their log-sum-exp. With several labels per text, it is
minus the sum of log(1 + exp(score)) over the labels (Wang, Liu, Bocchieri & Li, "Can multi-label classification
networks know what they don't know?", NeurIPS 2021). The energy of unfamiliar texts is higher.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Floats, Ints, Vectors
from embedclf.classifier.decisions import NOTHING, AnyDecision, Decided
from embedclf.classifier.scope import log_sum_exp

LEVELS = (0.01, *(round(step / 20, 2) for step in range(1, 20)), 0.99)
"""The shares of texts below the quantiles that are kept."""

LEAST_TEXTS = 50
"""Fewer texts are not compared: their distribution is too uncertain."""

_MOST = 1e300
_DECIMALS = 4


class Measures(NamedTuple):
    """The measures of n texts: (n,) float64 each, rounded to four decimals so that equal ones stay equal.

    Attributes
    ----------
    confidence : ndarray
    energy : ndarray
    """

    confidence: Floats
    energy: Floats

    @classmethod
    def of(cls, scores: Vectors, probabilities: Vectors, *, several: bool) -> Self:
        """Return the measures of texts.

        Parameters
        ----------
        scores, probabilities : ndarray of shape (n, n_classes)
        several : bool
            Whether a text may have several labels.
        """
        exact = scores.astype(np.float64)
        energy = -np.logaddexp(0.0, exact).sum(axis=1) if several else -log_sum_exp(exact)
        confidence = probabilities.max(axis=1).astype(np.float64)
        return cls(confidence.round(_DECIMALS), energy.round(_DECIMALS))


@dataclass(frozen=True, slots=True)
class AnswerReference:
    """The distribution of the answers to held-out texts, without the texts.

    Attributes
    ----------
    n_examples : int
        Number of these texts.
    confidence, energy : tuple of float
        A quantile for each of `LEVELS`: the least value that at least this share of the texts does not exceed.
    abstained : float or None
        The share of texts without a label; None if it is not known because costs or thresholds have changed.
    labels : tuple of int, or None
        For each class, how many of the texts have it as the most likely one; if a text may have several labels, how
        many get it. None if it is not known because thresholds have changed.
    """

    n_examples: int
    confidence: tuple[float, ...]
    energy: tuple[float, ...]
    abstained: float | None
    labels: tuple[int, ...] | None

    @classmethod
    def of(cls, scores: Vectors, probabilities: Vectors, decision: AnyDecision) -> Self | None:
        """Return the reference for texts with these scores and probabilities; None if there are too few."""
        if len(scores) < LEAST_TEXTS:
            return None
        decided = decision.decide(probabilities)
        measures = Measures.of(scores, probabilities, several=decided.given is not None)
        return cls(
            len(scores),
            _quantiles(measures.confidence),
            _quantiles(measures.energy),
            round(float((decided.chosen == NOTHING).mean()), _DECIMALS),
            tuple(label_counts(decided, len(decision.classes)).tolist()),
        )

    def share_below(self, confidence: float) -> float:
        """Return the share of texts below a confidence, interpolated between the quantiles."""
        values, shares = np.array([0.0, *self.confidence, 1.0]), np.array([0.0, *LEVELS, 1.0])
        place = int(np.searchsorted(values, confidence))
        if not place:
            return 0.0
        step = (confidence - values[place - 1]) / (values[place] - values[place - 1])
        share = shares[place - 1] + step * (shares[place] - shares[place - 1])
        return round(float(share), _DECIMALS)

    def to_dict(self) -> dict[str, Any]:
        """Return the reference as plain types, for JSON."""
        return {
            "n_examples": self.n_examples,
            "confidence": list(self.confidence),
            "energy": list(self.energy),
            "abstained": self.abstained,
            "labels": None if self.labels is None else list(self.labels),
        }

    @classmethod
    def from_dict(cls, values: Any, n_classes: int) -> Self:
        """Read what `to_dict` returned. Fields of later versions are ignored.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a value is not valid for a reference.
        """
        if not isinstance(values, dict):
            raise TypeError(f"invalid 'reference' {values!r:.40}")
        n, abstained, labels = values["n_examples"], values["abstained"], values["labels"]
        if type(n) is not int or n < 1:
            raise ValueError(f"invalid 'n_examples' {n!r:.40} of its 'reference'")
        if abstained is not None and not (type(abstained) in (int, float) and 0 <= abstained <= 1):
            raise ValueError(f"invalid 'abstained' {abstained!r:.40}")
        if labels is not None and not (
            isinstance(labels, list)
            and len(labels) == n_classes
            and all(type(one) is int and 0 <= one <= n for one in labels)
        ):
            raise ValueError(f"invalid 'labels' {labels!r:.40} of its 'reference'")
        return cls(
            n,
            _checked(values, "confidence", 0.0, 1.0),
            _checked(values, "energy", -_MOST, _MOST),
            None if abstained is None else float(abstained),
            None if labels is None else tuple(labels),
        )


def label_counts(decided: Decided, n_classes: int) -> Ints:
    """Return how many texts have each class as the most likely one, or get it if they may have several labels."""
    if decided.given is not None:
        given: Ints = (decided.given[:, :n_classes] > 0).sum(axis=0)
        return given
    return np.bincount(decided.ranking.likeliest, minlength=n_classes)


def quantile(values: npt.NDArray[Any], levels: Sequence[float]) -> list[float]:
    """Return, for each level, the least value that at least this share of the values does not exceed."""
    found: list[float] = np.quantile(values, levels, method="inverted_cdf").tolist()
    return found


def _quantiles(values: Floats) -> tuple[float, ...]:
    # Adding 0 makes -0 a 0.
    return tuple(round(value, _DECIMALS) + 0.0 for value in quantile(values, LEVELS))


def _checked(values: dict[str, Any], name: str, least: float, most: float) -> tuple[float, ...]:
    steps = values[name]
    if (
        not isinstance(steps, list)
        or len(steps) != len(LEVELS)
        or not all(type(step) in (int, float) and least <= step <= most for step in steps)
        or steps != sorted(steps)
    ):
        raise ValueError(f"invalid {name!r} {steps!r:.40} of its 'reference'")
    return tuple(map(float, steps))
