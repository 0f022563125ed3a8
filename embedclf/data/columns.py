"""Finding the delimiter of a file, and its columns of texts and labels by their usual names."""

import csv
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from embedclf.errors import ArgumentError

Kind = Literal["text", "label"]


TextColumn = str | tuple[str, ...]
"""The name of the column with the texts, or the names of several whose texts are joined by line breaks."""


class Columns(NamedTuple):
    """Names of the column with the texts, or of several, and of the column with the labels."""

    text: TextColumn = "text"
    label: str = "label"


DEFAULT = Columns()
_TEXT = "text"
_USUAL: dict[Kind, frozenset[str]] = {
    "text": frozenset(
        [
            *("text", "texts", "message", "body", "content", "comment", "review", "title", "headline", "sentence"),
            *("utterance", "query", "question", "description", "document", "feedback", "post", "tweet", "prompt"),
        ]
    ),
    "label": frozenset(["label", "labels", "category", "class", "intent", "target", "sentiment", "topic", "tag"]),
}
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_BETWEEN_WORDS = re.compile(r"[\s_\-.\ufeff]+|(?<=[a-z])(?=[A-Z])")
_MOST_LISTED = 20
# A header is a row of data if a name in it is a sentence: this many words.
_WORDS_OF_A_SENTENCE = 4
# Of some lines, the share that a delimiter divides alike.
_MOST_LINES = 0.75


def as_text_column(names: str | Sequence[str] | None) -> TextColumn | None:
    """Return the name of the column with the texts, or the names of several; None if none is given.

    Raises
    ------
    ArgumentError
        If a column is named twice, or has no name.
    """
    if names is None:
        return None
    given = (names,) if isinstance(names, str) else tuple(names)
    for name in given:
        if not name:
            raise ArgumentError("the name of a text column is empty")
        if given.count(name) > 1:
            raise ArgumentError(f"the text column {name!r} was given twice")
    return None if not given else given[0] if len(given) == 1 else given


def names_in(column: TextColumn) -> tuple[str, ...]:
    """Return the names of the columns with the texts."""
    return (column,) if isinstance(column, str) else column


def shown_columns(column: TextColumn) -> str:
    """Return columns as they are named in messages: ``'title' and 'body'``."""
    *names, last = map(repr, names_in(column))
    return f"{', '.join(names)} and {last}" if names else last


def candidates(header: Sequence[str], kind: Kind, first: TextColumn, taken: TextColumn | None = None) -> list[str]:
    """Return the columns that may hold the texts or the labels: the best match, or several that match equally well.

    The best match is the column called `first`, then ``text`` or ``label``, then one called so but for case and
    spaces, then one with another usual name, such as ``Message`` or ``category``, and last, for texts, one whose name
    ends in such a name, such as ``Review Text``.

    Parameters
    ----------
    header : sequence of str
    kind : {"text", "label"}
    first : str or tuple of str
        The name to look for first; of several columns, none is.
    taken : str or tuple of str, optional
        Columns that hold something else.
    """
    names = [name for name in dict.fromkeys(header) if name not in names_in(taken or ())]
    default, usual = getattr(DEFAULT, kind), _USUAL[kind]
    first = first if isinstance(first, str) else default
    for name in (first, default):
        if name in names:
            return [name]
    words = {name: _words(name) for name in names}
    for wanted in (first, default):
        if found := [name for name in names if words[name] == _words(wanted)]:
            return found
    if found := [name for name in names if len(words[name]) == 1 and words[name][0] in usual]:
        return found
    return [
        name
        for name in names
        if kind == "text"
        and len(words[name]) > 1
        and words[name][-1] in usual
        # neither the text of a label, nor several columns in one
        and words[name][0] not in _USUAL["label"]
        and not any(sign in name for sign in _DELIMITERS)
    ]


def _words(name: str) -> list[str]:
    return [word.casefold() for word in _BETWEEN_WORDS.split(name) if word]


def find_delimiter(line: str, default: str, has_texts: Callable[[list[str]], bool]) -> str:
    """Return the delimiter of a header.

    Parameters
    ----------
    line : str
        The first line of the file.
    default : str
        Returned unless exactly one other delimiter makes a header of the line.
    has_texts : callable
        Whether a header has a column of texts.
    """
    headers = {delimiter: fields_of(line, delimiter) for delimiter in (default, *_DELIMITERS)}
    own = headers.pop(default)
    if has_texts(own):
        return default
    found = [delimiter for delimiter, header in headers.items() if has_texts(header)]
    if not found and len(own) <= 1:
        found = [delimiter for delimiter, header in headers.items() if len(header) > 1]
    return found[0] if len(found) == 1 else default


def common_delimiter(lines: Sequence[str], default: str) -> str | None:
    """Return the delimiter that divides most of some lines into the same number of fields, at least two, or None."""
    best, most = None, _MOST_LINES * sum(not line.isspace() for line in lines)
    for delimiter in (default, *_DELIMITERS):
        sizes = Counter(len(fields_of(line, delimiter) or line.split(delimiter)) for line in lines if line.strip())
        size, number = sizes.most_common(1)[0] if sizes else (0, 0)
        if size > 1 and number > most:
            best, most = delimiter, number
    return best


def fields_of(line: str, delimiter: str) -> list[str]:
    """Return the fields of a line of its own; none if its quoting is invalid."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        # The header goes on in the next line if a name in it has a line break.
        is_open = "unexpected end of data" in str(error)
        return next(csv.reader([line], delimiter=delimiter), []) if is_open else []


def shown_delimiter(delimiter: str) -> str:
    """Return a delimiter as it is named in messages."""
    return "tab" if delimiter == "\t" else repr(delimiter)


def looks_like_header(line: str) -> bool:
    """Return whether a line looks like the header of a CSV file with a column of texts."""
    if len(line) > 1_000:
        return False
    if line.strip().casefold() == _TEXT:  # nobody classifies the word itself
        return True
    for delimiter in _DELIMITERS:
        header = fields_of(line.rstrip("\r\n"), delimiter)
        if not all(header) or len(set(header)) < len(header) or any(map(is_sentence, header)):
            continue
        if len(header) > 1 and candidates(header, "text", _TEXT):
            return True
    return False


def looks_like_record(line: str) -> bool:
    """Return whether a line looks like a record of JSON Lines."""
    try:
        return line.lstrip().startswith("{") and bool(json.loads(line))
    except (ValueError, RecursionError):
        return False


def is_sentence(name: str) -> bool:
    """Return whether a name has so many words that it is a text."""
    return len(name.split()) >= _WORDS_OF_A_SENTENCE


def closest(name: str, names: Sequence[str]) -> str | None:
    """Return the name that is spelt most like another; None if none is like it."""
    from difflib import get_close_matches

    by_key = {" ".join(_words(one)): one for one in names if one.isprintable()}
    found = get_close_matches(" ".join(_words(name)), by_key, n=1)
    return by_key[found[0]] if found else None


def no_column_problem(
    name: str, kind: Kind, header: Sequence[str], *, asked: bool, taken: TextColumn | None = None, labelled: bool = True
) -> str:
    """Return what is wrong with a file that lacks a column, and what to do about it.

    Parameters
    ----------
    name : str
        The missing column.
    kind : {"text", "label"}
    header : sequence of str
    asked : bool
        Whether the name was given explicitly.
    taken : str or tuple of str, optional
        Columns that hold something else.
    labelled : bool
        Whether the file should have labels, too.
    """
    option, problem = f"--{kind}-column", f"no column {name!r} (found: {_listed(header)})"
    if len(header) == 1:
        for delimiter, signs in _DELIMITERS.items():
            if delimiter in header[0]:
                value = r"\t" if delimiter == "\t" else delimiter
                return f"{problem}. The header contains {signs}: try --delimiter '{value}'"
    if asked and (similar := closest(name, header)) is not None:
        return f"{problem}. Did you mean {option} {shlex.quote(similar)}?"
    if len(header) == 1 and labelled:
        return f"{problem}. A file of labelled texts has two columns: is this the right file?"
    left = [one for one in header if one not in names_in(taken or ())]
    if not asked and len(left) == 1 and left[0].isprintable() and left[0].strip():
        or_row = ", or --no-header if that is a row" if " " in left[0].strip() else ""
        return f"{problem}. Use {option} {shlex.quote(left[0])}{or_row}"
    several = ", or columns of 0 and 1 with --label-columns" if kind == "label" and not asked and len(left) > 1 else ""
    return f"{problem}. Choose one with {option}{several}"


def several_columns_problem(found: Sequence[str], kind: Kind, header: Sequence[str]) -> str:
    """Return what is wrong with a file in which several columns may hold the texts, or the labels."""
    names = f"{', '.join(map(repr, found[:-1]))} and {found[-1]!r}"
    could = "could both" if len(found) == 2 else "could all"
    options = " or ".join(f"--{kind}-column {shlex.quote(name)}" for name in found)
    joined = f", or {'both' if len(found) == 2 else 'several'} to join them" if kind == "text" else ""
    return f"{names} {could} hold the {kind}s (found: {_listed(header)}). Use {options}{joined}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:60]) for name in names[:_MOST_LISTED]) + (", …" if len(names) > _MOST_LISTED else "")
