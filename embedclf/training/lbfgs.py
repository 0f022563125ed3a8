"""L-BFGS for problems of many variables, in the precision of its input.

Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", 1980, in the form of Chen, Wang & Zhou, "Large-scale
L-BFGS using MapReduce", 2014: it needs only inner products with the last steps, which are one matrix product. With a
million variables, SciPy's own L-BFGS spends most of its time there, and it computes in float64 only.
"""

from collections.abc import Callable
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt

from embedclf.phases import Phase, phase

# float32 or float64: the precision of the caller is kept.
Floats = npt.NDArray[Any]
Objective = Callable[[Floats], tuple[float, Floats]]

_MEMORY = 8
_LEAST_STEP = 1e-4


def minimize(objective: Objective, u: Floats, enough: float, most_steps: int) -> tuple[Floats, float]:
    """Minimize a convex function.

    Parameters
    ----------
    objective : callable
        Returns the value and the gradient at a point.
    u : ndarray of shape (n,), float32 or float64
        Starting point.
    enough : float
        Stop when the norm of the gradient is at most this.
    most_steps : int

    Returns
    -------
    u : ndarray of shape (n,)
    norm : float
        The norm of the gradient there. If it is above `enough`, the precision or the number of steps was exhausted.
    """
    with phase("Solving", 100) as solving:
        return _minimize(objective, u, enough, most_steps, solving)


def _minimize(objective: Objective, u: Floats, enough: float, most_steps: int, solving: Phase) -> tuple[Floats, float]:
    value, gradient = objective(u)
    history, first = _History(u), float(np.linalg.norm(gradient))
    # Relative rounding error of a sum.
    noise = 10 * float(np.finfo(u.dtype).eps)
    for _ in range(most_steps):
        norm = float(np.linalg.norm(gradient))
        if norm <= enough:
            break
        # The logarithm of the norm falls ever more slowly, about as the square root of the time.
        solving.reach(max(solving.done, round(100 * max(0.0, log(first / norm) / log(first / enough)) ** 2)))
        direction = history.direction(gradient)
        slope = float(gradient @ direction)
        step = 1.0
        while True:
            new_u = u + u.dtype.type(step) * direction
            new_value, new_gradient = objective(new_u)
            new_slope = float(new_gradient @ direction)
            # Where the values differ by noise only, the slopes still decide (the approximate Wolfe condition of Hager &
            # Zhang, "A New Conjugate Gradient Method with Guaranteed Descent and an Efficient Line Search", 2005).
            if new_value <= value + 1e-4 * step * slope or (
                new_value <= value + noise * abs(value) and abs(new_slope) <= 0.8 * abs(slope)
            ):
                break
            # Interpolate to where the slope would be 0.
            step *= min(0.7, max(0.1, slope / (slope - new_slope))) if new_slope > 0 else 0.3
            if step < _LEAST_STEP:
                return u, norm
        history.add(new_u - u, new_gradient - gradient)
        u, value, gradient = new_u, new_value, new_gradient
    return u, float(np.linalg.norm(gradient))


class _History:
    """The last steps and gradient changes, with their inner products."""

    def __init__(self, u: Floats) -> None:
        self._steps, self._changes = np.zeros((2, _MEMORY, len(u)), dtype=u.dtype)
        self._steps_changes, self._changes_changes = np.zeros((2, _MEMORY, _MEMORY))
        self._n = 0

    def add(self, step: Floats, change: Floats) -> None:
        """Store a step in place of the oldest."""
        if float(step @ change) <= 0:  # only by rounding, since the function is convex
            return
        place = self._n % _MEMORY
        self._steps[place], self._changes[place] = step, change
        self._n += 1
        self._steps_changes[:, place] = self._steps @ change
        self._changes_changes[:, place] = self._changes_changes[place] = self._changes @ change

    def direction(self, gradient: Floats) -> Floats:
        """Return the search direction: minus the approximate inverse Hessian times the gradient."""
        newest_first = [place % _MEMORY for place in range(self._n - 1, max(self._n - _MEMORY, 0) - 1, -1)]
        if not newest_first:
            return -gradient
        of_steps, of_changes = self._steps @ gradient, self._changes @ gradient
        sy, yy = self._steps_changes, self._changes_changes
        alpha, gamma = np.zeros((2, _MEMORY))
        for i in newest_first:
            alpha[i] = (of_steps[i] - sy[i] @ alpha) / sy[i, i]
        newest = newest_first[0]
        scale = sy[newest, newest] / yy[newest, newest]
        for i in reversed(newest_first):
            beta = (scale * (of_changes[i] - yy[i] @ alpha) + sy[:, i] @ gamma) / sy[i, i]
            gamma[i] = alpha[i] - beta
        kind = gradient.dtype
        out: Floats = (scale * alpha).astype(kind) @ self._changes
        out -= gamma.astype(kind) @ self._steps
        out -= kind.type(scale) * gradient
        return out
