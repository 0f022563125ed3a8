"""The answers of several classifiers to the same labelled rows, with all labels as indices into one list of names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.classifier.decisions import NOTHING, MultiLabelDecision
from embedclf.classifier.hierarchy import as_written
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.label_sets import Labels, indicators, label_sets_of, labels_in, without_outside
from embedclf.validation import group_duplicates, spelt_as


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """Labelled texts, with their labels in the terms of some classifiers.

    Attributes
    ----------
    texts : tuple of str, of length n
    labels : list of str, or of tuple of str, of length n
        Spelt as the classifiers spell them.
    names : tuple of str
        All labels that a row has or a classifier knows, sorted, without those that are out of scope.
    given : ndarray of shape (n,) of int, or (n, n_names) of bool if a text may have several labels
        The label of each row as an index into `names`, −1 for a row that is out of scope; or which labels it has.
    inside : ndarray of shape (n,), bool
        Which rows are in scope: those whose label is not the out-of-scope label of any of the classifiers.
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    separator : str or None
        What separates the parts of labels in a tree; None without a tree.
    """

    texts: tuple[str, ...]
    labels: Labels
    names: tuple[str, ...]
    given: Any
    inside: Mask
    groups: Ints
    separator: str | None

    @property
    def are_several(self) -> bool:
        """Whether a text may have several labels."""
        return bool(self.given.ndim > 1)


@dataclass(frozen=True, slots=True, eq=False)
class RowAnswers:
    """The answers of one classifier to labelled rows.

    Attributes
    ----------
    chosen : ndarray of shape (n,) of int, or (n, n_names) of bool if a text may have several labels
        The label that each row gets if it gets any, as an index into `LabelledRows.names`; or which labels it gets.
    confidence : ndarray of shape (n,), float64
        The probability of that label, or of the likeliest one given.
    answered : ndarray of shape (n,), bool
        Where the classifier does not abstain, or gives at least one label.
    abstains : bool
        Whether it may abstain at all.
    probabilities : ndarray of shape (n, n_classes), float32
    """

    chosen: Any
    confidence: Floats
    answered: Mask
    abstains: bool
    probabilities: Vectors


def labelled_rows(texts: Sequence[str], labels: Labels, classifiers: Sequence[TextClassifier]) -> LabelledRows:
    """Return texts with their labels in the terms of classifiers, which all give one label per text, or all several."""
    separator = next((one.card.hierarchy for one in classifiers if one.card.hierarchy is not None), None)
    if separator is not None:
        labels = as_written(labels, separator)
    outside = {one.card.out_of_scope_label for one in classifiers} - {None}
    known = {name for one in classifiers for name in classes_of(one, separator)}
    groups = group_duplicates(texts)
    if classifiers[0].model.is_multilabel:
        sets = label_sets_of(labels)
        for name in outside:
            sets = without_outside(sets, name)
        names = sorted(known | labels_in(sets))
        given, inside = indicators(sets, names), np.ones(len(texts), dtype=bool)
        return LabelledRows(tuple(texts), sets, tuple(names), given, inside, groups, separator)
    spelt = spelt_as([str(label) for label in labels], {*known, *(name or "" for name in outside)})
    names = sorted((known | {*spelt}) - outside)
    numbers = {name: number for number, name in enumerate(names)}
    y = np.array([numbers.get(label, NOTHING) for label in spelt], dtype=np.intp)
    return LabelledRows(tuple(texts), spelt, tuple(names), y, y != NOTHING, groups, separator)


def answers_to(rows: LabelledRows, classifier: TextClassifier, vectors: Vectors) -> RowAnswers:
    """Return how a classifier answers rows.

    Parameters
    ----------
    rows : LabelledRows
        From `labelled_rows`, with this classifier among its classifiers.
    classifier : TextClassifier
    vectors : ndarray of shape (n, n_dimensions), float32
        By the classifier's embedder; without columns if it uses words only.
    """
    probabilities, decision = classifier.probabilities(vectors, rows.texts), classifier.decision
    numbers = {name: number for number, name in enumerate(rows.names)}
    # A class that is the out-of-scope label of another classifier has no number: it is answered like no label.
    columns = np.array([numbers.get(name, NOTHING) for name in classes_of(classifier, rows.separator)], dtype=np.intp)
    decided = decision.decide(probabilities)
    if isinstance(decision, MultiLabelDecision):
        chosen = np.zeros((len(rows.texts), len(rows.names)), dtype=bool)
        kept = columns != NOTHING
        chosen[:, columns[kept]] = decision.given(probabilities)[:, kept]
        has_any: Mask = np.logical_or.reduce(chosen, axis=1)
        return RowAnswers(chosen, decided.confidence, has_any, True, probabilities)
    own, confidence = decision.choose(probabilities)
    answered = (decided.chosen != NOTHING) & (columns[own] != NOTHING)
    return RowAnswers(columns[own], confidence, answered, decision.abstains, probabilities)


def classes_of(classifier: TextClassifier, separator: str | None) -> list[str]:
    """Return the classes of a classifier as they are in `LabelledRows.names`; see `LabelledRows.separator`."""
    classes = list(classifier.classes)
    return classes if separator is None else as_written(classes, separator)
