"""What `/metrics` says of the answers to the last texts, beside those of training."""

import math
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

import embedclf
from corpus import TEXTS
from embedclf.classifier.multilabel import make_classifier
from embedclf.classifier.reference import LEVELS, AnswerReference
from embedclf.service.answer_window import WINDOW_TEXTS, AnswerWindow
from embedclf.service.reloading import ModelFile
from serving import ask, serving

PATH = Path("model.safetensors")
TOKEN = {"authorization": "Bearer secret"}
KEPT = AnswerReference(
    200, tuple(0.9 + level / 20 for level in LEVELS), tuple(level - 9 for level in LEVELS), 0.08, (100, 60, 40)
)


def gauges(client: httpx.Client) -> dict[str, float]:
    lines = [line for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    each = dict(line.rsplit(" ", 1) for line in lines)
    return {
        name: float(value) for name, value in each.items() if name.startswith(("embedclf_window", "embedclf_training"))
    }


@pytest.fixture
def known(trained: embedclf.TextClassifier) -> embedclf.TextClassifier:
    return make_classifier(trained.embedder, trained.model, replace(trained.card, reference=KEPT))


def test_the_last_texts_beside_those_of_training(known: embedclf.TextClassifier):
    """Quantiles, shares, and distances; before the first text, only those of training."""
    doubtful = known.with_min_confidence(0.8)
    with serving(embedclf.create_app(doubtful)) as client:
        before = gauges(client)
        assert before["embedclf_window_texts"] == 0
        assert [name for name in before if name.startswith("embedclf_window")] == ["embedclf_window_texts"]
        assert before['embedclf_training_confidence{quantile="0.5"}'] == 0.925
        assert before['embedclf_training_energy{quantile="0.95"}'] == -8.05
        assert before['embedclf_training_label_ratio{label="delivery"}'] == 0.5
        assert before["embedclf_training_abstained_ratio"] == doubtful.card.reference.abstained
        ask(client, *TEXTS, "")  # what cannot be classified is no answer
        ask(client, "qwertz")
        after = gauges(client)
        texts = [*TEXTS, "qwertz"]
        probabilities = known.predict_proba(texts)
        sure = np.sort(probabilities.max(axis=1))
        assert after["embedclf_window_texts"] == 31
        assert after['embedclf_window_confidence{quantile="0.5"}'] == pytest.approx(sure[15], abs=1e-4)
        assert after["embedclf_window_abstained_ratio"] == pytest.approx((sure < 0.8).mean())
        shares = {after[f'embedclf_window_label_ratio{{label="{label}"}}'] for label in known.classes}
        assert shares == set((np.bincount(probabilities.argmax(axis=1)) / 31).tolist())
        assert 0 < after['embedclf_window_distance{measure="confidence"}'] <= 1
        assert after['embedclf_window_distance{measure="energy"}'] == pytest.approx(0.99)
        assert not any(map(math.isnan, after.values()))


def test_a_reload_begins_anew(known: embedclf.TextClassifier, trained: embedclf.TextClassifier):
    """What was known of the model before is not shown of the new one, which may have other labels."""
    known.save(PATH)
    source = ModelFile(PATH)
    with serving(embedclf.create_app(source.load(), token="secret", source=source)) as client:
        client.headers.update(TOKEN)
        ask(client, *TEXTS)
        assert gauges(client)["embedclf_window_texts"] == 30
        trained.save(PATH)  # as an older version would, without a reference
        client.post("/reload").raise_for_status()
        assert gauges(client) == {"embedclf_window_texts": 0}
        ask(client, *TEXTS)
        after = gauges(client)
        assert after["embedclf_window_texts"] == 30
        assert not any(name.startswith(("embedclf_training", "embedclf_window_distance")) for name in after)


def test_the_window_slides_and_does_not_grow(known: embedclf.TextClassifier):
    """The last texts count, in however many requests they come."""
    window = AnswerWindow(known)
    sure, unsure = (
        known.scores(known.embedder.embed([text])) * scale for text, scale in ((TEXTS[0], 9), (TEXTS[0], 0))
    )
    window.add(np.repeat(sure, 5_000, axis=0))
    assert len(window.figures().measures.confidence) == WINDOW_TEXTS
    assert window.figures().measures.confidence.min() > 0.9
    for _ in range(400):
        window.add(unsure)
    confidence = window.figures().measures.confidence
    assert len(confidence) == WINDOW_TEXTS
    assert (confidence < 0.9).sum() == 400
    assert confidence[-1] == pytest.approx(1 / 3, abs=1e-4)
    window.add(np.full((2_000, 3), np.nan, dtype=np.float32))
    assert (window.figures().measures.confidence == confidence).all()


def test_several_labels_have_a_share_each(known: embedclf.TextClassifier):
    """Of the texts that are given it; a text may be given none."""
    sets = [["delivery", "refund"] if "parcel" in text else [] for text in TEXTS]
    trained = embedclf.train(TEXTS, sets, features="embedding", label_names=False, regularization=1.0, holdout=0)
    with serving(embedclf.create_app(trained)) as client:
        ask(client, *TEXTS)
        given, found = trained.predict(TEXTS), gauges(client)
        assert found["embedclf_window_abstained_ratio"] == pytest.approx(sum(not one for one in given) / 30)
        share = found['embedclf_window_label_ratio{label="refund"}']
        assert share == pytest.approx(sum("refund" in one for one in given) / 30)
