"""What is read and written with columns added is read again as it was, whatever stands in it, in every format."""

import csv
import gzip
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import embedclf
from embedclf.data.dialect import Dialect
from embedclf.data.reader import CorpusReader
from embedclf.data.reading import Reading
from embedclf.data.rows import Row
from embedclf.data.writer import CorpusWriter
from embedclf.formatting import to_json
from embedclf.missing import has_something_to_read
from running import Cli

# The same examples each time, so that a run fails for what was changed since the last one.
steadily = settings(
    max_examples=25,
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
DELIMITERS = st.sampled_from(",;\t| 'x0é")
KINDS = ["csv", "tsv", "jsonl", "parquet", "xlsx"]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_kind_and_packed = pytest.mark.parametrize("kind", [*KINDS, "csv.gz", "jsonl.zst"])
# What XML does not have, as Excel writes it, and an underscore before what looks so.
OF_XML = re.compile("[\0-\b\v-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")

Table = tuple[list[str], list[list[str]]]


@st.composite
def tables(draw: st.DrawFn, others: Sequence[str] = ("text",), n_rows: int = 6) -> Table:
    """Draw a header, which has some names among its own, and rows of as many fields."""
    names = draw(st.permutations([*others, *(name for name in draw(NAMES) if name not in others)]))
    return names, draw(st.lists(st.lists(FIELDS, min_size=len(names), max_size=len(names)), max_size=n_rows))


def write(path: Path, table: Table, delimiter: str) -> None:
    """Write a table by other means than ours."""
    names, rows = table
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(names))]
        pq.write_table(pa.table(columns, names=names), path)
    elif path.suffix == ".xlsx":
        workbook = pytest.importorskip("openpyxl").Workbook()
        for at, row in enumerate([names, *rows], 1):
            for column, field in enumerate(row, 1):
                cell = workbook.active.cell(at, column)
                cell.value = OF_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", field)
                cell.data_type = "s"
        workbook.save(path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([names, *rows])


def read(path: Path, delimiter: str) -> Table:
    """Read a table by other means than ours."""
    if path.suffix == ".gz":
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path = path.with_suffix("")
    if path.suffix == ".zst":
        zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
        path.with_suffix("").write_bytes(zstd.decompress(path.read_bytes()))
        path = path.with_suffix("")
    if path.suffix == ".xlsx":
        sheet = pytest.importorskip("openpyxl").load_workbook(path).active
        decoded = [[_decoded(field) for field in row] for row in sheet.iter_rows(values_only=True)]
        return decoded[0], decoded[1:]
    if path.suffix == ".jsonl":
        records = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
        return (list(records[0]) if records else []), [list(record.values()) for record in records]
    if path.suffix == ".parquet":
        table = pytest.importorskip("pyarrow.parquet").read_table(path)
        return table.column_names, [list(row.values()) for row in table.to_pylist()]
    with path.open(encoding="utf-8-sig", newline="") as file:
        names, *rows = csv.reader(file, delimiter=delimiter, strict=True)
        return names, rows


def _decoded(field: object) -> str:
    return re.sub("_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), str("" if field is None else field))


def fits(kind: str, table: Table) -> bool:
    """Return whether a format can tell every row and column of a table from none."""
    names, rows = table
    if kind == "xlsx":
        return "" not in names and all(map(any, rows))
    return bool(rows) or "jsonl" not in kind  # which has no header


def is_usable(text: str) -> bool:
    return has_something_to_read(text)


@pytest.mark.slow
@each_kind_and_packed
def test_written_and_read(kind: str):
    """By the writer and the reader, with columns added and with none."""
    path = Path(f"table.{kind}")

    @settings(steadily, max_examples=100)
    @given(tables(), st.lists(FIELDS, unique=True, max_size=2), st.booleans(), DELIMITERS)
    @example((["text"], [["one\rtwo"], ["\r"], [""]]), [], False, ",")
    @example((["\ufeffa", "text"], [["", "x"]]), [], False, ",")
    @example((["\r", "text"], [["\0", " x "]]), ['"'], True, " ")
    @example((["text", "b"], [['x\ty"\nb\t"', "b"]]), [], False, "\t")
    def holds(table: Table, added: list[str], bom: bool, delimiter: str) -> None:
        names, rows = table
        assume(fits(kind, table) and not set(added) & set(names))
        assume(kind != "xlsx" or "" not in added)
        if kind == "tsv":
            delimiter = "\t"
        expected = ([*names, *added], [row + [f"\r{name}" for name in added] for row in rows])
        with CorpusWriter(path, names, added, dialect=Dialect(delimiter), bom=bom) as writer:
            for number, row in enumerate(rows):
                record = dict(zip(names, row, strict=True))
                writer.write(Row(number, record, "", "", None), [f"\r{name}" for name in added])
        with CorpusReader(path, Reading(labels="none", delimiter=delimiter)) as reader:
            back = list(reader)
        assert (reader.columns, [list(row.record.values()) for row in back]) == expected
        assert [row.text for row in back] == [row[names.index("text")] for row in rows]
        assert read(path, delimiter) == expected

    holds()


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_written_and_read_in_every_dialect(kind: str):
    """Without a word about the quoting where fields are quoted, and with one where they are not."""
    path = Path(f"table.{kind}")

    @settings(steadily, max_examples=60)
    @given(tables(), st.sampled_from([None, "\\", "x"]), st.booleans())
    @example((["text"], [[""], ["sep=;"]]), "\\", False)
    @example((["sep=", "text"], [["=1", " x "]]), None, True)
    @example((["text", "b"], [["\r", "\\\\"], ['\\"', "\\"]]), "\\", False)
    @example((["b", "text"], [["a", "x\na,b\na,c"], ["a", "x\na\tb\na\tc"], ["a", '"b"']]), None, False)
    def holds(table: Table, escape: str | None, is_unquoted: bool) -> None:
        names, rows = table
        delimiter = "\t" if kind == "tsv" else ","
        if is_unquoted:
            escape = None
            assume(len(names) > 1 and not any(sign in field for row in table[1] for field in row for sign in "\r\n,\t"))
            assume(not any(sign in name for name in names for sign in "\r\n,\t"))
        dialect = Dialect(delimiter, delimiter if is_unquoted else None, escape)
        with CorpusWriter(path, names, [], dialect=dialect) as writer:
            for number, row in enumerate(rows):
                writer.write(Row(number, dict(zip(names, row, strict=True)), "", "", None), [])
        quoting = "none" if is_unquoted else "auto"
        reading = Reading(text_column="text", labels="none", quoting=quoting, escape_char=escape)
        with CorpusReader(path, reading) as reader:
            back = list(reader)
            assert reader.dialect.unquoted == dialect.unquoted
        assert (reader.columns, [list(row.record.values()) for row in back]) == (names, rows)
        assert not any("quot" in (row.fault or "") for row in back)

    holds()


@each_kind
def test_predicted(cli: Cli, model: Path, trained: embedclf.TextClassifier, kind: str):
    """``predict --output`` keeps every column, whatever the format becomes, and answers stand beside their texts."""
    source = Path(f"in.{kind}")

    @steadily
    @given(tables(), st.sampled_from(KINDS), DELIMITERS)
    def holds(table: Table, to: str, delimiter: str) -> None:
        names, rows = table
        assume(fits(kind, table) and fits(to, table))
        if "tsv" in (kind, to):
            delimiter = "\t"
        output = Path(f"out.{to}")
        write(source, table, delimiter)
        texts = [row[names.index("text")] for row in rows]
        result = cli("predict", "-m", model, "--input", source, "--output", output, "--delimiter", delimiter)
        assert result.exit_code == (0 if all(map(is_usable, texts)) else 1), result.stderr
        out_names, out_rows = read(output, delimiter)
        assert out_names[: len(names)] == names
        assert [row[: len(names)] for row in out_rows] == rows
        usable = [text for text in texts if is_usable(text)]
        labels = iter(trained.predict(usable) if usable else [])
        assert [row[len(names)] or None for row in out_rows] == [
            next(labels) if is_usable(text) else None for text in texts
        ]

    holds()


@pytest.mark.slow
def test_values_of_any_kind_in_json_lines(trained: embedclf.TextClassifier):
    """Numbers to their last digit, lists, objects, and keys that only some records have."""
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | FIELDS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=3),
        max_leaves=6,
    )

    @settings(steadily, max_examples=60)
    @given(st.lists(st.dictionaries(FIELDS, values, max_size=4), min_size=1, max_size=4), st.booleans())
    def holds(records: list[dict[str, Any]], ascii_only: bool) -> None:
        records = [{**record, "text": "my parcel"} for record in records]
        lines = [json.dumps(record, ensure_ascii=ascii_only) for record in records]
        Path("in.jsonl").write_text("".join(f"{line}\n" for line in lines))
        embedclf.predict_file(trained, "in.jsonl", "out.jsonl")
        out = Path("out.jsonl").read_text().split("\n")[:-1]
        assert all(written.startswith(line[:-1]) for line, written in zip(lines, out, strict=True))
        back = [list(json.loads(written).items()) for written in out]
        assert [items[:-3] for items in back] == [list(record.items()) for record in records]

    holds()


@each_kind
def test_numbers_that_json_does_not_have(trained: embedclf.TextClassifier, kind: str):
    """They are missing values in every format, and in all JSON that is printed."""
    Path("in.jsonl").write_text('{"text": "my parcel", "n": NaN, "of": [-Infinity, 1]}\n')
    embedclf.predict_file(trained, "in.jsonl", f"out.{kind}")
    _, ((_, n, of, *_),) = read(Path(f"out.{kind}"), "\t" if kind == "tsv" else ",")
    assert (n or None, of) == (None, [None, 1] if kind == "jsonl" else "[null, 1]")
    assert to_json({"a": (float("inf"), "NaN", 0.1), "é": float("nan")}) == '{"a": [null, "NaN", 0.1], "é": null}'


@each_kind
def test_fixed(cli: Cli, kind: str):
    """``check --fix`` writes what it keeps as it was, over the file itself."""
    path = Path(f"table.{kind}")

    @steadily
    @given(tables(("text", "label")), DELIMITERS)
    def holds(table: Table, delimiter: str) -> None:
        names, rows = table
        assume(rows and fits(kind, table))
        if kind == "tsv":
            delimiter = "\t"
        write(path, table, delimiter)
        kept: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            text, label = row[names.index("text")], row[names.index("label")]
            if is_usable(text):
                kept.setdefault((text, label), row)
        cli("check", path, "--fix", path, "--delimiter", delimiter)
        assert read(path, delimiter) == ([] if kind == "jsonl" and not kept else names, list(kept.values()))

    holds()


@pytest.mark.slow
@each_kind_and_packed
def test_gone_on_with(trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch, kind: str):
    """After a break at any chunk, the rest makes the file of one run, byte for byte; a workbook has its time in it."""
    monkeypatch.setattr("embedclf.prediction.scores.CHUNK_ROWS", 2)
    source, output, whole = Path(f"in.{kind.partition('.')[0]}"), Path(f"out.{kind}"), Path(f"whole.{kind}")

    @steadily
    @given(tables(n_rows=9), st.integers(0, 9), DELIMITERS)
    def holds(table: Table, after: int, delimiter: str) -> None:
        assume(fits(kind, table))
        if kind == "tsv":
            delimiter = "\t"
        write(source, table, delimiter)
        embedclf.predict_file(trained, source, whole, delimiter=delimiter)

        def stop(done: int, passed: int, share: float | None) -> None:
            if done >= after:
                raise KeyboardInterrupt

        try:
            embedclf.predict_file(trained, source, output, delimiter=delimiter, on_chunk=stop)
        except KeyboardInterrupt:
            done = embedclf.predict_file(trained, source, output, delimiter=delimiter, resume=True)
            assert (done.rows, done.rows_before >= after) == (len(table[1]), True)
        if kind == "xlsx":
            assert read(output, delimiter) == read(whole, delimiter)
        else:
            assert output.read_bytes() == whole.read_bytes()
        assert not list(Path().glob("*.part*"))

    holds()
