"""What answers are worth that are not always the most likely label, as text."""

from typing import TYPE_CHECKING

from embedclf.formatting import counted, shown_interval, shown_threshold
from embedclf.printing.lines import HEADING, PLAIN, Line
from embedclf.printing.tables import shown_label, with_interval

if TYPE_CHECKING:
    from embedclf.classifier.answer_figures import AnswerFigures, LabelTarget, TargetReached
    from embedclf.classifier.model_card import ModelCard


def difference_of(value: float, interval: tuple[float, float]) -> str:
    """Format a difference with its interval, and whether it may be chance: ``-0.31 (-0.65 to -0.04)``."""
    low, high = interval
    chance = "" if low > 0 or high < 0 else ", not significant"
    return f"{value:+z.3f} ({low:z.3f} to {high:z.3f}){chance}"


def likeliest_lines(answers: "AnswerFigures | None", *, several: bool = False) -> list[Line]:
    """Return the accuracy of the most likely labels, below that of the labels chosen, if they are others.

    `several` says that texts may have several labels; it is then that of the usual thresholds.
    """
    if answers is None or not (answers.recalls or several):
        return []
    others = "usual thresholds" if several else "most likely"
    return [
        f"  {others:<17}{with_interval(answers.likeliest_accuracy, answers.likeliest_accuracy_interval)}",
        f"  difference       {difference_of(answers.difference, answers.difference_interval)}",
    ]


def answer_lines(answers: "AnswerFigures | None") -> list[Line]:
    """Return how the answers compare with the most likely labels, below the figures of a report."""
    if answers is None:
        return []
    lines: list[Line] = []
    if (cost := answers.cost) is not None:
        lines += [
            [(f"mean cost          {with_interval(cost.mean, cost.mean_interval)}", HEADING)],
            f"  most likely      {with_interval(cost.likeliest, cost.likeliest_interval)}",
            f"  difference       {difference_of(cost.difference, cost.difference_interval)}",
        ]
    if answers.recalls:
        lines.append(f"recall most moved  {_recalls(answers)}")
    for one in answers.targets:
        lines.append(f"target             {_reached(one)}")
    return lines


def held_out_lines(answers: "AnswerFigures | None", *, several: bool = False) -> list[Line]:
    """Return the same for the held-out rows of a training; `several` says that texts may have several labels."""
    if answers is None:
        return []
    lines: list[Line] = []
    if (cost := answers.cost) is not None:
        difference = difference_of(cost.difference, cost.difference_interval)
        lines += [
            [("Mean cost ", PLAIN), (f"{cost.mean:.3f}", HEADING), (f" ({shown_interval(cost.mean_interval)})", PLAIN)],
            f"  of the most likely label {_figure(cost.likeliest, cost.likeliest_interval)}; difference {difference}",
        ]
    if answers.recalls or several:
        difference = difference_of(answers.difference, answers.difference_interval)
        before = "Usual thresholds: exact match" if several else "Most likely label: accuracy"
        lines.append(f"{before} {answers.likeliest_accuracy:.3f}; difference {difference}")
    if answers.recalls:
        lines.append(f"Recall most moved: {_recalls(answers)}")
    return lines + [f"Target: {_reached(one)}" for one in answers.targets]


def _figure(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} ({shown_interval(interval)})"


def _recalls(answers: "AnswerFigures") -> str:
    return ", ".join(f"{shown_label(one.label)} {one.likeliest:.3f} → {one.recall:.3f}" for one in answers.recalls)


def _reached(one: "TargetReached") -> str:
    of = f"{one.figure} of {shown_label(one.label)}"
    if one.reached is None or one.interval is None:
        why = "it is never answered" if one.figure == "precision" else "it has no rows"
        return f"{of} {one.target:g}: not measured, since {why}"
    rows = counted(one.n_examples, "row" if one.figure == "recall" else "answer")
    return f"{of} {one.target:g}: {_figure(one.reached, one.interval)}, {rows}"


def abstaining(card: "ModelCard") -> str:
    """Return when a classifier abstains."""
    when = [] if card.threshold is None else [f"below confidence {shown_threshold(card.threshold)}"]
    if card.costs is not None and card.costs.can_abstain:
        when.append("where that costs less")
    for one in card.targets or ():
        if one.figure == "precision" and one.threshold:
            when.append(f"from {shown_label(one.label)} below {shown_threshold(one.threshold)}")
    return ", ".join(when) or "never"


def rules_of(card: "ModelCard") -> list[str]:
    """Return by what a classifier answers otherwise than with the most likely label; none if it does not."""
    rules = []
    if card.class_weights is not None:
        rules.append("class weights")
    if card.costs is not None:
        rules.append("least expected cost")
    rules += [_target(one) for one in card.targets or ()]
    return rules


def _target(one: "LabelTarget") -> str:
    threshold = "" if one.threshold is None else f" (from {shown_threshold(one.threshold)})"
    return f"{one.figure} of {shown_label(one.label)} {one.target:g}{threshold}"
