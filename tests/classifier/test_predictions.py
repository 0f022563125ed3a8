"""`classify`: one record per text, in the shape of the service's answer."""

import asyncio

import pytest

import embedclf
from corpus import LABELS, TEXTS
from embedclf.formatting import rounded_down
from serving import serving


def test_a_bad_text_has_an_error_and_the_others_a_label(trained: embedclf.TextClassifier):
    """So that one empty text fails no request."""
    good, empty, half = trained.classify(["Where is my parcel?", " ", "\ud800"])
    assert (good.label, good.top, good.error) == ("delivery", (), None)
    assert good.confidence == pytest.approx(trained.predict_proba(["Where is my parcel?"]).max())
    assert empty == embedclf.Prediction(None, None, (), "the text is empty")
    assert "half a character" in (half.error or "")


def test_the_most_likely_labels_are_listed_if_asked_for(trained: embedclf.TextClassifier):
    """Best first, as many as there are, and also where the classifier abstains."""
    (one,) = trained.with_min_confidence(1).classify(["I want my money"], top_k=9)
    assert one.label is None
    assert [likely.label for likely in one.top] == ["refund", *(likely.label for likely in one.top[1:])]
    assert sorted(likely.label for likely in one.top) == ["delivery", "password", "refund"]
    assert one.confidence == one.top[0].confidence
    assert trained.classify([]) == []
    with pytest.raises(embedclf.ArgumentError, match="top_k must be an integer of at least 1, not 0"):
        trained.classify(["a"], top_k=0)
    with pytest.raises(TypeError, match="not a single str"):
        trained.classify("a text")
    with pytest.raises(AttributeError):
        one.label = "refund"  # type: ignore[misc]


def test_it_can_be_awaited(trained: embedclf.TextClassifier):
    """With the same answers."""
    assert asyncio.run(trained.aclassify([*TEXTS[:3], ""], top_k=2)) == trained.classify([*TEXTS[:3], ""], top_k=2)


@pytest.mark.parametrize(("top_k", "coverage"), [(None, None), (2, None), (None, 0.95), (2, 0.95)])
def test_a_service_answers_the_same(trained: embedclf.TextClassifier, top_k: int | None, coverage: float | None):
    """`to_dict` is its JSON, in which confidences are rounded down."""
    texts = ["Where is my parcel?", "", "I want my money"]
    with serving(embedclf.create_app(trained)) as client:
        body = {"texts": texts, "top_k": top_k, "coverage": coverage}
        answer = client.post("/predict", json=body).json()["predictions"]
    predictions = trained.classify(texts, top_k, coverage=coverage)
    assert ("label_set" in answer[0]) == (coverage is not None)
    assert answer == [one.to_dict() for one in predictions]
    assert answer[0]["confidence"] == rounded_down(predictions[0].confidence or 0, 6)
    assert answer[1] == {"label": None, "confidence": None, "error": "the text is empty"}


def test_a_service_says_which_sets_there_cannot_be(trained: embedclf.TextClassifier):
    """A model with few rows reaches no high coverage; a set may have all labels, which counts for the limit."""
    with serving(embedclf.create_app(trained, limits=embedclf.Limits(answers=5))) as client:
        few = client.post("/predict", json={"text": "a", "coverage": 0.99})
        many = client.post("/predict", json={"texts": ["a", "b"], "coverage": 0.9})
    assert (few.status_code, many.status_code) == (409, 422)
    assert few.json()["detail"].startswith("coverage 0.99 needs at least 99 rows to calibrate on, and the model has 30")
    assert many.json()["detail"] == (
        "coverage: 8 labels for 2 texts exceed the limit of 5 per response; send fewer texts"
    )


def test_a_route_of_ones_own_returns_it_as_it_is(trained: embedclf.TextClassifier):
    """FastAPI writes the records as JSON, and documents them."""
    from fastapi import FastAPI

    app = FastAPI()

    @app.post("/label")
    async def label(texts: list[str]) -> list[embedclf.Prediction]:
        return await trained.aclassify(texts, top_k=1)

    with serving(app) as client:
        first, second = client.post("/label", json=["Where is my parcel?", ""]).json()
    assert first["label"] == "delivery"
    assert first["top"][0]["label"] == "delivery"
    nothing = {"label": None, "confidence": None, "top": [], "labels": None, "label_set": None}
    assert second == {**nothing, "error": "the text is empty"}


def test_whole_numbers_are_labels_as_they_are_written(trained: embedclf.TextClassifier):
    """A model file holds strings, so `predict` returns strings, loaded or not; what measures takes numbers as well."""
    numbers = [sorted(set(LABELS)).index(label) for label in LABELS]
    classifier = embedclf.train(TEXTS, numbers, features="embedding", label_names=False)
    assert classifier.classes == ("0", "1", "2")
    assert classifier.predict(TEXTS[:1]) == ["0"]
    classifier.save("m.safetensors")
    assert embedclf.load("m.safetensors").predict(TEXTS[:1]) == ["0"]
    assert embedclf.evaluate(classifier, TEXTS, numbers).n_examples == 30
    truths = embedclf.train(TEXTS, [label == "refund" for label in LABELS], features="words", holdout=0)
    assert truths.classes == ("False", "True")
