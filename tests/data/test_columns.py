"""The delimiter and the columns of a file, found where nobody named them."""

import logging
from pathlib import Path

import pytest

from corpus import QUICKLY, SMALL
from embedclf.data.columns import Columns, closest, looks_like_header
from embedclf.data.corpus import join, read_corpus
from embedclf.data.reader import CorpusReader
from embedclf.data.reading import Reading
from embedclf.errors import DataError
from running import Cli


@pytest.mark.parametrize(
    ("name", "header", "said"),
    [
        ("d.csv", "text,label", None),
        ("d.csv", "label,id,text,Text,title,category", None),
        ("d.csv", "Text,Label", "d.csv: texts in 'Text', labels in 'Label'"),
        ("d.csv", "Title,TEXT, label ", "d.csv: texts in 'TEXT', labels in ' label '"),
        ("d.csv", "id,message,category", "d.csv: texts in 'message', labels in 'category'"),
        ("d.csv", "Review_Text,Sentiment", "d.csv: texts in 'Review_Text', labels in 'Sentiment'"),
        ("d.csv", "reviewText;intent", "d.csv: texts in 'reviewText', labels in 'intent', delimiter ';'"),
        ("d.csv", "label_text,Review Text,label", "d.csv: texts in 'Review Text'"),
        ("d.csv", "text;label", "d.csv: delimiter ';'"),
        ("d.csv", '"text";"label"', "d.csv: delimiter ';'"),
        ("d.csv", "label;text", "d.csv: delimiter ';'"),
        ("d.csv", "text\tlabel", "d.csv: delimiter tab"),
        ("d.csv", "label|body", "d.csv: texts in 'body', delimiter '|'"),
        ("d.tsv", "text,label", "d.tsv: delimiter ','"),
        ("d.tsv", "text\tlabel", None),
        ("d.csv", "\n\r\ntext;label", "d.csv: delimiter ';'"),
        ("d.csv", "\ufefftext;label", "d.csv: delimiter ';'"),
        ("d.csv", "sep=;\nText;label", "d.csv: texts in 'Text', delimiter ';'"),
        ("d.csv", "sep=\t\r\ntext\tlabel", "d.csv: delimiter tab"),
    ],
)
def test_found_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, header: str, said: str | None):
    """What is not the default is said in one line; the rows are the same, and keep their lines."""
    names = header.strip("\ufeff\r\n").replace("sep=;\n", "").replace("sep=\t\r\n", "")
    delimiter = next(sign for sign in "\t;|," if sign in names)
    row = delimiter.join("b" if any(w in one.lower() for w in ("label", "cat", "sent", "intent")) else "a"
                         for one in names.split(delimiter))  # fmt: skip
    (tmp_path / name).write_text(f"{header}\n{row}\n", encoding="utf-8", newline="")
    with caplog.at_level(logging.INFO, "embedclf"):
        corpus = read_corpus(tmp_path / name)
    assert (corpus.texts, corpus.labels) == (["a"], ["b"])
    assert corpus.lines == [header.count("\n") + 2]
    assert caplog.messages == ([] if said is None else [f"{tmp_path}/{said}"])


def test_a_spreadsheets_first_line_and_the_same_delimiter(tmp_path: Path):
    """It is left out, too, if the delimiter was given, or a classifier remembers columns by their numbers."""
    path = tmp_path / "d.csv"
    path.write_text("sep=;\ntext;label\na;b\n")
    corpus = read_corpus(path, delimiter=";")
    assert (corpus.texts, corpus.lines, corpus.dialect.delimiter) == (["a"], [3], ";")
    assert read_corpus(path, usual=Columns("2", "1")).texts == ["a"]


def test_json_lines_and_what_was_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """The keys of JSON Lines are columns, too; a column that was named is not looked for, nor taken for another."""
    path = tmp_path / "d.jsonl"
    path.write_text('\nno JSON\n{"Content": "a", "class": 1.0, "comment": "c"}\n')
    named = read_corpus(path, text_column="comment", skip_bad_rows=True)
    assert (named.texts, named.labels, named.text_column, named.label_column) == (["c"], ["1.0"], "comment", "class")
    swapped = read_corpus(path, label_column="comment", skip_bad_rows=True)
    assert (swapped.texts, swapped.labels) == (["a"], ["c"])


def test_strings_only(tmp_path: Path):
    """In a Parquet file, a column of numbers is not taken for the texts."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": [1], "message": ["a"], "label": ["x"]}), tmp_path / "d.parquet")
    assert read_corpus(tmp_path / "d.parquet").texts == ["a"]
    pq.write_table(pa.table({"text": [1], "label": ["x"]}), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"the column 'text' contains int64, not strings\. Choose another with --text"):
        read_corpus(tmp_path / "d.parquet")
    twice = pa.Table.from_arrays([pa.array(["a"])] * 2, names=["text", "text"])
    pq.write_table(twice, tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"d\.parquet: the column 'text' appears 2 times in the header"):
        read_corpus(tmp_path / "d.parquet")


def test_labels_that_may_be_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Where labels are optional, one usual name is taken; of several, none, which is said."""
    path = tmp_path / "d.csv"
    path.write_text("text,category,sentiment\na,b,c\n")
    with caplog.at_level(logging.INFO, "embedclf"):
        assert read_corpus(path, labels="optional").labels == [""]
    assert caplog.messages == [f"{path}: no labels read (choose 'category' or 'sentiment' with --label-column)"]
    path.write_text("text,predicted_label,top_2_label\na,b,c\n")
    assert read_corpus(path, labels="optional").label_column is None, "a prediction is not a label"
    with CorpusReader(path, Reading(labels="none")) as reader:
        assert [row.label for row in reader] == [""]


def test_names_to_look_for_first(tmp_path: Path):
    """The usual columns come first, then the defaults; a file without them is read by what it has."""
    path, usual = tmp_path / "d.csv", Columns("note", "kind")
    path.write_text("text,label,note,KIND\na,b,c,d\n")
    corpus = read_corpus(path, usual=usual)
    assert (corpus.text_column, corpus.label_column) == ("note", "label")
    path.write_text("body,category\na,b\n")
    corpus = read_corpus(path, usual=usual)
    assert (corpus.text_column, corpus.label_column) == ("body", "category")


@pytest.mark.parametrize(
    ("name", "wanted"), [("Txt", "Text"), ("catgory", "Category"), ("review text", "Review_Text"), ("xyz", None)]
)
def test_the_closest_name(name: str, wanted: str | None):
    """Case, spaces and a slip or two do not matter."""
    assert closest(name, ["id", "Text", "Category", "Review_Text", "te\x1bxt"]) == wanted


def test_a_mistyped_column_has_a_suggestion(cli: Cli):
    """With the option to type."""
    Path("d.csv").write_text("Ticket Text,Category\na,b\n")
    assert cli("train", "d.csv", "--text-column", "tickettext").stderr == (
        "Error: d.csv:1: no column 'tickettext' (found: 'Ticket Text', 'Category'). "
        "Did you mean --text-column 'Ticket Text'?\n"
    )


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("text,label\r\n", True),
        ("id;Message", True),
        ("Review Text\tstars", True),
        ("text", True),
        ("Where is my parcel, please?", False),
        ("The text, and then the message", False),
        ("hello, world", False),
        ("text,text", False),
        ("text," * 1_000, False),
    ],
)
def test_what_looks_like_a_header(line: str, is_one: bool):
    """A line of several short, different names, one of which is usual for texts."""
    assert looks_like_header(line) is is_one


class TestSeveralFiles:
    """Read as one; each row knows its own file and line."""

    @pytest.fixture(autouse=True)
    def _files(self) -> None:
        for name, rows in (("may", slice(0, 6)), ("june", slice(5, 10))):
            lines = [f"{label};{text}\n" for label, texts in SMALL.items() for text in texts[rows]]
            Path(f"{name}.csv").write_text("Category;Message\n" + "".join(lines))

    def test_train_and_evaluate(self, cli: Cli):
        """The model has the names of both files, and the errors say which file each row is from."""
        trained = cli("train", "may.csv", "june.csv", *QUICKLY)
        assert trained.stderr.startswith(
            "may.csv: texts in 'Message', labels in 'Category', delimiter ';'\n"
            "june.csv: texts in 'Message', labels in 'Category', delimiter ';'\n"
            "may.csv and june.csv: 33 rows, 3 labels\n"
        )
        assert "Warning: 3 exact duplicates (june.csv:2, june.csv:7, june.csv:12)" in trained.stderr
        assert "For details, run embedclf check may.csv june.csv\n" in trained.stderr
        assert "Saved models/may+june.safetensors" in trained.stdout
        Path("wrong.csv").write_text("Message,Category\nWhere is my parcel?,refund\n")
        result = cli("evaluate", "may.csv", "wrong.csv", "--errors", "errors.csv")
        assert "wrong.csv:2" in result.stdout
        assert Path("errors.csv").read_text().startswith(
            "file,line,text,label,predicted_label,confidence\nwrong.csv,2,Where is my parcel?,refund,delivery,0."
        )  # fmt: skip

    @pytest.mark.slow
    def test_check_and_its_copy(self, cli: Cli):
        """A duplicate in another file is a duplicate; the copy has the rows of both, in the same form."""
        result = cli("check", "may.csv", "june.csv", "--dry-run", "--fix", "both.csv")
        assert "june.csv:2, same text as may.csv:7  delivery: " in result.stdout
        cli("check", "may.csv", "june.csv", "--fix", "both.csv")
        copy = Path("both.csv").read_text().splitlines()
        assert (len(copy), copy[0], copy[1]) == (31, "Category;Message", "delivery;Where is my parcel?")
        result = cli("check", "may.csv", "june.csv", "--fix", "june.csv")
        assert "Error: --fix june.csv is the same file as the dataset june.csv: choose another" in result.stderr

    def test_bad_rows_are_named_by_their_file(self, cli: Cli):
        """In an error, and where they are skipped."""
        with Path("june.csv").open("a") as file:
            file.write("refund;\n")
        result = cli("train", "may.csv", "june.csv")
        assert "Error: 1 row of june.csv cannot be used:\n  june.csv:17: the text is empty\n" in result.stderr
        result = cli("check", "may.csv", "june.csv", "--dry-run")
        assert "    june.csv:17  the text is empty: refund\n" in result.stdout

    def test_what_cannot_be_read_together(self, cli: Cli):
        """The same file twice, and columns of other names."""
        assert cli("train", "may.csv", "./may.csv").stderr == (
            "Error: ./may.csv: given twice; its rows would all be duplicates\n"
        )
        Path("other.csv").write_text("text,label\na,b\n")
        assert cli("train", "may.csv", "other.csv").stderr.endswith(
            "Error: other.csv has the text column 'text', but may.csv has the text column 'Message': files that are "
            "read together need the same columns\n"
        )

    def test_columns_that_only_one_has(self):
        """All columns of all files are kept."""
        Path("more.csv").write_text("id,Message,Category\n7,a,b\n")
        joined = join([read_corpus("may.csv"), read_corpus("more.csv"), read_corpus("june.csv")])
        assert joined.columns == ["Category", "Message", "id"]
        assert joined.name == "may.csv, more.csv and june.csv"
        assert [joined.place(row) for row in (0, 17, 18, 19)] == ["may.csv:2", "may.csv:19", "more.csv:2", "june.csv:2"]
