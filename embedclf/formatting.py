"""Values formatted for people, or other programs, to read."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any


def shown_dollars(dollars: float) -> str:
    """Format an amount of money: ``$1.23``, ``$0.0004``, ``less than $0.0001``."""
    if 0 < dollars < 1e-4:
        return "less than $0.0001"
    return f"${dollars:,.2f}" if dollars >= 1 or not dollars else f"${dollars:,.4f}"


def about_dollars(dollars: float) -> str:
    """Format an estimated amount of money: ``about $0.0004``, ``less than $0.0001``."""
    shown = shown_dollars(dollars)
    return shown if shown.startswith("less") else f"about {shown}"


def exact_dollars(dollars: float) -> str:
    """Format an amount of money that is compared with another: ``$5.00``, ``$0.25``, ``$0.00005``."""
    figures = f"{Decimal(f'{dollars:.4g}'):f}" if dollars < 1 else f"{dollars:.4f}"
    whole, _, decimals = figures.partition(".")
    return f"${int(whole):,}.{decimals.rstrip('0'):0<2}"


def charged_dollars(dollars: float) -> str:
    """Format an amount of money that was charged, to the last fraction of a cent: ``$0.01046``, ``$12.34``."""
    whole, _, decimals = f"{dollars:,.9f}".partition(".")
    return f"${whole}.{decimals.rstrip('0'):0<2}"


def price_per_million(dollars: float) -> str:
    """Format a price per million tokens: ``$0.02 per 1M tokens``."""
    return f"{exact_dollars(dollars)} per 1M tokens"


def counted(number: int, thing: str) -> str:
    """Format a number with its noun: ``1 row``, ``1,008 rows``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def with_a_point(number: Any) -> str:
    """Return how a number with a decimal comma is to be written, for messages; nothing if there is no such comma."""
    shown = str(number).strip()
    return f"; write {shown.replace(',', '.')}" if re.fullmatch(r"-?\d*,\d+", shown) else ""


def joined(labels: Iterable[str], separator: str = "|") -> str:
    r"""Join labels into one cell: ``billing|refund``; a separator or backslash in a label gets a backslash before it.

    So no two lists of labels are joined alike.
    """
    escaped = (label.replace("\\", r"\\").replace(separator, rf"\{separator}") for label in labels)
    return separator.join(escaped)


SHOWN_DECIMALS = 4
"""Decimals of a confidence in text output, and of a threshold selected by training."""


def rounded_down(confidence: float, decimals: int = SHOWN_DECIMALS) -> float:
    """Round a confidence down for display.

    Rounding down keeps it below a threshold of as many decimals exactly if the confidence itself is below it.
    """
    scale: int = 10**decimals
    return math.floor(confidence * scale) / scale


def shown_confidence(confidence: float) -> str:
    """Format a confidence; see `rounded_down`."""
    return f"{rounded_down(confidence):.{SHOWN_DECIMALS}f}"


def shown_threshold(threshold: float) -> str:
    """Format a threshold with as many decimals as a confidence, or with all of its decimals if it has more."""
    shown = f"{threshold:.{SHOWN_DECIMALS}f}"
    return shown if float(shown) == threshold else str(threshold)


def shown_difference(difference: float, low: float, high: float, *, significant: bool) -> str:
    """Format a difference with its interval: ``-0.049 (-0.078 to -0.022)``."""
    return f"{difference:z.3f} ({low:z.3f} to {high:z.3f}){'' if significant else ', not significant'}"


def shown_interval(interval: tuple[float, float]) -> str:
    """Format an interval: ``0.723 to 0.829``."""
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def shown_share(share: float) -> str:
    """Format a share as a percentage."""
    return f"{100 * share:.1f} %"


def shown_shares(interval: tuple[float, float]) -> str:
    """Format an interval of a share as percentages: ``43.3 to 58.4 %``."""
    return f"{100 * interval[0]:.1f} to {shown_share(interval[1])}"


def to_json(value: Any, **layout: Any) -> str:
    """Return a value as JSON that every program can read; a number that is not finite becomes null.

    Parameters
    ----------
    value : object
    **layout : object
        Other arguments of `json.dumps`.
    """
    layout = {"ensure_ascii": False, **layout}
    try:
        return json.dumps(value, allow_nan=False, **layout)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, **layout)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return [*map(_finite, value)] if isinstance(value, list | tuple) else value
