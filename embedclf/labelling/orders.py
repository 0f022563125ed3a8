"""The orders in which texts are asked; see `Order`."""

import random
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from embedclf.labelling.session import Order

_DIGEST_BYTES = 8


class ListedOrder:
    """The texts in the order of a list.

    Parameters
    ----------
    rows : iterable of int
    """

    def __init__(self, rows: Iterable[int]) -> None:
        self._rows = list(rows)
        self._place = 0

    def next(self, is_open: Callable[[int], bool]) -> tuple[int, bool] | None:
        """Return the first row that is open after the last one asked, or else before it; see `Order`."""
        for place in range(self._place, len(self._rows)):
            if is_open(self._rows[place]):
                self._place = place + 1
                return self._rows[place], False
        # Rows that were undone, or shown and not answered.
        row = next((row for row in self._rows[: self._place] if is_open(row)), None)
        self._place = len(self._rows)
        return None if row is None else (row, False)


class FileOrder(ListedOrder):
    """The texts in the order of the file.

    Parameters
    ----------
    n_texts : int
    """

    def __init__(self, n_texts: int) -> None:
        super().__init__(range(n_texts))


class RandomOrder(ListedOrder):
    """The texts in a random order.

    Parameters
    ----------
    n_texts : int
    seed : int
    """

    def __init__(self, n_texts: int, *, seed: int) -> None:
        super().__init__(random.Random(seed).sample(range(n_texts), n_texts))  # noqa: S311 - nothing is kept secret


class HeldOut(NamedTuple):
    """The texts that may be asked for the test set.

    Attributes
    ----------
    rows : list of int
        In the order in which they are asked.
    share : float
        The share of all questions that are to be asked for it.
    """

    rows: list[int]
    share: float


def draw_held_out(digests: Sequence[str], share: float, *, seed: int) -> HeldOut:
    """Draw the test set: each text belongs to it with a fixed probability, and its texts are asked in a random order.

    Whether a text belongs to it, and when it is asked, depends only on its hash, the seed and the share: not on the
    order or the content of the other rows. So its first texts, however many, are a simple random sample, also after
    rows have been added, moved or removed.

    Parameters
    ----------
    digests : sequence of str
        The hash of the text of each row that was not labelled at the start, and "" for others.
    share : float
    seed : int
    """
    drawn = [
        (number, row) for row, digest in enumerate(digests) if digest and (number := _number(digest, seed)) < share
    ]
    return HeldOut([row for _, row in sorted(drawn)], share)


def _number(digest: str, seed: int) -> float:
    """Return a number in [0, 1) that is drawn for a text."""
    found = blake2b(f"{seed} {digest}".encode(), digest_size=_DIGEST_BYTES).digest()
    return float(int.from_bytes(found) / 2 ** (8 * _DIGEST_BYTES))


class WithTestSet:
    """An order in which every so often a text of the test set is asked.

    The other order never asks texts of the test set, so its preferences do not bias the test set.

    Parameters
    ----------
    order : Order
        That of the other texts.
    test : HeldOut
    n_asked, n_test : int
        How many texts have been labelled before, and how many of these are in the test set.
    """

    def __init__(self, order: Order, test: HeldOut, *, n_asked: int = 0, n_test: int = 0) -> None:
        self._order, self._share = order, test.share
        self._test_order, self._test_rows = ListedOrder(test.rows), frozenset(test.rows)
        self._n_asked, self._n_test = n_asked, n_test

    def next(self, is_open: Callable[[int], bool]) -> tuple[int, bool] | None:
        """Return the next row of either kind, or of the kind that is left; see `Order`."""
        is_due = self._n_test + 1 <= self._share * (self._n_asked + 1) + 1e-9
        found = self._next(is_open, is_test=is_due) or self._next(is_open, is_test=not is_due)
        if found is not None:
            self._n_asked += 1
            self._n_test += found[1]
        return found

    def _next(self, is_open: Callable[[int], bool], *, is_test: bool) -> tuple[int, bool] | None:
        if is_test:
            found = self._test_order.next(is_open)
            return None if found is None else (found[0], True)
        return self._order.next(lambda row: row not in self._test_rows and is_open(row))
