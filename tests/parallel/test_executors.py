"""Prediction on other cores and machines, through joblib: the rows of one process, whoever is lost on the way."""

import gc
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, QUICK, ROOT, SUPPORT, TEXTS, write_csv
from crashing import CrashingEmbeddings, CrashingRows
from embedclf.training.folds import out_of_fold
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Recipe
from embedclf.training.training_set import TrainingSet
from running import Cli, wait_until

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


@contextmanager
def cluster_with(**environment: str) -> Iterator[str]:
    """Start a cluster on loopback, with two workers, processes of their own; give its scheduler's address."""
    path = os.pathsep.join([str(SUPPORT), *filter(None, [os.environ.get("PYTHONPATH")])])
    running = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER], env={**os.environ, "PYTHONPATH": path, **environment},
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


@pytest.fixture(scope="module")
def clusters() -> Iterator[Callable[[], str]]:
    """Give the address of a cluster of two workers, the same one for as long as it has them.

    It starts a worker again that is lost, but not one that is lost while it starts.
    """
    with ExitStack() as running:
        addresses: list[str] = []

        def whole() -> str:
            if addresses:
                with distributed.Client(addresses[-1], set_as_default=False) as client, suppress(TimeoutError):
                    client.wait_for_workers(2, timeout=20)
                    return addresses[-1]
                running.close()
            # Two workers that die at a part of the work say as much as the four that Dask would spend on it.
            addresses.append(running.enter_context(cluster_with(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1")))
            return addresses[-1]

        yield whole


@pytest.fixture
def cluster(clusters: Callable[[], str]) -> str:
    """A cluster that starts a worker again that is lost."""
    return clusters()


class BareCluster:
    """A scheduler and workers that nobody starts again."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("dask_scheduler", "--port", "0", "--scheduler-file", "scheduler.json")
        file = Path("scheduler.json")
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]
        self.worker = self.start_a_worker()

    def _start(self, what: str, *args: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", f"distributed.cli.{what}", "--host", "127.0.0.1", "--no-dashboard", *args]
        self._started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return self._started[-1]

    def start_a_worker(self) -> "subprocess.Popen[bytes]":
        return self._start("dask_worker", self.address, "--no-nanny", "--nthreads", "1")

    def end(self) -> None:
        for one in self._started:
            one.kill()
            one.wait()


@pytest.fixture
def bare_cluster() -> Iterator[BareCluster]:
    cluster = BareCluster()
    try:
        with distributed.Client(cluster.address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
        yield cluster
    finally:
        cluster.end()


def ended(backend: str, work: Callable[[], Any], **options: Any) -> BaseException | None:
    """Give how work on an engine ends; it is not waited for longer than a minute."""
    ends: list[BaseException | None] = []

    def run() -> None:
        try:
            with joblib.parallel_config(backend, **options):
                work()
            ends.append(None)
        except BaseException as error:  # noqa: BLE001 - it is given back
            ends.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert ends, "it waits for ever"
    return ends[0]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small file has many of them."""
    monkeypatch.setattr("embedclf.prediction.scores.CHUNK_ROWS", 50)
    monkeypatch.setattr("embedclf.prediction.scores.SENT_CHUNK_ROWS", 50)


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


@pytest.mark.slow
@pytest.mark.usefixtures("small_chunks")
@pytest.mark.exhaustive
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


@pytest.mark.slow
@pytest.mark.usefixtures("small_chunks")
@pytest.mark.exhaustive
def test_requests_are_bounded_over_all_workers(
    cluster: str, cli: Cli, api: AimlapiServer, monkeypatch: pytest.MonkeyPatch, table: Path
):
    """Two workers keep to one limit; each text is sent once, and what they took is told together."""
    embedclf.train(TEXTS, LABELS, **QUICK).save("m.safetensors")
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
    assert result.stderr.startswith("Embedding: 990 texts, 0 from cache, 0 duplicates, 100 requests, ")
    assert "Wrote 1,000 rows to out.csv\nError: 10 of 1,000 texts could not be classified:\n" in result.stderr
    assert len(api.texts_sent) == len(set(api.texts_sent)) == 990
    # What is answered from the cache now was kept there by the workers.
    assert cli(*run, "--output", "serial.csv").exit_code == 1
    assert len(api.texts_sent) == 990
    assert Path("out.csv").read_bytes() == Path("serial.csv").read_bytes()
    times = [(one.started, one.ended) for one in api.requests]
    assert max(sum(start <= at < end for start, end in times) for at, _ in times) <= 3


@pytest.mark.usefixtures("small_chunks")
def test_usage_is_whole_when_a_later_chunk_ends_first(api: AimlapiServer, monkeypatch: pytest.MonkeyPatch):
    """The first chunk is answered after the second one is scored; the tokens of both count."""
    classifier = embedclf.train(TEXTS, LABELS, **QUICK)
    path = write_csv(Path("two.csv"), [(f"text {i}",) for i in range(100)], header=("text",))
    before = classifier.embedder.usage
    later_is_scored = threading.Event()
    in_time, tokens = [], []
    kind = type(classifier.embedder)
    usage_of = kind.usage.fget

    def take(embedder: Any) -> Any:
        usage = usage_of(embedder)
        later_is_scored.set()
        return usage

    def hold_the_first(request: Any) -> None:
        if "text 0" in request.texts:
            in_time.append(later_is_scored.wait(60))

    monkeypatch.setattr(kind, "usage", property(take))
    api.fault, api.tamper = hold_the_first, lambda answer: tokens.append(answer["usage"]["total_tokens"])
    with joblib.parallel_config("threading", n_jobs=2):
        done = embedclf.predict_file(classifier, path, "out.csv")
    assert in_time == [True]
    assert done.usage.plus(before, -1).tokens == sum(tokens)


@pytest.mark.slow
def test_what_the_page_on_predicting_shows_of_a_cluster(cluster: str, cli: Cli, model: Path):
    """Its command and its Python work as they stand there, and write the same."""
    page = (ROOT / "docs" / "predict-at-scale.md").read_text(encoding="utf-8")
    command, python = re.findall(r"```(?:python)?\n([^`]*tcp://\d[^`]*)```", page)
    Path("models").mkdir()
    shutil.copy(model, "models/example.safetensors")
    write_csv(Path("new.csv"), [("Where is my refund?",)], header=("text",))
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    name, *words = shlex.split(command.replace("tcp://10.0.0.1:8786", cluster))
    assert name == "embedclf"
    assert cli(*words, "-m", model).exit_code == 0
    written = Path("labelled.csv").read_bytes()
    assert b"refund" in written
    Path("labelled.csv").unlink()
    exec(python.replace("tcp://10.0.0.1:8786", cluster), {})
    assert Path("labelled.csv").read_bytes() == written


def crashing(how: str) -> embedclf.TextClassifier:
    """Give a classifier that fails elsewhere, and write a file with a poisoned text in its row 501."""
    rows = [(f"a text {i}{' poison' if i == 500 else ''}",) for i in range(N_ROWS)]
    write_csv(Path("in.csv"), rows, header=("text",))
    return embedclf.train(TEXTS, LABELS, embedder=CrashingEmbeddings(how), holdout=0)


def rows_done() -> int:
    """Give how many rows the part file has; the run can be gone on with from there."""
    journal = Path("out.csv.part.json")
    return int(json.loads(journal.read_text())["rows"]) if journal.exists() else 0


@pytest.mark.slow
@pytest.mark.usefixtures("small_chunks")
@pytest.mark.exhaustive
def test_a_chunk_that_kills_its_workers_is_given_up(cluster: str):
    """It is no endless wait: who died at it is said, what comes before it is kept, and --resume goes on from there."""
    classifier = crashing("killed")
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        error = ended("dask", lambda: embedclf.predict_file(classifier, "in.csv", "out.csv"), client=client)
        assert type(error) is embedclf.EmbedclfError
        assert re.fullmatch(
            rf"the scheduler {cluster} gave up on a task after 2 workers died running it, most recently "
            r"tcp://127.0.0.1:\d+; check their logs; they may have run out of memory",
            str(error),
        )
        # Dask also blames what else ran on the workers that died, so two chunks before the deadly one may be missing.
        done = rows_done()
        assert 300 <= done <= 500
        assert embedclf.predict_file(classifier, "in.csv", "out.csv", resume=True).rows_before == done


@pytest.mark.slow
@pytest.mark.usefixtures("small_chunks")
def test_a_process_that_is_killed_is_said():
    """Of this machine's cores, too; what is done is kept."""
    classifier = crashing("killed")
    error = ended("loky", lambda: embedclf.predict_file(classifier, "in.csv", "out.csv"), n_jobs=2)
    assert type(error) is embedclf.EmbedclfError
    assert str(error) == "a worker process died (SIGKILL(-9)); it may have been killed for lack of memory"
    assert 0 < rows_done() <= 500
    assert embedclf.predict_file(classifier, "in.csv", "out.csv", resume=True).rows == N_ROWS


@pytest.mark.slow
@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        (
            "not here",
            embedclf.EmbedclfError,
            "the classifier cannot be loaded in a worker process (ImportError: No module named 'theirs'): install the "
            "same packages there",
        ),
        ("raises", RuntimeError, "it is broken"),  # as in this process
    ],
)
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_what_fails_elsewhere_is_told_here(cluster: str, how: str, kind: type, said: str, backend: str):
    """Whatever it is, the run ends with it."""
    classifier = crashing(how)
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        options = {"client": client} if backend == "dask" else {"n_jobs": 2}
        error = ended(backend, lambda: embedclf.predict_file(classifier, "in.csv", "out.csv"), **options)
    assert (type(error), str(error)) == (kind, said)


@pytest.mark.slow
@pytest.mark.usefixtures("small_chunks")
def test_an_answer_that_cannot_be_read(cluster: str):
    """Of a worker with other versions, say, is told of."""
    classifier = crashing("unreadable")
    with distributed.Client(cluster, set_as_default=False) as client:
        error = ended("dask", lambda: embedclf.predict_file(classifier, "in.csv", "out.csv"), client=client)
    assert type(error) is embedclf.EmbedclfError
    assert str(error) == (
        "a worker's result cannot be read here (ImportError: No module named 'theirs'): the workers need the same "
        "versions of packages"
    )
    assert rows_done() == 500


@pytest.mark.slow
@pytest.mark.exhaustive
def test_workers_without_embedclf_are_told_of(trained: embedclf.TextClassifier, table: Path):
    """Whether they are to predict or to fit."""
    Path("blocked/embedclf").mkdir(parents=True)
    Path("blocked/embedclf/__init__.py").write_text("raise ImportError('not here')")
    with (
        cluster_with(PYTHONPATH=str(Path("blocked").resolve())) as address,
        distributed.Client(address, set_as_default=False) as client,
    ):
        for work in (
            lambda: embedclf.predict_file(trained, table, "out.csv"),
            lambda: embedclf.cross_validate(TEXTS, LABELS, folds=2),
        ):
            error = ended("dask", work, client=client)
            assert type(error) is embedclf.EmbedclfError
            assert str(error).startswith(f"the cluster at {address} cannot run the tasks (")
            assert str(error).endswith(
                f"): its scheduler and workers need embedclf {embedclf.__version__} and the same versions of its "
                "dependencies as here"
            )


def test_a_classifier_that_cannot_be_sent(table: Path):
    """Is said before anything is done."""

    class Local(CrashingEmbeddings):
        pass

    classifier = embedclf.train(TEXTS, LABELS, embedder=Local("raises"), holdout=0)
    error = ended("loky", lambda: embedclf.predict_file(classifier, table, "out.csv"), n_jobs=2)
    assert type(error) is embedclf.EmbedclfError
    assert str(error).startswith("the classifier cannot be sent to worker processes (")


@contextmanager
def running_there(cluster: BareCluster, model: Path) -> "Iterator[subprocess.Popen[str]]":
    """Run predict on a cluster, on four chunks of rows and what it is given on its standard input; some are done."""
    where = ["--engine", "dask", "--scheduler", cluster.address]
    running = subprocess.Popen(
        [sys.executable, "-m", "embedclf", "predict", "-m", str(model), "--input", "-", "--output", "out.csv", *where],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdin is not None
    try:
        running.stdin.write("text\n" + "a text\n" * 4 * 4_096)
        running.stdin.flush()
        wait_until(rows_done)
        yield running
    finally:
        running.kill()
        running.wait()
        for stream in (running.stdin, running.stderr):
            with suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_scheduler_goes_away(bare_cluster: BareCluster, model: Path):
    """That is said in one line, and at once."""
    with running_there(bare_cluster, model) as running:
        bare_cluster.scheduler.kill()
        bare_cluster.scheduler.wait()
        _, said = running.communicate("a text\n" * 10, timeout=60)
        remark, *rest = said.splitlines()
        assert remark.startswith("Warning: ")
        assert remark.endswith("). Continue with --resume (resume=True).")
        assert rest == [f"Error: lost the connection to the scheduler {bare_cluster.address}"]
        assert running.returncode == 1
    assert rows_done() >= 4_096


@pytest.mark.slow
@pytest.mark.exhaustive
def test_all_workers_go_away(bare_cluster: BareCluster, model: Path):
    """That is said, and one that comes does the work."""
    alone = (
        f"Warning: the scheduler {bare_cluster.address} has no workers left; waiting for new ones (start some "
        f"with: dask worker {bare_cluster.address})\n"
    )
    with running_there(bare_cluster, model) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        bare_cluster.worker.kill()
        bare_cluster.worker.wait()
        running.stdin.write("a text\n" * 10)
        running.stdin.close()
        assert running.stderr.readline() == alone
        bare_cluster.start_a_worker()
        assert running.wait(60) == 0
        assert running.stderr.read().splitlines()[-1] == "Wrote 16,394 rows to out.csv"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_ctrl_c_while_chunks_are_out(bare_cluster: BareCluster, model: Path):
    """With nobody who works on them, too, it ends at once, and says how to go on."""
    with running_there(bare_cluster, model) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        bare_cluster.worker.kill()
        running.stdin.close()
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
        said = running.stderr.read().splitlines()
        assert len(said) == 2, said
        assert said[0].endswith("). Continue with --resume (resume=True).")
        assert said[1] == "Interrupted."


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_cluster_without_workers(bare_cluster: BareCluster, cli: Cli, model: Path, table: Path):
    """Is told of before anything is done."""
    bare_cluster.worker.kill()
    said = f"the scheduler {bare_cluster.address} has no workers; start some with: dask worker {bare_cluster.address}"
    with distributed.Client(bare_cluster.address, set_as_default=False) as client:
        wait_until(lambda: not client.ncores())
        options = {"client": client, "wait_for_workers_timeout": 0.1}
        error = ended("dask", lambda: embedclf.predict_file(embedclf.load(model), table, "out.csv"), **options)
        assert (type(error), str(error)) == (embedclf.EmbedclfError, said)
    error = ended("dask", lambda: embedclf.predict_file(embedclf.load(model), table, "out.csv"), client=client)
    assert str(error) == "the Dask client in joblib.parallel_config is closed; open a new one"
    run = ["predict", "-m", model, "--input", table, "--output", "out.csv"]
    assert cli(*run, "--engine", "dask", "--scheduler", bare_cluster.address).stderr == f"Error: {said}\n"


ON_VECTORS = Recipe(C=1.0, features="embedding")


def examples_of(trained: embedclf.TextClassifier) -> TrainingSet:
    y = np.array([sorted(set(LABELS)).index(label) for label in LABELS])
    inputs = Inputs(trained.embedder.embed(TEXTS))
    return TrainingSet(inputs, y, np.arange(len(y)), tuple(sorted(set(LABELS))))


@pytest.mark.slow
def test_folds_are_fitted_there(cluster: str, trained: embedclf.TextClassifier):
    """Cross-validation's figures are the same on the cluster."""
    examples = examples_of(trained)
    (here,) = out_of_fold(examples, ON_VECTORS, n_folds=3, seeds=[0])
    with distributed.Client(cluster, set_as_default=False) as client, joblib.parallel_config("dask", client=client):
        client.wait_for_workers(1, timeout=60)
        (there,) = out_of_fold(examples, ON_VECTORS, n_folds=3, seeds=[0])
    assert (here.folds == there.folds).all()
    assert np.allclose(here.probabilities, there.probabilities, atol=1e-6)


@pytest.mark.slow
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


@pytest.mark.slow
def test_what_is_left_is_told_from_what_is_done(trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch):
    """Not from what has been read ahead, which would make the rest look shorter."""
    n_rows = 20_000
    monkeypatch.setattr("embedclf.prediction.scores.CHUNK_ROWS", 1_000)
    Path("many.csv").write_text("text\n" + "".join(f"my parcel {number:06}\n" for number in range(n_rows)))
    told = []
    with joblib.parallel_config("threading", n_jobs=2):
        embedclf.predict_file(trained, "many.csv", "out.csv", on_chunk=lambda *chunk: told.append(chunk))
    # A file is read some thousand characters at a time.
    expected = [done / share for done, _, share in told if done >= n_rows / 4]
    assert len(expected) > 8
    assert min(expected) > 0.85 * n_rows
    assert max(expected) < 1.15 * n_rows


@pytest.mark.slow
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
    assert done.stderr.startswith(f"Error: cannot connect to the scheduler {address}: {why}")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_folds_that_are_lost_are_told_of(cluster: str, trained: embedclf.TextClassifier, backend: str):
    """Where each process that takes one is killed."""
    whole = examples_of(trained)
    examples = replace(whole, inputs=CrashingRows(whole.inputs))
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        options = {"client": client} if backend == "dask" else {"n_jobs": 2}
        error = ended(backend, lambda: out_of_fold(examples, ON_VECTORS, n_folds=3, seeds=[0]), **options)
        assert type(error) is embedclf.EmbedclfError
        assert ("2 workers died running it" if backend == "dask" else "process died (SIGKILL(-9)") in str(error)


def test_what_is_no_scheduler(cli: Cli, model: Path, table: Path):
    """A server of another kind is told of in one line."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"

        def answer() -> None:
            with server.accept()[0] as asked:
                asked.recv(1_000)
                asked.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        where = ["--engine", "dask", "--scheduler", address]
        result = cli("predict", "-m", model, "--input", table, "--output", "out.csv", *where)
        answering.join()
    assert result.exit_code == 1
    assert re.fullmatch(rf"Error: cannot connect to the scheduler {address}: .+\n", result.stderr)
    assert not Path("out.csv").exists()


@pytest.mark.slow
def test_what_does_not_go_together(cli: Cli, model: Path, table: Path):
    """Is said before anything is done; so is a scheduler that is not there."""
    run = ["predict", "-m", model, "--input", table]
    for more in (
        ["--engine", "loky"],
        ["--engine", "dask", "--output", "out.csv"],
        ["--scheduler", "tcp://127.0.0.1:1", "--output", "out.csv"],
        ["--engine", "dask", "--scheduler", "nowhere", "--output", "out.csv"],
    ):
        assert cli(*run, *more).exit_code == 2
    assert not Path("out.csv").exists()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.slow
@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("engine", ["loky", pytest.param("dask", marks=pytest.mark.exhaustive)])
def test_a_limit_holds_for_all_processes_together(
    stack: ExitStack, cli: Cli, api: AimlapiServer, table: Path, engine: str
):
    """Most of it is used; the rows labelled before are kept, and gone on with."""
    embedder = embedclf.open_embedder("aimlapi", dimensions=64)
    classifier = embedclf.train(TEXTS, LABELS, embedder=embedder, **QUICK)
    classifier.save("aimlapi.safetensors")
    run = ["predict", "-m", "aimlapi.safetensors", "--input", table, "--output", "out.csv", "--engine", engine]
    if engine == "dask":
        run += ["--scheduler", stack.enter_context(cluster_with())]
    estimate = embedder.estimate(table.read_text().splitlines()[1:]).dollars
    api.reset()
    api.factor, api.delay = 2.0, 0.02
    limit = 1.2 * (estimate or 0.0)
    result = cli(*run, "--max-cost", f"{limit:.9f}")
    assert result.exit_code == 1
    assert re.search(
        r"Error: \$[\d.]+ spent of --max-cost \$[\d.]+: stopped before the request that could", result.stderr
    )
    assert 0.9 * limit <= api.dollars_charged <= limit + 5e-7
    assert "out.csv.part" in result.stderr
    if engine == "dask":  # for each engine, it would take too long
        result = cli(*run, "--max-cost", 1, "--resume")
        assert result.exit_code == 1, "some rows have no text"
        assert f"Wrote {N_ROWS:,} rows to out.csv (" in result.stderr
