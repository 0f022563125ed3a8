"""Find the model file that a command uses."""

import contextlib
import os
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.cli.screen import echo
from embedclf.data.atomic_file import AtomicFile
from embedclf.data.plain_file import meant, read_plain
from embedclf.errors import EmbedclfError, ModelFileError, OutputError
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.embedding.base import EmbedderSpec

FOLDER = Path("models")
LATEST = FOLDER / ".latest"
_MOST_BYTES_OF_A_PATH = 2**16
_MOST_LABELS = 5
_EXTENSION = ".safetensors"


def remember_latest(path: Path) -> None:
    """Store the path of the most recently trained model as the default of later commands."""
    try:
        with AtomicFile(LATEST) as file:
            file.write(os.fsencode(path) + b"\n")
    except OutputError as error:
        echo(f"Warning: {error}; pass this model to other commands with -m", err=True)


def check_replaced(
    path: Path, labels: Collection[str], *, force: bool, embedder: "EmbedderSpec | None" = None, dry: bool = False
) -> None:
    """Print which model a new one replaces, if any, and check that this is meant if its labels are others.

    Parameters
    ----------
    path : Path
    labels : collection of str
    force : bool
    embedder : EmbedderSpec, optional
        That of the new model, if a model with another one is not to be replaced either.
    dry : bool
        Whether nothing is to be written, only said.

    Raises
    ------
    OutputError
        If the file is a model with other labels or another embedder, or no model, and `force` is false.
    """
    if not path.is_file():  # nothing yet, or /dev/stdout
        return
    from embedclf.classifier.model_file import read_model
    from embedclf.embedding.base import is_alike
    from embedclf.validation import spelt_as

    saved = f"saved {datetime.fromtimestamp(path.stat().st_mtime):%Y-%m-%d %H:%M}"
    try:
        model, card = read_model(path)
    except ModelFileError:
        what = f"{path}, which is not a usable model ({saved})"
        others = f"{path} exists, and is not a usable model ({saved})"
    else:
        rows = "no rows" if card.is_of_labels_alone else counted(card.n_examples, "row")
        what = f"the model {path} ({_named(model.classes)}; {rows}, {saved})"
        same = {*model.classes, card.out_of_scope_label} - {None} == set(spelt_as(sorted(labels), model.classes))
        others = "" if same else f"{path} is a model with other labels: {_named(model.classes)} ({rows}, {saved})"
        if not others and embedder is not None and not is_alike(embedder, card.embedder):
            others = f"{path} is a model with another embedder: {card.embedder.described} ({rows}, {saved})"
    if others and not force:
        raise OutputError(f"{others}. Replace it with --force, or choose another file with -o", path=str(path))
    echo(f"{'Would replace' if dry else 'Replacing'} {what}", err=True)


def _named(labels: Sequence[str]) -> str:
    from embedclf.printing.tables import in_one_line

    more = f" and {len(labels) - _MOST_LABELS:,} more" if len(labels) > _MOST_LABELS else ""
    return ", ".join(map(in_one_line, labels[:_MOST_LABELS])) + more


def find_model(given: str | None) -> str:
    """Return the given model path, or find the default one and print it on stderr.

    Raises
    ------
    EmbedclfError
        If none was given and there is no model, or more than one; or if there is no such file, but one in the folder of
        models that may be meant.
    """
    if given is None:
        given, reason = _find()
        echo(f"Model: {given} ({reason})", err=True)
    elif advice := _meant_in_folder(given):
        raise EmbedclfError(f"model not found: {given}{advice}")
    return given


def _meant_in_folder(given: str) -> str:
    """Return which file in the folder of models may be meant by a name without a folder; empty if none is."""
    path = Path(given)
    if path.name != given or path.exists() or meant(path, _EXTENSION):
        return ""
    return meant(FOLDER / given, _EXTENSION)


def _find() -> tuple[str, str]:
    if from_environment := os.environ.get("EMBEDCLF_MODEL"):
        return from_environment, "from EMBEDCLF_MODEL"
    with contextlib.suppress(OSError, ValueError):  # ValueError: the content is not a path
        latest = os.fsdecode(read_plain(LATEST, _MOST_BYTES_OF_A_PATH)).strip()
        if latest and Path(latest).is_file():
            return latest, "most recently trained"
    found = sorted(str(path) for path in FOLDER.glob("*.safetensors")) if FOLDER.is_dir() else []
    if len(found) == 1:
        return found[0], "only model in models/"
    if found:
        listed = "\n".join(f"  {path}" for path in found)
        raise EmbedclfError(f"several models in models/; choose one with -m:\n{listed}")
    raise EmbedclfError("no model found in models/: train one with embedclf train FILE, or pass its path with -m")
