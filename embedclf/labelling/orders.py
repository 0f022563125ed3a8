"""The orders in which texts are asked; see `Order`."""

from collections.abc import Callable


class FileOrder:
    """The texts one after the other, as they are in the file.

    Parameters
    ----------
    n_texts : int
    """

    def __init__(self, n_texts: int) -> None:
        self._n_texts = n_texts

    def next(self, is_open: Callable[[int], bool]) -> tuple[int, bool] | None:
        """Return the first row that is open; see `Order`."""
        row = next((row for row in range(self._n_texts) if is_open(row)), None)
        return None if row is None else (row, False)
