"""embedclf search: the rows nearest to a text."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer, error
from corpus import LABELS, TEXTS, write_csv
from running import Cli


def test_what_a_person_sees(cli: Cli, dataset: Path):
    """The nearest first, with similarity, file:line, label and text; a row that equals the query is shown."""
    result = cli("search", dataset.name, "When do I get my refund?", "-k", 3)
    assert result.exit_code == 0
    assert (
        result.stdout
        == """\
similarity  row  label   text
     1.000  :23  refund  When do I get my refund?
     0.761  :25  refund  You refunded too little money
     0.727  :28  refund  How long does a refund take?
"""
    )
    assert result.stderr == (
        "small.csv: 30 rows, 3 labels\nEmbedder: wordllama:l2_supercat (256 dimensions; AIMLAPI_API_KEY is not set)\n"
    )


def test_the_rows_found_are_written_with_their_own_columns(cli: Cli):
    """With line and similarity, the nearest first; the file itself is safe."""
    write_csv(Path("d.csv"), [("7", "my parcel", "a"), ("8", "my refund", "b")], ("id", "text", "label"))
    done = cli("search", "d.csv", "refund", "-o", "found.csv")
    assert "Wrote 2 rows to found.csv\n" in done.stderr
    first, second = (line.rpartition(",") for line in Path("found.csv").read_text().splitlines()[1:])
    assert (first[0], second[0]) == ("8,my refund,b,3", "7,my parcel,a,2")
    assert 1 > float(first[2]) > float(second[2])
    assert "is the same file as the dataset" in cli("search", "d.csv", "refund", "-o", "d.csv").stderr


def test_json_has_whole_texts_and_lines(cli: Cli, tmp_path: Path):
    """And null for a label that is not there; equal rows are each there, in the order of the file."""
    rows = [("my parcel", "delivery"), ("my refund", ""), ("my parcel", ""), (f'"{"long " * 100}"', "x")]
    path = write_csv(tmp_path / "some.csv", rows)
    shown = json.loads(cli("search", path, "my parcel", "-k", 9, "--json").stdout)
    assert list(shown) == ["query", "n_texts", "hits", "usage"]
    assert (shown["query"], shown["n_texts"], shown["usage"]["requests"]) == ("my parcel", 4, 0)
    assert [(hit["row"], hit["line"], hit["text"], hit["label"]) for hit in shown["hits"]] == [
        (0, 2, "my parcel", "delivery"),
        (2, 4, "my parcel", None),
        (1, 3, "my refund", None),
        (3, 5, "long " * 100, "x"),
    ]
    assert shown["hits"][0]["similarity"] == shown["hits"][1]["similarity"] == pytest.approx(1, abs=1e-6)


def test_a_file_without_labels_from_the_standard_input(process):
    """A row begins where its first line is; texts and labels stay in their line of the table, and are harmless."""
    data = 'id,text\n7,"my\nparcel"\n8,my \x1b[31mrefund\n'
    done = process("search", "-", "parcel", stdin=data)
    lines = done.stdout.splitlines()
    assert lines[0] == "similarity  row  text"
    assert [line.split("  ")[-2:] for line in lines[1:]] == [
        [":2", " my parcel"],
        [":4", r" my \x1b[31mrefund"],
    ]
    done = process("search", "-", "parcel", stdin='{"text": "parcel", "label": "a\\tb\\u001b"}\n')
    assert done.stdout.splitlines()[1:] == [r"     1.000  :1   a\tb\x1b  parcel"]


def test_a_query_that_cannot_be_embedded(cli: Cli, api: AimlapiServer, dataset: Path):
    """Is named as the query; an empty one before anything is read or sent."""
    for query in ("", " \t"):
        result = cli("search", "nowhere.csv", query)
        assert (result.exit_code, result.stderr) == (1, "Error: the query is empty\n")
    api.fault = lambda request: error(400, "Your input was flagged") if "BAD" in request.texts else None
    for options in ([], ["--skip-bad-rows"]):
        result = cli("search", dataset, "BAD", *options)
        assert result.exit_code == 1
        assert "Error: the query cannot be embedded: rejected by text-embedding-3-small: “Your" in result.stderr
    assert cli("search", dataset, "good").exit_code == 0


def test_rows_that_are_refused(cli: Cli, api: AimlapiServer, tmp_path: Path):
    """Stop the search, or are left out; the lines of the others stay those of the file."""
    path = write_csv(tmp_path / "bad.csv", [("BAD", "x"), ("good", "y")])
    api.fault = lambda request: error(400, "Your input was flagged") if "BAD" in request.texts else None
    result = cli("search", path, "good")
    assert result.exit_code == 1
    assert (
        f"Error: 1 row of {path} cannot be embedded:\n  {path}:2: rejected by text-embedding-3-small" in result.stderr
    )
    result = cli("search", path, "good", "--skip-bad-rows")
    assert result.stdout.splitlines()[1:] == ["     1.000  :3   y      good"]


def test_the_query_and_the_file_are_one_cost(cli: Cli, api: AimlapiServer, dataset: Path):
    """--dry-run counts both, --max-cost holds both, a query that is a row costs nothing, and nothing costs twice."""
    assert cli("search", dataset, "new", "--dry-run").stdout.startswith("31 rows, 31 unique, 0 cached, 31 to embed: ")
    dollars = json.loads(cli("search", dataset, "new", "--dry-run", "--json").stdout)["estimate"]["dollars"]
    result = cli("search", dataset, "new", "--max-cost", f"{dollars * 0.99:.12f}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error: embedding 31 texts would cost " in result.stderr
    assert api.n_requests == 0
    result = cli("search", dataset, TEXTS[3])
    assert "Embedding: 31 texts, 0 from cache, 1 duplicate, 1 request" in result.stderr
    assert cli("search", dataset, "new").exit_code == 0
    assert sorted(api.texts_sent) == sorted([*TEXTS, "new"])


def test_the_text_comes_last(cli: Cli, dataset: Path):
    """A file in its place is noticed, and so is a text alone."""
    for wrong, file in (
        (["my parcel", dataset.name], "small.csv"),
        ([dataset.name], "small.csv"),
        (["parcel"], "FILE"),
    ):
        done = cli("search", *wrong)
        assert done.exit_code == 2
        assert f'Name the file first, and what to search for last: embedclf search {file} "TEXT".\n' in done.stderr
    assert cli("search", dataset, "my", "-k", 0).exit_code == 2


def test_several_files_are_searched_as_one(cli: Cli, dataset: Path):
    """What is found names its file, on the screen, in JSON, and in the file written."""
    write_csv(Path("more.csv"), [("my parcel went to the moon", "delivery")])
    done = cli("search", dataset.name, "more.csv", "parcel on the moon", "-k", 1, "-o", "found.csv")
    assert re.search(r"^ +0\.\d{3}  more\.csv:2  delivery  my parcel went", done.stdout, flags=re.MULTILINE)
    assert Path("found.csv").read_text().splitlines()[0] == "text,label,file,line,similarity"
    assert ",more.csv,2," in Path("found.csv").read_text()
    (hit,) = json.loads(cli("search", dataset.name, "more.csv", "moon", "-k", 1, "--json").stdout)["hits"]
    assert (hit["file"], hit["line"]) == ("more.csv", 2)


def test_in_python():
    """The same, as a record; with labels or without; vectors at hand are not made again."""
    result = embedclf.search(TEXTS, "Where is my parcel?", labels=LABELS, embedder="wordllama")
    assert len(result.hits) == 5
    assert result.hits[0] == (0, "Where is my parcel?", "delivery", pytest.approx(1, abs=1e-6))
    assert isinstance(result, embedclf.SearchResult)
    assert result.to_dict()["hits"][0]["label"] == "delivery"
    embedder = embedclf.open_embedder("wordllama")
    vectors = embedder.embed(TEXTS)
    (query_vector,) = embedder.embed(["Where is my parcel?"])
    again = embedclf.search(
        TEXTS, "Where is my parcel?", labels=LABELS, embedder="no:such", vectors=vectors, query_vector=query_vector
    )
    assert again == result
    for given in ({"vectors": vectors}, {"query_vector": query_vector}):
        assert embedclf.search(TEXTS, "Where is my parcel?", labels=LABELS, embedder=embedder, **given) == result
    assert embedclf.search(TEXTS[:2], "my parcel", 9).hits[0].label is None
    assert len(embedclf.search(["one"], "other", vectors=np.ones((1, 1)), query_vector=np.ones(1)).hits) == 1


def test_texts_embedded_once(api: AimlapiServer):
    """Several searches share an EmbeddedTexts; the first embeds its texts and the query together."""
    embedded = embedclf.EmbeddedTexts(TEXTS, LABELS, embedder=embedclf.open_embedder("aimlapi", cache=False))
    result = embedclf.search(embedded, "a parcel")
    assert result == embedclf.search(TEXTS, "a parcel", labels=LABELS)
    assert sorted(api.texts_sent) == sorted([*TEXTS, "a parcel"] * 2)
    assert api.n_requests == 2
    embedclf.search(embedded, "a refund")
    assert embedclf.recommend(embedded, row=0).hits == embedclf.recommend(TEXTS, row=0, labels=LABELS).hits
    assert api.n_requests == 3
    assert api.texts_sent[-1] == "a refund"
    api.fault = lambda request: error(400, "flagged") if "BAD" in request.texts else None
    with pytest.raises(embedclf.EmbedclfError, match=r"^the query cannot be embedded: rejected by text-emb"):
        embedclf.search(embedded, "BAD")
    with pytest.raises(TypeError, match="an EmbeddedTexts already has its own labels"):
        embedclf.search(embedded, "a parcel", labels=LABELS)


def test_texts_with_vectors_are_not_looked_at():
    """Of a million texts that takes longer than to search them; what has no vector is not found."""
    vectors = np.array([[1, 0], [np.nan, np.nan], [0.6, 0.8]])
    result = embedclf.search(["one", "", "two"], "query", vectors=vectors, query_vector=np.array([1, 0]))
    assert [hit.row for hit in result.hits] == [0, 2]


def test_what_python_refuses(api: AimlapiServer):
    """Before anything is sent, but for what only the server knows."""
    for texts, query, options, kind, message in [
        (TEXTS, "", {}, embedclf.ArgumentError, "^the query is empty$"),
        (TEXTS, ["a"], {}, TypeError, "^the query must be a string, not of type list$"),
        ("text", "a", {}, TypeError, "texts must be a list of strings"),
        ([], "a", {}, embedclf.ArgumentError, "there are no texts to search"),
        (TEXTS, "a", {"labels": ["x"]}, embedclf.ArgumentError, "got 30 texts but 1 label"),
        (TEXTS, "a", {"k": 0}, embedclf.ArgumentError, "k must be an integer of at least 1, not 0"),
        (TEXTS, "a", {"k": 1.5}, TypeError, "k must be an integer, not 1.5"),
    ]:
        with pytest.raises(kind, match=message):
            embedclf.search(texts, query, **options)
    assert api.n_requests == 0
    with pytest.raises(embedclf.ArgumentError, match="have 2 dimensions, but that of the query has the shape"):
        embedclf.search(["a"], "b", vectors=np.ones((1, 2)), query_vector=np.ones(3))
    api.fault = lambda request: error(400, "flagged") if "BAD" in request.texts else None
    with pytest.raises(embedclf.EmbedclfError, match=r"^the query cannot be embedded: rejected by text-emb"):
        embedclf.search(TEXTS, "BAD")
    with pytest.raises(embedclf.TextError, match=r"texts\[1\]"):
        embedclf.search(["good", "BAD"], "query")
