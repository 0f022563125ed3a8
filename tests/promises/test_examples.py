"""Each file of examples/ runs, on a part of the datasets, without a network or a key."""

import os
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


@pytest.mark.slow
def test_with_langchain(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    run("with_langchain.py", monkeypatch=monkeypatch)
    assert capsys.readouterr().out.count("\n") == 2


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


def test_each_example_is_run():
    """By a test above, which names it."""
    here = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in here] == []
