"""One road from probabilities to answers: every door breaks ties and compares with a threshold in the same way."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import embedclf
from embedclf.classifier.linear import LinearModel
from running import Cli
from serving import ask, serving

TEXT = "my parcel"
ANSWERED, ABSTAINED = "a", None


def constant(trained: embedclf.TextClassifier, bias: list[float], threshold: float | None) -> embedclf.TextClassifier:
    """Return a classifier that answers any text alike, by its bias alone, with classes a, b, c …"""
    classes = tuple("abcdefghi"[: len(bias)])
    weights = np.zeros((len(bias), trained.model.weights.shape[1]), dtype=np.float32)
    model = LinearModel(weights, np.array(bias, dtype=np.float32), classes)
    card = replace(trained.card, threshold=threshold, out_of_scope_label="nothing of this")
    return embedclf.TextClassifier(trained.embedder, model, card)


def answers_of_doors(classifier: embedclf.TextClassifier, cli: Cli) -> dict[str, tuple[str | None, list[str]]]:
    """Return what each door says of a text: its label, and all classes from the likeliest down where it ranks them."""
    k = len(classifier.classes)
    doors: dict[str, tuple[str | None, list[str]]] = {}
    doors["predict"] = classifier.predict([TEXT])[0], []
    doors["decide"] = classifier.decide(classifier.predict_proba([TEXT]))[0], []

    Path("in.csv").write_text(f"text\n{TEXT}\n")
    embedclf.predict_file(classifier, "in.csv", "out.csv", top_k=k)
    with Path("out.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    doors["predict_file"] = row["predicted_label"] or None, [row[f"top_{place}_label"] for place in range(2, k + 1)]

    classifier.save("m.safetensors")
    plain = cli("predict", "-m", "m.safetensors", TEXT, "--top-k", k).stdout.rstrip("\n").split("\t")
    doors["the screen"] = None if plain[0] == "-" else plain[0], plain[2::2]
    record = json.loads(cli("predict", "-m", "m.safetensors", TEXT, "--top-k", k, "--json").stdout)
    doors["JSON"] = record["label"], [one["label"] for one in record["top"]]

    with serving(embedclf.create_app(classifier)) as client:
        (prediction,) = ask(client, TEXT, top_k=k).json()["predictions"]
        (single,) = ask(client, TEXT).json()["predictions"]
    doors["the service"] = prediction["label"], [one["label"] for one in prediction["top"]]
    doors["the service, without top_k"] = single["label"], []
    return doors


@pytest.mark.parametrize(
    ("bias", "order"),
    [([1, 0, 1], "acb"), ([0, 0, 0], "abc"), ([0, 2, 1, 2, 1, 0], "bdceaf"), ([0, 200, 200], "bca")],
)
def test_of_equals_the_first_class_leads(trained: embedclf.TextClassifier, cli: Cli, bias: list[float], order: str):
    """In the label, and further down; the estimator and the evaluation, too."""
    classifier = constant(trained, bias, None)
    for door, (label, ranked) in answers_of_doors(classifier, cli).items():
        assert label == order[0], door
        assert "".join(ranked) in ("", order, order[1:]), door
    (why,) = classifier.explain([TEXT])
    assert (why.label, why.runner_up) == (order[0], order[1])
    report = embedclf.evaluate(classifier, [TEXT, "another"], [order[1], order[1]])
    assert [one.predicted for one in report.wrong] == [order[0], order[0]]
    estimator = embedclf.EmbeddingClassifier(classifier.embedder)
    estimator.embedder_, estimator.model_ = classifier.embedder, classifier.model
    estimator.classes_, estimator._card = np.array(list(classifier.classes)), classifier.card
    assert estimator.predict([TEXT]).tolist() == [order[0]]


@pytest.mark.parametrize("top_k", [0, -1])
def test_at_least_one_label_is_asked_for(trained: embedclf.TextClassifier, top_k: int):
    """Said before anything is written."""
    Path("in.csv").write_text(f"text\n{TEXT}\n")
    with pytest.raises(embedclf.ArgumentError, match=f"top_k must be an integer of at least 1, not {top_k}"):
        embedclf.predict_file(trained, "in.csv", "out.csv", top_k=top_k)
    assert [path.name for path in Path().iterdir()] == ["in.csv"]


@pytest.mark.parametrize("bias", [[1.0, 0.0], [2.5, 0.3, 0.1], [0.1] * 7])
def test_a_confidence_at_the_threshold_is_answered(trained: embedclf.TextClassifier, cli: Cli, bias: list[float]):
    """And one a hair above it, which float32 cannot tell apart, is not."""
    classifier = constant(trained, bias, None)
    confidence = float(classifier.predict_proba([TEXT]).max())
    for threshold, label in ((confidence, ANSWERED), (float(np.nextafter(confidence, 1)), ABSTAINED)):
        held = classifier.with_min_confidence(threshold)
        for door, (answer, _) in answers_of_doors(held, cli).items():
            assert answer == label, door
        assert held.explain([TEXT])[0].label == "a"  # whether or not it abstains
        report = embedclf.evaluate(held, [TEXT, "another", "a third"], ["a", "a", "nothing of this"])
        (point,) = (one for one in report.coverage if one.threshold == threshold)
        assert point.coverage == (label == ANSWERED)
        assert report.out_of_scope is not None
        assert report.out_of_scope.n_answered == (label == ANSWERED)
        assert [one.row for one in report.wrong] == ([2] if label == ANSWERED else [])
