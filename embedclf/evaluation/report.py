"""How a classifier does on labelled texts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from embedclf import metrics
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding import Vectors
from embedclf.errors import EmbedclfError, counted
from embedclf.texts import check_texts, list_of_strings


@dataclass(frozen=True, slots=True)
class Report:
    """How a classifier did on labelled texts.

    Attributes
    ----------
    accuracy, macro_f1, weighted_f1 : float
        Shares in [0, 1].
    log_loss : float
        Mean −ln of the true label's probability, over the texts whose label the classifier knows.
    ece : float
        Expected calibration error, in [0, 1].
    n_examples : int
    per_class : dict of str to ClassFigures
        For each label that occurs, true or predicted, in sorted order.
    unknown_labels : dict of str to int
        Labels that the classifier does not know, each counted wrong, and how often they occur.
    """

    accuracy: float
    macro_f1: float
    weighted_f1: float
    log_loss: float
    ece: float
    n_examples: int
    per_class: dict[str, metrics.ClassFigures]
    unknown_labels: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Give the report as plain types, for JSON."""
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "weighted_f1": self.weighted_f1,
            "log_loss": self.log_loss,
            "ece": self.ece,
            "n_examples": self.n_examples,
            "per_class": {name: figures._asdict() for name, figures in self.per_class.items()},
            "unknown_labels": dict(self.unknown_labels),
        }


def evaluate(
    classifier: TextClassifier, texts: Iterable[str], labels: Iterable[str], *, vectors: Vectors | None = None
) -> Report:
    """Measure a classifier on labelled texts.

    Parameters
    ----------
    classifier : TextClassifier
    texts, labels : iterables of str, of equal length
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the classifier's embedder makes of the texts, if that is at hand; None embeds them.

    Raises
    ------
    EmbedclfError
        If there are no texts, not one label a text, or the classifier knows none of the labels.
    TextError
        If a text is empty, not Unicode, or refused by the embedder.
    """
    texts, labels = check_texts(texts), list_of_strings(labels, "labels")
    if len(texts) != len(labels) or not texts:
        raise EmbedclfError(f"there are {counted(len(texts), 'text')} and {counted(len(labels), 'label')}")
    check_labels(classifier, labels)
    strange = sorted(set(labels) - set(classifier.classes))
    names = sorted({*classifier.classes, *strange})
    numbers = {name: number for number, name in enumerate(names)}
    y_true = np.array([numbers[label] for label in labels], dtype=np.intp)
    columns = np.array([numbers[name] for name in classifier.classes], dtype=np.intp)
    column_of = {name: column for column, name in enumerate(classifier.classes)}

    probabilities = classifier.predict_proba(texts) if vectors is None else classifier.probabilities(vectors)
    y_pred = columns[probabilities.argmax(axis=1)]
    known = np.array([label in column_of for label in labels])
    true_columns = np.array([column_of[label] for label in labels if label in column_of], dtype=np.intp)
    per_class = metrics.per_class(y_true, y_pred, names)
    return Report(
        accuracy=metrics.accuracy(y_true, y_pred),
        macro_f1=metrics.macro_f1(per_class),
        weighted_f1=metrics.weighted_f1(per_class),
        log_loss=metrics.log_loss(true_columns, probabilities[known]),
        ece=metrics.expected_calibration_error(y_true == y_pred, probabilities.max(axis=1)),
        n_examples=len(texts),
        per_class=per_class,
        unknown_labels={name: labels.count(name) for name in strange},
    )


def check_labels(classifier: TextClassifier, labels: Iterable[str]) -> None:
    """See that the classifier knows at least one of the labels.

    Raises
    ------
    EmbedclfError
    """
    given = set(labels)
    if given.isdisjoint(classifier.classes):
        raise EmbedclfError(
            f"the model knows none of the labels ({_some(sorted(given))}); it knows {_some(classifier.classes)}. "
            "Is it the right model?"
        )


def _some(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(map(repr, shown[:5])) + (f" and {len(shown) - 5:,} more" if len(shown) > 5 else "")
