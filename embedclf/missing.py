"""What a missing text or label is: one rule for files, Python, the estimators, embedders and the service.

A value is missing if it is none, in any library's spelling (`is_missing`). A text has nothing to read if all of its
characters are invisible (`has_something_to_read`). A word such as ``NULL`` is a text or a label like any other, but may
stand for a missing value (`placeholder_texts`, `placeholder_labels`).
"""

import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np

from embedclf.errors import MissingValueError

# Recognized by their names, so that no library is imported: pandas' NA and NaT, cuDF's NA, numpy's masked value.
_TYPES = frozenset(["NAType", "_NAType", "NaTType", "MaskedConstant"])
# Invisible, though Unicode calls them letters, symbols or nothing: Hangul fillers, the empty Braille pattern, what a
# decoder writes in place of bytes that it cannot read, and a byte order mark read the wrong way round.
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800\ufffd\ufffe")
# Control and format characters; separators and combining marks have categories that start with Z and M.
_INVISIBLE = frozenset(["Cc", "Cf"])
_MOST_CHARACTERS = 3

# What programs write for a missing value, casefolded. No class of texts is called so.
_NEVER_MEANT = frozenset(
    [
        *("nan", "-nan", "<na>", "nat", "n/a", "#n/a", "#na", "#n/a n/a", "null", "(null)", "<null>", "[null]", r"\n"),
        *("undefined", "#null!", "#value!", "#ref!", "#div/0!", "#name?", "#num!", "1.#ind", "-1.#ind", "1.#qnan"),
        *("-1.#qnan", "-", "--", "\u2013", "\u2014"),
    ]
)
# These may be classes, such as a stance of "none", or answers.
_MAYBE_MEANT = frozenset(["none", "na", "nil"])
_LEAST_ROWS_OF_A_CLASS = 5


def is_missing(value: object) -> bool:
    """Return whether a value stands for a missing one.

    None, NaN of any type of number, NaT of numpy and pandas, pandas' NA, pyarrow's null, numpy's masked value.
    """
    if value is None:
        return True
    if isinstance(value, str):
        return False
    if isinstance(value, Decimal):  # comparing a signalling NaN raises
        return value.is_nan()
    if isinstance(value, Number):
        return bool(value != value)  # only NaN and NaT differ from themselves
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    kind = type(value)
    if kind.__name__ in _TYPES:
        return True
    return kind.__module__.partition(".")[0] == "pyarrow" and hasattr(value, "as_py") and is_missing(value.as_py())


def check_none_missing(values: Sequence[Any], name: str, given: object = None) -> None:
    """Check that none of some values is missing.

    Parameters
    ----------
    values : sequence
    name : str
        What they are called.
    given : object
        What they came from; a Series knows the index of its rows and the name of its column.

    Raises
    ------
    MissingValueError
        If one is; its place is named.
    """
    index = next((index for index, value in enumerate(values) if is_missing(value)), None)
    if index is not None:
        raise missing_value(name, index, values[index], given)


def missing_value(name: str, index: int, value: object, values: object = None) -> MissingValueError:
    """Return the error for a missing value.

    Parameters
    ----------
    name : str
        What the values are called.
    index : int
        The place of the value among them, counted from 0.
    value : object
    values : object
        The values; a Series knows the index of its rows and the name of its column.
    """
    column, rows = getattr(values, "name", None), getattr(values, "index", None)
    where, advice = "", "df.dropna(subset=…)"
    if rows is not None and not callable(rows):
        row = rows[index]
        where = f" at index {row if isinstance(row, Number) else repr(str(row))}"
    if isinstance(column, str | tuple):
        names = [column] if isinstance(column, str) else list(column)
        where += f"{',' if where else ' in'} column{'s'[: len(names) - 1]} {' and '.join(map(repr, names))}"
        if type(values).__module__.startswith("polars"):
            advice = f"df.drop_nulls({names[0]!r})"
        elif len(names) > 1:
            has_any = f"df.filter(pl.any_horizontal(pl.col({names}).is_not_null()))"
            advice = has_any if rows is None else f"df.dropna(subset={names}, how='all')"
        else:
            advice = f"df.dropna(subset={names})"
    return MissingValueError(f"{name}[{index}] is missing ({value}){where}: leave such rows out, for example {advice}")


def has_something_to_read(text: str) -> bool:
    """Return whether any character of a text can be seen, or combined with one that can."""
    # Nearly all texts start with a visible character, and those that do not have few different ones.
    return "!" <= text < "\x7f" or not (_is_invisible(text[:1] or " ") and all(map(_is_invisible, set(text))))


def _is_invisible(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "ZM" or category in _INVISIBLE or character in _BLANKS


def nothing_to_read(text: str, kind: str) -> str | None:
    """Return why a text, or whatever `kind` calls it, has nothing to read; None if it has something."""
    if has_something_to_read(text):
        return None
    if not text or text.isspace():
        return f"the {kind} is empty"
    codes = [f"U+{ord(character):04X}" for character in dict.fromkeys(text) if not character.isspace()]
    more = ", …" if len(codes) > _MOST_CHARACTERS else ""
    return f"the {kind} has nothing to read (only {', '.join(codes[:_MOST_CHARACTERS])}{more})"


def join_parts(parts: Iterable[str]) -> str:
    """Return the parts of a text, those with something to read, joined by line breaks."""
    return "\n".join(filter(has_something_to_read, parts))


def is_gap(fault: str) -> bool:
    """Return whether a fault of a row says that it lacks a text or a label, rather than that it cannot be read."""
    return fault.endswith((" is empty", " is missing")) or " has nothing to read (only U+" in fault


def placeholder_texts(texts: Iterable[str]) -> dict[str, list[int]]:
    """Return the texts that are only a word for a missing value, such as ``N/A``, each with its rows."""
    return _rows_of(texts, _NEVER_MEANT | _MAYBE_MEANT)


def placeholder_labels(labels: Sequence[str]) -> dict[str, list[int]]:
    """Return the labels that are a word for a missing value, each with its rows.

    "none", "na" and "nil" may be meant. They are if they are about as frequent as the other labels, and written like
    them: next to "favour" and "against", "none" is a class, but "None" is how Python writes a missing value.
    """
    found = _rows_of(labels, _NEVER_MEANT | _MAYBE_MEANT)
    if not any(_bare(label) in _MAYBE_MEANT for label in found):
        return found
    others = [label for label in labels if label and label not in found]
    names = set(others)
    usual = len(others) / max(len(names), 1)
    return {
        label: rows
        for label, rows in found.items()
        if _bare(label) in _NEVER_MEANT
        or len(rows) < max(_LEAST_ROWS_OF_A_CLASS, usual / 2)
        or 2 * sum(_case(name) in (_case(label), None) for name in names) < len(names)
    }


def _rows_of(values: Iterable[str], words: frozenset[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        if len(value) < 16 and _bare(value) in words:
            found.setdefault(value, []).append(row)
    return found


def _bare(value: str) -> str:
    return value.strip().casefold()


def _case(name: str) -> str | None:
    """Return how a name is written: in lower case, upper case or with a capital; None if its letters have no case."""
    first = next(filter(str.isalpha, name), "")
    if first.lower() == first.upper():
        return None
    return "lower" if first.islower() else "upper" if name.isupper() else "capital"
