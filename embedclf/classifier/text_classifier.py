"""TextClassifier: what training gives and services use."""

import os
from collections.abc import Iterable

import numpy as np

from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_file import ModelCard, read_model, write_model
from embedclf.embedding import Embedder, Vectors, open_embedder
from embedclf.errors import EmbedderError, ModelFileError
from embedclf.texts import check_texts


class TextClassifier:
    """A trained classifier: an embedder and a linear model. Threads may share one.

    Made by `embedclf.train` or `embedclf.load`.

    Attributes
    ----------
    embedder : Embedder
    model : LinearModel
    card : ModelCard
        What is known about it: head, settings, measured quality.
    """

    def __init__(self, embedder: Embedder, model: LinearModel, card: ModelCard) -> None:
        self.embedder = embedder
        self.model = model
        self.card = card

    def __repr__(self) -> str:
        return f"<TextClassifier: {len(self.classes)} classes, {self.card.head} on {self.card.embedder}>"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted: the columns of `predict_proba`."""
        return self.model.classes

    def predict(self, texts: Iterable[str]) -> list[str | None]:
        """Label texts.

        Returns
        -------
        list of str or None
            One label a text, in the order of the texts; None where the classifier abstains.

        Raises
        ------
        TypeError
            If `texts` is a single string.
        TextError
            If a text is empty or not Unicode; none is labelled then.
        EmbedderError
            If the embedder fails.
        """
        return self.decide(self.predict_proba(texts))

    def predict_proba(self, texts: Iterable[str]) -> Vectors:
        """Give each class's calibrated probability for each text.

        Returns
        -------
        ndarray of shape (n_texts, n_classes), float32
            Columns in the order of `classes`.

        Raises
        ------
        TypeError, TextError, EmbedderError
            As `predict` does.
        """
        checked = check_texts(texts)
        if not checked:
            return np.empty((0, len(self.classes)), dtype=np.float32)
        return self.model.probabilities(self.embedder.embed(checked))

    def decide(self, probabilities: Vectors) -> list[str | None]:
        """Choose a label for each row of `predict_proba`; None where the classifier abstains."""
        if not len(probabilities):
            return []
        best, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        threshold = 0.0 if self.card.threshold is None else self.card.threshold
        return [
            self.classes[index] if sure >= threshold else None for index, sure in zip(best, confidence, strict=True)
        ]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the classifier to a ``.safetensors`` file, moved into place when it is whole.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        write_model(path, self.model, self.card)


def load(path: str | os.PathLike[str]) -> TextClassifier:
    """Load a trained classifier from its file. Nothing in the file is run, and no address in it is called.

    Raises
    ------
    ModelFileError
        If the file is not there or not usable.
    EmbedderError
        If its embedder is unknown here or not installed.
    """
    model, card = read_model(path)
    try:
        embedder = open_embedder(str(card.embedder), dimensions=card.embedder.dimensions)
    except EmbedderError as error:
        raise EmbedderError(f"{os.fspath(path)} was trained with {card.embedder}: {error}") from error
    if differences := card.embedder.differences(embedder.spec):
        raise ModelFileError(
            f"{os.fspath(path)} was trained with another {card.embedder} than the one here: {differences}",
            path=os.fspath(path),
        )
    return TextClassifier(embedder, model, card)
