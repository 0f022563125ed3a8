"""Keeping the outputs of a session up to date: every so often while it lasts, and at its end."""

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from embedclf.data.label_sets import LabelSet
from embedclf.errors import EmbedclfError, OutputError
from embedclf.formatting import counted
from embedclf.labelling.answers import AnswersFile, Written
from embedclf.labelling.edits import OutputBefore, edits_in, hash_of
from embedclf.labelling.output import LabelledRows, test_set_beside
from embedclf.labelling.session import Session

SECONDS_BETWEEN = 30.0

logger = logging.getLogger(__name__)


def check_free(output: str | os.PathLike[str], file: AnswersFile) -> None:
    """Check that any files in the place of the outputs were written by an earlier run.

    Raises
    ------
    OutputError
        If it was not.
    """
    known = {} if file.written is None else file.written.hashes
    for path in (Path(output), test_set_beside(output)):
        if os.path.lexists(path) and path.name not in known:
            raise OutputError(
                f"{path} is in the way: it is not an output of this labelling. Move it, or choose another output",
                path=str(path),
            )


class Saver:
    """Writes the outputs of a session in a background thread until it is closed.

    If somebody edits an output in the meantime, the edited labels are imported, not overwritten.

    Parameters
    ----------
    session : Session
    file : AnswersFile
    rows : LabelledRows
    given : sequence of (tuple of str or None)
        The labels in the file.
    """

    def __init__(
        self, session: Session, file: AnswersFile, rows: LabelledRows, given: Sequence[LabelSet | None]
    ) -> None:
        self._session, self._file, self._rows, self._given = session, file, rows, given
        self._stop, self._saving = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._run, name="embedclf-saving", daemon=True)

    def start(self) -> None:
        """Import what was edited since the last run, and start the thread."""
        self._take_over()
        self._thread.start()

    def close(self) -> None:
        """Write the outputs a last time.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        self._stop.set()
        self._thread.join()
        self.save()

    def _run(self) -> None:
        failed = ""
        while not self._stop.wait(SECONDS_BETWEEN):
            try:
                self.save()
                failed = ""
            except EmbedclfError as error:  # every answer is in the file of answers
                if str(error) != failed:
                    failed = str(error)
                    logger.warning("%s; will try again", error)

    def save(self) -> None:
        """Write the outputs, unless they are up to date.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        with self._saving:
            self._save()

    def _save(self) -> None:
        is_changed = self._take_over()
        results, n_answers = self._session.snapshot()
        before = self._file.written
        if not is_changed and (n_answers if before is None else n_answers - before.n_answers) == 0:
            return
        known = {} if before is None else before.hashes
        if any(path.name not in known for path in self._paths):
            # If the process is killed before the hashes are known, the files are still known to be its own.
            unknown = {path.name: "" for path in self._paths}
            self._note(Written({**unknown, **known}, n_answers if before is None else before.n_answers))
        paths = self._rows.write(results)
        self._note(Written({path.name: _hash(path) if path in paths else "" for path in self._paths}, n_answers))

    def _note(self, written: Written) -> None:
        with self._session.lock:  # the file of answers is written by one thread at a time
            self._file.note_written(written)

    def _take_over(self) -> bool:
        """Import labels that were edited in the outputs; return whether any output differs from what was written."""
        before = self._file.written
        if before is None:
            return False
        changed = [path for path in self._paths if before.hashes.get(path.name, "") != _hash(path)]
        held: OutputBefore | None = None
        for path in changed:
            if not path.exists():
                continue
            held = held or OutputBefore(self._rows.corpus.texts, self._given, self._file.answers[: before.n_answers])
            edits = {edit.row: edit for edit in edits_in(path, self._rows, held, self._session)}
            n_taken, refused = 0, ""
            for edit in edits.values():
                fault = next(filter(None, map(self._rows.label_fault, edit.labels or ())), None)
                if fault is not None:
                    refused = fault
                    continue
                self._session.take_over(edit.row, edit.labels, edit.note)
                n_taken += 1
            if n_taken:
                logger.info("%s was edited: imported %s", path.name, counted(n_taken, "change"))
            if refused:
                logger.warning("%s was edited: some labels could not be imported (%s)", path.name, refused)
        return bool(changed)

    @property
    def _paths(self) -> list[Path]:
        return [self._rows.output, test_set_beside(self._rows.output)]


def _hash(path: Path) -> str:
    try:
        return hash_of(path)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}", path=str(path)) from error
