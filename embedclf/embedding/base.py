"""What an embedder is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypedDict, runtime_checkable

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.errors import EmbedclfError, TextError
from embedclf.formatting import counted
from embedclf.validation import check_texts, text_faults

if TYPE_CHECKING:
    from embedclf.embedding.usage import Meter


EXTERNAL = "external"
"""The provider of embedders that were handed over as objects."""

WORDS = "words"
"""The provider of what needs no weights: the words of a text."""

OURS = ("aimlapi", "wordllama", WORDS)
"""The providers that a model file may name: whoever loads a model must give any other embedder again."""


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """What tells one embedder's vectors from another's.

    Attributes
    ----------
    provider, model : str
        As in the string ``provider:model``.
    dimensions : int or None
        Length of a vector; None while it is not known.
    endpoint : str or None
        The address that answers; None if the model runs in this process. A fact to compare, never one to call.
    """

    provider: str
    model: str
    dimensions: int | None
    endpoint: str | None = None

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"


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


@runtime_checkable
class PartialEmbedder(Embedder, Protocol):
    """An embedder that can embed the rest where some texts cannot be."""

    def embed_usable(self, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
        """Embed those texts that can be; see the function `embed_usable`."""
        ...


class TokenShares(NamedTuple):
    """What the tokens of a text add to the product of its vector and another.

    Attributes
    ----------
    starts, ends : ndarray of shape (n_tokens,)
        Where each stands among the characters of the text; tokens of one character may share it.
    values : ndarray of shape (n_tokens,), float64
        They sum to the product.
    """

    starts: npt.NDArray[np.intp]
    ends: npt.NDArray[np.intp]
    values: npt.NDArray[np.float64]


@runtime_checkable
class TokenEmbedder(Embedder, Protocol):
    """An embedder whose vectors are sums over tokens, so that each token has a part of its own in a score."""

    def token_shares(self, text: str, direction: npt.NDArray[np.float64]) -> TokenShares:
        """Divide the product of a text's vector and another among the text's tokens.

        Parameters
        ----------
        text : str
            One that `embed` has a vector for.
        direction : ndarray of shape (n_dimensions,), float64
        """
        ...


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


class BatchEmbedder(Protocol):
    """What a cache can stand before: makes vectors of texts at full length, batch by batch."""

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors apart; without dimensions while they are not known."""
        ...

    @property
    def shortens(self) -> bool:
        """Whether its vectors can be cut and scaled to unit length again."""
        ...

    @property
    def asked_dimensions(self) -> int | None:
        """The length that it is asked for, if that is neither its own nor a matter of cutting."""
        ...

    @property
    def meter(self) -> "Meter":
        """What counts what it takes."""
        ...

    @property
    def max_cost(self) -> float | None:
        """How many dollars it may spend; None sets no limit."""
        ...

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        ...

    def embed_batches(self, texts: Sequence[str], keep: Callable[[Batch], None]) -> dict[int, Refused]:
        """Embed distinct texts.

        Parameters
        ----------
        texts : sequence of str
        keep : callable
            Is given each batch as soon as it is finished, from any thread.

        Returns
        -------
        dict of int to Refused
            The texts that were refused for their content, by index.

        Raises
        ------
        EmbedderError
            If the embedder fails; the batches given before stand.
        """
        ...


class RequestSettings(TypedDict, total=False):
    """How ``aimlapi`` is asked; see `AimlapiModel` for more.

    Attributes
    ----------
    base_url : str
        Another OpenAI-compatible server for ``aimlapi``; by default ``AIMLAPI_BASE_URL``, else AI/ML API itself.
    allow_http : bool
        Whether a server without encryption that is not on this machine is allowed.
    batch_size, concurrency : int
        Texts of one request, and the most requests under way together.
    retries : int
        How often a request is tried again.
    timeout : float
        Seconds to wait for the whole of an answer.
    max_cost : float
        Dollars that it may spend, by the measure of what was answered before.
    """

    base_url: str | None
    allow_http: bool
    batch_size: int | None
    concurrency: int
    retries: int
    timeout: float
    max_cost: float | None


def is_local(spec: EmbedderSpec) -> bool:
    """Tell whether an embedder of ours sends nothing anywhere."""
    return spec.provider in ("wordllama", WORDS)


def embed_usable(embedder: Embedder, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
    """Embed those texts that can be.

    Parameters
    ----------
    embedder : Embedder
    texts : sequence of str

    Returns
    -------
    vectors : ndarray of shape (n_texts, n_dimensions), float32
        NaN for the texts that cannot be embedded.
    reasons : dict of int to str
        Why each of those cannot, by its index.

    Raises
    ------
    EmbedderError
        If the embedder fails.
    """
    if isinstance(embedder, PartialEmbedder):
        return embedder.embed_usable(texts)
    reasons = text_faults(texts)
    while True:
        usable = [index for index in range(len(texts)) if index not in reasons]
        try:
            embedded = embedder.embed([texts[index] for index in usable])
        except TextError as error:
            reasons |= {usable[index]: reason for index, reason in error.reasons.items()}
            continue
        if not reasons:
            return embedded, reasons
        vectors = np.full((len(texts), embedded.shape[1]), np.nan, dtype=np.float32)
        vectors[usable] = embedded
        return vectors, reasons


def embed_each(embedder: PartialEmbedder, texts: Sequence[str]) -> Vectors:
    """Embed texts that all have to be usable: `Embedder.embed` by way of `PartialEmbedder.embed_usable`.

    Raises
    ------
    TextError
        If some of them cannot be embedded.
    EmbedderError
        If the embedder fails.
    """
    vectors, reasons = embedder.embed_usable(check_texts(texts))
    if reasons:
        raise TextError(reasons)
    return vectors


def check_vectors(
    vectors: Vectors,
    n_texts: int,
    *,
    of: str | None = None,
    missing: bool = False,
    error: type[EmbedclfError] = EmbedclfError,
) -> Vectors:
    """See that vectors that were handed over are one a text, and finite.

    Parameters
    ----------
    vectors : ndarray of shape (n_texts, n_dimensions), float32
    n_texts : int
    of : str, optional
        What the texts are, for the error.
    missing : bool
        Whether some may be NaN, where a text has no vector.
    error : type
        What is raised.

    Raises
    ------
    EmbedclfError
        Or its child that `error` names.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2:
        raise error(f"vectors have the shape (n_texts, n_dimensions), not {vectors.shape}")
    if len(vectors) != n_texts:
        numbers = f"{counted(n_texts, 'text')} and {counted(len(vectors), 'vector')}"
        raise error(f"there are {numbers}" if of is None else f"{of} has {numbers}")
    if not missing and not (finite := np.isfinite(vectors).all(axis=1)).all():
        name, n = "vectors" if of is None else f"{of}: vectors", int((~finite).sum())
        others = "" if n == 1 else f", nor {'is another' if n == 2 else f'are {n - 1:,} others'}"
        raise error(f"{name}[{int(finite.argmin())}] is not finite{others}: leave out the texts that have no vector")
    return vectors
