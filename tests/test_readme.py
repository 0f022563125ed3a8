"""What the README shows, works."""

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import embedclf
from aimlapi_server import AimlapiServer
from conftest import DATASETS, Cli
from embedclf.data.corpus import read_corpus
from embedclf.data.writer import CorpusWriter

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands_of(block: str) -> list[str]:
    lines = [line.split("&& ")[-1] for line in block.splitlines()]
    return [line for line in lines if "embedclf" in line]


# A block of commands, and what the last of them prints.
SHOWN = [
    (commands_of(commands)[-1], output)
    for commands, output in re.findall(r"```sh\n([^`]*)```\n\n```text\n(.*?)```", README, flags=re.DOTALL)
]
COMMANDS = [command for block in blocks("sh") for command in commands_of(block)]


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples need: the datasets, the model, and the files that a reader would have."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(DATASETS, folder / "datasets")
    shutil.copytree(ROOT / "models", folder / "models", ignore=shutil.ignore_patterns(".latest"))
    (folder / "new.csv").write_text("id,text\n1,where is my parcel\n")
    tickets = read_corpus(folder / "datasets" / "support_tickets_test.csv")
    with CorpusWriter(folder / "unlabelled.csv", ["text"], []) as writer:
        for row in tickets.rows:
            writer.write(replace(row, record={"text": row.text}), [])
    rows = ["gut;1", "schlecht;2", "schön;1", "übel;2"]
    (folder / "reviews.csv").write_text("review;stars\n" + "\n".join(rows) + "\n", encoding="cp1252")
    return folder


@pytest.mark.parametrize("command", [one for one in COMMANDS if one not in dict(SHOWN)])
def test_every_command_runs(process, checkout: Path, monkeypatch: pytest.MonkeyPatch, command: str):
    """Each command line of the README ends well, as it stands there; AI/ML API is on loopback.

    With a third of the rows, which is enough to end well.
    """
    monkeypatch.chdir(checkout)
    for path in Path("datasets").glob("*.csv"):
        corpus = read_corpus(path)
        with CorpusWriter(path, corpus.columns, []) as writer:
            for row in corpus.rows[::3]:
                writer.write(row, [])
    echoed, _, rest = command.rpartition(" | ")
    words = shlex.split(rest)
    with AimlapiServer(api_key="your-key") as api:
        monkeypatch.setenv("AIMLAPI_BASE_URL", api.base_url)
        while "=" in words[0]:
            monkeypatch.setenv(*words.pop(0).split("=", 1))
        assert words[0] == "embedclf"
        done = process(*words[1:], stdin=echoed.removeprefix('echo "').removesuffix('"'))
    assert done.returncode == 0, done.stderr


def test_the_commands_print_what_is_shown(cli: Cli, checkout: Path, monkeypatch: pytest.MonkeyPatch):
    """The shown outputs are real ones, word by word, but for what a line with only … stands for.

    A figure may differ a little on another machine, and how long something takes is not compared.
    """
    monkeypatch.chdir(checkout)
    assert len(SHOWN) == 15
    for command, shown in SHOWN:
        name, *arguments = shlex.split(command)
        assert name == "embedclf"
        done = cli(*arguments)
        assert done.exit_code == 0, done.output
        printed = untimed(done.output).splitlines()
        place = 0
        for number, part in enumerate(re.split(r"^…\n", untimed(shown), flags=re.MULTILINE)):
            lines = part.splitlines()
            # The first part begins the output; any other is somewhere behind the one before.
            starts = range(place, len(printed) - len(lines) + 1) if number else [0]
            found = next((start for start in starts if alike(printed[start : start + len(lines)], lines)), None)
            assert found is not None, f"{command}\n\nshown:\n{part}\nprinted:\n{done.output}"
            place = found + len(lines)
        assert place == len(printed) or shown.endswith("\n…\n"), f"{command} prints more:\n{done.output}"


def untimed(output: str) -> str:
    """Cut the milliseconds behind the size of a model off."""
    return re.sub(r"( kB) +[\d.]+$", r"\1", output, flags=re.MULTILINE)


def alike(printed: list[str], shown: list[str]) -> bool:
    """Whether lines are the same but for small differences of figures."""
    number = r"\d[\d,.]*\d|\d"
    one, other = "\n".join(printed), "\n".join(shown)
    if re.sub(number, "#", one) != re.sub(number, "#", other):
        return False

    def figures(text: str) -> list[float]:
        # Percents are shares, and what has one decimal is points of a hundred: a tenth of them differs as easily.
        found = re.findall(rf"({number})( %)?", text)
        return [
            float(digits.replace(",", "")) / (100 if percent else 10 if re.fullmatch(r"\d+\.\d", digits) else 1)
            for digits, percent in found
        ]

    return figures(one) == pytest.approx(figures(other), rel=1e-6, abs=0.02)


def test_the_python_examples_run():
    """In the order of the page, as one program; what needs a cluster runs in `test_engines.py`."""
    space: dict = {}
    for block in blocks("python"):
        if "tcp://" not in block:
            exec(block, space)
    assert space["classifier"].predict(["Where is my refund?"]) == ["refund"]


def test_the_table_of_errors_is_the_tree():
    """Every error of the README is public and of the tree."""
    for name in re.findall(r"^\| `(\w+Error)` \|", README, flags=re.MULTILINE):
        assert issubclass(getattr(embedclf, name), embedclf.EmbedclfError)
