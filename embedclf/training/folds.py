"""Out-of-fold predictions."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.decisions import MultiLabelDecision
from embedclf.classifier.hierarchy import Hierarchy
from embedclf.formatting import counted
from embedclf.parallel.executors import all_of
from embedclf.phases import phase
from embedclf.threads import one_thread
from embedclf.training.inputs import as_terms
from embedclf.training.recipe import Recipe
from embedclf.training.settings import choose_settings, fit_all
from embedclf.training.splits import assign_folds
from embedclf.training.training_set import TrainingSet

logger = logging.getLogger(__name__)

_ROWS_WORTH_PROCESSES = 500


class Task(NamedTuple):
    """The examples of one fit, those that it then predicts, and the tree of their labels, if there is one."""

    fitted: Mask
    predicted: Mask
    tree: Hierarchy | None = None


class HeldOutPredictions(NamedTuple):
    """Predictions of one classifier for examples that it was not fitted on.

    Attributes
    ----------
    probabilities : ndarray of shape (n_predicted, n_classes), float32
    word_scale : float
        Length of its word vectors, relative to the embedder's vectors; 0 if it uses no words.
    given : ndarray of shape (n_predicted, n_classes), bool, or None
        Which labels it gives each of them, by thresholds of its own; None if an example has one label.
    usual : ndarray of shape (n_predicted, n_classes), bool, or None
        Which labels it would give without class weights, with which it was fitted; None if there are none.
    """

    probabilities: Vectors
    word_scale: float
    given: Mask | None
    usual: Mask | None = None


def fit_and_predict(
    examples: TrainingSet, tasks: Iterable[Task], recipe: Recipe, name: str, unit: str, *, seed: int
) -> list[HeldOutPredictions]:
    """Fit classifiers as `train` does, each choosing C and temperature on its own examples, and predict other examples.

    The tasks run in parallel as set by ``joblib.parallel_config``; by default on all cores, unless there are so few
    examples that starting processes would take longer.

    Parameters
    ----------
    examples : TrainingSet
    tasks : iterable of Task
        In each, every class occurs among the fitted examples.
    recipe : Recipe
    name, unit : str
        What this is as a phase, and what each task is; see `Phase`.
    seed : int

    Returns
    -------
    list of HeldOutPredictions
        In the order of the tasks.

    Raises
    ------
    EmbedclfError
        If a worker process or the cluster died and its results are lost.
    """
    tasks = list(tasks)
    logger.info("Fitting %s …", counted(len(tasks), "classifier"))
    n_jobs = -1 if len(examples) >= _ROWS_WORTH_PROCESSES else None
    with phase(name, len(tasks), unit) as fitting:
        return all_of(_run_task, [(examples, task, recipe, seed) for task in tasks], fitting, n_jobs=n_jobs)


def _run_task(examples: TrainingSet, task: Task, recipe: Recipe, seed: int) -> HeldOutPredictions:
    fitted = examples[task.fitted]
    with one_thread():
        settings = choose_settings(recipe, fitted, seed=seed)
        trained = fit_all(recipe, settings, fitted)
        model = trained.model(
            settings.temperature,
            examples.classes,
            settings.of_labels,
            settings.scope,
            settings.shift(examples.class_weight),
        )
        others = examples.inputs[task.predicted]
        terms = as_terms(others.words(trained.vocabulary))
        probabilities, given, usual = model.probabilities(others.vectors, terms), None, None
        if (of_labels := settings.of_labels) is not None:
            decision = MultiLabelDecision(
                examples.classes, of_labels.thresholds, fitted.are_all_labelled, task.tree, usual=of_labels.usual
            )
            given = decision.given(probabilities)
            if examples.class_weight is not None:
                usual = replace(decision, thresholds=of_labels.usual).given(probabilities)
        return HeldOutPredictions(probabilities, settings.scale, given, usual)


class OutOfFold(NamedTuple):
    """Out-of-fold predictions of all examples.

    Attributes
    ----------
    folds : ndarray of shape (n,)
        The fold in which each example was left out; −1 for an example that every classifier is fitted on, as it is the
        only text of its class.
    probabilities : ndarray of shape (n, n_classes), float32
        NaN where the fold is −1.
    word_scales : tuple of float
        One per fold; see `HeldOutPredictions`.
    given : ndarray of shape (n, n_classes), bool, or None
        Which labels each example is given, none where the fold is −1; None if an example has one label.
    usual : ndarray of shape (n, n_classes), bool, or None
        Which labels each would be given without class weights; None if there are none.
    """

    folds: Ints
    probabilities: Vectors
    word_scales: tuple[float, ...]
    given: Mask | None = None
    usual: Mask | None = None


def out_of_fold(
    examples: TrainingSet,
    recipe: Recipe,
    *,
    n_folds: int,
    seeds: Sequence[int],
    tree: Hierarchy | None = None,
) -> list[OutOfFold]:
    """Split examples into folds, and predict each fold with a classifier fitted on the others.

    Folds are stratified by class and keep exact duplicates together.

    Parameters
    ----------
    examples, recipe
        See `fit_and_predict`.
    n_folds : int
        At least 2.
    seeds : sequence of int
        One per split into folds.
    tree : Hierarchy, optional
        The labels above the classes, if examples may have several labels.
    """
    splits = [assign_folds(examples.y, examples.groups, n_folds, seed=seed) for seed in seeds]
    tasks = [
        Task(folds != fold, folds == fold, tree) for folds in splits for fold in range(n_folds) if (folds == fold).any()
    ]
    predictions = iter(fit_and_predict(examples, tasks, recipe, "Cross-validating", "fold", seed=seeds[0]))
    out = []
    for folds in splits:
        probabilities = np.full((len(folds), len(examples.classes)), np.nan, dtype=np.float32)
        given = None if examples.given is None else np.zeros(examples.given.shape, dtype=bool)
        usual = None if given is None or examples.class_weight is None else given.copy()
        scales = []
        for fold in range(n_folds):
            if (folds == fold).any():
                predicted = next(predictions)
                probabilities[folds == fold] = predicted.probabilities
                if given is not None and predicted.given is not None:
                    given[folds == fold] = predicted.given
                if usual is not None and predicted.usual is not None:
                    usual[folds == fold] = predicted.usual
                scales.append(predicted.word_scale)
        out.append(OutOfFold(folds, probabilities, tuple(scales), given, usual))
    return out
