"""The distinct texts of two samples, each in the sample of one of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from embedclf.arrays import Ints, Mask
from embedclf.validation import group_duplicates


@dataclass(frozen=True, slots=True)
class DistinctRows:
    """The distinct texts among new and old rows; the new rows come first.

    Attributes
    ----------
    rows : ndarray of shape (n,), int
        For each text, one of its rows, drawn at random.
    is_new : ndarray of shape (n,), bool
        Whether that is a new row.
    n_new_rows, n_old_rows : ndarray of shape (n,), int
        How many rows have the text.
    number : ndarray of shape (n_rows,), int
        The text of each row.
    """

    rows: Ints
    is_new: Mask
    n_new_rows: Ints
    n_old_rows: Ints
    number: Ints

    @classmethod
    def of(cls, texts: Sequence[str], n_new: int, *, seed: int) -> Self:
        """Return the distinct texts of some rows, of which the first `n_new` are new.

        The sample of a text is that of one of its rows, drawn at random. So the samples are exchangeable exactly if the
        rows are, however often texts are repeated and however many rows each sample has; taking each text once from
        each sample instead would drop more of the larger one.
        """
        number = np.unique(group_duplicates(texts), return_inverse=True)[1]
        order = np.random.default_rng(seed).permutation(len(texts))
        rows = order[np.unique(number[order], return_index=True)[1]]
        n = len(rows)
        of_new, of_old = number[:n_new], number[n_new:]
        counts = np.bincount(of_new, minlength=n), np.bincount(of_old, minlength=n)
        return cls(rows, rows < n_new, *counts, number)

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, most: int, *, seed: int) -> Ints:
        """Sample at most this many of the new texts and of the old ones; return their numbers in order."""
        rng = np.random.default_rng([seed, 1])
        chosen = [
            own if len(own) <= most else rng.choice(own, most, replace=False)
            for own in (np.flatnonzero(self.is_new), np.flatnonzero(~self.is_new))
        ]
        return np.sort(np.concatenate(chosen))

    def __getitem__(self, chosen: Ints) -> Self:
        """Return some of the texts; `number` still counts all of them."""
        return replace(
            self,
            rows=self.rows[chosen],
            is_new=self.is_new[chosen],
            n_new_rows=self.n_new_rows[chosen],
            n_old_rows=self.n_old_rows[chosen],
        )
