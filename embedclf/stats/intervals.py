"""95 % confidence intervals: the Bayesian bootstrap over groups of rows, with a correction for unseen outcomes.

Rubin, "The Bayesian Bootstrap", 1981: the metric is computed 2,000 times with random weights of the rows, which
determines the ends of an interval to about a hundredth of its length. Copies of a text carry no new information, so
weights are drawn for groups of equal texts: the cluster bootstrap (Davison & Hinkley, "Bootstrap Methods and their
Application", 1997, section 3.8; Cameron, Gelbach & Miller, "Bootstrap-Based Improvements for Inference with Clustered
Errors", 2008).

If all rows are correct, no reweighting produces an error. So each sample includes one more, unseen group with a weight
of its own: the worst possible at the lower end, the best possible at the upper (Gaffke, "Three Test Statistics for a
Nonparametric One-Sided Hypothesis on the Mean of a Nonnegative Variable", 2005; Learned-Miller & Thomas, "A New
Confidence Interval for the Mean of a Bounded Random Variable", 2019). For truth values, this is the exact interval of
Clopper & Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial", 1934. For
differences in {−1, 0, 1}, whether the interval excludes 0 is the exact sign test, which is McNemar's test ("Note on the
Sampling Error of the Difference between Correlated Proportions or Percentages", 1947). If none of n rows is better, the
upper limit of the share of better rows is ``1 - 0.025 ** (1 / n)``.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Floats, Ints, Mask
from embedclf.formatting import counted
from embedclf.phases import tracked

logger = logging.getLogger(__name__)


FEW_ROWS = 20
"""With fewer rows, metrics are unreliable."""

N_RESAMPLES = 2_000
_SHARE = 0.95
_ENDS = (50 * (1 - _SHARE), 50 * (1 + _SHARE))
# Limit on how many numbers are drawn at once.
_MOST_NUMBERS = 4_000_000
# Less than any weighted sum of counts.
_TINY = 1e-300


class Interval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


def interval_of_mean(
    values: npt.NDArray[np.generic], groups: Ints | None = None, *, least: float = 0.0, most: float = 1.0, seed: int = 0
) -> Interval:
    """Return the interval of the mean of some values.

    For values that say whether each prediction is correct, this is the interval of the accuracy; for differences
    between two classifiers on the same rows, that of the difference in accuracy.

    Parameters
    ----------
    values : ndarray of shape (n,)
        One per row, n at least 1; truth values for a share.
    groups : ndarray of shape (n,), int, optional
        Rows with the same number belong together, as equal texts do; None treats each row as a group of its own.
    least, most : float
        Range of the values; −1 and 1 for differences.
    seed : int
    """
    numbers = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(numbers)
    sums = np.bincount(numbers, weights=values.astype(np.float64))
    # Groups with the same sum and size are weighted together: same distribution, in a fraction of the time.
    kinds, counts = np.unique(np.column_stack([sums, sizes]), axis=0, return_counts=True)
    means = np.concatenate([(kinds[:, 0] @ drawn) / (kinds[:, 1] @ drawn) for drawn in _weights(counts, seed)])
    return _between(means, len(sizes), least, most, seed)


def interval_of_macro_f1(y_true: Ints, y_pred: Ints, groups: Ints | None = None, *, seed: int = 0) -> Interval:
    """Return the interval of macro-F1, the mean over all classes that occur as true or predicted labels.

    For classes with few rows, macro-F1 is biased downwards, and reweighting the rows adds the same bias again: the
    samples are shifted upwards by twice the gap between their mean and macro-F1 (Efron & Tibshirani, "An Introduction
    to the Bootstrap", 1993, section 10.6). The unseen group lowers or raises macro-F1 by its weight, as it does for the
    accuracy.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n,), int
        True and predicted class of each row; n at least 1.
    groups : ndarray of shape (n,), int, optional
        As for `interval_of_mean`.
    seed : int
    """
    numbers = np.arange(len(y_true)) if groups is None else np.unique(groups, return_inverse=True)[1]
    kind_of, counts = _kinds_of_groups(numbers, y_true * (int(y_pred.max()) + 1) + y_pred)
    # One group of each kind represents all of them. A prediction counts for its true and for its predicted class.
    first = np.unique(kind_of, return_index=True)[1]
    rows = np.flatnonzero(np.isin(numbers, first))
    kinds = np.tile(kind_of[numbers[rows]], 2)
    right = np.tile(y_true[rows] == y_pred[rows], 2)
    classes = np.concatenate([y_true[rows], y_pred[rows]])
    order = np.argsort(classes, kind="stable")
    starts = np.unique(classes[order], return_index=True)[1]
    of_class = np.split(order, starts[1:])

    def macro_f1(weights: Floats) -> Floats:
        """Return macro-F1 for weights of shape (n_kinds, n_drawn): (n_drawn,)."""
        total = np.zeros(weights.shape[1])
        for chosen in of_class:
            of_answers = weights[kinds[chosen]]
            total += right[chosen] @ of_answers / of_answers.sum(axis=0)
        return total / len(of_class)

    figures = np.concatenate([macro_f1(drawn) for drawn in _weights(counts, seed)])
    found = float(macro_f1(counts[:, None].astype(np.float64))[0])
    return _between_corrected(figures, found, len(kind_of), seed)


def interval_of_ratios(
    above: npt.NDArray[np.generic],
    below: npt.NDArray[np.generic],
    groups: Ints | None = None,
    *,
    factors: Sequence[float] | None = None,
    least: float = 0.0,
    most: float = 1.0,
    seed: int = 0,
) -> Interval:
    """Return the interval of ratios of sums, such as micro-F1: of their mean, or of a difference between them.

    Parameters
    ----------
    above, below : ndarray of shape (n, n_ratios)
        What each row adds to the two sums of each ratio; a ratio whose sum below is 0 is 0.
    groups : ndarray of shape (n,), int, optional
        As for `interval_of_mean`.
    factors : sequence of float, of length n_ratios
        What the ratios are multiplied by before they are added up; None is their mean.
    least, most : float
        Range of the result; −1 and 1 for differences.
    seed : int
    """
    kinds, counts = _kinds_of_sums(np.hstack([above, below]), groups)
    n_ratios = above.shape[1]
    weights = np.full(n_ratios, 1 / n_ratios) if factors is None else np.asarray(factors)
    parts = []
    for drawn in _weights(counts, seed):
        sums = kinds.T @ drawn
        parts.append(weights @ (sums[:n_ratios] / np.maximum(sums[n_ratios:], _TINY)))
    return _between(np.concatenate(parts), int(counts.sum()), least, most, seed)


def interval_between_means(
    values: npt.NDArray[np.generic],
    is_first: Mask,
    groups: Ints | None = None,
    *,
    least: float = 0.0,
    most: float = 1.0,
    seed: int = 0,
) -> Interval:
    """Return the interval of the mean of some values of the first rows, less that of the other rows.

    Both have an unseen group of their own, since one may have far fewer groups than the other.

    Parameters
    ----------
    values : ndarray of shape (n,)
        One per row.
    is_first : ndarray of shape (n,), bool
        Which rows are first ones; at least one is, and at least one is not.
    groups : ndarray of shape (n,), int, optional
        As for `interval_of_mean`; a group may have rows of both.
    least, most : float
        Range of the values.
    seed : int
    """
    below = np.column_stack([is_first, ~is_first]).astype(np.float64)
    kinds, counts = _kinds_of_sums(np.hstack([below * values.astype(np.float64)[:, None], below]), groups)
    drawn_sums = np.hstack([kinds.T @ drawn for drawn in _weights(counts, seed)])
    means = drawn_sums[:2] / drawn_sums[2:]
    n_groups = counts @ (kinds[:, 2:] > 0)
    unseen = np.random.default_rng([seed, 1]).beta(1, n_groups[:, None], size=means.shape)
    lows, highs = means + (least - means) * unseen, means + (most - means) * unseen
    low, high = np.percentile(lows[0] - highs[1], _ENDS[0]), np.percentile(highs[0] - lows[1], _ENDS[1])
    return Interval(float(low), float(high))


def interval_of_macro_ratio(
    above: npt.NDArray[np.generic], below: npt.NDArray[np.generic], groups: Ints | None = None, *, seed: int = 0
) -> Interval:
    """Return the interval of the mean of ratios of few rows each, such as macro-F1 of texts with several labels.

    It is corrected as `interval_of_macro_f1` is. Ratios whose sum below is 0 are left out.

    Parameters
    ----------
    above, below : ndarray of shape (n, n_ratios)
        What each row adds to the two sums of each ratio.
    groups : ndarray of shape (n,), int, optional
        As for `interval_of_mean`.
    seed : int
    """
    kept = below.sum(axis=0) > 0
    if not kept.any():
        return Interval(0.0, 1.0)
    kinds, counts = _kinds_of_sums(np.hstack([above[:, kept], below[:, kept]]), groups)
    n_ratios = int(kept.sum())

    def mean_ratio(weights: Floats) -> Floats:
        """Return the mean ratio for weights of shape (n_kinds, n_drawn): (n_drawn,)."""
        sums = kinds.T @ weights
        mean: Floats = (sums[:n_ratios] / np.maximum(sums[n_ratios:], _TINY)).mean(axis=0)
        return mean

    figures = np.concatenate([mean_ratio(drawn) for drawn in _weights(counts, seed)])
    found = float(mean_ratio(counts[:, None].astype(np.float64))[0])
    return _between_corrected(figures, found, int(counts.sum()), seed)


def interval_of_macro_difference(
    above: npt.NDArray[np.generic],
    below: npt.NDArray[np.generic],
    above_before: npt.NDArray[np.generic],
    below_before: npt.NDArray[np.generic],
    groups: Ints | None = None,
    *,
    seed: int = 0,
) -> Interval:
    """Return the interval of the difference of two means of ratios on the same rows; see `interval_of_macro_ratio`.

    Parameters
    ----------
    above, below : ndarray of shape (n, n_ratios)
        What each row adds to the two sums of each ratio.
    above_before, below_before : ndarray of shape (n, n_ratios)
        The same of the mean that is subtracted.
    groups : ndarray of shape (n,), int, optional
        As for `interval_of_mean`.
    seed : int
    """
    parts, factors = [], []
    for one, other, sign in ((above, below, 1.0), (above_before, below_before, -1.0)):
        kept = other.sum(axis=0) > 0
        parts.append((one[:, kept], other[:, kept]))
        factors += [sign / max(1, int(kept.sum()))] * int(kept.sum())
    kinds, counts = _kinds_of_sums(np.hstack([*(one for one, _ in parts), *(other for _, other in parts)]), groups)

    def difference(weights: Floats) -> Floats:
        """Return the difference for weights of shape (n_kinds, n_drawn): (n_drawn,)."""
        sums = kinds.T @ weights
        found: Floats = np.array(factors) @ (sums[: len(factors)] / np.maximum(sums[len(factors) :], _TINY))
        return found

    figures = np.concatenate([difference(drawn) for drawn in _weights(counts, seed)])
    found = float(difference(counts[:, None].astype(np.float64))[0])
    return _between_corrected(figures, found, int(counts.sum()), seed, least=-1.0)


def warn_of_few(groups: Ints, what: str) -> None:
    """Log a warning if metrics are based on fewer than 20 distinct texts.

    Parameters
    ----------
    groups : ndarray of shape (n,), int
        Group of each row; copies of a text do not make metrics more reliable.
    what : str
        What the rows are used for, such as "held out".
    """
    n = len(np.unique(groups))
    if n < FEW_ROWS:
        things = counted(n, "row" if n == len(groups) else "distinct text")
        logger.warning("only %s %s: metrics are unreliable", things, what)


def _kinds_of_groups(numbers: Ints, cells: Ints) -> tuple[Ints, Ints]:
    """Find groups with the same cells of the confusion matrix: the kind of each group, and the size of each kind.

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


def _kinds_of_sums(values: npt.NDArray[np.generic], groups: Ints | None) -> tuple[Floats, Ints]:
    """Add up the values of each group: the different sums, (n_kinds, n_values), and how many groups have each."""
    numbers = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = np.argsort(numbers, kind="stable")
    starts = np.searchsorted(numbers[order], np.arange(int(numbers.max()) + 1))
    sums = np.add.reduceat(values[order].astype(np.float32), starts, axis=0)
    kinds, counts = np.unique(sums, axis=0, return_counts=True)
    return kinds.astype(np.float64), counts


def _weights(counts: Ints, seed: int) -> Iterator[Floats]:
    """Draw the total weight of the groups of each kind 2,000 times, in blocks of shape (n_kinds, n_drawn).

    The weight of a group is exponentially distributed; the total of n groups has a gamma distribution of shape n. Only
    the proportions matter.
    """
    rng = np.random.default_rng(seed)
    size = max(1, _MOST_NUMBERS // len(counts))
    starts = range(0, N_RESAMPLES, size)
    for start in tracked(starts, "Resampling", len(starts)):
        yield rng.standard_gamma(counts[:, None], size=(len(counts), min(size, N_RESAMPLES - start)))


def _between_corrected(figures: Floats, found: float, n: int, seed: int, *, least: float = 0.0) -> Interval:
    """Return the interval of resampled metrics that are biased downwards twice as much as the metric found."""
    low, high = _between(np.clip(figures - 2 * (figures.mean() - found), least, 1), n, least, 1.0, seed)
    return Interval(min(low, found), max(high, found))


def _between(figures: Floats, n: int, least: float, most: float, seed: int) -> Interval:
    """Return the interval of resampled metrics, with one unseen group besides n that is the worst or best possible."""
    if np.ptp(figures) < 1e-12:
        # The metric does not depend on the weights of these groups, so only that of the unseen group matters.
        unseen, figure = 1 - ((1 - _SHARE) / 2) ** (1 / n), float(figures[0])
        return Interval(figure + (least - figure) * unseen, figure + (most - figure) * unseen)
    weights = np.random.default_rng([seed, 1]).beta(1, n, size=len(figures))
    low = np.percentile(figures + (least - figures) * weights, _ENDS[0])
    high = np.percentile(figures + (most - figures) * weights, _ENDS[1])
    return Interval(float(low), float(high))
