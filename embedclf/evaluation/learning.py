"""The learning curve: accuracy against the number of labelled examples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.model_file import Head
from embedclf.data_frames import DataFrame, data_frame
from embedclf.embedding.base import EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import TrainingError
from embedclf.records import WithPage
from embedclf.stats.intervals import Interval, interval_of_mean, warn_of_few
from embedclf.training.checks import check_examples
from embedclf.training.folds import Task, fit_and_predict
from embedclf.training.recipe import Features, check_recipe
from embedclf.training.splits import hold_out
from embedclf.training.trainer import of_labels, open_for, weights_of
from embedclf.training.training_set import TrainingSet, make_training_set
from embedclf.training.weights import ClassWeight
from embedclf.validation import Label, check_whole

_HOLDOUT = 0.2
_LEAST_PER_CLASS = 1
# Random subsets per size; fewer for large sizes, at which the subsets overlap too much.
_MOST_DRAWS = 5
# A gain of less than a point does not justify doubling the labels.
_WORTHWHILE = 0.01


class LearningPoint(NamedTuple):
    """The accuracy with one number of labelled examples.

    Attributes
    ----------
    n_labels : int
        Number of examples trained on.
    n_draws : int
        Number of random subsets of this size whose accuracies are averaged.
    accuracy : float
        On the held-out examples.
    interval : Interval
        95 %, over the distinct held-out texts.
    """

    n_labels: int
    n_draws: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class LearningCurve(WithPage):
    """Accuracy at growing numbers of labelled examples, on the same held-out examples.

    Attributes
    ----------
    n_held_out : int
    points : tuple of LearningPoint
        Each with about twice as many labelled examples as the one before.
    gain : float
        The change in accuracy with the last doubling.
    gain_interval : Interval
        95 %, paired over the distinct held-out texts.
    """

    n_held_out: int
    points: tuple[LearningPoint, ...]
    gain: float
    gain_interval: Interval

    def __repr__(self) -> str:
        last = self.points[-1]
        return f"<LearningCurve: accuracy {last.accuracy:.3f} with {last.n_labels:,} training rows>"

    @property
    def verdict(self) -> str:
        """A sentence on whether more labels would help."""
        before, after = self.points[-2:]
        low, high = (100 * end for end in self.gain_interval)
        last = (
            f"From {before.n_labels:,} to {after.n_labels:,} labelled rows, accuracy changed by "
            f"{100 * self.gain:+.1f} points ({low:+.1f} to {high:+.1f})"
        ).replace("-", "−")
        if self.gain_interval.low > 0:
            return f"{last}: more labels are likely to help."
        if self.gain_interval.high < 0:
            return f"{last}: a drop, which more labels rarely cause. Try another seed before you rely on it."
        if self.gain_interval.high < _WORTHWHILE:
            return f"{last}: more labels of this kind are unlikely to help much."
        return f"{last}, which may be chance: more held-out rows would show whether more labels help."

    def to_frame(self) -> Any:
        """Return the points of the curve as a data frame of pandas, or of Polars if only that is installed."""
        rows = [{**point._asdict(), "low": point.interval.low, "high": point.interval.high} for point in self.points]
        return data_frame(rows, ("n_labels", "n_draws", "accuracy", "low", "high"))

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as plain types for JSON."""
        return {
            "n_held_out": self.n_held_out,
            "points": [{**point._asdict(), "interval": list(point.interval)} for point in self.points],
            "gain": self.gain,
            "gain_interval": list(self.gain_interval),
            "verdict": self.verdict,
        }


def learning_curve(
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: Iterable[Label] | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    embedder: EmbedderLike | None = None,
    head: Head = "logistic",
    C: float | Literal["auto"] | None = None,
    regularization: float | Literal["auto"] = "auto",
    features: Features = "auto",
    label_names: bool | None = None,
    seed: int = 0,
    vectors: Vectors | None = None,
    name_vectors: Vectors | None = None,
    sample_weight: Any = None,
    class_weight: ClassWeight = None,
) -> LearningCurve:
    """Measure accuracy with growing numbers of labelled examples.

    A fifth of the examples is held out. Classifiers are trained on growing subsets of the rest, from about one example
    per label, doubling each time. Each subset contains the next smaller one and keeps the proportions of the labels.

    Parameters
    ----------
    texts, labels, text, label, embedder, head, C, regularization, features, label_names
        See `embedclf.train`.
    seed : int
        Seed for the held-out split and the subsets.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        The embedder's vectors of the texts, if known; None embeds the texts.
    name_vectors : ndarray of shape (n_labels, n_dimensions), float32, optional
        The embedder's vectors of the label names, as written by `label_name_texts`. If only `vectors` are given, names
        are embedded only if `label_names` is true.
    sample_weight, class_weight
        See `embedclf.cross_validate`.

    Raises
    ------
    ArgumentError
        If a setting is invalid, or there is not one label or one finite vector per text.
    TrainingError
        If there are too few examples for two points or for a classifier.
    TextError
        If a text is empty, not valid Unicode, or rejected by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    given = EmbeddedTexts.of(texts, labels, text=text, label=label, embedder=embedder, vectors=vectors)
    recipe = check_recipe(head, regularization, features, label_names, C)
    check_whole(seed, "seed", least=0)
    classes, y = check_examples(given.texts, given.known_labels)
    groups = given.groups
    held = hold_out(y, groups, _HOLDOUT, seed=seed)
    sizes = sizes_of(int((~held).sum()), len(classes))
    # Checked before anything is embedded and possibly paid for.
    if len(sizes) < 2 or not held.any():
        raise TrainingError(
            f"{len(given):,} examples of {len(classes)} labels are too few for a learning curve: besides those held "
            f"out, it needs at least {2 * len(classes)}"
        )
    weights, of_classes = weights_of(sample_weight, of_labels(class_weight), classes, y)
    _, recipe = open_for(recipe, given)
    examples = make_training_set(
        recipe, given, classes, y, name_vectors, fewest=sizes[0], sample_weight=weights, class_weight=of_classes
    )
    warn_of_few(groups[held], "held out")
    tasks = [
        (size, Task(chosen, held))
        for draw in range(_MOST_DRAWS)
        for size, chosen in _nested_subsets(examples, np.flatnonzero(~held), sizes, np.random.default_rng([seed, draw]))
        if draw < max(1, sizes[-1] // size)
    ]
    predictions = fit_and_predict(examples, [task for _, task in tasks], recipe, "Fitting", "classifier", seed=seed)
    correct: dict[int, list[Any]] = {size: [] for size in sizes}
    for (size, _), prediction in zip(tasks, predictions, strict=True):
        correct[size].append(examples.decision.choose(prediction.probabilities)[0] == y[held])
    means = {size: np.mean(of_size, axis=0) for size, of_size in correct.items()}
    gained = means[sizes[-1]] - means[sizes[-2]]
    return LearningCurve(
        n_held_out=int(held.sum()),
        points=tuple(
            LearningPoint(size, len(correct[size]), float(mean.mean()), interval_of_mean(mean, groups[held]))
            for size, mean in means.items()
        ),
        gain=float(gained.mean()),
        gain_interval=interval_of_mean(gained, groups[held], least=-1),
    )


def sizes_of(n: int, n_classes: int) -> list[int]:
    """Return the numbers of examples to train on: n, half, a quarter and so on, down to one per class; ascending."""
    sizes = []
    while n >= _LEAST_PER_CLASS * n_classes:
        sizes.append(n)
        n //= 2
    return sizes[::-1]


def _nested_subsets(
    examples: TrainingSet, rows: Ints, sizes: list[int], rng: np.random.Generator
) -> list[tuple[int, Mask]]:
    """Choose a random subset of the rows for each size; each contains the one before."""
    rows = rng.permutation(rows)
    y = examples.y[rows]
    places = np.empty(len(rows))
    for number in range(len(examples.classes)):
        of_class = np.flatnonzero(y == number)
        # One row of each class comes first, then the rest in proportion.
        places[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
        places[of_class[:_LEAST_PER_CLASS]] -= 1
    order = rows[np.argsort(places, kind="stable")]
    subsets = []
    for size in sizes:
        chosen = np.zeros(len(examples.y), dtype=bool)
        chosen[order[:size]] = True
        subsets.append((size, chosen))
    return subsets
