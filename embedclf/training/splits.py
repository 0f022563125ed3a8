"""Splits of examples into held-out sets and folds.

Both kinds of split are stratified by class, keep exact duplicates (a *group*) together, and leave at least one example
of every class to fit on.
"""

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.errors import TrainingError


def _shuffled_by_class(y: Ints, groups: Ints, seed: int) -> tuple[Ints, Ints, Ints]:
    """Order groups by class (that of their first example), in random order within a class.

    Returns
    -------
    groups : ndarray of shape (n,)
        The group of each example, renumbered from 0 without gaps.
    order : ndarray of shape (n_groups,)
        These numbers in order.
    classes : ndarray of shape (n_groups,)
        The class of each group in that order.
    """
    _, first, groups = np.unique(groups, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(first))
    order = order[np.argsort(y[first][order], kind="stable")]
    return groups, order, y[first][order]


def hold_out(y: Ints, groups: Ints, fraction: float, *, seed: int) -> Mask:
    """Choose the examples to hold out.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Class of each example.
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    fraction : float
        Share of the distinct texts to hold out, in [0, 1).

    Returns
    -------
    ndarray of shape (n,), bool
        All false if the fraction amounts to less than half an example.

    Raises
    ------
    TrainingError
        If the classes are too small for the fraction.
    """
    groups, order, classes = _shuffled_by_class(y, groups, seed)
    sizes = np.bincount(classes, minlength=int(y.max()) + 1)
    spare = np.maximum(sizes - 1, 0)
    # A class with a single text is never held out, so it does not count.
    n_texts = int(sizes[sizes > 1].sum())
    wanted = round(fraction * n_texts)
    if wanted > spare.sum():
        raise TrainingError(
            f"a holdout of {fraction:g} is too large: it would hold out {wanted:,} of {n_texts:,} distinct texts, but "
            "every label needs at least one to train on. Use at most "
            f"{np.floor(1000 * spare.sum() / n_texts) / 1000:g}, or 0 to hold nothing out"
        )
    counts = _counts(sizes, spare, fraction, wanted)
    place = np.arange(len(order)) - np.searchsorted(classes, classes)
    held_groups = np.zeros(len(order), dtype=bool)
    held_groups[order[place < counts[classes]]] = True
    return _with_all_classes(held_groups, groups, y)


def _counts(sizes: Ints, spare: Ints, fraction: float, wanted: int) -> Ints:
    """Return how many of each class to hold out: as many as wanted in all, and none more than it can spare."""
    counts: Ints = np.minimum(np.floor(fraction * sizes), spare).astype(np.intp)
    while (short := wanted - counts.sum()) > 0:
        # Add one to the classes furthest below their share; ties go to the larger class.
        need = np.where(counts < spare, fraction * sizes - counts, -np.inf)
        chosen = np.lexsort((-sizes, -need))[: min(short, int(np.isfinite(need).sum()))]
        counts[chosen] += 1
    return counts


def _with_all_classes(chosen: Mask, groups: Ints, y: Ints) -> Mask:
    """Return the examples of the chosen groups, except those of classes that would be chosen completely."""
    # A text with two labels counts for the first one, so check that the second keeps an example, too.
    kept = np.bincount(y[~chosen[groups]], minlength=int(y.max()) + 1)
    chosen[groups[(kept == 0)[y]]] = False
    return chosen[groups]


def assign_folds(y: Ints, groups: Ints, n_folds: int, *, seed: int) -> Ints:
    """Assign each example to one fold.

    Returns
    -------
    ndarray of shape (n,)
        Fold from 0 to ``n_folds - 1``; −1 for an example that is in every training set, as its class has no other.
    """
    groups, order, _ = _shuffled_by_class(y, groups, seed)
    fold_of_group = np.empty(len(order), dtype=np.intp)
    fold_of_group[order] = np.arange(len(order)) % n_folds
    folds = fold_of_group[groups]
    n_classes = int(y.max()) + 1
    present = np.zeros((n_classes, n_folds), dtype=bool)
    present[y, folds] = True
    only_once = present.sum(axis=1) == 1
    fold_of_group[groups[only_once[y]]] = -1
    return fold_of_group[groups]


def divide(y: Ints, groups: Ints, fraction: float, *, seed: int) -> Mask:
    """Choose the rows of a test set like `hold_out`, but with a fraction of rows, not of groups.

    If each row is a group of its own, both choose the same rows. A group that is larger than its class's share of the
    test set is not chosen.

    Parameters
    ----------
    y, groups, seed
        See `hold_out`.
    fraction : float
        Share of the rows to choose, in (0, 1).

    Returns
    -------
    ndarray of shape (n,), bool
        All false if the classes are too small for the fraction.
    """
    groups, order, classes = _shuffled_by_class(y, groups, seed)
    sizes = np.bincount(groups)[order]
    n_classes = int(y.max()) + 1
    rows = np.bincount(classes, weights=sizes, minlength=n_classes).astype(np.intp)
    # A class with a single group is never divided, so it does not count.
    rows[np.bincount(classes, minlength=n_classes) < 2] = 0
    spare = np.maximum(rows - 1, 0)
    left = _counts(rows, spare, fraction, min(round(fraction * int(rows.sum())), int(spare.sum()))).tolist()
    chosen = np.zeros(len(order), dtype=bool)
    for group, its_class, size in zip(order.tolist(), classes.tolist(), sizes.tolist(), strict=True):
        if size <= left[its_class]:
            chosen[group] = True
            left[its_class] -= size
    return _with_all_classes(chosen, groups, y)
