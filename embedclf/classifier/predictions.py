"""Predictions as records: the answer to one text, whether it has a label, has none, or cannot be classified."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embedclf.arrays import Vectors
from embedclf.classifier.decisions import AnyDecision
from embedclf.classifier.label_sets import label_sets
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
        None if the classifier abstains, the text cannot be classified, or texts may have several `labels`.
    confidence : float or None
        The probability of the label, or of the one that it would have answered if it abstains; None if there is an
        `error`.
    top : tuple of Likely
        As many of the most likely labels as asked for, best first, even if the classifier abstains.
    error : str or None
        Why the text cannot be classified.
    labels : tuple of Likely, or None
        The labels of the text with their probabilities, most likely first, if texts may have several.
    label_set : tuple of Likely, or None
        The labels that hold the true one with the coverage asked for, most likely first, even if the classifier
        abstains; it may be empty. None if no coverage was asked for, or there is an `error`.
    """

    label: str | None
    confidence: float | None
    top: tuple[Likely, ...] = ()
    error: str | None = None
    labels: tuple[Likely, ...] | None = None
    label_set: tuple[Likely, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as the service's JSON: without an empty `top` or `error`, and rounded down."""
        sure = self.confidence
        answer: dict[str, Any]
        if self.labels is not None:
            answer = {"labels": [one.to_dict() for one in self.labels]}
        else:
            answer = {"label": self.label, "confidence": None if sure is None else rounded_down(sure, _DECIMALS)}
        if self.top:
            answer["top"] = [one.to_dict() for one in self.top]
        if self.label_set is not None:
            answer["label_set"] = [one.to_dict() for one in self.label_set]
        if self.error is not None:
            answer["error"] = self.error
        return answer


def predictions(
    probabilities: Vectors,
    reasons: Mapping[int, str],
    decision: AnyDecision,
    k: int | None,
    set_threshold: float | None = None,
) -> list[Prediction]:
    """Return the answer to each text.

    Parameters
    ----------
    probabilities : ndarray of shape (n_texts, n_classes)
    reasons : mapping of int to str
        Why a text cannot be classified, by its index.
    decision : Decision or MultiLabelDecision
    k : int or None
        How many of the most likely labels to list in `top`; None lists none.
    set_threshold : float, optional
        The probability from which on a label is in the label set; None leaves out the sets.
    """
    sets: list[tuple[Likely, ...] | None] = [None] * len(probabilities)
    if set_threshold is not None:
        found = label_sets(probabilities, set_threshold).labels(decision.classes)
        sets = [
            None if index in reasons else tuple(Likely(*one) for one in labels) for index, labels in enumerate(found)
        ]
    return [
        Prediction(
            answer.label,
            answer.confidence,
            () if k is None else tuple(Likely(*one) for one in answer.top),
            reasons.get(index),
            None if answer.labels is None else tuple(Likely(*one) for one in answer.labels),
            sets[index],
        )
        for index, answer in enumerate(decision.answers(decision.decide(probabilities, k or 1)))
    ]
