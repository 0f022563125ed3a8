"""What an interval says: at its borders, and how many rows more it would take."""

import numpy as np
import pytest

from embedclf.stats.intervals import Interval, interval_of_mean
from embedclf.stats.verdicts import (
    outcome_of_change,
    outcome_of_floor,
    rows_to_reach,
    rows_to_tell,
    verdict_on,
)


@pytest.mark.parametrize(
    ("low", "high", "verdict", "gate"),
    [
        (0.011, 0.05, "better", "passes"),
        (0.001, 0.02, "better", "passes"),
        (0.0, 0.02, "cannot tell", "passes"),  # 0 is in the interval
        (-0.01, 0.01, "no difference", "passes"),
        (0.001, 0.009, "no difference", "passes"),  # clear, and too small to matter
        (-0.009, -0.001, "no difference", "passes"),
        (-0.011, 0.005, "cannot tell", "cannot tell"),
        (-0.01, 0.03, "cannot tell", "passes"),  # better or not, it is no worse
        (-0.011, -0.001, "worse", "fails"),
        (-0.02, 0.0, "cannot tell", "cannot tell"),
    ],
)
def test_a_difference(low: float, high: float, verdict: str, gate: str):
    """The gate fails exactly where the verdict is "worse"."""
    interval = Interval(low, high)
    assert (verdict_on(interval, 0.01), outcome_of_change(interval, 0.01)) == (verdict, gate)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.9, 0.95, "passes"), (0.89, 0.96, "cannot tell"), (0.8, 0.9, "cannot tell"), (0.8, 0.899, "fails")],
)
def test_a_floor(low: float, high: float, outcome: str):
    assert outcome_of_floor(Interval(low, high), 0.9) == outcome


def test_without_a_margin_nothing_is_alike():
    assert verdict_on(Interval(-0.001, 0.001), 0.0) == "cannot tell"


def test_how_many_rows_would_tell():
    """Half the length takes four times the rows; excluding 0 may take fewer than fitting into the margin."""
    assert rows_to_tell(100, 0.03, Interval(-0.03, 0.09), 0.01, any_differ=True) == 400
    assert rows_to_tell(100, 0.0, Interval(-0.02, 0.02), 0.01, any_differ=True) == 400
    assert rows_to_reach(100, 0.93, Interval(0.87, 0.99), 0.9) == 400
    assert rows_to_reach(100, 0.9, Interval(0.84, 0.96), 0.9) is None
    assert rows_to_tell(1_000, 0.05, Interval(-0.001, 0.1), 0.01, any_differ=True) == 1_200  # more than there are


def test_how_many_rows_would_tell_if_none_differs():
    """As many as make the interval of no difference fit into the margin; without a margin, none would."""
    n = rows_to_tell(30, 0.0, interval_of_mean(np.zeros(30), least=-1), 0.01, any_differ=False)
    assert n == 370
    assert verdict_on(interval_of_mean(np.zeros(n), least=-1), 0.01) == "no difference"
    assert verdict_on(interval_of_mean(np.zeros(360), least=-1), 0.01) == "cannot tell"
    assert rows_to_tell(30, 0.0, Interval(-0.1, 0.1), 0.0, any_differ=False) is None
    assert rows_to_tell(30, 0.0, Interval(-0.1, 0.1), 0.0, any_differ=True) is None
