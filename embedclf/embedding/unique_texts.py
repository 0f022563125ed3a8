"""Finding repetitions among texts."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]


class UniqueTexts:
    """Texts, their distinct embeddable texts, and the first occurrence of each.

    Parameters
    ----------
    texts : sequence of str
    faults : mapping of int to str
        Why texts cannot be embedded, by index.

    Attributes
    ----------
    texts : sequence of str
        All n texts.
    unique : list of str
        The distinct texts that can be embedded.
    firsts : ndarray of shape (n_unique,)
        The index of the first occurrence of each unique text.
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
        """The index of each text's first occurrence, (n,); its own index for a text that cannot be embedded."""
        firsts, faults = self._firsts, self._faults
        return np.array([i if i in faults else firsts[text] for i, text in enumerate(self.texts)], dtype=np.intp)

    @property
    def is_repeated(self) -> npt.NDArray[np.bool_]:
        """Whether each text has occurred before: (n,), bool."""
        return np.not_equal(self.first, np.arange(len(self.texts)))

    def of_unique(self) -> Places:
        """Return the index of each text among the unique texts, (n,); 0 for a text that cannot be embedded."""
        numbers = np.zeros(len(self.texts), dtype=np.intp)
        numbers[self.firsts] = np.arange(len(self.firsts))
        return numbers[self.first]
