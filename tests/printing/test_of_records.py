"""``print`` shows a result as its command does, and ``repr`` in one line."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import embedclf
from corpus import LABELS, QUICK, QUICKLY, TEXTS
from embedclf import data_frames
from running import Cli

SETTINGS = {"features": "embedding", "regularization": 1.0}


@pytest.fixture(scope="module")
def report(trained: embedclf.TextClassifier) -> embedclf.Report:
    """A report with three wrong rows, and the nearest training examples of each."""
    labels = ["refund", "refund", *LABELS[2:10], "refund", *LABELS[11:]]
    return embedclf.evaluate(trained, TEXTS, labels, train_set=(TEXTS, LABELS))


def in_python(shown: str) -> str:
    """Say where rows are as Python does: by their index, not by their line."""
    return re.sub(r"(?<=\s):(\d+)", lambda found: f"row {int(found[1]) - 2}", shown)


class TestPrint:
    """What a command prints of a file, ``print`` shows of the same texts."""

    def same(self, cli: Cli, result: Any, *args: object) -> None:
        shown = cli(*args).stdout
        assert shown
        # A shorter place leaves more room in a column, or for a text.
        told, said = (re.sub(r"[ …]+", " ", text) for text in (in_python(shown), f"{result}\n"))
        assert said == told

    def test_an_evaluation(self, cli: Cli, dataset: Path, model: Path, trained: embedclf.TextClassifier):
        self.same(cli, embedclf.evaluate(trained, TEXTS, LABELS), "evaluate", dataset.name, "-m", model)

    def test_a_comparison_of_two_models(self, cli: Cli, dataset: Path, model: Path, trained: embedclf.TextClassifier):
        other = embedclf.train(TEXTS[:20], LABELS[:20], **QUICK)
        other.save("other.safetensors")
        result = embedclf.diff(trained, other, TEXTS, LABELS)
        self.same(cli, result, "diff", model, "other.safetensors", dataset.name, "-o", "changed.csv")

    def test_a_cross_validation(self, cli: Cli, dataset: Path):
        result = embedclf.cross_validate(TEXTS, LABELS, folds=2, **SETTINGS)
        self.same(cli, result, "cross-validate", dataset.name, "--folds", 2, *QUICKLY[:4])

    def test_a_learning_curve(self, cli: Cli, dataset: Path):
        result = embedclf.learning_curve(TEXTS, LABELS, **SETTINGS)
        self.same(cli, result, "learning-curve", dataset.name, *QUICKLY[:4])

    def test_a_search(self, cli: Cli, dataset: Path):
        self.same(cli, embedclf.search(TEXTS, "my refund", labels=LABELS), "search", dataset.name, "my refund")

    def test_a_recommendation(self, cli: Cli, dataset: Path):
        result = embedclf.recommend(TEXTS, row=3, labels=LABELS)
        self.same(cli, result, "recommend", dataset.name, "--row", 5)

    def test_clusters(self, cli: Cli, dataset: Path):
        self.same(cli, embedclf.cluster(TEXTS, 2), "cluster", dataset.name, "--clusters", 2)

    def test_a_map(self, cli: Cli, dataset: Path):
        self.same(cli, embedclf.text_map(TEXTS, LABELS), "map", dataset.name, "--output", "map.html")

    @pytest.mark.slow
    def test_a_check(self, cli: Cli, dataset: Path):
        shown = str(embedclf.check([*TEXTS, TEXTS[0]], [*LABELS, "refund"]))
        assert shown.startswith("Error: 2 rows with conflicting labels for the same text\n")
        assert "    row 0  delivery: Where is my parcel?\n" in shown

    def test_suggestions(self, trained: embedclf.TextClassifier):
        result = embedclf.suggest(trained, ["Where is my card?", "hello"], 1)
        lines = str(result).splitlines()
        assert lines[0] == "1 row to label next, of 2 without a label:"
        assert re.fullmatch(r"  row [01]  \w+ \(0\.\d{4}\) or \w+ \(0\.\d{4}\)", lines[1])

    def test_a_comparison(self):
        result = embedclf.compare(TEXTS, LABELS, embedders=["wordllama"], features=["words"], folds=2)
        assert str(result).splitlines()[0] == "30 rows (2-fold cross-validation):"

    def test_neighbours_are_rows_of_the_train_set(self, report: embedclf.Report):
        assert "      1.00  train row 0  delivery: Where is my parcel?\n" in str(report)
        assert "--errors" not in str(report)

    def test_a_classifier(self):
        classifier = embedclf.train(TEXTS, LABELS, **{**QUICK, "holdout": 0.2}).with_min_confidence(0.6)
        assert re.fullmatch(
            r"classes     3: delivery, password, refund\n"
            r"features    wordllama:l2_supercat\n"
            r"head        logistic, C = 1\n"
            r"trained on  30 rows\n"
            r"held out    accuracy [01]\.\d{3} \(baseline 0\.333, words alone [01]\.\d{3}\), macro-F1 [01]\.\d{3}, "
            r"calibration error 0\.\d{3}; 6 rows\n"
            r"abstains    below confidence 0\.6000",
            str(classifier),
        )
        accuracy = classifier.card.held_out.accuracy
        assert repr(classifier) == (
            f"<TextClassifier: 3 classes, logistic on wordllama:l2_supercat, held-out accuracy {accuracy:.3f}>"
        )

    def test_an_explanation(self, cli: Cli, model: Path, trained: embedclf.TextClassifier, dataset: Path):
        """The text, its label, and what the command shows below it."""
        shown = cli("predict", TEXTS[0], "-m", model, "--explain", "--train-set", dataset).stdout
        (why,) = embedclf.explain(trained, pd.DataFrame({"m": TEXTS[:1]}), (TEXTS, LABELS), text="m")
        places = re.sub(r"train row (\d+)", lambda found: f":{int(found[1]) + 2}", str(why))
        assert places.split() == f"{TEXTS[0]}\n{shown}".split()
        assert repr(why).startswith(f"<Explanation: {why.label!r} (")
        assert why.to_frame()["word"][0] == TEXTS[0][why.spans[0].start : why.spans[0].end]
        assert '<mark class="for3">' in why._repr_html_()

    def test_a_file_of_predictions(self, trained: embedclf.TextClassifier):
        Path("in.csv").write_text('text\nWhere is it?\n""\n')
        done = embedclf.predict_file(trained, "in.csv", "out.csv")
        assert re.sub(r"[\d.]+ s$", "0.1 s", str(done), flags=re.MULTILINE) == (
            "Wrote 2 rows in 0.1 s\n1 row could not be classified:\n  line 3: the text is empty"
        )
        assert repr(done) == "<FilePrediction: 2 rows, 1 not classified>"
        assert "the text is empty" in done._repr_html_()

    def test_labels_do_not_move_the_cursor(self):
        classifier = embedclf.train(TEXTS, [label.replace("refund", "\x1b[2Jmoney") for label in LABELS], **QUICK)
        report = embedclf.evaluate(classifier, TEXTS[:21], [*classifier.predict(TEXTS[:20]), "delivery"])
        for shown in (classifier, report):
            assert "\x1b" not in str(shown)
            assert r"\x1b[2Jmoney" in str(shown)


@pytest.mark.slow
def test_a_repr_is_one_short_line(report: embedclf.Report):
    """However many rows there are."""
    assert re.fullmatch(
        r"<Report: 30 rows, accuracy 0\.900 \(0\.\d{3} to [01]\.\d{3}\), macro-F1 0\.\d{3}>", repr(report)
    )
    assert repr(embedclf.search(TEXTS, "refund")) == "<SearchResult: 5 hits of 30 texts>"
    assert repr(embedclf.recommend(TEXTS, row=0, k=1)) == "<Recommendation: 1 hit of 30 texts>"
    assert repr(embedclf.check(TEXTS, LABELS, vectors=np.eye(30, dtype=np.float32))).startswith(
        "<DataCheck: 30 rows, 0 errors, "
    )
    assert repr(embedclf.text_map(TEXTS)) == "<TextMap: 30 texts, t-SNE>"


class TestFrames:
    """The rows of what is printed, unrounded, under the names that records have."""

    def test_of_a_report(self, report: embedclf.Report):
        frame = report.to_frame()
        assert list(frame.columns) == ["label", "precision", "recall", "f1", "support"]
        assert frame["recall"].tolist() == [one.recall for one in report.per_class.values()]

    def test_into_a_question(self, trained: embedclf.TextClassifier):
        """Each function takes a data frame, whose columns have any name."""
        frame = pd.DataFrame({"message": TEXTS, "team": LABELS})
        usual = frame.rename(columns={"message": "text", "team": "label"})
        named = {"text": "message", "label": "team"}
        hit = embedclf.search(frame, "my refund", **named).hits[0]
        assert (hit.label, hit.text) == (LABELS[hit.row], TEXTS[hit.row])
        assert (
            embedclf.search(frame, "my refund", vectors=embedclf.EmbeddedTexts(TEXTS).vectors, **named).hits[0] == hit
        )
        assert embedclf.recommend(usual, row=3) == embedclf.recommend(TEXTS, row=3, labels=LABELS)
        assert embedclf.suggest(trained, frame, 2, text="message") == embedclf.suggest(trained, TEXTS, 2)
        assert embedclf.cluster(frame, 2, text="message") == embedclf.cluster(TEXTS, 2)

    @pytest.mark.slow
    def test_of_the_others(self, trained: embedclf.TextClassifier):
        found = embedclf.search(TEXTS, "refund", labels=LABELS)
        assert found.to_frame().to_dict("records") == [hit._asdict() for hit in found.hits]
        assert embedclf.recommend(["one text"], row=0).to_frame().columns.tolist() == [
            "row",
            "text",
            "label",
            "similarity",
        ]
        checked = embedclf.check([*TEXTS, TEXTS[0]], [*LABELS, LABELS[0]]).to_frame()
        (row,) = checked[checked["kind"] == "duplicates"].to_dict("records")
        assert (row["row"], row["other_row"], row["other_text"]) == (30, 0, TEXTS[0])
        clusters = embedclf.cluster(TEXTS, 2)
        assert clusters.to_frame()["size"].tolist() == [one.size for one in clusters.clusters]
        assert embedclf.suggest(trained, TEXTS, 2).to_frame().shape == (2, 7)
        assert embedclf.text_map(TEXTS[:3]).to_frame()["text"].tolist() == TEXTS[:3]
        result = embedclf.cross_validate(TEXTS, LABELS, folds=2, **SETTINGS)
        assert result.to_frame()["fold"].tolist() == [1, 2]
        curve = embedclf.learning_curve(TEXTS, LABELS, **SETTINGS)
        assert curve.to_frame().columns.tolist() == ["n_labels", "n_draws", "accuracy", "low", "high"]
        compared = embedclf.compare(TEXTS, LABELS, embedders=["wordllama"], features=["words"], folds=2)
        assert {"accuracy", "accuracy_low", "accuracy_high", "worse"} <= set(compared.to_frame().columns)

    def test_polars_serves_where_there_is_no_pandas(self, monkeypatch: pytest.MonkeyPatch):
        class Polars:
            DataFrame = staticmethod(lambda columns: ("of Polars", columns))

        monkeypatch.setattr(data_frames, "import_module", lambda name: self.only("polars", name, Polars))
        assert data_frames.data_frame([{"a": 1}], ["a"]) == ("of Polars", {"a": [1]})

    def test_without_either_the_error_says_what_is_missing(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(data_frames, "import_module", lambda name: self.only("none", name, None))
        with pytest.raises(
            embedclf.EmbedclfError, match="needs pandas or Polars, and neither is installed: pip install"
        ):
            embedclf.search(TEXTS, "refund").to_frame()

    @staticmethod
    def only(there: str, name: str, module: Any) -> Any:
        if name != there:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return module


class TestNotebook:
    """What a cell of a notebook shows."""

    @pytest.mark.slow
    def test_every_result_has_html_without_scripts(self, report: embedclf.Report, trained: embedclf.TextClassifier):
        results = [
            *(trained, report, embedclf.check(TEXTS, LABELS), embedclf.search(TEXTS, "refund")),
            *(embedclf.recommend(TEXTS, row=1), embedclf.cluster(TEXTS, 2), embedclf.suggest(trained, TEXTS, 2)),
            *(embedclf.text_map(TEXTS[:5]), embedclf.cross_validate(TEXTS, LABELS, folds=2, **SETTINGS)),
            embedclf.learning_curve(TEXTS, LABELS, **SETTINGS),
            embedclf.compare(TEXTS, LABELS, embedders=["wordllama"], features=["words"], folds=2),
        ]
        for result in results:
            shown = result._repr_html_()
            assert shown.startswith("<style>")
            assert shown.endswith("</div>")
            assert len(shown) < 20_000
            assert "<script" not in shown
            assert "http" not in shown

    def test_the_figures_and_the_matrix(self, report: embedclf.Report):
        shown = report._repr_html_()
        assert f'<span class="dim">accuracy</span><b>{report.accuracy:.3f}</b>' in shown
        assert '<tr><th class="of">refund</th>' in shown
        assert re.search(r'<td style="background:rgba\(29,110,201,0\.\d\d\)">10</td>', shown)

    def test_of_many_labels_the_worst_are_shown(self):
        texts = [f"{text} {number}" for number in range(20) for text in TEXTS[:4]]
        labels = [f"label {number}" for number in range(20) for _ in range(4)]
        result = embedclf.cross_validate(texts, labels, folds=2, **SETTINGS)
        shown = result.report._repr_html_()
        assert shown.count('<th class="up">') == 15
        assert "the 15 weakest of 20 labels" in shown

    def test_texts_and_labels_are_escaped(self):
        hostile = "<img src=x onerror=alert(1)>"
        shown = embedclf.search([hostile, "b"], "b", labels=[hostile, "b"])._repr_html_()
        assert "<img" not in shown
        assert shown.count("&lt;img src=x onerror=alert(1)&gt;") == 2


@pytest.mark.slow
def test_pages_are_those_of_the_commands(cli: Cli, dataset: Path, model: Path, trained: embedclf.TextClassifier):
    """`to_html` writes what ``--report`` and ``map`` write, except for the facts about files."""
    embedclf.evaluate(trained, TEXTS, LABELS).to_html("python.html", title="One page")
    assert cli("evaluate", dataset.name, "-m", model, "--report", "command.html", "--title", "One page").exit_code == 0
    of_command = re.sub(r'<dl class="facts">.*?</dl>', "", Path("command.html").read_text())
    assert Path("python.html").read_text() == of_command
    embedclf.text_map(TEXTS, LABELS).to_html("map.html")
    assert "<title>Map</title>" in Path("map.html").read_text()


@pytest.mark.slow
def test_a_data_frame_is_read_by_the_names_of_its_columns():
    """Every function that takes texts with labels takes a data frame; "text" and "label" need not be named."""
    usual, own = (
        pd.DataFrame({"text": TEXTS, "label": LABELS}),
        pd.DataFrame({"id": TEXTS, "message": TEXTS, "kind": LABELS}),
    )
    named = {"text": "message", "label": "kind"}
    classifier = embedclf.train(own, **named, **QUICK)
    expected = embedclf.train(TEXTS, LABELS, **QUICK)
    np.testing.assert_array_equal(classifier.model.weights, expected.model.weights)
    np.testing.assert_array_equal(embedclf.train(usual, **QUICK).model.weights, expected.model.weights)
    assert embedclf.evaluate(classifier, own, train_set=own, **named).n_examples == 30
    assert embedclf.cross_validate(own, folds=2, **named, **SETTINGS).n_examples == 30
    assert embedclf.text_map(own, **named).labels == tuple(LABELS)
    assert embedclf.EmbeddedTexts(own, text="message").labels is None
    assert len(embedclf.check(own, against=own, **named).of("leakage")) == 30


def test_what_a_data_frame_lacks_is_said():
    """With the names of the columns that there are; missing texts are findings of a check, and errors elsewhere."""
    frame = pd.DataFrame({"message": ["one", None], "label": ["a", None]})
    with pytest.raises(
        embedclf.ArgumentError, match="no column 'text', only 'message', 'label'; name the column of the"
    ):
        embedclf.train(frame)
    with pytest.raises(embedclf.ArgumentError, match="the data frame has no column 'kind', only 'message', 'label'"):
        embedclf.train(frame, text="message", label="kind")
    with pytest.raises(
        TypeError, match=r"texts\[1\] is missing \((nan|None)\) at index 1, column \'message\': leave such"
    ):
        embedclf.train(frame, text="message")
    with pytest.raises(TypeError, match="text= names a column, but the texts are no data frame"):
        embedclf.train(TEXTS, LABELS, text="message")
    (empty,) = embedclf.check(frame, text="message", vectors=np.eye(2, dtype=np.float32)).of("empty")
    assert empty.row == 1
