"""Options whose value is a number with a unit, ``90d``, ``2GB``, or a time."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_BYTES |= {"kiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}


def _named(units: dict[str, float]) -> str:
    *others, last = units
    return f"{', '.join(others)} or {last}"


def _amount(units: dict[str, float], example: str, *, any_case: bool) -> Callable[[Any, Any, str | None], float | None]:
    """Return a callback that converts a number with a unit to the smallest unit."""
    by_name = {name.lower() if any_case else name: size for name, size in units.items()}

    def convert(_context: Any, _parameter: Any, value: str | None) -> float | None:
        if value is None:
            return None
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", value)
        unit = None if match is None else by_name.get(match[2].lower() if any_case else match[2])
        if match is None or unit is None:
            raise click.BadParameter(f"{value!r} is not a number with a unit ({_named(units)}), such as {example}.")
        return float(match[1]) * unit

    return convert


SECOND_UNITS, BYTE_UNITS = _named(_SECONDS), _named(_BYTES)

# Case matters: 3M could mean three months.
seconds = _amount(_SECONDS, "90d", any_case=False)
number_of_bytes = _amount(_BYTES, "2GB", any_case=True)


def time_ago_or_date(context: Any, parameter: Any, value: str | None) -> datetime | timedelta | None:
    """Convert a time ago, ``30d``, or a local date, ``2026-11-01``, which may have a time of day."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:
        pass
    try:
        ago = seconds(context, parameter, value)
        return None if ago is None else timedelta(seconds=ago)
    except OverflowError:
        return timedelta.max
    except click.BadParameter:
        raise click.BadParameter(
            f"{value!r} is neither a number with a unit ({SECOND_UNITS}), such as 30d, nor a date such as 2026-11-01."
        ) from None
