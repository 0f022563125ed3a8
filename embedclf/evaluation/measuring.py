"""Evaluation of a classifier on labelled texts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, overload

import numpy as np

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.classifier.answer_figures import measure_answers
from embedclf.classifier.costs import CostsLike
from embedclf.classifier.decisions import NOTHING, AnyDecision, Decision
from embedclf.classifier.explanation import weighs_words
from embedclf.classifier.hierarchy import Steps, as_written, changes
from embedclf.classifier.label_sets import label_sets
from embedclf.classifier.multilabel import MultiLabelClassifier
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.label_sets import AnyLabels, LabelSet, labels_in
from embedclf.data_frames import DataFrame, columns_of, is_data_frame
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError
from embedclf.evaluation.baseline import Baseline, accuracy_of_words
from embedclf.evaluation.levels import Levels
from embedclf.evaluation.multilabel_measuring import evaluate_labels
from embedclf.evaluation.multilabel_report import MultiLabelReport
from embedclf.evaluation.neighbourhood import columns_as_trained, neighbours_of, texts_for, train_set_of
from embedclf.evaluation.report import Answered, OutOfScope, Report, SetFigures, WrongRow
from embedclf.evaluation.words import with_words
from embedclf.phases import phase
from embedclf.stats import intervals, metrics
from embedclf.validation import group_duplicates, spelt_as

_THRESHOLDS = tuple(step / 100 for step in range(100))

TrainSet: TypeAlias = EmbeddedTexts | DataFrame | tuple[Iterable[str], AnyLabels]
"""The examples that a classifier was trained on."""


@overload
def evaluate(  # type: ignore[overload-overlap]
    classifier: MultiLabelClassifier,
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    vectors: Vectors | None = None,
    train_set: TrainSet | None = None,
    coverage: float | None = None,
    costs: CostsLike | None = None,
) -> MultiLabelReport: ...


@overload
def evaluate(
    classifier: TextClassifier,
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    vectors: Vectors | None = None,
    train_set: TrainSet | None = None,
    coverage: float | None = None,
    costs: CostsLike | None = None,
) -> Report: ...


def evaluate(
    classifier: TextClassifier,
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    vectors: Vectors | None = None,
    train_set: TrainSet | None = None,
    coverage: float | None = None,
    costs: CostsLike | None = None,
) -> Report | MultiLabelReport:
    """Evaluate a classifier on labelled texts.

    Texts with the classifier's out-of-scope label are measured separately, since it should abstain on them.

    Parameters
    ----------
    classifier : TextClassifier or MultiLabelClassifier
    texts : iterable of str, DataFrame or EmbeddedTexts
        A data frame brings its labels; `EmbeddedTexts` bring labels and vectors. Do not pass these arguments then.
    labels : iterable of str or int, or of lists of these
        One per text, or a list per text if the classifier gives several labels; see `embedclf.train`.
    text, label : str or sequence of str, optional
        The columns of a data frame; None means those of training, or "text" and "label". Several columns of texts are
        joined by line breaks; several columns of labels hold 0 and 1, and are found if they are named after the labels
        of a classifier that gives several.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        The texts' vectors from the classifier's embedder, if known; None embeds the texts.
    train_set : EmbeddedTexts, (texts, labels) or DataFrame, optional
        The examples that the classifier was trained on, to list the three nearest ones of each wrong row, and to
        measure what words alone would reach.
    coverage : float, optional
        Also measure the label sets of this coverage; see `TextClassifier.predict_sets`.
    costs : mapping of (label, answer) to float, or Costs, optional
        Evaluate the answers of least expected cost, and what they cost; see `embedclf.train`. None uses the
        classifier's own, if there are any.

    Returns
    -------
    Report or MultiLabelReport
        The latter for a classifier that gives several labels to a text.

    Raises
    ------
    ArgumentError
        If there are no texts, not one label or vector per text, or the classifier knows none of the labels; or if the
        texts have lists of labels, but the classifier gives one label to each, or the reverse; or as for
        `TextClassifier.predict_sets`.
    TextError
        If a text is empty, not valid Unicode, or rejected by the embedder.
    EmbedderError
        If the embedder fails, or the vectors are from another embedder or not of the length that the classifier was
        trained on.
    """
    examples: Any = train_set
    if is_data_frame(train_set):
        own_text, own_label = columns_as_trained(classifier, train_set, text, label)
        examples = columns_of(train_set, own_text, own_label or "label")
    given = texts_for(classifier, texts, labels, text=text, label=label, vectors=vectors)
    if not given.texts:
        raise ArgumentError("nothing to evaluate: there are 0 texts and 0 labels")
    check_labels(classifier, given.given_labels)
    set_threshold = None if coverage is None else classifier.card.set_threshold(coverage)
    if costs is not None:
        classifier = classifier.with_costs(costs)
    if isinstance(classifier, MultiLabelClassifier):
        return evaluate_labels(classifier, given, None if train_set is None else train_set_of(classifier, examples))
    texts, labels, separator = given.texts, given.known_labels, classifier.card.hierarchy
    labels = labels if separator is None else as_written(labels, separator)
    labels = spelt_as(labels, {*classifier.classes, classifier.card.out_of_scope_label or ""})
    if classifier.model.uses_vectors or train_set is not None:
        vectors = given.vectors
    else:
        vectors = np.empty((len(texts), 0), dtype=np.float32)
    with phase("Predicting"):
        probabilities = classifier.probabilities(vectors, texts)
    foreign = classifier.card.out_of_scope_label
    inside = np.array([label != foreign for label in labels])
    intervals.warn_of_few(group_duplicates([texts[row] for row in np.flatnonzero(inside)]), "to evaluate on")
    decision = classifier.decision
    report = report_on(texts, labels, classifier.classes, probabilities, inside=inside, decision=decision)
    if isinstance(decision, Decision):
        card = classifier.card
        answers = measure_answers(
            decision,
            labels,
            probabilities,
            given.groups,
            outside=foreign,
            costs=card.costs,
            targets=card.targets,
        )
        report = replace(report, answers=answers)
    if coverage is not None and set_threshold is not None:
        rows = np.flatnonzero(inside).tolist()
        own = label_sets(probabilities[rows], set_threshold).labels(classifier.classes)
        figures = _set_figures(coverage, own, [texts[row] for row in rows], [labels[row] for row in rows])
        report = replace(report, label_sets=figures)
    if weighs_words(classifier.model, classifier.embedder):
        with phase("Weighing words"):
            report = with_words(report, classifier, texts, vectors)
    if train_set is None:
        return report
    trained_on = train_set_of(classifier, examples)
    near = neighbours_of(vectors[[one.row for one in report.wrong]], trained_on)
    wrong = (one._replace(neighbours=of_one) for one, of_one in zip(report.wrong, near, strict=True))
    report = replace(report, wrong=tuple(wrong))
    if classifier.model.uses_vectors and report.baseline is not None:
        rows, known = np.flatnonzero(inside).tolist(), trained_on.known_labels
        known = known if separator is None else as_written(known, separator)
        theirs = [row for row, label in enumerate(known) if label != foreign]
        if theirs:
            words = accuracy_of_words(
                [texts[row] for row in rows],
                [labels[row] for row in rows],
                [trained_on.texts[row] for row in theirs],
                [known[row] for row in theirs],
            )
            report = replace(report, baseline=replace(report.baseline, words_accuracy=words))
    return report


def report_on(
    texts: Sequence[str],
    labels: Sequence[str],
    classes: Sequence[str],
    probabilities: Vectors,
    *,
    inside: Mask | None = None,
    threshold: float | None = None,
    decision: AnyDecision | None = None,
) -> Report:
    """Measure the probabilities that a classifier, or several by cross-validation, gave to labelled texts.

    Parameters
    ----------
    texts, labels : sequences of str, of length n
    classes : sequence of str, of length n_classes
    probabilities : ndarray of shape (n, n_classes)
    inside : ndarray of shape (n,), bool, optional
        Which texts are in scope, at least one of them; None means all.
    threshold : float, optional
        The confidence below which the classifier abstains.
    decision : Decision, optional
        How the probabilities become answers; None chooses the most likely label, if it reaches the threshold.
    """
    rows = np.arange(len(texts)) if inside is None else np.flatnonzero(inside)
    mine = [labels[row] for row in rows.tolist()]
    groups = group_duplicates([texts[row] for row in rows.tolist()])
    unknown = sorted(set(mine) - set(classes))
    names = sorted({*classes, *unknown})
    numbers = {name: number for number, name in enumerate(names)}
    y_true = np.array([numbers[label] for label in mine], dtype=np.intp)
    columns = np.array([numbers[name] for name in classes], dtype=np.intp)
    column_of = {name: column for column, name in enumerate(classes)}

    decision = decision if isinstance(decision, Decision) else Decision(tuple(classes), threshold)
    threshold, tree = decision.threshold, decision.tree
    own, of_all = decision.choose(probabilities)
    chosen = decision.decide(probabilities).chosen
    best = columns[own]
    of_texts, probabilities, confidence, y_pred = probabilities, probabilities[rows], of_all[rows], best[rows]
    correct = y_true == y_pred
    known = np.array([label in column_of for label in mine])
    true_columns = np.array([column_of[label] for label in mine if label in column_of], dtype=np.intp)
    per_class = metrics.per_class(y_true, y_pred, names)
    matrix = np.zeros((len(names), len(names)), dtype=np.intp)
    np.add.at(matrix, (y_true, y_pred), 1)
    mistaken = np.zeros(len(texts), dtype=bool)
    mistaken[rows] = ~correct
    if inside is not None and decision.abstains:
        mistaken |= ~inside & (chosen != NOTHING)
    wrong = np.flatnonzero(mistaken)
    wrong = wrong[np.argsort(-of_all[wrong], kind="stable")]
    thresholds = sorted({*_THRESHOLDS, *([] if threshold is None else [threshold])})
    right, decisive, coverage, of_tree = correct, of_all, metrics.coverage(correct, confidence, thresholds), None
    if tree is not None:
        covers = tree.covers(names)
        right = covers[chosen[rows], y_true]
        decisive = np.maximum(of_all, tree.parent_sums(of_texts).max(axis=1))  # a text is answered if any label is
        coverage = _coverage_in(tree.steps(probabilities, own[rows], confidence), covers, y_true, thresholds)
        of_tree = Levels.of(
            tree, names, y_true, y_pred, chosen[rows] if threshold or decision.abstains_apart else None, right, groups
        )
    answered = chosen != NOTHING
    return Report(
        accuracy=metrics.accuracy(y_true, y_pred),
        accuracy_interval=intervals.interval_of_mean(correct, groups),
        macro_f1=metrics.macro_f1(per_class),
        macro_f1_interval=intervals.interval_of_macro_f1(y_true, y_pred, groups),
        weighted_f1=metrics.weighted_f1(per_class),
        log_loss=metrics.log_loss(true_columns, probabilities[known]),
        ece=metrics.expected_calibration_error(correct, confidence),
        n_examples=len(rows),
        per_class=per_class,
        unknown_labels={name: mine.count(name) for name in unknown},
        classes=tuple(names),
        confusion_matrix=tuple(tuple(row) for row in matrix.tolist()),
        reliability=metrics.reliability(correct, confidence),
        coverage=coverage,
        threshold=threshold,
        wrong=tuple(
            WrongRow(row, texts[row], labels[row], names[best[row]], float(of_all[row]), ()) for row in wrong.tolist()
        ),
        out_of_scope=None
        if inside is None
        else _out_of_scope(inside, right, decisive, answered, groups, abstains=decision.abstains),
        baseline=Baseline.of(mine),
        answered=_answered(right, answered[rows], groups) if threshold or decision.abstains_apart else None,
        hierarchy=of_tree,
    )


def _coverage_in(
    steps: Steps, covers: Mask, y_true: Ints, thresholds: Sequence[float]
) -> tuple[metrics.CoveragePoint, ...]:
    gained = changes(steps, covers[steps.nodes, y_true[steps.rows]])
    return metrics.coverage_of_steps(gained, steps.begins, steps.confidence, thresholds)


def _answered(correct: Mask, answered: Mask, groups: Ints) -> Answered:
    coverage, of_coverage = float(answered.mean()), intervals.interval_of_mean(answered, groups)
    if not answered.any():
        return Answered(coverage, of_coverage, None, None)
    right = correct[answered]
    return Answered(coverage, of_coverage, float(right.mean()), intervals.interval_of_mean(right, groups[answered]))


def _set_figures(
    coverage: float, sets: Sequence[Sequence[tuple[str, float]]], texts: Sequence[str], labels: Sequence[str]
) -> SetFigures:
    held = np.array([label in dict(own) for own, label in zip(sets, labels, strict=True)])
    sizes = np.array([len(own) for own in sets])
    interval = intervals.interval_of_mean(held, group_duplicates(texts))
    single, empty = (float((sizes == size).mean()) for size in (1, 0))
    return SetFigures(coverage, float(held.mean()), interval, float(sizes.mean()), single, empty)


def _out_of_scope(
    inside: Mask,
    correct: Mask,
    confidence: Floats,
    answered: Mask,
    groups: Ints,
    *,
    abstains: bool,
) -> OutOfScope | None:
    if inside.all():
        return None
    rejected = ~answered
    n_rejected, n_rightly, n = int(rejected.sum()), int(rejected[~inside].sum()), int((~inside).sum())
    answered_correctly = correct & ~rejected[inside]
    of_all = np.zeros(len(inside), dtype=bool)
    of_all[inside] = correct
    return OutOfScope(
        n_examples=n,
        n_answered=None if not abstains else n - n_rightly,
        recall=None if not abstains else n_rightly / n,
        precision=None if not abstains or not n_rejected else n_rightly / n_rejected,
        f1=None if not abstains else 2 * n_rightly / (n_rejected + n),
        auroc=metrics.auroc(inside, confidence),
        in_scope_accuracy=float(answered_correctly.mean()),
        in_scope_accuracy_interval=intervals.interval_of_mean(answered_correctly, groups),
        ece=metrics.expected_calibration_error(of_all, confidence),
    )


def check_labels(classifier: TextClassifier, labels: Sequence[str] | Sequence[LabelSet]) -> None:
    """Check that the classifier can be measured on these labels: one per text, or several.

    Raises
    ------
    ArgumentError
        If it gives one label to a text and these have several, or the reverse; or if it knows none of the labels, or
        all are the out-of-scope label.
    """
    are_several, gives_several = any(not isinstance(one, str) for one in labels), classifier.model.is_multilabel
    if are_several and not gives_several:
        raise ArgumentError("the model gives one label to a text, but these texts have several each")
    if gives_several and not are_several:
        raise ArgumentError("the model gives several labels to a text: each text needs a list of labels, not one label")
    card = classifier.card
    given, foreign = labels_in(labels), card.out_of_scope_label
    if card.hierarchy is not None:
        given = set(as_written(sorted(given), card.hierarchy))
    given = set(spelt_as(sorted(given), {*classifier.classes, foreign or ""}))
    if are_several and given <= {foreign}:
        return
    if given == {foreign}:
        raise ArgumentError(
            f"all rows have the out-of-scope label {foreign!r}: add in-scope rows to measure accuracy on"
        )
    if given.isdisjoint(classifier.classes):
        raise ArgumentError(
            f"the model knows none of the labels ({_some(sorted(given))}); it knows {_some(classifier.classes)}. "
            "Is it the right model?"
        )


def _some(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(map(repr, shown[:5])) + (f" and {len(shown) - 5:,} more" if len(shown) > 5 else "")
