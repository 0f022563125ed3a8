"""Comparing embedders, lengths of vectors and heads on the same folds."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from embedclf.arrays import Floats
from embedclf.classifier.model_file import Head
from embedclf.embedding.base import Embedder
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import EmbedderSettings
from embedclf.embedding.usage import Usage
from embedclf.errors import ArgumentError, TextError
from embedclf.evaluation.choices import Embedded, check_cost_of_all, embed_choices, open_choices, usage_of_all
from embedclf.evaluation.cross_validation import CrossValidation, check_division, cross_validate_examples
from embedclf.evaluation.footprint import ms_to_embed, size_and_seconds
from embedclf.stats.intervals import Interval, interval_of_mean, warn_of_few
from embedclf.training.checks import check_examples
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Features, Recipe, check_recipe
from embedclf.training.training_set import TrainingSet
from embedclf.validation import group_duplicates

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Compared:
    """One combination of an embedder, a length of vectors, a head and features.

    Attributes
    ----------
    embedder : str
        As ``provider:model``.
    dimensions : int
    head : {"logistic", "centroid"}
    features : {"auto", "embedding", "words", "both"}
    accuracy, macro_f1 : float
    accuracy_interval, macro_f1_interval : Interval
        95 %.
    difference : float
        Its accuracy less that of the best.
    difference_interval : Interval
        95 %, paired over the different texts; of the best, which is compared with itself, it is 0.
    tokens : int or None
        About what embedding the examples takes where nothing is cached; None for an embedder that counts none.
    dollars : float or None
        What that costs, 0 on this machine; None if the price is not known.
    model_bytes : int
        Size of the model file.
    ms_to_embed : float or None
        Milliseconds a text on this machine; None if it is sent somewhere.
    ms_to_classify : float
        Milliseconds from a text and its vector to its label.
    result : CrossValidation
    """

    embedder: str
    dimensions: int
    head: Head
    features: Features
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    difference: float
    difference_interval: Interval
    tokens: int | None
    dollars: float | None
    model_bytes: int
    ms_to_embed: float | None
    ms_to_classify: float
    result: CrossValidation

    @property
    def worse(self) -> bool:
        """Whether the best is better than this by more than chance."""
        return self.difference_interval.high < 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON; the cross-validation is left out."""
        names = [name for name in self.__slots__ if name != "result"]
        shown = {name: getattr(self, name) for name in names}
        return {name: list(value) if isinstance(value, Interval) else value for name, value in shown.items()} | {
            "worse": self.worse
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Combinations on the same folds, the best first.

    Attributes
    ----------
    n_examples, n_folds : int
    candidates : tuple of Compared
    usage : Usage
        What embedding took.
    """

    n_examples: int
    n_folds: int
    candidates: tuple[Compared, ...]
    usage: Usage

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON."""
        return {
            "n_examples": self.n_examples,
            "n_folds": self.n_folds,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "usage": self.usage.to_dict(),
        }


def compare(
    texts: Iterable[str] | EmbeddedTexts,
    labels: Iterable[str] | None = None,
    *,
    embedders: Sequence[Any] = (None,),
    dimensions: Sequence[int | None] = (None,),
    heads: Sequence[Head] = ("logistic",),
    features: Sequence[Features] = ("auto",),
    folds: int = 5,
    seed: int = 0,
    **settings: Unpack[EmbedderSettings],
) -> Comparison:
    """Compare embedders, lengths of vectors, heads and features by cross-validation on the same folds.

    The names of labels are no training texts here.

    Parameters
    ----------
    texts : iterable of str, or EmbeddedTexts
        Of the latter, the texts and labels are used: the embedders to compare make the vectors.
    labels : iterable of str
        One per text.
    embedders : sequence
        Each as of `embedclf.train`.
    dimensions : sequence of int or None
        Lengths of the vectors; those that an embedder has not are left out for it.
    heads : sequence of {"logistic", "centroid"}
    features : sequence of {"auto", "embedding", "words", "both"}
        Those that use words alone are compared once, whatever embedders there are.
    folds, seed
        As of `embedclf.cross_validate`.
    **settings
        How embedders that are given by their names are opened; see `EmbedderSettings`. ``max_cost`` is for all
        together.

    Raises
    ------
    ArgumentError
        If a setting cannot be, or there is not one label per text.
    TrainingError
        If the examples do not make classifiers.
    TextError
        If a text is empty, not Unicode, or refused by an embedder.
    EmbedderError
        If an embedder is unknown, not installed, has none of the lengths, or fails.
    """
    examples = EmbeddedTexts.of(texts, labels)
    texts, labels = examples.texts, examples.known_labels
    for name, given in (("embedders", embedders), ("heads", heads), ("features", features)):
        if isinstance(given, str):
            raise TypeError(f"{name} must be a list, not a single str: [{given!r}]")
    recipes = check_comparison(texts, labels, heads, features, folds, seed)
    choices = open_choices(embedders, dimensions, recipes, **settings)
    check_cost_of_all(choices, texts, settings.get("max_cost"))
    embedded: list[Embedded] = []
    reasons = embed_choices(choices, texts, embedded, **settings)
    if reasons:
        raise TextError(reasons)
    return compare_vectors(texts, labels, embedded, recipes, folds=folds, seed=seed)


def check_comparison(
    texts: Sequence[str],
    labels: Sequence[str],
    heads: Sequence[str],
    features: Sequence[str],
    folds: int,
    seed: int,
) -> list[Recipe]:
    """Check that there is something to compare, before anything is embedded, and return what is to be fitted.

    Raises
    ------
    ArgumentError
        If a setting cannot be, or there is nothing to compare.
    TrainingError
        If the examples do not make classifiers.
    """
    _, y = check_examples(texts, labels)
    if not heads or not features:
        raise ArgumentError(f"there is nothing to compare: give {'features' if heads else 'a head'}")
    recipes = [check_recipe(head, features=one, label_names=False) for head in heads for one in features]
    check_division(y, group_duplicates(texts), folds, seed)
    return recipes


def compare_vectors(
    texts: Sequence[str],
    labels: Sequence[str],
    embedded: Sequence[Embedded],
    recipes: Sequence[Recipe],
    *,
    folds: int,
    seed: int,
) -> Comparison:
    """Compare embedders whose vectors of the texts are known; see `compare`."""
    if not embedded:
        raise ArgumentError("there is nothing to compare: give an embedder")
    classes, y = check_examples(texts, labels)
    groups = group_duplicates(texts)
    found = []
    for one in embedded:
        for recipe in recipes:
            # Words alone go with the embedder that stands for them, and with no other.
            if recipe.uses_vectors == one.embedder.is_lexical:
                continue
            vectors = one.vectors if recipe.uses_vectors else None
            examples = TrainingSet(Inputs.of(texts, vectors, words=recipe.uses_words), y, groups, classes)
            named = f"{one.embedder.spec}" + (f", {one.vectors.shape[1]} dimensions" if recipe.uses_vectors else "")
            logger.info("%s, %s, features %s:", named, recipe.head, recipe.features)
            result = cross_validate_examples(texts, labels, examples, recipe, folds, seed)
            found.append((one, recipe, examples.inputs, result))
    # The folds, and so the rows that are predicted, are the same for all.
    groups = groups[[one.row for one in found[0][-1].predictions]]
    warn_of_few(groups, "left out and predicted")
    # Of equals, the smaller.
    found.sort(key=lambda one: (-one[-1].accuracy, one[2].vectors.shape[1], one[1].uses_words))
    best = _right(found[0][-1], labels)
    candidates = []
    for one, recipe, inputs, result in found:
        differences = _right(result, labels) - best
        tokens, dollars = _cost(one.embedder, texts)
        n_bytes, seconds = size_and_seconds(one.embedder, texts, inputs, classes, result)
        candidates.append(
            Compared(
                embedder=str(one.embedder.spec),
                dimensions=inputs.vectors.shape[1],
                head=result.head,
                features=recipe.features,
                accuracy=result.accuracy,
                accuracy_interval=result.accuracy_interval,
                macro_f1=result.macro_f1,
                macro_f1_interval=result.macro_f1_interval,
                difference=float(differences.mean()),
                difference_interval=(
                    Interval(0.0, 0.0) if result is found[0][-1] else interval_of_mean(differences, groups, least=-1)
                ),
                tokens=tokens,
                dollars=dollars,
                model_bytes=n_bytes,
                ms_to_embed=ms_to_embed(one.embedder, texts),
                ms_to_classify=1_000 * seconds,
                result=result,
            )
        )
    return Comparison(found[0][-1].n_examples, folds, tuple(candidates), usage_of_all(embedded))


def _right(result: CrossValidation, labels: Sequence[str]) -> Floats:
    """Tell which rows were predicted right: 1 or 0 for each that was predicted."""
    return np.array([float(one.label == labels[one.row]) for one in result.predictions])


def _cost(embedder: Embedder, texts: Sequence[str]) -> tuple[int | None, float | None]:
    if embedder.is_local:
        return None, 0.0
    estimate = embedder.estimate(texts, anew=True)
    return estimate.tokens, estimate.dollars
