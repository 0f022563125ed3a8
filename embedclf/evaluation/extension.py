"""Training on more rows: a classifier's own and new ones, with its settings, and what that changes."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias, Unpack

from embedclf.arrays import Ints, Mask
from embedclf.classifier.model_card import Head
from embedclf.classifier.recorded_rows import change
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.label_sets import AnyLabels, Labels, each_label, joined, labels_in
from embedclf.data_frames import DataFrame, is_data_frame
from embedclf.embedding.base import EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import EmbedderSettings
from embedclf.errors import ArgumentError, TextError
from embedclf.evaluation.retraining_plan import Plan
from embedclf.evaluation.retraining_result import Retraining
from embedclf.formatting import counted
from embedclf.training.checks import check_abstaining, check_for_one_label
from embedclf.training.recipe import Features, check_recipe
from embedclf.training.weights import ClassWeight
from embedclf.validation import label_of

OldRows: TypeAlias = (
    tuple[Iterable[str], AnyLabels]
    | DataFrame
    | EmbeddedTexts
    | str
    | os.PathLike[str]
    | Sequence[str | os.PathLike[str]]
)
"""What the old rows may be passed as."""


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
        if self.card.multilabel is not None:
            for_one = ("target_accuracy", "out_of_scope_label", "class_weight")
            check_for_one_label(**{name: given.get(name) for name in for_one})
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
    def seed(self) -> int:
        """The seed of the held-out split and the folds."""
        return int(self._asked["seed"]) if "seed" in self._asked else super().seed

    def class_weight(self, labels: Labels) -> ClassWeight:
        """Return the weights that were asked for, or the old ones of those labels that occur."""
        return self._asked["class_weight"] if "class_weight" in self._asked else super().class_weight(labels)

    @property
    def threshold(self) -> dict[str, Any]:
        """What the threshold is chosen by, as arguments of `embedclf.train`."""
        names = ("target_accuracy", "min_confidence")
        if not self._asked.keys().isdisjoint(names):
            return {name: self._asked.get(name) for name in names}
        return super().threshold

    def changed_rows(self, texts: Sequence[str], labels: Labels) -> list[str]:
        """Return in sentences which rows and labels are new, which labels are gone, and how much is to be embedded."""
        n, labels = self.n_old, self.spelt(labels)
        lines = [f"{counted(n, 'row')} of {self.name}, and {counted(len(texts) - n, 'new row')}"]
        if self.record is not None and self.rows_changed(texts[:n], labels[:n]):
            lines.append(f"The old rows are not those of {self.name}: {change(self.record, n)}")
        labels = self.written(labels)
        own = labels_in(labels[:n])
        known = {label.casefold(): label for label in own}
        new = sorted(Counter(label for label in each_label(labels[n:]) if label not in own).items())
        for name, size in new[:_MOST_NAMED]:
            near = get_close_matches(name.casefold(), known, 1)
            guess = f"; if it is misspelt for {known[near[0]]!r}, correct it with --label-map" if near else ""
            lines.append(f"New label: {name!r} ({counted(size, 'row')}{guess})")
        if len(new) > _MOST_NAMED:
            lines.append(f"… and {counted(len(new) - _MOST_NAMED, 'more new label')}")
        if gone := sorted(set(self.model.classes) - labels_in(labels)):
            more = f" and {len(gone) - _MOST_NAMED:,} more" if len(gone) > _MOST_NAMED else ""
            lines.append(f"No longer a label: {', '.join(map(repr, gone[:_MOST_NAMED]))}{more}")
        embedder = self.embedders.new
        if self.recipe.uses_vectors and not embedder.is_lexical:
            estimate = embedder.estimate(self.embedders.texts_with_names(texts, labels)[0])
            if estimate.from_cache or not embedder.is_local:
                lines.append(f"To embed: {estimate.to_embed:,} of {counted(estimate.unique, 'distinct text')}")
        return lines

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these of the rows: the others do not count, or the embedder has rejected them."""
        self.n_old = sum(row < self.n_old for row in rows)

    def n_old_of(self, texts: Sequence[str], labels: Labels) -> int:
        """Return how many of the rows are old ones, which come first."""
        return self.n_old

    @property
    def _is_by_rows(self) -> bool:
        return True

    def _known_labels(self, labels: Labels) -> set[str]:
        return labels_in(labels[: self.n_old])

    def _parts(self, held: Ints) -> list[tuple[str, Mask]]:
        of_old = held < self.n_old
        return [("old", of_old), ("new", ~of_old)]


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
    plan = ExtensionPlan.of(model)
    plan.ask(asked)
    plan.check_embedder(embedder, dimensions, task, prompt)
    plan.open(settings, embedder, dimensions, task, prompt)
    return plan


def extend(
    model: str | os.PathLike[str] | TextClassifier,
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    train_set: OldRows | None = None,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
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
    train_set : (texts, labels), DataFrame, EmbeddedTexts, or names of files, optional
        The old rows; None reads the files that the classifier was trained on, see `embedclf.retrain`.
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
    for name, rows in (("train_set", old), ("the dataset", new)):
        plan.check_labels(name, rows.given_labels)
    every, all_labels = [*old.texts, *new.texts], joined(old.given_labels, new.given_labels)
    sample_weight = list(sample_weight) if isinstance(sample_weight, Iterator) else sample_weight
    plan.check(every, all_labels, sample_weight)
    all_labels = plan.written(all_labels)
    embedders = plan.embedders
    embedders.check_cost(every, all_labels)
    embedded = embedders.embed(every, all_labels)
    if embedded.refused:
        raise TextError(embedded.refused)
    return plan.train(every, all_labels, embedded, embedders.embed_old(every, all_labels), sample_weight)


def _old_rows(plan: ExtensionPlan, train_set: Any) -> EmbeddedTexts:
    if isinstance(train_set, EmbeddedTexts) or is_data_frame(train_set):
        text, label = plan.columns(train_set, None, None)
        return EmbeddedTexts.of(train_set, text=text, label=label)
    if train_set is None:
        corpus = plan.find_rows(plan.read)
    else:
        names = [train_set] if isinstance(train_set, str | os.PathLike) else train_set
        if _are_texts_and_labels(names):
            return EmbeddedTexts(*names)
        if not isinstance(names, Sequence) or not all(isinstance(name, str | os.PathLike) for name in names):
            raise TypeError(
                "train_set must be a pair (texts, labels), a data frame, an EmbeddedTexts, or the name of a file or a "
                "list of names"
            )
        corpus = plan.read([os.fspath(name) for name in names])
    return EmbeddedTexts(corpus.texts, corpus.given_labels)


def _are_texts_and_labels(given: Any) -> bool:
    """Return whether something is a pair of lists, and not the names of two files."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        return False
    return not any(isinstance(one, str | bytes | os.PathLike) or not isinstance(one, Iterable) for one in given)
