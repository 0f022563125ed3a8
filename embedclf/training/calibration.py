"""Out-of-fold predictions, and temperature scaling."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.decisions import Decision, first_of_largest
from embedclf.classifier.hierarchy import Hierarchy, changes
from embedclf.classifier.linear import softmax_in_scope
from embedclf.classifier.scope import ScopeRule
from embedclf.training.lbfgs import Floats

# Of the logarithms of class weights; strong regularization takes them up several times.
MOST_SHARE = 20.0


class Judged(NamedTuple):
    """Out-of-fold answers: arrays of shape (n_judged,).

    Attributes
    ----------
    confidence : ndarray of float
        Calibrated.
    correct : ndarray of bool or int
        By how much the answer changes the number of correct ones.
    in_scope : ndarray of bool
        False for an out-of-scope example, whose answer is never correct.
    begins : ndarray of bool, or None
        False for an answer that replaces another to the same example, which is given at higher thresholds; None if
        each example has one answer.
    """

    confidence: Floats
    correct: Mask | Ints
    in_scope: Mask
    begins: Mask | None = None

    @property
    def first(self) -> Mask:
        """Which are the first answers to an example: (n_judged,)."""
        return np.ones(len(self.confidence), dtype=bool) if self.begins is None else self.begins


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFoldScores:
    """Out-of-fold scores of some examples.

    Attributes
    ----------
    scores : ndarray of shape (n_judged, n_classes), float32
        Divided by the temperature and corrected for class weights, so that the softmax gives calibrated probabilities.
    y : ndarray of shape (n_judged,)
        Index of the class; ``n_classes`` for an out-of-scope example.
    given : ndarray of shape (n_judged, n_classes), bool, or None
        Which labels each example has, if it may have several.
    scope : ScopeRule or None
        How probable it is that a text is in scope; None without out-of-scope examples.
    rows : ndarray of shape (n_judged,), or None
        Index of each of them among all examples; None if that is not needed.
    """

    scores: Vectors
    y: Ints
    given: Mask | None = None
    scope: ScopeRule | None = None
    rows: Ints | None = None

    @property
    def probabilities(self) -> Vectors:
        """The calibrated probabilities: (n_judged, n_classes)."""
        return softmax_in_scope(self.scores, self.scope)

    @property
    def judged(self) -> Judged:
        """The answers if the most likely class is answered."""
        right: Mask = first_of_largest(self.scores) == self.y
        return Judged(self.probabilities.max(axis=1), right, self.y < self.scores.shape[1])

    def judged_in(self, tree: Hierarchy, decision: Decision) -> Judged:
        """Return the answers if they are labels of a tree, of which those above the true one are correct, too.

        A class that is answered whatever the common threshold is has the confidence 1, one that is never answered −1.
        """
        probabilities = self.probabilities
        chosen, confidence = decision.choose(probabilities)
        never = np.zeros(len(chosen), dtype=bool)
        if decision.own is not None:
            has_own = np.array([one is not None for one in decision.own.answered_from])[chosen]
            accepted = decision.accepts(probabilities, chosen, confidence)
            never = has_own & ~accepted
            confidence = np.where(never, -1.0, np.where(has_own, 1.0, confidence))
        steps = tree.steps(probabilities, chosen, confidence)
        y, n_classes = self.y[steps.rows], self.scores.shape[1]
        above = np.pad(tree.covers(tree.names[:n_classes]), ((0, 0), (0, 1)))  # nothing is above what is out of scope
        right = above[steps.nodes, y]
        # A class that is never answered does not take the place of a label above it.
        unreached = np.flatnonzero(never[steps.rows] & (steps.confidence < 0))
        right[unreached] = np.where(steps.begins[unreached], False, right[unreached - 1])
        return Judged(steps.confidence, changes(steps, right), y < n_classes, steps.begins)


def fit_temperature(scores: Floats, y: Ints, sample_weight: Floats | None = None) -> tuple[float, float]:
    """Find the temperature that minimizes the log loss of the scores divided by it.

    Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 4.2. The target of the
    true class is (n + 1) / (n + 2) instead of 1, and the other classes share the rest, after Platt, "Probabilistic
    Outputs for Support Vector Machines", 1999: a few examples that are all correct should not make a classifier that is
    always certain.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
    y : ndarray of shape (n,)
    sample_weight : ndarray of shape (n,), optional
        How much each row counts; None is the same for all.

    Returns
    -------
    temperature, log_loss : float
    """
    from scipy.optimize import minimize_scalar

    scores = scores - scores.max(axis=1, keepdims=True)

    def mean(values: Floats) -> float:
        return float(np.average(values.astype(np.float64), weights=sample_weight))

    of_true = mean(scores[np.arange(len(y)), y])
    of_others = (mean(scores.sum(axis=1, dtype=np.float64)) - of_true) / (scores.shape[1] - 1)
    weight = (len(y) + 1) / (len(y) + 2)
    target = weight * of_true + (1 - weight) * of_others

    def loss(log_inverse: float) -> float:
        inverse = np.exp(log_inverse)
        return mean(np.log(np.exp(scores * inverse).sum(axis=1))) - float(inverse * target)

    found = minimize_scalar(loss, bounds=(-7, 7), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(-found.x)), float(found.fun)


def fit_correction(
    scores: Floats, y: Ints, class_weight: Floats, sample_weight: Floats | None = None
) -> tuple[float, float, float]:
    """Find the temperature, and how much of the class weights is to be taken out of the scores.

    A classifier fitted with class weights w gives probabilities of a world in which each class is w times as frequent.
    By Bayes' rule, those of the real world are proportional to them divided by w: log w is subtracted from the scores
    once they are divided by the temperature (Saerens, Latinne & Decaestecker, "Adjusting the Outputs of a Classifier to
    New a Priori Probabilities", 2002). But a regularized fit, or one that separates the classes, has taken up more or
    less of the weights than that (Byrd & Lipton, "What is the Effect of Importance Weighting in Deep Learning?", ICML
    2019), so that share of log w is subtracted with which the log loss is least, together with the temperature.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
    y : ndarray of shape (n,)
    class_weight : ndarray of shape (n_classes,)
    sample_weight : ndarray of shape (n,), optional
        How much each row counts, apart from its class.

    Returns
    -------
    temperature, share, log_loss : float
    """
    from scipy.optimize import minimize

    scores = (scores - scores.max(axis=1, keepdims=True)).astype(np.float64)
    logs = np.log(class_weight)
    logs -= logs.mean()
    n_classes = scores.shape[1]
    # As in `fit_temperature`; the shares of the others are the mean over them.
    weight = (len(y) + 1) / (len(y) + 2)
    rows = np.arange(len(y))
    shares = np.full(len(y), 1 / len(y)) if sample_weight is None else sample_weight / sample_weight.sum()

    def of_target(values: Floats) -> Floats:
        true = values[rows, y]
        mean: Floats = weight * true + (1 - weight) * (values.sum(axis=1) - true) / (n_classes - 1)
        return mean

    target = np.array([shares @ of_target(scores), -(shares @ of_target(np.broadcast_to(logs, scores.shape)))])

    def loss(at: Floats) -> tuple[float, Floats]:
        inverse = np.exp(at[0])
        shifted = scores * inverse - at[1] * logs
        shifted -= (most := shifted.max(axis=1, keepdims=True))
        exponentials = np.exp(shifted)
        sums = exponentials.sum(axis=1)
        probabilities = exponentials * (shares / sums)[:, None]
        value = shares @ (np.log(sums) + most[:, 0]) - inverse * target[0] - at[1] * target[1]
        slope = np.array([(probabilities * scores).sum() - target[0], -(probabilities.sum(axis=0) @ logs) - target[1]])
        slope[0] *= inverse
        return float(value), slope

    found = minimize(loss, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(-7, 7), (0, MOST_SHARE)])
    return float(np.exp(-found.x[0])), float(found.x[1]), float(found.fun)
