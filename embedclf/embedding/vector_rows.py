"""An array of vectors that several threads fill."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.errors import EmbedderError

_BLOCK_ROWS = 4_096


class VectorRows:
    """An array of vectors that is allocated once their length is known. Thread-safe.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_dimensions), float32, or None
        An array with some rows already filled; None if there is none.
    n_rows : int
    cut : int or None
        Length to cut vectors to before rescaling them to unit length; None leaves them unchanged.
    name : str
        The embedder's name, for errors.

    Attributes
    ----------
    vectors : ndarray of shape (n_rows, n_dimensions), float32, or None
        None until a row is filled.
    """

    def __init__(self, vectors: Vectors | None, n_rows: int, cut: int | None, name: str) -> None:
        self.vectors = vectors
        self._n_rows = n_rows
        self._cut = cut
        self._name = name
        self._making = ForkSafeLock()

    def fill(self, places: npt.NDArray[Any], vectors: Vectors) -> None:
        """Store full-length vectors in the rows `places`.

        Raises
        ------
        EmbedderError
            If their length differs from that of earlier vectors, or a vector is zero after cutting.
        """
        if self._cut is not None:
            vectors = vectors[:, : self._cut].copy()
            scale(vectors, np.arange(len(vectors)))
        with self._making:
            if self.vectors is None:
                self.vectors = np.empty((self._n_rows, vectors.shape[1]), dtype=np.float32)
        check_length(self.vectors.shape[1], vectors.shape[1], self._name)
        self.vectors[places] = vectors


def check_length(known: int | None, answered: int, name: str) -> None:
    """Check that an embedder's vectors have the known length, if any."""
    if known is not None and answered != known:
        raise EmbedderError(
            f"{name} returned vectors of {answered} dimensions, but earlier ones had {known}: the model has changed. "
            "If the change is permanent, its cached vectors are useless: run embedclf cache clear"
        )


def scale(vectors: Vectors, rows: npt.NDArray[Any]) -> None:
    """Scale some rows to unit length, in place."""
    for block in blocks_of(rows):
        chosen = vectors[block]
        lengths = np.sqrt(np.einsum("ij,ij->i", chosen, chosen))[:, None]
        if not lengths.all():
            raise EmbedderError("a vector is zero after being shortened: use more dimensions")
        vectors[block] = chosen / lengths


def blocks_of(rows: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Yield row numbers in blocks, to bound the memory of temporary arrays."""
    for start in range(0, len(rows), _BLOCK_ROWS):
        yield rows[start : start + _BLOCK_ROWS]
