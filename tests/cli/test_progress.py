"""The progress bar, as a person sees it."""

import os
import pty
import re
import select
import sys
from pathlib import Path

import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import DATASETS, TEXTS
from embedclf.embedding.usage import Progress

# Which take 3.3 seconds where a request for 32 of them takes 0.3, and two of them run at a time.
N_ROWS = 700

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a pseudo-terminal")


def in_terminal(*args: str, stdout: Path | None = None) -> tuple[str, int]:
    """Run embedclf in a terminal; gives what was written there, without the codes, and the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        if stdout is not None:
            os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT), 1)
        os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="40")
        os.execv(sys.executable, [sys.executable, "-m", "embedclf", *args])
    written = b""
    while True:
        select.select([terminal], [], [])
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # how Linux says that the other end is closed
            part = b""
        if not part:
            break
        written += part
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode()), code


@pytest.fixture
def many(tmp_path: Path) -> Path:
    path = tmp_path / "many.csv"
    path.write_text("text,label\n" + "".join(f"row {number},{'ab'[number % 2]}\n" for number in range(N_ROWS)))
    return path


@pytest.mark.slow
def test_it_shows_after_two_seconds(api: AimlapiServer, many: Path):
    """Texts done, rate, time left, requests in flight and money; results and remarks stand as ever."""
    api.delay = 0.3
    quickly = ["--regularization", "1", "--features", "embedding", "--holdout", "0"]
    shown, code = in_terminal("train", str(many), "--batch-size", "32", "--concurrency", "2", *quickly)
    assert code == 0
    seen = re.findall(r"(\d[\d,]*) of 700 texts · (\d[\d,]*)/s · \d:\d\d left · [12] in flight · (?:less|\$)", shown)
    assert len(seen) > 5
    done = [int(texts.replace(",", "")) for texts, _ in seen]
    assert done == sorted(done)
    assert "Embedding: 700 texts, 0 from cache" in shown
    assert "Saved models/many.safetensors" in shown


@pytest.mark.slow
def test_it_stays_out_of_pipes_and_files(process, api: AimlapiServer, many: Path):
    """Only a terminal gets it, and only standard error."""
    embedclf.train([*TEXTS], ["a", "b"] * 15).save("m.safetensors")
    api.delay = 0.3
    done = process("predict", "-m", "m.safetensors", "--input", many, "--batch-size", 32, "--concurrency", 2)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == N_ROWS
    assert "of 700 texts" not in done.stderr
    many.write_text(many.read_text().replace("row", "line"))
    out = many.with_name("out.txt")
    options = ["--batch-size", "32", "--concurrency", "2"]
    shown, code = in_terminal("predict", "-m", "m.safetensors", "--input", str(many), *options, stdout=out)
    assert code == 0
    assert re.search(r"\d+ of 700 texts · \d", shown)
    assert len(out.read_text().splitlines()) == N_ROWS
    assert "texts" not in out.read_text()


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


@pytest.mark.slow
def test_a_long_training_shows_its_steps():
    """What is tried, in which fold, after two seconds; nothing of it is left when it is done."""
    shown, code = in_terminal("train", str(DATASETS / "support_tickets.csv"))
    assert code == 0
    assert re.search(r"Choosing settings: C = \d+, word scale \d, fold \d+ of 10 ", shown)
    assert shown.rstrip().splitlines()[-1].startswith("Saved models/support_tickets.safetensors")
