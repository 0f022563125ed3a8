"""What was spent as lines of text."""

from itertools import compress
from typing import TYPE_CHECKING

from embedclf.formatting import about_dollars, charged_dollars, counted, shown_dollars
from embedclf.printing.lines import HEADING, PLAIN, Line, Piece
from embedclf.printing.tables import in_one_line, table

if TYPE_CHECKING:
    from embedclf.embedding.spending import Spending, SpendingRow

_NOTHING = "–"


def model_name(model: str, endpoint: str | None) -> str:
    """Return what a model is called where others may be at other servers."""
    from embedclf.embedding.aimlapi.base_url import BASE_URL

    return model if endpoint in (None, BASE_URL) else f"{model} at {endpoint}"


def spending_lines(spending: "Spending") -> list[Line]:
    """Return what was spent as lines: a row each, the total, and what is left out of it."""
    if not spending.rows:
        return [_nothing(spending)]
    header, *rows, total = spending_cells(spending)
    styled: list[list[Piece]] = [
        *([(cell, PLAIN) for cell in row] for row in rows),
        [(cell, HEADING) for cell in total],
    ]
    lines: list[Line] = table(header, styled)
    if spending.total.saved_dollars:
        lines.append("Saved: an estimate, at the latest price known.")
    if left_out := spending.total.unpriced_requests:
        lines.append(f"Not included: {counted(left_out, 'request')} of unknown price.")
    return lines


def _nothing(spending: "Spending") -> str:
    since = "" if spending.since is None else f" since {shown_time(spending)}"
    return f"Nothing has been spent{since or ' yet'}."


def shown_time(spending: "Spending") -> str:
    """Return the time from which on spending is listed, in local time."""
    return "" if spending.since is None else f"{spending.since:%Y-%m-%d %H:%M %Z}"


def spending_cells(spending: "Spending") -> list[list[str]]:
    """Return the header, the rows and the total as cells, without columns that have nothing in them."""
    unnamed = "no date" if spending.by == "day" else "not recorded"
    names = [in_one_line(model_name(row.name or unnamed, row.endpoint)) for row in spending.rows]
    rows = [[name, *_cells(row)] for name, row in zip(names, spending.rows, strict=True)]
    rows.append(["total", *_cells(spending.total)])
    header = [spending.by, "requests", "tokens", "credits", "charged", "estimated", "cached", "saved"]
    kept = [any(row[number] != _NOTHING for row in rows) for number in range(len(header))]
    return [list(compress(row, kept)) for row in [header, *rows]]


def spent_by(row: "SpendingRow") -> str:
    """Return what was spent, and how it is known."""
    usage = row.usage
    spent = f"{charged_dollars(usage.charged_dollars)} charged" if row.dollars_source == "charged" else usage.shown_cost
    return f"{spent}, the rest unknown" if row.unpriced_requests and usage.dollars is not None else spent


def saved_by(row: "SpendingRow") -> str:
    """Return about what the cache saved."""
    return about_dollars(row.saved_dollars) if row.saved_dollars else _saved(row)


def _saved(row: "SpendingRow") -> str:
    return "unknown" if row.saved_dollars is None else _in_short(row.saved_dollars)


def _in_short(dollars: float) -> str:
    """Return an amount for a cell, whose column would be too wide for many terminals otherwise."""
    return shown_dollars(dollars).replace("less than ", "<")


def _cells(row: "SpendingRow") -> list[str]:
    usage = row.usage
    estimated = "unknown" if row.unpriced_requests else _NOTHING
    if row.estimated_dollars:
        estimated = _in_short(row.estimated_dollars)
    return [
        f"{usage.requests:,}",
        f"{usage.tokens:,}",
        f"{usage.credits:,.10g}" if usage.credits else _NOTHING,
        charged_dollars(usage.charged_dollars) if usage.charged_answers else _NOTHING,
        estimated,
        f"{usage.from_cache:,}",
        _saved(row) if usage.saved_tokens else _NOTHING,
    ]
