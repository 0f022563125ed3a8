"""The old classifier of a retraining, fitted again without the held-out rows of the new one, and measured on them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embedclf.arrays import Mask
from embedclf.classifier.hierarchy import hierarchy_of
from embedclf.data.label_sets import Labels, LabelSet, chosen, label_sets_of, labels_in, without_outside
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import TrainingError
from embedclf.evaluation.both_embedders import EmbeddedRows, as_clause, sized
from embedclf.evaluation.old_training import OldTraining
from embedclf.formatting import counted
from embedclf.training.checks import check_label_sets, check_labelled
from embedclf.training.fitting import measure_held_out
from embedclf.training.trainer import answer_rules, weights_of
from embedclf.training.training_set import make_training_set
from embedclf.training.weights import ClassWeight

logger = logging.getLogger(__name__)

_FEWEST_CLASSES = 2


class FittedAgain:
    """The old classifier, to be measured on the held-out rows of the new one.

    Parameters
    ----------
    training : OldTraining
    texts, labels
        All rows, with labels as `OldTraining.written` returns them.
    held : ndarray of shape (n_texts,), bool
        Which rows are held out.
    sample_weight, class_weight
        See `embedclf.train`.
    seed : int

    Attributes
    ----------
    reason : str
        Why it could not be measured; empty if it was, or that is not known.
    """

    def __init__(
        self,
        training: OldTraining,
        texts: Sequence[str],
        labels: Labels,
        held: Mask,
        *,
        sample_weight: Any,
        class_weight: ClassWeight,
        seed: int,
    ) -> None:
        self._training, self._texts, self._held = training, texts, held
        self._labels = without_outside(labels, training.card.out_of_scope_label)
        self._sample_weight, self._class_weight, self._seed = sample_weight, class_weight, seed
        self.reason = ""

    def by_old_embedder(self, embedded: EmbeddedRows) -> Mask | None:
        """Return which held-out rows the old embedder leads to correct answers for; see `HeldOutRows.correct`."""
        logger.info("Old: %s", sized(self._training.card.embedder))
        everything = np.ones(len(self._texts), dtype=bool)
        return self._correct(everything, self._labels, embedded, self._training.card.out_of_scope_label)

    def by_old_rows(self, embedded: EmbeddedRows, n_old: int) -> Mask | None:
        """Return which held-out rows the old rows lead to correct answers for; see `HeldOutRows.correct`.

        Labels that the old rows lack are never answered. Return None if it is not known which rows are old, or they are
        not enough.
        """
        if not n_old:
            self.reason = "the rows have changed, not only grown, so it is not known which of them the old one has seen"
            return None
        outside = self._training.card.out_of_scope_label
        fitted = ~self._held
        fitted[n_old:] = False
        known = labels_in(chosen(self._labels, np.flatnonzero(fitted).tolist()))
        if len(known - {outside}) < _FEWEST_CLASSES:
            self.reason = "too few labels are left among the old rows that are not held out"
            return None
        logger.info("Old: the first %s", counted(n_old, "row"))
        sets = label_sets_of(self._labels)
        if sets:
            return self._of_several(sets, embedded, fitted, known)
        is_known = np.array([label in known for label in self._labels])
        used = fitted | (self._held & is_known)
        found = self._correct(used, self._labels, embedded, outside if outside in known else None)
        if found is None:
            return None
        held = np.flatnonzero(self._held)
        held = held[[self._labels[row] != outside for row in held.tolist()]]
        correct = np.zeros(len(held), dtype=bool)
        correct[is_known[held]] = found
        return correct

    def _of_several(
        self, sets: Sequence[LabelSet], embedded: EmbeddedRows, fitted: Mask, known: set[str]
    ) -> Mask | None:
        of_known = [tuple(label for label in labels if label in known) for labels in sets]
        are_all_labelled = all(sets[row] for row in np.flatnonzero(fitted).tolist())
        found = self._correct(fitted | self._held, of_known, embedded, None, are_all_labelled=are_all_labelled)
        if found is None:
            return None
        classes, given = check_label_sets(self._texts, sets)
        # What is never given is right for the texts that do not have it.
        correct: Mask = ~given[self._held]
        correct[:, [name in known for name in classes]] = found
        return correct

    def _correct(
        self,
        used: Mask,
        labels: Labels,
        embedded: EmbeddedRows,
        outside: str | None,
        *,
        are_all_labelled: bool | None = None,
    ) -> Mask | None:
        """Fit on the used rows that are not held out, and measure; None if the old targets are not reached."""
        training, rows = self._training, np.flatnonzero(used).tolist()
        texts = EmbeddedTexts(
            [self._texts[row] for row in rows],
            chosen(labels, rows),
            vectors=embedded[rows].vectors,
        )
        classes, y, given = check_labelled(texts.texts, texts.given_labels, None if texts.is_multilabel else outside)
        recipe, names = training.recipe, embedded.names(classes)
        if embedded.vectors is None:
            recipe = replace(recipe, features="words")
        elif names is None:
            recipe = replace(recipe, label_names=False)  # nothing is embedded here
        weights = self._sample_weight
        if weights is not None:
            weights = np.broadcast_to(weights, len(self._texts))[rows]
        class_weight = self._class_weight
        if isinstance(class_weight, Mapping):
            class_weight = {name: one for name, one in class_weight.items() if name in classes}
        weights, of_classes = weights_of(weights, class_weight, classes, y, given)
        separator = training.card.hierarchy
        tree = None
        if separator is not None and any((separator.strip() or separator) in name for name in classes):
            tree = hierarchy_of(classes, separator)
        rules = answer_rules(
            classes,
            **training.answers(texts.given_labels),
            outside=training.card.out_of_scope_label,
            separator=None if tree is None else separator,
        )
        try:
            return measure_held_out(
                make_training_set(
                    recipe, texts, classes, y, names, sample_weight=weights, given=given, class_weight=of_classes
                ),
                recipe,
                seed=self._seed,
                held=self._held[used],
                rules=rules,
                min_confidence=training.old_threshold["min_confidence"],
                tree=tree,
                are_all_labelled=are_all_labelled,
            )
        except TrainingError as error:
            if not rules.has_targets:
                raise
            self.reason = as_clause(error)
            return None
