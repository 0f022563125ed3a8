"""No output takes the place of what is read, or of another output."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import embedclf
from corpus import write_csv
from running import Cli


@pytest.fixture(autouse=True)
def _nothing_is_embedded(request: pytest.FixtureRequest, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found out before that."""
    monkeypatch.setattr("embedclf.embedding.wordllama.WordLlamaEmbedder.embed", None)


def refused(cli: Cli, *args: object) -> str:
    result = cli(*args)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr.splitlines()[-1]


def test_evaluate(cli: Cli, dataset: Path, model: Path):
    """Neither the dataset, nor the train set, nor the model, nor one output over the other."""
    before, of_model = dataset.read_bytes(), model.read_bytes()
    other = write_csv(Path("train.csv"), [("my parcel", "delivery"), ("my refund", "refund")])
    base = ("evaluate", dataset, "-m", model)
    assert refused(cli, *base, "--errors", "small.csv") == (
        f"Error: --errors small.csv is the same file as the dataset {dataset}: choose another"
    )
    assert refused(cli, *base, "--report", dataset).startswith(f"Error: --report {dataset} is the same file as the da")
    assert refused(cli, *base, "--train-set", other, "--errors", "./x/../train.csv") == (
        "Error: --errors ./x/../train.csv is the same file as --train-set train.csv: choose another"
    )
    assert refused(cli, *base, "--report", model) == (
        f"Error: --report {model} is the same file as the model {model}: choose another"
    )
    assert refused(cli, *base, "--errors", "x.csv", "--report", "./x.csv") == (
        "Error: --report ./x.csv is the same file as --errors x.csv: choose another"
    )
    assert dataset.read_bytes() == before
    assert model.read_bytes() == of_model
    assert not Path("x.csv").exists()


def test_predict(cli: Cli, dataset: Path, model: Path, monkeypatch: pytest.MonkeyPatch):
    """Neither the input nor the model, wherever the latter's name comes from."""
    base = ("predict", "-m", model, "--input", dataset)
    assert refused(cli, *base, "--output", "small.csv") == (
        f"Error: --output small.csv is the same file as --input {dataset}: choose another"
    )
    Path("m.csv").symlink_to(model)
    monkeypatch.setenv("EMBEDCLF_MODEL", str(model))
    assert refused(cli, "predict", "a text", "--output", "m.csv") == (
        f"Error: --output m.csv is the same file as the model {model}: choose another"
    )


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_by_another_name(cli: Cli, dataset: Path, model: Path, link):
    """A link of either kind is the file."""
    link(dataset, "link.csv")
    assert refused(cli, "predict", "-m", model, "--input", dataset, "--output", "link.csv") == (
        f"Error: --output link.csv is the same file as --input {dataset}: choose another"
    )


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
@pytest.mark.parametrize("beside", ["o.csv.part", "o.csv.part.json"])
def test_what_stands_beside_an_output(cli: Cli, dataset: Path, model: Path, trained, link, beside: str):
    """What predict writes a file by is no input either, by name or link, for who uses Python as well."""
    source, before = Path(beside), dataset.read_bytes()
    if link is None:
        source.write_bytes(before)
    else:
        link(dataset, beside)
        source = dataset
    base = ("predict", "-m", model, "--output", "o.csv")
    for more in ([], ["--resume"]):
        assert refused(cli, *base, "--input", source, *more) == (
            f"Error: --output o.csv needs {beside} beside it, which is the same file as --input {source}: "
            "choose another"
        )
    with pytest.raises(embedclf.OutputError) as caught:
        embedclf.predict_file(trained, source, "o.csv")
    assert str(caught.value) == (
        f"the output o.csv needs {beside} beside it, which is the same file as the input {source}: choose another"
    )
    assert caught.value.path == "o.csv"
    assert Path(beside).read_bytes() == before
    assert not Path("o.csv").exists()


def test_a_model_beside_an_output(cli: Cli, dataset: Path, model: Path):
    """It is read as well."""
    Path("o.csv.part").write_bytes(model.read_bytes())
    assert refused(cli, "predict", "-m", "o.csv.part", "--input", dataset, "--output", "o.csv") == (
        "Error: --output o.csv needs o.csv.part beside it, which is the same file as the model o.csv.part: "
        "choose another"
    )
    assert Path("o.csv.part").read_bytes() == model.read_bytes()


def test_in_python(trained, dataset: Path):
    """The output of predict_file is not its input, under whatever name."""
    before = dataset.read_bytes()
    Path("link.csv").symlink_to(dataset)
    with pytest.raises(embedclf.OutputError, match=r"^the output link\.csv is the same file as the input "):
        embedclf.predict_file(trained, dataset, "link.csv")
    assert dataset.read_bytes() == before


@pytest.mark.parametrize(("output", "needs"), [("in.csv", ""), ("o.csv", " needs o.csv.part beside it, which")])
def test_a_file_as_the_standard_input(dataset: Path, model: Path, output: str, needs: str):
    """It is a file by another name."""
    source = Path("in.csv" if output == "in.csv" else "o.csv.part")
    source.write_bytes(dataset.read_bytes())
    command = [sys.executable, "-m", "embedclf", "predict", "-m", str(model), "--input", "-", "--output", output]
    with source.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, timeout=60)
    assert done.stderr == f"Error: --output {output}{needs} is the same file as --input -: choose another\n"
    assert done.returncode == 1
    assert source.read_bytes() == dataset.read_bytes()


def test_what_does_not_exist_yet(cli: Cli, dataset: Path, model: Path):
    """Through a link to a folder, too."""
    Path("here").symlink_to(".")
    message = refused(cli, "evaluate", dataset, "-m", model, "--errors", "new/x.csv", "--report", "here/new/x.csv")
    assert message == "Error: --report here/new/x.csv is the same file as --errors new/x.csv: choose another"
    assert not Path("new").exists()


def test_train(cli: Cli, dataset: Path):
    """Not over the dataset, nor over the record of the latest model."""
    assert refused(cli, "train", dataset, "-o", "./small.csv") == (
        f"Error: -o small.csv is the same file as the dataset {dataset}: choose another"
    )
    assert refused(cli, "train", dataset, "-o", "models/.latest") == (
        "Error: -o models/.latest is the same file as the record of the latest model, models/.latest: choose another"
    )


@pytest.mark.parametrize("command", ["cross-validate", "learning-curve", "compare"])
def test_the_others(cli: Cli, dataset: Path, command: str):
    """Neither a page nor a table takes the place of the dataset."""
    message = f"small.csv is the same file as the dataset {dataset}: choose another"
    assert refused(cli, command, dataset, "--report", "small.csv") == f"Error: --report {message}"
    if command == "cross-validate":
        assert refused(cli, command, dataset, "--output", "small.csv") == f"Error: --output {message}"
        assert refused(cli, command, dataset, "--output", "x.csv", "--report", "x.csv") == (
            "Error: --report x.csv is the same file as --output x.csv: choose another"
        )


def test_the_standard_input_is_no_file(process, model: Path):
    """Though a file may be named like it."""
    Path("-").write_text("what was there")
    done = process("predict", "-m", model, "--input", "-", "--output", "./-", stdin="text\nmy parcel\n")
    assert (done.returncode, done.stderr) == (0, "Wrote 1 row to ./-\n")


@pytest.mark.slow
def test_what_is_no_regular_file_is_written_to_twice(process, dataset: Path, model: Path):
    """Nothing there is overwritten."""
    done = process("evaluate", dataset, "-m", model, "--errors", "/dev/null", "--report", "/dev/null")
    assert done.returncode == 0, done.stderr
