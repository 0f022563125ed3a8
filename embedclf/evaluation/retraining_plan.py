"""The steps of retraining: check the rows, train the new classifier, compare it with the old one on the same rows."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.classifier.hierarchy import tree_fault
from embedclf.classifier.recorded_rows import change
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.label_sets import Labels, chosen, labels_in, without_outside
from embedclf.embedding.base import EmbedderLike, EmbedderSpec
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError, TrainingError
from embedclf.evaluation.both_embedders import BothEmbedders, EmbeddedRows, dimensions_of, named, sized
from embedclf.evaluation.changes import EXACT_MATCH, MACRO_F1, Answers, answers_of
from embedclf.evaluation.fitted_again import FittedAgain
from embedclf.evaluation.old_training import HOLDOUT, OldTraining
from embedclf.evaluation.retraining_result import Measured, Retraining
from embedclf.evaluation.scores import ACCURACY, MICRO_F1
from embedclf.training.checks import check_labelled
from embedclf.training.heads import Start
from embedclf.training.recipe import Recipe
from embedclf.training.trainer import HeldOutRows, train_on
from embedclf.validation import group_duplicates

logger = logging.getLogger(__name__)


class Plan(OldTraining):
    """A retraining: the old training, to be done again with another embedder or on other rows.

    Attributes
    ----------
    new_recipe : Recipe
        The settings of the new classifier: the old ones, unless others were asked for.
    embedders : BothEmbedders
        Open, before anything is embedded.
    """

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.new_recipe: Recipe = self.recipe
        self._changed: bool | None = None

    def check_embedder(self, *asked: object) -> None:
        """Check that no embedder, and nothing of one, is asked for if the classifier uses words only.

        Raises
        ------
        ArgumentError
            If one is.
        """
        if not self.recipe.uses_vectors and any(one is not None for one in asked):
            raise ArgumentError(f"{self.name} uses words only, and no embedder: train another one with embedclf train")

    def open(
        self,
        settings: Mapping[str, Any],
        embedder: EmbedderLike | None,
        dimensions: int | None,
        task: str | None = None,
        prompt: str | None = None,
    ) -> None:
        """Open both embedders; see `BothEmbedders`."""
        self.embedders = BothEmbedders(self, self.new_recipe, settings, embedder, dimensions, task, prompt)

    def changed_rows(self, texts: Sequence[str], labels: Labels) -> list[str]:
        """Return in sentences how rows differ from those of the old training."""
        if self.record is None or not self.rows_changed(texts, labels):
            return []
        return [f"The rows are not those of {self.name}: {change(self.record, len(texts))}"]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these of the rows: the others do not count, or the embedder has rejected them."""

    def check_tree(self, labels: Labels) -> None:
        """Check that no label has an empty part, if they are in a tree.

        Raises
        ------
        TrainingError
            If one has.
        """
        if (separator := self.card.hierarchy) is not None:
            for name in sorted(labels_in(labels)):
                if fault := tree_fault(name, separator):
                    raise TrainingError(fault)

    def check_rows(self, texts: Sequence[str], labels: Labels) -> None:
        """Check that rows can make a classifier.

        Raises
        ------
        TrainingError
            If they cannot.
        """
        self.check_tree(labels)
        written = self.written(labels)
        check_labelled(texts, written, self.card.out_of_scope_label)

    def check(self, texts: Sequence[str], labels: Labels, sample_weight: Any = None) -> None:
        """Check that rows can make a classifier, and that anything is to be done, before anything is embedded.

        Raises
        ------
        ArgumentError
            If neither the embedder nor the rows are others than before, or weights are needed.
        TrainingError
            If the examples are not enough for a classifier.
        """
        self.check_rows(texts, labels)
        if self.record is not None and self.record.weighted and sample_weight is None:
            raise ArgumentError(
                f"{self.name} was trained with weights of its examples, which its file does not hold: name their "
                "column with --weight-column, or retrain in Python with embedclf.retrain(…, sample_weight=…)"
            )
        self._changed = self.rows_changed(texts, labels)
        if self.embedders.is_same and self._changed is False:
            used, another = "words only", ""
            if self.recipe.uses_vectors:
                used, another = self.card.embedder.described, "another embedder with --embedder (embedder=…), or "
            raise ArgumentError(
                f"nothing has changed: {self.name} was trained with {used} on the same rows. Name {another}the file of "
                "other rows with --train-set"
            )

    def train(
        self,
        texts: Sequence[str],
        labels: Labels,
        embedded: EmbeddedRows,
        of_old: EmbeddedRows | None,
        sample_weight: Any = None,
    ) -> Retraining:
        """Train on rows, and compare the new classifier with the old one.

        Parameters
        ----------
        texts, labels
            The labels as `written` returns them.
        embedded, of_old : EmbeddedRows
            The rows, embedded by both embedders; see `BothEmbedders`.
        sample_weight : array of shape (n_texts,), optional
        """
        record, changed, usage = self.record, self._changed, self.embedders.usage
        if record is not None and not record.holdout and self.holdout == HOLDOUT:
            logger.info(
                "%s was trained without a held-out test: %g %% are held out to compare", self.name, 100 * HOLDOUT
            )
        logger.info("New: %s", sized(self.embedders.new.spec))
        outside = self.card.out_of_scope_label
        classes = sorted(labels_in(labels) - {outside})
        classifier, rows = train_on(
            EmbeddedTexts(texts, labels, embedder=self.embedders.new, vectors=embedded.vectors),
            self.new_recipe,
            holdout=self.holdout,
            out_of_scope_label=outside,
            sample_weight=sample_weight,
            class_weight=self.class_weight(labels),
            label_hierarchy=self.card.hierarchy,
            name_vectors=embedded.names(classes),
            seed=self.seed,
            start=Start.of(self.model, self.card, classes) if self.embedders.is_same else None,
            **self.threshold,
            **self.answers(labels),
        )
        if not len(rows.correct):
            return Retraining(classifier, None, self._recorded(), None, None, "no rows are held out", changed, usage)
        held = np.flatnonzero(rows.held)
        held = held[[labels[row] != outside for row in held.tolist()]]
        groups = group_duplicates([texts[row] for row in held.tolist()])
        of_held = without_outside(chosen(labels, held.tolist()), outside)
        new = self._measured(self.embedders.new.spec, len(texts), answers_of(of_held, classes, rows.correct, groups))
        correct, n_rows, reason = self._measure_old(texts, labels, embedded, of_old, rows, sample_weight)
        if correct is None:
            return Retraining(classifier, new, self._recorded(), None, None, reason, changed, usage)
        old = self._measured(self.card.embedder, n_rows, answers_of(of_held, classes, correct, groups))
        both = answers_of(of_held, classes, rows.correct, groups, correct)
        main, *_ = figures = both.figures()
        return Retraining(
            classifier,
            new,
            old,
            main.difference,
            main.difference_interval,
            None,
            changed,
            usage,
            tuple(both.of_rows(name, part) for name, part in self._parts(held) if part.any()),
            both.of_labels(self._known_labels(labels)),
            figures if classifier.card.multilabel is not None else (),
        )

    @property
    def threshold(self) -> dict[str, Any]:
        """What the threshold is chosen by, as arguments of `embedclf.train`."""
        return self.old_threshold

    def _measure_old(
        self,
        texts: Sequence[str],
        labels: Labels,
        embedded: EmbeddedRows,
        of_old: EmbeddedRows | None,
        rows: HeldOutRows,
        sample_weight: Any,
    ) -> tuple[Mask | None, int, str]:
        """Return which held-out rows the old classifier answers correctly, and its number of rows.

        If that cannot be known, the first is None, and the last says why.
        """
        again = FittedAgain(
            *(self, texts, labels, rows.held),
            sample_weight=sample_weight,
            class_weight=self.class_weight(labels),
            seed=self.seed,
        )
        if self._is_by_rows:
            vectors = embedded if self.embedders.is_same else of_old
            n_old = self.n_old_of(texts, labels)
            found = None if vectors is None else again.by_old_rows(vectors, n_old)
        else:
            n_old = len(texts)
            found = None if of_old is None else again.by_old_embedder(of_old)
        return found, n_old, again.reason or self.embedders.reason

    @property
    def _is_by_rows(self) -> bool:
        """Whether the old classifier is the one of the old rows, not only that of the old embedder."""
        return self.embedders.is_same

    def _parts(self, held: Ints) -> list[tuple[str, Mask]]:
        """Return the names of parts of the held-out rows to be compared on by themselves, and which rows these are."""
        return []

    def _known_labels(self, labels: Labels) -> set[str]:
        """Return the labels that the old classifier may answer."""
        return set(self.model.classes)

    def _measured(self, spec: EmbedderSpec, n_rows: int, answers: Answers) -> Measured:
        figures = {one.name: (one.after, one.after_interval) for one in answers.figures()}
        accuracy = figures.get(ACCURACY) or figures[EXACT_MATCH]
        micro, macro = (figures.get(name, (None, None)) for name in (MICRO_F1, MACRO_F1))
        return Measured(
            *(named(spec), spec.task, spec.prompt, dimensions_of(spec), n_rows, answers.n_held_out),
            *(*accuracy, *micro, *macro),
        )

    def _recorded(self) -> Measured | None:
        """Return what the file of the old classifier says of it."""
        held_out, spec = self.card.held_out, self.card.embedder
        if held_out is None:
            return None
        n_rows = self.card.n_examples if self.record is None else self.record.n_rows
        return Measured(
            *(named(spec), spec.task, spec.prompt, dimensions_of(spec), n_rows, held_out.n_examples),
            held_out.accuracy,
            None,
            micro_f1=held_out.micro_f1,
            macro_f1=None if held_out.micro_f1 is None else held_out.macro_f1,
        )


def plan_retraining(
    model: str | os.PathLike[str] | TextClassifier,
    embedder: EmbedderLike | None,
    *,
    dimensions: int | None,
    task: str | None,
    prompt: str | None,
    **settings: Any,
) -> Plan:
    """Read the settings of a classifier, and open the embedders; see `retrain`.

    Raises
    ------
    ModelFileError, EmbedderError
        If the file is not usable, or the new embedder cannot be opened.
    ArgumentError
        If the classifier uses words only, and another embedder is given.
    """
    plan = Plan.of(model)
    plan.check_embedder(embedder, dimensions, task, prompt)
    plan.open(settings, embedder, dimensions, task, prompt)
    return plan
