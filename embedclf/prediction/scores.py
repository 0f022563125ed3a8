"""Score chunks of a few thousand texts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from embedclf.arrays import Vectors
from embedclf.classifier.decisions import Answer, Decided
from embedclf.classifier.label_sets import LabelSets, label_sets
from embedclf.classifier.reference import Measures
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.rows import Row
from embedclf.embedding.base import Embedder
from embedclf.embedding.budget import in_parts

CHUNK_ROWS = 4_096
# Larger for a remote embedder: it sends many requests at once, and each chunk waits for the slowest of them.
SENT_CHUNK_ROWS = 16_384


class Scores(NamedTuple):
    """Predictions for some texts, as arrays that are compact enough to send between processes.

    Attributes
    ----------
    decided : Decided
    reasons : dict of int to str
        Why a text cannot be classified, by its index.
    sets : LabelSets or None
        None if no coverage was asked for.
    measures : Measures or None
        Of the texts that can be classified; None if the classifier has no reference to compare them with.
    """

    decided: Decided
    reasons: Mapping[int, str]
    sets: LabelSets | None = None
    measures: Measures | None = None


def chunks_of(rows: Iterable[Row], embedder: Embedder) -> Iterator[list[Row]]:
    """Yield rows in chunks, each to be embedded together."""
    rows = iter(rows)
    # When a limit is reached, the chunks that it interrupts are paid for in part and have no labels.
    size = CHUNK_ROWS if embedder.is_local or embedder.max_cost is not None else SENT_CHUNK_ROWS
    while chunk := list(islice(rows, size)):
        yield chunk


def usable_texts(rows: Iterable[Row]) -> list[str]:
    """Return the texts of the rows without a fault."""
    return [row.text for row in rows if row.fault is None]


def score_texts(
    classifier: TextClassifier, texts: Sequence[str], top_k: int = 1, coverage: float | None = None
) -> Scores:
    """Embed and score the texts of a chunk.

    Raises
    ------
    EmbedderError
        If the embedder fails.
    """
    with in_parts():
        vectors, reasons = classifier.embed_partial(texts)
    return score_vectors(classifier, texts, vectors, reasons, top_k, coverage)


def score_vectors(
    classifier: TextClassifier,
    texts: Sequence[str],
    vectors: Vectors,
    reasons: Mapping[int, str],
    top_k: int = 1,
    coverage: float | None = None,
) -> Scores:
    """Score texts whose vectors are known, as `TextClassifier.embed_partial` returns them."""
    if len(reasons) == len(texts):
        scores = np.full((len(texts), len(classifier.classes)), np.nan, dtype=np.float32)
    else:
        scores = classifier.scores(vectors, texts)
        scores[list(reasons)] = np.nan
    probabilities = classifier.model.to_probabilities(scores)
    sets = None if coverage is None else label_sets(probabilities, classifier.card.set_threshold(coverage))
    measures = None
    if classifier.card.reference is not None:
        usable = ~np.isnan(scores).any(axis=1)
        measures = Measures.of(scores[usable], probabilities[usable], several=classifier.model.is_multilabel)
    return Scores(classifier.decision.decide(probabilities, top_k), reasons, sets, measures)


def answer_rows(classifier: TextClassifier, rows: Sequence[Row], scores: Scores) -> Iterator[tuple[Row, Answer]]:
    """Yield each row of a chunk with its answer; a row that cannot be classified gets a fault.

    Parameters
    ----------
    classifier : TextClassifier
    rows : sequence of Row
    scores : Scores
        Scores of the `usable_texts` of the rows.
    """
    answered = classifier.decision.answers(scores.decided)
    if scores.sets is not None:
        sets = scores.sets.labels(classifier.classes)
        answered = [answer._replace(label_set=own) for answer, own in zip(answered, sets, strict=True)]
    answers = enumerate(answered)
    for row in rows:
        if row.fault is not None:
            yield row, Answer(None, None, [], label_set=None if scores.sets is None else [])
            continue
        place, answer = next(answers)
        yield replace(row, fault=scores.reasons[place]) if place in scores.reasons else row, answer
