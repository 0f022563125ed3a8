"""``embedclf train``, at the command line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

import embedclf
from corpus import DATASETS, LABELS, TEXTS, write_csv
from embedclf.classifier.training_record import rows_digest
from running import Cli


def card(path: Path) -> dict:
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["embedclf"])


def test_it_prints_what_it_measured_and_where_it_saved(cli: Cli, dataset: Path):
    """The figures on stdout are those in the file, and everything else is on stderr."""
    result = cli("train", dataset)
    assert result.exit_code == 0
    held_out = card(Path("models/small.safetensors"))["held_out"]
    lines = result.stdout.splitlines()
    assert lines[0] == (
        f"Held-out test (6 rows): accuracy {held_out['accuracy']:.3f} (baseline 0.333, words alone "
        f"{held_out['words_accuracy']:.3f}), macro-F1 {held_out['macro_f1']:.3f}, "
        f"calibration error {held_out['ece']:.3f}"
    )
    assert re.fullmatch(r"Trained on all 30 rows \(logistic, C = [\d.]+, temperature [\d.]+\)", lines[1])
    assert re.fullmatch(r"Saved models/small.safetensors \(\d\.\d kB\)", lines[2])
    assert len(lines) == 3
    assert result.stderr.splitlines()[:2] == [
        f"{dataset}: 30 rows, 3 labels",
        "Embedder: wordllama:l2_supercat (256 dimensions; AIMLAPI_API_KEY is not set)",
    ]


@pytest.mark.slow
def test_twice_the_same_training_gives_the_same_bytes(process, dataset: Path):
    """Run twice, the file has the same bytes."""
    for name in ("a", "b"):
        done = process("train", dataset, "-o", f"{name}.safetensors", env={"PYTHONHASHSEED": "random"})
        assert done.returncode == 0, done.stderr
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()


def test_the_file_holds_what_is_known_and_nothing_secret(cli: Cli, dataset: Path):
    """The metadata has the drawn entries, and neither a text nor an absolute path is anywhere in the file."""
    cli("train", dataset, "--dimensions", 64, "--head", "centroid")
    known = card(Path("models/small.safetensors"))
    assert set(known) == {
        "format", "classes", "embedder", "head", "regularization", "temperature", "threshold", "out_of_scope_label",
        "n_examples",
        "held_out", "version", "training", "conformal", "blake2b",
    }  # fmt: skip
    assert known["training"] == {
        "digest": rows_digest(TEXTS, LABELS),
        "n_rows": 30,
        "holdout": 0.2,
        "label_counts": {"delivery": 10, "password": 10, "refund": 10},
    }
    assert known["embedder"] == {
        "provider": "wordllama",
        "model": "l2_supercat",
        "dimensions": 64,
        "endpoint": None,
    }
    assert (known["format"], known["classes"]) == (1, ["delivery", "password", "refund"])
    assert (known["head"], known["regularization"], known["threshold"]) == ("centroid", None, None)
    content = Path("models/small.safetensors").read_bytes()
    assert b"parcel" not in content
    assert str(dataset.parent).encode() not in content


def test_a_fixed_c_is_kept(cli: Cli, dataset: Path):
    """--C FLOAT is scikit-learn's, and is noted."""
    assert "C = 2.5," in cli("train", dataset, "--C", "2.5").stdout
    assert card(Path("models/small.safetensors"))["regularization"] == 2.5


def test_holdout_0_measures_nothing(cli: Cli, dataset: Path):
    """Without a holdout there is no figure, and no claim of one."""
    result = cli("train", dataset, "--holdout", 0)
    assert "held out" not in result.output
    assert card(Path("models/small.safetensors"))["held_out"] is None


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--head", "centroid", "--regularization", "1"], "--C only applies to --head logistic"),
        (["--regularization", "-1"], "must be 'auto' or a number above 0, got '-1'."),
        (["--C", "nan"], "must be 'auto' or a number above 0, got 'nan'."),
        (["--holdout", "1"], "1.0 is not in the range 0<=x<1"),
        (["--head", "forest"], "'forest' is not one of 'logistic', 'centroid'"),
        (["--delimiter", ";;"], "must be a single character"),
        (["--encoding", "utf-9"], "unknown text encoding 'utf-9'"),
    ],
)
def test_usage_errors_exit_2(cli: Cli, dataset: Path, args: list[str], message: str):
    """What is wrong with the command itself is said with exit code 2."""
    result = cli("train", dataset, *args)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--embedder", "worldllama"],
            "Error: unknown embedder 'worldllama'. Built in: wordllama, words, aimlapi:MODEL, fastembed:MODEL (see "
            "embedclf embedders). LangChain: PROVIDER:MODEL. Did you mean wordllama?\n",
        ),
        (
            ["--embedder", "openai"],
            "Error: unknown embedder 'openai'. Built in: wordllama, words, aimlapi:MODEL, fastembed:MODEL (see "
            "embedclf embedders). LangChain: PROVIDER:MODEL. Did you mean aimlapi:text-embedding-3-small?\n",
        ),
        (
            ["--embedder", "text-embedding-3-large"],
            "Error: unknown embedder 'text-embedding-3-large'. Built in: wordllama, words, aimlapi:MODEL, "
            "fastembed:MODEL (see embedclf embedders). LangChain: PROVIDER:MODEL. "
            "Did you mean aimlapi:text-embedding-3-large?\n",
        ),
        (
            ["--embedder", "wordllama:l3"],
            "Error: unknown WordLlama model 'l3'; its wheel contains only 'wordllama:l2_supercat'\n",
        ),
        (
            ["--dimensions", "100"],
            "Error: wordllama:l2_supercat supports 64, 128 or 256 dimensions, got 100\n",
        ),
    ],
)
def test_an_unknown_embedder_names_the_known_ones(cli: Cli, dataset: Path, args: list[str], message: str):
    """The error names what there is."""
    result = cli("train", dataset, *args)
    assert result.exit_code == 1
    assert result.stderr.endswith(message)


def test_a_bad_row_stops_and_is_named_by_its_line(cli: Cli, dataset: Path):
    """Rows without text or label are listed as file:line, nothing is written, and an option leaves them out."""
    with dataset.open("a") as file:
        file.write('"  ",refund\n"two\nlines",\nfoo,bar,baz\n')
    result = cli("train", dataset)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: 3 rows of {dataset} cannot be used:\n"
        f"  {dataset}:32: the text is empty\n"
        f"  {dataset}:33: the label is empty\n"
        f"  {dataset}:35: expected 2 fields as in the header, got 3 (extra: 'baz')\n"
        "Fix them, or use --skip-bad-rows.\n"
    )
    assert not Path("models").exists()
    result = cli("train", dataset, "--skip-bad-rows")
    assert result.exit_code == 0
    assert f"Skipped 3 rows:\n  {dataset}:32: the text is empty\n" in result.stderr
    assert "Trained on all 30 rows" in result.stdout


def test_one_class_is_not_enough(cli: Cli, tmp_path: Path):
    """A classifier needs two labels, and the error says which one there is."""
    path = write_csv(tmp_path / "one.csv", [("a", "x"), ("b", "x")])
    result = cli("train", path)
    assert result.exit_code == 1
    assert result.stderr.endswith("Error: only one class, 'x': a classifier needs at least two labels\n")


def test_a_label_with_one_row_is_trained_on_but_not_held_out(cli: Cli, dataset: Path):
    """A warning names it; the model knows it."""
    with dataset.open("a") as file:
        file.write("what are your opening hours,hours\n")
    result = cli("train", dataset)
    assert result.exit_code == 0
    assert "Warning: 'hours' has one example: used for training only\n" in result.stderr
    assert "hours" in card(Path("models/small.safetensors"))["classes"]


def test_a_holdout_that_is_too_large_says_what_works(cli: Cli, tmp_path: Path):
    """Every label needs a text to be trained on."""
    path = write_csv(tmp_path / "d.csv", [(f"text {i} {label}", label) for label in "abc" for i in range(2)])
    result = cli("train", path, "--holdout", 0.8)
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "Error: a holdout of 0.8 is too large: it would hold out 5 of 6 distinct texts, but every label needs at least "
        "one to train on. Use at most 0.5, or 0 to hold nothing out\n"
    )
    assert cli("train", path, "--holdout", 0.5).exit_code == 0


def test_two_rows_are_enough(cli: Cli, tmp_path: Path):
    """The smallest dataset trains, and says that its figures and confidences mean nothing."""
    path = write_csv(tmp_path / "d.csv", [("yes", "a"), ("no", "b")])
    result = cli("train", path)
    assert result.exit_code == 0
    assert "too few examples for a held-out test: accuracy not measured" in result.stderr
    assert "too few examples to calibrate on: confidences are unreliable" in result.stderr


@pytest.mark.parametrize("head", ["logistic", "centroid"])
def test_many_labels_of_one_row_each(process, tmp_path: Path, head: str):
    """They train, and nothing but our own remarks is printed."""
    path = write_csv(tmp_path / "d.csv", [(f"text number {i}", f"label {i}") for i in range(40)])
    done = process("train", path, "--head", head)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 6, done.stderr


@pytest.mark.parametrize("place", ["file.txt/model.safetensors", "folder", "/proc/no/model.safetensors"])
def test_an_output_that_cannot_be_written_is_found_out_first(cli: Cli, dataset: Path, place: str):
    """Before anything is embedded."""
    Path("file.txt").touch()
    Path("folder").mkdir()
    result = cli("train", dataset, "-o", place)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: cannot write {place}: ")
    assert "Embedder" not in result.stderr


def test_latest_is_what_predict_uses(cli: Cli, dataset: Path):
    """Train leaves the model's name in models/.latest, wherever the model is."""
    cli("train", dataset)
    cli("train", dataset, "-o", "elsewhere/m.safetensors")
    assert Path("models/.latest").read_text() == "elsewhere/m.safetensors\n"
    assert cli("predict", "my parcel").stderr == "Model: elsewhere/m.safetensors (most recently trained)\n"


def test_the_command_line_and_python_train_the_same(cli: Cli, dataset: Path):
    """embedclf.train(texts, labels) and embedclf train give the same classifier."""
    cli("train", dataset)
    loaded, trained = embedclf.load("models/small.safetensors"), embedclf.train(TEXTS, LABELS)
    assert (loaded.predict_proba(TEXTS) == trained.predict_proba(TEXTS)).all()
    assert loaded.card == trained.card
    assert sum(a == b for a, b in zip(loaded.predict(TEXTS), LABELS, strict=True)) >= 28


@pytest.mark.slow
def test_the_support_tickets_train_as_the_readme_shows(cli: Cli):
    """The first command of the README works, and neither head finds the dataset trivial."""
    for head in ("logistic", "centroid"):
        assert cli("train", DATASETS / "support_tickets.csv", "--head", head).exit_code == 0
        result = cli("evaluate", DATASETS / "support_tickets_test.csv", "--json")
        assert 0.6 < json.loads(result.stdout)["accuracy"] <= 0.97


def test_few_rows_are_not_taken_for_a_measurement(cli: Cli, dataset: Path):
    """Figures on a handful of rows carry a warning."""
    stderr = cli("train", dataset).stderr
    assert "Warning: only 6 rows held out: metrics are unreliable\n" in stderr
    assert "Warning: calibrated on only" not in stderr
    what = "the model models/small.safetensors (delivery, password, refund; 30 rows, saved 20"
    assert f"Would replace {what}" in cli("train", dataset, "--dry-run").stderr
    dataset.write_text("text,label\none a,x\ntwo b,x\nthree c,y\nfour d,y\n")
    assert "is a model with other labels: delivery" in cli("train", dataset, "--dry-run").stderr
    stderr = cli("train", dataset, "--force").stderr
    assert "Warning: calibrated on only 4 rows: confidences are unreliable\n" in stderr
    assert f"Replacing {what}" in stderr


@pytest.mark.slow
def test_a_path_that_is_not_utf_8(process, dataset: Path):
    """Is saved, shown with escapes, and remembered."""
    place = b"m/\xe9.safetensors".decode("utf-8", "surrogateescape")
    done = process("train", dataset, "-o", place)
    assert done.returncode == 0, done.stderr
    assert "Saved m/\\udce9.safetensors" in done.stdout
    assert process("predict", "my parcel").returncode == 0


@pytest.mark.slow
def test_a_full_standard_output_is_an_error(process, dataset: Path, model: Path):
    """And not a traceback."""
    for args in (["train", dataset], ["predict", "-m", model, "x"], ["evaluate", dataset, "-m", model]):
        with Path("/dev/full").open("wb") as full:
            command = [sys.executable, "-m", "embedclf", *map(str, args)]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 1
        assert done.stderr.endswith("Error: cannot write to standard output: no space left on device\n")


def test_a_closed_pipe_is_no_error(process, model: Path, tmp_path: Path):
    """``embedclf predict … | head -1`` ends quietly."""
    path = write_csv(tmp_path / "d.csv", [("my parcel", "x")] * 20_000)
    command = f"{sys.executable} -m embedclf predict -m {model} --input {path} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("delivery\t")
    assert done.stderr == ""
