"""Classifiers without labelled texts, and labels without rows beside others."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, QUICK, TEXTS, write_csv
from embedclf.data.label_file import read_label_file
from embedclf.data.label_map import as_label_map
from running import Cli

SAID = {"delivery": "where is my parcel?", "password": None, "refund": ["get money back", "I want a refund"]}
ASKED = {"features": "embedding", "C": 1.0, "embedder": "wordllama"}
NOTHING_MEASURED = "Nothing was measured: accuracy is not known, and confidences are a rough guess."


@pytest.fixture(scope="module")
def alone() -> embedclf.TextClassifier:
    """A classifier trained on no rows."""
    return embedclf.train(label_texts=SAID, embedder="wordllama")


def right(classifier: embedclf.TextClassifier, label: str) -> float:
    """Return the share of the texts of a label that get it."""
    texts = [text for text, own in zip(TEXTS, LABELS, strict=True) if own == label]
    return classifier.predict(texts).count(label) / len(texts)


class TestNoRows:
    """Each text gets the label whose text is nearest."""

    def test_it_answers(self, alone: embedclf.TextClassifier):
        """Far better than by chance, and says that nothing is measured; its file says the same."""
        assert np.mean([right(alone, label) for label in SAID]) > 0.8
        alone.save("m.safetensors")
        loaded = embedclf.load("m.safetensors")
        assert loaded.predict(TEXTS) == alone.predict(TEXTS)
        assert (loaded.card.held_out, loaded.card.n_examples, loaded.card.is_of_labels_alone) == (None, 4, True)
        assert "trained on  no rows, 4 texts of labels\n" in str(loaded)
        assert "held out    nothing: accuracy and calibration are not known\n" in str(loaded)
        assert "no training rows, not measured" in loaded._repr_html_()

    def test_what_labels_may_be(self, alone: embedclf.TextClassifier):
        """A dict, a data frame, or names only; texts without labels move all labels."""
        names = ["delivery", "password", "refund", "refund"]
        frame = pd.DataFrame({"label": names, "description": [SAID["delivery"], None, *SAID["refund"]]})
        same = embedclf.train(label_texts=frame, embedder="wordllama")
        np.testing.assert_array_equal(same.model.weights, alone.model.weights)
        with pytest.raises(embedclf.ArgumentError, match="known by their texts alone: label some rows of each"):
            alone.predict_sets(["my parcel"])
        by_name = embedclf.train(label_texts=["delivery", "password", "refund"], embedder="wordllama")
        assert by_name.predict(["refund"]) == ["refund"]
        moved = embedclf.train(TEXTS, label_texts=SAID, embedder="wordllama")
        np.testing.assert_array_equal(moved.model.weights, alone.model.weights)
        assert (moved.model.bias != alone.model.bias).all()

    def test_on_the_command_line(self, cli: Cli):
        """The texts of labels are counted, and the model is used like any other."""
        Path("labels.csv").write_text("Category;description\nrefund;get money back\ndelivery;\npassword;\n")
        local = ("--labels", "labels.csv", "--embedder", "wordllama")
        dry = cli("train", *local, "--dry-run")
        assert "3 rows, 3 unique, 0 cached, 3 to embed" in dry.stdout
        done = cli("train", *local)
        assert done.stdout.splitlines()[:2] == ["Trained on 3 texts of 3 labels, and no rows", NOTHING_MEASURED]
        assert "labels.csv: 3 labels, 1 description\n" in done.stderr
        write_csv(Path("texts.csv"), [("my money",), ("my parcel",)], ("text",))
        said = cli("train", "texts.csv", *local).stderr
        assert "texts.csv has no labels: of its texts, only the mean is used." in said
        assert cli("predict", "my money").stdout.startswith("refund")
        other = cli("retrain", "models/labels.safetensors", "--embedder", "words")
        assert "which its file does not hold: train again with embedclf train FILE --labels LABELS" in other.stderr
        again = cli("train", *local).stderr
        assert "Replacing the model models/labels.safetensors (delivery, password, refund; no rows, saved" in again


class TestLabelsWithoutRows:
    """A label that is only described, beside others with rows."""

    @pytest.mark.parametrize(("features", "holdout"), [("embedding", 0.2), ("both", 0)])
    def test_it_is_a_class(self, caplog: pytest.LogCaptureFixture, features: str, holdout: float):
        """Its texts get it, those of the others stay with theirs, and one line names it."""
        kept = [row for row, label in enumerate(LABELS) if label != "refund"]
        texts, labels = [TEXTS[row] for row in kept], [LABELS[row] for row in kept]
        with caplog.at_level(logging.INFO):
            asked = {**ASKED, "features": features, "holdout": holdout}
            classifier = embedclf.train(texts, labels, label_texts=SAID, **asked)
        assert (
            "No rows of 'refund': learned from its text alone, which the held-out test does not cover."
            in caplog.messages
        )
        assert classifier.classes == ("delivery", "password", "refund")
        assert right(classifier, "refund") > 0.8
        assert min(right(classifier, "delivery"), right(classifier, "password")) > 0.8
        if holdout:
            held_out = classifier.card.held_out
            assert held_out is not None
            assert (held_out.accuracy, held_out.macro_f1) == (1, 1)
        assert classifier.card.n_examples == len(texts)

    def test_with_words_only(self):
        """There is nothing to tell it by."""
        with pytest.raises(embedclf.ArgumentError, match="'tax': labels without rows need an embedder"):
            embedclf.train(TEXTS, LABELS, features="words", label_texts=["tax"])

    def test_descriptions_of_labels_with_rows(self, caplog: pytest.LogCaptureFixture):
        """They are training texts if asked for or if rows are few; a label of the rows may be missing."""
        plain = embedclf.train(TEXTS, LABELS, embedder="wordllama", **QUICK)
        with caplog.at_level(logging.INFO):
            unused = embedclf.train(
                TEXTS, LABELS, embedder="wordllama", **{**QUICK, "label_names": None}, label_texts=["refund"]
            )
        assert "--label-names uses all of them" in caplog.text
        assert "learned from rows, or the name, alone: 'delivery', 'password'." in caplog.text
        np.testing.assert_array_equal(unused.model.weights, plain.model.weights)
        forced = embedclf.train(
            TEXTS, LABELS, embedder="wordllama", **{**QUICK, "label_names": True}, label_texts={"refund": "tax office"}
        )
        probability = [one.predict_proba(["refund: tax office"])[0, 2] for one in (plain, forced)]
        assert probability[1] > probability[0]


BAD_ARGUMENTS = [
    ({"label_texts": ["1", "ab", "refund"]}, embedclf.TrainingError, "'1', 'ab' have names that say nothing"),
    ({"label_texts": ["refund"]}, embedclf.TrainingError, "only one class, 'refund'"),
    ({"label_texts": ["a_card", "a card"]}, embedclf.TrainingError, "have the same text, 'a card': describe both"),
    ({"label_texts": ["card", "refund"], "C": 3.0}, embedclf.ArgumentError, r"--C \(C=\) needs labelled texts"),
    ({"label_texts": ["card", "refund"], "sample_weight": np.ones(2)}, embedclf.ArgumentError, "needs labelled texts"),
    ({"label_texts": ["card", "refund"], "label_hierarchy": "/"}, embedclf.ArgumentError, "needs labelled texts"),
    ({"label_texts": {"card": 3, "refund": ""}}, TypeError, r"label_texts\['card'\] must be a string"),
    ({"label_texts": "card"}, TypeError, "label_texts must be a dict of labels or a list of them, not str"),
    ({"label_texts": pd.DataFrame({"name": ["a"]})}, embedclf.ArgumentError, "label_texts has no column 'label'"),
    (
        {"label_texts": ["card", "refund"], "costs": {("card", "*"): 2}},
        embedclf.ArgumentError,
        r"--costs \(costs=\) needs",
    ),
    ({"label_texts": ["a/card", "a/b"], "label_hierarchy": "/"}, embedclf.ArgumentError, "--label-hierarchy .* needs"),
    ({"label_texts": ["card", "refund"], "target_recall": {"card": 0.9}}, embedclf.ArgumentError, "--target-recall"),
    (
        {
            "texts": ["my card", "my money"],
            "labels": ["a/card", "refund"],
            "label_texts": ["a/"],
            "label_hierarchy": "/",
        },
        embedclf.TrainingError,
        r"--labels \(label_texts=…\): the label 'a/' has an empty part",
    ),
    ({}, TypeError, "train needs texts with their labels, or label_texts"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_ARGUMENTS, ids=str)
def test_what_cannot_be(arguments: dict[str, object], error: type[Exception], message: str):
    """Before anything is embedded."""
    with pytest.raises(error, match=message):
        embedclf.train(**arguments)  # type: ignore[arg-type]


WITHOUT_ROWS = (
    *(("--target-accuracy", 0.9), ("--features", "words"), ("--no-label-names",), ("--C", 1)),
    *(("--costs", "none.csv"), ("--target-recall", "refund=0.9"), ("--label-hierarchy", "/")),
    *(("--weight-column", "w"), ("--label-separator", "|")),
)
SAME_FILES = {
    "l.tsv": "id\tname\ttext\n1\trefund\tmoney back\n2\treturns\t\n",
    "l.json": '{"refund": "money back", "returns": null}',
    "n.json": '{"refund": ["money back"], "returns": []}',
    "r.json": '[{"label": "refund", "description": ["money back"]}, {"label": "returns"}]',
    "l.txt": "label;description\nrefund;money back\nreturns;\n",
    "u.csv": "\ufefflabel\tdescription\nrefund\tmoney back\nreturns\t\n".encode("utf-16-le"),
    "b.csv": "\ufefflabel;description\nrefund;money back\nreturns;\n",
}


@pytest.mark.parametrize(("name", "content"), SAME_FILES.items(), ids=SAME_FILES)
def test_what_a_file_of_labels_may_look_like(name: str, content: str | bytes):
    """As labels are kept: in tables, lists and dictionaries."""
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert read_label_file(name) == {"refund": ("money back",), "returns": ()}


def test_lists_of_names_and_other_encodings():
    """Names alone, and a file that is in the encoding of the rows, or not; a label map applies to it."""
    Path("l.json").write_text('["refund", "returns"]')
    Path("l.txt").write_text("refund\nreturns\n")
    for name in ("l.json", "l.txt"):
        assert read_label_file(name) == {"refund": (), "returns": ()}
    for encoding in ("utf-8", "cp1252"):
        Path("l.csv").write_text("label\nrückgabe\nstörung\n", encoding=encoding)
        assert list(read_label_file("l.csv", "cp1252")) == ["rückgabe", "störung"]
    with_map = read_label_file("l.csv", "cp1252", as_label_map({"störung": "", "rückgabe": "returns"}))
    assert with_map == {"returns": ()}


BAD_FILES = {
    "label,description\nrefund,back\nrefund,back\n,x\n": (
        "2 rows of l.csv cannot be used:\n  l.csv:3: the label 'refund' is also in line 2 with the same description\n"
        "  l.csv:4: the label is empty\n"
    ),
    "label,meaning\nrefund,back\n": "l.csv:1: no column 'description' (found: 'label', 'meaning'). A file of labels",
    "topics,description\nrefund,back\n": "l.csv:1: no column 'label' (found: 'topics', 'description'). A file of lab",
    "label\n": "l.csv: the file has no labels",
    "": "l.csv: the file is empty",
    "label\nrefund\n": "only one class, 'refund'",
}


def test_files_of_labels_that_cannot_be_used(cli: Cli, api: AimlapiServer):
    """And what goes with none: each is an error before anything is sent."""
    for content, message in BAD_FILES.items():
        Path("l.csv").write_text(content)
        assert message in cli("train", "--labels", "l.csv").stderr
    Path("l.csv").write_text("label\nrefund\ndelivery\n")
    for option in WITHOUT_ROWS:
        assert "labelled texts" in cli("train", "--labels", "l.csv", *option).stderr
    assert "Missing argument 'FILE...'" in cli("train").stderr
    Path("d.csv").write_text("text,label\na b,refund\nc d,delivery\ne f,refund\ng h,delivery\n")
    Path("l.csv").write_text("label\nrefund\ndelivery\nvoucher\n")
    for option in (("--target-precision", "voucher=0.9"), ("--costs", "none.csv"), ("--class-weight", "balanced")):
        said = cli("train", "d.csv", "--labels", "l.csv", *option).stderr
        assert (
            f"{option[0]} ({option[0][2:].replace('-', '_')}) needs rows of every label, and 'voucher' has none" in said
        )
    with_outside = cli("train", "d.csv", "--labels", "l.csv", "--out-of-scope-label", "refund").stderr
    assert "the label 'voucher' has no rows, so it cannot be told from what is out of scope" in with_outside
    assert not api.requests
