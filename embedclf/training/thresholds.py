"""The choice of the confidence threshold below which a classifier abstains, on out-of-fold predictions.

The confidence is the largest probability, which ranked correct answers above wrong ones best of all the scores that
were measured (see ``benchmarks/abstaining.py``). With examples of what to reject, it is multiplied by the probability
that the text is in scope.
"""

import logging

import numpy as np

from embedclf.arrays import Floats, Ints, Mask
from embedclf.classifier.decisions import is_answered
from embedclf.errors import TrainingError
from embedclf.formatting import SHOWN_DECIMALS, counted, shown_share, shown_threshold
from embedclf.stats.intervals import FEW_ROWS
from embedclf.training.calibration import Judged
from embedclf.training.scope import assumed_share

logger = logging.getLogger(__name__)


def choose_threshold(judged: Judged | None, target_accuracy: float | None) -> float:
    """Choose the threshold with the largest coverage at an accuracy, or that rejects out-of-scope examples best.

    With a target, an answer to an out-of-scope example is wrong, and the accuracy is the lower end of Wilson's interval
    of one standard error ("Probable Inference, the Law of Succession, and Statistical Inference", 1927): with few
    examples, some threshold always reaches the target by chance. Without a target, the threshold maximizes the F1 of
    rejecting out-of-scope examples, whose share is taken to be `assumed_share`.

    Parameters
    ----------
    judged : Judged or None
        None if there are no out-of-fold predictions.
    target_accuracy : float or None

    Returns
    -------
    float
        With four decimals; 0 if nothing needs to be rejected.

    Raises
    ------
    TrainingError
        If there are too few examples, or no threshold reaches the target; the message names the best accuracy.
    """
    if judged is None or (target_accuracy is None and judged.in_scope.all()):
        raise TrainingError(
            "too few examples to choose a threshold: add more, or set one with --min-confidence (min_confidence=…)"
        )
    shown = np.floor(judged.confidence.astype(np.float64) * 10**SHOWN_DECIMALS)
    steps, place = np.unique(shown, return_inverse=True)

    def total(changes: Mask | Ints) -> Floats:
        """Return the sum of what changes down to each threshold."""
        return np.bincount(place, weights=changes, minlength=len(steps))[::-1].cumsum()[::-1]

    n_answered = total(judged.first)
    if target_accuracy is None:
        in_scope, out_of_scope = total(judged.first & judged.in_scope), total(judged.first & ~judged.in_scope)
        share = assumed_share(judged.in_scope)
        rejected = share * (1 - out_of_scope / out_of_scope[0])  # rightly
        rejected_in_scope = (1 - share) * (1 - in_scope / in_scope[0])
        chosen = int((2 * rejected / (share + rejected + rejected_in_scope)).argmax())
    else:
        reliable = _wilson_low(total(judged.correct) / n_answered, n_answered)
        if reliable.max() < target_accuracy:
            best = int(reliable.argmax())
            rows, share = counted(int(n_answered[0]), "cross-validated row"), n_answered[best] / n_answered[0]
            raise TrainingError(
                f"no threshold reliably reaches {target_accuracy:g}: the best is "
                f"{np.floor(1000 * reliable[best]) / 1000:g}, answering {shown_share(share)} of texts ({rows}). "
                "Lower --target-accuracy (target_accuracy=…) or add data."
            )
        chosen = int((reliable >= target_accuracy).argmax())
    return 0.0 if chosen == 0 else float(steps[chosen]) / 10**SHOWN_DECIMALS


def _wilson_low(share: Floats, n: Floats) -> Floats:
    """Return the lower end of Wilson's interval, of one standard error, of a share of n."""
    low: Floats = (share + 0.5 / n - np.sqrt(share * (1 - share) / n + 0.25 / n**2)) / (1 + 1 / n)
    return low


def log_threshold(threshold: float, judged: Judged) -> None:
    """Log the coverage and accuracy of a threshold on the examples that it was chosen on."""
    inside, outside = judged.first & judged.in_scope, judged.first & ~judged.in_scope
    answered = is_answered(judged.confidence, threshold)
    n_answered = int((inside & answered).sum())
    rejects = ""
    if outside.any():
        rejected = float((~answered[outside]).mean())
        rejects = f", rejects {shown_share(rejected)} of {counted(int(outside.sum()), 'out-of-scope row')}"
    logger.info(
        "Selected threshold %s (%s): answers %s, accuracy %.3f on those%s.",
        shown_threshold(threshold),
        counted(int(inside.sum()), "cross-validated row"),
        shown_share(n_answered / inside.sum()),
        judged.correct[judged.in_scope & answered].sum() / max(n_answered, 1),
        rejects,
    )
    if outside.any() and outside.sum() < FEW_ROWS:
        logger.warning(
            "only %s to choose the threshold on: it may be far off", counted(int(outside.sum()), "out-of-scope row")
        )
