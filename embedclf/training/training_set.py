"""What classifiers are fitted on: texts as numbers, their classes, and the names of these."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.embedding.base import check_vectors
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.training.inputs import Inputs
from embedclf.training.label_names import names_for
from embedclf.training.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """What classifiers are fitted on, and judged by.

    Attributes
    ----------
    inputs : Inputs
    y : ndarray of shape (n,)
        Indices into `classes`; their number for an example that is out of scope, which is neither fitted on nor chosen
        by, only answered.
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    classes : tuple of str
    names : Inputs or None
        The names of the classes as texts.
    """

    inputs: Inputs
    y: Ints
    groups: Ints
    classes: tuple[str, ...]
    names: Inputs | None = None

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: Mask | Ints) -> Self:
        return replace(self, inputs=self.inputs[rows], y=self.y[rows], groups=self.groups[rows])

    @property
    def in_scope(self) -> Mask:
        """Which examples are of a class: (n,)."""
        return self.y < len(self.classes)

    def with_names(self, names: Inputs | None) -> tuple[Inputs, Ints]:
        """Return inputs and classes to fit on, with the name of each class as an example of it."""
        if names is None:
            return self.inputs, self.y
        return self.inputs.joined(names), np.concatenate([self.y, np.arange(len(names))])


def make_training_set(
    recipe: Recipe,
    texts: EmbeddedTexts,
    classes: Sequence[str],
    y: Ints,
    name_vectors: Vectors | None = None,
    *,
    fewest: int | None = None,
) -> TrainingSet:
    """Embed texts and the names of their labels, as far as a recipe needs them.

    Parameters
    ----------
    recipe : Recipe
    texts : EmbeddedTexts
        Where their vectors were given, nothing is embedded, unless names are asked for.
    classes : sequence of str
    y : ndarray of shape (n_texts,)
        As of `TrainingSet`.
    name_vectors : ndarray of shape (n_classes, n_dimensions), float32, optional
        What the embedder makes of `names_for`; None embeds them, in one request with the texts if these are new.
    fewest : int, optional
        How many of the texts are trained on at the least; None says all.

    Raises
    ------
    ArgumentError
        If there is not one vector per name, or one is not finite.
    TextError, EmbedderError
        As of `EmbeddedTexts`.
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
    every = Inputs.of([*texts.texts, *names], vectors, words=recipe.uses_words)
    if not names:
        return TrainingSet(every, y, texts.groups, tuple(classes))
    rows = np.arange(len(every))
    inputs, of_names = every[rows[: len(texts)]], every[rows[len(texts) :]]
    return TrainingSet(inputs, y, texts.groups, tuple(classes), of_names)
