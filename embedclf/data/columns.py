"""Finding the delimiter of a file, and its columns of texts and labels by their usual names."""

import csv
import json
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

Kind = Literal["text", "label"]


class Columns(NamedTuple):
    """Names of the column with the texts and of the column with the labels."""

    text: str = "text"
    label: str = "label"


DEFAULT = Columns()
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


def candidates(header: Sequence[str], kind: Kind, first: str, taken: str | None = None) -> list[str]:
    """Return the columns that may hold the texts or the labels: the best match, or several that match equally well.

    The best match is the column called `first`, then ``text`` or ``label``, then one called so but for case and
    spaces, then one with another usual name, such as ``Message`` or ``category``, and last, for texts, one whose name
    ends in such a name, such as ``Review Text``.

    Parameters
    ----------
    header : sequence of str
    kind : {"text", "label"}
    first : str
        The name to look for first.
    taken : str, optional
        A column that holds something else.
    """
    names = [name for name in dict.fromkeys(header) if name != taken]
    default, usual = getattr(DEFAULT, kind), _USUAL[kind]
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
    headers = {delimiter: _fields(line, delimiter) for delimiter in (default, *_DELIMITERS)}
    own = headers.pop(default)
    if has_texts(own):
        return default
    found = [delimiter for delimiter, header in headers.items() if has_texts(header)]
    if not found and len(own) <= 1:
        found = [delimiter for delimiter, header in headers.items() if len(header) > 1]
    return found[0] if len(found) == 1 else default


def _fields(line: str, delimiter: str) -> list[str]:
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
    if line.strip().casefold() == DEFAULT.text:  # nobody classifies the word itself
        return True
    for delimiter in _DELIMITERS:
        header = _fields(line.rstrip("\r\n"), delimiter)
        if not all(header) or len(set(header)) < len(header) or any(map(_is_sentence, header)):
            continue
        if len(header) > 1 and candidates(header, "text", DEFAULT.text):
            return True
    return False


def looks_like_record(line: str) -> bool:
    """Return whether a line looks like a record of JSON Lines."""
    try:
        return line.lstrip().startswith("{") and bool(json.loads(line))
    except (ValueError, RecursionError):
        return False


def _is_sentence(name: str) -> bool:
    return len(name.split()) >= _WORDS_OF_A_SENTENCE


def closest(name: str, names: Sequence[str]) -> str | None:
    """Return the name that is spelt most like another; None if none is like it."""
    from difflib import get_close_matches

    by_key = {" ".join(_words(one)): one for one in names if one.isprintable()}
    found = get_close_matches(" ".join(_words(name)), by_key, n=1)
    return by_key[found[0]] if found else None


def no_column_problem(
    name: str, kind: Kind, header: Sequence[str], *, asked: bool, taken: str | None = None, labelled: bool = True
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
    taken : str, optional
        The column that holds something else.
    labelled : bool
        Whether the file should have labels, too.
    """
    option, problem = f"--{kind}-column", f"no column {name!r} (found: {_listed(header)})"
    if "\0" in "".join(header):
        return f"{problem}. The header contains NUL characters: try --encoding utf-16"
    if len(header) == 1:
        for delimiter, signs in _DELIMITERS.items():
            if delimiter in header[0]:
                value = r"\t" if delimiter == "\t" else delimiter
                return f"{problem}. The header contains {signs}: try --delimiter '{value}'"
    if asked and (similar := closest(name, header)) is not None:
        return f"{problem}. Did you mean {option} {shlex.quote(similar)}?"
    if any(map(_is_sentence, header)):
        if labelled:
            return f"{problem}. The first line must be a header: if it is not, add one, such as text,label"
        return f"{problem}. The first line must be a header: if each line is a text, use predict - < FILE"
    left = [one for one in header if one != taken]
    if not asked and len(left) == 1 and left[0].isprintable() and left[0].strip():
        return f"{problem}. Use {option} {shlex.quote(left[0])}"
    return f"{problem}. Choose one with {option}"


def several_columns_problem(found: Sequence[str], kind: Kind, header: Sequence[str]) -> str:
    """Return what is wrong with a file in which several columns may hold the texts, or the labels."""
    names = f"{', '.join(map(repr, found[:-1]))} and {found[-1]!r}"
    could = "could both" if len(found) == 2 else "could all"
    options = " or ".join(f"--{kind}-column {shlex.quote(name)}" for name in found)
    return f"{names} {could} hold the {kind}s (found: {_listed(header)}). Use {options}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:60]) for name in names[:_MOST_LISTED]) + (", …" if len(names) > _MOST_LISTED else "")
