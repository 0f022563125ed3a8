"""The rows of vectors that several threads fill, all of one length."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.errors import EmbedderError

_BLOCK_ROWS = 4_096


class VectorRows:
    """An array of vectors, made as soon as their length is known. Threads may share it.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_dimensions), float32, or None
        Where some rows are filled already; None if none is.
    n_rows : int
    cut : int or None
        The length that vectors are cut to, and scaled to unit length again; None leaves them as they are.
    name : str
        The embedder's, for errors.

    Attributes
    ----------
    vectors : ndarray of shape (n_rows, n_dimensions), float32, or None
        None while nothing is filled.
    """

    def __init__(self, vectors: Vectors | None, n_rows: int, cut: int | None, name: str) -> None:
        self.vectors = vectors
        self._n_rows = n_rows
        self._cut = cut
        self._name = name
        self._making = ForkSafeLock()

    def fill(self, places: npt.NDArray[Any], vectors: Vectors) -> None:
        """Put vectors of full length at their places.

        Raises
        ------
        EmbedderError
            If they have another length than those before, or are zero where they are cut.
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
    """Check that an embedder's vectors have the length that they had before, if that is known."""
    if known is not None and answered != known:
        raise EmbedderError(
            f"{name} answered with {answered} dimensions, and before it had {known}: it is not the model that it was; "
            "if it has changed for good, what the cache has of it is of no use: embedclf cache clear"
        )


def scale(vectors: Vectors, rows: npt.NDArray[Any]) -> None:
    """Scale some rows to unit length, in place."""
    for block in blocks_of(rows):
        chosen = vectors[block]
        lengths = np.sqrt(np.einsum("ij,ij->i", chosen, chosen))[:, None]
        if not lengths.all():
            raise EmbedderError("a vector is zero after it was cut: use more dimensions")
        vectors[block] = chosen / lengths


def blocks_of(rows: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Divide row numbers into blocks, so that what is made of a block's vectors takes little memory."""
    for start in range(0, len(rows), _BLOCK_ROWS):
        yield rows[start : start + _BLOCK_ROWS]
