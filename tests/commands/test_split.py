"""``embedclf split``, at the command line."""

import gzip
import json
from pathlib import Path

from corpus import write_csv
from running import Cli

ROWS = [
    ("the parcel has still not arrived", "delivery"),
    ("where may my boots be", "delivery"),
    ("nobody rang the bell this morning", "delivery"),
    ("your driver left it in the rain", "delivery"),
    ("tracking shows nothing since Friday", "delivery"),
    ("I lost my password and cannot log in", "password"),
    ("the lock of my account will not open", "password"),
]


def test_it_writes_both_sides_beside_the_file(cli: Cli, dataset: Path):
    """Every row is in one of them, in the order of the file."""
    result = cli("split", dataset)
    assert result.exit_code == 0
    train, test = Path("small_train.csv"), Path("small_test.csv")
    assert result.stdout.splitlines() == [
        f"{dataset.parent}/small_train.csv  24 rows (80.0 %), 3 labels",
        f"{dataset.parent}/small_test.csv   6 rows (20.0 %), 3 labels",
    ]
    lines = dataset.read_bytes().splitlines()
    written = [path.read_text().splitlines() for path in (train, test)]
    assert [one[0] for one in written] == ["text,label"] * 2
    assert len(written[0]) + len(written[1]) == len(lines) + 1


def test_a_packed_file_has_packed_sides(cli: Cli, dataset: Path):
    packed = dataset.with_name("small.csv.gz")
    packed.write_bytes(gzip.compress(dataset.read_bytes()))
    cli("split", packed)
    sides = [gzip.decompress(packed.with_name(f"small_{side}.csv.gz").read_bytes()) for side in ("train", "test")]
    assert all(side.startswith(b"text,label") for side in sides)


def test_rows_are_written_as_they_were(cli: Cli):
    """All columns, the delimiter and the byte order mark; records of JSON to the letter."""
    rows = "".join(f"{number};text number {chr(96 + number) * 9};{'xy'[number % 2]};\n" for number in range(1, 11))
    Path("t.csv").write_text("\ufeffid;text;label;note\n" + rows, encoding="utf-8")
    assert cli("split", "t.csv", "--test-output", "b.csv", "--train-output", "a.csv").exit_code == 0
    whole = [Path(name).read_text(encoding="utf-8").splitlines(keepends=True) for name in ("a.csv", "b.csv")]
    assert whole[0][0] == whole[1][0] == "\ufeffid;text;label;note\n"
    assert sorted(whole[0][1:] + whole[1][1:]) == sorted(rows.splitlines(keepends=True))
    records = [
        f'{{"text": "so {chr(97 + number) * 9}",  "label": "{"xy"[number % 2]}", "n": 1.50}}\n' for number in range(10)
    ]
    Path("t.jsonl").write_text("".join(records))
    assert cli("split", "t.jsonl").exit_code == 0
    both = [Path(f"t_{side}.jsonl").read_text().splitlines(keepends=True) for side in ("train", "test")]
    assert sorted(both[0] + both[1]) == sorted(records)


def test_files_that_were_not_named_are_not_replaced(cli: Cli, dataset: Path):
    """Unless --force says so; those that were named are, as everywhere."""
    test = dataset.with_name("small_test.csv")
    test.write_text("mine")
    result = cli("split", dataset)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {test} exists: replace it with --force, or choose another file with --test-output\n"
    )
    assert test.read_text() == "mine"
    assert not dataset.with_name("small_train.csv").exists()
    assert cli("split", dataset, "--force").exit_code == 0
    assert test.read_text() != "mine"
    assert cli("split", dataset, "--test-output", test, "--train-output", "a.csv").exit_code == 0


def test_it_says_what_stays_together_and_what_is_not_tested(cli: Cli):
    """In numbers, and by label."""
    write_csv(Path("t.csv"), [*ROWS, ("The parcel has still not arrived!!", "delivery"), ("one alone", "rare")])
    result = cli("split", "t.csv", "--test", "40%")
    assert result.stdout.splitlines()[2:] == [
        "2 rows in 1 group of duplicates and near-duplicates stay on the same side."
    ]
    assert result.stderr == "Warning: 1 label has no test row: rare (1 row)\n"
    shown = json.loads(cli("split", "t.csv", "--test", "40%", "--json", "--force").stdout)
    assert shown["not_tested"] == {"rare": 1}
    assert (shown["kept_together"], shown["groups"]) == (2, 1)
    assert shown["train"]["rows"] + shown["test"]["rows"] == 9


def test_standard_input_needs_names(cli: Cli):
    """There is none to go by."""
    result = cli("split", "-")
    assert result.exit_code == 2
    assert "use --train-output and --test-output" in result.stderr


def test_an_output_is_never_the_input(cli: Cli, dataset: Path):
    """Nor the other output."""
    assert "is the same file as" in cli("split", dataset, "--train-output", dataset).stderr
    assert "is the same file as" in cli("split", dataset, "--train-output", "a.csv", "--test-output", "a.csv").stderr


def test_bad_rows_and_shares(cli: Cli):
    """A row without a label stops it, unless it is skipped; a share of everything is none."""
    write_csv(Path("t.csv"), [*ROWS, ("nobody knows what this is", "")])
    assert "1 row of t.csv cannot be used" in cli("split", "t.csv").stderr
    assert cli("split", "t.csv", "--skip-bad-rows").exit_code == 0
    for share in ("0", "1", "100%"):
        result = cli("split", "t.csv", "--test", share)
        assert result.exit_code == 2
        assert "is not in the range 0<x<1" in result.stderr
