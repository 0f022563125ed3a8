"""Lines of a file that can be read again, so that a record can be given up and the next lines looked at."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator

# An unclosed quote must not fill the memory with the rest of a large file, nor must its rows before the error is seen.
_MOST_CHARACTERS = 4_000_000
TOO_LONG = f"a quote opened in this row is not closed within {_MOST_CHARACTERS:,} characters"
"""Why a record is given up that goes on for too long."""

# How far to look ahead to find out whether there is quoting: no further, since the lines may come from a pipe.
_WINDOW_CHARACTERS, _WINDOW_LINES = 1_000_000, 5_000


class RecordLines:
    """An iterator over lines that keeps those of the current record, so that they can be read again.

    Attributes
    ----------
    number : int
        The number of the first line of the current record, counted from 1.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._rest = iter(lines)
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._characters = 0
        self.number = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._rest)
        taken = self._taken
        taken.append(line)
        if len(taken) > 1:
            self._characters += len(line)
            if self._characters > _MOST_CHARACTERS:
                raise csv.Error(TOO_LONG)
        return line

    def take(self) -> list[str]:
        """Return the lines of the current record, and go on to the next."""
        taken, self._taken, self._characters = self._taken, [], 0
        self.number += len(taken)
        return taken

    def put_back(self, lines: list[str]) -> None:
        """Read the last lines that were taken again."""
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)

    def ahead(self) -> tuple[list[str], bool]:
        """Return the next lines, which are still to be read, and whether these are all."""
        lines: list[str] = []
        n_characters = 0
        while len(lines) < _WINDOW_LINES and n_characters < _WINDOW_CHARACTERS:
            if len(lines) == len(self._again):
                if (line := next(self._rest, None)) is None:
                    return lines, True
                self._again.append(line)
            lines.append(self._again[len(lines)])
            n_characters += len(lines[-1])
        return lines, False
