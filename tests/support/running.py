"""Running things, and waiting for them."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

# Seconds after which a test says that something does not come.
PATIENCE = 60.0

Cli = Callable[..., Result]


def wait_until(true: Callable[[], object]) -> None:
    """Wait for something that comes by itself, however slow the machine is."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"it did not come in {PATIENCE:g} s"
        time.sleep(0.01)


def run_beside(test_file: str, code: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in a process of its own that can import a test module, and what tests share."""
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(test_file).parent,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done
