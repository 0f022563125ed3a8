"""Comparing embedders, lengths of vectors and heads on the same folds."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from embedclf import __version__
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_file import Head, HeldOut, ModelCard, model_bytes
from embedclf.embedding import Embedder, EmbedderSettings, Vectors, as_embedder, check_vectors, embed_usable
from embedclf.embedding.cached import CachedEmbedder
from embedclf.embedding.usage import Estimate, Usage
from embedclf.errors import EmbedderError, MaxCostError, TextError, TrainingError
from embedclf.evaluation.cross_validation import CrossValidation, check_division, cross_validate_examples
from embedclf.intervals import Floats, Interval, interval_of_mean, warn_of_few
from embedclf.texts import check_texts, list_of_strings
from embedclf.training.folds import Examples
from embedclf.training.splits import group_duplicates
from embedclf.training.trainer import check_examples, check_settings

logger = logging.getLogger(__name__)

_TEXTS_TIMED = 512
_TIMES = 5


@dataclass(frozen=True, slots=True)
class Compared:
    """One combination of an embedder, a length of vectors and a head.

    Attributes
    ----------
    embedder : str
        As ``provider:model``.
    dimensions : int
    head : {"logistic", "centroid"}
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
        Milliseconds from a vector to its label.
    result : CrossValidation
    """

    embedder: str
    dimensions: int
    head: Head
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
    folds: int = 5,
    seed: int = 0,
    **settings: Unpack[EmbedderSettings],
) -> Comparison:
    """Compare embedders, lengths of vectors and heads by cross-validation on the same folds.

    Parameters
    ----------
    texts, labels : iterables of str, of equal length
    embedders : sequence
        Each as of `embedclf.train`.
    dimensions : sequence of int or None
        Lengths of the vectors; those that an embedder has not are left out for it.
    heads : sequence of {"logistic", "centroid"}
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
    for name, given in (("embedders", embedders), ("heads", heads)):
        if isinstance(given, str):
            raise TypeError(f"{name} must be a list, not a single str: [{given!r}]")
    check_comparison(texts, labels, heads, folds, seed)
    choices = open_choices(embedders, dimensions, **settings)
    check_cost_of_all(choices, texts, settings.get("max_cost"))
    embedded: list[Embedded] = []
    reasons = embed_choices(choices, texts, embedded, **settings)
    if reasons:
        raise TextError(reasons)
    return compare_vectors(texts, labels, embedded, heads, folds=folds, seed=seed)


def check_comparison(texts: Sequence[str], labels: Sequence[str], heads: Sequence[Head], folds: int, seed: int) -> None:
    """See that there is something to compare, before anything is embedded.

    Raises
    ------
    TrainingError
    """
    _, y = check_examples(texts, labels)
    if not heads:
        raise TrainingError("there is nothing to compare: give a head")
    for head in heads:
        check_settings(head, "auto")
    check_division(y, group_duplicates(texts), folds, seed)


def open_choices(
    embedders: Sequence[Any], dimensions: Sequence[int | None], **settings: Unpack[EmbedderSettings]
) -> list[Choice]:
    """Open every embedder at every length that it has.

    Raises
    ------
    EmbedderError
        If one cannot be opened, or has none of the lengths.
    """
    choices = []
    for given in embedders:
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
    return choices


def estimate_all(choices: Sequence[Choice], texts: Sequence[str]) -> list[tuple[Choice, Estimate]]:
    """Estimate what it takes to embed texts with each embedder that may cost something; what they share, once."""
    seen, estimates = set(), []
    for choice in choices:
        if isinstance(choice.opened, CachedEmbedder) and choice.opened.source not in seen:
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
        if limit is not None and isinstance(opened, CachedEmbedder):
            left = {**settings, "max_cost": max(0.0, limit - (usage_of_all(embedded).dollars or 0.0))}
            opened = as_embedder(choice.given, dimensions=choice.dimensions, **left)  # type: ignore[arg-type]
        # It is there before its vectors are: what it spends counts, though it fails.
        embedded.append(Embedded(opened, np.empty((0, 0), dtype=np.float32)))
        vectors, refused = embed_usable(opened, texts)
        embedded[-1] = Embedded(opened, vectors)
        reasons = refused | reasons
    return dict(sorted(reasons.items()))


def usage_of_all(embedded: Sequence[Embedded]) -> Usage:
    """Sum up what embedding took."""
    total = Usage()
    for one in embedded:
        if isinstance(one.embedder, CachedEmbedder):
            total = total.plus(one.embedder.usage)
    return total


def compare_vectors(
    texts: Sequence[str],
    labels: Sequence[str],
    embedded: Sequence[Embedded],
    heads: Sequence[Head],
    *,
    folds: int,
    seed: int,
) -> Comparison:
    """Compare embedders whose vectors of the texts are at hand; see `compare`."""
    if not embedded:
        raise TrainingError("there is nothing to compare: give an embedder")
    check_comparison(texts, labels, heads, folds, seed)
    classes, y = check_examples(texts, labels)
    groups = group_duplicates(texts)
    found = []
    for one in embedded:
        examples = Examples(check_vectors(one.vectors, len(texts), error=TrainingError), y, groups, classes)
        for head in heads:
            logger.info("%s, %d dimensions, %s:", one.embedder.spec, one.vectors.shape[1], head)
            result = cross_validate_examples(texts, labels, examples, head, None, folds, seed)
            found.append((one, result))
    # The folds, and so the rows that are predicted, are the same for all.
    groups = groups[[one.row for one in found[0][1].predictions]]
    warn_of_few(groups, "left out and predicted")
    # Of equals, the smaller.
    found.sort(key=lambda pair: (-pair[1].accuracy, pair[0].vectors.shape[1]))
    best = _right(found[0][1], labels)
    candidates = []
    for one, result in found:
        differences = _right(result, labels) - best
        tokens, dollars = _cost(one.embedder, texts)
        n_bytes, seconds = _head(one, classes, result)
        candidates.append(
            Compared(
                embedder=str(one.embedder.spec),
                dimensions=one.vectors.shape[1],
                head=result.head,
                accuracy=result.accuracy,
                accuracy_interval=result.accuracy_interval,
                macro_f1=result.macro_f1,
                macro_f1_interval=result.macro_f1_interval,
                difference=float(differences.mean()),
                difference_interval=(
                    Interval(0.0, 0.0) if result is found[0][1] else interval_of_mean(differences, groups, least=-1)
                ),
                tokens=tokens,
                dollars=dollars,
                model_bytes=n_bytes,
                ms_to_embed=_ms_to_embed(one.embedder, texts),
                ms_to_classify=1_000 * seconds,
                result=result,
            )
        )
    return Comparison(found[0][1].n_examples, folds, tuple(candidates), usage_of_all(embedded))


def _right(result: CrossValidation, labels: Sequence[str]) -> Floats:
    """Tell which rows were predicted right: 1 or 0 for each that was predicted."""
    return np.array([float(one.label == labels[one.row]) for one in result.predictions])


def _cost(embedder: Embedder, texts: Sequence[str]) -> tuple[int | None, float | None]:
    if not isinstance(embedder, CachedEmbedder):
        return None, 0.0
    estimate = embedder.estimate(texts, anew=True)
    return estimate.tokens, estimate.dollars


def _head(one: Embedded, classes: tuple[str, ...], result: CrossValidation) -> tuple[int, float]:
    """Give the bytes of a model of this size, and the seconds that it takes for a vector."""
    n_dimensions = one.vectors.shape[1]
    weights = np.ones((len(classes), n_dimensions), dtype=np.float32)
    model = LinearModel(weights, np.ones(len(classes), dtype=np.float32), classes)
    held_out = HeldOut(result.accuracy, result.macro_f1, result.ece, result.n_examples)
    card = ModelCard(one.embedder.spec, result.head, 10.0, 1.0, None, None, len(one.vectors), held_out, __version__)
    seconds = _shortest(lambda: model.probabilities(one.vectors))
    return len(model_bytes(model, card)), seconds / len(one.vectors)


def _ms_to_embed(embedder: Embedder, texts: Sequence[str]) -> float | None:
    if isinstance(embedder, CachedEmbedder):
        return None
    timed = list(texts[:_TEXTS_TIMED])
    return 1_000 * _shortest(lambda: embedder.embed(timed)) / len(timed)


def _shortest(call: Callable[[], object]) -> float:
    """Give the seconds of the fastest of five calls: what else the machine does only adds to them."""
    took = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        call()
        took.append(time.perf_counter() - started)
    return min(took)
