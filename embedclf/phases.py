"""Phases of long work, for whoever shows its progress.

Wherever work may take seconds, it is a phase::

    with phase("Cross-validating", len(folds), "fold") as validating:
        for fold in folds:
            ...
            validating.advance()

A phase is only noted while somebody watches (`watched`), and then only as numbers to look at: nothing is called, and
nothing is printed. A phase belongs to the context that it was opened in, so work in other threads and processes opens
none that are seen, but a thread may advance a phase that it is given.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(slots=True, eq=False)
class Phase:
    """A phase under way.

    Attributes
    ----------
    name : str
        What is being done, such as ``Embedding``.
    total : int or None
        The number of steps; None while unknown.
    unit : str
        What a step is, in the singular; empty if the steps only make up a share.
    done : int
        Finished steps.
    is_about : bool
        Whether `total` is an estimate.
    at_once : int
        How many steps are under way at the same time.
    remarks : tuple of str
        Anything else that is known at the moment.
    whole : Phase or None
        The phase around it, if that counts the same: then this one is a part of it, and its steps are steps of both.
    of_part : int
        Finished steps of the latest part, until they are counted in `done`.
    under_way : float
        How much of the steps under way is done, as far as is known, in steps.
    passed : int
        Steps that were finished before the phase began.
    begun, changed : float
        When it began, and when `done` last changed, on the clock of `time.monotonic`.
    """

    name: str
    total: int | None = None
    unit: str = ""
    done: int = 0
    is_about: bool = False
    at_once: int = 1
    remarks: tuple[str, ...] = ()
    whole: "Phase | None" = None
    of_part: int = 0
    under_way: float = 0.0
    passed: int = field(init=False)
    begun: float = field(init=False, default_factory=time.monotonic)
    changed: float = field(init=False)

    def __post_init__(self) -> None:
        self.passed, self.changed = self.done, self.begun

    def advance(self, n: int = 1) -> None:
        """Count steps as finished."""
        self.reach(self.done + n)

    def reach(self, done: int) -> None:
        """Set the number of finished steps."""
        self.under_way = max(0.0, self.under_way - (done - self.done))
        self.done, self.of_part, self.changed = done, 0, time.monotonic()
        if self.whole is not None:
            self.whole.of_part, self.whole.changed = done, self.changed

    def begin_steps(self, under_way: float, now: float) -> None:
        """Say how much of the steps under way is done, in steps; what has been done is not taken back."""
        if under_way > self.under_way:
            self.under_way, self.changed = under_way, now

    def begin_at(self, done: int) -> None:
        """Start the clock with some steps already finished, so that only those to come count towards the rate."""
        self.done = self.passed = done
        self.begun = self.changed = time.monotonic()

    def estimate_total(self, done: int, share: float | None) -> None:
        """Estimate the number of steps from what share of them some are; None if that is unknown."""
        self.total = round(done / share) if share else None
        self.is_about = share != 1


def share_of(phases: Sequence[Phase]) -> float:
    """Return what share of the outermost of some phases is done, by its steps and the phases within; 0 if unknown."""
    share = 0.0
    for one in reversed(phases):
        if one.total:
            share = min((one.done + max(share, one.under_way)) / one.total, 1.0)
    return share


_watched: ContextVar[list[Phase] | None] = ContextVar("watched", default=None)


@contextmanager
def phase(
    name: str, total: int | None = None, unit: str = "", *, done: int = 0, is_about: bool = False
) -> Iterator[Phase]:
    """Open a phase for the block; see `Phase`."""
    opened, phases = Phase(name, total, unit, done, is_about), _watched.get()
    if phases is None:
        yield opened
        return
    if unit and phases and phases[-1].unit == unit:
        opened.whole = phases[-1]
    phases.append(opened)
    try:
        yield opened
    finally:
        phases.remove(opened)


def tracked(items: Iterable[Item], name: str, total: int | None, unit: str = "") -> Iterator[Item]:
    """Yield the items in a phase of which each is a step."""
    with phase(name, total, unit) as one:
        for item in items:
            yield item
            one.advance()


def is_watched() -> bool:
    """Return whether somebody watches, for phases whose steps cost something to find out."""
    return _watched.get() is not None


@contextmanager
def watched() -> Iterator[list[Phase]]:
    """Watch the phases of the block: the list always holds those under way, the outermost first."""
    phases: list[Phase] = []
    token = _watched.set(phases)
    try:
        yield phases
    finally:
        _watched.reset(token)
