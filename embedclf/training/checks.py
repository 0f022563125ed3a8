"""Checks of examples and settings that need no vectors."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.classifier.costs import NOT_IN_TREE, meant
from embedclf.classifier.decisions import check_min_confidence
from embedclf.classifier.hierarchy import as_written, tree_fault, usual_separator
from embedclf.data.label_sets import (
    Labels,
    LabelSet,
    indicators,
    label_sets_of,
    labels_in,
    outside_beside_others,
    without_outside,
)
from embedclf.errors import ArgumentError, TrainingError
from embedclf.validation import text_fault

logger = logging.getLogger(__name__)

_MOST_NAMED = 5


def check_examples(
    texts: Sequence[str], labels: Sequence[str], out_of_scope_label: str | None = None
) -> tuple[tuple[str, ...], Ints]:
    """Check that a classifier can be trained on some examples; return its classes and the class index of each example.

    Out-of-scope examples have the index ``len(classes)``.

    Raises
    ------
    TrainingError
        If there are no examples, or their labels are not valid classes.
    """
    if not texts:
        raise TrainingError("no examples to train on")
    names = set(labels)
    if out_of_scope_label is not None and out_of_scope_label not in names:
        hint = meant(out_of_scope_label, sorted(names))
        raise TrainingError(f"no row has the label {out_of_scope_label!r} (--out-of-scope-label){hint}")
    for name in sorted(names):
        if fault := text_fault(name, "label"):
            raise TrainingError(f"labels[{list(labels).index(name)}]: {fault}: {name!r}")
    classes = check_classes(sorted(names - {out_of_scope_label}))
    numbers = {name: number for number, name in enumerate(classes)}
    if out_of_scope_label is not None:
        numbers[out_of_scope_label] = len(classes)
        if len({text for text, label in zip(texts, labels, strict=True) if label == out_of_scope_label}) == 1:
            raise TrainingError(
                f"the out-of-scope label {out_of_scope_label!r} has only one text: choosing a threshold needs at least "
                "two, and dozens for a good one"
            )
    return classes, np.array([numbers[label] for label in labels], dtype=np.intp)


def check_label_sets(texts: Sequence[str], label_sets: Sequence[LabelSet]) -> tuple[tuple[str, ...], Mask]:
    """Check that a classifier that gives several labels can be trained on some examples.

    Returns
    -------
    classes : tuple of str
        The labels, sorted.
    given : ndarray of shape (n_texts, n_classes), bool
        Which labels each text has.

    Raises
    ------
    TrainingError
        If there are no examples, or fewer than two labels.
    """
    if not texts:
        raise TrainingError("no examples to train on")
    classes = tuple(sorted({label for labels in label_sets for label in labels}))
    if not classes:
        raise TrainingError("no text has a label")
    if len(classes) == 1:
        raise TrainingError(
            f"only one label, {classes[0]!r}: to tell texts that have it from others, give each text one label, such "
            f"as {classes[0]!r} and 'other'"
        )
    return classes, indicators(label_sets, classes)


def _check_outside_alone(sets: Sequence[LabelSet], outside: str) -> None:
    """Check that the out-of-scope label of texts that may have several labels occurs, and alone.

    Raises
    ------
    TrainingError
        If it does not.
    """
    for row, labels in enumerate(sets):
        if fault := outside_beside_others(labels, outside):
            raise TrainingError(f"labels[{row}]: {fault}")
    if not any(outside in labels for labels in sets):
        raise TrainingError(f"no row has the label {outside!r} (--out-of-scope-label)")


def check_labelled(
    texts: Sequence[str], labels: Labels, out_of_scope_label: str | None = None
) -> tuple[tuple[str, ...], Ints, Mask | None]:
    """Check that a classifier can be trained on some examples, whether they have one label each or several.

    Returns
    -------
    classes : tuple of str
    y : ndarray of shape (n_texts,)
    given : ndarray of shape (n_texts, n_classes), bool, or None
        See `TrainingSet`.

    Raises
    ------
    TrainingError
        See `check_examples` and `check_label_sets`.
    """
    sets = label_sets_of(labels)
    if not sets:
        return *check_examples(texts, [one for one in labels if isinstance(one, str)], out_of_scope_label), None
    if out_of_scope_label is not None:
        _check_outside_alone(sets, out_of_scope_label)
        sets = without_outside(sets, out_of_scope_label)
    classes, given = check_label_sets(texts, sets)
    return classes, rarest_labels(given), given


def labels_in_tree(
    labels: Labels, separator: str, out_of_scope_label: str | None = None
) -> tuple[list[str] | list[LabelSet], str]:
    """Check that the labels of texts are in a tree.

    Returns
    -------
    labels : list of str, or of tuple of str
        As they are written; see `as_written`.
    separator : str
        What separates their parts; see `usual_separator`.

    Raises
    ------
    ArgumentError
        If the separator stands in none of them.
    TrainingError
        If a label has an empty part.
    """
    separator, faults = tree_faults(labels, separator, out_of_scope_label)
    if faults:
        row, fault = next(iter(faults.items()))
        raise TrainingError(f"labels[{row}]: {fault}")
    written = as_written(labels, separator)
    if said := said_of_parents(labels_in(written) - {out_of_scope_label}, separator):
        logger.info("%s", said, extra={"about_rows": True})
    return written, separator


def tree_faults(labels: Labels, separator: str, out_of_scope_label: str | None = None) -> tuple[str, dict[int, str]]:
    """Return what separates the parts of labels in a tree, and what is wrong with those of some texts, by index.

    Raises
    ------
    ArgumentError
        If the separator stands in no label.
    """
    each = [
        (row, label)
        for row, one in enumerate(labels)
        for label in ((one,) if isinstance(one, str) else one)
        if label != out_of_scope_label
    ]
    separator = usual_separator([label for _, label in each], separator)
    found: dict[int, str] = {}
    for row, label in each:
        if row not in found and (fault := tree_fault(label, separator)):
            found[row] = fault
    return separator, found


def said_of_parents(labels: Iterable[str], separator: str) -> str:
    """Return which labels of rows have others below them, and how they are taken; nothing if none has."""
    names = set(labels)
    above = {name[:end] for name in names for end in range(len(name)) if name.startswith(separator, end)}
    both = sorted(above & names)
    shown = ", ".join(map(repr, both[:_MOST_NAMED])) + (", …" if len(both) > _MOST_NAMED else "")
    rest = "rows have this label itself, and others labels below it. Its probability is that of them all."
    return f"{shown}: {rest}" if both else ""


def check_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Check the names of the classes, and return them.

    Raises
    ------
    TrainingError
        If there are fewer than two, two are the same, or one is empty.
    """
    classes = tuple(names)
    for name in classes:
        if fault := text_fault(name, "label"):
            raise TrainingError(f"{fault}: {name!r}")
    if not classes:
        raise TrainingError("there are no labels: a classifier needs at least two")
    if len(classes) == 1:
        raise TrainingError(f"only one class, {classes[0]!r}: a classifier needs at least two labels")
    if len(set(classes)) != len(classes):
        raise TrainingError("two different labels are the same when converted to strings")
    return classes


def check_abstaining(target_accuracy: float | None, min_confidence: float | None) -> None:
    """Check the settings that determine the threshold.

    Raises
    ------
    ArgumentError
        If both are set, or one is out of range.
    """
    if target_accuracy is not None:
        if min_confidence is not None:
            raise ArgumentError(
                "target_accuracy chooses the threshold and min_confidence sets it: use only one of them"
            )
        if not 0 < target_accuracy < 1:
            raise ArgumentError(f"target_accuracy must be between 0 and 1, got {target_accuracy:g}")
    check_min_confidence(min_confidence)


def rarest_labels(given: Mask) -> Ints:
    """Return the rarest label of each text, to divide texts with several labels by: (n,).

    A text without labels counts as one of the commonest.

    Parameters
    ----------
    given : ndarray of shape (n, n_classes), bool
    """
    counts = given.sum(axis=0)
    rarest: Ints = np.where(given, counts, len(given) + 1).argmin(axis=1)
    return np.where(given.any(axis=1), rarest, int(counts.argmax()))


_WITH_SEVERAL = {
    "target_accuracy": "choose the thresholds of labels by --target-precision LABEL=0.95 (target_precision) or "
    "--target-recall LABEL=0.9 (target_recall), or set one for all with --min-confidence (min_confidence)",
    "costs": "say what it costs to miss a label with --class-weight FILE (class_weight)",
}


def check_for_one_label(**settings: Any) -> None:
    """Check that texts with several labels come without settings for texts with one.

    Raises
    ------
    ArgumentError
        If one is not None; the message says what to use instead.
    """
    for name, setting in settings.items():
        if setting is not None:
            instead = "" if name not in _WITH_SEVERAL else f": {_WITH_SEVERAL[name]}"
            raise ArgumentError(f"{named_option(name)} is for texts with one label each; these have several{instead}")


def check_without_tree(costs: Any) -> None:
    """Check that labels in a tree come without costs, which are between whole labels.

    Raises
    ------
    ArgumentError
        If there are some.
    """
    if costs is not None:
        raise ArgumentError(NOT_IN_TREE)


def check_kind_of_labels(*, several: bool, in_tree: bool, target_accuracy: Any, costs: Any) -> None:
    """Check that the answers asked for are possible with labels of a kind.

    Raises
    ------
    ArgumentError
        If they are not.
    """
    if several:
        check_for_one_label(target_accuracy=target_accuracy, costs=costs)
    elif in_tree:
        check_without_tree(costs)


def named_option(name: str) -> str:
    """Return a setting as it is named in messages: the option, and the argument."""
    option = "labels" if name == "label_texts" else name.replace("_", "-")
    return f"--{option} ({name})"
