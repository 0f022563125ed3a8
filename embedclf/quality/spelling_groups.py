"""Groups of duplicates and near-duplicates, found by their spelling alone: nothing is embedded or paid for.

Two texts are near-duplicates by their spelling if Dice's coefficient of their sets of four-letter sequences is at least
0.8 (Dice, "Measures of the Amount of Ecologic Association Between Species", 1945), or if it is at least 0.6 and that of
their letter pairs, which `embedclf check` shows, is at least 0.85: the same words in another order, for instance. Case,
spaces and punctuation do not count. Letter pairs of long texts are alike in any case, and are not compared; of their
sequences, a fixed random sample stands for all of them (Broder, "On the Resemblance and Containment of Documents",
1997).

Texts that are so similar share some of the rarest sequences of each: of sets x and y whose Dice coefficient is at least
0.6, y has three sevenths of x or more, so that it cannot lack more than the rarest four sevenths of x (prefix
filtering: Chaudhuri, Ganti & Kaushik, "A Primitive Operator for Similarity Joins in Data Cleaning", ICDE 2006; with
more than one in common: Wang, Li & Feng, "Can We Beat the Prefix Filtering?", SIGMOD 2012). Sequences that very many
texts have would make for too many pairs, and are left out, so a few pairs may be missed. Texts that have only such
sequences in common, as those made from a template, are neighbours in alphabetical order, from their beginnings or from
their ends (the sorted neighbourhood: Hernández & Stolfo, "The Merge/Purge Problem for Large Databases", SIGMOD 1995).
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from embedclf.arrays import Floats, Hashes, Ints, Mask
from embedclf.features.ngrams import mixed
from embedclf.phases import phase, tracked
from embedclf.quality.near_duplicates import MOST_LETTERS, SAME_LETTERS
from embedclf.validation import group_duplicates

_ALIKE = 0.8
_LEAST_ALIKE = 0.6
_N_LETTERS = 4
_MOST_SEQUENCES = 128
_NO_LETTERS = re.compile(r"[\W_]+")
_LETTERS_AT_ONCE = 1 << 21
# Of the sequences of a text, the least share that a near-duplicate has, and the share looked at beyond the others.
_SHARED = _LEAST_ALIKE / (2 - _LEAST_ALIKE)
_MORE = 1 / 6
_MOST_TEXTS = 150
_N_NEIGHBOURS = 5
_TEXTS_AT_ONCE = 2_000
_PAIRS_AT_ONCE = 100_000
_BASE = np.uint64(0x9E3779B97F4A7C15)


def spelling_groups(texts: Sequence[str]) -> Ints:
    """Assign a number to each text, the same one to equal texts and near-duplicates, directly or through others.

    Returns
    -------
    ndarray of shape (n_texts,)
        Numbers from 0 on, in the order in which groups begin.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    with phase("Finding near-duplicates"):
        plain = [_plain(text) for text in texts]
        # Texts without letters are equal if they are the same.
        same = group_duplicates([letters.replace(" ", "") or text for letters, text in zip(plain, texts, strict=True)])
        distinct = list(dict(zip(same.tolist(), plain, strict=True)).values())
        found = list(_near_duplicates(distinct))
        pairs = np.concatenate(found) if found else np.empty((0, 2), dtype=np.intp)
        n = len(distinct)
        joined = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
        return group_duplicates(connected_components(joined, directed=False)[1][same].tolist())


def _plain(text: str) -> str:
    """Return the letters and digits of a text, case-folded, with one space between words."""
    return _NO_LETTERS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def _near_duplicates(plain: Sequence[str]) -> Iterator[Ints]:
    """Yield the pairs of distinct texts that are near-duplicates: arrays of shape (n_pairs, 2)."""
    sets, letter_pairs = _sets(plain, _sequences), _sets(plain, _letter_pairs)
    for pairs in _candidates(plain, sets):
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            some = pairs[start : start + _PAIRS_AT_ONCE]
            alike = _alike(sets, some)
            yield some[alike >= _ALIKE]
            some = some[(alike >= _LEAST_ALIKE) & (alike < _ALIKE)]
            yield some[_alike(letter_pairs, some) >= SAME_LETTERS]


def _alike(sets: Any, pairs: Ints) -> Floats:
    """Return Dice's coefficient of the texts of each pair: (n_pairs,)."""
    one, other = pairs.T
    sizes = np.diff(sets.indptr)
    both = sets[one].multiply(sets[other]).sum(axis=1)
    shares: Floats = 2.0 * both / np.maximum(sizes[one] + sizes[other], 1)
    return shares


def _candidates(plain: Sequence[str], sets: Any) -> Iterator[Ints]:
    """Yield pairs of texts that may be near-duplicates, each as two numbers: arrays of shape (n_pairs, 2)."""
    for keys in (plain, [letters[::-1] for letters in plain]):
        order = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)
        for distance in range(1, _N_NEIGHBOURS + 1):
            yield np.column_stack([order[:-distance], order[distance:]])
    rarest, least = _rarest(sets)
    sizes = np.diff(sets.indptr)
    starts = range(0, len(plain), _TEXTS_AT_ONCE)
    for start in tracked(starts, "Comparing spellings", len(starts)):
        shared = (rarest[start : start + _TEXTS_AT_ONCE] @ rarest.T).tocoo()
        one, other = shared.row + start, shared.col
        enough = (one < other) & (shared.data >= np.minimum(least[one], least[other]))
        one, other = one[enough], other[enough]
        alike = 2 * np.minimum(sizes[one], sizes[other]) >= _LEAST_ALIKE * (sizes[one] + sizes[other])
        yield np.column_stack([one[alike], other[alike]])


def _rarest(sets: Any) -> tuple[Any, Ints]:
    """Return the sets with the rarest of their sequences only, and how many of them a near-duplicate shares.

    Those that too many texts have are left out.
    """
    from scipy.sparse import csr_array

    sizes = np.diff(sets.indptr)
    texts = np.repeat(np.arange(len(sizes)), sizes)
    n_texts = np.bincount(sets.indices, minlength=sets.shape[1])[sets.indices]
    order = np.lexsort((sets.indices, n_texts, texts))
    place = np.arange(len(order)) - np.repeat(sets.indptr[:-1], sizes)
    least = np.ceil(sizes * _MORE).astype(np.intp)
    rare = place < (sizes - np.ceil(_SHARED * sizes) + least)[texts]
    frequent = rare & (n_texts[order] > _MOST_TEXTS)
    least = np.maximum(least - np.bincount(texts[frequent], minlength=len(sizes)), 1)
    kept = order[rare & ~frequent]
    return csr_array((np.ones(len(kept), np.int32), (texts[kept], sets.indices[kept])), shape=sets.shape), least


def _sets(plain: Sequence[str], parts_of: Callable[[Sequence[str]], tuple[Ints, Hashes]]) -> Any:
    """Return which parts each text has: a csr_array of shape (n_texts, n_parts) of ones."""
    from scipy.sparse import csr_array

    rows, parts = [], []
    for first, batch in _batches(plain):
        of_text, found = parts_of(batch)
        rows.append(of_text + first)
        parts.append(found)
    numbers, columns = np.unique(np.concatenate(parts), return_inverse=True)
    row = np.concatenate(rows)
    return csr_array((np.ones(len(row), np.int32), (row, columns)), shape=(len(plain), len(numbers)))


def _batches(plain: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    start = letters = 0
    for end, text in enumerate(plain, 1):
        letters += len(text)
        if letters >= _LETTERS_AT_ONCE or end == len(plain):
            yield start, list(plain[start:end])
            start, letters = end, 0


def _codes(plain: Sequence[str]) -> tuple[Ints, Hashes]:
    """Return the characters of all texts, with a space at each end: the text of each, and its code point."""
    padded = [f" {letters} " for letters in plain]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    return np.repeat(np.arange(len(padded)), np.fromiter(map(len, padded), dtype=np.intp, count=len(padded))), codes


def _letter_pairs(plain: Sequence[str]) -> tuple[Ints, Hashes]:
    """Return the pairs of neighbouring letters of each text that is not long, each with how often it came before."""
    of_text, codes = _codes(plain)
    found = codes[:-1] << np.uint64(21) | codes[1:]
    is_short = np.fromiter(map(len, plain), dtype=np.intp, count=len(plain)) <= MOST_LETTERS
    inside = (of_text[:-1] == of_text[1:]) & is_short[of_text[:-1]]
    of_text, found = of_text[:-1][inside], found[inside]
    order = np.lexsort((found, of_text))
    of_text, found = of_text[order], found[order]
    starts = np.flatnonzero(_is_new(of_text, found))
    before = np.arange(len(found)) - np.repeat(starts, np.diff(starts, append=len(found)))
    return of_text, found | before.astype(np.uint64) << np.uint64(42)


def _sequences(plain: Sequence[str]) -> tuple[Ints, Hashes]:
    """Return the distinct sequences of each text, at the most those with the smallest hashes: texts and hashes."""
    of_text, codes = _codes(plain)
    last = max(len(codes) - _N_LETTERS + 1, 0)
    found = np.zeros(last, dtype=np.uint64)
    for place in range(_N_LETTERS):
        found = found * _BASE + codes[place : place + last]
    found = mixed(found)
    inside = of_text[:last] == of_text[_N_LETTERS - 1 :]
    of_text, found = of_text[:last][inside], found[inside]
    order = np.lexsort((found, of_text))
    of_text, found = of_text[order], found[order]
    new = _is_new(of_text, found)
    of_text, found = of_text[new], found[new]
    place = np.arange(len(found)) - np.searchsorted(of_text, of_text)
    kept = place < _MOST_SEQUENCES
    return of_text[kept], found[kept]


def _is_new(of_text: Ints, sorted_parts: Hashes) -> Mask:
    """Return which parts are not the same as the one before."""
    new = np.ones(len(sorted_parts), dtype=bool)
    new[1:] = (of_text[1:] != of_text[:-1]) | (sorted_parts[1:] != sorted_parts[:-1])
    return new
