"""Evaluation on texts that may have several labels each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.classifier.answer_figures import measure_label_answers
from embedclf.classifier.decisions import MultiLabelDecision
from embedclf.classifier.hierarchy import as_written
from embedclf.classifier.multilabel import MultiLabelClassifier
from embedclf.data.label_sets import LabelSet, indicators, without_outside
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.evaluation.baseline import micro_f1_of_words
from embedclf.evaluation.multilabel_levels import LevelsOfLabels
from embedclf.evaluation.multilabel_report import (
    LabelFigures,
    LabelPair,
    MissedAndGiven,
    MultiLabelBaseline,
    MultiLabelReport,
    WrongLabels,
)
from embedclf.evaluation.neighbourhood import neighbours_of
from embedclf.phases import phase
from embedclf.stats import intervals, metrics, multilabel
from embedclf.stats.intervals import Interval
from embedclf.validation import group_duplicates

_N_PAIRS = 10


def evaluate_labels(
    classifier: MultiLabelClassifier, examples: EmbeddedTexts, train_set: EmbeddedTexts | None
) -> MultiLabelReport:
    """Evaluate a classifier that gives several labels to a text; see `embedclf.evaluate`.

    In a tree, only classes count, except in the figures of its levels: a text that is given a label above one of its
    own misses this one, and no label that it is given is wrong.
    """
    texts, card = examples.texts, classifier.card

    def as_known(sets: list[LabelSet]) -> list[LabelSet]:
        """Return labels as the classifier has them."""
        inside = without_outside(sets, card.out_of_scope_label)
        return inside if card.hierarchy is None else as_written(inside, card.hierarchy)

    labels = as_known(examples.known_label_sets)
    if classifier.model.uses_vectors or train_set is not None:
        vectors = examples.vectors
    else:
        vectors = np.empty((len(texts), 0), dtype=np.float32)
    with phase("Predicting"):
        probabilities = classifier.probabilities(vectors, texts)
    intervals.warn_of_few(examples.groups, "to evaluate on")
    decision = classifier.decision
    if not isinstance(decision, MultiLabelDecision):
        raise TypeError("the decisions of this classifier are about one label")
    report = report_on_labels(
        texts, labels, classifier.classes, probabilities, decision.given(probabilities), thresholds=decision.thresholds
    )
    given = indicators(labels, [*classifier.classes, *report.unknown_labels])
    answers = measure_label_answers(decision, given, probabilities, examples.groups, card.targets)
    report = replace(report, answers=answers)
    if decision.tree is not None:
        given = decision.choose(probabilities)[0]
        report = replace(report, hierarchy=LevelsOfLabels.of(decision.tree, labels, given, examples.groups))
    if train_set is None:
        return report
    near = neighbours_of(vectors[[one.row for one in report.wrong]], train_set)
    wrong = (one._replace(neighbours=of_one) for one, of_one in zip(report.wrong, near, strict=True))
    report = replace(report, wrong=tuple(wrong))
    if not classifier.model.uses_vectors:
        return report
    words = micro_f1_of_words(texts, labels, train_set.texts, as_known(train_set.known_label_sets))
    return replace(report, baseline=replace(report.baseline, words_micro_f1=words))


def report_on_labels(
    texts: Sequence[str],
    labels: Sequence[LabelSet],
    classes: Sequence[str],
    probabilities: Vectors,
    predicted: Mask,
    *,
    thresholds: Floats | None = None,
) -> MultiLabelReport:
    """Measure which labels a classifier, or several by cross-validation, gave to texts.

    Parameters
    ----------
    texts : sequence of str, of length n
    labels : sequence of tuple of str, of length n
        Those that the texts have.
    classes : sequence of str, of length n_classes
    probabilities : ndarray of shape (n, n_classes)
    predicted : ndarray of shape (n, n_classes), bool
        Which labels each text is given.
    thresholds : ndarray of shape (n_classes,), optional
        The probability from which on each label is given; None if it was not the same for all texts.
    """
    groups = group_duplicates(texts)
    counts = Counter(label for one in labels for label in one)
    unknown = sorted(counts.keys() - set(classes))
    # Labels that the classifier does not know come last: they have no probability, and are never given.
    names = [*classes, *unknown]
    given, known = indicators(labels, names), np.arange(len(names)) < len(classes)
    none = np.zeros((len(texts), len(unknown)))
    predicted, sure = np.hstack([predicted, none > 0]), np.hstack([probabilities, none])
    above, below = multilabel.f1_parts(given, predicted)
    exact = (given == predicted).all(axis=1)
    # A label without a probability ranks after all others.
    ranked = multilabel.label_ranking_average_precision(given, np.where(known, sure, -1))
    per_label = _per_label(given, predicted, names, groups, thresholds)
    right = int((given & predicted).sum())
    has_label, on_average = given[:, known].ravel(), probabilities.ravel()
    missing, extra = given & ~predicted, predicted & ~given
    return MultiLabelReport(
        micro_f1=multilabel.micro_f1(given, predicted),
        micro_f1_interval=intervals.interval_of_ratios(
            above.sum(axis=1, keepdims=True), below.sum(axis=1, keepdims=True), groups
        ),
        macro_f1=multilabel.macro_f1(given, predicted),
        macro_f1_interval=intervals.interval_of_macro_ratio(above, below, groups),
        exact_match=float(exact.mean()),
        exact_match_interval=intervals.interval_of_mean(exact, groups),
        label_ranking_average_precision=float(ranked.mean()),
        label_ranking_average_precision_interval=intervals.interval_of_mean(ranked, groups),
        micro_precision=right / max(1, int(predicted.sum())),
        micro_recall=right / max(1, int(given.sum())),
        ece=metrics.expected_calibration_error(has_label, on_average),
        n_examples=len(texts),
        labels_per_text=float(given.sum(axis=1).mean()),
        predicted_labels_per_text=float(predicted.sum(axis=1).mean()),
        per_label=per_label,
        unknown_labels={name: counts[name] for name in unknown},
        confusions=tuple(
            MissedAndGiven(names[missed], names[other], n)
            for missed, other, n in multilabel.frequent_pairs(missing, extra, _N_PAIRS)
        ),
        missed_together=_pairs(missing, names),
        wrongly_given_together=_pairs(extra, names),
        reliability=metrics.reliability(has_label, on_average),
        wrong=_wrong(texts, labels, names, predicted, missing, extra, np.where(known, sure, np.nan)),
        baseline=_baseline(labels, counts),
    )


def _per_label(
    given: Mask, predicted: Mask, names: Sequence[str], groups: Ints, thresholds: Floats | None
) -> dict[str, LabelFigures]:
    columns = {name: column for column, name in enumerate(names)}
    figures = {}
    for name, one in sorted(multilabel.per_label(given, predicted, names).items()):
        column = columns[name]
        has, gets = given[:, column], predicted[:, column]
        figures[name] = LabelFigures(
            precision=one.precision,
            precision_interval=_of_rows(has, gets, groups),
            recall=one.recall,
            recall_interval=_of_rows(gets, has, groups),
            f1=one.f1,
            support=one.support,
            n_predicted=int(gets.sum()),
            threshold=None if thresholds is None or column >= len(thresholds) else float(thresholds[column]),
        )
    return figures


def _of_rows(values: Mask, rows: Mask, groups: Ints) -> Interval | None:
    """Return the interval of a share among some rows."""
    return intervals.interval_of_mean(values[rows], groups[rows]) if rows.any() else None


def _pairs(mistakes: Mask, names: Sequence[str]) -> tuple[LabelPair, ...]:
    found = multilabel.frequent_pairs(mistakes, None, _N_PAIRS)
    return tuple(
        LabelPair((min(pair), max(pair)), n) for *numbers, n in found for pair in [[names[one] for one in numbers]]
    )


def _wrong(
    texts: Sequence[str],
    labels: Sequence[LabelSet],
    names: Sequence[str],
    predicted: Mask,
    missing: Mask,
    extra: Mask,
    sure: Floats,
) -> tuple[WrongLabels, ...]:
    """Return the texts with wrong labels, the surest mistakes first; `sure` is NaN where there is no probability."""
    # That a label is missing which the classifier does not know is no mistake that it is sure of.
    mistaken = np.nan_to_num(np.where(extra, sure, np.where(missing, 1 - sure, -1)).astype(np.float64))
    rows = np.flatnonzero((missing | extra).any(axis=1))
    confidence = np.maximum(mistaken.max(axis=1), 0)
    found, sure = [], np.nan_to_num(sure, nan=-1)
    for row in rows[np.argsort(-confidence[rows], kind="stable")].tolist():
        by_mistake = np.argsort(-mistaken[row], kind="stable")
        by_probability = np.argsort(-sure[row], kind="stable")
        found.append(
            WrongLabels(
                row=row,
                text=texts[row],
                labels=labels[row],
                predicted=tuple(names[one] for one in by_probability if predicted[row, one]),
                missing=tuple(names[one] for one in by_mistake if missing[row, one]),
                extra=tuple(names[one] for one in by_mistake if extra[row, one]),
                confidence=float(confidence[row]),
            )
        )
    return tuple(found)


def _baseline(labels: Sequence[LabelSet], counts: Counter[str]) -> MultiLabelBaseline:
    sets = Counter(labels)
    commonest = min(sets, key=lambda one: (-sets[one], one))
    label = min(counts, key=lambda one: (-counts[one], one), default=None)
    micro_f1 = 0.0 if label is None else 2 * counts[label] / (len(labels) + counts.total())
    return MultiLabelBaseline(commonest, sets[commonest] / len(labels), label, micro_f1)
