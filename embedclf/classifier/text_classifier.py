"""TextClassifier: what training gives and services use."""

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_file import ModelCard, read_model, write_model
from embedclf.embedding import EXTERNAL, Embedder, Vectors, as_embedder, open_embedder
from embedclf.embedding.cache import VectorCache
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
        vectors = self.embedder.embed(checked)
        if vectors.shape[1] != self.model.weights.shape[1]:
            raise EmbedderError(
                f"{self.embedder.spec} gave vectors of {vectors.shape[1]} dimensions, and the classifier was trained "
                f"on {self.model.weights.shape[1]}"
            )
        return self.model.probabilities(vectors)

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


def load(
    path: str | os.PathLike[str],
    *,
    embedder: Any = None,
    cache: VectorCache | bool = False,
    base_url: str | None = None,
    allow_http: bool = False,
) -> TextClassifier:
    """Load a trained classifier from its file. Nothing in the file is run, and no address in it is called.

    Parameters
    ----------
    path : str or Path
    embedder : Embedder or langchain_core.embeddings.Embeddings, optional
        Needed if the classifier was trained with an embedder that is not one of ours; None opens the one that the
        file names.
    cache : VectorCache or bool
        Whether to read vectors from a cache and keep them there; True is the one that the command line uses. An
        embedder that is handed over has its own, or none.
    base_url, allow_http
        The server for ``aimlapi``; see `embedclf.open_embedder`.

    Raises
    ------
    ModelFileError
        If the file is not there or not usable, or was trained with another embedder.
    EmbedderError
        If its embedder is unknown here or not installed.
    """
    model, card = read_model(path)
    name, trained_with = os.fspath(path), card.embedder
    if embedder is None and trained_with.provider == EXTERNAL:
        raise EmbedderError(
            f"{name} was trained with an embedder that is not one of ours ({trained_with.model}): hand it over again, "
            "in Python, with embedclf.load(path, embedder=…)"
        )
    try:
        if embedder is None:
            opened = open_embedder(
                str(trained_with),
                dimensions=trained_with.dimensions,
                cache=cache,
                base_url=base_url,
                allow_http=allow_http,
            )
        else:
            opened = as_embedder(embedder)
    except EmbedderError as error:
        raise EmbedderError(f"{name} was trained with {trained_with}: {error}") from error
    here = opened.spec
    if trained_with.provider != EXTERNAL and here.endpoint != trained_with.endpoint:
        raise ModelFileError(
            f"{name} was trained with {trained_with} at {trained_with.endpoint}, and here it would be asked at "
            f"{here.endpoint}. An address in a file is never called by itself: if you trust it, give it with "
            "--base-url or AIMLAPI_BASE_URL (in Python: base_url=…)",
            path=name,
        )
    same_model = trained_with.provider == EXTERNAL or str(here) == str(trained_with)
    if not same_model or here.dimensions not in (None, trained_with.dimensions):
        raise ModelFileError(
            f"{name} was trained with {trained_with} of {trained_with.dimensions} dimensions, and the embedder given "
            f"is {here} of {here.dimensions}",
            path=name,
        )
    return TextClassifier(opened, model, card)
