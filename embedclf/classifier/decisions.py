"""From probabilities to answers: the one place that ranks classes, breaks ties and applies the threshold.

Equally likely classes keep the order of `classes`, at every rank. Confidences are compared in float64, since float32
would round the threshold. NaN, which marks a text that cannot be classified, never reaches it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.errors import ArgumentError


class Answer(NamedTuple):
    """The prediction for one text.

    Attributes
    ----------
    label : str or None
        None if the classifier abstains or the text cannot be classified.
    top : list of (str, float)
        The most likely classes and their confidences, best first, even if the classifier abstains; empty if the text
        cannot be classified.
    """

    label: str | None
    top: list[tuple[str, float]]

    @property
    def confidence(self) -> float | None:
        """The probability of the most likely class; None if the text cannot be classified."""
        return self.top[0][1] if self.top else None


class Ranking(NamedTuple):
    """The k most likely classes of n texts, best first.

    Attributes
    ----------
    places : ndarray of shape (n, k), int
        Indices of the classes.
    confidences : ndarray of shape (n, k), float32
        Their probabilities; NaN for a text that cannot be classified.
    """

    places: Ints
    confidences: Vectors

    @property
    def likeliest(self) -> Ints:
        """The index of the most likely class of each text: (n,)."""
        return self.places[:, 0]

    @property
    def confidence(self) -> Floats:
        """Its probability: (n,)."""
        return self.confidences[:, 0].astype(np.float64)

    def labels(self, classes: Sequence[str], threshold: float | None) -> list[str | None]:
        """Return the label of each text; None where its confidence is below the threshold."""
        answered = is_answered(self.confidence, threshold).tolist()
        return [
            classes[place] if is_sure else None
            for place, is_sure in zip(self.likeliest.tolist(), answered, strict=True)
        ]

    def answers(self, classes: Sequence[str], threshold: float | None) -> list[Answer]:
        """Return the answer to each text."""
        return [
            Answer(label, [(classes[place], sure) for place, sure in zip(places, confidences, strict=True)])
            if confidences[0] == confidences[0]  # not NaN
            else Answer(None, [])
            for label, places, confidences in zip(
                self.labels(classes, threshold), self.places.tolist(), self.confidences.tolist(), strict=True
            )
        ]


def first_of_largest(values: npt.NDArray[Any]) -> Ints:
    """Return the index of the largest value of each row; the first one in a tie."""
    places: Ints = values.argmax(axis=-1)
    return places


def rank(probabilities: Vectors, k: int = 1) -> Ranking:
    """Rank the classes of each text.

    Parameters
    ----------
    probabilities : ndarray of shape (n, n_classes)
    k : int
        How many classes to return per text; all of them if there are fewer.
    """
    if k == 1:
        places = first_of_largest(probabilities)[:, None]
    else:  # a stable sort keeps ties in the order of the classes
        places = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return Ranking(places, np.take_along_axis(probabilities, places, axis=1))


def is_answered(confidence: npt.NDArray[Any], threshold: float | None) -> Mask:
    """Return which confidences reach the threshold; without one, all except NaN do."""
    answered: Mask = confidence.astype(np.float64) >= (0.0 if threshold is None else threshold)
    return answered


def check_min_confidence(min_confidence: float | None) -> None:
    """Check that a threshold is a probability.

    Raises
    ------
    ArgumentError
        If it is not.
    """
    if min_confidence is not None and not 0 <= min_confidence <= 1:
        raise ArgumentError(f"min_confidence must be between 0 and 1, got {min_confidence!r}")
