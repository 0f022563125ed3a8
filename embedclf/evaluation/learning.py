"""The learning curve: accuracy against the number of labelled examples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.hierarchy import Hierarchy, hierarchy_of
from embedclf.classifier.model_card import Head
from embedclf.data.label_sets import AnyLabels
from embedclf.data_frames import DataFrame, data_frame
from embedclf.embedding.base import EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import TrainingError
from embedclf.evaluation.scores import ACCURACY, MICRO_F1, named_levels
from embedclf.records import WithPage
from embedclf.stats import multilabel
from embedclf.stats.intervals import Interval, interval_of_mean, interval_of_ratios, warn_of_few
from embedclf.training.checks import check_labelled, labels_in_tree
from embedclf.training.folds import HeldOutPredictions, Task, fit_and_predict
from embedclf.training.recipe import Features, check_recipe
from embedclf.training.splits import hold_out
from embedclf.training.trainer import of_labels, open_for, weights_of
from embedclf.training.training_set import TrainingSet, make_training_set
from embedclf.training.weights import ClassWeight
from embedclf.validation import check_whole

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
        On the held-out examples. If texts have several labels, the share of texts with exactly the predicted labels.
    interval : Interval
        95 %, over the distinct held-out texts; of micro-F1 if texts have several labels.
    micro_f1 : float or None
        F1 of all labels of all texts together; None if a text has one label.
    level_accuracies : tuple of float, or None
        The accuracy of the first part, of the first two parts, and so on; None if labels are in no tree, or texts have
        several.
    """

    n_labels: int
    n_draws: int
    accuracy: float
    interval: Interval
    micro_f1: float | None = None
    level_accuracies: tuple[float, ...] | None = None

    @property
    def score(self) -> float:
        """The accuracy, or micro-F1 if texts have several labels."""
        return self.accuracy if self.micro_f1 is None else self.micro_f1

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types for JSON."""
        figures = {name: value for name, value in self._asdict().items() if value is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in figures.items()}


@dataclass(frozen=True, slots=True)
class LearningCurve(WithPage):
    """Accuracy at growing numbers of labelled examples, on the same held-out examples.

    Attributes
    ----------
    n_held_out : int
    points : tuple of LearningPoint
        Each with about twice as many labelled examples as the one before.
    gain : float
        The change in accuracy, or in micro-F1 if texts have several labels, with the last doubling.
    gain_interval : Interval
        95 %, paired over the distinct held-out texts.
    """

    n_held_out: int
    points: tuple[LearningPoint, ...]
    gain: float
    gain_interval: Interval

    def __repr__(self) -> str:
        last = self.points[-1]
        return f"<LearningCurve: {self.metric} {last.score:.3f} with {last.n_labels:,} training rows>"

    @property
    def metric(self) -> str:
        """What is measured: "accuracy", or "micro-F1" if texts have several labels."""
        return ACCURACY if self.points[-1].micro_f1 is None else MICRO_F1

    @property
    def verdict(self) -> str:
        """A sentence on whether more labels would help."""
        before, after = self.points[-2:]
        low, high = (100 * end for end in self.gain_interval)
        changed = f"{100 * self.gain:+.1f} points ({low:+.1f} to {high:+.1f})".replace("-", "−")
        last = f"From {before.n_labels:,} to {after.n_labels:,} labelled rows, {self.metric} changed by {changed}"
        if self.gain_interval.low > 0:
            return f"{last}: more labels are likely to help."
        if self.gain_interval.high < 0:
            return f"{last}: a drop, which more labels rarely cause. Try another seed before you rely on it."
        if self.gain_interval.high < _WORTHWHILE:
            return f"{last}: more labels of this kind are unlikely to help much."
        return f"{last}, which may be chance: more held-out rows would show whether more labels help."

    def to_frame(self) -> Any:
        """Return the points of the curve as a data frame of pandas, or of Polars if only that is installed."""
        rows = [
            {
                **point.to_dict(),
                "low": point.interval.low,
                "high": point.interval.high,
                **named_levels(point.level_accuracies),
            }
            for point in self.points
        ]
        measured = ("accuracy",) if self.metric == ACCURACY else ("micro_f1", "accuracy")
        levels = named_levels(self.points[-1].level_accuracies)
        return data_frame(rows, ("n_labels", "n_draws", *measured, "low", "high", *levels))

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as plain types for JSON."""
        return {
            "n_held_out": self.n_held_out,
            "points": [point.to_dict() for point in self.points],
            "gain": self.gain,
            "gain_interval": list(self.gain_interval),
            "verdict": self.verdict,
        }


def learning_curve(
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    embedder: EmbedderLike | None = None,
    head: Head = "logistic",
    C: float | Literal["auto"] | None = None,
    regularization: float | Literal["auto"] = "auto",
    features: Features = "auto",
    label_names: bool | None = None,
    seed: int = 0,
    label_hierarchy: str | None = None,
    vectors: Vectors | None = None,
    name_vectors: Vectors | None = None,
    sample_weight: Any = None,
    class_weight: ClassWeight = None,
) -> LearningCurve:
    """Measure accuracy with growing numbers of labelled examples.

    A fifth of the examples is held out. Classifiers are trained on growing subsets of the rest, from about one example
    per label, doubling each time. Each subset contains the next smaller one and keeps the proportions of the labels. If
    texts have several labels, micro-F1 is measured.

    Parameters
    ----------
    texts, labels, text, label, embedder, head, C, regularization, features, label_names
        See `embedclf.train`.
    seed : int
        Seed for the held-out split and the subsets.
    label_hierarchy : str, optional
        What separates the parts of labels in a tree: each level is then measured.
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
    known = given.given_labels
    if label_hierarchy is not None:
        known, label_hierarchy = labels_in_tree(known, label_hierarchy)
    classes, y, of_texts = check_labelled(given.texts, known)
    tree = None if label_hierarchy is None else hierarchy_of(classes, label_hierarchy)
    groups = given.groups
    held = hold_out(y, groups, _HOLDOUT, seed=seed)
    sizes = sizes_of(int((~held).sum()), len(classes))
    # Checked before anything is embedded and possibly paid for.
    if len(sizes) < 2 or not held.any():
        raise TrainingError(
            f"{len(given):,} examples of {len(classes)} labels are too few for a learning curve: besides those held "
            f"out, it needs at least {2 * len(classes)}"
        )
    weights, of_classes = weights_of(given.weights(sample_weight), of_labels(class_weight), classes, y, of_texts)
    _, recipe = open_for(recipe, given)
    examples = make_training_set(
        recipe,
        given,
        classes,
        y,
        name_vectors,
        fewest=sizes[0],
        sample_weight=weights,
        class_weight=of_classes,
        given=of_texts,
    )
    warn_of_few(groups[held], "held out")
    tasks = [
        (size, Task(chosen, held, tree))
        for draw in range(_MOST_DRAWS)
        for size, chosen in _nested_subsets(examples, np.flatnonzero(~held), sizes, np.random.default_rng([seed, draw]))
        if draw < max(1, sizes[-1] // size)
    ]
    predictions = fit_and_predict(examples, [task for _, task in tasks], recipe, "Fitting", "classifier", seed=seed)
    by_size: dict[int, list[HeldOutPredictions]] = {size: [] for size in sizes}
    for (size, _), prediction in zip(tasks, predictions, strict=True):
        by_size[size].append(prediction)
    if of_texts is not None:
        return _curve_of_labels(by_size, of_texts[held], groups[held])
    predicted = {
        size: [examples.decision.choose(one.probabilities)[0] for one in of_size] for size, of_size in by_size.items()
    }
    means = {size: np.mean([one == y[held] for one in of_size], axis=0) for size, of_size in predicted.items()}
    gained = means[sizes[-1]] - means[sizes[-2]]
    return LearningCurve(
        n_held_out=int(held.sum()),
        points=tuple(
            LearningPoint(
                size,
                len(predicted[size]),
                float(mean.mean()),
                interval_of_mean(mean, groups[held]),
                level_accuracies=None if tree is None else _by_level(tree, classes, y[held], predicted[size]),
            )
            for size, mean in means.items()
        ),
        gain=float(gained.mean()),
        gain_interval=interval_of_mean(gained, groups[held], least=-1),
    )


def _by_level(tree: Hierarchy, classes: Sequence[str], y: Ints, predicted: Sequence[Ints]) -> tuple[float, ...]:
    """Return the accuracy of each level, the mean of the random subsets of a size."""
    return tuple(np.mean([tree.level_accuracies(classes, y, one) for one in predicted], axis=0).tolist())


def _curve_of_labels(by_size: dict[int, list[HeldOutPredictions]], given: Mask, groups: Ints) -> LearningCurve:
    """Return the curve of micro-F1, the mean of the random subsets of each size."""
    points, parts = [], []
    for size, of_size in by_size.items():
        predicted = [one.given for one in of_size if one.given is not None]
        above, below = zip(*(multilabel.f1_parts(given, one) for one in predicted), strict=True)
        parts.append([np.column_stack([one.sum(axis=1) for one in part]) for part in (above, below)])
        points.append(
            LearningPoint(
                size,
                len(predicted),
                accuracy=float(np.mean([multilabel.exact_match(given, one) for one in predicted])),
                interval=interval_of_ratios(parts[-1][0], parts[-1][1], groups),
                micro_f1=float(np.mean([multilabel.micro_f1(given, one) for one in predicted])),
            )
        )
    before, after = points[-2:]
    factors = [*[1 / after.n_draws] * after.n_draws, *[-1 / before.n_draws] * before.n_draws]
    last = [np.hstack([new, old]) for new, old in zip(parts[-1], parts[-2], strict=True)]
    return LearningCurve(
        n_held_out=len(given),
        points=tuple(points),
        gain=after.score - before.score,
        gain_interval=interval_of_ratios(last[0], last[1], groups, factors=factors, least=-1),
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
    given = None if examples.given is None else examples.given[rows]
    places = np.empty(len(rows))
    for number in range(len(examples.classes)):
        of_class = np.flatnonzero(y == number)
        # One row of each class comes first, then the rest in proportion.
        places[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
        places[of_class[:_LEAST_PER_CLASS]] -= 1
    if given is not None:  # a label that is no text's rarest has no class of its own
        for number in np.flatnonzero(given.any(axis=0) & ~given[places < 0].any(axis=0)).tolist():
            places[np.flatnonzero(given[:, number])[:_LEAST_PER_CLASS]] -= 1
    order = rows[np.argsort(places, kind="stable")]
    subsets = []
    for size in sizes:
        chosen = np.zeros(len(examples.y), dtype=bool)
        chosen[order[:size]] = True
        subsets.append((size, chosen))
    return subsets
