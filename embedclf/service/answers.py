"""Answers to several requests at once."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json

from embedclf.classifier.decisions import rank
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.errors import EmbedderError, MaxCostError
from embedclf.formatting import rounded_down
from embedclf.service.metrics import Counters
from embedclf.service.middleware import kind

logger = logging.getLogger(__name__)
# The bytes that take as long as a text does beside its own, as each label of its `top`, and as so many classes.
_BYTES_A_TEXT, _BYTES_A_LABEL, _CLASSES_A_BYTE = 32, 4, 16
_DECIMALS = 6
_TOO_MANY, _UNAVAILABLE = 429, 503


def _n_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class _Asked(NamedTuple):
    texts: list[str]
    top_k: int | None

    def n_labels(self, n_classes: int) -> int:
        """How many the answer gives."""
        return len(self.texts) * min(self.top_k or 1, n_classes)

    def size(self, n_classes: int) -> int:
        """How long the answer takes, as the bytes of a text that takes as long."""
        a_text = _BYTES_A_TEXT + n_classes // _CLASSES_A_BYTE
        n_labels = 0 if self.top_k is None else self.n_labels(n_classes)
        return sum(map(_n_bytes, self.texts)) + a_text * len(self.texts) + _BYTES_A_LABEL * n_labels


def _answers(classifier: TextClassifier, requests: Sequence[_Asked], counters: Counters) -> list[bytes | EmbedderError]:
    """Answer several requests with one embedding call, in JSON."""
    texts = [text for one in requests for text in one.texts]
    counters.batches.observe(len(texts))
    try:
        probabilities, reasons = classifier.predict_proba_usable(texts)
    except MaxCostError as error:
        if len(requests) > 1:  # another may be small enough
            return [answer for one in requests for answer in _answers(classifier, [one], counters)]
        counters.failures.inc()
        logger.warning("%s", error)
        return [error]
    except EmbedderError as error:
        counters.failures.inc()
        logger.warning("%s", _without_texts(error, texts))
        return [error] * len(requests)
    except BaseException as error:  # noqa: BLE001 - an embedder may be anyone's, and raise anything
        counters.failures.inc()
        logger.warning("the embedder raised %s", kind(error))
        return [EmbedderError("the embedder failed")] * len(requests)
    classes, threshold = classifier.classes, classifier.card.threshold
    decided = rank(probabilities).answers(classes, threshold)
    predictions: list[dict[str, Any]] = [
        {"label": None, "confidence": None, "error": reasons[index]}
        if answer.confidence is None
        else {"label": answer.label, "confidence": rounded_down(answer.confidence, _DECIMALS)}
        for index, answer in enumerate(decided)
    ]
    n_labelled = sum(answer.label is not None for answer in decided)
    for result, n in (
        ("labelled", n_labelled),
        ("refused", len(reasons)),
        ("abstained", len(texts) - n_labelled - len(reasons)),
    ):
        counters.texts.labels(result).inc(n)
    answers: list[bytes | EmbedderError] = []
    end = 0
    for one in requests:
        start, end = end, end + len(one.texts)
        if one.top_k is not None:
            ranked = rank(probabilities[start:end], one.top_k).answers(classes, threshold)
            for prediction, answer in zip(predictions[start:end], ranked, strict=True):
                if answer.top:
                    prediction["top"] = [
                        {"label": label, "confidence": rounded_down(confidence, _DECIMALS)}
                        for label, confidence in answer.top
                    ]
        answers.append(to_json({"predictions": predictions[start:end]}))
    return answers


def _without_texts(error: EmbedderError, texts: Sequence[str]) -> str:
    """Return an error's message; not if it quotes a text, as a provider's own words in it may."""
    said = " ".join(str(error).split())
    beginnings = {" ".join(text[:200].split())[:20] for text in texts} - {""}
    if any(beginning in said for beginning in beginnings):
        return f"the embedder failed with {kind(error)}; the message quotes a text, and is not shown"
    return said


def _told(error: EmbedderError) -> tuple[int, str]:
    """Return the status and what a client needs to know; addresses and a server's own words are for the log."""
    if error.late:
        return 504, "the embedder did not answer in time; it may have been paid for the texts"
    if isinstance(error, MaxCostError):
        return _UNAVAILABLE, "the embedding would cost more than the service may spend (--max-cost)"
    if error.status in (_TOO_MANY, _UNAVAILABLE):
        return _UNAVAILABLE, "the embedder takes no more requests for now: try again later"
    return 502, "the embedder failed; the service's log says why"
