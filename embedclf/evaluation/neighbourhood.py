"""Explanations of predictions by the words of a text and the nearest training examples."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from embedclf.arrays import Mask, Vectors
from embedclf.classifier.explanation import Explanation, Neighbour
from embedclf.classifier.multilabel import MultiLabelClassifier
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.columns import names_in
from embedclf.data.label_sets import AnyLabels, as_label_sets
from embedclf.data_frames import DataFrame, is_data_frame, texts_and_labels
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError, EmbedderError
from embedclf.formatting import counted
from embedclf.stats.neighbours import nearest
from embedclf.validation import list_of_labels, list_of_strings

N_NEAREST = 3


def explain(
    classifier: TextClassifier,
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    train_set: EmbeddedTexts | tuple[Iterable[str], AnyLabels] | None = None,
    *,
    text: str | None = None,
    vectors: Vectors | None = None,
) -> list[Explanation]:
    """Explain the most likely label of each text by its words and the nearest training examples for and against it.

    Parameters
    ----------
    classifier : TextClassifier
    texts : iterable of str, DataFrame or EmbeddedTexts
        `EmbeddedTexts` have their own vectors.
    train_set : EmbeddedTexts or (texts, labels), optional
        The examples that the classifier was trained on; None explains by words only. Where texts have several labels,
        an example is for the label if it is among its own, and against it otherwise.
    text : str, optional
        The column of a data frame; None means "text".
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        The texts' vectors from the classifier's embedder, if known; None embeds the texts.

    Raises
    ------
    ArgumentError
        If there is not one vector per text, no training text, or not one label or vector per training text.
    TextError
        If a text is empty, not valid Unicode, or rejected by the embedder.
    EmbedderError
        If the embedder fails, or the vectors are from another embedder or not of the length that the classifier was
        trained on.
    """
    if train_set is None and not isinstance(texts, EmbeddedTexts):
        return classifier.explain(texts_and_labels(texts, None, text=text)[0], vectors=vectors)
    given = texts_for(classifier, texts, text=text, vectors=vectors)
    if train_set is None:
        return classifier.explain(given.texts, vectors=given.vectors)
    vectors = given.vectors
    examples = train_set_of(classifier, train_set)
    out = classifier.explain(given.texts, vectors=vectors)
    for label in {one.label for one in out}:
        rows = [row for row, one in enumerate(out) if one.label == label]
        if isinstance(classifier, MultiLabelClassifier):
            same = np.array([label in others for others in examples.known_label_sets])
        else:
            same = np.array([other == label for other in examples.known_labels])
        supporting, opposing = (neighbours_of(vectors[rows], examples, which) for which in (same, ~same))
        for row, for_it, against in zip(rows, supporting, opposing, strict=True):
            out[row] = replace(out[row], supporting=for_it, opposing=against)
    return out


def texts_for(
    classifier: TextClassifier,
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    vectors: Vectors | None = None,
) -> EmbeddedTexts:
    """Return texts with vectors from a classifier's embedder; see `EmbeddedTexts.by`."""
    own = classifier.embedder
    if isinstance(texts, EmbeddedTexts) and not classifier.model.uses_vectors and not texts.is_by(own):
        # A classifier that uses only words needs no vectors from another embedder.
        given = texts.labels if texts.label_sets is None else texts.label_sets
        texts = EmbeddedTexts(texts.texts, given, embedder=own)
    text, label = columns_as_trained(classifier, texts, text, label)
    return EmbeddedTexts.by(own, texts, labels, text=text, label=label, vectors=vectors)


def columns_as_trained(
    classifier: TextClassifier, texts: object, text: str | Sequence[str] | None, label: str | Sequence[str] | None
) -> tuple[str | Sequence[str] | None, str | Sequence[str] | None]:
    """Return the columns of a data frame to read: those asked for, else those that the classifier remembers, if any."""
    if not is_data_frame(texts):
        return text, label
    names = {str(name) for name in texts.columns}
    usual = classifier.card.columns
    if text is None and set(names_in(usual.text)) <= names:
        text = usual.text
    if label is None and usual.label in names:
        label = usual.label
    elif label is None and classifier.model.is_multilabel and names.issuperset(classifier.classes):
        label = classifier.classes
    return text, label


def train_set_of(
    classifier: TextClassifier, train_set: EmbeddedTexts | tuple[Iterable[str], AnyLabels]
) -> EmbeddedTexts:
    """Return the examples that a classifier was trained on, with their vectors.

    Raises
    ------
    ArgumentError
        If there are no texts, or not one label or vector per text.
    EmbedderError
        If the vectors are from another embedder or not of the length that the classifier was trained on.
    """
    if not isinstance(train_set, EmbeddedTexts):
        texts, given = list_of_strings(train_set[0], "texts"), train_set[1]
        if isinstance(given, Iterator):
            given = list(given)
        sets = as_label_sets(given)
        labels = list_of_labels(given) if sets is None else sets
        if len(texts) != len(labels) or not texts:
            raise ArgumentError(f"the train set has {counted(len(texts), 'text')} and {counted(len(labels), 'label')}")
        return EmbeddedTexts(texts, labels, embedder=classifier.embedder)
    examples = texts_for(classifier, train_set)
    if not (examples.known_labels if examples.label_sets is None else examples.label_sets):
        raise ArgumentError("the train set has 0 texts and 0 labels")
    n_dimensions = classifier.model.weights.shape[1]
    if classifier.model.uses_vectors and examples.vectors.shape[1] != n_dimensions:
        raise EmbedderError(
            f"the train set has vectors of {examples.vectors.shape[1]} dimensions, but the classifier was trained on "
            f"{n_dimensions}"
        )
    return examples


def neighbours_of(vectors: Vectors, examples: EmbeddedTexts, which: Mask | None = None) -> list[tuple[Neighbour, ...]]:
    """Return the three nearest examples of each vector.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
    examples : EmbeddedTexts
        With labels; several labels of an example are joined.
    which : ndarray of shape (n_examples,), bool, optional
        Which examples to search; None searches all.
    """
    labels = examples.shown_labels or examples.known_labels
    rows = np.arange(len(examples)) if which is None else np.flatnonzero(which)
    if not len(rows):
        return [()] * len(vectors)
    found = nearest(examples.vectors if which is None else examples.vectors[rows], vectors, N_NEAREST)
    return [
        tuple(
            Neighbour(row, examples.texts[row], labels[row], similarity)
            for row, similarity in zip(rows[of_one].tolist(), similarities.tolist(), strict=True)
        )
        for of_one, similarities in zip(found.rows, found.similarities, strict=True)
    ]
