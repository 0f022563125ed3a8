"""Comparison of embedders, vector lengths, heads and features on the same folds."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

from embedclf.arrays import Floats
from embedclf.classifier.model_card import Head
from embedclf.data.label_sets import AnyLabels, LabelSet
from embedclf.data_frames import DataFrame, data_frame
from embedclf.embedding.base import Embedder, EmbedderLike, EmbedderSpec
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import EmbedderSettings
from embedclf.embedding.usage import Usage
from embedclf.errors import ArgumentError, TextError
from embedclf.evaluation.choices import Embedded, check_cost_of_all, embed_choices, open_choices, usage_of_all
from embedclf.evaluation.cross_validation import AnyCrossValidation, check_division, cross_validate_examples
from embedclf.evaluation.footprint import ms_to_embed, size_and_seconds
from embedclf.evaluation.multilabel_cross_validation import MultiLabelCrossValidation
from embedclf.evaluation.scores import ACCURACY, MICRO_F1, Score, difference_of, named_levels, score_of
from embedclf.formatting import counted
from embedclf.phases import tracked
from embedclf.records import WithPage
from embedclf.stats.intervals import Interval, warn_of_few
from embedclf.training.checks import check_labelled, labels_in_tree
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Features, Recipe, check_recipe
from embedclf.training.trainer import of_labels, weights_of
from embedclf.training.training_set import TrainingSet
from embedclf.training.weights import ClassWeight
from embedclf.validation import group_duplicates

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Compared:
    """The results of one combination of embedder, vector length, head and features.

    Attributes
    ----------
    embedder : str
        As ``provider:model``.
    task, prompt : str or None
        What the embedder was told; see `EmbedderSpec`.
    dimensions : int
    head : {"logistic", "centroid"}
    features : {"auto", "embedding", "words", "both"}
    accuracy, macro_f1 : float
        If texts have several labels, the accuracy is the share of texts with exactly the predicted labels.
    accuracy_interval, macro_f1_interval : Interval
        95 %.
    difference : float
        Its accuracy, or micro-F1 if texts have several labels, minus that of the best combination.
    difference_interval : Interval
        95 %, paired over the distinct texts; 0 to 0 for the best combination.
    tokens : int or None
        Estimate for embedding the examples without a cache; None for a local embedder.
    dollars : float or None
        The cost of these tokens, 0 for a local embedder; None if the price is unknown.
    model_bytes : int
        Size of the model file.
    ms_to_embed : float or None
        Milliseconds per text on this machine; None for a remote embedder.
    ms_to_classify : float
        Milliseconds per text whose vector is known.
    result : CrossValidation or MultiLabelCrossValidation
    micro_f1 : float or None
        F1 of all labels of all texts together; None if a text has one label.
    micro_f1_interval : Interval or None
        95 %.
    level_accuracies : tuple of float, or None
        The accuracy of the first part of the labels, of the first two parts, and so on; None if they are in no tree, or
        texts have several.
    """

    embedder: str
    task: str | None
    prompt: str | None
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
    result: AnyCrossValidation
    micro_f1: float | None = None
    micro_f1_interval: Interval | None = None
    level_accuracies: tuple[float, ...] | None = None

    @property
    def score(self) -> Score:
        """The accuracy, or micro-F1 if texts have several labels, with its interval."""
        return score_of(self.result)

    @property
    def told(self) -> str:
        """The task and the prompt as people read them; see `EmbedderSpec`."""
        return EmbedderSpec("", "", None, task=self.task, prompt=self.prompt).told

    @property
    def name(self) -> str:
        """The embedder, with the task and the prompt if there are any."""
        return f"{self.embedder} ({self.told})" if self.told else self.embedder

    @property
    def worse(self) -> bool:
        """Whether it is significantly worse than the best combination."""
        return self.difference_interval.high < 0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types for JSON, without the cross-validation."""
        not_always = ("micro_f1", "micro_f1_interval", "level_accuracies")
        shown = {name: getattr(self, name) for name in self.__slots__ if name != "result"}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in shown.items()
            if value is not None or name not in not_always
        } | {"worse": self.worse}


@dataclass(frozen=True, slots=True)
class Comparison(WithPage):
    """The results of a comparison on the same folds, best combination first.

    Attributes
    ----------
    n_examples, n_folds : int
    candidates : tuple of Compared
    usage : Usage
        Tokens and cost of embedding.
    """

    n_examples: int
    n_folds: int
    candidates: tuple[Compared, ...]
    usage: Usage

    def __repr__(self) -> str:
        best = self.candidates[0]
        of_best = f"best {best.name}, {best.head}, {best.features} with {self.metric} {best.score.value:.3f}"
        return f"<Comparison: {counted(len(self.candidates), 'candidate')}, {of_best}>"

    @property
    def metric(self) -> str:
        """What is compared: "accuracy", or "micro-F1" if texts have several labels."""
        return ACCURACY if self.candidates[0].micro_f1 is None else MICRO_F1

    def to_frame(self) -> Any:
        """Return the candidates as a data frame of pandas, or of Polars if only that is installed."""
        rows = [_flat(candidate.to_dict()) for candidate in self.candidates]
        return data_frame(rows, tuple(rows[0]))

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain types for JSON."""
        return {
            "n_examples": self.n_examples,
            "n_folds": self.n_folds,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "usage": self.usage.to_dict(),
        }


def _flat(figures: dict[str, Any]) -> dict[str, Any]:
    """Return figures with each interval as two of them, and those of levels apart."""
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        of_name = name.removesuffix("_interval")
        if name == "level_accuracies":
            flat |= named_levels(value)
        else:
            flat |= {f"{of_name}_low": value[0], f"{of_name}_high": value[1]} if of_name != name else {name: value}
    return flat


def compare(
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    embedders: Sequence[EmbedderLike | None] = (None,),
    dimensions: Sequence[int | None] = (None,),
    tasks: Sequence[str | None] = (None,),
    prompts: Sequence[str | None] = (None,),
    heads: Sequence[Head] = ("logistic",),
    features: Sequence[Features] = ("auto",),
    folds: int = 5,
    seed: int = 0,
    label_hierarchy: str | None = None,
    sample_weight: Any = None,
    class_weight: ClassWeight = None,
    **settings: Unpack[EmbedderSettings],
) -> Comparison:
    """Compare embedders, vector lengths, heads and features by cross-validation on the same folds.

    Label names are not used as training texts here.

    Parameters
    ----------
    texts, labels, text, label
        See `embedclf.train`. Only the texts and labels of `EmbeddedTexts` are used; the embedders to compare make the
        vectors.
    embedders : sequence
        Each as in `embedclf.train`. "words" is compared as `features` "words" are. One that is named twice, also by two
        names, is compared once.
    dimensions : sequence of int or None
        Lengths of the vectors; an embedder skips those that it does not support.
    tasks, prompts : sequence of str or None
        As in `embedclf.open_embedder`; an embedder that takes no task, or no prompt, is compared once, without.
    heads : sequence of {"logistic", "centroid"}
    features : sequence of {"auto", "embedding", "words", "both"}
        "words" is compared once, independently of the embedders.
    folds, seed, label_hierarchy, sample_weight, class_weight
        See `embedclf.cross_validate`.
    **settings
        Settings for opening embedders given by name; see `EmbedderSettings`. ``max_cost`` limits their total cost.

    Raises
    ------
    ArgumentError
        If a setting is invalid, or there is not one label per text.
    TrainingError
        If the examples are not enough for a classifier.
    TextError
        If a text is empty, not valid Unicode, or rejected by an embedder.
    EmbedderError
        If an embedder is unknown, not installed, supports none of the lengths, or fails.
    """
    examples = EmbeddedTexts.of(texts, labels, text=text, label=label)
    texts, own_labels = examples.texts, examples.given_labels
    if label_hierarchy is not None:
        own_labels, label_hierarchy = labels_in_tree(own_labels, label_hierarchy)
    for name, given in (
        ("embedders", embedders),
        ("dimensions", dimensions),
        ("tasks", tasks),
        ("prompts", prompts),
        ("heads", heads),
        ("features", features),
    ):
        if isinstance(given, str | int | Embedder):
            raise TypeError(f"{name} must be a list, not a single {type(given).__name__}: [{given!r}]")
    if single := sorted(settings.keys() & {"task", "prompt"}):
        raise TypeError(f"compare takes several: pass {single[0]}s=[…], not {single[0]}=")
    embedders, dimensions, tasks, prompts = list(embedders), list(dimensions), list(tasks), list(prompts)
    recipes = check_comparison(texts, own_labels, heads, features, folds, seed)
    weights = check_weights(texts, own_labels, examples.weights(sample_weight), class_weight)
    choices = open_choices(embedders, dimensions, recipes, tasks=tasks, prompts=prompts, **settings)
    check_cost_of_all(choices, texts, settings.get("max_cost"))
    embedded: list[Embedded] = []
    reasons = embed_choices(choices, texts, embedded, **settings)
    if reasons:
        raise TextError(reasons)
    return compare_vectors(
        *(texts, own_labels, embedded, recipes),
        folds=folds,
        seed=seed,
        weights=weights,
        label_hierarchy=label_hierarchy,
    )


def check_comparison(
    texts: Sequence[str],
    labels: Sequence[str] | Sequence[LabelSet],
    heads: Sequence[str],
    features: Sequence[str],
    folds: int,
    seed: int,
) -> list[Recipe]:
    """Check the settings of a comparison before anything is embedded, and return the recipes to fit.

    Raises
    ------
    ArgumentError
        If a setting is invalid, or there is nothing to compare.
    TrainingError
        If the examples are not enough for a classifier.
    """
    _, y, _ = check_labelled(texts, labels)
    heads, features = list(heads), list(features)
    if not heads or not features:
        raise ArgumentError(f"nothing to compare: no {'features' if heads else 'head'} given")
    recipes = [check_recipe(head, features=one, label_names=False) for head in heads for one in features]
    check_division(y, group_duplicates(texts), folds, seed)
    return list(dict.fromkeys(recipes))


Weights = tuple[Floats | None, Floats | None]


def check_weights(
    texts: Sequence[str], labels: Sequence[str] | Sequence[LabelSet], sample_weight: Any, class_weight: ClassWeight
) -> Weights:
    """Check weights before anything is embedded, and return those of examples and of classes; None if all are equal.

    Raises
    ------
    ArgumentError
        If they cannot be.
    """
    classes, y, given = check_labelled(texts, labels)
    return weights_of(sample_weight, of_labels(class_weight), classes, y, given)


def compare_vectors(
    texts: Sequence[str],
    labels: Sequence[str] | Sequence[LabelSet],
    embedded: Sequence[Embedded],
    recipes: Sequence[Recipe],
    *,
    folds: int,
    seed: int,
    weights: Weights = (None, None),
    label_hierarchy: str | None = None,
) -> Comparison:
    """Compare embedders by their vectors of the texts; see `compare`, `check_weights` and `as_written`."""
    if not embedded:
        raise ArgumentError("nothing to compare: no embedder given")
    classes, y, given = check_labelled(texts, labels)
    groups = group_duplicates(texts)
    found = []
    pairs = [(one, recipe) for one in embedded for recipe in _recipes_for(one.embedder, recipes)]
    for one, recipe in tracked(pairs, "Comparing", len(pairs), "combination"):
        vectors = one.vectors if recipe.uses_vectors else None
        inputs = Inputs.of(texts, vectors, words=recipe.uses_words)
        examples = TrainingSet(
            inputs, y, groups, classes, sample_weight=weights[0], given=given, class_weight=weights[1]
        )
        named = one.embedder.spec.described + (f", {one.vectors.shape[1]} dimensions" if recipe.uses_vectors else "")
        logger.info("%s, %s, features %s:", named, recipe.head, recipe.features)
        result = cross_validate_examples(texts, labels, examples, recipe, folds, seed, label_hierarchy=label_hierarchy)
        found.append((one, recipe, examples.inputs, result))
    # All combinations have the same folds, and so the same predicted rows.
    groups = groups[[one.row for one in found[0][-1].predictions]]
    warn_of_few(groups, "cross-validated")
    # Ties go to the smaller model.
    found.sort(key=lambda one: (-score_of(one[-1]).value, one[2].vectors.shape[1], one[1].uses_words))
    candidates = []
    for one, recipe, inputs, result in found:
        difference = difference_of(result, found[0][-1], labels, groups)
        if isinstance(result, MultiLabelCrossValidation):
            accuracy, micro_f1 = Score(result.exact_match, result.exact_match_interval), score_of(result)
            levels = None
        else:
            accuracy, micro_f1, tree = score_of(result), None, result.report.hierarchy
            levels = None if tree is None else tuple(one.accuracy for one in tree.levels)
        tokens, dollars = _cost(one.embedder, texts)
        n_bytes, seconds = size_and_seconds(one.embedder, texts, inputs, classes, result)
        candidates.append(
            Compared(
                embedder=str(one.embedder.spec),
                task=one.embedder.spec.task,
                prompt=one.embedder.spec.prompt,
                dimensions=inputs.vectors.shape[1],
                head=result.head,
                features=recipe.features,
                accuracy=accuracy.value,
                accuracy_interval=accuracy.interval,
                macro_f1=result.macro_f1,
                macro_f1_interval=result.macro_f1_interval,
                difference=difference.value,
                difference_interval=difference.interval,
                tokens=tokens,
                dollars=dollars,
                model_bytes=n_bytes,
                ms_to_embed=ms_to_embed(one.embedder, texts),
                ms_to_classify=1_000 * seconds,
                result=result,
                micro_f1=None if micro_f1 is None else micro_f1.value,
                micro_f1_interval=None if micro_f1 is None else micro_f1.interval,
                level_accuracies=levels,
            )
        )
    return Comparison(found[0][-1].n_examples, folds, tuple(candidates), usage_of_all(embedded))


def _recipes_for(embedder: Embedder, recipes: Sequence[Recipe]) -> list[Recipe]:
    """Return the recipes that an embedder is used with: words only with one for words, each head once."""
    if embedder.is_lexical:
        return list(dict.fromkeys(replace(recipe, features="words") for recipe in recipes))
    return [recipe for recipe in recipes if recipe.uses_vectors]


def _cost(embedder: Embedder, texts: Sequence[str]) -> tuple[int | None, float | None]:
    if embedder.is_local:
        return None, 0.0
    estimate = embedder.estimate(texts, anew=True)
    return estimate.tokens, estimate.dollars
