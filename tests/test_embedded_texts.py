"""Texts with their vectors: checked when they are made, embedded once."""

from collections.abc import Sequence

import numpy as np
import pytest

import embedclf
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError


class Lengths(embedclf.Embedder):
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    @property
    def spec(self) -> EmbedderSpec:
        return EmbedderSpec("own", "lengths", 2)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.asked.append(list(texts))
        angles = np.array([len(text) for text in texts], dtype=np.float32)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_they_are_embedded_when_their_vectors_are_first_needed_and_once():
    """Others too, with the same call where both are needed."""
    embedder = Lengths()
    texts = EmbeddedTexts(["a", "bb"], ["x", "y"], embedder=embedder)
    assert (len(texts), texts.is_embedded, embedder.asked) == (2, False, [])
    assert repr(texts) == "<EmbeddedTexts: 2 texts, not embedded>"
    vectors, others = texts.vectors_with(["ccc"])
    assert (vectors.shape, others.shape) == ((2, 2), (1, 2))
    assert (texts.vectors == Lengths().embed(["a", "bb"])).all()
    assert (texts.vectors_with(["dddd"])[1] == Lengths().embed(["dddd"])).all()
    assert embedder.asked == [["a", "bb", "ccc"], ["dddd"]]


def test_vectors_that_are_known_are_taken():
    """And nothing is embedded."""
    embedder = Lengths()
    texts = EmbeddedTexts(["a", "bb"], embedder=embedder, vectors=[[1, 0], [0, 1]])
    assert texts.is_embedded
    assert texts.vectors.dtype == np.float32
    assert texts.vectors.tolist() == [[1, 0], [0, 1]]
    assert texts.spec == embedder.spec
    assert embedder.asked == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": ["x"]}, "there are 2 texts and 1 label"),
        ({"vectors": np.ones((3, 4))}, "there are 2 texts and 3 vectors"),
        ({"vectors": np.ones(2)}, r"not \(2,\)"),
        ({"vectors": [[1, 2], [np.nan, 1]]}, r"vectors\[1\] is not finite"),
    ],
)
def test_what_does_not_fit_is_an_argument_that_cannot_be(given: dict, message: str):
    """Found before anything is embedded."""
    with pytest.raises(ArgumentError, match=message):
        EmbeddedTexts(["a", "b"], **given)


def test_one_stands_in_place_of_texts_alone():
    """What it has already, nobody can say again."""
    texts = EmbeddedTexts(["a", "bb", "a"], embedder=Lengths())
    assert EmbeddedTexts.of(texts) is texts
    assert EmbeddedTexts.of(["a"], embedder=Lengths()).texts == ["a"]
    with pytest.raises(TypeError, match="has its own labels: leave out labels="):
        EmbeddedTexts.of(texts, ["x", "y", "x"])
    first, second, third = texts.groups
    assert first == third != second


def test_a_single_string_is_no_list():
    """Of letters, it would be."""
    with pytest.raises(TypeError, match="texts"):
        EmbeddedTexts("abc")
    with pytest.raises(embedclf.TextError):
        EmbeddedTexts(["a", ""])
