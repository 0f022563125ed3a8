"""Measuring texts with several labels: the figures, the report, and the commands that measure."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, label_ranking_average_precision_score

import embedclf
from corpus import QUICK, QUICKLY, SMALL
from embedclf.evaluation.multilabel_measuring import report_on_labels
from embedclf.evaluation.multilabel_report import MultiLabelReport
from embedclf.stats import intervals, multilabel
from running import Cli

TEXTS = [
    *(text for texts in SMALL.values() for text in texts),
    *(f"{one}. {other}" for one, other in zip(SMALL["delivery"], SMALL["refund"], strict=True)),
    *("Good morning", "Bye now"),
]
LABELS = [*([label] for label, texts in SMALL.items() for _ in texts), *[["delivery", "refund"]] * 10, [], []]
SETTINGS = ("--label-separator", "|", *QUICKLY[:-2])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "several.csv"
    with path.open("w", newline="") as opened:
        rows = [(text, "|".join(labels) or "[]") for text, labels in zip(TEXTS, LABELS, strict=True)]
        csv.writer(opened).writerows([("text", "labels"), *rows])
    return path


@pytest.fixture(scope="module")
def several() -> embedclf.MultiLabelClassifier:
    trained = embedclf.train(TEXTS, LABELS, embedder="wordllama", **QUICK)
    assert isinstance(trained, embedclf.MultiLabelClassifier)
    return trained


@pytest.fixture(scope="module")
def report() -> MultiLabelReport:
    """Of eight texts, of which one stands twice."""
    texts = [f"text {number}" for number in [0, 1, 2, 3, 4, 5, 6, 6]]
    labels = [("a", "b"), ("a", "b"), ("b",), ("c",), ("a", "new"), (), ("a", "c"), ("a", "c")]
    probabilities = np.array(
        [
            *([0.9, 0.8, 0.0], [0.9, 0.3, 0.6], [0.1, 0.7, 0.55], [0.2, 0.95, 0.3], [0.6, 0.1, 0.2]),
            *([0.1, 0.1, 0.1], [0.7, 0.2, 0.8], [0.7, 0.2, 0.8]),
        ],
        dtype=np.float32,
    )
    return report_on_labels(
        texts, labels, ["a", "b", "c"], probabilities, probabilities >= 0.5, thresholds=np.full(3, 0.5)
    )


@pytest.mark.parametrize("decimals", [1, 8])
def test_the_figures_are_those_of_scikit_learn(decimals: int):
    """Those of ranking too where probabilities are equal, and where texts have no label or all."""
    numbers = np.random.default_rng(0)
    given, scores = numbers.random((200, 5)) < 0.3, np.round(numbers.random((200, 5)), decimals)
    given[0], given[1] = False, True
    predicted = scores > 0.7
    ranked = multilabel.label_ranking_average_precision(given, scores).mean()
    assert ranked == pytest.approx(label_ranking_average_precision_score(given, scores))
    assert multilabel.micro_f1(given, predicted) == pytest.approx(f1_score(given, predicted, average="micro"))
    assert multilabel.macro_f1(given, predicted) == pytest.approx(f1_score(given, predicted, average="macro"))
    assert multilabel.exact_match(given, predicted) == accuracy_score(given, predicted)


def test_intervals_of_ratios_are_those_of_weighting_texts():
    """Of micro-F1 and of a difference in it; copies make nothing surer; a share is the same as the interval of it."""
    numbers = np.random.default_rng(0)
    given = numbers.random((300, 4)) < 0.4
    one, other = (given ^ (numbers.random(given.shape) < share) for share in (0.1, 0.2))
    parts = [multilabel.f1_parts(given, predicted) for predicted in (one, other)]
    above, below = (np.column_stack([part[side].sum(axis=1) for part in parts]) for side in (0, 1))
    weights = numbers.exponential(size=(2_000, 300))
    ratios = (weights @ above) / (weights @ below)
    found = intervals.interval_of_ratios(above[:, :1], below[:, :1])
    assert found == pytest.approx(np.percentile(ratios[:, 0], [2.5, 97.5]), abs=0.01)
    found = intervals.interval_of_ratios(above, below, factors=(1, -1), least=-1)
    assert found == pytest.approx(np.percentile(ratios[:, 0] - ratios[:, 1], [2.5, 97.5]), abs=0.02)
    twice, groups = np.tile(np.arange(300), 2), np.tile(np.arange(300), 2)
    assert intervals.interval_of_ratios(above[twice], below[twice], groups, factors=(1, -1), least=-1) == found
    macro = intervals.interval_of_macro_ratio(*parts[0])
    assert macro.low < multilabel.macro_f1(given, one) < macro.high
    right = (given == one).all(axis=1)
    share = intervals.interval_of_ratios(right[:, None], np.ones((300, 1)))
    assert share == pytest.approx(intervals.interval_of_mean(right))


def test_what_a_person_sees(report: MultiLabelReport):
    """Micro-F1 first; then each label, what is mistaken for what, and the surest mistakes."""
    lines = str(report).splitlines()
    assert lines[:20] == [
        "rows               8",
        "micro-F1           0.750  (0.375 to 0.933)",
        "baseline           0.500  (always a)",
        "macro-F1           0.560  (0.314 to 0.801)",
        "exact match        0.500  (0.121 to 0.855)",
        "ranking precision  0.885  (0.498 to 0.977)  (LRAP)",
        "labels per text    1.50, predicted 1.50",
        "precision, recall  0.750, 0.750  (of all labels together)",
        "calibration error  0.254  (ECE, of the probabilities of all labels)",
        "",
        "label      precision (95 %)         recall (95 %)     F1  rows",
        "a      1.000 (0.40 to 1.00)  1.000 (0.40 to 1.00)  1.000     5",
        "b      0.667 (0.08 to 0.99)  0.667 (0.08 to 0.99)  0.667     3",
        "c      0.500 (0.02 to 0.95)  0.667 (0.03 to 0.99)  0.571     3",
        "new                       –  0.000 (0.00 to 0.97)  0.000     1",
        "",
        "Most often given instead of another:",
        "rows  missed  given",
        "   1  b       c",
        "   1  c       b",
    ]
    assert lines[-9:] == [
        "4 rows with wrong labels. Surest mistakes first; check these labels:",
        "  row 3  labelled c: missed c, wrongly given b (0.9499)",
        "    text 3",
        "  row 1  labelled a, b: missed b, wrongly given c (0.6999)",
        "    text 1",
        "  row 2  labelled b: wrongly given c (0.5500)",
        "    text 2",
        "  row 4  labelled a, new: missed new (0.0000)",
        "    text 4",
    ]


def test_a_label_that_the_model_does_not_know_is_missed(report: MultiLabelReport):
    """It counts in every figure of all labels, but no mistake about it is sure."""
    assert report.unknown_labels == {"new": 1}
    assert report.per_label["new"].recall == 0
    assert report.per_label["new"].precision_interval is None
    assert report.wrong[-1].missing == ("new",)
    assert report.wrong[-1].confidence == 0


def test_the_report_in_python(several: embedclf.MultiLabelClassifier, tmp_path: Path):
    """As JSON, as a frame with a row per label, in a notebook and as a page."""
    shown = list(LABELS)
    shown[0], shown[-1] = ["<password>"], ["refund"]
    report = embedclf.evaluate(several, TEXTS, shown, train_set=(TEXTS, LABELS))
    as_dict = json.loads(json.dumps(report.to_dict()))
    assert as_dict["unknown_labels"] == {"<password>": 1}
    first, last = sorted(as_dict["wrong"], key=lambda one: one["row"])
    assert (first["labels"], first["predicted"], first["extra"]) == (["<password>"], ["delivery"], ["delivery"])
    assert (last["predicted"], last["missing"]) == ([], ["refund"])
    assert first["neighbours"][0]["label"] == "delivery"
    assert as_dict["confusions"] == [{"missed": "<password>", "given": "delivery", "n_texts": 1}]
    assert list(report.to_frame()["label"]) == ["<password>", "delivery", "password", "refund"]
    assert "micro-F1" in report._repr_html_()
    report.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "&lt;password&gt;" in page
    assert "<password>" not in page
    assert "a text may have none" in several._repr_html_()


@pytest.mark.parametrize("labels", [["refund", "refund"], [["refund"], []]])
def test_kinds_of_labels_are_not_mixed_up(several: embedclf.MultiLabelClassifier, labels: list[object]):
    """One label a text does not measure a model that gives several, nor the reverse."""
    single = embedclf.train(
        [*SMALL["refund"], *SMALL["password"]], ["r"] * 10 + ["p"] * 10, features="words", holdout=0
    )
    classifier = several if labels[0] == "refund" else single
    with pytest.raises(embedclf.ArgumentError, match="several"):
        embedclf.evaluate(classifier, ["x", "y"], labels)  # type: ignore[arg-type]


def test_texts_without_labels_can_be_measured(several: embedclf.MultiLabelClassifier):
    """Then what is right is to give none."""
    report = embedclf.evaluate(several, ["Good morning", "Bye now"], [[], []])
    assert (report.exact_match, report.micro_f1, report.baseline.label) == (1.0, 0.0, None)
    assert "baseline" not in str(report)


def test_training_says_how_good_it_is(cli: Cli, file: Path):
    """On held-out rows, and which labels a text gets."""
    result = cli("train", file, *SETTINGS, "-o", "m.safetensors")
    card = embedclf.load("m.safetensors").card
    assert card.held_out is not None
    assert card.multilabel is not None
    first, second, third, _ = result.stdout.splitlines()
    assert first.startswith(f"Held-out test (8 rows): micro-F1 {card.held_out.micro_f1:.3f}, macro-F1 ")
    assert f"exact match {card.held_out.accuracy:.3f}, calibration error " in first
    assert second == f"Labels per text: 1.12, predicted {card.held_out.predicted_labels_per_text:.2f}"
    least, most = min(card.multilabel.thresholds), max(card.multilabel.thresholds)
    assert third.endswith(f", thresholds {least:.2f} to {most:.2f}, a text may have none)")
    assert "held-out micro-F1" in embedclf.load("m.safetensors")._repr_html_()


def test_evaluating_a_file(cli: Cli, file: Path, several: embedclf.MultiLabelClassifier):
    """Writes the wrong rows with what is missing and what is extra."""
    several.save("m.safetensors")
    wrong = file.read_text().replace("I forgot my password,password", "I forgot my password,refund|delivery")
    file.write_text(wrong)
    result = cli(
        "evaluate", file, "-m", "m.safetensors", "--errors", "e.csv", "--report", "e.html", "--train-set", file
    )
    assert result.exit_code == 0, result.stderr
    assert "1 row with wrong labels" in result.stdout
    assert ":12  labelled delivery, refund: missed " in result.stdout
    with Path("e.csv").open() as opened:
        (row,) = csv.DictReader(opened)
    assert sorted(row["missing_labels"].split("|")) == ["delivery", "refund"]
    assert (row["predicted_labels"], row["extra_labels"]) == ("password", "password")
    assert row["nearest_1_label"] == "delivery|refund"
    shown = json.loads(cli("evaluate", file, "-m", "m.safetensors", "--json").stdout)
    assert (shown["wrong"][0]["line"], shown["wrong"][0]["extra"]) == (12, ["password"])
    assert "Rows with wrong labels" in Path("e.html").read_text()


def test_cross_validating_a_file(cli: Cli, file: Path):
    """Each fold answers with thresholds of its own; predictions have the columns of predict."""
    args = (*SETTINGS, "--folds", 2, "--repeats", 2, "-o", "cv.csv", "--probabilities", "--report", "cv.html")
    result = cli("cross-validate", file, *args)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0] == "rows               42 (2-fold cross-validation, 2 repeats)"
    assert result.stdout.splitlines()[1].startswith("micro-F1           0.9")
    with Path("cv.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 84
    assert list(rows[0])[3:7] == ["predicted_labels", "confidences", "repeat", "fold"]
    both = next(row for row in rows if "|" in row["predicted_labels"])
    first, second = (float(one) for one in both["confidences"].split("|"))
    assert first >= second
    assert f"{first:.4f}" == both[f"probability_{both['predicted_labels'].split('|')[0]}"]
    assert "micro-F1" in Path("cv.html").read_text()


def test_cross_validation_in_python():
    """Its figures are those of the labels given out of fold, whose thresholds are those of each fold."""
    result = embedclf.cross_validate(TEXTS, LABELS, embedder="wordllama", features="embedding", C=1.0, folds=2)
    given = np.array([[label in labels for label in result.classes] for labels in LABELS])
    (predicted,) = result.predicted_by_repeat
    assert result.micro_f1 == result.report.micro_f1 == pytest.approx(f1_score(given, predicted, average="micro"))
    assert result.exact_match == accuracy_score(given, predicted)
    sets = [set(one.labels) for one in result.predictions]
    assert sets == [{result.classes[place] for place in np.flatnonzero(row)} for row in predicted]
    assert result.probabilities.shape == given.shape
    assert json.loads(json.dumps(result.to_dict()))["folds"][1]["n_examples"] == 21
    assert str(result).splitlines()[1].startswith("micro-F1")
    assert "exact match" in result._repr_html_()


def test_a_learning_curve_is_of_micro_f1(cli: Cli, file: Path):
    """On the screen, in the file and on the page."""
    result = cli("learning-curve", file, *SETTINGS, "-o", "lc.csv", "--report", "lc.html")
    assert result.stdout.splitlines()[1].startswith("training rows  micro-F1   95 % interval")
    assert "labelled rows, micro-F1 changed by" in result.stdout
    with Path("lc.csv").open() as opened:
        points = list(csv.DictReader(opened))
    assert list(points[0]) == ["training_rows", "samples", "micro_f1", "micro_f1_low", "micro_f1_high"]
    assert all(int(two["training_rows"]) >= 2 * int(one["training_rows"]) for one, two in pairwise(points))
    assert "Micro-F1 by training rows" in Path("lc.html").read_text()


def test_comparing_by_micro_f1(cli: Cli, file: Path):
    """With paired differences; the exact match is beside it in JSON."""
    args = (file, "--label-separator", "|", "--features", "embedding", "--features", "words", "--folds", 2)
    shown = cli("compare", *args, "--report", "c.html").stdout
    assert "micro-F1 (95 %)" in shown
    assert "Δ micro-F1 vs best (95 %)" in shown
    assert "get exactly their labels" in Path("c.html").read_text()
    best, other = json.loads(cli("compare", *args, "--json").stdout)["candidates"]
    assert best["micro_f1"] - other["micro_f1"] == pytest.approx(-other["difference"])
    assert other["difference_interval"][0] <= other["difference"] <= other["difference_interval"][1]
    assert best["accuracy"] < best["micro_f1"]
