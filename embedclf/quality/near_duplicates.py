"""Near-duplicates, found by the vectors of texts or by their spelling."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from embedclf.arrays import Vectors
from embedclf.phases import phase, tracked
from embedclf.quality.distinct_texts import N_NEAREST, DistinctTexts
from embedclf.quality.findings import Finding
from embedclf.stats.neighbours import NEAR_COPY, Nearest, nearest

# A typo changes the tokens, and so moves the vector of a short text far away; short texts are compared by spelling as
# well. In a long text a typo matters little, and comparing spellings would take long.
SAME_LETTERS = 0.85
"""Dice's coefficient of letter pairs from which on two texts are near-duplicates."""
MOST_LETTERS = 500
"""The length of a text in characters up to which its letter pairs tell."""
_LEAST_ALIKE = 0.5
_NO_LETTERS = re.compile(r"[\W_]+")
_BLOCK = 512


class _Pair(NamedTuple):
    likeness: float
    other: int
    detail: str


def near_duplicates(distinct: DistinctTexts, near: Nearest) -> list[Finding]:
    """Find near-duplicates of an earlier text; those with a different label come first."""
    best: dict[int, _Pair] = {}
    with phase("Finding near-duplicates"):
        # Among many similar texts, the ten nearest of one may all come after it.
        for later, earlier, similarity in _nearest_earlier(distinct.vectors):
            _keep_best(best, later, _by_cosine(earlier, similarity))
        for one, other, pair in _near_pairs(distinct.texts, distinct.texts, near):
            later, earlier = max(one, other), min(one, other)
            _keep_best(best, later, pair._replace(other=earlier))
    return _findings("near_duplicates", distinct, distinct, best, in_against=False)


def near_leakage(distinct: DistinctTexts, against: DistinctTexts) -> list[Finding]:
    """Find near-duplicates of the texts in `against`; equal texts are reported by `plain_findings`."""
    best: dict[int, _Pair] = {}
    with phase("Finding shared texts"):
        found = nearest(against.vectors, distinct.vectors, N_NEAREST)
        equal = set(against.texts)
        for one, _, pair in _near_pairs(distinct.texts, against.texts, found):
            if distinct.texts[one] not in equal:
                _keep_best(best, one, pair)
    return _findings("near_leakage", distinct, against, best, in_against=True)


def _keep_best(best: dict[int, _Pair], one: int, pair: _Pair) -> None:
    """Keep the pair if it is the most similar so far; on a tie, the one whose other text comes first."""
    if one not in best or (pair.likeness, -pair.other) > (best[one].likeness, -best[one].other):
        best[one] = pair


def _findings(
    kind: str, distinct: DistinctTexts, against: DistinctTexts, best: dict[int, _Pair], *, in_against: bool
) -> list[Finding]:
    def contradicts(one: int) -> bool:
        label, other = distinct.labels[one], against.labels[best[one].other]
        return bool(label and other) and label != other

    order = sorted(best, key=lambda one: (not contradicts(one), -best[one].likeness, distinct.rows[one]))
    return [
        Finding(
            kind,
            "warning",
            int(distinct.rows[one]),
            distinct.texts[one],
            distinct.labels[one],
            best[one].detail + (", different label" if contradicts(one) else ""),
            score=round(best[one].likeness, 4),
            others=(
                against.other(
                    best[one].other,
                    float(distinct.vectors[one] @ against.vectors[best[one].other]),
                    in_against=in_against,
                ),
            ),
        )
        for one in order
    ]


def _nearest_earlier(vectors: Vectors) -> list[tuple[int, int, float]]:
    """Find the nearest earlier row of each row that has one near enough: both row numbers and the cosine."""
    found = []
    starts = range(0, len(vectors), _BLOCK)
    for start in tracked(starts, "Comparing vectors", len(starts)):
        end = min(start + _BLOCK, len(vectors))
        similarities = vectors[start:end] @ vectors[:end].T
        similarities[:, start:][np.triu_indices(end - start)] = -np.inf
        nearest_one = similarities.argmax(axis=1)
        highest = similarities[np.arange(end - start), nearest_one]
        for place in np.flatnonzero(highest >= NEAR_COPY).tolist():
            found.append((start + place, int(nearest_one[place]), float(highest[place])))
    return found


def _by_cosine(other: int, similarity: float) -> _Pair:
    return _Pair(min(similarity, 1.0), other, f"cosine {similarity:.2f}")


def _near_pairs(texts: Sequence[str], others: Sequence[str], near: Nearest) -> list[tuple[int, int, _Pair]]:
    letters = _letters_of(texts)
    of_others = letters if others is texts else _letters_of(others)
    pairs = []
    # A text and its upper-case form may have vectors that are far apart.
    first: dict[str, int] = {}
    bare = [_bare(text) for text in texts]
    for other, key in enumerate(bare if others is texts else map(_bare, others)):
        first.setdefault(key, other)
    for one, key in enumerate(bare):
        if key and (found := first.get(key)) is not None and not (others is texts and found == one):
            pairs.append((one, found, _Pair(1.0, found, "identical except for case, spaces and punctuation")))
    alike = np.argwhere(near.similarities >= _LEAST_ALIKE).tolist()
    for one, place in tracked(alike, "Comparing spellings", len(alike), "pair"):
        other, similarity = int(near.rows[one, place]), float(near.similarities[one, place])
        if similarity >= NEAR_COPY:
            pairs.append((one, other, _by_cosine(other, similarity)))
            continue
        same = _same_letters(letters(one), of_others(other))
        if same >= SAME_LETTERS:
            pairs.append((one, other, _Pair(same, other, f"spelling {100 * same:.0f} % similar")))
    return pairs


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _bare(text: str) -> str:
    """Return the letters and digits of a text, case-folded."""
    return "".join(filter(str.isalnum, _folded(text)))


class _Letters(NamedTuple):
    counts: Counter[str]
    total: int


def _letters_of(texts: Sequence[str]) -> Callable[[int], _Letters | None]:
    @cache
    def letters(place: int) -> _Letters | None:
        if len(texts[place]) > MOST_LETTERS:
            return None
        padded = f" {_NO_LETTERS.sub(' ', _folded(texts[place])).strip()} "
        counts = Counter(padded[start : start + 2] for start in range(len(padded) - 1))
        return _Letters(counts, sum(counts.values()))

    return letters


def _same_letters(one: _Letters | None, other: _Letters | None) -> float:
    """Return Dice's coefficient of two texts' letter bigrams, from 0 to 1, ignoring case and punctuation."""
    if one is None or other is None:
        return 0.0
    total = one.total + other.total
    if 2 * min(one.total, other.total) < SAME_LETTERS * total:
        return 0.0
    if len(one.counts) > len(other.counts):
        one, other = other, one
    common = sum(min(number, other.counts.get(pair, 0)) for pair, number in one.counts.items())
    return 2 * common / total
