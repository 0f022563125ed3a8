"""EmbeddedTexts: checked once, embedded once, and taken by every function that takes texts."""

from typing import Any

import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, TEXTS
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


@pytest.mark.slow
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
        with pytest.raises(TypeError, match=f"an EmbeddedTexts already has its own {name}: do not pass {name}="):
            embedclf.train(examples, **{name: value})
    for measure in (embedclf.train, embedclf.cross_validate, embedclf.learning_curve, embedclf.compare):
        with pytest.raises(embedclf.ArgumentError, match="labels are required, but the texts have none"):
            measure(embedclf.EmbeddedTexts(TEXTS, embedder=Lengths()))
    trained = embedclf.train(examples, head="centroid", features="embedding", label_names=False)
    others = embedclf.EmbeddedTexts(TEXTS, LABELS, embedder=Lengths("others"))
    message = "the texts are embedded with external:others, but vectors from external:lengths are needed"
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


def test_they_are_embedded_when_their_vectors_are_first_needed_and_once():
    """Others too, with the same call where both are needed."""
    embedder = Lengths()
    texts = embedclf.EmbeddedTexts(["a", "bb"], ["x", "y"], embedder=embedder)
    assert (len(texts), texts.is_embedded, embedder.calls) == (2, False, [])
    assert repr(texts) == "<EmbeddedTexts: 2 texts, not embedded>"
    vectors, others = texts.vectors_with(["ccc"])
    assert (vectors.shape, others.shape) == ((2, 3), (1, 3))
    assert (texts.vectors == Lengths().embed(["a", "bb"])).all()
    assert (texts.vectors_with(["dddd"])[1] == Lengths().embed(["dddd"])).all()
    assert embedder.calls == [["a", "bb", "ccc"], ["dddd"]]


def test_vectors_that_are_known_are_taken():
    """And nothing is embedded."""
    embedder = Lengths()
    texts = embedclf.EmbeddedTexts(["a", "bb"], embedder=embedder, vectors=[[1, 0], [0, 1]])
    assert texts.is_embedded
    assert texts.vectors.dtype == np.float32
    assert texts.vectors.tolist() == [[1, 0], [0, 1]]
    assert texts.spec == embedder.spec
    assert embedder.calls == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": ["x"]}, "got 2 texts but 1 label"),
        ({"vectors": np.ones((3, 4))}, "got 2 texts but 3 vectors"),
        ({"vectors": np.ones(2)}, r"got \(2,\)"),
        ({"vectors": [[1, 2], [np.nan, 1]]}, r"vectors\[1\] is not finite"),
    ],
)
def test_what_does_not_fit_is_an_argument_that_cannot_be(given: dict, message: str):
    """Found before anything is embedded."""
    with pytest.raises(embedclf.ArgumentError, match=message):
        embedclf.EmbeddedTexts(["a", "b"], **given)


def test_a_single_string_is_no_list():
    """Of letters, it would be."""
    with pytest.raises(TypeError, match="texts"):
        embedclf.EmbeddedTexts("abc")
    with pytest.raises(embedclf.TextError):
        embedclf.EmbeddedTexts(["a", ""])
