"""How a text to label, its labels and the progress are shown in the terminal."""

import shutil
from collections.abc import Iterator, Sequence
from itertools import islice

import click

from embedclf.cli.screen import echo_lines, printable
from embedclf.formatting import counted, shown_share, shown_shares
from embedclf.labelling.questions import Guess, Point, Progress, Question
from embedclf.printing.lines import DIM, HEADING, PLAIN, Line, start_of, width_of, without_middle
from embedclf.printing.tables import in_one_line
from embedclf.printing.width import columns

N_DIGITS = 9
"""How many labels have a digit."""

# Text is indented, so that nothing in it can be taken for a line of ours.
_INDENT = "  "
_TAB = 4
_LEAST_ROWS = 5
# The rows of a screen besides the text and its labels.
_ROWS_BESIDE = 6
_MOST_LISTED = 500
_GAP = 2
_KEYS = [
    ("1 … 9", "give the label with that digit"),
    ("letters", "find a label, or name a new one"),
    ("Enter", "give the label that the line shows, or keep the current one"),
    ("↓ ↑", "go to the next label, and finally to a new one"),
    ("Tab", "list all labels that match"),
    ("Space or →", "skip the text"),
    ("Backspace or ←", "undo the last answer, repeat to undo more; so does Ctrl-Z"),
    ("+", "add a note to the answer"),
    ("Page ↓", "show more of a long text; so does Ctrl-F"),
    ("Esc", "clear what you typed"),
    ("q Enter", "finish; so does Ctrl-C. Every answer is saved already"),
]
_KEYS_OF_SEVERAL = {
    "1 … 9": "select or deselect the label with that digit",
    "Enter": "select the label that the line shows, or save the selected ones",
}


def show_keys(*, several: bool) -> None:
    """List the keys."""
    formatter = click.HelpFormatter(width=_width())
    formatter.write_dl([(key, _KEYS_OF_SEVERAL.get(key, told) if several else told) for key, told in _KEYS])
    echo_lines(formatter.getvalue().splitlines(), err=True)


class ShownText:
    """A text on the terminal, with its labels.

    Parameters
    ----------
    question : Question
    """

    def __init__(self, question: Question) -> None:
        self._question = question
        self._rows = _rows_of(question.text)
        self._next_row = next(self._rows, None)

    @property
    def has_more(self) -> bool:
        """Whether the text is longer than what has been shown of it."""
        return self._next_row is not None

    def show(self, progress: Progress, note: str) -> None:
        """Show where the text is from, its beginning, its note, and its labels."""
        question = self._question
        parts = [question.place] if question.place else []
        parts += ["for the test set, so without predictions"] if question.is_test else []
        if progress.n_labelled < progress.n_texts:  # when labels are checked, all are
            parts.append(f"{progress.n_labelled:,} of {progress.n_texts:,} labelled")
        parts += [f"{progress.n_skipped:,} skipped"] if progress.n_skipped else []
        echo_lines([[(" · ".join(parts), DIM)]], err=True)
        self._show_rows(max(_height() - len(self._labels()) - _ROWS_BESIDE, _LEAST_ROWS))
        if note:
            echo_lines([f"Note: {in_one_line(note)}"], err=True)
        self.show_labels()

    def show_more(self) -> None:
        """Show the next screen of the text."""
        self._show_rows(max(_height() - 2, _LEAST_ROWS))

    def show_labels(self) -> None:
        """Show the likeliest labels with their digits."""
        echo_lines(self._labels(), err=True)

    def _show_rows(self, most: int) -> None:
        if self._next_row is None:
            return
        rows = [self._next_row, *islice(self._rows, most - 1)]
        self._next_row = next(self._rows, None)
        echo_lines((f"{_INDENT}{row}" for row in rows), err=True)
        if self.has_more:
            n = counted(len(self._question.text), "character")
            echo_lines([[(f"… (Page ↓ shows more of the {n})", DIM)]], err=True)

    def _labels(self) -> list[Line]:
        guesses, given = self._question.guesses, self._question.labels or ()
        first = guesses[:N_DIGITS]
        if not guesses:
            return ["There are no labels yet. Type the first one and press Enter."]
        remarks = [_remark(one, given) for one in first]
        beside = len("1  ") + max(len(remark) + _GAP if remark else 0 for remark in remarks)
        names = [shown_label(one.label, beside) for one in first]
        most = max(map(width_of, names))
        lines: list[Line] = []
        for digit, (name, remark) in enumerate(zip(names, remarks, strict=True), 1):
            space = " " * (most - width_of(name) + _GAP) if remark else ""
            lines.append([(str(digit), HEADING), (f"  {name}{space}", PLAIN), (remark, DIM)])
        if more := len(guesses) - len(first):
            lines.append([(f"…  {more:,} more (Tab lists them)", DIM)])
        return lines


def _remark(guess: Guess, given: Sequence[str]) -> str:
    share = "" if guess.confidence is None else _percent(guess.confidence)
    return f"{share}{'  current' if guess.label in given else ''}" if share else "current" * (guess.label in given)


def _percent(confidence: float) -> str:
    return " <1 %" if confidence < 0.01 else f"{int(100 * confidence + 1e-9):>3} %"


class ShownProgress:
    """How good a classifier the labels make, printed as it changes.

    Parameters
    ----------
    several : bool
        Whether texts may have several labels.
    """

    def __init__(self, *, several: bool) -> None:
        self._measure = "Micro-F1" if several else "Accuracy"
        self._said: dict[str, str] = {}

    def show(self, progress: Progress) -> None:
        """Show how good the classifier is and whether to continue, if that has changed."""
        if progress.test is not None:  # the fair figure; until there is one, the out-of-fold figure is shown
            on = f"{counted(progress.test.n_labels, 'random text')} that the classifier has not seen"
            self._say("figure", f"{self._measure} on the test set {_figures(progress.test)}: {on}")
        elif progress.curve:
            on = f"out of fold on {counted(progress.curve[-1].n_labels, 'labelled text')}"
            self._say("figure", f"{self._measure} {_figures(progress.curve[-1])}, {on}")
        self._say("advice", progress.advice)

    def _say(self, what: str, line: str) -> None:
        if line and self._said.get(what) != line:
            self._said[what] = line
            echo_lines([line], err=True)


def _figures(point: Point) -> str:
    return f"{shown_share(point.accuracy)} ({shown_shares(point.interval)})"


def list_labels(labels: Sequence[str]) -> None:
    """List labels, in columns if they are short."""
    width, names = _width(), [shown_label(label) for label in labels[:_MOST_LISTED]]
    size = max(map(width_of, names), default=0) + _GAP
    n_rows = -(-len(names) // max((width + _GAP) // size, 1))
    lines = []
    for row in range(n_rows):
        *before, last = names[row::n_rows]
        lines.append("".join(name + " " * (size - width_of(name)) for name in before) + last)
    if (more := len(labels) - len(names)) > 0:
        lines.append(f"… {more:,} more: type to find one")
    echo_lines(lines or ["No label matches."], err=True)


def shown_label(label: str, beside: int = 2) -> str:
    """Return a label in one line that has this many columns less than the terminal."""
    return without_middle(in_one_line(label), _width() - beside)


def _rows_of(text: str) -> Iterator[str]:
    """Yield a text in rows that fit, with escapes; a word or script without spaces is broken where a row ends."""
    for line in text.replace("\r\n", "\n").strip().split("\n"):
        rest = printable(line.expandtabs(_TAB)).rstrip()
        while True:
            width = _width() - len(_INDENT)
            start = start_of(rest, width)
            if len(start) == len(rest):
                yield rest
                break
            if not rest[len(start)].isspace() and start.rstrip() and " " in start.strip():
                start = start[: start.rindex(" ") + 1]
            yield start
            rest = rest[len(start) :].lstrip(" ")


def _width() -> int:
    return columns(err=True) or shutil.get_terminal_size().columns


def _height() -> int:
    return shutil.get_terminal_size().lines
