"""How sure a figure is: 95 % intervals by the Bayesian bootstrap over groups of rows, and what did not occur.

Rubin, "The Bayesian Bootstrap", 1981: the figure is computed 2,000 times, the rows weighted at random, which leaves the
ends of an interval about a hundredth of its length unsure. Copies of a text tell nothing new, so what is weighted are
groups of equal texts: the cluster bootstrap (Davison & Hinkley, "Bootstrap Methods and their Application", 1997,
section 3.8; Cameron, Gelbach & Miller, "Bootstrap-Based Improvements for Inference with Clustered Errors", 2008).

No weighing of rows that are all right brings forth a wrong one. So each time one more group, which did not occur, has a
weight as well: at the lower end it is as bad as can be, at the upper as good (Gaffke, "Three Test Statistics for a
Nonparametric One-Sided Hypothesis on the Mean of a Nonnegative Variable", 2005; Learned-Miller & Thomas, "A New
Confidence Interval for the Mean of a Bounded Random Variable", 2019). Of truth values the interval is the exact one of
Clopper & Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial", 1934; whether the
interval of differences in {−1, 0, 1} excludes nothing is the exact sign test, which is McNemar's ("Note on the Sampling
Error of the Difference between Correlated Proportions or Percentages", 1947). If of n rows none is better, less than
``1 - 0.025 ** (1 / n)`` of all rows are.
"""

import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Floats, Ints
from embedclf.formatting import counted

logger = logging.getLogger(__name__)


FEW_ROWS = 20
"""With fewer, a figure tells little."""

N_RESAMPLES = 2_000
_SHARE = 0.95
_ENDS = (50 * (1 - _SHARE), 50 * (1 + _SHARE))
# What is drawn at once has so many numbers at most.
_MOST_NUMBERS = 4_000_000


class Interval(NamedTuple):
    """The middle 95 % of what a figure could have come out as."""

    low: float
    high: float


def interval_of_mean(
    values: npt.NDArray[np.generic], groups: Ints | None = None, *, least: float = 0.0, most: float = 1.0, seed: int = 0
) -> Interval:
    """Give the interval of the mean of some values.

    Of whether each answer is right, this is the accuracy's interval; of the differences between two classifiers on the
    same rows, that of the difference of their accuracies.

    Parameters
    ----------
    values : ndarray of shape (n,)
        One a row, n at least 1; truth values for a share.
    groups : ndarray of shape (n,), int, optional
        Rows of one number belong together, as equal texts do; None says that each stands alone.
    least, most : float
        What a value can be; of differences, −1 and 1.
    seed : int
    """
    numbers = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(numbers)
    sums = np.bincount(numbers, weights=values.astype(np.float64))
    # Groups that are alike are weighted together: the same distribution, at a fraction of the time.
    kinds, counts = np.unique(np.column_stack([sums, sizes]), axis=0, return_counts=True)
    means = np.concatenate([(kinds[:, 0] @ drawn) / (kinds[:, 1] @ drawn) for drawn in _weights(counts, seed)])
    return _between(means, len(sizes), least, most, seed)


def interval_of_macro_f1(y_true: Ints, y_pred: Ints, groups: Ints | None = None, *, seed: int = 0) -> Interval:
    """Give the interval of macro-F1, the mean over the classes that occur, true or predicted.

    Of classes of few rows, macro-F1 comes out too low, and does so once more whenever these rows are weighted: the
    figures are moved upwards by twice what their mean lacks (Efron & Tibshirani, "An Introduction to the Bootstrap",
    1993, section 10.6). The group that did not occur makes macro-F1 lower or higher by its weight, as it does with the
    accuracy.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n,), int
        Class of each row, and the class that it was taken for; n at least 1.
    groups : ndarray of shape (n,), int, optional
        As of `interval_of_mean`.
    seed : int
    """
    numbers = np.arange(len(y_true)) if groups is None else np.unique(groups, return_inverse=True)[1]
    kind_of, counts = _kinds_of_groups(numbers, y_true * (int(y_pred.max()) + 1) + y_pred)
    # One row of each kind of group stands for all: an answer counts for the class it is of, and for that it was given.
    first = np.unique(kind_of, return_index=True)[1]
    rows = np.flatnonzero(np.isin(numbers, first))
    kinds = np.tile(kind_of[numbers[rows]], 2)
    right = np.tile(y_true[rows] == y_pred[rows], 2)
    classes = np.concatenate([y_true[rows], y_pred[rows]])
    order = np.argsort(classes, kind="stable")
    starts = np.unique(classes[order], return_index=True)[1]
    of_class = np.split(order, starts[1:])

    def macro_f1(weights: Floats) -> Floats:
        """Of weights of shape (n_kinds, n_drawn), (n_drawn,)."""
        total = np.zeros(weights.shape[1])
        for chosen in of_class:
            of_answers = weights[kinds[chosen]]
            total += right[chosen] @ of_answers / of_answers.sum(axis=0)
        return total / len(of_class)

    figures = np.concatenate([macro_f1(drawn) for drawn in _weights(counts, seed)])
    found = float(macro_f1(counts[:, None].astype(np.float64))[0])
    low, high = _between(np.clip(figures - 2 * (figures.mean() - found), 0, 1), len(kind_of), 0.0, 1.0, seed)
    return Interval(min(low, found), max(high, found))


def warn_of_few(groups: Ints, what: str) -> None:
    """Warn if figures rest on fewer than 20 different texts.

    Parameters
    ----------
    groups : ndarray of shape (n,), int
        Those of the rows; copies of a text make a figure no surer.
    what : str
        What was done to the rows, as in "held out".
    """
    n = len(np.unique(groups))
    if n < FEW_ROWS:
        things = counted(n, "row" if n == len(groups) else "different text")
        logger.warning("only %s %s: the figures may be far from the truth", things, what)


def _kinds_of_groups(numbers: Ints, cells: Ints) -> tuple[Ints, Ints]:
    """Find groups that hold the same cells of the confusion matrix: the kind of each group, and how many are of each.

    Parameters
    ----------
    numbers, cells : ndarray of shape (n,)
        The group of each row, numbered without gaps, and its cell.
    """
    order = np.lexsort((cells, numbers))
    ends = np.cumsum(np.bincount(numbers)).tolist()
    cells = cells[order]
    seen: dict[bytes, int] = {}
    kind_of = np.empty(len(ends), dtype=np.intp)
    start = 0
    for number, end in enumerate(ends):
        kind_of[number] = seen.setdefault(cells[start:end].tobytes(), len(seen))
        start = end
    return kind_of, np.bincount(kind_of)


def _weights(counts: Ints, seed: int) -> Iterator[Floats]:
    """Draw the weights of all groups of each kind together, 2,000 times: blocks of shape (n_kinds, n_drawn).

    The weight of a group is exponential; that of n groups has the gamma distribution of shape n. Only their proportions
    matter.
    """
    rng = np.random.default_rng(seed)
    size = max(1, _MOST_NUMBERS // len(counts))
    for start in range(0, N_RESAMPLES, size):
        yield rng.standard_gamma(counts[:, None], size=(len(counts), min(size, N_RESAMPLES - start)))


def _between(figures: Floats, n: int, least: float, most: float, seed: int) -> Interval:
    """Give the ends, one more group than the n that there are being the worst, or the best."""
    if np.ptp(figures) < 1e-12:
        # However these groups are weighted, the figure is the same: only the weight of the other one matters.
        unseen, figure = 1 - ((1 - _SHARE) / 2) ** (1 / n), float(figures[0])
        return Interval(figure + (least - figure) * unseen, figure + (most - figure) * unseen)
    weights = np.random.default_rng([seed, 1]).beta(1, n, size=len(figures))
    low = np.percentile(figures + (least - figures) * weights, _ENDS[0])
    high = np.percentile(figures + (most - figures) * weights, _ENDS[1])
    return Interval(float(low), float(high))
