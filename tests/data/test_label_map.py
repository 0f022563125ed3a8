"""Tests of renaming and joining labels while a file is read."""

import json
from pathlib import Path
from typing import Any

import pytest

import embedclf
from embedclf.data.corpus import join, read_corpus
from embedclf.data.label_map import as_label_map
from embedclf.quality.repair import repair
from running import Cli

ROWS = "text,label,n\na,Refund,1\nb,refund,2\nc,login,3\nd,spam,4\n"
FILES = {
    "m.csv": "old,new\nRefund,refund\nspam,\n",
    "m.tsv": "Refund\trefund\nspam\t\n",
    "semicolons.csv": "from;to\nRefund;refund\nspam;\n",
    "spaces.csv": "Refund, refund\nspam, \n",
    "other.csv": "id,Label,New label\n1,Refund,refund\n2,spam,\n",
    "m.json": '{"Refund": "refund", "spam": null}',
    "list.json": '[{"old": "Refund", "new": "refund"}, {"old": "spam", "new": ""}]',
    "m.jsonl": '{"label": "Refund", "new_label": "refund"}\n{"label": "spam", "new_label": ""}\n',
}
FAULTS = {
    "old,new\na,b\n\na,c\n": "m.csv:4: 'a' becomes both 'b' (line 2) and 'c': keep one of them",
    "a,\na,c\n": "m.csv:2: 'a' becomes both nothing (line 1) and 'c'",
    "old,new\n,b\n": "m.csv:2: there is no old label for the new one 'b'",
    "old,new\n": "m.csv: there are no labels in it",
    "": "m.csv: the file is empty; expected the columns old and new",
    "a,b,c\n": "m.csv:1: no columns old and new (found: 'a', 'b', 'c'); without a header, two columns are needed",
    "old,new\na,b,c\n": "m.csv:2: 3 fields instead of 2: put quotes around a label that contains ','",
    "old,new\na\n": "m.csv:2: 1 field instead of 2: for an empty new label, write a,",
    'a,"b\n': "m.csv:1: its quoting is invalid",
    "{": "m.csv: this is not JSON",
    "[1]": "m.csv: record 1 has no keys old and new (found: none)",
    '{"a": ["b"]}': 'm.csv: a label must be a string, not ["b"]',
    '{"a": "b", "a": "c"}': "m.csv: 'a' becomes both 'b' and 'c'",
}


@pytest.fixture
def rows() -> Path:
    Path("t.csv").write_text(ROWS, encoding="utf-8")
    return Path("t.csv")


@pytest.mark.parametrize("name", FILES)
def test_a_map_is_a_table_or_json(name: str) -> None:
    Path(name).write_text(FILES[name], encoding="utf-8")
    assert as_label_map(name) == {"Refund": "refund", "spam": ""}


@pytest.mark.parametrize("content", FAULTS)
def test_what_is_wrong_with_a_map_is_said_where_it_stands(content: str) -> None:
    Path("m.csv").write_text(content, encoding="utf-8")
    with pytest.raises(embedclf.DataError) as error:
        as_label_map("m.csv")
    assert FAULTS[content] in str(error.value)


def test_a_map_may_be_what_a_spreadsheet_calls_unicode_text() -> None:
    Path("m.txt").write_text(FILES["m.tsv"], encoding="utf-16")
    assert as_label_map("m.txt") == {"Refund": "refund", "spam": ""}
    Path("m.txt").write_text("old,new\na,été\n", encoding="cp1252")
    with pytest.raises(embedclf.DataError, match=r"m\.txt:2: not in UTF-8: save it as UTF-8"):
        as_label_map("m.txt")


@pytest.mark.parametrize("given", [{"a": 1.5}, {"": "b"}, {}, {"a": "b\ud800"}])
def test_a_mapping_must_have_labels(given: dict[Any, Any]) -> None:
    with pytest.raises(embedclf.ArgumentError, match="the label map"):
        as_label_map(given)


def test_labels_are_looked_up_once(rows: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = read_corpus(rows, label_map={"Refund": "refund", "refund": "money", "login": "login"})
    assert corpus.labels == ["refund", "money", "login", "spam"]
    assert "rows of 'Refund' become 'refund', and not 'money': each label is looked up once" in caplog.text


def test_what_became_of_the_labels_of_several_files_is_counted_together(rows: Path) -> None:
    label_map = as_label_map({"Refund": "refund", "spam": "", "login": "account", "lgin": "account", "x": "y"})
    corpora = [read_corpus(rows, label_map=label_map) for _ in range(2)]
    assert corpora[0].labels == ["refund", "refund", "account"]
    mapped = join(corpora).mapped
    assert mapped is not None
    assert mapped.summary() == (
        "the label map: joined 'Refund' with 'refund' (2 of 4 rows); renamed 'login' to 'account' (2 rows); "
        "left out 'spam' (2 rows)"
    )
    assert mapped.unused() == "the label map: no row has the label 'lgin' (did you mean 'login'?), 'x'"
    mapped.of = as_label_map({"old": "login", "former": "spam"}) or mapped.of
    assert mapped.unused().endswith("'old', 'former'; the rows have its new labels already")


def test_numbers_become_names_in_every_format(rows: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    pa = pytest.importorskip("pyarrow")

    given = [{"text": "a", "label": 0, "n": 1}, {"text": "b", "label": 1, "n": 2}]
    Path("t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(given), "t.parquet")
    for name in ("t.jsonl", "t.parquet"):
        repair(name, "out.jsonl", label_map={"0": "no"})
        found = [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [row["label"] for row in found] == ["no", 1]
    repair("t.parquet", "out.parquet", label_map={"0": "no"})
    assert pq.read_table("out.parquet").column("label").to_pylist() == ["no", "1"]


def test_a_copy_has_the_new_labels_and_corrections_are_applied_through_the_same_map(rows: Path, cli: Cli) -> None:
    Path("m.csv").write_text(FILES["m.csv"], encoding="utf-8")
    done = cli("check", rows, "--label-map", "m.csv", "--embedder", "words", "--fix", "fixed.csv", "-o", "c.csv")
    assert "m.csv: joined 'Refund' with 'refund' (1 of 2 rows); left out 'spam' (1 row)\n" in done.stderr
    assert "run embedclf apply c.csv t.csv --label-map m.csv -o FILE" in done.stderr
    assert Path("fixed.csv").read_text(encoding="utf-8") == "text,label,n\na,refund,1\nb,refund,2\nc,login,3\n"
    Path("c.csv").write_text("line,text,label,original_label\n2,a,login,refund\n", encoding="utf-8")
    refused = cli("apply", "c.csv", rows, "-o", "out.csv")
    assert "t.csv:2 now has the label 'Refund', not 'refund'" in refused.stderr
    cli("apply", "c.csv", rows, "-o", "out.csv", "--label-map", "m.csv")
    assert Path("out.csv").read_text(encoding="utf-8") == "text,label,n\na,login,1\nb,refund,2\nc,login,3\n"
