"""The results of a cross-validation on texts that may have several labels each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.classifier.answer_figures import compare_labels
from embedclf.classifier.model_card import Head
from embedclf.data.label_sets import LabelSet
from embedclf.evaluation.cross_validated import CrossValidated
from embedclf.evaluation.multilabel_measuring import report_on_labels
from embedclf.evaluation.multilabel_report import MultiLabelReport
from embedclf.formatting import counted, shown_interval
from embedclf.stats import intervals, metrics, multilabel
from embedclf.stats.intervals import Interval
from embedclf.training.folds import OutOfFold
from embedclf.training.training_set import TrainingSet


class LabelFoldFigures(NamedTuple):
    """The metrics of one fold.

    Attributes
    ----------
    repeat, fold : int
        From 1.
    n_examples : int
    micro_f1, macro_f1, exact_match : float
    """

    repeat: int
    fold: int
    n_examples: int
    micro_f1: float
    macro_f1: float
    exact_match: float


class PredictedLabels(NamedTuple):
    """An out-of-fold prediction.

    Attributes
    ----------
    row : int
        Index of the example.
    repeat, fold : int
        From 1.
    labels : tuple of str
        Most likely first.
    confidences : tuple of float
        The probability of each.
    """

    row: int
    repeat: int
    fold: int
    labels: tuple[str, ...]
    confidences: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MultiLabelCrossValidation(CrossValidated[LabelFoldFigures, PredictedLabels, MultiLabelReport]):
    """The results of a cross-validation of texts with several labels; see `CrossValidation`.

    Which labels a text is given depends on the thresholds that were chosen without its fold.

    Attributes
    ----------
    n_folds, n_repeats : int
    n_examples : int
        Number of examples predicted out of fold.
    n_always_fitted : int
        Number of the other examples: each is the only text of its label, so every classifier is fitted on it.
    head : {"logistic", "centroid"}
    micro_f1, macro_f1, exact_match, ece : float
        Over all folds; means of the repeats. See `MultiLabelReport`.
    micro_f1_interval, macro_f1_interval, exact_match_interval : Interval
        95 %.
    folds : tuple of LabelFoldFigures
    word_scales : tuple of float
        The length of the word vectors chosen in each fold, beside the embedder's of length 1; 0 is without words.
    predictions : tuple of PredictedLabels
        In the order of the repeats, then of the examples.
    report : MultiLabelReport
        The full report on the predictions of the first repeat; its rows are indices of the examples.
    classes : tuple of str
        The labels, in the order of the columns of `probabilities`.
    probabilities_by_repeat : ndarray of shape (n_repeats, n_texts, n_classes), float32
        The probabilities of each repeat; see `probabilities`.
    predicted_by_repeat : ndarray of shape (n_repeats, n_texts, n_classes), bool
        Which labels each text is given in each repeat.
    """

    _MEASURED = (
        *("micro_f1", "micro_f1_interval", "macro_f1", "macro_f1_interval", "exact_match", "exact_match_interval"),
    )

    micro_f1: float
    micro_f1_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    exact_match: float
    exact_match_interval: Interval
    predicted_by_repeat: Mask = field(compare=False)

    def __repr__(self) -> str:
        micro = f"micro-F1 {self.micro_f1:.3f} ({shown_interval(self.micro_f1_interval)})"
        return f"<MultiLabelCrossValidation: {counted(self.n_examples, 'row')}, {self.n_folds} folds, {micro}>"


def summarize_labels(
    texts: Sequence[str],
    labels: Sequence[LabelSet],
    examples: TrainingSet,
    repeats: Sequence[OutOfFold],
    head: Head,
    n_folds: int,
) -> MultiLabelCrossValidation:
    """Measure the out-of-fold predictions of each repeat."""
    classes, given = examples.classes, examples.given
    predicted = np.stack([one.given for one in repeats if one.given is not None])
    if given is None:
        raise ValueError("these examples have one label each")
    judged = np.stack([one.folds >= 0 for one in repeats])
    each = [_Figures.of(given, one, own, rows) for one, own, rows in zip(repeats, predicted, judged, strict=True)]
    first, kept = np.flatnonzero(judged[0]), np.flatnonzero(judged.any(axis=0))
    above, below = zip(
        *(_parts(given, own, rows, kept) for own, rows in zip(predicted, judged, strict=True)), strict=True
    )
    groups = examples.groups[kept]
    exact = np.mean([(given == own).all(axis=1)[kept] for own in predicted], axis=0)
    report = report_on_labels(
        [texts[row] for row in first.tolist()],
        [labels[row] for row in first.tolist()],
        classes,
        repeats[0].probabilities[first],
        predicted[0][first],
    )
    if (usual := repeats[0].usual) is not None:
        answers = compare_labels(classes, given[first], predicted[0][first], usual[first], examples.groups[first])
        report = replace(report, answers=answers)
    return MultiLabelCrossValidation(
        n_folds=n_folds,
        n_repeats=len(repeats),
        n_examples=len(first),
        n_always_fitted=len(texts) - len(first),
        head=head,
        micro_f1=float(np.mean([one.micro_f1 for one in each])),
        micro_f1_interval=intervals.interval_of_ratios(
            np.column_stack([part.sum(axis=1) for part in above]),
            np.column_stack([part.sum(axis=1) for part in below]),
            groups,
        ),
        macro_f1=float(np.mean([one.macro_f1 for one in each])),
        macro_f1_interval=intervals.interval_of_macro_ratio(np.hstack(above), np.hstack(below), groups),
        exact_match=float(np.mean([one.exact_match for one in each])),
        exact_match_interval=intervals.interval_of_mean(exact, groups),
        ece=float(np.mean([one.ece for one in each])),
        folds=tuple(
            LabelFoldFigures(repeat, fold + 1, len(rows), of_fold.micro_f1, of_fold.macro_f1, of_fold.exact_match)
            for repeat, (one, own) in enumerate(zip(repeats, predicted, strict=True), 1)
            for fold in np.unique(one.folds[one.folds >= 0]).tolist()
            for rows in [np.flatnonzero(one.folds == fold)]
            for of_fold in [_Figures.of(given, one, own, rows)]
        ),
        word_scales=tuple(scale for one in repeats for scale in one.word_scales),
        predictions=tuple(
            prediction
            for repeat, (one, own) in enumerate(zip(repeats, predicted, strict=True), 1)
            for prediction in _predictions(one, own, classes, repeat)
        ),
        report=report.at_rows(first.tolist()),
        classes=classes,
        probabilities_by_repeat=np.stack([one.probabilities for one in repeats]),
        predicted_by_repeat=predicted,
    )


class _Figures(NamedTuple):
    """Metrics of out-of-fold predictions."""

    micro_f1: float
    macro_f1: float
    exact_match: float
    ece: float

    @classmethod
    def of(cls, given: Mask, one: OutOfFold, predicted: Mask, rows: Mask | Ints) -> "_Figures":
        """Measure the predictions of some rows."""
        given, predicted, probabilities = given[rows], predicted[rows], one.probabilities[rows]
        return cls(
            micro_f1=multilabel.micro_f1(given, predicted),
            macro_f1=multilabel.macro_f1(given, predicted),
            exact_match=multilabel.exact_match(given, predicted),
            ece=metrics.expected_calibration_error(given.ravel(), probabilities.ravel()),
        )


def _parts(given: Mask, predicted: Mask, judged: Mask, kept: Ints) -> tuple[Ints, Ints]:
    """Return what F1 is made of, for the rows that are kept; nothing of those that this repeat does not predict."""
    above, below = multilabel.f1_parts(given[kept], predicted[kept])
    return above * judged[kept, None], below * judged[kept, None]


def _predictions(one: OutOfFold, predicted: Mask, classes: Sequence[str], repeat: int) -> Iterator[PredictedLabels]:
    for row in np.flatnonzero(one.folds >= 0).tolist():
        probabilities = one.probabilities[row]
        order = np.argsort(-probabilities, kind="stable")
        own = order[predicted[row, order]].tolist()
        labels, confidences = tuple(classes[label] for label in own), tuple(probabilities[own].tolist())
        yield PredictedLabels(row, repeat, int(one.folds[row]) + 1, labels, confidences)
