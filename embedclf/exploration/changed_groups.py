"""Groups of similar texts that are more or less common than before."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.exploration.clustering import N_WORDS_OF_NAME, RESOLUTION
from embedclf.exploration.communities import communities
from embedclf.exploration.distinct_rows import DistinctRows
from embedclf.exploration.local_shares import SIZES, LocalShares
from embedclf.exploration.words import distinctive_words

# Smaller groups are leftovers of others.
_FEWEST = 3
_N_TEXTS = 3
_N_WORDS = 5


class GroupText(NamedTuple):
    """A text of a group.

    Attributes
    ----------
    row : int
        Index of the text among the new ones, or among the old ones if the group has more of these.
    text : str
    """

    row: int
    text: str


class ChangedGroup(NamedTuple):
    """A group of similar texts that are more or less common than before.

    Attributes
    ----------
    name : str
        The group's number and its first few words, as `Cluster` has it.
    more_in : {"new", "old"}
        The rows in which they are more common.
    size : int
        About how many rows it has there; extrapolated if texts were sampled.
    share : float
        Its share of these rows.
    other_share : float
        The estimated share of the other rows that is like it, from how many of its nearest texts are among them.
    words : tuple of str
        Words that set it apart from all other texts, the most distinctive first; at most five.
    texts : tuple of GroupText
        The most central of its texts, at most three.
    """

    name: str
    more_in: Literal["new", "old"]
    size: int
    share: float
    other_share: float
    words: tuple[str, ...]
    texts: tuple[GroupText, ...]


def changed_groups(
    texts: Sequence[str], vectors: Vectors, distinct: DistinctRows, found: LocalShares, n_new: int
) -> tuple[tuple[ChangedGroup, ...], Ints]:
    """Group the texts whose neighbourhoods have an excess of their own sample.

    Texts are linked to those of their 20 nearest that are grouped, too; see `embedclf.exploration.communities`.

    Parameters
    ----------
    texts : sequence of str
        Of all rows, the new ones first.
    vectors : ndarray of shape (n, n_dimensions), float32
        Of the distinct texts.
    distinct : DistinctRows
        Those that were compared.
    found : LocalShares
    n_new : int
        How many rows are new.

    Returns
    -------
    groups : tuple of ChangedGroup
        The new ones first, then the largest.
    group_of : ndarray of shape (n,), int
        The group of each distinct text; −1 for none.
    """
    group_of = np.full(len(distinct), -1, dtype=np.intp)
    groups: list[ChangedGroup] = []
    shares = _share_of_new(distinct, found)
    sides: tuple[Literal["new", "old"], ...] = ("new", "old")
    own = found.more_of_new & distinct.is_new, found.more_of_old & ~distinct.is_new
    for more_in, chosen in zip(sides, own, strict=True):
        members = [rows for rows in _divided(chosen, found.neighbours) if len(rows) >= _FEWEST]
        rest = [texts[row] for row in distinct.rows[~chosen]]
        named = distinctive_words([*([texts[row] for row in distinct.rows[rows]] for rows in members), rest], _N_WORDS)
        for rows, words in zip(members, named, strict=False):  # the last are those of the rest
            group_of[rows] = len(groups)
            name = "_".join([f"{len(groups) + 1:02}", *words[:N_WORDS_OF_NAME]])
            share, other_share = _estimated(more_in, rows, distinct, float(shares[rows].mean()))
            first, n_rows = (0, n_new) if more_in == "new" else (n_new, len(texts) - n_new)
            nearness = vectors[rows] @ vectors[rows].mean(axis=0)
            central = distinct.rows[rows[np.argsort(-nearness, kind="stable")][:_N_TEXTS]]
            examples = tuple(GroupText(row - first, texts[row]) for row in central.tolist())
            size = max(1, round(share * n_rows))
            groups.append(ChangedGroup(name, more_in, size, share, other_share, tuple(words), examples))
    return tuple(groups), group_of


def _share_of_new(distinct: DistinctRows, found: LocalShares) -> Floats:
    """Return the share of new texts among the nearest of each."""
    shares: Floats = distinct.is_new[found.neighbours[:, : SIZES[0]]].mean(axis=1)
    return shares


def _divided(chosen: Mask, neighbours: Ints) -> list[Ints]:
    """Divide the chosen texts into groups, the largest first."""
    from scipy.sparse import csr_array

    rows = np.flatnonzero(chosen)
    if not len(rows):
        return []
    place = np.full(len(chosen), -1, dtype=np.intp)
    place[rows] = np.arange(len(rows))
    ends = place[neighbours[rows, : SIZES[0]]]
    starts = np.broadcast_to(np.arange(len(rows))[:, None], ends.shape)
    linked = (ends >= 0) & (ends != starts)
    graph = csr_array((np.ones(int(linked.sum())), (starts[linked], ends[linked])), shape=(len(rows), len(rows)))
    # As fine as clusters of all texts would be, so that a rare subject remains one group.
    groups = communities(((graph + graph.T) / 2).tocsr(), RESOLUTION * len(rows) / len(chosen))
    return sorted((rows[groups == number] for number in range(int(groups.max()) + 1)), key=len, reverse=True)


def _estimated(
    more_in: Literal["new", "old"], rows: Ints, distinct: DistinctRows, share_of_new: float
) -> tuple[float, float]:
    """Return the share of a group in its own sample and in the other, among the sampled texts."""
    is_own, n_rows = distinct.is_new, distinct.n_new_rows
    if more_in == "old":
        is_own, n_rows, share_of_new = ~is_own, distinct.n_old_rows, 1 - share_of_new
    share = float(n_rows[rows].sum() / n_rows[is_own].sum())
    ratio = float(is_own.sum() / (~is_own).sum())
    return share, min(1.0, share * ratio * (1 - share_of_new) / share_of_new)
