"""The report of an evaluation on texts that may have several labels each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from embedclf.classifier.answer_figures import AnswerFigures
from embedclf.classifier.explanation import Neighbour
from embedclf.data.label_sets import LabelSet
from embedclf.data_frames import data_frame
from embedclf.evaluation.multilabel_levels import LevelsOfLabels
from embedclf.formatting import counted, shown_interval
from embedclf.records import WithPage
from embedclf.stats.intervals import Interval
from embedclf.stats.metrics import ReliabilityBin


class LabelFigures(NamedTuple):
    """The figures of one label.

    Attributes
    ----------
    precision, recall, f1 : float
        In [0, 1]; 0 where undefined.
    precision_interval, recall_interval : Interval or None
        95 %; None where no text is given the label, or none has it.
    support, n_predicted : int
        How many texts have it, and how many are given it.
    threshold : float or None
        The probability from which on it is given; None if the classifier does not know it, or several were measured.
    """

    precision: float
    precision_interval: Interval | None
    recall: float
    recall_interval: Interval | None
    f1: float
    support: int
    n_predicted: int
    threshold: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types for JSON."""
        return {name: list(value) if isinstance(value, Interval) else value for name, value in self._asdict().items()}


class MissedAndGiven(NamedTuple):
    """How often texts that have one label were given another instead: one that they do not have."""

    missed: str
    given: str
    n_texts: int


class LabelPair(NamedTuple):
    """In how many texts the same mistake was made about two labels."""

    labels: tuple[str, str]
    n_texts: int


class WrongLabels(NamedTuple):
    """A text that was not given exactly its labels.

    Attributes
    ----------
    row : int
        Index of the text.
    text : str
    labels : tuple of str
        Those that it has, sorted.
    predicted : tuple of str
        Those that it was given, most likely first.
    missing, extra : tuple of str
        Those that it has but was not given, and those that it was given but does not have; the surest mistake first.
    confidence : float
        How sure the surest mistake is: the probability of an extra label, or that a missing one does not apply.
    neighbours : tuple of Neighbour
        The nearest training examples, if the training set was given; the labels of each as in a file.
    """

    row: int
    text: str
    labels: LabelSet
    predicted: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    confidence: float
    neighbours: tuple[Neighbour, ...] = ()


@dataclass(frozen=True, slots=True)
class MultiLabelBaseline:
    """What it is worth to answer every text the same.

    Attributes
    ----------
    labels : tuple of str
        The commonest set of labels.
    exact_match : float
        The share of texts that have exactly these.
    label : str or None
        The commonest label; None if no text has one.
    micro_f1 : float
        Micro-F1 of giving every text that label only.
    words_micro_f1 : float or None
        Micro-F1 of logistic regression on TF-IDF alone, trained on the same training texts; None if these are unknown,
        or the classifier itself uses words only.
    """

    labels: LabelSet
    exact_match: float
    label: str | None
    micro_f1: float
    words_micro_f1: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the baseline as plain types for JSON."""
        return {
            "labels": list(self.labels),
            "exact_match": self.exact_match,
            "label": self.label,
            "micro_f1": self.micro_f1,
            "words_micro_f1": self.words_micro_f1,
        }


@dataclass(frozen=True, slots=True)
class MultiLabelReport(WithPage):
    """The evaluation of a classifier on texts that may have several labels each.

    Attributes
    ----------
    micro_f1 : float
        F1 of all labels of all texts together.
    macro_f1 : float
        Mean F1 of the labels that occur, given or predicted.
    exact_match : float
        The share of texts with exactly the predicted labels.
    label_ranking_average_precision : float
        How well the labels of a text rank before others by probability, independently of thresholds.
    micro_f1_interval, macro_f1_interval, exact_match_interval, label_ranking_average_precision_interval : Interval
        95 %, by the bootstrap over the distinct texts.
    micro_precision, micro_recall : float
        The share of the predicted labels that are right, and of the texts' labels that are predicted.
    ece : float
        Expected calibration error of the probabilities of all labels of all texts.
    n_examples : int
    labels_per_text, predicted_labels_per_text : float
        How many labels a text has, and how many it is given, on average.
    per_label : dict of str to LabelFigures
        For each label that occurs, given or predicted, in sorted order.
    unknown_labels : dict of str to int
        Labels that the classifier does not know, which count as missed, and how many texts have them.
    confusions : tuple of MissedAndGiven
        The ten most frequent ones: a label that was missed, and another that was given wrongly in the same text.
    missed_together, wrongly_given_together : tuple of LabelPair
        The ten most frequent ones: two labels that were both missed, or both given wrongly, in the same text.
    reliability : tuple of ReliabilityBin
        Of the probabilities of all labels of all texts.
    wrong : tuple of WrongLabels
        The surest mistakes first, since these are the most likely label errors.
    baseline : MultiLabelBaseline
    answers : AnswerFigures or None
        How good the labels given are beside those that the usual thresholds give; None if they are the same.
    hierarchy : LevelsOfLabels or None
        The figures of labels in a tree; None if they are not, or were cross-validated.
    """

    micro_f1: float
    micro_f1_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    exact_match: float
    exact_match_interval: Interval
    label_ranking_average_precision: float
    label_ranking_average_precision_interval: Interval
    micro_precision: float
    micro_recall: float
    ece: float
    n_examples: int
    labels_per_text: float
    predicted_labels_per_text: float
    per_label: dict[str, LabelFigures]
    unknown_labels: dict[str, int]
    confusions: tuple[MissedAndGiven, ...]
    missed_together: tuple[LabelPair, ...]
    wrongly_given_together: tuple[LabelPair, ...]
    reliability: tuple[ReliabilityBin, ...]
    wrong: tuple[WrongLabels, ...]
    baseline: MultiLabelBaseline
    answers: AnswerFigures | None = None
    hierarchy: LevelsOfLabels | None = None

    def __repr__(self) -> str:
        micro = f"micro-F1 {self.micro_f1:.3f} ({shown_interval(self.micro_f1_interval)})"
        return f"<MultiLabelReport: {counted(self.n_examples, 'row')}, {micro}, macro-F1 {self.macro_f1:.3f}>"

    @property
    def weakest_first(self) -> list[str]:
        """The labels that occur, that with the lowest F1 first."""
        return sorted(self.per_label, key=lambda name: (self.per_label[name].f1, name))

    def at_rows(self, rows: Sequence[int]) -> "MultiLabelReport":
        """Return the report with the rows of a subset of texts replaced by their indices in the full set."""
        return replace(self, wrong=tuple(one._replace(row=rows[one.row]) for one in self.wrong))

    def to_frame(self) -> Any:
        """Return the figures of each label as a data frame of pandas, or of Polars if only that is installed."""
        rows = [{"label": label, **_ends_apart(figures)} for label, figures in self.per_label.items()]
        return data_frame(rows, ("label", *_FRAME_COLUMNS))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain types for JSON."""
        figures: dict[str, Any] = {}
        for name in ("micro_f1", "macro_f1", "exact_match", "label_ranking_average_precision"):
            figures |= {name: getattr(self, name), f"{name}_interval": list(getattr(self, f"{name}_interval"))}
        if self.hierarchy is not None:
            figures["hierarchy"] = self.hierarchy.to_dict()
        return figures | {
            "micro_precision": self.micro_precision,
            "micro_recall": self.micro_recall,
            "baseline": self.baseline.to_dict(),
            "ece": self.ece,
            "n_examples": self.n_examples,
            "labels_per_text": self.labels_per_text,
            "predicted_labels_per_text": self.predicted_labels_per_text,
            "per_label": {name: one.to_dict() for name, one in self.per_label.items()},
            "unknown_labels": dict(self.unknown_labels),
            "confusions": [one._asdict() for one in self.confusions],
            "missed_together": [_pair_as_dict(one) for one in self.missed_together],
            "wrongly_given_together": [_pair_as_dict(one) for one in self.wrongly_given_together],
            "reliability": [one._asdict() for one in self.reliability],
            "wrong": [_wrong_as_dict(one) for one in self.wrong],
            **({} if self.answers is None else {"answers": self.answers.to_dict()}),
        }


_FRAME_COLUMNS = (
    *("precision", "precision_low", "precision_high", "recall", "recall_low", "recall_high"),
    *("f1", "support", "n_predicted", "threshold"),
)


def _ends_apart(figures: LabelFigures) -> dict[str, Any]:
    """Return figures with each interval as two of them."""
    values = figures._asdict()
    for name in ("precision", "recall"):
        values[f"{name}_low"], values[f"{name}_high"] = values.pop(f"{name}_interval") or (None, None)
    return {name: values[name] for name in _FRAME_COLUMNS}


def _pair_as_dict(pair: LabelPair) -> dict[str, Any]:
    return {"labels": list(pair.labels), "n_texts": pair.n_texts}


def _wrong_as_dict(one: WrongLabels) -> dict[str, Any]:
    lists = {name: list(getattr(one, name)) for name in ("labels", "predicted", "missing", "extra")}
    return {**one._asdict(), **lists, "neighbours": [neighbour._asdict() for neighbour in one.neighbours]}
