"""Checks of what is handed over: texts, whole numbers, installed extras."""

import operator
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from importlib import import_module

import numpy as np

from embedclf.arrays import Ints
from embedclf.errors import ArgumentError, EmbedclfError, TextError


def check_extra(extra: str, what: str, *packages: str) -> None:
    """See that what an extra brings is installed.

    Parameters
    ----------
    extra : str
        Its name, in ``embedclf[extra]``.
    what : str
        What needs it, for the error.
    packages : str
        As they are imported.

    Raises
    ------
    EmbedclfError
        Which names the first package that is missing, and the command that installs it.
    """
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise EmbedclfError(
                f"{what} needs the package {error.name}, which is not installed: pip install 'embedclf[{extra}]'"
            ) from error


def text_fault(text: str, kind: str = "text") -> str | None:
    """Say why a text cannot be embedded (or a label not written), or None if it can."""
    if not text or text.isspace():
        return f"the {kind} is empty"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return f"the {kind} holds half a character (the lone surrogate \\u{ord(text[error.start]):04x})"
    return None


def list_of_strings(values: Iterable[str], name: str) -> list[str]:
    """Give the values as a list, each of them a plain string.

    Raises
    ------
    TypeError
        If `values` is itself a string, or holds something else than strings.
    """
    if isinstance(values, str | bytes):
        raise TypeError(f"{name} must be a list of strings, not a single {type(values).__name__}")
    if isinstance(values, Mapping | Set) or getattr(values, "ndim", 1) != 1:
        # iterating over these gives keys, column names, or no order
        raise TypeError(f"{name} must be a list of strings, not a {type(values).__name__}")
    values = list(values)
    if set(map(type, values)) <= {str}:  # a million of them in no time
        return values
    strings = []
    for index, value in enumerate(values):
        if not isinstance(value, str):
            raise TypeError(
                f"{name} must be strings, but {name}[{index}] is of type {type(value).__name__}; "
                f"if that is meant, give map(str, {name})"
            )
        strings.append(str(value))
    return strings


def check_texts(texts: Iterable[str]) -> list[str]:
    """Give the texts as a list, each of them fit to be embedded.

    Raises
    ------
    TypeError
        If `texts` is itself a string, or holds something else than strings.
    TextError
        If some are empty, only white space, or hold a lone surrogate.
    """
    checked = list_of_strings(texts, "texts")
    if reasons := text_faults(checked):
        raise TextError(reasons)
    return checked


def text_faults(texts: Iterable[str]) -> dict[int, str]:
    """Say why some of the texts cannot be embedded, by their index."""
    return {index: fault for index, text in enumerate(texts) if (fault := text_fault(text))}


def group_duplicates(items: Sequence[Hashable]) -> Ints:
    """Give each item (a text, say) a number, equal ones the same: (n,)."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(item, len(numbers)) for item in items], dtype=np.intp)


def check_whole(number: int, name: str, *, least: int | None = None) -> int:
    """See that an argument is a whole number.

    Raises
    ------
    TypeError
    ArgumentError
        If it is below the least that it may be.
    """
    try:
        whole = operator.index(number)
    except TypeError:
        raise TypeError(f"{name} is a whole number, not {number!r}") from None
    if least is not None and whole < least:
        raise ArgumentError(f"{name} is a whole number from {least}, not {whole}")
    return whole
