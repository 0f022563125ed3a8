"""How figures and texts are written on a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedclf.intervals import Interval

if TYPE_CHECKING:
    from embedclf.corpus import Corpus
    from embedclf.evaluation.neighbourhood import Neighbour

_TEXT_WIDTH = 80


def in_one_line(text: str) -> str:
    """Write control characters as escapes: a label may hold a tab, a line break or a terminal's command."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, width: int = _TEXT_WIDTH) -> str:
    """Write a text in one line of at most so many characters."""
    line = in_one_line(" ".join(text.split()))
    return line if len(line) <= width else f"{line[: width - 2].rstrip()} …"


def nearby(one: "Neighbour", trained_on: "Corpus") -> str:
    """Write a training example near a text in one line: how near, where it stands, and what it is."""
    return f"{one.similarity:.2f}  {trained_on.place(one.row)}  {in_one_line(one.label)}: {shortened(one.text, 66)}"


def with_interval(figure: float, interval: Interval) -> str:
    """Write a share with its 95 % interval: ``0.873  (0.861 to 0.885)``."""
    return f"{figure:.3f}  ({interval.low:.3f} to {interval.high:.3f})"


def percent(share: float | None) -> str:
    """Write a share as a percentage; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.1f} %"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Write a table, each column as wide as it needs; those that `left` names start at the left, others end right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if number in left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    ]
