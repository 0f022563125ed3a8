"""What a cache stands in front of: an embedder that passes on its vectors batch by batch."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.usage import Meter


class Batch(NamedTuple):
    """A finished part of a list of texts.

    Attributes
    ----------
    places : ndarray of shape (n,), int
        Which of the texts.
    vectors : ndarray of shape (n, n_dimensions), float32
        At full length.
    n_tokens : int
        What they cost; 0 if it is not known.
    """

    places: npt.NDArray[np.intp]
    vectors: Vectors
    n_tokens: int


class Refused(NamedTuple):
    """Why a text was refused for its content.

    Attributes
    ----------
    reason : str
    piece : int or None
        If it is too long, the UTF-8 bytes that a piece of it may have; None where cutting it would not help.
    """

    reason: str
    piece: int | None


class BatchEmbedder(ABC):
    """Makes vectors of texts at full length, and passes them on batch by batch.

    Attributes
    ----------
    meter : Meter
        Counts what it uses.
    """

    meter: Meter

    @property
    @abstractmethod
    def spec(self) -> EmbedderSpec:
        """What tells its vectors apart; without dimensions while they are not known."""

    @abstractmethod
    def embed_batches(self, texts: Sequence[str], keep: Callable[[Batch], None]) -> dict[int, Refused]:
        """Embed distinct texts.

        Parameters
        ----------
        texts : sequence of str
        keep : callable
            Receives each batch as soon as it is finished, from any thread.

        Returns
        -------
        dict of int to Refused
            The texts that were refused for their content, by index.

        Raises
        ------
        EmbedderError
            If the embedder fails; the batches passed on before are valid.
        """

    @property
    def is_local(self) -> bool:
        """Whether it runs in this process."""
        return False

    @property
    def shortens(self) -> bool:
        """Whether its vectors can be cut and scaled to unit length again."""
        return False

    @property
    def asked_dimensions(self) -> int | None:
        """The length to ask for, if that is neither the model's own nor a matter of cutting."""
        return None

    @property
    def max_cost(self) -> float | None:
        """How many dollars it may spend; None sets no limit."""
        return None

    @property
    def in_flight(self) -> int:
        """How many requests are in flight."""
        return 0

    @property
    def max_concurrency(self) -> int | None:
        """The most requests in flight at once; None if that is not known."""
        return None

    def split(self, n: int) -> "BatchEmbedder":
        """Return the same embedder with an n-th of its requests."""
        return self

    def length_warning(self, text: str) -> str | None:
        """Say why a text may be too long for it; see `Embedder.length_warning`."""
        return None

    def warm_up(self) -> None:  # noqa: B027 - nothing by default
        """Load what the first call would have to wait for; see `Embedder.warm_up`."""
