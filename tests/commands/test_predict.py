"""``embedclf predict``, at the command line."""

import csv
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import embedclf
from corpus import ROOT, TEXTS, write_csv
from embedclf.cli import main
from running import Cli
from tampering import rewrite


def test_a_line_a_text_with_label_and_confidence(cli: Cli, model: Path, trained: embedclf.TextClassifier):
    """Plain output is label<TAB>confidence, in the order given, and nothing else."""
    result = cli("predict", "-m", model, "where is my parcel", "I forgot my password")
    confidence = trained.predict_proba(["where is my parcel", "I forgot my password"]).max(axis=1)
    shown = [f"{np.floor(10_000 * float(sure)) / 10_000:.4f}" for sure in confidence]
    assert result.stdout == f"delivery\t{shown[0]}\npassword\t{shown[1]}\n"
    assert result.stderr == ""


def test_json_is_a_line_a_text(cli: Cli, model: Path):
    """`text`, `label`, `confidence`, and `top` when asked, from the likeliest down."""
    lines = cli("predict", "-m", model, "--json", "--top-k", 5, "Wo ist mein Päckchen, the parcel?").stdout.splitlines()
    (record,) = map(json.loads, lines)
    assert list(record) == ["text", "label", "confidence", "top"]
    assert record["text"] == "Wo ist mein Päckchen, the parcel?"
    assert record["top"][0] == {"label": record["label"], "confidence": record["confidence"]}
    assert sorted(one["label"] for one in record["top"]) == ["delivery", "password", "refund"]
    confidences = [one["confidence"] for one in record["top"]]
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) == pytest.approx(1, abs=1e-5)
    assert "top" not in json.loads(cli("predict", "-m", model, "--json", "parcel").stdout)


def test_top_k_in_plain_output_is_pairs(cli: Cli, model: Path):
    """label, confidence, label, confidence."""
    assert re.fullmatch(
        r"refund\t0\.\d{4}\t\w+\t0\.\d{4}\n", cli("predict", "-m", model, "--top-k", 2, "refund me").stdout
    )


class TestLabelSets:
    """``--coverage``: the labels that hold the true one, whatever else is asked for."""

    texts = ("the parcel and my money", "where is my parcel", "")

    @pytest.fixture
    def model(self, model: Path, tmp_path: Path) -> Path:
        """The small one, as if it had been wrong about three texts."""
        steps = {"n_examples": 30, "n_likeliest": 27, "likeliest": [0.3, 0.2], "steps": [0.2, 0.1, 0.05]}
        return rewrite(model, tmp_path / "m.safetensors", conformal=steps)

    def test_in_plain_output_the_last_column(self, cli: Cli, model: Path):
        """So that the others stay where they are; a text that cannot be classified has none."""
        lines = cli("predict", "-m", model, "--coverage", "96%", *self.texts).stdout.splitlines()
        assert [line.split("\t")[2:] for line in lines] == [["delivery|refund"], ["delivery"], ["-"]]
        (line,) = cli("predict", "-m", model, "--coverage", 0.96, "-k", 2, self.texts[0]).stdout.splitlines()
        assert [line.split("\t")[place] for place in (0, 2, 4)] == ["delivery", "refund", "delivery|refund"]

    def test_abstaining_changes_no_set(self, cli: Cli, model: Path):
        """A label that is not sure enough to be the answer is in the set."""
        args = ("predict", "-m", model, "--coverage", 0.96, "--min-confidence", 1, self.texts[0])
        assert re.fullmatch(r"-\t0\.\d{4}\tdelivery\|refund\n", cli(*args).stdout)

    def test_in_json_a_list(self, cli: Cli, model: Path):
        """With confidences, like `top`; that of a text that cannot be classified is empty."""
        lines = cli("predict", "-m", model, "--coverage", 0.96, "-k", 2, "--json", *self.texts).stdout.splitlines()
        first, second, third = map(json.loads, lines)
        assert first["label_set"] == first["top"]
        assert second["label_set"] == second["top"][:1]
        assert third["label_set"] == []
        assert "label_set" not in json.loads(cli("predict", "-m", model, "--json", "parcel").stdout)

    def test_in_a_file_a_column(self, cli: Cli, trained: embedclf.TextClassifier, model: Path):
        """JSONL and Parquet have lists; in CSV, no label can be taken for two."""
        Path("in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in self.texts))
        for name in ("o.csv", "o.jsonl", "o.parquet"):
            assert cli("predict", "-m", model, "in.jsonl", "-o", name, "--coverage", 0.96).exit_code == 1
        sets = [["delivery", "refund"], ["delivery"], None]
        assert [json.loads(line)["label_set"] for line in Path("o.jsonl").read_text().splitlines()] == sets
        assert [one if one is None else list(one) for one in pd.read_parquet("o.parquet")["label_set"]] == sets
        rows = list(csv.DictReader(Path("o.csv").read_text().splitlines()))
        assert list(rows[0]) == ["text", "predicted_label", "confidence", "label_set", "error"]
        assert [row["label_set"] for row in rows] == ["delivery|refund", "delivery", ""]
        renamed = replace(trained.model, classes=("a|b", "c\\", "refund"))
        other = embedclf.TextClassifier(trained.embedder, renamed, embedclf.load(model).card)
        embedclf.predict_file(other, "in.jsonl", "o.csv", coverage=0.96, top_k=2)
        rows = list(csv.DictReader(Path("o.csv").read_text().splitlines()))
        assert [row["label_set"] for row in rows] == [r"a\|b|refund", r"a\|b", ""]

    def test_one_label_may_be_enough(self, cli: Cli, model: Path):
        """Then no set has more, and where it is unlikely, even that one is left out, which is said."""
        result = cli("predict", "-m", model, "--coverage", 0.5, self.texts[0])
        assert result.stdout.endswith("\tdelivery\n")
        assert result.stderr == (
            "No set has more than one label: the most likely one alone is right in 90.0 % of cases (30 "
            "cross-validated rows), so sets are empty where it is unlikely.\n"
        )

    def test_what_a_model_cannot_hold(self, cli: Cli, model: Path, tmp_path: Path):
        """Too few rows, or a file of before there were sets: an error before anything is read or paid for."""
        few = cli("predict", "-m", model, "--coverage", "99%", "-")
        assert few.stderr == (
            "Error: coverage 0.99 needs at least 99 rows to calibrate on, and the model has 30: lower it to 0.967, or "
            "train on more rows\n"
        )
        old = rewrite(model, tmp_path / "old.safetensors", conformal=...)
        for args in (["predict", "-"], ["evaluate", "missing.csv"]):
            assert cli(*args, "-m", old, "--coverage", 0.9).stderr == (
                "Error: coverage needs a calibration, which the model does not have: it is from an earlier version of "
                "embedclf. Train it again: embedclf train FILE\n"
            )
        assert cli("predict", "-m", old, "my parcel").exit_code == 0


def test_a_dash_reads_a_text_a_line(process, model: Path):
    """`echo … | embedclf predict -`; CRLF, a BOM and a missing last line break are fine."""
    done = process("predict", "-m", model, "-", stdin="\ufeffwhere is my parcel\r\nI forgot my password")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["delivery", "password"]
    assert done.returncode == 0


def test_a_blank_line_is_an_error_of_that_line_only(process, model: Path):
    """The others are labelled, the order is kept, the exit code is 1."""
    done = process("predict", "-m", model, "-", stdin="my parcel\n\nmy refund\n")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["delivery", "-", "refund"]
    assert done.returncode == 1
    assert done.stderr == "Error: 1 of 3 texts could not be classified:\n  stdin:2: the text is empty\n"


def test_a_file_keeps_its_columns_and_order(cli: Cli, model: Path, tmp_path: Path):
    """Two columns and `error` are added; a column of the same name is never overwritten."""
    path = tmp_path / "new.csv"
    path.write_text(
        "id,text,predicted_label,note\r\n"
        '007,"where is my parcel, please",mine,"a ""quoted"" note"\r\n'
        '8,"refund\nmy money",,\r\n'
        "9,  ,keep,ö\r\n"
    )
    result = cli("predict", "-m", model, "--input", path, "--output", "out.csv")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"Wrote 3 rows to out.csv\nError: 1 of 3 texts could not be classified:\n  {path}:5: the text is empty\n"
    )
    with Path("out.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "text", "predicted_label", "note", "predicted_label_2", "confidence", "error"]
    assert rows[1][:5] == ["007", "where is my parcel, please", "mine", 'a "quoted" note', "delivery"]
    assert rows[2][:5] == ["8", "refund\nmy money", "", "", "refund"]
    assert rows[3] == ["9", "  ", "keep", "ö", "", "", "the text is empty"]
    assert 0 < float(rows[1][5]) <= 1


def test_jsonl_keeps_its_types_and_marks_errors(cli: Cli, model: Path, tmp_path: Path):
    """What was a number or an object stays one; bad lines get an `error`; half a character comes out as it came in."""
    path = tmp_path / "new.jsonl"
    lines = [
        '{"text": "my parcel", "id": 7, "tags": ["a"]}',
        '{"id": 8}',
        "not json",
        '{"text": "half \\ud800 of one", "id": 9}',
        '{"text": 5}',
        "[1]",
    ]
    path.write_text("\n".join(lines) + "\n\n")
    result = cli("predict", "-m", model, "--input", path, "--output", "out.jsonl")
    assert result.exit_code == 1
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert records[0] | {"confidence": 0} == {
        "text": "my parcel", "id": 7, "tags": ["a"], "predicted_label": "delivery", "confidence": 0, "error": None,
    }  # fmt: skip
    assert records[1] == {"id": 8, "predicted_label": None, "confidence": None, "error": "'text' is missing"}
    assert records[2]["error"].startswith("the line is not valid JSON (")
    assert records[3]["text"] == "half \ud800 of one"
    assert records[3]["error"] == "the text contains half a character (lone surrogate \\ud800)"
    assert records[4]["error"] == "the text is not a string (5)"
    assert records[5]["error"] == "the line is valid JSON, but not an object"
    assert f"  {path}:3: the line is not valid JSON" in result.stderr


def test_from_one_format_to_another(cli: Cli, model: Path, tmp_path: Path):
    """The output's extension says its format; top-k fills columns of their own; a column that CSV loses is named."""
    path = tmp_path / "new.jsonl"
    path.write_text('{"text": "my parcel", "n": {"a": 1}}\n{"text": "my refund", "extra": true}\n')
    result = cli("predict", "-m", model, "--input", path, "--output", "out.tsv", "--top-k", 2)
    header, first, second = Path("out.tsv").read_text().splitlines()
    assert header.split("\t") == [
        "text", "n", "predicted_label", "confidence", "top_2_label", "top_2_confidence", "error",
    ]  # fmt: skip
    assert first.startswith('my parcel\t"{""a"": 1}"\tdelivery\t0.')
    assert second.startswith("my refund\t\trefund\t0.")
    assert result.stderr.startswith("Warning: line 2 has 'extra', which the first record does not have: left out")


def test_input_dash_reads_a_table_from_stdin(process, model: Path):
    """CSV, or JSONL if it starts with a brace."""
    table = process("predict", "-m", model, "--input", "-", stdin="id,text\n1,my parcel\n")
    assert table.stdout.startswith("delivery\t")
    lines = process("predict", "-m", model, "--input", "-", "--json", stdin='{"text": "my refund"}\n')
    assert json.loads(lines.stdout)["label"] == "refund"


def test_a_byte_order_mark_is_kept_for_the_spreadsheet(cli: Cli, model: Path, tmp_path: Path):
    """A file that has one is read, and its output has one too."""
    path = tmp_path / "new.csv"
    path.write_bytes("\ufefftext\nmy pärcel\n".encode())
    assert cli("predict", "-m", model, "--input", path, "--output", "out.csv").exit_code == 0
    assert (
        Path("out.csv").read_bytes().startswith(b"\xef\xbb\xbftext,predicted_label,confidence,error\nmy p\xc3\xa4rcel,")
    )


@pytest.mark.slow
def test_ugly_but_usable_texts(cli: Cli, model: Path, tmp_path: Path):
    """NUL characters, a 10 MB cell, quoted line breaks, labels like numbers and duplicate texts are accepted."""
    path = tmp_path / "new.csv"
    big = "where is my parcel " * 550_000
    path.write_text(
        f'text,label\nmy \0 parcel,007\n"{big}",1e5\n"a\r\n\nrefund",1\nmy parcel,2\nmy parcel,3\n', newline=""
    )
    result = cli("predict", "-m", model, "--input", path, "--output", "out.jsonl")
    assert (result.exit_code, result.stderr) == (0, "Wrote 5 rows to out.jsonl\n")
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [record["label"] for record in records] == ["007", "1e5", "1", "2", "3"]
    assert [record["predicted_label"] for record in records] == [
        "delivery",
        "delivery",
        "refund",
        "delivery",
        "delivery",
    ]
    assert records[0]["text"] == "my \0 parcel"
    assert records[1]["text"] == big


def test_an_empty_table_gives_an_empty_table(cli: Cli, model: Path, tmp_path: Path):
    """A header without rows is no error when there is nothing to learn from it."""
    path = write_csv(tmp_path / "new.csv", [])
    assert cli("predict", "-m", model, "--input", path, "--output", "out.csv").exit_code == 0
    assert Path("out.csv").read_text() == "text,label,predicted_label,confidence,error\n"


def test_a_failed_run_leaves_the_old_output(cli: Cli, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The output is written beside its place and moved there only when it is whole."""

    def fail(*args: object) -> None:
        raise embedclf.EmbedderError("no vectors today")

    monkeypatch.setattr("embedclf.prediction.resumable_run.score_texts", fail)
    path = tmp_path / "new.csv"
    path.write_text("text\nmy parcel\n")
    Path("out.csv").write_text("what was there")
    result = cli("predict", "-m", model, "--input", path, "--output", "out.csv")
    assert (result.exit_code, result.stderr) == (1, "Error: no vectors today\n")
    assert Path("out.csv").read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv", "out.csv"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "Missing TEXT, FILE or -."),
        (["a text", "-"], "- reads the texts from standard input and cannot be combined with other texts."),
        (["a text", "--input", "x.csv"], "Use either TEXT or --input FILE, not both."),
        (["a text", "--json", "--output", "x.csv"], "--json prints to the screen"),
        (["a text", "--top-k", "0"], "0 is not in the range x>=1"),
        (["a text", "--coverage", "100%"], "'--coverage': 1.0 is not in the range 0<x<1"),
        (["a text", "--escape-char", "x", "--quoting", "none"], "'--escape-char': escape_char is for quoted fields"),
        (["a text", "--escape-char", ";", "--delimiter", ";"], "escape_char must be one character other than a quote"),
    ],
)
def test_usage_errors_exit_2(cli: Cli, args: list[str], message: str):
    """What is wrong with the command itself is said with exit code 2."""
    result = cli("predict", *args)
    assert result.exit_code == 2
    assert message in result.stderr


class TestTextOrFile:
    """An argument that ends in the extension of a data file is one; everything else is a text."""

    @pytest.fixture(autouse=True)
    def _model(self, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EMBEDCLF_MODEL", str(model))
        Path("new.csv").write_text("id;Message\n1;Where is my parcel?\n2;I forgot my password\n")

    def test_a_file_to_a_file(self, cli: Cli):
        """The output has the delimiter of the input."""
        result = cli("predict", "new.csv", "-o", "labelled.csv")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr.splitlines()[1:] == [
            "new.csv: texts in 'Message', delimiter ';'",
            "Wrote 2 rows to labelled.csv",
        ]
        header, first, _ = Path("labelled.csv").read_text().splitlines()
        assert header == "id;Message;predicted_label;confidence;error"
        assert first.startswith("1;Where is my parcel?;delivery;0.")
        cli("predict", "--input", "new.csv", "--output", "again.csv")
        assert Path("again.csv").read_bytes() == Path("labelled.csv").read_bytes()

    def test_a_file_to_the_screen(self, cli: Cli):
        """A line per row, as with --input; the name of a file in capitals is one, too."""
        labels = [line.split("\t")[0] for line in cli("predict", "new.csv").stdout.splitlines()]
        assert labels == ["delivery", "password"]
        Path("NEW.TSV").write_text("text\nmy parcel\n")
        assert cli("predict", "NEW.TSV").stdout.startswith("delivery\t")

    def test_a_text_that_looks_like_a_file(self, cli: Cli):
        """--text takes it, and so does --; without them, a file that does not exist is an error, not a text."""
        Path("folder").mkdir()
        for name in ("my parcels.xlsx", "x.jsonl", "data/x.csv.gz", "./reviews", "folder/reviews"):
            result = cli("predict", name)
            assert (result.exit_code, result.stdout) == (1, "")
            assert result.stderr == f"Error: {name}: file not found. To classify it as a text, use --text\n"
        result = cli("predict", "my parcel.csv is missing", "/start", "--text", "--", "--", "nwe.csv", "new.csv", "-")
        assert (result.exit_code, result.stdout.count("\n")) == (0, 6)

    @pytest.mark.parametrize(
        ("arg", "exit_code", "message"),
        [
            ("nwe.csv", 1, "nwe.csv: file not found. Did you mean new.csv?"),
            ("folder", 1, "folder: is a folder; expected a file of texts."),
            ("folder.csv", 1, "folder.csv: is a folder; expected a file of texts."),
            ("messages", 2, "messages is a file: label its rows with --input messages."),
            ("https://example.com/a.csv", 1, "https://example.com/a.csv: URLs are not read; download the file."),
        ],
    )
    def test_what_is_no_text(self, cli: Cli, arg: str, exit_code: int, message: str):
        """What exists under that name, or looks like a file, is not classified by its name."""
        Path("folder").mkdir()
        Path("folder.csv").mkdir()
        Path("messages").write_text("text\nmy parcel\n")
        result = cli("predict", arg)
        assert (result.exit_code, result.stdout) == (exit_code, "")
        assert f"Error: {message} To classify it as a text, use --text" in result.stderr

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (
                ["new.csv", "NEW.csv"],
                "predict labels one file at a time. Run it once per file: embedclf predict new.csv -o labelled_new.csv"
                ", then embedclf predict NEW.csv -o labelled_NEW.csv.",
            ),
            (["new.csv", "my parcel"], "new.csv is a file and cannot be combined with texts"),
            (["new.csv", "--text", "my parcel"], "new.csv is a file and cannot be combined with texts"),
            (["new.csv", "--input", "new.csv"], "Use either TEXT or --input FILE, not both."),
            (["-", "--text", "my parcel"], "cannot be combined with other texts"),
        ],
    )
    def test_one_thing_at_a_time(self, cli: Cli, args: list[str], message: str):
        """A file, or texts, or standard input."""
        Path("NEW.csv").write_text("text\na\n")
        result = cli("predict", *args)
        assert result.exit_code == 2
        assert message in result.stderr

    def test_an_output_that_is_the_input(self, cli: Cli):
        """It would overwrite it."""
        result = cli("predict", "new.csv", "-o", "new.csv")
        assert "Error: --output new.csv is the same file as the input new.csv: choose another" in result.stderr

    @pytest.mark.parametrize(
        ("lines", "what"),
        [
            ("id,Message\n1,my parcel\n", "a CSV header"),
            ('{"text": "my parcel"}\n', "JSON Lines"),
            ("text\nmy parcel\n", "a CSV header"),
            ("texting\nmy parcel\n", None),
            ("{my parcel}\n", None),
        ],
    )
    def test_a_table_on_standard_input(self, model: Path, lines: str, what: str | None):
        """With -, each line is a text; if they look like a table, it says how to read one."""
        result = CliRunner().invoke(main, ["predict", "-m", str(model), "-"], input=lines)
        assert result.stdout.count("\n") == lines.count("\n")
        assert result.stderr == (
            ""
            if what is None
            else f"Warning: stdin:1 looks like {what}, but - classifies each line as one text; use --input - to read a "
            "table\n"
        )

    def test_lines_without_a_header(self, cli: Cli):
        """A file of plain lines is told how it can be read."""
        Path("lines.txt").write_text("Where is my parcel today, please?\nI forgot my password\n")
        result = cli("predict", "lines.txt")
        assert "lines.txt:1: the first line looks like a row: pass --no-header" in result.stderr
        assert cli("predict", "lines.txt", "--no-header", "-o", "labelled.csv").exit_code == 0
        assert Path("labelled.csv").read_text().startswith('"Where is my parcel today, please?",delivery,')


def test_the_columns_of_training_come_first(cli: Cli, trained: embedclf.TextClassifier):
    """An option wins over them, and a file without them is read by the usual names."""
    trained.with_columns("note", "kind").save("m.safetensors")

    def said(header: str, *options: str) -> str:
        write_csv(Path("new.csv"), [("my parcel", "I forgot my password", "refund")], header=tuple(header.split(",")))
        result = cli("predict", "-m", "m.safetensors", "new.csv", *options)
        assert result.exit_code == 0
        return f"{result.stdout.split()[0]} {result.stderr}"

    assert said("note,text,label") == "delivery new.csv: texts in 'note' (as in training)\n"
    assert said("note,text,label", "--text-column", "text") == "password "
    assert said("x,text,label") == "password "
    assert said("x,Body,label") == "password new.csv: texts in 'Body'\n"
    write_csv(Path("test.csv"), [("a refund", "my parcel", "delivery")], header=("text", "note", "kind"))
    result = cli("evaluate", "-m", "m.safetensors", "test.csv")
    assert result.stderr.startswith("test.csv: texts in 'note', labels in 'kind' (as in training)\n")
    assert "accuracy           1.000" in result.stdout
    embedclf.predict_file(embedclf.load("m.safetensors"), "test.csv", "out.csv")
    assert ",delivery,0." in Path("out.csv").read_text()


def test_several_columns_of_texts_are_remembered(cli: Cli, trained: embedclf.TextClassifier):
    """They are joined without the parts that are missing, wherever texts are read; a column that is gone is named."""
    trained.with_columns(["title", "body"], "kind").save("m.safetensors")
    joined = embedclf.load("m.safetensors")
    assert joined.card.columns == (("title", "body"), "kind")
    rows = [{"title": "my parcel", "kind": "delivery"}, {"title": " ", "body": "my refund", "kind": "refund"}]
    Path("new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"title": None}]))
    result = cli("predict", "-m", "m.safetensors", "new.jsonl")
    assert [line.split()[0] for line in result.stdout.splitlines()[:2]] == ["delivery", "refund"]
    assert result.stderr.startswith("new.jsonl: texts in 'title' and 'body' (as in training)\n")
    assert result.stderr.endswith("  new.jsonl:3: the text is missing\n")
    assert embedclf.evaluate(joined, pd.DataFrame(rows)).accuracy == 1
    Path("new.csv").write_text("id,body\n1,my refund\n")
    assert cli("predict", "-m", "m.safetensors", "new.csv").stderr == (
        "Error: new.csv:1: no column 'title', but the model was trained on 'title' and 'body', joined. To go without, "
        "use --text-column body\n"
    )


class TestWhichModel:
    """-m, else EMBEDCLF_MODEL, else the most recently trained, else the only one in models/."""

    @pytest.fixture(autouse=True)
    def _models(self, trained: embedclf.TextClassifier) -> None:
        for name in ("a", "b"):
            trained.save(f"models/{name}.safetensors")

    def test_the_given_one_is_not_named(self, cli: Cli, monkeypatch: pytest.MonkeyPatch):
        """Because the person just named it."""
        monkeypatch.setenv("EMBEDCLF_MODEL", "models/b.safetensors")
        assert cli("predict", "-m", "models/a.safetensors", "x").stderr == ""

    def test_then_the_environments(self, cli: Cli, monkeypatch: pytest.MonkeyPatch):
        """It goes before the most recently trained."""
        monkeypatch.setenv("EMBEDCLF_MODEL", "models/b.safetensors")
        Path("models/.latest").write_text("models/a.safetensors\n")
        assert cli("predict", "x").stderr == "Model: models/b.safetensors (from EMBEDCLF_MODEL)\n"

    def test_then_the_latest(self, cli: Cli):
        """As train left it."""
        Path("models/.latest").write_text("models/a.safetensors\n")
        assert cli("predict", "x").stderr == "Model: models/a.safetensors (most recently trained)\n"

    def test_then_the_only_one(self, cli: Cli):
        """Also when the latest is gone."""
        Path("models/.latest").write_text("models/b.safetensors\n")
        Path("models/b.safetensors").unlink()
        assert cli("predict", "x").stderr == "Model: models/a.safetensors (only model in models/)\n"

    def test_else_they_are_listed(self, cli: Cli):
        """So that one can be copied to the command."""
        result = cli("predict", "x")
        assert result.exit_code == 1
        assert result.stderr == (
            "Error: several models in models/; choose one with -m:\n  models/a.safetensors\n  models/b.safetensors\n"
        )

    def test_no_model_at_all_says_how_to_get_one(self, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """In a folder without models."""
        (tmp_path / "sub").mkdir()
        monkeypatch.chdir(tmp_path / "sub")
        result = cli("predict", "x")
        assert result.exit_code == 1
        assert "train one with embedclf train FILE" in result.stderr


def test_the_checkouts_own_model_answers(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    """In a fresh checkout the trained support tickets answer at once."""
    model = ROOT / "models" / "example.safetensors"
    assert 12_000 < model.stat().st_size < 300_000
    result = cli("predict", "-m", model, "I was charged twice this month", "Where is my refund?", "where is my parcel")
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["billing", "refund", "delivery"]


def test_chunks_do_not_change_the_answers(cli: Cli, model: Path, tmp_path: Path, trained: embedclf.TextClassifier):
    """A file longer than one chunk comes out in order, with the answers that the texts get alone."""
    rows = [(TEXTS[i % 30].replace(",", " "), str(i)) for i in range(4_100)]
    path = write_csv(tmp_path / "long.csv", rows, header=("text", "id"))
    assert cli("predict", "-m", model, "--input", path, "--output", "out.csv").exit_code == 0
    with Path("out.csv").open(newline="") as file:
        out = list(csv.DictReader(file))
    assert [row["id"] for row in out] == [str(i) for i in range(4_100)]
    alone = dict(zip([text for text, _ in rows[:30]], trained.predict([text for text, _ in rows[:30]]), strict=True))
    assert all(row["predicted_label"] == alone[row["text"]] for row in out)


def test_jsonl_is_carried_over_to_the_last_digit(cli: Cli, model: Path, tmp_path: Path):
    """What was read is copied as it stands; a key that only one record has is not overwritten either."""
    path = tmp_path / "new.jsonl"
    own = [
        '{"text": "my parcel", "n":1.10, "big": 1e400, "id": 12345678901234567890}',
        '{"text":"x", "confidence": "mine"}',
    ]
    path.write_text("\n".join(own))
    assert cli("predict", "-m", model, "--input", path, "--output", "out.jsonl").exit_code == 0
    first, second = Path("out.jsonl").read_text().splitlines()
    assert first.startswith(own[0][:-1] + ', "predicted_label": "delivery", "confidence": 0.')
    assert json.loads(second)["confidence"] == "mine"
    assert 0 < json.loads(second)["confidence_2"] < 1
    path.write_text('{"text": "my parcel", "score": 0.123456789}\n')
    cli("predict", "-m", model, "--input", path, "--output", "out.csv")
    assert Path("out.csv").read_text().splitlines()[1].startswith("my parcel,0.123456789,delivery,0.")


@pytest.mark.slow
def test_output_to_the_standard_output_by_its_name(model: Path, tmp_path: Path):
    """/dev/stdout is written to, in a pipe or a file that is open; nothing in it is replaced."""
    path = write_csv(tmp_path / "new.csv", [("my parcel",)], header=("text",))
    run = f"{sys.executable} -m embedclf predict -m {model} --input {path} --output /dev/stdout"
    piped = subprocess.run(f"{run} | cat", shell=True, capture_output=True, text=True, timeout=60)
    assert piped.stdout.startswith("text,predicted_label,confidence,error\nmy parcel,delivery,0.")
    subprocess.run(
        f"(echo before; {run}; echo after) > all.txt", shell=True, check=True, timeout=60, capture_output=True
    )
    assert Path("all.txt").read_text() == f"before\n{piped.stdout}after\n"


def test_a_label_stays_in_its_line(cli: Cli, tmp_path: Path):
    """Tabs, line breaks and a terminal's commands in a label are written as escapes."""
    embedclf.train(["a b", "a c", "d e", "d f"], ["x\ty\n"] * 2 + ["\x1b[31mé"] * 2, holdout=0).save("m.safetensors")
    assert cli("predict", "-m", "m.safetensors", "a b", "d e").stdout.splitlines()[0].startswith("x\\ty\\n\t")
    assert cli("predict", "-m", "m.safetensors", "d e").stdout.startswith("\\x1b[31mé\t")


@pytest.mark.parametrize("args", [["-"], ["--input", "-"]])
def test_a_closed_standard_input_is_an_error(model: Path, args: list[str]):
    """And not a traceback."""
    command = f"{sys.executable} -m embedclf predict -m {model} {' '.join(args)} <&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "Error: stdin: standard input is closed\n")


@pytest.mark.slow
def test_lines_in_another_encoding(process, model: Path):
    """UTF-16, too, and an error names the line."""
    done = process("predict", "-m", model, "--encoding", "utf-16", "-", stdin="my parcel\nmy refund\n".encode("utf-16"))
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["delivery", "refund"]
    done = process("predict", "-m", model, "-", stdin=b"my parcel\ncaf\xe9\n")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "Error: stdin:2: not valid UTF-8. This is how it would read:\n  --encoding cp1252  café"
    )
    done = process("predict", "-m", model, "-", stdin=b"my parcel\nmy refund caf\xc3")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["delivery", "-"]
    assert "stdin:2: byte 14 (0xc3) is not valid UTF-8" in done.stderr
    done = process("predict", "-m", model, "-", stdin=b"my parcel\nmy refund caf\xc3\xa9")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["delivery", "refund"]


@pytest.mark.parametrize("name", ["out.xls", "out.csv.bz2"])
def test_a_format_that_is_not_written_is_refused(cli: Cli, model: Path, name: str):
    """Rather than something else written under its name."""
    result = cli("predict", "-m", model, "x", "--output", name)
    assert result.stderr == (
        f"Error: cannot write {name}: the output must end in .csv, .tsv, .jsonl, .parquet or .xlsx\n"
    )


def test_no_file_is_called_dash(cli: Cli, model: Path, dataset: Path):
    """As the standard input is, for which it would be taken."""
    result = cli("predict", "-m", model, "--input", dataset, "--output", "-")
    assert result.stderr == "Error: cannot write -: for standard output, use /dev/stdout\n"
    assert not Path("-").exists()


def test_an_output_that_cannot_be_written_is_found_out_first(cli: Cli, model: Path, tmp_path: Path, monkeypatch):
    """Before anything is embedded."""
    monkeypatch.setattr("embedclf.embedding.wordllama.WordLlamaEmbedder.embed", None)
    path = write_csv(tmp_path / "new.csv", [("my parcel",)], header=("text",))
    (tmp_path / "folder").mkdir()
    for place, reason in (("folder", "it is a folder"), ("new.csv/out.csv", "File exists")):
        result = cli("predict", "-m", model, "--input", path, "--output", place)
        assert (result.exit_code, result.stderr) == (1, f"Error: cannot write {place}: {reason}\n")


def test_what_names_the_latest_model_may_be_anything(cli: Cli, trained: embedclf.TextClassifier):
    """A named pipe is not waited for, and what is no path names no model."""
    trained.save("models/one.safetensors")
    latest = Path("models/.latest")
    for plant in (os.mkfifo, lambda path: path.write_text("x" * 60_000), lambda path: path.write_bytes(b"\0")):
        plant(latest)
        done = cli("predict", "Where is my refund?")
        assert done.exit_code == 0
        assert done.stderr == "Model: models/one.safetensors (only model in models/)\n"
        latest.unlink()
