"""What an interval says about a difference or a floor, including that there are too few rows to tell.

Absence of evidence is not evidence of absence. So "no difference" needs the whole interval within a margin, as in an
equivalence test (Schuirmann, "A Comparison of the Two One-Sided Tests Procedure and the Power Approach for
Assessing the Equivalence of Average Bioavailability", 1987; with a 95 % interval, each side is tested at 2.5 %), and
"not worse" needs the lower end above it (non-inferiority).
"""

import math
from typing import Literal, TypeAlias

from embedclf.stats.intervals import Interval

Verdict: TypeAlias = Literal["better", "worse", "no difference", "cannot tell"]
Outcome: TypeAlias = Literal["passes", "fails", "cannot tell"]

_DIGITS = 2
_TAIL = 0.025


def verdict_on(interval: Interval, margin: float) -> Verdict:
    """Return what the interval of a difference says.

    Parameters
    ----------
    interval : Interval
        Of the new figure minus the old one, where more is better.
    margin : float
        The equivalence margin: the size up to which a difference does not matter. An interval within it means no
        difference, whether or not it excludes 0.
    """
    if -margin <= interval.low and interval.high <= margin:
        return "no difference"
    if interval.low > 0:
        return "better"
    return "worse" if interval.high < 0 else "cannot tell"


def outcome_of_floor(interval: Interval, floor: float) -> Outcome:
    """Return whether a figure reaches a floor: its interval is all at or above it, all below it, or contains it."""
    if interval.low >= floor:
        return "passes"
    return "fails" if interval.high < floor else "cannot tell"


def outcome_of_change(interval: Interval, margin: float) -> Outcome:
    """Return whether a figure is not worse than before (non-inferiority): it fails if the verdict is "worse".

    It passes if it is worse by no more than the margin. That is so if the verdict is "better" or "no difference", and
    also if it is "cannot tell" only because the new figure may be better.
    """
    if interval.low >= -margin:
        return "passes"
    return "fails" if interval.high < 0 else "cannot tell"


def rows_to_tell(n: int, difference: float, interval: Interval, margin: float, *, any_differ: bool) -> int | None:
    """Return roughly how many rows a verdict other than "cannot tell" needs, if the difference stays as it is.

    An interval shrinks with the square root of the number of rows. It has to exclude 0, or to be within the margin,
    whichever needs fewer rows. If no row differs, only unseen ones may; see `embedclf.stats.intervals`.

    Parameters
    ----------
    n : int
        The current number of rows.
    difference : float
    interval : Interval
    margin : float
    any_differ : bool
        Whether the old and the new figure differ on any row.

    Returns
    -------
    int or None
        None if no number of rows would be enough, as without a margin.
    """
    if not any_differ:
        return _rounded_up(math.log(_TAIL) / math.log1p(-margin)) if margin else None
    low, high = difference - interval.low, interval.high - difference
    ratios = []
    if difference:
        ratios.append((low if difference > 0 else high) / abs(difference))
    if abs(difference) < margin:
        ratios.append(max(low / (margin + difference), high / (margin - difference)))
    return _rows_for(n, min(ratios)) if ratios else None


def rows_to_reach(n: int, figure: float, interval: Interval, floor: float) -> int | None:
    """Return roughly how many rows would tell on which side of a floor a figure is; None if it is on neither."""
    if figure == floor:
        return None
    arm = figure - interval.low if figure > floor else interval.high - figure
    return _rows_for(n, arm / abs(figure - floor))


def _rows_for(n: int, ratio: float) -> int:
    """Return the rows for an interval that is shorter by a ratio; more than there are."""
    return _rounded_up(max(n * ratio**2, n * 1.1 + 1))


def _rounded_up(needed: float) -> int:
    digits = max(0, math.floor(math.log10(needed)) + 1 - _DIGITS)
    unit = int(10**digits)
    return math.ceil(needed / unit) * unit
