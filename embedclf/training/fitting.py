"""The training of one classifier on embedded examples: settings, held-out metrics, final fit."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from embedclf._version import __version__
from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.classifier.answer_figures import (
    LabelTarget,
    labels_with_targets,
    measure_answers,
    measure_label_answers,
)
from embedclf.classifier.decisions import NOTHING, AnyDecision, Decision, LabelRules, MultiLabelDecision
from embedclf.classifier.hierarchy import Hierarchy, hierarchy_of
from embedclf.classifier.label_sets import Conformal
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_card import HeldOut, ModelCard
from embedclf.classifier.reference import AnswerReference
from embedclf.embedding.base import EmbedderSpec
from embedclf.errors import TrainingError
from embedclf.formatting import counted, shown_share
from embedclf.phases import phase
from embedclf.stats import intervals, metrics, multilabel
from embedclf.threads import one_thread
from embedclf.training.heads import MOST_BYTES, Start, Trained, within_limit
from embedclf.training.inputs import as_terms
from embedclf.training.label_calibration import LabelCalibration
from embedclf.training.label_targets import choose_label_targets, with_thresholds
from embedclf.training.recipe import Recipe
from embedclf.training.scope import assumed_share
from embedclf.training.settings import FEW_ROWS, Settings, choose_settings, fit_all
from embedclf.training.splits import assign_folds
from embedclf.training.targets import NO_RULES, AnswerRules, cheapest_threshold, choose_targets, judge, log_targets
from embedclf.training.thresholds import choose_threshold, log_threshold
from embedclf.training.training_set import TrainingSet

logger = logging.getLogger(__name__)

# To find the bias of labels without rows: with many rows, one part of this many is enough.
_N_FOLDS = 5

# So many held-out examples are enough to calibrate label sets on: the standard error of their coverage is below 1 %.
_ENOUGH_HELD_OUT = 1_500
# And this many to compare later answers with.
_ENOUGH_TO_COMPARE = 500


def fit_classifier(
    examples: TrainingSet,
    recipe: Recipe,
    *,
    spec: EmbedderSpec,
    seed: int,
    held: Mask | None = None,
    target_accuracy: float | None = None,
    min_confidence: float | None = None,
    start: Start | None = None,
    tree: Hierarchy | None = None,
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
    start : Start, optional
        An earlier classifier, from whose weights the final fit starts if it has the same settings.
    tree : Hierarchy, optional
        The labels above the classes.
    rules : AnswerRules

    Returns
    -------
    model : LinearModel
    card : ModelCard
    correct : ndarray of shape (n_held_out,), bool
        Whether the label of each held-out example in scope was predicted. If texts may have several labels, it has the
        shape (n_held_out, n_classes), and says of each label whether the example rightly has it or has it not.
    """
    class_weight = examples.class_weight
    held = np.zeros(len(examples), dtype=bool) if held is None else held
    examples, recipe, weight = _with_mean_weight_one(examples, recipe)
    with one_thread():
        job = _Job(examples, recipe, seed, target_accuracy, min_confidence, start, tree, rules)
        chosen, measured = job.choose_for(held)
        if examples.added is not None and (job.are_few or not held.any()):
            job.judge_added(chosen)
            job.judge_added(measured)
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
        multilabel=job.label_rules(chosen),
        scope=settings.scope,
        conformal=_conformal(chosen, measured, examples),
        hierarchy=None if tree is None else tree.separator,
        class_weights=None if class_weight is None else tuple(class_weight.tolist()),
        costs=rules.costs,
        targets=chosen.targets or None,
    )
    shift = settings.shift(examples.class_weight)
    model = trained.model(settings.temperature, examples.classes, settings.of_labels, settings.scope, shift)
    if examples.added is not None:
        model = examples.added.beside(model, chosen.added_bias or 0.0)
    else:
        decision = replace(card, out_of_scope_label=rules.outside).decision(model.classes)
        card = replace(card, reference=_reference(chosen, measured, model, decision))
    return model, card, correct


def measure_held_out(
    examples: TrainingSet,
    recipe: Recipe,
    *,
    seed: int,
    held: Mask,
    rules: AnswerRules = NO_RULES,
    min_confidence: float | None = None,
    tree: Hierarchy | None = None,
    are_all_labelled: bool | None = None,
) -> Mask:
    """Return which held-out examples in scope are answered correctly, without a fit on all examples.

    See `fit_classifier`, which finds the same.

    Parameters
    ----------
    examples, recipe, seed, held, rules, tree
        See `fit_classifier`.
    min_confidence : float, optional
        The threshold of all labels of texts that may have several.
    are_all_labelled : bool, optional
        Whether each of these texts gets a label; None if each example has one.
    """
    if examples.given is None:
        min_confidence = 0.0  # no common threshold needs to be chosen
    examples, recipe, _ = _with_mean_weight_one(examples, recipe)
    with one_thread():
        job = _Job(
            examples, recipe, seed, None, min_confidence, tree=tree, rules=rules, are_all_labelled=are_all_labelled
        )
        return job.measure(job.choose_for(held)[1], held)[1]


def _with_mean_weight_one(examples: TrainingSet, recipe: Recipe) -> tuple[TrainingSet, Recipe, float]:
    """Move the mean weight of the examples into C, so that the values of C to choose from suit any weights."""
    if (weights := examples.fitted_weight) is None:
        return examples, recipe, 1.0
    mean = float(weights[examples.in_scope].mean())
    C = None if recipe.C is None else recipe.C * mean
    if (of_class := examples.class_weight) is not None and examples.given is None:  # whose mean does not matter
        scaled = replace(examples, class_weight=of_class / mean)
    else:
        scaled = replace(examples, sample_weight=weights / mean)
    return scaled, replace(recipe, C=C), mean


class _OnHeldOut(NamedTuple):
    """Scores and probabilities of held-out examples, and their classes: arrays of n rows."""

    scores: Vectors
    probabilities: Vectors
    y: Ints


@dataclass(slots=True)
class _Chosen:
    """Chosen settings, the latest fit with them, and the answers that it gave to held-out examples."""

    settings: Settings
    threshold: float | None
    kept: Mask
    fitted: Trained | None
    added_bias: float | None = None
    on_held_out: _OnHeldOut | None = None
    targets: tuple[LabelTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class _Job:
    """The arguments of one training; see `fit_classifier`."""

    examples: TrainingSet
    recipe: Recipe
    seed: int
    target_accuracy: float | None
    min_confidence: float | None
    start: Start | None = None
    tree: Hierarchy | None = None
    rules: AnswerRules = NO_RULES
    are_all_labelled: bool | None = None

    @property
    def are_few(self) -> bool:
        """Whether the settings should be chosen again on all examples, held-out ones included."""
        return int(self.examples.in_scope.sum()) < FEW_ROWS

    def label_rules(self, chosen: "_Chosen") -> LabelRules | None:
        """Return which labels a text gets if it may have several; None if it has one."""
        given, of_labels = self.examples.given, chosen.settings.of_labels
        if given is None or of_labels is None:
            return None
        thresholds = with_thresholds(self._label_thresholds(of_labels), chosen.targets, self.examples.classes)
        usual = None
        if chosen.targets or self.examples.class_weight is not None:
            usual = tuple(self._label_thresholds(of_labels, usual=True).tolist())
        all_labelled = self.examples.are_all_labelled if self.are_all_labelled is None else self.are_all_labelled
        return LabelRules(tuple(thresholds.tolist()), all_labelled, usual=usual)

    def _label_thresholds(self, of_labels: LabelCalibration, *, usual: bool = False) -> Floats:
        """Return the thresholds of labels without targets; the usual ones are without class weights as well."""
        if self.min_confidence is None:
            return of_labels.usual if usual else of_labels.thresholds
        return np.full(len(of_labels.thresholds), self.min_confidence)

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
        return _Chosen(settings, self._threshold(settings, near, targets), kept, settings.start, targets=targets)

    def _decision(self, targets: Sequence[LabelTarget]) -> Decision:
        return self.rules.decision(self.examples.classes, self.examples.class_weight, targets)

    def _targets(self, settings: Settings, near: _Chosen | None) -> tuple[LabelTarget, ...]:
        if not self.rules.has_targets:
            return ()
        try:
            if self.examples.given is None:
                targets = choose_targets(settings.out_of_fold, self._decision(()), self.rules)
            else:
                of_labels = settings.of_labels or LabelCalibration.neutral(len(self.examples.classes))
                thresholds = self._label_thresholds(of_labels)
                targets = choose_label_targets(settings, thresholds, self.examples.classes, self.rules)
        except TrainingError:
            if near is None:
                raise
            return near.targets  # as for the common threshold
        if near is None:
            log_targets(targets, several=self.examples.given is not None)
        return targets

    def _threshold(self, settings: Settings, near: _Chosen | None, targets: Sequence[LabelTarget]) -> float | None:
        if self.examples.given is not None:
            return None
        is_chosen = self.target_accuracy is not None or not self.examples.in_scope.all()
        if self.min_confidence is not None or not is_chosen:
            return self.min_confidence
        left_out, decision = settings.out_of_fold, self._decision(targets)
        judged = None
        if left_out is not None:
            judged = judge(left_out, decision) if self.tree is None else left_out.judged_in(self.tree, decision)
        try:
            if judged is not None and left_out is not None and decision.costs is not None and not self.target_accuracy:
                threshold = cheapest_threshold(judged, left_out, decision)
            else:
                threshold = choose_threshold(judged, self.target_accuracy)
        except TrainingError:
            if near is None:
                raise
            return near.threshold  # a part of the examples may not reach a target that all of them reach
        if near is None and judged is not None and threshold is not None:
            log_threshold(threshold, judged)
        return threshold

    def measure(self, chosen: _Chosen, held: Mask) -> tuple[HeldOut | None, Mask]:
        """Fit on the examples that the settings were chosen on, and measure on the held-out ones, if there are any."""
        if not (held & self.examples.in_scope).any():
            return None, np.zeros(0, dtype=bool)
        examples = self.examples[chosen.kept]
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
        settings, classes, added = chosen.settings, self.examples.classes, self.examples.added
        others, y = self.examples.inputs[held], self.examples.y[held]
        model = fitted.model(
            settings.temperature,
            classes,
            settings.of_labels,
            settings.scope,
            settings.shift(self.examples.class_weight),
        )
        terms = as_terms(others.words(fitted.vocabulary))
        if self.examples.given is not None and (rules := self.label_rules(chosen)) is not None:
            scores, given = model.scores(others.vectors, terms), self.examples.given[held]
            probabilities = model.to_probabilities(scores)
            chosen.on_held_out = _OnHeldOut(scores, probabilities, y)
            of_labels = MultiLabelDecision(
                classes,
                np.array(rules.thresholds),
                rules.at_least_one,
                self.tree,
                strict=labels_with_targets(chosen.targets, classes, "precision"),
                usual=None if rules.usual is None else np.array(rules.usual),
            )
            figures, correct = _measure_labels(probabilities, given, of_labels)
            answers = measure_label_answers(of_labels, given, probabilities, self.examples.groups[held], chosen.targets)
            return replace(figures, answers=answers), correct
        if added is not None:
            known = y < len(classes)
            if chosen.added_bias is None:
                margins = added.margins(model.scores(others.vectors, terms), others.vectors)
                chosen.added_bias = added.bias_for(margins[known])
            model = added.beside(model, chosen.added_bias)
            y = np.array([*map(model.classes.index, classes), len(model.classes)], dtype=np.intp)[y]
        scores = model.scores(others.vectors, terms)
        probabilities = model.to_probabilities(scores)
        chosen.on_held_out = _OnHeldOut(scores, probabilities, y)
        tree = None if self.tree is None else hierarchy_of(model.classes, self.tree.separator)
        if added is not None:
            return _measure(probabilities, y, Decision(model.classes, chosen.threshold, tree), added.labels)
        decision = replace(self._decision(chosen.targets), threshold=chosen.threshold, tree=tree)
        figures, correct = _measure(probabilities, y, decision, ())
        names = (*classes, "" if self.rules.outside is None else self.rules.outside)
        answers = measure_answers(
            decision,
            [names[number] for number in y.tolist()],
            probabilities,
            self.examples.groups[held],
            outside=names[-1],
            costs=self.rules.costs,
            targets=chosen.targets,
        )
        return replace(figures, answers=answers), correct

    def judge_added(self, chosen: _Chosen) -> None:
        """Find the bias of labels without rows by fits that leave out rows of the others: each row once if few."""
        added, examples = self.examples.added, self.examples[chosen.kept & self.examples.in_scope]
        if added is None or chosen.added_bias is not None:
            return
        folds = assign_folds(examples.y, examples.groups, _N_FOLDS, seed=self.seed)
        parts = [folds == fold for fold in range(_N_FOLDS if self.are_few else 1)]
        margins = []
        if (folds < 0).all():
            logger.warning(
                "with one row per label, labels without rows cannot be weighed against the others, and are predicted "
                "too often: label more rows, or train on the label texts alone"
            )
        for judged in [part for part in parts if part.any()] or [folds < 0]:
            kept = judged if judged.all() else ~judged  # with one row a label, none can be left out
            fitted = fit_all(self.recipe, chosen.settings, examples[kept], exact=False)
            model, others = fitted.model(chosen.settings.temperature, examples.classes), examples.inputs[judged]
            terms = as_terms(others.words(fitted.vocabulary))
            margins.append(added.margins(model.scores(others.vectors, terms), others.vectors))
        chosen.added_bias = added.bias_for(np.concatenate(margins))

    def fit_all(self, chosen: _Chosen, measured: _Chosen) -> Trained:
        """Fit on all examples, starting from the fit that was measured, or from an earlier classifier.

        Nothing else starts from an earlier classifier: it has seen the examples that are judged, and a rough fit would
        remember them.
        """
        start = measured.fitted
        # Nor does an earlier classifier know out-of-scope examples as a class of their own.
        if (
            self.start is not None
            and self.examples.in_scope.all()
            and self.start[1:] == (chosen.settings.C, chosen.settings.scale)
        ):
            start = self.start.trained
        with phase("Fitting on all rows"):
            fitted = fit_all(self.recipe, chosen.settings, self.examples, start=start)
            if (smaller := within_limit(fitted)) is not fitted.vocabulary:
                fitted = fit_all(self.recipe, chosen.settings, self.examples, start=fitted, vocabulary=smaller)
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
    if (scope := settings.scope) is not None and (judged := settings.out_of_fold) is not None:
        measures = " and ".join(name for name, used in (("log-odds", scope.log_odds), ("energy", scope.energy)) if used)
        logger.info(
            "Recognizes out-of-scope texts by %s: AUROC %.3f (%s), assumed share %s.",
            measures,
            metrics.auroc(judged.judged.in_scope, scope.probability(judged.scores)),
            counted(len(judged.y), "cross-validated row"),
            shown_share(assumed_share(judged.judged.in_scope)),
        )
    if settings.named and has_names:
        logger.info("Label names are used as training texts, too (turn this off with --no-label-names).")


def _measure_labels(probabilities: Vectors, given: Mask, decision: MultiLabelDecision) -> tuple[HeldOut, Mask]:
    predicted = decision.given(probabilities)
    figures = HeldOut(
        accuracy=multilabel.exact_match(given, predicted),
        macro_f1=multilabel.macro_f1(given, predicted),
        ece=metrics.expected_calibration_error(given.ravel(), probabilities.ravel()),
        n_examples=len(given),
        micro_f1=multilabel.micro_f1(given, predicted),
        labels_per_text=float(given.sum(axis=1).mean()),
        predicted_labels_per_text=float(predicted.sum(axis=1).mean()),
    )
    return figures, given == predicted


def _conformal(chosen: _Chosen, measured: _Chosen, examples: TrainingSet) -> Conformal | None:
    """Calibrate label sets on in-scope examples that were not fitted on.

    The out-of-fold predictions are those of classifiers that saw fewer examples than the final one, which makes sets
    larger than they need be. Held-out examples are judged by one that saw more, and are used as well unless they are
    among those predicted out of fold; alone if they are enough. Sets of one true label mean nothing for texts that have
    several, and labels without rows have no examples to calibrate on.
    """
    if examples.given is not None or examples.added is not None:
        return None
    n_classes, judged = len(examples.classes), []
    if measured is chosen and chosen.on_held_out is not None:
        judged.append(chosen.on_held_out[1:])
    are_enough = bool(judged) and (judged[0][1] < n_classes).sum() >= _ENOUGH_HELD_OUT
    if (left_out := chosen.settings.out_of_fold) is not None and not are_enough:
        judged.insert(0, (left_out.probabilities, left_out.y))
    if not judged:
        return Conformal(0, 0, (), ())
    probabilities, y = map(np.concatenate, zip(*judged, strict=True))
    return Conformal.of(probabilities[y < n_classes], y[y < n_classes])


def _reference(chosen: _Chosen, measured: _Chosen, model: LinearModel, decision: AnyDecision) -> AnswerReference | None:
    """Return the reference distribution of answers to examples that were not fitted on, out-of-scope ones included.

    These are the held-out ones; if they are few, or judged with settings of their own, also or only those predicted out
    of fold; see `_conformal`.
    """
    settings, each = chosen.settings, []
    if measured is chosen and chosen.on_held_out is not None:
        each.append(chosen.on_held_out.scores)
    if (left_out := settings.out_of_fold) is not None and sum(map(len, each)) < _ENOUGH_TO_COMPARE:
        of_labels = settings.of_labels
        scores = left_out.scores if of_labels is None else left_out.scores * of_labels.factors + of_labels.shifts
        each.append(scores.astype(np.float32))
    if not each:
        return None
    scores = np.concatenate(each)
    return AnswerReference.of(scores, model.to_probabilities(scores), decision)


def _measure(
    probabilities: Vectors, y: Ints, decision: Decision, without_rows: tuple[str, ...]
) -> tuple[HeldOut, Mask]:
    classes, tree = decision.classes, decision.tree
    in_scope = y < len(classes)
    predicted, _ = decision.choose(probabilities)
    chosen = decision.decide(probabilities).chosen
    rejected = None
    if decision.abstains and not in_scope.all():
        rejected = 1 - float((chosen[~in_scope] != NOTHING).mean())
    # float64 could put an answer into another bin of the ECE
    confidence = np.take_along_axis(probabilities, predicted[:, None], axis=1)[in_scope, 0]
    y, predicted, chosen = y[in_scope], predicted[in_scope], chosen[in_scope]
    coverage = answered_accuracy = levels = None
    if decision.abstains:
        answered = chosen != NOTHING
        right = chosen == y if tree is None else tree.covers(classes)[chosen, y]
        coverage = float(answered.mean())
        answered_accuracy = float(right[answered].mean()) if answered.any() else None
    if tree is not None:
        levels = tree.level_accuracies(classes, y, predicted)
    of_classes = metrics.per_class(y, predicted, classes)
    figures = HeldOut(
        accuracy=metrics.accuracy(y, predicted),
        macro_f1=metrics.macro_f1({name: one for name, one in of_classes.items() if name not in without_rows}),
        ece=metrics.expected_calibration_error(predicted == y, confidence),
        n_examples=len(y),
        coverage=coverage,
        answered_accuracy=answered_accuracy,
        out_of_scope_recall=rejected,
        level_accuracies=levels,
    )
    return figures, predicted == y
