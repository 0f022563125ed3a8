"""Multinomial logistic regression: the solver.

Minimise C times the sum of log losses plus half the squared weights, the intercepts not penalised, which is what
``sklearn.linear_model.LogisticRegression`` minimises.

What makes it fast is a change of coordinates. The vectors are centred and rotated into the eigenvectors of X'X, and
each axis is divided by what the curvature there is about to be, sqrt(C h λ + 1), where h stands for the curvature of
the log loss. In these coordinates the problem is nearly round, so that L-BFGS takes a few dozen steps whatever C is,
each of two matrix products in float32. The eigenvectors are computed once for a set of rows, however often it is
fitted. Where there are fewer rows than columns, only as many axes as rows are left: the optimum lies in their span.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from embedclf.embedding import Vectors
from embedclf.training.splits import Ints

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

# Steps that L-BFGS remembers.
_MEMORY = 10
_MOST_STEPS = 1_000
# How far above its minimum the mean log loss may stay. Roughly, it is enough to choose C by. Finely, single
# probabilities are within 1e-3 of the optimum's, and exactly within 1e-4.
_ROUGH, _FINE, _EXACT = 1e-4, 1e-8, 1e-11
# Multiplications a step, below which a finer fit takes no time worth saving.
_CHEAP = 30_000_000


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted matrix.

    Attributes
    ----------
    weights : ndarray of shape (n_classes, n_dimensions)
    bias : ndarray of shape (n_classes,)
    converged : bool
        Whether the tolerance was reached.
    """

    weights: Floats
    bias: Floats
    converged: bool = True

    def scores(self, vectors: Floats) -> Floats:
        """(n, n_dimensions) to (n, n_classes)."""
        return vectors @ self.weights.T + self.bias

    def divided_by(self, temperature: float) -> Self:
        """Divide the scores by a temperature."""
        return type(self)(self.weights / temperature, self.bias / temperature, self.converged)


class Design:
    """A set of rows, with what can be computed once for all fits to them.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
    """

    def __init__(self, vectors: Vectors) -> None:
        self.mean = vectors.mean(axis=0, dtype=np.float64)
        centred = vectors - self.mean.astype(np.float32)
        n, d = centred.shape
        gram = centred.T @ centred if n >= d else centred @ centred.T
        values, axes = np.linalg.eigh(gram.astype(np.float64))
        # Below this, an axis is float32's noise.
        real = values > values[-1] * 1e-7 if values[-1] > 0 else np.zeros(len(values), dtype=bool)
        self.eigenvalues = values[real]
        axes = axes[:, real]
        if n < d:
            axes = (centred.T @ axes.astype(np.float32)).astype(np.float64) / np.sqrt(self.eigenvalues)
        self.axes = axes
        self.rotated = centred @ axes.astype(np.float32)

    def fit(self, y: Ints, C: float, *, start: Fit | None = None, exact: bool = True) -> Fit:
        """Fit the rows' classes.

        Parameters
        ----------
        y : ndarray of shape (n,)
            Classes from 0, each of which occurs.
        C : float
        start : Fit, optional
            Where to start from. It does not change the answer.
        exact : bool
            Whether single probabilities are to be within 1e-3 of the optimum's; else it is good enough to choose C by.
        """
        problem = _Problem(self, y, C)
        u = problem.zeros() if start is None else problem.from_fit(start)
        cheap = self.rotated.size * problem.n_classes <= _CHEAP
        enough = _FINE if exact or cheap else _ROUGH
        u, excess = problem.solve(u, enough, np.float32)
        # float64 costs twice as much, and goes on where float32 can no longer tell up from down.
        if exact and cheap:
            u, excess = problem.solve(u, _EXACT, np.float64)
        elif excess > enough:
            u, excess = problem.solve(u, enough, np.float64)
        return problem.to_fit(u, converged=excess <= enough)


class _Problem:
    """One fit, in the coordinates in which it is nearly round: (n_classes, n_axes + 1), the intercepts last.

    Attributes
    ----------
    n_classes : int
    """

    def __init__(self, design: Design, y: Ints, C: float) -> None:
        self.n_classes = int(y.max()) + 1
        if self.n_classes == 2:
            # scikit-learn fits the difference of the two rows, whose penalty is twice that of both.
            C /= 2
        self._design, self._y, self._C = design, y, C
        # The log loss curves by p (1 - p): at the start, where all classes are as likely.
        curvature = (1 - 1 / self.n_classes) / self.n_classes
        self._scale = 1 / np.sqrt(C * curvature * design.eigenvalues + 1)
        self._scale_bias = 1 / np.sqrt(C * curvature * len(y))
        self._norm = np.inf

    def zeros(self) -> npt.NDArray[np.float64]:
        return np.zeros((self.n_classes, len(self._scale) + 1))

    def from_fit(self, fit: Fit) -> npt.NDArray[np.float64]:
        weights = fit.weights.astype(np.float64)
        bias = fit.bias + weights @ self._design.mean
        return np.column_stack([weights @ self._design.axes / self._scale, bias / self._scale_bias])

    def to_fit(self, u: npt.NDArray[np.float64], *, converged: bool) -> Fit:
        weights = (u[:, :-1] * self._scale) @ self._design.axes.T
        return Fit(weights, u[:, -1] * self._scale_bias - weights @ self._design.mean, converged)

    def solve(
        self, u: npt.NDArray[np.float64], tolerance: float, kind: type[np.float32] | type[np.float64]
    ) -> tuple[npt.NDArray[np.float64], float]:
        """Go on until the mean log loss is within a tolerance of its minimum; returns about how far above it is."""
        from scipy.optimize import fmin_l_bfgs_b

        # Where the problem is round, the loss is half the squared length of the gradient above its minimum.
        enough = np.sqrt(2 * tolerance * self._C * len(self._y))
        rows = np.arange(len(self._y))
        Z = (self._design.rotated * self._scale).astype(kind)
        squares = self._scale**2

        def objective(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            at = flat.reshape(u.shape)
            U, B = at[:, :-1], at[:, -1]
            scores = Z @ U.T.astype(kind)
            scores += (B * self._scale_bias).astype(kind)
            scores -= scores.max(axis=1, keepdims=True)
            of_true = scores[rows, self._y].sum(dtype=np.float64)
            np.exp(scores, out=scores)
            sums = scores.sum(axis=1)
            loss = self._C * (float(np.log(sums).sum(dtype=np.float64)) - float(of_true))
            scores /= sums[:, None]
            scores[rows, self._y] -= 1  # now what the loss says of each score
            gradient = np.empty_like(at)
            gradient[:, :-1] = self._C * (scores.T @ Z) + U * squares
            gradient[:, -1] = self._C * self._scale_bias * scores.sum(axis=0, dtype=np.float64)
            self._norm = float(np.linalg.norm(gradient))
            return loss + 0.5 * float(np.einsum("kd,kd,d->", U, U, squares)), gradient.ravel()

        def stop(_: object) -> None:
            if self._norm < enough:
                raise StopIteration

        most = {"maxiter": _MOST_STEPS, "maxfun": 2 * _MOST_STEPS}
        flat, _, _ = fmin_l_bfgs_b(objective, u.ravel(), m=_MEMORY, pgtol=0, factr=0, callback=stop, **most)
        return flat.reshape(u.shape), tolerance * (self._norm / enough) ** 2
