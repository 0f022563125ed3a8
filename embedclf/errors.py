"""Every exception that embedclf defines.

::

    EmbedclfError
    ├── DataError        a file of texts and labels cannot be used
    │   └── BadRowsError   … because of some of its rows
    ├── ArgumentError    an argument has an invalid value
    │   └── MissingValueError  … because a text or a label is missing
    ├── TextError        some texts cannot be embedded
    ├── EmbedderError    an embedder is unknown, not installed, or fails
    │   └── MaxCostError   … because it costs, or would cost, more than the limit
    ├── TrainingError    no classifier can be trained with these examples or settings
    ├── ModelFileError   a model file cannot be used
    └── OutputError      a file cannot be written

A message says what is wrong, where, and what to do next. The offending object is also an attribute of the error.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from embedclf.formatting import counted


class EmbedclfError(Exception):
    """Base class of all embedclf errors. They can be pickled, so they can be passed between processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[EmbedclfError], args: tuple[Any, ...], attributes: dict[str, Any]) -> EmbedclfError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(attributes)
    return error


class DataError(EmbedclfError):
    """A file of texts and labels cannot be used.

    Attributes
    ----------
    source : str
        The file's name as it was passed; ``stdin`` for standard input.
    line : int or None
        The line at fault, counted from 1; None if the error is not about one line.
    """

    def __init__(self, message: str, *, source: str, line: int | None = None) -> None:
        super().__init__(message)
        self.source = source
        self.line = line


class RowFault(NamedTuple):
    """A row that cannot be used: its line in the file, counted from 1, and the reason."""

    line: int
    reason: str


_MOST_LISTED = 20


def list_faults(source: str, faults: Sequence[RowFault], n_faults: int | None = None) -> str:
    """Return the first 20 faults as lines of ``file:line: reason``, then how many of `n_faults` are left out.

    Without `n_faults`, `faults` are taken to be all of them.
    """
    n_faults = len(faults) if n_faults is None else n_faults
    lines = [f"  {source}:{fault.line}: {fault.reason}" for fault in faults[:_MOST_LISTED]]
    if n_faults > _MOST_LISTED:
        lines.append(f"  … and {n_faults - _MOST_LISTED:,} more")
    return "\n".join(lines)


class BadRowsError(DataError):
    """Some rows of a file cannot be used.

    Attributes
    ----------
    faults : sequence of RowFault
    """

    def __init__(self, message: str, *, source: str, faults: Sequence[RowFault]) -> None:
        super().__init__(message, source=source, line=faults[0].line)
        self.faults = faults


def bad_rows_error(
    problem: str, faults: Mapping[str, Sequence[RowFault]], advice: str = "Fix them, or use --skip-bad-rows."
) -> BadRowsError:
    """Return the error that names the problem, lists the rows of each file, and says what to do about them."""
    listed = "\n".join(list_faults(source, of_file) for source, of_file in faults.items())
    message = f"{problem}:\n{listed}\n{advice}"
    return BadRowsError(message, source=next(iter(faults)), faults=[one for rows in faults.values() for one in rows])


class TextError(EmbedclfError, ValueError):
    """Some of the texts cannot be embedded.

    If the texts are empty or not valid Unicode, nothing was sent. If the embedder rejected them, the others were
    embedded, and are in the cache if there is one.

    Attributes
    ----------
    reasons : dict of int to str
        The reason for each text at fault, by its index in the list that was passed.
    """

    def __init__(self, reasons: Mapping[int, str]) -> None:
        first = "; ".join(f"texts[{index}]: {reason}" for index, reason in list(reasons.items())[:3])
        more = f"; and {len(reasons) - 3:,} more" if len(reasons) > 3 else ""
        super().__init__(f"{counted(len(reasons), 'text')} cannot be embedded ({first}{more})")
        self.reasons = dict(reasons)


class ArgumentError(EmbedclfError, ValueError):
    """An argument has an invalid value."""


class MissingValueError(ArgumentError, TypeError):
    """A text or a label is missing: None, NaN, or another library's word for it."""


class EmbedderError(EmbedclfError):
    """An embedder is unknown, not installed, or fails.

    Attributes
    ----------
    status : int or None
        The HTTP status of the server's response, if the request failed with one.
    late : bool
        Whether the request timed out.
    """

    def __init__(self, message: str, *, status: int | None = None, late: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.late = late


class NotInstalledError(EmbedderError):
    """A package that an embedder needs is not installed."""


class MaxCostError(EmbedderError):
    """Embedding costs, or would cost, more than the limit.

    Attributes
    ----------
    spent, limit : float
        In US dollars.
    """

    def __init__(self, message: str, *, spent: float, limit: float) -> None:
        super().__init__(message)
        self.spent = spent
        self.limit = limit


class TrainingError(EmbedclfError, ValueError):
    """No classifier can be trained with these examples or settings."""


class _PathError(EmbedclfError):
    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class ModelFileError(_PathError):
    """A model file cannot be used.

    Attributes
    ----------
    path : str
    """


class OutputError(_PathError):
    """A file cannot be written.

    Attributes
    ----------
    path : str
    """
