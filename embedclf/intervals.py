"""How sure a figure is: 95 % intervals by the percentile bootstrap.

Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. Rows are drawn with replacement 2,000 times,
which leaves the ends of an interval a hundredth of its length unsure. What is drawn are not rows but how often each
kind of row occurs: the same distribution, at a fraction of the time.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

N_RESAMPLES = 2_000
_SHARE = 0.95
_ENDS = (50 * (1 - _SHARE), 50 * (1 + _SHARE))
# What is drawn at once has so many numbers at most.
_MOST_NUMBERS = 4_000_000


class Interval(NamedTuple):
    """The middle 95 % of what a figure could have come out as."""

    low: float
    high: float


def interval_of_mean(values: npt.NDArray[np.generic], *, seed: int = 0) -> Interval:
    """Give the interval of the mean of some values.

    Of whether each answer is right, this is the accuracy's interval; of the differences between two classifiers on the
    same rows, that of the difference of their accuracies.

    Parameters
    ----------
    values : ndarray of shape (n,)
        One a row, n at least 1; truth values for a share.
    seed : int
    """
    if values.dtype == bool and (values.all() or not values.any()):
        # However often rows that are all alike are drawn, they are alike: the exact interval (Clopper & Pearson, "The
        # Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial", 1934) is not so sure.
        end = float((1 - _SHARE) / 2) ** (1 / len(values))
        return Interval(end, 1.0) if values.all() else Interval(0.0, 1 - end)
    kinds, counts = np.unique(values.astype(np.float64), return_counts=True)
    return _between(np.concatenate([drawn @ kinds / len(values) for drawn in _resampled(counts, len(values), seed)]))


def interval_of_macro_f1(confusion: npt.NDArray[np.integer], *, n_repeats: int = 1, seed: int = 0) -> Interval:
    """Give the interval of macro-F1, the mean over the classes that occur in each resample.

    Parameters
    ----------
    confusion : ndarray of shape (n_classes, n_classes), int
        How often each class (rows) was taken for each (columns).
    n_repeats : int
        How often each row was counted; this makes an interval no shorter.
    seed : int
    """
    true, predicted = np.nonzero(confusion)
    if (true == predicted).all():
        return interval_of_mean(np.ones(int(confusion.sum()) // n_repeats, dtype=bool))
    classes = np.arange(len(confusion))
    # Which cells count for a class: as its support and predictions, and, twice, as its right answers.
    both = (true[:, None] == classes).astype(np.float64) + (predicted[:, None] == classes)
    right = 2.0 * ((true == predicted)[:, None] & (true[:, None] == classes))
    means = []
    counts = confusion[true, predicted]
    for drawn in _resampled(counts, int(counts.sum()) // n_repeats, seed):
        n_both = drawn @ both
        f1 = np.divide(drawn @ right, n_both, out=np.zeros_like(n_both), where=n_both > 0)
        means.append(f1.sum(axis=1) / (n_both > 0).sum(axis=1))
    return _between(np.concatenate(means))


def _resampled(counts: npt.NDArray[np.integer], n: int, seed: int) -> Iterator[Floats]:
    """Draw how often each kind occurs among n rows, 2,000 times: blocks of shape (n_drawn, n_kinds)."""
    rng = np.random.default_rng(seed)
    size = max(1, _MOST_NUMBERS // len(counts))
    shares = counts / counts.sum()
    for start in range(0, N_RESAMPLES, size):
        yield rng.multinomial(n, shares, size=min(size, N_RESAMPLES - start)).astype(np.float64)


def _between(figures: Floats) -> Interval:
    low, high = np.percentile(figures, _ENDS)
    return Interval(float(low), float(high))
