"""Texts with their repetitions found."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]


class UniqueTexts:
    """Texts, and where each distinct one that can be embedded stands first.

    Parameters
    ----------
    texts : sequence of str
    faults : mapping of int to str
        Why some cannot be embedded, by index.

    Attributes
    ----------
    texts : sequence of str
        All of them, n.
    unique : list of str
        The distinct ones that can.
    firsts : ndarray of shape (n_unique,)
        Where each of these stands first.
    """

    def __init__(self, texts: Sequence[str], faults: Mapping[int, str]) -> None:
        self.texts = texts
        self._faults = faults
        firsts: dict[str, int] = {}
        for index, text in enumerate(texts):
            if index not in self._faults:
                firsts.setdefault(text, index)
        self._firsts = firsts
        self.unique = list(firsts)
        self.firsts: Places = np.fromiter(firsts.values(), dtype=np.intp, count=len(firsts))

    @cached_property
    def first(self) -> Places:
        """Where each of all texts stands first, (n,); for one that cannot be embedded, where it is itself."""
        firsts, faults = self._firsts, self._faults
        return np.array([i if i in faults else firsts[text] for i, text in enumerate(self.texts)], dtype=np.intp)

    @property
    def is_repeated(self) -> npt.NDArray[np.bool_]:
        """Whether each of all texts stands before, too: (n,)."""
        return np.not_equal(self.first, np.arange(len(self.texts)))

    def of_unique(self) -> Places:
        """Return for each of all texts which of the unique ones it is, (n,); 0 for one that cannot be embedded."""
        numbers = np.zeros(len(self.texts), dtype=np.intp)
        numbers[self.firsts] = np.arange(len(self.firsts))
        return numbers[self.first]
