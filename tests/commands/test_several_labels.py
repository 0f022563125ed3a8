"""Texts with several labels each, from files to answers, at the command line and in Python."""

import csv
import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest

import embedclf
from corpus import QUICK, QUICKLY, SMALL
from embedclf.data.corpus import read_corpus
from embedclf.training.weights import weights_of_classes
from running import Cli
from serving import serving


def write_csv(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


PAIRS = [("delivery", "refund"), ("password", "refund")]
# Each text alone, two texts of different labels joined, and texts of no label.
ROWS = [
    *((text, (label,)) for label, texts in SMALL.items() for text in texts),
    *((f"{one}. {other}", pair) for pair in PAIRS for one, other in zip(SMALL[pair[0]], SMALL[pair[1]], strict=True)),
    *((f"{text} {number}", ()) for number in range(2) for text in ("Good morning", "Thank you very much", "Bye now")),
]
TEXTS, LABELS = [text for text, _ in ROWS], [list(labels) for _, labels in ROWS]
BOTH = "Where is my parcel? I want my money back"


@pytest.fixture
def separated(tmp_path: Path) -> Path:
    """A file whose labels are separated by bars."""
    rows = [(text, "|".join(labels) or "[]") for text, labels in ROWS]
    return write_csv(tmp_path / "separated.csv", rows, ("text", "labels"))


@pytest.fixture(scope="module")
def several() -> embedclf.TextClassifier:
    return embedclf.train(TEXTS, LABELS, embedder="wordllama", **QUICK)


def train(cli: Cli, *args: object) -> embedclf.TextClassifier:
    result = cli("train", *args, "-o", "m.safetensors", "--force", *QUICKLY)
    assert result.exit_code == 0, result.stderr
    return embedclf.load("m.safetensors")


def test_training_says_what_it_takes_the_file_for(cli: Cli, separated: Path):
    """And predicts lists of labels, most likely first, in each form of output."""
    result = cli("train", separated, "--label-separator", "|", "-o", "m.safetensors", *QUICKLY)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[1:3] == [
        f"{separated}: 56 rows, 3 labels",
        "Embedder: wordllama:l2_supercat (256 dimensions; AIMLAPI_API_KEY is not set)",
    ]
    assert "Several labels per text (separated by '|'): 1.2 on average, 6 texts without any" in result.stderr
    shown = cli("predict", "-m", "m.safetensors", BOTH, "Good morning").stdout.splitlines()
    assert shown[0].split("\t")[0] in ("delivery|refund", "refund|delivery")
    assert all(float(one) > 0.2 for one in shown[0].split("\t")[1].split("|"))
    assert shown[1].startswith("-\t")
    first, second = map(
        json.loads, cli("predict", "-m", "m.safetensors", "--json", BOTH, "Bye now").stdout.splitlines()
    )
    assert {one["label"] for one in first["labels"]} == {"delivery", "refund"}
    assert second == {"text": "Bye now", "labels": []}


def test_the_rows_of_a_file_get_lists_of_labels(cli: Cli, separated: Path):
    """Joined by the separator of the training file, in CSV."""
    train(cli, separated, "--label-separator", "|")
    write_csv(Path("in.csv"), [(BOTH,), ("Good morning",)], ("text",))
    assert cli("predict", "-m", "m.safetensors", "in.csv", "-o", "out.csv", "-k", 2).exit_code == 0
    with Path("out.csv").open() as file:
        first, second = csv.DictReader(file)
    assert list(first) == [
        *("text", "predicted_labels", "confidences"),
        *("top_1_label", "top_1_confidence", "top_2_label", "top_2_confidence", "error"),
    ]
    assert set(first["predicted_labels"].split("|")) == {"delivery", "refund"}
    assert first["confidences"] == f"{first['top_1_confidence']}|{first['top_2_confidence']}"
    assert (second["predicted_labels"], second["confidences"], second["error"]) == ("", "", "")


def test_columns_of_zeros_and_ones_are_the_same_labels(cli: Cli, separated: Path):
    """And so are lists in JSON, of pandas in CSV, and several labels in a file of fastText."""
    names = sorted(SMALL)
    rows = [(text, *(str(int(name in labels)) for name in names)) for text, labels in ROWS]
    columns = write_csv(Path("c.csv"), rows, ("text", *names))
    lists = Path("l.jsonl")
    lists.write_text("".join(json.dumps({"text": text, "label": labels}) + "\n" for text, labels in ROWS))
    pandas = write_csv(Path("p.csv"), [(text, str(list(labels))) for text, labels in ROWS])
    expected = train(cli, separated, "--label-separator", "|")
    for args in ([columns, "--label-columns", ",".join(names)], [lists], [pandas]):
        found = train(cli, *args)
        assert found.classes == expected.classes
        assert (found.model.weights == expected.model.weights).all()
    marked = "".join(" ".join(f"__label__{name}" for name in labels) + f" {text}\n" for text, labels in ROWS if labels)
    Path("f.txt").write_text(marked)
    sets = read_corpus("f.txt").label_sets
    assert sets == [labels for _, labels in ROWS if labels]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label-separator", ";"], "no label contains the separator ';'. Did you mean --label-separator '|'?"),
        (["--label-separator", ""], "The label separator must be a character such as '|', not nothing."),
        (["--label-columns", "labels"], "'labels' alone is a column of one label, no or yes"),
        (["--label-columns", "labels,labels"], "The label column 'labels' was given twice."),
        (["--label-columns", "labels,lable"], "no column 'lable'"),
        (["--label-columns", "labels,text"], "the column 'text' holds the texts, not a label"),
        (["--label-columns", "a,b", "--label-separator", "|"], "or in one (--label-column, --label-separator)."),
        (
            ["--label-separator", "|", "--target-accuracy", 0.9],
            "--target-accuracy (target_accuracy) is for texts with one label each; these have several: choose the "
            "thresholds of labels by --target-precision LABEL=0.95",
        ),
        (["--label-separator", "|", "--costs", "none.csv"], "say what it costs to miss a label with --class-weight"),
    ],
)
def test_what_cannot_be_is_said_in_words(cli: Cli, separated: Path, options: list[object], message: str):
    """Before anything is embedded."""
    result = cli("train", separated, *options)
    assert result.exit_code
    assert message in result.stderr


def test_a_cell_that_is_neither_0_nor_1_is_named(cli: Cli):
    """With its line; if all are blank, the row is unlabelled."""
    rows = [("a", "1", "0"), ("b", "x", "1"), ("c", "", "0"), ("d", "", "\u3000"), ("e", "0", "1")]
    result = cli("train", write_csv(Path("c.csv"), rows, ("text", "p", "q")), "--label-columns", "p,q")
    assert "c.csv:3: 'p' is 'x'; expected 0 or 1" in result.stderr
    assert "c.csv:4: 'p' is empty; write 0 if the text does not have the label" in result.stderr
    assert "c.csv:5: the label is empty; write 0 in its columns if the text has none" in result.stderr
    path = write_csv(Path("u.csv"), [rows[0], rows[3], rows[4]], ("text", "p", "q"))
    assert read_corpus(path, label_columns=("p", "q"), labels="optional").rows[1].labels is None
    found = cli("check", path, "--label-columns", "p,q", "--embedder", "wordllama").stdout
    assert found.startswith("Error: 1 row without a text or label\n")
    assert "    :3  the label is empty: d\n" in found
    path = write_csv(Path("d.csv"), [("a", "Y", "0.00"), ("b", "f", "1."), ("c", "t", "n")], ("text", "p", "q"))
    assert read_corpus(path, label_columns=("p", "q")).label_sets == [("p",), ("q",), ("p",)]


def test_a_label_without_a_column_is_pointed_out(cli: Cli):
    """When a model trained on columns is measured: the texts may well have it."""
    names = sorted(SMALL)
    rows = [(text, *(str(int(name in labels)) for name in names)) for text, labels in ROWS]
    train(cli, write_csv(Path("c.csv"), rows, ("text", *names)), "--label-columns", ",".join(names))
    path = write_csv(Path("d.csv"), [row[:-1] for row in rows], ("text", *names[:-1]))
    result = cli("evaluate", path, "-m", "m.safetensors")
    assert result.exit_code == 0
    warning = f"Warning: d.csv has no column {names[-1]!r}: all of its texts count as without the label"
    assert warning in result.stderr.splitlines()
    assert "no column" not in cli("evaluate", "c.csv", "-m", "m.safetensors").stderr


def test_what_to_write_instead_of_an_empty_label_is_said(cli: Cli, separated: Path):
    """And an empty list among labels that look separated leads to the separator."""
    result = cli("train", separated, "--dry-run")
    assert ":52: the list of labels is empty, but no other has several" in result.stderr
    assert "(are they separated? Use --label-separator '|')" in result.stderr
    separated.write_text(separated.read_text().replace("[]", ""))
    result = cli("train", separated, "--dry-run", "--label-separator", "|")
    assert ":52: the label is empty; write [] if the text has none" in result.stderr


def test_several_labels_of_a_text_are_no_class_together(cli: Cli):
    """So training warns neither that few texts have the same, nor of a word for "none" that nobody wrote."""
    rows = [(f"text {n}", "[]" if n == 0 else "a|b" if n == 1 else "a|c" if n == 2 else "a") for n in range(130)]
    result = cli("train", write_csv(Path("d.csv"), rows), "--label-separator", "|", "--features", "words", "--dry-run")
    assert result.exit_code == 0
    assert "Warning" not in result.stderr


def test_labels_in_which_the_separator_stands_are_written_as_a_list(cli: Cli):
    """Which is read again as the same labels."""
    rows = [(text, json.dumps([f"{label}|x" for label in labels])) for text, labels in ROWS]
    train(cli, write_csv(Path("d.csv"), rows))
    assert cli("predict", "-m", "m.safetensors", "d.csv", "-o", "out.csv").exit_code == 0
    with Path("out.csv").open() as file:
        cells = [row["predicted_labels"] for row in csv.DictReader(file)]
    assert {label for cell in cells for label in json.loads(cell)} == {f"{label}|x" for label in SMALL}


def test_labels_that_look_like_several_are_pointed_out(cli: Cli):
    """But are taken for one, since they may be."""
    rows = [(text, "|".join(labels)) for text, labels in ROWS if labels]
    path = write_csv(Path("d.csv"), rows)
    result = cli("train", path, *QUICKLY)
    wanted = "Warning: 'delivery|refund' is taken for one label; if it is several, use --label-separator '|'"
    assert wanted in result.stderr.splitlines()
    assert "delivery|refund" in embedclf.load("models/d.safetensors").classes


def test_labels_of_a_model_with_another_separator_are_named(
    cli: Cli, separated: Path, several: embedclf.TextClassifier
):
    """So that they do not count as labels that it does not know."""
    several.save("m.safetensors")
    Path("o.csv").write_text(separated.read_text().replace("|", ";"))
    result = cli("evaluate", "o.csv", "-m", "m.safetensors")
    assert result.exit_code == 1
    wanted = "o.csv: 'delivery;refund' is several labels of the model. Use --label-separator ';'"
    assert wanted in result.stderr
    assert cli("evaluate", "o.csv", "-m", "m.safetensors", "--label-separator", ";").exit_code == 0


def test_python_takes_lists_sets_and_matrices(several: embedclf.TextClassifier):
    """All are the same labels."""
    names = sorted(SMALL)
    matrix = np.array([[name in labels for name in names] for labels in LABELS])
    for labels in ([set(one) for one in LABELS], matrix.astype(int)):
        found = embedclf.train(TEXTS, labels, embedder="wordllama", **QUICK)
        assert (found.model.weights == several.model.weights).all()
    assert found.classes == ("0", "1", "2")
    assert isinstance(several, embedclf.MultiLabelClassifier)
    assert set(several.predict([BOTH])[0]) == {"delivery", "refund"}
    assert several.predict(["Good morning"]) == [[]]
    (prediction,) = several.classify([BOTH], top_k=1)
    assert prediction.label is None
    assert {one.label for one in prediction.labels or ()} == {"delivery", "refund"}
    assert several.with_min_confidence(0.0).predict([BOTH])[0][0] == prediction.top[0].label
    assert len(several.with_min_confidence(0.0).predict([BOTH])[0]) == 3
    (why,) = several.explain(["I want my money back"])
    assert (why.label, why.runner_up) == ("refund", "not refund")
    assert why.difference == pytest.approx(np.log(why.confidence / (1 - why.confidence)), rel=0.02)


def test_labels_reach_targets(cli: Cli, separated: Path):
    """Training, the model, evaluation and its page say so; one threshold for all labels leaves these alone."""
    targets = ("--target-precision", "delivery=0.95", "--target-recall", "refund=0.95")
    settings = (*QUICKLY[:-1], 0.2)
    result = cli("train", separated, "--label-separator", "|", *targets, "-o", "m.safetensors", *settings)
    assert result.exit_code == 0, result.stderr
    assert re.search(r"'refund' is given from a probability of 0\.\d{4}: recall 1.000 on \d+ cross-val", result.stderr)
    assert "Target: precision of delivery 0.95: " in result.stdout
    assert "a text may have none)" in result.stdout
    classifier = embedclf.load("m.safetensors")
    delivery, refund = classifier.card.targets or ()
    decision = classifier.with_min_confidence(0.99).decision
    assert decision.thresholds.tolist() == [delivery.threshold, 0.99, refund.threshold]
    assert decision.strict.tolist() == [True, False, False]
    report = cli("evaluate", separated, "-m", "m.safetensors", "--report", "r.html")
    assert "target             recall of refund 0.95: 1.000 (" in report.stdout
    assert ">usual thresholds<" in Path("r.html").read_text()
    unreached = cli("train", separated, "--label-separator", "|", "--target-precision", "refund=0.999", *QUICKLY)
    assert "reliably reaches a precision of 0.999: the best is 0." in unreached.stderr


def test_labels_weigh_differently(cli: Cli, separated: Path):
    """What it changes is shown; the file of weights, cross-validation and Python take part."""
    Path("w.csv").write_text("label,weight\nrefund,40\n")
    args = (separated, "--label-separator", "|", *QUICKLY[:-1])
    result = cli("train", *args, 0.3, "--class-weight", "w.csv", "-o", "m.safetensors")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"\nUsual thresholds: exact match 0\.\d{3}; difference -0", result.stdout)
    classifier = embedclf.load("m.safetensors")
    assert classifier.card.class_weights == (1, 1, 40)
    rules = classifier.card.multilabel
    lower = [one / before for one, before in zip(rules.thresholds, rules.usual, strict=True)]
    assert (lower[:2], lower[2] < 0.3) == ([1, 1], True)
    same = embedclf.train(TEXTS, LABELS, embedder="wordllama", class_weight={"refund": 40}, **{**QUICK, "holdout": 0.3})
    assert (same.model.weights == classifier.model.weights).all()
    assert "answers by  class weights" in str(same)
    assert "usual thresholds" in cli("evaluate", separated, "-m", "m.safetensors").stdout
    result = cli("cross-validate", *args[:-1], "--folds", 2, "--class-weight", "balanced", "--json")
    assert json.loads(result.stdout)["report"]["answers"]["cost"] is None
    unknown = cli("train", *args, 0, "--class-weight", "none.csv")
    assert "none.csv" in unknown.stderr


def test_an_out_of_scope_label_stands_for_no_label(cli: Cli, separated: Path):
    """And trains the same model as an empty list; beside other labels, it is an error that names the line."""
    empty = train(cli, separated, "--label-separator", "|")
    written = separated.read_text().replace("[]", "none")
    separated.write_text(written)
    args = (separated, "--label-separator", "|", "--out-of-scope-label", "none")
    named = train(cli, *args)
    said = cli("train", *args, "--dry-run", *QUICKLY).stderr
    assert "6 texts without any" in said
    assert "missing value" not in said
    assert (named.classes, named.card.out_of_scope_label) == (empty.classes, "none")
    assert (named.model.weights == empty.model.weights).all()
    assert named.predict(["Good morning"]) == [[]]
    report = json.loads(cli("evaluate", separated, "-m", "m.safetensors", "--json").stdout)
    assert report["unknown_labels"] == {}
    assert report["exact_match"] == embedclf.evaluate(named, TEXTS, LABELS).exact_match
    separated.write_text(written.replace("delivery|refund", "none|refund", 1))
    mixed = cli("train", *args, *QUICKLY)
    assert ":32: the label 'none', for texts that no label applies to, stands beside 'refund'" in mixed.stderr
    assert cli("train", *args, *QUICKLY, "--skip-bad-rows", "-o", "n.safetensors").exit_code == 0
    sets = [["none", "refund"], *LABELS[1:]]
    with pytest.raises(embedclf.TrainingError, match=r"^labels\[0\]: the label 'none', for texts that no label appl"):
        embedclf.train(TEXTS, sets, out_of_scope_label="none", features="words")
    with pytest.raises(embedclf.TrainingError, match="no row has the label 'other'"):
        embedclf.train(TEXTS, sets, out_of_scope_label="other", features="words")


def test_balanced_labels_weigh_as_much_as_the_texts_without_them():
    given = np.array([[1, 1, 0], [0, 1, 1], [0, 1, 0], [0, 1, 0]], dtype=bool)
    y = given.argmax(axis=1)
    assert weights_of_classes(None, "balanced", "abc", y, given).tolist() == [3, 1, 3]  # all have the second
    assert weights_of_classes(np.array([3, 1, 1, 1]), "balanced", "abc", y, given).tolist() == [1, 1, 5]


def test_every_text_has_a_label_if_all_did_in_training():
    """However unlikely its labels are."""
    with_labels = [(text, labels) for text, labels in ROWS if labels]
    classifier = embedclf.train(*zip(*with_labels, strict=True), embedder="wordllama", **QUICK)  # type: ignore[arg-type]
    assert all(classifier.predict(["Good morning", "zzz", BOTH]))


def test_python_points_out_texts_of_lists(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """As a data frame has them that was read from CSV; the command line takes them for lists."""
    monkeypatch.setattr(logging.getLogger("embedclf"), "propagate", True)
    embedclf.train(["a b", "c d"], ["z", "['x', 'y']"], embedder="words", **QUICK | {"features": "words"})
    wanted = "labels[1] is the text of a list, \"['x', 'y']\", and taken for one label: convert such texts to lists"
    assert wanted in caplog.messages


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([["a"], "b"], "labels[1] is of type str, but other texts have lists of labels: pass a list"),
        ([["a"], None], "labels[1] is missing; pass an empty list for a text without labels"),
        ([["a"], [" "]], "labels[1]: the label"),
        ([["a"], ["a"]], "only one label, 'a'"),
        ([[], []], "no text has a label"),
        (np.array([[0, 2], [1, 0]]), "a matrix of labels must hold 0 and 1 only, got 2 in row 0, column 1"),
        (np.array([[0, np.nan], [1, 0]]), "got nan in row 0, column 1; use 0 if the text does not have the label"),
        ([["a", "b"]], "got 2 texts but 1 list of labels"),
    ],
)
def test_python_refuses_what_are_no_lists_of_labels(labels: object, message: str):
    """With the place."""
    with pytest.raises((embedclf.EmbedclfError, TypeError), match=r".") as caught:
        embedclf.train(["x", "y"], labels, features="words")  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_service_answers_with_lists(several: embedclf.TextClassifier):
    """Without the fields that stand for one label."""
    with serving(embedclf.create_app(several)) as client:
        answer = client.post("/predict", json={"texts": [BOTH, "Good morning", ""], "top_k": 1}).json()["predictions"]
    assert {one["label"] for one in answer[0]["labels"]} == {"delivery", "refund"}
    assert "label" not in answer[0]
    assert answer[1]["labels"] == []
    assert answer[2]["error"] == "the text is empty"


def test_a_label_map_reaches_each_of_several_labels(cli: Cli, separated: Path):
    """A label without a new name is dropped, and a row that loses all of its labels is left out."""
    Path("map.csv").write_text("old,new\ndelivery,parcel\npassword,\n")
    classifier = train(cli, separated, "--label-separator", "|", "--label-map", "map.csv")
    assert classifier.classes == ("parcel", "refund")
    assert classifier.card.n_examples == len(ROWS) - len(SMALL["password"])
    classifier.save("m.safetensors")
    measured = cli("evaluate", separated, "-m", "m.safetensors")
    wanted = "the model was trained with a label map that renames 'delivery', 'password': use --label-map"
    assert wanted in measured.stderr
    assert "label map" not in cli("evaluate", separated, "-m", "m.safetensors", "--label-map", "map.csv").stderr
