"""Answer several prediction requests with one embedding call."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from pydantic_core import to_json

from embedclf.classifier.explanation import weighs_words
from embedclf.classifier.predictions import predictions
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.errors import EmbedderError, MaxCostError
from embedclf.service.answer_window import AnswerWindow
from embedclf.service.metrics import Metrics
from embedclf.service.redaction import error_kind, message_without_texts

logger = logging.getLogger(__name__)
# Costs other than text, in bytes of text that take as long to process: one text, one label of its `top`, one class.
_BYTES_PER_TEXT, _BYTES_PER_LABEL, _CLASSES_PER_BYTE = 32, 4, 16
# How many times longer it takes to classify a text and to explain it.
_EXPLAINED = 5
_DECIMALS = 6


def _n_bytes(text: str | None) -> int:
    if text is None:
        return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class PredictRequest(NamedTuple):
    """Texts to classify, how many of the most likely labels to return per text in `top`, and whether to explain.

    None omits `top`, and a coverage that is None the label sets; a text that is None is missing. Only a request with a
    single text is explained.

    Made from the validated JSON of a request (`schemas.predict_body`); it also estimates what the response costs.
    """

    texts: list[str | None]
    top_k: int | None
    explain: bool = False
    coverage: float | None = None

    def n_labels(self, n_classes: int) -> int:
        """Return the number of labels in the response, at the most."""
        in_sets = 0 if self.coverage is None else n_classes
        return len(self.texts) * (min(self.top_k or 1, n_classes) + in_sets)

    def size(self, n_classes: int) -> int:
        """Return the size of a text, in bytes, that would take as long to process as this request."""
        n_passes = 1 if self.coverage is None else 2
        per_text = _BYTES_PER_TEXT + n_passes * (n_classes // _CLASSES_PER_BYTE)
        n_labels = 0 if self.top_k is None else len(self.texts) * min(self.top_k, n_classes)
        per_byte = _EXPLAINED if self.explain else 1
        return per_byte * sum(map(_n_bytes, self.texts)) + per_text * len(self.texts) + _BYTES_PER_LABEL * n_labels


def answer_requests(
    classifier: TextClassifier, requests: Sequence[PredictRequest], metrics: Metrics, window: AnswerWindow
) -> list[bytes | EmbedderError]:
    """Answer requests with one embedding call; return JSON or the embedder's error for each."""
    texts = [text for one in requests for text in one.texts]
    metrics.batches.observe(len(texts))
    try:
        scores, reasons = classifier.scores_usable(texts)
    except MaxCostError as error:
        if len(requests) > 1:  # some of them may be within the limit on their own
            return [answer for one in requests for answer in answer_requests(classifier, [one], metrics, window)]
        metrics.failures.inc()
        logger.warning("%s", error)
        return [error]
    except EmbedderError as error:
        metrics.failures.inc()
        logger.warning("%s", message_without_texts(error, [text for text in texts if text]))
        return [error] * len(requests)
    except BaseException as error:  # noqa: BLE001 - a third-party embedder may raise anything
        metrics.failures.inc()
        logger.warning("the embedder raised %s", error_kind(error))
        return [EmbedderError("the embedder failed")] * len(requests)
    window.add(scores)
    probabilities, decision = classifier.model.to_probabilities(scores), classifier.decision
    answers: list[bytes | EmbedderError] = []
    n_labelled = end = 0
    for one in requests:
        start, end = end, end + len(one.texts)
        of_one = {index - start: reason for index, reason in reasons.items() if start <= index < end}
        threshold = None if one.coverage is None else classifier.card.set_threshold(one.coverage)
        predicted = predictions(probabilities[start:end], of_one, decision, one.top_k, threshold)
        n_labelled += sum(prediction.label is not None or bool(prediction.labels) for prediction in predicted)
        records = [prediction.to_dict() for prediction in predicted]
        if one.explain and predicted[0].confidence is not None:
            records[0] |= explanation_of(classifier, one.texts[0] or "")
        answers.append(to_json({"predictions": records}))
    for result, n in (
        ("labelled", n_labelled),
        ("refused", len(reasons)),
        ("abstained", len(texts) - n_labelled - len(reasons)),
    ):
        metrics.texts.labels(result).inc(n)
    return answers


def explanation_of(classifier: TextClassifier, text: str) -> dict[str, Any]:
    """Return the explanation of a text that has just been classified, or nothing.

    There is none if the classifier does not weigh words, or if it would have to pay for the text once more.
    """
    embedder = classifier.embedder
    if not weighs_words(classifier.model, embedder):
        return {}
    if not embedder.is_local and classifier.model.uses_vectors and embedder.estimate([text]).to_embed:
        return {}
    (why,) = classifier.explain([text])
    spans = [{"start": start, "end": end, "weight": round(weight, _DECIMALS)} for start, end, weight in why.spans]
    vector, bias = round(why.vector, _DECIMALS), round(why.bias, _DECIMALS)
    return {"explanation": {"runner_up": why.runner_up, "spans": spans, "vector": vector, "bias": bias}}


def error_answer(error: EmbedderError) -> tuple[int, str]:
    """Return the status and detail for a client; URLs and messages of the embedder's server only go to the log."""
    if error.late:
        return HTTPStatus.GATEWAY_TIMEOUT, "the embedder timed out; it may still bill for these texts"
    if isinstance(error, MaxCostError):
        detail = "embedding these texts would exceed the service's cost limit (--max-cost)"
        return HTTPStatus.SERVICE_UNAVAILABLE, detail
    if error.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        detail = "the embedder is not accepting requests at the moment; retry later"
        return HTTPStatus.SERVICE_UNAVAILABLE, detail
    return HTTPStatus.BAD_GATEWAY, "the embedder failed; see the service's log"
