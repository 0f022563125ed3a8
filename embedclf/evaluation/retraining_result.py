"""What retraining returns: the new classifier, and how it compares with the old one."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.usage import Usage
from embedclf.evaluation.changes import Change
from embedclf.evaluation.scores import ACCURACY, MICRO_F1
from embedclf.records import Printable
from embedclf.stats.intervals import Interval

_OF_SEVERAL_LABELS = ("micro_f1", "micro_f1_interval", "macro_f1", "macro_f1_interval")


@dataclass(frozen=True, slots=True)
class Measured:
    """How good one of two classifiers is on held-out rows.

    Attributes
    ----------
    embedder : str
        As ``provider:model``.
    task, prompt : str or None
        What the embedder was told; see `EmbedderSpec`.
    dimensions : int or None
    n_rows : int
        How many rows it was trained on, held-out ones included.
    n_held_out : int
    accuracy : float
        If texts may have several labels, the share of texts with exactly the predicted labels.
    accuracy_interval : Interval or None
        95 %; None if the accuracy is recorded in a model file, as for the other figures.
    micro_f1, macro_f1 : float or None
        None if a text has one label.
    micro_f1_interval, macro_f1_interval : Interval or None
    """

    embedder: str
    task: str | None
    prompt: str | None
    dimensions: int | None
    n_rows: int
    n_held_out: int
    accuracy: float
    accuracy_interval: Interval | None
    micro_f1: float | None = None
    micro_f1_interval: Interval | None = None
    macro_f1: float | None = None
    macro_f1_interval: Interval | None = None

    @property
    def score(self) -> tuple[float, Interval | None]:
        """The accuracy, or micro-F1 if texts may have several labels, with its interval."""
        if self.micro_f1 is None:
            return self.accuracy, self.accuracy_interval
        return self.micro_f1, self.micro_f1_interval

    @property
    def name(self) -> str:
        """The embedder, with the task and the prompt if there are any."""
        told = EmbedderSpec("", "", None, task=self.task, prompt=self.prompt).told
        return f"{self.embedder} ({told})" if told else self.embedder

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types, for JSON."""
        left_out = () if self.micro_f1 is not None else _OF_SEVERAL_LABELS
        shown = {name: value for name, value in asdict(self).items() if name not in left_out}
        return {name: list(value) if isinstance(value, Interval) else value for name, value in shown.items()}


@dataclass(frozen=True, slots=True)
class Retraining(Printable):
    """A classifier that was retrained, and how it compares with the old one on the same held-out rows.

    Attributes
    ----------
    classifier : TextClassifier
        The new one.
    new : Measured or None
        None if there are too few rows to hold any out.
    old : Measured or None
        The old one, trained on the other rows for this comparison. If that is impossible, what its file records, and
        None if that is nothing.
    difference : float or None
        The new accuracy minus the old one, or that of micro-F1 if texts may have several labels; None if they were not
        measured on the same rows.
    difference_interval : Interval or None
        95 %, paired over the distinct texts.
    reason : str or None
        Why they were not measured on the same rows; None if they were.
    rows_changed : bool or None
        Whether the rows are other ones than those of the old classifier; None if its file does not say.
    usage : Usage
        Tokens and cost of embedding.
    by_rows : tuple of Change
        The accuracy, or micro-F1, on the held-out rows that the old classifier was trained on, and on those that are
        new, if rows were added to the old ones.
    by_label : tuple of Change
        The recall of each label, or its F1 if texts may have several, in the order of the labels; empty if both were
        not measured on the same rows.
    by_figure : tuple of Change
        Micro-F1, macro-F1 and the exact match; empty if texts have one label, or both were not measured on the same
        rows.
    """

    classifier: TextClassifier
    new: Measured | None
    old: Measured | None
    difference: float | None
    difference_interval: Interval | None
    reason: str | None
    rows_changed: bool | None
    usage: Usage
    by_rows: tuple[Change, ...] = ()
    by_label: tuple[Change, ...] = ()
    by_figure: tuple[Change, ...] = ()

    @property
    def metric(self) -> str:
        """What is compared: "accuracy", or "micro-F1" if texts may have several labels."""
        return ACCURACY if self.classifier.card.multilabel is None else MICRO_F1

    @property
    def metric_of_labels(self) -> str:
        """What is compared for each label: "recall", or "F1" if texts may have several labels."""
        return "recall" if self.classifier.card.multilabel is None else "F1"

    @property
    def verdict(self) -> Literal["better", "worse", "unclear"]:
        """Whether the new classifier is significantly better or worse than the old one, or neither."""
        if self.difference_interval is None or self.difference_interval.low <= 0 <= self.difference_interval.high:
            return "unclear"
        return "better" if self.difference_interval.low > 0 else "worse"

    def __repr__(self) -> str:
        return f"<Retraining: {self.classifier!r}, {self.verdict}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain types for JSON, without the classifier."""
        interval = self.difference_interval
        return {
            "new": None if self.new is None else self.new.to_dict(),
            "old": None if self.old is None else self.old.to_dict(),
            "difference": self.difference,
            "difference_interval": None if interval is None else list(interval),
            "verdict": self.verdict,
            "reason": self.reason,
            "rows_changed": self.rows_changed,
            "usage": self.usage.to_dict(),
            "by_rows": [one.to_dict() for one in self.by_rows],
            "by_label": [one.to_dict() for one in self.by_label],
            **({"by_figure": [one.to_dict() for one in self.by_figure]} if self.by_figure else {}),
        }
