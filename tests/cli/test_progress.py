"""The progress line, as a person sees it."""

import os
import pty
import re
import select
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import embedclf
from aimlapi_server import AimlapiServer
from corpus import DATASETS, QUICK, QUICKLY, TEXTS
from embedclf.cli.progress import shown
from embedclf.embedding.usage import Progress
from embedclf.phases import Phase, _watched, watched
from running import Cli

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a pseudo-terminal")

# Which take 3.3 seconds where a request for 32 of them takes 0.3, and two of them run at a time.
N_ROWS = 700


def in_terminal(
    *args: object,
    columns: int = 120,
    stdout: Path | None = None,
    typed: str = "",
    interrupt_at: str | None = None,
    **environment: str,
) -> tuple[str, int]:
    """Run embedclf in a terminal; gives all that was written, and the exit code.

    A text is typed at once, and ended with Ctrl-D two seconds later. Ctrl-C is pressed once a text is shown.

    Escape codes are left out, but a line that is drawn anew starts with a carriage return.
    """
    import fcntl
    import termios

    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        if stdout is not None:
            os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT), 1)
        os.environ.update({"TERM": "xterm-256color", **environment})
        os.execv(sys.executable, [sys.executable, "-m", "embedclf", *map(str, args)])
    written = b""
    os.write(terminal, typed.encode())
    while True:
        if not select.select([terminal], [], [], 2)[0]:
            if typed:
                os.write(terminal, b"\x04")
            continue
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # how Linux says that the other end is closed
            part = b""
        if not part:
            break
        written += part
        if interrupt_at is not None and interrupt_at.encode() in written:
            os.write(terminal, b"\x03")
            interrupt_at = None
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode()), code


def as_left(written: str) -> str:
    """Return what is left on the terminal at the end: of each line, what was last drawn."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in written.split("\n"))


def of(name: str, done: int = 0, total: int | None = None, unit: str = "", **more: Any) -> Phase:
    """A phase that began 10 seconds before the time 100, and whose steps last changed one second before it."""
    made = Phase(name, total, unit, done)
    made.passed, made.begun, made.changed = 0, 90.0, 99.0
    for key, value in more.items():
        setattr(made, key, value)
    return made


def test_a_line_has_a_name_steps_rate_and_time_left():
    embedding = of("Embedding", 18_000, 50_000, "text", remarks=("3 in flight", "$0.01"))
    assert shown([embedding], 100, 117) == (
        "Embedding ━━━━━━━━━━━━━───────────────────────── 18,000 of 50,000 texts · 2,000/s · 0:15 left"
        " · 3 in flight · $0.01"
    )
    assert shown([of("Clustering")], 100, 77) == "Clustering · 0:10"
    assert shown([of("Clustering")], 4_000, 77) == "Clustering · 1:05:10"
    folds = of("Cross-validating", 1, 5, "fold")
    assert shown([folds], 100, 77) == "Cross-validating ━━━━────────────────── 1 of 5 folds · 9 s each · 0:35 left"
    assert shown([], 100, 77) == "Working"


def test_a_phase_within_another_gives_its_steps_or_stands_behind_it():
    folds = of("Cross-validating", 1, 5, "fold")
    inner = shown([of("Finding label errors"), folds], 100, 57)
    assert inner == "Finding label errors ━──────── 1 of 5 folds · 0:35 left"
    both = shown([of("Comparing", 1, 2, "combination"), folds], 100, 117)
    assert both.endswith("1 of 2 combinations · 8 s each · 0:07 left · Cross-validating 1 of 5 folds")


def test_what_is_done_of_a_step_gives_the_time_left_before_the_first_has_ended():
    """Here a quarter of the first fit, after ten seconds; a step that has hardly begun tells nothing."""
    fits = of("Choosing settings", 0, 9, "fit", changed=90.0)
    assert shown([fits, of("Solving", 5, 100)], 100, 77).endswith("0 of 9 fits · 0:10")
    assert shown([fits, of("Solving", 25, 100)], 100, 77).endswith("0 of 9 fits · 5:50 left")


def test_steps_that_run_at_once_take_as_long_as_the_last_of_them():
    """After two of five folds, of which two run at a time, there are two rounds of nine seconds to come."""
    assert "0:17 left" in shown([of("Cross-validating", 2, 5, "fold", at_once=2)], 100, 77)


def test_an_estimated_total_is_said_to_be_one_and_one_that_was_too_low_is_not_exceeded():
    reading = of("Reading", 900, 1_000, "row", is_about=True)
    assert "  900 of about 1,000 rows · 100/s · 0:00 left" in shown([reading], 99.5, 100)
    reading.reach(1_200)
    reading.changed = 99.0
    assert re.fullmatch("Reading ━+ 1,200 of about 1,200 rows · 133/s · 0:10", shown([reading], 100, 100))


@pytest.mark.parametrize("columns", [1, 10, 37, 57, 77, 117, 297])
def test_no_line_is_wider_than_the_terminal(columns: int):
    wide = of("Reading 日本語のとても長い名前のファイル.csv", 12_288, 1_000_000, "row", is_about=True)
    for phases in ([], [wide], [of("Embedding", 1, 2, "text", remarks=("x" * 40,) * 9)], [of("Laying out"), wide]):
        assert cell_len(shown(phases, 100, columns)) <= columns


def test_at_40_columns_the_time_left_remains():
    assert shown([of("Embedding", 18_000, 50_000, "text")], 100, 37) == "Embedding · 36 % · 0:15 left"
    assert shown([of("Finding label errors", 1, 5, "fold")], 100, 37) == "Finding label errors · 0:35 left"
    reading = of("Reading a_long_name_of_a_file.csv", 9, 90, "row")
    assert shown([reading], 100, 37) == "Reading a_long_name_of_a… · 1:20 left"


@pytest.fixture
def named() -> Iterator[list[str]]:
    """The names of the phases that the test goes through."""
    names: list[str] = []

    class Recorded(list[Phase]):
        def append(self, phase: Phase) -> None:
            names.append(phase.name)
            super().append(phase)

    phases = Recorded()
    token = _watched.set(phases)
    yield names
    _watched.reset(token)
    assert not phases


COMMANDS = {
    "train": ["Reading small.csv", "Embedding", "Choosing settings", "Fitting on all rows"],
    "cross-validate": ["Reading small.csv", "Embedding", "Cross-validating", "Resampling"],
    "evaluate": ["Reading small.csv", "Embedding", "Predicting", "Resampling", "Weighing words"],
    "cluster": ["Reading small.csv", "Embedding", "Finding neighbours", "Clustering", "Naming clusters"],
    "check": ["Reading small.csv", "Comparing texts", "Embedding", "Finding near-duplicates", "Measuring diversity"],
    "predict": ["Predicting", "Embedding"],
}


# Label errors need cleanlab, whose import takes seconds.
@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=pytest.mark.slow if name == "check" else ()) for name in COMMANDS]
)
def test_each_phase_of_a_command_has_its_own_name(
    cli: Cli, dataset: Path, model: Path, named: list[str], command: str, monkeypatch: pytest.MonkeyPatch
):
    """Reading is not called embedding, and what makes one wait longest has a name of its own."""
    monkeypatch.setenv("EMBEDCLF_MODEL", str(model))
    options = {"train": QUICKLY, "cross-validate": QUICKLY[:4], "predict": ("--input",)}.get(command, ())
    assert cli(command, *options, dataset).exit_code == 0
    assert [name for name in dict.fromkeys(named) if name in COMMANDS[command]] == COMMANDS[command]


@pytest.mark.slow
def test_a_map_is_the_same_with_its_steps_watched():
    texts = [f"text {number}" for number in range(60)]
    plain = embedclf.text_map(texts)
    with watched():
        assert (embedclf.text_map(texts).positions == plain.positions).all()


@pytest.fixture
def many(tmp_path: Path) -> Path:
    path = tmp_path / "many.csv"
    path.write_text("text,label\n" + "".join(f"row {number},{'ab'[number % 2]}\n" for number in range(N_ROWS)))
    return path


SLOWLY = ["--batch-size", "32", "--concurrency", "2"]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_it_shows_while_a_command_works_below_what_it_says(api: AimlapiServer, many: Path):
    """Texts done, rate, time left, requests in flight and money; messages stand above, whole, and nothing is left."""
    api.delay = 0.3
    written, code = in_terminal("train", many, *SLOWLY, *QUICKLY)
    assert code == 0
    steps = r"(\d[\d,]*) of 700 texts · (\d[\d,]*)/s · \d:\d\d left · [12] in flight · (?:less|\$)"
    seen = re.findall(rf"Embedding [━─]+ +{steps}", written)
    assert len(seen) > 5
    done = [int(texts.replace(",", "")) for texts, _ in seen]
    assert done == sorted(done)
    assert max(len(line) for line in written.split("\r")) < 120
    left = as_left(written)
    assert not re.search("[━─⠋⠙]|Working", left)
    assert re.search(r"^Embedding: 700 texts, 0 from cache", left, re.MULTILINE)
    assert left.splitlines()[-1].startswith("Saved models/many.safetensors")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_it_stays_out_of_pipes_and_files(
    process: Callable[..., Any], api: AimlapiServer, many: Path, model_of_api: Path
):
    """Only a terminal gets it, and only standard error."""
    api.delay = 0.3
    done = process("predict", "-m", model_of_api, "--input", many, *SLOWLY)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == N_ROWS
    assert "\r" not in done.stderr
    assert "Predicting" not in done.stderr
    many.write_text(many.read_text().replace("row", "line"))
    out = many.with_name("out.txt")
    written, code = in_terminal("predict", "-m", model_of_api, "--input", many, *SLOWLY, stdout=out)
    assert code == 0
    assert re.search(r"Predicting [━─]+ +\d+ of 700 texts · \d", written)
    assert "Embedding 3" not in written
    assert len(out.read_text().splitlines()) == N_ROWS
    assert "texts" not in out.read_text()


@pytest.fixture
def model_of_api(api: AimlapiServer, tmp_path: Path) -> Path:
    embedclf.train([*TEXTS], ["a", "b"] * 15, **QUICK).save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_results_on_the_same_terminal_stand_above_it(api: AimlapiServer, many: Path, model_of_api: Path):
    api.delay = 0.3
    written, code = in_terminal("predict", "-m", model_of_api, "--input", many, *SLOWLY)
    assert code == 0
    assert "Predicting" in written
    labels = [line for line in as_left(written).splitlines() if re.fullmatch(r"[ab]  [01]\.\d{4}", line)]
    assert len(labels) == N_ROWS


@pytest.mark.slow
def test_ctrl_c_leaves_a_clean_line(api: AimlapiServer, many: Path):
    api.delay = 0.3
    written, code = in_terminal("train", many, *SLOWLY, interrupt_at="of 700 texts")
    assert code == 128 + signal.SIGINT
    left = as_left(written)
    assert left.splitlines()[-1] == "Interrupted."
    assert not re.search(r"[━─⠋⠙]|\^C", left)


@pytest.mark.slow
def test_where_somebody_types_there_is_none(model: Path):
    written, code = in_terminal("predict", "-m", model, "-", typed="My parcel is late\n")
    assert code == 0
    typed, answer = written.replace("\x04", "").splitlines()
    assert typed == "My parcel is late"
    assert answer.strip("\b").startswith("delivery  ")


@pytest.mark.slow
@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"PYTHONIOENCODING": "ascii"}])
@pytest.mark.exhaustive
def test_a_terminal_gets_only_what_it_can_show(api: AimlapiServer, many: Path, environment: dict[str, str]):
    """One that cannot erase a line gets none, and one without Unicode gets ASCII."""
    api.delay = 0.3
    written, code = in_terminal("train", many, *SLOWLY, *QUICKLY, **environment)
    assert code == 0
    if "TERM" in environment:
        assert "of 700 texts" not in written
    else:
        assert re.search(r"[|/\\-] Embedding =+-+ +\d+ of 700 texts . \d+/s", written)
        assert written.isascii()


@pytest.mark.slow
def test_in_python_events_come_one_at_a_time(api: AimlapiServer):
    """From the first to the last text; also of WordLlama, and what is cached is done at once."""
    texts = [f"text {number}" for number in range(300)]
    events: list[Progress] = []
    for cached in (False, True):
        events.clear()
        embedclf.open_embedder("aimlapi", cache=True, on_event=events.append).embed([*texts, *texts[: 9 * cached]])
        if cached:
            assert events == []
        else:
            assert [event.done for event in events] == sorted(event.done for event in events)
            assert (events[0].done, events[-1].done) == (0, 300)
            assert {event.total for event in events} == {300}
            assert events[-1].dollars
    embedclf.open_embedder("wordllama", on_event=events.append).embed(texts * 20)
    assert [event.total for event in events] == [6_000] * len(events)
    assert len(events) > 1
    embedclf.open_embedder("aimlapi", cache=True, on_event=events.append).uncached().embed(texts[:2])
    assert (events[-1].done, events[-1].total) == (2, 2)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_long_training_shows_its_phases():
    """What is tried, and how many fits there are about; nothing of it is left when it is done."""
    written, code = in_terminal("train", DATASETS / "support_tickets.csv", columns=160)
    assert code == 0
    assert re.search(r"Choosing settings [━─]+ +\d+ of about \d+ fits · .* · C = \d+, word scale \d", written)
    assert as_left(written).rstrip().splitlines()[-1].startswith("Saved models/support_tickets.safetensors")
