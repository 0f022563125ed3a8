"""Tests of training on more rows: a classifier's own and new ones."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, QUICKLY, SMALL, TEXTS, write_csv
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
    pair = embedclf.extend(old, *new, train_set=(list(frame["text"]), list(frame["label"])), holdout=0, C=1)
    assert pair.classifier.card.n_examples == 30
    for wrong in (3, [list(frame["text"])], (list(frame["text"]), list(frame["label"]), None)):
        with pytest.raises(TypeError, match=r"train_set must be a pair \(texts, labels\), a data frame, "):
            embedclf.extend(old, *new, train_set=wrong)
    with pytest.raises(TypeError, match="unexpected keyword argument 'labelnames'"):
        embedclf.extend(old, *new, labelnames=False)  # type: ignore[call-arg]


# Texts of the same labels, some with two: of the last label none is old.
SETS = [(text, [label]) for text, label in zip(TEXTS, LABELS, strict=True)]
SETS += [(f"{TEXTS[one]}. {TEXTS[one + 10]}", ["delivery", "password"]) for one in range(8)]
OLD_SETS = [row for number, row in enumerate(SETS) if row[1] != ["refund"] and number % 10 < 7]
NEW_SETS = [row for row in SETS if row not in OLD_SETS]
COLUMNS = "delivery,password"
FAST = ("--features", "embedding", "--C", 1, "--no-label-names")


def write_sets(name: str, rows: list[tuple[str, list[str]]], columns: str = "", below: str = "") -> None:
    """Separated by bars, in columns of 0 and 1, or in lists; `below` stands before each label."""
    if name.endswith(".jsonl"):
        lines = (json.dumps({"text": text, "label": labels}) + "\n" for text, labels in rows)
        Path(name).write_text("".join(lines), encoding="utf-8")
        return
    names = columns.split(",") if columns else []
    cells = [
        [*(str(int(one in labels)) for one in names)] if names else ["|".join(below + one for one in labels) or "[]"]
        for _, labels in rows
    ]
    fields = [(f'"{text}"', *of_row) for (text, _), of_row in zip(rows, cells, strict=True)]
    write_csv(Path(name), fields, ("text", *(names or ["label"])))


def test_several_labels_are_compared_by_their_f1(cli: Cli):
    """On the same held-out rows, in all and for each label; a new label is one that is never given before."""
    write_sets("old.csv", OLD_SETS)
    write_sets("new.csv", NEW_SETS)
    assert not cli("train", "old.csv", "--label-separator", "|", "--embedder", "wordllama", *FAST).exit_code
    done = cli("train", "new.csv", "--from", "models/old.safetensors", "--seed", 1)
    assert done.exit_code == 0, done.output
    assert "Several labels per text (separated by '|'): 1.2 on average\n" in done.stderr
    assert "New label: 'refund' (10 rows)\n" in done.stderr
    figure = r"-?[01]\.\d{3} +\(-?[01]\.\d{3} to -?[01]\.\d{3}\)(, not significant)?"
    row = rf" +\d+  +[01]\.\d{{3}}  +[01]\.\d{{3}}  {figure}\n"
    assert re.search(
        r"\nmodel  embedder +dims  rows  micro-F1 \(95 %\) +Δ micro-F1 \(95 %\)\n"
        rf"new    wordllama:l2_supercat +256 +38  {figure}  {figure}\n"
        rf"old    wordllama:l2_supercat +256 +{len(OLD_SETS)}  {figure}  –\n\n"
        rf"figure +held out  before  after  Δ \(95 %\)\nmacro-F1{row}exact match{row}\n"
        rf"rows  held out  before  after  Δ micro-F1 \(95 %\)\nold{row}new{row}\n"
        r"label   held out  before  after  Δ F1 \(95 %\)\n"
        r"refund         2       –  [01]\.\d{3}  new label: [01]\.\d{3} to [01]\.\d{3}\n\n"
        r"No clear change in the F1 of 2 other labels\.\nOn the old rows, .*\.\nOn the new rows, .*\.\nSaved ",
        done.stdout,
    ), done.stdout
    again = cli("retrain", "models/old+new.safetensors")
    assert "nothing has changed: models/old+new.safetensors was trained with wordllama" in again.stderr


def test_the_figures_of_several_labels_are_those_of_training(cli: Cli):
    """And each difference is that of the two figures beside it; the old rows alone give the old figures."""
    old, new = ([list(each) for each in zip(*rows, strict=True)] for rows in (OLD_SETS, NEW_SETS))
    quick = {"features": "embedding", "label_names": False, "regularization": 1.0, "embedder": "wordllama"}
    trained = embedclf.train(*old, holdout=0, **quick)
    result = embedclf.extend(trained, *new, train_set=(old[0], old[1]), seed=1)
    scratch = embedclf.train(old[0] + new[0], old[1] + new[1], seed=1, **quick)
    assert result.classifier.card.held_out == scratch.card.held_out
    np.testing.assert_allclose(result.classifier.predict_proba(TEXTS), scratch.predict_proba(TEXTS), atol=1e-3)
    held_out = scratch.card.held_out
    assert [(one.name, one.after) for one in result.by_figure] == [
        ("micro-F1", pytest.approx(held_out.micro_f1)),
        ("macro-F1", pytest.approx(held_out.macro_f1)),
        ("exact match", pytest.approx(held_out.accuracy)),
    ]
    for one in (*result.by_figure, *result.by_rows, *result.by_label):
        assert one.after_interval.low <= one.after <= one.after_interval.high
        if one.difference is not None:
            assert one.difference == pytest.approx(one.after - one.before)
            assert one.difference_interval.low <= one.difference <= one.difference_interval.high
    assert [one.name for one in result.by_label if one.before is None] == ["refund"]
    assert (result.metric, result.new.micro_f1, result.difference) == (
        "micro-F1",
        result.by_figure[0].after,
        result.by_figure[0].difference,
    )
    assert set(result.new.to_dict()) - set(result.old.to_dict()) == set()
    assert "<td" in result._repr_html_()


# How the old and the new rows are written, the options for each, and what is asked of the second training.
FORMS = {
    "columns": ("c.csv", ("--label-columns", COLUMNS), "c2.csv", ()),
    "one column more": ("c.csv", ("--label-columns", COLUMNS), "c3.csv", ("--label-columns", f"{COLUMNS},refund")),
    "columns and then a separator": ("c.csv", ("--label-columns", COLUMNS), "s2.csv", ("--label-separator", "|")),
    "lists": ("l.jsonl", (), "l2.jsonl", ()),
    "a tree": ("t.csv", ("--label-separator", "|", "--label-hierarchy", "/"), "t2.csv", ()),
    "a map": ("s.csv", ("--label-separator", "|"), "s2.csv", ("--label-map", "map.csv")),
    "words": ("s.csv", ("--label-separator", "|", "--embedder", "words"), "s2.csv", ()),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_several_labels_are_read_as_they_were(cli: Cli, form: str):
    """And so they are the next time, with the new ones."""
    first, of_first, second, asked = FORMS[form]
    for number, rows in (("", OLD_SETS), ("2", NEW_SETS)):
        write_sets(f"c{number}.csv", rows, COLUMNS)
        write_sets(f"s{number}.csv", rows)
        write_sets(f"l{number}.jsonl", rows)
        write_sets(f"t{number}.csv", rows, below="a/" if number else " a / ")
    write_sets("c3.csv", NEW_SETS, f"{COLUMNS},refund")
    Path("map.csv").write_text("old,new\ndelivery,post\nrefund,\n", encoding="utf-8")
    fast = ("--C", 1, "--holdout", 0) if form == "words" else (*FAST, "--holdout", 0, "--embedder", "wordllama")
    trained = cli("train", first, *of_first, *fast, "-o", "m.safetensors")
    assert trained.exit_code == 0, trained.output
    done = cli("train", second, "--from", "m.safetensors", *asked, "-o", "n.safetensors")
    assert done.exit_code == 0, done.output
    classes = {"columns": {"delivery", "password"}, "a map": {"post", "password"}}.get(form, {*SMALL})
    found = set(embedclf.load("n.safetensors").classes)
    assert found == ({f"a / {name}" for name in classes} if form == "a tree" else classes)
    again = cli("retrain", "n.safetensors")
    assert "Error: nothing has changed: n.safetensors was trained with" in again.stderr
    if form == "a tree":
        assert ", 3 labels\n" in done.stderr
        Path("t3.csv").write_text('text,label\n"Lost",a//b\n"Found",a/c|a/d\n', encoding="utf-8")
        assert "Error: the label 'a//b' has an empty part" in cli("train", "t3.csv", "--from", "m.safetensors").stderr
    if form == "columns":  # a new label in a column that is not named
        write_sets("c2.csv", NEW_SETS, f"{COLUMNS},refund")
        warned = cli("train", "c2.csv", "--from", "m.safetensors", "--dry-run").stderr
        assert (
            "Warning: c2.csv: 'refund' not used; if that is a new label, name all of them: --label-columns "
            "delivery,password,refund\n"
        ) in warned


def test_one_label_does_not_become_several_nor_several_one(cli: Cli, api: AimlapiServer):
    """Said before anything is embedded."""
    write_sets("one.csv", [row for row in OLD_SETS if len(row[1]) == 1])
    write_sets("several.csv", OLD_SETS)
    write_sets("new.csv", NEW_SETS)
    write_sets("new.jsonl", NEW_SETS)
    write_sets("single.csv", [row for row in NEW_SETS if len(row[1]) == 1])
    embedder = ("--embedder", "aimlapi:text-embedding-3-small", "--holdout", 0, *FAST)
    cli("train", "one.csv", *embedder, "-o", "one.safetensors")
    cli("train", "several.csv", "--label-separator", "|", *embedder, "-o", "several.safetensors")
    api.reset()
    one, several = ("--from", "one.safetensors"), ("--from", "several.safetensors")
    gives_one = "has several labels per text, but the model gives one: train another one on all rows"
    for command, says in {
        ("train", "new.jsonl", *one): f"new.jsonl {gives_one}",
        ("train", "new.csv", *one, "--label-separator", "|"): f"new.csv {gives_one}",
        ("train", "new.csv", *one): "new.csv has several labels per text, such as 'delivery|password', but the model",
        ("retrain", "one.safetensors", "--train-set", "new.jsonl"): f"new.jsonl {gives_one}",
        ("train", "single.csv", *several): "single.csv has one label per text, but the model gives several: if each",
        ("retrain", "several.safetensors", "--train-set", "one.csv"): "one.csv has one label per text, but the model",
        ("train", "new.csv", *several, "--target-accuracy", 0.9): "--target-accuracy (target_accuracy) is for texts",
    }.items():
        done = cli(*command)
        assert (done.exit_code, says in done.stderr) == (1, True), done.stderr
    assert not cli("train", "single.csv", *several, "--label-separator", "|", "--dry-run").exit_code
    assert not api.n_requests
    for model, labels, says in (
        ("one.safetensors", [["a"], ["b"]], "the dataset has several labels per text, but the model gives one"),
        ("several.safetensors", ["a", "b"], "the dataset has one label per text, but the model gives several"),
    ):
        for call in (embedclf.extend, embedclf.retrain):
            with pytest.raises(embedclf.ArgumentError, match=says):
                call(model, ["c", "d"], labels)
