"""The line of the terminal in which a person types."""

from embedclf.cli.screen import echo, echo_lines, echo_over
from embedclf.printing.lines import DIM, PLAIN, Piece, cut, start_of, width_of
from embedclf.printing.tables import in_one_line
from embedclf.printing.width import columns

_LEAST_HINT = 16
_BETWEEN = 3


class TypedLine:
    """The last line of the terminal: a prompt, what has been typed, and a hint behind it.

    Only this line is ever drawn anew, so that little is sent over a slow connection.
    """

    def __init__(self) -> None:
        self._drawn = 0

    def draw(self, prompt: str, typed: str = "", hint: str = "") -> None:
        """Draw the line, with the cursor behind what has been typed; what does not fit is left out.

        Parameters
        ----------
        prompt : str
        typed : str
            Of a long text, the end is shown.
        hint : str
            What Enter does, for instance.
        """
        room = (columns(err=True) or 80) - 1  # some terminals break a line that fills the last column
        before = _end_of(f"{in_one_line(prompt)}{in_one_line(typed)}", room)
        left = room - width_of(before) - _BETWEEN
        behind = cut(in_one_line(hint), left) if hint and left >= _LEAST_HINT else ""
        line: list[Piece] = [(before, PLAIN)]
        if behind:
            line += [(" " * _BETWEEN, PLAIN), (behind, DIM)]
        width = sum(width_of(text) for text, _ in line)
        spaces = max(min(self._drawn, room) - width, 0)
        self._drawn = width
        echo_over(line, spaces, before if behind or spaces else None)

    def leave(self, prompt: str, typed: str) -> None:
        """Leave the line as it stands, without a hint, and go to the next one."""
        self.draw(prompt, typed)
        echo(err=True)
        self._drawn = 0

    def end(self, line: str) -> None:
        """Replace the line by one that stays, over several lines of the terminal if it is long."""
        self.draw("")
        echo_lines([line], err=True)


def _end_of(text: str, width: int) -> str:
    """Return the end of a text that is longer than a width, with an ellipsis before it."""
    if width_of(text) <= width:
        return text
    return f"…{start_of(text[::-1], width - 1)[::-1]}"
