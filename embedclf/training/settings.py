"""The choice of C, word scale, label names and temperature by cross-validated log loss."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from embedclf.arrays import Mask, Vectors
from embedclf.classifier.scope import ScopeRule
from embedclf.features.vocabulary import Vocabulary
from embedclf.formatting import counted
from embedclf.phases import phase
from embedclf.training.calibration import OutOfFoldScores, fit_correction, fit_temperature
from embedclf.training.heads import Rows, Trained
from embedclf.training.label_calibration import LabelCalibration, calibrate_labels, fit_label_temperature
from embedclf.training.label_names import MOST_ROWS_A_LABEL
from embedclf.training.lbfgs import Floats
from embedclf.training.recipe import Recipe
from embedclf.training.scope import learn_scope
from embedclf.training.solver import principal_axes
from embedclf.training.splits import assign_folds
from embedclf.training.training_set import TrainingSet

logger = logging.getLogger(__name__)

# On unit-length embeddings, scikit-learn's default C = 1 regularizes far too strongly with many classes.
C_GRID = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
C_WITHOUT_EVIDENCE = 10.0
# Below FEW_ROWS rows, every row is predicted once, in ten folds; otherwise only as many of five folds as give enough
# predictions.
FEW_ROWS, _FOLDS_OF_FEW = 2_000, 10
_N_FOLDS, _ENOUGH_ROWS = 5, 1_500
# A smaller improvement is often chance, and words make a larger file that generalizes less to other kinds of text.
_WORDS_ARE_WORTH = 1.01
# Label names are compared with this many permutations of the names.
_N_ROLLS = 3
# Training takes about this many times as long as trying the first settings. If these take longer than the seconds, the
# expected time is logged.
_TIMES_THE_FIRST, _SECONDS_UNLOGGED = 12, 5.0
# For progress: how many values of C are tried with one word scale.
_ABOUT_TRIES = 3
# A word scale whose log loss is this many times the best is not tried with other values of C.
_WORTH_CLIMBING = 1.05


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings chosen on out-of-fold predictions.

    Attributes
    ----------
    C : float or None
        None for a head without regularization.
    scale : float
        Length of the word vectors, beside the embedder's of length 1; 0 is without words.
    named : bool
        Whether the names of labels are fitted on, too.
    temperature : float
        Divisor of the scores.
    log_loss : float
        Out-of-fold, after division by the temperature; NaN without predictions.
    n_judged : int
        Number of in-scope examples predicted out of fold.
    start : Trained or None
        A fit with these settings, as a starting point for others.
    out_of_fold : OutOfFoldScores or None
        None if there are none.
    of_labels : LabelCalibration or None
        None if a text has one label.
    scope : ScopeRule or None
        How probable it is that a text is in scope; None without out-of-scope examples to learn it from.
    share : float
        How much of the logarithms of class weights is taken out of the scores; see `fit_correction`.
    """

    C: float | None
    scale: float
    named: bool
    temperature: float
    log_loss: float
    n_judged: int
    start: Trained | None
    out_of_fold: OutOfFoldScores | None
    of_labels: LabelCalibration | None = None
    scope: ScopeRule | None = None
    share: float = 0.0

    def shift(self, class_weight: Floats | None) -> Floats | None:
        """Return what is added to the score of each class, after the division by the temperature; None for nothing."""
        return None if class_weight is None or not self.share else -self.share * np.log(class_weight)

    @property
    def cost(self) -> float:
        """The log loss, with a penalty for words, which must improve it by a minimum to be used."""
        return self.log_loss * (_WORDS_ARE_WORTH if self.scale else 1.0)


class _Tried(NamedTuple):
    settings: Settings
    fits: list[Trained]


class Chooser:
    """A search for the settings with the least out-of-fold log loss.

    With fewer than 2,000 examples, each is predicted once, in ten folds; otherwise, as many of five folds are predicted
    as give 1,500 predictions. If there are out-of-scope examples, the others of these folds are predicted with the
    settings chosen, too.

    Parameters
    ----------
    recipe : Recipe
    examples : TrainingSet
    seed : int
        Seed for the folds.
    """

    def __init__(self, recipe: Recipe, examples: TrainingSet, seed: int) -> None:
        in_scope, names = examples.in_scope, examples.names
        if recipe.label_names is None and in_scope.sum() > MOST_ROWS_A_LABEL * len(examples.classes):
            names = None
        few = int(in_scope.sum()) < FEW_ROWS
        n_folds, enough = (_FOLDS_OF_FEW, len(examples)) if few else (_N_FOLDS, _ENOUGH_ROWS)
        folds = assign_folds(examples.y, examples.groups, n_folds, seed=seed)
        self._parts: list[tuple[Mask, Mask]] = []
        self._others: list[tuple[Mask, Mask]] = []
        self._seed = seed
        self.n_judged = 0
        for fold in range(n_folds):
            judged = folds == fold
            # With few rows, a fold may hold out-of-scope rows only.
            if not (judged if few else in_scope & judged).any():
                continue
            if self.n_judged < enough:
                self._parts.append((~judged, judged))
                self.n_judged += int((in_scope & judged).sum())
            elif not in_scope.all():
                self._others.append((~judged, judged))
        if self._parts:
            self._rows_judged = np.concatenate([np.flatnonzero(judged) for _, judged in self._parts])
            self._y_judged = examples.y[self._rows_judged]
            self._given = None
            if examples.given is not None:
                self._given = examples.given[self._rows_judged]
            # Out-of-scope examples are fitted as one more class.
            weights = examples.class_weight
            self._class_weight = weights if weights is None or in_scope.all() else np.append(weights, 1.0)
            weights = examples.sample_weight
            self._weights = None if weights is None else weights[self._rows_judged]
            self._axes = None
            if few and recipe.head == "logistic" and recipe.uses_vectors:
                # Computed once for all folds and scales, since it takes most of the time for long vectors.
                self._axes = principal_axes(examples.with_names(names)[0].vectors)
                examples = replace(examples, inputs=examples.inputs.rotated(self._axes))
                names = None if names is None else names.rotated(self._axes)
            self._recipe, self._examples, self._names = recipe, examples, names
            self._left_out = [examples.inputs[judged] for _, judged in self._parts]
            self._use_names(recipe.label_names is True)

    def _use_names(self, named: bool, roll: int = 0) -> None:
        """Fit on the names of labels from now on, or stop doing so; `roll` gives each label the name of another."""
        self._named = named and self._names is not None
        names = self._names if named else None
        self._fitted = [
            Rows(*self._examples[kept].with_names(names, roll), is_rotated=self._axes is not None)
            for kept, _ in self._parts
        ]
        each = zip(self._left_out, self._fitted, strict=True)
        self._words_left_out = [left_out.words(rows.vocabulary) for left_out, rows in each]

    def _try(self, C: float | None, scale: float, starts: Sequence[Trained] | None = None) -> _Tried:
        fits = []
        self._choosing.remarks = (_named_settings(C, scale),)
        for number, rows in enumerate(self._fitted):
            start = None if starts is None else starts[number]
            fits.append(rows.fit(self._recipe.head, C, scale, start=start, exact=False))
            self._choosing.advance()
        each = zip(fits, self._left_out, self._words_left_out, strict=True)
        scores = np.concatenate(
            [one.fit.scores(left_out.vectors, words if scale else None) for one, left_out, words in each]
        )
        share, weights = 0.0, self._class_weight
        corrects = weights is not None and self._recipe.head != "centroid"
        if self._given is not None:
            of_labels = weights if corrects else None
            temperature, share, loss = fit_label_temperature(scores, self._given, self._weights, of_labels)
        elif weights is None or not corrects:
            temperature, loss = fit_temperature(scores, self._y_judged, self._weights)
        else:
            temperature, share, loss = fit_correction(scores, self._y_judged, weights, self._weights)
        settings = Settings(C, scale, self._named, temperature, loss, self.n_judged, fits[0], None, share=share)
        calibrated = self._calibrated(scores, settings)
        left_out = OutOfFoldScores(calibrated, self._y_judged, self._given, rows=self._rows_judged)
        return _Tried(replace(settings, out_of_fold=left_out), fits)

    def _calibrated(self, scores: Floats, settings: Settings) -> Vectors:
        """Return scores divided by the temperature, and corrected for class weights."""
        shift = settings.shift(self._class_weight)
        return np.asarray(scores / settings.temperature + (0.0 if shift is None else shift), dtype=np.float32)

    def choose(self, near: Settings | None = None) -> Settings:
        """Choose settings by log loss at the best temperature, since that is how the scores are used.

        Starting from the middle of its grid, or from settings that are expected to be close, C moves in the direction
        in which the log loss falls; each fit starts from the best one so far. Then the other word scales are tried with
        that C and, if they are nearly as good, with other values of C. Finally, label names are tried.
        """
        # Settings that are expected to be close were chosen on all rows; now some are held out.
        name = "Choosing settings" if near is None else "Choosing settings again"
        with phase(name, unit="fit", is_about=True) as self._choosing:
            settings = self._choose(near)
            if not self._examples.in_scope.all():
                return self._with_scope(settings)
        if self._given is None or settings.out_of_fold is None:
            return settings
        scores = settings.out_of_fold.scores
        return replace(settings, of_labels=calibrate_labels(scores, self._given, self._weights, self._class_weight))

    def _with_scope(self, settings: Settings) -> Settings:
        """Learn from all folds how probable it is that a text is in scope: one fold has few out-of-scope examples."""
        out_of_fold = settings.out_of_fold
        if out_of_fold is None:
            return settings
        scores, y, of_rows = [out_of_fold.scores], [out_of_fold.y], [self._rows_judged]
        names = self._names if settings.named else None
        for kept, judged in self._others:
            rows = Rows(*self._examples[kept].with_names(names))
            fit = rows.fit(self._recipe.head, settings.C, settings.scale, start=settings.start, exact=False).fit
            left_out = self._examples.inputs[judged]
            words = left_out.words(rows.vocabulary) if settings.scale else None
            scores.append(self._calibrated(fit.scores(left_out.vectors, words), settings))
            y.append(self._examples.y[judged])
            of_rows.append(np.flatnonzero(judged))
            self._choosing.advance()
        of_all, of_y = np.concatenate(scores), np.concatenate(y)
        relative = of_all[:, :-1] - of_all[:, -1:]
        in_scope = of_y < relative.shape[1]
        # A single out-of-scope text is never left out.
        scope = None if in_scope.all() else learn_scope(relative, in_scope, settings.temperature, seed=self._seed)
        out_of_fold = OutOfFoldScores(relative, of_y, scope=scope, rows=np.concatenate(of_rows))
        return replace(settings, out_of_fold=out_of_fold, scope=scope)

    def _choose(self, near: Settings | None) -> Settings:
        scales = self._recipe.scales
        grid: Sequence[float | None] = C_GRID if self._recipe.C is None else (self._recipe.C,)
        if self._recipe.head == "centroid":
            grid = (None,)
        C, first = (grid[len(grid) // 2], scales[len(scales) // 2]) if near is None else (near.C, near.scale)
        n_tries = (_ABOUT_TRIES if len(grid) > 1 else 1) * len(scales)
        if self._recipe.label_names is None and self._names is not None:
            n_tries += _ABOUT_TRIES + _N_ROLLS
        self._choosing.total = n_tries * len(self._fitted) + len(self._others)
        began = time.perf_counter()
        tried = self._try(C, first)
        if (seconds := time.perf_counter() - began) > _SECONDS_UNLOGGED and near is None:
            minutes = max(1, round(_TIMES_THE_FIRST * seconds / 60))
            logger.info("Training will take about %s.", counted(minutes, "minute"))
        best = self._climb(tried, grid)
        for scale in sorted(set(scales) - {first}, reverse=True):
            other = self._try(best.settings.C, scale, best.fits)
            if other.settings.log_loss < best.settings.log_loss * _WORTH_CLIMBING:
                other = self._climb(other, grid)
            if other.settings.cost < best.settings.cost:
                best = other
        if self._recipe.label_names is None and self._names is not None:
            self._use_names(True)
            other = self._climb(self._try(best.settings.C, best.settings.scale, best.fits), grid)
            if other.settings.log_loss < min(best.settings.log_loss, self._with_wrong_names(other)):
                best = other
        if self._axes is not None and (start := best.settings.start) is not None:
            weights = start.fit.weights @ self._axes.T
            start = replace(start, fit=replace(start.fit, weights=weights))
            return replace(best.settings, start=start)
        return best.settings

    def _with_wrong_names(self, named: _Tried) -> float:
        """Return the least log loss with each label given the name of another.

        One more text per label improves on the smaller training set of a fold, whatever it says. So a label's own name
        is informative only if it does better than the names of others.
        """
        losses = []
        n_others = len(self._examples.classes) - 1
        for roll in range(1, min(n_others, _N_ROLLS) + 1):
            self._use_names(True, roll)
            losses.append(self._try(named.settings.C, named.settings.scale, named.fits).settings.log_loss)
        return min(losses)

    def _climb(self, best: _Tried, grid: Sequence[float | None]) -> _Tried:
        """Go from one value of C to the next while the log loss falls."""
        began = place = grid.index(best.settings.C)
        for step in (1, -1):
            while 0 <= place + step < len(grid):
                other = self._try(grid[place + step], best.settings.scale, best.fits)
                if other.settings.log_loss >= best.settings.log_loss:
                    break
                best, place = other, place + step
            if place != began:  # the log loss falls on this side, so it rises on the other
                break
        return best


def _named_settings(C: float | None, scale: float) -> str:
    words = f"word scale {scale:g}" if scale else "no words"
    return words if C is None else f"C = {C:g}, {words}"


def choose_settings(recipe: Recipe, examples: TrainingSet, *, seed: int, near: Settings | None = None) -> Settings:
    """Choose C, the word scale, whether to use label names, and the temperature; see `Chooser`."""
    chooser = Chooser(recipe, examples, seed)
    if chooser.n_judged:
        return chooser.choose(near if near is not None and near.n_judged else None)
    C = None if recipe.head == "centroid" else recipe.C or C_WITHOUT_EVIDENCE
    # With one text per label, names make up half of the training texts.
    of_labels = (
        None if examples.given is None else LabelCalibration.neutral(len(examples.classes), examples.class_weight)
    )
    named, share = recipe.label_names is not False, 0.0 if recipe.head == "centroid" else 1.0
    return Settings(C, recipe.scales[0], named, 1.0, np.nan, 0, None, None, of_labels, share=share)


def fit_all(
    recipe: Recipe,
    settings: Settings,
    examples: TrainingSet,
    *,
    start: Trained | None = None,
    vocabulary: Vocabulary | None = None,
    exact: bool = True,
) -> Trained:
    """Fit a head to all examples with the chosen settings."""
    rows = Rows(*examples.with_names(examples.names if settings.named else None), vocabulary)
    return rows.fit(recipe.head, settings.C, settings.scale, start=start or settings.start, exact=exact)
