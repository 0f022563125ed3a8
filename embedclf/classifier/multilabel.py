"""Classifiers of texts that may have several labels each, or none."""

from collections.abc import Iterable
from typing import Any

from embedclf.arrays import Vectors
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_card import ModelCard
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.base import Embedder
from embedclf.embedding.requests.cancellation import in_a_thread
from embedclf.validation import list_of_strings


class MultiLabelClassifier(TextClassifier):
    """A trained classifier of texts that may have several labels each, or none; otherwise a `TextClassifier`.

    `predict_proba` returns the probability of each label by itself, so that rows need not sum to 1.
    """

    def predict(self, texts: Iterable[str]) -> list[list[str]]:  # type: ignore[override]
        """Classify texts.

        Returns
        -------
        list of list of str
            The labels of each text, most likely first, in the order of the texts.

        Raises
        ------
        TypeError, TextError, EmbedderError
            As for `TextClassifier.predict`.
        """
        return self.decide(self.predict_proba(texts))

    async def apredict(self, texts: Iterable[str]) -> list[list[str]]:  # type: ignore[override]
        """Classify texts without blocking the event loop; otherwise the same as `predict`."""
        return await in_a_thread(self.predict, list_of_strings(texts, "texts"))

    def decide(self, probabilities: Vectors) -> list[list[str]]:  # type: ignore[override]
        """Return the labels for each row of `predict_proba`, most likely first."""
        decision = self.decision
        answers = decision.answers(decision.decide(probabilities))
        return [[label for label, _ in answer.labels or ()] for answer in answers]

    def with_min_confidence(self, min_confidence: float | None) -> "MultiLabelClassifier":
        """Return the same classifier with one threshold for all labels, but those with targets of their own.

        Parameters
        ----------
        min_confidence : float or None
            The probability from which on a label is given, in [0, 1]; None uses the thresholds found in training.

        Raises
        ------
        ArgumentError
            If `min_confidence` is not in [0, 1].
        """
        changed: Any = super().with_min_confidence(min_confidence)
        return changed  # type: ignore[no-any-return]


def make_classifier(embedder: Embedder, model: LinearModel, card: ModelCard) -> TextClassifier:
    """Return the classifier of an embedder, a model and its card."""
    kind = MultiLabelClassifier if model.is_multilabel else TextClassifier
    return kind(embedder, model, card)
