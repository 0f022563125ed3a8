"""What the README shows, works."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

import embedclf
from aimlapi_server import AimlapiServer
from conftest import DATASETS, Cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("&& ")[-1] for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if "embedclf" in line]


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples need: the datasets, the model, and the files that a reader would have."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(DATASETS, folder / "datasets")
    shutil.copytree(ROOT / "models", folder / "models", ignore=shutil.ignore_patterns(".latest"))
    (folder / "new.csv").write_text("id,text\n1,where is my parcel\n")
    rows = ["gut;1", "schlecht;2", "schön;1", "übel;2"]
    (folder / "reviews.csv").write_text("review;stars\n" + "\n".join(rows) + "\n", encoding="cp1252")
    return folder


@pytest.mark.parametrize("command", commands())
def test_every_command_runs(process, checkout: Path, monkeypatch: pytest.MonkeyPatch, command: str):
    """Each command line of the README ends well, as it stands there; AI/ML API is on loopback."""
    monkeypatch.chdir(checkout)
    echoed, _, rest = command.rpartition(" | ")
    words = shlex.split(rest)
    with AimlapiServer(api_key="your-key") as api:
        monkeypatch.setenv("AIMLAPI_BASE_URL", api.base_url)
        while "=" in words[0]:
            monkeypatch.setenv(*words.pop(0).split("=", 1))
        assert words[0] == "embedclf"
        done = process(*words[1:], stdin=echoed.removeprefix('echo "').removesuffix('"'))
    assert done.returncode == 0, done.stderr


def test_the_first_command_prints_what_is_shown(cli: Cli, checkout: Path, monkeypatch: pytest.MonkeyPatch):
    """The shown output is a real one, word by word; a figure may differ a little on another machine."""
    monkeypatch.chdir(checkout)
    commands = (["train", "datasets/support_tickets.csv"], ["predict", "I was charged twice this month"])
    for command, shown in zip(commands, blocks("text")[:2], strict=True):
        printed = cli(*command).output
        number = r"\d[\d,.]*\d|\d"
        assert re.sub(number, "#", printed) == re.sub(number, "#", shown)
        for one, other in zip(re.findall(number, printed), re.findall(number, shown), strict=True):
            assert float(one.replace(",", "")) == pytest.approx(float(other.replace(",", "")), abs=0.02)


def test_the_python_examples_run():
    """In the order of the page, as one program."""
    space: dict = {}
    for block in blocks("python"):
        exec(block, space)
    assert space["classifier"].predict(["Where is my refund?"]) == ["refund"]


def test_the_table_of_errors_is_the_tree():
    """Every error of the README is public and of the tree."""
    for name in re.findall(r"^\| `(\w+Error)` \|", README, flags=re.MULTILINE):
        assert issubclass(getattr(embedclf, name), embedclf.EmbedclfError)
