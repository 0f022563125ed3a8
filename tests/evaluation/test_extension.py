"""Tests of training on more rows: a classifier's own and new ones."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, QUICKLY, TEXTS, write_csv
from embedclf.classifier.model_file import read_model
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.training.heads import Start
from running import Cli

ROWS = [(f'"{text}"', label) for text, label in zip(TEXTS, LABELS, strict=True)]
# Of each label some rows, and none of the last label.
OLD = [number for number, label in enumerate(LABELS) if label != "refund" and number % 10 < 8]
NEW = [number for number in range(len(TEXTS)) if number not in OLD]


def rows_of(numbers: list[int], embedder: str | None = None) -> EmbeddedTexts:
    texts, labels = ([each[number] for number in numbers] for each in (TEXTS, LABELS))
    return EmbeddedTexts(texts, labels, embedder=embedder)


OPTIONS = ("--features", "embedding", "--C", 3, "--seed", 5, "--no-label-names")


@pytest.fixture
def old(cli: Cli) -> Path:
    """A model of two labels, and beside it a file with more rows, other columns and one more label."""
    write_csv(Path("old.csv"), [ROWS[number] for number in OLD])
    write_csv(Path("new.csv"), [ROWS[number] for number in NEW], ("message", "category"))
    trained = cli("train", "old.csv", "--embedder", "wordllama", *OPTIONS)
    assert trained.exit_code == 0, trained.output
    return Path("models/old.safetensors")


def test_the_result_is_that_of_training_on_all_rows(old: Path):
    """The fit starts from other weights, and ends at the same ones; the settings are those of the old model."""
    result = embedclf.extend(old, rows_of(NEW), train_set="old.csv", features="both")
    scratch = embedclf.train(rows_of(OLD + NEW, "wordllama"), features="both", C=3, seed=5, label_names=False)
    extended = result.classifier
    assert (extended.card.held_out, extended.card.temperature) == (scratch.card.held_out, scratch.card.temperature)
    assert extended.card.training == scratch.card.training
    np.testing.assert_allclose(extended.predict_proba(TEXTS), scratch.predict_proba(TEXTS), atol=1e-3)
    assert [(one.name, one.n_held_out, one.before is None) for one in result.by_label] == [
        ("delivery", 2, False),
        ("password", 2, False),
        ("refund", 2, True),
    ]
    assert sum(one.n_held_out for one in result.by_rows) == 6
    assert "On the new rows, " in str(result)
    assert "new label: " in result._repr_html_()


def test_the_command_line_says_what_is_new_and_what_it_changes(cli: Cli, old: Path):
    done = cli("train", "new.csv", "--from", old)
    assert done.exit_code == 0, done.output
    assert done.stderr == (
        "new.csv: texts in 'message', labels in 'category'\n"
        "old.csv and new.csv: 30 rows, 3 labels\n"
        "Embedder: wordllama:l2_supercat (256 dimensions)\n"
        "Old model: models/old.safetensors, with the same embedder\n"
        "16 rows of models/old.safetensors, and 14 new rows\n"
        "New label: 'refund' (10 rows)\n"
        "New: wordllama:l2_supercat, 256 dimensions\n"
        "Warning: only 6 rows held out: metrics are unreliable\n"
        "Old: the first 16 rows\n"
        "Warning: calibrated on only 17 rows: confidences are unreliable\n"
    )
    interval = r"-?[01]\.\d{3} \(-?[01]\.\d{3} to -?[01]\.\d{3}\)(, not significant)?"
    assert re.search(
        r"\nrows  held out  before  after  Δ accuracy \(95 %\)\n"
        rf"old          \d   [01]\.\d{{3}}  [01]\.\d{{3}}  {interval}\n"
        rf"new          \d   [01]\.\d{{3}}  [01]\.\d{{3}}  {interval}\n"
        r"\n"
        r"label   held out  before  after  Δ recall \(95 %\)\n"
        r"refund         2       –  [01]\.\d{3}  new label: [01]\.\d{3} to [01]\.\d{3}\n"
        r"\n"
        r"No clear change in the recall of 2 other labels\.\n"
        r"On the old rows, .*\.\n"
        r"On the new rows, .*\.\n"
        r"Saved models/old\+new\.safetensors \(\d+\.\d kB\)\n",
        done.stdout,
    ), done.stdout
    record = embedclf.load("models/old+new.safetensors").card.training
    assert record is not None
    assert (record.files, record.n_rows, record.C, record.seed) == (("old.csv", "new.csv"), 30, 3, 5)


def test_options_take_the_place_of_the_old_settings(cli: Cli, old: Path):
    options = ("--C", 1, "--holdout", 0, "--head", "logistic", "--min-confidence", 0.5)
    done = cli("train", "new.csv", "--from", old, *options, "-o", old, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["regularization"], found["threshold"], found["by_rows"], found["new"]) == (1, 0.5, [], None)
    record = embedclf.load(old).card.training
    assert record is not None
    assert (record.features, record.holdout, record.seed, record.min_confidence) == ("embedding", 0, 5, 0.5)


def test_only_new_texts_are_embedded(cli: Cli, api: AimlapiServer):
    write_csv(Path("old.csv"), [ROWS[number] for number in OLD])
    write_csv(Path("new.csv"), [ROWS[number] for number in NEW])
    cli("train", "old.csv", "--embedder", "aimlapi:text-embedding-3-small", *QUICKLY, "--no-label-names")
    api.reset()
    dry = cli("train", "new.csv", "--from", "models/old.safetensors", "--dry-run")
    assert "To embed: 14 of 30 distinct texts\n" in dry.stderr
    assert not api.n_requests
    assert cli("train", "new.csv", "--from", "models/old.safetensors", "--holdout", 0).exit_code == 0
    assert sorted(api.texts_sent) == sorted(TEXTS[number] for number in NEW)


def test_a_start_has_the_old_weights_by_label_and_zeros_for_a_new_one(old: Path):
    model, card = read_model(old)
    start = Start.of(model, card, ["delivery", "new", "password"])
    assert (start.C, start.scale) == (3, card.word_scale)
    weights = start.trained.fit.weights
    np.testing.assert_allclose(weights[[0, 2]], model.weights * card.temperature)
    assert not weights[1].any()


def test_labels_are_mapped_in_old_and_new_rows_and_that_is_remembered(cli: Cli, old: Path):
    Path("m.csv").write_text("delivery,post\nrefund,\nx,y\n", encoding="utf-8")
    mapped = cli("train", "new.csv", "--from", old, "--label-map", "m.csv", "-o", "mapped.safetensors")
    assert "m.csv: renamed 'delivery' to 'post' (10 rows); left out 'refund' (10 rows)\n" in mapped.stderr
    assert "Warning: m.csv: no row has the label 'x'\n" in mapped.stderr
    assert (
        "16 rows, as many as then, but their texts, labels or order differ\nNo longer a label: 'delivery'\n"
    ) in mapped.stderr
    again = cli("retrain", "mapped.safetensors")
    assert "nothing has changed: mapped.safetensors was trained with wordllama" in again.stderr
    assert "the model's label map: renamed 'delivery' to 'post'" in again.stderr
    write_csv(Path("third.csv"), [("parcel gone", "delivery"), ("pasword lost", "pasword")])
    third = cli("train", "third.csv", "--from", "mapped.safetensors", "--dry-run")
    assert "20 rows of mapped.safetensors, and 2 new rows\n" in third.stderr
    assert "New label: 'pasword' (1 row; if it is misspelt for 'password', correct it with --label-map)" in third.stderr
    evaluated = cli("evaluate", "old.csv", "-m", "mapped.safetensors", "--label-map", "m.csv", "--json")
    assert set(json.loads(evaluated.stdout)["per_class"]) == {"password", "post"}


def test_an_old_row_that_has_changed_is_only_used_if_its_file_is_named(cli: Cli, old: Path):
    write_csv(Path("old.csv"), [ROWS[number] for number in OLD[1:]])
    refused = cli("train", "new.csv", "--from", old)
    assert "old.csv has changed since models/old.safetensors was trained on it: 15 rows now" in refused.stderr
    named = cli("train", "new.csv", "--from", old, "--train-set", "old.csv", "--dry-run")
    assert "The old rows are not those of models/old.safetensors: 15 rows now, 16 then" in named.stderr
    assert named.exit_code == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--train-set", "old.csv"), "--train-set names the rows of the model of --from"),
        (("--from", "no.safetensors"), "model not found: no.safetensors"),
        (
            ("--from", "models/old.safetensors", "old.csv"),
            "old.safetensors was trained on old.csv already: name a file of new rows",
        ),
        (("--from", "models/old.safetensors", "--head", "centroid", "--C", 1), "--C only applies to --head logistic"),
        (("--from", "models/old.safetensors", "--label-map", "no.csv"), "no.csv: file not found"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(cli: Cli, old: Path, options: tuple[str, ...], says: str):
    assert says in cli("train", "new.csv", *options).stderr


def test_old_rows_may_come_as_a_data_frame_with_weights(old: Path):
    frame = pd.read_csv("old.csv")
    new = [TEXTS[number] for number in NEW], [LABELS[number] for number in NEW]
    result = embedclf.extend(old, *new, train_set=frame, sample_weight=np.arange(1.0, 31), holdout=0, C=1)
    assert result.classifier.card.n_examples == 30
    with pytest.raises(embedclf.ArgumentError, match="holdout must be at least 0"):
        embedclf.extend(old, *new, holdout=1)
    with pytest.raises(embedclf.DataError, match=re.escape("name it with --train-set FILE (in Python: train_set=…)")):
        embedclf.extend(result.classifier, *new)
    with pytest.raises(TypeError, match="unexpected keyword argument 'labelnames'"):
        embedclf.extend(old, *new, labelnames=False)  # type: ignore[call-arg]
