"""What somebody has changed in an output since it was written, such as in a spreadsheet."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from embedclf.data.dialect import with_formula
from embedclf.data.label_sets import LabelSet
from embedclf.data.reader import CorpusReader
from embedclf.data.reading import Reading
from embedclf.data.rows import Row, cell_text
from embedclf.errors import DataError, OutputError
from embedclf.labelling.answers import Answer, digest_of
from embedclf.labelling.output import NOTE, LabelledRows
from embedclf.labelling.session import Session
from embedclf.labelling.states import States

_DIGEST_BYTES = 16


@dataclass(frozen=True)
class Edit:
    """Labels that were changed in an output.

    Attributes
    ----------
    row : int
        The first row with the text.
    labels : tuple of str or None
        None if they were deleted.
    note : str
    """

    row: int
    labels: LabelSet | None
    note: str


def hash_of(path: Path) -> str:
    """Return the hash of a file; empty if there is none.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    try:
        return blake2b(path.read_bytes(), digest_size=_DIGEST_BYTES).hexdigest()
    except FileNotFoundError:
        return ""


class OutputBefore:
    """The content of an output when it was last written.

    Parameters
    ----------
    texts : sequence of str
    labels : sequence of (tuple of str or None)
        Those in the file.
    answers : sequence of Answer
        Those that had been given by then.
    """

    def __init__(self, texts: Sequence[str], labels: Sequence[LabelSet | None], answers: Sequence[Answer]) -> None:
        self._states = States(texts, labels, answers)
        self._bare: dict[str, int] = {}
        self._texts = texts

    def row_of(self, text: str) -> int | None:
        """Return the first row with a text, ignoring what spreadsheets change; None if there is none."""
        for one in (text, with_formula(text)):
            if (row := self._states.row_of(digest_of(one))) is not None:
                return row
        if not self._bare:
            for row, own in enumerate(self._texts):
                self._bare.setdefault(_bare(own), row)
        return self._bare.get(_bare(with_formula(text)))

    def held(self, row: int) -> tuple[list[LabelSet | None], str]:
        """Return the labels that the rows with a text had, and the note."""
        last = self._states.last(row)
        return self._states.labels_of_rows(row), "" if last is None else last.note


def edits_in(path: Path, rows: LabelledRows, before: OutputBefore, session: Session) -> Iterator[Edit]:
    """Yield what has been changed in an output, unless a later answer says the same.

    Raises
    ------
    OutputError
        If the file cannot be read, and so must not be written over.
    """
    try:
        with CorpusReader(path, _reading(rows)) as reader:
            changed = list(reader)
    except DataError as error:
        raise OutputError(
            f"{path.name} was changed by another program and can no longer be read ({error}). Move it away; all "
            "answers are kept",
            path=str(path),
        ) from error
    known: Callable[[str], bool] = set(session.labels).__contains__
    contradictory: dict[int, set[LabelSet | None]] = {}
    for one in changed:
        row = before.row_of(one.text)
        if row is None or (one.fault is not None and not one.is_incomplete):
            continue
        labels = _labels(one, rows, known)
        held, note_before = before.held(row)
        if len(set(held)) > 1:
            contradictory.setdefault(row, set()).add(labels)
        note = cell_text(one.record.get(NOTE, note_before)).strip()
        if labels in held and note == note_before.strip():
            continue
        last = session.states.last(row)
        if labels == session.states.labels(row) and note == ("" if last is None else last.note.strip()):
            continue
        if labels is not None or last is not None:
            yield Edit(row, labels, note)
    for row, now in contradictory.items():  # equal texts had different labels, and may have the same now
        labels = next(iter(now))
        if len(now) == 1 and labels is not None and labels != session.states.labels(row):
            yield Edit(row, labels, "")


def _labels(row: Row, rows: LabelledRows, known: Callable[[str], bool]) -> LabelSet | None:
    if row.labels is not None:
        labels = row.labels
    elif row.label:
        labels = (row.label,)
    else:
        return None
    # Escaped for a spreadsheet, a label such as =x has an apostrophe before it.
    labels = tuple(sorted(label if known(label) else with_formula(label).strip() for label in labels))
    return labels if rows.several or len(labels) == 1 else None


def _reading(rows: LabelledRows) -> Reading:
    """Return how an output is read: like the file, but that a spreadsheet may have changed its delimiter."""
    corpus = rows.corpus
    return Reading(
        text_column=corpus.text_column,
        label_column=None if corpus.label_columns else rows.label_column,
        labels="optional",
        header=corpus.has_header,
        escape_char=corpus.dialect.escape_char,
        label_separator=rows.separator,
        label_columns=corpus.label_columns,
    )


def _bare(text: str) -> str:
    """Return a text without what spreadsheets change: line ends, and spaces around it."""
    return " ".join(text.split())
