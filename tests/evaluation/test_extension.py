"""Tests of training on more rows: a classifier's own and new ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import embedclf
from corpus import LABELS, QUICK, TEXTS, write_csv
from embedclf.classifier.model_file import read_model
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.training.heads import Start
from embedclf.training.trainer import train_on
from embedclf.training.recipe import check_recipe
from running import Cli

ROWS = [(f'"{text}"', label) for text, label in zip(TEXTS, LABELS, strict=True)]
# Of each label some rows, and none of the last label.
OLD = [number for number, label in enumerate(LABELS) if label != "refund" and number % 10 < 8]
NEW = [number for number in range(len(TEXTS)) if number not in OLD]


def rows_of(numbers: list[int]) -> EmbeddedTexts:
    return EmbeddedTexts([TEXTS[number] for number in numbers], [LABELS[number] for number in numbers])


@pytest.fixture
def old(cli: Cli) -> Path:
    write_csv(Path("old.csv"), [ROWS[number] for number in OLD])
    write_csv(Path("new.csv"), [ROWS[number] for number in NEW], ("message", "category"))
    trained = cli("train", "old.csv", "--embedder", "wordllama", "--features", "both", "--C", 3, "--seed", 5)
    assert trained.exit_code == 0, trained.output
    return Path("models/old.safetensors")


def test_the_result_is_that_of_training_on_all_rows(old: Path):
    """The fit starts from other weights, and ends at the same ones; the settings are the old ones."""
    new = rows_of(NEW)
    result = embedclf.extend(old, new, train_set="old.csv")
    scratch = embedclf.train(
        *([TEXTS[number] for number in OLD + NEW], [LABELS[number] for number in OLD + NEW]),
        embedder="wordllama", features="both", C=3, seed=5,
    )  # fmt: skip
    extended = result.classifier
    assert extended.card.training is not None and scratch.card.training is not None
    assert extended.card.training.digest == scratch.card.training.digest
    assert (extended.card.held_out, extended.card.temperature) == (scratch.card.held_out, scratch.card.temperature)
    assert extended.classes == scratch.classes == ("delivery", "password", "refund")
    probabilities = [np.array([one.probabilities for one in each.predict_all(TEXTS)]) for each in (extended, scratch)]
    np.testing.assert_allclose(*probabilities, atol=1e-3)
