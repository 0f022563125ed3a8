"""Predictions of examples by classifiers that were not fitted on them."""

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.formatting import counted
from embedclf.parallel.executors import all_of
from embedclf.threads import one_thread
from embedclf.training.inputs import as_terms
from embedclf.training.recipe import Recipe
from embedclf.training.settings import choose_settings, fit_all
from embedclf.training.splits import assign_folds
from embedclf.training.training_set import TrainingSet

logger = logging.getLogger(__name__)

_ROWS_WORTH_PROCESSES = 500


class Task(NamedTuple):
    """One fit: on which examples, and which are then predicted."""

    fitted: Mask
    predicted: Mask


def predict_apart(examples: TrainingSet, tasks: Iterable[Task], recipe: Recipe, *, seed: int) -> "list[Apart]":
    """Fit classifiers as `train` does, C and temperature chosen within what each is fitted on, and predict others.

    The tasks are done side by side where ``joblib.parallel_config`` says; by default on all cores, unless the examples
    are so few that starting processes would take longer.

    Parameters
    ----------
    examples : TrainingSet
    tasks : iterable of Task
        Each class occurs in what is fitted on.
    recipe : Recipe
    seed : int

    Returns
    -------
    list of Apart
        In the order of the tasks.

    Raises
    ------
    EmbedclfError
        If a part of the work is lost with the process or the cluster that did it.
    """
    tasks = list(tasks)
    logger.info("Fitting %s …", counted(len(tasks), "classifier"))
    n_jobs = -1 if len(examples) >= _ROWS_WORTH_PROCESSES else None
    return all_of(_fit_and_predict, [(examples, task, recipe, seed) for task in tasks], n_jobs=n_jobs)


class Apart(NamedTuple):
    """What a classifier says of examples that it was not fitted on.

    Attributes
    ----------
    probabilities : ndarray of shape (n_predicted, n_classes), float32
    word_scale : float
        How long it takes the vector of a text's words to be, beside the embedder's; 0 if it leaves them out.
    """

    probabilities: Vectors
    word_scale: float


def _fit_and_predict(examples: TrainingSet, task: Task, recipe: Recipe, seed: int) -> Apart:
    fitted = examples[task.fitted]
    with one_thread():
        settings = choose_settings(recipe, fitted, seed=seed)
        trained = fit_all(recipe, settings, fitted)
        model, others = trained.model(settings.temperature, examples.classes), examples.inputs[task.predicted]
        terms = as_terms(others.words(trained.vocabulary))
        return Apart(model.probabilities(others.vectors, terms), settings.scale)


class OutOfFold(NamedTuple):
    """What classifiers say of examples that they were not fitted on.

    Attributes
    ----------
    folds : ndarray of shape (n,)
        In which fold each example was left out; −1 for one that is needed wherever its class is fitted.
    probabilities : ndarray of shape (n, n_classes), float32
        NaN for the latter.
    word_scales : tuple of float
        Of the classifier of each fold; see `Apart`.
    """

    folds: Ints
    probabilities: Vectors
    word_scales: tuple[float, ...]


def out_of_fold(
    examples: TrainingSet,
    recipe: Recipe,
    *,
    n_folds: int,
    seeds: Sequence[int],
) -> list[OutOfFold]:
    """Divide examples into folds, and predict each fold by a classifier fitted on the others.

    Folds are stratified by class, and keep exact duplicates together.

    Parameters
    ----------
    examples, recipe
        As of `predict_apart`.
    n_folds : int
        At least 2.
    seeds : sequence of int
        One for each time that the examples are divided.
    """
    divided = [assign_folds(examples.y, examples.groups, n_folds, seed=seed) for seed in seeds]
    tasks = [
        Task(folds != fold, folds == fold) for folds in divided for fold in range(n_folds) if (folds == fold).any()
    ]
    answers = iter(predict_apart(examples, tasks, recipe, seed=seeds[0]))
    out = []
    for folds in divided:
        probabilities = np.full((len(folds), len(examples.classes)), np.nan, dtype=np.float32)
        scales = []
        for fold in range(n_folds):
            if (folds == fold).any():
                probabilities[folds == fold], scale = next(answers)
                scales.append(scale)
        out.append(OutOfFold(folds, probabilities, tuple(scales)))
    return out
