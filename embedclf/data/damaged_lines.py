"""Lines with bytes that are not in the encoding of their file: the fault of these rows, or of the file as a whole."""

import bisect
import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from embedclf.data.formats import WrongEncodingError

ERRORS = "surrogateescape"
"""How a file is decoded, so that `DamagedLines` can tell its damaged lines."""

_ESCAPED = re.compile("[\udc80-\udcff]")
# Of the lines of a file that is otherwise ASCII; with more, it is taken to be in another encoding.
_MOST_DAMAGED = 0.02
# Of damaged rows, how much is looked at, and how much they must look like text in another encoding to name that.
_LONGEST_SAMPLE, _LEAST_SCORE = 10_000, 0.7


class Damage(NamedTuple):
    """The first byte of a line that is not in its encoding: both counted from 1."""

    line: int
    byte: int
    value: int

    def __str__(self) -> str:
        return f"byte {self.byte:,} (0x{self.value:02x})"


class DamagedLines:
    """What is noticed of damage while the lines of a file are read, decoded with `ERRORS`.

    Parameters
    ----------
    encoding : str
    sample : callable, optional
        Returns bytes of the file from around the first damaged row, by which to judge whether the file as a whole is in
        another encoding. Without it, each row is judged by itself.

    Attributes
    ----------
    found : list of Damage
        The first damage of each damaged line.
    """

    def __init__(self, encoding: str, sample: Callable[[], bytes] | None = None) -> None:
        self.encoding = encoding
        self._sample_around = sample
        self.found: list[Damage] = []
        self._seen = b""
        self._is_ascii = True

    def watch(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield the lines as they are."""
        for number, line in enumerate(lines, 1):
            if not line.isascii():
                try:
                    line.encode()  # faster than any search
                    self._is_ascii = False
                except UnicodeEncodeError:
                    self._note(number, line)
            yield line

    def _note(self, number: int, line: str) -> None:
        if (found := _ESCAPED.search(line)) is not None:
            byte = len(line[: found.start()].encode(self.encoding, ERRORS)) + 1
            self.found.append(Damage(number, byte, ord(found[0]) - 0xDC00))
            if len(self._seen) < _LONGEST_SAMPLE:
                self._seen += line.encode(self.encoding, ERRORS)

    def fault_of(self, line: int, parts: Iterable[str]) -> str | None:
        """Return what is wrong with the row that starts at a line and has these parts; None if it is not damaged.

        Raises
        ------
        WrongEncodingError
            At the first damaged row, if not this row is at fault but the file as a whole is in another encoding.
        """
        if not self.found or not any(map(_ESCAPED.search, parts)):
            return None
        place = bisect.bisect_left(self.found, (line,))
        damage = self.found[min(place, len(self.found) - 1)]
        shown = shown_encoding(self.encoding)
        if self._sample_around is not None:
            sample, self._sample_around = self._sample_around(), None
            if not is_damaged_only(sample, self.encoding):
                problem = f"{damage} is not valid {shown}, nor is the file as a whole"
                raise WrongEncodingError(f"{problem}. {encoding_advice(sample, self.encoding)}", damage.line)
        where = "" if damage.line == line else f" of line {damage.line:,}"
        return f"{damage}{where} is not valid {shown}"

    def summary(self) -> str:
        """Return which rows are damaged, once the whole file has been read."""
        lines = [damage.line for damage in self.found]
        rest = f"the rest is {'ASCII' if self._is_ascii else shown_encoding(self.encoding)}"
        first = ", ".join(map(str, lines[:3])) + (", …" if len(lines) > 3 else "")
        several = f"{len(lines):,} rows are damaged (lines {first})"
        return f"{rest}: only {f'row {lines[0]} is damaged' if len(lines) == 1 else several}{self._advice()}"

    def _advice(self) -> str:
        """Return which encoding reads the damaged rows, if all others read the same in it."""
        from embedclf.data.encodings import guess_encodings, judged

        if not self._is_ascii or _begins_as_utf8(self._seen):
            return ""
        guesses = guess_encodings(self._seen, self.encoding)
        if not guesses or max(judged(self._seen).values()) < _LEAST_SCORE:
            return ""
        return f"; --encoding {guesses[0].encoding} reads {guesses[0].line!r}"


def undamaged(text: str) -> str:
    """Return a text with U+FFFD for each byte that is not in its encoding."""
    return _ESCAPED.sub("\ufffd", text)


def shown_encoding(encoding: str) -> str:
    """Return the name of an encoding as it is written in messages."""
    return encoding.upper() if encoding.casefold().startswith("utf") else encoding


def is_damaged_only(sample: bytes, encoding: str) -> bool:
    """Return whether a sample with bytes that are not in an encoding is otherwise in it, and not in UTF-8."""
    if codecs.lookup(encoding).name.startswith("utf-8"):
        if _begins_as_utf8(sample):  # and is cut off in the middle of a character, or damaged elsewhere
            return True
    elif utf8_line(sample) is not None:
        return False
    lines = sample.decode(encoding, ERRORS).splitlines()
    text = "".join(lines)
    n_bad = len(_ESCAPED.findall(text))
    n_good = sum(character > "\x7f" for character in text) - n_bad
    if n_good:
        return n_good >= n_bad
    return sum(map(bool, map(_ESCAPED.search, lines))) <= _MOST_DAMAGED * len(lines)


def _begins_as_utf8(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def utf8_line(sample: bytes) -> str | None:
    """Return the first line with characters beyond ASCII of a sample that is UTF-8; None if it has none, or is not."""
    from embedclf.data.encodings import telling_line

    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(sample)
    except UnicodeDecodeError:
        return None
    return None if text.isascii() else telling_line(text)


def encoding_advice(sample: bytes, failed: str) -> str:
    """Return the encodings that read a sample, with a line as each reads it, as lines of advice."""
    from embedclf.data.encodings import guess_encodings

    guesses = guess_encodings(sample, failed)
    if not guesses:
        return "No other encoding reads it: is it a text file?"
    width = max(len(guess.encoding) for guess in guesses)
    listed = "\n".join(f"  --encoding {guess.encoding:<{width}}  {guess.line}" for guess in guesses)
    return f"This is how it would read:\n{listed}"
