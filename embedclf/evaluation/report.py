"""How a classifier does on labelled texts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.classifier.decisions import is_answered, rank
from embedclf.classifier.explanation import Neighbour, Span, by_word, weighs_words
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.base import check_vectors
from embedclf.errors import EmbedclfError
from embedclf.evaluation.neighbourhood import Examples, examples_of, neighbours_of
from embedclf.formatting import counted
from embedclf.stats import intervals, metrics
from embedclf.stats.intervals import Interval
from embedclf.validation import check_texts, group_duplicates, list_of_strings

_N_CONFUSIONS = 10
_N_WORDS = 8
# Explaining a text takes several times as long as answering it.
_MOST_EXPLAINED = 2_000
_MOST_CHARACTERS = 1 << 20
_MOST_IN_DICT = 100
_THRESHOLDS = (*(step / 20 for step in range(20)), 0.99)


class Confusion(NamedTuple):
    """How often the texts of a label were taken for another."""

    label: str
    predicted: str
    n_texts: int


class WrongRow(NamedTuple):
    """A text that is taken for what it is not: its likeliest label is not its own, or it is out of scope and answered.

    Attributes
    ----------
    row : int
        Which of the texts.
    text, label, predicted : str
    confidence : float
        The probability of the predicted label.
    neighbours : tuple of Neighbour
        The nearest training examples, if these are known.
    spans : tuple of Span
        What its words say for the predicted label, against the next likeliest; see `Explanation`. Empty where words
        have no weights of their own, and beyond the first 2,000 rows, or fewer where texts are long.
    """

    row: int
    text: str
    label: str
    predicted: str
    confidence: float
    neighbours: tuple[Neighbour, ...]
    spans: tuple[Span, ...] = ()


class WordOfLabel(NamedTuple):
    """A word that speaks for a label.

    Attributes
    ----------
    word : str
        In lower case.
    weight : float
        What it adds to the label's score, over that of the next likeliest label: its sum over the texts that are
        answered with the label, divided by their number.
    """

    word: str
    weight: float


class OutOfScope(NamedTuple):
    """How a classifier rejects what it is not for.

    Attributes
    ----------
    n_examples : int
        Texts with the label that stands for out of scope.
    n_answered : int or None
        How many of them are answered all the same; None without a threshold.
    recall : float or None
        Share of them on which it abstains; None without a threshold.
    auroc : float
        Chance that a text that is in scope has a higher confidence than one that is not.
    in_scope_accuracy : float
        Share of the other texts that are answered and answered right.
    """

    n_examples: int
    n_answered: int | None
    recall: float | None
    auroc: float
    in_scope_accuracy: float


@dataclass(frozen=True, slots=True)
class Report:
    """How a classifier did on labelled texts; the likeliest label counts, abstaining or not.

    Attributes
    ----------
    accuracy, macro_f1, weighted_f1 : float
        Shares in [0, 1].
    accuracy_interval, macro_f1_interval : Interval
        95 %, by the bootstrap over the different texts.
    log_loss : float
        Mean −ln of the true label's probability, over the texts whose label the classifier knows.
    ece : float
        Expected calibration error, in [0, 1].
    n_examples : int
        Those out of scope not counted.
    per_class : dict of str to ClassFigures
        For each label that occurs, true or predicted, in sorted order.
    unknown_labels : dict of str to int
        Labels that the classifier does not know, each counted wrong, and how often they occur.
    classes : tuple of str
        The labels that occur or that the classifier knows, sorted.
    confusion_matrix : tuple of tuples of int
        How often each of these (rows) was taken for each (columns).
    reliability : tuple of ReliabilityBin
    coverage : tuple of CoveragePoint
    threshold : float or None
        The confidence below which the classifier abstains.
    wrong : tuple of WrongRow
        The surest first: these are the likeliest to be labelled wrong. With a threshold, the texts out of scope that
        are answered are among them, under their own label, though all other figures but `out_of_scope` leave them out;
        without one, none of them could be rejected, and none is here.
    out_of_scope : OutOfScope or None
        None if there are no such texts.
    words_by_label : dict of str to tuple of WordOfLabel
        For each label that texts are answered with, the words that speak most for it, up to eight; of at most 2,000
        texts, or fewer where they are long. Empty where words have no weights of their own.
    """

    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    weighted_f1: float
    log_loss: float
    ece: float
    n_examples: int
    per_class: dict[str, metrics.ClassFigures]
    unknown_labels: dict[str, int]
    classes: tuple[str, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    reliability: tuple[metrics.ReliabilityBin, ...]
    coverage: tuple[metrics.CoveragePoint, ...]
    threshold: float | None
    wrong: tuple[WrongRow, ...]
    out_of_scope: OutOfScope | None
    words_by_label: dict[str, tuple[WordOfLabel, ...]] = field(default_factory=dict)

    @property
    def confusions(self) -> tuple[Confusion, ...]:
        """The ten most frequent confusions, the most frequent first."""
        found = [
            Confusion(label, predicted, count)
            for label, row in zip(self.classes, self.confusion_matrix, strict=True)
            for predicted, count in zip(self.classes, row, strict=True)
            if count and label != predicted
        ]
        return tuple(sorted(found, key=lambda one: -one.n_texts)[:_N_CONFUSIONS])

    def at_rows(self, rows: Sequence[int]) -> "Report":
        """Give the same report, where the texts were only some of all: those at these rows."""
        return replace(self, wrong=tuple(one._replace(row=rows[one.row]) for one in self.wrong))

    def to_dict(self) -> dict[str, Any]:
        """Give the report as plain types, for JSON."""
        return {
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "macro_f1_interval": list(self.macro_f1_interval),
            "weighted_f1": self.weighted_f1,
            "log_loss": self.log_loss,
            "ece": self.ece,
            "n_examples": self.n_examples,
            "per_class": {name: figures._asdict() for name, figures in self.per_class.items()},
            "unknown_labels": dict(self.unknown_labels),
            "confusions": [one._asdict() for one in self.confusions],
            "confusion_matrix": {"labels": list(self.classes), "counts": [list(row) for row in self.confusion_matrix]},
            "reliability": [one._asdict() for one in self.reliability],
            "coverage": [one._asdict() for one in self.coverage],
            "threshold": self.threshold,
            "wrong": [_wrong_as_dict(one, with_words=place < _MOST_IN_DICT) for place, one in enumerate(self.wrong)],
            "out_of_scope": None if self.out_of_scope is None else self.out_of_scope._asdict(),
            "words_by_label": {
                label: [word._asdict() for word in words] for label, words in self.words_by_label.items()
            },
        }


def _wrong_as_dict(one: WrongRow, *, with_words: bool) -> dict[str, Any]:
    made = {**one._asdict(), "neighbours": [neighbour._asdict() for neighbour in one.neighbours]}
    del made["spans"]
    if one.spans and with_words:
        made["words"] = [span._asdict() for span in one.spans]
    return made


def evaluate(
    classifier: TextClassifier,
    texts: Iterable[str],
    labels: Iterable[str],
    *,
    vectors: Vectors | None = None,
    train_set: Examples | tuple[Iterable[str], Iterable[str]] | None = None,
) -> Report:
    """Measure a classifier on labelled texts.

    Texts under the label that it was told stands for out of scope are measured apart: what it is to do with them is to
    abstain.

    Parameters
    ----------
    classifier : TextClassifier
    texts, labels : iterables of str, of equal length
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the classifier's embedder makes of the texts, if that is at hand; None embeds them.
    train_set : Examples or (texts, labels), optional
        What the classifier was trained on: each wrong row gets its three nearest examples.

    Raises
    ------
    EmbedclfError
        If there are no texts, not one label or vector a text, or the classifier knows none of the labels.
    TextError
        If a text is empty, not Unicode, or refused by the embedder.
    EmbedderError
        If the embedder fails, or vectors are not of the length that the classifier was trained on.
    """
    texts, labels = check_texts(texts), list_of_strings(labels, "labels")
    if len(texts) != len(labels) or not texts:
        raise EmbedclfError(f"there are {counted(len(texts), 'text')} and {counted(len(labels), 'label')}")
    check_labels(classifier, labels)
    vectors = classifier.embedder.embed(texts) if vectors is None else check_vectors(vectors, len(texts))
    probabilities = classifier.probabilities(vectors, texts)
    threshold, foreign = classifier.card.threshold, classifier.card.out_of_scope_label
    inside = np.array([label != foreign for label in labels])
    intervals.warn_of_few(group_duplicates([texts[row] for row in np.flatnonzero(inside)]), "to measure on")
    report = report_on(texts, labels, classifier.classes, probabilities, inside=inside, threshold=threshold)
    if weighs_words(classifier.model, classifier.embedder):
        report = _with_words(report, classifier, texts, vectors)
    if train_set is None:
        return report
    near = neighbours_of(vectors[[one.row for one in report.wrong]], examples_of(classifier, train_set))
    wrong = (one._replace(neighbours=of_one) for one, of_one in zip(report.wrong, near, strict=True))
    return replace(report, wrong=tuple(wrong))


def _with_words(report: Report, classifier: TextClassifier, texts: Sequence[str], vectors: Vectors) -> Report:
    """Add what words say for wrong rows and for labels."""
    most = min(_MOST_EXPLAINED, 1 + _MOST_CHARACTERS * len(texts) // sum(map(len, texts)))
    wrong_rows = [one.row for one in report.wrong[:most]]
    # Spread over all of them, since files are often sorted by label.
    spread = np.linspace(0, len(texts) - 1, min(len(texts), most)).astype(np.intp).tolist()
    rows = sorted({*wrong_rows, *spread})
    why = dict(zip(rows, classifier.explain([texts[row] for row in rows], vectors=vectors[rows]), strict=True))
    wrong = [one._replace(spans=why[one.row].spans) if place < most else one for place, one in enumerate(report.wrong)]
    found: dict[str, list[dict[str, float]]] = {}
    for row in spread:
        found.setdefault(why[row].label, []).append(by_word(texts[row], why[row].spans))
    by_label = {label: _strongest(found[label]) for label in sorted(found)}
    return replace(report, wrong=tuple(wrong), words_by_label=by_label)


def _strongest(of_texts: Sequence[dict[str, float]]) -> tuple[WordOfLabel, ...]:
    """Choose the words that speak most for the label that texts are answered with."""
    n_texts = Counter(word for words in of_texts for word in words)
    sums: dict[str, float] = {}
    for words in of_texts:
        for word, weight in words.items():
            sums[word] = sums.get(word, 0.0) + weight
    speaking = [word for word, weight in sums.items() if weight > 0]
    # A word of a single text may be there by chance, but is better than none.
    common = [word for word in speaking if n_texts[word] > 1]
    chosen = sorted(common if len(common) >= _N_WORDS else speaking, key=lambda word: (-sums[word], word))
    return tuple(WordOfLabel(word, sums[word] / len(of_texts)) for word in chosen[:_N_WORDS])


def report_on(
    texts: Sequence[str],
    labels: Sequence[str],
    classes: Sequence[str],
    probabilities: Vectors,
    *,
    inside: npt.NDArray[np.bool_] | None = None,
    threshold: float | None = None,
) -> Report:
    """Measure probabilities, wherever they come from.

    Parameters
    ----------
    texts, labels : sequences of str, of length n
    classes : sequence of str, of length n_classes
    probabilities : ndarray of shape (n, n_classes)
    inside : ndarray of shape (n,), bool, optional
        Which texts are in scope; None says that all are. Some are.
    threshold : float, optional
        The confidence below which the classifier abstains.
    """
    rows = np.arange(len(texts)) if inside is None else np.flatnonzero(inside)
    mine = [labels[row] for row in rows.tolist()]
    groups = group_duplicates([texts[row] for row in rows.tolist()])
    strange = sorted(set(mine) - set(classes))
    names = sorted({*classes, *strange})
    numbers = {name: number for number, name in enumerate(names)}
    y_true = np.array([numbers[label] for label in mine], dtype=np.intp)
    columns = np.array([numbers[name] for name in classes], dtype=np.intp)
    column_of = {name: column for column, name in enumerate(classes)}

    ranking = rank(probabilities)
    best, of_all = columns[ranking.likeliest], ranking.confidence
    probabilities, confidence, y_pred = probabilities[rows], of_all[rows], best[rows]
    correct = y_true == y_pred
    known = np.array([label in column_of for label in mine])
    true_columns = np.array([column_of[label] for label in mine if label in column_of], dtype=np.intp)
    per_class = metrics.per_class(y_true, y_pred, names)
    matrix = np.zeros((len(names), len(names)), dtype=np.intp)
    np.add.at(matrix, (y_true, y_pred), 1)
    mistaken = np.zeros(len(texts), dtype=bool)
    mistaken[rows] = ~correct
    if inside is not None and threshold is not None:
        mistaken |= ~inside & is_answered(of_all, threshold)
    wrong = np.flatnonzero(mistaken)
    wrong = wrong[np.argsort(-of_all[wrong], kind="stable")]
    thresholds = sorted({*_THRESHOLDS, *([] if threshold is None else [threshold])})
    return Report(
        accuracy=metrics.accuracy(y_true, y_pred),
        accuracy_interval=intervals.interval_of_mean(correct, groups),
        macro_f1=metrics.macro_f1(per_class),
        macro_f1_interval=intervals.interval_of_macro_f1(y_true, y_pred, groups),
        weighted_f1=metrics.weighted_f1(per_class),
        log_loss=metrics.log_loss(true_columns, probabilities[known]),
        ece=metrics.expected_calibration_error(correct, confidence),
        n_examples=len(rows),
        per_class=per_class,
        unknown_labels={name: mine.count(name) for name in strange},
        classes=tuple(names),
        confusion_matrix=tuple(tuple(row) for row in matrix.tolist()),
        reliability=metrics.reliability(correct, confidence),
        coverage=metrics.coverage(correct, confidence, thresholds),
        threshold=threshold,
        wrong=tuple(
            WrongRow(row, texts[row], labels[row], names[best[row]], float(of_all[row]), ()) for row in wrong.tolist()
        ),
        out_of_scope=None if inside is None else _out_of_scope(inside, correct, of_all, threshold),
    )


def _out_of_scope(
    inside: npt.NDArray[np.bool_],
    correct: npt.NDArray[np.bool_],
    confidence: npt.NDArray[np.float64],
    threshold: float | None,
) -> OutOfScope | None:
    if inside.all():
        return None
    rejected = ~is_answered(confidence, threshold)
    return OutOfScope(
        n_examples=int((~inside).sum()),
        n_answered=None if threshold is None else int((~rejected[~inside]).sum()),
        recall=None if threshold is None else float(rejected[~inside].mean()),
        auroc=metrics.auroc(inside, confidence),
        in_scope_accuracy=float((correct & ~rejected[inside]).mean()),
    )


def check_labels(classifier: TextClassifier, labels: Iterable[str]) -> None:
    """See that the classifier knows at least one of the labels.

    Raises
    ------
    EmbedclfError
    """
    given, foreign = set(labels), classifier.card.out_of_scope_label
    if given == {foreign}:
        raise EmbedclfError(
            f"all rows have the out-of-scope label {foreign!r}: accuracy is measured on the others; add some"
        )
    if given.isdisjoint(classifier.classes):
        raise EmbedclfError(
            f"the model knows none of the labels ({_some(sorted(given))}); it knows {_some(classifier.classes)}. "
            "Is it the right model?"
        )


def _some(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(map(repr, shown[:5])) + (f" and {len(shown) - 5:,} more" if len(shown) > 5 else "")
