"""TextClassifier: what training returns and services use."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from embedclf.arrays import Vectors
from embedclf.classifier.decisions import check_min_confidence, rank
from embedclf.classifier.explanation import Explanation, explanations
from embedclf.classifier.linear import LinearModel, softmax
from embedclf.classifier.model_file import ModelCard, write_model
from embedclf.embedding.base import Embedder, check_vectors
from embedclf.embedding.requests.cancellation import stopped_with
from embedclf.errors import EmbedclfError, EmbedderError, TextError
from embedclf.formatting import counted
from embedclf.validation import check_texts, list_of_strings, text_faults

Result = TypeVar("Result")


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
            If a text is empty, not Unicode, or refused by the embedder; none is labelled then.
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
        probabilities, reasons = self.predict_proba_usable(checked)
        if reasons:
            raise TextError(reasons)
        return probabilities

    def predict_proba_usable(self, texts: Iterable[str]) -> tuple[Vectors, dict[int, str]]:
        """Give the probabilities for those texts that can be labelled, so that a bad one does not sink the rest.

        Returns
        -------
        probabilities : ndarray of shape (n_texts, n_classes), float32
            As of `predict_proba`; NaN for the texts that cannot be labelled. `decide` makes None of these.
        reasons : dict of int to str
            Why each of those cannot, by its index.

        Raises
        ------
        TypeError, EmbedderError
            As `predict` does.
        """
        strings = list_of_strings(texts, "texts")
        if not strings:
            return np.empty((0, len(self.classes)), dtype=np.float32), {}
        vectors, reasons = self.embed_partial(strings)
        if len(reasons) == len(strings):
            return np.full((len(strings), len(self.classes)), np.nan, dtype=np.float32), reasons
        probabilities = self.probabilities(vectors, strings)
        probabilities[list(reasons)] = np.nan
        return probabilities, reasons

    def embed_partial(self, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
        """Embed those texts that can be, as `probabilities` needs them: without columns if words alone are used.

        Returns
        -------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
            NaN for the texts that cannot be embedded.
        reasons : dict of int to str
            Why each of those cannot, by its index.

        Raises
        ------
        EmbedderError
            If the embedder fails.
        """
        if self.model.uses_vectors:
            return self.embedder.embed_partial(texts)
        return np.empty((len(texts), 0), dtype=np.float32), text_faults(texts)

    def explain(self, texts: Iterable[str], *, vectors: Vectors | None = None) -> list[Explanation]:
        """Explain the likeliest label of each text by its words, whether or not the classifier abstains.

        Parameters
        ----------
        texts : iterable of str
        vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
            What the embedder makes of the texts, if that is known; None embeds them.

        Returns
        -------
        list of Explanation
            One a text, in the order of the texts.

        Raises
        ------
        EmbedclfError
            If there is not one vector a text.
        TypeError, TextError, EmbedderError
            As `predict` does.
        """
        checked = check_texts(texts)
        if not checked:
            return []
        if vectors is None:
            vectors, reasons = self.embed_partial(checked)
            if reasons:
                raise TextError(reasons)
        else:
            vectors = check_vectors(vectors, len(checked))
        return list(explanations(self.model, self.embedder, checked, vectors, self.scores(vectors, checked)))

    async def apredict(self, texts: Iterable[str]) -> list[str | None]:
        """Label texts, without holding up the event loop; otherwise as `predict`.

        The work is done in one of the loop's threads, whose number bounds how many calls are under way. Cancelled, it
        sends nothing more; what is under way then is paid for, and kept.
        """
        return await _in_a_thread(self.predict, texts)

    async def apredict_proba(self, texts: Iterable[str]) -> Vectors:
        """Give each class's calibrated probability, without holding up the event loop; otherwise as `predict_proba`."""
        return await _in_a_thread(self.predict_proba, texts)

    def probabilities(self, vectors: Vectors, texts: Sequence[str] | None = None) -> Vectors:
        """Give each class's calibrated probability for texts whose vectors are known.

        It is the softmax of `scores`, which says what is given and raised.
        """
        return softmax(self.scores(vectors, texts))

    def scores(self, vectors: Vectors, texts: Sequence[str] | None = None) -> Vectors:
        """Score each class for texts whose vectors are known; the softmax of the scores is the probability.

        Parameters
        ----------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
            What the embedder makes of them; not looked at if words alone are used.
        texts : sequence of str, optional
            Needed if words are used.

        Returns
        -------
        ndarray of shape (n_texts, n_classes), float32

        Raises
        ------
        EmbedderError
            If the vectors are not of the length that it was trained on.
        EmbedclfError
            If the texts are needed and not given, or are not one a vector.
        """
        model = self.model
        if model.uses_vectors and vectors.shape[1] != model.weights.shape[1]:
            raise EmbedderError(
                f"{self.embedder.spec} gave vectors of {vectors.shape[1]} dimensions, and the classifier was trained "
                f"on {model.weights.shape[1]}"
            )
        if model.words is None:
            return model.scores(vectors)
        if texts is None:
            raise EmbedclfError("the classifier uses words, so it needs the texts beside their vectors (texts=…)")
        if len(texts) != len(vectors):
            raise EmbedclfError(f"there are {counted(len(texts), 'text')} and {counted(len(vectors), 'vector')}")
        return model.scores(vectors, model.words.vocabulary.terms(texts))

    def decide(self, probabilities: Vectors) -> list[str | None]:
        """Choose a label for each row of `predict_proba`; None where the classifier abstains."""
        return rank(probabilities).labels(self.classes, self.card.threshold)

    def with_min_confidence(self, min_confidence: float | None) -> "TextClassifier":
        """Give the same classifier, which abstains below another confidence.

        Parameters
        ----------
        min_confidence : float or None
            In [0, 1]; None always answers.

        Raises
        ------
        ArgumentError
            If it is not a confidence.
        """
        check_min_confidence(min_confidence)
        return TextClassifier(self.embedder, self.model, replace(self.card, threshold=min_confidence))

    def to_dict(self) -> dict[str, Any]:
        """Give what is known of it as plain types, for JSON; the weights are left out."""
        return {"classes": list(self.classes), **self.card.to_dict()}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the classifier to a ``.safetensors`` file, moved into place when it is whole.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        write_model(path, self.model, self.card)


async def _in_a_thread(call: Callable[[list[str]], Result], texts: Iterable[str]) -> Result:
    from anyio.to_thread import run_sync

    strings = list_of_strings(texts, "texts")
    with stopped_with():
        return await run_sync(call, strings, abandon_on_cancel=True)
