"""The training set: inputs, classes, and what is said of the classes as inputs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from embedclf.arrays import Ints, Mask, Targets, Vectors
from embedclf.classifier.decisions import Decision
from embedclf.embedding.base import check_vectors
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.training.inputs import Inputs
from embedclf.training.label_names import Described, names_for
from embedclf.training.lbfgs import Floats
from embedclf.training.nearest_labels import NearestLabels
from embedclf.training.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Examples to fit classifiers on and to measure them with.

    Attributes
    ----------
    inputs : Inputs
    y : ndarray of shape (n,)
        Indices into `classes`; ``len(classes)`` for an out-of-scope example. These are fitted as one more class.
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    classes : tuple of str
    names : Inputs or None
        The names and descriptions of the classes as texts; None if they are not used.
    y_names : ndarray of shape (n_names,), or None
        The class of each of them.
    added : NearestLabels or None
        Labels that have no rows, to be added to the classes.
    sample_weight : ndarray of shape (n,), or None
        How many examples each example counts for in fits and in the choice of settings; None is one each. Metrics do
        not use it.
    given : ndarray of shape (n, n_classes), bool, or None
        Which labels each example has, if it may have several; `y` is then the rarest of them, or any class for an
        example without labels, and only used to divide the examples.
    class_weight : ndarray of shape (n_classes,), or None
        How much an example of each class counts in fits, in addition; the probabilities are corrected for it. If
        examples may have several labels, how much one that has the label counts, while one without it counts once.
    """

    inputs: Inputs
    y: Ints
    groups: Ints
    classes: tuple[str, ...]
    names: Inputs | None = None
    y_names: Ints | None = None
    added: NearestLabels | None = None
    sample_weight: Floats | None = None
    given: Mask | None = None
    class_weight: Floats | None = None

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

    @property
    def fitted_weight(self) -> Floats | None:
        """How much each example counts in fits: (n,), or None if all count the same.

        If examples may have several labels, the weights of these are apart from it; see `with_names`.
        """
        if self.class_weight is None or self.given is not None:
            return self.sample_weight
        # An out-of-scope example counts once.
        of_class = np.append(self.class_weight, 1.0)[self.y]
        return of_class if self.sample_weight is None else self.sample_weight * of_class

    @property
    def decision(self) -> Decision:
        """How the probabilities of classifiers fitted on them become answers, none abstaining."""
        return Decision(self.classes, weights=self.class_weight)

    def with_names(self, names: Inputs | None, roll: int = 0) -> tuple[Inputs, Targets, Floats | None]:
        """Return inputs, targets and weights with what is said of each class added as examples of it.

        None adds nothing. A name weighs as much as an example of its class does on average. `roll` gives each class the
        name of another. The weights are (n,), or (n, n_classes) if examples may have several labels that weigh
        differently.
        """
        if names is None or self.y_names is None:
            return self.inputs, self.targets, self._by_label(self.targets, self.fitted_weight)
        y, weights, n = (self.y_names + roll) % len(self.classes), self.fitted_weight, len(self.classes)
        if weights is not None:
            sums, counts = np.bincount(self.y, weights, n)[:n], np.bincount(self.y, minlength=n)[:n]
            # A label that is never the rarest of an example has no example of its own here.
            of_names = np.where(counts, sums / np.maximum(counts, 1), weights.mean())
            weights = np.concatenate([weights, of_names[y]])
        targets = np.concatenate([self.targets, y if self.given is None else np.eye(n, dtype=bool)[y]])
        return self.inputs.joined(names), targets, self._by_label(targets, weights)

    def _by_label(self, targets: Targets, weights: Floats | None) -> Floats | None:
        """Return how much examples count for each label, if these weigh differently; else the weights as they are."""
        if self.given is None or self.class_weight is None:
            return weights
        of_labels: Floats = np.where(targets, self.class_weight, 1.0)
        return of_labels if weights is None else of_labels * weights[:, None]


def make_training_set(
    recipe: Recipe,
    texts: EmbeddedTexts,
    classes: Sequence[str],
    y: Ints,
    name_vectors: Vectors | None = None,
    *,
    fewest: int | None = None,
    described: Described | None = None,
    sample_weight: Floats | None = None,
    given: Mask | None = None,
    class_weight: Floats | None = None,
) -> TrainingSet:
    """Embed texts and what is said of their labels, as far as a recipe needs them.

    Parameters
    ----------
    recipe : Recipe
    texts : EmbeddedTexts
        If their vectors were given, nothing is embedded unless the recipe asks for label names.
    classes : sequence of str
    y : ndarray of shape (n_texts,)
        See `TrainingSet`.
    name_vectors : ndarray of shape (n_names, n_dimensions), float32, optional
        Vectors of the texts of `names_for`; None embeds them, together with the texts if these are not embedded yet.
    fewest : int, optional
        The size of the smallest training set; None means all texts.
    described : mapping of str to sequence of str, optional
        See `names_for`.
    sample_weight : ndarray of shape (n_texts,), optional
    given : ndarray of shape (n_texts, n_classes), bool, optional
    class_weight : ndarray of shape (n_classes,), optional
        See `TrainingSet`.

    Raises
    ------
    ArgumentError
        If there is not one vector per name, or a vector is not finite.
    TextError, EmbedderError
        See `EmbeddedTexts`.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    said = names_for(recipe, classes, len(texts) if fewest is None else fewest, described)
    if name_vectors is None and texts.are_vectors_given and recipe.uses_vectors:
        said = said if recipe.label_names or described is not None else []
    names, vectors, added = [one.text for one in said], None, None
    if recipe.uses_vectors:
        if names and name_vectors is None:
            vectors, name_vectors = texts.vectors_with(names)
        else:
            vectors = texts.vectors
        if names and name_vectors is not None:
            name_vectors = check_vectors(name_vectors, len(names))
            n = sum(one.label in numbers for one in said)
            if n < len(said):
                mean = vectors[y < len(classes)].mean(axis=0, dtype=np.float64)
                added = NearestLabels.of(said[n:], name_vectors[n:], mean_label=mean, mean_text=mean)
            said, names = said[:n], names[:n]
            vectors = np.vstack([vectors, name_vectors[:n]])
    inputs = Inputs.of([*texts.texts, *names], vectors, words=recipe.uses_words)
    rows = np.arange(len(inputs))
    of_texts, of_names = (inputs[rows[: len(texts)]], inputs[rows[len(texts) :]]) if names else (inputs, None)
    y_names = np.array([numbers[one.label] for one in said], dtype=np.intp) if names else None
    return TrainingSet(
        of_texts, y, texts.groups, tuple(classes), of_names, y_names, added, sample_weight, given, class_weight
    )
