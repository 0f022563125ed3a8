"""The steps of retraining: old settings and rows, both embedders, both classifiers on the same held-out rows."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.hierarchy import as_written
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.loading import how_to_pass, open_as_trained
from embedclf.classifier.model_card import ModelCard
from embedclf.classifier.model_file import read_model
from embedclf.classifier.recorded_rows import HOW, change, find_rows, is_same
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.columns import names_in
from embedclf.data.corpus import Corpus, join, read_corpus
from embedclf.data.reading import as_read
from embedclf.data_frames import is_data_frame
from embedclf.embedding.aimlapi.gone import check_served
from embedclf.embedding.base import EXTERNAL, WORDS, Embedder, EmbedderLike, EmbedderSpec, is_alike
from embedclf.embedding.cache.lookup import cached_vectors
from embedclf.embedding.cache.vector_cache import open_cache
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import told_alike
from embedclf.embedding.tasks import CLASSIFICATION, NO_TASK, check_prompt, task_named
from embedclf.embedding.usage import Usage
from embedclf.errors import ArgumentError, EmbedclfError, EmbedderError, MaxCostError, ModelFileError, TrainingError
from embedclf.evaluation.changes import Change, change_of
from embedclf.evaluation.choices import Choice, check_cost_of_all
from embedclf.evaluation.retraining_result import Measured, Retraining
from embedclf.formatting import counted
from embedclf.stats.intervals import Interval, interval_of_mean
from embedclf.training.checks import check_examples
from embedclf.training.fitting import measure_held_out
from embedclf.training.heads import Start
from embedclf.training.label_names import names_for
from embedclf.training.recipe import Recipe, check_recipe
from embedclf.training.trainer import HeldOutRows, answer_rules, open_for, train_on, weights_of
from embedclf.training.training_set import TrainingSet, make_training_set
from embedclf.training.weights import ClassWeight
from embedclf.validation import group_duplicates, spelt_as

logger = logging.getLogger(__name__)

# Held out to compare on if the classifier was trained without a held-out test; the default of `embedclf.train`.
_HOLDOUT = 0.2
_FEWEST_CLASSES = 2
_HOW_OLD = "to measure it again, use embedclf.retrain(embedclf.load(MODEL, embedder=…), …) in Python"


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedRows:
    """Rows embedded by one embedder.

    Attributes
    ----------
    vectors : ndarray of shape (n_texts, n_dimensions), float32, or None
        None if words are enough.
    of_names : dict of str to ndarray
        The vectors of label names, by label; empty if they are not used.
    refused : dict of int to str
        Why texts cannot be embedded, by index.
    """

    vectors: Vectors | None
    of_names: dict[str, Any]
    refused: dict[int, str]

    def __getitem__(self, rows: Sequence[int]) -> "EmbeddedRows":
        return replace(self, vectors=None if self.vectors is None else self.vectors[list(rows)], refused={})

    def names(self, classes: Sequence[str]) -> Vectors | None:
        """Return the vectors of the names of classes, or None if they are not used."""
        if not set(classes) <= self.of_names.keys():
            return None
        return np.stack([self.of_names[name] for name in classes])


class Plan:
    """A retraining whose embedders are open, before anything is embedded.

    Attributes
    ----------
    name : str
        The old classifier, for messages.
    card : ModelCard
    record : TrainingRecord or None
        None if the file does not hold it.
    recipe : Recipe
        The old settings.
    new_recipe : Recipe
        Those of the new classifier: the old ones, unless others were asked for.
    new : Embedder
    old : Embedder or None
        None if it is the new one, or cannot be opened.
    is_same_embedder : bool
        Whether the new one is the old one.
    reason : str
        Why the old classifier cannot be measured, as far as is known; else empty.
    """

    _how_to_name_rows = HOW

    def __init__(
        self,
        name: str,
        folder: Path,
        model: LinearModel,
        card: ModelCard,
        recipe: Recipe,
        given: Any,
        settings: dict[str, Any],
    ) -> None:
        self.name, self._folder, self.card, self.record, self.recipe = name, folder, card, card.training, recipe
        self._model, self.new_recipe = model, recipe
        self._given, self._settings = given, settings
        self.reason = ""
        self._same_model: EmbedderLike | None = None
        self._changed: bool | None = None
        self._used_before = Usage() if given is None else given.usage

    @classmethod
    def of(cls, model: str | os.PathLike[str] | TextClassifier, settings: Mapping[str, Any]) -> Self:
        """Read the settings of a classifier.

        Raises
        ------
        ModelFileError
            If the file is not usable.
        ArgumentError
            If it was trained in a way that its file does not hold, or gives several labels to a text.
        """
        if isinstance(model, TextClassifier):
            card, given, folder, name, uses_vectors = (
                *(model.card, model.embedder, Path()),
                *("the classifier", model.model.uses_vectors),
            )
            linear = model.model
        else:
            linear, card = read_model(model)
            given, folder, name, uses_vectors = None, Path(model).parent, os.fspath(model), linear.uses_vectors
        if card.multilabel is not None:
            raise ArgumentError(
                f"{name} gives several labels to a text, and only models that give one can be retrained: train another "
                "one with embedclf train, and measure both with embedclf evaluate"
            )
        if card.training is not None and card.training.label_texts:
            raise ArgumentError(
                f"{name} was trained with texts of its labels, which its file does not hold: train again with embedclf "
                "train FILE --labels LABELS (label_texts=)"
            )
        recipe = _recipe_of(card, name, uses_vectors=uses_vectors)
        return cls(name, folder, linear, card, recipe, given, dict(settings))

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
        self, embedder: EmbedderLike | None, dimensions: int | None, task: str | None = None, prompt: str | None = None
    ) -> None:
        """Open both embedders.

        The new one is told what the old one was, as far as it takes that and nothing else is asked for.

        Raises
        ------
        EmbedderError, ModelFileError
            If the new one cannot be opened.
        """
        trained_with = self.card.embedder
        if not self.new_recipe.uses_vectors:
            self.new = open_for(self.new_recipe, None)[0]
        elif embedder is not None:
            told = told_alike(embedder, trained_with)
            told |= {name: value for name, value in (("task", task), ("prompt", prompt)) if value is not None}
            self.new = open_for(self.new_recipe, embedder, dimensions=dimensions, **told, **self._settings)[0]
            self._say_what_is_lost(task, prompt)
            if not isinstance(embedder, Embedder) and str(self.new.spec) == str(trained_with):
                self._same_model = embedder  # the old one's too, where no file can open it
        else:
            wanted = _asked_of(trained_with, dimensions, task, prompt)
            is_given = self._given is not None and wanted == trained_with
            self.new = self._given if is_given else self._open_as(wanted)
        self.is_same_embedder = is_alike(self.new.spec, trained_with)
        self.old: Embedder | None = None if self.is_same_embedder else self._given
        if self.old is None and not self.is_same_embedder:
            try:
                check_served(trained_with)
                self.old = self._open_as(trained_with, how=_HOW_OLD)
            except (EmbedderError, ModelFileError) as error:
                self.reason = _as_clause(error)

    def _say_what_is_lost(self, task: str | None, prompt: str | None) -> None:
        """Warn if the new embedder is not told what the old one was, though nothing else was asked for."""
        old, new = self.card.embedder, self.new.spec
        is_usual = old.task == CLASSIFICATION
        lost = EmbedderSpec(
            *("", "", None),
            task=old.task if task is None and new.task is None and not is_usual else None,
            prompt=old.prompt if prompt is None and new.prompt is None else None,
        )
        if lost.told:
            logger.warning("%s is not told what the old embedder was told (%s)", new, lost.told)

    def _open_as(self, spec: EmbedderSpec, **more: Any) -> Embedder:
        """Open an embedder that the model file names, or one like it, without calling a URL from the file."""
        file = self.name if self._given is None else None
        how = {"how": how_to_pass(spec), "trained_file": file}
        return open_as_trained(spec, self._same_model, self.name, **{**self._settings, **how, **more})

    @property
    def holdout(self) -> float:
        """The share of rows to hold out."""
        return (self.record.holdout if self.record is not None else 0.0) or _HOLDOUT

    @property
    def weight_column(self) -> str | None:
        """The column with the weights of the old training; None if it had none."""
        return None if self.record is None else self.record.weight_column

    def columns(
        self, texts: object, text: str | Sequence[str] | None, label: str | None
    ) -> tuple[str | Sequence[str] | None, str | None]:
        """Return the columns of a data frame to read: those asked for, else those of the old training, if any."""
        if is_data_frame(texts):
            names, usual = {str(name) for name in texts.columns}, self.card.columns
            text = usual.text if text is None and set(names_in(usual.text)) <= names else text
            label = usual.label if label is None and usual.label in names else label
        return text, label

    def read(self, files: Sequence[str]) -> Corpus:
        """Read files as those of the old training were read."""
        how = {} if self.record is None else as_read(self.record.reading)
        return join([read_corpus(file, usual=self.card.columns, **how) for file in files], alike=False)

    def find_rows(self, read: Any) -> Corpus:
        """Return the rows of the old training; see `embedclf.classifier.recorded_rows.find_rows`."""
        return find_rows(self.record, self.name, self._folder, read, self._how_to_name_rows)

    def rows_changed(self, texts: Sequence[str], labels: Sequence[str]) -> bool | None:
        """Return whether rows are others than those of the old training; None if that is not known."""
        return None if self.record is None else not is_same(self.record, texts, labels)

    def changed_rows(self, texts: Sequence[str], labels: Sequence[str]) -> list[str]:
        """Return in sentences how rows differ from those of the old training."""
        if self.record is None or not self.rows_changed(texts, labels):
            return []
        return [f"The rows are not those of {self.name}: {change(self.record, len(texts))}"]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these of the rows: the others do not count, or the embedder has rejected them."""

    def check(self, texts: Sequence[str], labels: Sequence[str], sample_weight: Any = None) -> None:
        """Check that rows can make a classifier, and that anything is to be done, before anything is embedded.

        Raises
        ------
        ArgumentError
            If neither the embedder nor the rows are others than before, or weights are needed.
        TrainingError
            If the examples are not enough for a classifier.
        """
        check_examples(texts, self.written(labels), self.card.out_of_scope_label)
        if self.record is not None and self.record.weighted and sample_weight is None:
            raise ArgumentError(
                f"{self.name} was trained with weights of its examples, which its file does not hold: name their "
                "column with --weight-column, or retrain in Python with embedclf.retrain(…, sample_weight=…)"
            )
        self._changed = self.rows_changed(texts, labels)
        if self.is_same_embedder and self._changed is False:
            used, another = "words only", ""
            if self.recipe.uses_vectors:
                used, another = self.card.embedder.described, "another embedder with --embedder (embedder=…), or "
            raise ArgumentError(
                f"nothing has changed: {self.name} was trained with {used} on the same rows. Name {another}the file of "
                "other rows with --train-set"
            )

    def check_cost(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """Check that the estimated cost of both embedders is within the limit, if there is one.

        Raises
        ------
        MaxCostError
            If it is not.
        """
        check_cost_of_all(self.choices(), self.texts_with_names(texts, labels)[0], self._settings.get("max_cost"))

    def texts_with_names(self, texts: Sequence[str], labels: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the texts and the label names to embed, and the labels of these."""
        classes = self._classes(labels)
        names = names_for(self.new_recipe, classes, len(texts)) if self.recipe.uses_vectors else []
        return [*texts, *(one.text for one in names)], [one.label for one in names]

    def _classes(self, labels: Sequence[str]) -> list[str]:
        return sorted(label for label in set(self.written(labels)) if label != self.card.out_of_scope_label)

    def written(self, labels: Sequence[str]) -> Sequence[str]:
        """Return labels as the old classifier's are written."""
        labels = self.spelt(labels)
        return labels if self.card.hierarchy is None else as_written(labels, self.card.hierarchy)

    def spelt(self, labels: Sequence[str]) -> list[str]:
        """Return labels with truth values as the old classifier spells them."""
        return spelt_as(labels, {*self._model.classes, self.card.out_of_scope_label or ""})

    def _class_weight(self, labels: Sequence[str]) -> ClassWeight:
        """Return the old weights of those labels that occur."""
        weight, known = None if self.record is None else self.record.class_weight, set(self.written(labels))
        if not isinstance(weight, Mapping):
            return weight
        return {name: one for name, one in weight.items() if name in known}

    def _answers(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return the old costs and targets of those labels that occur."""
        known, record = set(self.written(labels)), self.record
        given = (None, None) if record is None else (record.target_precision, record.target_recall)
        targets = [{name: one for name, one in (each or {}).items() if name in known} for each in given]
        costs = None if self.card.costs is None else self.card.costs.without(known)
        return {"costs": costs, "target_precision": targets[0], "target_recall": targets[1]}

    @property
    def _seed(self) -> int:
        return 0 if self.record is None else self.record.seed

    @property
    def usage(self) -> Usage:
        """What embedding has used and cost."""
        used = self.new.usage if self.old is None else self.new.usage.plus(self.old.usage)
        return used.plus(self._used_before, -1)

    def choices(self) -> list[Choice]:
        """Return the embedders whose vectors are needed, as those to estimate the cost of."""
        found = [Choice(None, None, self.new)]
        if self.old is not None:
            found.append(Choice(None, None, self.old))
        return [one for one in found if self.recipe.uses_vectors and not one.opened.is_lexical]

    def embed(self, texts: Sequence[str], labels: Sequence[str]) -> EmbeddedRows:
        """Embed rows with the new embedder."""
        return self._embed(self.new, texts, labels)

    def _embed(self, embedder: Embedder, texts: Sequence[str], labels: Sequence[str]) -> EmbeddedRows:
        if embedder.is_lexical or not self.recipe.uses_vectors:
            return EmbeddedRows(None, {}, {})
        both, named = self.texts_with_names(texts, labels)
        vectors, reasons = embedder.embed_partial(both)
        refused = {row: why for row, why in reasons.items() if row < len(texts)}
        # All names are used, or none.
        names = dict(zip(named, vectors[len(texts) :], strict=True)) if len(refused) == len(reasons) else {}
        return EmbeddedRows(vectors[: len(texts)], names, refused)

    def train(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        embedded: EmbeddedRows,
        of_old: EmbeddedRows | None,
        sample_weight: Any = None,
    ) -> Retraining:
        """Train on rows embedded by the new embedder, and compare it with the old one; see `embed` and `embed_old`."""
        record, changed, usage, labels = self.record, self._changed, self.usage, self.spelt(labels)
        if record is not None and not record.holdout and self.holdout == _HOLDOUT:
            logger.info(
                "%s was trained without a held-out test: %g %% are held out to compare", self.name, 100 * _HOLDOUT
            )
        logger.info("New: %s", _sized(self.new.spec))
        classifier, rows = train_on(
            EmbeddedTexts(texts, labels, embedder=self.new, vectors=embedded.vectors),
            self.new_recipe,
            holdout=self.holdout,
            out_of_scope_label=self.card.out_of_scope_label,
            sample_weight=sample_weight,
            class_weight=self._class_weight(labels),
            label_hierarchy=self.card.hierarchy,
            name_vectors=embedded.names(self._classes(labels)),
            seed=self._seed,
            start=Start.of(self._model, self.card, self._classes(labels)) if self.is_same_embedder else None,
            **self._threshold(),
            **self._answers(labels),
        )
        if not len(rows.correct):
            return Retraining(classifier, None, self._recorded(), None, None, "no rows are held out", changed, usage)
        held = np.flatnonzero(rows.held)
        held = held[[labels[row] != self.card.out_of_scope_label for row in held.tolist()]]
        groups = group_duplicates([texts[row] for row in held.tolist()])
        new = self._measured(self.new.spec, len(texts), rows.correct, groups)
        correct, n_rows = self._measure_old(texts, labels, embedded, of_old, rows, sample_weight)
        if correct is None:
            return Retraining(classifier, new, self._recorded(), None, None, self.reason, changed, usage)
        differences = rows.correct.astype(float) - correct
        return Retraining(
            classifier,
            new,
            self._measured(self.card.embedder, n_rows, correct, groups),
            float(differences.mean()),
            interval_of_mean(differences, groups, least=-1),
            None,
            changed,
            usage,
            *self._changes(labels, held, rows.correct, correct, groups),
        )

    def _measure_old(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        embedded: EmbeddedRows,
        of_old: EmbeddedRows | None,
        rows: HeldOutRows,
        sample_weight: Any,
    ) -> tuple[Mask | None, int]:
        """Return which held-out rows the old classifier answers correctly, if that is known, and its number of rows."""
        if self.is_same_embedder:
            n_old = self._n_old(texts, labels)
            return self._correct_before(texts, labels, embedded, rows, n_old, sample_weight), n_old
        return None if of_old is None else self._correct_of_old(texts, labels, of_old, rows, sample_weight), len(texts)

    def _n_old(self, texts: Sequence[str], labels: Sequence[str]) -> int:
        """Return how many of the rows are those of the old classifier, which come first; 0 if that is not known.

        They are known if others have only been added after them.
        """
        n = 0 if self.record is None else self.record.n_rows
        return n if self.record is not None and is_same(self.record, texts[:n], labels[:n]) else 0

    def _changes(
        self, labels: Sequence[str], held: Ints, new: Mask, old: Mask, groups: Ints
    ) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
        """Return what changed for the old and the new rows, and for each label; see `Retraining`.

        Parameters
        ----------
        labels : sequence of str
        held : ndarray of shape (n_held_out,)
            The rows that are held out.
        new, old : ndarray of shape (n_held_out,), bool
            Whether the new and the old classifier answer them correctly.
        groups : ndarray of shape (n_held_out,)
            From `group_duplicates`.
        """
        of_held = np.array([labels[row] for row in held.tolist()])
        known = self._known_labels(labels)
        return (), tuple(
            change_of(str(name), of_held == name, new, old if name in known else None, groups)
            for name in np.unique(of_held)
        )

    def _known_labels(self, labels: Sequence[str]) -> set[str]:
        """Return the labels that the old classifier may answer."""
        return set(self._model.classes)

    def _threshold(self) -> dict[str, Any]:
        record = self.record
        if record is not None:
            return {"target_accuracy": record.target_accuracy, "min_confidence": record.min_confidence}
        # Files of older versions say only what came of it.
        chosen = self.card.out_of_scope_label is not None
        return {"target_accuracy": None, "min_confidence": None if chosen else self.card.threshold}

    def embed_old(self, texts: Sequence[str], labels: Sequence[str]) -> EmbeddedRows | None:
        """Embed rows with the old embedder, or find their vectors in the cache.

        Return None if that fails, which the result then gives the reason of, or if the new embedder is the same.

        Raises
        ------
        MaxCostError
            If it would cost more than is left.
        """
        if self.is_same_embedder:
            return None
        if self.old is not None:
            try:
                if self._given is None and (limit := self._settings.get("max_cost")) is not None:
                    spent = self.new.usage.dollars or 0.0
                    self.old = self._open_as(self.card.embedder, how=_HOW_OLD, max_cost=max(0.0, limit - spent))
                embedded = self._embed(self.old, texts, labels)
            except MaxCostError:
                raise
            except (EmbedderError, ModelFileError) as error:
                self.reason = _as_clause(error)
            else:
                if not embedded.refused:
                    return embedded
                self.reason = f"{self.card.embedder} cannot embed {counted(len(embedded.refused), 'row')}"
                return None
        cache = open_cache(self._settings.get("cache", False))
        both, named = self.texts_with_names(texts, labels)
        vectors = None if cache is None else cached_vectors(cache, self.card.embedder, both)
        if vectors is None and named and cache is not None:  # names may have been left out
            vectors, named = cached_vectors(cache, self.card.embedder, texts), []
        if vectors is None:
            self.reason += "; not all of its vectors are in the cache"
            return None
        return EmbeddedRows(vectors[: len(texts)], dict(zip(named, vectors[len(texts) :], strict=True)), {})

    def _training_set(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        embedded: EmbeddedRows,
        sample_weight: Any,
        outside: str | None,
    ) -> tuple[Recipe, TrainingSet]:
        classes, y = check_examples(texts, self.written(labels), outside)
        recipe, names = self.recipe, embedded.names(classes)
        if embedded.vectors is None:
            recipe = replace(recipe, features="words")
        elif names is None:
            recipe = replace(recipe, label_names=False)  # nothing is embedded here
        weights, of_classes = weights_of(sample_weight, self._class_weight(labels), classes, y)
        examples = make_training_set(
            recipe,
            EmbeddedTexts(texts, labels, vectors=embedded.vectors),
            classes,
            y,
            names,
            sample_weight=weights,
            class_weight=of_classes,
        )
        return recipe, examples

    def _correct_on(self, examples: TrainingSet, recipe: Recipe, labels: Sequence[str], held: Mask) -> Mask | None:
        """Return whether the label of each held-out row is chosen; None if the old targets are not reached."""
        outside = self.card.out_of_scope_label
        rules = answer_rules(examples.classes, **self._answers(labels), outside=outside)
        try:
            return measure_held_out(examples, recipe, seed=self._seed, held=held, rules=rules)
        except TrainingError as error:
            if not rules.has_targets:
                raise
            self.reason = _as_clause(error)
            return None

    def _correct_of_old(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        embedded: EmbeddedRows,
        rows: HeldOutRows,
        sample_weight: Any,
    ) -> Mask | None:
        """Return whether the old embedder leads to the label of each held-out row."""
        logger.info("Old: %s", _sized(self.card.embedder))
        recipe, examples = self._training_set(texts, labels, embedded, sample_weight, self.card.out_of_scope_label)
        return self._correct_on(examples, recipe, labels, rows.held)

    def _correct_before(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        embedded: EmbeddedRows,
        rows: HeldOutRows,
        n_old: int,
        sample_weight: Any,
    ) -> Mask | None:
        """Return whether the old rows lead to the label of each held-out row.

        Return None if it is not known which rows are old, or they are not enough.
        """
        outside = self.card.out_of_scope_label
        if not n_old:
            self.reason = "the rows have changed, not only grown, so it is not known which of them the old one has seen"
            return None
        fitted = ~rows.held
        fitted[n_old:] = False
        known = {labels[row] for row in np.flatnonzero(fitted).tolist()}
        if len(known - {outside}) < _FEWEST_CLASSES:
            self.reason = "too few labels are left among the old rows that are not held out"
            return None
        used = np.flatnonzero(fitted | (rows.held & np.array([label in known for label in labels])))
        chosen = used.tolist()
        weights = None if sample_weight is None else np.broadcast_to(sample_weight, len(texts))[used]
        logger.info("Old: the first %s", counted(n_old, "row"))
        recipe, examples = self._training_set(
            [texts[row] for row in chosen],
            [labels[row] for row in chosen],
            embedded[chosen],
            weights,
            outside if outside in known else None,
        )
        found = self._correct_on(examples, recipe, [labels[row] for row in chosen], rows.held[used])
        if found is None:
            return None
        held = [row for row in np.flatnonzero(rows.held).tolist() if labels[row] != outside]
        correct = np.zeros(len(held), dtype=bool)
        correct[[labels[row] in known for row in held]] = found
        return correct

    def _measured(self, spec: EmbedderSpec, n_rows: int, correct: Mask, groups: Any) -> Measured:
        interval = interval_of_mean(correct, groups)
        return _measured_with(spec, n_rows, len(correct), float(correct.mean()), interval)

    def _recorded(self) -> Measured | None:
        """Return what the file of the old classifier says of it."""
        held_out, spec = self.card.held_out, self.card.embedder
        if held_out is None:
            return None
        n_rows = self.card.n_examples if self.record is None else self.record.n_rows
        return _measured_with(spec, n_rows, held_out.n_examples, held_out.accuracy, None)


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
        If the classifier gives several labels to a text, or uses words only, and another embedder is given.
    """
    plan = Plan.of(model, settings)
    plan.check_embedder(embedder, dimensions, task, prompt)
    plan.open(embedder, dimensions, task, prompt)
    return plan


def _recipe_of(card: ModelCard, name: str, *, uses_vectors: bool) -> Recipe:
    record = card.training
    if record is None:
        logger.warning("%s does not say with which settings it was trained: the usual ones are used", name)
        return check_recipe(card.head, features="auto" if uses_vectors else "words")
    return check_recipe(
        card.head, "auto", record.features, record.label_names, "auto" if record.C is None else record.C
    )


def _asked_of(spec: EmbedderSpec, dimensions: int | None, task: str | None, prompt: str | None) -> EmbedderSpec:
    """Return an embedder, with vectors of another length or told something else where that is asked for."""
    if dimensions not in (None, spec.dimensions):
        spec = replace(spec, dimensions=dimensions, shortened=True)
    if task is not None:
        named = task_named(task)
        spec = replace(spec, task=None if named == NO_TASK else named)
    return spec if prompt is None else replace(spec, prompt=check_prompt(prompt))


def _named(spec: EmbedderSpec) -> str:
    return spec.model if spec.provider == EXTERNAL else str(spec)


def _measured_with(
    spec: EmbedderSpec, n_rows: int, n_held_out: int, accuracy: float, interval: Interval | None
) -> Measured:
    return Measured(_named(spec), spec.task, spec.prompt, _dimensions(spec), n_rows, n_held_out, accuracy, interval)


def _dimensions(spec: EmbedderSpec) -> int | None:
    return None if spec.provider == WORDS else spec.dimensions


def _sized(spec: EmbedderSpec) -> str:
    size = None if (size := _dimensions(spec)) is None else f"{size:,} dimensions"
    return ", ".join(filter(None, [_named(spec), size, spec.told]))


def _as_clause(error: EmbedclfError) -> str:
    """Return what an error says, without its advice, to be part of a sentence."""
    return str(error).partition(". ")[0].partition("\n")[0].rstrip(".:")
