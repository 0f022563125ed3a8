"""What a person sees on a terminal: in colour, as wide as it is, and a file named once."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from corpus import LABELS, TEXTS, write_csv
from embedclf.printing.lines import width_of

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")]


def on_terminal(width: int, *arguments: object, **environment: str) -> str:
    """Return what a command prints to a terminal of a width."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    own = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    command = [sys.executable, "-m", "embedclf", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL, env={**own, "TERM": "xterm", **environment}
    )
    os.close(slave)
    shown = b""
    try:
        while part := os.read(master, 65_536):
            shown += part
    except OSError:  # Linux: the other end is closed
        pass
    os.close(master)
    assert process.wait(timeout=60) == 0
    return shown.decode().replace("\r\n", "\n")


@pytest.fixture
def wrong(dataset: Path) -> Path:
    """A test set with a wide text, a long one and an accented one, labelled wrongly."""
    texts = ["注文した商品がまだ届いていません。" * 5, "where is my parcel, " * 30, "my re\u0301fund, " * 20]
    rows = [(f'"{text}"', label) for text, label in zip(texts, ("refund", "password", "password"), strict=True)]
    rows += [(f'"{text}"', label) for text, label in zip(TEXTS, LABELS, strict=True)]
    return write_csv(dataset.parent / "test.csv", rows)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_line_of_a_report_fits(wrong: Path, model: Path, width: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(wrong.parent)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(width, "evaluate", "test.csv", "-m", model))
    lines = plain.splitlines()
    assert max(map(width_of, lines)) <= width
    assert plain.count("test.csv") == 1
    assert sum(line.startswith("  :") for line in lines) == 3


def test_headings_right_and_wrong_and_places_have_their_styles(wrong: Path, model: Path):
    shown = on_terminal(120, "evaluate", wrong, "-m", model)
    assert "\x1b[1mMost frequent confusions:\x1b[0m" in shown
    assert all(f"  \x1b[2m:{line}\x1b[0m  labelled" in shown for line in (2, 3, 4))
    assert "labelled \x1b[32mpassword\x1b[0m, predicted \x1b[31m" in shown


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colour_nothing_but_the_width_changes(wrong: Path, model: Path, environment: dict[str, str]):
    assert "\x1b" not in on_terminal(80, "evaluate", wrong, "-m", model, **environment)


def test_a_pipe_is_neither_coloured_nor_wrapped(process, wrong: Path, model: Path):
    done = process("evaluate", wrong, "-m", model, env={**os.environ, "COLUMNS": "40"})
    assert "\x1b" not in done.stdout
    assert f"3 misclassified rows in {wrong}. Most confident first; check these labels:" in done.stdout
