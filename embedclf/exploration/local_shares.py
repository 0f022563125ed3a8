"""Find out whether some texts of one sample are nearer to each other than chance explains."""

from dataclasses import dataclass

import numpy as np

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.phases import tracked
from embedclf.stats.neighbours import nearest

SIZES = (20, 50)
"""How many texts a neighbourhood has: with fewer, no share is surprising enough; see benchmarks/README.md."""

LEVEL = 0.025
"""Significance level: how often the test finds something where there is nothing."""

_N_PERMUTATIONS = 399
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class LocalShares:
    """The neighbourhoods with an excess of texts of one of two samples.

    Attributes
    ----------
    p_value : float
        How often a random division of the texts has a neighbourhood that is at least as one-sided.
    more_of_new, more_of_old : ndarray of shape (n,), bool
        The texts around which there is a larger excess of one sample than around any text in all but `LEVEL` of the
        random divisions; none if the p-value is larger.
    neighbours : ndarray of shape (n, k), int
        The nearest texts to each, mostly with itself first.
    """

    p_value: float
    more_of_new: Mask
    more_of_old: Mask
    neighbours: Ints

    @property
    def is_significant(self) -> bool:
        """Whether something is found."""
        return self.p_value <= LEVEL


def local_shares(vectors: Vectors, is_new: Mask, *, seed: int) -> LocalShares:
    """Test whether the share of new texts is the same around all texts.

    Each text has a neighbourhood of its 20 and one of its 50 nearest texts, itself included. A binomial tail measures
    how surprising the number of new texts in it is. The most surprising neighbourhood is compared with those of 399
    random divisions of the same texts (a permutation test of the largest statistic, which corrects for testing around
    every text: Westfall & Young, "Resampling-Based Multiple Testing", 1993). Counting neighbours from the same sample
    is the test of Schilling, "Multivariate Two-Sample Tests Based on Nearest Neighbors", 1986; taking the largest count
    instead of the sum is what finds a rare subject.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
        Of unit length; those of distinct texts.
    is_new : ndarray of shape (n,), bool
    seed : int
        Of the divisions.
    """
    from scipy.sparse import csr_array

    n = len(vectors)
    neighbours = nearest(vectors, vectors, max(SIZES)).rows
    sizes = sorted({min(size, neighbours.shape[1]) for size in SIZES})
    counts_of_new = []
    for size in sizes:
        near = neighbours[:, :size].ravel()
        links = csr_array((np.ones(len(near), np.float32), near, np.arange(0, n * size + 1, size)), shape=(n, n))
        counts_of_new.append((size, links, *_tails(size, float(is_new.mean()))))
    rng = np.random.default_rng(seed)
    least = np.empty(_N_PERMUTATIONS)
    starts = range(0, _N_PERMUTATIONS, _BLOCK)
    for start in tracked(starts, "Comparing neighbourhoods", len(starts)):
        n_drawn = min(_BLOCK, _N_PERMUTATIONS - start)
        divisions = np.column_stack([rng.permutation(is_new) for _ in range(n_drawn)]).astype(np.float32)
        of_each = np.full(n_drawn, np.inf)
        for _, links, above, below in counts_of_new:
            counts = np.rint(links @ divisions).astype(np.intp)
            # The tails fall and rise with the count, so the extreme counts have the smallest ones.
            smallest = np.minimum(above[counts.max(axis=0)], below[counts.min(axis=0)])
            of_each = np.minimum(of_each, smallest)
        least[start : start + n_drawn] = of_each
    surprise_of_new, surprise_of_old = np.full(n, np.inf), np.full(n, np.inf)
    for _, links, above, below in counts_of_new:
        counts = np.rint(links @ is_new.astype(np.float32)).astype(np.intp)
        surprise_of_new = np.minimum(surprise_of_new, above[counts])
        surprise_of_old = np.minimum(surprise_of_old, below[counts])
    found = min(surprise_of_new.min(), surprise_of_old.min())
    p_value = float((1 + np.count_nonzero(least <= found)) / (1 + _N_PERMUTATIONS))
    # As small as this is only the found one itself and at most LEVEL of all divisions.
    limit = np.sort(least)[int(LEVEL * (1 + _N_PERMUTATIONS)) - 1]
    return LocalShares(p_value, surprise_of_new < limit, surprise_of_old < limit, neighbours)


def _tails(size: int, share: float) -> tuple[Floats, Floats]:
    """Return the binomial probabilities of at least, and of at most, each count: (size + 1,) each."""
    from scipy.special import bdtr, bdtrc

    counts = np.arange(size + 1)
    return bdtrc(counts - 1, size, share), bdtr(counts, size, share)
