"""Checks of examples and of settings that do not depend on the vectors."""

from collections.abc import Iterable, Sequence

import numpy as np

from embedclf.arrays import Ints
from embedclf.classifier.decisions import check_min_confidence
from embedclf.errors import ArgumentError, TrainingError
from embedclf.formatting import counted
from embedclf.validation import text_fault


def check_examples(
    texts: Sequence[str], labels: Sequence[str], out_of_scope_label: str | None = None
) -> tuple[tuple[str, ...], Ints]:
    """Check that examples make a classifier, and return its classes and, for each example, the index of its own.

    Examples out of scope have the index after the last.

    Raises
    ------
    ArgumentError
        If there is not one label per text.
    TrainingError
        If there are no examples, or their labels do not make classes.
    """
    if len(texts) != len(labels):
        raise ArgumentError(f"there are {counted(len(texts), 'text')} and {counted(len(labels), 'label')}")
    if not texts:
        raise TrainingError("there are no examples to train on")
    names = set(labels)
    if out_of_scope_label is not None and out_of_scope_label not in names:
        raise TrainingError(f"no example has the out-of-scope label {out_of_scope_label!r}: is it written so?")
    classes = check_classes(sorted(names - {out_of_scope_label}))
    numbers = {name: number for number, name in enumerate(classes)}
    if out_of_scope_label is not None:
        numbers[out_of_scope_label] = len(classes)
        if len({text for text, label in zip(texts, labels, strict=True) if label == out_of_scope_label}) == 1:
            raise TrainingError(
                f"the out-of-scope label {out_of_scope_label!r} has only one text: a threshold needs two or more, and "
                "is good with dozens"
            )
    return classes, np.array([numbers[label] for label in labels], dtype=np.intp)


def check_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Check that the names of classes are two or more, different, and not empty.

    Raises
    ------
    TrainingError
    """
    classes = tuple(names)
    for name in classes:
        if fault := text_fault(name, "label"):
            raise TrainingError(f"{fault}: {name!r}")
    if len(classes) == 1:
        raise TrainingError(f"there is only one class, {classes[0]!r}: a classifier needs two labels or more")
    if len(set(classes)) != len(classes):
        raise TrainingError("two different labels are written the same")
    return classes


def check_abstaining(target_accuracy: float | None, min_confidence: float | None) -> None:
    """Check that a threshold is asked for in one way.

    Raises
    ------
    ArgumentError
    """
    if target_accuracy is not None:
        if min_confidence is not None:
            raise ArgumentError("target_accuracy chooses the threshold and min_confidence sets it: give one of them")
        if not 0 < target_accuracy < 1:
            raise ArgumentError(f"target_accuracy is a share between 0 and 1, not {target_accuracy:g}")
    check_min_confidence(min_confidence)
