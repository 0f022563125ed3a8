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
from embedclf.classifier.costs import expected_costs
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
        The probability of that label, or of the one that it would have answered if the classifier abstains: the most
        likely class, unless class weights, costs or a target say otherwise; None if the text cannot be classified.
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
        The probability of that label, or of the one that would have been answered where there is none; NaN for a text
        that cannot be classified.
    given : ndarray of shape (n, n_names), float32, or None
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
    usual : tuple of float, of length n_classes, or None
        What the thresholds would be without class weights and targets; None if there are none.
    """

    thresholds: tuple[float, ...]
    at_least_one: bool = True
    separator: str = LABEL_SEPARATOR
    in_columns: bool = False
    usual: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class OwnThresholds:
    """The thresholds of labels that have a target of their own, which take the place of the common one for them.

    Attributes
    ----------
    answered_from : tuple of float or None, of length n_classes
        The confidence below which the label is not answered; None for a label without a target.
    preferred_from : tuple of float or None, of length n_classes
        The probability from which on the label is answered even if another is more likely; None if it never is.
    """

    answered_from: tuple[float | None, ...]
    preferred_from: tuple[float | None, ...]

    def prefer(self, probabilities: Vectors, chosen: Ints) -> Ints:
        """Return the labels chosen, but a label that reaches its threshold is preferred.

        Of several, the one whose probability is the largest multiple of its threshold is.
        """
        if not any(one is not None for one in self.preferred_from):
            return chosen
        places = np.array([place for place, one in enumerate(self.preferred_from) if one is not None])
        thresholds = np.array([self.preferred_from[place] for place in places], dtype=np.float64)
        ratios = probabilities[:, places].astype(np.float64) / np.maximum(thresholds, 1e-12)
        best = first_of_largest(ratios)
        # The ratio of a label that reaches its threshold may round to less than 1.
        sure = probabilities[np.arange(len(best)), places[best]].astype(np.float64)
        return np.where(sure >= thresholds[best], places[best], chosen)


@dataclass(frozen=True, slots=True, eq=False)
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
    weights : ndarray of shape (n_classes,), float64, or None
        What it costs to miss each class: the class is answered whose probability times its weight is largest.
    costs : ndarray of shape (n_classes + 1, n_classes + 1), float64, or None
        What each answer costs by the true class, as `cost_matrix` returns it: the answer of least expected cost is
        given.
    may_abstain : bool
        Whether abstaining is one of these answers.
    own : OwnThresholds or None
        The thresholds of labels with a target.
    """

    classes: tuple[str, ...]
    threshold: float | None = None
    tree: Hierarchy | None = None
    weights: Floats | None = None
    costs: Floats | None = None
    may_abstain: bool = False
    own: OwnThresholds | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that can be answered; `Decided.chosen` has indices into them."""
        return self.classes if self.tree is None else self.tree.names

    @property
    def is_likeliest(self) -> bool:
        """Whether no other label than the most likely one is ever answered."""
        preferred = self.own is not None and any(one is not None for one in self.own.preferred_from)
        return self.weights is None and self.costs is None and not preferred

    @property
    def may_differ(self) -> bool:
        """Whether the answer may be another label than the most likely class."""
        return not self.is_likeliest or self.tree is not None

    @property
    def abstains(self) -> bool:
        """Whether a text may get no label."""
        return self.threshold is not None or self.abstains_apart

    @property
    def abstains_apart(self) -> bool:
        """Whether a text may get no label for another reason than the common threshold."""
        return self.may_abstain or (self.own is not None and any(self.own.answered_from))

    def decide(self, probabilities: Vectors, k: int = 1) -> Decided:
        """Decide what to answer.

        That is the most likely class if it reaches the threshold. In a tree it is else the deepest label that does; if
        the class has a threshold of its own, and there is none for all, one that reaches that.

        Parameters
        ----------
        probabilities : ndarray of shape (n, n_classes)
            NaN for a text that cannot be classified.
        k : int
            How many of the most likely classes to return.
        """
        ranking = rank(probabilities, k)
        chosen, confidence = self.choose(probabilities, ranking)
        answered = np.where(self.accepts(probabilities, chosen, confidence), chosen, NOTHING)
        if self.tree is not None:
            answered, confidence = self.tree.back_off(probabilities, answered, confidence, self._least_above(chosen))
        return Decided(ranking, answered, confidence)

    def choose(self, probabilities: Vectors, ranking: Ranking | None = None) -> tuple[Ints, Floats]:
        """Return the label that each text gets if it gets any, and its probability: (n,) and (n,) float64."""
        ranking = rank(probabilities) if ranking is None else ranking
        if self.is_likeliest:
            return ranking.likeliest, ranking.confidence
        chosen = ranking.likeliest
        if self.costs is not None:
            chosen = expected_costs(probabilities, self.costs)[:, :-1].argmin(axis=1)
        elif self.weights is not None:
            chosen = first_of_largest(probabilities.astype(np.float64) * self.weights)
        if self.own is not None:
            chosen = self.own.prefer(probabilities, chosen)
        return chosen, probabilities[np.arange(len(chosen)), chosen].astype(np.float64)

    def accepts(self, probabilities: Vectors, chosen: Ints, confidence: Floats) -> Mask:
        """Return where the label that was chosen is answered: (n,)."""
        accepted = is_answered(confidence, self.threshold)
        if self.costs is not None and self.may_abstain:
            costs = expected_costs(probabilities, self.costs)
            accepted &= costs[np.arange(len(chosen)), chosen] <= costs[:, -1]
        if self.own is not None:  # after the others, whose place these take
            for place, least in enumerate(self.own.answered_from):
                if least is not None:
                    accepted = np.where(chosen == place, is_answered(confidence, least), accepted)
        return accepted

    def _least_above(self, chosen: Ints) -> float | Floats | None:
        """Return the probability that a label above those chosen needs to be answered instead."""
        if self.threshold is not None or self.own is None:
            return self.threshold
        own: Floats = np.array([one or 0.0 for one in self.own.answered_from])
        return own[chosen]

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
        Whether a text whose labels are all below their thresholds gets the one that is nearest to its usual threshold,
        as a ratio.
    tree : Hierarchy or None
        The labels above the classes, which are given where none below them reaches its threshold; None if there are
        none. See `Hierarchy.parents_of_none`.
    strict : ndarray of shape (n_classes,), bool, or None
        The labels that no text gets below their threshold, whatever else is the case; None if there are none.
    usual : ndarray of shape (n_classes,), float64, or None
        The thresholds without class weights and targets; None if they are the same.
    """

    classes: tuple[str, ...]
    thresholds: Floats
    at_least_one: bool
    tree: Hierarchy | None = None
    strict: Mask | None = None
    usual: Floats | None = None

    @property
    def may_differ(self) -> bool:
        """Whether the answer may be something else than the most likely label."""
        return True

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that can be given; `Decided.given` has a column for each."""
        return self.classes if self.tree is None else self.tree.names

    def given(self, probabilities: Vectors) -> Mask:
        """Return which classes each text gets: (n, n_classes)."""
        return self.choose(probabilities)[0][:, : len(self.classes)]

    def choose(self, probabilities: Vectors) -> tuple[Mask, Vectors]:
        """Return which labels each text gets, and the probabilities of all labels: (n, n_names) each."""
        sure = probabilities.astype(np.float64)
        given: Mask = sure >= self.thresholds
        if self.tree is not None:
            reached, of_parents = self.tree.parents_of_none(sure, given, self.thresholds)
            none_above = np.zeros((len(given), len(self.names) - len(self.classes)), dtype=np.float32)
            given, probabilities = np.hstack([given, none_above > 0]), np.hstack([probabilities, none_above])
            if self.strict is not None:  # a class that others are below may be one of these
                strict = np.zeros(len(self.names), dtype=bool)
                strict[: len(self.classes)] = self.strict
                reached &= ~strict[self.tree.parents]
            rows, parents = np.nonzero(reached)
            given[rows, self.tree.parents[parents]] = True
            probabilities[rows, self.tree.parents[parents]] = of_parents[rows, parents]
        if self.at_least_one:
            none = np.flatnonzero(~given.any(axis=1) & ~np.isnan(sure).any(axis=1))
            nearest = first_of_largest(
                sure[none] / np.maximum(self.thresholds if self.usual is None else self.usual, 1e-12)
            )
            given[none, nearest] = True if self.strict is None else ~self.strict[nearest]
        return given, probabilities

    def decide(self, probabilities: Vectors, k: int = 1) -> Decided:
        """Decide what to answer; see `Decision.decide`."""
        ranking = rank(probabilities, k)
        least = np.finfo(np.float32).tiny  # the probability of a label that is given may round to 0
        given, sure = self.choose(probabilities)
        kept = np.where(given, np.maximum(sure, least), np.float32(0))
        first = first_of_largest(kept)
        has_any = kept.any(axis=1)
        confidence = np.where(has_any, kept[np.arange(len(kept)), first].astype(np.float64), ranking.confidence)
        return Decided(ranking, np.where(has_any, first, NOTHING), confidence, kept)

    def answers(self, decided: Decided) -> list[Answer]:
        """Return the answer to each text."""
        if decided.given is None:
            raise ValueError("a decision about several labels needs the probabilities of those given")
        tops, names = decided.ranking.tops(self.classes), self.names
        labels: list[list[tuple[str, float]]] = [[] for _ in tops]
        rows, places = np.nonzero(decided.given)
        of_label = decided.given[rows, places]
        order = np.lexsort((places, -of_label, rows))
        for row, place, sure in zip(
            rows[order].tolist(), places[order].tolist(), of_label[order].tolist(), strict=True
        ):
            labels[row].append((names[place], sure))
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
