"""Prediction on other cores and machines, through joblib: the rows of one process, whoever is lost on the way."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from conftest import LABELS, TEXTS, Cli, write_csv
from embedclf.training.folds import Examples, out_of_fold

distributed = pytest.importorskip("distributed", reason="needs embedclf[dask]")

# Importing these warns of things that are theirs, and a cluster that loses a worker has something to say.
pytestmark = pytest.mark.filterwarnings("default")

N_ROWS = 1_000
_CLUSTER = """
import os, sys
from distributed import LocalCluster
if __name__ == "__main__":
    how = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with LocalCluster(processes=True, **how) as it:
        print(it.scheduler_address, *(one.pid for one in it.workers.values()), flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a scheduler on loopback, with two workers, processes of their own."""
    running = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdin is not None
    try:
        yield running.stdout.readline().split()[0]
    finally:
        running.stdin.close()
        try:
            running.wait(60)
        finally:
            running.kill()
            running.stdout.close()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small file has many of them."""
    monkeypatch.setattr("embedclf.scoring._CHUNK", 50)
    monkeypatch.setattr("embedclf.scoring._CHUNK_SENT", 50)


@pytest.fixture
def table() -> Path:
    rows = [("" if i % 100 == 99 else f"{TEXTS[i % 30].replace(',', ' ')} {i}", str(i)) for i in range(N_ROWS)]
    return write_csv(Path("in.csv"), rows, header=("text", "id"))


def kill_a_worker(client: "distributed.Client") -> None:
    pids = client.run(os.getpid)
    os.kill(next(iter(pids.values())), signal.SIGKILL)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_on_other_cores(trained: embedclf.TextClassifier, table: Path, backend: str):
    """The file is that of one process, byte for byte."""
    serial = embedclf.predict_file(trained, table, "serial.csv", top_k=2)
    with joblib.parallel_config(backend, n_jobs=2):
        done = embedclf.predict_file(trained, table, "parallel.csv", top_k=2)
    assert (done.rows, done.n_faults, done.faults) == (serial.rows, serial.n_faults, serial.faults)
    assert Path("parallel.csv").read_bytes() == Path("serial.csv").read_bytes()


@pytest.mark.usefixtures("small_chunks")
def test_a_worker_is_lost_in_the_middle(cluster: str, trained: embedclf.TextClassifier, table: Path):
    """Killed with -9, its chunks are done by another, and the file is that of one process; then the run is broken off,
    and gone on with on the cluster.
    """
    embedclf.predict_file(trained, table, "serial.csv")
    calls = []

    def kill(done: int, passed: int, share: float | None) -> None:
        calls.append(done)
        if len(calls) == 8:
            kill_a_worker(client)

    def stop(done: int, passed: int, share: float | None) -> None:
        if done >= 300:
            raise KeyboardInterrupt

    with distributed.Client(cluster, set_as_default=False) as client, joblib.parallel_config("dask", client=client):
        done = embedclf.predict_file(trained, table, "parallel.csv", on_chunk=kill)
        assert len(calls) == N_ROWS // 50
        assert Path("parallel.csv").read_bytes() == Path("serial.csv").read_bytes()
        with pytest.raises(KeyboardInterrupt):
            embedclf.predict_file(trained, table, "again.csv", on_chunk=stop)
        client.wait_for_workers(2, timeout=60)
        done = embedclf.predict_file(trained, table, "again.csv", resume=True)
        assert done.rows_before >= 300
        assert Path("again.csv").read_bytes() == Path("serial.csv").read_bytes()


@pytest.mark.usefixtures("small_chunks")
def test_requests_are_bounded_over_all_workers(
    cluster: str, cli: Cli, api: AimlapiServer, monkeypatch: pytest.MonkeyPatch, table: Path
):
    """Two workers keep to one limit; each text is sent once, and what they took is told together."""
    embedclf.train(TEXTS, LABELS).save("m.safetensors")
    api.reset()
    api.delay = 0.02
    name, key = os.environ["AIMLAPI_BASE_URL"], os.environ["AIMLAPI_API_KEY"]
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        client.run(lambda values: os.environ.update(values), {"AIMLAPI_BASE_URL": name, "AIMLAPI_API_KEY": key})
    run = ["predict", "-m", "m.safetensors", "--input", table, "--batch-size", 10, "--concurrency", 3]
    engine = ["--engine", "dask", "--scheduler", cluster]
    result = cli(*run, "--output", "out.csv", *engine)
    assert result.exit_code == 1
    assert result.stderr.startswith("Embedding: 990 texts, 0 from the cache, 0 duplicates, 100 requests, ")
    assert "Wrote 1,000 rows to out.csv\nError: 10 of 1,000 texts could not be labelled:\n" in result.stderr
    assert len(api.texts_sent) == len(set(api.texts_sent)) == 990
    # What is answered from the cache now was kept there by the workers.
    assert cli(*run, "--output", "serial.csv").exit_code == 1
    assert len(api.texts_sent) == 990
    assert Path("out.csv").read_bytes() == Path("serial.csv").read_bytes()
    times = [(one.started, one.ended) for one in api.requests]
    assert max(sum(start <= at < end for start, end in times) for at, _ in times) <= 3


def test_folds_are_fitted_there(cluster: str, trained: embedclf.TextClassifier):
    """Cross-validation's figures are the same on the cluster."""
    import numpy as np

    vectors = trained.embedder.embed(TEXTS)
    y = np.array([sorted(set(LABELS)).index(label) for label in LABELS])
    examples = Examples(vectors, y, np.arange(len(y)), tuple(sorted(set(LABELS))))
    (here,) = out_of_fold(examples, "logistic", 1.0, n_folds=3, seeds=[0])
    with distributed.Client(cluster, set_as_default=False) as client, joblib.parallel_config("dask", client=client):
        client.wait_for_workers(1, timeout=60)
        (there,) = out_of_fold(examples, "logistic", 1.0, n_folds=3, seeds=[0])
    assert (here.folds == there.folds).all()
    assert np.allclose(here.probabilities, there.probabilities, atol=1e-6)


@pytest.mark.usefixtures("small_chunks")
def test_breaking_off_is_told_once(trained: embedclf.TextClassifier, table: Path, recwarn: pytest.WarningsRecorder):
    """joblib has no advice to give on what was done ahead."""

    def stop(done: int, passed: int, share: float | None) -> None:
        if done:
            time.sleep(0.5)  # what was sent is done by now
            raise KeyboardInterrupt

    with joblib.parallel_config("threading", n_jobs=2), pytest.raises(KeyboardInterrupt):
        embedclf.predict_file(trained, table, "out.csv", on_chunk=stop)
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


def test_what_is_left_is_told_from_what_is_done(trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch):
    """Not from what has been read ahead, which would make the rest look shorter."""
    n_rows = 20_000
    monkeypatch.setattr("embedclf.scoring._CHUNK", 1_000)
    Path("many.csv").write_text("text\n" + "".join(f"my parcel {number:06}\n" for number in range(n_rows)))
    told = []
    with joblib.parallel_config("threading", n_jobs=2):
        embedclf.predict_file(trained, "many.csv", "out.csv", on_chunk=lambda *chunk: told.append(chunk))
    # A file is read some thousand characters at a time.
    expected = [done / share for done, _, share in told if done >= n_rows / 4]
    assert len(expected) > 8
    assert min(expected) > 0.85 * n_rows
    assert max(expected) < 1.15 * n_rows


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("tcp://127.0.0.1", "missing port number in address '127.0.0.1'"),
        ("foo://127.0.0.1:1", "unknown address scheme 'foo'"),
    ],
)
def test_an_address_that_is_none(process, model: Path, table: Path, address: str, why: str):
    """Is one line of complaint, at once."""
    pytest.importorskip("distributed", reason="needs embedclf[dask]")
    run = ["predict", "-m", model, "--input", table, "--output", "out.csv", "--engine", "dask"]
    done = process(*run, "--scheduler", address)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: the scheduler {address} does not answer ({why}")
    assert done.stderr.count("\n") == 1


def test_what_does_not_go_together(cli: Cli, model: Path, table: Path):
    """Is said before anything is done; so is a scheduler that is not there."""
    run = ["predict", "-m", model, "--input", table]
    for more in (
        ["--engine", "loky"],
        ["--engine", "dask", "--output", "out.csv"],
        ["--scheduler", "tcp://127.0.0.1:1", "--output", "out.csv"],
        ["--engine", "dask", "--scheduler", "nowhere", "--output", "out.csv"],
        ["--engine", "loky", "--output", "out.csv", "--max-cost", 1],
    ):
        assert cli(*run, *more).exit_code == 2
    with joblib.parallel_config("loky", n_jobs=2):
        held = embedclf.TextClassifier(
            embedclf.open_embedder("aimlapi", max_cost=1.0), embedclf.load(model).model, embedclf.load(model).card
        )
        with pytest.raises(embedclf.EmbedderError, match="cannot be held by several processes"):
            embedclf.predict_file(held, table, "out.csv")
    assert not Path("out.csv").exists()
