"""The choice of thresholds for labels that are to reach a precision or a recall, on out-of-fold predictions."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.classifier.answer_figures import Figure, LabelTarget, own_thresholds
from embedclf.classifier.costs import Costs, check_labels, cost_matrix, costs_of, meant
from embedclf.classifier.decisions import NOTHING, Decision
from embedclf.errors import ArgumentError, TrainingError
from embedclf.formatting import SHOWN_DECIMALS, counted, shown_threshold
from embedclf.training.calibration import Judged, OutOfFoldScores
from embedclf.training.thresholds import wilson_low

logger = logging.getLogger(__name__)

_SCALE = 10**SHOWN_DECIMALS
_MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """What is asked of the answers of a classifier, apart from the common threshold.

    Attributes
    ----------
    costs : Costs or None
    target_precision, target_recall : mapping of str to float
    outside : str or None
        The out-of-scope label.
    """

    costs: Costs | None = None
    target_precision: Mapping[str, float] = field(default_factory=dict)
    target_recall: Mapping[str, float] = field(default_factory=dict)
    outside: str | None = None

    @property
    def has_targets(self) -> bool:
        """Whether a label has a target."""
        return bool(self.target_precision or self.target_recall)

    def check(self, classes: Sequence[str]) -> None:
        """Check that the rules are about labels that there are.

        Raises
        ------
        ArgumentError
            If one is not.
        """
        if self.costs is not None:
            check_labels(self.costs, classes, self.outside)
        for name, targets in (("target_precision", self.target_precision), ("target_recall", self.target_recall)):
            for label in targets:
                if label not in classes:
                    raise ArgumentError(f"{name} has the label {label!r}, which does not occur{meant(label, classes)}")

    def decision(
        self, classes: tuple[str, ...], weights: Floats | None, targets: Sequence[LabelTarget] | None
    ) -> Decision:
        """Return the decision by these rules, without a common threshold."""
        costs = None if self.costs is None else cost_matrix(self.costs, classes, self.outside)
        may_abstain = self.costs is not None and self.costs.can_abstain
        return Decision(
            classes, None, weights=weights, costs=costs, may_abstain=may_abstain, own=own_thresholds(targets, classes)
        )


NO_RULES = AnswerRules()


def check_targets(name: str, targets: Any) -> None:
    """Check that each target is a share.

    Raises
    ------
    ArgumentError
        If one is not.
    """
    if not isinstance(targets, Mapping):
        raise ArgumentError(f"{name} must be a dict of labels to shares, as in {{'refund': 0.95}}, got {targets!r}")
    for label, target in targets.items():
        if isinstance(target, bool) or not isinstance(target, Real) or not 0 < float(target) < 1:
            raise ArgumentError(f"the {name} of {label!r} must be between 0 and 1, got {target!r}")


def check_leaves(name: str, labels: Sequence[str], classes: Sequence[str], separator: str) -> None:
    """Check that no target is that of a label that is only above others, which rows do not have.

    Raises
    ------
    ArgumentError
        If one is.
    """
    for label in labels:
        if label not in classes and (below := [one for one in classes if one.startswith(label + separator)]):
            raise ArgumentError(
                f"{name} has the label {label!r}, which stands only above others: give targets to these, such as "
                f"{below[0]!r}"
            )


def judge(out_of_fold: OutOfFoldScores, decision: Decision) -> Judged:
    """Return the answers out of fold by a decision without a common threshold, to choose that threshold on.

    An answer that is given whatever that threshold is has the confidence 1, one that is never given −1.
    """
    if decision.is_likeliest and decision.own is None and decision.costs is None:
        return out_of_fold.judged
    probabilities = out_of_fold.probabilities
    chosen, confidence = decision.choose(probabilities)
    accepted = decision.accepts(probabilities, chosen, confidence)
    if decision.own is not None:
        has_own = np.array([one is not None for one in decision.own.answered_from])
        confidence = np.where(has_own[chosen], 1.0, confidence)
    confidence = np.where(accepted, confidence, -1.0)
    return Judged(confidence, accepted & (chosen == out_of_fold.y), out_of_fold.y < len(decision.classes))


def cheapest_threshold(judged: Judged, out_of_fold: OutOfFoldScores, decision: Decision) -> float | None:
    """Return the common threshold with which the answers cost least, out-of-scope examples included.

    None is returned if abstaining where that is expected to cost less is enough.

    It takes the place of the one that separates these examples best from the others, which takes all mistakes for
    equal; see `choose_threshold`.

    Parameters
    ----------
    judged : Judged
        From `judge`.
    out_of_fold : OutOfFoldScores
    decision : Decision
        With costs, and without a common threshold.
    """
    if decision.costs is None:
        raise ValueError("without costs, no threshold is the cheapest")
    chosen, _ = decision.choose(out_of_fold.probabilities)
    saved = costs_of(out_of_fold.y, np.full(len(chosen), NOTHING), decision.costs)
    saved -= costs_of(out_of_fold.y, chosen, decision.costs)
    steps, at = np.unique(np.floor(judged.confidence * _SCALE), return_inverse=True)
    # What answering from each step on saves, compared with abstaining from all.
    from_there = np.bincount(at, np.where(judged.confidence < 0, 0.0, saved), len(steps))[::-1].cumsum()[::-1]
    best = int(from_there.argmax())
    if best > 0:
        return float(steps[best] / _SCALE)
    return None if decision.may_abstain else 0.0


def choose_targets(
    out_of_fold: OutOfFoldScores | None, decision: Decision, rules: AnswerRules
) -> tuple[LabelTarget, ...]:
    """Choose the threshold of each label with a target.

    A figure is reached if the lower end of its Wilson interval of one standard error does; see `choose_threshold`. For
    precision, the threshold is the lowest that reaches it, so that as many texts as possible are answered. For recall,
    it is the highest, so that as few texts as possible get the label wrongly.

    Parameters
    ----------
    out_of_fold : OutOfFoldScores or None
        None if there are none.
    decision : Decision
        Without targets.
    rules : AnswerRules

    Raises
    ------
    TrainingError
        If there are too few examples, or a target is not reached; the message names the best that is.
    """
    if out_of_fold is None:
        raise TrainingError("too few examples to choose the thresholds of labels: add more, or leave out the targets")
    chooser = _Chooser(out_of_fold, decision, rules)
    return chooser.choose()


class _Chooser:
    """A search for the thresholds of labels with targets; see `choose_targets`."""

    def __init__(self, out_of_fold: OutOfFoldScores, decision: Decision, rules: AnswerRules) -> None:
        self._y, self._decision, self._rules = out_of_fold.y, decision, rules
        self._probabilities: Vectors = out_of_fold.probabilities
        places = {name: place for place, name in enumerate(decision.classes)}
        self._precision = {places[name]: target for name, target in rules.target_precision.items()}
        self._recall = {places[name]: target for name, target in rules.target_recall.items()}

    def choose(self) -> tuple[LabelTarget, ...]:
        own = self._preferred()
        answered: dict[int, float] = {}
        for place, target in self._precision.items():
            if place not in self._recall:
                answered[place] = self._answered_from(place, target, own)
            elif (both := own.get(place)) is not None:
                answered[place] = both
        targets = [
            self._found(place, "precision", target, answered.get(place)) for place, target in self._precision.items()
        ]
        targets += [self._found(place, "recall", target, own.get(place)) for place, target in self._recall.items()]
        decision = replace(self._decision, own=own_thresholds(targets, self._decision.classes))
        chosen, confidence = decision.choose(self._probabilities)
        final = np.where(decision.accepts(self._probabilities, chosen, confidence), chosen, NOTHING)
        reached = tuple(self._measured(one, final) for one in targets)
        for one in reached:
            n = max(one.n_examples, 1)
            # The rounding of a threshold may move a row.
            if wilson_low(np.array([min(1.0, one.cross_validated + 1 / n)]), np.array([n]))[0] < one.target:
                raise TrainingError(
                    f"the targets cannot be reached together: the {one.figure} of {one.label!r} is "
                    f"{one.cross_validated:.3f} with the thresholds of the others "
                    f"({counted(len(self._y), 'cross-validated row')}). Lower one of them or add data."
                )
        return reached

    def _found(self, place: int, figure: Figure, target: float, threshold: float | None) -> LabelTarget:
        return LabelTarget(self._decision.classes[place], figure, float(target), threshold, 0.0, 0)

    def _measured(self, one: LabelTarget, answered: Ints) -> LabelTarget:
        place = self._decision.classes.index(one.label)
        rows = (answered if one.figure == "precision" else self._y) == place
        right = float((answered[rows] == self._y[rows]).mean()) if rows.any() else 0.0
        return one._replace(cross_validated=right, n_examples=int(rows.sum()))

    def _preferred(self) -> dict[int, float]:
        """Return the thresholds from which on labels are preferred, for a recall.

        Lowering one takes texts from the others, so that they are lowered in turn until all reach their targets.
        """
        own: dict[int, float] = {}
        for _ in range(_MOST_ROUNDS):
            before = dict(own)
            for place, target in self._recall.items():
                least = self._precision.get(place)
                if least is not None:
                    self._lower_for_both(place, target, least, own)
                else:
                    self._lower(place, target, own)
            if own == before:
                return own
        return own

    def _chosen(self, own: Mapping[int, float]) -> Ints:
        classes = self._decision.classes
        targets = [self._found(place, "recall", 0.5, threshold) for place, threshold in own.items()]
        return replace(self._decision, own=own_thresholds(targets, classes)).choose(self._probabilities)[0]

    def _taken(self, place: int, own: Mapping[int, float]) -> tuple[Floats, Ints]:
        """Return up to which threshold each text gets a label, in steps of four decimals, and its label otherwise.

        The step is infinite for a text that gets the label anyway. It is less than 1 for one that does not get it at
        any threshold, as none is lower than a step: labels with a threshold of 0 would always be preferred.
        """
        others = {other: threshold for other, threshold in own.items() if other != place}
        without = self._chosen(others)
        sure = self._probabilities.astype(np.float64)
        steps = np.floor(sure[:, place] * _SCALE)
        for other, threshold in others.items():
            # It is preferred to the label where its ratio is larger: the label needs a threshold that is low enough.
            kept = sure[:, other] >= threshold
            most = sure[:, place] * threshold / np.maximum(sure[:, other], 1e-12) * _SCALE
            most = np.floor(most) if place < other else np.ceil(most) - 1  # the first class is preferred in a tie
            steps = np.where(kept, np.minimum(steps, most), steps)
        return np.where(without == place, np.inf, steps), without

    def _lower(self, place: int, target: float, own: dict[int, float]) -> None:
        """Lower the threshold of a label as far as its recall needs it."""
        taken, without = self._taken(place, own)
        mine = taken[self._y == place]
        if not len(mine):
            raise self._unmeasured(place, "recall")
        steps = np.unique(np.append(mine[np.isfinite(mine) & (mine >= 1)], 1.0))
        n = np.full(len(steps), len(mine))
        reliable = wilson_low(np.array([(mine >= step).mean() for step in steps]), n)
        now = wilson_low(np.array([np.isinf(mine).mean()]), n[:1])[0]
        if now >= target and place not in own:
            return
        reached = np.flatnonzero(reliable >= target)
        if not len(reached):
            given = taken >= 1
            raise self._unreached(
                place, "recall", target, reliable.max(), "precision", self._share(without == place, place),
                self._share(given, place), own,
            )  # fmt: skip
        lowest = own.get(place, np.inf)
        own[place] = min(lowest, float(steps[reached[-1]]) / _SCALE)

    def _share(self, rows: Mask, place: int) -> float:
        """Return the share of rows that have a label."""
        return float((self._y[rows] == place).mean()) if rows.any() else 0.0

    def _answered_from(self, place: int, target: float, own: Mapping[int, float]) -> float:
        """Return the lowest confidence from which on a label reaches a precision."""
        chosen = self._chosen(own) == place
        if not chosen.any():
            raise self._unmeasured(place, "precision")
        steps, reliable, _ = self._by_step(place, chosen)
        if reliable.max() < target:
            best = int(reliable.argmax())
            mine = self._y == place
            least = chosen & (self._steps(place) >= steps[best])
            raise self._unreached(
                place, "precision", target, reliable[best], "recall", float(chosen[mine].mean()) if mine.any() else 0.0,
                float(least[mine].mean()) if mine.any() else 0.0, {},
            )  # fmt: skip
        first = int((reliable >= target).argmax())
        return 0.0 if first == 0 else float(steps[first]) / _SCALE

    def _steps(self, place: int) -> Floats:
        steps: Floats = np.floor(self._probabilities[:, place].astype(np.float64) * _SCALE)
        return steps

    def _by_step(self, place: int, rows: Mask) -> tuple[Floats, Floats, Ints]:
        """Return each threshold of some rows, the lower end of the precision from there on, and the rows answered."""
        steps, at = np.unique(self._steps(place)[rows], return_inverse=True)
        right = self._y[rows] == place

        def from_there(which: Mask) -> Ints:
            counts: Ints = np.bincount(at[which], minlength=len(steps))[::-1].cumsum()[::-1]
            return counts

        n = from_there(np.ones(len(at), dtype=bool))
        return steps, wilson_low(from_there(right) / n, n), n

    def _lower_for_both(self, place: int, target: float, precision: float, own: dict[int, float]) -> None:
        """Choose the threshold from which on a label is answered, and below which it is not, for both its figures."""
        taken, _ = self._taken(place, own)
        steps_of = np.where(np.isinf(taken), self._steps(place), taken)
        mine = self._y == place
        if not mine.any():
            raise self._unmeasured(place, "recall")
        steps = np.unique(np.append(steps_of[steps_of >= 1], 1.0))
        answered = steps_of[None, :] >= steps[:, None] if len(steps) * len(mine) < 2e7 else None
        recalls, precisions = np.zeros(len(steps)), np.zeros(len(steps))
        for number, step in enumerate(steps):
            given = steps_of >= step if answered is None else answered[number]
            recalls[number] = wilson_low(np.array([given[mine].mean()]), np.array([mine.sum()]))[0]
            n = int(given.sum())
            precisions[number] = wilson_low(np.array([mine[given].mean()]), np.array([n]))[0] if n else 0.0
        both = np.flatnonzero((recalls >= target) & (precisions >= precision))
        if not len(both):
            name = self._decision.classes[place]
            enough = recalls >= target
            best = (
                f"with that recall, the best precision is {rounded_down(precisions[enough].max())}"
                if enough.any()
                else (f"the best recall is {rounded_down(recalls.max())}")
            )
            raise TrainingError(
                f"no threshold of {name!r} reliably reaches a precision of {precision:g} and a recall of {target:g}: "
                f"{best} ({counted(len(mine), 'cross-validated row')}). Lower one of the targets or add data."
            )
        own[place] = min(own.get(place, np.inf), float(steps[both[-1]]) / _SCALE)

    def _unmeasured(self, place: int, figure: Figure) -> TrainingError:
        name = self._decision.classes[place]
        why = "is never answered" if figure == "precision" else "has no rows"
        return TrainingError(
            f"no threshold can be chosen for the {figure} of {name!r}: it {why} in "
            f"{counted(len(self._y), 'cross-validated row')}. Add data for this label, or leave out its target"
        )

    def _unreached(
        self,
        place: int,
        figure: Figure,
        target: float,
        best: float,
        other: Figure,
        before: float,
        after: float,
        own: Mapping[int, float],
    ) -> TrainingError:
        name = self._decision.classes[place]
        beside = [repr(self._decision.classes[one]) for one in own if one != place]
        also = f", beside the target of {' and '.join(beside)}" if beside else ""
        return TrainingError(
            f"no threshold of {name!r} reliably reaches a {figure} of {target:g}{also}: the best is "
            f"{rounded_down(best)}, at which its {other} goes from {before:.3f} to {after:.3f} "
            f"({counted(len(self._y), 'cross-validated row')}). Lower --target-{figure} (target_{figure}=…) or add "
            "data."
        )


def rounded_down(share: float) -> str:
    """Format a share that is reached, with three decimals at most, so that it is not overstated."""
    return f"{np.floor(1000 * share) / 1000:g}"


def log_targets(targets: Sequence[LabelTarget], *, several: bool = False) -> None:
    """Log the threshold of each label with a target, and what it reaches on the examples it was chosen on.

    `several` says that an example may have several labels.
    """
    for one in targets:
        rows = counted(one.n_examples, f"cross-validated {'row' if one.figure == 'recall' else 'answer'}")
        reaches = f"{one.figure} {one.cross_validated:.3f} on {rows}, target {one.target:g}"
        if several and one.threshold is not None:
            logger.info("%r is given from a probability of %s: %s.", one.label, shown_threshold(one.threshold), reaches)
        elif one.threshold is None:
            logger.info("%r needs no threshold for its recall: %s.", one.label, reaches)
        else:
            how = "answered below" if one.figure == "precision" else "preferred to other labels from"
            logger.info(
                "%r is %s%s a confidence of %s: %s.",
                one.label,
                "not " if one.figure == "precision" else "",
                how,
                shown_threshold(one.threshold),
                reaches,
            )
