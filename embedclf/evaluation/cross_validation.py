"""Cross-validation: how good a classifier would be that is trained on these examples."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.decisions import rank
from embedclf.classifier.model_file import Head
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError, TrainingError
from embedclf.evaluation.measuring import report_on
from embedclf.evaluation.report import Report
from embedclf.stats import intervals, metrics
from embedclf.stats.intervals import Interval
from embedclf.training.checks import check_examples
from embedclf.training.folds import OutOfFold, out_of_fold
from embedclf.training.recipe import Features, Recipe, check_recipe
from embedclf.training.splits import assign_folds
from embedclf.training.trainer import open_for
from embedclf.training.training_set import TrainingSet, make_training_set
from embedclf.validation import check_whole


class FoldFigures(NamedTuple):
    """How the classifier did on one fold.

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
    """What was said of an example by a classifier that was not fitted on it.

    Attributes
    ----------
    row : int
        Which of the examples.
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
class CrossValidation:
    """How classifiers did on examples that they were not fitted on, each example being left out once a repeat.

    The intervals are those of the bootstrap over the different texts, the repeats of each together. They hold for other
    examples of the same kind, not for other training sets: no unbiased estimate of the latter can be had from one
    cross-validation (Bengio & Grandvalet, "No Unbiased Estimator of the Variance of K-Fold Cross-Validation", 2004),
    since the folds share what they are trained on. How far the folds lie apart is in `folds`.

    Attributes
    ----------
    n_folds, n_repeats : int
    n_examples : int
        Those that were left out and predicted.
    n_always_fitted : int
        The others: the only text of their label is needed wherever one fits.
    head : {"logistic", "centroid"}
    accuracy, macro_f1, log_loss, ece : float
        Of all predictions together; means over the repeats.
    accuracy_interval, macro_f1_interval : Interval
        95 %.
    folds : tuple of FoldFigures
    word_scales : tuple of float
        How long each fold's classifier takes the vector of a text's words to be, beside the embedder's of length 1; 0
        where it was better without words.
    predictions : tuple of Prediction
        By repeat, and then in the order of the examples.
    report : Report
        All about the predictions of the first repeat; the rows are those of the examples.
    """

    n_folds: int
    n_repeats: int
    n_examples: int
    n_always_fitted: int
    head: Head
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    log_loss: float
    ece: float
    folds: tuple[FoldFigures, ...]
    word_scales: tuple[float, ...]
    predictions: tuple[Prediction, ...]
    report: Report

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON; the single predictions are left out."""
        return {
            "n_folds": self.n_folds,
            "n_repeats": self.n_repeats,
            "n_examples": self.n_examples,
            "n_always_fitted": self.n_always_fitted,
            "head": self.head,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "macro_f1_interval": list(self.macro_f1_interval),
            "log_loss": self.log_loss,
            "ece": self.ece,
            "folds": [fold._asdict() for fold in self.folds],
            "word_scales": list(self.word_scales),
            "report": self.report.to_dict(),
        }


def cross_validate(
    texts: Iterable[str] | EmbeddedTexts,
    labels: Iterable[str] | None = None,
    *,
    embedder: Any = None,
    head: Head = "logistic",
    regularization: float | Literal["auto"] = "auto",
    features: Features = "auto",
    label_names: bool | None = None,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    vectors: Vectors | None = None,
    name_vectors: Vectors | None = None,
) -> CrossValidation:
    """Measure how good a classifier would be that is trained on these examples.

    Each fold is predicted by a classifier that was trained on the others as `embedclf.train` does, C and temperature
    chosen without it. Folds are stratified by label, and exact duplicates are in one.

    Parameters
    ----------
    texts, labels, embedder, head, regularization, features, label_names
        As of `embedclf.train`.
    folds : int
        At least 2.
    repeats : int
        How often the examples are divided anew.
    seed : int
        For the division.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the embedder makes of the texts, if that is known; None embeds them.
    name_vectors : ndarray of shape (n_labels, n_dimensions), float32, optional
        What it makes of the names of the labels, as `label_name_texts` writes them. Without these, where `vectors` are
        given, names are embedded only if `label_names` is true.

    Raises
    ------
    ArgumentError
        If a setting cannot be, or there is not one label or one finite vector per text.
    TrainingError
        If the examples do not make classifiers.
    TextError
        If a text is empty, not Unicode, or refused by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    given = EmbeddedTexts.of(texts, labels, embedder=embedder, vectors=vectors)
    recipe = check_recipe(head, regularization, features, label_names)
    classes, y = check_examples(given.texts, given.known_labels)
    # Before anything is embedded, and perhaps paid for.
    judged = check_division(y, given.groups, folds, seed, repeats)
    _, recipe = open_for(recipe, given)
    examples = make_training_set(recipe, given, classes, y, name_vectors)
    intervals.warn_of_few(given.groups[judged], "left out and predicted")
    return cross_validate_examples(given.texts, given.known_labels, examples, recipe, folds, seed, repeats)


def check_division(y: Ints, groups: Ints, folds: int, seed: int, repeats: int = 1) -> Mask:
    """Check that examples can be divided so, and tell which are left out and predicted: (n,).

    Raises
    ------
    ArgumentError
        If the numbers cannot be.
    TrainingError
        If no example can be left out.
    """
    if check_whole(folds, "folds") < 2 or check_whole(repeats, "repeats") < 1:
        raise ArgumentError(f"there are 2 folds or more and 1 repeat or more, not {folds} and {repeats}")
    judged = assign_folds(y, groups, folds, seed=check_whole(seed, "seed", least=0)) >= 0
    if not judged.any():
        raise TrainingError("no label has two different texts, so none can be left out and predicted")
    return judged


def cross_validate_examples(
    texts: Sequence[str],
    labels: Sequence[str],
    examples: TrainingSet,
    recipe: Recipe,
    n_folds: int,
    seed: int,
    repeats: int = 1,
) -> CrossValidation:
    """Cross-validate on what was checked; see `cross_validate`."""
    divided = out_of_fold(examples, recipe, n_folds=n_folds, seeds=range(seed, seed + repeats))
    return _summed_up(texts, labels, examples, divided, recipe.head, n_folds)


def _summed_up(
    texts: Sequence[str],
    labels: Sequence[str],
    examples: TrainingSet,
    divided: Sequence[OutOfFold],
    head: Head,
    n_folds: int,
) -> CrossValidation:
    classes, y = examples.classes, examples.y
    each = [Figures.of(y, one, classes) for one in divided]
    judged = np.flatnonzero(divided[0].folds >= 0)
    # The repeats of a text belong together. Each repeat has a macro-F1 of its own: its classes count as others.
    groups = np.concatenate([examples.groups[one.rows] for one in each])
    y_true = np.concatenate([y[one.rows] + repeat * len(classes) for repeat, one in enumerate(each)])
    y_pred = np.concatenate([one.predicted + repeat * len(classes) for repeat, one in enumerate(each)])
    chosen = [texts[row] for row in judged.tolist()], [labels[row] for row in judged.tolist()]
    report = report_on(*chosen, classes, divided[0].probabilities[judged])
    return CrossValidation(
        n_folds=n_folds,
        n_repeats=len(divided),
        n_examples=len(judged),
        n_always_fitted=len(y) - len(judged),
        head=head,
        accuracy=float(np.mean([one.accuracy for one in each])),
        accuracy_interval=intervals.interval_of_mean(y_true == y_pred, groups),
        macro_f1=float(np.mean([one.macro_f1 for one in each])),
        macro_f1_interval=intervals.interval_of_macro_f1(y_true, y_pred, groups),
        log_loss=float(np.mean([one.log_loss for one in each])),
        ece=float(np.mean([one.ece for one in each])),
        folds=tuple(figures for repeat, one in enumerate(divided, 1) for figures in _by_fold(y, one, classes, repeat)),
        word_scales=tuple(scale for one in divided for scale in one.word_scales),
        predictions=tuple(
            prediction for repeat, one in enumerate(divided, 1) for prediction in _predictions(one, classes, repeat)
        ),
        report=report.at_rows(judged.tolist()),
    )


class Figures(NamedTuple):
    """Figures of some out-of-fold predictions.

    Attributes
    ----------
    rows, predicted : ndarray of shape (n_judged,)
        Which examples, and the class that each was taken for.
    accuracy, macro_f1, log_loss, ece : float
    """

    rows: Ints
    predicted: Ints
    accuracy: float
    macro_f1: float
    log_loss: float
    ece: float

    @classmethod
    def of(cls, y: Ints, one: OutOfFold, classes: Sequence[str], fold: int | None = None) -> "Figures":
        """Measure the predictions of one division, or of one of its folds."""
        rows = np.flatnonzero(one.folds >= 0 if fold is None else one.folds == fold)
        probabilities = one.probabilities[rows]
        ranking = rank(probabilities)
        predicted = ranking.likeliest
        return cls(
            rows=rows,
            predicted=predicted,
            accuracy=metrics.accuracy(y[rows], predicted),
            macro_f1=metrics.macro_f1(metrics.per_class(y[rows], predicted, classes)),
            log_loss=metrics.log_loss(y[rows], probabilities),
            ece=metrics.expected_calibration_error(y[rows] == predicted, ranking.confidences[:, 0]),
        )


def _by_fold(y: Ints, one: OutOfFold, classes: Sequence[str], repeat: int) -> Iterator[FoldFigures]:
    for fold in np.unique(one.folds[one.folds >= 0]).tolist():
        figures = Figures.of(y, one, classes, fold)
        yield FoldFigures(repeat, fold + 1, len(figures.rows), figures.accuracy, figures.macro_f1, figures.log_loss)


def _predictions(one: OutOfFold, classes: Sequence[str], repeat: int) -> Iterator[Prediction]:
    rows = np.flatnonzero(one.folds >= 0)
    ranking = rank(one.probabilities[rows])
    each = rows, one.folds[rows] + 1, ranking.likeliest, ranking.confidence
    for row, fold, column, confidence in zip(*(values.tolist() for values in each), strict=True):
        yield Prediction(row, repeat, fold, classes[column], confidence)
