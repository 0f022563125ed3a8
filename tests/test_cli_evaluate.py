"""``embedclf evaluate``, at the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

import embedclf
from conftest import LABELS, TEXTS, Cli, write_csv


def test_json_is_one_object_with_scikit_learns_figures(
    cli: Cli, dataset: Path, model: Path, trained: embedclf.TextClassifier
):
    """Accuracy, F1, precision, recall, support and log loss are those that scikit-learn computes."""
    shifted = [*LABELS[5:], *LABELS[:5]]
    write_csv(dataset, [(f'"{text}"', label) for text, label in zip(TEXTS, shifted, strict=True)])
    result = cli("evaluate", dataset, "-m", model, "--json")
    report = json.loads(result.stdout)
    assert result.stderr == ""
    predicted = trained.predict(TEXTS)
    expected = sk.classification_report(shifted, predicted, output_dict=True, zero_division=0)
    assert report["n_examples"] == 30
    assert report["accuracy"] == pytest.approx(expected["accuracy"])
    assert report["macro_f1"] == pytest.approx(expected["macro avg"]["f1-score"])
    assert report["weighted_f1"] == pytest.approx(expected["weighted avg"]["f1-score"])
    assert report["log_loss"] == pytest.approx(sk.log_loss(shifted, trained.predict_proba(TEXTS)), rel=1e-4)
    assert list(report["per_class"]) == ["delivery", "password", "refund"]
    for name, figures in report["per_class"].items():
        for ours, theirs in {"precision": "precision", "recall": "recall", "f1": "f1-score"}.items():
            assert figures[ours] == pytest.approx(expected[name][theirs])
        assert figures["support"] == expected[name]["support"]
    assert 0 <= report["ece"] <= 1


def test_the_table_shows_every_class(cli: Cli, dataset: Path, model: Path):
    """The plain output is a table that a person reads."""
    lines = cli("evaluate", dataset, "-m", model).stdout.splitlines()
    assert lines[0] == "rows               30"
    assert lines[1].startswith("accuracy           ")
    assert lines[5].startswith("calibration error  ")
    assert lines[7] == "label     precision  recall     F1     rows"
    assert [line.split()[0] for line in lines[8:]] == ["delivery", "password", "refund"]
    assert len({len(line) for line in lines[7:]}) == 1


def test_an_unknown_label_is_wrong_named_and_outside_the_log_loss(cli: Cli, dataset: Path, model: Path):
    """Its rows count against accuracy, not in log loss."""
    without = json.loads(cli("evaluate", dataset, "-m", model, "--json").stdout)
    with dataset.open("a") as file:
        file.write("Do you sell gift cards,shopping\nAre you open on Sunday,shopping\n")
    result = cli("evaluate", dataset, "-m", model, "--json")
    report = json.loads(result.stdout)
    assert result.stderr == "Warning: the model does not know the label 'shopping': 2 rows counted as wrong\n"
    assert report["accuracy"] == pytest.approx(without["accuracy"] * 30 / 32)
    assert report["log_loss"] == pytest.approx(without["log_loss"])
    assert report["per_class"]["shopping"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 2}
    assert report["unknown_labels"] == {"shopping": 2}


def test_only_unknown_labels_ask_whether_it_is_the_right_model(cli: Cli, model: Path, tmp_path: Path):
    """The error names some of both."""
    path = write_csv(tmp_path / "other.csv", [("great film", "positive"), ("bad film", "negative")])
    result = cli("evaluate", path, "-m", model)
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: the model knows none of the labels ('negative', 'positive'); it knows 'delivery', 'password', "
        "'refund'. Is it the right model?\n"
    )


def test_calibration_error_by_hand():
    """Five answers in two bins: |0.9·2 − 1| and |0.5·2 + 0.52 − 2|, over five."""
    from embedclf.metrics import expected_calibration_error

    correct = np.array([True, False, True, True, False])
    confidence = np.array([0.9, 0.9, 0.5, 0.5, 0.52])
    assert expected_calibration_error(correct, confidence) == pytest.approx((0.8 + 0.48) / 5)


def test_from_python_it_is_a_record(trained: embedclf.TextClassifier):
    """embedclf.evaluate gives the same figures as the command line."""
    report = embedclf.evaluate(trained, TEXTS, LABELS)
    assert report.to_dict()["accuracy"] == report.accuracy
    assert report.per_class["refund"].support == 10
    with pytest.raises(embedclf.EmbedclfError, match="there are 0 texts and 0 labels"):
        embedclf.evaluate(trained, [], [])
    with pytest.raises(embedclf.EmbedclfError, match="there are 30 texts and 1 label"):
        embedclf.evaluate(trained, TEXTS, ["refund"])
