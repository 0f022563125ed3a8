"""The width of the terminal."""

import shutil
import sys

# Narrower than this, lines are wrapped by the terminal itself; wider, they are hard to read.
_LEAST_WIDTH, _MOST_WIDTH = 40, 300


def columns(*, err: bool = False) -> int | None:
    """Return the width of the terminal that stdout (or stderr) is, or None if it is not a terminal."""
    if not (sys.stderr if err else sys.stdout).isatty():
        return None
    return min(max(shutil.get_terminal_size().columns, _LEAST_WIDTH), _MOST_WIDTH)
