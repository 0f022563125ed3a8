"""The public class of trained classifiers."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.arrays import Vectors
from embedclf.classifier.costs import NOT_IN_TREE, Costs, CostsLike, check_labels
from embedclf.classifier.decisions import AnyDecision, check_min_confidence
from embedclf.classifier.empty_texts import OnEmpty, around_empty
from embedclf.classifier.explanation import Explanation, explanations
from embedclf.classifier.label_sets import label_sets
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_card import ModelCard
from embedclf.classifier.model_file import write_model
from embedclf.classifier.predictions import Prediction, predictions
from embedclf.classifier.training_record import recordable, rows_digest
from embedclf.data.columns import as_text_column
from embedclf.data.label_sets import written_labels
from embedclf.embedding.base import Embedder, check_vectors
from embedclf.embedding.requests.cancellation import in_a_thread
from embedclf.errors import ArgumentError, EmbedclfError, EmbedderError, TextError
from embedclf.formatting import counted
from embedclf.records import Printable
from embedclf.validation import (
    check_texts,
    check_whole,
    list_of_strings,
    strings_or_none,
    text_faults,
    usable_texts,
)

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus


class TextClassifier(Printable):
    """A trained classifier: an embedder and a linear model. It is thread-safe.

    Returned by `embedclf.train` and `embedclf.load`.

    Attributes
    ----------
    embedder : Embedder
    model : LinearModel
    card : ModelCard
        Head, settings and measured quality.
    """

    def __init__(self, embedder: Embedder, model: LinearModel, card: ModelCard) -> None:
        self.embedder = embedder
        self.model = model
        self.card = card

    def __repr__(self) -> str:
        held_out = self.card.held_out
        measured = ""
        if held_out is not None:
            figure = f"accuracy {held_out.accuracy:.3f}"
            if held_out.micro_f1 is not None:
                figure = f"micro-F1 {held_out.micro_f1:.3f}"
            measured = f", held-out {figure}"
        kind = type(self).__name__
        return f"<{kind}: {len(self.classes)} classes, {self.card.head} on {self.features}{measured}>"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted; the order of the columns of `predict_proba`."""
        return self.model.classes

    @property
    def decision(self) -> AnyDecision:
        """How the probabilities become answers."""
        return self.card.decision(self.classes)

    @property
    def features(self) -> str:
        """What is used of a text: its words, a vector by an embedder, or both."""
        used = [self.card.embedder.described] if self.model.uses_vectors else []
        return " and ".join(["words", *used] if self.model.words is not None else used)

    def predict(self, texts: Iterable[str]) -> list[str | None]:
        """Classify texts.

        Returns
        -------
        list of str or None
            One label per text, in the order of the texts; None where the classifier abstains.

        Raises
        ------
        MissingValueError
            If any text is missing (None, NaN).
        TypeError
            If `texts` is a single string.
        TextError
            If any text is empty, not valid Unicode, or rejected by the embedder; no text is classified then.
        EmbedderError
            If the embedder fails.
        """
        return self.decide(self.predict_proba(texts))

    def predict_sets(self, texts: Iterable[str], coverage: float = 0.9) -> list[list[str]]:
        """Return, for each text, the smallest set of labels that holds the true one in a given share of cases.

        The share is that of texts like those of training: it holds for all of them together, not for each label, and
        whether or not the classifier abstains. If the most likely label alone is right more often than asked for, a set
        has only that label, and the sets of the texts for which it is least probable are empty.

        Parameters
        ----------
        texts : iterable of str
        coverage : float
            The share of sets that should hold the true label, above 0 and below 1.

        Returns
        -------
        list of list of str
            The labels of each set, most likely first, in the order of the texts.

        Raises
        ------
        ArgumentError
            If `coverage` is not between 0 and 1 or too high for the number of training examples, or the classifier has
            no calibration for sets, as one that an older version trained.
        TypeError, TextError, EmbedderError
            As for `predict`.
        """
        threshold = self.card.set_threshold(coverage)
        sets = label_sets(self.predict_proba(texts), threshold).labels(self.classes)
        return [[label for label, _ in labels] for labels in sets]

    def classify(
        self, texts: Iterable[str | None], top_k: int | None = None, *, coverage: float | None = None
    ) -> list[Prediction]:
        """Classify texts, so that one bad text does not fail the rest.

        Parameters
        ----------
        texts : iterable of str
        top_k : int, optional
            How many of the most likely labels to list in `top`.
        coverage : float, optional
            The share of sets of labels that should hold the true one: adds a `label_set`; see `predict_sets`.

        Returns
        -------
        list of Prediction
            One per text, in the order of the texts. A text that is missing (None, NaN), empty, not valid Unicode, or
            rejected by the embedder has an `error`.

        Raises
        ------
        ArgumentError
            If `top_k` is less than 1, or as for `predict_sets`.
        TypeError, EmbedderError
            As for `predict`.
        """
        if top_k is not None:
            check_whole(top_k, "top_k", least=1)
        threshold = None if coverage is None else self.card.set_threshold(coverage)
        probabilities, reasons = self.predict_proba_usable(texts)
        return predictions(probabilities, reasons, self.decision, top_k, threshold)

    def predict_proba(self, texts: Iterable[str], *, on_empty: OnEmpty = "error") -> Vectors:
        """Return the calibrated probability of each class for each text.

        Parameters
        ----------
        texts : iterable of str
        on_empty : {"error", "uniform"}
            Whether a text that is empty or only white space is an error, or has the same probability for each class,
            for explainers such as LIME and SHAP, which ask about texts of which they removed every word.

        Returns
        -------
        ndarray of shape (n_texts, n_classes), float32
            Columns in the order of `classes`. Rows sum to 1; of a classifier that has learned from out-of-scope
            examples, to the probability that the text is in scope.

        Raises
        ------
        TypeError, TextError, EmbedderError
            As for `predict`.
        """

        def answer(checked: list[str]) -> Vectors:
            probabilities, reasons = self.predict_proba_usable(checked)
            if reasons:
                raise TextError(reasons)
            return probabilities

        return around_empty(texts, len(self.classes), on_empty, answer)

    def predict_proba_usable(self, texts: Iterable[str | None]) -> tuple[Vectors, dict[int, str]]:
        """Return the probabilities of the texts that can be classified, so that one bad text does not fail the rest.

        Returns
        -------
        probabilities : ndarray of shape (n_texts, n_classes), float32
            As for `predict_proba`; NaN for texts that cannot be classified, for which `decide` returns None.
        reasons : dict of int to str
            Why a text cannot be classified, by its index.

        Raises
        ------
        TypeError, EmbedderError
            As for `predict`.
        """
        scores, reasons = self.scores_usable(texts)
        return self.model.to_probabilities(scores), reasons

    def scores_usable(self, texts: Iterable[str | None]) -> tuple[Vectors, dict[int, str]]:
        """Return the scores of the texts that can be classified; otherwise the same as `predict_proba_usable`."""
        given = strings_or_none(texts, "texts")
        if not given:
            return np.empty((0, len(self.classes)), dtype=np.float32), {}
        strings = [text or "" for text in given]
        vectors, reasons = self.embed_partial(strings)
        reasons |= text_faults(given) if None in given else {}
        if len(reasons) == len(strings):
            return np.full((len(strings), len(self.classes)), np.nan, dtype=np.float32), reasons
        scores = self.scores(vectors, strings)
        scores[list(reasons)] = np.nan
        return scores, reasons

    def embed_partial(self, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
        """Embed the texts that can be embedded, for use with `probabilities`.

        Returns
        -------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
            NaN for texts that cannot be embedded. There are no columns if the model uses only words.
        reasons : dict of int to str
            Why a text cannot be embedded, by its index.

        Raises
        ------
        EmbedderError
            If the embedder fails.
        """
        if self.model.uses_vectors:
            return self.embedder.embed_partial(texts)
        return np.empty((len(texts), 0), dtype=np.float32), usable_texts(texts)[1]

    def explain(self, texts: Iterable[str], *, vectors: Vectors | None = None) -> list[Explanation]:
        """Explain the most likely label of each text by its words, even if the classifier abstains.

        Parameters
        ----------
        texts : iterable of str
        vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
            Embeddings of the texts, if known; None embeds them.

        Returns
        -------
        list of Explanation
            One per text, in the order of the texts.

        Raises
        ------
        EmbedclfError
            If there is not exactly one vector per text.
        TypeError, TextError, EmbedderError
            As for `predict`.
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
        """Classify texts without blocking the event loop; otherwise the same as `predict`.

        The work runs in one of the event loop's worker threads, whose number limits how many calls run at once. After
        a cancellation no more requests are sent; those in flight are still billed, and their results are cached.
        """
        return await in_a_thread(self.predict, list_of_strings(texts, "texts"))

    async def aclassify(
        self, texts: Iterable[str | None], top_k: int | None = None, *, coverage: float | None = None
    ) -> list[Prediction]:
        """Classify texts without blocking the event loop; otherwise the same as `classify`."""
        classify = partial(self.classify, top_k=top_k, coverage=coverage)
        return await in_a_thread(classify, strings_or_none(texts, "texts"))

    async def apredict_proba(self, texts: Iterable[str], *, on_empty: OnEmpty = "error") -> Vectors:
        """Return the probabilities without blocking the event loop; otherwise the same as `predict_proba`."""
        return await in_a_thread(partial(self.predict_proba, on_empty=on_empty), list_of_strings(texts, "texts"))

    def probabilities(self, vectors: Vectors, texts: Sequence[str] | None = None) -> Vectors:
        """Return the calibrated probability of each class for texts whose vectors are known.

        They are made from `scores`, with the same parameters and errors.
        """
        return self.model.to_probabilities(self.scores(vectors, texts))

    def scores(self, vectors: Vectors, texts: Sequence[str] | None = None) -> Vectors:
        """Return the score of each class for texts whose vectors are known; the softmax gives the probabilities.

        Parameters
        ----------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
            Embeddings of the texts; only their number matters if the model uses only words.
        texts : sequence of str, optional
            Required if the model uses words.

        Returns
        -------
        ndarray of shape (n_texts, n_classes), float32

        Raises
        ------
        EmbedderError
            If the vectors do not have as many dimensions as those in training.
        EmbedclfError
            If texts are required but missing, or there is not exactly one per vector.
        """
        model = self.model
        if model.uses_vectors and vectors.shape[1] != model.weights.shape[1]:
            raise EmbedderError(
                f"{self.embedder.spec} returned vectors with {vectors.shape[1]} dimensions, but the classifier was "
                f"trained on {model.weights.shape[1]}"
            )
        if model.words is None:
            return model.scores(vectors)
        if texts is None:
            raise EmbedclfError("the classifier uses words, so it needs the texts as well as the vectors (texts=…)")
        if len(texts) != len(vectors):
            raise EmbedclfError(
                f"expected one vector per text, got {counted(len(texts), 'text')} and {counted(len(vectors), 'vector')}"
            )
        return model.scores(vectors, model.words.vocabulary.terms(texts))

    def decide(self, probabilities: Vectors) -> list[str | None]:
        """Return the label for each row of `predict_proba`; None where the classifier abstains."""
        decision = self.decision
        return [answer.label for answer in decision.answers(decision.decide(probabilities))]

    def with_min_confidence(self, min_confidence: float | None) -> "TextClassifier":
        """Return the same classifier with another abstention threshold.

        Parameters
        ----------
        min_confidence : float or None
            Abstain below this confidence, in [0, 1]; None has no such threshold. Costs of abstaining, and labels with
            targets of their own, are as before.

        Raises
        ------
        ArgumentError
            If `min_confidence` is not in [0, 1].
        """
        check_min_confidence(min_confidence)
        record = self.card.training
        if record is not None:  # the threshold that was set last is the one to set again
            record = replace(record, min_confidence=min_confidence, target_accuracy=None)
        card = self.card.answering_otherwise(threshold=min_confidence, training=record)
        return type(self)(self.embedder, self.model, card)

    def with_costs(self, costs: CostsLike | None) -> "TextClassifier":
        """Return the same classifier with other costs, by which it answers instead of by its class weights.

        Parameters
        ----------
        costs : mapping of (label, answer) to float, Costs or None
            See `embedclf.train`; None answers with the most likely label.

        Raises
        ------
        ArgumentError
            If the costs are not numbers of at least 0, or about other labels than the classifier's, or if its labels
            are in a tree, or a text may have several.
        """
        checked, record = None if costs is None else Costs.of(costs), self.card.training
        if checked is not None:
            if self.card.multilabel is not None:
                raise ArgumentError(
                    "--costs (costs) is for texts with one label each; with this model, texts have several: train it "
                    "with --class-weight FILE (class_weight) to say what it costs to miss a label"
                )
            if self.card.hierarchy is not None:
                raise ArgumentError(NOT_IN_TREE)
            check_labels(checked, self.classes, self.card.out_of_scope_label)
        if record is not None:  # a training that takes both is refused
            record = replace(record, class_weight=None)
        card = self.card.answering_otherwise(costs=checked, class_weights=None, training=record)
        return type(self)(self.embedder, self.model, card)

    def with_columns(self, text_column: str | Sequence[str], label_column: str) -> "TextClassifier":
        """Return the same classifier with other column names to look for first in files: those of its training data."""
        texts = as_text_column(text_column) or self.card.text_column
        return type(self)(self.embedder, self.model, replace(self.card, text_column=texts, label_column=label_column))

    def with_files(
        self, files: Sequence[str], corpus: "Corpus", reading: Mapping[str, Any], weight_column: str | None = None
    ) -> "TextClassifier":
        """Return the same classifier with a record of the files that it was trained on, and of their columns.

        Parameters
        ----------
        files : sequence of str
            As they were named; see `recordable`.
        corpus : Corpus
            Their rows, as they were read.
        reading : mapping of str to str or bool
            How they were read, where it is not as usual.
        weight_column : str, optional
            Their column with the weights of rows.
        """
        named = self.with_columns(corpus.text_column, corpus.label_column or self.card.label_column)
        if (rules := named.card.multilabel) is not None:
            own = {
                "separator": reading.get("label_separator", rules.separator),
                "in_columns": bool(corpus.label_columns),
            }
            named = type(self)(self.embedder, self.model, replace(named.card, multilabel=replace(rules, **own)))
        if (record := named.card.training) is not None:
            record = replace(
                record,
                digest=rows_digest(corpus.texts, written_labels(corpus.given_labels)),
                n_rows=len(corpus.texts),
                files=recordable(files),
                reading=reading,
                weight_column=weight_column,
            )
        return type(self)(self.embedder, self.model, replace(named.card, training=record))

    def to_dict(self) -> dict[str, Any]:
        """Return the classes and the model card as plain types, for JSON; the weights are left out."""
        return {"classes": list(self.classes), **self.card.to_dict()}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the classifier to a ``.safetensors`` file, atomically.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        write_model(path, self.model, self.card)
