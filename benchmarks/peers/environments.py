"""A Python for each peer: this one if it has what the peer needs, else a virtual environment of its own."""

import importlib.metadata
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

from measuring import SideError, say

# What both sides of a comparison use must be the same.
_SHARED = ("joblib", "langchain-core", "numpy", "pandas", "scikit-learn")


@cache
def python_for(folder: Path, *requirements: str) -> str:
    """Give the Python that has these packages, installed if need be.

    Raises
    ------
    SideError
        If they cannot be installed.
    """
    if all(installed(name) for name in requirements):
        return sys.executable
    place = folder / requirements[0]
    python = str(place / "bin" / "python")
    if not (place / "complete").exists():
        say(f"Making an environment for {requirements[0]} …")
        venv.create(place, with_pip=True, clear=True)
        wanted = [f"{name}=={version}" for name in _SHARED if (version := installed(name))]
        constraints = place / "constraints.txt"
        constraints.write_text("\n".join(wanted))
        command = [python, "-m", "pip", "install", "--quiet", "--constraint", str(constraints), *requirements]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            say(done.stderr)  # which may name addresses, so it is not part of the results
            raise SideError(f"{requirements[0]} could not be installed")
        (place / "complete").touch()
    return python


def installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def version_in(python: str, name: str) -> str:
    script = f"import importlib.metadata as m; print(m.version({name!r}))"
    return subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
