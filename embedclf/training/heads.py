"""The two heads, fitted with scikit-learn; the choice of C; calibration."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from embedclf.classifier.linear import softmax
from embedclf.classifier.model_file import Head
from embedclf.embedding import Vectors
from embedclf.training.splits import Ints, Mask, assign_folds

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

# On unit-length embeddings scikit-learn's own C = 1 is far too strong with many classes.
C_GRID = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
C_WITHOUT_EVIDENCE = 10.0
_N_FOLDS = 5
_ENOUGH_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted matrix: weights (n_classes, n_dimensions) and bias (n_classes,)."""

    weights: Floats
    bias: Floats

    def scores(self, vectors: Floats) -> Floats:
        """(n, n_dimensions) to (n, n_classes)."""
        return vectors @ self.weights.T + self.bias

    def divided_by(self, temperature: float) -> Self:
        """Divide the scores by a temperature."""
        return type(self)(self.weights / temperature, self.bias / temperature)


def fit_logistic(vectors: Floats, y: Ints, C: float, *, start: Fit | None = None, exact: bool = True) -> Fit:
    """Fit multinomial logistic regression with an L2 penalty.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions)
        float32 takes half the time of float64, and is as good where `exact` is false.
    y : ndarray of shape (n,)
        Classes from 0, each of which occurs.
    C : float
        As in ``sklearn.linear_model.LogisticRegression``.
    start : Fit, optional
        Where to start from; it does not change the answer.
    exact : bool
        Whether to go on until probabilities stand to 1e-5 or better, rather than to 1e-2.
    """
    from sklearn.linear_model import LogisticRegression

    # The penalty curves the mean loss by 1 / (C n), so only a tolerance in that unit means the same for every C.
    # Newton's steps then need a third of the time of L-BFGS.
    tolerance = (1e-4 if exact else 1.0) / (C * len(y))
    model = LogisticRegression(C=C, solver="newton-cg", tol=min(1e-4, tolerance), max_iter=1000, warm_start=True)
    binary = int(y.max()) == 1
    if start is not None:
        # scikit-learn keeps two classes as one row: the difference of the two
        rows = slice(1, 2) if binary else slice(None)
        scale = 2 if binary else 1
        model.coef_ = (scale * start.weights[rows]).astype(vectors.dtype)
        model.intercept_ = (scale * start.bias[rows]).astype(vectors.dtype)
    with _for_many_classes():
        model.fit(vectors, y)
    weights, bias = model.coef_, model.intercept_
    if binary:
        weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return Fit(weights, bias)


def fit_centroid(vectors: Floats, y: Ints) -> Fit:
    """Fit nearest centroid: the squared distance to centroid c, less what all classes share, is ‖c‖² − 2 x·c."""
    # scikit-learn's NearestCentroid refuses vectors that are all equal, for the sake of variances that are not used.
    centroids = np.stack([vectors[y == number].mean(axis=0, dtype=np.float64) for number in range(int(y.max()) + 1)])
    return Fit(2 * centroids, -(centroids**2).sum(axis=1))


@contextmanager
def _for_many_classes() -> Iterator[None]:
    # scikit-learn suspects a regression where classes are many and small. Labels are names here.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%", UserWarning)
        yield


def fit(head: Head, vectors: Vectors, y: Ints, C: float | None, *, start: Fit | None = None) -> Fit:
    """Fit a head to the last digit that matters."""
    if head == "centroid":
        return fit_centroid(vectors, y)
    if C is None:
        raise ValueError("the logistic head needs C")
    return fit_logistic(vectors.astype(np.float64), y, C, start=start)


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
    n_judged : int
        How many examples it was chosen on.
    start : Fit or None
        A fit with this C, to start another from.
    judged : Judged or None
        What was answered to these examples; None if there were none.
    """

    C: float | None
    temperature: float
    n_judged: int
    start: Fit | None
    judged: Judged | None


def choose_settings(
    head: Head, vectors: Vectors, y: Ints, groups: Ints, C: float | None, *, seed: int, n_classes: int | None = None
) -> Settings:
    """Choose C by log loss, and the temperature that makes it smallest, on examples not fitted on.

    Of five folds, as many are scored as it takes to judge by 2,000 examples. C goes upwards, each fit starting from the
    one before, until the log loss (after the best temperature, since that is how the scores are used) rises.

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
        return Settings(None if head == "centroid" else C or C_WITHOUT_EVIDENCE, 1.0, 0, None, None)
    y_judged, known = (np.concatenate([values[judged] for _, judged in parts]) for values in (y, in_scope))

    def judge(fits: list[Fit]) -> tuple[float, float, Judged]:
        scores = np.concatenate([one.scores(vectors[judged]) for one, (_, judged) in zip(fits, parts, strict=True)])
        temperature, loss = fit_temperature(scores[known], y_judged[known])
        confidence = softmax(np.asarray(scores / temperature, dtype=np.float32)).max(axis=1)
        return temperature, loss, Judged(confidence, scores.argmax(axis=1) == y_judged, known)

    if head == "centroid":
        temperature, _, answers = judge([fit_centroid(vectors[kept], y[kept]) for kept, _ in parts])
        return Settings(None, temperature, n_judged, None, answers)

    best = Settings(None, 1.0, 0, None, None)
    least = float("inf")
    for value, fits in _logistic_path(vectors, y, [kept for kept, _ in parts], C_GRID if C is None else (C,)):
        temperature, loss, answers = judge(fits)
        if loss > least:
            break
        least, best = loss, Settings(value, temperature, n_judged, fits[0], answers)
    return best


def _logistic_path(
    vectors: Vectors, y: Ints, parts: list[Mask], grid: tuple[float, ...]
) -> Iterator[tuple[float, list[Fit]]]:
    starts: list[Fit | None] = [None] * len(parts)
    for C in grid:
        fits = [
            fit_logistic(vectors[kept], y[kept], C, start=start, exact=False)
            for kept, start in zip(parts, starts, strict=True)
        ]
        yield C, fits
        starts = list(fits)


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
