"""The two heads; the choice of C; calibration."""

import logging
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from embedclf.classifier.linear import softmax
from embedclf.classifier.model_file import Head
from embedclf.embedding import Vectors
from embedclf.training.solver import Design, Fit, Floats
from embedclf.training.splits import Ints, Mask, assign_folds

logger = logging.getLogger(__name__)

# On unit-length embeddings scikit-learn's own C = 1 is far too strong with many classes.
C_GRID = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
C_WITHOUT_EVIDENCE = 10.0
_N_FOLDS = 5
_ENOUGH_ROWS = 2_000


def fit_centroid(vectors: Floats, y: Ints) -> Fit:
    """Fit nearest centroid: the squared distance to centroid c, less what all classes share, is ‖c‖² − 2 x·c."""
    # scikit-learn's NearestCentroid refuses vectors that are all equal, for the sake of variances that are not used.
    centroids = np.stack([vectors[y == number].mean(axis=0, dtype=np.float64) for number in range(int(y.max()) + 1)])
    return Fit(2 * centroids, -(centroids**2).sum(axis=1))


def fit(head: Head, vectors: Vectors, y: Ints, C: float | None, *, start: Fit | None = None, exact: bool = True) -> Fit:
    """Fit a head; see `Design.fit`."""
    if head == "centroid":
        return fit_centroid(vectors, y)
    if C is None:
        raise ValueError("the logistic head needs C")
    fitted = Design(vectors).fit(y, C, start=start, exact=exact)
    if not fitted.converged:
        logger.warning("the fit with C = %g did not converge: probabilities may be a little off; use a smaller C", C)
    return fitted


class Judged(NamedTuple):
    """How examples that were not fitted on were answered: arrays of shape (n_judged,).

    Attributes
    ----------
    confidence : ndarray of float
        Calibrated.
    correct : ndarray of bool
    in_scope : ndarray of bool
        False for an example of what is to be rejected; its answer is never correct.
    """

    confidence: Floats
    correct: Mask
    in_scope: Mask


@dataclass(frozen=True, slots=True)
class Settings:
    """What was chosen on examples not fitted on.

    Attributes
    ----------
    C : float or None
        None for a head that has none.
    temperature : float
        What scores are to be divided by.
    log_loss : float
        After that, on these examples; NaN if there were none.
    n_judged : int
        How many examples it was chosen on.
    start : Fit or None
        A fit with this C, to start another from.
    judged : Judged or None
        What was answered to these examples; None if there were none.
    """

    C: float | None
    temperature: float
    log_loss: float
    n_judged: int
    start: Fit | None
    judged: Judged | None


def choose_settings(
    head: Head, vectors: Vectors, y: Ints, groups: Ints, C: float | None, *, seed: int, n_classes: int | None = None
) -> Settings:
    """Choose C by log loss, and the temperature that makes it smallest, on examples not fitted on.

    Of five folds, as many are scored as it takes to judge by 2,000 examples. From the middle of the grid, C goes the
    way on which the log loss falls (after the best temperature, since that is how the scores are used), each fit
    starting from the best so far.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Classes from 0; `n_classes` for an example that is out of scope, which is neither fitted on nor chosen by, only
        answered.
    C : float or None
        A fixed value for the logistic head; None chooses it.
    n_classes : int, optional
        None if no example is out of scope.
    """
    in_scope = y < (len(y) if n_classes is None else n_classes)
    folds = assign_folds(y, groups, _N_FOLDS, seed=seed)
    parts: list[tuple[Mask, Mask]] = []
    n_judged = 0
    for fold in range(_N_FOLDS):
        if n_judged < _ENOUGH_ROWS and (in_scope & (judged := folds == fold)).any():
            parts.append((in_scope & ~judged, judged))
            n_judged += int((in_scope & judged).sum())
    if not parts:
        return Settings(None if head == "centroid" else C or C_WITHOUT_EVIDENCE, 1.0, np.nan, 0, None, None)
    y_judged, known = (np.concatenate([values[judged] for _, judged in parts]) for values in (y, in_scope))

    def judge(fits: list[Fit]) -> tuple[float, float, Judged]:
        scores = np.concatenate([one.scores(vectors[judged]) for one, (_, judged) in zip(fits, parts, strict=True)])
        temperature, loss = fit_temperature(scores[known], y_judged[known])
        confidence = softmax(np.asarray(scores / temperature, dtype=np.float32)).max(axis=1)
        return temperature, loss, Judged(confidence, scores.argmax(axis=1) == y_judged, known)

    if head == "centroid":
        temperature, loss, answers = judge([fit_centroid(vectors[kept], y[kept]) for kept, _ in parts])
        return Settings(None, temperature, loss, n_judged, None, answers)

    designs = [Design(vectors[kept]) for kept, _ in parts]
    starts: list[Fit | None] = [None] * len(parts)

    def settings_with(C: float) -> tuple[Settings, list[Fit]]:
        fits = [
            design.fit(y[kept], C, start=start, exact=False)
            for design, (kept, _), start in zip(designs, parts, starts, strict=True)
        ]
        temperature, loss, answers = judge(fits)
        return Settings(C, temperature, loss, n_judged, fits[0], answers), fits

    grid = C_GRID if C is None else (C,)
    place = len(grid) // 2
    best, fits = settings_with(grid[place])
    for step in (1, -1):
        began = place
        while 0 <= place + step < len(grid):
            starts = list(fits)
            settings, tried = settings_with(grid[place + step])
            if settings.log_loss >= best.log_loss:
                break
            best, fits, place = settings, tried, place + step
        if place != began:  # it falls to this side, so it rises to the other
            break
    return best


def fit_temperature(scores: Floats, y: Ints) -> tuple[float, float]:
    """Find the temperature by which to divide scores so that log loss is smallest.

    Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 4.2. The true class
    counts (n + 1) / (n + 2) instead of 1, and the others share the rest, after Platt, "Probabilistic Outputs for
    Support Vector Machines", 1999: a few examples that are all right do not make a classifier that is always sure.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
    y : ndarray of shape (n,)

    Returns
    -------
    temperature, log_loss : float
    """
    from scipy.optimize import minimize_scalar

    scores = scores - scores.max(axis=1, keepdims=True)
    of_true = scores[np.arange(len(y)), y].mean(dtype=np.float64)
    of_others = (scores.sum(axis=1, dtype=np.float64).mean() - of_true) / (scores.shape[1] - 1)
    weight = (len(y) + 1) / (len(y) + 2)
    target = weight * of_true + (1 - weight) * of_others

    def loss(log_inverse: float) -> float:
        inverse = np.exp(log_inverse)
        return float(np.log(np.exp(scores * inverse).sum(axis=1)).mean(dtype=np.float64) - inverse * target)

    found = minimize_scalar(loss, bounds=(-7, 7), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(-found.x)), float(found.fun)
