"""Checks of arguments: texts, integers, installed extras."""

import operator
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from importlib import import_module
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np

from embedclf.arrays import Ints
from embedclf.errors import ArgumentError, EmbedclfError, MissingValueError, TextError
from embedclf.missing import check_none_missing, is_missing, nothing_to_read

Label: TypeAlias = str | int | np.integer[Any]
"""What a label may be; a whole number is a label as it is written."""

MOST_WEIGHT = 1e12
"""The most that a text or a label may weigh."""


def check_extra(extra: str, what: str, *packages: str) -> None:
    """Check that the packages of an extra are installed.

    Parameters
    ----------
    extra : str
        Name of the extra, as in ``embedclf[extra]``.
    what : str
        What needs the extra, for the error.
    packages : str
        Names under which the packages are imported.

    Raises
    ------
    EmbedclfError
        If a package is missing. The message names the first missing one and the command that installs it.
    """
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise EmbedclfError(
                f"{what} needs the package {error.name}, which is not installed: pip install 'embedclf[{extra}]'"
            ) from error


def text_fault(text: str | None, kind: str = "text") -> str | None:
    """Return why a text cannot be embedded, or a label cannot be written; None if it can."""
    if text is None or is_missing(text):
        return f"the {kind} is missing"
    return nothing_to_read(text, kind) or unicode_fault(text, kind)


def unicode_fault(text: str, kind: str = "text") -> str | None:
    """Return why a text is not valid Unicode; None if it is."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return f"the {kind} contains half a character (lone surrogate \\u{ord(text[error.start]):04x})"
    return None


def list_of_strings(values: Iterable[str], name: str, *, missing_is_empty: bool = False) -> list[str]:
    """Return the values as a list of plain strings; a missing one is an error, or an empty string.

    Raises
    ------
    MissingValueError
        If a value is missing.
    TypeError
        If `values` is itself a string, or contains anything other than strings.
    """
    checked = _list_of(values, name)
    if set(map(type, checked)) <= {str}:  # fast, even for a million strings
        return checked
    if not missing_is_empty:
        check_none_missing(checked, name, values)
    return [string or "" for string in _strings_or_none(checked, name)]


def strings_or_none(values: Iterable[str | None], name: str) -> list[str | None]:
    """Return the values as a list of plain strings, and None in place of each that is missing.

    Raises
    ------
    TypeError
        If `values` is itself a string, or contains anything other than strings and missing values.
    """
    return _strings_or_none(_list_of(values, name), name)


def _strings_or_none(checked: list[Any], name: str) -> list[str | None]:
    if set(map(type, checked)) <= {str}:
        return checked
    strings: list[str | None] = []
    for index, value in enumerate(checked):
        if isinstance(value, str):
            strings.append(str(value))
        elif is_missing(value):
            strings.append(None)
        else:
            convert = f"map(bytes.decode, {name})" if isinstance(value, bytes) else f"map(str, {name})"
            raise TypeError(
                f"{name} must be strings, but {name}[{index}] is of type {type(value).__name__}; "
                f"to convert them, pass {convert}"
            )
    return strings


def usable_texts(texts: Iterable[str | None]) -> tuple[list[str], dict[int, str]]:
    """Return the texts, an empty one in place of each that is missing, and why some cannot be embedded, by index.

    Raises
    ------
    TypeError
        If `texts` is itself a string, or contains anything other than strings and missing values.
    """
    given = strings_or_none(texts, "texts")
    return [text or "" for text in given], text_faults(given)


def _list_of(values: Iterable[Any], name: str) -> list[Any]:
    if isinstance(values, str | bytes):
        raise TypeError(f"{name} must be a list of strings, not a single {type(values).__name__}")
    if isinstance(values, Mapping | Set) or getattr(values, "ndim", 1) != 1:
        # Iterating over these yields keys, column names, or items in no particular order.
        raise TypeError(f"{name} must be a list of strings, not a {type(values).__name__}")
    # The arrays of pyarrow yield objects of its own.
    return values.to_pylist() if hasattr(values, "to_pylist") else list(values)


def label_of(value: object, name: str = "the label") -> str:
    """Return a label as a string: itself, or a whole number or truth value as it is written.

    Raises
    ------
    TypeError
        If it is something else, such as 0.5.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real) and float(value).is_integer():
        return str(int(float(value)))
    if is_missing(value):
        raise MissingValueError(f"{name} is missing ({value})")
    raise TypeError(
        f"{name} is of type {type(value).__name__}, neither a string nor a whole number; convert it with str()"
    )


def spelt_as(labels: Sequence[str], known: Iterable[str]) -> list[str]:
    """Return labels with truth values as known labels spell them: ``True`` as ``true`` if only that is one.

    Formats, and models of older versions, spell them differently.
    """
    names = set(known)
    spelt = {name.casefold(): name for name in names if name.casefold() in ("true", "false")}
    return [label if label in names else spelt.get(label.casefold(), label) for label in labels] if spelt else [*labels]


def list_of_labels(values: Iterable[object], name: str = "labels", *, missing_is_empty: bool = False) -> list[str]:
    """Return labels as a list of plain strings; see `label_of` and `list_of_strings`.

    Raises
    ------
    MissingValueError
        If a label is missing.
    TypeError
        If `values` is itself a string, or contains anything other than strings, whole numbers and truth values.
    """
    checked = _list_of(values, name)
    if set(map(type, checked)) <= {str}:
        return checked
    if not missing_is_empty:
        check_none_missing(checked, name, values)
    return [
        "" if missing_is_empty and is_missing(value) else label_of(value, f"{name}[{index}]")
        for index, value in enumerate(checked)
    ]


def check_texts(texts: Iterable[str]) -> list[str]:
    """Return the texts as a list after checking that each can be embedded.

    Raises
    ------
    MissingValueError
        If a text is missing.
    TypeError
        If `texts` is itself a string, or contains anything other than strings.
    TextError
        If a text has nothing to read, such as only white space, or contains a lone surrogate.
    """
    checked = list_of_strings(texts, "texts")
    if reasons := text_faults(checked):
        raise TextError(reasons)
    return checked


def text_faults(texts: Iterable[str | None]) -> dict[int, str]:
    """Return the reason for each text that cannot be embedded, by its index."""
    return {index: fault for index, text in enumerate(texts) if (fault := text_fault(text))}


def group_duplicates(items: Sequence[Hashable]) -> Ints:
    """Assign a number to each item (a text, say), the same one to equal items: (n,)."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(item, len(numbers)) for item in items], dtype=np.intp)


def check_whole(number: int, name: str, *, least: int | None = None) -> int:
    """Check that an argument is an integer, and return it.

    Raises
    ------
    TypeError
        If it is not an integer.
    ArgumentError
        If it is less than `least`.
    """
    try:
        whole = operator.index(number)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {number!r}") from None
    if least is not None and whole < least:
        raise ArgumentError(f"{name} must be an integer of at least {least}, not {whole}")
    return whole
