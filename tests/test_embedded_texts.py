"""EmbeddedTexts: checked once, embedded once, and taken by every function that takes texts."""

from typing import Any

import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from conftest import LABELS, TEXTS
from embedclf import validation
from embedclf.embedding.base import EmbedderSpec


class Lengths(embedclf.Embedder):
    """An embedder of a user's own, which counts its calls."""

    def __init__(self, name: str = "lengths") -> None:
        self.name = name
        self.calls: list[list[str]] = []

    @property
    def spec(self) -> EmbedderSpec:
        return EmbedderSpec("external", self.name, 3)

    def embed(self, texts: Any) -> Any:
        self.calls.append(list(texts))
        vectors = np.array([[len(text), text.count("e") * 9, text.count("p") * 9] for text in texts], dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_its_functions_say_the_same_as_of_texts_and_labels():
    """And the texts are embedded once for all of them."""
    embedder = Lengths()
    examples = embedclf.EmbeddedTexts(TEXTS, LABELS, embedder=embedder)
    options = {"head": "centroid", "label_names": False}
    trained = embedclf.train(examples, **options)
    alone = embedclf.train(TEXTS, LABELS, embedder=Lengths(), **options)
    assert (trained.model.weights == alone.model.weights).all()
    validated, curve = embedclf.cross_validate(examples, **options), embedclf.learning_curve(examples, **options)
    report = embedclf.evaluate(trained, examples, train_set=examples)
    why = embedclf.explain(trained, examples, examples)
    assert [call[: len(TEXTS)] for call in embedder.calls if len(call) >= len(TEXTS)] == [TEXTS]
    assert validated == embedclf.cross_validate(TEXTS, LABELS, embedder=embedder, **options)
    assert curve == embedclf.learning_curve(TEXTS, LABELS, embedder=embedder, **options)
    assert report == embedclf.evaluate(trained, TEXTS, LABELS, train_set=(TEXTS, LABELS))
    assert [one.supporting for one in why] == [
        one.supporting for one in embedclf.explain(trained, TEXTS, (TEXTS, LABELS))
    ]


def test_training_twice_on_the_same_gives_the_same():
    """Names of labels are embedded whether the texts have been or not."""
    examples = embedclf.EmbeddedTexts(TEXTS, LABELS, embedder=(embedder := Lengths()))
    first, second = (embedclf.train(examples, head="centroid", label_names=True) for _ in range(2))
    assert (first.model.weights == second.model.weights).all()
    assert embedder.calls == [[*TEXTS, "delivery", "password", "refund"], ["delivery", "password", "refund"]]


def test_names_and_texts_are_one_request_of_the_estimator():
    """As they are of train."""
    embedder = Lengths()
    embedclf.EmbeddingClassifier(embedder, head="centroid", label_names=True).fit(TEXTS, LABELS)
    assert embedder.calls == [[*TEXTS, "delivery", "password", "refund"]]


@pytest.mark.parametrize("features", ["words", "embedding"])
def test_vectors_are_made_only_where_they_are_needed(features: str):
    """By words alone, nothing is embedded, neither to train nor to measure."""
    examples = embedclf.EmbeddedTexts(TEXTS, LABELS, embedder=(embedder := Lengths()))
    trained = embedclf.train(examples, features=features, head="centroid", label_names=False)
    assert embedclf.evaluate(trained, examples).n_examples == 30
    assert examples.is_embedded == bool(embedder.calls) == (features == "embedding")


def test_what_cannot_go_together():
    """Each has an error."""
    examples = embedclf.EmbeddedTexts(TEXTS, LABELS, embedder=Lengths())
    for name, value in (("labels", LABELS), ("embedder", "wordllama"), ("vectors", np.ones((30, 3)))):
        with pytest.raises(TypeError, match=f"an EmbeddedTexts has its own {name}: leave out {name}="):
            embedclf.train(examples, **{name: value})
    for measure in (embedclf.train, embedclf.cross_validate, embedclf.learning_curve, embedclf.compare):
        with pytest.raises(embedclf.ArgumentError, match="the texts have no labels, which are needed here"):
            measure(embedclf.EmbeddedTexts(TEXTS, embedder=Lengths()))
    trained = embedclf.train(examples, head="centroid", features="embedding", label_names=False)
    others = embedclf.EmbeddedTexts(TEXTS, LABELS, embedder=Lengths("others"))
    message = "the texts are embedded by external:others, and vectors of external:lengths are needed"
    for call in (
        lambda: embedclf.evaluate(trained, others),
        lambda: embedclf.evaluate(trained, examples, train_set=others),
        lambda: embedclf.explain(trained, others),
    ):
        with pytest.raises(embedclf.EmbedderError, match=message):
            call()
    assert not others.is_embedded


@pytest.mark.parametrize("name", ["wordllama", "aimlapi"])
def test_a_text_is_looked_through_once_to_train(name: str, api: AimlapiServer, monkeypatch: pytest.MonkeyPatch):
    """Whatever embeds it; what strangers hand to an embedder is still checked."""
    seen: list[str] = []
    find = validation.text_fault

    def counting(text: str, kind: str = "text") -> str | None:
        seen.append(text)
        return find(text, kind)

    monkeypatch.setattr(validation, "text_fault", counting)
    embedder = embedclf.open_embedder(name, cache=True)
    embedclf.train(TEXTS, LABELS, embedder=embedder, head="centroid", features="embedding", label_names=False)
    assert sorted(text for text in seen if text in set(TEXTS)) == sorted(TEXTS)
    for use in (embedder.embed, embedder.embed_partial):
        seen.clear()
        use(TEXTS)
        assert seen == TEXTS
    with pytest.raises(embedclf.TextError):
        embedder.embed(["a", " "])
