"""What tasks in other processes have to say."""

import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embedclf.parallel import reporting
from embedclf.parallel.reporting import Reporting, heard, watching
from embedclf.phases import Phase, phase, watched


@pytest.fixture(autouse=True)
def _logged_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever earlier commands have left."""
    monkeypatch.setattr(logging.getLogger("embedclf"), "propagate", True)
    monkeypatch.setattr(logging.getLogger("embedclf"), "handlers", [])


def task(number: int) -> int:
    logging.getLogger("embedclf.anything").warning("only %s row", 1)
    warnings.warn("rounded", RuntimeWarning, stacklevel=1)
    return number


def elsewhere(function: Callable[..., Any], folder: Path | None = None) -> Reporting:
    """As if it had come from another process."""
    run = Reporting(function, None if folder is None else str(folder))
    run._home = -1
    return run


@pytest.mark.filterwarnings("default:rounded")
def test_warnings_come_back_with_the_results_and_are_given_out_once(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    """What a worker prints would stand in the middle of the progress line."""
    told = [elsewhere(task)(number, number) for number in range(2)]
    assert capfd.readouterr() == ("", "")
    assert caplog.messages == []
    with pytest.warns(RuntimeWarning, match="rounded"):
        assert list(heard(told)) == [0, 1]
    assert caplog.messages == ["only 1 row"]


@pytest.mark.filterwarnings("ignore:rounded")
def test_in_this_process_nothing_is_held_back(caplog: pytest.LogCaptureFixture):
    assert Reporting(task, None)(0, 7) == (7, [], [])
    assert caplog.messages == ["only 1 row"]


def test_how_far_tasks_are_is_known_before_one_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A task writes what share of it is done, in the end all; whoever watches adds up what is not yet counted."""
    monkeypatch.setattr(reporting, "_SECONDS", 0.01)
    written: list[str] = []
    monkeypatch.setattr(Path, "write_text", lambda path, text: written.append(text))

    def slowly() -> None:
        with phase("Solving", 4) as solving:
            solving.advance(3)
            while "0.7500" not in written:
                time.sleep(0.01)

    elsewhere(slowly, tmp_path)(0)
    monkeypatch.undo()
    assert written[-1] == "1"

    monkeypatch.setattr(reporting, "_SECONDS", 0.01)
    doing = Phase("Cross-validating", 5, "fold")
    with watched(), watching(doing) as folder:
        for number, share in enumerate(["1", "0.5", "x"]):
            (Path(folder) / str(number)).write_text(share)
        while doing.under_way < 1.5:
            time.sleep(0.01)
        doing.advance()
        assert doing.under_way == 0.5
    assert not Path(folder).exists()
    with watching(doing) as folder:
        assert folder is None
