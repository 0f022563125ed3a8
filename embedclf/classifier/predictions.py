"""Predictions as records: the answer to one text, whether it has a label, has none, or cannot be classified."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedclf.arrays import Vectors
from embedclf.classifier.decisions import rank
from embedclf.formatting import rounded_down

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Likely:
    """One of the most likely labels of a text."""

    label: str
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Return the label and its confidence, rounded down to six decimals."""
        return {"label": self.label, "confidence": rounded_down(self.confidence, _DECIMALS)}


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one text, in the shape in which ``embedclf serve`` gives it.

    Attributes
    ----------
    label : str or None
        None if the classifier abstains, or the text cannot be classified.
    confidence : float or None
        The probability of the most likely label, even if the classifier abstains; None if there is an
        `error`.
    top : tuple of Likely
        As many of the most likely labels as asked for, best first, even if the classifier abstains.
    error : str or None
        Why the text cannot be classified.
    """

    label: str | None
    confidence: float | None
    top: tuple[Likely, ...] = ()
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as the service's JSON: without an empty `top` or `error`, and rounded down."""
        sure = self.confidence
        answer: dict[str, Any] = {
            "label": self.label,
            "confidence": None if sure is None else rounded_down(sure, _DECIMALS),
        }
        if self.top:
            answer["top"] = [one.to_dict() for one in self.top]
        if self.error is not None:
            answer["error"] = self.error
        return answer


def predictions(
    probabilities: Vectors, reasons: Mapping[int, str], classes: Sequence[str], threshold: float | None, k: int | None
) -> list[Prediction]:
    """Return the answer to each text.

    Parameters
    ----------
    probabilities : ndarray of shape (n_texts, n_classes)
    reasons : mapping of int to str
        Why a text cannot be classified, by its index.
    classes : sequence of str
    threshold : float or None
        The confidence below which the classifier abstains.
    k : int or None
        How many of the most likely labels to list in `top`; None lists none.
    """
    return [
        Prediction(None, None, error=reasons[index])
        if index in reasons
        else Prediction(answer.label, answer.confidence, () if k is None else tuple(Likely(*one) for one in answer.top))
        for index, answer in enumerate(rank(probabilities, k or 1).answers(classes, threshold))
    ]
