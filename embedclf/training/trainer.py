"""Training: texts and labels in, a classifier with measured quality out."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from embedclf._version import __version__
from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_file import Head, HeldOut, ModelCard
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.base import WORDS, Embedder, EmbedderSpec, check_vectors
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.factory import as_embedder, open_embedder
from embedclf.errors import NotInstalledError, TrainingError
from embedclf.formatting import counted, shown_share, shown_threshold
from embedclf.parallel.executors import steps
from embedclf.stats import metrics
from embedclf.stats.intervals import FEW_ROWS as FEW_TO_CALIBRATE
from embedclf.stats.intervals import warn_of_few
from embedclf.threads import one_thread
from embedclf.training.checks import check_abstaining, check_examples
from embedclf.training.heads import FEW_ROWS, MOST_BYTES, Settings, Trained, choose_settings, fit_all, within_limit
from embedclf.training.inputs import Inputs, as_terms
from embedclf.training.label_names import MOST_ROWS_A_LABEL, label_name_texts
from embedclf.training.recipe import Features, Recipe, check_recipe
from embedclf.training.splits import hold_out
from embedclf.training.thresholds import choose_threshold
from embedclf.validation import check_texts, check_whole, group_duplicates, list_of_strings

logger = logging.getLogger(__name__)


def train(
    texts: Iterable[str],
    labels: Iterable[str],
    *,
    embedder: Any = None,
    dimensions: int | None = None,
    cache: VectorCache | bool = True,
    head: Head = "logistic",
    regularization: float | Literal["auto"] = "auto",
    features: Features = "auto",
    label_names: bool | None = None,
    holdout: float = 0.2,
    seed: int = 0,
    target_accuracy: float | None = None,
    min_confidence: float | None = None,
    out_of_scope_label: str | None = None,
    vectors: Vectors | None = None,
    name_vectors: Vectors | None = None,
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
    features : {"auto", "embedding", "words", "both"}
        What of a text is used: the embedder's vector, its words and pairs of words, or both. "auto" chooses whether
        words stand beside the vector, by log loss on examples not fitted on. "words" needs no embedder.
    label_names : bool, optional
        Whether the name of each label is a training text, too; None chooses, where names say something.
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
    name_vectors : ndarray of shape (n_labels, n_dimensions), float32, optional
        What it makes of the names of the labels, as `label_name_texts` writes them. Without these, where `vectors` are
        given, names are embedded only if `label_names` is true.

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
    recipe = check_recipe(head, regularization, features, label_names)
    check_abstaining(target_accuracy, min_confidence)
    check_whole(seed, "seed", least=0)
    if not 0 <= holdout < 1:
        raise TrainingError(f"holdout is a share from 0 to less than 1, not {holdout:g}")
    opened, recipe = open_for(recipe, embedder, dimensions=dimensions, cache=cache)
    groups = group_duplicates(texts)
    held = _choose_held_out(y, groups, classes, holdout, seed)
    inputs, names = make_inputs(recipe, opened, texts, classes, vectors, name_vectors)
    model, card = fit_classifier(
        inputs,
        y,
        groups,
        classes,
        recipe,
        spec=opened.spec,
        seed=seed,
        names=names,
        held=held,
        target_accuracy=target_accuracy,
        min_confidence=min_confidence,
    )
    return TextClassifier(opened, model, replace(card, out_of_scope_label=out_of_scope_label))


def open_for(recipe: Recipe, embedder: Any, **settings: Any) -> tuple[Embedder, Recipe]:
    """Open the embedder that a recipe needs; where the default one cannot be had, words alone are used.

    Raises
    ------
    EmbedderError
        If one that is named cannot be opened.
    TrainingError
        If words alone are all that the embedder has, and more is asked for.
    """
    if recipe.features == "words":
        return open_embedder(WORDS), recipe
    try:
        opened = as_embedder(embedder, **settings)
    except NotInstalledError as error:
        if embedder is not None or recipe.features != "auto":
            raise
        logger.warning("trained on words alone, as there is no embedder: %s", error)
        return open_embedder(WORDS), replace(recipe, features="words")
    if opened.is_lexical:
        if recipe.features != "auto":
            raise TrainingError(f"{opened.spec} has words alone: features={recipe.features!r} needs another embedder")
        recipe = replace(recipe, features="words")
    return opened, recipe


def names_for(recipe: Recipe, classes: Sequence[str], n_texts: int) -> list[str]:
    """Return the names of labels as texts to train on, or none where they say nothing or are not wanted."""
    if recipe.label_names is False or (recipe.label_names is None and n_texts > MOST_ROWS_A_LABEL * len(classes)):
        return []
    return label_name_texts(classes) or []


def make_inputs(
    recipe: Recipe,
    embedder: Embedder,
    texts: Sequence[str],
    classes: Sequence[str],
    vectors: Vectors | None = None,
    of_names: Vectors | None = None,
    *,
    fewest: int | None = None,
) -> tuple[Inputs, Inputs | None]:
    """Embed texts and the names of their labels, as far as a recipe needs them.

    Parameters
    ----------
    recipe : Recipe
    embedder : Embedder
    texts, classes : sequence of str
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        Of the texts, if they are at hand: then nothing is embedded, unless names are asked for.
    of_names : ndarray of shape (n_classes, n_dimensions), float32, optional
        Of `names_for`, likewise.
    fewest : int, optional
        How many of the texts are trained on at the least; None says all.

    Returns
    -------
    inputs : Inputs
    names : Inputs or None
        Of the names, one for each class; None if they are not used.
    """
    names = names_for(recipe, classes, len(texts) if fewest is None else fewest)
    if recipe.uses_vectors:
        if vectors is None:
            embedded = embedder.embed([*texts, *names])
            vectors, of_names = embedded[: len(texts)], embedded[len(texts) :]
        else:
            vectors = check_vectors(vectors, len(texts), error=TrainingError)
            if names and of_names is None and recipe.label_names:
                of_names = embedder.embed(names)
            if of_names is None or not len(of_names):
                names = []
        if names and of_names is not None:
            vectors = np.vstack([vectors, check_vectors(of_names, len(names), error=TrainingError)])
    else:
        vectors = None
    every = Inputs.of([*texts, *names], vectors, words=recipe.uses_words)
    if not names:
        return every, None
    rows = np.arange(len(every))
    return every[rows[: len(texts)]], every[rows[len(texts) :]]


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
    inputs: Inputs,
    y: Ints,
    groups: Ints,
    classes: tuple[str, ...],
    recipe: Recipe,
    *,
    spec: EmbedderSpec,
    seed: int,
    names: Inputs | None = None,
    held: Mask | None = None,
    target_accuracy: float | None = None,
    min_confidence: float | None = None,
) -> tuple[LinearModel, ModelCard]:
    """Choose the settings, measure on what is held out, and fit on everything.

    Where examples are few, the settings of the last fit are chosen on all of them; those of the fit that is measured
    are chosen without what it is measured on.

    Parameters
    ----------
    inputs : Inputs
    y : ndarray of shape (n,)
        Indices into `classes`; their number for an example that is out of scope.
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    classes : tuple of str
    recipe : Recipe
    spec : EmbedderSpec
        What made the vectors.
    seed : int
    names : Inputs, optional
        The names of the classes as texts.
    held : ndarray of shape (n,), bool, optional
        What is held out.
    target_accuracy, min_confidence : float, optional
        As of `train`.
    """
    held = np.zeros(len(y), dtype=bool) if held is None else held
    with one_thread():
        job = _Job(inputs, y, groups, classes, recipe, names, seed, target_accuracy, min_confidence)
        figures, measures = None, (held & job.in_scope).any()
        if job.are_few or not measures:
            chosen = measured = job.choose(np.ones(len(y), dtype=bool))
            if measures:
                measured = job.choose(~held, near=chosen)
        else:
            chosen = measured = job.choose(~held)
        if measures:
            figures = job.measure(measured, held)
        trained = job.fit_all(chosen, measured)
    settings = chosen.settings
    card = ModelCard(
        embedder=replace(spec, dimensions=inputs.vectors.shape[1] or spec.dimensions),
        head=recipe.head,
        regularization=settings.C,
        temperature=settings.temperature,
        threshold=chosen.threshold,
        out_of_scope_label=None,
        n_examples=int(job.in_scope.sum()),
        held_out=figures,
        version=__version__,
        word_scale=settings.scale,
    )
    return trained.model(settings.temperature, classes), card


@dataclass(slots=True)
class _Chosen:
    """Settings, and what was fitted with them last."""

    settings: Settings
    threshold: float | None
    kept: Mask
    fitted: Trained | None


@dataclass(frozen=True, slots=True)
class _Job:
    """What one training is given; see `fit_classifier`."""

    inputs: Inputs
    y: Ints
    groups: Ints
    classes: tuple[str, ...]
    recipe: Recipe
    names: Inputs | None
    seed: int
    target_accuracy: float | None
    min_confidence: float | None

    @property
    def in_scope(self) -> Mask:
        return self.y < len(self.classes)

    @property
    def are_few(self) -> bool:
        """Whether it is worth while to choose the settings on all examples anew."""
        return int(self.in_scope.sum()) < FEW_ROWS

    def choose(self, kept: Mask, *, near: _Chosen | None = None) -> _Chosen:
        """Choose settings and threshold on some examples, and tell of it, unless they are like others chosen before."""
        settings = choose_settings(
            self.recipe,
            self.inputs[kept],
            self.y[kept],
            self.groups[kept],
            names=self.names,
            seed=self.seed,
            n_classes=len(self.classes),
            near=None if near is None else near.settings,
        )
        if near is None:
            _tell(settings, self.recipe, self.names is not None)
        threshold = self.min_confidence
        if self.target_accuracy is not None or (self.min_confidence is None and not self.in_scope.all()):
            try:
                threshold = _choose_threshold(settings, self.target_accuracy, told=near is None)
            except TrainingError:
                if near is None:
                    raise
                threshold = near.threshold  # what all examples allow, some of them may not
        return _Chosen(settings, threshold, kept, settings.start)

    def measure(self, chosen: _Chosen, held: Mask) -> HeldOut:
        """Fit on the examples that the settings were chosen on, and measure on the others."""
        kept = chosen.kept & self.in_scope
        steps.debug("Measuring on %s held out", counted(int(held.sum()), "row"))
        # Figures of two or three decimals; and the last fit starts from it.
        examples = self.inputs[kept], self.y[kept], self.names
        fitted = fit_all(self.recipe, chosen.settings, *examples, exact=False)
        figures = self._figures(fitted, chosen, held)
        if (smaller := within_limit(fitted)) is not fitted.vocabulary:
            fitted = fit_all(self.recipe, chosen.settings, *examples, start=fitted, vocabulary=smaller, exact=False)
            before, figures = figures, self._figures(fitted, chosen, held)
            logger.info(
                "Left out the n-grams with the least weights to keep the model file within %g MB: accuracy on the rows "
                "held out %.3f, and %.3f with all of them.",
                MOST_BYTES / 1e6,
                figures.accuracy,
                before.accuracy,
            )
        chosen.fitted = fitted
        return figures

    def _figures(self, fitted: Trained, chosen: _Chosen, held: Mask) -> HeldOut:
        model, others = fitted.model(chosen.settings.temperature, self.classes), self.inputs[held]
        probabilities = model.probabilities(others.vectors, as_terms(others.words(fitted.vocabulary)))
        return _measure(probabilities, self.y[held], self.classes, chosen.threshold)

    def fit_all(self, chosen: _Chosen, measured: _Chosen) -> Trained:
        """Fit on all examples, starting from what was fitted to measure."""
        rows = self.in_scope
        steps.debug("Fitting on all %s", counted(int(rows.sum()), "row"))
        examples = self.inputs[rows], self.y[rows], self.names
        fitted = fit_all(self.recipe, chosen.settings, *examples, start=measured.fitted)
        if (smaller := within_limit(fitted)) is not fitted.vocabulary:
            fitted = fit_all(self.recipe, chosen.settings, *examples, start=fitted, vocabulary=smaller)
        return fitted


def _tell(settings: Settings, recipe: Recipe, has_names: bool) -> None:
    """Say what was chosen, and by how much."""
    if not settings.n_judged:
        logger.warning("there are too few examples to calibrate on: the confidences mean little")
    elif settings.n_judged < FEW_TO_CALIBRATE:
        logger.warning("calibrated on only %s: the confidences mean little", counted(settings.n_judged, "row"))
    parts = [] if settings.C is None or recipe.C is not None else [f"C = {settings.C:g}"]
    if len(recipe.scales) > 1:
        parts.append(f"words at {settings.scale:g} × the vector" if settings.scale else "the vector without words")
    if parts and settings.n_judged:
        logger.info("Chose %s by log loss on %s not fitted on.", " and ".join(parts), counted(settings.n_judged, "row"))
    if settings.named and has_names:
        logger.info("The names of the labels are training texts, too (--no-label-names leaves them out).")


def _choose_threshold(settings: Settings, target_accuracy: float | None, *, told: bool) -> float:
    judged = settings.judged
    if judged is None or (target_accuracy is None and judged.in_scope.all()):
        raise TrainingError(
            "there are too few examples to choose a threshold on; give more, or set one with --min-confidence "
            "(min_confidence=…)"
        )
    threshold = choose_threshold(judged, target_accuracy)
    if not told:
        return threshold
    inside, outside = judged.in_scope, ~judged.in_scope
    (answered,) = metrics.coverage(judged.correct[inside], judged.confidence[inside], [threshold])
    rejects = ""
    if outside.any():
        rejected = float((judged.confidence[outside] < threshold).mean())
        rejects = f", and rejects {shown_share(rejected)} of {outside.sum():,} out of scope"
    logger.info(
        "Chose the threshold %s on %s not fitted on: it answers %s, %s of these rightly%s.",
        shown_threshold(threshold),
        counted(settings.n_judged, "row"),
        shown_share(answered.coverage),
        shown_share(answered.accuracy or 0),
        rejects,
    )
    if outside.any() and outside.sum() < FEW_ROWS:
        logger.warning(
            "only %s out of scope to choose by: the threshold may be far off", counted(int(outside.sum()), "row")
        )
    return threshold


def _measure(probabilities: Vectors, y: Ints, classes: tuple[str, ...], threshold: float | None) -> HeldOut:
    in_scope = y < len(classes)
    y = y[in_scope]
    rejected = None
    if threshold is not None and not in_scope.all():
        (outside,) = metrics.coverage(~in_scope[~in_scope], probabilities[~in_scope].max(axis=1), [threshold])
        rejected = 1 - outside.coverage
    probabilities = probabilities[in_scope]
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    (answered,) = (None,) if threshold is None else metrics.coverage(predicted == y, confidence, [threshold])
    return HeldOut(
        accuracy=metrics.accuracy(y, predicted),
        macro_f1=metrics.macro_f1(metrics.per_class(y, predicted, classes)),
        ece=metrics.expected_calibration_error(predicted == y, confidence),
        n_examples=len(y),
        coverage=None if answered is None else answered.coverage,
        answered_accuracy=None if answered is None else answered.accuracy,
        out_of_scope_recall=rejected,
    )
