"""Communities of a weighted graph, by modularity.

A community has far more weight inside than expected by chance: the modularity
``sum over groups of (inside / total − resolution · (volume / total)²)`` is maximized (Newman & Girvan, "Finding and
evaluating community structure in networks", 2004; for the resolution Reichardt & Bornholdt, "Statistical mechanics of
community detection", 2006). The algorithm is Leiden (Traag, Waltman & van Eck, "From Louvain to Leiden: guaranteeing
well-connected communities", 2019), implemented by graspologic-native.
"""

from typing import TYPE_CHECKING

import numpy as np

from embedclf.arrays import Ints

if TYPE_CHECKING:
    from scipy import sparse


# Each iteration starts from the groups found by the previous one; after this many, hardly any node moves.
_ITERATIONS = 10
# Limit on the average number of visits per node, so that the search ends even if rounding moves nodes back and forth.
_MOST_SWEEPS = 1000
_MOST_BISECTIONS = 6
# Once there are at most this many times the requested number of groups, the surplus is merged.
_CLOSE = 1.2


def communities(graph: "sparse.csr_array", resolution: float, *, seed: int = 0) -> Ints:
    """Find groups of nodes.

    Parameters
    ----------
    graph : csr_array of shape (n, n)
        Symmetric, non-negative weights.
    resolution : float
        Greater than 0. A larger value yields more groups; 1 is Newman and Girvan's modularity.
    seed : int
        Random seed of the order in which nodes are visited.

    Returns
    -------
    ndarray of shape (n,), int
        The group of each node, numbered from 0 in order of their first nodes.
    """
    from graspologic_native import leiden_csr

    n = graph.shape[0]
    if not graph.sum():  # modularity would divide by zero
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
    """Find a given number of groups: search for a resolution that yields slightly more, then merge the nearest.

    Parameters
    ----------
    graph : csr_array of shape (n, n)
        As for `communities`.
    n_groups : int
        From 1 to n.
    resolution : float
        Where the search starts.
    seed : int
        As for `communities`.

    Returns
    -------
    ndarray of shape (n,), int
        As for `communities`; each number below `n_groups` occurs.
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
    return _merge(graph, best, n_groups, at)


def _merge(graph: "sparse.csr_array", groups: Ints, n_groups: int, resolution: float) -> Ints:
    """Merge pairs of groups until `n_groups` are left, those that lose the least modularity first.

    Similar to Clauset, Newman & Moore ("Finding community structure in very large networks", 2004), but merging several
    pairs at once.
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
            # Keep only pairs of groups each of which is the best partner of the other.
            _, first = np.unique(pairs, return_index=True)
            pairs = pairs[np.bincount(first // 2, minlength=len(pairs)) == 2]
        else:  # no links are left, so merge the smallest groups
            pairs = np.argsort(volumes, kind="stable")[: len(volumes) // 2 * 2].reshape(-1, 2)
        # Merge only half of the excess at a time, since a merged group may be the best partner for others.
        pairs = pairs[: (excess + 1) // 2]
        into = np.arange(len(volumes))
        into[pairs[:, 1]] = pairs[:, 0]
        groups = _numbered(into[groups])
    return groups


def _numbered(groups: Ints) -> Ints:
    """Renumber groups from 0, in order of their first nodes."""
    _, first, numbers = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers]
