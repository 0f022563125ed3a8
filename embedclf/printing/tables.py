"""Format numbers, texts and tables for the terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from unicodedata import category

from embedclf.formatting import shown_interval, shown_share
from embedclf.printing.lines import (
    DIM,
    HEADING,
    PLAIN,
    RIGHT,
    WRONG,
    Line,
    Piece,
    cut,
    pieces_of,
    width_of,
    without_middle,
    wrapped,
)
from embedclf.printing.width import columns

if TYPE_CHECKING:
    from embedclf.classifier.explanation import Neighbour, Span
    from embedclf.data.corpus import Corpus
    from embedclf.stats.intervals import Interval

_TEXT_WIDTH = 80
_LABEL_WIDTH = 40
# With less room than this beside a label, a text gets a line of its own, indented by as much.
_LEAST_TEXT_WIDTH, _INDENT = 30, 8
_WORD_WIDTH = 24
_N_WORDS = 5
# A word is coloured, or bold, from this share of the text's largest weight.
_COLOURED, _BOLD = 0.1, 0.5


class Places(Protocol):
    """Where texts come from, such as a `Corpus`."""

    @property
    def name(self) -> str:
        """The name of the whole."""

    def place(self, number: int) -> str:
        """Return where a row, counted from 0, is."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The places of texts that come from no file: their indices.

    Attributes
    ----------
    what : str
        What a row is called: ``row`` 3.
    """

    what: str = "row"

    @property
    def name(self) -> str:
        """Nothing, since there is no file."""
        return ""

    def place(self, number: int) -> str:
        """Return what a row is called."""
        return f"{self.what} {number}"


def in_one_line(text: str) -> str:
    """Return a text with control characters escaped: a label may contain tabs, line breaks or terminal commands."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, usual: int = _TEXT_WIDTH, *, beside: int | None = None) -> str:
    """Return a text in one line of at most `usual` columns, cut after a whole word.

    On a terminal, the text has the columns that are left `beside` the rest of its line, or a line of its own if these
    are few.
    """
    line, total = in_one_line(" ".join(text.split())), columns()
    if total is None or beside is None:
        return cut(line, usual)
    return cut(line, total - beside if total - beside >= _LEAST_TEXT_WIDTH else total - _INDENT)


def shown_label(label: str) -> str:
    """Return a label in one line of at most 40 columns; a longer one keeps both ends, where labels differ.

    On a wide terminal, it may take two thirds of the width.
    """
    return without_middle(in_one_line(label), max(_LABEL_WIDTH, 2 * (columns() or 0) // 3))


def place_of(row: int, corpus: Places) -> Piece:
    """Return where a row starts, for output that has named the file: ``:433``."""
    return corpus.place(row).removeprefix(corpus.name), DIM


def nearby(one: "Neighbour", trained_on: Places, indent: int) -> Line:
    """Return a neighbouring training example in one line: similarity, line, label and text."""
    place, label = place_of(one.row, trained_on), shown_label(one.label)
    before = f"{one.similarity:.2f}  "
    beside = indent + width_of(f"{before}{place[0]}  {label}: ")
    return [(before, PLAIN), place, (f"  {label}: {shortened(one.text, 66, beside=beside)}", PLAIN)]


def weighed(words: Mapping[str, float]) -> str:
    """Return the five words with the largest absolute weights in one line: ``charged +1.92, this -0.12``."""
    strongest = sorted(words.items(), key=lambda pair: -abs(pair[1]))[:_N_WORDS]
    # A weight shown as 0.00 carries no information.
    return ", ".join(f"{shown_word(word)} {weight:+.2f}" for word, weight in strongest if abs(weight) >= 0.005)


def shown_word(word: str) -> str:
    """Return a word in at most 24 characters; punctuation in quotes, which sets it apart from that between words."""
    line = in_one_line(word)
    if all(category(one).startswith("P") for one in line):
        return f"“{line}”"
    return line if len(line) <= _WORD_WIDTH else f"{line[: _WORD_WIDTH - 1]}…"


def coloured(text: str, spans: "Sequence[Span]") -> "Iterator[Piece]":
    """Yield a text in styled pieces: green supports its label, red opposes it."""
    most = max((abs(span.weight) for span in spans), default=0.0)
    done = 0
    for start, end, weight in spans:
        if abs(weight) >= _COLOURED * most:
            yield in_one_line(text[done:start]), PLAIN
            style = RIGHT if weight > 0 else WRONG
            yield in_one_line(text[start:end]), {**style, **HEADING} if abs(weight) >= _BOLD * most else style
            done = end
    yield in_one_line(text[done:]), PLAIN


def with_interval(figure: float, interval: "Interval") -> str:
    """Return a share with its 95 % interval: ``0.873  (0.861 to 0.885)``."""
    return f"{figure:.3f}  ({shown_interval(interval)})"


def percent(share: float | None) -> str:
    """Return a share as a percentage, or a dash for None."""
    return "–" if share is None else shown_share(share)


def table(
    header: Sequence[str], rows: Sequence[Sequence[str | Piece]], left: Sequence[int] = (0,), *, indent: int = 0
) -> list[Line]:
    """Return a table as lines; the columns in `left` are left-aligned, the others right-aligned.

    Where a terminal has no room for all columns, the last one in `left` is wrapped, or gets lines of its own; of the
    first column, only the few cells that are too long do. Where there is no room even for the others, each cell does.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences of str or Piece
        A `Piece` is a cell with a style.
    left : sequence of int
    indent : int
        Spaces in front of each line.
    """
    cells = [[(name, HEADING) for name in header], *([as_piece(cell) for cell in row] for row in rows)]
    widths = widths_of(cells)
    total, every = columns(), range(len(header))
    if total is None or taken_by(widths) + indent <= total:
        return [_in_columns(row, widths, every, left, indent) for row in cells]
    alone = left[-1] if left else 0
    others = [number for number in every if number != alone]
    taken, first = taken_by([widths[number] for number in others]) + indent, alone == 0
    if not others or taken + 2 * first > total:
        return _as_records(header, cells[1:], indent)
    lines: list[Line] = []
    if alone == len(header) - 1 and total - taken - 2 >= _LEAST_TEXT_WIDTH:
        for row in cells:
            parts = list(wrapped([row[alone]], total - taken - 2))
            rest = _in_columns([*row[:-1], ("|", PLAIN)], [*widths[:-1], 1], every, left, indent)
            lines.append([*pieces_of(rest)[:-1], *pieces_of(parts[0])])
            lines += [[(" " * (taken + 2), PLAIN), *pieces_of(part)] for part in parts[1:]]
        return lines
    if first and (titles := _widest_of_most(cells[1:], total - taken - 2)):
        widths[0] = max(titles, width_of(header[0]))
        for row in cells:
            if width_of(row[0][0]) > widths[0]:
                lines.append([(" " * indent, PLAIN), row[0]])
                row = [("", PLAIN), *row[1:]]
            lines.append(_in_columns(row, widths, every, left, indent))
        return lines
    for row in cells:  # a column that comes first is a title, and any other a remark
        own = [[(" " * (indent + (0 if first else 4)), PLAIN), row[alone]]] if row[alone][0] else []
        rest = _in_columns(row, widths, others, left, indent + (2 if first else 0))
        lines += [*own, rest] if first else [rest, *own]
    return lines


def _widest_of_most(rows: Sequence[Sequence[Piece]], room: int) -> int:
    """Return the width of the widest title that there is room for, or 0 if there is none for most of them."""
    fitting = [width for row in rows if (width := width_of(row[0][0])) <= room]
    return max(fitting) if 2 * len(fitting) > len(rows) else 0


def as_piece(cell: str | Piece) -> Piece:
    """Return a cell with its style."""
    return (cell, PLAIN) if isinstance(cell, str) else cell


def widths_of(rows: Sequence[Sequence[str | Piece]]) -> list[int]:
    """Return the width of each column of a table."""
    return [max(width_of(as_piece(cell)[0]) for cell in column) for column in zip(*rows, strict=True)]


def taken_by(widths: Sequence[int]) -> int:
    """Return the columns of the terminal that columns of these widths take, with the spaces between them."""
    return sum(widths) + 2 * (len(widths) - 1)


def _in_columns(
    row: Sequence[Piece], widths: Sequence[int], chosen: Sequence[int], left: Sequence[int], indent: int
) -> Line:
    pieces: list[Piece] = [(" " * indent, PLAIN)]
    for number in chosen:
        text, style = row[number]
        space = " " * (widths[number] - width_of(text))
        aligned: list[Piece] = [(text, style), (space, PLAIN)] if number in left else [(space, PLAIN), (text, style)]
        pieces += [*aligned, ("  ", PLAIN)]
    while pieces and not (end := pieces[-1][0].rstrip(" ")):
        pieces.pop()
    return [*pieces[:-1], (end, pieces[-1][1])] if pieces else ""


def _as_records(header: Sequence[str], rows: Sequence[Sequence[Piece]], indent: int) -> list[Line]:
    widest = max(map(width_of, header))
    lines: list[Line] = []
    for row in rows:
        for number, (name, piece) in enumerate(zip(header, row, strict=True)):
            space = " " * (indent + (2 if number else 0))
            lines.append([(space, PLAIN), (name, HEADING), (" " * (widest - width_of(name) + 2), PLAIN), piece])
    return lines


def add_lines(records: Iterable[dict[str, Any]], corpus: "Corpus") -> None:
    """Add to each JSON record the `line` where its row starts in the file, and the `file` if there are several."""
    for record in records:
        record["line"] = corpus.lines[record["row"]]
        if corpus.files:
            record["file"] = corpus.file(record["row"])
