"""Dividing labelled texts into training and test rows, without near-duplicates across the two."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.data.label_sets import AnyLabels, Labels, each_label, indicators, label_sets_of, labels_in
from embedclf.data_frames import DataFrame
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError, TrainingError
from embedclf.formatting import counted
from embedclf.quality.spelling_groups import spelling_groups
from embedclf.training.checks import rarest_labels
from embedclf.training.splits import divide
from embedclf.validation import check_whole


def split(
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    test: float = 0.2,
    seed: int = 0,
) -> tuple[Ints, Ints]:
    """Divide labelled texts into training and test rows.

    Each label has about the same share in both. Duplicates and near-duplicates are on the same side, and so are the
    near-duplicates of those; they are found by spelling, and nothing is embedded. The same texts, labels and seed
    always give the same split.

    Parameters
    ----------
    texts : iterable of str, DataFrame or EmbeddedTexts
    labels : iterable of str or int, or of lists of these
        One per text, or a list of labels per text; see `embedclf.train`. A text with several labels counts under
        its rarest one.
    text, label : str or sequence of str, optional
        The columns of a data frame; see `embedclf.train`.
    test : float
        Share of test rows, above 0 and below 1.
    seed : int

    Returns
    -------
    train, test : ndarray of int
        Indices of the rows, in ascending order. A label whose texts are all near-duplicates has no test row.

    Raises
    ------
    ArgumentError
        If the share or the seed is invalid, or there is not one label per text.
    TrainingError
        If there are too few texts to test on any.
    TypeError, TextError, MissingValueError
        See `embedclf.train`.
    """
    examples = EmbeddedTexts.of(texts, labels, text=text, label=label)
    divided = divided_rows(examples.texts, examples.given_labels, test=test, seed=seed)
    return np.flatnonzero(~divided.is_test), np.flatnonzero(divided.is_test)


class Divided(NamedTuple):
    """Rows that are divided into training and test rows.

    Attributes
    ----------
    is_test : ndarray of shape (n,), bool
    n_kept_together, n_groups : int
        How many rows are near-duplicates of another, and in how many groups.
    not_tested : dict of str to int
        The labels without a test row, with their numbers of rows.
    """

    is_test: Mask
    n_kept_together: int
    n_groups: int
    not_tested: dict[str, int]


def divided_rows(texts: Sequence[str], labels: Labels, *, test: float, seed: int) -> Divided:
    """Divide checked texts into training and test rows; see `split`."""
    if not 0 < test < 1:
        raise ArgumentError(f"test must be above 0 and below 1, got {test:g}")
    check_whole(seed, "seed", least=0)
    names = sorted(labels_in(labels))
    if len(texts) < 2 or not names:
        what = "labels" if len(texts) > 1 else f"texts ({counted(len(texts), 'text')})"
        raise TrainingError(f"too few {what} to divide: there must be at least two texts, and a label")
    y = _classes(labels, names)
    groups = spelling_groups(texts)
    is_test = divide(y, groups, test, seed=seed)
    if not is_test.any():
        raise TrainingError(
            f"none of {counted(len(texts), 'row')} can be held out: a label needs two or more texts that are not "
            f"near-duplicates, and a share of {test:g} must be at least one of them. Add rows, or use a larger share"
        )
    sizes = np.bincount(groups)
    several = sizes[sizes > 1]
    counts = _counts(labels)
    tested = labels_in(_chosen(labels, is_test))
    not_tested = {name: counts[name] for name in names if name not in tested}
    return Divided(is_test, int(several.sum()), len(several), not_tested)


def _classes(labels: Labels, names: Sequence[str]) -> Ints:
    if sets := label_sets_of(labels):
        return rarest_labels(indicators(sets, names))
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[one] for one in labels if isinstance(one, str)], dtype=np.intp)


def _counts(labels: Labels) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in each_label(labels):
        counts[name] = counts.get(name, 0) + 1
    return counts


def _chosen(labels: Labels, rows: Mask) -> Any:
    return [labels[row] for row in np.flatnonzero(rows).tolist()]
