"""The base class of models that `CachedEmbedder` wraps, which pass on their vectors batch by batch."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.shared_spending import SharedSpending, SpentPart
from embedclf.embedding.usage import Meter


class Batch(NamedTuple):
    """The vectors of some of the texts of a call.

    Attributes
    ----------
    places : ndarray of shape (n,), int
        The indices of the texts.
    vectors : ndarray of shape (n, n_dimensions), float32
        At full length.
    n_tokens : int
        Tokens billed for them; 0 if unknown.
    """

    places: npt.NDArray[np.intp]
    vectors: Vectors
    n_tokens: int


class Refused(NamedTuple):
    """Why a text was rejected for its content.

    Attributes
    ----------
    reason : str
    piece : int or None
        If the text is too long, the maximum UTF-8 bytes per piece; None if cutting would not help.
    """

    reason: str
    piece: int | None


class BatchEmbedder(ABC):
    """Turns texts into full-length vectors, and passes them on batch by batch.

    Attributes
    ----------
    meter : Meter
        Counts what it uses.
    """

    meter: Meter

    @property
    @abstractmethod
    def spec(self) -> EmbedderSpec:
        """The model that its vectors come from; dimensions is None while unknown."""

    @abstractmethod
    def embed_batches(self, texts: Sequence[str], keep: Callable[[Batch], None]) -> dict[int, Refused]:
        """Embed distinct texts.

        Parameters
        ----------
        texts : sequence of str
        keep : callable
            Called with each batch as soon as it is finished, from any thread.

        Returns
        -------
        dict of int to Refused
            The texts that were rejected for their content, by index.

        Raises
        ------
        EmbedderError
            If the embedder fails; batches passed on before are valid.
        """

    @property
    def is_local(self) -> bool:
        """Whether it runs in this process."""
        return False

    @property
    def shortens(self) -> bool:
        """Whether its vectors can be cut and rescaled to unit length."""
        return False

    @property
    def knows_only_english(self) -> bool:
        """Whether its vectors carry little meaning for texts in other languages."""
        return False

    @property
    def asked_dimensions(self) -> int | None:
        """The length to request; None if it is the model's own or vectors are cut instead."""
        return None

    @property
    def max_cost(self) -> float | None:
        """The spending limit in dollars; None if there is none."""
        return None

    @property
    def spent(self) -> float:
        """What was spent of the limit, here and by other processes, including what may have been."""
        return self.meter.usage.known_dollars

    def note_elsewhere(self, spending: SpentPart) -> None:  # noqa: B027 - no limit by default
        """Note what other processes have spent of the limit."""

    @property
    def in_flight(self) -> int:
        """The number of requests in flight."""
        return 0

    @property
    def max_concurrency(self) -> int | None:
        """The maximum number of concurrent requests; None if unknown."""
        return None

    def split(self, n: int, shared: SharedSpending | None = None) -> "BatchEmbedder":
        """Return the same embedder for each of n processes: with 1/n of its concurrent requests.

        The processes note together what they spend of its limit in `shared`; without that, each has 1/n of it.
        """
        return self

    def length_warning(self, text: str) -> str | None:
        """Return why a text may be too long for the model; see `Embedder.length_warning`."""
        return None

    def check_usable(self) -> None:  # noqa: B027 - usable by default
        """Check that it can still embed anything, without sending anything.

        Raises
        ------
        EmbedderError
            If it cannot.
        """

    def warm_up(self) -> None:  # noqa: B027 - nothing by default
        """Load what the first call would otherwise wait for; see `Embedder.warm_up`."""
