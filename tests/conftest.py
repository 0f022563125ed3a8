"""What the tests share: a small corpus, a model trained on it, and the command line."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, QUICK, TEXTS
from embedclf.cli import main
from running import BROWSER, Cli


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let only the fast tests count as coverage: the slow ones would take much longer still."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every test starts in a folder of its own, with a cache of its own, no keyring, and nothing in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("EMBEDCLF_", "AIMLAPI_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EMBEDCLF_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[AimlapiServer]:
    """AI/ML API on loopback; the environment points to it and holds its key."""
    with AimlapiServer() as server:
        monkeypatch.setenv("AIMLAPI_BASE_URL", server.base_url)
        monkeypatch.setenv("AIMLAPI_API_KEY", "test-key")
        yield server


@pytest.fixture
def cli() -> Cli:
    """Run a command in this process; what is neither an error of ours nor an exit stays an exception."""

    def run(*args: object) -> Result:
        return CliRunner(catch_exceptions=False).invoke(main, [str(arg) for arg in args], prog_name="embedclf")

    return run


@pytest.fixture
def process() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run ``embedclf`` as a process of its own."""

    def run(*args: object, stdin: str | bytes = "", **options: object) -> "subprocess.CompletedProcess[str]":
        data = stdin.encode() if isinstance(stdin, str) else stdin
        command = [sys.executable, "-m", "embedclf", *map(str, args)]
        done = subprocess.run(command, input=data, capture_output=True, timeout=120, **options)
        return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """The small corpus as a CSV file."""
    rows = [f'"{text}",{label}\n' for text, label in zip(TEXTS, LABELS, strict=True)]
    path = tmp_path / "small.csv"
    path.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained() -> embedclf.TextClassifier:
    """A classifier trained on the vectors of the small corpus."""
    return embedclf.train(TEXTS, LABELS, features="embedding", label_names=False)


@pytest.fixture(scope="session")
def model(trained: embedclf.TextClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its file."""
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    trained.save(path)
    return path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An old model that does not know passwords, and a new one that does."""
    folder = tmp_path_factory.mktemp("models")
    known = [(text, label) for text, label in zip(TEXTS, LABELS, strict=True) if label != "password"]
    old, new = folder / "old.safetensors", folder / "new.safetensors"
    embedclf.train(*zip(*known, strict=True), embedder="wordllama", **QUICK).save(old)
    embedclf.train(TEXTS, LABELS, embedder="wordllama", **QUICK).save(new)
    return old, new


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    if BROWSER is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()
