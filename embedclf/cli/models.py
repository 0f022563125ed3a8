"""Which model file a command uses."""

import contextlib
import os
from pathlib import Path

from embedclf.cli.screen import echo
from embedclf.data.atomic_file import AtomicFile
from embedclf.data.plain_file import read_plain
from embedclf.errors import EmbedclfError, OutputError

FOLDER = Path("models")
LATEST = FOLDER / ".latest"
_MOST_BYTES_OF_A_PATH = 2**16


def remember_latest(path: Path) -> None:
    """Leave the name of the model that was trained last, for the commands that follow."""
    try:
        with AtomicFile(LATEST) as file:
            file.write(os.fsencode(path) + b"\n")
    except OutputError as error:
        echo(f"Warning: {error}: name the model with -m", err=True)


def find_model(given: str | None) -> str:
    """Give the path of the model that was given, or of the one that is meant; the latter is named on stderr.

    Raises
    ------
    EmbedclfError
        If none was given and it is not clear which one is meant.
    """
    if given is None:
        given, reason = _find()
        echo(f"Model: {given} ({reason})", err=True)
    return given


def _find() -> tuple[str, str]:
    if from_environment := os.environ.get("EMBEDCLF_MODEL"):
        return from_environment, "from EMBEDCLF_MODEL"
    with contextlib.suppress(OSError, ValueError):  # of what is no path, for one
        latest = os.fsdecode(read_plain(LATEST, _MOST_BYTES_OF_A_PATH)).strip()
        if latest and Path(latest).is_file():
            return latest, "the one trained last"
    found = sorted(str(path) for path in FOLDER.glob("*.safetensors")) if FOLDER.is_dir() else []
    if len(found) == 1:
        return found[0], "the only one in models/"
    if found:
        listed = "\n".join(f"  {path}" for path in found)
        raise EmbedclfError(f"models/ holds several models; name one with -m:\n{listed}")
    raise EmbedclfError(
        "there is no model in models/ here; train one with: embedclf train DATASET, or name one with -m"
    )
