"""Each file of examples/ runs, on a part of the datasets, without a network or a key."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import shown

EXAMPLES = shown.ROOT / "examples"

# They use other libraries, which warn of things that are theirs.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(autouse=True)
def _in_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone with a sixth of the rows."""
    shown.lay_out(tmp_path / "clone", every=6)
    monkeypatch.chdir(tmp_path / "clone")


def run(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_csv_to_model(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    files = ("datasets/support_tickets.csv", "datasets/support_tickets_test.csv", "tickets.safetensors")
    run("csv_to_model.py", *files, monkeypatch=monkeypatch)
    assert capsys.readouterr().out.startswith("accuracy 0.")
    assert Path("tickets.safetensors").exists()


@pytest.mark.slow
def test_with_pandas(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("pandas", reason="the example is about it")
    run("with_pandas.py", monkeypatch=monkeypatch)
    assert "Where is my parcel?" in capsys.readouterr().out


@pytest.mark.slow
def test_with_scikit_learn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    run("with_scikit_learn.py", "datasets/product_reviews.csv", monkeypatch=monkeypatch)
    assert "embedclf: {'features':" in capsys.readouterr().out
    assert Path("reviews.safetensors").exists()


def test_with_langchain(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    run("with_langchain.py", monkeypatch=monkeypatch)
    assert capsys.readouterr().out.count("\n") == 2


@pytest.mark.slow
def test_with_polars(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("polars", reason="the example is about it")
    files = ("datasets/support_tickets.csv", "datasets/support_tickets_test.csv")
    run("with_polars.py", *files, monkeypatch=monkeypatch)
    out = capsys.readouterr().out
    assert out.startswith("accuracy 0.")
    assert "predicted" in out


@pytest.mark.slow
def test_with_cleanlab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("datasets", reason="Datalab needs cleanlab[datalab]")
    run("with_cleanlab.py", "datasets/support_tickets.csv", monkeypatch=monkeypatch)
    issues = dict(re.findall(r"^ *(\w+) +([\d.]+) +\d+$", capsys.readouterr().out, flags=re.MULTILINE))
    assert {"label", "outlier", "near_duplicate"} <= issues.keys()


@pytest.mark.slow
def test_with_skore(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("skore", reason="the example is about it")
    run("with_skore.py", "datasets/product_reviews.csv", monkeypatch=monkeypatch)
    out = capsys.readouterr().out
    assert re.search(r"^accuracy +0\.\d+$", out, flags=re.MULTILINE)
    assert "TF-IDF: accuracy 0." in out


@pytest.mark.slow
def test_with_mlflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The model that MLflow keeps answers as ours does, and holds no pickle."""
    pytest.importorskip("mlflow", reason="the example is about it")
    run("with_mlflow.py", "models/example.safetensors", "kept", monkeypatch=monkeypatch)
    assert capsys.readouterr().out.startswith("[{'label': 'delivery', 'confidence': 0.9")
    kept = {path.suffix for path in Path("kept").rglob("*") if path.is_file()}
    assert kept <= {"", ".py", ".pyc", ".safetensors", ".txt", ".yaml"}


@pytest.mark.slow
def test_the_service(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("fastapi", reason="needs embedclf[serve]")
    from starlette.testclient import TestClient

    monkeypatch.setenv("EMBEDCLF_MODEL", "models/example.safetensors")
    app = runpy.run_path(str(EXAMPLES / "service.py"))["app"]
    with TestClient(app) as client:
        assert client.post("/route", params={"text": "Where is my parcel?"}).json() == {"team": "delivery"}
        assert client.post("/route", params={"text": "so so"}).json() == {"team": "triage"}
        answer = client.post("/tickets/predict", json={"texts": ["Where is my parcel?"]})
    assert answer.json()["predictions"][0]["label"] == "delivery"


@pytest.mark.slow
def test_on_dask():
    """As a process of its own, since its workers are processes that start from its file."""
    pytest.importorskip("distributed", reason="needs embedclf[dask]")
    command = [sys.executable, str(EXAMPLES / "on_dask.py"), "models/example.safetensors", "new.csv", "out.csv"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(shown.ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 rows, 0 could not be classified\n"
    assert "delivery" in Path("out.csv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_dockerfile():
    """As far as it runs without Docker: its files are there, its command serves, and its health check finds that."""
    pytest.importorskip("fastapi", reason="needs embedclf[serve]")
    from serving import Process, ask

    lines = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    steps = re.findall(r"^([A-Z]+) (.*)", lines, flags=re.MULTILINE)
    (model,) = [value.removeprefix("MODEL=") for step, value in steps if step == "ARG"]
    for step, value in steps:
        if step == "COPY":
            *sources, _ = [word for word in value.replace("${MODEL}", model).split() if not word.startswith("--")]
            assert all((shown.ROOT / source).exists() for source in sources)
    of = dict(steps)
    assert re.fullmatch(r"python:3\.\d+-slim", of["FROM"])
    assert of["USER"].split(":")[0] not in ("0", "root")
    check, command = (json.loads(of[step][of[step].index("[") :]) for step in ("HEALTHCHECK", "CMD"))
    assert command[:2] == ["embedclf", "serve"]
    with Process(*command[2:], "-m", shown.ROOT / model, EMBEDCLF_TOKEN="a-good-token") as served:
        _, port = served.address
        probe = [sys.executable, *(part.replace("8000", str(port)) for part in check[1:])]
        assert subprocess.run(probe, timeout=60, check=False).returncode == 0
        served.client.headers["authorization"] = "Bearer a-good-token"
        assert ask(served.client, "Where is my parcel?").is_success
    assert subprocess.run(probe, timeout=60, check=False, stderr=subprocess.DEVNULL).returncode == 1


def test_each_example_is_run():
    """By a test above, which names it."""
    here = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.iterdir() if path.is_file() and f'"{path.name}"' not in here] == []
