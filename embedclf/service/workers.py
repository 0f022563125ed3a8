"""How many processes serve the same application."""

import multiprocessing
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

_SERVERS = ("fastapi", "granian", "gunicorn", "hypercorn", "uvicorn")
_OPTIONS = ("--workers", "-w")
# What uvicorn, Gunicorn and hosting providers agree on.
_VARIABLE = "WEB_CONCURRENCY"


def n_workers() -> int:
    """Return how many processes serve the application, as far as the server's command line or environment says."""
    server = _server()
    if server is None and multiprocessing.parent_process() is None:
        return 1  # a program of its own, or a process that it has forked
    asked = _asked(sys.argv[1:]) if server is not None else None
    if asked is None and server == "gunicorn":
        asked = _asked(shlex.split(os.environ.get("GUNICORN_CMD_ARGS", "")))
    return asked or _whole(os.environ.get(_VARIABLE, "")) or 1


def _server() -> str | None:
    """Return the name of the server that was started as a program or with ``python -m``."""
    path = Path(sys.argv[0]) if sys.argv else Path()
    name = path.parent.name if path.stem == "__main__" else path.stem
    return name if name in _SERVERS else None


def _asked(arguments: Sequence[str]) -> int | None:
    for number, argument in enumerate(arguments):
        for option in _OPTIONS:
            if argument == option and number + 1 < len(arguments):
                return _whole(arguments[number + 1])
            joined = f"{option}=" if option.startswith("--") else option
            if argument.startswith(joined) and (n := _whole(argument.removeprefix(joined).removeprefix("="))):
                return n
    return None


def _whole(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and int(value) > 0 else None
