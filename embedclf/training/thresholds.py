"""The choice of the confidence below which a classifier abstains, on examples that it was not fitted on.

The confidence is the largest probability: of what was measured (see ``benchmarks/abstaining.py``), it orders answers
from right to wrong best.
"""

import logging

import numpy as np

from embedclf.arrays import Floats, Ints, Mask
from embedclf.classifier.decisions import is_answered
from embedclf.errors import TrainingError
from embedclf.formatting import SHOWN_DECIMALS, counted, shown_share, shown_threshold
from embedclf.stats import metrics
from embedclf.stats.intervals import FEW_ROWS
from embedclf.training.calibration import Judged

logger = logging.getLogger(__name__)


def choose_threshold(judged: Judged | None, target_accuracy: float | None) -> float:
    """Choose the threshold that answers most at an accuracy, or that best tells what is in scope from what is not.

    With a target, an answer to an example out of scope is wrong, and the accuracy counts by the lower end of Wilson's
    interval of one standard error ("Probable Inference, the Law of Succession, and Statistical Inference", 1927): where
    examples are few, there is always a threshold at which the target happens to be reached. Without, the threshold has
    the largest J of Youden ("Index for Rating Diagnostic Tests", 1950): the share answered of what is in scope less the
    share answered of what is not.

    Parameters
    ----------
    judged : Judged or None
        None if there is nothing to choose by.
    target_accuracy : float or None

    Returns
    -------
    float
        Of four decimals; 0 if nothing need be rejected.

    Raises
    ------
    TrainingError
        If there are too few examples, or no threshold reaches the target; names the best that one reaches.
    """
    if judged is None or (target_accuracy is None and judged.in_scope.all()):
        raise TrainingError(
            "there are too few examples to choose a threshold on; give more, or set one with --min-confidence "
            "(min_confidence=…)"
        )
    shown = np.floor(judged.confidence.astype(np.float64) * 10**SHOWN_DECIMALS)
    steps, place = np.unique(shown, return_inverse=True)

    def answered(rows: Mask) -> Ints:
        """Count those of the rows that are answered with each threshold."""
        return np.bincount(place[rows], minlength=len(steps))[::-1].cumsum()[::-1]

    n_answered = answered(np.ones(len(place), dtype=bool))
    if target_accuracy is None:
        in_scope, out_of_scope = answered(judged.in_scope), answered(~judged.in_scope)
        chosen = int((in_scope / in_scope[0] - out_of_scope / out_of_scope[0]).argmax())
    else:
        reliable = _wilson_low(answered(judged.correct) / n_answered, n_answered)
        if reliable.max() < target_accuracy:
            best = int(reliable.argmax())
            raise TrainingError(
                f"an accuracy of {target_accuracy:g} cannot be relied on, whatever is abstained from: by "
                f"{counted(len(place), 'row')} not fitted on, the most is {np.floor(1000 * reliable[best]) / 1000:g}, "
                f"with {shown_share(n_answered[best] / len(place))} of them answered. Ask for less, or give more rows"
            )
        chosen = int((reliable >= target_accuracy).argmax())
    return 0.0 if chosen == 0 else float(steps[chosen]) / 10**SHOWN_DECIMALS


def _wilson_low(share: Floats, n: Ints) -> Floats:
    """Lower end of the interval of one standard error of a share of n."""
    low: Floats = (share + 0.5 / n - np.sqrt(share * (1 - share) / n + 0.25 / n**2)) / (1 + 1 / n)
    return low


def tell_of_threshold(threshold: float, judged: Judged) -> None:
    """Log what a threshold makes of the examples that it was chosen on."""
    inside, outside = judged.in_scope, ~judged.in_scope
    (answered,) = metrics.coverage(judged.correct[inside], judged.confidence[inside], [threshold])
    rejects = ""
    if outside.any():
        rejected = float((~is_answered(judged.confidence[outside], threshold)).mean())
        rejects = f", and rejects {shown_share(rejected)} of {outside.sum():,} out of scope"
    logger.info(
        "Chose the threshold %s on %s not fitted on: it answers %s, %s of these rightly%s.",
        shown_threshold(threshold),
        counted(int(inside.sum()), "row"),
        shown_share(answered.coverage),
        shown_share(answered.accuracy or 0),
        rejects,
    )
    if outside.any() and outside.sum() < FEW_ROWS:
        logger.warning(
            "only %s out of scope to choose by: the threshold may be far off", counted(int(outside.sum()), "row")
        )
