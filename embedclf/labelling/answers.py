"""The file beside an output that keeps every answer: appended to, and on disk before the next text is shown.

It is JSON Lines: a header, then one line per answer, with labels, note, time, and a hash of the text. The last answer
about a text counts; a line that an interruption cut off is dropped. From time to time, a line records the hashes of the
outputs when they were written.
"""

import contextlib
import json
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from embedclf.data.atomic_file import sync_folder
from embedclf.data.label_sets import LabelSet
from embedclf.data.plain_file import open_plain
from embedclf.errors import OutputError
from embedclf.formatting import to_json

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_FORMAT = 1
_HEAD = {"embedclf": "answers", "format": _FORMAT}
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer about a text.

    Attributes
    ----------
    row : int
        Index of the text when it was asked.
    digest : str
        The hash of the text, by which it is found, since rows may have moved; see `digest_of`.
    labels : tuple of str or None
        Its labels, sorted; one unless texts may have several. None if it was skipped, or the answer was undone.
    note : str
    is_test : bool
        Whether the text was drawn at random for the test set.
    is_undone : bool
        Whether this undoes an earlier answer.
    time : str
        When, in UTC: ``2026-11-28T10:15:42Z``.
    """

    row: int
    digest: str
    labels: LabelSet | None
    note: str = ""
    is_test: bool = False
    is_undone: bool = False
    time: str = ""

    @property
    def is_skipped(self) -> bool:
        """Whether the text was skipped."""
        return self.labels is None and not self.is_undone

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as it is written to the file, without default values."""
        record: dict[str, Any] = {"row": self.row, "text": self.digest}
        record |= {"undone": True} if self.is_undone else {"labels": self.labels}
        record |= {name: value for name, value in (("note", self.note), ("test", self.is_test)) if value}
        return record | {"time": self.time}


def digest_of(text: str) -> str:
    """Return the hash of a text, in hexadecimal digits."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()


def answers_beside(output: str | os.PathLike[str]) -> Path:
    """Return the path of the file of answers of an output: ``labelled.csv.answers``."""
    place = Path(os.path.realpath(output))
    return place.with_name(f"{place.name}.answers")


@dataclass(frozen=True, slots=True)
class Written:
    """The state of the outputs when they were last written, which shows whether somebody has edited them since.

    Attributes
    ----------
    hashes : dict of str to str
        The hash of each, by its name.
    n_answers : int
        How many answers had been given by then.
    """

    hashes: dict[str, str]
    n_answers: int


class AnswersFile:
    """The answers about the texts of an output, of this run and of earlier ones. One run at a time may have it open.

    Parameters
    ----------
    output : str or Path
        The output; the file of answers is beside it.

    Attributes
    ----------
    path : Path
    answers : list of Answer
        All of them, the oldest first.
    written : Written or None
        The state of the outputs when they were last written.

    Raises
    ------
    OutputError
        If the file cannot be read or written, another run has it open, or embedclf did not write it.
    """

    def __init__(self, output: str | os.PathLike[str]) -> None:
        self.path = answers_beside(output)
        self.answers: list[Answer] = []
        self.written: Written | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = open_plain(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        except OSError as error:
            raise self._error(error) from error
        # Without a buffer, which would try again to write what could not be written.
        self._file = os.fdopen(descriptor, "a+b", buffering=0)
        try:
            try:
                if fcntl is not None:
                    fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputError(
                    f"{os.fspath(output)} is being labelled by another run: finish that one, or choose another output",
                    path=os.fspath(output),
                ) from error
            self._read()
        except OSError as error:
            self._file.close()
            raise self._error(error) from error
        except BaseException:
            self._file.close()
            raise

    def _error(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self.path}: {error.strerror or error}", path=str(self.path))

    def _read(self) -> None:
        self._file.seek(0)
        content = self._file.readall()
        head = content.partition(b"\n")[0]
        if content and not _is_head(head, cut_off=b"\n" not in content):
            raise OutputError(
                f"{self.path.name} is in the way: this version of embedclf did not write it. Move it, or choose "
                "another output",
                path=str(self.path),
            )
        self._end = content.rfind(b"\n") + 1
        if self._end < len(content):  # the process was killed while it wrote
            self._file.truncate(self._end)
        if not self._end:
            self._append(_HEAD)
            sync_folder(self.path.parent)
        for number, line in enumerate(content[: self._end].split(b"\n")[1:-1], start=2):
            self._take(line, number)

    def _take(self, line: bytes, number: int) -> None:
        with contextlib.suppress(ValueError, RecursionError, KeyError, TypeError, AttributeError):
            record = json.loads(line)
            if "written" in record:
                written = Written(dict(record["written"]), record["answers"])
                if 0 <= written.n_answers <= len(self.answers):
                    self.written = written
                    return
            labels = record.get("labels")
            if not isinstance(labels, list | None):
                raise TypeError
            answer = Answer(
                record["row"],
                record["text"],
                None if labels is None else tuple(labels),
                record.get("note", ""),
                record.get("test", False),
                record.get("undone", False),
                record["time"],
            )
            if _is_sound(answer):
                self.answers.append(answer)
                return
        raise OutputError(
            f"{self.path.name}:{number} is damaged: delete this line, or move the file away and start over",
            path=str(self.path),
        )

    def write(self, answer: Answer) -> Answer:
        """Append an answer with the time, and return it once it is on disk.

        Raises
        ------
        OutputError
            If it cannot be written; then nothing of it is kept.
        """
        answer = replace(answer, time=_now())
        self._append_or_error(answer.to_dict())
        self.answers.append(answer)
        return answer

    def note_written(self, written: "Written") -> None:
        """Append the current state of the outputs.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        self._append_or_error({"written": written.hashes, "answers": written.n_answers, "time": _now()})
        self.written = written

    def _append_or_error(self, record: dict[str, Any]) -> None:
        try:
            if not os.fstat(self._file.fileno()).st_nlink:
                raise OSError("it has been deleted; stop, and start again")
            self._append(record)
        except OSError as error:
            raise self._error(error) from error

    def _append(self, record: dict[str, Any]) -> None:
        line = memoryview(to_json(record).encode() + b"\n")
        end = self._end + len(line)
        try:
            if self._file.seek(0, os.SEEK_END) != self._end:
                self._file.truncate(self._end)
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError:
            # Half a line would spoil the next one. Where it cannot be removed now, it is before that one is written.
            with contextlib.suppress(OSError):
                self._file.truncate(self._end)
            raise
        self._end = end

    def close(self) -> None:
        """Close the file, and release it for another run; delete it if it is empty."""
        if not self._file.closed and not self.answers and self.written is None:
            with contextlib.suppress(OSError):
                self.path.unlink()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_head(line: bytes, *, cut_off: bool) -> bool:
    written = to_json(_HEAD).encode()
    return (cut_off and written.startswith(line)) or line == written


def _is_sound(answer: Answer) -> bool:
    return (
        type(answer.row) is int
        and answer.row >= 0
        and all(isinstance(one, str) for one in (answer.digest, answer.note, answer.time, *(answer.labels or ())))
        and type(answer.is_test) is bool
        and type(answer.is_undone) is bool
    )
