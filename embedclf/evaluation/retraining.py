"""Retraining with another embedder, or on more rows, and what it is worth: both on the same held-out rows."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Unpack

from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data_frames import DataFrame
from embedclf.embedding.base import EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import EmbedderSettings
from embedclf.embedding.usage import Usage
from embedclf.errors import TextError
from embedclf.records import Printable
from embedclf.stats.intervals import Interval
from embedclf.validation import Label


@dataclass(frozen=True, slots=True)
class Measured:
    """The accuracy of one of two classifiers on held-out rows.

    Attributes
    ----------
    embedder : str
        As ``provider:model``.
    dimensions : int or None
    n_rows : int
        How many rows it was trained on, held-out ones included.
    n_held_out : int
    accuracy : float
    accuracy_interval : Interval or None
        95 %; None if the accuracy is recorded in a model file.
    """

    embedder: str
    dimensions: int | None
    n_rows: int
    n_held_out: int
    accuracy: float
    accuracy_interval: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types, for JSON."""
        shown = asdict(self)
        return shown | {"accuracy_interval": None if self.accuracy_interval is None else list(self.accuracy_interval)}


@dataclass(frozen=True, slots=True)
class Retraining(Printable):
    """A classifier that was retrained, and how it compares with the old one on the same held-out rows.

    Attributes
    ----------
    classifier : TextClassifier
        The new one.
    new : Measured or None
        None if there are too few rows to hold any out.
    old : Measured or None
        The old one, trained on the other rows for this comparison. If that is impossible, what its file records, and
        None if that is nothing.
    difference : float or None
        The new accuracy minus the old one; None if they were not measured on the same rows.
    difference_interval : Interval or None
        95 %, paired over the distinct texts.
    reason : str or None
        Why they were not measured on the same rows; None if they were.
    rows_changed : bool or None
        Whether the rows are other ones than those of the old classifier; None if its file does not say.
    usage : Usage
        Tokens and cost of embedding.
    """

    classifier: TextClassifier
    new: Measured | None
    old: Measured | None
    difference: float | None
    difference_interval: Interval | None
    reason: str | None
    rows_changed: bool | None
    usage: Usage

    @property
    def verdict(self) -> Literal["better", "worse", "unclear"]:
        """Whether the new classifier is significantly better or worse than the old one, or neither."""
        if self.difference_interval is None or self.difference_interval.low <= 0 <= self.difference_interval.high:
            return "unclear"
        return "better" if self.difference_interval.low > 0 else "worse"

    def __repr__(self) -> str:
        return f"<Retraining: {self.classifier!r}, {self.verdict}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain types for JSON, without the classifier."""
        interval = self.difference_interval
        return {
            "new": None if self.new is None else self.new.to_dict(),
            "old": None if self.old is None else self.old.to_dict(),
            "difference": self.difference,
            "difference_interval": None if interval is None else list(interval),
            "verdict": self.verdict,
            "reason": self.reason,
            "rows_changed": self.rows_changed,
            "usage": self.usage.to_dict(),
        }


def retrain(
    model: str | os.PathLike[str] | TextClassifier,
    texts: Iterable[str] | DataFrame | EmbeddedTexts | None = None,
    labels: Iterable[Label] | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    embedder: EmbedderLike | None = None,
    dimensions: int | None = None,
    sample_weight: Any = None,
    **settings: Unpack[EmbedderSettings],
) -> Retraining:
    """Retrain a classifier with another embedder, or on other rows, and compare it with the old one.

    The settings are those of the old training, and so are the rows unless others are passed. For the comparison, both
    are fitted without the same held-out rows and measured on these. The old embedder may be gone: then its vectors come
    from the cache or, if they are not all there, its accuracy is what the file of the classifier records.

    Parameters
    ----------
    model : str, Path or TextClassifier
        The old classifier, or its file. Nothing is written to the file.
    texts, labels, text, label
        The rows, see `embedclf.train`; None reads the files that the classifier was trained on, which are looked for in
        the current directory and in that of the model file, and used only if their rows have not changed.
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        The new one; None uses that of the old classifier, to train on other rows.
    dimensions : int, optional
        Length of the vectors of an embedder given by name; None uses the model's own.
    sample_weight : array of shape (n_texts,), optional
        Needed if the old classifier was trained with one, since a model file does not hold it.
    **settings
        How to open embedders; see `EmbedderSettings`. ``cache`` is True unless given, and ``max_cost`` limits the cost
        of both embedders together.

    Raises
    ------
    ModelFileError
        If the model file is not usable.
    DataError
        If the rows are not passed, and cannot be found or have changed.
    ArgumentError
        If neither the embedder nor the rows are others than before, or `sample_weight` is needed.
    TrainingError, TextError, EmbedderError
        See `embedclf.train`.
    """
    # Imported here, since it makes what is defined above.
    from embedclf.evaluation.retraining_plan import plan_retraining

    settings = {"cache": True, **settings}
    plan = plan_retraining(model, embedder, dimensions, **settings)
    if texts is None:
        corpus = plan.find_rows(plan.read)
        examples = EmbeddedTexts(corpus.texts, corpus.labels)
    else:
        text, label = plan.columns(texts, text, label)
        examples = EmbeddedTexts.of(texts, labels, text=text, label=label)
    plan.check(examples.texts, examples.known_labels, sample_weight)
    plan.check_cost(examples.texts, examples.known_labels)
    texts, labels = examples.texts, examples.known_labels
    embedded = plan.embed(texts, labels)
    if embedded.refused:
        raise TextError(embedded.refused)
    return plan.train(texts, labels, embedded, plan.embed_old(texts, labels), sample_weight)
