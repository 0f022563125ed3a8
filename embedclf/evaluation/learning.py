"""The learning curve: how good a classifier is with more and more labels."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.decisions import rank
from embedclf.classifier.model_file import Head
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import TrainingError
from embedclf.stats.intervals import Interval, interval_of_mean, warn_of_few
from embedclf.training.checks import check_examples
from embedclf.training.folds import Task, predict_apart
from embedclf.training.recipe import Features, check_recipe
from embedclf.training.splits import hold_out
from embedclf.training.trainer import open_for
from embedclf.training.training_set import TrainingSet, make_training_set
from embedclf.validation import check_whole

_HOLDOUT = 0.2
_LEAST_PER_CLASS = 1
# So many different choices of the labels at a size; fewer where these would be nearly the same.
_MOST_DRAWS = 5
# A gain of less than a point is not worth doubling the labels.
_WORTHWHILE = 0.01


class LearningPoint(NamedTuple):
    """How good a classifier is with so many labels.

    Attributes
    ----------
    n_labels : int
        Examples that it is trained on.
    n_draws : int
        How many different choices of them the figures are the mean of.
    accuracy : float
        On the examples held out.
    interval : Interval
        95 %, over the different texts held out.
    """

    n_labels: int
    n_draws: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Accuracy at growing numbers of labels, on the same examples held out.

    Attributes
    ----------
    n_held_out : int
    points : tuple of LearningPoint
        Each of about twice as many labels as the one before.
    gain : float
        How much the accuracy rose with the last doubling.
    gain_interval : Interval
        95 %, paired over the different texts held out.
    """

    n_held_out: int
    points: tuple[LearningPoint, ...]
    gain: float
    gain_interval: Interval

    @property
    def verdict(self) -> str:
        """Whether more labels would help, in a sentence."""
        before, after = self.points[-2:]
        low, high = (100 * end for end in self.gain_interval)
        last = (
            f"From {before.n_labels:,} to {after.n_labels:,} labelled rows the accuracy changed by "
            f"{100 * self.gain:+.1f} points ({low:+.1f} to {high:+.1f})"
        ).replace("-", "−")
        if self.gain_interval.low > 0:
            return f"{last}: more labels are likely to help."
        if self.gain_interval.high < 0:
            return (
                f"{last}, it fell, which more labels hardly ever cause: look with another seed before you believe it."
            )
        if self.gain_interval.high < _WORTHWHILE:
            return f"{last}: more labels of this kind are unlikely to help much."
        return f"{last}, which may be chance: more rows held out would tell whether more labels help."

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON."""
        return {
            "n_held_out": self.n_held_out,
            "points": [{**point._asdict(), "interval": list(point.interval)} for point in self.points],
            "gain": self.gain,
            "gain_interval": list(self.gain_interval),
            "verdict": self.verdict,
        }


def learning_curve(
    texts: Iterable[str] | EmbeddedTexts,
    labels: Iterable[str] | None = None,
    *,
    embedder: Any = None,
    head: Head = "logistic",
    regularization: float | Literal["auto"] = "auto",
    features: Features = "auto",
    label_names: bool | None = None,
    seed: int = 0,
    vectors: Vectors | None = None,
    name_vectors: Vectors | None = None,
) -> LearningCurve:
    """Measure how good a classifier is with more and more of the labels.

    A fifth of the examples is held out. Of the rest, more and more are trained on, from one a label, about twice as
    many each time. Each choice of examples is a part of the next larger one, and has the labels in their proportion.

    Parameters
    ----------
    texts, labels, embedder, head, regularization, features, label_names
        As of `embedclf.train`.
    seed : int
        For what is held out, and what is chosen of the rest.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the embedder makes of the texts, if that is known; None embeds them.
    name_vectors : ndarray of shape (n_labels, n_dimensions), float32, optional
        What it makes of the names of the labels, as `label_name_texts` writes them. Without these, where `vectors` are
        given, names are embedded only if `label_names` is true.

    Raises
    ------
    ArgumentError
        If a setting cannot be, or there is not one label or one finite vector per text.
    TrainingError
        If the examples are too few for two points, or do not make classifiers.
    TextError
        If a text is empty, not Unicode, or refused by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    given = EmbeddedTexts.of(texts, labels, embedder=embedder, vectors=vectors)
    recipe = check_recipe(head, regularization, features, label_names)
    check_whole(seed, "seed", least=0)
    classes, y = check_examples(given.texts, given.known_labels)
    groups = given.groups
    held = hold_out(y, groups, _HOLDOUT, seed=seed)
    sizes = sizes_of(int((~held).sum()), len(classes))
    # Before anything is embedded, and perhaps paid for.
    if len(sizes) < 2 or not held.any():
        raise TrainingError(
            f"{len(given):,} examples of {len(classes)} labels are too few for a learning curve: it begins "
            "with one a label, beside those held out, and doubles them"
        )
    _, recipe = open_for(recipe, given)
    examples = make_training_set(recipe, given, classes, y, name_vectors, fewest=sizes[0])
    warn_of_few(groups[held], "held out")
    tasks = [
        (size, Task(chosen, held))
        for draw in range(_MOST_DRAWS)
        for size, chosen in _choices(examples, np.flatnonzero(~held), sizes, np.random.default_rng([seed, draw]))
        if draw < max(1, sizes[-1] // size)
    ]
    answers = predict_apart(examples, [task for _, task in tasks], recipe, seed=seed)
    right: dict[int, list[Any]] = {size: [] for size in sizes}
    for (size, _), answer in zip(tasks, answers, strict=True):
        right[size].append(rank(answer.probabilities).likeliest == y[held])
    means = {size: np.mean(of_size, axis=0) for size, of_size in right.items()}
    gained = means[sizes[-1]] - means[sizes[-2]]
    return LearningCurve(
        n_held_out=int(held.sum()),
        points=tuple(
            LearningPoint(size, len(right[size]), float(mean.mean()), interval_of_mean(mean, groups[held]))
            for size, mean in means.items()
        ),
        gain=float(gained.mean()),
        gain_interval=interval_of_mean(gained, groups[held], least=-1),
    )


def sizes_of(n: int, n_classes: int) -> list[int]:
    """Return the numbers of labels to train on: all, half of them, a quarter and so on, down to one a class."""
    sizes = []
    while n >= _LEAST_PER_CLASS * n_classes:
        sizes.append(n)
        n //= 2
    return sizes[::-1]


def _choices(examples: TrainingSet, rows: Ints, sizes: list[int], rng: np.random.Generator) -> list[tuple[int, Mask]]:
    """Choose so many of some rows at random, each choice a part of the next."""
    rows = rng.permutation(rows)
    y = examples.y[rows]
    places = np.empty(len(rows))
    for number in range(len(examples.classes)):
        of_class = np.flatnonzero(y == number)
        # The first of each class comes first, the others in proportion.
        places[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
        places[of_class[:_LEAST_PER_CLASS]] -= 1
    order = rows[np.argsort(places, kind="stable")]
    choices = []
    for size in sizes:
        chosen = np.zeros(len(examples.y), dtype=bool)
        chosen[order[:size]] = True
        choices.append((size, chosen))
    return choices
