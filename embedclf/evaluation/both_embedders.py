"""The old and the new embedder of a retraining: opening them, what they cost, and the vectors of rows by each."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embedclf.arrays import Vectors
from embedclf.classifier.loading import how_to_pass, open_as_trained
from embedclf.data.label_sets import Labels, labels_in
from embedclf.embedding.aimlapi.gone import check_served
from embedclf.embedding.base import EXTERNAL, WORDS, Embedder, EmbedderLike, EmbedderSpec, is_alike
from embedclf.embedding.cache.lookup import cached_vectors
from embedclf.embedding.cache.vector_cache import open_cache
from embedclf.embedding.factory import told_alike
from embedclf.embedding.tasks import CLASSIFICATION, NO_TASK, check_prompt, task_named
from embedclf.embedding.usage import Usage
from embedclf.errors import EmbedclfError, EmbedderError, MaxCostError, ModelFileError
from embedclf.evaluation.choices import Choice, check_cost_of_all
from embedclf.evaluation.old_training import OldTraining
from embedclf.formatting import counted
from embedclf.training.label_names import names_for
from embedclf.training.recipe import Recipe
from embedclf.training.trainer import open_for

logger = logging.getLogger(__name__)

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


class BothEmbedders:
    """The embedders of a retraining, open.

    Labels are passed as `OldTraining.written` returns them.

    Attributes
    ----------
    new : Embedder
    old : Embedder or None
        None if it is the new one, or cannot be opened.
    is_same : bool
        Whether the new one is the old one.
    reason : str
        Why the old one cannot be used, as far as is known; else empty.
    """

    def __init__(
        self,
        training: OldTraining,
        recipe: Recipe,
        settings: Mapping[str, Any],
        embedder: EmbedderLike | None,
        dimensions: int | None,
        task: str | None = None,
        prompt: str | None = None,
    ) -> None:
        """Open both embedders.

        The new one is told what the old one was, as far as it takes that and nothing else is asked for.

        Raises
        ------
        EmbedderError, ModelFileError
            If the new one cannot be opened.
        """
        self._training, self._recipe, self._settings = training, recipe, settings
        self.reason = ""
        self._same_model: EmbedderLike | None = None
        given, trained_with = training.given, training.card.embedder
        self._used_before = Usage() if given is None else given.usage
        if not recipe.uses_vectors:
            self.new = open_for(recipe, None)[0]
        elif embedder is not None:
            told = told_alike(embedder, trained_with)
            told |= {name: value for name, value in (("task", task), ("prompt", prompt)) if value is not None}
            self.new = open_for(recipe, embedder, dimensions=dimensions, **told, **settings)[0]
            self._say_what_is_lost(task, prompt)
            if not isinstance(embedder, Embedder) and str(self.new.spec) == str(trained_with):
                self._same_model = embedder  # the old one's too, where no file can open it
        else:
            wanted = _asked_of(trained_with, dimensions, task, prompt)
            self.new = given if given is not None and wanted == trained_with else self._open_as(wanted)
        self.is_same = is_alike(self.new.spec, trained_with)
        self.old: Embedder | None = None if self.is_same else given
        if self.old is None and not self.is_same:
            try:
                check_served(trained_with)
                self.old = self._open_as(trained_with, how=_HOW_OLD)
            except (EmbedderError, ModelFileError) as error:
                self.reason = as_clause(error)

    def _say_what_is_lost(self, task: str | None, prompt: str | None) -> None:
        """Warn if the new embedder is not told what the old one was, though nothing else was asked for."""
        old, new = self._training.card.embedder, self.new.spec
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
        file = self._training.name if self._training.given is None else None
        how = {"how": how_to_pass(spec), "trained_file": file}
        return open_as_trained(spec, self._same_model, self._training.name, **{**self._settings, **how, **more})

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
        return [one for one in found if self._training.recipe.uses_vectors and not one.opened.is_lexical]

    def check_cost(self, texts: Sequence[str], labels: Labels) -> None:
        """Check that the estimated cost of both embedders is within the limit, if there is one.

        Raises
        ------
        MaxCostError
            If it is not.
        """
        check_cost_of_all(self.choices(), self.texts_with_names(texts, labels)[0], self._settings.get("max_cost"))

    def texts_with_names(self, texts: Sequence[str], labels: Labels) -> tuple[list[str], list[str]]:
        """Return the texts and the label names to embed, and the labels of these."""
        classes = sorted(labels_in(labels) - {self._training.card.out_of_scope_label})
        names = names_for(self._recipe, classes, len(texts)) if self._training.recipe.uses_vectors else []
        return [*texts, *(one.text for one in names)], [one.label for one in names]

    def embed(self, texts: Sequence[str], labels: Labels) -> EmbeddedRows:
        """Embed rows with the new embedder."""
        return self._embed(self.new, texts, labels)

    def _embed(self, embedder: Embedder, texts: Sequence[str], labels: Labels) -> EmbeddedRows:
        if embedder.is_lexical or not self._training.recipe.uses_vectors:
            return EmbeddedRows(None, {}, {})
        both, named = self.texts_with_names(texts, labels)
        vectors, reasons = embedder.embed_partial(both)
        refused = {row: why for row, why in reasons.items() if row < len(texts)}
        # All names are used, or none.
        names = dict(zip(named, vectors[len(texts) :], strict=True)) if len(refused) == len(reasons) else {}
        return EmbeddedRows(vectors[: len(texts)], names, refused)

    def embed_old(self, texts: Sequence[str], labels: Labels) -> EmbeddedRows | None:
        """Embed rows with the old embedder, or find their vectors in the cache.

        Return None if that fails, whose reason is then known, or if the new embedder is the same.

        Raises
        ------
        MaxCostError
            If it would cost more than is left.
        """
        if self.is_same:
            return None
        spec = self._training.card.embedder
        if self.old is not None:
            try:
                if self._training.given is None and (limit := self._settings.get("max_cost")) is not None:
                    spent = self.new.usage.dollars or 0.0
                    self.old = self._open_as(spec, how=_HOW_OLD, max_cost=max(0.0, limit - spent))
                embedded = self._embed(self.old, texts, labels)
            except MaxCostError:
                raise
            except (EmbedderError, ModelFileError) as error:
                self.reason = as_clause(error)
            else:
                if not embedded.refused:
                    return embedded
                self.reason = f"{spec} cannot embed {counted(len(embedded.refused), 'row')}"
                return None
        cache = open_cache(self._settings.get("cache", False))
        both, named = self.texts_with_names(texts, labels)
        vectors = None if cache is None else cached_vectors(cache, spec, both)
        if vectors is None and named and cache is not None:  # names may have been left out
            vectors, named = cached_vectors(cache, spec, texts), []
        if vectors is None:
            self.reason += "; not all of its vectors are in the cache"
            return None
        return EmbeddedRows(vectors[: len(texts)], dict(zip(named, vectors[len(texts) :], strict=True)), {})


def _asked_of(spec: EmbedderSpec, dimensions: int | None, task: str | None, prompt: str | None) -> EmbedderSpec:
    """Return an embedder, with vectors of another length or told something else where that is asked for."""
    if dimensions not in (None, spec.dimensions):
        spec = replace(spec, dimensions=dimensions, shortened=True)
    if task is not None:
        named = task_named(task)
        spec = replace(spec, task=None if named == NO_TASK else named)
    return spec if prompt is None else replace(spec, prompt=check_prompt(prompt))


def named(spec: EmbedderSpec) -> str:
    """Return the name of an embedder."""
    return spec.model if spec.provider == EXTERNAL else str(spec)


def dimensions_of(spec: EmbedderSpec) -> int | None:
    """Return the length of the vectors of an embedder; None if it makes none."""
    return None if spec.provider == WORDS else spec.dimensions


def sized(spec: EmbedderSpec) -> str:
    """Return the name of an embedder, the length of its vectors, and what it is told."""
    size = None if (size := dimensions_of(spec)) is None else f"{size:,} dimensions"
    return ", ".join(filter(None, [named(spec), size, spec.told]))


def as_clause(error: EmbedclfError) -> str:
    """Return what an error says, without its advice, to be part of a sentence."""
    return str(error).partition(". ")[0].partition("\n")[0].rstrip(".:")
