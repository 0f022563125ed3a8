"""Everything embedclf raises on purpose.

::

    EmbedclfError
    ├── DataError        a file of texts and labels cannot be used
    │   └── BadRowsError   … because of some of its rows
    ├── ArgumentError    an argument has a value that cannot be
    ├── TextError        some of the texts cannot be embedded
    ├── EmbedderError    an embedder is unknown, not installed, or fails
    │   └── MaxCostError   … because it would cost more, or has, than was allowed
    ├── TrainingError    the examples or settings do not make a classifier
    ├── ModelFileError   a model file cannot be used
    └── OutputError      a file cannot be written

A message says what is wrong, where, and what to do next. What is at fault is also an attribute of the error.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class EmbedclfError(Exception):
    """The root of the tree: catch this one to catch them all. Each can be pickled, to reach another process."""

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
        The file's name as it was given, ``stdin`` for the standard input.
    line : int or None
        The line that is at fault, counted from 1.
    """

    def __init__(self, message: str, *, source: str, line: int | None = None) -> None:
        super().__init__(message)
        self.source = source
        self.line = line


class RowFault(NamedTuple):
    """Why one row cannot be used: its line in the file, counted from 1, and the reason."""

    line: int
    reason: str


_MOST_LISTED = 20


def list_faults(source: str, faults: Sequence[RowFault], n_faults: int | None = None) -> str:
    """Name each fault as ``file:line: reason``, a line each, the first 20 of `n_faults`, or of those given."""
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


class TextError(EmbedclfError, ValueError):
    """Some of the texts given cannot be embedded.

    If it is their form (empty, half a character), nothing was sent; if the embedder refused them, the others were
    embedded, and are in the cache if there is one.

    Attributes
    ----------
    reasons : dict of int to str
        The reason for each text at fault, by its index in the list that was given.
    """

    def __init__(self, reasons: Mapping[int, str]) -> None:
        first = "; ".join(f"texts[{index}]: {reason}" for index, reason in list(reasons.items())[:3])
        more = f"; and {len(reasons) - 3:,} more" if len(reasons) > 3 else ""
        super().__init__(f"{len(reasons):,} of the texts cannot be embedded ({first}{more})")
        self.reasons = dict(reasons)


class ArgumentError(EmbedclfError, ValueError):
    """An argument has a value that cannot be, whichever function finds out."""


class EmbedderError(EmbedclfError):
    """An embedder is unknown, not installed, or fails.

    Attributes
    ----------
    status : int or None
        The HTTP status that its server answered with, if that was the failure.
    late : bool
        Whether the failure was that no answer came in time.
    """

    def __init__(self, message: str, *, status: int | None = None, late: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.late = late


class NotInstalledError(EmbedderError):
    """What an embedder needs is not installed."""


class MaxCostError(EmbedderError):
    """What is to be embedded would cost more than was allowed, or has.

    Attributes
    ----------
    spent, limit : float
        In dollars.
    """

    def __init__(self, message: str, *, spent: float, limit: float) -> None:
        super().__init__(message)
        self.spent = spent
        self.limit = limit


class TrainingError(EmbedclfError, ValueError):
    """The examples or settings given do not make a classifier."""


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
