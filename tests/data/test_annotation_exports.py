"""Exports of Label Studio and doccano, in the shapes that these write, are read as they are."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from corpus import LABELS, QUICKLY, TEXTS
from embedclf.data.reader import CorpusReader
from embedclf.data.reading import Reading
from running import Cli

WITH_LABELS = Reading(label_separator=None)
OPTIONAL = Reading(labels="optional")
NONE = Reading(labels="none")


def annotation(choices: Sequence[str], *, name: str = "intent", **more: Any) -> dict[str, Any]:
    """Return an annotation as Label Studio 1.x exports it."""
    part = {
        "value": {"choices": list(choices)}, "id": "Dx_aB91ISN", "from_name": name, "to_name": "text",
        "type": "choices", "origin": "manual",
    }  # fmt: skip
    return {
        "id": 1001, "completed_by": 1, "result": [part] if choices else [], "was_cancelled": False,
        "ground_truth": False, "created_at": "2024-03-09T22:16:08.728353Z", "updated_at": "2024-03-09T22:16:08.728378Z",
        "draft_created_at": None, "lead_time": 4.288, "prediction": {}, "result_count": 1, "unique_id": "0f", "task": 1,
        "project": 83, "updated_by": 1, "parent_prediction": None, "parent_annotation": None, **more,
    }  # fmt: skip


def task(number: int, data: Mapping[str, Any], *annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task as Label Studio 1.x exports it."""
    return {
        "id": number, "annotations": annotations, "file_upload": "1f-x.csv", "drafts": [], "predictions": [],
        "data": data, "meta": {}, "created_at": "2024-03-09T21:52:49.513742Z",
        "updated_at": "2024-03-09T22:16:08.746926Z", "inner_id": number, "total_annotations": len(annotations),
        "cancelled_annotations": 0, "total_predictions": 0, "project": 83, "updated_by": 1,
    }  # fmt: skip


def short(number: int, data: Mapping[str, Any], answers: Mapping[str, Any], annotator: int = 1) -> dict[str, Any]:
    """Return a record of JSON-MIN."""
    return {
        **data, "id": number, **answers, "annotator": annotator, "annotation_id": 1000 + number,
        "created_at": "2024-03-09T22:16:08.728353Z", "updated_at": "2024-03-09T22:16:08.728378Z", "lead_time": 4.288,
    }  # fmt: skip


def labelled(path: str, reading: Reading = WITH_LABELS) -> list[tuple[int, str, str]]:
    with CorpusReader(path, reading) as reader:
        return [(row.line, row.text, row.label) for row in reader]


def test_trained_on_and_written_flat(cli: Cli):
    """The whole way: names of columns need not be usual, and what is written has one column for each thing."""
    tasks = [
        task(number, {"ticket": text, "n": number}, annotation([label], name="what is it"))
        for number, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True), 1)
    ]
    Path("export.json").write_text(json.dumps(tasks))
    result = cli("train", "export.json", *QUICKLY)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines()[:2] == [
        "export.json: a Label Studio export, texts in 'ticket', labels in 'what is it'",
        "export.json: 30 rows, 3 labels",
    ]
    cli("predict", "-m", "models/export.safetensors", "--input", "export.json", "-o", "out.csv")
    header, first = Path("out.csv").read_text().splitlines()[:2]
    assert header == "id,ticket,n,what is it,predicted_label,confidence,error"
    assert first.startswith("1,Where is my parcel?,1,delivery,delivery,")
    cli("check", "export.json", "--fix", "fixed.jsonl")
    assert json.loads(Path("fixed.jsonl").read_text().splitlines()[0]) == {
        "id": 1, "ticket": "Where is my parcel?", "n": 1, "what is it": "delivery"
    }  # fmt: skip


@pytest.mark.parametrize("indent", [None, 2])
def test_several_annotators(caplog: pytest.LogCaptureFixture, indent: int | None):
    """Most of them decide, or the ground truth; a task without an answer is left out, and a tie."""
    skipped = annotation([], was_cancelled=True)
    tasks = [
        task(1, {"text": "one"}, annotation(["a"])),
        task(2, {"text": "two of three"}, annotation(["b"]), annotation(["a"]), annotation(["b"])),
        task(3, {"text": "truth"}, annotation(["b"]), annotation(["a"], ground_truth=True), annotation(["b"])),
        task(4, {"text": "tie"}, annotation(["b"]), annotation(["a"])),
        task(5, {"text": "skipped"}, skipped),
        task(6, {"text": "new"}),
        task(7, {"text": "skipped by one"}, annotation(["b"], was_cancelled=True), annotation(["a"])),
        task(8, {"text": "empty"}, annotation([])),
    ]
    Path("x.json").write_text(json.dumps(tasks, indent=indent))
    assert labelled("x.json") == [
        (1, "one", "a"),
        (2, "two of three", "b"),
        (3, "truth", "a"),
        (7, "skipped by one", "a"),
    ]
    assert caplog.messages[-1] == (
        "x.json: left out 3 tasks without an answer (skipped or not annotated) and 1 task with a tie between annotators"
    )
    assert [label for _, _, label in labelled("x.json", OPTIONAL)] == ["a", "b", "a", "", "", "", "a", ""]
    assert [text for _, text, _ in labelled("x.json", NONE)] == [one["data"]["text"] for one in tasks]


def test_several_labels():
    """More than one choice is a list of labels; the order in which they were chosen does not matter."""
    tasks = [
        task(1, {"text": "both"}, annotation(["b", "a"]), annotation(["a", "b"]), annotation(["a"])),
        task(2, {"text": "one"}, annotation(["a"])),
    ]
    Path("x.json").write_text(json.dumps(tasks))
    with CorpusReader("x.json") as reader:
        assert [(row.label, row.labels) for row in reader] == [("a|b", ("a", "b")), ("a", None)]


def test_several_questions(cli: Cli):
    """Each has a column, one of which has to be named; parts of a text that were marked are no answers."""
    mark = annotation(["x"], name="part")["result"][0]
    mark["value"] |= {"start": 0, "end": 3, "text": "one"}
    both = annotation(["a"], name="aspect")
    both["result"] = [*both["result"], *annotation(["good"], name="mood")["result"], mark]
    Path("x.json").write_text(json.dumps([task(1, {"text": "one"}, both)]))
    assert cli("train", "x.json").stderr.startswith(
        "Error: x.json:1: no column 'label' (found: 'id', 'text', 'aspect', 'mood'). "
    )
    assert labelled("x.json", Reading(label_column="mood")) == [(1, "one", "good")]


def test_completions():
    """Before version 1.0, annotations were called so."""
    old = task(1, {"text": "one"}, annotation(["a"]))
    old["completions"] = old.pop("annotations")
    Path("x.json").write_text(json.dumps([old]))
    assert labelled("x.json") == [(1, "one", "a")]


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_short_exports(kind: str, caplog: pytest.LogCaptureFixture):
    """JSON-MIN and CSV have a row for each annotation, and several choices in an object of their own."""
    records = [
        short(1, {"text": "one"}, {"intent": "a"}),
        short(2, {"text": "two of three"}, {"intent": "b"}),
        short(2, {"text": "two of three"}, {"intent": "a"}, 2),
        short(2, {"text": "two of three"}, {"intent": "b"}, 3),
        short(3, {"text": "tie"}, {"intent": "b"}),
        short(3, {"text": "tie"}, {"intent": "a"}, 2),
        short(4, {"text": "both"}, {"intent": {"choices": ["b", "a"]}}),
        short(5, {"text": "none"}, {}),
    ]
    if kind == "json":
        Path("x.json").write_text(json.dumps(records))
    else:
        with Path("x.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            for one in records:
                intent = one.get("intent")
                writer.writerow({**one, "intent": json.dumps(intent) if isinstance(intent, dict) else intent})
    found = labelled(f"x.{kind}")
    lines = [1, 2, 7] if kind == "json" else [2, 3, 8]
    texts = [("one", "a"), ("two of three", "b"), ("both", "a|b")]
    assert found == [(line, *row) for line, row in zip(lines, texts, strict=True)]
    assert "1 task without an answer (skipped or not annotated) and 1 task with a tie" in caplog.text


@pytest.mark.parametrize("column", ["text", "data"])
def test_doccano(cli: Cli, column: str):
    """One label in a list of one; the texts are in a column called data in some versions."""
    rows = list(zip(TEXTS, LABELS, strict=True))
    lines = [
        json.dumps({"id": n, column: text, "label": [label], "Comments": []}) for n, (text, label) in enumerate(rows)
    ]
    Path("all.jsonl").write_text("\n".join(lines))
    result = cli("train", "all.jsonl", *QUICKLY)
    assert "all.jsonl: 30 rows, 3 labels" in result.stderr, result.stderr
    with Path("all.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("id", column, "label"), *((n, text, f"{label}#x") for n, (text, label) in enumerate(rows))]
        )
    assert labelled("all.csv", Reading(label_separator="#"))[0] == (2, "Where is my parcel?", "delivery#x")


def test_labels_that_are_no_choices(cli: Cli):
    """A taxonomy, for instance: the error says what the file is."""
    answer = {"from_name": "t", "to_name": "text", "type": "taxonomy", "value": {"taxonomy": [["a", "b"]]}}
    Path("t.json").write_text(json.dumps([task(1, {"text": "a"}, {"id": 1, "result": [answer]})]))
    assert cli("train", "t.json").stderr == (
        "Error: t.json:1: a Label Studio export in which no text has a choice; taxonomies, spans and ratings are not "
        "read\n"
    )


def test_what_only_looks_so(cli: Cli):
    """A table that has columns of these names, and no more of an export, is read as a table."""
    Path("x.csv").write_text("id,text,label,annotator\n1,one,a,me\n2,two,b,you\n")
    assert labelled("x.csv") == [(2, "one", "a"), (3, "two", "b")]
    Path("x.jsonl").write_text('{"data": {"text": "one"}, "label": "a"}\n')
    assert "a file whose texts are in an object of each record" in cli("train", "x.jsonl").stderr
