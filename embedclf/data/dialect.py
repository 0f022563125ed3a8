"""How the fields of a CSV or TSV file are told apart, and how one is written the same way."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from embedclf.errors import ArgumentError

Quoting = Literal["auto", "csv", "none"]
QUOTINGS: tuple[Quoting, ...] = get_args(Quoting)

# A first line with which Excel says what the delimiter is.
SEP = re.compile(r"sep=([^\w\s\"]|\t)\r?\n?")
_LINE_BREAK = re.compile(r"[\r\n]")
# Signs with which a spreadsheet starts a formula or a command, also in full width; https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?%?")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the fields of a CSV or TSV file are told apart.

    Attributes
    ----------
    delimiter : str or None
        The delimiter that was given or found; None if it is the usual one of the format.
    unquoted : str or None
        The delimiter of a file without quoting; None if fields may be quoted.
    escape_char : str or None
        The character before a quote inside a quoted field; None if such quotes are doubled.
    """

    delimiter: str | None = None
    unquoted: str | None = None
    escape_char: str | None = None


DEFAULT_DIALECT = Dialect()


def check_dialect(quoting: str, escape_char: str | None, delimiter: str | None = None) -> None:
    """Check that fields can be told apart like this.

    Raises
    ------
    ArgumentError
        If `quoting` is unknown, or `escape_char` is not a single character that has no other meaning.
    """
    if quoting not in QUOTINGS:
        raise ArgumentError(f"quoting must be 'auto', 'csv' or 'none', not {quoting!r}")
    if escape_char is None:
        return
    if len(escape_char) != 1 or escape_char in '"\r\n\0' or escape_char == delimiter:
        raise ArgumentError(
            f"escape_char must be one character other than a quote or the delimiter, not {escape_char!r}"
        )
    if quoting == "none":
        raise ArgumentError("escape_char is for quoted fields, and quoting is 'none'")


def split(line: str, delimiter: str, most: int = 0) -> list[str]:
    """Return the fields of a line without regard to quotes, no more than `most` unless that is 0."""
    return line.rstrip("\r\n").split(delimiter, most - 1)


def escaped_quotes_doubled(lines: Iterable[str], delimiter: str, escape: str) -> Iterator[str]:
    """Yield lines in which each escaped quote is doubled instead, as the csv module expects it.

    In a quoted field, an escape stands for itself unless a quote or another escape follows, as Spark and pandas write
    it; outside, only an escaped quote is one.
    """
    sign = re.escape(escape)
    inside = re.compile(rf'(?:[^"{sign}]|{sign}.|"")*', re.DOTALL)
    pair = re.compile(rf'{sign}(["{sign}])')
    is_open = False
    for line in lines:
        parts, at = [], 0
        while at < len(line):
            if is_open:
                found = inside.match(line, at)
                end = at if found is None else found.end()
                is_open = line[end : end + 1] != '"'
                parts.append(pair.sub(lambda two: '""' if two[1] == '"' else two[1], line[at:end]))
                # What is left of the line if the quote stays open is an escape at the end of the file.
                at = len(line) if is_open else end + 1
                parts.append(line[end:at])
            elif line[at] == '"' and (at == 0 or line[at - 1] == delimiter):
                is_open, at = True, at + 1
                parts.append('"')
            else:
                end = line.find(delimiter, at)
                field, at = line[at:] if end < 0 else line[at : end + 1], len(line) if end < 0 else end + 1
                if f'{escape}"' in field:
                    bare = field.rstrip("\r\n") if end < 0 else field[:-1]
                    doubled = bare.replace(f'{escape}"', '"').replace('"', '""')
                    field = f'"{doubled}"{field[len(bare) :]}'
                parts.append(field)
        yield "".join(parts)


def takes_in_rows(lines: Sequence[str], fields: Sequence[str], delimiter: str) -> int | None:
    """Return which field of a record takes in lines that could be rows by themselves; None if no field does.

    That is so if exactly one field has line breaks and no other is quoted, and each of the record's lines has as many
    fields as the record if quotes are ignored. The first line may have more, since delimiters may be quoted in it.

    Parameters
    ----------
    lines : sequence of str
        The lines of the record.
    fields : sequence of str
        Its fields.
    delimiter : str
    """
    broken = [place for place, field in enumerate(fields) if _LINE_BREAK.search(field)]
    if len(broken) != 1 or len(fields) < 2:
        return None
    (place,) = broken
    first, *others = [split(line, delimiter) for line in lines if line.strip("\r\n")]
    if not others or len(first) < len(fields) or any(len(other) != len(fields) for other in others):
        return None
    beside = [*first[:place], *others[-1][place + 1 :]]
    return None if any(field.startswith('"') for field in beside) else place


def has_formula(cell: str) -> bool:
    """Return whether a spreadsheet may take a cell for a formula; it takes a number for a number."""
    return _FORMULA.match(cell) is not None and _NUMBER.fullmatch(cell) is None


def without_formula(cell: str) -> str:
    """Return a cell with an apostrophe in front of a formula, so that a spreadsheet shows it."""
    return f"'{cell}" if has_formula(cell) else cell


def with_formula(cell: str) -> str:
    """Return a cell as it was before `without_formula`."""
    return cell[1:] if cell.startswith("'") and has_formula(cell[1:]) else cell
