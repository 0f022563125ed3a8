"""Costs, class weights, targets of labels, and weights of rows: from training to the answers."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import embedclf
from corpus import LABELS, QUICKLY, TEXTS, write_csv
from embedclf.prediction import resumable_run
from running import Cli

FAST = ("--embedder", "wordllama", "--features", "embedding", "--C", 1, "--no-label-names")
INTERVAL = r"\(-?\d+\.\d{3} to -?\d+\.\d{3}\)"


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return embedclf.open_embedder("wordllama").embed(TEXTS)


def test_costs_are_kept_in_the_model_and_measured(cli: Cli, dataset: Path, vectors: np.ndarray):
    """Training, evaluation and prediction agree; the file is of a format that older versions refuse."""
    Path("costs.csv").write_text("label,answer,cost\nrefund,*,10\n*,-,0.02\n", encoding="utf-8")
    trained = cli("train", dataset, *FAST, "--costs", "costs.csv", "-o", "m.safetensors")
    assert trained.exit_code == 0, trained.output
    assert re.search(
        rf"\nAnswers [\d.]+ %(, accuracy [\d.]+)?\nMean cost \d\.\d{{3}} {INTERVAL}\n"
        rf"  of the most likely label \d\.\d{{3}} {INTERVAL}; difference [+-]\d\.\d{{3}} {INTERVAL}(, not sig.*)?\n",
        trained.stdout,
    )
    model = embedclf.load("m.safetensors")
    assert model.card.to_dict()["costs"] == [["refund", "*", 10.0], ["*", None, 0.02]]
    assert b'\\"format\\": 4' in Path("m.safetensors").read_bytes()
    report = json.loads(cli("evaluate", dataset, "-m", "m.safetensors", "--json", "--report", "r.html").stdout)
    probabilities = model.predict_proba(TEXTS).astype(float)
    matrix = np.array([[0, 1, 1, 0.02], [1, 0, 1, 0.02], [10, 10, 0, 0.02]])
    best = (probabilities @ matrix).argmin(axis=1)
    y = np.array([model.classes.index(label) for label in LABELS])
    cost = report["answers"]["cost"]
    assert cost["mean"] == pytest.approx(matrix[y, best].mean())
    assert cost["likeliest"] == pytest.approx(matrix[y, probabilities.argmax(axis=1)].mean())
    assert 0 < cost["abstained"] == (best == 3).mean()
    assert cost["difference_interval"][0] <= cost["difference"] <= cost["difference_interval"][1]
    assert model.predict(TEXTS) == [None if place == 3 else model.classes[place] for place in best]
    page = Path("r.html").read_text(encoding="utf-8")
    assert "mean cost" in page
    assert "most likely label" in page
    assert "abstains    where that costs less\nanswers by  least expected cost" in str(model)
    # A row may have another label than the most likely one, which is then written beside it.
    assert cli("predict", "-m", "m.safetensors", "--input", dataset, "-o", "out.csv", "--top-k", 2).exit_code == 0
    with Path("out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["predicted_label"] or None for row in rows] == model.predict(TEXTS)
    assert [row["top_1_label"] for row in rows] == [model.classes[one] for one in probabilities.argmax(axis=1)]


def test_costs_on_a_model_without_any(cli: Cli, model: Path, dataset: Path):
    """What they would be worth, as in Python; the model stays as it is."""
    Path("c.jsonl").write_text('{"label": "refund", "answer": "*", "cost": 30}\n', encoding="utf-8")
    result = cli("evaluate", dataset, "-m", model, "--costs", "c.jsonl")
    assert result.exit_code == 0, result.output
    assert re.search(
        rf"\nmean cost          \d+\.\d{{3}}  {INTERVAL}\n  most likely      .*\n  difference       .*\n", result.stdout
    )
    loaded = embedclf.load(model)
    report = embedclf.evaluate(loaded, TEXTS, LABELS, costs={("refund", "*"): 30})
    assert report.answers is not None
    assert report.answers.cost is not None
    assert f"mean cost          {report.answers.cost.mean:.3f}" in result.stdout
    assert report.per_class["refund"].recall == 1
    assert embedclf.evaluate(loaded, TEXTS, LABELS).answers is None
    # An interrupted file of labels is not continued by other rules.
    costly = [loaded.with_costs({("refund", "*"): cost}) for cost in (3, 30)]
    assert len({resumable_run._fingerprint(one) for one in (loaded, *costly)}) == 3


def test_class_weights_show_what_they_move(cli: Cli, dataset: Path):
    """And whether they do is in the report of a cross-validation, too."""
    Path("w.csv").write_text("label\tweight\nrefund\t1000\n", encoding="utf-8")
    how = (dataset, *FAST, "--class-weight", "w.csv")
    trained = cli("train", *how, "-o", "m.safetensors")
    assert "w.csv: no weight for 'delivery', 'password': 1\n" in trained.stderr
    loaded = embedclf.load("m.safetensors")
    assert len(loaded.card.class_weights or ()) == 3
    # A training takes only one of them, and one by costs can be repeated.
    assert loaded.with_costs({("refund", "*"): 3}).card.training.class_weight is None
    validated = json.loads(cli("cross-validate", *how, "--folds", 3, "--json").stdout)["report"]
    plain = json.loads(cli("cross-validate", dataset, *FAST, "--folds", 3, "--json").stdout)["report"]
    assert validated["per_class"]["refund"]["recall"] >= plain["per_class"]["refund"]["recall"]
    moved = {one["label"]: one for one in validated["answers"]["recalls"]}
    assert moved
    assert all(one["recall"] != one["likeliest"] for one in moved.values())
    assert validated["answers"]["likeliest_accuracy"] == pytest.approx(plain["accuracy"], abs=0.15)
    assert "answers" not in plain


def test_targets_of_labels(cli: Cli, dataset: Path):
    """Each has its threshold, and what it reaches on both kinds of rows."""
    result = cli(
        "train", dataset, *FAST, "-o", "m.safetensors", "--target-precision", "refund=60%", "--target-recall",
        "delivery=0.7", "--min-confidence", 1,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert re.search(
        r"'refund' is not answered below a confidence of 0\.\d{4}: precision \d\.\d{3} on \d+ cross-validated "
        r"answers, target 0\.6\.\n'delivery' (is preferred to other labels|needs no threshold)",
        result.stderr,
    )
    assert re.search(r"\nTarget: precision of refund 0\.6: (\d\.\d{3} \(|not measured)", result.stdout)
    assert re.search(rf"\nTarget: recall of delivery 0\.7: \d\.\d{{3}} {INTERVAL}, 2 rows\n", result.stdout)
    answered = embedclf.load("m.safetensors").predict(TEXTS)
    assert {"delivery", "refund"} <= set(answered)
    assert "password" not in answered  # to which the common threshold still applies
    assert embedclf.load("m.safetensors").card.training.target_recall == {"delivery": 0.7}


def test_a_weight_column_is_read_again(cli: Cli):
    """`retrain` finds it in the recorded file, leaves out what weighs nothing, and keeps costs and targets."""
    rows = [(f'"{text}"', LABELS[row], str(row % 4)) for row, text in enumerate(TEXTS)]
    write_csv(Path("t.csv"), rows, ("text", "label", "n"))
    Path("c.csv").write_text("label,answer,cost\nrefund,*,4\n", encoding="utf-8")
    trained = cli("train", "t.csv", *QUICKLY, "--weight-column", "n", "-o", "m.safetensors", "--costs", "c.csv")
    assert trained.exit_code == 0, trained.output
    old = embedclf.load("m.safetensors")
    kept = [number for number in range(len(TEXTS)) if number % 4]
    by_hand = embedclf.train(
        [TEXTS[row] for row in kept], [LABELS[row] for row in kept], features="embedding", C=1.0, holdout=0,
        sample_weight=[row % 4 for row in kept], embedder="wordllama",
    )  # fmt: skip
    assert (old.model.weights == by_hand.model.weights).all()
    assert (old.card.training.weight_column, old.card.training.n_rows, old.card.n_examples) == ("n", 30, len(kept))
    new = embedclf.retrain("m.safetensors", dimensions=64)
    assert (new.classifier.card.costs, new.classifier.card.n_examples) == (old.card.costs, len(kept))
    result = cli("retrain", "m.safetensors", "--dimensions", 64, "-o", "n.safetensors")
    assert result.exit_code == 0, result.output
    assert "t.csv: 8 rows of weight 0 left out\n" in result.stderr
    again = embedclf.load("n.safetensors")
    assert (again.card.training.weight_column, again.card.training.n_rows) == ("n", 30)
    assert (again.predict_proba(TEXTS) == new.classifier.predict_proba(TEXTS)).all()
    # So do more rows, which have the column, too.
    write_csv(Path("more.csv"), [("my parcel is lost", "delivery", "2"), ("no", "refund", "0")], ("text", "label", "n"))
    more = cli("train", "more.csv", "--from", "m.safetensors", "-o", "o.safetensors")
    assert more.exit_code == 0, more.output
    assert "9 rows of weight 0 left out\n" in more.stderr
    longer = embedclf.load("o.safetensors").card
    assert (longer.training.weight_column, longer.training.n_rows, longer.n_examples) == ("n", 32, len(kept) + 1)
    write_csv(Path("more.csv"), [("my parcel is lost", "delivery")])
    assert (
        "more.csv: no column 'n', which the other files have"
        in cli("train", "more.csv", "--from", "m.safetensors").stderr
    )
