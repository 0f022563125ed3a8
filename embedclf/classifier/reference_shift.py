"""How far the answers to some texts are from those to the texts held out in training.

The distance is the Kolmogorov-Smirnov distance between the distributions of confidence and of energy (Massey, "The
Kolmogorov-Smirnov Test for Goodness of Fit", 1951), taken at the quantiles that the model file keeps. What a classifier
answers shows a shift of its texts well (Rabanser, Günnemann & Lipton, "Failing Loudly: An Empirical Study of Methods
for Detecting Dataset Shift", NeurIPS 2019).
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from embedclf.arrays import Floats, Ints
from embedclf.classifier.reference import LEAST_TEXTS, LEVELS, AnswerReference, Measures
from embedclf.formatting import rounded_down

# How far apart distributions may be before it matters. The final classifier is fitted on more rows than those that
# predicted the held-out texts, so its answers always differ a little.
_MARGIN = 0.05
# What chance adds to a distance, one in a thousand times at the most, is this many times the root of 1/n + 1/m: the
# bound of Dvoretzky, Kiefer and Wolfowitz with Massart's constant, for one side and two samples.
_CHANCE = 1.86
# From this difference on, the medians describe best how confidences differ.
_TELLING = 0.05
_STEPS = 100


@dataclass(frozen=True, slots=True)
class ReferenceShift:
    """How far the answers to some texts are from those to the texts held out in training.

    Attributes
    ----------
    n_texts, n_reference : int
        Number of texts, and of held-out ones.
    confidence_distance, energy_distance : float
        Kolmogorov-Smirnov distances of the distributions, in [0, 1]; see `embedclf.classifier.reference` for the
        energy.
    median_confidence, usual_median_confidence : float
        Of the texts, rounded down to two decimals, and of the held-out ones.
    answered, usual_answered : float or None
        Share of texts that got a label. The usual one is None if it is not known because costs or thresholds have
        changed since training.
    less_sure, usually_less_sure : float
        Share of texts with a confidence below the value at which the shares differ most, and of the held-out ones.
    sure_level : float
        That value.
    less_familiar, usually_less_familiar : float
        Share of texts with an energy above the value at which the shares differ most, and of the held-out ones.
    """

    n_texts: int
    n_reference: int
    confidence_distance: float
    energy_distance: float
    median_confidence: float
    usual_median_confidence: float
    answered: float
    usual_answered: float | None
    less_sure: float
    usually_less_sure: float
    sure_level: float
    less_familiar: float
    usually_less_familiar: float

    @property
    def is_far(self) -> bool:
        """Whether the classifier is clearly less sure of the texts, or less familiar with them, than the held-out ones.

        False for fewer than 50 texts. For texts like the held-out ones, it is true by chance in fewer than 1 of 100
        cases.
        """
        return self._is_less_sure or self._is_less_familiar

    @property
    def _most(self) -> float:
        if self.n_texts < LEAST_TEXTS:
            return 1.0
        return _MARGIN + _CHANCE * sqrt(1 / self.n_texts + 1 / self.n_reference)

    @property
    def _is_less_sure(self) -> bool:
        return self.less_sure - self.usually_less_sure > self._most

    @property
    def _is_less_familiar(self) -> bool:
        return self.less_familiar - self.usually_less_familiar > self._most

    @property
    def remark(self) -> str | None:
        """A warning of a sentence or two if the answers `is_far`, else None."""
        if not self.is_far:
            return None
        if not self._is_less_sure:
            seen = (
                f"{_percent(self.less_familiar)} of them score as low as "
                f"{_percent(self.usually_less_familiar)} did at training"
            )
        elif self.usual_median_confidence - self.median_confidence >= _TELLING:
            seen = (
                f"the median confidence is {rounded_down(self.median_confidence, 2):.2f} "
                f"({rounded_down(self.usual_median_confidence, 2):.2f} at training)"
            )
        else:
            seen = (
                f"{_percent(self.less_sure)} of them have a confidence below {self.sure_level:.2f} "
                f"({_percent(self.usually_less_sure)} at training)"
            )
        if self.usual_answered is not None and (self.answered < 1 or self.usual_answered < 1):
            seen += f", and {_percent(self.answered)} of them are answered ({_percent(self.usual_answered)})"
        return f"These texts are unlike the training texts: {seen}. See embedclf drift."


class AnswerTally:
    """Counts of the answers to texts that are compared with a reference; their size does not grow with the texts.

    Parameters
    ----------
    reference : AnswerReference
    """

    def __init__(self, reference: AnswerReference) -> None:
        self._reference = reference
        self._n = self._n_answered = 0
        self._steps = np.zeros(_STEPS + 1, dtype=np.intp)
        # Of each measure, the number of texts below each quantile, and of those up to it.
        self._counts = {name: np.zeros((2, len(LEVELS)), dtype=np.intp) for name in Measures._fields}

    def add(self, measures: Measures, n_answered: int) -> None:
        """Add texts to the counts."""
        self._n += len(measures.confidence)
        self._n_answered += n_answered
        # The rounding keeps 0.29, say, from falling short of its step.
        steps = np.floor((measures.confidence * _STEPS).round(6)).astype(np.intp)
        self._steps += np.bincount(steps, minlength=_STEPS + 1)
        for name, values in measures._asdict().items():
            ordered, at = np.sort(values), np.array(getattr(self._reference, name))
            self._counts[name] += [np.searchsorted(ordered, at), np.searchsorted(ordered, at, side="right")]

    def shift(self) -> ReferenceShift | None:
        """Return how far the texts are from the reference; None without texts."""
        if not self._n:
            return None
        less_sure, more_sure = self._beyond("confidence")
        more_familiar, less_familiar = self._beyond("energy")
        levels, sure, unknown = np.array(LEVELS), int(less_sure.argmax()), int(less_familiar.argmax())
        reference = self._reference
        return ReferenceShift(
            self._n,
            reference.n_examples,
            _distance(less_sure, more_sure),
            _distance(more_familiar, less_familiar),
            float(np.searchsorted(self._steps.cumsum(), self._n / 2) / _STEPS),
            reference.confidence[LEVELS.index(0.5)],
            self._n_answered / self._n,
            None if reference.abstained is None else 1 - reference.abstained,
            float(less_sure[sure] + levels[sure]),
            LEVELS[sure],
            reference.confidence[sure],
            float(less_familiar[unknown] + 1 - levels[unknown]),
            1 - LEVELS[unknown],
        )

    def _beyond(self, name: str) -> tuple[Floats, Floats]:
        """Return how many more texts than usual are below each quantile, and above it, as shares.

        Of equal values, a share lies below the quantile and a share up to it, and the level is between the two.
        """
        below, up_to = self._counts[name] / self._n
        return below - np.array(LEVELS), np.array(LEVELS) - up_to

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain types, for JSON."""
        return {
            "n": self._n,
            "n_answered": self._n_answered,
            "steps": self._steps.tolist(),
            **{name: counts.tolist() for name, counts in self._counts.items()},
        }

    def restore(self, counts: Any) -> None:
        """Continue from the counts that `to_dict` returned.

        Raises
        ------
        KeyError, TypeError, ValueError
            If they are not such counts.
        """
        n, n_answered, steps = counts["n"], counts["n_answered"], _counts_of(counts["steps"], (_STEPS + 1,))
        of_measures = {name: _counts_of(counts[name], (2, len(LEVELS))) for name in Measures._fields}
        if type(n) is not int or type(n_answered) is not int or not 0 <= n_answered <= n or steps.sum() != n:
            raise ValueError("the counts do not match")
        self._n, self._n_answered, self._steps, self._counts = n, n_answered, steps, of_measures


def _counts_of(values: Any, shape: tuple[int, ...]) -> Ints:
    counts = np.array(values)
    if counts.shape != shape or counts.dtype.kind != "i" or counts.min() < 0:
        raise ValueError("invalid counts")
    return counts.astype(np.intp)


def _distance(*beyond: Floats) -> float:
    return max(0.0, *(float(one.max()) for one in beyond))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
