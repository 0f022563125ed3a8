"""Words that set groups of texts apart, in any language."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import ceil, log

from embedclf.features.languages import stop_words

# Scripts without spaces between words, by the first word of their characters' Unicode names. Runs of them are cut into
# overlapping pieces of this many characters, as search engines do without a dictionary.
_UNSPACED = {
    "CJK": 2,
    "THAI": 4,
    "LAO": 4,
    "KHMER": 4,
    "MYANMAR": 4,
}
# The script of Japanese endings and particles; between them, katakana are whole words.
_OMITTED = "HIRAGANA"
# Anything longer is an address or a code.
_LONGEST_WORD = 30
# The longest ending after an apostrophe that is not a word of its own: 've, n't, 's.
_LONGEST_ENDING = 2
# Two words count as the same if they share a prefix of this share of the shorter one.
_ALIKE = 0.75
# A word is distinctive for a group if it is at least this many times as frequent there as in the others.
_LEAST_LIFT = 3.0
# A word in more than this share of all texts says nothing of a group.
_MOST_TEXTS = 1 / 3


class _Separators(dict[int, str]):
    """Table for `str.translate` that keeps letters, marks, digits and apostrophes, except hiragana, and else spaces."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in "'’":
            kept = "'"
        else:
            is_word = unicodedata.category(character)[0] in "LMN" and unicodedata.name(character, "")[:8] != _OMITTED
            kept = character if is_word or character == "\u200d" else " "
        self[code] = kept
        return kept


class _PieceLengths(dict[str, int]):
    """Length of the pieces into which the script of a character is cut; 0 for a script with spaces."""

    def __missing__(self, character: str) -> int:
        length = _UNSPACED.get(unicodedata.name(character, "").split(" ")[0], 0)
        self[character] = length
        return length


_SEPARATORS = _Separators()
_PIECE_LENGTHS = _PieceLengths()


def readable_words(text: str) -> Iterator[str]:
    """Return the words of a text that are useful in the name of a group, in lower case.

    These are not the words that a classifier uses: `embedclf.features.ngrams.words_of` finds every word, including
    numbers and single letters, and returns only hashes. Here, those are left out, as are overlong words and endings
    after an apostrophe and hiragana, and scripts without spaces are cut into pieces of several characters.
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
    # l'argent yields the noun; didn't and customer's yield nothing, since names should not contain apostrophes.
    head, _, tail = word.strip("'").rpartition("'")
    word = "" if head and len(tail) <= _LONGEST_ENDING else tail
    if 1 < len(word) <= _LONGEST_WORD and not word.isnumeric():
        yield word


def distinctive_words(groups: Sequence[Iterable[str]], n_words: int) -> list[list[str]]:
    """Find the words that set each group of texts apart from the others, the most distinctive first.

    They are ranked by class-based TF-IDF: the frequency of the word in the group times ``log(1 + A / f)``, where A is
    the mean number of words per group and f the total count of the word in all groups (Grootendorst, "BERTopic: Neural
    topic modeling with a class-based TF-IDF procedure", 2022). In addition, a word must be three times as frequent in
    the group as in the others. Each text counts a word only once, so that a single text cannot dominate its group.

    Stop words are left out: those of English and of other languages that the texts are in, and, in any language, words
    that are in more than a third of the texts of many groups.

    Parameters
    ----------
    groups : sequence of iterables of str
        The texts of each group.
    n_words : int
        The maximum number of words per group.
    """
    groups = [list(texts) for texts in groups]
    every = [text for texts in groups for text in texts]
    omitted = stop_words(every)
    counts = [Counter(word for text in texts for word in set(readable_words(text)) - omitted) for texts in groups]
    overall: Counter[str] = Counter()
    for of_group in counts:
        overall.update(of_group)
    # With few groups, a third of all texts may share the subject of one.
    most = _MOST_TEXTS * len(every) if len(groups) > 2 / _MOST_TEXTS else len(every)
    n_all = overall.total()
    mean = n_all / max(len(counts), 1)
    found = []
    for of_group in counts:
        n_own = of_group.total()
        n_others = max(n_all - n_own, 1)
        weighted = [
            (-n / n_own * log(1 + mean / overall[word]), word)
            for word, n in of_group.items()
            if overall[word] <= most and n / n_own >= _LEAST_LIFT * (overall[word] - n) / n_others
        ]
        found.append(_different([word for _, word in sorted(weighted)], n_words))
    return found


def _different(ranked: Iterable[str], n_words: int) -> list[str]:
    """Return the first words, skipping any that begins like an earlier one (``card`` and ``cards``)."""
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
