"""What is read and written with columns added is read again as it was, whatever stands in it, in every format."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import embedclf
from conftest import Cli
from embedclf.corpus import CorpusReader, CorpusWriter, Row

# The same examples each time, so that a run fails for what was changed since the last one.
exhaustively = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

CHARACTERS = st.one_of(
    st.sampled_from("ab\r\n\"',;\t| \0\x0b\x1a\x1c\x85\xa0\u2028\ufeff\\é😀="), st.characters(exclude_categories=["Cs"])
)
FIELDS = st.text(CHARACTERS, max_size=6)
NAMES = st.lists(FIELDS, unique=True, max_size=3)
DELIMITERS = [",", ";", "\t", "|", " ", "'", "x", "0", "é"]
KINDS = [("csv", delimiter) for delimiter in DELIMITERS] + [("tsv", None), ("jsonl", None), ("parquet", None)]
each_kind = pytest.mark.parametrize(("kind", "delimiter"), KINDS)

Table = tuple[list[str], list[list[str]]]


@st.composite
def tables(draw: st.DrawFn, others: Sequence[str] = ("text",), n_rows: int = 6) -> Table:
    """Draw a header, which has some names among its own, and rows of as many fields."""
    names = draw(st.permutations([*others, *(name for name in draw(NAMES) if name not in others)]))
    return names, draw(st.lists(st.lists(FIELDS, min_size=len(names), max_size=len(names)), max_size=n_rows))


def write(path: Path, table: Table, delimiter: str | None) -> None:
    """Write a table by other means than ours."""
    names, rows = table
    kind = path.suffix[1:]
    if kind == "jsonl":
        lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines))
    elif kind == "parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        columns = [[row[place] for row in rows] for place in range(len(names))]
        pq.write_table(pa.table([pa.array(column, pa.string()) for column in columns], names=names), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            between = delimiter or ("\t" if kind == "tsv" else ",")
            csv.writer(file, delimiter=between, quoting=csv.QUOTE_ALL).writerows([names, *rows])


def read(path: Path, delimiter: str | None) -> Table:
    """Read a table by other means than ours."""
    kind = path.suffix[1:]
    if kind == "jsonl":
        records = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
        return (list(records[0]) if records else []), [list(record.values()) for record in records]
    if kind == "parquet":
        table = pytest.importorskip("pyarrow.parquet").read_table(path)
        return table.column_names, [list(row.values()) for row in table.to_pylist()]
    with path.open(encoding="utf-8-sig", newline="") as file:
        between = delimiter or ("\t" if kind == "tsv" else ",")
        names, *rows = csv.reader(file, delimiter=between, strict=True)
        return names, [row for row in rows if row]


@each_kind
def test_written_and_read(kind: str, delimiter: str | None):
    """By the writer and the reader, with columns added and with none."""
    path = Path(f"table.{kind}")

    @exhaustively
    @given(tables(), st.lists(FIELDS, unique=True, max_size=2), st.booleans())
    def holds(table: Table, added: list[str], bom: bool) -> None:
        names, rows = table
        assume(rows or kind != "jsonl")  # which has no header
        assume(not set(added) & set(names))
        more = [[f"\r{name}" for name in added] for _ in rows]
        with CorpusWriter(path, names, added, delimiter=delimiter, bom=bom) as writer:
            for number, (row, values) in enumerate(zip(rows, more, strict=True)):
                writer.write(Row(number, dict(zip(names, row, strict=True)), "", "", None), values)
        with CorpusReader(path, label_column=None, delimiter=delimiter) as reader:
            back = list(reader)
        assert reader.columns == [*names, *added]
        assert [list(row.record.values()) for row in back] == [
            row + values for row, values in zip(rows, more, strict=True)
        ]
        assert [row.text for row in back] == [row[names.index("text")] for row in rows]
        assert read(path, delimiter) == ([*names, *added], [row + values for row, values in zip(rows, more, strict=True)])

    holds()


@each_kind
def test_predicted(cli: Cli, model: Path, trained: embedclf.TextClassifier, kind: str, delimiter: str | None):
    """``predict --output`` keeps every column as it was, and its answers stand beside their texts."""
    options = [] if delimiter is None else ["--delimiter", delimiter]
    source, output = Path(f"in.{kind}"), Path(f"out.{kind}")

    @exhaustively
    @given(tables())
    def holds(table: Table) -> None:
        names, rows = table
        assume(rows or kind != "jsonl")
        write(source, table, delimiter)
        result = cli("predict", "-m", model, "--input", source, "--output", output, *options)
        texts = [row[names.index("text")] for row in rows]
        assert result.exit_code == int(any(not text or text.isspace() for text in texts)), result.stderr
        out_names, out_rows = read(output, delimiter)
        assert out_names[: len(names)] == names
        assert [row[: len(names)] for row in out_rows] == rows
        usable = [text for text in texts if text and not text.isspace()]
        labels = [row[len(names)] for row in out_rows]
        assert [label for label in labels if label] == (trained.predict(usable) if usable else [])
        assert [not label for label in labels] == [not text or text.isspace() for text in texts]

    holds()


@each_kind
def test_fixed(cli: Cli, kind: str, delimiter: str | None):
    """``check --fix`` writes what it keeps as it was, over the file itself, and finds no more to leave out."""
    options = [] if delimiter is None else ["--delimiter", delimiter]
    path = Path(f"table.{kind}")

    @settings(exhaustively, max_examples=20)
    @given(tables(("text", "label")))
    def holds(table: Table) -> None:
        names, rows = table
        assume(rows)
        write(path, table, delimiter)
        kept: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            text, label = row[names.index("text")], row[names.index("label")]
            if text and not text.isspace():
                kept.setdefault((text, "" if label.isspace() else label), row)
        cli("check", path, "--fix", path, *options)
        assert read(path, delimiter) == ((names if kept or kind != "jsonl" else []), list(kept.values()))

    holds()


@each_kind
def test_gone_on_with(
    trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch, kind: str, delimiter: str | None
):
    """After a break at any chunk, the rest makes the file of one run, byte for byte."""
    monkeypatch.setattr("embedclf.scoring._CHUNK", 2)
    source, output, whole = Path(f"in.{kind}"), Path(f"out.{kind}"), Path(f"whole.{kind}")

    @exhaustively
    @given(tables(n_rows=9), st.integers(0, 9))
    def holds(table: Table, after: int) -> None:
        assume(table[1] or kind != "jsonl")
        write(source, table, delimiter)
        embedclf.predict_file(trained, source, whole, delimiter=delimiter)

        def stop(done: int, passed: int, share: float | None) -> None:
            if done >= after:
                raise KeyboardInterrupt

        try:
            embedclf.predict_file(trained, source, output, delimiter=delimiter, on_chunk=stop)
        except KeyboardInterrupt:
            done = embedclf.predict_file(trained, source, output, delimiter=delimiter, resume=True)
            assert done.rows == len(table[1])
            assert done.rows_before >= after
        assert output.read_bytes() == whole.read_bytes()
        assert not list(Path().glob("*.part*"))

    holds()
