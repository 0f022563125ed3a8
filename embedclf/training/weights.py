"""How much each example counts: weights of examples, and of classes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from embedclf.arrays import Floats, Ints, Mask
from embedclf.data_frames import as_mapping
from embedclf.errors import ArgumentError
from embedclf.formatting import counted
from embedclf.validation import MOST_WEIGHT

ClassWeight = Mapping[Any, float] | Literal["balanced"] | None


def check_sample_weight(sample_weight: Any, n: int) -> Floats | None:
    """Return weights of n examples as float64: (n,); None, or a single number, weighs all the same.

    Raises
    ------
    ArgumentError
        If there is not one finite number per example, one is negative, or all are 0.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Iterator):
        sample_weight = list(sample_weight)
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError("sample_weight must be numbers, one per text") from None
    if weights.ndim == 0:
        weights = np.full(n, weights)
    if weights.shape != (n,):
        raise ArgumentError(f"sample_weight must be one number per text, {n:,} in all, got shape {weights.shape}")
    if len(wrong := np.flatnonzero(~((weights >= 0) & (weights <= MOST_WEIGHT)))):
        more = "" if len(wrong) == 1 else f" (and {counted(len(wrong) - 1, 'other')})"
        first = weights[wrong[0]]
        too_large = f" up to {MOST_WEIGHT:g}" if first > 0 else ""
        raise ArgumentError(f"sample_weight[{wrong[0]}] is {first}, not a positive number{too_large}{more}")
    if not weights.any():
        raise ArgumentError("sample_weight is zero for every text")
    return weights


def weights_of_classes(
    sample_weight: Floats | None,
    class_weight: ClassWeight,
    classes: Sequence[Any],
    y: Ints,
    given: Mask | None = None,
) -> Floats | None:
    """Return the weight of each class: (n_classes,) float64; None if all count the same.

    If examples may have several labels, it is how much one that has the label counts, compared with one without it.

    Parameters
    ----------
    sample_weight : ndarray of shape (n,), float64, or None
    class_weight : dict, "balanced" or None
        The weight of each class, 1 if it is not in the dict. "balanced" makes all classes count the same, as in
        scikit-learn: n / (n_classes · the number of its examples). If examples may have several labels, it makes those
        with and without each label count the same: (n − the number of its examples) / that number.
    classes : sequence
    y : ndarray of shape (n,)
        Indices into `classes`; an example with another index does not count.
    given : ndarray of shape (n, n_classes), bool, optional
        Which labels each example has, if it may have several.

    Raises
    ------
    ArgumentError
        If `class_weight` is something else, has a class that does not occur, or a weight that is not positive.
    """
    class_weight = as_mapping(class_weight, "class_weight")
    if class_weight is None:
        return None
    inside = y < len(classes)
    of_class: Floats
    if isinstance(class_weight, Mapping):
        known = list(classes)
        if unknown := [name for name in class_weight if name not in known]:
            raise ArgumentError(f"class_weight has {unknown[0]!r}, which is not among the labels")
        for name, weight in class_weight.items():
            if not _is_weight(weight):
                raise ArgumentError(
                    f"the weights of class_weight must be positive numbers, got {weight!r} for {name!r}"
                )
        of_class = np.array([class_weight.get(name, 1.0) for name in known], dtype=np.float64)
    elif isinstance(class_weight, str) and class_weight == "balanced":
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        if given is not None:
            of_given: Floats = weights @ given
            rest = weights.sum() - of_given
            return np.where(
                (of_given > 0) & (rest > 0), rest / np.maximum(of_given, 1e-300), 1.0
            )  # else there is no balance
        sums = np.bincount(y[inside], weights[inside], len(classes))
        of_class = sums.sum() / (len(classes) * sums)
    else:
        shown = repr(class_weight) if isinstance(class_weight, str) else type(class_weight).__name__
        raise ArgumentError(f"class_weight must be None, 'balanced' or a dict of labels, got {shown}")
    return of_class


def _is_weight(weight: Any) -> bool:
    try:
        return bool(0 < float(weight) <= MOST_WEIGHT) and not isinstance(weight, bool)
    except (TypeError, ValueError):
        return False
