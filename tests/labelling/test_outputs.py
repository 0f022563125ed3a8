"""What a session writes: the rows with their labels, the test set, and what becomes of edits in between."""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from embedclf.data.corpus import read_corpus
from embedclf.errors import ArgumentError, DataError, OutputError
from embedclf.labelling import saving
from embedclf.labelling.opening import open_session
from embedclf.labelling.output import test_set_beside as beside_output
from embedclf.labelling.session import Session
from running import wait_until


def inbox(content: str = "id,text\n1,parcel?\n2,money back\n3,late\n", name: str = "inbox.csv", **how: Any) -> Any:
    path = Path(name)
    path.write_text(content, encoding="utf-8")
    return read_corpus(path, labels="optional", **how)


def opened(corpus: Any, output: str = "out.csv", **options: Any) -> Session:
    return open_session(corpus, output, **{"test_share": 0, **options})


def give(session: Session, row: int, *labels: str, note: str = "") -> None:
    session.answer("w", row, labels, revision=session.states.revision(row), note=note)


def written(path: str = "out.csv") -> str:
    return Path(path).read_bytes().decode()


def test_the_rows_are_written_with_a_label_column():
    with opened(inbox()) as session:
        give(session, 1, "refund")
    assert written() == "id,text,label\n1,parcel?,\n2,money back,refund\n3,late,\n"


def test_labels_of_the_file_are_kept_and_its_column_is_used():
    corpus = inbox("text;Category;x\na;one;1\nb;;2\n")
    with opened(corpus) as session:
        give(session, 1, "two")
    assert written() == "text;Category;x\na;one;1\nb;two;2\n"


def test_a_file_without_header():
    corpus = inbox("parcel?\nlate\n", header=False)
    with opened(corpus) as session:
        give(session, 0, "delivery")
    assert written() == "parcel?,delivery\nlate,\n"
    Path("out.csv").write_text("parcel?,delivery\nlate,delay\n")
    with opened(corpus) as session:
        assert session.results()[1][0] == ("delay",)


def test_notes_have_a_column_if_there_are_any():
    with opened(inbox()) as session:
        give(session, 0, "delivery", note='a "quoted", note')
    assert written() == 'id,text,label,note\n1,parcel?,delivery,"a ""quoted"", note"\n2,money back,,\n3,late,,\n'


def test_the_labelled_file_can_be_labelled_on_into_another():
    with opened(inbox()) as session:
        give(session, 0, "delivery", note="first")
    with opened(read_corpus("out.csv", labels="optional"), "more.csv") as session:
        assert session.ask("w").row == 1
        give(session, 1, "refund", note="second")
    assert written("more.csv") == (
        "id,text,label,note\n1,parcel?,delivery,first\n2,money back,refund,second\n3,late,,\n"
    )


@pytest.mark.parametrize(
    ("content", "how", "expected"),
    [
        ("text\na\nb\n", {}, 'text,label\na,"[""x"", ""y""]"\nb,[]\n'),
        ("text\na\nb\n", {"label_separator": "|"}, "text,label\na,x|y\nb,[]\n"),
        ("text,label\na,\nb,\nc,x;z\n", {"label_separator": ";"}, "text,label\na,x;y\nb,[]\nc,x;z\n"),
        ("text,label\na,\nb,\nc,\"['x', 'z']\"\n", {}, "text,label\na,\"['x', 'y']\"\nb,[]\nc,\"['x', 'z']\"\n"),
        ("text,x,y\na,,\nb,,\n", {"label_columns": ("x", "y")}, "text,x,y\na,1,1\nb,0,0\n"),
    ],
    ids=["lists", "separated", "separated before", "Python's lists", "columns"],
)
def test_several_labels_are_written_as_the_file_has_them(content: str, how: dict[str, Any], expected: str):
    """Or else as lists, which need no option to be read again."""
    corpus = inbox(content, **how)
    with opened(corpus, several=True, separator=how.get("label_separator")) as session:
        give(session, 0, "x", "y")
        give(session, 1)
    assert written() == expected
    again = read_corpus("out.csv", labels="optional", **how)
    assert again.label_sets is not None
    assert again.label_sets[:2] == [("x", "y"), ()]


def test_several_labels_in_jsonl_are_lists():
    corpus = inbox('{"text": "a", "n": 1.50}\n{"text": "b"}\n', "inbox.jsonl")
    with opened(corpus, "out.jsonl", several=True) as session:
        give(session, 0, "x", "y")
    assert written("out.jsonl") == ('{"text": "a", "n": 1.50, "label": ["x", "y"]}\n{"text": "b", "label": null}\n')


def test_records_of_json_may_differ():
    corpus = inbox('{"text": "a"}\n{"text": "b", "label": "x"}\n{"text": "c", "label": 2}\n', "inbox.jsonl")
    with opened(corpus, "out.jsonl") as session:
        give(session, 0, "y")
    assert [json.loads(line).get("label") for line in written("out.jsonl").splitlines()] == ["y", "x", "2"]


@pytest.mark.parametrize("several", [False, True])
def test_parquet_keeps_its_types(several: bool):
    pytest.importorskip("pyarrow")
    label = pd.Series([["x"], None] if several else [1, None], dtype=object if several else "Int64")
    frame = pd.DataFrame({"text": ["a", "b"], "when": pd.to_datetime(["2026-01-01", "2026-01-02"]), "label": label})
    frame.to_parquet("inbox.parquet")
    with opened(read_corpus("inbox.parquet", labels="optional"), "out.parquet", several=several) as session:
        if not several:
            with pytest.raises(ArgumentError, match="the column 'label' of type int64 cannot hold 'word'"):
                give(session, 1, "word")
        give(session, 1, *(["x", "y"] if several else ["2"]))
    done = pd.read_parquet("out.parquet")
    assert list(done["when"]) == list(frame["when"])
    assert [list(one) if several else one for one in done["label"]] == ([["x"], ["x", "y"]] if several else [1, 2])


def test_formulas_are_escaped_and_found_again():
    corpus = inbox("text\n=1+1\nb\n")
    with opened(corpus, escape_formulas=True) as session:
        give(session, 0, "=sum")
    assert written() == "text,label\n'=1+1,'=sum\nb,\n"
    Path("out.csv").write_text("text,label\n'=1+1,'=sum\nb,'=sum\n")
    with opened(corpus, escape_formulas=True) as session:
        assert [labels for labels, _ in session.results()] == [("=sum",), ("=sum",)]


@pytest.mark.parametrize(
    ("label", "options", "message"),
    [
        ('["a"]', {}, "would be read as a list of labels"),
        ("a|b", {"several": True, "separator": "|"}, "contains '|', which separates labels"),
    ],
)
def test_labels_that_would_be_read_otherwise_are_refused(label: str, options: dict[str, Any], message: str):
    with opened(inbox(), **options) as session, pytest.raises(ArgumentError, match=message.replace("|", r"\|")):
        give(session, 0, label)


def test_where_labels_have_columns_there_are_no_others():
    with opened(inbox("text,x,y\na,,\n", label_columns=("x", "y"))) as session:
        assert session.labels == ("x", "y")
        with pytest.raises(ArgumentError, match="the file has no column for the label 'z'"):
            give(session, 0, "z")


def test_the_test_set_has_a_file_of_its_own():
    content = "id,text\n" + "".join(f"{number},text {number}\n" for number in range(100))
    with open_session(inbox(content), "out.csv", test_share=0.2) as session:
        shown = session.ask("w")
        tested = []
        for _ in range(50):
            if shown.is_test:
                tested.append(shown.row)
                assert shown.guesses == tuple(sorted(shown.guesses))
            shown = session.answer("w", shown.row, ("ab"[shown.row % 2],), revision=shown.revision)
    assert len(tested) == 10
    test = read_corpus("out_test.csv")
    assert [int(row.record["id"]) for row in test.rows] == sorted(tested)
    main = read_corpus("out.csv", labels="optional")
    assert len(main.rows) == 90
    assert not set(main.texts) & set(test.texts)
    assert sum(map(bool, main.labels)) == 40
    with open_session(inbox(content), "out.csv", test_share=0.2) as session:
        assert session.progress().n_test == 10
        for row in tested:
            session.take_over(row, None, "")
    assert written("out_test.csv") == "id,text,label\n"
    assert len(read_corpus("out.csv", labels="optional").rows) == 100


@pytest.mark.parametrize(
    ("output", "beside"),
    [
        ("a/v1.2.csv", "a/v1.2_test.csv"),
        ("out.jsonl.gz", "out_test.jsonl.gz"),
        ("out", "out_test"),
    ],
)
def test_the_name_of_the_test_set(output: str, beside: str):
    assert beside_output(output) == Path(beside)


def test_an_edited_output_is_taken_over(caplog: pytest.LogCaptureFixture):
    """A label changed, one entered, one deleted; with the delimiter and the line ends of a spreadsheet."""
    corpus = inbox('text\na\n"b, or\nc"\nd\ne\n')
    with opened(corpus) as session:
        give(session, 0, "x")
        give(session, 2, "x", note="n")
        give(session, 3, "x")
    Path("out.csv").write_bytes(b'text;label;note\r\na;y;\r\n"b, or\r\nc";z;seen\r\nd;;n\r\ne;x;\r\n')
    caplog.set_level(logging.INFO)
    with opened(corpus) as session:
        assert [labels for labels, _ in session.results()] == [("y",), ("z",), None, ("x",)]
        assert session.results()[1][1].note == "seen"
        assert "out.csv was edited: imported 3 changes" in caplog.messages
        assert session.ask("w").row == 2
    assert written() == 'text,label,note\na,y,\n"b, or\nc",z,seen\nd,,\ne,x,\n'
    caplog.clear()
    with opened(corpus) as session:
        assert "edited" not in caplog.text


def test_an_edit_made_meanwhile_is_taken_over_too():
    with opened(inbox()) as session:
        give(session, 0, "x")
        session.save()
        Path("out.csv").write_text("id,text,label\n1,parcel?,x\n2,money back,mine\n3,late,\n")
        give(session, 2, "z")
        session.save()
        assert written() == "id,text,label\n1,parcel?,x\n2,money back,mine\n3,late,z\n"


def test_an_output_that_is_older_than_the_answers_is_no_edit(caplog: pytest.LogCaptureFixture):
    """As after a crash, before it was written, or after that and before it was noted."""
    corpus = inbox()
    with opened(corpus) as session:
        give(session, 0, "x")
        session.save()
        old = written()
        give(session, 0, "y")
        give(session, 1, "y")
    new, answers = written(), Path("out.csv.answers")
    *lines, last = answers.read_text().splitlines(keepends=True)
    assert "written" in last
    caplog.set_level(logging.INFO)
    for left in (old, new):
        answers.write_text("".join(lines))
        Path("out.csv").write_text(left)
        with opened(corpus) as session:
            assert [labels for labels, _ in session.results()] == [("y",), ("y",), None]
        assert written() == new == "id,text,label\n1,parcel?,y\n2,money back,y\n3,late,\n"
    assert "edited" not in caplog.text


def test_a_crash_while_the_output_is_first_written_leaves_it_known():
    corpus = inbox()
    with opened(corpus) as session:
        give(session, 0, "x")
    answers = Path("out.csv.answers")
    answers.write_text("".join(answers.read_text().splitlines(keepends=True)[:-1]))
    with opened(corpus) as session:
        assert session.progress().n_labelled == 1


def test_an_output_that_was_deleted_is_written_again():
    with opened(inbox()) as session:
        give(session, 0, "x")
    Path("out.csv").unlink()
    with opened(inbox()):
        pass
    assert written() == "id,text,label\n1,parcel?,x\n2,money back,\n3,late,\n"


def test_a_spoilt_output_is_not_written_over():
    with opened(inbox()) as session:
        give(session, 0, "x")
    Path("out.csv").write_bytes(b"PK\x03\x04 a spreadsheet")
    with pytest.raises(OutputError, match=r"^out\.csv was changed by another program and can no longer be read"):
        opened(inbox())
    assert written() == "PK\x03\x04 a spreadsheet"
    Path("out.csv").unlink()
    with opened(inbox()) as session:
        assert session.progress().n_labelled == 1


def test_equal_texts_with_two_labels_may_be_reconciled_in_the_output():
    corpus = inbox("text,label\na,x\na,y\nb,\n")
    with opened(corpus) as session:
        give(session, 2, "x")
    Path("out.csv").write_text("text,label\na,x\na,x\nb,x\n")
    with opened(corpus):
        pass
    assert written() == "text,label\na,x\na,x\nb,x\n"


@pytest.mark.parametrize("name", ["out.csv", "out_test.csv"])
def test_a_file_of_others_is_not_written_over(name: str):
    Path(name).write_text("precious")
    with pytest.raises(OutputError, match=rf"^{name} is in the way: it is not an output of this labelling"):
        opened(inbox())
    assert written(name) == "precious"
    assert not Path("out.csv.answers").exists()


def test_without_an_answer_nothing_is_written():
    with opened(inbox()) as session:
        session.ask("w")
    assert [path.name for path in Path().iterdir()] == ["inbox.csv"]


def test_the_output_is_written_every_so_often(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(saving, "SECONDS_BETWEEN", 0.01)
    with opened(inbox()) as session:
        give(session, 0, "x")
        wait_until(lambda: Path("out.csv").exists() and "parcel?,x" in written())
        Path("out.csv").write_bytes(b"PK\x03\x04")
        give(session, 1, "y")
        Path("out.csv").unlink()
        wait_until(lambda: Path("out.csv").exists() and "money back,y" in written())


def test_there_is_something_to_label():
    corpus = inbox("text,label\na,x\nb,y\n")
    with pytest.raises(DataError, match=r"^inbox\.csv: nothing to label: all 2 rows are already labelled"):
        opened(corpus)
    assert not Path("out.csv.answers").exists()


def test_texts_from_python():
    with opened(["a", "b"], labels=["x", None], known=["z"]) as session:
        assert session.labels == ("x", "z")
        assert session.ask("w").place == ""
        give(session, 1, "y")
    assert written() == "text,label\na,x\nb,y\n"
    with opened(["a", "b"], "several.csv", labels=[["x", "y"], None]) as session:
        assert session.several
        give(session, 1, "x")
    assert written("several.csv") == 'text,label\na,"[""x"", ""y""]"\nb,"[""x""]"\n'
    with pytest.raises(ArgumentError, match="got 2 texts but 1 label"):
        opened(["a", "b"], labels=["x"])
    with pytest.raises(ArgumentError, match="needs the vectors"):
        opened(["a", "b"], labels=["x", "y"], order="check")
    with pytest.raises(ArgumentError, match="order must be"):
        opened(["a", "b"], order="backwards")


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_data_frames(name: str):
    library = pytest.importorskip(name)
    frame = library.DataFrame({"n": [1, 2], "text": ["a", "b"], "label": ["x", None]})
    with opened(frame) as session:
        give(session, 1, "y")
    assert written() == "n,text,label\n1,a,x\n2,b,y\n"
    frame = library.DataFrame({"body": ["a", "b"], "x": [1, None], "y": [0, None]})
    with opened(frame, "columns.csv", text="body", label=["x", "y"]) as session:
        assert session.ask("w").row == 1
        give(session, 1, "y")
    assert [row.labels for row in read_corpus("columns.csv", text_column="body", label_columns=["x", "y"]).rows] == [
        ("x",),
        ("y",),
    ]
