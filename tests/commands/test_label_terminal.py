"""``embedclf label --terminal``, from a file of texts to a labelled one."""

import json
import sys
from functools import partial
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

from corpus import LABELS, QUICKLY, TEXTS
from embedclf.cli import main
from embedclf.data.corpus import read_corpus
from labelling_terminal import CTRL_C, DOWN, ENTER, LEFT, CommandTerminal, labelling
from running import Cli

LABEL_OF = dict(zip(TEXTS, LABELS, strict=True))


@pytest.fixture
def inbox() -> Path:
    path = Path("inbox.csv")
    path.write_text("text\n" + "".join(f'"{text}"\n' for text in TEXTS))
    return path


COMMAND = ("label", "inbox.csv", "-o", "labelled.csv", "--order", "file", "--terminal")


def test_from_texts_to_a_labelled_file(
    monkeypatch: pytest.MonkeyPatch, inbox: Path, capsys: pytest.CaptureFixture[str]
):
    run = partial(main.main, [*COMMAND, "--test-share", "0", "--json"], standalone_mode=False)
    with labelling(run, monkeypatch) as terminal:
        terminal.press("delivery", ENTER)
        for _ in range(9):
            terminal.press("1")
        terminal.press("Refund", ENTER)
        terminal.press("refunds", DOWN, CTRL_C)
    shown = terminal.shown()
    assert shown.startswith(
        "inbox.csv: 30 rows\n"
        "Embedder: wordllama:l2_supercat (256 dimensions; AIMLAPI_API_KEY is not set)\n"
        "A digit or letters choose a label, ? lists the keys, Ctrl-C stops.\n"
        "\n"
        "inbox.csv:2 · 0 of 30 labelled\n"
        f"  {TEXTS[0]}\n"
        "There are no labels yet. Type the first one and press Enter.\n"
        "> delivery\n"
        "\n"
        "inbox.csv:3 · 1 of 30 labelled\n"
        f"  {TEXTS[1]}\n"
        "1  delivery\n"
        "> delivery\n"
    )
    assert shown.endswith(
        "Wrote labelled.csv (11 of 30 rows labelled)\n"
        "To continue labelling, run the same command again.\n"
        "Train with: embedclf train labelled.csv --skip-bad-rows\n"
    )
    assert json.loads(capsys.readouterr().out)["labels"] == {"delivery": 10, "Refund": 1}


@pytest.mark.slow
def test_nothing_is_lost_when_it_is_killed(cli: Cli, inbox: Path):
    """From the first text to the last, killed in the middle, in a terminal that is made narrower meanwhile."""
    with CommandTerminal(*COMMAND) as terminal:
        for number in range(12):
            _label(terminal, number)
        terminal.wait_for(_ASKED)
        terminal.kill()
    with CommandTerminal(*COMMAND) as terminal:
        terminal.wait_for(r"\nContinuing: 12 texts labelled so far\r\n")
        for number in range(12, 30):
            _label(terminal, number)
            if number == 20:
                terminal.resize(40)
        terminal.wait_for(r"\nNo texts left\.\r\n\r> .*\r> ")
        terminal.press("q")
        said = " ".join(terminal.end().split())
        assert terminal.process.returncode == 0
    assert "Wrote labelled.csv (28 rows) and labelled_test.csv (2 rows, drawn at random)" in said
    assert cli("train", "labelled.csv", *QUICKLY).exit_code == 0


_ASKED = r" labelled\S*\r\n.*\r> "


def _label(terminal: CommandTerminal, number: int) -> None:
    """Label the text that is asked, the `number`-th."""
    shown = terminal.wait_for(_ASKED)
    assert f"· {number} of 30 labelled\n" in shown
    asked = next(text for text in TEXTS if f" {text} " in f" {' '.join(shown.split())} ")
    terminal.press(f"{LABEL_OF[asked]}\r")


def test_taking_back_what_an_earlier_run_has_answered(monkeypatch: pytest.MonkeyPatch, inbox: Path):
    run = partial(main.main, [*COMMAND, "--test-share", "0"], standalone_mode=False)
    with labelling(run, monkeypatch) as terminal:
        terminal.press("refund", ENTER)
    with labelling(run, monkeypatch) as terminal:
        assert "Continuing: 1 text labelled so far\n" in terminal.shown()
        assert terminal.press(LEFT).startswith("Undid the last answer\n\ninbox.csv:2 · 0 of 30 labelled\n")
        terminal.press("delivery", ENTER)
        terminal.press(CTRL_C)
    assert read_corpus("labelled.csv", skip_bad_rows=True).labels == ["delivery"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inbox.csv"], "--terminal needs a terminal, but standard input is not one. Without it, a page is opened."),
        (["-"], "--terminal reads keys from standard input, so FILE cannot be -."),
        (["inbox.csv", "--port", "80"], "--port and --no-browser are for the page: leave them out with --terminal."),
        (["inbox.csv", "--no-browser"], "--port and --no-browser are for the page: leave them out with --terminal."),
    ],
)
def test_where_there_is_no_terminal(cli: Cli, inbox: Path, arguments: list[str], message: str):
    done = cli("label", *arguments, "-o", "labelled.csv", "--terminal")
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert [path.name for path in Path().iterdir()] == ["inbox.csv"]


def test_no_extra_is_needed(monkeypatch: pytest.MonkeyPatch, inbox: Path):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.setitem(sys.modules, "embedclf.labelling.server", None)
    with labelling(partial(main.main, [*COMMAND], standalone_mode=False), monkeypatch) as terminal:
        terminal.press("refund", ENTER)
        terminal.press(CTRL_C)
    assert "Wrote labelled.csv (1 of 30 rows labelled)\n" in terminal.shown()
