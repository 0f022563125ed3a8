"""Numbers as a person reads them."""

import math


def shown_dollars(dollars: float) -> str:
    """Write a sum as a person reads it: ``$1.23``, ``$0.0004``, ``less than $0.0001``."""
    if 0 < dollars < 1e-4:
        return "less than $0.0001"
    return f"${dollars:,.2f}" if dollars >= 1 or not dollars else f"${dollars:,.4f}"


def about_dollars(dollars: float) -> str:
    """Write an estimated sum: ``about $0.0004``, ``less than $0.0001``."""
    shown = shown_dollars(dollars)
    return shown if shown.startswith("less") else f"about {shown}"


def counted(number: int, thing: str) -> str:
    """Write a number with its noun: ``1 row``, ``1,008 rows``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


# Of a confidence, where people read it. A threshold that is chosen has as many.
SHOWN_DECIMALS = 4


def rounded_down(confidence: float, decimals: int = SHOWN_DECIMALS) -> float:
    """Give a confidence as it is shown: below a threshold of as many decimals just where the confidence is."""
    scale: int = 10**decimals
    return math.floor(confidence * scale) / scale


def shown_confidence(confidence: float) -> str:
    """Write a confidence; see `rounded_down`."""
    return f"{rounded_down(confidence):.{SHOWN_DECIMALS}f}"


def shown_threshold(threshold: float) -> str:
    """Write a threshold with as many decimals as a confidence, and with all of them if it was given with more."""
    shown = f"{threshold:.{SHOWN_DECIMALS}f}"
    return shown if float(shown) == threshold else str(threshold)


def shown_share(share: float) -> str:
    """Write a share as a percentage."""
    return f"{100 * share:.1f} %"
