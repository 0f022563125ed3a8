"""Training on more rows: a classifier's own and new ones, with its settings, and what that changes."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Literal, Unpack

from embedclf.arrays import Ints, Mask
from embedclf.classifier.model_card import Head
from embedclf.classifier.recorded_rows import change, is_same
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data_frames import DataFrame, is_data_frame
from embedclf.embedding.base import EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import EmbedderSettings
from embedclf.errors import ArgumentError, TextError
from embedclf.evaluation.changes import Change, change_of
from embedclf.evaluation.retraining_plan import EmbeddedRows, Plan
from embedclf.evaluation.retraining_result import Retraining
from embedclf.formatting import counted
from embedclf.training.checks import check_abstaining
from embedclf.training.recipe import Features, check_recipe
from embedclf.training.trainer import HeldOutRows
from embedclf.training.weights import ClassWeight
from embedclf.validation import Label, label_of


class ExtensionSettings(EmbedderSettings, total=False):
    """How to train, where it is not as the old classifier was, and how to open embedders; see `embedclf.train`."""

    head: Head
    C: float | Literal["auto"]
    features: Features
    label_names: bool
    holdout: float
    seed: int
    target_accuracy: float
    min_confidence: float
    out_of_scope_label: str | int
    class_weight: ClassWeight


_MOST_NAMED = 10
_OF_TRAINING = frozenset(ExtensionSettings.__annotations__) - frozenset(EmbedderSettings.__annotations__)


class ExtensionPlan(Plan):
    """A retraining on the old rows and, after them, new ones.

    Attributes
    ----------
    n_old : int
        How many rows are old ones.
    """

    n_old = 0
    _how_to_name_rows = "--train-set FILE (in Python: train_set=…)"

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self._asked: dict[str, Any] = {}

    def ask(self, asked: Mapping[str, Any]) -> None:
        """Train with other settings than those of the old classifier, as far as they are not None.

        Raises
        ------
        ArgumentError
            If a setting is invalid.
        """
        given = self._asked = {name: value for name, value in asked.items() if value is not None}
        own = self.recipe
        head = given.get("head", own.head)
        self.new_recipe = check_recipe(
            head,
            "auto",
            given.get("features", own.features),
            given.get("label_names", own.label_names),
            given.get("C", "auto" if own.C is None or head != own.head else own.C),
        )
        if self.new_recipe.uses_vectors:
            self.check_embedder(given.get("features"))
        check_abstaining(given.get("target_accuracy"), given.get("min_confidence"))
        if not 0 <= self.holdout < 1:
            raise ArgumentError(f"holdout must be at least 0 and less than 1, got {self.holdout:g}")
        if "out_of_scope_label" in given:
            outside = label_of(given["out_of_scope_label"], "out_of_scope_label")
            self.card = replace(self.card, out_of_scope_label=outside)

    @property
    def holdout(self) -> float:
        """The share of rows to hold out."""
        return float(self._asked["holdout"]) if "holdout" in self._asked else super().holdout

    @property
    def _seed(self) -> int:
        return int(self._asked["seed"]) if "seed" in self._asked else super()._seed

    def _class_weight(self, labels: Sequence[str]) -> ClassWeight:
        return self._asked["class_weight"] if "class_weight" in self._asked else super()._class_weight(labels)

    def _threshold(self) -> dict[str, Any]:
        names = ("target_accuracy", "min_confidence")
        if not self._asked.keys().isdisjoint(names):
            return {name: self._asked.get(name) for name in names}
        return super()._threshold()

    def changed_rows(self, texts: Sequence[str], labels: Sequence[str]) -> list[str]:
        """Return in sentences which rows and labels are new, which labels are gone, and how much is to be embedded."""
        n, labels = self.n_old, self.spelt(labels)
        lines = [f"{counted(n, 'row')} of {self.name}, and {counted(len(texts) - n, 'new row')}"]
        if self.record is not None and not is_same(self.record, texts[:n], labels[:n]):
            lines.append(f"The old rows are not those of {self.name}: {change(self.record, n)}")
        own = set(labels[:n])
        known = {label.casefold(): label for label in own}
        new = sorted(Counter(label for label in labels[n:] if label not in own).items())
        for name, size in new[:_MOST_NAMED]:
            near = get_close_matches(name.casefold(), known, 1)
            guess = f"; if it is misspelt for {known[near[0]]!r}, correct it with --label-map" if near else ""
            lines.append(f"New label: {name!r} ({counted(size, 'row')}{guess})")
        if len(new) > _MOST_NAMED:
            lines.append(f"… and {counted(len(new) - _MOST_NAMED, 'more new label')}")
        if gone := sorted(set(self._model.classes) - set(labels)):
            more = f" and {len(gone) - _MOST_NAMED:,} more" if len(gone) > _MOST_NAMED else ""
            lines.append(f"No longer a label: {', '.join(map(repr, gone[:_MOST_NAMED]))}{more}")
        if self.recipe.uses_vectors and not self.new.is_lexical:
            estimate = self.new.estimate(self.texts_with_names(texts, labels)[0])
            if estimate.from_cache or not self.new.is_local:
                lines.append(f"To embed: {estimate.to_embed:,} of {counted(estimate.unique, 'distinct text')}")
        return lines

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these of the rows: the others do not count, or the embedder has rejected them."""
        self.n_old = sum(row < self.n_old for row in rows)

    def _known_labels(self, labels: Sequence[str]) -> set[str]:
        return set(labels[: self.n_old])

    def _measure_old(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        embedded: EmbeddedRows,
        of_old: EmbeddedRows | None,
        rows: HeldOutRows,
        sample_weight: Any,
    ) -> tuple[Mask | None, int]:
        vectors = embedded if self.is_same_embedder else of_old
        if vectors is None:
            return None, self.n_old
        return self._correct_before(texts, labels, vectors, rows, self.n_old, sample_weight), self.n_old

    def _changes(
        self, labels: Sequence[str], held: Ints, new: Mask, old: Mask, groups: Ints
    ) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
        of_old = held < self.n_old
        parts = (("old", of_old), ("new", ~of_old))
        by_rows = tuple(change_of(name, rows, new, old, groups) for name, rows in parts if rows.any())
        return by_rows, super()._changes(labels, held, new, old, groups)[1]


def plan_extension(
    model: str | os.PathLike[str] | TextClassifier,
    embedder: EmbedderLike | None,
    dimensions: int | None,
    task: str | None,
    prompt: str | None,
    asked: Mapping[str, Any],
    **settings: Any,
) -> ExtensionPlan:
    """Read the settings of a classifier, and open the embedders; see `extend`.

    Raises
    ------
    ModelFileError, EmbedderError
        If the file is not usable, or the new embedder cannot be opened.
    ArgumentError
        If a setting is invalid.
    """
    plan = ExtensionPlan.of(model, settings)
    plan.ask(asked)
    plan.check_embedder(embedder, dimensions, task, prompt)
    plan.open(embedder, dimensions, task, prompt)
    return plan


def extend(
    model: str | os.PathLike[str] | TextClassifier,
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: Iterable[Label] | None = None,
    *,
    train_set: DataFrame | EmbeddedTexts | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    embedder: EmbedderLike | None = None,
    dimensions: int | None = None,
    task: str | None = None,
    prompt: str | None = None,
    sample_weight: Any = None,
    **settings: Unpack[ExtensionSettings],
) -> Retraining:
    """Train a classifier on its own rows and on new ones, which may have new labels, and say what that changes.

    The embedder and the settings are those of the old classifier, unless others are passed, and the fit starts from its
    weights, which changes nothing but the time. For the comparison, the old rows and all rows are fitted without the
    same held-out rows and measured on these. To replace the rows instead, use `embedclf.retrain`.

    Parameters
    ----------
    model : str, Path or TextClassifier
        The old classifier, or its file. Nothing is written to the file.
    texts, labels, text, label
        The new rows, see `embedclf.train`.
    train_set : DataFrame, EmbeddedTexts, or names of files, optional
        The old rows; None reads the files that the classifier was trained on, see `embedclf.retrain`. Lists are passed
        as ``EmbeddedTexts(texts, labels)``.
    embedder, dimensions, task, prompt
        Of another embedder than the old one; see `embedclf.open_embedder`.
    sample_weight : array of shape (n_old + n_new,), optional
        See `embedclf.train`; those of the old rows come first.
    **settings
        ``C``, ``holdout``, ``seed`` and so on, where they are not those of the old classifier, see `embedclf.train`;
        and how to open embedders, see `EmbedderSettings`. ``cache`` is True unless given.

    Returns
    -------
    Retraining
        With `by_rows` and `by_label`.

    Raises
    ------
    ModelFileError
        If the model file is not usable.
    DataError
        If the old rows are not passed, and cannot be found or have changed.
    ArgumentError, TrainingError, TextError, EmbedderError
        See `embedclf.train`.
    """
    if unknown := settings.keys() - ExtensionSettings.__annotations__.keys():
        raise TypeError(f"extend() got an unexpected keyword argument {min(unknown)!r}")
    asked = {name: value for name, value in settings.items() if name in _OF_TRAINING}
    opening = {"cache": True, **{name: value for name, value in settings.items() if name not in _OF_TRAINING}}
    plan = plan_extension(model, embedder, dimensions, task, prompt, asked, **opening)
    old = _old_rows(plan, train_set)
    text, label = plan.columns(texts, text, label)
    new = EmbeddedTexts.of(texts, labels, text=text, label=label)
    plan.n_old = len(old.texts)
    every, all_labels = [*old.texts, *new.texts], [*old.known_labels, *new.known_labels]
    sample_weight = list(sample_weight) if isinstance(sample_weight, Iterator) else sample_weight
    plan.check(every, all_labels, sample_weight)
    plan.check_cost(every, all_labels)
    embedded = plan.embed(every, all_labels)
    if embedded.refused:
        raise TextError(embedded.refused)
    return plan.train(every, all_labels, embedded, plan.embed_old(every, all_labels), sample_weight)


def _old_rows(plan: ExtensionPlan, train_set: Any) -> EmbeddedTexts:
    if isinstance(train_set, EmbeddedTexts) or is_data_frame(train_set):
        text, label = plan.columns(train_set, None, None)
        return EmbeddedTexts.of(train_set, text=text, label=label)
    if train_set is None:
        corpus = plan.find_rows(plan.read)
    else:
        names = [train_set] if isinstance(train_set, str | os.PathLike) else train_set
        corpus = plan.read([os.fspath(name) for name in names])
    return EmbeddedTexts(corpus.texts, corpus.labels)
