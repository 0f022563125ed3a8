"""Finding the rows that a classifier was trained on, by what its file remembers of them.

A model file may come from anywhere, and what is found here is sent to the embedder's server. So a file that only the
model file names is used only if its rows have the recorded digest, which is checked before anything is embedded. It
must be a regular file below the current directory or that of the model, with all links followed, and not too large.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from embedclf.classifier.hierarchy import as_written
from embedclf.classifier.training_record import TrainingRecord, rows_digest
from embedclf.data.corpus import Corpus
from embedclf.data.label_sets import Labels, written_labels
from embedclf.data.plain_file import open_plain
from embedclf.errors import DataError
from embedclf.formatting import counted
from embedclf.validation import spelt_as

_MOST_BYTES = 2**30
HOW = "--train-set FILE (in Python: texts and labels)"


def find_rows(
    record: TrainingRecord | None,
    name: str,
    folder: Path,
    read: Callable[[Sequence[str]], Corpus],
    how: str = HOW,
    separator: str | None = None,
) -> Corpus:
    """Return the rows that a classifier was trained on.

    Parameters
    ----------
    record : TrainingRecord or None
        None if nothing is known of its training.
    name : str
        The classifier, for errors.
    folder : Path
        Where to look after the current directory: that of the model file.
    read : callable
        Reads files as one.
    how : str
        How to name the rows, for errors.
    separator : str, optional
        That of labels in a tree; see `is_same`.

    Raises
    ------
    DataError
        If the files are not recorded, not found, have changed, or cannot be read.
    """
    if record is None:
        raise DataError(f"{name} does not say what it was trained on: name the file with {how}", source=name)
    if not record.files:
        raise DataError(
            f"{name} does not say which file its {counted(record.n_rows, 'row')} are from: name it with {how}",
            source=name,
        )
    changed: tuple[list[str], Corpus] | None = None
    fault: DataError | None = None
    for base in dict.fromkeys([Path(), folder]):
        places = [str(base / one) for one in record.files]
        if all(_is_inside(base, Path(place)) for place in places):
            try:
                corpus = read(places)
            except DataError as error:
                fault = fault or error
                continue
            if is_same(record, corpus.texts, corpus.given_labels, separator):
                return corpus
            changed = changed or (places, corpus)
    if fault is not None:
        raise fault
    if changed is not None:
        places, corpus = changed
        named = " ".join(f"--train-set {place}" for place in places)
        have, them = ("has", "it") if len(places) == 1 else ("have", "them")
        raise DataError(
            f"{corpus.name} {have} changed since {name} was trained on {them}: {change(record, len(corpus.texts))}. "
            f"To train on what is there now, name {them}: {named}",
            source=corpus.name,
        )
    raise DataError(
        f"{name} was trained on {', '.join(record.files)}, to be found neither here nor beside the model: name the "
        f"file with {how}",
        source=name,
    )


def is_same(record: TrainingRecord, texts: Sequence[str], labels: Labels, separator: str | None = None) -> bool:
    """Return whether rows are those of a training, in the same order; labels of a tree are compared as written."""
    if len(texts) != record.n_rows:
        return False
    cells = written_labels(labels if separator is None else as_written(labels, separator))
    # Older versions read truth values as JSON writes them.
    spelt = spelt_as(cells, ["true", "false"]) if {*cells} & {"True", "False"} else cells
    return record.digest in (rows_digest(texts, cells), rows_digest(texts, spelt))


def change(record: TrainingRecord, n_rows: int) -> str:
    """Return how rows with another digest differ from those of a training."""
    if n_rows == record.n_rows:
        return f"{counted(n_rows, 'row')}, as many as then, but their texts, labels or order differ"
    return f"{counted(n_rows, 'row')} now, {record.n_rows:,} then; the digest differs"


def _is_inside(base: Path, place: Path) -> bool:
    """Return whether a place is a regular file of bearable size below a directory, with all links followed."""
    try:
        real = Path(os.path.realpath(place))
        if not real.is_relative_to(os.path.realpath(base)):
            return False
        descriptor = open_plain(real)
    except (OSError, ValueError):
        return False
    size = os.fstat(descriptor).st_size
    os.close(descriptor)
    return size <= _MOST_BYTES
