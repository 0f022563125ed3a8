"""Everything between a text and its vector."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from embedclf.errors import EmbedderError

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """What tells one embedder's vectors from another's.

    Attributes
    ----------
    provider, model : str
        As in the string ``provider:model``.
    dimensions : int
        Length of a vector.
    endpoint : str or None
        The address that answers; None if the model runs in this process. A fact to compare, never one to call.
    """

    provider: str
    model: str
    dimensions: int
    endpoint: str | None = None

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"

    def differences(self, other: "EmbedderSpec") -> str:
        """Say what sets this apart from another, empty if nothing does."""
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in self.__slots__)
        return ", ".join(f"{name} {mine!r} against {theirs!r}" for name, mine, theirs in pairs if mine != theirs)


@runtime_checkable
class Embedder(Protocol):
    """Makes vectors of texts."""

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors from another embedder's."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts.

        Returns
        -------
        ndarray of shape (n_texts, n_dimensions), float32
            One finite vector of unit length a text, in the order of the texts.

        Raises
        ------
        TextError
            If a text is empty or not Unicode.
        EmbedderError
            If the embedder fails.
        """
        ...


def open_embedder(name: str = "wordllama:l2_supercat", *, dimensions: int | None = None) -> Embedder:
    """Open an embedder by its name.

    Parameters
    ----------
    name : str
        ``provider:model``, or ``provider`` alone for its default model.
    dimensions : int, optional
        Length of the vectors; None takes the model's own.

    Raises
    ------
    EmbedderError
        If the provider or model is unknown or not installed, or has no vectors of that length.
    """
    provider, _, model = name.partition(":")
    if provider == "wordllama":
        from embedclf.embedding.wordllama import WordLlamaEmbedder

        return WordLlamaEmbedder(model or None, dimensions=dimensions)
    raise EmbedderError(f"there is no embedder {name!r}; the known one is 'wordllama:l2_supercat'")
