"""What was spent as lines of text."""

from typing import TYPE_CHECKING

from embedclf.formatting import about_dollars, charged_dollars, counted, shown_dollars
from embedclf.printing.lines import HEADING, Line, Piece
from embedclf.printing.tables import in_one_line, table

if TYPE_CHECKING:
    from embedclf.embedding.spending import Spending, SpendingRow

SPENDING_COLUMNS = ("requests", "tokens", "credits", "charged", "estimated", "from cache", "saved")
"""After what a row is about."""


def model_name(model: str, endpoint: str | None) -> str:
    """Return what a model is called where others may be at other servers."""
    from embedclf.embedding.aimlapi.base_url import BASE_URL

    return model if endpoint in (None, BASE_URL) else f"{model} at {endpoint}"


def spending_lines(spending: "Spending") -> list[Line]:
    """Return what was spent as lines: a row each, the total, and what is left out of it."""
    if not spending.rows:
        return [_nothing(spending)]
    rows: list[list[str | Piece]] = [[name_of_row(spending, row), *cells_of(row)] for row in spending.rows]
    rows.append([(text, HEADING) for text in ("total", *cells_of(spending.total))])
    lines: list[Line] = table([spending.by, *SPENDING_COLUMNS], rows)
    if left_out := spending.total.unpriced_requests:
        lines.append(f"Without {counted(left_out, 'request')} of unknown price.")
    return lines


def _nothing(spending: "Spending") -> str:
    since = "" if spending.since is None else f" since {shown_time(spending)}"
    return f"Nothing has been spent{since or ' yet'}."


def shown_time(spending: "Spending") -> str:
    """Return the time from which on spending is listed, in local time."""
    return "" if spending.since is None else f"{spending.since:%Y-%m-%d %H:%M} {spending.time_zone}"


def name_of_row(spending: "Spending", row: "SpendingRow") -> str:
    """Return what a row is about."""
    unnamed = "no date" if spending.by == "day" else "not recorded"
    return in_one_line(model_name(row.name or unnamed, row.endpoint))


def spent_by(row: "SpendingRow") -> str:
    """Return what was spent, and how it is known."""
    usage = row.usage
    spent = f"{charged_dollars(usage.charged_dollars)} charged" if row.dollars_source == "charged" else usage.spent
    return f"{spent}, the rest unknown" if row.unpriced_requests and usage.dollars is not None else spent


def saved_by(row: "SpendingRow") -> str:
    """Return about what the cache saved."""
    if row.saved_dollars is None:
        return "unknown"
    return about_dollars(row.saved_dollars) if row.saved_dollars else "$0.00"


def cells_of(row: "SpendingRow") -> list[str]:
    """Return the figures of a row, for `SPENDING_COLUMNS`."""
    usage = row.usage
    estimated = "unknown" if row.unpriced_requests else "–"
    if row.estimated_dollars:
        estimated = shown_dollars(row.estimated_dollars)
    return [
        f"{usage.requests:,}",
        f"{usage.tokens:,}",
        f"{usage.credits:,.10g}",
        charged_dollars(usage.charged_dollars) if usage.charged_answers else "–",
        estimated,
        f"{usage.from_cache:,}",
        saved_by(row) if usage.saved_tokens else "–",
    ]
