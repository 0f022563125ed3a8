"""Texts in, confidences out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.rows import Row
from embedclf.embedding.base import Embedder

_CHUNK = 4_096
# What is sent somewhere is sent many requests at once, and at the end of a chunk these are waited for.
_CHUNK_SENT = 16_384


class Scores(NamedTuple):
    """What is said about some texts.

    Attributes
    ----------
    labels : list of str or None, of length n
        None where the classifier abstains, or the text cannot be labelled.
    best : ndarray of shape (n, k), int
        The likeliest classes, as indices, from the likeliest down.
    confidences : ndarray of shape (n, k), float32
        Theirs; NaN for a text that cannot be labelled.
    reasons : dict of int to str
        Why some cannot be labelled, by their index.
    """

    labels: list[str | None]
    best: npt.NDArray[np.intp]
    confidences: Vectors
    reasons: Mapping[int, str]


class Answer(NamedTuple):
    """What is said about one row.

    Attributes
    ----------
    row : Row
        With its fault, if it could not be labelled.
    label : str or None
    top : list of (str, float)
        The likeliest labels and their confidences; empty if it could not be labelled.
    """

    row: Row
    label: str | None
    top: list[tuple[str, float]]


def chunks_of(rows: Iterable[Row], embedder: Embedder) -> Iterator[list[Row]]:
    """Divide rows into as many as are embedded together."""
    rows = iter(rows)
    size = _CHUNK if embedder.is_local else _CHUNK_SENT
    while chunk := list(islice(rows, size)):
        yield chunk


def usable_texts(rows: Iterable[Row]) -> list[str]:
    """Give the texts of those rows that are not at fault."""
    return [row.text for row in rows if row.fault is None]


def score_texts(classifier: TextClassifier, texts: Sequence[str], top_k: int = 1) -> Scores:
    """Embed texts and score them.

    Raises
    ------
    EmbedderError
        If the embedder fails.
    """
    return score_vectors(classifier, texts, *classifier.embed_partial(texts), top_k)


def score_vectors(
    classifier: TextClassifier, texts: Sequence[str], vectors: Vectors, reasons: Mapping[int, str], top_k: int = 1
) -> Scores:
    """Score texts whose vectors are known, as `TextClassifier.embed_partial` gives them."""
    n, top_k = len(vectors), min(top_k, len(classifier.classes))
    if len(reasons) == n:
        return Scores([None] * n, np.zeros((n, top_k), dtype=np.intp), np.full((n, top_k), np.nan, np.float32), reasons)
    probabilities = classifier.probabilities(vectors, texts)
    probabilities[list(reasons)] = np.nan
    labels = classifier.decide(probabilities)
    for place in reasons:
        labels[place] = None
    if top_k == 1:
        best = probabilities.argmax(axis=1)[:, None]
    else:
        # A stable sort: of equals, the first in `classes` leads, as it does in the label.
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    return Scores(labels, best, np.take_along_axis(probabilities, best, axis=1), reasons)


def answers_of(classifier: TextClassifier, rows: Sequence[Row], scores: Scores) -> Iterator[Answer]:
    """Put the scores of a chunk's `usable_texts` to its rows."""
    classes = classifier.classes
    each = enumerate(zip(scores.labels, scores.best.tolist(), scores.confidences.tolist(), strict=True))
    for row in rows:
        if row.fault is not None:
            yield Answer(row, None, [])
            continue
        place, (label, best, confidences) = next(each)
        if place in scores.reasons:
            yield Answer(replace(row, fault=scores.reasons[place]), None, [])
        else:
            yield Answer(row, label, [(classes[number], sure) for number, sure in zip(best, confidences, strict=True)])
