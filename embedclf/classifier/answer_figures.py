"""How good the answers of a classifier are that does not always answer with the most likely label."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.costs import Costs, costs_of
from embedclf.classifier.decisions import NOTHING, Decision, MultiLabelDecision, OwnThresholds, rank
from embedclf.stats.intervals import Interval, interval_of_mean

Figure = Literal["precision", "recall"]

_N_MOVED = 3


class LabelTarget(NamedTuple):
    """A target for a label, and the threshold with which it is reached out of fold.

    Attributes
    ----------
    label : str
    figure : {"precision", "recall"}
    target : float
    threshold : float or None
        For precision, the confidence below which the label is not answered; for recall, the probability from which on
        it is answered even if another is more likely, None if it need not be. If texts have several labels, the
        probability from which on the label is given.
    cross_validated : float
        The figure out of fold.
    n_examples : int
        The rows that it is the share of: those answered with the label, or those that have it.
    """

    label: str
    figure: Figure
    target: float
    threshold: float | None
    cross_validated: float
    n_examples: int


def own_thresholds(targets: Sequence[LabelTarget] | None, classes: Sequence[str]) -> OwnThresholds | None:
    """Return the thresholds of the labels with targets; None if there are none."""
    if not targets:
        return None
    answered: list[float | None] = [None] * len(classes)
    preferred = answered.copy()
    for one in targets:
        place = classes.index(one.label)
        if one.figure == "precision":
            answered[place] = one.threshold
        else:  # the common threshold must not undo it
            preferred[place] = one.threshold
            answered[place] = answered[place] or 0.0
    return OwnThresholds(tuple(answered), tuple(preferred))


def labels_with_targets(
    targets: Sequence[LabelTarget] | None, classes: Sequence[str], figure: Figure | None = None
) -> Mask | None:
    """Return which classes have a target, or one for a figure: (n_classes,); None if none has."""
    named = {one.label for one in targets or () if figure in (None, one.figure)}
    return np.array([name in named for name in classes]) if named else None


class RecallChange(NamedTuple):
    """The recall of a label by the answers, and if the most likely label were answered, before any abstaining.

    If texts have several labels, the second is that of the usual thresholds; see `LabelRules`.
    """

    label: str
    recall: float
    likeliest: float
    n_examples: int


class TargetReached(NamedTuple):
    """What a label with a target reaches on rows that the threshold was not chosen on.

    Attributes
    ----------
    label : str
    figure : {"precision", "recall"}
    target : float
    reached : float or None
    interval : Interval or None
        95 %. None, as the figure is, if the label does not occur, or is never answered.
    n_examples : int
    """

    label: str
    figure: Figure
    target: float
    reached: float | None
    interval: Interval | None
    n_examples: int


class CostFigures(NamedTuple):
    """The mean cost of the answers, and that of answering with the most likely label.

    Attributes
    ----------
    mean : float
        Over all rows, those out of scope included.
    mean_interval : Interval
        95 %, by the bootstrap over the distinct texts, as all intervals here.
    likeliest : float
        The mean cost if the most likely label is answered, or none below the common threshold.
    likeliest_interval : Interval
    difference : float
        The first less the second, on the same rows.
    difference_interval : Interval
        Paired.
    abstained : float
        Share of the rows that are not answered.
    n_examples : int
    """

    mean: float
    mean_interval: Interval
    likeliest: float
    likeliest_interval: Interval
    difference: float
    difference_interval: Interval
    abstained: float
    n_examples: int


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """How good the answers are, beside those of a classifier that answers with the most likely label.

    If texts have several labels, those of a classifier with the usual thresholds take the place of the most likely
    label, and the accuracy is the share of texts that get exactly their labels; see `LabelRules`.

    Attributes
    ----------
    likeliest_accuracy : float
        The accuracy of the most likely label.
    likeliest_accuracy_interval : Interval
        95 %.
    difference : float
        The accuracy of the labels chosen less that, before any abstaining.
    difference_interval : Interval
        95 %, paired.
    recalls : tuple of RecallChange
        The labels whose recall differs most, at most three.
    targets : tuple of TargetReached
    cost : CostFigures or None
        None without costs.
    """

    likeliest_accuracy: float
    likeliest_accuracy_interval: Interval
    difference: float
    difference_interval: Interval
    recalls: tuple[RecallChange, ...] = ()
    targets: tuple[TargetReached, ...] = ()
    cost: CostFigures | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types for JSON."""
        figures: dict[str, Any] = plain(asdict(self))
        return figures


def plain(value: Any) -> Any:
    """Return a value with its records as plain types for JSON; an interval is a list."""
    if isinstance(value, Interval):
        return list(value)
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if _is_record(value):
        return {name: plain(one) for name, one in value._asdict().items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def _is_record(value: object) -> TypeGuard[Any]:
    return isinstance(value, tuple) and hasattr(value, "_asdict")


def measure_answers(
    decision: Decision,
    labels: Sequence[str],
    probabilities: Vectors,
    groups: Ints,
    *,
    outside: str | None = None,
    costs: Costs | None = None,
    targets: Sequence[LabelTarget] | None = None,
) -> AnswerFigures | None:
    """Measure the answers to labelled texts; return None if they are those of the most likely label.

    Parameters
    ----------
    decision : Decision
    labels : sequence of str, of length n
    probabilities : ndarray of shape (n, n_classes)
    groups : ndarray of shape (n,)
        Equal texts have the same number.
    outside : str, optional
        The out-of-scope label.
    costs : Costs, optional
    targets : sequence of LabelTarget, optional
    """
    if decision.weights is None and costs is None and not targets:
        return None
    classes = decision.classes
    numbers = {name: number for number, name in enumerate(classes)}
    y = np.array([numbers.get(label, -2) for label in labels], dtype=np.intp)
    inside = np.array([label != outside for label in labels])
    ranking = rank(probabilities)
    likeliest = ranking.likeliest
    chosen, confidence = decision.choose(probabilities, ranking)
    answered = np.where(decision.accepts(probabilities, chosen, confidence), chosen, NOTHING)
    right, before = chosen[inside] == y[inside], likeliest[inside] == y[inside]
    difference = right.astype(float) - before
    return AnswerFigures(
        likeliest_accuracy=float(before.mean()),
        likeliest_accuracy_interval=interval_of_mean(before, groups[inside]),
        difference=float(difference.mean()),
        difference_interval=interval_of_mean(difference, groups[inside], least=-1),
        recalls=_moved(classes, *(one[:, None] == np.arange(len(classes)) for one in (y, chosen, likeliest))),
        targets=tuple(
            _reached(one, y == place, answered == place, groups)
            for one, place in ((one, numbers[one.label]) for one in targets or ())
        ),
        cost=None if costs is None else _cost(costs, decision, labels, answered, ranking, groups, outside),
    )


def measure_label_answers(
    decision: MultiLabelDecision,
    given: Mask,
    probabilities: Vectors,
    groups: Ints,
    targets: Sequence[LabelTarget] | None = None,
) -> AnswerFigures | None:
    """Measure the labels that texts get which may have several; return None if these are those of usual thresholds.

    Parameters
    ----------
    decision : MultiLabelDecision
    given : ndarray of shape (n, n_labels), bool
        Which labels each text has: the classes first, then any that the classifier does not know.
    probabilities : ndarray of shape (n, n_classes)
    groups : ndarray of shape (n,)
        Equal texts have the same number.
    targets : sequence of LabelTarget, optional
    """
    if decision.usual is None:
        return None
    answered = decision.given(probabilities)
    before = replace(decision, thresholds=decision.usual, strict=None).given(probabilities)
    return compare_labels(decision.classes, given, answered, before, groups, targets)


def compare_labels(
    classes: Sequence[str],
    given: Mask,
    answered: Mask,
    before: Mask,
    groups: Ints,
    targets: Sequence[LabelTarget] | None = None,
) -> AnswerFigures:
    """Measure the labels that texts get beside those that usual thresholds give; see `measure_label_answers`.

    Parameters
    ----------
    classes : sequence of str
    given : ndarray of shape (n, n_labels), bool
    answered, before : ndarray of shape (n, n_classes), bool
        Which labels each text gets, and which it gets by the usual thresholds.
    groups : ndarray of shape (n,)
    targets : sequence of LabelTarget, optional
    """
    given, others = given[:, : len(classes)], given[:, len(classes) :].any(axis=1)
    right, right_before = ((given == one).all(axis=1) & ~others for one in (answered, before))
    difference = right.astype(float) - right_before
    places = {name: place for place, name in enumerate(classes)}
    of_targets = ((one, places[one.label]) for one in targets or ())
    return AnswerFigures(
        likeliest_accuracy=float(right_before.mean()),
        likeliest_accuracy_interval=interval_of_mean(right_before, groups),
        difference=float(difference.mean()),
        difference_interval=interval_of_mean(difference, groups, least=-1),
        recalls=_moved(classes, given, answered, before),
        targets=tuple(_reached(one, given[:, place], answered[:, place], groups) for one, place in of_targets),
    )


def _moved(classes: Sequence[str], given: Mask, answered: Mask, before: Mask) -> tuple[RecallChange, ...]:
    """Return the labels whose recall differs most; all arrays say which labels each text has or gets."""
    found = []
    for place, name in enumerate(classes):
        own = given[:, place]
        if n := int(own.sum()):
            recall, likeliest = (float(one[own, place].mean()) for one in (answered, before))
            found.append(RecallChange(name, recall, likeliest, n))
    moved = [one for one in found if one.recall != one.likeliest]
    return tuple(sorted(moved, key=lambda one: -abs(one.recall - one.likeliest))[:_N_MOVED])


def _reached(target: LabelTarget, has: Mask, gets: Mask, groups: Ints) -> TargetReached:
    """Return what a label reaches that some texts have, and some get."""
    rows = gets if target.figure == "precision" else has
    if not rows.any():
        return TargetReached(target.label, target.figure, target.target, None, None, 0)
    right = (has & gets)[rows]
    interval = interval_of_mean(right, groups[rows])
    return TargetReached(target.label, target.figure, target.target, float(right.mean()), interval, int(rows.sum()))


def _cost(
    costs: Costs,
    decision: Decision,
    labels: Sequence[str],
    answered: Ints,
    ranking: Any,
    groups: Ints,
    outside: str | None,
) -> CostFigures:
    names = sorted(set(labels))
    rows = {name: row for row, name in enumerate(names)}
    truth = np.array([rows[label] for label in labels], dtype=np.intp)
    matrix = costs.matrix(names, decision.classes, outside)
    plainly = Decision(decision.classes, decision.threshold)
    accepted = plainly.accepts(ranking.confidences, ranking.likeliest, ranking.confidence)
    theirs = costs_of(truth, np.where(accepted, ranking.likeliest, NOTHING), matrix)
    own = costs_of(truth, answered, matrix)
    most = float(matrix.max())
    least = float(matrix.min())

    def interval(values: npt.NDArray[Any], low: float, high: float) -> Interval:
        return interval_of_mean(values, groups, least=low, most=high)

    return CostFigures(
        mean=float(own.mean()),
        mean_interval=interval(own, least, most),
        likeliest=float(theirs.mean()),
        likeliest_interval=interval(theirs, least, most),
        difference=float((own - theirs).mean()),
        difference_interval=interval(own - theirs, least - most, most - least),
        abstained=float((answered == NOTHING).mean()),
        n_examples=len(labels),
    )
