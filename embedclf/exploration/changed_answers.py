"""The answers of a classifier to new texts, compared with those to old ones."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import AnyFloats, Ints, Mask, Vectors
from embedclf.classifier.answer_figures import plain
from embedclf.classifier.decisions import NOTHING, Decided, Decision
from embedclf.classifier.recorded_rows import is_same
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.label_sets import Labels, label_sets_of
from embedclf.phases import phase
from embedclf.stats.intervals import Interval, interval_between_means
from embedclf.validation import group_duplicates

_BLOCK = 4_096
# Without rounding, as many different confidences would be resampled as there are rows.
_DECIMALS = 3


class Shift(NamedTuple):
    """A figure on new rows, beside the same figure on old ones.

    Attributes
    ----------
    new, old : float
    interval : Interval
        95 %, of the difference between the two.
    """

    new: float
    old: float
    interval: Interval

    @property
    def difference(self) -> float:
        """How much larger the figure is on the new rows."""
        return self.new - self.old


@dataclass(frozen=True, slots=True)
class ChangedAnswers:
    """The answers of a classifier to new and to old rows.

    Attributes
    ----------
    labels : dict of str to Shift
        For each label that is answered, the share of the rows that get it; the largest difference first.
    confidence : Shift
        The mean confidence of the most likely answer, whether or not the classifier abstains.
    median_new, median_old : float
        The median confidences.
    abstained : Shift or None
        The share of rows without an answer; None if the classifier always answers.
    accuracy : Shift or None
        The share of rows whose most likely answer is their label, among rows whose label the classifier knows; None if
        a file has no such rows, or a row may have several labels.
    was_trained_on_old : bool
        Whether the classifier was trained on the old rows, which makes it more confident and more accurate on them.
    """

    labels: dict[str, Shift]
    confidence: Shift
    median_new: float
    median_old: float
    abstained: Shift | None
    accuracy: Shift | None
    was_trained_on_old: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types, for JSON."""
        figures: dict[str, Any] = plain(asdict(self))
        return figures


def changed_answers(
    classifier: TextClassifier, texts: Sequence[str], vectors: Vectors, n_new: int, labels: Labels | None
) -> ChangedAnswers:
    """Compare the answers to new rows with those to old ones.

    Equal texts are resampled together, across both files. The intervals are not corrected for their number: of 20
    labels whose share is the same, about one has an interval that excludes 0.

    Parameters
    ----------
    classifier : TextClassifier
    texts : sequence of str
        Of all rows, the new ones first.
    vectors : ndarray of shape (n_rows, n_dimensions), float32
    n_new : int
    labels : list of str, or of tuples of str, optional
        The labels of the rows; an empty one is unknown.
    """
    is_new = np.arange(len(texts)) < n_new
    groups = group_duplicates(texts)
    decision = classifier.decision
    with phase("Predicting"):
        parts = [
            decision.decide(classifier.probabilities(vectors[start : start + _BLOCK], texts[start : start + _BLOCK]))
            for start in range(0, len(texts), _BLOCK)
        ]
    chosen = np.concatenate([one.chosen for one in parts])
    sure = np.concatenate([one.confidence for one in parts])
    with phase("Comparing answers"):
        given = [_given(one, names) for one in parts for names in [decision.names]]
        shares = {
            name: shift_of(np.concatenate([one[:, place] for one in given]), is_new, groups)
            for place, name in enumerate(decision.names)
        }
        nothing = chosen == NOTHING
        may_abstain = bool(nothing.any()) or (isinstance(decision, Decision) and decision.abstains)
        return ChangedAnswers(
            by_difference(shares),
            shift_of(np.round(sure, _DECIMALS), is_new, groups),
            float(np.median(sure[is_new])),
            float(np.median(sure[~is_new])),
            shift_of(nothing, is_new, groups) if may_abstain else None,
            _accuracy(classifier, parts, labels, is_new, groups) if labels is not None else None,
            _was_trained_on(classifier, texts[n_new:], None if labels is None else labels[n_new:]),
        )


def changed_labels(labels: Labels, n_new: int, groups: Ints) -> dict[str, Shift]:
    """Compare the shares of labels of new and of old rows, among the rows with a label.

    Parameters
    ----------
    labels : list of str, or of tuples of str
        Of all rows, the new ones first; an empty one is unknown.
    n_new : int
    groups : ndarray of shape (n_rows,)
        The same number for equal texts.

    Returns
    -------
    dict of str to Shift
        The largest difference first; empty if there are no labels of either kind.
    """
    sets = label_sets_of(labels)
    known = np.array([bool(one) for one in labels]) if not sets else np.ones(len(labels), dtype=bool)
    is_new = np.arange(len(labels)) < n_new
    if not known[is_new].any() or not known[~is_new].any():
        return {}
    of_rows: Iterable[Sequence[str]] = sets or [(one,) if isinstance(one, str) and one else () for one in labels]
    rows_of: dict[str, list[int]] = {}
    for row, names in enumerate(of_rows):
        for name in names:
            rows_of.setdefault(name, []).append(row)
    shares = {}
    for name in sorted(rows_of):
        has = np.zeros(len(labels), dtype=bool)
        has[rows_of[name]] = True
        shares[name] = shift_of(has[known], is_new[known], groups[known])
    return by_difference(shares)


def shift_of(values: AnyFloats | Mask, is_new: Mask, groups: Ints) -> Shift:
    """Return the means of some values of new and of old rows, with the interval of their difference.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        From 0 to 1.
    is_new : ndarray of shape (n_rows,), bool
        At least one is, and at least one is not.
    groups : ndarray of shape (n_rows,), int
        Rows with the same number are resampled together.
    """
    new, old = float(values[is_new].mean()), float(values[~is_new].mean())
    return Shift(new, old, interval_between_means(values, is_new, groups))


def by_difference(shares: dict[str, Shift]) -> dict[str, Shift]:
    """Return the figures in order, the largest difference first, without those that are 0 in both files."""
    kept = [(name, one) for name, one in shares.items() if one.new or one.old]
    return dict(sorted(kept, key=lambda pair: (-round(abs(pair[1].difference), 9), pair[0])))


def _given(decided: Decided, names: Sequence[str]) -> Mask:
    """Return which labels each text gets: (n, n_names)."""
    if decided.given is not None:
        return decided.given > 0
    given: Mask = decided.chosen[:, None] == np.arange(len(names))
    return given


def _was_trained_on(classifier: TextClassifier, texts: Sequence[str], labels: Labels | None) -> bool:
    record, rules = classifier.card.training, classifier.card.multilabel
    if record is None or labels is None:
        return False
    return is_same(record, texts, labels, None if rules is None else rules.separator)


def _accuracy(
    classifier: TextClassifier, parts: Sequence[Decided], labels: Labels, is_new: Mask, groups: Ints
) -> Shift | None:
    if label_sets_of(labels) or classifier.card.multilabel is not None:
        return None
    place = {name: number for number, name in enumerate(classifier.classes)}
    true = np.array([place.get(one, -1) if isinstance(one, str) else -1 for one in labels], dtype=np.intp)
    known = true >= 0
    if not known[is_new].any() or not known[~is_new].any():
        return None
    likeliest = np.concatenate([one.ranking.likeliest for one in parts])
    return shift_of((likeliest == true)[known], is_new[known], groups[known])
