"""The size of a model file, and the time that a classifier takes per text."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from embedclf._version import __version__
from embedclf.classifier.label_sets import MOST_STEPS, Conformal
from embedclf.classifier.linear import LinearModel, WordWeights
from embedclf.classifier.model_card import HeldOut, ModelCard
from embedclf.classifier.model_file import model_bytes
from embedclf.classifier.reference import LEAST_TEXTS, LEVELS, AnswerReference
from embedclf.embedding.base import Embedder
from embedclf.evaluation.cross_validation import AnyCrossValidation, CrossValidation
from embedclf.training.inputs import Inputs

_TEXTS_TIMED = 512
_TIMES = 5


def size_and_seconds(
    embedder: Embedder, texts: Sequence[str], inputs: Inputs, classes: tuple[str, ...], result: AnyCrossValidation
) -> tuple[int, float]:
    """Return the bytes of a model of this size, and its seconds per text whose vector is known."""
    # With words if most folds chose them.
    vocabulary = inputs.vocabulary() if 2 * np.count_nonzero(result.word_scales) >= len(result.word_scales) else None
    words = None
    if vocabulary is not None:
        words = WordWeights(vocabulary, np.ones((len(vocabulary), len(classes)), dtype=np.float16))
    weights = np.ones((len(classes), inputs.vectors.shape[1]), dtype=np.float32)
    model = LinearModel(weights, np.ones(len(classes), dtype=np.float32), classes, words)
    accuracy = result.accuracy if isinstance(result, CrossValidation) else result.exact_match
    held_out = HeldOut(accuracy, result.macro_f1, result.ece, result.n_examples)
    card = ModelCard(
        *(embedder.spec, result.head, 10.0, 1.0, None, None, len(texts), held_out, __version__, 1.0),
        conformal=_calibration(result.n_examples, accuracy) if isinstance(result, CrossValidation) else None,
        reference=_reference(result.n_examples, len(classes)) if result.n_examples >= LEAST_TEXTS else None,
    )
    timed, vectors = texts[:_TEXTS_TIMED], inputs.vectors[:_TEXTS_TIMED]
    seconds = _shortest(lambda: model.probabilities(vectors, None if vocabulary is None else vocabulary.terms(timed)))
    return len(model_bytes(model, card)), seconds / len(timed)


def _calibration(n_examples: int, accuracy: float) -> Conformal:
    """Return a calibration of label sets that is as large as that of a classifier of this accuracy."""
    n_right = round(accuracy * n_examples)
    likeliest, others = (min(n, MOST_STEPS) for n in (n_right, n_examples - n_right))
    return Conformal(n_examples, n_right, (0.9876,) * likeliest, (0.1234,) * others)


def _reference(n_examples: int, n_classes: int) -> AnswerReference:
    """Return a reference distribution that is as large as that of a classifier."""
    n_of_class = n_examples // n_classes
    of_levels = len(LEVELS)
    return AnswerReference(n_examples, (0.9876,) * of_levels, (-1.2345,) * of_levels, 0.0, (n_of_class,) * n_classes)


def ms_to_embed(embedder: Embedder, texts: Sequence[str]) -> float | None:
    """Return the milliseconds per text of embedding on this machine; None for a remote embedder."""
    if not embedder.is_local:
        return None
    embedder, timed = embedder.uncached(), list(texts[:_TEXTS_TIMED])
    return 1_000 * _shortest(lambda: embedder.embed(timed)) / len(timed)


def _shortest(call: Callable[[], object]) -> float:
    """Return the seconds of the fastest of five calls, since other load only makes calls slower."""
    took = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        call()
        took.append(time.perf_counter() - started)
    return min(took)
