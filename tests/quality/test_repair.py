"""Writing a copy of a labelled file without its duplicates and empty rows, from Python."""

from pathlib import Path

import pytest

import embedclf
from corpus import write_csv
from embedclf.data.reading import Reading
from embedclf.quality.repair import Repair, read_whole, repair

ROWS = [("late", "delivery"), ("", "refund"), ("late", "delivery"), ("late", "refund"), ("money", ""), (" ", "")]


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "ugly.csv", ROWS)


def test_duplicates_and_rows_without_a_text_are_left_out(ugly: Path):
    """What differs in its label stays, and so does a text that has none yet."""
    assert repair(ugly, "clean.csv") == Repair(n_rows=3, n_duplicates=1, n_empty=2, n_unreadable=0)
    assert Path("clean.csv").read_text() == "text,label\nlate,delivery\nlate,refund\nmoney,\n"


def test_it_may_be_written_over_itself(ugly: Path):
    """And a second time there is nothing to leave out."""
    repair(ugly, ugly)
    assert repair(ugly, ugly) == Repair(3, 0, 0, 0)


def test_columns_and_formats_are_those_asked_for(tmp_path: Path):
    """Other columns are carried along."""
    source = write_csv(tmp_path / "a.csv", [("1", "b", "x"), ("2", "b", "x")], header=("id", "Text", "Label"))
    assert repair(source, "a.jsonl", text_column="Text", label_column="Label").n_rows == 1
    assert Path("a.jsonl").read_text() == '{"id": "1", "Text": "b", "Label": "x"}\n'


def test_unreadable_rows_stop_it_unless_they_are_left_out(tmp_path: Path):
    """Then nothing is written."""
    source = write_csv(tmp_path / "a.csv", [("b", "x"), ("c", "x", "y")])
    with pytest.raises(embedclf.BadRowsError, match=r"cannot copy 1 row of .*a\.csv") as raised:
        repair(source, "b.csv")
    assert [fault.line for fault in raised.value.faults] == [3]
    assert not Path("b.csv").exists()
    assert repair(source, "b.csv", skip_bad_rows=True) == Repair(1, 0, 0, 1)


def test_a_file_without_rows_is_no_file(tmp_path: Path):
    """As for training."""
    with pytest.raises(embedclf.DataError, match="the file has a header but no rows"):
        repair(write_csv(tmp_path / "a.csv", []), "b.csv")


def test_rows_at_fault_are_findings(ugly: Path):
    """Of the kinds that a check has for them, each at its line."""
    file = read_whole(ugly, Reading(labels="optional"))
    assert [(one.kind, one.line) for one in file.findings] == [("empty", 3), ("empty", 6), ("empty", 7)]
    assert file.corpus.texts == ["late", "late", "late"]


def test_a_record_without_the_text_is_left_out_like_an_empty_one(tmp_path: Path):
    """It can be read, so it stops nothing."""
    path, out = tmp_path / "rows.jsonl", tmp_path / "clean.jsonl"
    path.write_text('{"text": "a", "label": "x"}\n{"label": "x"}\n{"text": "b", "label": "y"}\n')
    repair(path, out)
    assert out.read_text() == '{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n'
