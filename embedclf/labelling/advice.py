"""Whether more labels are worth it: what the last labels changed, with an interval, in a sentence.

The current classifier is compared with an earlier one on the same rows. On the test set, which was drawn at random and
which neither was trained on, that is fair. Without a test set, or with a small one, the labelled rows are used: each
classifier predicts its own training rows out of fold, and the earlier one predicts directly the rows labelled since.
Two biases work in opposite directions. Rows that were chosen because the earlier classifier was uncertain of them are
rows on which it does worse than on others, so the gain looks larger than it is for random texts. And out-of-fold
predictions come from classifiers trained on nine tenths of the rows, so the current one is underestimated. By
measurement (benchmarks/labelling.py), the gain looks larger than it is: the advice errs towards more labels.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.data.label_sets import LabelSet, indicators
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.evaluation.changes import Change, answers_of
from embedclf.evaluation.scores import ACCURACY, MICRO_F1
from embedclf.formatting import counted
from embedclf.labelling.trainings import Training, predicted_labels

LABELS_BETWEEN = 100
"""The number of labels between the classifiers that are compared, once there are enough."""

ENOUGH_TEST_ROWS = 200
"""With fewer test rows, classifiers are compared on the labelled ones."""

# The advice is to stop only if the last labels cannot have brought more than this. With 0.02, labelling stopped several
# points too soon (benchmarks/labelling.py).
_WORTHWHILE = 0.01
# Labels with fewer texts are reported as rare, once there are this many labelled texts.
_FEW_TEXTS, _ENOUGH_TO_TELL = 5, 100


def measured(
    labels: Sequence[LabelSet],
    new: Sequence[LabelSet],
    groups: Ints,
    old: Sequence[LabelSet] | None = None,
    *,
    several: bool,
) -> Change:
    """Return the accuracy of predictions, or micro-F1 if texts may have several labels, and the change from older ones.

    Parameters
    ----------
    labels : sequence of tuple of str
        The labels of some texts, at least one.
    new, old : sequence of tuple of str
        What two classifiers predict; None if there is no older one.
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    several : bool
    """
    every = np.ones(len(labels), dtype=bool)
    if not several:
        before = None if old is None else _right(labels, old)
        return answers_of([one for (one,) in labels], (), _right(labels, new), groups, before).of_rows(ACCURACY, every)
    names = sorted({label for sets in (labels, new, old or ()) for one in sets for label in one})
    given, after = indicators(labels, names), indicators(new, names)
    had = None if old is None else indicators(old, names) == given
    return answers_of(labels, names, after == given, groups, had).of_rows(MICRO_F1, every)


def _right(labels: Sequence[LabelSet], answers: Sequence[LabelSet]) -> Mask:
    return np.array([known == answer for known, answer in zip(labels, answers, strict=True)])


def change_between(
    before: Training,
    now: Training,
    texts: EmbeddedTexts,
    labels: Mapping[int, LabelSet],
    test: Mapping[int, LabelSet],
    *,
    several: bool,
) -> Change | None:
    """Compare an earlier classifier with the current one on the same rows (see the module); None without rows.

    Parameters
    ----------
    before, now : Training
    texts : EmbeddedTexts
    labels, test : mapping of int to tuple of str
        The labels of the rows that `now` was trained on, and of those of the test set.
    several : bool
        Whether a text may have several labels.
    """
    if len(test) >= ENOUGH_TEST_ROWS:
        rows = sorted(test)
        new = predicted_labels(now.classifier, texts, rows)
        old = predicted_labels(before.classifier, texts, rows)
        return measured([test[row] for row in rows], new, texts.groups[rows], old, several=several)
    # Of the training rows of the earlier classifier, only those that it predicted out of fold count.
    rows = [row for row in sorted(now.out_of_fold) if row in before.out_of_fold or row not in before.rows]
    since = [row for row in rows if row not in before.rows]
    if not rows:
        return None
    answers = before.out_of_fold | dict(zip(since, predicted_labels(before.classifier, texts, since), strict=True))
    return measured(
        [labels[row] for row in rows],
        [now.out_of_fold[row] for row in rows],
        texts.groups[rows],
        [answers[row] for row in rows],
        several=several,
    )


def advise(change: Change | None, n_labels: int, labels: Mapping[int, LabelSet]) -> str:
    """Return in a few sentences whether to label more; empty if it is not known what changed.

    Parameters
    ----------
    change : Change or None
        What the last labels changed.
    n_labels : int
        How many these are.
    labels : mapping of int to tuple of str
        Those of all labelled rows.
    """
    if change is None or change.difference is None or change.difference_interval is None:
        return ""
    low, high = change.difference_interval
    shown = f"{100 * change.difference:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})".replace("-", "−")
    last = f"The last {counted(n_labels, 'label')} changed the {change.name} by {shown}."
    return " ".join([last, _verdict(low, high), *_rare(labels)])


def _verdict(low: float, high: float) -> str:
    if high < 0:  # or from 2,000 rows, out-of-fold predictions come from smaller parts of them
        return "More labels rarely cause a drop: keep labelling and see."
    if high < _WORTHWHILE:
        return "As many again are unlikely to change much: you could stop here."
    if low > 0:
        return "More labels still help."
    return "That is too uncertain to say whether more labels help."


def _rare(labels: Mapping[int, LabelSet]) -> list[str]:
    """Return a sentence on labels with few texts, if there are any among many texts."""
    counts = Counter(label for of_row in labels.values() for label in of_row)
    few = sorted((n, label) for label, n in counts.items() if n < _FEW_TEXTS)
    if len(labels) < _ENOUGH_TO_TELL or not few:
        return []
    n, label = few[0]
    others = f"; {counted(len(few) - 1, 'other label')} {'has' if len(few) == 2 else 'have'} fewer than {_FEW_TEXTS}"
    return [f"The label {label!r} has only {counted(n, 'text')}{others if len(few) > 1 else ''}."]
