"""Workbooks of Excel: what a person sees in a sheet is what is read, and texts stay texts when they are written."""

import datetime
import io
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import embedclf
from corpus import LABELS, QUICKLY, TEXTS
from embedclf.data.columns import Columns
from embedclf.data.excel_cells import as_cell, cell_as_text
from embedclf.data.reader import CorpusReader
from embedclf.data.reading import Reading
from running import Cli

openpyxl = pytest.importorskip("openpyxl")

UNLABELLED = Reading(labels="none")


def workbook(path: str, **sheets: Sequence[Sequence[Any]]) -> Path:
    """Write sheets with openpyxl."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return Path(path)


def cells(path: str) -> list[list[tuple[Any, str]]]:
    """Read the values and types of cells with openpyxl."""
    return [[(cell.value, cell.data_type) for cell in row] for row in openpyxl.load_workbook(path).active.iter_rows()]


def read(path: Path | str, reading: Reading = UNLABELLED) -> tuple[CorpusReader, list[dict[str, Any]]]:
    with CorpusReader(path, reading) as reader:
        return reader, [dict(row.record) for row in reader]


def rewritten(path: Path, part: str, content: str | bytes) -> None:
    """Replace a part of a workbook."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, old in {**parts, part: content}.items():
            archive.writestr(name, old)


def test_the_whole_way(cli: Cli):
    """Trained on, checked, predicted, and read again by what reads workbooks, and by us."""
    workbook("small.xlsx", Sheet1=[("Message", "Category"), *zip(TEXTS, LABELS, strict=True)])
    result = cli("train", "small.xlsx", *QUICKLY)
    assert result.exit_code == 0, result.stderr
    assert "small.xlsx: texts in 'Message', labels in 'Category'\nsmall.xlsx: 30 rows, 3 labels" in result.stderr
    result = cli("predict", "-m", "models/small.safetensors", "--input", "small.xlsx", "-o", "out.xlsx")
    assert result.exit_code == 0, result.stderr
    header, first, *rest = cells("out.xlsx")
    assert [value for value, _ in header] == ["Message", "Category", "predicted_label", "confidence", "error"]
    assert [value for value, _ in first[:3]] == ["Where is my parcel?", "delivery", "delivery"]
    assert (first[3][1], first[4], len(rest)) == ("n", (None, "n"), 29)
    result = cli("evaluate", "out.xlsx", "-m", "models/small.safetensors")
    assert result.exit_code == 0, result.stderr


def test_cells_of_every_type():
    """They read as they are shown, but dates as ISO 8601 has them; no line is lost where rows are empty."""
    rows: list[Sequence[Any]] = [
        (),
        ("text", "label", "more"),
        (12, 1, datetime.datetime(2024, 1, 31)),
        (None, None, None),
        ("a", 1.0, datetime.datetime(2024, 1, 31, 10, 5)),
        ("b", True, datetime.time(10, 5)),
        (" c\n", "007", 0.1 + 0.2),
        ("d", 2.50, "=1+1"),
        ("e", "x", "#N/A"),
        ("line _x000D_ break", "x", 123456789012345678),
    ]
    with CorpusReader(workbook("x.xlsx", Sheet1=rows), Reading()) as reader:
        found = [(row.line, *row.record.values()) for row in reader]
    assert found == [
        (3, "12", "1", "2024-01-31"),
        (5, "a", "1", "2024-01-31T10:05:00"),
        (6, "b", "True", "10:05:00"),
        (7, " c\n", "007", "0.3"),
        (8, "d", "2.5", ""),
        (9, "e", "x", ""),
        (10, "line \r break", "x", "123456789012346000"),
    ]


def test_saved_values_of_formulas():
    """Are read instead of the formulas."""
    path = workbook("x.xlsx", Sheet1=[("text",), ("=1+1",)])
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    rewritten(path, "xl/worksheets/sheet1.xml", xml.replace("<f>1+1</f><v />", "<f>1+1</f><v>2</v>"))
    assert read(path)[1] == [{"text": "2"}]


def test_the_first_visible_sheet_with_rows_is_read(caplog: pytest.LogCaptureFixture):
    """Which is said, if there are others."""
    workbook("x.xlsx", Empty=[], Hidden=[("text",), ("no",)], Data=[("text",), ("yes",)], More=[("text",)])
    book = openpyxl.load_workbook("x.xlsx")
    book["Hidden"].sheet_state = "hidden"
    book.save("x.xlsx")
    assert read("x.xlsx")[1] == [{"text": "yes"}]
    assert "x.xlsx: sheet 'Data' read, not 'Empty', 'Hidden', 'More'" in caplog.text


def test_rows_above_the_header_are_left_out(cli: Cli):
    """As people put a title over a table; which row it is, is said, and messages still name rows by their numbers."""
    rows = [("Customer review",), ("by", "Jo"), (), ("Message", "Team"), *zip(TEXTS, LABELS, strict=True), ("x",)]
    title = workbook("x.xlsx", Sheet1=rows)
    result = cli("train", title, "--label-column", "Team")
    assert "x.xlsx: header in row 4, below 'Customer review', texts in 'Message'\n" in result.stderr
    assert "  x.xlsx:35: the label is empty\n" in result.stderr
    assert read(title)[1][0] == {"Message": TEXTS[0], "Team": LABELS[0]}
    other = workbook("y.xlsx", Sheet1=[("Report",), ("Anfrage", "Team"), ("a", "b")])
    assert cli("train", other).stderr == (
        "Error: y.xlsx:1: the first row has only 'Report'. If the header is below it, name its columns with "
        "--text-column and --label-column, or delete the rows above it\n"
    )
    assert read(other, Reading(text_column="Anfrage", labels="none"))[1] == [{"Anfrage": "a", "Team": "b"}]


def test_a_sheet_of_remarks_is_passed_over(caplog: pytest.LogCaptureFixture):
    """If another has the columns that are looked for; a row of values is no header."""
    book = workbook("x.xlsx", Notes=[("Read me",), ("text",)], Data=[("text", "label"), ("a", "x")])
    assert read(book, Reading())[1] == [{"text": "a", "label": "x"}]
    assert "x.xlsx: sheet 'Data' read, not 'Notes'" in caplog.text
    numbers = workbook("y.xlsx", Sheet1=[("Anfrage", "n"), ("a", 2), ("b", 2)])
    remembered = Reading(usual=Columns("2", "1"), labels="none")
    assert len(read(numbers, remembered)[1]) == 3


def test_rows_that_are_wrong_are_named_by_their_numbers(cli: Cli):
    """As the sheet shows them; cells without a name over them are kept if they are among the first."""
    rows = [("text", "label"), ("a", "x"), (), ("b",), ("c", "y", "a remark")]
    assert cli("train", workbook("x.xlsx", Sheet1=rows)).stderr == (
        "Error: 1 row of x.xlsx cannot be used:\n  x.xlsx:4: the label is empty\nFix them, or use --skip-bad-rows.\n"
    )
    assert read("x.xlsx")[1][-1] == {"text": "c", "label": "y", "": "a remark"}


def test_without_a_header(cli: Cli):
    """The columns have numbers, are found by what they hold, and no header is written."""
    workbook("x.xlsx", Sheet1=[*zip(TEXTS, LABELS, strict=True)])
    assert "x.xlsx:1: the first line looks like a row: pass --no-header" in cli("train", "x.xlsx").stderr
    result = cli("train", "x.xlsx", "--no-header", *QUICKLY)
    assert "x.xlsx: no header, texts in column 1, labels in column 2" in result.stderr
    cli("predict", "-m", "models/x.safetensors", "--input", "x.xlsx", "-o", "out.xlsx")
    assert [value for value, _ in cells("out.xlsx")[0]][:2] == [TEXTS[0], LABELS[0]]


def test_texts_stay_texts(cli: Cli, model: Path):
    """A formula is none, a number with zeros keeps them, and what XML does not have is written as Excel does."""
    texts = ["=1+1", "007", "#N/A", "2024-01-31", " x ", "a\r\nb\0", "_x000D_", "😀\ufffe", "\u202e", "+1"]
    Path("in.jsonl").write_text("".join(json.dumps({"text": one, "n": 7, "ok": True}) + "\n" for one in texts))
    result = cli("predict", "-m", model, "--input", "in.jsonl", "-o", "out.xlsx")
    assert Path("out.xlsx").exists(), result.stderr
    rows = cells("out.xlsx")[1:]
    assert {row[0][1] for row in rows} == {"s"}
    assert {row[1] for row in rows} == {(7, "n")}
    assert {row[2] for row in rows} == {(True, "b")}
    assert rows[5][0][0] == "a_x000D_\nb_x0000_"
    assert [record["text"] for record in read("out.xlsx")[1]] == texts


def test_what_a_cell_cannot_hold(cli: Cli, model: Path):
    """A long text stops the run, which says where to write it instead."""
    Path("in.csv").write_text(f"text\nmy parcel\n{'my parcel ' * 4000}\n")
    result = cli("predict", "-m", model, "--input", "in.csv", "-o", "out.xlsx")
    assert result.exit_code == 1
    assert (
        "Error: cannot write out.xlsx: line 3 has 40,000 characters in 'text', and a cell holds 32,767; write to "
        "another format, such as .csv or .jsonl"
    ) in result.stderr
    assert not Path("out.xlsx").exists()


def test_small_files_of_settings(cli: Cli, dataset: Path):
    """A label map and costs may be workbooks, too."""
    workbook("map.xlsx", Sheet1=[("old", "new"), ("refund", "money"), ("password", None)])
    workbook("costs.xlsx", Sheet1=[("true label", "predicted label", "cost"), ("money", "delivery", 5)])
    result = cli("train", dataset, "--label-map", "map.xlsx", "--costs", "costs.xlsx", *QUICKLY)
    assert result.exit_code == 0, result.stderr
    assert "20 rows, 2 labels" in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,label\na,b\n", "d.xlsx: not an Excel file (.xlsx), despite its name"),
        (b"PK\x03\x04rest", "d.xlsx: this is a ZIP archive or an Excel file: unpack it, or save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "d.xlsx: this is an old Excel or Word file, or one with a password: "),
    ],
)
def test_what_is_none(cli: Cli, content: bytes, message: str):
    """Despite its name."""
    Path("d.xlsx").write_bytes(content)
    result = cli("train", "d.xlsx")
    assert result.exit_code == 1
    assert message in result.stderr


def test_damaged_parts_are_errors():
    """Whatever is in them."""
    good = workbook("x.xlsx", Sheet1=[("text", "label"), ("a", "b"), (1, 2)]).read_bytes()
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        parts = [name for name in archive.namelist() if name.endswith((".xml", ".rels"))]
    refused = []
    for part in parts:
        for content in (b"", b"<", b"\xff\xfe\0", b"<x/>", b"{}"):
            Path("x.xlsx").write_bytes(good)
            rewritten(Path("x.xlsx"), part, content)
            try:
                read("x.xlsx")
            except embedclf.DataError as error:
                refused.append(str(error))
    assert len(refused) > len(parts)
    assert all(one.startswith("x.xlsx: ") for one in refused)


def test_no_entities_and_no_bombs():
    """XML that defines its own words is refused, and so is a sheet of many gigabytes in a small file."""
    path = workbook("x.xlsx", Sheet1=[("text",), ("a",)])
    good = path.read_bytes()
    entity = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><sst><si><t>&a;</t></si></sst>'
    rewritten(path, "xl/sharedStrings.xml", entity)
    with pytest.raises(embedclf.DataError, match=r"a document type in xl/sharedStrings\.xml"):
        read(path)
    path.write_bytes(good)
    rewritten(path, "xl/worksheets/sheet1.xml", b" " * (100 << 20))
    with pytest.raises(embedclf.DataError, match="decompresses to more than 300 times its size"):
        read(path)


def test_sizes_that_are_not_true():
    """A sheet that says that it has a million columns is read by its cells."""
    path = workbook("x.xlsx", Sheet1=[("text", "label"), ("a", "b")])
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    assert '<dimension ref="A1:B2"' in xml
    rewritten(path, "xl/worksheets/sheet1.xml", xml.replace("A1:B2", "A1:XFD1048576"))
    assert read(path)[1] == [{"text": "a", "label": "b"}]


def test_without_openpyxl(cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch):
    """What has to be installed is said, before anything is done."""
    workbook("x.xlsx", Sheet1=[("text", "label"), ("a", "b")])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    needs = "Excel files need openpyxl: pip install 'embedclf[excel]'\n"
    assert cli("train", "x.xlsx").stderr == f"Error: x.xlsx: {needs}"
    assert cli("predict", "-m", model, "x", "-o", "out.xlsx").stderr == f"Error: cannot write out.xlsx: {needs}"


def test_not_through_a_pipe(process, model: Path):
    """A workbook has its index at the end, and is not written as it comes."""
    done = process("predict", "-m", model, "--input", "-", "-o", "out.csv", stdin=b"PK\x03\x04")
    assert done.stderr == (
        "Error: stdin: this is an Excel file or a ZIP archive, which is not read from standard input: pass its path\n"
    )


def test_cells_and_texts():
    """Each is the other's inverse for texts, and numbers come back as they were."""
    for text in ("", "a", "_x005F_", "_x000d_", "\x0b", "_", "é\r"):
        assert cell_as_text(as_cell(text)) == text
    for number in (7, 7.0, 0.25, True):
        assert as_cell(cell_as_text(number)) is number or as_cell(cell_as_text(number)) == number
    assert as_cell(10**15) == "1000000000000000"
    assert as_cell("\ud800") == "\\ud800"
