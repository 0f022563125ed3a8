"""The training set: inputs, classes, and the names of the classes as inputs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from embedclf.arrays import Ints, Mask, Targets, Vectors
from embedclf.embedding.base import check_vectors
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.training.inputs import Inputs
from embedclf.training.label_names import names_for
from embedclf.training.lbfgs import Floats
from embedclf.training.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Examples to fit classifiers on and to measure them with.

    Attributes
    ----------
    inputs : Inputs
    y : ndarray of shape (n,)
        Indices into `classes`; ``len(classes)`` for an out-of-scope example, which is predicted only: neither fits nor
        the choice of settings use it.
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    classes : tuple of str
    names : Inputs or None
        The names of the classes as texts; None if they are not used.
    sample_weight : ndarray of shape (n,), or None
        How many examples each example counts for in fits and in the choice of settings; None is one each. Metrics do
        not use it.
    given : ndarray of shape (n, n_classes), bool, or None
        Which labels each example has, if it may have several; `y` is then the rarest of them, or any class for an
        example without labels, and only used to divide the examples.
    """

    inputs: Inputs
    y: Ints
    groups: Ints
    classes: tuple[str, ...]
    names: Inputs | None = None
    sample_weight: Floats | None = None
    given: Mask | None = None

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: Mask | Ints) -> Self:
        weights = None if self.sample_weight is None else self.sample_weight[rows]
        given = None if self.given is None else self.given[rows]
        return replace(
            self,
            inputs=self.inputs[rows],
            y=self.y[rows],
            groups=self.groups[rows],
            sample_weight=weights,
            given=given,
        )

    @property
    def targets(self) -> Targets:
        """What classifiers are fitted to: the class of each example, (n,), or which labels it has, (n, n_classes)."""
        return self.y if self.given is None else self.given

    @property
    def are_all_labelled(self) -> bool:
        """Whether each example has a label, if it may have several."""
        return self.given is None or bool(self.given.any(axis=1).all())

    @property
    def in_scope(self) -> Mask:
        """Which examples are in scope: (n,)."""
        return self.y < len(self.classes)

    def with_names(self, names: Inputs | None) -> tuple[Inputs, Targets, Floats | None]:
        """Return inputs, targets and weights with the name of each class added as an example of it; None adds nothing.

        A name weighs as much as an example of its class does on average.
        """
        if names is None:
            return self.inputs, self.targets, self.sample_weight
        weights = self.sample_weight
        if weights is not None:
            sums, counts = np.bincount(self.y, weights, len(names)), np.bincount(self.y, minlength=len(names))
            # A label that is never the rarest of an example has no example of its own here.
            of_names = np.where(counts, sums / np.maximum(counts, 1), weights.mean())
            weights = np.concatenate([weights, of_names[: len(names)]])
        own = np.arange(len(names)) if self.given is None else np.eye(len(names), dtype=bool)
        return self.inputs.joined(names), np.concatenate([self.targets, own]), weights


def make_training_set(
    recipe: Recipe,
    texts: EmbeddedTexts,
    classes: Sequence[str],
    y: Ints,
    name_vectors: Vectors | None = None,
    *,
    fewest: int | None = None,
    sample_weight: Floats | None = None,
    given: Mask | None = None,
) -> TrainingSet:
    """Embed texts and the names of their labels, as far as a recipe needs them.

    Parameters
    ----------
    recipe : Recipe
    texts : EmbeddedTexts
        If their vectors were given, nothing is embedded unless the recipe asks for label names.
    classes : sequence of str
    y : ndarray of shape (n_texts,)
        See `TrainingSet`.
    name_vectors : ndarray of shape (n_classes, n_dimensions), float32, optional
        Vectors of the texts of `names_for`; None embeds them, together with the texts if these are not embedded yet.
    fewest : int, optional
        The size of the smallest training set; None means all texts.
    sample_weight : ndarray of shape (n_texts,), optional
    given : ndarray of shape (n_texts, n_classes), bool, optional
        See `TrainingSet`.

    Raises
    ------
    ArgumentError
        If there is not one vector per name, or a vector is not finite.
    TextError, EmbedderError
        See `EmbeddedTexts`.
    """
    names = names_for(recipe, classes, len(texts) if fewest is None else fewest)
    vectors = None
    if recipe.uses_vectors:
        if name_vectors is None and texts.are_vectors_given and not recipe.label_names:
            names = []
        if names and name_vectors is None:
            vectors, name_vectors = texts.vectors_with(names)
        else:
            vectors = texts.vectors
        if names and name_vectors is not None:
            vectors = np.vstack([vectors, check_vectors(name_vectors, len(names))])
    inputs = Inputs.of([*texts.texts, *names], vectors, words=recipe.uses_words)
    if not names:
        return TrainingSet(inputs, y, texts.groups, tuple(classes), None, sample_weight, given)
    rows = np.arange(len(inputs))
    of_texts, of_names = inputs[rows[: len(texts)]], inputs[rows[len(texts) :]]
    return TrainingSet(of_texts, y, texts.groups, tuple(classes), of_names, sample_weight, given)
