"""Sets of labels that hold the true one in a given share of cases: split conformal prediction.

Sets grow with the coverage that is asked for (nested sets: Gupta, Kuchibhotla & Ramdas, "Nested Conformal Prediction
and Quantile Out-of-Bag Ensemble Methods", 2022): first the most likely label of each text, of those where it is most
probable before the others; once all texts have theirs, further labels, the most probable ones first, which makes the
smallest sets (Sadinle, Lei & Wasserman, "Least Ambiguous Set-Valued Classifiers With Bounded Error Levels", 2019). So a
label counts with its probability, and the most likely one with 1 more; a set has the labels that reach a threshold,
which is a quantile over examples that the classifier was not fitted on, with the correction for their number
(Angelopoulos & Bates, "A Gentle Introduction to Conformal Prediction and Distribution-Free Uncertainty Quantification",
2021). Where the most likely label alone is right more often than is asked for, some sets are empty.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Floats, Ints, Vectors
from embedclf.errors import ArgumentError
from embedclf.formatting import counted

MOST_STEPS = 200
_FIGURES = Context(prec=4, rounding=ROUND_FLOOR)


@dataclass(frozen=True, slots=True)
class Conformal:
    """What is kept of the calibration: quantiles of the probability that examples of each label get for it.

    Attributes
    ----------
    n_examples : int
        Number of examples, none of which the classifier that judged them was fitted on.
    n_likeliest : int
        How many of them have their own label as the most likely one.
    likeliest : tuple of float
        The probability of the true label of these, in descending order; of more than 200 of them, 200 quantiles.
    steps : tuple of float
        The same of the others.
    """

    n_examples: int
    n_likeliest: int
    likeliest: tuple[float, ...]
    steps: tuple[float, ...]

    @classmethod
    def of(cls, probabilities: Vectors, y: Ints) -> "Conformal":
        """Calibrate on the probabilities of examples, of shape (n, n_classes), and the indices of their labels."""
        sure = _normalized(probabilities)
        true = sure[np.arange(len(y)), y]
        right = sure.argmax(axis=1) == y
        return cls(len(y), int(right.sum()), _quantiles(true[right]), _quantiles(true[~right]))

    def threshold(self, coverage: float) -> float:
        """Return the probability from which on a label is in a set, that of the most likely label being 1 more.

        Above 1, sets have the most likely label or none.

        Parameters
        ----------
        coverage : float
            The share of sets that should hold the true label.

        Raises
        ------
        ArgumentError
            If it is not between 0 and 1, or there are too few examples for it.
        """
        if not isinstance(coverage, Real) or not 0 < float(coverage) < 1:
            raise ArgumentError(f"coverage must be above 0 and below 1, got {coverage!r}")
        n = self.n_examples
        n_held = math.ceil(round((n + 1) * coverage, 9))
        if n_held > n:
            raise ArgumentError(_too_few(coverage, n))
        if n_held <= self.n_likeliest:
            return 1 + self.likeliest[(n_held - 1) * len(self.likeliest) // self.n_likeliest]
        n_missed = n - self.n_likeliest
        return self.steps[(n_held - self.n_likeliest - 1) * len(self.steps) // n_missed]

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as plain types, for JSON."""
        return {
            "n_examples": self.n_examples,
            "n_likeliest": self.n_likeliest,
            "likeliest": list(self.likeliest),
            "steps": list(self.steps),
        }

    @classmethod
    def from_dict(cls, values: Any) -> "Conformal":
        """Read what `to_dict` returned. Fields of later versions are ignored.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a value cannot be that of a calibration.
        """
        if not isinstance(values, dict):
            raise TypeError(f"invalid 'conformal' {values!r:.40}")
        n, n_likeliest = values["n_examples"], values["n_likeliest"]
        if type(n) is not int or type(n_likeliest) is not int or not 0 <= n_likeliest <= n:
            raise ValueError(f"invalid 'n_likeliest' {n_likeliest!r:.40} of {n!r:.40}")
        likeliest = _checked(values["likeliest"], "likeliest", n_likeliest)
        return cls(n, n_likeliest, likeliest, _checked(values["steps"], "steps", n - n_likeliest))


def _quantiles(values: Floats) -> tuple[float, ...]:
    ordered = np.sort(values)[::-1]
    n_steps = min(len(ordered), MOST_STEPS)
    ends = [-(-place * len(ordered) // n_steps) - 1 for place in range(1, n_steps + 1)]
    return tuple(float(_FIGURES.create_decimal_from_float(float(ordered[end]))) for end in ends)


def _checked(steps: Any, name: str, n: int) -> tuple[float, ...]:
    if (
        not isinstance(steps, list)
        or not all(type(step) in (int, float) and 0 <= step <= 1 for step in steps)
        or len(steps) > n
        or bool(steps) != bool(n)
        or steps != sorted(steps, reverse=True)
    ):
        raise ValueError(f"invalid {name!r} {steps!r:.40}")
    return tuple(map(float, steps))


def _too_few(coverage: float, n: int) -> str:
    needed = math.ceil(round(coverage / (1 - coverage), 6))
    least = f"coverage {coverage:g} needs at least {counted(needed, 'row')} to calibrate on, and the model has {n:,}"
    lower = math.floor(1000 * n / (n + 1)) / 1000
    return f"{least}: " + (f"lower it to {lower:g}, or train on more rows" if n else "train it on more rows")


class LabelSets(NamedTuple):
    """The sets of n texts, as arrays that are compact enough to send between processes.

    Attributes
    ----------
    sizes : ndarray of shape (n,), int
        Number of labels in each set; 0 for a text that cannot be classified.
    places : ndarray of shape (n_labels,), int
        Indices of the labels of the first set, then those of the second, and so on; most likely first.
    confidences : ndarray of shape (n_labels,), float32
        Their probabilities.
    """

    sizes: Ints
    places: Ints
    confidences: Vectors

    def labels(self, classes: tuple[str, ...]) -> list[list[tuple[str, float]]]:
        """Return the labels of each set with their probabilities, most likely first."""
        every = [
            (classes[place], sure) for place, sure in zip(self.places.tolist(), self.confidences.tolist(), strict=True)
        ]
        ends = np.cumsum(self.sizes).tolist()
        return [every[end - size : end] for end, size in zip(ends, self.sizes.tolist(), strict=True)]


def label_sets(probabilities: Vectors, threshold: float) -> LabelSets:
    """Return the set of each text: the labels that reach a threshold.

    Equally likely labels are both in the set or both not, except that only the first of them is the most likely one.

    Parameters
    ----------
    probabilities : ndarray of shape (n, n_classes)
        NaN for a text that cannot be classified.
    threshold : float
        See `Conformal.threshold`.
    """
    usable = ~np.isnan(probabilities).any(axis=1)
    held = np.zeros(probabilities.shape, dtype=bool)
    sure = _normalized(probabilities[usable])
    sure[np.arange(len(sure)), sure.argmax(axis=1)] += 1
    held[usable] = sure >= threshold
    rows, places = np.nonzero(held)
    confidences = probabilities[rows, places]
    order = np.lexsort((places, -confidences, rows))
    return LabelSets(held.sum(axis=1), places[order], confidences[order])


def _normalized(probabilities: Vectors) -> Floats:
    """Return the probabilities given that one of the labels is right, where their sum may be less than 1."""
    sure = probabilities.astype(np.float64)
    normalized: Floats = sure / sure.sum(axis=1, keepdims=True)
    return normalized
