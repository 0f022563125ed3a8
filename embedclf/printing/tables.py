"""Format numbers, texts and tables for the terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from embedclf.formatting import shown_share

if TYPE_CHECKING:
    from embedclf.classifier.explanation import Neighbour, Span
    from embedclf.data.corpus import Corpus
    from embedclf.stats.intervals import Interval

_TEXT_WIDTH = 80
_LABEL_WIDTH = 40
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


def shortened(text: str, width: int = _TEXT_WIDTH) -> str:
    """Return a text in one line of at most `width` characters."""
    line = in_one_line(" ".join(text.split()))
    return line if len(line) <= width else f"{line[: width - 2].rstrip()} …"


def shown_label(label: str) -> str:
    """Return a label in one line of at most 40 characters; a longer one keeps both ends, where labels differ."""
    line = in_one_line(label)
    half = (_LABEL_WIDTH - 3) // 2
    return line if len(line) <= _LABEL_WIDTH else f"{line[:half].rstrip()} … {line[-half:].lstrip()}"


def nearby(one: "Neighbour", trained_on: Places) -> str:
    """Return a neighbouring training example in one line: similarity, place, label and text."""
    return f"{one.similarity:.2f}  {trained_on.place(one.row)}  {shown_label(one.label)}: {shortened(one.text, 66)}"


def weighed(words: Mapping[str, float]) -> str:
    """Return the five words with the largest absolute weights in one line: ``charged +1.92, this -0.12``."""
    strongest = sorted(words.items(), key=lambda pair: -abs(pair[1]))[:_N_WORDS]
    # A weight shown as 0.00 carries no information.
    return ", ".join(f"{shown_word(word)} {weight:+.2f}" for word, weight in strongest if abs(weight) >= 0.005)


def shown_word(word: str) -> str:
    """Return a word in at most 24 characters."""
    line = in_one_line(word)
    return line if len(line) <= _WORD_WIDTH else f"{line[: _WORD_WIDTH - 1]}…"


def coloured(text: str, spans: "Sequence[Span]") -> "Iterator[tuple[str, dict[str, Any]]]":
    """Yield a text in styled pieces: green supports its label, red opposes it."""
    most = max((abs(span.weight) for span in spans), default=0.0)
    done = 0
    for start, end, weight in spans:
        if abs(weight) >= _COLOURED * most:
            yield in_one_line(text[done:start]), {}
            style = {"fg": "green" if weight > 0 else "red"}
            yield in_one_line(text[start:end]), style | ({"bold": True} if abs(weight) >= _BOLD * most else {})
            done = end
    yield in_one_line(text[done:]), {}


def with_interval(figure: float, interval: "Interval") -> str:
    """Return a share with its 95 % interval: ``0.873  (0.861 to 0.885)``."""
    return f"{figure:.3f}  ({interval.low:.3f} to {interval.high:.3f})"


def percent(share: float | None) -> str:
    """Return a share as a percentage, or a dash for None."""
    return "–" if share is None else shown_share(share)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Return a table as lines; the columns in `left` are left-aligned, the others right-aligned."""
    from rich.cells import cell_len  # the width on a terminal: two for an ideograph, none for a combining accent

    widths = [max(map(cell_len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            cells.append(cell + space if number in left else space + cell)
        lines.append("  ".join(cells).rstrip())
    return lines


def add_lines(records: Iterable[dict[str, Any]], corpus: "Corpus") -> None:
    """Add to each JSON record the `line` where its row starts in the file, and the `file` if there are several."""
    for record in records:
        record["line"] = corpus.lines[record["row"]]
        if corpus.files:
            record["file"] = corpus.file(record["row"])
