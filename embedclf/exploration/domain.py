"""A classifier that tells new texts from old ones, and how well it does."""

from dataclasses import dataclass

import numpy as np

from embedclf.arrays import Floats, Ints, Mask
from embedclf.stats.intervals import Interval
from embedclf.stats.metrics import auroc
from embedclf.training.folds import Task, fit_and_predict
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Recipe
from embedclf.training.splits import assign_folds
from embedclf.training.training_set import TrainingSet

N_FOLDS = 5
# Of the standard normal distribution, for 95 %.
_Z = 1.959964
_N_VALUES = 20_000


@dataclass(frozen=True, slots=True)
class Domain:
    """How well a classifier tells new texts from old ones.

    Attributes
    ----------
    auroc : float
        The mean over the folds.
    interval : Interval
    newness : ndarray of shape (n,), float64
        The out-of-fold probability that each text is new, as if there were as many new texts as old.
    """

    auroc: float
    interval: Interval
    newness: Floats


def tell_apart(inputs: Inputs, is_new: Mask, compared: Ints, *, seed: int) -> Domain:
    """Cross-validate a classifier that tells new texts from old ones.

    It is trained as `embedclf.train` does, with C and the use of words chosen in each fold. The AUROC is averaged
    over the folds: scores of different folds are not comparable, and pooling them gives less than 0.5 if nothing has
    changed (Airola et al., "An Experimental Comparison of Cross-Validation Techniques for Estimating the Area under
    the ROC Curve", 2011).

    Parameters
    ----------
    inputs : Inputs
        Distinct texts.
    is_new : ndarray of shape (n,), bool
    compared : ndarray of shape (n_compared,), int
        The texts to fit and measure on, at least five of each kind; the others are only predicted.
    seed : int
    """
    y = is_new.astype(np.intp)
    folds = np.arange(len(y)) % N_FOLDS
    measured = np.zeros(len(y), dtype=bool)
    measured[compared] = True
    folds[compared] = assign_folds(y[compared], compared, N_FOLDS, seed=seed)
    examples = TrainingSet(inputs, y, np.arange(len(y)), ("old", "new"))
    tasks = [Task(measured & (folds != fold), folds == fold) for fold in range(N_FOLDS)]
    found = fit_and_predict(examples, tasks, Recipe(label_names=False), "Telling new from old", "fold", seed=seed)
    probabilities = np.empty(len(y))
    of_folds = []
    for fold, one in enumerate(found):
        probabilities[folds == fold] = one.probabilities[:, 1]
        judged = measured & (folds == fold)
        of_folds.append(auroc(is_new[judged], probabilities[judged]))
    n_new = int(y[compared].sum())
    mean = float(np.mean(of_folds))
    interval = interval_of_auroc(mean, n_new, len(compared) - n_new, N_FOLDS)
    return Domain(mean, interval, _balanced(probabilities, n_new / len(compared)))


def interval_of_auroc(figure: float, n_positive: int, n_negative: int, n_folds: int) -> Interval:
    """Return the 95 % interval of the mean AUROC of the folds of a cross-validation.

    It contains the values whose own standard error does not rule out the figure: method 5 of Newcombe, "Confidence
    Intervals for an Effect Size Measure Based on the Mann-Whitney Statistic. Part 2", 2006, which also holds for an
    AUROC of 1, and has the exact variance of the Mann-Whitney statistic at 0.5. The variance is multiplied by 1 +
    n_folds / (n_folds - 1), since the folds share most of the texts that they are fitted on (Nadeau & Bengio,
    "Inference for the Generalization Error", 2003).

    Parameters
    ----------
    figure : float
    n_positive, n_negative : int
        Of all folds together.
    n_folds : int
        At least 2.
    """
    m, n = n_positive / n_folds, n_negative / n_folds
    values = np.linspace(0, 1, _N_VALUES + 1)
    more = (m + n) / 2 - 1
    variance = values * (1 - values) * (1 + more * ((1 - values) / (2 - values) + values / (1 + values))) / (m * n)
    variance *= (1 + n_folds / (n_folds - 1)) / n_folds
    kept = values[np.abs(values - figure) <= _Z * np.sqrt(variance) + 0.5 / _N_VALUES]
    return Interval(float(min(kept[0], figure)), float(max(kept[-1], figure)))


def _balanced(probabilities: Floats, share: float) -> Floats:
    """Return the probabilities, adjusted as if half of the texts were new."""
    new, old = probabilities * (1 - share), (1 - probabilities) * share
    balanced: Floats = new / np.maximum(new + old, np.finfo(np.float64).tiny)
    return balanced
