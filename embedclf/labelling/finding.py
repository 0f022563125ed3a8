"""Finding a label by what is typed, and labels that are spelt nearly alike."""

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple

_NEARLY = 0.8  # of 1, by `difflib`: "refudn" and "refund"
_MOST_NEAR = 3
_LETTERS_WITHOUT_NEAR = 3  # most names of so few letters are spelt nearly alike
_BOUNDARY = re.compile(r"[\s_\-/.:]")


class Found(NamedTuple):
    """What a typed name leads to.

    Attributes
    ----------
    matches : list of str
        The labels that contain it, or else those that are spelt nearly so, the best first.
    near : list of str
        The labels that are spelt nearly so, none if it is the name of a label.
    is_known : bool
        Whether it is the name of a label.
    is_guess : bool
        Whether no label contains it.
    """

    matches: list[str]
    near: list[str]
    is_known: bool
    is_guess: bool


def find_labels(labels: Sequence[str], typed: str) -> Found:
    """Find the labels that a typed name may mean; upper case and accents do not matter.

    Parameters
    ----------
    labels : sequence of str
        Of labels that match equally well, the first comes first.
    typed : str
    """
    is_known = typed in labels
    near = [] if is_known else _near(labels, typed)
    matches = _matching(labels, typed)
    return Found(matches or near, near, is_known, not matches)


@lru_cache(maxsize=100_000)
def _plain(label: str) -> str:
    """Return a label without accents and upper case."""
    return "".join(c for c in unicodedata.normalize("NFKD", label) if not unicodedata.combining(c)).casefold()


@lru_cache(maxsize=100_000)
def _letters(label: str) -> str:
    """Return the letters and digits of a label, or all of it if it has none."""
    plain = _plain(label)
    return "".join(c for c in plain if c.isalnum()) or plain


def _near(labels: Sequence[str], typed: str) -> list[str]:
    wanted = _letters(typed)
    of_letters: dict[str, list[str]] = {}
    for label in labels:
        of_letters.setdefault(_letters(label), []).append(label)
    if len(wanted) <= _LETTERS_WITHOUT_NEAR:
        return of_letters.get(wanted, [])
    return [one for name in get_close_matches(wanted, of_letters, _MOST_NEAR, _NEARLY) for one in of_letters[name]]


def _matching(labels: Sequence[str], typed: str) -> list[str]:
    """Return the labels that contain a name, those first that begin with it, and then those with a word that does."""
    wanted = _plain(typed)
    ranked = [(rank, label) for label in labels if (rank := _rank(_plain(label), wanted)) is not None]
    return [label for _, label in sorted(ranked, key=lambda one: one[0])]


def _rank(name: str, wanted: str) -> int | None:
    if (place := name.find(wanted)) < 0:
        return None
    if place == 0:
        return 0 if name == wanted else 1
    return 2 if _BOUNDARY.match(name[place - 1]) else 3
