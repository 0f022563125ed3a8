"""Groups of nodes of a weighted graph, by modularity.

The groups are those where the weight inside is far above what chance would put there: the modularity
``sum over groups of (inside / total − resolution · (volume / total)²)`` is made large (Newman & Girvan, "Finding and
evaluating community structure in networks", 2004; for the resolution Reichardt & Bornholdt, "Statistical mechanics of
community detection", 2006). The search is that of Traag, Waltman & van Eck ("From Louvain to Leiden: guaranteeing
well-connected communities", 2019), by graspologic-native.
"""

from typing import TYPE_CHECKING

import numpy as np

from embedclf.arrays import Ints

if TYPE_CHECKING:
    from scipy import sparse


# Each time, the search starts again from the groups it has found; by then, hardly anything moves.
_ITERATIONS = 10
# How often each node is looked at in a row, on average, at most; to end even where rounding moves nodes to and fro.
_MOST_SWEEPS = 1000
_MOST_BISECTIONS = 6
# So many times as many groups as there are to be are few enough to join.
_CLOSE = 1.2


def communities(graph: "sparse.csr_array", resolution: float, *, seed: int = 0) -> Ints:
    """Find groups of nodes.

    Parameters
    ----------
    graph : csr_array of shape (n, n)
        Symmetric weights, none below 0.
    resolution : float
        Above 0. The larger, the more groups; 1 is modularity as Newman and Girvan have it.
    seed : int
        For the order in which nodes are looked at.

    Returns
    -------
    ndarray of shape (n,), int
        The number of each node's group, from 0; in order of their first nodes.
    """
    from graspologic_native import leiden_csr

    n = graph.shape[0]
    if not graph.sum():  # there is nothing to divide by
        return np.arange(n)
    _, group_of = leiden_csr(
        graph.indptr.astype(np.int64),
        graph.indices.astype(np.int32),
        graph.data.astype(np.float64),
        n,
        resolution=resolution,
        iterations=_ITERATIONS,
        seed=seed,
        max_local_moving_iterations=_MOST_SWEEPS,
    )
    return _numbered(np.array([group_of[node] for node in range(n)]))


def exactly(graph: "sparse.csr_array", n_groups: int, resolution: float, *, seed: int = 0) -> Ints:
    """Find so many groups of nodes: at the resolution that gives hardly more, the nearest of which are then joined.

    Parameters
    ----------
    graph : csr_array of shape (n, n)
        As of `communities`.
    n_groups : int
        From 1 to n.
    resolution : float
        Where to begin.
    seed : int
        As of `communities`.

    Returns
    -------
    ndarray of shape (n,), int
        As of `communities`; each number below `n_groups` is there.
    """
    best = np.arange(graph.shape[0])
    if n_groups == len(best):
        return best
    low, high = 0.0, resolution
    while (groups := communities(graph, high, seed=seed)).max() + 1 < n_groups:
        low, high = high, 2 * high
    best, at = groups, high
    for _ in range(_MOST_BISECTIONS):
        if best.max() + 1 <= _CLOSE * n_groups:
            break
        middle = (low + high) / 2
        groups = communities(graph, middle, seed=seed)
        if groups.max() + 1 < n_groups:
            low = middle
        else:
            high = middle
            if groups.max() < best.max():
                best, at = groups, middle
    return _joined(graph, best, n_groups, at)


def _joined(graph: "sparse.csr_array", groups: Ints, n_groups: int, resolution: float) -> Ints:
    """Join pairs of groups, those first that lose least modularity, until there are so many.

    Much as Clauset, Newman & Moore ("Finding community structure in very large networks", 2004), but several at once.
    """
    from scipy import sparse

    nodes = np.arange(len(groups))
    while (excess := int(groups.max()) + 1 - n_groups) > 0:
        member = sparse.csr_array((np.ones(len(nodes)), (nodes, groups)))
        between = member.T @ graph @ member
        volumes = np.asarray(between.sum(axis=1)).ravel()
        links = sparse.triu(between, k=1).tocoo()
        if links.nnz:
            rows, columns = links.coords
            losses = resolution * volumes[rows] * volumes[columns] / volumes.sum() - links.data
            pairs = np.column_stack([rows, columns])[np.argsort(losses, kind="stable")]
            # Only those where each of the two is the best for the other.
            _, first = np.unique(pairs, return_index=True)
            pairs = pairs[np.bincount(first // 2, minlength=len(pairs)) == 2]
        else:  # nothing is linked any more: the smallest
            pairs = np.argsort(volumes, kind="stable")[: len(volumes) // 2 * 2].reshape(-1, 2)
        # Half of what is too many, since what has been joined may be the best for others.
        pairs = pairs[: (excess + 1) // 2]
        into = np.arange(len(volumes))
        into[pairs[:, 1]] = pairs[:, 0]
        groups = _numbered(into[groups])
    return groups


def _numbered(groups: Ints) -> Ints:
    """Renumber groups from 0, in order of their first nodes."""
    _, first, numbers = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers]
