"""``embedclf retrain``, at the command line."""

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import Result

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, QUICK, QUICKLY, TEXTS, write_csv
from embedclf.classifier import recorded_rows
from embedclf.classifier.model_file import model_bytes
from running import Cli

API = "aimlapi:text-embedding-3-small"
GOOGLE = "aimlapi:text-multilingual-embedding-002"
ROWS = [(f'"{text}"', label) for text, label in zip(TEXTS, LABELS, strict=True)]
FIGURE, DIFFERENCE = r"[01]\.\d{3}  \([01]\.\d{3} to [01]\.\d{3}\)", r"-?[01]\.\d{3} \(-?[01]\.\d{3} to -?[01]\.\d{3}\)"


@pytest.fixture
def old(cli: Cli, api: AimlapiServer, dataset: Path) -> Path:
    """A model trained with an embedder of AI/ML API, on a file with a relative name."""
    trained = cli("train", dataset.name, "--embedder", API, *QUICKLY)
    assert trained.exit_code == 0, trained.output
    api.reset()
    return Path("models/small.safetensors")


def failed(result: Result, message: str) -> None:
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, f"Error: {message}")


def test_both_are_measured_on_the_same_held_out_rows(cli: Cli, api: AimlapiServer, old: Path):
    """The old one by its cached vectors; the new one is written beside it, with the same settings."""
    before = old.read_bytes()
    result = cli("retrain", old, "--embedder", "wordllama")
    assert result.exit_code == 0, result.output
    assert result.stderr == (
        "small.csv: 30 rows, 3 labels\n"
        "Embedder: wordllama:l2_supercat (256 dimensions)\n"
        "Old embedder: aimlapi:text-embedding-3-small (1536 dimensions)\n"
        "Embedding: 30 texts, 30 from cache, 0 duplicates, 0 requests, 0 tokens, 0 credits, $0.00\n"
        "models/small.safetensors was trained without a held-out test: 20 % are held out to compare\n"
        "New: wordllama:l2_supercat, 256 dimensions\n"
        "Warning: only 6 rows held out: metrics are unreliable\n"
        "Old: aimlapi:text-embedding-3-small, 1,536 dimensions\n"
    )
    assert re.fullmatch(
        r"Held-out test \(6 rows\): accuracy .*\n"
        r"Trained on all 30 rows \(logistic, C = 1, temperature [\d.]+\)\n"
        r"\n"
        r"Held-out test \(6 rows, the same for both\):\n"
        r"model  embedder                         dims  rows  accuracy \(95 %\)          Δ accuracy \(95 %\)\n"
        rf"new    wordllama:l2_supercat             256    30  {FIGURE}  {DIFFERENCE}(, not significant)?\n"
        rf"old    aimlapi:text-embedding-3-small  1,536    30  {FIGURE}  –\n"
        r"\n"
        r"(Neither model is clearly better: the difference may be zero \(95 % interval .*\)\.|"
        r"The new model is better than the old one: its accuracy is 0\.\d{3} higher \(95 % interval .*\)\.)\n"
        r"Saved models/small-l2_supercat.safetensors \(\d\.\d kB\)\n",
        result.stdout,
    )
    assert (api.n_requests, old.read_bytes()) == (0, before)
    record = embedclf.load("models/small-l2_supercat.safetensors").card.training
    assert (record.files, record.features, record.C, record.n_rows) == (("small.csv",), "embedding", 1.0, 30)
    assert Path("models/.latest").read_text() == "models/small-l2_supercat.safetensors\n"


def test_the_cost_is_that_of_both(cli: Cli, api: AimlapiServer, old: Path):
    """Estimated for each, and limited in all; nothing is sent."""
    large = ("retrain", old, "--embedder", "aimlapi:text-embedding-3-large")
    estimates = cli(*large, "--no-cache", "--dry-run")
    assert [line.partition(", ")[0] for line in estimates.stdout.splitlines()] == [
        "aimlapi:text-embedding-3-large: 30 rows",
        "aimlapi:text-embedding-3-small: 30 rows",
        "Total: less than $0.0001",
    ]
    assert "nothing was sent" in cli(*large, "--no-cache", "--max-cost", "0.00002").stderr
    assert not api.n_requests
    assert json.loads(cli(*large, "--dry-run", "--json").stdout)["estimates"][1]["to_embed"] == 0
    # Two lengths of one model are cut from the same vectors, also without a cache.
    assert cli("retrain", old, "--dimensions", 256, "--no-cache").exit_code == 0
    assert sorted(api.texts_sent) == sorted(TEXTS)


@pytest.mark.parametrize("is_cached", [True, False])
def test_an_embedder_that_is_gone(cli: Cli, api: AimlapiServer, old: Path, is_cached: bool):
    """Its vectors come from the cache; if they are not there, its file has what is known."""
    api.hidden.add("text-embedding-3-small")
    if not is_cached:
        cli("cache", "clear", "--yes")
    shown = json.loads(cli("retrain", old, "--embedder", "wordllama", "--json").stdout)
    if is_cached:
        assert (shown["reason"], shown["old"]["n_held_out"]) == (None, 6)
        return
    assert (shown["old"], shown["difference"], shown["verdict"]) == (None, None, "unclear")
    assert shown["reason"].endswith("; not all of its vectors are in the cache")
    assert "404" in shown["reason"]


def test_vectors_are_found_without_the_embedder(cli: Cli, api: AimlapiServer, old: Path, monkeypatch):
    """Here at another address, which a model file cannot choose."""
    monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:9/v1")
    result = cli("retrain", old, "--embedder", "wordllama", "--json")
    assert json.loads(result.stdout)["reason"] is None
    assert "It cannot be opened (models/small.safetensors was trained with aimlapi:text-embedding-3-small at" in (
        result.stderr
    )
    assert not api.n_requests


# What the new embedder is told, by what it is asked for, where the old one is told to cluster, with a prompt.
TOLD = {
    ("--embedder", "aimlapi:text-embedding-3-large"): "aimlapi:text-embedding-3-large (prompt: 'query: ')",
    ("--embedder", "aimlapi:text-embedding-3-large", "--prompt", ""): "aimlapi:text-embedding-3-large",
    ("--embedder", "aimlapi:not-listed"): "aimlapi:not-listed (prompt: 'query: ')",
    ("--embedder", "aimlapi:not-listed", "--task", "similarity"): (
        "aimlapi:not-listed (task: similarity, prompt: 'query: ')"
    ),
    ("--embedder", GOOGLE, "--prompt", "q: "): f"{GOOGLE} (task: clustering, prompt: 'q: ')",
    ("--embedder", "ollama:m"): "ollama:m (prompt: 'query: ')",
    ("--task", "none"): f"{GOOGLE} (prompt: 'query: ')",
    ("--task", "SEMANTIC_SIMILARITY", "--prompt", ""): f"{GOOGLE} (task: similarity)",
}


def test_the_new_embedder_is_told_what_the_old_one_was(cli: Cli, api: AimlapiServer, dataset: Path):
    """As far as it is known to take that, unless something else is asked for."""
    cli("train", dataset.name, "--embedder", GOOGLE, "--task", "clustering", "--prompt", "query: ", *QUICKLY)
    old, told = Path("models/small.safetensors"), f"{GOOGLE} (task: clustering, prompt: 'query: ')"
    for asked, described in TOLD.items():
        estimates = cli("retrain", old, *asked, "--dry-run").stdout.splitlines()
        assert [line.partition(": 30 rows")[0] for line in estimates[:2]] == [described, told]
    failed(
        cli("retrain", old, "--embedder", GOOGLE),
        f"nothing has changed: {old} was trained with {told} on the same rows. Name another embedder with --embedder "
        "(embedder=…), or the file of other rows with --train-set",
    )
    failed(
        cli("retrain", old, "--task", "clustering", "--embedder", "wordllama"),
        "wordllama does not take a task: leave out --task (task=)",
    )
    result = cli("retrain", old, "--embedder", "wordllama")
    assert (
        "Warning: wordllama:l2_supercat is not told what the old embedder was told (task: clustering, prompt: "
        "'query: ')\n"
    ) in result.stderr
    assert f"Old embedder: {GOOGLE} (768 dimensions; task: clustering, prompt: 'query: ')\n" in result.stderr
    assert f"Old: {GOOGLE}, 768 dimensions, task: clustering, prompt: 'query: '\n" in result.stderr
    assert re.search(rf"\nold    {re.escape(told)} +768 +30 ", result.stdout)
    shown = json.loads(cli("retrain", old, "--task", "none", "--prompt", "", "--json").stdout)
    assert [shown["new"][name] for name in ("embedder", "task", "prompt")] == [GOOGLE, None, None]
    assert [shown["old"][name] for name in ("embedder", "task", "prompt")] == [GOOGLE, "clustering", "query: "]
    again = cli("retrain", old, "--task", "classification", "-o", shown["model"])
    assert f"Error: {shown['model']} is a model with another embedder: {GOOGLE} (30 rows" in again.stderr
    cli("train", dataset.name, "--embedder", GOOGLE, *QUICKLY)
    assert "Warning" not in cli("retrain", old, "--embedder", API, "--dry-run").stderr


def test_rows_that_have_changed_are_to_be_named(cli: Cli, api: AimlapiServer, old: Path):
    """Before anything is sent. If rows were only added, the old rows are measured beside them."""
    write_csv(Path("small.csv"), [*ROWS, ("a parcel for you", "delivery"), ("pay me back", "refund")])
    failed(
        cli("retrain", old),
        "small.csv has changed since models/small.safetensors was trained on it: 32 rows now, 30 then; the digest "
        "differs. To train on what is there now, name it: --train-set small.csv",
    )
    assert not api.n_requests
    result = cli("retrain", old, "--train-set", "small.csv", "--json")
    shown = json.loads(result.stdout)
    assert (shown["new"]["n_rows"], shown["old"]["n_rows"], shown["rows_changed"]) == (32, 30, True)
    assert shown["model"] == "models/small.safetensors"
    assert "Replacing the model models/small.safetensors (delivery, password, refund; 30 rows" in result.stderr
    assert "Old: the first 30 rows\n" in result.stderr
    assert api.n_requests == 1
    write_csv(Path("less.csv"), ROWS[1:])
    shown = json.loads(cli("retrain", old, "--train-set", "less.csv", "--json").stdout)
    assert shown["reason"] == (
        "the rows have changed, not only grown, so it is not known which of them the old one has seen"
    )
    assert shown["old"]["accuracy_interval"] is None


def test_a_model_is_not_replaced_by_one_with_another_embedder(cli: Cli, old: Path):
    """Unless by force."""
    command = ("retrain", old, "--embedder", "wordllama", "-o", old)
    result = cli(*command)
    assert re.search(
        r"Error: models/small.safetensors is a model with another embedder: aimlapi:text-embedding-3-small \(30 rows, "
        r"saved .*\)\. Replace it with --force, or choose another file with -o\n$",
        result.stderr,
    )
    assert cli(*command, "--force").exit_code == 0
    failed(
        cli("retrain", old),
        "nothing has changed: models/small.safetensors was trained with wordllama:l2_supercat on the same rows. Name "
        "another embedder with --embedder (embedder=…), or the file of other rows with --train-set",
    )
    cli("retrain", old, "--embedder", "wordllama", "--dimensions", 64)
    sized = Path("models/small-l2_supercat-64.safetensors")
    cli("retrain", sized, "--dimensions", 128)
    assert sized.with_name("small-l2_supercat-128.safetensors").is_file()


def test_files_are_read_as_in_training(cli: Cli, tmp_path: Path):
    """With the columns and settings of then; beside the model, if not in the current directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    os.chdir(folder)
    rows = "".join(f"{label};café {text.replace(';', '')}\n" for text, label in zip(TEXTS, LABELS, strict=True))
    Path("old.txt").write_bytes(f"kind;said\n{rows}".encode("latin-1"))
    columns = ("--label-column", "kind", "--text-column", "said")
    cli("train", "./old.txt", "--delimiter", ";", "--encoding", "latin-1", *columns, *QUICKLY, "-o", "m.safetensors")
    record = embedclf.load("m.safetensors").card.training
    assert (record.files, record.reading) == (("old.txt",), {"delimiter": ";", "encoding": "latin-1"})
    os.chdir(tmp_path)
    Path("old.txt").write_text("of another kind")
    result = cli("retrain", "here/m.safetensors", "--dimensions", 128)
    assert result.stderr.startswith("here/old.txt: texts in 'said', labels in 'kind' (as in training)\n")
    assert embedclf.load("here/m-l2_supercat-128.safetensors").card.training.reading == record.reading
    assert embedclf.retrain("here/m.safetensors", dimensions=64).rows_changed is False
    for name, rows in (("p.csv", ROWS[:15]), ("q.csv", ROWS[15:])):
        write_csv(Path(name), rows)
    cli("train", "p.csv", "q.csv", *QUICKLY, "-o", "pq.safetensors")
    write_csv(Path("q.csv"), ROWS[16:])
    failed(
        cli("retrain", "pq.safetensors"),
        "p.csv and q.csv have changed since pq.safetensors was trained on them: 29 rows now, 30 then; the digest "
        "differs. To train on what is there now, name them: --train-set p.csv --train-set q.csv",
    )


@pytest.mark.parametrize("kind", ["a link out of here", "a pipe", "a large file", "a folder"])
def test_a_model_file_makes_nothing_else_be_read(
    cli: Cli, old: Path, kind: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    """A file that only it names is a regular one, of bearable size, in one of two directories."""
    own = Path("small.csv")
    if kind == "a large file":
        monkeypatch.setattr(recorded_rows, "_MOST_BYTES", 100)
    else:
        outside = own.rename(tmp_path_factory.mktemp("outside") / "small.csv")
        make = {"a pipe": os.mkfifo, "a folder": os.mkdir, "a link out of here": lambda path: path.symlink_to(outside)}
        make[kind](own)
    failed(
        cli("retrain", old, "--embedder", "wordllama"),
        "models/small.safetensors was trained on small.csv, to be found neither here nor beside the model: name the "
        "file with --train-set FILE (in Python: texts and labels)",
    )


def test_in_python(trained: embedclf.TextClassifier, model: Path):
    """Lists leave a digest and no name; what is printed is what the command prints."""
    failing = [
        (lambda: embedclf.retrain(model), "does not say which file its 30 rows are from: name it with --train-set"),
        (lambda: embedclf.retrain(trained, TEXTS, LABELS), "nothing has changed: the classifier was trained with"),
    ]
    for call, message in failing:
        with pytest.raises(embedclf.EmbedclfError, match=message):
            call()
    result = embedclf.retrain(trained, TEXTS, LABELS, embedder="wordllama", dimensions=64)
    assert result.classifier.card.embedder.dimensions == 64
    assert (result.rows_changed, result.reason, result.new.n_held_out) == (False, None, 6)
    # Measured again, the old one is what it was.
    assert result.old.accuracy == trained.card.held_out.accuracy
    assert "Held-out test (6 rows, the same for both):\n" in str(result)
    assert "<td" in result._repr_html_()
    assert repr(result).endswith(f", {result.verdict}>")


def test_what_cannot_be_done_again(model: Path, trained: embedclf.TextClassifier):
    """Weights are to be passed again, and what uses words only has no embedder to change."""
    weights = [1.0, 2.0] * 15
    weighted = embedclf.train(TEXTS, LABELS, sample_weight=weights, class_weight={"refund": 2}, **QUICK)
    with pytest.raises(embedclf.ArgumentError, match="was trained with weights of its examples, which its file does"):
        embedclf.retrain(weighted, TEXTS, LABELS, dimensions=64)
    assert weighted.card.training.class_weight == {"refund": 2.0}
    again = embedclf.retrain(weighted, TEXTS, LABELS, dimensions=64, sample_weight=weights)
    assert again.classifier.card.training.weighted
    grown = embedclf.retrain(
        weighted, [*TEXTS, *TEXTS[:9]], [*LABELS, *["new"] * 9], sample_weight=[*weights, *[1] * 9]
    )
    assert (grown.reason, grown.old.n_rows) == (None, 30)
    words = embedclf.train(TEXTS, LABELS, **{**QUICK, "features": "words"})
    with pytest.raises(embedclf.ArgumentError, match=r"with words only on the same rows\. Name the file of other"):
        embedclf.retrain(words, TEXTS, LABELS)
    with pytest.raises(embedclf.ArgumentError, match="uses words only, and no embedder"):
        embedclf.retrain(words, TEXTS, LABELS, embedder="wordllama")


def test_a_file_that_does_not_say_how_it_was_trained(cli: Cli, dataset: Path, trained: embedclf.TextClassifier):
    """As those of older versions: with the usual settings, and rows that are named."""
    from dataclasses import replace

    Path("old.safetensors").write_bytes(model_bytes(trained.model, replace(trained.card, training=None)))
    again = ("retrain", "old.safetensors", "--embedder", "words")
    says = "old.safetensors does not say with which settings it was trained: the usual ones are used"
    result = cli(*again)
    assert result.stderr.startswith(f"Warning: {says}\n")
    failed(
        result,
        "old.safetensors does not say what it was trained on: name the file with --train-set FILE (in Python: texts "
        "and labels)",
    )
    assert json.loads(cli(*again, "--train-set", dataset, "--json").stdout)["rows_changed"] is None
