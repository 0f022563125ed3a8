"""The distinct texts of a check, with their vectors."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from embedclf.arrays import Ints, Vectors
from embedclf.quality.findings import Other
from embedclf.stats.neighbours import Nearest, nearest

N_NEAREST = 10


class DistinctTexts(NamedTuple):
    """Distinct texts with their vectors.

    Attributes
    ----------
    rows : ndarray of shape (n,), int
        Indices into the checked texts.
    texts, labels : lists of str, of length n
    vectors : ndarray of shape (n, n_dimensions), float32
        Of unit length.
    """

    rows: Ints
    texts: list[str]
    labels: list[str]
    vectors: Vectors

    @classmethod
    def of(cls, texts: Sequence[str], labels: Sequence[str], vectors: Vectors, rows: Ints) -> Self:
        """Return the distinct texts among some rows, each with its first row."""
        firsts = list({texts[row]: int(row) for row in rows[::-1]}.values())
        chosen = np.array(sorted(firsts), dtype=np.intp)
        return cls(chosen, [texts[row] for row in chosen], [labels[row] for row in chosen], vectors[chosen])

    def other(self, place: int, similarity: float, *, in_against: bool = False) -> Other:
        """Return one of the texts as the `Other` of a finding."""
        row, text, label = int(self.rows[place]), self.texts[place], self.labels[place]
        return Other(row, text, label, in_against, round(float(similarity), 4))

    def nearest_others(self) -> Nearest:
        """Find up to ten nearest other texts for each text: (n, k)."""
        n = len(self.rows)
        found = nearest(self.vectors, self.vectors, N_NEAREST + 1)
        # A text is usually its own nearest. With equal vectors it may not come first, or may be missing altogether.
        own = found.rows == np.arange(n)[:, None]
        own[~own.any(axis=1), -1] = True
        shape = (n, found.rows.shape[1] - 1)
        return Nearest(found.rows[~own].reshape(shape), found.similarities[~own].reshape(shape))
