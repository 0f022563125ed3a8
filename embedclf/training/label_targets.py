"""The choice of thresholds for labels with a target, where texts may have several, on out-of-fold predictions.

Each label has a threshold anyway, and no label takes a text from another, so that each is chosen by itself.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.classifier.answer_figures import Figure, LabelTarget
from embedclf.classifier.linear import logistic
from embedclf.errors import TrainingError
from embedclf.formatting import SHOWN_DECIMALS, counted
from embedclf.training.settings import Settings
from embedclf.training.targets import AnswerRules, rounded_down
from embedclf.training.thresholds import wilson_low

_SCALE = 10**SHOWN_DECIMALS


def choose_label_targets(
    settings: Settings, usual: Floats, classes: Sequence[str], rules: AnswerRules
) -> tuple[LabelTarget, ...]:
    """Choose the threshold of each label with a target; see `choose_targets`, which does so for one label.

    Of those that reach the target, it is the one nearest to the usual threshold, or that itself: a target for precision
    only raises a threshold, and one for recall only lowers it.

    Parameters
    ----------
    settings : Settings
        With the out-of-fold scores.
    usual : ndarray of shape (n_classes,)
        The thresholds without targets.
    classes : sequence of str
    rules : AnswerRules

    Raises
    ------
    TrainingError
        If there are too few examples, or a target is not reached; the message names the best that is.
    """
    left_out, of_labels = settings.out_of_fold, settings.of_labels
    if left_out is None or left_out.given is None or of_labels is None:
        raise TrainingError("too few examples to choose the thresholds of labels: add more, or leave out the targets")
    probabilities = logistic((left_out.scores * of_labels.factors + of_labels.shifts).astype(np.float32))
    found: dict[tuple[str, Figure], LabelTarget] = {}
    for name in dict.fromkeys((*rules.target_precision, *rules.target_recall)):
        place = classes.index(name)
        asked: dict[Figure, float] = {}
        if name in rules.target_precision:
            asked["precision"] = rules.target_precision[name]
        if name in rules.target_recall:
            asked["recall"] = rules.target_recall[name]
        curve = _Curve(name, probabilities[:, place], left_out.given[:, place], float(usual[place]))
        found |= {(name, one.figure): one for one in curve.targets(asked)}
    named: list[tuple[str, Figure]] = [(name, "precision") for name in rules.target_precision]
    named += [(name, "recall") for name in rules.target_recall]
    return tuple(found[one] for one in named)


def with_thresholds(thresholds: Floats, targets: Sequence[LabelTarget], classes: Sequence[str]) -> Floats:
    """Return the thresholds of labels with those of targets in their place; the same array if there are none."""
    if not targets:
        return thresholds
    own = {one.label: one.threshold for one in targets if one.threshold is not None}
    return np.array([own.get(name, usual) for name, usual in zip(classes, thresholds.tolist(), strict=True)])


class _Curve:
    """Precision and recall of one label at some thresholds, in steps of four decimals.

    Parameters
    ----------
    name : str
    probabilities : ndarray of shape (n,)
    has_label : ndarray of shape (n,), bool
    usual : float
        The threshold without targets, which is one of those that are tried.
    """

    def __init__(self, name: str, probabilities: Vectors, has_label: Mask, usual: float) -> None:
        self._name, self._n, self._usual = name, len(has_label), usual
        sure = probabilities.astype(np.float64)
        # No threshold is 0, at which every text would get the label, however improbable.
        steps = np.unique(np.floor(sure * _SCALE))
        self._thresholds = np.append(steps[steps >= 1], max(1.0, np.floor(usual * _SCALE))) / _SCALE
        given, right = (len(one) - np.searchsorted(np.sort(one), self._thresholds) for one in (sure, sure[has_label]))
        self._counts: dict[Figure, Ints] = {
            "precision": np.maximum(given, 1),
            "recall": np.full(len(given), int(has_label.sum())),
        }
        self._right = right

    def targets(self, asked: Mapping[Figure, float]) -> list[LabelTarget]:
        """Return the targets with the threshold that reaches all of them.

        Raises
        ------
        TrainingError
            If there is none.
        """
        if not self._counts["recall"][0]:
            raise TrainingError(
                f"no threshold can be chosen for the {' and '.join(asked)} of {self._name!r}: it has no rows among "
                f"{counted(self._n, 'cross-validated row')}. Add data for this label, or leave out its target"
            )
        shares = {figure: self._right / n for figure, n in self._counts.items()}
        low = {figure: wilson_low(shares[figure], n) for figure, n in self._counts.items()}
        reached = np.logical_and.reduce([low[figure] >= target for figure, target in asked.items()])
        if not reached.any():
            raise self._unreached(asked, shares, low)
        place = int(np.where(reached, np.abs(self._thresholds - self._usual), np.inf).argmin())
        return [
            LabelTarget(
                self._name,
                figure,
                target,
                float(self._thresholds[place]),
                float(shares[figure][place]),
                int(self._counts[figure][place]),
            )
            for figure, target in asked.items()
        ]

    def _unreached(
        self, asked: Mapping[Figure, float], shares: Mapping[Figure, Floats], low: Mapping[Figure, Floats]
    ) -> TrainingError:
        rows = counted(self._n, "cross-validated row")
        reaches = " and ".join(f"a {figure} of {target:g}" for figure, target in asked.items())
        start = f"no threshold of {self._name!r} reliably reaches {reaches}: "
        if len(asked) == 1:
            (figure,) = asked
            other: Figure = "recall" if figure == "precision" else "precision"
            best = int(low[figure].argmax())
            return TrainingError(
                f"{start}the best is {rounded_down(low[figure][best])}, at which its {other} goes from "
                f"{shares[other][-1]:.3f} to {shares[other][best]:.3f} ({rows}). Lower --target-{figure} "
                f"(target_{figure}=…) or add data."
            )
        enough = low["recall"] >= asked["recall"]
        best_of = f"the best recall is {rounded_down(low['recall'].max())}"
        if enough.any():
            best_of = f"with that recall, the best precision is {rounded_down(low['precision'][enough].max())}"
        return TrainingError(f"{start}{best_of} ({rows}). Lower one of the targets or add data.")
