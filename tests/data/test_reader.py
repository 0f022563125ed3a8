"""Files of texts, good and bad: what a person reads when one cannot be used."""

import csv
import json
import os
import re
import threading
from pathlib import Path

import pytest

import embedclf
from embedclf.data.columns import Columns
from embedclf.data.corpus import read_corpus
from embedclf.data.dialect import Dialect
from embedclf.data.reader import CorpusReader
from embedclf.data.reading import Reading
from embedclf.data.writer import CorpusWriter
from running import Cli

UNLABELLED = Reading(labels="none")
CLOSED = "double each quote inside a quoted field"


def _one_row(fault: str) -> str:
    return f"1 row of {{path}} cannot be used:\n  {{path}}:{fault}\nFix them, or use --skip-bad-rows."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "{path}: the file is empty; expected a header with column names", id="empty"),
        pytest.param(b"text,label\n", "{path}: the file has a header but no rows", id="header only"),
        pytest.param(
            b"ticket,kind,day\na,b,c\n",
            "{path}:1: no column 'text' (found: 'ticket', 'kind', 'day'). Choose one with --text-column",
            id="no text column",
        ),
        pytest.param(
            b"ticket text,kind\na,b\n",
            "{path}:1: no column 'label' (found: 'ticket text', 'kind'). Use --label-column kind",
            id="no label column",
        ),
        pytest.param(
            b"title,body,label\na,b,c\n",
            "{path}:1: 'title' and 'body' could both hold the texts (found: 'title', 'body', 'label'). "
            "Use --text-column title or --text-column body, or both to join them",
            id="two text columns",
        ),
        pytest.param(
            b"text,Ticket class,class,category,topic\na,b,c,d,e\n",
            "{path}:1: 'class', 'category' and 'topic' could all hold the labels (found: 'text', 'Ticket class', "
            "'class', 'category', 'topic'). Use --label-column class or --label-column category or "
            "--label-column topic",
            id="three label columns",
        ),
        pytest.param(
            b"frage;art|id\na;b|c\n",
            "{path}:1: no column 'text' (found: 'frage;art|id'). The header contains semicolons: try --delimiter ';'",
            id="two delimiters",
        ),
        pytest.param(
            b"I was charged twice,billing\nMy parcel is late,delivery\n",
            "{path}:1: the first line looks like a row: pass --no-header (columns are then 1, 2, …), or add a header "
            "such as text,label",
            id="no header",
        ),
        pytest.param(
            b"text,label,text\na,b,c\n",
            "{path}:1: the column 'text' appears 2 times in the header: rename all but one",
            id="column twice",
        ),
        pytest.param(
            b'text,label\na,b\n"first\nsecond",c\nd,"e\nf,g\nh,i\n',
            _one_row("5: a quote opened in this row is never closed; " + CLOSED),
            id="unclosed quote",
        ),
        pytest.param(
            b'text,label\n"a"b,c\n"d ""e""",f\n',
            _one_row("2: the quoting of this row is invalid; " + CLOSED),
            id="stray quote",
        ),
        pytest.param(
            b'text,label\n"a"b,c\nd,e\n',
            _one_row(
                f"2: the quoting of this row is invalid; {CLOSED}, or if quotes have no "
                "meaning in this file, use --quoting none"
            ),
            id="quotes without quoting",
        ),
        pytest.param(
            b'te"xt,"label\na,b\n',
            "{path}:1: a quote opened in this row is never closed; " + CLOSED,
            id="unclosed quote in the header",
        ),
        pytest.param(
            b"text,label\nok,x\ncaf\xe9,y\n",
            "{path}:3: byte 4 (0xe9) is not valid UTF-8, nor is the file as a whole. This is how it would read:\n"
            "  --encoding cp1252  café,y",
            id="not UTF-8",
        ),
        pytest.param(
            "text,label\nça et là,x\nname,".encode() + b"\xe9\n",
            "{path}: the rest is UTF-8: only row 3 is damaged\nError: 1 row of {path} cannot be used:\n"
            "  {path}:3: byte 6 (0xe9) is not valid UTF-8\nFix them, or use --skip-bad-rows.",
            id="one row not UTF-8",
        ),
        pytest.param(
            b"text,label\n" + b"ok,x\n" * 9_000 + "caf\xe9,y\n".encode("latin-1") * 200,
            "{path}:9002: byte 4 (0xe9) is not valid UTF-8, nor is the file as a whole. This is how it would read:\n"
            "  --encoding cp1252  café,y",
            id="not UTF-8 far down",
        ),
        pytest.param(
            "text,label\n".encode("utf-16"),
            "{path}: this is not UTF-8. This is how it would read:\n  --encoding utf-16  text,label",
            id="UTF-16",
        ),
    ],
)
def test_a_file_that_cannot_be_used(cli: Cli, tmp_path: Path, content: bytes, message: str):
    """train and evaluate say what, where and what to do, in one line, and exit 1."""
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    result = cli("train", path)
    assert result.exit_code == 1
    assert result.stderr.removeprefix("Error: ").removeprefix("Warning: ") == f"{message.format(path=path)}\n"
    assert result.stdout == ""


def test_an_unclosed_quote_in_a_large_file(monkeypatch: pytest.MonkeyPatch):
    """It is an error of the file before the file fills the memory, and comes after the rows before it."""
    monkeypatch.setattr("embedclf.data.record_lines._MOST_CHARACTERS", 1_000)
    Path("d.csv").write_text('text,label\n"a" row,x\nb,x\n"never closed,x\n' + "a row,y\n" * 1_000)
    rows: list[str] = []
    message = "^d.csv:4: a quote opened in this row is not closed within 4,000,000 characters; double each quote"
    with CorpusReader("d.csv") as reader, pytest.raises(embedclf.DataError, match=message):
        rows.extend(row.record["text"] for row in reader)
    assert rows == ['"a" row', "b"]


def test_quotes_far_down_in_a_file_with_tabs(caplog: pytest.LogCaptureFixture):
    """Until there is one at the start of a field, the rows read the same either way."""
    caplog.set_level("INFO", "embedclf")
    rows = 'a\tthe 55" tv\n' * 6_000
    for added, unquoted in (('b\t"so" it is\nb\t"\n', "\t"), ('b\t"so\tit is"\n', None), ("", None)):
        caplog.clear()
        Path("d.tsv").write_text(f"label\ttext\n{rows}{added}")
        with CorpusReader("d.tsv") as reader:
            texts = [row.text for row in reader]
        assert (reader.dialect.unquoted, caplog.text.count("no quoting found")) == (unquoted, int(unquoted == "\t"))
        assert texts[6_000:] == {"\t": ['"so" it is', '"']}.get(unquoted or "", ["so\tit is"] if added else [])


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
def test_a_file_that_is_not_there(cli: Cli, model: Path, tmp_path: Path, command: str):
    """A missing file and a folder are told apart."""
    args = [] if command == "train" else ["-m", model]
    args = [*args, "--input"] if command == "predict" else args
    result = cli(command, *args, "nowhere.csv")
    assert (result.exit_code, result.stderr) == (1, "Error: nowhere.csv: file not found\n")
    result = cli(command, *args, tmp_path)
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: {tmp_path}: is a folder; expected a file of texts\n",
    )


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("d.csv", 'text,label\n"a, b",007\nc,x\n', {}),
        ("d.csv", '\ufefftext,label\r\n"a, b",007\r\n\r\nc,x\r\n', {}),
        ("d.tsv", "text\tlabel\na, b\t007\nc\tx\n", {}),
        ("d.csv", "text;label\na, b;007\nc;x\n", {"delimiter": ";"}),
        ("d.jsonl", '{"text": "a, b", "label": "007"}\n\n{"label": "x", "text": "c"}', {}),
        ("d.ndjson", '\ufeff{"text": "a, b", "label": "007"}\r\n{"label": "x", "text": "c"}\r\n', {}),
        ("d.csv", 'kind,body,more\n007,"a, b",z\nx,c,\n', {"text_column": "body", "label_column": "kind"}),
        ("d.json", '[{"text": "a, b", "label": "007"}, {"label": "x", "text": "c"}]', {}),
        ("d.json", '[\n  {\n    "text": "a, b",\n    "label": "007"\n  },\n  {"label": "x", "text": "c"}\n]\n', {}),
        ("d.jsonl", '{\n"text": "a, b",\n"label": "007"\n}\n{\n"label": "x", "text": "c"}', {}),
        ("d.jsonl", '{"text": "a, b", "label": ["007"]},\n{"label": ["x"], "text": "c"},\n', {}),
        ("d.jsonl", '{"id": 1, "text": "a, b", "label": "007"}\r{"label": "x", "text": "c"}', {}),
        ("d.txt", '{"text": "a, b", "label": "007"}\n{"label": "x", "text": "c"}', {}),
        ("d.txt", "__label__007 a, b\nc __label__x\n", {}),
        ("d.csv", 'ORCs,text,label\n1,"a, b",007\n2,c,x\n', {}),
        ("d.csv", 'set id,text,label\n1,"a, b",007\n2,c,x\n', {}),
        ("d.txt", "a, b;007\nc;x\n", {"header": False, "text_column": "1", "label_column": "2"}),
        ("d.tsv", "007\ta, b\nx\tc\n", {"header": False, "text_column": "2", "label_column": "1"}),
    ],
)
def test_the_same_rows_from_every_format(tmp_path: Path, name: str, content: str, options: dict):
    """CSV, TSV and JSONL, with or without a byte order mark, CRLF or blank lines, give the same corpus."""
    (tmp_path / name).write_bytes(content.encode())
    corpus = read_corpus(tmp_path / name, **options)
    assert (corpus.texts, corpus.labels) == (["a, b", "c"], ["007", "x"])


def test_another_encoding(tmp_path: Path):
    """--encoding reads what is not UTF-8."""
    for encoding in ("cp1252", "utf-16", "utf-8-sig", "latin-1"):
        (tmp_path / "d.csv").write_bytes("text,label\ncafé,x\n".encode(encoding))
        assert read_corpus(tmp_path / "d.csv", encoding=encoding).texts == ["café"]


def test_a_number_as_a_label_stays_as_it_was_written(tmp_path: Path):
    """JSON's numbers become the text that JSON writes for them, and truth values what data frames write to CSV."""
    labels = ["5", "true", "1.10", "1e3"]
    (tmp_path / "d.jsonl").write_text("".join(f'{{"text": "a", "label": {label}}}\n' for label in labels))
    assert read_corpus(tmp_path / "d.jsonl").labels == ["5", "True", "1.10", "1e3"]


def test_lines_are_where_rows_start(tmp_path: Path):
    """Quoted line breaks move the rows after them."""
    (tmp_path / "d.csv").write_text('text,label\n"a\nb\nc",x\n\nd,y\n')
    assert read_corpus(tmp_path / "d.csv").lines == [2, 6]


def test_errors_carry_what_is_at_fault(tmp_path: Path):
    """Python code finds source, line and faults as attributes."""
    (tmp_path / "d.csv").write_text("text,label\na,\n")
    with pytest.raises(embedclf.DataError) as caught:
        read_corpus(tmp_path / "d.csv")
    assert (caught.value.source, caught.value.line) == (str(tmp_path / "d.csv"), 2)
    assert caught.value.faults == [(2, "the label is empty")]


def test_a_long_list_of_faults_is_cut(tmp_path: Path):
    """Twenty are enough to see what is wrong."""
    (tmp_path / "d.csv").write_text("text,label\n" + "a,\n" * 30)
    with pytest.raises(embedclf.DataError) as caught:
        read_corpus(tmp_path / "d.csv")
    lines = str(caught.value).splitlines()
    assert len(lines) == 23
    assert lines[-2] == "  … and 10 more"


def test_rows_left_out_to_the_last(tmp_path: Path):
    """If no row is left, that is an error of its own."""
    (tmp_path / "d.csv").write_text("text,label\na,\n")
    with pytest.raises(embedclf.DataError, match="none of its rows can be used"):
        read_corpus(tmp_path / "d.csv", skip_bad_rows=True)


def test_reading_leaves_the_csv_module_as_it_was(tmp_path: Path):
    """Its field limit belongs to the whole process."""
    (tmp_path / "d.csv").write_text("text,label\n" + "a" * 200_000 + ",x\n")
    before = csv.field_size_limit()
    assert len(read_corpus(tmp_path / "d.csv").texts[0]) == 200_000
    assert csv.field_size_limit() == before


def test_columns_of_the_same_name_are_all_carried(tmp_path: Path):
    """Those that come again are numbered, so that none is lost."""
    (tmp_path / "d.csv").write_text("text,x,x,\na,1,2,3\n")
    with CorpusReader(tmp_path / "d.csv", UNLABELLED) as reader:
        (row,) = reader
        assert reader.columns == ["text", "x", "x_2", ""]
        assert list(row.record.values()) == ["a", "1", "2", "3"]


def test_labels_that_are_not_needed(tmp_path: Path):
    """A row may be without one, and the file without the column, unless that was named."""
    (tmp_path / "some.csv").write_text("text,label\na,x\nb,\n")
    (tmp_path / "none.csv").write_text("text,other\na,x\n")
    assert read_corpus(tmp_path / "some.csv", labels="optional").labels == ["x", ""]
    assert read_corpus(tmp_path / "none.csv", labels="optional").labels == [""]
    assert read_corpus(tmp_path / "none.csv", label_column="other", labels="optional").labels == ["x"]
    with pytest.raises(embedclf.DataError, match="no column 'kind'"):
        read_corpus(tmp_path / "none.csv", label_column="kind", labels="optional")


def test_deeply_nested_json_is_one_bad_row(tmp_path: Path):
    """It does not end the program."""
    (tmp_path / "d.jsonl").write_text('{"text": "a", "label": "x"}\n' + "[" * 100_000 + "\n")
    corpus = read_corpus(tmp_path / "d.jsonl", skip_bad_rows=True)
    assert corpus.texts == ["a"]
    assert corpus.skipped[0].line == 2


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
def test_nesting_that_can_be_read_can_be_written(trained: embedclf.TextClassifier, start: str, end: str):
    """Whatever is done with it: 200 levels, and no error but the row's beyond."""
    for depth in (199, 200, *range(800, 1_000)):
        row = '{"text": "my parcel", "label": 5, "more": ' + start * depth + "1" + end * depth + "}"
        Path("d.jsonl").write_text(f'{{"text": "a", "label": "x", "more": 1}}\n{row}\n')
        with CorpusReader("d.jsonl") as reader:
            _, read = reader
        assert read.fault == (None if depth < 200 else "the JSON on this line is nested too deeply")
        if depth in (199, 200, 930):
            assert embedclf.predict_file(trained, "d.jsonl", "out.csv").n_faults == int(depth >= 200)


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\r", "\n", "\0"])
def test_what_cannot_stand_between_columns(trained: embedclf.TextClassifier, dataset: Path, delimiter: str):
    """A wrong argument is said to be one, before anything is written."""
    message = f"^delimiter must be one character, such as ';' or a tab, not {re.escape(repr(delimiter))}$"
    with pytest.raises(ValueError, match=message):
        embedclf.predict_file(trained, dataset, "out.csv", delimiter=delimiter)
    with pytest.raises(ValueError, match=message):
        CorpusWriter("out.csv", ["text"], [], dialect=Dialect(delimiter))
    assert not list(Path().glob("out*"))


def test_half_a_character_in_a_name(trained: embedclf.TextClassifier):
    """It is written as values are, in each format."""
    Path("d.jsonl").write_text('{"text": "my parcel", "a\\ud800": "b\\ud800"}\n')
    for output in ("out.csv", "out.jsonl", "out.parquet"):
        embedclf.predict_file(trained, "d.jsonl", output)
        with CorpusReader(output, UNLABELLED) as reader:
            (row,) = reader
        name, value = ("a\ud800", "b\ud800") if output == "out.jsonl" else ("a\\ud800", "b\\ud800")
        assert row.record[name] == value


def test_labels_that_end_in_nul(cli: Cli):
    """They are names like others, and differ from those that do not."""
    labels = ["a\0", "a", "\0a"]
    rows = "".join(f"{text} {number},{labels[number % 3]}\n" for number, text in enumerate(["my parcel"] * 12))
    Path("d.csv").write_text(f"text,label\n{rows}")
    result = cli("check", "d.csv", "--embedder", "wordllama", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["n_labels"] == 3


def test_a_parquet_file_that_refers_to_what_is_not_there():
    """It is said to be damaged."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    texts = pa.array(["one", "two", "three", "one"]).dictionary_encode()
    pq.write_table(pa.table({"text": texts}), "d.parquet", compression="none", write_statistics=False)
    whole = Path("d.parquet").read_bytes()
    n_damaged = 0
    for place in range(4, len(whole)):
        Path("d.parquet").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            with CorpusReader("d.parquet", UNLABELLED) as reader:
                list(reader)
        except embedclf.DataError as error:
            n_damaged += "the Parquet file is damaged or incomplete" in str(error)
    assert n_damaged > 10


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.csv.bz2", b"BZh91AY&SY\xff", "d.csv.bz2: this is a bzip2 file: decompress it first: bunzip2 -k d.csv.bz2"),
        ("d.csv", "text,label\n".encode("utf-16-le"), "--encoding utf-16-le  text,label"),
    ],
)
def test_what_it_is_instead(cli: Cli, tmp_path: Path, name: str, content: bytes, message: str):
    """A file of another kind is told by what it is."""
    (tmp_path / name).write_bytes(content)
    result = cli("train", name)
    assert result.exit_code == 1
    assert message in result.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe")
def test_a_named_pipe_is_read(process, tmp_path: Path):
    """And what is wrong with it is said, though it cannot be read again."""
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(b"text,label\ncaf\xe9,x\n"))
    writer.start()
    done = process("train", "pipe")
    writer.join()
    assert done.stderr.startswith("Error: pipe:2: byte 4 (0xe9) is not valid UTF-8, nor is the file as a whole.")
    assert "--encoding cp1252  café,x" in done.stderr


@pytest.mark.parametrize("encoding", ["undefined", "base64", "rot13", "idna", "", "a\0b", "\ud800"])
def test_an_encoding_that_is_none(cli: Cli, tmp_path: Path, encoding: str):
    """Is a wrong command, and a wrong argument."""
    (tmp_path / "d.csv").write_bytes(b"text,label\n\xff,b\n")
    result = cli("train", "d.csv", "--encoding", encoding)
    assert result.exit_code == 2
    assert "Invalid value for '--encoding': unknown text encoding" in result.stderr
    with pytest.raises(embedclf.ArgumentError, match=f"^unknown text encoding {re.escape(repr(encoding))}$"):
        read_corpus("d.csv", encoding=encoding)


@pytest.mark.parametrize(
    ("line", "header"), [("3,Wall St,b", False), ("2,a,3", False), ("1,2,3", True), ("0,1,2,3", True), ("2,1,3", True)]
)
def test_a_number_that_is_remembered_is_no_name_of_a_column(line: str, header: bool):
    """A class, rather, unless all that is remembered is in the first line."""
    Path("d.csv").write_text(f"{line}\n")
    with CorpusReader("d.csv", Reading(usual=Columns(("2", "3"), "1"), labels="optional")) as reader:
        assert (reader.has_header, reader.text_column) == (header, ("2", "3"))
