"""Predictions of examples by classifiers that were not fitted on them."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from embedclf import engines
from embedclf.classifier.model_file import Head
from embedclf.embedding import Vectors
from embedclf.errors import counted
from embedclf.training.heads import choose_settings, fit
from embedclf.training.splits import Ints, Mask, assign_folds
from embedclf.training.trainer import linear_model

logger = logging.getLogger(__name__)

_ROWS_WORTH_PROCESSES = 500


@dataclass(frozen=True, slots=True)
class Examples:
    """What classifiers are fitted on.

    Attributes
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
    y : ndarray of shape (n,)
        Indices into `classes`.
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    classes : tuple of str
    """

    vectors: Vectors
    y: Ints
    groups: Ints
    classes: tuple[str, ...]


class Task(NamedTuple):
    """One fit: on which examples, and which are then predicted."""

    fitted: Mask
    predicted: Mask


def predict_apart(
    examples: Examples, tasks: Iterable[Task], head: Head, C: float | None, *, seed: int
) -> list[Vectors]:
    """Fit classifiers as `train` does, C and temperature chosen within what each is fitted on, and predict others.

    The tasks are done side by side where ``joblib.parallel_config`` says; by default on all cores, unless the examples
    are so few that starting processes would take longer.

    Parameters
    ----------
    examples : Examples
    tasks : iterable of Task
        Each class occurs in what is fitted on.
    head : {"logistic", "centroid"}
    C : float or None
        None chooses it.
    seed : int

    Returns
    -------
    list of ndarray of shape (n_predicted, n_classes), float32
        Probabilities, in the order of the tasks.

    Raises
    ------
    EmbedclfError
        If a part of the work is lost with the process or the cluster that did it.
    """
    tasks = list(tasks)
    logger.info("Fitting %s …", counted(len(tasks), "classifier"))
    n_jobs = -1 if len(examples.y) >= _ROWS_WORTH_PROCESSES else None
    return engines.all_of(_fit_and_predict, [(examples, task, head, C, seed) for task in tasks], n_jobs=n_jobs)


def _fit_and_predict(examples: Examples, task: Task, head: Head, C: float | None, seed: int) -> Vectors:
    vectors, y = examples.vectors[task.fitted], examples.y[task.fitted]
    settings = choose_settings(head, vectors, y, examples.groups[task.fitted], C, seed=seed)
    fitted = fit(head, vectors, y, settings.C, start=settings.start)
    return linear_model(fitted, settings, examples.classes).probabilities(examples.vectors[task.predicted])


class OutOfFold(NamedTuple):
    """What classifiers say of examples that they were not fitted on.

    Attributes
    ----------
    folds : ndarray of shape (n,)
        In which fold each example was left out; −1 for one that is needed wherever its class is fitted.
    probabilities : ndarray of shape (n, n_classes), float32
        NaN for the latter.
    """

    folds: Ints
    probabilities: Vectors


def out_of_fold(
    examples: Examples,
    head: Head,
    C: float | None,
    *,
    n_folds: int,
    seeds: Sequence[int],
) -> list[OutOfFold]:
    """Divide examples into folds, and predict each fold by a classifier fitted on the others.

    Folds are stratified by class, and keep exact duplicates together.

    Parameters
    ----------
    examples, head, C
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
    answers = iter(predict_apart(examples, tasks, head, C, seed=seeds[0]))
    out = []
    for folds in divided:
        probabilities = np.full((len(folds), len(examples.classes)), np.nan, dtype=np.float32)
        for fold in range(n_folds):
            if (folds == fold).any():
                probabilities[folds == fold] = next(answers)
        out.append(OutOfFold(folds, probabilities))
    return out
