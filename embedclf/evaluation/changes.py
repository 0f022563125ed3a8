"""What a new classifier changes for some of the rows: those of a file, or of a label."""

from dataclasses import asdict, dataclass
from typing import Any

from embedclf.arrays import Ints, Mask
from embedclf.stats.intervals import Interval, interval_of_mean


@dataclass(frozen=True, slots=True)
class Change:
    """What became of the share of correct answers for some held-out rows: those of a file, or of a label.

    Attributes
    ----------
    name : str
        Which rows: ``"old"`` or ``"new"``, or their label.
    n_held_out : int
    before : float or None
        The share with the old classifier: its accuracy, or the recall of the label; None for a label that it lacks.
    after : float
        With the new one.
    after_interval : Interval
        95 %.
    difference : float or None
    difference_interval : Interval or None
        95 %, paired over the distinct texts.
    """

    name: str
    n_held_out: int
    before: float | None
    after: float
    after_interval: Interval
    difference: float | None
    difference_interval: Interval | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the difference excludes zero."""
        interval = self.difference_interval
        return interval is not None and not interval.low <= 0 <= interval.high

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain types, for JSON."""
        between = self.difference_interval
        return asdict(self) | {
            "after_interval": list(self.after_interval),
            "difference_interval": None if between is None else list(between),
        }


def change_of(name: str, rows: Mask, new: Mask, old: Mask | None, groups: Ints) -> Change:
    """Return what changed for some of the held-out rows.

    Parameters
    ----------
    name : str
    rows : ndarray of shape (n_held_out,), bool
        Which rows, at least one.
    new, old : ndarray of shape (n_held_out,), bool
        Whether the new and the old classifier answer each row correctly; `old` is None for a label that it lacks.
    groups : ndarray of shape (n_held_out,)
        From `group_duplicates`.
    """
    after, groups = new[rows], groups[rows]
    interval = interval_of_mean(after, groups)
    if old is None:
        return Change(name, len(after), None, float(after.mean()), interval, None, None)
    before = old[rows]
    differences = after.astype(float) - before
    between = interval_of_mean(differences, groups, least=-1)
    figures = float(before.mean()), float(after.mean()), interval, float(differences.mean()), between
    return Change(name, len(after), *figures)
