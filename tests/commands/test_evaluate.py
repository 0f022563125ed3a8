"""``embedclf evaluate``, at the command line."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

import embedclf
from corpus import LABELS, TEXTS, write_csv
from embedclf.classifier.label_sets import Conformal
from running import Cli


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


def test_what_a_person_sees(cli: Cli, dataset: Path, model: Path):
    """Figures with intervals, each class, confusions, reliability, coverage, and the surest of the wrong rows."""
    wrong = [(TEXTS[0], "refund"), (TEXTS[1], "refund"), (TEXTS[10], "refund")]
    right = list(zip(TEXTS[11:30], LABELS[11:30], strict=True))
    write_csv(dataset, [(f'"{text}"', label) for text, label in [*wrong, *right]])
    result = cli("evaluate", dataset, "-m", model)
    lines = result.stdout.splitlines()
    assert lines[0] == "rows               22"
    assert re.fullmatch(r"accuracy           0\.864  \(0\.6\d\d to 0\.9\d\d\)", lines[1])
    assert lines[2] == "baseline           0.591  (always refund)"
    assert re.fullmatch(r"macro-F1           0\.\d{3}  \(0\.\d{3} to 0\.\d{3}\)", lines[3])
    assert lines[6].startswith("calibration error  0.")
    assert lines[8:12] == [
        "label     precision  recall     F1  rows",
        "delivery      0.000   0.000  0.000     0",
        "password      0.900   1.000  0.947     9",
        "refund        1.000   0.769  0.870    13",
    ]
    assert lines[13:17] == [
        "Most frequent confusions:",
        "rows  label   predicted",
        "   2  refund  delivery",
        "   1  refund  password",
    ]
    assert lines[18] == "confidence  rows  mean confidence  accuracy"
    start = lines.index("threshold  coverage  rows  accuracy")
    assert lines[start + 1].startswith("0.5000 ")
    assert lines[start + 7].startswith("0.9900 ")
    start = lines.index(f"3 misclassified rows in {dataset}. Most confident first; check these labels:")
    assert {line.split()[0] for line in lines[start + 1 :: 3]} == {":2", ":3", ":4"}
    assert all(", predicted " in line for line in lines[start + 1 :: 3])
    assert all(line.startswith("      words: ") for line in lines[start + 3 :: 3])
    assert "--errors" not in result.stdout


def test_wrong_rows_are_written(cli: Cli, dataset: Path, model: Path):
    """All of them, the surest first, with their lines; with the train set also their nearest examples."""
    shifted = [*LABELS[5:], *LABELS[:5]]
    test = write_csv(Path("test.csv"), [(f'"{text}"', label) for text, label in zip(TEXTS, shifted, strict=True)])
    result = cli("evaluate", test, "-m", model, "--errors", "wrong.csv", "--train-set", dataset)
    assert result.stderr == (
        f"Warning: test.csv shares 30 rows with {dataset}: the classifier was trained on them, so the results are too "
        "optimistic\nWrote 15 rows to wrong.csv\n"
    )
    rows = list(csv.DictReader(Path("wrong.csv").read_text().splitlines()))
    assert list(rows[0]) == [
        *("line", "text", "label", "predicted_label", "confidence"),
        *(f"nearest_{place}_{part}" for place in (1, 2, 3) for part in ("line", "text", "label", "similarity")),
    ]
    assert len(rows) == 15
    confidences = [float(row["confidence"]) for row in rows]
    assert confidences == sorted(confidences, reverse=True)
    for row in rows:
        place = int(row["line"]) - 2
        assert row["text"] == row["nearest_1_text"] == TEXTS[place]
        assert row["nearest_1_line"] == row["line"]
        assert row["nearest_1_similarity"] == "1.0000"
        assert row["label"] == shifted[place] != row["predicted_label"]
    shown = json.loads(cli("evaluate", test, "-m", model, "--json").stdout)
    assert [wrong["line"] for wrong in shown["wrong"]] == [int(row["line"]) for row in rows]
    few = write_csv(Path("few.csv"), [("my parcel", "delivery"), ("my refund", "refund")])
    assert cli("evaluate", test, "-m", model, "--errors", "wrong.jsonl", "--train-set", few).exit_code == 0
    first = json.loads(Path("wrong.jsonl").read_text().splitlines()[0])
    assert (first["nearest_2_label"], first["nearest_3_label"]) in {("refund", None), ("delivery", None)}
    result = cli("evaluate", test, "-m", model, "--errors", "wrong.xls")
    assert result.exit_code == 1
    assert (
        result.stderr == "Error: cannot write wrong.xls: the output must end in .csv, .tsv, .jsonl, .parquet or .xlsx\n"
    )


def test_neighbours_say_where_they_stand(cli: Cli, model: Path):
    """By file and line of the train set, rows that are left out counted: in the text, in JSON and in the page."""
    Path("in").mkdir()
    train = write_csv(Path("in/train.csv"), [("", "refund"), ("my parcel", "delivery"), ("my refund", "refund")])
    test = write_csv(Path("in/test.csv"), [("my refund", "refund"), ("my own parcel", "refund")])
    options = ("evaluate", test, "-m", model, "--train-set", train, "--skip-bad-rows", "--report", "report.html")
    lines = cli(*options).stdout.splitlines()
    start = lines.index("1 misclassified row in in/test.csv. Most confident first; check these labels:")
    assert lines[start + 1] == "Beneath each, the most similar rows of in/train.csv."
    assert lines[start + 2].startswith("  :3  labelled refund, predicted delivery (0.")
    assert lines[start + 3] == "    my own parcel"
    assert lines[start + 4].startswith("      words: parcel +")
    near, other = lines[start + 5 :]
    assert re.fullmatch(r"      0\.\d\d  :3  delivery: my parcel", near)
    assert re.fullmatch(r"      0\.\d\d  :4  refund: my refund", other)
    (wrong,) = json.loads(cli(*options, "--json").stdout)["wrong"]
    assert wrong["line"] == 3
    assert [(one["row"], one["line"]) for one in wrong["neighbours"]] == [(0, 3), (1, 4)]
    page = Path("report.html").read_text()
    places = re.findall(r'<span class="place">(.*?)</span>', page)
    # A page is sent: it tells no folders.
    assert places == ["test.csv:3"]
    assert re.findall(r"\btrain\.csv:\d+", page) == ["train.csv:3", "train.csv:4"]


def test_a_confidence_is_shown_below_the_threshold_just_where_it_is_abstained_from(
    cli: Cli, dataset: Path, trained: embedclf.TextClassifier, tmp_path: Path
):
    """Rounded down to four decimals, on the screen, in --errors and in the page."""
    text = "so so"
    (confidence,) = map(float, trained.predict_proba([text]).max(axis=1))
    threshold = np.ceil(confidence * 10_000) / 10_000
    assert round(confidence, 2) != np.floor(confidence * 10_000) / 10_000
    trained.with_min_confidence(threshold).save("m.safetensors")
    write_csv(Path("test.csv"), [(text, "none"), ("my refund", "refund")])
    shown = f"{threshold - 0.0001:.4f}"
    result = cli("evaluate", "test.csv", "-m", "m.safetensors", "--errors", "wrong.csv", "--report", "report.html")
    assert re.search(rf"  :2  labelled none, predicted \w+ \({shown}\)\n", result.stdout)
    (row,) = csv.DictReader(Path("wrong.csv").read_text().splitlines())
    assert row["confidence"] == shown
    page = Path("report.html").read_text()
    assert f'data-name="confidence">{shown}</td>' in page
    assert f"coverage at threshold {threshold:.4f}" in page


def test_what_is_answered_at_the_threshold_comes_first(cli: Cli, trained: embedclf.TextClassifier):
    """With 95 % intervals, on the screen, in JSON, in Python and on the page; without a threshold, there is no such."""
    report = embedclf.evaluate(trained.with_min_confidence(0.7), [*TEXTS, "so so"], [*LABELS, "refund"])
    answered = report.answered
    assert answered.coverage == next(one.coverage for one in report.coverage if one.threshold == 0.7)
    assert answered.coverage_interval.low < answered.coverage < answered.coverage_interval.high
    assert answered.accuracy_interval.low < answered.accuracy <= answered.accuracy_interval.high
    assert re.search(
        r"^answered           \d\d\.\d %  \(\d\d\.\d to \d\d\.\d %\), at confidence ≥ 0\.7000\n"
        r"accuracy on these  [01]\.\d{3}  \(0\.\d{3} to [01]\.\d{3}\)\n"
        r"accuracy on all    0\.\d{3}  \(",
        str(report),
        flags=re.MULTILINE,
    )
    assert report.to_dict()["answered"]["accuracy_interval"] == list(answered.accuracy_interval)
    report.to_html("report.html")
    assert "accuracy on these</dt>" in Path("report.html").read_text(encoding="utf-8")
    assert embedclf.evaluate(trained, TEXTS, LABELS).answered is None
    none = embedclf.evaluate(trained.with_min_confidence(1), TEXTS, LABELS)
    assert none.answered[2:] == (None, None)
    assert "\naccuracy on these  –\n" in str(none)


def test_sets_are_measured_if_asked_for(cli: Cli, dataset: Path, trained: embedclf.TextClassifier):
    """How many hold the label, with its interval, and how large they are; none holds a label that is unknown."""
    conformal = Conformal(30, 27, (0.99, 0.01), (0.2, 0.05, 0.01))
    less_sure = embedclf.TextClassifier(trained.embedder, trained.model, replace(trained.card, conformal=conformal))
    less_sure.save(model := Path("m.safetensors"))
    report = embedclf.evaluate(less_sure, [*TEXTS, "so so"], [*LABELS, "unknown"], coverage=0.96)
    sets, figures = less_sure.predict_sets([*TEXTS, "so so"], 0.96), report.label_sets
    held = [label in own for label, own in zip([*LABELS, "unknown"], sets, strict=True)]
    assert (figures.target, figures.coverage) == (0.96, sum(held) / 31)
    assert (figures.mean_size, figures.single) == (sum(map(len, sets)) / 31, sum(len(own) == 1 for own in sets) / 31)
    assert figures.coverage_interval.low < figures.coverage < figures.coverage_interval.high
    shown = cli("evaluate", dataset, "-m", model, "--coverage", 0.96, "--report", "r.html")
    assert re.search(
        r"\nlabel sets         1\.000  \(0\.\d{3} to 1\.000\) hold the true label, at coverage 0\.96\n"
        r"  mean size        1\.\d\d; one label in \d\d\.\d %\n",
        shown.stdout,
    )
    assert "sets that hold the label, at 0.96" in Path("r.html").read_text(encoding="utf-8")
    assert json.loads(cli("evaluate", dataset, "-m", model, "--json").stdout)["label_sets"] is None
    of_json = json.loads(cli("evaluate", dataset, "-m", model, "--json", "--coverage", "96%").stdout)["label_sets"]
    assert (of_json["target"], of_json["coverage"], of_json["coverage_interval"][1]) == (0.96, 1.0, 1.0)
    assert of_json["empty"] == figures.empty == 0
    few = cli("evaluate", dataset, "-m", model, "--coverage", 0.1, "--report", "r.html")
    assert re.search(r"  mean size        0\.\d\d; one label in (\d\d)\.\d %, none in (?!\1)\d\d\.\d %\n", few.stdout)
    assert re.search(r"\d\d\.\d % have one, \d\d\.\d % none<", Path("r.html").read_text(encoding="utf-8"))


def test_min_confidence_for_one_run(cli: Cli, dataset: Path, model: Path):
    """It is marked in the table of coverage, with four decimals, or as many as it was given with."""
    result = cli("evaluate", dataset, "-m", model, "--min-confidence", "0.774321")
    assert "\n0.774321 " in result.stdout
    result = cli("evaluate", dataset, "-m", model, "--min-confidence", "0.7743")
    (marked,) = [line for line in result.stdout.splitlines() if line.endswith("← model's threshold")]
    assert marked.startswith("0.7743 ")
    assert (
        json.loads(cli("evaluate", dataset, "-m", model, "--min-confidence", 0.7743, "--json").stdout)["threshold"]
        == 0.7743
    )


def test_a_label_that_is_no_line(cli: Cli, dataset: Path):
    """Control characters are written as escapes, and long texts are cut."""
    rows = [("a\x1b[31mred" if label == "refund" else label, text) for label, text in zip(LABELS, TEXTS, strict=True)]
    Path("odd.jsonl").write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for label, text in rows))
    cli("train", "odd.jsonl", "-o", "odd.safetensors")
    Path("test.jsonl").write_text(json.dumps({"text": "my parcel\n" + "is late " * 40, "label": "a\x1b[31mred"}) + "\n")
    shown = cli("evaluate", "test.jsonl", "-m", "odd.safetensors").stdout
    assert "\x1b" not in shown
    assert "labelled a\\x1b[31mred, predicted delivery" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_long_and_wide_labels_leave_tables_in_shape(cli: Cli, dataset: Path):
    """A long label keeps its two ends, and a column is as wide as a terminal shows it."""
    long = {"refund": "a label " * 30 + "one", "password": "a label " * 30 + "two", "delivery": "配達の遅れ"}
    rows = [{"text": text, "label": long[label]} for text, label in zip(TEXTS, LABELS, strict=True)]
    Path("long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cli("train", "long.jsonl", "-o", "long.safetensors")
    rows[0]["label"] = rows[-1]["label"]
    Path("long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = cli("evaluate", "long.jsonl", "-m", "long.safetensors", "--train-set", "long.jsonl").stdout.splitlines()
    start = lines.index("Most frequent confusions:")
    assert lines[10].startswith("a label a label a … label a label one      1.000   0.909  0.952    11")
    assert lines[11].startswith("a label a label a … label a label two      1.000   1.000  1.000    10")
    assert lines[12].startswith("配達の遅れ                                 0.900   1.000  0.947     9")
    assert lines[start + 2] == "   1  a label a label a … label a label one  配達の遅れ"
    assert max(map(len, lines)) <= 120


def test_many_unknown_labels_are_not_a_page_of_warnings(cli: Cli, dataset: Path, model: Path):
    """The five most frequent are named, in one line each, and the others counted."""
    names = ["a\x1b[31m" + "b" * 100, *"cdefgh"]
    with dataset.open("a") as file:
        file.writelines(f"text {place},{name}\n" for place, name in enumerate([*names, "h"]))
    assert cli("evaluate", dataset, "-m", model).stderr == (
        "Warning: the model does not know the label 'h': 2 rows counted as wrong\n"
        "Warning: the model does not know the label 'a\\x1b[31mbbbbbbbbb … bbbbbbbbbbbbbbbbbb': "
        "1 row counted as wrong\n"
        "Warning: the model does not know the label 'c': 1 row counted as wrong\n"
        "Warning: the model does not know the label 'd': 1 row counted as wrong\n"
        "Warning: the model does not know the label 'e': 1 row counted as wrong\n"
        "Warning: the model does not know 2 more labels: 2 rows counted as wrong\n"
    )


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
    lines = cli("evaluate", dataset, "-m", model).stdout.splitlines()
    assert f"log loss           {report['log_loss']:.3f}  (over the 30 rows whose label the model knows)" in lines


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
    from embedclf.stats.metrics import expected_calibration_error

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
    with pytest.raises(embedclf.EmbedclfError, match="got 30 texts but 1 label"):
        embedclf.evaluate(trained, TEXTS, ["refund"])


def test_vectors_that_do_not_fit(trained: embedclf.TextClassifier):
    """Of the texts or of the train set: both numbers are said."""
    vectors = trained.embedder.embed(TEXTS)
    assert embedclf.evaluate(trained, TEXTS, LABELS, vectors=vectors.tolist()).accuracy == pytest.approx(1)
    with pytest.raises(embedclf.EmbedclfError, match="got 30 texts but 29 vectors"):
        embedclf.evaluate(trained, TEXTS, LABELS, vectors=vectors[:29])
    with pytest.raises(embedclf.EmbedclfError, match=r"shape \(n_texts, n_dimensions\), got \(256,\)"):
        embedclf.evaluate(trained, TEXTS, LABELS, vectors=vectors[0])
    with pytest.raises(embedclf.EmbedderError, match="with 64 dimensions, but the classifier was trained on 256"):
        embedclf.evaluate(trained, TEXTS, LABELS, vectors=vectors[:, :64])
    with pytest.raises(embedclf.EmbedclfError, match="got 1 text but 30 vectors"):
        embedclf.explain(trained, ["my parcel"], (TEXTS, LABELS), vectors=vectors)
    with pytest.raises(embedclf.EmbedderError, match="with 64 dimensions, but the classifier was trained on 256"):
        embedclf.explain(trained, TEXTS, (TEXTS, LABELS), vectors=vectors[:, :64])
    with pytest.raises(embedclf.ArgumentError, match="the train set has 30 texts and 29 labels"):
        embedclf.explain(trained, ["my parcel"], (TEXTS, LABELS[:29]))
    with pytest.raises(embedclf.ArgumentError, match="labels are required, but the texts have none"):
        embedclf.explain(trained, ["my parcel"], embedclf.EmbeddedTexts(TEXTS))
    shorter = embedclf.EmbeddedTexts(TEXTS, LABELS, vectors=vectors[:, :64])
    with pytest.raises(embedclf.EmbedderError, match="the train set has vectors of 64 dimensions"):
        embedclf.evaluate(trained, TEXTS, LABELS, train_set=shorter)


def test_copies_make_nothing_surer(cli: Cli, dataset: Path, model: Path):
    """A file in which each row stands three times has the figures and intervals of the file with each once."""
    shifted = [*LABELS[5:], *LABELS[:5]]
    rows = [(f'"{text}"', label) for text, label in zip(TEXTS, shifted, strict=True)]
    once = json.loads(cli("evaluate", write_csv(Path("once.csv"), rows), "-m", model, "--json").stdout)
    thrice = json.loads(cli("evaluate", write_csv(Path("thrice.csv"), rows * 3), "-m", model, "--json").stdout)
    assert thrice["n_examples"] == 90
    for name in ("accuracy", "macro_f1"):
        assert thrice[name] == pytest.approx(once[name])
        assert thrice[f"{name}_interval"] == pytest.approx(once[f"{name}_interval"], abs=0.01)


def test_few_rows_are_warned_of(cli: Cli, dataset: Path, model: Path):
    """Copies of a text do not make them more."""
    few = [(f'"{text}"', label) for text, label in zip(TEXTS[:19], LABELS[:19], strict=True)]
    result = cli("evaluate", write_csv(Path("few.csv"), few), "-m", model)
    assert result.stderr == "Warning: only 19 rows to evaluate on: metrics are unreliable\n"
    result = cli("evaluate", write_csv(Path("copies.csv"), few * 2), "-m", model)
    assert result.stderr == "Warning: only 19 distinct texts to evaluate on: metrics are unreliable\n"
