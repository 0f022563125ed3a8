"""Groups of a weighted graph, by modularity.

The groups are those where the weight inside is far above what chance would put there: the modularity
``sum over groups of (inside / total − resolution · (volume / total)²)`` is made large (Newman & Girvan, "Finding and
evaluating community structure in networks", 2004; for the resolution Reichardt & Bornholdt, "Statistical mechanics of
community detection", 2006). It is done much as by Traag, Waltman & van Eck ("From Louvain to Leiden: guaranteeing
well-connected communities", 2019): nodes move to the best group of a neighbour, then the parts that each group falls
into do, and so on, from the start again until nothing moves. What could do the same is
either under the GPL (igraph, leidenalg), or larger than all the rest of what is installed, or too slow for 50,000 rows.
"""

from collections import deque
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.arrays import Floats, Ints

if TYPE_CHECKING:
    from scipy import sparse


# A move must gain more than what rounding may give.
_LEAST_GAIN = 1e-9
_MOST_ROUNDS = 3
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
        The larger, the more groups; 1 is modularity as Newman and Girvan have it.
    seed : int
        For the order in which nodes are looked at.

    Returns
    -------
    ndarray of shape (n,), int
        The number of each node's group, from 0; in order of their first nodes.
    """
    rng = np.random.default_rng(seed)
    groups = np.arange(graph.shape[0])
    for _ in range(_MOST_ROUNDS):
        found = _unfolded(graph, groups, resolution, rng)
        if np.array_equal(found, groups):
            break
        groups = found
    return groups


def _unfolded(graph: "sparse.csr_array", groups: Ints, resolution: float, rng: np.random.Generator) -> Ints:
    """Move nodes, then the parts that the groups fall into, then parts of these, until nothing moves."""
    n = graph.shape[0]
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    groups = _moved(graph, degrees, groups, resolution, rng)
    parts = _moved(_inside(graph, groups), degrees, np.arange(n), resolution, rng)
    n_parts = int(parts.max()) + 1
    if n_parts == n:
        return groups
    _, first = np.unique(parts, return_index=True)
    return _numbered(_unfolded(_of_groups(graph, parts), groups[first], resolution, rng)[parts].tolist())


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
        For the order in which nodes are looked at.

    Returns
    -------
    ndarray of shape (n,), int
        As of `communities`; each number below `n_groups` is there.
    """
    n = graph.shape[0]
    low, high = 0.0, resolution
    best, at = np.arange(n), None
    while n_groups < n:
        groups = communities(graph, high, seed=seed)
        if groups.max() + 1 >= n_groups:
            best, at = groups, high
            break
        low, high = high, 2 * high
    for _ in range(_MOST_BISECTIONS):
        if best.max() + 1 <= _CLOSE * n_groups or at is None:
            break
        middle = (low + high) / 2
        groups = communities(graph, middle, seed=seed)
        if groups.max() + 1 >= n_groups:
            high = middle
            if groups.max() <= best.max():
                best, at = groups, middle
        else:
            low = middle
    if best.max() + 1 > n_groups and at is not None:
        best = _joined(graph, best, n_groups, at)
        best = _moved(graph, np.asarray(graph.sum(axis=1)).ravel(), best, at, np.random.default_rng(seed), keep=True)
    return best


def _numbered(groups: Iterable[int]) -> Ints:
    """Renumber groups from 0, in order of their first nodes."""
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.intp)


def _of_groups(graph: "sparse.csr_array", groups: Ints) -> "sparse.csr_array":
    """Make a graph whose nodes are groups; what is inside one is a loop."""
    from scipy import sparse

    n = len(groups)
    member = sparse.csr_array((np.ones(n), (np.arange(n), groups)), shape=(n, int(groups.max()) + 1))
    return (member.T @ graph @ member).tocsr()


def _inside(graph: "sparse.csr_array", groups: Ints) -> "sparse.csr_array":
    """Leave only what links nodes of one group."""
    from scipy import sparse

    links = graph.tocoo()
    rows, columns = links.coords
    kept = groups[rows] == groups[columns]
    return sparse.csr_array((links.data[kept], (rows[kept], columns[kept])), shape=graph.shape)


def _lists(graph: "sparse.csr_array") -> tuple[list[list[int]], list[list[float]]]:
    ends, heads, weights = graph.indptr.tolist(), graph.indices.tolist(), graph.data.tolist()
    spans = list(pairwise(ends))
    return [heads[a:b] for a, b in spans], [weights[a:b] for a, b in spans]


def _moved(
    graph: "sparse.csr_array",
    degrees: Floats,
    groups: Ints,
    resolution: float,
    rng: np.random.Generator,
    *,
    keep: bool = False,
) -> Ints:
    """Move nodes to the group of a neighbour as long as that gains something; with `keep`, no group is left empty."""
    total = float(degrees.sum())
    if not total:
        return _numbered(groups.tolist())
    neighbours, weights = _lists(graph)
    degree_of: list[float] = degrees.tolist()
    of: list[int] = groups.tolist()
    volumes: list[float] = np.bincount(groups, weights=degrees).tolist()
    sizes: list[int] = np.bincount(groups).tolist()
    queue = deque(rng.permutation(len(of)).tolist())
    waiting = [True] * len(of)
    least = _LEAST_GAIN * total / len(of)
    while queue:
        node = queue.popleft()
        waiting[node] = False
        own = of[node]
        if keep and sizes[own] == 1:
            continue
        inside: dict[int, float] = {}
        for other, weight in zip(neighbours[node], weights[node], strict=True):
            if other != node:
                group = of[other]
                inside[group] = inside.get(group, 0.0) + weight
        expected = resolution * degree_of[node] / total
        volumes[own] -= degree_of[node]
        best, best_gain = own, inside.get(own, 0.0) - expected * volumes[own] + least
        for group, weight in inside.items():
            gain = weight - expected * volumes[group]
            if gain > best_gain:
                best, best_gain = group, gain
        volumes[best] += degree_of[node]
        if best != own:
            sizes[own] -= 1
            sizes[best] += 1
            of[node] = best
            for other in neighbours[node]:
                if not waiting[other] and of[other] != best:
                    waiting[other] = True
                    queue.append(other)
    return _numbered(of)


def _joined(graph: "sparse.csr_array", groups: Ints, n_groups: int, resolution: float) -> Ints:
    """Join the two groups that lose least modularity, until there are so many (Clauset, Newman & Moore, 2004)."""
    small = _of_groups(graph, groups)
    neighbours, weights = _lists(small)
    volumes: list[float] = np.asarray(small.sum(axis=1)).ravel().tolist()
    total = sum(volumes)
    links = [
        {other: weight for other, weight in zip(*of_one, strict=True) if other != node}
        for node, of_one in enumerate(zip(neighbours, weights, strict=True))
    ]
    alive = set(range(len(volumes)))
    into = list(range(len(volumes)))

    def entry(one: int, other: int) -> tuple[float, int, int, Any]:
        loss = resolution * volumes[one] * volumes[other] / total - links[one].get(other, 0.0)
        return loss, one, other, (volumes[one], volumes[other])

    heap = [entry(one, other) for one, of_one in enumerate(links) for other in of_one if one < other]
    heapify(heap)
    while len(alive) > n_groups:
        if heap:
            _, one, other, seen = heappop(heap)
            if not (one in alive and other in alive and seen == (volumes[one], volumes[other])):
                continue
        else:  # nothing is linked any more: the smallest two
            one, other = sorted(sorted(alive, key=lambda group: (volumes[group], group))[:2])
        alive.remove(other)
        into[other] = one
        volumes[one] += volumes[other]
        for third, weight in links[other].items():
            del links[third][other]
            if third != one:
                links[one][third] = links[third][one] = links[one].get(third, 0.0) + weight
        for third in links[one]:
            heappush(heap, entry(min(one, third), max(one, third)))
    for group in range(len(into)):
        while into[into[group]] != into[group]:
            into[group] = into[into[group]]
    return _numbered(np.array(into)[groups].tolist())
