"""The words that set groups of texts apart, whatever their language."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import ceil, log

# Scripts that put no spaces between words, by the beginnings of their characters' names: their runs are cut into
# overlapping pieces of so many characters, as search engines do where they have no dictionary.
_UNSPACED = {
    "CJK": 2,
    "HIRAGANA": 2,
    "KATAKANA": 2,
    "THAI": 4,
    "LAO": 4,
    "KHMER": 4,
    "MYANMAR": 4,
}
# A longer one is an address or a code.
_LONGEST_WORD = 30
# What may stand behind an apostrophe without being a word: 've, n't, 's.
_LONGEST_ENDING = 2
# Two words are one if they begin alike for so much of the shorter.
_ALIKE = 0.75
# A word tells a group from the others if it is so many times as frequent there as in these.
_LEAST_LIFT = 3.0


class _Separators(dict[int, str]):
    """What `str.translate` makes a space of: all but letters, the marks upon them, digits, and apostrophes."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in "'’":
            kept = "'"
        else:
            kept = character if unicodedata.category(character)[0] in "LMN" or character == "\u200d" else " "
        self[code] = kept
        return kept


class _PieceLengths(dict[str, int]):
    """How long the pieces of a character's script are; 0 for a script with spaces."""

    def __missing__(self, character: str) -> int:
        length = _UNSPACED.get(unicodedata.name(character, "").split(" ")[0], 0)
        self[character] = length
        return length


_SEPARATORS = _Separators()
_PIECE_LENGTHS = _PieceLengths()


def readable_words(text: str) -> Iterator[str]:
    """Return the words of a text that a person could name a group by, in lower case.

    These are not the words that a classifier weighs: `embedclf.features.ngrams.words_of` finds every word, numbers and
    single letters too, and only their hashes. Here they are left out, with all that is longer than a word and with the
    endings behind an apostrophe, and scripts without spaces are cut into pieces of several characters.
    """
    for run in text.lower().translate(_SEPARATORS).split():
        if run.isascii():
            yield from _usable(run)
            continue
        for length, characters in groupby(run, key=_PIECE_LENGTHS.__getitem__):
            piece = "".join(characters)
            if not length:
                yield from _usable(piece)
            else:
                yield from (piece[start : start + length] for start in range(max(1, len(piece) - length + 1)))


def _usable(word: str) -> Iterator[str]:
    # Of l'argent, the noun; of didn't and customer's, nothing: an apostrophe would stand in names.
    head, _, tail = word.strip("'").rpartition("'")
    word = "" if head and len(tail) <= _LONGEST_ENDING else tail
    if 1 < len(word) <= _LONGEST_WORD and not word.isnumeric():
        yield word


def distinctive_words(groups: Sequence[Iterable[str]], n_words: int) -> list[list[str]]:
    """Find the words that set each group of texts apart from the others, the most telling first.

    They are ranked by class-based TF-IDF: the share of a group's words that are this one, times ``log(1 + A / f)``,
    where A is the mean number of words of a group and f how often this one is in all of them (Grootendorst, "BERTopic:
    Neural topic modeling with a class-based TF-IDF procedure", 2022). Here, words must be three times as frequent
    in the group as in the others, which leaves out what every text has, in any language; and each text counts a word
    once, so that no single one speaks for its group.

    Parameters
    ----------
    groups : sequence of iterables of str
        The texts of each group.
    n_words : int
        The most words for each.
    """
    counts = [Counter(word for text in texts for word in set(readable_words(text))) for texts in groups]
    overall: Counter[str] = Counter()
    for of_group in counts:
        overall.update(of_group)
    n_all = overall.total()
    mean = n_all / max(len(counts), 1)
    found = []
    for of_group in counts:
        n_own = of_group.total()
        n_others = max(n_all - n_own, 1)
        weighted = [
            (-n / n_own * log(1 + mean / overall[word]), word)
            for word, n in of_group.items()
            if n / n_own >= _LEAST_LIFT * (overall[word] - n) / n_others
        ]
        found.append(_different([word for _, word in sorted(weighted)], n_words))
    return found


def _different(ranked: Iterable[str], n_words: int) -> list[str]:
    """Take the first words, but none that begins as one before (``card`` and ``cards``)."""
    taken: list[str] = []
    for word in ranked:
        if len(taken) == n_words:
            break
        if not any(_begin_alike(word, other) for other in taken):
            taken.append(word)
    return taken


def _begin_alike(one: str, other: str) -> bool:
    n = ceil(_ALIKE * min(len(one), len(other)))
    return one[:n] == other[:n]
