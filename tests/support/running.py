"""Running things, and waiting for them."""

import shutil
import time
from collections.abc import Callable

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
