"""Common parts of reading and writing workbooks of Excel: importing openpyxl, and the text in a cell."""

import datetime
import re
from typing import Any, Self

from embedclf.data.formats import FormatError

MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
MOST_CHARACTERS = 32_767
"""What a sheet, and a cell, of Excel can hold; see `Excel specifications and limits` in its documentation."""

# Excel has doubles, and shows 15 digits of them.
_MOST_WHOLE = 10**15
# A larger number is read with an exponent.
_MOST_PLAIN = 10**21
# Characters that XML does not have, or reads as others, are written as _x000D_, which Excel does, too (ST_Xstring in
# ECMA-376, part 1, 22.9.2.19). So is an underscore before what looks like one of these.
_SPECIAL = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPED = re.compile("_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")


class TypedText(str):
    """The text of a cell that holds no text, but a number or a truth value.

    Attributes
    ----------
    value : int, float or bool
    """

    value: Any

    def __new__(cls, text: str, value: Any = None) -> Self:
        """Make the text of a value."""
        made = super().__new__(cls, text)
        made.value = value
        return made


def openpyxl_or_error() -> Any:
    """Return the module ``openpyxl``.

    Raises
    ------
    FormatError
        If it is not installed.
    """
    try:
        import openpyxl
    except ImportError:
        raise FormatError("Excel files need openpyxl: pip install 'embedclf[excel]'") from None
    return openpyxl


def cell_as_text(value: Any) -> str:
    """Return the value of a cell as text: 1 for the number 1.0, and dates as ISO 8601 has them; empty if there is none.

    A number has the 15 digits that Excel shows.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value) if "_x" in value else value
    if isinstance(value, bool):
        return TypedText(str(value), value)
    if isinstance(value, float):
        shown = f"{value:.15g}"
        return TypedText(f"{float(shown):.0f}" if value.is_integer() and abs(value) < _MOST_PLAIN else shown, value)
    if isinstance(value, int):
        return TypedText(str(value), value)
    if isinstance(value, datetime.datetime):
        return (value.date() if value.time() == datetime.time() else value).isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def as_cell(value: Any) -> str | int | float | bool | None:
    """Return what to write into a cell for a value: a text is not made a number, and a long number is a text."""
    if isinstance(value, TypedText):
        value = value.value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _MOST_WHOLE:
        return str(value)
    if isinstance(value, str):
        text = value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
        return _SPECIAL.sub(lambda found: f"_x{ord(found[0]):04X}_", text) or None
    return value if isinstance(value, int | float | bool) else None
