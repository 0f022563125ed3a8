"""From what a check found, by way of a spreadsheet, back into the file."""

import codecs
import csv
import json
from pathlib import Path

import pytest

import embedclf
from corpus import LABELS, TEXTS, write_csv
from embedclf.quality.corrections import Applied, apply_corrections
from running import Cli

ROWS = [
    ("1", "Where is my parcel?", "refund"),
    ("2", "I want my money back", "refund"),
    ("3", "I want my money back", "refund"),
    ("4", "Parcel lost", "delivery"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "data.csv", ROWS, ("id", "text", "label"))


def corrections(*rows: str, header: str = "line,text,label,action") -> str:
    Path("c.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return "c.csv"


def edited(path: str, **by_line: dict[str, str]) -> None:
    """Edit cells of a CSV as a person does, by the line in the dataset."""
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row.update(by_line.get(f"line_{row['line']}", {}))
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


class TestFromCheckToApply:
    """embedclf check --output, and embedclf apply."""

    def test_what_was_found_is_written_corrected_and_applied(self, cli: Cli, data: Path):
        """The person changes a label, drops a row, and leaves the rest; other columns and rows stay as they are."""
        done = cli("check", data, "-o", "suspects.csv", "--embedder", "words")
        assert (
            "Wrote 3 rows to suspects.csv\n"
            "Correct its labels, or enter drop in its column action; then run "
            f"embedclf apply suspects.csv {data} -o FILE\n"
        ) in done.stderr
        assert Path("suspects.csv").read_text() == (
            "kind,line,text,label,suggested_label,score,other_line,other_label,other_text,detail,action,"
            "original_label\n"
            "small_classes,5,Parcel lost,delivery,,1,,,,only 1 text,,delivery\n"
            "small_classes,2,Where is my parcel?,refund,,2,,,,only 2 texts,,refund\n"
            "duplicates,4,I want my money back,refund,,,3,refund,I want my money back,,,refund\n"
        )
        edited("suspects.csv", line_4={"action": "drop"}, line_5={"label": "lost"})
        done = cli("apply", "suspects.csv", data, "-o", "fixed.csv")
        assert done.exit_code == 0
        assert done.stdout == ""
        assert done.stderr == (
            "Warning: suspects.csv:2: the label 'lost' is new\nWrote 3 rows to fixed.csv (1 relabelled, 1 dropped)\n"
        )
        assert Path("fixed.csv").read_text() == (
            "id,text,label\n1,Where is my parcel?,refund\n2,I want my money back,refund\n4,Parcel lost,lost\n"
        )

    def test_an_unedited_file_changes_nothing(self, cli: Cli, data: Path):
        """Not a byte."""
        cli("check", data, "-o", "suspects.csv", "--embedder", "words")
        done = cli("apply", "suspects.csv", data, "-o", "same.csv")
        assert done.stderr == "Wrote 4 rows to same.csv (nothing changed)\n"
        assert Path("same.csv").read_bytes() == data.read_bytes()

    @pytest.mark.slow
    def test_a_suggestion_is_accepted_with_one_word(self, cli: Cli):
        """A label spelled in a second way is listed with all its rows, so that all of them can be relabelled."""
        rows = [*zip(TEXTS, LABELS, strict=True), ("parcel one", "Delivery"), ("parcel two", "Delivery")]
        write_csv(Path("d.csv"), [(f'"{text}"', label) for text, label in rows])
        cli("check", "d.csv", "--output", "s.csv", "--embedder", "words")
        found = list(csv.DictReader(Path("s.csv").read_text().splitlines()))
        variants = [row for row in found if row["kind"] == "label_variants"]
        assert [(row["line"], row["label"], row["suggested_label"]) for row in variants] == [
            ("32", "Delivery", "delivery"),
            ("33", "Delivery", "delivery"),
        ]
        Path("s.csv").write_text(
            "line,text,label,suggested_label,action\n"
            + "".join(f"{row['line']},{row['text']},Delivery,delivery,Relabel\n" for row in variants)
        )
        done = cli("apply", "s.csv", "d.csv", "-o", "f.csv", "--json")
        assert json.loads(done.stdout) == {
            "output": "f.csv",
            "n_rows": 32,
            "n_relabelled": 2,
            "n_dropped": 0,
            "new_labels": [],
            "other_files": [],
        }
        assert Path("f.csv").read_text().endswith("parcel one,delivery\nparcel two,delivery\n")

    def test_the_labels_filled_into_suggestions_go_back_into_their_file(self, cli: Cli, model: Path):
        """Also where that file has no labels yet."""
        write_csv(
            Path("inbox.csv"), [("1", "Parcel or refund?"), ("2", "hello there"), ("3", "log in")], ("id", "text")
        )
        cli("suggest", "inbox.csv", "-m", model, "-n", 2, "-o", "next.csv")
        first = next(csv.DictReader(Path("next.csv").read_text().splitlines()))
        edited("next.csv", **{f"line_{first['line']}": {"label": "other"}})
        done = cli("apply", "next.csv", "inbox.csv", "-o", "labelled.csv")
        assert done.stderr == "Wrote 3 rows to labelled.csv (1 relabelled)\n"
        rows = list(csv.DictReader(Path("labelled.csv").read_text().splitlines()))
        assert [row["label"] for row in rows] == ["other" if row["id"] == first["id"] else "" for row in rows]

    def test_several_files_are_checked_together_and_corrected_one_by_one(self, cli: Cli, data: Path):
        """Each row found names its file; a line break, a quote and an umlaut come through a spreadsheet unharmed."""
        odd = 'Größe "L"\r\npasst nicht, schade\rDanke'
        with Path("b.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("id", "text", "label"), ("1", odd, "refund"), ("2", odd, "refund")])
        done = cli("check", data, "b.csv", "-o", "s.csv", "--embedder", "words", "--report", "r.html")
        assert f"<bdi>{data.name} and b.csv (6 rows, 2 labels)</bdi>" in Path("r.html").read_text()
        assert f"run embedclf apply s.csv {data} -o FILE, and likewise for b.csv\n" in done.stderr
        assert Path("s.csv").read_bytes().startswith(codecs.BOM_UTF8)
        with Path("s.csv").open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        copies = [(row["file"], row["text"], row["other_file"]) for row in rows if row["kind"] == "duplicates"]
        assert copies == [(str(data), "I want my money back", str(data)), ("b.csv", odd, "b.csv")]
        with Path("s.csv").open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, rows[0], delimiter=";")
            writer.writeheader()
            # Spreadsheets write one kind of line break.
            writer.writerows({**row, "text": " ".join(row["text"].split()), "action": "drop"} for row in rows[-2:])
        done = cli("apply", "s.csv", data, "-o", "a.csv")
        assert done.stderr == (
            "s.csv: delimiter ';'\n"
            "Wrote 3 rows to a.csv (1 dropped)\ns.csv is also about b.csv: run embedclf apply s.csv b.csv -o FILE\n"
        )
        assert cli("apply", "s.csv", "b.csv", "-o", "c.csv").exit_code == 0
        assert Path("c.csv").read_bytes() == b'id,text,label\n1,"' + odd.replace('"', '""').encode() + b'",refund\n'

    def test_the_rows_found_can_be_json_lines(self, cli: Cli, data: Path):
        """By the extension, as everywhere."""
        cli("check", data, "-o", "s.jsonl", "--embedder", "words")
        first = json.loads(Path("s.jsonl").read_text().splitlines()[0])
        assert (first["kind"], first["line"], first["score"], first["action"]) == ("small_classes", 5, 1, None)
        assert cli("apply", "s.jsonl", data, "-o", "f.csv").exit_code == 0

    def test_rows_of_the_other_file_are_named_by_its_lines(self, cli: Cli, data: Path):
        """Where a text is in both."""
        write_csv(Path("test.csv"), [("x", "a"), ("Parcel lost", "lost")])
        cli("check", data, "--against", "test.csv", "-o", "s.csv", "--embedder", "words")
        found = {row["kind"]: row for row in csv.DictReader(Path("s.csv").read_text().splitlines())}
        assert (found["leakage"]["line"], found["leakage"]["other_line"]) == ("5", "3")
        assert found["leakage"]["other_label"] == "lost"

    def test_a_dry_run_writes_nothing(self, cli: Cli, data: Path):
        """As it says."""
        cli("check", data, "-o", "s.csv", "--embedder", "words", "--dry-run")
        assert not Path("s.csv").exists()

    def test_texts_beyond_ascii_are_marked_for_spreadsheets(self, cli: Cli):
        """With a byte order mark, without which they guess another encoding."""
        write_csv(Path("d.csv"), [("Wo ist es?", "a"), ("größer", "b")])
        cli("check", "d.csv", "-o", "s.csv", "--embedder", "words")
        assert Path("s.csv").read_bytes().startswith(b"\xef\xbb\xbfkind,")
        assert cli("apply", "s.csv", "d.csv", "-o", "f.csv").exit_code == 0
        assert Path("f.csv").read_bytes() == Path("d.csv").read_bytes()


class TestWhatIsRefused:
    """A stale or contradictory file never changes the wrong row."""

    def refused(self, data: Path, *rows: str, header: str = "line,text,label,action") -> list[str]:
        with pytest.raises(embedclf.BadRowsError) as raised:
            apply_corrections(corrections(*rows, header=header), data, "f.csv")
        assert not Path("f.csv").exists()
        return [fault.reason for fault in raised.value.faults]

    def test_the_message_says_what_to_do(self, cli: Cli, data: Path):
        """And names the line of the corrections, and where the text has gone."""
        done = cli("apply", corrections("2,Parcel lost,delivery,drop"), data, "-o", "f.csv")
        assert done.exit_code == 1
        assert done.stderr == (
            "Error: 1 row of c.csv cannot be applied, so nothing was written:\n"
            f"  c.csv:2: the row on line 2 of {data} does not have this text; that text is on line 5\n"
            "Fix them. If the dataset has changed since the file was written, write it again.\n"
        )

    def test_lines_that_are_not_there(self, data: Path):
        """Whether beyond the end, or no number at all."""
        (reason,) = self.refused(data, "9,Parcel lost now,delivery,drop")
        assert reason == f"the row on line 9 of {data} does not have this text"
        assert self.refused(data, "x,Parcel lost,delivery,drop") == ["the line is not a number ('x')"]

    def test_a_label_that_has_changed_meanwhile(self, data: Path):
        """A correction of one that is no longer there is not applied."""
        row = "5,Parcel lost,lost,,parcel"
        (reason,) = self.refused(data, row, header="line,text,label,action,original_label")
        assert reason == f"{data}:5 now has the label 'delivery', not 'parcel'"

    def test_contradictions(self, data: Path):
        """Between two lines, and within one."""
        assert self.refused(data, "5,Parcel lost,a,", "5,Parcel lost,b,") == [
            "contradicts line 2, which is about the same row"
        ]
        assert self.refused(data, "5,Parcel lost,a,keep") == ["the label was changed, but the action is 'keep'"]

    def test_a_deleted_label(self, data: Path):
        """It may be an accident, so dropping is asked for by name."""
        assert self.refused(data, "5,Parcel lost,,") == [
            "the label was deleted: restore it, or enter 'drop' as the action to drop the row"
        ]

    def test_an_action_that_is_not_known(self, data: Path):
        """Or has nothing to do."""
        assert self.refused(data, "5,Parcel lost,a,delete") == ["unknown action 'delete'; use keep, drop or relabel"]
        assert self.refused(data, "5,Parcel lost,delivery,relabel") == [
            "the action is 'relabel', but there is no suggested label: enter the new label as the label"
        ]

    def test_no_input_is_overwritten(self, cli: Cli, data: Path):
        """Neither of the two."""
        asked = corrections("5,Parcel lost,lost,")
        for path in (asked, data):
            done = cli("apply", asked, data, "-o", path)
            assert done.exit_code == 1
            assert "is the same file as" in done.stderr
        assert Path(asked).read_text().startswith("line,")

    def test_a_file_without_the_columns(self, cli: Cli, data: Path):
        """Named, with what is there."""
        done = cli("apply", corrections("Parcel lost,lost", header="text,label"), data, "-o", "f.csv")
        assert done.stderr == "Error: c.csv:1: no column 'line' (found: 'text', 'label')\n"
        done = cli("apply", corrections("5,Parcel lost", header="line,text"), data, "-o", "f.csv")
        assert done.stderr == "Error: c.csv:1: no column 'label' or 'action' (found: 'line', 'text')\n"

    def test_rows_that_cannot_be_read(self, data: Path):
        """Unless they are dropped, or left out."""
        data.write_text(data.read_text() + "5,a,b,c\n")
        asked = corrections("5,Parcel lost,lost,")
        with pytest.raises(embedclf.BadRowsError, match="cannot copy 1 row"):
            apply_corrections(asked, data, "f.csv")
        assert apply_corrections(asked, data, "f.csv", skip_bad_rows=True).n_rows == 4
        assert apply_corrections(corrections("6,,,drop"), data, "f.csv").n_dropped == 1


class TestSpreadsheets:
    """What they do to a file is undone, as far as it can be."""

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_any_delimiter_empty_rows_and_other_spaces(self, data: Path, delimiter: str):
        """They also sort, pad, and write whole numbers as decimals."""
        rows = [" 5.0 |Parcel  lost |lost| KEEP ", "|||", "2|Where is my parcel?|delivery|"]
        text = "\n".join(["line|text|label|action", *rows[1:]]).replace("|", delimiter)
        Path("c.csv").write_text(text, encoding="utf-8-sig")
        assert apply_corrections("c.csv", data, "f.csv") == Applied(4, 1, 0, ())
        Path("c.csv").write_text(f"line|text|action\n{rows[0].replace('lost| KEEP', 'drop')}\n".replace("|", delimiter))
        assert apply_corrections("c.csv", data, "f.csv") == Applied(3, 0, 1, ())

    def test_line_breaks_in_a_text(self, cli: Cli):
        """They may come back as others."""
        Path("d.csv").write_bytes(b'text,label\n"two\r\nlines",a\nx,b\n')
        Path("c.csv").write_bytes(b'line,text,label\n2,"two\nlines",b\n')
        assert cli("apply", "c.csv", "d.csv", "-o", "f.csv").exit_code == 0
        assert Path("f.csv").read_bytes() == b'text,label\n"two\r\nlines",b\nx,b\n'

    def test_another_encoding(self, cli: Cli, data: Path):
        """What to save it as is said."""
        Path("c.csv").write_bytes("line,text,label\n5,Größe,a\n".encode("cp1252"))
        done = cli("apply", "c.csv", data, "-o", "f.csv")
        assert done.stderr == "Error: c.csv: not in UTF-8: save it from the spreadsheet as 'CSV UTF-8'\n"

    def test_a_misspelt_label_is_noticed(self, data: Path, caplog: pytest.LogCaptureFixture):
        """The nearest that is known is named."""
        assert apply_corrections(corrections("2,Where is my parcel?,delivry,"), data, "f.csv").new_labels == (
            "delivry",
        )
        assert caplog.messages == ["c.csv:2: the label 'delivry' is new; did you mean 'delivery'?"]


class TestFormats:
    """The copy is as its original, whatever the format."""

    def test_json_lines_keep_every_row_that_is_not_changed(self):
        """And the types of labels."""
        Path("d.jsonl").write_text('{"text": "a", "label": 1, "x": 1.50}\n{"text": "b", "label": 2, "x": 2.50}\n')
        assert apply_corrections(corrections("1,a,3,"), "d.jsonl", "f.jsonl") == Applied(2, 1, 0, ("3",))
        assert Path("f.jsonl").read_text() == (
            '{"text": "a", "label": 3, "x": 1.5}\n{"text": "b", "label": 2, "x": 2.50}\n'
        )

    def test_other_columns_and_delimiters(self):
        """The corrections may use the dataset's names, as suggest does, or check's."""
        Path("d.csv").write_text("body;topic\na;x\nb;y\n")
        options = {"text_column": "body", "label_column": "topic", "delimiter": ";"}
        for header in ("line,text,label", "line,body,topic"):
            apply_corrections(corrections("2,a,y", header=header), "d.csv", "f.csv", **options)
            assert Path("f.csv").read_text() == "body;topic\na;y\nb;y\n"

    def test_parquet_keeps_its_types(self):
        """Of numbers and of categories."""
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        for labels, new in ((pa.array([1, 2, 2]), "1"), (pa.array(["x", "y", "y"]).dictionary_encode(), "z")):
            pq.write_table(pa.table({"text": ["a", "b", "c"], "label": labels, "n": [1, 2, 3]}), "d.parquet")
            Path("c.csv").write_text(f"line,text,label,action\n2,b,{new},\n3,c,,drop\n")
            apply_corrections("c.csv", "d.parquet", "f.parquet")
            table, before = pq.read_table("f.parquet"), pq.read_table("d.parquet")
            assert table.schema == before.schema
            assert [str(value) for value in table["label"].to_pylist()] == [str(labels[0].as_py()), new]
            assert table["n"].to_pylist() == [1, 2]

    def test_a_label_that_the_column_cannot_hold(self, cli: Cli):
        """Is named, with its line."""
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"text": ["a", "b"], "label": [1, 2]}), "d.parquet")
        done = cli("apply", corrections("1,a,one,"), "d.parquet", "-o", "f.parquet")
        assert done.exit_code == 1
        assert "c.csv:2: the column 'label' of type int64 cannot hold 'one'" in done.stderr
