"""The datasets that come along: what their README promises."""

import collections

import numpy as np
import pytest

import embedclf
from corpus import DATASETS
from embedclf.data.corpus import read_corpus


@pytest.mark.parametrize(
    ("name", "n_labels", "rows", "test_rows"), [("support_tickets", 12, 40, 10), ("product_reviews", 3, 200, 60)]
)
def test_sizes_and_distance(name: str, n_labels: int, rows: int, test_rows: int):
    """Enough labels and rows, no text twice, and no test row that is nearly a training row."""
    training = read_corpus(DATASETS / f"{name}.csv")
    test = read_corpus(DATASETS / f"{name}_test.csv")
    assert len(set(training.labels)) >= n_labels
    assert set(training.labels) == set(test.labels)
    assert min(collections.Counter(training.labels).values()) >= rows
    assert min(collections.Counter(test.labels).values()) >= test_rows
    texts = training.texts + test.texts
    assert len({text.casefold().strip() for text in texts}) == len(texts)
    embedder = embedclf.open_embedder("wordllama")
    similarity = embedder.embed(test.texts) @ embedder.embed(training.texts).T
    assert similarity.max() < 0.95
    lengths = np.array([len(text.split()) for text in texts])
    assert lengths.min() <= 4
    assert lengths.max() >= 60


@pytest.mark.parametrize("name", ["german", "japanese"])
def test_other_languages(name: str):
    """Twenty-one texts for each of four labels, no text twice."""
    corpus = read_corpus(DATASETS / f"{name}_messages.csv")
    assert sorted(collections.Counter(corpus.labels).values()) == [21] * 4
    assert len(set(corpus.texts)) == 84


def test_reviews_with_several_labels():
    """No sentence stands in two of them, so that no row gives another away."""
    files = [read_corpus(DATASETS / f"hotel_reviews{part}.csv", label_separator="|") for part in ("", "_test")]
    assert [len(corpus.texts) for corpus in files] == [64, 27]
    sentences = [
        sentence for corpus in files for text in corpus.texts for sentence in text.removesuffix(".").split(". ")
    ]
    assert len(set(sentences)) == len(sentences)
    for corpus in files:
        assert {label for labels in corpus.label_sets or [] for label in labels} == {
            *("breakfast", "location", "noise", "price", "room", "staff")
        }
        assert {len(labels) for labels in corpus.label_sets or []} >= {0, 1, 2, 3}
