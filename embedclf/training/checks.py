"""Checks of examples and settings that need no vectors."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.classifier.costs import meant
from embedclf.classifier.decisions import check_min_confidence
from embedclf.classifier.hierarchy import as_written, sets_as_written, tree_fault, usual_separator
from embedclf.data.label_sets import LabelSet
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
    numbers = {name: number for number, name in enumerate(classes)}
    given = np.zeros((len(texts), len(classes)), dtype=bool)
    for row, labels in enumerate(label_sets):
        given[row, [numbers[label] for label in labels]] = True
    return classes, given


def check_labelled(
    texts: Sequence[str], labels: Sequence[str] | Sequence[LabelSet]
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
    sets = [one for one in labels if not isinstance(one, str)]
    if not sets:
        return *check_examples(texts, [one for one in labels if isinstance(one, str)]), None
    classes, given = check_label_sets(texts, sets)
    return classes, rarest_labels(given), given


def check_tree(labels: Sequence[str], separator: str, out_of_scope_label: str | None = None) -> str:
    """Check that labels are in a tree, and return what separates their parts; see `usual_separator`.

    Raises
    ------
    ArgumentError
        If the separator stands in none of them.
    TrainingError
        If a label has an empty part.
    """
    inside = [label for label in labels if label != out_of_scope_label]
    separator = usual_separator(inside, separator)
    for name in sorted(set(inside)):
        if fault := tree_fault(name, separator):
            raise TrainingError(f"labels[{list(labels).index(name)}]: {fault}")
    if said := said_of_parents(as_written(inside, separator), separator):
        logger.info("%s", said, extra={"about_rows": True})
    return separator


def said_of_parents(labels: Iterable[str], separator: str) -> str:
    """Return which labels of rows have others below them, and how they are taken; nothing if none has."""
    names = set(labels)
    above = {name[:end] for name in names for end in range(len(name)) if name.startswith(separator, end)}
    both = sorted(above & names)
    shown = ", ".join(map(repr, both[:_MOST_NAMED])) + (", …" if len(both) > _MOST_NAMED else "")
    rest = "rows have this label itself, and others labels below it. Its probability is that of them all."
    return f"{shown}: {rest}" if both else ""


def sets_in_tree(sets: Sequence[LabelSet], separator: str) -> tuple[list[LabelSet], str]:
    """Check that the labels of texts with several are in a tree; return them as they are written, and the separator.

    Raises
    ------
    ArgumentError, TrainingError
        As `check_tree` does.
    """
    separator = check_tree([label for labels in sets for label in labels], separator)
    return sets_as_written(sets, separator), separator


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


def check_for_one_label(**settings: Any) -> None:
    """Check that texts with several labels come without settings for texts with one.

    Raises
    ------
    ArgumentError
        If one is not None.
    """
    for name, setting in settings.items():
        if setting is not None:
            raise ArgumentError(f"{named_option(name)} is for texts with one label each; these have several")


def check_without_tree(**settings: Any) -> None:
    """Check that labels in a tree come without settings that cannot be used with one.

    Raises
    ------
    ArgumentError
        If one is set.
    """
    if asked := [name for name, value in settings.items() if value]:
        raise ArgumentError(f"{named_option(asked[0])} cannot be used with labels in a tree (label_hierarchy)")


def named_option(name: str) -> str:
    """Return a setting as it is named in messages: the option, and the argument."""
    option = "labels" if name == "label_texts" else name.replace("_", "-")
    return f"--{option} ({name})"
