"""The training of one classifier on embedded examples: settings, held-out metrics, final fit."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from embedclf._version import __version__
from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.answer_figures import LabelTarget, measure_answers
from embedclf.classifier.decisions import Decision
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_file import HeldOut, ModelCard
from embedclf.embedding.base import EmbedderSpec
from embedclf.errors import TrainingError
from embedclf.formatting import counted
from embedclf.phases import phase
from embedclf.stats import intervals, metrics
from embedclf.threads import one_thread
from embedclf.training.heads import MOST_BYTES, Trained, within_limit
from embedclf.training.inputs import as_terms
from embedclf.training.recipe import Recipe
from embedclf.training.settings import FEW_ROWS, Settings, choose_settings, fit_all
from embedclf.training.targets import NO_RULES, AnswerRules, cheapest_threshold, choose_targets, judge, log_targets
from embedclf.training.thresholds import choose_threshold, log_threshold
from embedclf.training.training_set import TrainingSet

logger = logging.getLogger(__name__)


def fit_classifier(
    examples: TrainingSet,
    recipe: Recipe,
    *,
    spec: EmbedderSpec,
    seed: int,
    held: Mask | None = None,
    target_accuracy: float | None = None,
    min_confidence: float | None = None,
    rules: AnswerRules = NO_RULES,
) -> tuple[LinearModel, ModelCard, Mask]:
    """Choose the settings, measure on the held-out examples, and fit on all of them.

    If there are few examples, the settings of the final fit are chosen on all of them, and those of the fit that is
    measured are chosen separately, without the held-out examples.

    Parameters
    ----------
    examples : TrainingSet
    recipe : Recipe
    spec : EmbedderSpec
        Which embedder made the vectors.
    seed : int
    held : ndarray of shape (n,), bool, optional
        Which examples are held out.
    target_accuracy, min_confidence : float, optional
        See `embedclf.train`.
    rules : AnswerRules

    Returns
    -------
    model : LinearModel
    card : ModelCard
    correct : ndarray of shape (n_held_out,), bool
        Whether the label of each held-out example in scope was predicted.
    """
    class_weight = examples.class_weight
    held = np.zeros(len(examples), dtype=bool) if held is None else held
    examples, recipe, weight = _with_mean_weight_one(examples, recipe)
    with one_thread():
        job = _Job(examples, recipe, seed, target_accuracy, min_confidence, rules)
        chosen, measured = job.choose_for(held)
        figures, correct = job.measure(measured, held)
        trained = job.fit_all(chosen, measured)
    settings = chosen.settings
    card = ModelCard(
        embedder=replace(spec, dimensions=examples.inputs.vectors.shape[1] or spec.dimensions),
        head=recipe.head,
        regularization=None if settings.C is None else settings.C / weight,
        temperature=settings.temperature,
        threshold=chosen.threshold,
        out_of_scope_label=None,
        n_examples=int(examples.in_scope.sum()),
        held_out=figures,
        version=__version__,
        word_scale=settings.scale,
        class_weights=None if class_weight is None else tuple(class_weight.tolist()),
        costs=rules.costs,
        targets=chosen.targets or None,
    )
    shift = settings.shift(examples.class_weight)
    return trained.model(settings.temperature, examples.classes, shift), card, correct


def measure_held_out(
    examples: TrainingSet,
    recipe: Recipe,
    *,
    seed: int,
    held: Mask,
    rules: AnswerRules = NO_RULES,
) -> Mask:
    """Return whether the label of each held-out example in scope is predicted, without a fit on all examples.

    See `fit_classifier`, which finds the same.
    """
    examples, recipe, _ = _with_mean_weight_one(examples, recipe)
    with one_thread():
        job = _Job(examples, recipe, seed, None, 0.0, rules)  # no common threshold needs to be chosen
        return job.measure(job.choose_for(held)[1], held)[1]


def _with_mean_weight_one(examples: TrainingSet, recipe: Recipe) -> tuple[TrainingSet, Recipe, float]:
    """Move the mean weight of the examples into C, so that the values of C to choose from suit any weights."""
    if (weights := examples.fitted_weight) is None:
        return examples, recipe, 1.0
    mean = float(weights[examples.in_scope].mean())
    C = None if recipe.C is None else recipe.C * mean
    if (of_class := examples.class_weight) is not None:  # whose mean does not matter otherwise
        scaled = replace(examples, class_weight=of_class / mean)
    else:
        scaled = replace(examples, sample_weight=weights / mean)
    return scaled, replace(recipe, C=C), mean


@dataclass(slots=True)
class _Chosen:
    """Chosen settings, and the latest fit with them."""

    settings: Settings
    threshold: float | None
    kept: Mask
    fitted: Trained | None
    targets: tuple[LabelTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class _Job:
    """The arguments of one training; see `fit_classifier`."""

    examples: TrainingSet
    recipe: Recipe
    seed: int
    target_accuracy: float | None
    min_confidence: float | None
    rules: AnswerRules = NO_RULES

    @property
    def are_few(self) -> bool:
        """Whether the settings should be chosen again on all examples, held-out ones included."""
        return int(self.examples.in_scope.sum()) < FEW_ROWS

    def choose_for(self, held: Mask) -> tuple[_Chosen, _Chosen]:
        """Choose the settings of the final fit, and those of the fit that is measured on the held-out examples."""
        everything = np.ones(len(self.examples), dtype=bool)
        if not (held & self.examples.in_scope).any():
            chosen = self.choose(everything)
        elif self.are_few:
            chosen = self.choose(everything)
            return chosen, self.choose(~held, near=chosen)
        else:
            chosen = self.choose(~held)
        return chosen, chosen

    def choose(self, kept: Mask, *, near: _Chosen | None = None) -> _Chosen:
        """Choose settings and threshold on some examples, starting from `near` if given; log them otherwise."""
        settings = choose_settings(
            self.recipe, self.examples[kept], seed=self.seed, near=None if near is None else near.settings
        )
        if near is None:
            _log_settings(settings, self.recipe, self.examples.names is not None)
        targets = self._targets(settings, near)
        return _Chosen(settings, self._threshold(settings, near, targets), kept, settings.start, targets)

    def _decision(self, targets: Sequence[LabelTarget]) -> Decision:
        return self.rules.decision(self.examples.classes, self.examples.class_weight, targets)

    def _targets(self, settings: Settings, near: _Chosen | None) -> tuple[LabelTarget, ...]:
        if not self.rules.has_targets:
            return ()
        try:
            targets = choose_targets(settings.out_of_fold, self._decision(()), self.rules)
        except TrainingError:
            if near is None:
                raise
            return near.targets  # as for the common threshold
        if near is None:
            log_targets(targets)
        return targets

    def _threshold(self, settings: Settings, near: _Chosen | None, targets: Sequence[LabelTarget]) -> float | None:
        is_chosen = self.target_accuracy is not None or not self.examples.in_scope.all()
        if self.min_confidence is not None or not is_chosen:
            return self.min_confidence
        left_out, decision = settings.out_of_fold, self._decision(targets)
        judged = None if left_out is None else judge(left_out, decision)
        try:
            if judged is not None and left_out is not None and decision.costs is not None and not self.target_accuracy:
                threshold = cheapest_threshold(judged, left_out, decision)
            else:
                threshold = choose_threshold(judged, self.target_accuracy)
        except TrainingError:
            if near is None:
                raise
            return near.threshold  # a part of the examples may not reach a target that all of them reach
        if near is None and judged is not None:
            log_threshold(threshold, judged)
        return threshold

    def measure(self, chosen: _Chosen, held: Mask) -> tuple[HeldOut | None, Mask]:
        """Fit on the examples that the settings were chosen on, and measure on the held-out ones, if there are any."""
        if not (held & self.examples.in_scope).any():
            return None, np.zeros(0, dtype=bool)
        examples = self.examples[chosen.kept & self.examples.in_scope]
        # Good enough for metrics of two or three decimals, and the final fit starts from it.
        with phase("Fitting without held-out rows"):
            fitted = fit_all(self.recipe, chosen.settings, examples, exact=False)
        figures, correct = self._figures(fitted, chosen, held)
        if (smaller := within_limit(fitted)) is not fitted.vocabulary:
            fitted = fit_all(self.recipe, chosen.settings, examples, start=fitted, vocabulary=smaller, exact=False)
            before, (figures, correct) = figures, self._figures(fitted, chosen, held)
            logger.info(
                "Dropped the n-grams with the smallest weights to keep the model file within %g MB: held-out accuracy "
                "%.3f (%.3f with all n-grams).",
                MOST_BYTES / 1e6,
                figures.accuracy,
                before.accuracy,
            )
        chosen.fitted = fitted
        return figures, correct

    def _figures(self, fitted: Trained, chosen: _Chosen, held: Mask) -> tuple[HeldOut, Mask]:
        shift, others = chosen.settings.shift(self.examples.class_weight), self.examples.inputs[held]
        model = fitted.model(chosen.settings.temperature, self.examples.classes, shift)
        probabilities = model.probabilities(others.vectors, as_terms(others.words(fitted.vocabulary)))
        decision = replace(self._decision(chosen.targets), threshold=chosen.threshold)
        figures, correct = _measure(probabilities, self.examples.y[held], self.examples.classes, decision)
        names = (*self.examples.classes, "" if self.rules.outside is None else self.rules.outside)
        answers = measure_answers(
            decision,
            [names[number] for number in self.examples.y[held].tolist()],
            probabilities,
            self.examples.groups[held],
            outside=names[-1],
            costs=self.rules.costs,
            targets=chosen.targets,
        )
        return replace(figures, answers=answers), correct

    def fit_all(self, chosen: _Chosen, measured: _Chosen) -> Trained:
        """Fit on all examples, starting from the fit that was measured."""
        examples = self.examples[self.examples.in_scope]
        with phase("Fitting on all rows"):
            fitted = fit_all(self.recipe, chosen.settings, examples, start=measured.fitted)
            if (smaller := within_limit(fitted)) is not fitted.vocabulary:
                fitted = fit_all(self.recipe, chosen.settings, examples, start=fitted, vocabulary=smaller)
        return fitted


def _log_settings(settings: Settings, recipe: Recipe, has_names: bool) -> None:
    """Log the chosen settings, with a warning if too few examples were left to calibrate on."""
    if not settings.n_judged:
        logger.warning("too few examples to calibrate on: confidences are unreliable")
    elif settings.n_judged < intervals.FEW_ROWS:
        logger.warning("calibrated on only %s: confidences are unreliable", counted(settings.n_judged, "row"))
    parts = [] if settings.C is None or recipe.C is not None else [f"C = {settings.C:g}"]
    if len(recipe.scales) > 1:
        parts.append(f"word scale {settings.scale:g}" if settings.scale else "no words")
    if parts and settings.n_judged:
        rows = counted(settings.n_judged, "row")
        logger.info("Selected %s by cross-validated log loss (%s).", " and ".join(parts), rows)
    if settings.named and has_names:
        logger.info("Label names are used as training texts, too (turn this off with --no-label-names).")


def _measure(probabilities: Vectors, y: Ints, classes: tuple[str, ...], decision: Decision) -> tuple[HeldOut, Mask]:
    in_scope = y < len(classes)
    chosen, sure = decision.choose(probabilities)
    accepted = decision.accepts(probabilities, chosen, sure)
    rejected = None
    if decision.abstains and not in_scope.all():
        rejected = 1 - float(accepted[~in_scope].mean())
    y, predicted = y[in_scope], chosen[in_scope]
    # float64 could put an answer into another bin of the ECE
    confidence = np.take_along_axis(probabilities, chosen[:, None], axis=1)[in_scope, 0]
    coverage = answered_accuracy = None
    if decision.abstains:
        answered = accepted[in_scope]
        coverage = float(answered.mean())
        answered_accuracy = float((predicted == y)[answered].mean()) if answered.any() else None
    figures = HeldOut(
        accuracy=metrics.accuracy(y, predicted),
        macro_f1=metrics.macro_f1(metrics.per_class(y, predicted, classes)),
        ece=metrics.expected_calibration_error(predicted == y, confidence),
        n_examples=len(y),
        coverage=coverage,
        answered_accuracy=answered_accuracy,
        out_of_scope_recall=rejected,
    )
    return figures, predicted == y
