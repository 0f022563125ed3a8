"""What the tests share: a small corpus, a model trained on it, and the command line."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import embedclf
from aimlapi_server import AimlapiServer
from embedclf.cli import main

SMALL = {
    "delivery": [
        "Where is my parcel?",
        "The courier never came with my package",
        "My delivery is three days late",
        "Tracking has not moved since Monday",
        "When will the parcel arrive?",
        "The driver left the package with a neighbour",
        "Parcel lost in the post",
        "I am still waiting for my delivery to arrive",
        "Can the courier come on Saturday?",
        "The package was delivered to the wrong address",
    ],
    "password": [
        "I forgot my password",
        "Cannot log in to my account",
        "The password reset mail never comes",
        "My account is locked after too many attempts",
        "How do I change my password?",
        "Login says wrong password",
        "Please unlock my account, I cannot sign in",
        "The sign in code does not work",
        "I want a new password for my login",
        "Log in fails on my phone",
    ],
    "refund": [
        "I want my money back",
        "When do I get my refund?",
        "Please refund the broken lamp",
        "You refunded too little money",
        "The refund has not reached my bank",
        "Money back please, I returned it weeks ago",
        "How long does a refund take?",
        "I was promised a full refund",
        "Refund to another card?",
        "My money was never paid back",
    ],
}
TEXTS = [text for texts in SMALL.values() for text in texts]
LABELS = [label for label, texts in SMALL.items() for _ in texts]
BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
DATASETS = Path(__file__).parent.parent / "datasets"

# Seconds after which a test says that something does not come.
PATIENCE = 60.0

Cli = Callable[..., Result]


def wait_until(true: Callable[[], object]) -> None:
    """Wait for something that comes by itself, however slow the machine is."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"it did not come in {PATIENCE:g} s"
        time.sleep(0.01)


def write_csv(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    """Write fields that need no quotes."""
    path.write_text("".join(",".join(row) + "\n" for row in [header, *rows]), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _in_an_empty_folder(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every test starts in a folder of its own, with a cache of its own, and nothing else in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("EMBEDCLF_", "AIMLAPI_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EMBEDCLF_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


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
