"""The report of an evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from embedclf.classifier.answer_figures import AnswerFigures
from embedclf.classifier.explanation import Neighbour, Span
from embedclf.data_frames import data_frame
from embedclf.evaluation.baseline import Baseline
from embedclf.evaluation.levels import Levels
from embedclf.formatting import counted, shown_interval
from embedclf.records import WithPage
from embedclf.stats import metrics
from embedclf.stats.intervals import Interval

_N_CONFUSIONS = 10
_MOST_IN_DICT = 100


class Confusion(NamedTuple):
    """How often texts of a label were predicted as another."""

    label: str
    predicted: str
    n_texts: int


class WrongRow(NamedTuple):
    """A misclassified text: its most likely label is not its own, or it is out of scope but answered.

    Attributes
    ----------
    row : int
        Index of the text.
    text, label, predicted : str
    confidence : float
        The probability of the predicted label.
    neighbours : tuple of Neighbour
        The nearest training examples, if the training set was given.
    spans : tuple of Span
        How much its words support the predicted label over the runner-up; see `Explanation`. Empty if words have no
        weights of their own, and after the first 2,000 rows, or fewer if texts are long.
    """

    row: int
    text: str
    label: str
    predicted: str
    confidence: float
    neighbours: tuple[Neighbour, ...]
    spans: tuple[Span, ...] = ()


class WordOfLabel(NamedTuple):
    """A word that supports a label.

    Attributes
    ----------
    word : str
        In lower case.
    weight : float
        How much it adds to the label's lead over the runner-up, on average over the texts for which the label is
        predicted.
    """

    word: str
    weight: float


class Answered(NamedTuple):
    """What a classifier answers at its threshold.

    Attributes
    ----------
    coverage : float
        Share of the texts that are answered.
    accuracy : float or None
        Accuracy on these; None if none is answered.
    coverage_interval, accuracy_interval : Interval
        95 %, by the bootstrap over the distinct texts. That of the accuracy is None if none is answered.
    """

    coverage: float
    coverage_interval: Interval
    accuracy: float | None
    accuracy_interval: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types for JSON."""
        return {name: list(value) if isinstance(value, Interval) else value for name, value in self._asdict().items()}


class SetFigures(NamedTuple):
    """How often label sets hold the true label, and how large they are.

    Attributes
    ----------
    target : float
        The coverage that was asked for.
    coverage : float
        Share of the texts whose set holds their label.
    coverage_interval : Interval
        95 %, by the bootstrap over the distinct texts.
    mean_size : float
        Mean number of labels in a set.
    single : float
        Share of the sets with one label.
    empty : float
        Share of the sets with none, as where the most likely label alone is right more often than is asked for.
    """

    target: float
    coverage: float
    coverage_interval: Interval
    mean_size: float
    single: float
    empty: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types for JSON."""
        return {**self._asdict(), "coverage_interval": list(self.coverage_interval)}


class OutOfScope(NamedTuple):
    """How well a classifier rejects out-of-scope texts.

    Attributes
    ----------
    n_examples : int
        Number of texts with the out-of-scope label.
    n_answered : int or None
        How many of them are answered nevertheless; None without a threshold.
    recall : float or None
        Share of them on which it abstains; None without a threshold.
    auroc : float
        Probability that an in-scope text has a higher confidence than an out-of-scope text.
    in_scope_accuracy : float
        Share of the in-scope texts that are answered correctly.
    precision : float or None
        Share of out-of-scope texts among all on which it abstains; None without a threshold, or if it never abstains.
    f1 : float or None
        Harmonic mean of recall and precision; None without a threshold.
    in_scope_accuracy_interval : Interval
    ece : float
        Expected calibration error over all texts, where every answer to an out-of-scope text is wrong.
    """

    n_examples: int
    n_answered: int | None
    recall: float | None
    auroc: float
    in_scope_accuracy: float
    precision: float | None
    f1: float | None
    in_scope_accuracy_interval: Interval
    ece: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types for JSON."""
        return {name: list(value) if isinstance(value, Interval) else value for name, value in self._asdict().items()}


@dataclass(frozen=True, slots=True)
class Report(WithPage):
    """The evaluation of a classifier on labelled texts, by its most likely label even where it abstains.

    Attributes
    ----------
    accuracy, macro_f1, weighted_f1 : float
        Shares in [0, 1].
    accuracy_interval, macro_f1_interval : Interval
        95 %, by the bootstrap over the distinct texts.
    log_loss : float
        Mean of −ln of the true label's probability, over the texts whose label the classifier knows.
    ece : float
        Expected calibration error, in [0, 1].
    n_examples : int
        Without out-of-scope texts.
    per_class : dict of str to ClassFigures
        For each label that occurs, true or predicted, in sorted order.
    unknown_labels : dict of str to int
        Labels that the classifier does not know, whose texts count as wrong, and how often they occur.
    classes : tuple of str
        All labels that occur or that the classifier knows, sorted.
    confusion_matrix : tuple of tuples of int
        How often each of `classes` (rows) was predicted as each (columns).
    reliability : tuple of ReliabilityBin
    coverage : tuple of CoveragePoint
        At each threshold of two decimals below 1, and at the classifier's own.
    threshold : float or None
        The confidence below which the classifier abstains.
    wrong : tuple of WrongRow
        Most confident first, since these are the most likely label errors. With a threshold, out-of-scope texts that
        are answered are included under their own label; of the other figures, only `out_of_scope` counts them. Without
        a threshold, none could be rejected, and none is included.
    out_of_scope : OutOfScope or None
        None if there are no such texts.
    words_by_label : dict of str to tuple of WordOfLabel
        For each predicted label, up to eight words that support it most, from at most 2,000 texts, or fewer if they
        are long. Empty if words have no weights of their own.
    baseline : Baseline or None
        What simpler classifiers reach on the same texts.
    answered : Answered or None
        Coverage and accuracy at the threshold, or at the thresholds and costs; None without any, or if it is 0.
    label_sets : SetFigures or None
        None if no coverage was asked for.
    hierarchy : Levels or None
        How good each level of labels in a tree is, and how deep the answers are; None if they are in none. In a tree,
        `coverage`, `answered` and `out_of_scope` count an answer as correct if it is the true label or one above it.
    answers : AnswerFigures or None
        The figures of the answers beside those of the most likely labels, and what they cost; None if they are the same
        and there are no costs. If they are not, all other figures are about the labels chosen.
    """

    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    weighted_f1: float
    log_loss: float
    ece: float
    n_examples: int
    per_class: dict[str, metrics.ClassFigures]
    unknown_labels: dict[str, int]
    classes: tuple[str, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    reliability: tuple[metrics.ReliabilityBin, ...]
    coverage: tuple[metrics.CoveragePoint, ...]
    threshold: float | None
    wrong: tuple[WrongRow, ...]
    out_of_scope: OutOfScope | None
    words_by_label: dict[str, tuple[WordOfLabel, ...]] = field(default_factory=dict)
    baseline: Baseline | None = None
    answered: Answered | None = None
    label_sets: SetFigures | None = None
    hierarchy: Levels | None = None
    answers: AnswerFigures | None = None

    def __repr__(self) -> str:
        accuracy = f"accuracy {self.accuracy:.3f} ({shown_interval(self.accuracy_interval)})"
        return f"<Report: {counted(self.n_examples, 'row')}, {accuracy}, macro-F1 {self.macro_f1:.3f}>"

    @property
    def confusions(self) -> tuple[Confusion, ...]:
        """The ten most frequent confusions, most frequent first."""
        found = [
            Confusion(label, predicted, count)
            for label, row in zip(self.classes, self.confusion_matrix, strict=True)
            for predicted, count in zip(self.classes, row, strict=True)
            if count and label != predicted
        ]
        return tuple(sorted(found, key=lambda one: -one.n_texts)[:_N_CONFUSIONS])

    def at_rows(self, rows: Sequence[int]) -> "Report":
        """Return the report with the rows of a subset of texts replaced by their indices in the full set."""
        return replace(self, wrong=tuple(one._replace(row=rows[one.row]) for one in self.wrong))

    def to_frame(self) -> Any:
        """Return the figures of each label as a data frame of pandas, or of Polars if only that is installed."""
        rows = [{"label": label, **figures._asdict()} for label, figures in self.per_class.items()]
        return data_frame(rows, ("label", *metrics.ClassFigures._fields))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain types for JSON."""
        made = {
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "macro_f1_interval": list(self.macro_f1_interval),
            "weighted_f1": self.weighted_f1,
            "baseline": None if self.baseline is None else self.baseline.to_dict(),
            "log_loss": self.log_loss,
            "ece": self.ece,
            "n_examples": self.n_examples,
            "per_class": {name: figures._asdict() for name, figures in self.per_class.items()},
            "unknown_labels": dict(self.unknown_labels),
            "confusions": [one._asdict() for one in self.confusions],
            "confusion_matrix": {"labels": list(self.classes), "counts": [list(row) for row in self.confusion_matrix]},
            "reliability": [one._asdict() for one in self.reliability],
            "coverage": [one._asdict() for one in self.coverage],
            "threshold": self.threshold,
            "answered": None if self.answered is None else self.answered.to_dict(),
            "label_sets": None if self.label_sets is None else self.label_sets.to_dict(),
            **({} if self.answers is None else {"answers": self.answers.to_dict()}),
            "wrong": [_wrong_as_dict(one, with_words=place < _MOST_IN_DICT) for place, one in enumerate(self.wrong)],
            "out_of_scope": None if self.out_of_scope is None else self.out_of_scope.to_dict(),
            "words_by_label": {
                label: [word._asdict() for word in words] for label, words in self.words_by_label.items()
            },
        }
        return made if self.hierarchy is None else made | {"hierarchy": self.hierarchy.to_dict()}


def _wrong_as_dict(one: WrongRow, *, with_words: bool) -> dict[str, Any]:
    made = {**one._asdict(), "neighbours": [neighbour._asdict() for neighbour in one.neighbours]}
    del made["spans"]
    if one.spans and with_words:
        made["words"] = [span._asdict() for span in one.spans]
    return made
