"""Comparing embedders, lengths of vectors and heads on the same folds."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from embedclf._version import __version__
from embedclf.arrays import Floats, Vectors
from embedclf.classifier.linear import LinearModel, WordWeights
from embedclf.classifier.model_file import Head, HeldOut, ModelCard, model_bytes
from embedclf.embedding.base import WORDS, Embedder
from embedclf.embedding.factory import EmbedderSettings, as_embedder, open_embedder
from embedclf.embedding.usage import Estimate, Usage
from embedclf.errors import EmbedderError, MaxCostError, TextError, TrainingError
from embedclf.evaluation.cross_validation import CrossValidation, check_division, cross_validate_examples
from embedclf.stats.intervals import Interval, interval_of_mean, warn_of_few
from embedclf.training.checks import check_examples
from embedclf.training.folds import Examples
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Features, Recipe, check_recipe
from embedclf.training.trainer import make_inputs
from embedclf.validation import check_texts, group_duplicates, list_of_strings

logger = logging.getLogger(__name__)

_TEXTS_TIMED = 512
_TIMES = 5


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
        """Give it as plain types, for JSON; the cross-validation is left out."""
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
        """Give it as plain types, for JSON."""
        return {
            "n_examples": self.n_examples,
            "n_folds": self.n_folds,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "usage": self.usage.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """An embedder that is compared: what names it, its length, and it itself, open."""

    given: Any
    dimensions: int | None
    opened: Embedder


def compare(
    texts: Iterable[str],
    labels: Iterable[str],
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
    texts, labels : iterables of str, of equal length
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
    TrainingError
        If the examples or settings do not make classifiers.
    TextError
        If a text is empty, not Unicode, or refused by an embedder.
    EmbedderError
        If an embedder is unknown, not installed, has none of the lengths, or fails.
    """
    texts, labels = check_texts(texts), list_of_strings(labels, "labels")
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
    TrainingError
    """
    _, y = check_examples(texts, labels)
    if not heads or not features:
        raise TrainingError(f"there is nothing to compare: give {'features' if heads else 'a head'}")
    recipes = [check_recipe(head, features=one, label_names=False) for head in heads for one in features]
    check_division(y, group_duplicates(texts), folds, seed)
    return recipes


def open_choices(
    embedders: Sequence[Any],
    dimensions: Sequence[int | None],
    recipes: Sequence[Recipe],
    **settings: Unpack[EmbedderSettings],
) -> list[Choice]:
    """Open every embedder at every length that it has, and one for words alone, as far as they are needed.

    Raises
    ------
    EmbedderError
        If one cannot be opened, or has none of the lengths.
    """
    choices = []
    for given in embedders if any(recipe.uses_vectors for recipe in recipes) else ():
        faults = []
        for length in dimensions:
            try:
                choices.append(Choice(given, length, as_embedder(given, dimensions=length, **settings)))
            except EmbedderError as error:
                faults.append(error)
        if len(faults) == len(dimensions):
            raise faults[0]
        for fault in faults:
            logger.warning("left out: %s", fault)
    if not all(recipe.uses_vectors for recipe in recipes):
        choices.append(Choice(WORDS, None, open_embedder(WORDS)))
    return choices


def estimate_all(choices: Sequence[Choice], texts: Sequence[str]) -> list[tuple[Choice, Estimate]]:
    """Estimate what it takes to embed texts with each embedder that may cost something; what they share, once."""
    seen, estimates = set(), []
    for choice in choices:
        if not choice.opened.is_local and choice.opened.source not in seen:
            seen.add(choice.opened.source)
            estimates.append((choice, choice.opened.estimate(texts)))
    return estimates


def check_cost_of_all(choices: Sequence[Choice], texts: Sequence[str], max_cost: float | None) -> None:
    """See that all together are within a limit in dollars.

    Raises
    ------
    MaxCostError
        If they are not; nothing was sent then.
    """
    if max_cost is None:
        return
    dollars = sum(estimate.dollars or 0.0 for _, estimate in estimate_all(choices, texts))
    if dollars > max_cost:
        raise MaxCostError(
            f"embedding for all of them would cost about ${dollars:,.4f}, and --max-cost is {max_cost:g}: nothing was "
            "sent",
            spent=0.0,
            limit=max_cost,
        )


@dataclass(frozen=True, slots=True)
class Embedded:
    """An embedder, and what it made of the examples."""

    embedder: Embedder
    vectors: Vectors


def embed_choices(
    choices: Sequence[Choice], texts: Sequence[str], embedded: list[Embedded], **settings: Unpack[EmbedderSettings]
) -> dict[int, str]:
    """Embed texts with each embedder, all together within ``max_cost``.

    Parameters
    ----------
    choices : sequence of Choice
    texts : sequence of str
    embedded : list of Embedded
        What each makes of the texts is added to it; NaN where a text cannot be embedded.

    Returns
    -------
    dict of int to str
        Why some texts cannot, by any of them.
    """
    reasons: dict[int, str] = {}
    limit = settings.get("max_cost")
    for choice in choices:
        opened = choice.opened
        if limit is not None and not opened.is_local:
            left = {**settings, "max_cost": max(0.0, limit - (usage_of_all(embedded).dollars or 0.0))}
            opened = as_embedder(choice.given, dimensions=choice.dimensions, **left)  # type: ignore[arg-type]
        # It is there before its vectors are: what it spends counts, though it fails.
        embedded.append(Embedded(opened, np.empty((0, 0), dtype=np.float32)))
        vectors, refused = opened.embed_partial(texts)
        embedded[-1] = Embedded(opened, vectors)
        reasons = refused | reasons
    return dict(sorted(reasons.items()))


def usage_of_all(embedded: Sequence[Embedded]) -> Usage:
    """Sum up what embedding took."""
    total = Usage()
    for one in embedded:
        total = total.plus(one.embedder.usage)
    return total


def compare_vectors(
    texts: Sequence[str],
    labels: Sequence[str],
    embedded: Sequence[Embedded],
    recipes: Sequence[Recipe],
    *,
    folds: int,
    seed: int,
) -> Comparison:
    """Compare embedders whose vectors of the texts are at hand; see `compare`."""
    if not embedded:
        raise TrainingError("there is nothing to compare: give an embedder")
    classes, y = check_examples(texts, labels)
    groups = group_duplicates(texts)
    found = []
    for one in embedded:
        for recipe in recipes:
            # Words alone go with the embedder that stands for them, and with no other.
            if recipe.uses_vectors == one.embedder.is_lexical:
                continue
            inputs, _ = make_inputs(recipe, one.embedder, texts, classes, one.vectors)
            examples = Examples(inputs, y, groups, classes)
            named = f"{one.embedder.spec}" + (f", {one.vectors.shape[1]} dimensions" if recipe.uses_vectors else "")
            logger.info("%s, %s, features %s:", named, recipe.head, recipe.features)
            result = cross_validate_examples(texts, labels, examples, recipe, folds, seed)
            found.append((one, recipe, inputs, result))
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
        n_bytes, seconds = _model(one.embedder, texts, inputs, classes, result)
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
                ms_to_embed=_ms_to_embed(one.embedder, texts),
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


def _model(
    embedder: Embedder, texts: Sequence[str], inputs: Inputs, classes: tuple[str, ...], result: CrossValidation
) -> tuple[int, float]:
    """Give the bytes of a model of this size, and the seconds that it takes for a text whose vector is known."""
    # As most folds have chosen.
    vocabulary = inputs.vocabulary() if 2 * np.count_nonzero(result.word_scales) >= len(result.word_scales) else None
    words = None
    if vocabulary is not None:
        words = WordWeights(vocabulary, np.ones((len(vocabulary), len(classes)), dtype=np.float16))
    weights = np.ones((len(classes), inputs.vectors.shape[1]), dtype=np.float32)
    model = LinearModel(weights, np.ones(len(classes), dtype=np.float32), classes, words)
    held_out = HeldOut(result.accuracy, result.macro_f1, result.ece, result.n_examples)
    card = ModelCard(embedder.spec, result.head, 10.0, 1.0, None, None, len(texts), held_out, __version__, 1.0)
    timed, vectors = texts[:_TEXTS_TIMED], inputs.vectors[:_TEXTS_TIMED]
    seconds = _shortest(lambda: model.probabilities(vectors, None if vocabulary is None else vocabulary.terms(timed)))
    return len(model_bytes(model, card)), seconds / len(timed)


def _ms_to_embed(embedder: Embedder, texts: Sequence[str]) -> float | None:
    if not embedder.is_local:
        return None
    embedder, timed = embedder.uncached(), list(texts[:_TEXTS_TIMED])
    return 1_000 * _shortest(lambda: embedder.embed(timed)) / len(timed)


def _shortest(call: Callable[[], object]) -> float:
    """Give the seconds of the fastest of five calls: what else the machine does only adds to them."""
    took = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        call()
        took.append(time.perf_counter() - started)
    return min(took)
