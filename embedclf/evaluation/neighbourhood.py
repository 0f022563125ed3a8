"""Why a classifier answers as it does: the words of a text, and the training examples that are nearest to it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Vectors
from embedclf.classifier.explanation import Explanation, Neighbour
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.base import check_vectors
from embedclf.errors import EmbedclfError, EmbedderError
from embedclf.formatting import counted
from embedclf.stats.neighbours import nearest
from embedclf.validation import check_texts, list_of_strings

N_NEAREST = 3


class Examples(NamedTuple):
    """Labelled texts and their vectors.

    Attributes
    ----------
    texts, labels : sequences of str, of length n
    vectors : ndarray of shape (n, n_dimensions), float32
    """

    texts: Sequence[str]
    labels: Sequence[str]
    vectors: Vectors


def explain(
    classifier: TextClassifier,
    texts: Iterable[str],
    train_set: Examples | tuple[Iterable[str], Iterable[str]] | None = None,
    *,
    vectors: Vectors | None = None,
) -> list[Explanation]:
    """Explain the likeliest label of each text by its words, and by the nearest training examples for and against it.

    Parameters
    ----------
    classifier : TextClassifier
    texts : iterable of str
    train_set : Examples or (texts, labels), optional
        What the classifier was trained on; None looks for no examples.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the classifier's embedder makes of the texts, if that is at hand; None embeds them.

    Raises
    ------
    EmbedclfError
        If there is not one label or vector a training text, or there is none, or not one vector a text.
    TextError
        If a text is empty, not Unicode, or refused by the embedder.
    EmbedderError
        If the embedder fails, or vectors are not of the length that the classifier was trained on.
    """
    if train_set is None:
        return classifier.explain(texts, vectors=vectors)
    texts = check_texts(texts)
    vectors = classifier.embedder.embed(texts) if vectors is None else check_vectors(vectors, len(texts))
    examples = examples_of(classifier, train_set)
    out = classifier.explain(texts, vectors=vectors)
    for label in {one.label for one in out}:
        rows = [row for row, one in enumerate(out) if one.label == label]
        same = np.array([other == label for other in examples.labels])
        supporting, opposing = (neighbours_of(vectors[rows], examples, which) for which in (same, ~same))
        for row, for_it, against in zip(rows, supporting, opposing, strict=True):
            out[row] = replace(out[row], supporting=for_it, opposing=against)
    return out


def examples_of(classifier: TextClassifier, train_set: Examples | tuple[Iterable[str], Iterable[str]]) -> Examples:
    """Give labelled texts with their vectors.

    Raises
    ------
    EmbedclfError
        If there is not one label or vector a text, or there is none.
    EmbedderError
        If vectors are not of the length that the classifier was trained on.
    """
    texts, labels = check_texts(train_set[0]), list_of_strings(train_set[1], "labels")
    if len(texts) != len(labels) or not texts:
        raise EmbedclfError(f"the train set has {counted(len(texts), 'text')} and {counted(len(labels), 'label')}")
    if not isinstance(train_set, Examples):
        return Examples(texts, labels, classifier.embedder.embed(texts))
    vectors = check_vectors(train_set.vectors, len(texts), of="the train set")
    n_dimensions = classifier.model.weights.shape[1]
    if classifier.model.uses_vectors and vectors.shape[1] != n_dimensions:
        raise EmbedderError(
            f"the train set has vectors of {vectors.shape[1]} dimensions, and the classifier was trained on "
            f"{n_dimensions}"
        )
    return Examples(texts, labels, vectors)


def neighbours_of(
    vectors: Vectors, examples: Examples, which: "np.ndarray[Any, np.dtype[np.bool_]] | None" = None
) -> list[tuple[Neighbour, ...]]:
    """Give the three nearest examples to each of some vectors.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
    examples : Examples
    which : ndarray of shape (n_examples,), bool, optional
        Those to look among; None looks among all.
    """
    rows = np.arange(len(examples.texts)) if which is None else np.flatnonzero(which)
    if not len(rows):
        return [()] * len(vectors)
    found = nearest(examples.vectors if which is None else examples.vectors[rows], vectors, N_NEAREST)
    return [
        tuple(
            Neighbour(row, examples.texts[row], examples.labels[row], similarity)
            for row, similarity in zip(rows[of_one].tolist(), similarities.tolist(), strict=True)
        )
        for of_one, similarities in zip(found.rows, found.similarities, strict=True)
    ]
