"""What an accuracy is to be compared with: that of much simpler classifiers on the same texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embedclf.arrays import Ints
from embedclf.data.label_sets import LabelSet, indicators, labels_in
from embedclf.stats import multilabel
from embedclf.training.inputs import Inputs
from embedclf.training.words_alone import labels_by_words, predict_by_words


@dataclass(frozen=True, slots=True)
class Baseline:
    """The accuracy of simpler classifiers on the same texts.

    Attributes
    ----------
    label : str
        The commonest label.
    accuracy : float
        Accuracy of always predicting it, in [0, 1].
    words_accuracy : float or None
        Accuracy of logistic regression on TF-IDF alone, trained on the same training texts; None if these are unknown,
        or the classifier itself uses words only.
    """

    label: str
    accuracy: float
    words_accuracy: float | None = None

    @classmethod
    def of(cls, labels: Sequence[str]) -> "Baseline":
        """Return the baseline for texts with these labels, without words."""
        names, counts = np.unique(np.array(labels, dtype=object), return_counts=True)
        commonest = int(counts.argmax())
        return cls(names[commonest], float(counts[commonest] / len(labels)))

    def to_dict(self) -> dict[str, Any]:
        """Return the baseline as plain types for JSON."""
        return {"label": self.label, "accuracy": self.accuracy, "words_accuracy": self.words_accuracy}


def accuracy_of_words(
    texts: Sequence[str], labels: Sequence[str], trained_on: Sequence[str], their_labels: Sequence[str]
) -> float:
    """Return the accuracy on texts of a classifier by words alone, trained on others; see `predict_by_words`."""
    numbers = {name: number for number, name in enumerate(sorted({*labels, *their_labels}))}
    y: Ints = np.array([numbers[label] for label in (*their_labels, *labels)], dtype=np.intp)
    inputs = Inputs.of([*trained_on, *texts], None, words=True)
    others = np.arange(len(y)) >= len(trained_on)
    return float(np.mean(predict_by_words(inputs, y, others) == y[others]))


def micro_f1_of_words(
    texts: Sequence[str], labels: Sequence[LabelSet], trained_on: Sequence[str], their_labels: Sequence[LabelSet]
) -> float:
    """Return the micro-F1 on texts of a classifier by words alone, trained on others; see `labels_by_words`."""
    every = [*their_labels, *labels]
    given = indicators(every, sorted(labels_in(every)))
    inputs = Inputs.of([*trained_on, *texts], None, words=True)
    others = np.arange(len(every)) >= len(trained_on)
    return multilabel.micro_f1(given[others], labels_by_words(inputs, given, others))
