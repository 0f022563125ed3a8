"""Files in the shapes in which people have them: without a header, as arrays, with label names in the metadata."""

import json
from pathlib import Path

import pytest

import embedclf
from corpus import QUICKLY
from embedclf.data.corpus import read_corpus
from embedclf.data.writer import CorpusWriter
from embedclf.quality.corrections import apply_corrections
from running import Cli

ROWS = "delivery\twhere is my parcel, please\nrefund\tI want my money back\n" * 6


def test_a_model_remembers_that_there_was_no_header(cli: Cli) -> None:
    Path("sms.tsv").write_text(ROWS)
    trained = cli("train", "sms.tsv", "--no-header", "-o", "m.safetensors", "--embedder", "wordllama", *QUICKLY)
    assert trained.exit_code == 0
    assert "sms.tsv: no header, texts in column 2, labels in column 1\n" in trained.stderr

    Path("new.tsv").write_text(ROWS)
    assert cli("evaluate", "new.tsv", "-m", "m.safetensors").exit_code == 0
    assert cli("predict", "new.tsv", "-m", "m.safetensors", "-o", "out.tsv").exit_code == 0
    first, *others = Path("out.tsv").read_text().splitlines()
    assert len(others) == 11
    assert first.startswith("delivery\twhere is my parcel, please\tdelivery\t")

    Path("named.csv").write_text("text\nwhere is it\n")
    assert cli("predict", "named.csv", "-m", "m.safetensors").exit_code == 0


def test_a_copy_without_a_header_has_none_either(trained: embedclf.TextClassifier) -> None:
    Path("d.csv").write_text("a parcel,x\na parcel,x\nmy money,y\n")
    embedclf.predict_file(trained, "d.csv", "out.jsonl", header=False, text_column="1")
    assert json.loads(Path("out.jsonl").read_text().splitlines()[0])["2"] == "x"
    Path("c.csv").write_text("line,text,label\n3,my money,z\n")
    columns = {"text_column": "1", "label_column": "2"}
    apply_corrections("c.csv", "d.csv", "fixed.csv", header=False, **columns)
    assert Path("fixed.csv").read_text() == "a parcel,x\na parcel,x\nmy money,z\n"


def test_columns_that_cannot_be_told_are_asked_for() -> None:
    Path("d.csv").write_text("one two,three four\nfive six,seven eight\n")
    message = r"d.csv:1: which column has the texts\? \(1: 'one two', 2: 'three four'\). Choose it with --text-column"
    with pytest.raises(embedclf.DataError, match=message):
        read_corpus("d.csv", header=False)


def test_a_corrected_label_stays_in_its_list() -> None:
    Path("d.jsonl").write_text('{"id": 1, "text": "a", "label": ["x"]}\n')
    Path("c.csv").write_text("line,text,label\n1,a,y\n")
    apply_corrections("c.csv", "d.jsonl", "out.jsonl")
    assert Path("out.jsonl").read_text() == '{"id": 1, "text": "a", "label": ["y"]}\n'


def test_records_are_written_to_json_as_an_array(trained: embedclf.TextClassifier) -> None:
    Path("d.json").write_text('[\n {"text": "my parcel",\n  "n": 1.50},\n {"text": ""}]')
    assert embedclf.predict_file(trained, "d.json", "out.json").n_faults == 1
    written = Path("out.json").read_text()
    first, second = json.loads(written)
    assert (first["text"], second["error"]) == ("my parcel", "the text is empty")
    assert written.startswith('[\n{"text": "my parcel", "n": 1.50, "predicted_label": ')
    with CorpusWriter("empty.json", ["text"], []):
        pass
    assert json.loads(Path("empty.json").read_text()) == []


def test_label_names_in_the_metadata_of_parquet() -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    features = {"text": {"_type": "Value"}, "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    schema = pa.schema(
        [("text", pa.string()), ("label", pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    pq.write_table(pa.table({"text": ["a", "b", "c"], "label": [1, 0, -1]}, schema=schema), "d.parquet")
    corpus = read_corpus("d.parquet", labels="optional")
    assert corpus.labels == ["pos", "neg", ""]

    Path("c.csv").write_text("line,text,label\n2,b,pos\n")
    apply_corrections("c.csv", "d.parquet", "out.parquet")
    assert pq.read_table("out.parquet").column("label").to_pylist() == [1, 1, -1]
    assert read_corpus("out.parquet", skip_bad_rows=True).labels == ["pos", "pos"]
