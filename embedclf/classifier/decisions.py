"""From probabilities to answers: the one place that ranks classes, breaks ties and applies thresholds.

Equally likely classes keep the order of `classes`, at every rank. Confidences are compared in float64, since float32
would round the threshold. NaN, which marks a text that cannot be classified, never reaches it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.classifier.hierarchy import Hierarchy
from embedclf.data.label_sets import LABEL_SEPARATOR
from embedclf.errors import ArgumentError

NOTHING = -1
"""The place of an answer where the classifier abstains."""


class Answer(NamedTuple):
    """The prediction for one text.

    Attributes
    ----------
    label : str or None
        None if the classifier abstains, the text cannot be classified, or a text may have several labels.
    confidence : float or None
        The probability of that label, or of the most likely class if the classifier abstains; None if the text cannot
        be classified.
    top : list of (str, float)
        The most likely classes and their confidences, best first, even if the classifier abstains; empty if the text
        cannot be classified.
    labels : list of (str, float), or None
        The labels of a text that may have several, with their probabilities, most likely first; None if a text has one.
    label_set : list of (str, float), or None
        The labels that hold the true one with the coverage asked for, with their probabilities, most likely first, even
        if the classifier abstains; empty if the text cannot be classified, None if no coverage was asked for.
    """

    label: str | None
    confidence: float | None
    top: list[tuple[str, float]]
    labels: list[tuple[str, float]] | None = None
    label_set: list[tuple[str, float]] | None = None

    @property
    def is_answered(self) -> bool:
        """Whether there is a label."""
        return self.label is not None or bool(self.labels)


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

    def tops(self, classes: Sequence[str]) -> list[list[tuple[str, float]]]:
        """Return the most likely classes of each text with their confidences; none if it cannot be classified."""
        return [
            [(classes[place], sure) for place, sure in zip(places, confidences, strict=True)]
            if confidences[0] == confidences[0]  # not NaN
            else []
            for places, confidences in zip(self.places.tolist(), self.confidences.tolist(), strict=True)
        ]


class Decided(NamedTuple):
    """The answers to n texts, as arrays that are compact enough to send between processes.

    Attributes
    ----------
    ranking : Ranking
        The most likely classes.
    chosen : ndarray of shape (n,), int
        Index of the label that is answered; `NOTHING` where there is none.
    confidence : ndarray of shape (n,), float64
        The probability of that label, or of the most likely class where there is none; NaN for a text that cannot be
        classified.
    given : ndarray of shape (n, n_classes), float32, or None
        The probabilities of the labels of texts that may have several, 0 where a label is not given; `chosen` is the
        most likely of them. None if a text has one label.
    """

    ranking: Ranking
    chosen: Ints
    confidence: Floats
    given: Vectors | None = None


@dataclass(frozen=True, slots=True)
class LabelRules:
    """How the labels of a text are chosen, if it may have several.

    Attributes
    ----------
    thresholds : tuple of float, of length n_classes
        The probability from which on each label is given.
    at_least_one : bool
        Whether every text has a label.
    separator : str
        What separates the labels of a text in a file.
    in_columns : bool
        Whether files say of each label, in a column of its own, whether a text has it.
    """

    thresholds: tuple[float, ...]
    at_least_one: bool = True
    separator: str = LABEL_SEPARATOR
    in_columns: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """How probabilities become the one label of a text.

    Attributes
    ----------
    classes : tuple of str
    threshold : float or None
        The confidence below which the classifier abstains; None always answers.
    tree : Hierarchy or None
        The labels above the classes, one of which is answered where no class reaches the threshold; None if there are
        none.
    """

    classes: tuple[str, ...]
    threshold: float | None = None
    tree: Hierarchy | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that can be answered; `Decided.chosen` has indices into them."""
        return self.classes if self.tree is None else self.tree.names

    def decide(self, probabilities: Vectors, k: int = 1) -> Decided:
        """Decide what to answer.

        That is the most likely class if it reaches the threshold. In a tree it is else the deepest label that does.

        Parameters
        ----------
        probabilities : ndarray of shape (n, n_classes)
            NaN for a text that cannot be classified.
        k : int
            How many of the most likely classes to return.
        """
        ranking = rank(probabilities, k)
        confidence = ranking.confidence
        chosen = np.where(is_answered(confidence, self.threshold), ranking.likeliest, NOTHING)
        if self.tree is not None:
            chosen, confidence = self.tree.back_off(probabilities, chosen, confidence, self.threshold)
        return Decided(ranking, chosen, confidence)

    def answers(self, decided: Decided) -> list[Answer]:
        """Return the answer to each text."""
        names = self.names
        return [
            Answer(None if place == NOTHING else names[place], sure, top) if top else Answer(None, None, [])
            for place, sure, top in zip(
                decided.chosen.tolist(), decided.confidence.tolist(), decided.ranking.tops(self.classes), strict=True
            )
        ]


@dataclass(frozen=True, slots=True, eq=False)
class MultiLabelDecision:
    """How probabilities become the labels of a text that may have several.

    Attributes
    ----------
    classes : tuple of str
    thresholds : ndarray of shape (n_classes,), float64
        The probability from which on each label is given.
    at_least_one : bool
        Whether a text whose labels are all below their thresholds gets the one that is nearest to its own, as a ratio.
    """

    classes: tuple[str, ...]
    thresholds: Floats
    at_least_one: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that can be answered."""
        return self.classes

    def given(self, probabilities: Vectors) -> Mask:
        """Return which labels each text gets: (n, n_classes)."""
        sure = probabilities.astype(np.float64)
        given: Mask = sure >= self.thresholds
        if self.at_least_one:
            none = np.flatnonzero(~given.any(axis=1) & ~np.isnan(sure).any(axis=1))
            given[none, first_of_largest(sure[none] / np.maximum(self.thresholds, 1e-12))] = True
        return given

    def decide(self, probabilities: Vectors, k: int = 1) -> Decided:
        """Decide what to answer; see `Decision.decide`."""
        ranking = rank(probabilities, k)
        least = np.finfo(np.float32).tiny  # the probability of a label that is given may round to 0
        kept = np.where(self.given(probabilities), np.maximum(probabilities, least), np.float32(0))
        first = first_of_largest(kept)
        has_any = kept.any(axis=1)
        confidence = np.where(has_any, kept[np.arange(len(kept)), first].astype(np.float64), ranking.confidence)
        return Decided(ranking, np.where(has_any, first, NOTHING), confidence, kept)

    def answers(self, decided: Decided) -> list[Answer]:
        """Return the answer to each text."""
        if decided.given is None:
            raise ValueError("a decision about several labels needs the probabilities of those given")
        tops = decided.ranking.tops(self.classes)
        labels: list[list[tuple[str, float]]] = [[] for _ in tops]
        rows, places = np.nonzero(decided.given)
        of_label = decided.given[rows, places]
        order = np.lexsort((places, -of_label, rows))
        for row, place, sure in zip(
            rows[order].tolist(), places[order].tolist(), of_label[order].tolist(), strict=True
        ):
            labels[row].append((self.classes[place], sure))
        return [
            Answer(None, sure, top, own) if top else Answer(None, None, [], [])
            for sure, top, own in zip(decided.confidence.tolist(), tops, labels, strict=True)
        ]


AnyDecision: TypeAlias = Decision | MultiLabelDecision


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
