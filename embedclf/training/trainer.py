"""Training: texts and labels in, a classifier with measured quality out."""

import logging
import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from embedclf import __version__, metrics
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_file import HEADS, Head, HeldOut, ModelCard
from embedclf.classifier.text_classifier import TextClassifier, check_min_confidence
from embedclf.embedding import EmbedderSpec, Vectors, as_embedder, check_vectors
from embedclf.embedding.cache import VectorCache
from embedclf.errors import TrainingError, counted
from embedclf.intervals import FEW_ROWS, warn_of_few
from embedclf.texts import check_texts, list_of_strings, text_fault
from embedclf.training.heads import Settings, choose_settings, fit
from embedclf.training.solver import Fit
from embedclf.training.splits import Ints, Mask, group_duplicates, hold_out
from embedclf.training.thresholds import choose_threshold

logger = logging.getLogger(__name__)

# Beyond these, the solver only fights with the last digits of a float.
LEAST_C, MOST_C = 1e-6, 1e6


def train(
    texts: Iterable[str],
    labels: Iterable[str],
    *,
    embedder: Any = None,
    dimensions: int | None = None,
    cache: VectorCache | bool = True,
    head: Head = "logistic",
    regularization: float | Literal["auto"] = "auto",
    holdout: float = 0.2,
    seed: int = 0,
    target_accuracy: float | None = None,
    min_confidence: float | None = None,
    out_of_scope_label: str | None = None,
    vectors: Vectors | None = None,
) -> TextClassifier:
    """Train a classifier.

    It is fitted on the examples that are not held out, measured on those that are, and then fitted on all of them with
    the same C and temperature. The same examples and settings give the same classifier.

    Parameters
    ----------
    texts, labels : iterables of str, of equal length
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        A ``provider:model``, one of our embedders, or any LangChain ``Embeddings``. None takes AI/ML API's
        text-embedding-3-small if ``AIMLAPI_API_KEY`` is set, else WordLlama.
    dimensions : int, optional
        Length of the vectors, for an embedder given by its name; None takes the model's own.
    cache : VectorCache or bool
        Where an embedder given by its name keeps vectors that cost something; True is the cache that the command
        line uses, so that no text is paid for twice.
    head : {"logistic", "centroid"}
        Logistic regression or nearest centroid.
    regularization : float or "auto"
        scikit-learn's C for the logistic head; "auto" chooses it by log loss on examples not fitted on.
    holdout : float
        Share of the examples to hold out for measuring, in [0, 1); 0 holds none out. Stratified; exact duplicates
        stay on one side; a label with a single text is not held out.
    seed : int
        For the random choices of what is held out.
    target_accuracy : float, optional
        Chooses the threshold that answers most while this share of the answers is right, on examples not fitted on.
    min_confidence : float, optional
        Sets the threshold: the confidence below which the classifier abstains. None of both: it always answers, unless
        there is an `out_of_scope_label`.
    out_of_scope_label : str, optional
        The label of examples of what to reject. It is not a class; the threshold is chosen such that these are rejected
        and the others answered, or such that the target is reached with these counted wrong where they are answered.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the embedder makes of the texts, if that is at hand; None embeds them.

    Returns
    -------
    TextClassifier
        Its ``card`` has the figures.

    Raises
    ------
    TrainingError
        If the examples or settings do not make a classifier, or no threshold reaches the target.
    TextError
        If a text is empty, not Unicode, or refused by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    texts, labels = check_texts(texts), list_of_strings(labels, "labels")
    classes, y = check_examples(texts, labels, out_of_scope_label)
    C = check_settings(head, regularization)
    check_abstaining(target_accuracy, min_confidence)
    check_whole(seed, "seed", least=0)
    if vectors is not None:
        vectors = check_vectors(vectors, len(texts), error=TrainingError)
    if not 0 <= holdout < 1:
        raise TrainingError(f"holdout is a share from 0 to less than 1, not {holdout:g}")
    opened = as_embedder(embedder, dimensions=dimensions, cache=cache)
    groups = group_duplicates(texts)
    held = _choose_held_out(y, groups, classes, holdout, seed)
    if vectors is None:
        vectors = opened.embed(texts)
    model, card = fit_classifier(
        vectors,
        y,
        groups,
        classes,
        head,
        C,
        spec=opened.spec,
        seed=seed,
        held=held,
        target_accuracy=target_accuracy,
        min_confidence=min_confidence,
    )
    return TextClassifier(opened, model, replace(card, out_of_scope_label=out_of_scope_label))


def check_examples(
    texts: Sequence[str], labels: Sequence[str], out_of_scope_label: str | None = None
) -> tuple[tuple[str, ...], Ints]:
    """See that examples make a classifier; gives its classes and, for each example, the index of its own.

    Examples out of scope have the index after the last.

    Raises
    ------
    TrainingError
    """
    if len(texts) != len(labels):
        raise TrainingError(f"there are {counted(len(texts), 'text')} and {counted(len(labels), 'label')}")
    if not texts:
        raise TrainingError("there are no examples to train on")
    names = set(labels)
    if out_of_scope_label is not None and out_of_scope_label not in names:
        raise TrainingError(f"no example has the out-of-scope label {out_of_scope_label!r}: is it written so?")
    classes = check_classes(sorted(names - {out_of_scope_label}))
    numbers = {name: number for number, name in enumerate(classes)}
    if out_of_scope_label is not None:
        numbers[out_of_scope_label] = len(classes)
        if len({text for text, label in zip(texts, labels, strict=True) if label == out_of_scope_label}) == 1:
            raise TrainingError(
                f"the out-of-scope label {out_of_scope_label!r} has only one text: a threshold needs two or more, and "
                "is good with dozens"
            )
    return classes, np.array([numbers[label] for label in labels], dtype=np.intp)


def check_classes(names: Iterable[str]) -> tuple[str, ...]:
    """See that the names of classes are two or more, different, and not empty."""
    classes = tuple(names)
    for name in classes:
        if fault := text_fault(name, "label"):
            raise TrainingError(f"{fault}: {name!r}")
    if len(classes) == 1:
        raise TrainingError(f"there is only one class, {classes[0]!r}: a classifier needs two labels or more")
    if len(set(classes)) != len(classes):
        raise TrainingError("two different labels are written the same")
    return classes


def check_settings(head: str, regularization: float | str) -> float | None:
    """See that head and regularization go together; gives C, or None if it is to be chosen or there is none."""
    if head not in HEADS:
        raise TrainingError(f"there is no head {head!r}; there are {' and '.join(map(repr, HEADS))}")
    if regularization == "auto":
        return None
    if head == "centroid":
        raise TrainingError("regularization belongs to the logistic head: the centroid head has none")
    try:
        C = float(regularization)
    except ValueError:
        C = math.nan
    if not LEAST_C <= C <= MOST_C:
        raise TrainingError(
            f"regularization is scikit-learn's C, from {LEAST_C:g} to {MOST_C:g}, not {regularization!r}"
        )
    return C


def check_whole(number: int, name: str, *, least: int | None = None) -> int:
    """See that an argument is a whole number.

    Raises
    ------
    TypeError
    TrainingError
        If it is below the least that it may be.
    """
    try:
        whole = operator.index(number)
    except TypeError:
        raise TypeError(f"{name} is a whole number, not {number!r}") from None
    if least is not None and whole < least:
        raise TrainingError(f"{name} is a whole number from {least}, not {whole}")
    return whole


def check_abstaining(target_accuracy: float | None, min_confidence: float | None) -> None:
    """See that a threshold is asked for in one way.

    Raises
    ------
    TrainingError
    """
    if target_accuracy is not None:
        if min_confidence is not None:
            raise TrainingError("target_accuracy chooses the threshold and min_confidence sets it: give one of them")
        if not 0 < target_accuracy < 1:
            raise TrainingError(f"target_accuracy is a share between 0 and 1, not {target_accuracy:g}")
    check_min_confidence(min_confidence)


def _choose_held_out(y: Ints, groups: Ints, classes: Sequence[str], holdout: float, seed: int) -> Mask:
    if holdout == 0:
        return np.zeros(len(y), dtype=bool)
    held = hold_out(y, groups, holdout, seed=seed)
    distinct = [len(np.unique(groups[y == number])) for number in range(len(classes))]
    if single := [name for name, number in zip(classes, distinct, strict=True) if number == 1]:
        named = ", ".join(map(repr, single[:5])) + (f" and {len(single) - 5} more" if len(single) > 5 else "")
        logger.warning("%s: only one text, so trained on but not held out; two or more are needed", named)
    if not held.any():
        logger.warning("there are too few examples to hold any out: the quality is not measured")
    else:
        warn_of_few(groups[held], "held out")
    return held


def fit_classifier(
    vectors: Vectors,
    y: Ints,
    groups: Ints,
    classes: tuple[str, ...],
    head: Head,
    C: float | None,
    *,
    spec: EmbedderSpec,
    seed: int,
    held: Mask | None = None,
    target_accuracy: float | None = None,
    min_confidence: float | None = None,
) -> tuple[LinearModel, ModelCard]:
    """Choose the settings, measure on what is held out, and fit on everything.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
    y : ndarray of shape (n,)
        Indices into `classes`; their number for an example that is out of scope.
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    classes : tuple of str
    head : {"logistic", "centroid"}
    C : float or None
        None chooses it.
    spec : EmbedderSpec
        What made the vectors.
    seed : int
    held : ndarray of shape (n,), bool, optional
        What is held out.
    target_accuracy, min_confidence : float, optional
        As of `train`.
    """
    in_scope = y < len(classes)
    held = np.zeros(len(y), dtype=bool) if held is None else held
    kept = ~held
    settings = choose_settings(head, vectors[kept], y[kept], groups[kept], C, seed=seed, n_classes=len(classes))
    if not settings.n_judged:
        logger.warning("there are too few examples to calibrate on: the confidences mean little")
    elif settings.n_judged < FEW_ROWS:
        logger.warning("calibrated on only %s: the confidences mean little", counted(settings.n_judged, "row"))
    if head == "logistic" and C is None and settings.n_judged:
        logger.info("Chose C = %g by log loss on %s not fitted on.", settings.C, counted(settings.n_judged, "row"))
    threshold = min_confidence
    if target_accuracy is not None or (min_confidence is None and not in_scope.all()):
        threshold = _choose_threshold(settings, target_accuracy)
    fitted, figures = settings.start, None
    kept = kept & in_scope
    if (held & in_scope).any():
        # Figures of two or three decimals; and the last fit starts from it.
        fitted = fit(head, vectors[kept], y[kept], settings.C, start=settings.start, exact=False)
        figures = _measure(linear_model(fitted, settings, classes), vectors[held], y[held], threshold)
    fitted = fit(head, vectors[in_scope], y[in_scope], settings.C, start=fitted)
    card = ModelCard(
        embedder=replace(spec, dimensions=vectors.shape[1]),
        head=head,
        regularization=settings.C,
        temperature=settings.temperature,
        threshold=threshold,
        out_of_scope_label=None,
        n_examples=int(in_scope.sum()),
        held_out=figures,
        version=__version__,
    )
    return linear_model(fitted, settings, classes), card


def linear_model(fitted: Fit, settings: Settings, classes: tuple[str, ...]) -> LinearModel:
    """Make a model of a fit, its temperature folded in."""
    folded = fitted.divided_by(settings.temperature)
    return LinearModel(folded.weights.astype(np.float32), folded.bias.astype(np.float32), classes)


def _choose_threshold(settings: Settings, target_accuracy: float | None) -> float:
    judged = settings.judged
    if judged is None or (target_accuracy is None and judged.in_scope.all()):
        raise TrainingError(
            "there are too few examples to choose a threshold on; give more, or set one with --min-confidence "
            "(min_confidence=…)"
        )
    threshold = choose_threshold(judged, target_accuracy)
    inside, outside = judged.in_scope, ~judged.in_scope
    (answered,) = metrics.coverage(judged.correct[inside], judged.confidence[inside], [threshold])
    rejects = ""
    if outside.any():
        rejected = float((judged.confidence[outside] < threshold).mean())
        rejects = f", and rejects {metrics.shown_share(rejected)} of {outside.sum():,} out of scope"
    logger.info(
        "Chose the threshold %s on %s not fitted on: it answers %s, %s of these rightly%s.",
        metrics.shown_threshold(threshold),
        counted(settings.n_judged, "row"),
        metrics.shown_share(answered.coverage),
        metrics.shown_share(answered.accuracy or 0),
        rejects,
    )
    if outside.any() and outside.sum() < FEW_ROWS:
        logger.warning(
            "only %s out of scope to choose by: the threshold may be far off", counted(int(outside.sum()), "row")
        )
    return threshold


def _measure(model: LinearModel, vectors: Vectors, y: Ints, threshold: float | None) -> HeldOut:
    in_scope = y < len(model.classes)
    probabilities, y = model.probabilities(vectors), y[in_scope]
    rejected = None
    if threshold is not None and not in_scope.all():
        (outside,) = metrics.coverage(~in_scope[~in_scope], probabilities[~in_scope].max(axis=1), [threshold])
        rejected = 1 - outside.coverage
    probabilities = probabilities[in_scope]
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    (answered,) = (None,) if threshold is None else metrics.coverage(predicted == y, confidence, [threshold])
    return HeldOut(
        accuracy=metrics.accuracy(y, predicted),
        macro_f1=metrics.macro_f1(metrics.per_class(y, predicted, model.classes)),
        ece=metrics.expected_calibration_error(predicted == y, confidence),
        n_examples=len(y),
        coverage=None if answered is None else answered.coverage,
        answered_accuracy=None if answered is None else answered.accuracy,
        out_of_scope_recall=rejected,
    )
