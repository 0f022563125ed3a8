"""Cross-validation of the classifier that would be trained on some examples."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias, overload

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.answer_figures import measure_answers
from embedclf.classifier.decisions import Decision
from embedclf.classifier.hierarchy import hierarchy_of
from embedclf.classifier.model_card import Head
from embedclf.data.label_sets import AnyLabels, Labels, label_sets_of
from embedclf.data_frames import DataFrame
from embedclf.embedding.base import EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError, TrainingError
from embedclf.evaluation.cross_validated import CrossValidated
from embedclf.evaluation.measuring import report_on
from embedclf.evaluation.multilabel_cross_validation import MultiLabelCrossValidation, summarize_labels
from embedclf.evaluation.report import Report
from embedclf.formatting import counted, shown_interval
from embedclf.stats import intervals, metrics, multilabel
from embedclf.stats.intervals import Interval
from embedclf.training.checks import check_labelled, labels_in_tree
from embedclf.training.folds import OutOfFold, out_of_fold
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Features, Recipe, check_recipe
from embedclf.training.splits import assign_folds
from embedclf.training.trainer import of_labels, open_for, weights_of
from embedclf.training.training_set import TrainingSet, make_training_set
from embedclf.training.weights import ClassWeight
from embedclf.training.words_alone import labels_by_words, predict_by_words
from embedclf.validation import Label, check_whole


class FoldFigures(NamedTuple):
    """The metrics of one fold.

    Attributes
    ----------
    repeat, fold : int
        From 1.
    n_examples : int
    accuracy, macro_f1, log_loss : float
    """

    repeat: int
    fold: int
    n_examples: int
    accuracy: float
    macro_f1: float
    log_loss: float


class Prediction(NamedTuple):
    """An out-of-fold prediction.

    Attributes
    ----------
    row : int
        Index of the example.
    repeat, fold : int
        From 1.
    label : str
    confidence : float
    """

    row: int
    repeat: int
    fold: int
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class CrossValidation(CrossValidated[FoldFigures, Prediction, Report]):
    """The results of a cross-validation, in which each repeat predicts each example once.

    The intervals are from the bootstrap over the distinct texts, with the repeats of a text kept together. They cover
    other examples of the same kind, but not other training sets: one cross-validation gives no unbiased estimate of
    that variance (Bengio & Grandvalet, "No Unbiased Estimator of the Variance of K-Fold Cross-Validation", 2004), since
    the training sets of the folds overlap. `folds` shows how much the folds differ.

    Attributes
    ----------
    n_folds, n_repeats : int
    n_examples : int
        Number of examples predicted out of fold.
    n_always_fitted : int
        Number of the other examples: each is the only text of its label, so every classifier is fitted on it.
    head : {"logistic", "centroid"}
    accuracy, macro_f1, log_loss, ece : float
        Over all folds; means of the repeats.
    accuracy_interval, macro_f1_interval : Interval
        95 %.
    folds : tuple of FoldFigures
    word_scales : tuple of float
        The length of the word vectors chosen in each fold, beside the embedder's of length 1; 0 is without words.
    predictions : tuple of Prediction
        In the order of the repeats, then of the examples.
    report : Report
        The full report on the predictions of the first repeat; its rows are indices of the examples.
    classes : tuple of str
        The labels, in the order of the columns of `probabilities`.
    probabilities_by_repeat : ndarray of shape (n_repeats, n_texts, n_classes), float32
        The probabilities of each repeat; see `probabilities`.
    """

    _MEASURED = ("accuracy", "accuracy_interval", "macro_f1", "macro_f1_interval", "log_loss")

    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    log_loss: float

    def __repr__(self) -> str:
        accuracy = f"accuracy {self.accuracy:.3f} ({shown_interval(self.accuracy_interval)})"
        return f"<CrossValidation: {counted(self.n_examples, 'row')}, {self.n_folds} folds, {accuracy}>"


AnyCrossValidation: TypeAlias = CrossValidation | MultiLabelCrossValidation


@overload
def cross_validate(  # type: ignore[overload-overlap]
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: Iterable[Label] | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    embedder: EmbedderLike | None = None,
    head: Head = "logistic",
    C: float | Literal["auto"] | None = None,
    regularization: float | Literal["auto"] = "auto",
    features: Features = "auto",
    label_names: bool | None = None,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    label_hierarchy: str | None = None,
    vectors: Vectors | None = None,
    name_vectors: Vectors | None = None,
    sample_weight: Any = None,
    class_weight: ClassWeight = None,
) -> CrossValidation: ...


@overload
def cross_validate(
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: Iterable[Collection[Label]],
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    embedder: EmbedderLike | None = None,
    head: Head = "logistic",
    C: float | Literal["auto"] | None = None,
    regularization: float | Literal["auto"] = "auto",
    features: Features = "auto",
    label_names: bool | None = None,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    label_hierarchy: str | None = None,
    vectors: Vectors | None = None,
    name_vectors: Vectors | None = None,
    sample_weight: Any = None,
    class_weight: ClassWeight = None,
) -> MultiLabelCrossValidation: ...


def cross_validate(
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    embedder: EmbedderLike | None = None,
    head: Head = "logistic",
    C: float | Literal["auto"] | None = None,
    regularization: float | Literal["auto"] = "auto",
    features: Features = "auto",
    label_names: bool | None = None,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    label_hierarchy: str | None = None,
    vectors: Vectors | None = None,
    name_vectors: Vectors | None = None,
    sample_weight: Any = None,
    class_weight: ClassWeight = None,
) -> AnyCrossValidation:
    """Estimate by cross-validation how accurate a classifier trained on these examples would be.

    Each fold is predicted by a classifier trained on the others as in `embedclf.train`, with C and temperature chosen
    without that fold. Folds are stratified by label and keep exact duplicates together.

    Parameters
    ----------
    texts, labels, text, label, embedder, head, C, regularization, features, label_names
        See `embedclf.train`.
    folds : int
        At least 2.
    repeats : int
        How many times to cross-validate, each with new random folds.
    seed : int
        Seed for the folds.
    label_hierarchy : str, optional
        What separates the parts of labels in a tree: the report then measures each level.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        The embedder's vectors of the texts, if known; None embeds the texts.
    name_vectors : ndarray of shape (n_labels, n_dimensions), float32, optional
        The embedder's vectors of the label names, as written by `label_name_texts`. If only `vectors` are given, names
        are embedded only if `label_names` is true.
    sample_weight, class_weight
        See `embedclf.train`. They count in fits; the figures count each example once.

    Returns
    -------
    CrossValidation or MultiLabelCrossValidation
        The latter if texts have lists of labels.

    Raises
    ------
    ArgumentError
        If a setting is invalid, or there is not one label or one finite vector per text.
    TrainingError
        If the examples are not enough for a classifier.
    TextError
        If a text is empty, not valid Unicode, or rejected by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    given = EmbeddedTexts.of(texts, labels, text=text, label=label, embedder=embedder, vectors=vectors)
    recipe = check_recipe(head, regularization, features, label_names, C)
    known = given.given_labels
    if label_hierarchy is not None:
        known, label_hierarchy = labels_in_tree(known, label_hierarchy)
    classes, y, of_texts = check_labelled(given.texts, known)
    # Checked before anything is embedded and possibly paid for.
    predicted = check_division(y, given.groups, folds, seed, repeats)
    weights, of_classes = weights_of(given.weights(sample_weight), of_labels(class_weight), classes, y, of_texts)
    _, recipe = open_for(recipe, given)
    examples = make_training_set(
        recipe, given, classes, y, name_vectors, sample_weight=weights, class_weight=of_classes, given=of_texts
    )
    intervals.warn_of_few(given.groups[predicted], "cross-validated")
    result = cross_validate_examples(
        given.texts, known, examples, recipe, folds, seed, repeats, label_hierarchy=label_hierarchy
    )
    if not recipe.uses_vectors:
        return result
    return _beside_words(result, given.texts, y, of_texts, assign_folds(y, given.groups, folds, seed=seed))


def _beside_words(
    result: AnyCrossValidation, texts: Sequence[str], y: Ints, given: Mask | None, folds: Ints
) -> AnyCrossValidation:
    """Return a result with what words alone reach on the same folds in its baseline."""
    inputs = Inputs.of(texts, None, words=True)
    each = [folds == fold for fold in np.unique(folds[folds >= 0])]
    if given is not None and isinstance(result, MultiLabelCrossValidation):
        has, gets = (
            np.concatenate(parts)
            for parts in zip(*((given[others], labels_by_words(inputs, given, others)) for others in each), strict=True)
        )
        of_labels = replace(result.report.baseline, words_micro_f1=multilabel.micro_f1(has, gets))
        return replace(result, report=replace(result.report, baseline=of_labels))
    if isinstance(result, MultiLabelCrossValidation) or (baseline := result.report.baseline) is None:
        return result
    right = [predict_by_words(inputs, y, others) == y[others] for others in each]
    baseline = replace(baseline, words_accuracy=float(np.concatenate(right).mean()))
    return replace(result, report=replace(result.report, baseline=baseline))


def check_division(y: Ints, groups: Ints, folds: int, seed: int, repeats: int = 1) -> Mask:
    """Check that examples can be split into folds, and return which of them will be predicted: (n,).

    Raises
    ------
    ArgumentError
        If a number is out of range.
    TrainingError
        If no example can be left out of training.
    """
    if check_whole(folds, "folds") < 2 or check_whole(repeats, "repeats") < 1:
        raise ArgumentError(f"expected at least 2 folds and at least 1 repeat, got {folds} and {repeats}")
    predicted = assign_folds(y, groups, folds, seed=check_whole(seed, "seed", least=0)) >= 0
    if not predicted.any():
        raise TrainingError("no label has two distinct texts, so nothing can be cross-validated")
    return predicted


def cross_validate_examples(
    texts: Sequence[str],
    labels: Labels,
    examples: TrainingSet,
    recipe: Recipe,
    n_folds: int,
    seed: int,
    repeats: int = 1,
    label_hierarchy: str | None = None,
) -> AnyCrossValidation:
    """Cross-validate on examples that were checked; see `cross_validate`."""
    tree = None if label_hierarchy is None else hierarchy_of(examples.classes, label_hierarchy)
    each = out_of_fold(examples, recipe, n_folds=n_folds, seeds=range(seed, seed + repeats), tree=tree)
    if examples.given is not None:
        sets = label_sets_of(labels)
        return summarize_labels(texts, sets, examples, each, recipe.head, n_folds)
    single = [one for one in labels if isinstance(one, str)]
    return _summarize(texts, single, examples, each, recipe.head, n_folds, label_hierarchy)


def _summarize(
    texts: Sequence[str],
    labels: Sequence[str],
    examples: TrainingSet,
    repeats: Sequence[OutOfFold],
    head: Head,
    n_folds: int,
    label_hierarchy: str | None,
) -> CrossValidation:
    classes, y = examples.classes, examples.y
    decision = examples.decision
    each = [Figures.of(y, one, decision) for one in repeats]
    judged = np.flatnonzero(repeats[0].folds >= 0)
    # The repeats of a text are one group. Each repeat has its own macro-F1, so its classes are numbered separately.
    groups = np.concatenate([examples.groups[one.rows] for one in each])
    y_true = np.concatenate([y[one.rows] + repeat * len(classes) for repeat, one in enumerate(each)])
    y_pred = np.concatenate([one.predicted + repeat * len(classes) for repeat, one in enumerate(each)])
    chosen = [texts[row] for row in judged.tolist()], [labels[row] for row in judged.tolist()]
    if label_hierarchy is not None:
        decision = replace(decision, tree=hierarchy_of(classes, label_hierarchy))
    own = repeats[0].probabilities[judged]
    report = report_on(*chosen, classes, own, decision=decision)
    report = replace(report, answers=measure_answers(decision, chosen[1], own, examples.groups[judged]))
    return CrossValidation(
        n_folds=n_folds,
        n_repeats=len(repeats),
        n_examples=len(judged),
        n_always_fitted=len(y) - len(judged),
        head=head,
        accuracy=float(np.mean([one.accuracy for one in each])),
        accuracy_interval=intervals.interval_of_mean(y_true == y_pred, groups),
        macro_f1=float(np.mean([one.macro_f1 for one in each])),
        macro_f1_interval=intervals.interval_of_macro_f1(y_true, y_pred, groups),
        log_loss=float(np.mean([one.log_loss for one in each])),
        ece=float(np.mean([one.ece for one in each])),
        folds=tuple(figures for repeat, one in enumerate(repeats, 1) for figures in _by_fold(y, one, decision, repeat)),
        word_scales=tuple(scale for one in repeats for scale in one.word_scales),
        predictions=tuple(
            prediction for repeat, one in enumerate(repeats, 1) for prediction in _predictions(one, decision, repeat)
        ),
        report=report.at_rows(judged.tolist()),
        classes=classes,
        probabilities_by_repeat=np.stack([one.probabilities for one in repeats]),
    )


class Figures(NamedTuple):
    """Metrics of out-of-fold predictions.

    Attributes
    ----------
    rows, predicted : ndarray of shape (n_judged,)
        The examples, and the predicted class of each.
    accuracy, macro_f1, log_loss, ece : float
    """

    rows: Ints
    predicted: Ints
    accuracy: float
    macro_f1: float
    log_loss: float
    ece: float

    @classmethod
    def of(cls, y: Ints, one: OutOfFold, decision: Decision, fold: int | None = None) -> "Figures":
        """Measure the predictions of one repeat, or of one of its folds."""
        rows = np.flatnonzero(one.folds >= 0 if fold is None else one.folds == fold)
        probabilities = one.probabilities[rows]
        predicted, _ = decision.choose(probabilities)
        # In float64, an answer could come into another bin.
        confidence = np.take_along_axis(probabilities, predicted[:, None], axis=1)[:, 0]
        return cls(
            rows=rows,
            predicted=predicted,
            accuracy=metrics.accuracy(y[rows], predicted),
            macro_f1=metrics.macro_f1(metrics.per_class(y[rows], predicted, decision.classes)),
            log_loss=metrics.log_loss(y[rows], probabilities),
            ece=metrics.expected_calibration_error(y[rows] == predicted, confidence),
        )


def _by_fold(y: Ints, one: OutOfFold, decision: Decision, repeat: int) -> Iterator[FoldFigures]:
    for fold in np.unique(one.folds[one.folds >= 0]).tolist():
        figures = Figures.of(y, one, decision, fold)
        yield FoldFigures(repeat, fold + 1, len(figures.rows), figures.accuracy, figures.macro_f1, figures.log_loss)


def _predictions(one: OutOfFold, decision: Decision, repeat: int) -> Iterator[Prediction]:
    rows = np.flatnonzero(one.folds >= 0)
    each = rows, one.folds[rows] + 1, *decision.choose(one.probabilities[rows])
    for row, fold, column, confidence in zip(*(values.tolist() for values in each), strict=True):
        yield Prediction(row, repeat, fold, decision.classes[column], confidence)
