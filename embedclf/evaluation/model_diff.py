"""The result of comparing two classifiers on the same labelled texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from embedclf.classifier.explanation import Span
from embedclf.data.label_sets import LabelSet
from embedclf.data_frames import data_frame
from embedclf.evaluation.changes import MACRO_F1, Change
from embedclf.evaluation.scores import MICRO_F1
from embedclf.formatting import counted
from embedclf.records import WithPage
from embedclf.stats.verdicts import Verdict

Kind: TypeAlias = Literal["better", "worse", "both wrong"]

KINDS: tuple[Kind, ...] = ("worse", "better", "both wrong")
"""How the answer to a row may change, in the order in which rows are listed."""

COVERAGE, ANSWERED_ACCURACY, REJECTED, MEAN_COST = "coverage", "accuracy if answered", "rejected", "mean cost"
"""Names of figures: `REJECTED` is the share of out-of-scope texts that get no label."""

FEW_PER_LABEL = 10

_FRAME_COLUMNS = (
    *("label", "n_examples", "before", "after", "after_low", "after_high"),
    *("difference", "difference_low", "difference_high"),
)


class ChangedRow(NamedTuple):
    """A text that two classifiers answer differently.

    Attributes
    ----------
    row : int
        Index of the text.
    text : str
    label : str, or tuple of str if a text may have several labels
        The true one.
    old, new : str, tuple of str, or None
        The label or labels from each classifier, whether or not it abstains; None if it abstains on an out-of-scope
        text.
    old_confidence, new_confidence : float
        Their probabilities; with several labels, that of the most likely one.
    old_answered, new_answered : bool
        Whether each classifier answers rather than abstains.
    change : {"better", "worse", "both wrong"}
        Only the new answer is right, only the old one, or neither. With several labels, the better one is the one with
        fewer missing or extra labels.
    spans : tuple of Span
        How much its words support the new label over the runner-up; see `Explanation`. Empty if words have no weights
        of their own, and after the first 2,000 rows.
    """

    row: int
    text: str
    label: str | LabelSet
    old: str | LabelSet | None
    old_confidence: float
    new: str | LabelSet | None
    new_confidence: float
    old_answered: bool
    new_answered: bool
    change: Kind
    spans: tuple[Span, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain types for JSON, without the weights of its words."""
        made = self._asdict()
        del made["spans"]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in made.items()}


@dataclass(frozen=True, slots=True)
class ModelDiff(WithPage):
    """Two classifiers on the same labelled texts: how their figures differ, and which texts get different answers.

    Attributes
    ----------
    verdict : {"better", "worse", "no difference", "cannot tell"}
        What the main figure says about the new classifier: "no difference" if the whole interval of the difference is
        within the margin; otherwise "better" or "worse" if it excludes 0, and "cannot tell" (inconclusive) if not.
    margin : float
        The equivalence margin: the difference in the main figure that does not matter, a share.
    rows_needed : int or None
        Roughly how many rows like these would be enough to tell, if the difference stays as it is; None if these are
        enough.
    n_examples, n_distinct : int
        All rows, and the distinct texts among them.
    are_alike : bool
        Whether both classifiers give all texts the same probabilities.
    figures : tuple of Change
        The main figure first: accuracy, or micro-F1 if texts have several labels. Then macro-F1; for several labels,
        the exact match. Accuracy, macro-F1 and recall are about the labels that texts would get without abstaining. If
        a classifier may abstain, the coverage and the accuracy if answered; if there are out-of-scope texts, the share
        of them that is rejected (the other figures leave these texts out); and with costs, the mean cost, where less is
        better.
    by_label : tuple of Change
        The recall of each label that a row has, or its F1 if texts may have several; `before` is None for a label
        that the old classifier does not know.
    unknown_to_old, unknown_to_new : dict of str to int
        Labels that a classifier does not know, whose rows count as wrong, and how often they occur.
    changed : tuple of ChangedRow
        Rows that got worse, then those that got better, then those that are wrong in a different way; within each kind,
        the most confident new answers first.
    """

    verdict: Verdict
    margin: float
    rows_needed: int | None
    n_examples: int
    n_distinct: int
    are_alike: bool
    figures: tuple[Change, ...]
    by_label: tuple[Change, ...]
    unknown_to_old: Mapping[str, int]
    unknown_to_new: Mapping[str, int]
    changed: tuple[ChangedRow, ...]

    def __repr__(self) -> str:
        return f"<ModelDiff: {counted(self.n_examples, 'row')}, {self.verdict}>"

    @property
    def main(self) -> Change:
        """The figure that the verdict is about."""
        return self.figures[0]

    @property
    def are_several(self) -> bool:
        """Whether texts may have several labels."""
        return self.main.name == MICRO_F1

    @property
    def metric_of_labels(self) -> str:
        """What is compared for each label: "recall", or "F1" if texts may have several labels."""
        return "F1" if self.are_several else "recall"

    @property
    def has_few_per_label(self) -> bool:
        """Whether the labels have fewer than ten rows each on average, so that macro-F1's interval is too narrow."""
        return sum(one.n_held_out for one in self.by_label) < FEW_PER_LABEL * len(self.by_label)

    def is_clear(self, change: Change) -> bool:
        """Return whether a figure has clearly changed; never macro-F1 of labels with few rows."""
        return change.is_clear and not (change.name == MACRO_F1 and self.has_few_per_label)

    def count(self, kind: Kind) -> int:
        """Return how many rows changed in this way."""
        return sum(one.change == kind for one in self.changed)

    def to_frame(self) -> Any:
        """Return the change for each label as a data frame of pandas, or of Polars if only that is installed."""
        rows = []
        for one in self.by_label:
            low, high = one.difference_interval or (None, None)
            figures = (one.n_held_out, one.before, one.after, *one.after_interval, one.difference, low, high)
            rows.append(dict(zip(_FRAME_COLUMNS, (one.name, *figures), strict=True)))
        return data_frame(rows, _FRAME_COLUMNS)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain types for JSON."""
        return {
            "verdict": self.verdict,
            "margin": self.margin,
            "rows_needed": self.rows_needed,
            "n_examples": self.n_examples,
            "n_distinct": self.n_distinct,
            "are_alike": self.are_alike,
            "figures": [_change_as_dict(one) for one in self.figures],
            "by_label": [_change_as_dict(one) for one in self.by_label],
            "unknown_to_old": dict(self.unknown_to_old),
            "unknown_to_new": dict(self.unknown_to_new),
            "n_worse": self.count("worse"),
            "n_better": self.count("better"),
            "n_both_wrong": self.count("both wrong"),
            "changed": [one.to_dict() for one in self.changed],
        }


def _change_as_dict(change: Change) -> dict[str, Any]:
    made = change.to_dict()
    name, n = made.pop("name"), made.pop("n_held_out")
    return {"name": name, "n_examples": n, **made}
