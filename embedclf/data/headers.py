"""Files without a header: whether the first line looks like a row, and what the columns hold by their content."""

import re
from collections.abc import Sequence

from embedclf.data.columns import DEFAULT, Columns, candidates, is_sentence, names_in

LOOKED_AT = 200
"""How many rows are looked at."""

_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
# Of the rows, the share of distinct values that a column of labels has at most.
_MOST_LABELS = 0.5
_LONGEST_LABEL = 60
# How much longer than those of any other column the values of the texts are.
_LONGER = 2.0
_LONGEST_NAME = 50


def looks_like_row(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Return whether the first line of a file looks like a row rather than like a header.

    Parameters
    ----------
    first : sequence of str
        Its fields.
    others : sequence of sequence of str
        Those of some lines after it.
    """
    names = [name.strip() for name in first]
    if names == [str(number) for number in range(len(names))]:  # the header that pandas writes if there is none
        return False
    return is_doubtful(names) or recurs(names, others, names)


def is_doubtful(names: Sequence[str]) -> bool:
    """Return whether some name of a header is a sentence or a number."""
    return any(is_sentence(name) or len(name) > _LONGEST_NAME or _NUMBER.fullmatch(name.strip()) for name in names)


def recurs(first: Sequence[str], others: Sequence[Sequence[str]], names: Sequence[str]) -> bool:
    """Return whether one of some names in a header is a value of its column, too, as the label of a row would be."""
    return any(
        len(name) > 1 and name in names and any(fields[place : place + 1] == [name] for fields in others)
        for place, name in enumerate(first)
    )


def looks_like_names(first: Sequence[str]) -> bool:
    """Return whether the first line of a file that is said to have no header looks like one."""
    text, label = (candidates(first, kind, getattr(DEFAULT, kind)) for kind in ("text", "label"))
    return len(text) == 1 and len(label) == 1 and text != label


def find_columns(names: Sequence[str], rows: Sequence[Sequence[str]], taken: Columns) -> Columns:
    """Find the columns of texts and labels by what they hold; empty where that is not certain.

    Parameters
    ----------
    names : sequence of str
    rows : sequence of sequence of str
    taken : Columns
        The columns that are known; empty where they are not.
    """
    whole = [fields for fields in rows if len(fields) == len(names)]
    if not whole:
        return taken
    columns = dict(zip(names, zip(*whole, strict=True), strict=True))
    text, label = taken
    if not text:
        length = {name: sum(map(len, values)) for name, values in columns.items() if name != label}
        by_length = sorted(length, key=lambda name: -length[name])
        if len(by_length) == 1 or (by_length and length[by_length[0]] > _LONGER * length[by_length[1]]):
            text = by_length[0]
    if not label:
        possible = [
            name
            for name, values in columns.items()
            if name not in names_in(text or ())
            and 1 < len(set(values)) <= max(2, _MOST_LABELS * len(values))
            and max(map(len, values)) <= _LONGEST_LABEL
        ]
        label = possible[0] if len(possible) == 1 else ""
    return Columns(text, label)
