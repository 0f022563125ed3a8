"""What a text has to be, so that an embedder can make a vector of it."""

from collections.abc import Iterable, Mapping, Set

from embedclf.errors import TextError


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
