"""Files of any size through ``embedclf predict --output``: chunk by chunk, broken off, gone on with; and Parquet."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from joblib import parallel_config

import embedclf
from aimlapi_server import AimlapiServer, error
from corpus import LABELS, QUICK, SUPPORT, TEXTS, write_csv
from embedclf.classifier.multilabel import make_classifier
from embedclf.classifier.reference import AnswerReference
from embedclf.classifier.scope import ScopeRule
from running import Cli, wait_until

N_ROWS = 10_000
CHUNK = 4_096


def rows(n: int = N_ROWS) -> list[tuple[str, str]]:
    """Give ids and texts, one in a thousand of which is at fault."""
    return [(str(i), "" if i % 1_000 == 999 else f"{TEXTS[i % 30].replace(',', ' ')} {i}") for i in range(n)]


def lines(kind: str, n: int = N_ROWS) -> str:
    if kind == "jsonl":
        return "".join(json.dumps({"id": int(i), "text": text, "tags": ["ä"]}) + "\n" for i, text in rows(n))
    between = "\t" if kind == "tsv" else ","
    return "".join(f"{i}{between}{text}\n" for i, text in [("id", "text"), *rows(n)])


def beside(output: str = "out") -> list[str]:
    return sorted(path.name for path in Path().iterdir() if path.name.startswith(output))


def noted(output: str) -> int:
    """Give how many rows the journal says are done."""
    journal = Path(f"{output}.part.json")
    return int(json.loads(journal.read_text())["rows"]) if journal.exists() else 0


@contextmanager
def stuck_in_the_middle(model: Path, kind: str, output: str, *more: str) -> Iterator["subprocess.Popen[str]"]:
    """Run predict on a pipe that bears the input's name, and gives two chunks and a half of it."""
    pipe = Path(f"in.{kind}")
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "embedclf", "predict", "-m", str(model), "--input", str(pipe), "--output", output]
    running = subprocess.Popen([*command, *more], stderr=subprocess.PIPE, text=True)
    try:
        with pipe.open("w") as file:
            file.write("".join(lines(kind).splitlines(keepends=True)[: 2 * CHUNK + CHUNK // 2]))
            file.flush()
            wait_until(lambda: noted(output) == 2 * CHUNK)
            yield running
    finally:
        running.kill()
        running.wait()
        if running.stderr is not None:
            running.stderr.close()
        pipe.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
@pytest.mark.exhaustive
def test_killed_in_the_middle_and_gone_on_with(cli: Cli, model: Path, kind: str):
    """After kill -9, --resume makes the file of an unbroken run, byte for byte, and leaves nothing beside it."""
    out = f"out.{kind}"
    with stuck_in_the_middle(model, kind, out, "--top-k", "2") as running:
        running.kill()
        running.wait()
    assert beside() == [f"{out}.part", f"{out}.part.json"]
    Path(f"in.{kind}").write_text(lines(kind))
    # whatever was written after the last note is not whole
    with Path(f"{out}.part").open("ab") as file:
        file.write(b"half a li")
    resumed = cli("predict", "-m", model, "--input", f"in.{kind}", "--output", out, "--top-k", 2, "--resume")
    assert resumed.exit_code == 1
    head, *listed = resumed.stderr.splitlines()
    assert head == f"Wrote 10,000 rows to {out} (8,192 by an earlier run)"
    assert listed[0] == "Error: 10 of 10,000 texts could not be classified:"
    assert len(listed) == 11
    assert beside() == [out]
    whole = cli("predict", "-m", model, "--input", f"in.{kind}", "--output", f"whole.{kind}", "--top-k", 2)
    assert whole.stderr.splitlines() == [f"Wrote 10,000 rows to whole.{kind}", *listed]
    assert Path(out).read_bytes() == Path(f"whole.{kind}").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv.gz", "jsonl.zst", "xlsx"])
def test_a_packed_output_is_gone_on_with(cli: Cli, model: Path, kind: str):
    """After kill -9, too: what was noted is whole, and what came after it is written again."""
    out = f"out.{kind}"
    with stuck_in_the_middle(model, "csv", out) as running:
        running.kill()
        running.wait()
    with Path(f"{out}.part").open("ab") as file:
        file.write(b"\x1f\x8b half a member")
    Path("in.csv").write_text(lines("csv"))
    resumed = cli("predict", "-m", model, "--input", "in.csv", "--output", out, "--resume")
    assert resumed.stderr.splitlines()[0] == f"Wrote 10,000 rows to {out} (8,192 by an earlier run)"
    assert beside() == [out]
    cli("predict", "-m", model, "--input", "in.csv", "--output", f"whole.{kind}")
    if kind == "xlsx":
        sheets = [openpyxl.load_workbook(name).active for name in (out, "whole.xlsx")]
        assert list(sheets[0].values) == list(sheets[1].values)
    else:
        assert Path(out).read_bytes() == Path(f"whole.{kind}").read_bytes()


@pytest.mark.slow
def test_interrupted_by_ctrl_c(model: Path):
    """The message says how to go on; without --resume the rest is written over, which is said as well."""
    with stuck_in_the_middle(model, "csv", "out.csv") as running:
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert (
        f"Warning: Stopped after 8,192 rows of in.csv (saved in {Path('out.csv.part').resolve()}). "
        "Continue with --resume (resume=True)." in said
    )
    with stuck_in_the_middle(model, "csv", "out.csv") as running:
        running.kill()
        _, said = running.communicate()
    assert said == (
        f"Warning: Overwriting 8,192 rows from an interrupted run in {Path('out.csv.part').resolve()}; "
        "use --resume (resume=True) to continue such a run\n"
    )


@pytest.mark.slow
def test_two_runs_do_not_write_one_file(cli: Cli, model: Path, dataset: Path):
    """The second is told, and the first goes on."""
    with stuck_in_the_middle(model, "csv", "out.csv"):
        for more in ([], ["--resume"]):
            second = cli("predict", "-m", model, "--input", dataset, "--output", "out.csv", *more)
            assert second.stderr == "Error: cannot write out.csv: another run is writing out.csv.part\n"
        assert noted("out.csv") == 2 * CHUNK


def test_a_file_is_its_runs_own_until_it_is_in_its_place(
    trained: embedclf.TextClassifier, dataset: Path, monkeypatch: pytest.MonkeyPatch
):
    """A second run that comes while it is moved there is told, too, and what is there in the end is whole."""
    embedclf.predict_file(trained, dataset, "expected.csv")
    replace, second = Path.replace, []

    def replaced(path: Path, target: Path) -> Path:
        if path.name == "out.csv.part":
            with pytest.raises(embedclf.OutputError, match=r"another run is writing out\.csv\.part"):
                embedclf.predict_file(trained, dataset, "out.csv")
            second.append(path)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", replaced)
    embedclf.predict_file(trained, dataset, "out.csv")
    assert len(second) == 1
    assert Path("out.csv").read_bytes() == Path("expected.csv").read_bytes()
    embedclf.predict_file(trained, dataset, "out.csv")  # nothing is held any longer


def test_a_part_that_has_been_moved_into_place_is_not_written_to(
    trained: embedclf.TextClassifier, dataset: Path, monkeypatch: pytest.MonkeyPatch
):
    """As where the run before ends between a second one's opening the part and its getting it."""
    fcntl = pytest.importorskip("fcntl")
    Path("out.csv.part").write_text("what the run before has written")  # it has taken its journal away already
    flock = fcntl.flock

    def moved_first(file: Any, operation: int) -> None:
        with suppress(FileNotFoundError):
            Path("out.csv.part").rename("first.csv")
            monkeypatch.setattr(fcntl, "flock", flock)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", moved_first)
    embedclf.predict_file(trained, dataset, "out.csv")
    assert Path("first.csv").read_text() == "what the run before has written"
    assert Path("out.csv").read_text().startswith("text,")


def broken_off(classifier: embedclf.TextClassifier, *args: Any, after: int = CHUNK, **options: Any) -> None:
    """Break off `embedclf.predict_file` when so many rows are done."""

    def stop(done: int, passed: int, share: float | None) -> None:
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embedclf.predict_file(classifier, *args, on_chunk=stop, **options)


@pytest.mark.slow
def test_what_differs_is_not_gone_on_with(cli: Cli, model: Path, trained: embedclf.TextClassifier):
    """Other rows, columns, options or another classifier are refused by name, and the part stays."""
    Path("in.csv").write_text(lines("csv"))
    broken_off(trained, "in.csv", "out.csv")
    other = embedclf.train(TEXTS, LABELS, head="centroid")
    other.save("other.safetensors")

    def refused(reason: str, *args: object) -> None:
        args = args if "-m" in args else ("-m", model, *args)
        result = cli("predict", "--input", "in.csv", "--output", "out.csv", "--resume", *args)
        assert result.stderr.endswith(f"Error: cannot resume out.csv: {reason}. Run without --resume to start over\n")
        assert noted("out.csv") == CHUNK

    refused("it was started with a different classifier", "-m", "other.safetensors")
    rule = ScopeRule(0.0, 1.0, 0.0, 1.0)
    card = replace(trained.card, out_of_scope_label="other", scope=rule)
    make_classifier(trained.embedder, replace(trained.model, scope=rule), card).save("scope.safetensors")
    refused("it was started with a different classifier", "-m", "scope.safetensors")
    refused("it was started with a different --min-confidence (min_confidence)", "--min-confidence", "0.5")
    refused("it was started with a different --top-k (top_k)", "--top-k", "2")
    refused("it was started with a different --coverage (coverage)", "--coverage", "0.9")
    same = "the first 4,096 rows of in.csv have changed since it was started"
    refused(same, "--text-column", "id")
    Path("in.csv").write_text(lines("csv").replace(" 4000\n", " 4001\n"))
    refused(same)
    Path("in.csv").write_text(lines("csv", 4_000))
    refused(same)
    Path("in.csv").write_text(lines("csv").replace("id,text\n", "number,text\n"))
    refused("it was started from a file with different columns")
    refused("it was started with a different --delimiter (delimiter)", "--delimiter", ",")
    Path("in.csv").write_text(lines("csv") + "10000,my parcel\n")
    grown = cli("predict", "-m", model, "--input", "in.csv", "--output", "out.csv", "--resume")
    assert grown.stderr.startswith("Wrote 10,001 rows to out.csv (4,096 by an earlier run)\n")


@pytest.mark.parametrize("cache", [[], ["--no-cache"]])
def test_no_request_is_sent_twice(cli: Cli, api: AimlapiServer, monkeypatch: pytest.MonkeyPatch, cache: list[str]):
    """An error of the API leaves what is done; going on sends the rest only, with a cache and without."""
    embedclf.train(TEXTS, LABELS, **QUICK).save("m.safetensors")
    monkeypatch.setattr("embedclf.prediction.scores.SENT_CHUNK_ROWS", 64)
    write_csv(Path("in.csv"), [(f"a text {i}",) for i in range(200)], header=("text",))
    api.reset()
    api.fault = lambda request: error(401, "no such key") if "a text 150" in request.texts else None
    run = ["predict", "-m", "m.safetensors", "--input", "in.csv", "--output", "out.csv", "--batch-size", 64, *cache]
    failed = cli(*run)
    assert failed.exit_code == 1
    assert "Warning: Stopped after 128 rows of in.csv (saved in " in failed.stderr
    assert "Error: " in failed.stderr
    sent = len(api.texts_sent)
    api.fault = None
    assert "Wrote 200 rows to out.csv (128 by an earlier run)\n" in cli(*run, "--resume").stderr
    assert sorted(api.texts_sent[sent:]) == sorted(f"a text {i}" for i in range(128, 200))
    with Path("out.csv").open(newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == [f"a text {i}" for i in range(200)]


def test_what_is_done_costs_nothing(cli: Cli, api: AimlapiServer, monkeypatch: pytest.MonkeyPatch):
    """What --dry-run and --max-cost estimate of a run that is gone on with, without a cache, is its rest."""
    embedclf.train(TEXTS, LABELS, **QUICK).save("m.safetensors")
    monkeypatch.setattr("embedclf.prediction.scores.SENT_CHUNK_ROWS", 64)
    write_csv(Path("in.csv"), [(f"a text {i}",) for i in range(200)], header=("text",))
    api.fault = lambda request: error(401, "no such key") if "a text 150" in request.texts else None
    run = ["predict", "-m", "m.safetensors", "--input", "in.csv", "--output", "out.csv", "--no-cache"]
    whole = cli(*run, "--dry-run").stdout
    assert whole.startswith("200 rows, 200 unique, 0 cached, 200 to embed: about 590 tokens")
    assert cli(*run).exit_code == 1
    assert noted("out.csv") == 128
    api.fault = None
    assert cli(*run, "--dry-run").stdout == whole
    assert cli(*run, "--dry-run", "--resume").stdout.startswith(
        "72 rows, 72 unique, 0 cached, 72 to embed: about 216 t"
    )
    limit = 450 * 0.02 / 1e6  # dollars
    assert "would cost" in cli(*run, "--max-cost", limit).stderr
    assert "Wrote 200 rows to out.csv (128 by an earlier run)" in cli(*run, "--max-cost", limit, "--resume").stderr


def test_nothing_to_go_on_with(cli: Cli, model: Path, dataset: Path):
    """--resume starts with the first row then, and says so; empty files are nothing."""
    start = "No interrupted run of out.csv found; starting from row 1\nWrote 30 rows to out.csv\n"
    for empty in ([], ["out.csv.part"], ["out.csv.part.json"], ["out.csv.part", "out.csv.part.json"]):
        for name in empty:
            Path(name).touch()
        assert cli("predict", "-m", model, "--input", dataset, "--output", "out.csv", "--resume").stderr == start
        assert beside() == ["out.csv"]
    pipe = cli("predict", "-m", model, "--input", dataset, "--output", "/dev/null", "--resume")
    assert pipe.stderr.startswith("Error: cannot resume /dev/null: it is not a regular file.")
    assert cli("predict", "-m", model, "--resume", "a text").exit_code == 2


class TestFilesOfOthers:
    """What is in the way of a part or its journal, and was not written by us, is left as it is."""

    @pytest.fixture
    def refused(self, cli: Cli, model: Path, dataset: Path, trained: embedclf.TextClassifier) -> Any:
        def refused(name: str, reason: str) -> None:
            message = f"cannot write out.csv: {name} is in the way: {reason}. Move it, or choose another output"
            before = {path.name: path.lstat() for path in Path().iterdir()}
            for more in ([], ["--resume"]):
                result = cli("predict", "-m", model, "--input", dataset, "--output", "out.csv", *more)
                assert (result.exit_code, result.stderr) == (1, f"Error: {message}\n")
                with pytest.raises(embedclf.OutputError) as caught:
                    embedclf.predict_file(trained, dataset, "out.csv", resume=bool(more))
                assert str(caught.value) == message
            after = {path.name: path.lstat() for path in Path().iterdir()}
            assert [(name, at.st_ino, at.st_size, at.st_mtime_ns) for name, at in after.items()] == [
                (name, at.st_ino, at.st_size, at.st_mtime_ns) for name, at in before.items()
            ]

        return refused

    NOT_OURS = "embedclf did not write it, or it does not match out.csv.part.json"

    def test_a_part_without_a_journal(self, refused: Any):
        """It is somebody else's."""
        Path("out.csv.part").write_text("precious")
        refused("out.csv.part", self.NOT_OURS)

    def test_a_part_with_the_journal_of_another(self, refused: Any, trained: embedclf.TextClassifier):
        """It is shorter than what that says is whole."""
        Path("in.csv").write_text(lines("csv"))
        broken_off(trained, "in.csv", "out.csv")
        Path("out.csv.part").write_text("precious")
        refused("out.csv.part", self.NOT_OURS)

    @pytest.mark.parametrize(
        "journal",
        ["no JSON", "[]", "{}", '{"bytes": 9}', '{"bytes": "x"}', "[" * 100_000, "\0",
         '{"bytes": -1, "rows": 0, "texts": "", "n_faults": 0, "faults": [], "settings": {}}'],
    )  # fmt: skip
    @pytest.mark.parametrize("part", ["precious", "", None])
    def test_a_journal_that_is_none(self, refused: Any, journal: str, part: str | None):
        """With a part beside it and without."""
        Path("out.csv.part.json").write_text(journal)
        if part is not None:
            Path("out.csv.part").write_text(part)
        refused("out.csv.part.json", "embedclf did not write it")

    @pytest.mark.parametrize("name", ["out.csv.part", "out.csv.part.json"])
    @pytest.mark.parametrize("to", ["precious", "nothing", "pipe"])
    def test_symbolic_links(self, refused: Any, name: str, to: str):
        """They are not followed, wherever they lead."""
        Path("precious").write_text("precious")
        os.mkfifo("pipe")
        Path(name).symlink_to(to)
        refused(name, "it is not a regular file")
        assert Path("precious").read_text() == "precious"

    @pytest.mark.parametrize("name", ["out.csv.part", "out.csv.part.json"])
    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
    def test_pipes_and_folders(self, refused: Any, name: str, make: Any):
        """Nobody waits for a pipe."""
        make(name)
        refused(name, "it is not a regular file")

    def test_hard_links(self, refused: Any, trained: embedclf.TextClassifier):
        """Who writes to a part that has another name writes to that."""
        Path("in.csv").write_text(lines("csv"))
        broken_off(trained, "in.csv", "out.csv")
        os.link("out.csv.part", "a_copy")
        refused("out.csv.part", "it is a hard link to another file")

    def test_other_names_are_free(self, trained: embedclf.TextClassifier, dataset: Path):
        """Nothing else beside an output is touched."""
        for name in ("out.csv.part.json.new", "out.part", "out.json", ".out.csv.part"):
            Path(name).write_text("precious")
        embedclf.predict_file(trained, dataset, "out.csv")
        assert {path.name for path in Path().iterdir() if path.read_text() == "precious"} == {
            "out.csv.part.json.new", "out.part", "out.json", ".out.csv.part",
        }  # fmt: skip


@pytest.mark.slow
@pytest.mark.exhaustive
def test_ended_at_any_step(model: Path):
    """A run that is killed at any step leaves what the next one takes over, and its output is that of one run."""
    Path("in.csv").write_text("text\n" + "".join(f"{text.replace(',', ' ')}\n" for text in TEXTS))
    script = SUPPORT / "ending_early.py"
    # Python warns of forks, and the only thread that counts here is the one that forks.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(script), str(model), "in.csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    n_ended, n_gone_on = map(int, done.stdout.split())
    assert n_ended > 20
    assert 0 < n_gone_on < n_ended


@pytest.mark.slow
@pytest.mark.parametrize("place", ["journal", "folder"])
def test_an_interrupt_while_it_is_noted(trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch, place: str):
    """What the disk has is gone on with, and said to be."""
    fsync, chunks = os.fsync, []

    def synced(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        if len(chunks) == 2 and (path.is_dir() if place == "folder" else path.name.startswith(".")):
            raise KeyboardInterrupt
        fsync(descriptor)

    Path("in.csv").write_text(lines("csv"))
    monkeypatch.setattr(os, "fsync", synced)
    with pytest.raises(KeyboardInterrupt):
        embedclf.predict_file(trained, "in.csv", "out.csv", on_chunk=lambda *_: chunks.append(1))
    monkeypatch.setattr(os, "fsync", fsync)
    done = embedclf.predict_file(trained, "in.csv", "out.csv", resume=True)
    assert done.rows_before == (2 * CHUNK if place == "folder" else CHUNK)


def test_what_is_noted_outlasts_a_loss_of_power(trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch):
    """The part is on the disk before its journal, a journal before its name, and that before the work goes on."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def named(descriptor: int) -> str:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        return "folder" if path.is_dir() else re.sub(r"^\.[0-9a-f]{16}\.part$", "new", path.name)

    def synced(descriptor: int) -> None:
        steps.append(f"sync {named(descriptor)}")
        fsync(descriptor)

    def replaced(path: Path, target: Path) -> Path:
        steps.append(f"name {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    Path("in.csv").write_text(lines("csv", CHUNK + 1))
    embedclf.predict_file(trained, "in.csv", "out.csv", on_chunk=lambda *_: steps.append("chunk"))
    journal = ["sync new", "name out.csv.part.json", "sync folder"]
    assert steps == [
        *journal, *2 * ["chunk", "sync out.csv.part", *journal], "sync out.csv.part", "name out.csv", "sync folder",
    ]  # fmt: skip
    steps.clear()
    trained.save("m.safetensors")
    assert steps == ["sync new", "name m.safetensors", "sync folder"]


@pytest.mark.slow
def test_the_standard_input_is_gone_on_with_if_it_is_the_same(process, model: Path, trained):
    """What is done is read past, and compared."""
    Path("in.csv").write_text(lines("csv"))
    broken_off(trained, "in.csv", "out.csv")
    args = ("predict", "-m", model, "--input", "-", "--output", "out.csv", "--resume")
    other = process(*args, stdin=lines("csv").replace("parcel", "letter"))
    assert "the first 4,096 rows of stdin have changed since it was started" in other.stderr
    assert process(*args, stdin=lines("csv")).stderr.startswith(
        "Wrote 10,000 rows to out.csv (4,096 by an earlier run)\n"
    )


def test_in_python(trained: embedclf.TextClassifier):
    """`embedclf.predict_file` gives a record with rows, the first 20 faults of all, and seconds."""
    Path("in.csv").write_text("id,text\n" + "".join(f"{i},{'' if i % 2 else 'my parcel'}\n" for i in range(60)))
    seen = []
    done = embedclf.predict_file(trained, "in.csv", "out.jsonl", top_k=9, on_chunk=lambda *given: seen.append(given))
    assert seen == [(0, 0, 1.0)]
    assert (done.rows, done.rows_before, done.n_faults, len(done.faults)) == (60, 0, 30, 20)
    assert done.to_dict()["faults"][0] == {"line": 3, "reason": "the text is empty"}
    assert done.seconds > 0
    record = json.loads(Path("out.jsonl").read_text().splitlines()[0])
    assert list(record)[2:] == [
        "predicted_label", "confidence", "top_2_label", "top_2_confidence", "top_3_label", "top_3_confidence", "error",
    ]  # fmt: skip
    with pytest.raises(embedclf.DataError, match="file not found"):
        embedclf.predict_file(trained, "none.csv", "out.csv")
    assert beside() == ["out.jsonl"]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_memory_stays_flat(trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch):
    """Three times the rows take no more of it at once: not 10 bytes a row, which is less than any text or answer.

    Chunks are small, so that few rows make many; what a whole process has for 2,000,000 rows, a benchmark measures.
    """
    monkeypatch.setattr("embedclf.prediction.scores.CHUNK_ROWS", 256)
    few, many = 4 * 256, 12 * 256
    for n in (few, many):
        Path(f"{n}.csv").write_text("id,text\n" + "".join(f"{i},a text\n" for i in range(n)))

    def most(n: int) -> int:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        assert embedclf.predict_file(trained, f"{n}.csv", "out.csv").rows == n
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()
    try:
        most(few)  # with what is imported and loaded once
        after_few, after_many = most(few), most(many)
    finally:
        tracemalloc.stop()
    assert after_many - after_few < 10 * (many - few)


class TestParquet:
    """The rows of a Parquet file, types and all."""

    @pytest.fixture(autouse=True)
    def _arrow(self) -> None:
        pytest.importorskip("pyarrow", reason="needs embedclf[parquet]")

    def table(self, n: int = N_ROWS) -> Any:
        import pyarrow as pa

        texts = [text or None for _, text in rows(n)]
        return pa.table(
            {
                "id": pa.array(range(n), pa.uint16()),
                "text": pa.array(texts, pa.large_string()),
                "when": pa.array([1_700_000_000_123_456_789 + i for i in range(n)], pa.timestamp("ns", "UTC")),
                "price": pa.array([Decimal(i) / 100 for i in range(n)], pa.decimal128(9, 2)),
                "kind": pa.array(["äb", "c", None] * (n // 3) + ["c"] * (n % 3), pa.string()).dictionary_encode(),
                "tags": pa.array([["a", "b"], [], None] * (n // 3) + [[]] * (n % 3), pa.list_(pa.string())),
                "raw": pa.array([b"\x00\xff"] * n, pa.binary()),
                "sure": pa.array([float("nan"), 0.5] * (n // 2) + [1.0] * (n % 2), pa.float32()),
                "confidence": pa.array([True] * n),
            }
        ).replace_schema_metadata({"mine": "kept"})

    def write(self, path: str = "in.parquet", n: int = N_ROWS) -> Any:
        import pyarrow.parquet as pq

        pq.write_table(self.table(n), path, row_group_size=3_000)
        return pq.read_table(path)

    @pytest.mark.slow
    def test_types_are_carried_over(self, cli: Cli, model: Path, trained: embedclf.TextClassifier):
        """Each column comes out with its type and values, metadata stay, and what is added has types of its own."""
        import pyarrow.parquet as pq

        table = self.write()
        result = cli("predict", "-m", model, "--input", "in.parquet", "--output", "out.parquet")
        assert result.stderr.splitlines()[:3] == [
            "Wrote 10,000 rows to out.parquet",
            "Error: 10 of 10,000 texts could not be classified:",
            "  in.parquet:1000: 'text' is missing",
        ]
        out = pq.read_table("out.parquet")
        own = out.select(table.column_names)
        assert own.schema.equals(table.schema, check_metadata=True)
        assert own.drop_columns(["sure"]).equals(table.drop_columns(["sure"]))
        assert str(own["sure"].to_pylist()) == str(table["sure"].to_pylist())
        assert {name: str(out.schema.field(name).type) for name in out.column_names[9:]} == {
            "predicted_label": "string", "confidence_2": "double", "error": "string",
        }  # fmt: skip
        usable = [text for _, text in rows() if text]
        assert [label for label in out["predicted_label"].to_pylist() if label] == trained.predict(usable)
        assert beside() == ["out.parquet"]

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_broken_off_and_gone_on_with(self, trained: embedclf.TextClassifier):
        """The same table comes out as of an unbroken run; also from CSV."""
        import pyarrow.parquet as pq

        self.write()
        Path("in.csv").write_text(lines("csv"))
        for name in ("in.parquet", "in.csv"):
            broken_off(trained, name, "out.parquet", after=2 * CHUNK)
            with Path("out.parquet.part").open("ab") as file:
                file.write(b"\xff\xff\xff\xff half a batch")
            done = embedclf.predict_file(trained, name, "out.parquet", resume=True)
            assert (done.rows, done.rows_before) == (N_ROWS, 2 * CHUNK)
            embedclf.predict_file(trained, name, "whole.parquet")
            first, second = pq.read_table("out.parquet"), pq.read_table("whole.parquet")
            assert first.schema.equals(second.schema, check_metadata=True)
            assert first.to_pandas().equals(second.to_pandas())
            assert beside() == ["out.parquet"]

    def strange(self) -> Any:
        """A table of types that are written to Parquet, and that Python or a stream of Arrow's has no word for."""
        import pyarrow as pa

        kinds = pa.array(["low", "high", None]).dictionary_encode()
        has_views = int(pa.__version__.partition(".")[0]) >= 21  # before, they could not be written
        return pa.table(
            {
                "text": pa.array(["my parcel", "my refund", None], pa.string_view() if has_views else pa.string()),
                "raw": pa.array([b"\x00", None, b"\xff"], pa.binary_view() if has_views else pa.binary()),
                "kinds": pa.ListArray.from_arrays(pa.array([0, 1, 3, 3], pa.int32()), kinds),
                "about": pa.StructArray.from_arrays(
                    [kinds, pa.array([float("nan"), 1.5, None])], names=["kind", "x"]
                ),
                "times": pa.array([[1_001], None, [0, None]], pa.list_(pa.timestamp("ns"))),
                "by": pa.array([[("a", 10**15)], [], None], pa.map_(pa.string(), pa.timestamp("ms"))),
                "took": pa.array([1_001, None, -5], pa.duration("ns")),
                "far": pa.array([2**62, 0, None], pa.duration("s")),
            }
        )  # fmt: skip

    def test_strange_types_are_carried_over(self, cli: Cli, model: Path):
        """Also where only some of the rows are written."""
        import pyarrow.parquet as pq

        pq.write_table(self.strange(), "in.parquet")
        table = pq.read_table("in.parquet")
        assert cli("predict", "-m", model, "--input", "in.parquet", "--output", "out.parquet").exit_code == 1
        out = pq.read_table("out.parquet").select(table.column_names)
        assert out.schema.equals(table.schema)
        assert str(out["about"].to_pylist()) == str(table["about"].to_pylist())
        assert out.drop_columns(["about"]).equals(table.drop_columns(["about"]))
        pq.write_table(table.append_column("label", [["password", "password", ""]]), "in.parquet")
        cli("evaluate", "in.parquet", "-m", model, "--errors", "wrong.parquet", "--skip-bad-rows")
        assert sorted(pq.read_table("wrong.parquet")["text"].to_pylist()) == ["my parcel", "my refund"]

    @pytest.mark.slow
    def test_an_order_of_categories_stays(self, trained: embedclf.TextClassifier):
        """As it was given, and not as the rows have them; also after a break."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        places = pa.array([2, 0, None] * 4_000, pa.int8())
        sizes = pa.DictionaryArray.from_arrays(places, pa.array(["small", "middle", "large"]), ordered=True)
        pq.write_table(pa.table({"text": ["a text"] * 12_000, "size": sizes}), "in.parquet", row_group_size=5_000)
        broken_off(trained, "in.parquet", "out.parquet", after=2 * CHUNK)
        embedclf.predict_file(trained, "in.parquet", "out.parquet", resume=True)
        own, there = (pq.read_table(name)["size"] for name in ("in.parquet", "out.parquet"))
        assert there.equals(own)
        assert there.chunk(0).dictionary.to_pylist() == ["small", "middle", "large"]

    def test_strange_types_in_json(self, cli: Cli, model: Path):
        """Each comes out whole, and as JSON."""
        import pyarrow.parquet as pq

        pq.write_table(self.strange(), "in.parquet")
        assert cli("predict", "-m", model, "--input", "in.parquet", "--output", "out.jsonl").exit_code == 1
        first, second, third = (
            json.loads(line, parse_constant=pytest.fail) for line in Path("out.jsonl").read_text().splitlines()
        )
        assert {name: first[name] for name in list(first)[1:8]} == {
            "raw": "\0", "kinds": ["low"], "about": {"kind": "low", "x": None},
            "times": ["1970-01-01 00:00:00.000001001"], "by": [["a", "<value out of range: 1000000000000000>"]],
            "took": "1001 ns", "far": "4611686018427387904 s",
        }  # fmt: skip
        assert (second["times"], second["took"], third["took"]) == (None, None, "-5 ns")

    def test_two_columns_of_one_name(self, cli: Cli, model: Path):
        """Each keeps its values."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table([["my parcel"], ["one"], ["two"]], names=["text", "x", "x"]), "in.parquet")
        for kind in ("csv", "parquet"):
            assert cli("predict", "-m", model, "--input", "in.parquet", "--output", f"out.{kind}").exit_code == 0
        assert Path("out.csv").read_text().startswith("text,x,x_2,predicted_label,confidence,error\nmy parcel,one,two,")
        assert pq.ParquetFile("out.parquet").read().columns[1:3] == [
            pa.chunked_array([["one"]]),
            pa.chunked_array([["two"]]),
        ]

    @pytest.mark.slow
    def test_other_types_are_not_gone_on_with(self, trained: embedclf.TextClassifier):
        """What was begun with one type cannot be gone on with in another."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = self.write()
        broken_off(trained, "in.parquet", "out.parquet", after=2 * CHUNK)
        pq.write_table(table.set_column(0, "id", table["id"].cast(pa.int64())), "in.parquet")
        with pytest.raises(embedclf.OutputError, match=r"started from a file whose columns have different types\. "):
            embedclf.predict_file(trained, "in.parquet", "out.parquet", resume=True)

    @pytest.mark.slow
    def test_a_part_that_is_damaged(self, trained: embedclf.TextClassifier):
        """Is said so when it is to become a Parquet file."""
        self.write()
        broken_off(trained, "in.parquet", "out.parquet", after=2 * CHUNK)
        with Path("out.parquet.part").open("r+b") as file:
            file.write(b"\0" * 1_000)
        with pytest.raises(
            embedclf.OutputError, match=r"^cannot write out\.parquet: .* is damaged \(.*without --resume"
        ):
            embedclf.predict_file(trained, "in.parquet", "out.parquet", resume=True)

    def test_long_values_do_not_fill_the_memory(self):
        """Groups of rows are written before they take much of it."""
        import pyarrow.parquet as pq

        from embedclf.data.parquet_sink import ParquetSink

        sink = ParquetSink(["text"], None, {})
        stream = io.BytesIO(sink.start())
        stream.seek(0, io.SEEK_END)
        for _ in range(40):
            for number in range(50):
                sink.add(None, [f"{number}" + "x" * 50_000], [], 1)
            stream.write(sink.take())
        stream.seek(0)
        sink.convert(stream, whole := io.BytesIO())
        metadata = pq.ParquetFile(whole).metadata
        assert metadata.num_rows == 2_000
        assert metadata.num_row_groups == 2

    def test_to_and_from_other_formats(self, cli: Cli, model: Path):
        """What JSON has no word for comes out as a string; from CSV and JSONL all columns are strings."""
        import pyarrow.parquet as pq

        self.write(n=2)
        assert cli("predict", "-m", model, "--input", "in.parquet", "--output", "out.jsonl").exit_code == 0
        first, second = map(json.loads, Path("out.jsonl").read_text().splitlines())
        assert {name: first[name] for name in list(first)[2:9]} == {
            "when": "2023-11-14 22:13:20.123456789Z", "price": "0.00", "kind": "c", "tags": [], "raw": "\x00\\xff",
            "sure": None, "confidence": True,
        }  # fmt: skip
        assert second["sure"] == 0.5
        Path("in.jsonl").write_text('{"text": "my p\\u00e4rcel", "n": 1.50, "x": {"a": null}}\n{"text": "\\ud800"}\n')
        cli("predict", "-m", model, "--input", "in.jsonl", "--output", "out.parquet")
        records = pq.read_table("out.parquet").to_pylist()
        assert records[0] | {"confidence": 0} == {
            "text": "my pärcel", "n": "1.5", "x": '{"a": null}', "predicted_label": "delivery", "confidence": 0,
            "error": None,
        }  # fmt: skip
        assert records[1]["text"] == "\\ud800"
        assert records[1]["n"] is None

    def test_no_rows(self, cli: Cli, model: Path):
        """A table without rows gives one without rows."""
        import pyarrow.parquet as pq

        table = self.write(n=0)
        assert cli("predict", "-m", model, "--input", "in.parquet", "--output", "out.parquet").exit_code == 0
        assert pq.read_table("out.parquet").select(table.column_names).equals(table)

    @pytest.mark.slow
    def test_other_commands_read_it(self, cli: Cli):
        """Train and evaluate do; labels may be numbers or categories; a wrong column, type or file is named."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        numbers = [sorted(set(LABELS)).index(label) for label in LABELS]
        table = pa.table({"text": TEXTS, "label": pa.array(LABELS).dictionary_encode(), "number": numbers})
        pq.write_table(table, "small.parquet")
        trained = cli("train", "small.parquet", "--output", "m.safetensors", "--label-column", "number")
        assert trained.exit_code == 0
        assert embedclf.load("m.safetensors").classes == ("0", "1", "2")
        cli("train", "small.parquet", "--output", "m.safetensors", "--force")
        pq.write_table(table.set_column(1, "label", [LABELS[10:] + LABELS[:10]]), "wrong.parquet")
        near = ["--train-set", "small.parquet", "--errors", "wrong_rows.parquet"]
        assert cli("evaluate", "wrong.parquet", "-m", "m.safetensors", *near).exit_code == 0
        kinds = [str(field.type) for field in pq.read_schema("wrong_rows.parquet")]
        assert kinds[3:9] == ["string", "double", "int64", "string", "string", "double"]
        assert cli("check", "small.parquet", "--fix", "fixed.parquet").exit_code == 0
        assert pq.read_table("fixed.parquet").equals(table)
        for column, problem in (
            ("number", "the column 'number' contains int64, not strings. Choose another with --text-column"),
            (
                "none",
                "no column 'none' (found: 'text', 'label', 'number'). Choose one with --text-c",
            ),
        ):
            assert f"small.parquet: {problem}" in cli("train", "small.parquet", "--text-column", column).stderr
        Path("cut.parquet").write_bytes(Path("small.parquet").read_bytes()[:-20])
        assert cli("train", "cut.parquet").stderr.startswith(
            "Error: cut.parquet: the Parquet file is damaged or incomplete ("
        )
        Path("not.parquet").write_text("text,label\n")
        assert cli("train", "not.parquet").stderr == ("Error: not.parquet: not a Parquet file, despite its name\n")

    @pytest.mark.slow
    def test_it_is_not_read_from_a_pipe(self, process, model: Path):
        """Nor written to one."""
        self.write(n=2)
        done = process("predict", "-m", model, "--input", "-", stdin=Path("in.parquet").read_bytes())
        assert (
            done.stderr
            == "Error: stdin: Parquet cannot be read from standard input: pass the path of the file with --input\n"
        )
        os.mkfifo("out.parquet")
        fifo = os.open("out.parquet", os.O_RDWR)
        done = process("predict", "-m", model, "--input", "in.parquet", "--output", "out.parquet")
        os.close(fifo)
        assert done.stderr == "Error: cannot write out.parquet: Parquet needs a file, not a pipe\n"


def test_without_pyarrow_the_extra_is_named(process, model: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch):
    """Reading and writing."""
    Path("blocked/pyarrow").mkdir(parents=True)
    Path("blocked/pyarrow/__init__.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", f"{Path('blocked').resolve()}:{os.environ.get('PYTHONPATH', '')}")
    Path("in.parquet").write_bytes(b"PAR1....PAR1")
    needs = "Parquet needs pyarrow: pip install 'embedclf[parquet]'\n"
    assert process("predict", "-m", model, "--input", "in.parquet").stderr == f"Error: in.parquet: {needs}"
    done = process("predict", "-m", model, "--input", dataset, "--output", "out.parquet")
    assert done.stderr == f"Error: cannot write out.parquet: {needs}"
    assert beside() == []


class TestUnlikeThoseOfTraining:
    SURE = AnswerReference(500, (0.9,) * 10 + (0.97,) * 11, (-9.0,) * 21, 0.08, (200, 150, 150))
    SAID = (
        "These texts are unlike the training texts: the median confidence is 0.%s (0.97 at training), and 100 %% of "
        "them are answered (92 %%). See embedclf drift."
    )

    @pytest.fixture
    def sure(self, trained: embedclf.TextClassifier) -> embedclf.TextClassifier:
        """Give a classifier that was once surer of its answers than it is of the small corpus."""
        sure = make_classifier(trained.embedder, trained.model, replace(trained.card, reference=self.SURE))
        sure.save("sure.safetensors")
        return sure

    def test_the_command_says_so_in_a_line(self, cli: Cli, sure: embedclf.TextClassifier):
        """Not of a few texts, not of texts that are like the old ones, and not with a model of an older version."""
        write_csv(
            Path("new.csv"), [(text.replace(",", " "),) for text in ["xylophone zebra", "qwertz"] * 30], ("text",)
        )
        done = cli("predict", "new.csv", "-m", "sure.safetensors", "-o", "out.csv")
        written = csv.DictReader(io.StringIO(Path("out.csv").read_text()))
        median = sorted(float(row["confidence"]) for row in written)[29]
        assert done.stderr.splitlines() == ["Wrote 60 rows to out.csv", self.SAID % f"{int(median * 100):02}"]
        result = embedclf.predict_file(sure, "new.csv", "out.csv")
        assert result.shift.remark in str(result)
        assert result.shift.remark in result._repr_html_()
        assert result.to_dict()["shift"]["n_texts"] == 60
        write_csv(Path("few.csv"), [("xylophone",)] * 49, ("text",))
        assert (
            cli("predict", "few.csv", "-m", "sure.safetensors", "-o", "out.csv").stderr == "Wrote 49 rows to out.csv\n"
        )
        older = make_classifier(sure.embedder, sure.model, replace(sure.card, reference=None))
        assert embedclf.predict_file(older, "new.csv", "out.csv").shift is None

    def test_an_interrupted_run_counts_all_rows(self, sure: embedclf.TextClassifier):
        """Also on other cores; a text that cannot be classified counts nowhere."""
        Path("in.csv").write_text(lines("csv"))
        whole = embedclf.predict_file(sure, "in.csv", "whole.csv").shift
        assert whole.n_texts == N_ROWS - 10

        def stop(done: int, before: int, share: float | None) -> None:
            if done == CHUNK:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            embedclf.predict_file(sure, "in.csv", "out.csv", on_chunk=stop)
        resumed = embedclf.predict_file(sure, "in.csv", "out.csv", resume=True)
        assert (resumed.rows_before, resumed.shift) == (CHUNK, whole)
        with parallel_config("threading", n_jobs=2):
            assert embedclf.predict_file(sure, "in.csv", "out.csv").shift == whole

    def test_damaged_counts_are_refused(self, sure: embedclf.TextClassifier):
        """As any damage to the journal is."""
        Path("in.csv").write_text(lines("csv", CHUNK + 1))

        def stop(done: int, before: int, share: float | None) -> None:
            if done == CHUNK:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            embedclf.predict_file(sure, "in.csv", "out.csv", on_chunk=stop)
        journal = Path("out.csv.part.json")
        state = json.loads(journal.read_text())
        for answers in (
            3,
            {},
            *(state["answers"] | wrong for wrong in ({"n": 5}, {"steps": [1]}, {"energy": [[0.5]]})),
        ):
            journal.write_text(json.dumps(state | {"answers": answers}))
            with pytest.raises(embedclf.OutputError, match="its journal is damaged"):
                embedclf.predict_file(sure, "in.csv", "out.csv", resume=True)
