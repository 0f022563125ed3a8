"""``embedclf diff``, at the command line."""

import csv
import json
from pathlib import Path

import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import DATASETS, LABELS, QUICK, QUICKLY, SETS, SMALL, TEXTS
from running import Cli


def mixed(path: Path) -> Path:
    """Write the small corpus with a text that nobody was trained on, so that the file is none of the training files."""
    rows = [*zip(TEXTS, LABELS, strict=True), ("My login does not work", "password")]
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    return path


def test_a_better_model(cli: Cli, models: tuple[Path, Path], tmp_path: Path):
    """Figures, labels, rows, and the verdict last; the rows in a file."""
    result = cli("diff", *models, mixed(tmp_path / "test.csv").name, "-o", "changed.csv")
    assert (result.exit_code, result.stderr) == (0, "Wrote 11 rows to changed.csv\n")
    shown = result.stdout.splitlines()
    assert shown[:11] == [
        "figure    rows    old    new  Δ (95 %)",
        "accuracy    31  0.645  1.000  0.355 (0.132 to 0.549)",
        "macro-F1    31  0.523  1.000  0.477 (0.289 to 0.580)",
        "",
        "label     rows  old    new  Δ recall (95 %)",
        "password    11    –  1.000  new label",
        "",
        "No clear change in the recall of 2 other labels.",
        "The old model does not know 'password' (11 rows): counted as wrong.",
        "",
        "11 of 31 rows get a different answer: 0 worse, 11 better, 0 wrong both times.",
    ]
    assert shown[-2:] == [
        "The new model is better: accuracy +35.5 points (95 % interval +13.2 to +54.9).",
        "Also clear: macro-F1 +47.7 points (95 % interval +28.9 to +58.0).",
    ]
    with Path("changed.csv").open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    names = "line,text,label,old_label,old_confidence,new_label,new_confidence,change"
    assert ",".join(header) == names
    assert sorted(row[1] for row in rows) == sorted([*SMALL["password"], "My login does not work"])
    assert {(row[2], row[5], row[7]) for row in rows} == {("password", "password", "better")}
    assert all(row[3] in ("delivery", "refund") and 0 < float(row[4]) < 1 for row in rows)


def test_the_other_way_round_it_is_worse(cli: Cli, models: tuple[Path, Path], tmp_path: Path):
    """In JSON, each changed row has its line."""
    old, new = models
    shown = json.loads(cli("diff", new, old, mixed(tmp_path / "test.csv").name, "--json").stdout)
    assert (shown["verdict"], shown["n_worse"], shown["n_better"], shown["rows_needed"]) == ("worse", 11, 0, None)
    assert (shown["unknown_to_old"], shown["unknown_to_new"]) == ({}, {"password": 11})
    assert sorted(row["line"] for row in shown["changed"]) == [*range(12, 22), 32]
    assert shown["figures"][0]["difference"] == pytest.approx(-11 / 31)
    assert shown["usage"]["requests"] == 0


def test_few_rows_do_not_tell(cli: Cli, models: tuple[Path, Path], tmp_path: Path):
    """Two rows of a label that is new: it says how many would."""
    (tmp_path / "few.csv").write_text("text,label\nMy parcel is late,delivery\nI forgot my login,password\n")
    result = cli("diff", *models, "few.csv")
    assert "Warning: only 2 rows to compare on: metrics are unreliable\n" in result.stderr
    assert result.stdout.splitlines()[-1].startswith("Cannot tell with 2 rows: accuracy +50.0 points (95 % interval −")
    assert result.stdout.endswith(" rows like these would be enough.\n")


def test_the_margin_decides_what_matters(cli: Cli, models: tuple[Path, Path], tmp_path: Path):
    """In percentage points; the whole interval has to be within it."""
    test = mixed(tmp_path / "test.csv").name
    within = cli("diff", *models, test, "--margin", "56").stdout
    assert (
        "No difference that matters: accuracy +35.5 points (95 % interval +13.2 to +54.9), within ±56 points." in within
    )
    assert "The new model is better" in cli("diff", *models, test, "--margin", "54").stdout
    assert cli("diff", *models, test, "--margin", "100").exit_code == 2


def test_the_same_model_is_no_different(cli: Cli, models: tuple[Path, Path], tmp_path: Path):
    """Even on few rows: it gives every text the same probabilities."""
    shown = cli("diff", models[1], models[1], mixed(tmp_path / "test.csv").name).stdout
    assert "Both models give every row the same answer.\n" in shown
    assert shown.endswith("No difference: both models give every text the same probabilities.\n")


def test_rows_that_a_model_was_trained_on(cli: Cli, dataset: Path, models: tuple[Path, Path], tmp_path: Path):
    """It is said where that can be known: by the digest of the rows, or by files that are still there."""
    said = cli("diff", *models, dataset.name).stderr
    assert said == "Warning: the new model was trained on small.csv: its results are too optimistic\n"
    cli("train", dataset.name, "--embedder", "wordllama", *QUICKLY)
    said = cli("diff", models[0], "models/small.safetensors", mixed(tmp_path / "test.csv").name).stderr
    assert said == (
        "Warning: test.csv shares 30 rows with small.csv, which the new model was trained on: its results are too "
        "optimistic\n"
    )


def test_two_embedders(cli: Cli, api: AimlapiServer, dataset: Path, models: tuple[Path, Path]):
    """Each text is embedded once by each; the cost is that of both, and --max-cost limits it."""
    api_model = "aimlapi:text-embedding-3-small"
    for name, embedder in (("small", api_model), ("large", "aimlapi:text-embedding-3-large")):
        cli("train", dataset.name, "--embedder", embedder, *QUICKLY, "-o", f"{name}.safetensors")
    api.reset()
    Path("test.csv").write_text("text,label\n" + "My parcel is late,delivery\n" * 3 + "My login fails,password\n")
    both = ("diff", "small.safetensors", "large.safetensors", "test.csv")
    assert [line.partition(", ")[0] for line in cli(*both, "--dry-run").stdout.splitlines()] == [
        "aimlapi:text-embedding-3-large: 4 rows",
        "aimlapi:text-embedding-3-small: 4 rows",
        "Total: less than $0.0001",
    ]
    refused = cli(*both, "--max-cost", "0.0000001")
    assert (refused.exit_code, api.n_requests) == (1, 0)
    assert "with all embedders would cost" in refused.stderr
    assert cli(*both, "--json").exit_code == 0
    assert sorted(api.texts_sent) == sorted(["My parcel is late", "My login fails"] * 2)
    api.reset()
    # The same embedder twice, also without a cache.
    assert cli("diff", models[0], models[1], "test.csv", "--no-cache").exit_code == 0
    assert cli("diff", "small.safetensors", "small.safetensors", "test.csv", "--no-cache").exit_code == 0
    assert sorted(api.texts_sent) == ["My login fails", "My parcel is late"]


def test_several_labels(cli: Cli, tmp_path: Path):
    """Micro-F1 first, the F1 of labels, and rows that are nearer to their labels, or farther from them."""
    shown = [f'"{text}",{"|".join(own)}\n' for text, own in zip(TEXTS, SETS, strict=True)]
    Path("test.csv").write_text("text,labels\n" + "".join(shown))
    for name, sets in (("old", [(label,) for label in LABELS]), ("new", SETS)):
        embedclf.train(TEXTS, [list(one) for one in sets], embedder="wordllama", **QUICK).save(f"{name}.safetensors")
    result = cli("diff", "old.safetensors", "new.safetensors", "test.csv", "--label-separator", "|", "-o", "c.jsonl")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["micro-F1", "macro-F1", "exact"]
    assert "Δ F1 (95 %)" in result.stdout
    assert "The old model does not know 'urgent' (20 rows): counted as wrong." in lines
    assert lines[-2].startswith("Cannot tell with 30 rows: micro-F1 +")
    rows = [json.loads(line) for line in Path("c.jsonl").read_text().splitlines()]
    assert {"better"} <= {row["change"] for row in rows} <= {"better", "worse", "both wrong"}
    assert any(row["new_label"].split("|") == [row["label"].split("|")[0], "urgent"] for row in rows)


def test_one_label_and_several_are_not_compared(cli: Cli, dataset: Path, models: tuple[Path, Path]):
    embedclf.train(TEXTS, [list(one) for one in SETS], embedder="wordllama", **QUICK).save("several.safetensors")
    result = cli("diff", models[0], "several.safetensors", dataset.name)
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: the new model gives several labels per text and the old one gives one: their figures cannot be "
        "compared\n",
    )


def test_abstaining_and_costs(cli: Cli, models: tuple[Path, Path], tmp_path: Path):
    """What is answered is compared too; with costs, both give the answers of least expected cost."""
    test = mixed(tmp_path / "test.csv").name
    embedclf.load(models[1]).with_min_confidence(0.999).save("sure.safetensors")
    shown = cli("diff", models[1], "sure.safetensors", test, "-o", "c.csv").stdout
    assert "coverage" in shown
    assert "Also clear: coverage −" in shown
    assert Path("c.csv").read_text().splitlines()[0].endswith("new_confidence,old_answered,new_answered,change")
    Path("costs.csv").write_text("label,answer,cost\npassword,*,10\nrefund,,0.5\n")
    costly = json.loads(cli("diff", *models, test, "--costs", "costs.csv", "--json").stdout)
    cost = next(one for one in costly["figures"] if one["name"] == "mean cost")
    assert (cost["before"], cost["after"]) == (pytest.approx(110 / 31), pytest.approx(0))
    assert cost["difference"] < 0


def test_a_summary_is_appended(cli: Cli, models: tuple[Path, Path], tmp_path: Path):
    """As a code host's steps do; names are no markup."""
    test = mixed(tmp_path / "a_b|<i>@me.csv").name
    for _ in range(2):
        assert "Added a summary to s.md\n" in cli("diff", *models, test, "--summary", "s.md").stderr
    text = Path("s.md").read_text()
    start = r"### old.safetensors and new.safetensors on a\_b\|&lt;i&gt;@<!-- -->me.csv"
    assert text.count(start) == 2
    assert "**The new model is better: accuracy +35.5 points (95 % interval +13.2 to +54.9).**" in text
    assert "| accuracy | 31 | 0.645 | 1.000 | 0.355 (0.132 to 0.549) |\n" in text
    missing = cli("diff", *models, test, "--summary", "no/such/s.md")
    assert (missing.exit_code, missing.stderr.splitlines()[-1]) == (
        1,
        "Error: cannot write no/such/s.md: No such file or directory",
    )
    assert cli("diff", *models, test, "--summary", models[0]).exit_code == 1


def test_a_model_that_knows_none_of_the_labels(cli: Cli, models: tuple[Path, Path]):
    result = cli("diff", *models, DATASETS / "product_reviews_test.csv")
    assert result.exit_code == 1
    assert "the model knows none of the labels" in result.stderr
