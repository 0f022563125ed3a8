"""What the file of an old classifier says of its training: the settings, and the rows."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from embedclf.classifier.hierarchy import as_written
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_card import ModelCard
from embedclf.classifier.model_file import read_model
from embedclf.classifier.recorded_rows import HOW, find_rows, is_same
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.columns import names_in
from embedclf.data.corpus import Corpus, join, read_corpus
from embedclf.data.label_sets import Labels, labels_in
from embedclf.data.reading import as_read
from embedclf.data_frames import is_data_frame
from embedclf.embedding.base import Embedder
from embedclf.errors import ArgumentError
from embedclf.training.recipe import Recipe, check_recipe
from embedclf.training.weights import ClassWeight
from embedclf.validation import spelt_as

logger = logging.getLogger(__name__)

HOLDOUT = 0.2
"""The share to hold out to compare on if there was no held-out test; the default of `embedclf.train`."""


class OldTraining:
    """The training of an old classifier, to be done again.

    Attributes
    ----------
    name : str
        The old classifier, for messages.
    model : LinearModel
    card : ModelCard
    record : TrainingRecord or None
        None if the file does not hold it.
    recipe : Recipe
        The old settings.
    given : Embedder or None
        That of a classifier that was passed instead of its file.
    """

    _how_to_name_rows = HOW

    def __init__(self, name: str, folder: Path, model: LinearModel, card: ModelCard, given: Embedder | None) -> None:
        self.name, self._folder, self.model, self.card, self.given = name, folder, model, card, given
        self.record = card.training
        self.recipe = _recipe_of(card, name, uses_vectors=model.uses_vectors)

    @classmethod
    def of(cls, model: str | os.PathLike[str] | TextClassifier) -> Self:
        """Read the settings of a classifier.

        Raises
        ------
        ModelFileError
            If the file is not usable.
        ArgumentError
            If it was trained in a way that its file does not hold.
        """
        if isinstance(model, TextClassifier):
            card, linear, name, folder, given = model.card, model.model, "the classifier", Path(), model.embedder
        else:
            linear, card = read_model(model)
            name, folder, given = os.fspath(model), Path(model).parent, None
        if card.training is not None and card.training.label_texts:
            raise ArgumentError(
                f"{name} was trained with texts of its labels, which its file does not hold: train again with embedclf "
                "train FILE --labels LABELS (label_texts=)"
            )
        return cls(name, folder, linear, card, given)

    @property
    def holdout(self) -> float:
        """The share of rows to hold out."""
        return (self.record.holdout if self.record is not None else 0.0) or HOLDOUT

    @property
    def seed(self) -> int:
        """The seed of the held-out split and the folds."""
        return 0 if self.record is None else self.record.seed

    @property
    def weight_column(self) -> str | None:
        """The column with the weights of the old training; None if it had none."""
        return None if self.record is None else self.record.weight_column

    @property
    def old_threshold(self) -> dict[str, Any]:
        """What the threshold was chosen by, as arguments of `embedclf.train`."""
        record = self.record
        if record is not None:
            return {"target_accuracy": record.target_accuracy, "min_confidence": record.min_confidence}
        # Files of older versions say only what came of it.
        chosen = self.card.out_of_scope_label is not None
        return {"target_accuracy": None, "min_confidence": None if chosen else self.card.threshold}

    def class_weight(self, labels: Labels) -> ClassWeight:
        """Return the old weights of those labels that occur."""
        weight, known = None if self.record is None else self.record.class_weight, labels_in(labels)
        if not isinstance(weight, Mapping):
            return weight
        return {name: one for name, one in weight.items() if name in known}

    def answers(self, labels: Labels) -> dict[str, Any]:
        """Return the old costs and targets of those labels that occur."""
        known, record = labels_in(labels), self.record
        given = (None, None) if record is None else (record.target_precision, record.target_recall)
        targets = [{name: one for name, one in (each or {}).items() if name in known} for each in given]
        costs = None if self.card.costs is None else self.card.costs.without(known)
        return {"costs": costs, "target_precision": targets[0] or None, "target_recall": targets[1] or None}

    def columns(
        self, texts: object, text: str | Sequence[str] | None, label: str | Sequence[str] | None
    ) -> tuple[str | Sequence[str] | None, str | Sequence[str] | None]:
        """Return the columns of a data frame to read: those asked for, else those of the old training, if any."""
        if is_data_frame(texts):
            names, usual = {str(name) for name in texts.columns}, self.card.columns
            text = usual.text if text is None and set(names_in(usual.text)) <= names else text
            if label is None and self.card.multilabel is not None and self.card.multilabel.in_columns:
                label = [name for name in self.model.classes if name in names] or None
            label = usual.label if label is None and usual.label in names else label
        return text, label

    def read(self, files: Sequence[str]) -> Corpus:
        """Read files as those of the old training were read."""
        how = {} if self.record is None else as_read(self.record.reading)
        # Of several files, each may have its own of these columns.
        how["usual_label_columns"] = how.pop("label_columns", ())
        return join([read_corpus(file, usual=self.card.columns, **how) for file in files], alike=False)

    def find_rows(self, read: Callable[[Sequence[str]], Corpus]) -> Corpus:
        """Return the rows of the old training; see `embedclf.classifier.recorded_rows.find_rows`."""
        return find_rows(self.record, self.name, self._folder, read, self._how_to_name_rows, self.card.hierarchy)

    def rows_changed(self, texts: Sequence[str], labels: Labels) -> bool | None:
        """Return whether rows are others than those of the old training; None if that is not known."""
        return None if self.record is None else not is_same(self.record, texts, labels, self.card.hierarchy)

    def n_old_of(self, texts: Sequence[str], labels: Labels) -> int:
        """Return how many of the rows are those of the old classifier, which come first; 0 if that is not known.

        They are known if others have only been added after them.
        """
        n = 0 if self.record is None else self.record.n_rows
        return 0 if self.rows_changed(texts[:n], labels[:n]) is not False else n

    def written(self, labels: Labels) -> Labels:
        """Return labels as the old classifier's are written."""
        labels = self.spelt(labels)
        return labels if self.card.hierarchy is None else as_written(labels, self.card.hierarchy)

    def spelt(self, labels: Labels) -> Labels:
        """Return labels with truth values as the old classifier spells them."""
        each = [one for one in labels if isinstance(one, str)]
        return spelt_as(each, {*self.model.classes, self.card.out_of_scope_label or ""}) if each else labels

    def check_labels(self, name: str, labels: Labels) -> None:
        """Check that texts have one label each if the old classifier gives one, and several if it gives several.

        Raises
        ------
        ArgumentError
            If not.
        """
        are_several = any(not isinstance(one, str) for one in labels)
        if are_several and self.card.multilabel is None:
            raise ArgumentError(
                f"{name} has several labels per text, but the model gives one: train another one on all rows with "
                "embedclf train"
            )
        if not are_several and self.card.multilabel is not None:
            raise ArgumentError(
                f"{name} has one label per text, but the model gives several: if each text has that label and no "
                "other, say so with --label-separator '|' (in Python: a list of labels per text)"
            )


def _recipe_of(card: ModelCard, name: str, *, uses_vectors: bool) -> Recipe:
    record = card.training
    if record is None:
        logger.warning("%s does not say with which settings it was trained: the usual ones are used", name)
        return check_recipe(card.head, features="auto" if uses_vectors else "words")
    return check_recipe(
        card.head, "auto", record.features, record.label_names, "auto" if record.C is None else record.C
    )
