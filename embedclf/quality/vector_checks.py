"""What may be wrong with labelled texts by their vectors: near-duplicates, texts far from all, wrong labels."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from embedclf.arrays import Ints, Vectors
from embedclf.quality.findings import Finding, Other
from embedclf.stats.neighbours import NEAR_COPY, Nearest, nearest
from embedclf.training.folds import out_of_fold
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Recipe
from embedclf.training.training_set import TrainingSet

N_NEAREST = 10
FEWEST_TEXTS = 20
"""Different texts among which one can be far from all."""

# A wrong letter makes other tokens, and so quite another vector of a short text; its letters are compared as well. In a
# long text it does not, and to compare many letters takes long.
_SAME_LETTERS = 0.85
_LEAST_ALIKE = 0.5
_MOST_LETTERS = 500
_FAR = 3.5
_NO_LETTERS = re.compile(r"[\W_]+")
_N_SHOWN = 3
_BLOCK = 512
_FOLDS = 5


class Rows(NamedTuple):
    """Distinct texts with their vectors.

    Attributes
    ----------
    rows : ndarray of shape (n,), int
        Which of the texts that are checked.
    texts, labels : lists of str, of length n
    vectors : ndarray of shape (n, n_dimensions), float32
        Of unit length.
    """

    rows: Ints
    texts: list[str]
    labels: list[str]
    vectors: Vectors

    def other(self, place: int, similarity: float, *, in_against: bool = False) -> Other:
        """Give one of them as what a finding speaks of."""
        row, text, label = int(self.rows[place]), self.texts[place], self.labels[place]
        return Other(row, text, label, in_against, round(float(similarity), 4))


class _Pair(NamedTuple):
    likeness: float
    other: int
    detail: str


def neighbours_among(distinct: Rows) -> Nearest:
    """Find the nearest others of each: (n, at most 10)."""
    n = len(distinct.rows)
    found = nearest(distinct.vectors, distinct.vectors, N_NEAREST + 1)
    # Each is among its own nearest, but of texts with equal vectors it need not be the first, nor be there at all.
    own = found.rows == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (n, found.rows.shape[1] - 1)
    return Nearest(found.rows[~own].reshape(shape), found.similarities[~own].reshape(shape))


def near_duplicates(distinct: Rows, near: Nearest) -> list[Finding]:
    """Find texts that are nearly the same as an earlier one; those with another label first."""
    best: dict[int, _Pair] = {}
    # The ten nearest of a text may all come after it, where many are alike.
    for later, earlier, similarity in _likest_earlier(distinct.vectors):
        _keep_best(best, later, _by_cosine(earlier, similarity))
    for one, other, pair in _near_pairs(distinct.texts, distinct.texts, near):
        later, earlier = max(one, other), min(one, other)
        _keep_best(best, later, pair._replace(other=earlier))
    return _told("near_duplicates", distinct, distinct, best, in_against=False)


def near_leakage(distinct: Rows, against: Rows) -> list[Finding]:
    """Find texts that are nearly the same as one of the others; equal ones are left to whoever compares texts."""
    best: dict[int, _Pair] = {}
    found = nearest(against.vectors, distinct.vectors, N_NEAREST)
    equal = set(against.texts)
    for one, _, pair in _near_pairs(distinct.texts, against.texts, found):
        if distinct.texts[one] not in equal:
            _keep_best(best, one, pair)
    return _told("near_leakage", distinct, against, best, in_against=True)


def _keep_best(best: dict[int, _Pair], one: int, pair: _Pair) -> None:
    """Keep the pair if it is the likest so far; of equals, that with the earliest other."""
    if one not in best or (pair.likeness, -pair.other) > (best[one].likeness, -best[one].other):
        best[one] = pair


def _told(kind: str, distinct: Rows, against: Rows, best: dict[int, _Pair], *, in_against: bool) -> list[Finding]:
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
            best[one].detail + (", but another label" if contradicts(one) else ""),
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


def _likest_earlier(vectors: Vectors) -> list[tuple[int, int, float]]:
    """Find the nearest earlier row of each row that has one near enough: its own number, the other's, the cosine."""
    found = []
    for start in range(0, len(vectors), _BLOCK):
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
    # The vectors of a text and of the same in capitals may be far apart.
    first: dict[str, int] = {}
    bare = [_bare(text) for text in texts]
    for other, key in enumerate(bare if others is texts else map(_bare, others)):
        first.setdefault(key, other)
    for one, key in enumerate(bare):
        if key and (found := first.get(key)) is not None and not (others is texts and found == one):
            pairs.append((one, found, _Pair(1.0, found, "the same but for case, spaces and punctuation")))
    for one, place in np.argwhere(near.similarities >= _LEAST_ALIKE).tolist():
        other, similarity = int(near.rows[one, place]), float(near.similarities[one, place])
        if similarity >= NEAR_COPY:
            pairs.append((one, other, _by_cosine(other, similarity)))
            continue
        same = _same_letters(letters(one), of_others(other))
        if same >= _SAME_LETTERS:
            pairs.append((one, other, _Pair(same, other, f"{100 * same:.0f} % of the letters are the same")))
    return pairs


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _bare(text: str) -> str:
    """Give the letters and digits of a text, without case."""
    return "".join(filter(str.isalnum, _folded(text)))


class _Letters(NamedTuple):
    counts: Counter[str]
    total: int


def _letters_of(texts: Sequence[str]) -> Callable[[int], _Letters | None]:
    @cache
    def letters(place: int) -> _Letters | None:
        if len(texts[place]) > _MOST_LETTERS:
            return None
        padded = f" {_NO_LETTERS.sub(' ', _folded(texts[place])).strip()} "
        counts = Counter(padded[start : start + 2] for start in range(len(padded) - 1))
        return _Letters(counts, sum(counts.values()))

    return letters


def _same_letters(one: _Letters | None, other: _Letters | None) -> float:
    """Compare texts by their pairs of letters, case and punctuation aside: Dice's coefficient, from 0 to 1."""
    if one is None or other is None:
        return 0.0
    total = one.total + other.total
    if 2 * min(one.total, other.total) < _SAME_LETTERS * total:
        return 0.0
    if len(one.counts) > len(other.counts):
        one, other = other, one
    common = sum(min(number, other.counts.get(pair, 0)) for pair, number in one.counts.items())
    return 2 * common / total


def anomalies(distinct: Rows, near: Nearest) -> list[Finding]:
    """Find texts that are far from all others.

    How near a text is to the others is its mean cosine similarity to its ten nearest (the mean distance to the nearest
    as a score of outliers: Angiulli & Pizzuti, "Fast Outlier Detection in High Dimensional Spaces", PKDD 2002). Its
    logarithm is compared with that of the other texts: in a file of very different texts, all are far from all, so that
    the distance itself has no room to stand out. Beyond 3.5 robust standard deviations (the modified z-score of
    Iglewicz & Hoaglin, "How to Detect and Handle Outliers", 1993: from the median, in units of 1.4826 times the median
    absolute deviation) a text is far.
    """
    if len(distinct.rows) < FEWEST_TEXTS:
        return []
    similarity = near.similarities.mean(axis=1, dtype=np.float64)
    farness = -np.log(np.maximum(similarity, 0.01))
    beyond = farness - np.median(farness)
    spread = 1.4826 * np.median(np.abs(beyond))
    if spread < 1e-6:
        return []
    scores = beyond / spread
    return [
        Finding(
            "anomalies",
            "warning",
            int(distinct.rows[one]),
            distinct.texts[one],
            distinct.labels[one],
            f"mean similarity {max(similarity[one], 0.0):.2f} to its {near.rows.shape[1]} nearest; "
            f"{np.median(similarity):.2f} is usual",
            score=round(float(scores[one]), 2),
            others=tuple(
                distinct.other(int(near.rows[one, place]), near.similarities[one, place]) for place in range(_N_SHOWN)
            ),
        )
        for one in np.argsort(-scores, kind="stable")
        if scores[one] > _FAR
    ]


def label_errors(
    rows: Ints, texts: Sequence[str], labels: Sequence[str], vectors: Vectors, groups: Ints, *, seed: int
) -> list[Finding]:
    """Find labels that are likely to be wrong, the likeliest first, by confident learning.

    Northcutt, Jiang & Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021, as
    cleanlab does it: the probabilities that classifiers give to texts that they were not trained on tell how many
    labels are wrong, and those whose labels are least probable are taken.

    Parameters
    ----------
    rows : ndarray of shape (n,)
        What each is called in the findings.
    texts, labels : sequences of str, of length n
    vectors : ndarray of shape (n, n_dimensions), float32
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    seed : int
        Chooses the folds.

    Raises
    ------
    ImportError
        If cleanlab is not installed.
    """
    from cleanlab.filter import find_label_issues

    # As objects: numpy's own strings lose the NUL characters at their end.
    classes, y = np.unique(np.array(labels, dtype=object), return_inverse=True)
    recipe = Recipe()
    inputs = Inputs.of(texts, vectors, words=recipe.uses_words)
    examples = TrainingSet(inputs, y.astype(np.intp), groups, tuple(classes.tolist()))
    (answer,) = out_of_fold(examples, recipe, n_folds=_FOLDS, seeds=[seed])
    # The only text of a label cannot be left out, so that nothing is known of it, nor does another have its label.
    measured = np.flatnonzero(answer.folds >= 0)
    known = np.unique(y[measured])
    if len(known) < 2:
        return []
    probabilities = answer.probabilities[measured][:, known].astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    given = np.searchsorted(known, y[measured])
    found = find_label_issues(
        given, probabilities, filter_by="low_self_confidence", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    likeliest = probabilities.argmax(axis=1)
    findings = []
    for one in found.tolist():
        if likeliest[one] == given[one]:
            continue
        place = measured[one]
        findings.append(
            Finding(
                "label_errors",
                "warning",
                int(rows[place]),
                texts[place],
                labels[place],
                f"{probabilities[one, likeliest[one]]:.2f} against {probabilities[one, given[one]]:.2f}",
                suggested=str(classes[known[likeliest[one]]]),
                score=round(float(probabilities[one, given[one]]), 4),
            )
        )
    return findings
