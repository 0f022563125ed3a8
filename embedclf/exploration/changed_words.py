"""Words that are more or less frequent than before."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from embedclf.exploration.distinct_rows import DistinctRows
from embedclf.exploration.words import readable_words
from embedclf.features.languages import stop_words

_N_SHOWN = 8
# A word in fewer texts cannot be significant among thousands of others.
_FEWEST = 5
_LEVEL = 0.05


class ChangedWord(NamedTuple):
    """A word or pair of words that is more frequent in the rows of one sample.

    Attributes
    ----------
    word : str
        In lower case.
    more_in : {"new", "old"}
    n_new, n_old : int
        How many new and old rows have it.
    """

    word: str
    more_in: Literal["new", "old"]
    n_new: int
    n_old: int


def changed_words(texts: Sequence[str], distinct: DistinctRows) -> tuple[ChangedWord, ...]:
    """Find the words and pairs of words that are in significantly more of the new texts, or of the old ones.

    Each word gets a binomial test on how many of the distinct texts that contain it are new; words are significant at
    5 % after a Bonferroni correction. Stop words are left out, and so is a word or pair that shares a word with a more
    significant one.

    Parameters
    ----------
    texts : sequence of str
        Of all rows.
    distinct : DistinctRows

    Returns
    -------
    tuple of ChangedWord
        At most eight with more in the new texts, the most significant first, then at most eight of the others.
    """
    from scipy.special import bdtr, bdtrc

    own = [texts[row] for row in distinct.rows.tolist()]
    omitted = stop_words(own)
    of_texts: Counter[str] = Counter()
    of_new: Counter[str] = Counter()
    rows_of: dict[str, list[int]] = {}
    for text, is_new in zip(own, distinct.is_new.tolist(), strict=True):
        terms = set(_terms(text, omitted))
        of_texts.update(terms)
        if is_new:
            of_new.update(terms)
    words = sorted(word for word, n in of_texts.items() if n >= _FEWEST)
    if not words:
        return ()
    n_all, n_new = (np.array([counts[word] for word in words]) for counts in (of_texts, of_new))
    share = float(distinct.is_new.mean())
    above, below = bdtrc(n_new - 1, n_all, share), bdtr(n_new, n_all, share)
    chosen: list[tuple[str, Literal["new", "old"]]] = []
    sides: tuple[Literal["new", "old"], ...] = ("new", "old")
    for more_in, tail in zip(sides, (above, below), strict=True):
        order = np.lexsort((-np.abs(n_new - share * n_all), tail))  # tails of frequent words may both be 0
        significant = [words[place] for place in order if tail[place] <= _LEVEL / (2 * len(words))]
        chosen += [(word, more_in) for word in _apart(significant)]
    wanted = {word for word, _ in chosen}
    for number, text in enumerate(own):
        for word in wanted.intersection(_terms(text, omitted)):
            rows_of.setdefault(word, []).append(number)
    return tuple(
        ChangedWord(
            word, more_in, int(distinct.n_new_rows[rows_of[word]].sum()), int(distinct.n_old_rows[rows_of[word]].sum())
        )
        for word, more_in in chosen
    )


def _terms(text: str, omitted: frozenset[str]) -> Iterator[str]:
    """Return the words of a text and its pairs of words, without stop words."""
    words = list(readable_words(text))
    yield from (word for word in words if word not in omitted)
    yield from (f"{one} {other}" for one, other in pairwise(words) if not {one, other} & omitted)


def _apart(words: Sequence[str]) -> list[str]:
    """Return the first words that have none in common with an earlier one."""
    taken: set[str] = set()
    kept: list[str] = []
    for word in words:
        parts = set(word.split())
        if len(kept) < _N_SHOWN and not parts & taken:
            kept.append(word)
            taken |= parts
    return kept
