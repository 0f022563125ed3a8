"""A solver for multinomial logistic regression.

It minimizes C times the sum of log losses plus half the squared weights, with unpenalized intercepts: the objective of
``sklearn.linear_model.LogisticRegression``. A row's log loss may have a weight.

A change of coordinates makes it fast. The vectors are centred and rotated into the eigenvectors of X'X, and each
coordinate of each class is divided by the square root of the objective's curvature along it at the starting point. In
these coordinates the problem is well conditioned, so L-BFGS takes a few dozen steps for any C, each of two matrix
products in float32. The eigenvectors are computed once per set of rows and reused by all fits. With fewer rows than
columns there are only as many axes as rows, since the optimum lies in their span.

Words are sparse columns beside the vectors. The most frequent ones, which correlate most with each other and with the
vectors, are rotated together with the vectors; each of the others is only scaled.

Texts with several labels have one binary problem per label, with the objective of ``LogisticRegression`` in
``sklearn.multiclass.OneVsRestClassifier``. They share coordinates and steps, so that all are solved at once.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np

from embedclf.arrays import Ints, Mask, Targets, Vectors
from embedclf.threads import n_cores
from embedclf.training.lbfgs import Floats, minimize

_MOST_STEPS = 1_000
# How far above its minimum the mean log loss may remain. _ROUGH suffices to choose C. At _FINE, each probability is
# within 1e-3 of the optimum's, at _EXACT within 1e-4.
_ROUGHEST, _ROUGH, _CHOOSING, _FINE, _EXACT = 1e-2, 1e-4, 1e-5, 1e-8, 1e-11
# Multiplications per step below which a finer fit takes negligible time.
_CHEAP = 30_000_000
# Eigenvectors of larger matrices are computed in float32.
_MOST_IN_FLOAT64 = 1_024
# Rows are split into parts for threads, each of which computes its own gradient.
_ROWS_A_PART, _MOST_PARTS = 8_192, 8
# Limits on the sparse columns that are rotated with the vectors: their number, rows per column, and matrix elements.
_ROTATED_COLUMNS, _ROWS_A_COLUMN, _ROTATED_NUMBERS = 256, 32, 50_000_000


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights of a fitted classifier.

    Attributes
    ----------
    weights : ndarray of shape (n_classes, n_dimensions)
    bias : ndarray of shape (n_classes,)
    word_weights : ndarray of shape (n_words, n_classes)
    converged : bool
        Whether the fit reached its tolerance.
    """

    weights: Floats
    bias: Floats
    word_weights: Floats
    converged: bool = True

    def scores(self, vectors: Floats, words: Any = None) -> Floats:
        """Return the scores, (n, n_classes), of vectors (n, n_dimensions) and words (n, n_words)."""
        scores = vectors @ self.weights.T + self.bias
        return scores if words is None else scores + words @ self.word_weights

    def divided_by(self, temperature: float) -> Self:
        """Return the fit whose scores are divided by a temperature."""
        parts = self.weights / temperature, self.bias / temperature, self.word_weights / temperature
        return type(self)(*parts, self.converged)

    def scaled(self, factors: Floats, shifts: Floats) -> Self:
        """Return the fit whose scores are those of this one times a factor, plus a shift, for each class."""
        parts = self.weights * factors[:, None], self.bias * factors + shifts, self.word_weights * factors
        return type(self)(*parts, self.converged)

    def relative_to_last(self) -> Self:
        """Return the fit whose scores are those of all classes but the last, less that of the last."""
        parts = (
            self.weights[:-1] - self.weights[-1],
            self.bias[:-1] - self.bias[-1],
            self.word_weights[:, :-1] - self.word_weights[:, -1:],
        )
        return type(self)(*parts, self.converged)


class Design:
    """A set of rows, with everything that all fits to them share.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
    words : scipy.sparse.csr_array of shape (n, n_words), float32, optional
    scale : float
        Factor of the words. The larger it is, the less their weights are penalized relative to those of the vectors.
    is_rotated : bool
        Whether the vectors are already rotated by the `principal_axes` of these and other rows, which works as well.
    """

    def __init__(self, vectors: Vectors, words: Any = None, scale: float = 1.0, *, is_rotated: bool = False) -> None:
        n, self.n_dimensions = vectors.shape
        self.scale = scale
        self.n_words = 0 if words is None else words.shape[1]
        self.frequent = np.zeros(self.n_words, dtype=bool)
        self.rare: Any = None
        if words is not None:
            words = words * np.float32(scale)
            squares = np.asarray(words.multiply(words).sum(axis=0)).ravel()
            most = 0 if is_rotated else min(_ROTATED_COLUMNS, n // _ROWS_A_COLUMN, _ROTATED_NUMBERS // n)
            self.frequent[np.argsort(-squares, kind="stable")[:most]] = True
            vectors = np.hstack([vectors, words[:, self.frequent].toarray()])
            self.rare = words[:, ~self.frequent].tocsr()
        self.mean = vectors.mean(axis=0, dtype=np.float64)
        centred = vectors - self.mean.astype(np.float32)
        self.axes = None if is_rotated else principal_axes(centred)
        self.rotated = centred if self.axes is None else centred @ self.axes.astype(np.float32)
        self._parts = self._divided(np.float32)

    def parts(self, kind: type[np.float32] | type[np.float64]) -> list["_Part"]:
        """Return the rows in parts for several threads; neither the parts nor the sums depend on their number."""
        # Not kept in float64, in which they are twice as large and needed at most once per fit.
        return self._parts if kind is np.float32 else self._divided(kind)

    def _divided(self, kind: type[np.float32] | type[np.float64]) -> list["_Part"]:
        n = len(self.rotated)
        cuts = np.linspace(0, n, max(1, min(_MOST_PARTS, n // _ROWS_A_PART)) + 1).astype(int)
        out = []
        for rows in (slice(start, stop) for start, stop in pairwise(cuts)):
            rare: Any = None if self.rare is None else self.rare[rows].astype(kind)
            transposed = None if rare is None else rare.T.tocsr()
            out.append(_Part(rows, self.rotated[rows].astype(kind, copy=False), rare, transposed))
        return out

    def rough_fit(self, y: Targets, C: float) -> Fit:
        """Fit until the accuracy hardly changes any more, but the probabilities still do; see `fit`."""
        problem = _problem(self, y, C)
        u, _ = problem.solve(problem.zeros(), _ROUGHEST, np.float32)
        return problem.to_fit(u, converged=True)

    def fit(
        self,
        y: Targets,
        C: float,
        *,
        start: Fit | None = None,
        exact: bool = True,
        sample_weight: Floats | None = None,
    ) -> Fit:
        """Fit the classes of the rows.

        Parameters
        ----------
        y : ndarray of shape (n,)
            Class indices from 0, each of which occurs. Or which labels each row has, (n, n_labels), bool.
        C : float
        start : Fit, optional
            Starting point, which does not change the result.
        exact : bool
            Whether to bring each probability to within 1e-3 of the optimum's; otherwise, the fit is only good enough
            to choose C.
        sample_weight : ndarray of shape (n,), optional
            How many rows each row counts for, above 0; None is one each. If rows may have several labels, it may say so
            for each label, (n, n_labels).
        """
        problem = _problem(self, y, C, sample_weight)
        u = problem.zeros() if start is None else problem.from_fit(start)
        cheap = self.rotated.size * problem.n_classes <= _CHEAP
        if not exact:
            enough = _CHOOSING if cheap else _ROUGH
            u, excess = problem.solve(u, enough, np.float32)
            return problem.to_fit(u, converged=excess <= enough)
        if start is None:
            u, _ = problem.solve(u, _ROUGHEST, np.float32)  # the curvature is better known from there
        u, excess = problem.solve(u, _FINE, np.float32)
        # float64 costs twice as much, and continues where float32 cannot resolve further descent.
        if cheap:
            u, excess = problem.solve(u, _EXACT, np.float64)
        elif excess > _FINE:
            u, excess = problem.solve(u, _FINE, np.float64)
        return problem.to_fit(u, converged=excess <= _FINE)


def principal_axes(vectors: Vectors) -> Floats:
    """Return the eigenvectors of the rows' covariance whose eigenvalues are not zero: (n_dimensions, n_axes)."""
    centred = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    n, d = centred.shape
    gram = centred.T @ centred if n >= d else centred @ centred.T
    # Approximate axes suffice, and float64 would take twice as long: minutes for long vectors.
    values, axes = np.linalg.eigh(gram.astype(np.float64) if len(gram) <= _MOST_IN_FLOAT64 else gram)
    # Below this, an axis is float32 noise.
    real = values > max(values[-1], 0) * 1e-7 if len(values) else np.zeros(0, dtype=bool)
    axes = axes[:, real].astype(np.float64)
    if n < d:
        axes = (centred.T @ axes.astype(np.float32)).astype(np.float64) / np.sqrt(values[real])
    return axes


class _Part(NamedTuple):
    """Some of the rows of a design, in one precision."""

    rows: slice
    rotated: Floats
    rare: Any
    transposed: Any


class _Problem:
    """One fit, in well-conditioned coordinates: the axes and the rare words, each scaled by its curvature.

    They are one flat array: (n_classes, n_axes + 1) with the intercepts last, then (n_rare_words, n_classes).

    Attributes
    ----------
    n_classes : int
    """

    def __init__(self, design: Design, n_classes: int, C: float, sample_weight: Floats | None = None) -> None:
        self.n_classes = n_classes
        self._design, self._C, self._sample_weight = design, C, sample_weight
        n_each = 1 if sample_weight is None or sample_weight.ndim == 1 else n_classes
        self._n_counted = len(design.rotated) if sample_weight is None else float(sample_weight.sum()) / n_each
        self._n_rare = 0 if design.rare is None else design.rare.shape[1]

    def zeros(self) -> Floats:
        return np.zeros(self.n_classes * (self._design.rotated.shape[1] + 1 + self._n_rare))

    def _parts(self, u: Floats) -> tuple[Floats, Floats, Floats]:
        """Return views of the weights of the axes, the intercepts, and the weights of rare words."""
        n_dense = self.n_classes * (self._design.rotated.shape[1] + 1)
        dense = u[:n_dense].reshape(self.n_classes, -1)
        return dense[:, :-1], dense[:, -1], u[n_dense:].reshape(self._n_rare, self.n_classes)

    def from_fit(self, fit: Fit) -> Floats:
        u = self.zeros()
        U, B, W = self._parts(u)
        word_weights = fit.word_weights / self._design.scale
        weights = np.hstack([fit.weights, word_weights[self._design.frequent].T]).astype(np.float64)
        U[:] = weights if self._design.axes is None else weights @ self._design.axes
        B[:] = fit.bias + weights @ self._design.mean
        if self._n_rare:
            W[:] = word_weights[~self._design.frequent]
        return u

    def to_fit(self, u: Floats, *, converged: bool) -> Fit:
        U, B, W = self._parts(u.astype(np.float64))
        design, d = self._design, self._design.n_dimensions
        weights = U if design.axes is None else U @ design.axes.T
        of_words = np.empty((design.n_words, self.n_classes))
        of_words[design.frequent] = weights[:, d:].T
        if self._n_rare:
            of_words[~design.frequent] = W
        return Fit(weights[:, :d], B - weights @ design.mean, design.scale * of_words, converged)

    def _scores(self, u: Floats, part: _Part) -> Floats:
        U, B, W = self._parts(u)
        scores: Floats = part.rotated @ U.T
        scores += B
        if self._n_rare:
            scores += part.rare @ W
        return scores

    def _start(self, n_rows: int, kind: Any) -> Floats:
        """Return the probability of each class where nothing is known: (n_rows, n_classes)."""
        raise NotImplementedError

    def _probabilities(self, scores: Floats) -> Floats:
        """Return the probabilities that scores stand for, which may be in their place."""
        raise NotImplementedError

    def _losses(self, scores: Floats, part: _Part) -> tuple[Floats, Floats]:
        """Return the log loss of each row, (n_rows,), and its gradient with respect to the scores."""
        raise NotImplementedError

    def _costs(self, part: _Part, kind: Any) -> Floats:
        """Return C times the weight of each of these rows: (n_rows, 1), or one per class, or (1, 1) if all are one."""
        weights = 1.0 if self._sample_weight is None else self._sample_weight[part.rows]
        costs = np.asarray(self._C * weights, dtype=kind)
        return costs if costs.ndim == 2 else costs.reshape(-1, 1)

    def _sum(self, losses: Floats, part: _Part) -> float:
        """Return the sum of numbers of these rows, times their weights."""
        if self._sample_weight is None or self._sample_weight.ndim == 2:  # these are in the losses
            return float(losses.sum(dtype=np.float64))
        return float(losses.astype(np.float64) @ self._sample_weight[part.rows])

    def _curvature(self, u: Floats, part: _Part) -> Floats:
        """Return the contribution of these rows to the curvature along each coordinate: (n_coordinates,)."""
        p = self._probabilities(self._scores(u, part)) if u.any() else self._start(len(part.rotated), u.dtype)
        p *= 1 - p
        p *= self._costs(part, u.dtype)
        curvature = np.empty_like(u)
        U, B, W = self._parts(curvature)
        U[:] = p.T @ part.rotated**2
        B[:] = p.sum(axis=0)
        if self._n_rare:
            squared = part.transposed.copy()
            squared.data **= 2
            W[:] = squared @ p
        return curvature

    def _loss(self, u: Floats, part: _Part) -> tuple[float, Floats]:
        """Return C times the log loss of these rows, and its gradient."""
        losses, of_scores = self._losses(self._scores(u, part), part)
        loss = self._C * self._sum(losses, part)
        of_scores *= self._costs(part, u.dtype)
        gradient = np.empty_like(u)
        U, B, W = self._parts(gradient)
        np.matmul(of_scores.T, part.rotated, out=U)
        B[:] = of_scores.sum(axis=0)
        if self._n_rare:
            W[:] = part.transposed @ of_scores
        return loss, gradient

    def solve(self, u: Floats, tolerance: float, kind: type[np.float32] | type[np.float64]) -> tuple[Floats, float]:
        """Minimize until the mean log loss is within a tolerance of its minimum; return u and the estimated excess."""
        # In these coordinates, the loss exceeds its minimum by about half the squared norm of the gradient.
        enough = float(np.sqrt(2 * tolerance * self._C * self._n_counted))
        parts = self._design.parts(kind)
        with ThreadPoolExecutor(min(len(parts), n_cores())) as threads:
            each = map if len(parts) == 1 else threads.map
            start = u.astype(kind)
            curvature = sum(each(self._curvature, [start] * len(parts), parts), np.zeros_like(start))
            of_U, of_B, of_W = self._parts(curvature)
            of_U += 1
            of_W += 1
            of_B[:] = np.maximum(of_B, 1e-6)
            scale: Floats = 1 / np.sqrt(curvature)

            def objective(scaled: Floats) -> tuple[float, Floats]:
                u = scaled * scale
                losses, gradients = zip(*each(self._loss, [u] * len(parts), parts), strict=True)
                B = self._parts(u)[1]
                penalty = float(np.vdot(u, u)) - float(np.vdot(B, B))
                B[:] = 0  # the intercepts are not penalized
                for gradient in gradients:
                    u += gradient
                u *= scale
                return sum(losses) + penalty / 2, u

            scaled, norm = minimize(objective, start / scale, enough, _MOST_STEPS)
        return (scaled * scale).astype(np.float64), tolerance * (norm / enough) ** 2


class _OneOfSeveral(_Problem):
    """Rows that have one class each: the softmax of the scores."""

    def __init__(self, design: Design, y: Ints, C: float, sample_weight: Floats | None = None) -> None:
        n_classes = int(y.max()) + 1
        # scikit-learn fits the difference of the two rows of weights, whose penalty is twice that of both.
        super().__init__(design, n_classes, C / 2 if n_classes == 2 else C, sample_weight)
        self._y = y

    def _start(self, n_rows: int, kind: Any) -> Floats:
        return np.full((n_rows, self.n_classes), 1 / self.n_classes, dtype=kind)

    def _probabilities(self, scores: Floats) -> Floats:
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores

    def _losses(self, scores: Floats, part: _Part) -> tuple[Floats, Floats]:
        rows, y = np.arange(len(scores)), self._y[part.rows]
        scores -= scores.max(axis=1, keepdims=True)
        of_true = scores[rows, y]
        np.exp(scores, out=scores)
        sums = scores.sum(axis=1)
        scores /= sums[:, None]
        scores[rows, y] -= 1
        return np.log(sums) - of_true, scores


class _EachLabel(_Problem):
    """Rows that may have several labels: the logistic function of each score."""

    def __init__(self, design: Design, given: Mask, C: float, sample_weight: Floats | None = None) -> None:
        super().__init__(design, given.shape[1], C, sample_weight)
        self._given = given
        # The intercept of a label that no row has, or every row, has no optimum; a row more of the other kind gives it
        # one.
        n, counts = len(given), given.sum(axis=0)
        self._constant = np.flatnonzero((counts == 0) | (counts == n))
        self._share = ((counts + 1) / (n + 2))[self._constant]

    def _start(self, n_rows: int, kind: Any) -> Floats:
        return np.full((n_rows, self.n_classes), 1 / 2, dtype=kind)

    def _probabilities(self, scores: Floats) -> Floats:
        small = np.exp(-np.abs(scores))
        probabilities: Floats = np.where(scores >= 0, 1, small) / (1 + small)
        return probabilities

    def _losses(self, scores: Floats, part: _Part) -> tuple[Floats, Floats]:
        given = self._given[part.rows]
        small = np.exp(-np.abs(scores))  # of this, nothing overflows
        each = np.maximum(scores, 0) + np.log1p(small) - np.where(given, scores, 0)
        of_constant = scores[:, self._constant] * (given[:, self._constant] - self._share)
        if self._sample_weight is not None and self._sample_weight.ndim == 2:
            weights = self._sample_weight[part.rows]
            each, of_constant = each * weights, of_constant * weights[:, self._constant]
        losses = each.sum(axis=1)
        gradient = np.where(scores >= 0, 1, small) / (1 + small)
        gradient -= given
        if len(self._constant):
            losses += of_constant.sum(axis=1)
            gradient[:, self._constant] += given[:, self._constant] - self._share
        return losses, gradient


def _problem(design: Design, y: Targets, C: float, sample_weight: Floats | None = None) -> _Problem:
    kind = _OneOfSeveral if y.ndim == 1 else _EachLabel
    return kind(design, y, C, sample_weight)
