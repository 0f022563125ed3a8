"""What an embedder is."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.embedding.usage import Estimate, Usage
from embedclf.errors import ArgumentError, EmbedderError, TextError
from embedclf.formatting import counted
from embedclf.validation import check_texts, list_of_strings, text_fault, text_faults

EXTERNAL = "external"
"""The provider of embedders that were passed in as objects."""

WORDS = "words"
"""The provider of what needs no weights: the words of a text."""

OURS = ("aimlapi", "wordllama", WORDS)
"""The providers that a model file may name: to load a model, any other embedder must be passed again."""

LOCAL_PROVIDERS = ("huggingface",)
"""Of LangChain's providers, those whose models run in this process."""


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


class Embedder(ABC):
    """Makes vectors of texts.

    An embedder of your own derives from this class, with a `spec` and a method `embed`. The rest has defaults, which
    are those of a model that runs in this process and costs nothing.
    """

    @property
    @abstractmethod
    def spec(self) -> EmbedderSpec:
        """What tells its vectors from another embedder's."""

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts.

        Returns
        -------
        ndarray of shape (n_texts, n_dimensions), float32
            One finite vector of unit length per text, in the order of the texts.

        Raises
        ------
        TextError
            If a text is empty, not Unicode, or refused.
        EmbedderError
            If the embedder fails.
        """

    def embed_partial(self, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
        """Embed those texts that can be embedded.

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
        reasons = text_faults(texts)
        while usable := [index for index in range(len(texts)) if index not in reasons]:
            try:
                embedded = self.embed_checked([texts[index] for index in usable])
            except TextError as error:
                if not error.reasons:
                    raise
                reasons |= {usable[index]: reason for index, reason in error.reasons.items()}
                continue
            if not reasons:
                return embedded, reasons
            vectors = np.full((len(texts), embedded.shape[1]), np.nan, dtype=np.float32)
            vectors[usable] = embedded
            return vectors, dict(sorted(reasons.items()))
        return np.full((len(texts), self.spec.dimensions or 0), np.nan, dtype=np.float32), reasons

    def embed_checked(self, texts: list[str]) -> Vectors:
        """Embed texts that `check_texts` has returned, and check what comes of it, since an embedder may be anybody's.

        Raises
        ------
        TextError
            If some of them are refused.
        EmbedderError
            If the embedder fails, or does not make one finite vector per text.
        """
        try:
            return check_vectors(self.embed(texts), len(texts))
        except ArgumentError as error:
            raise EmbedderError(f"{self.spec}: {error}") from error

    @property
    def is_local(self) -> bool:
        """Whether it runs in this process, so that nothing is sent and nothing is paid."""
        return self.spec.endpoint is None

    @property
    def is_lexical(self) -> bool:
        """Whether its vectors are made of word n-grams alone, which a classifier can weigh one by one instead."""
        return False

    @property
    def source(self) -> Hashable:
        """What its vectors are cut from: embedders of the same source share them in a cache."""
        return self.spec

    @property
    def usage(self) -> Usage:
        """What it has used since it was opened."""
        return Usage()

    def estimate(self, texts: Iterable[str], *, anew: bool = False) -> Estimate:
        """Estimate what it takes to embed texts. Nothing is sent, and no key is needed.

        Parameters
        ----------
        texts : iterable of str
            Those that cannot be embedded are skipped.
        anew : bool
            Whether to estimate as if nothing were cached.
        """
        usable = [text for text in texts if text_fault(text) is None]
        unique = len(set(usable))
        return Estimate(len(usable), unique, 0, unique, 0, 0, 0.0, 0.0)

    def check_cost(self, estimate: Estimate) -> None:  # noqa: B027 - no limit by default
        """Check that an estimate is within what it may still spend.

        Raises
        ------
        MaxCostError
            If it is not.
        """

    def length_warning(self, text: str) -> str | None:
        """Say why a text may be too long for it, or None if it is not."""
        return None

    @property
    def max_concurrency(self) -> int | None:
        """The most requests in flight at once; None where nothing limits them."""
        return None

    def split(self, n: int) -> "Embedder":
        """Return the same embedder with an n-th of its requests, for each of n processes to open.

        Raises
        ------
        EmbedderError
            If it has a limit in dollars, which the processes could not hold together.
        """
        return self

    def uncached(self) -> "Embedder":
        """Return the same embedder without its cache."""
        return self

    def warm_up(self) -> None:  # noqa: B027 - nothing by default
        """Load what the first call would have to wait for. Nothing is sent."""

    def token_shares(self, text: str, direction: npt.NDArray[np.float64]) -> "TokenShares | None":
        """Divide the product of a text's vector and a direction among the text's tokens.

        Parameters
        ----------
        text : str
            One that `embed` has a vector for.
        direction : ndarray of shape (n_dimensions,), float64

        Returns
        -------
        TokenShares or None
            None if its vectors are not sums over tokens.
        """
        return None

    @property
    def has_token_shares(self) -> bool:
        """Whether its vectors are sums over tokens, so that each token has a share of its own in a score."""
        return False


class PartialEmbedder(Embedder):
    """An embedder whose one method leaves out the texts that it cannot embed: the others follow from it."""

    @abstractmethod
    def embed_usable(self, texts: list[str], faults: dict[int, str]) -> tuple[Vectors, dict[int, str]]:
        """Embed those texts that have no fault, and that it does not refuse.

        Parameters
        ----------
        texts : list of str
        faults : dict of int to str
            What `text_faults` says of the texts.

        Returns
        -------
        vectors, reasons
            As of `embed_partial`; the faults are among the reasons.
        """

    def embed_partial(self, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
        """Embed those texts that can be embedded; see `Embedder.embed_partial`."""
        texts = list_of_strings(texts, "texts")
        return self.embed_usable(texts, text_faults(texts))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; see `Embedder.embed`."""
        return self.embed_checked(check_texts(texts))

    def embed_checked(self, texts: list[str]) -> Vectors:
        """Embed texts that `check_texts` has returned; see `Embedder.embed_checked`."""
        vectors, reasons = self.embed_usable(texts, {})
        if reasons:
            raise TextError(reasons)
        return vectors


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


def check_vectors(vectors: Vectors, n_texts: int, *, missing: bool = False) -> Vectors:
    """Check that there is one vector per text, and that it is finite.

    Parameters
    ----------
    vectors : ndarray of shape (n_texts, n_dimensions), float32
    n_texts : int
    missing : bool
        Whether some may be NaN, where a text has no vector.

    Raises
    ------
    ArgumentError
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2:
        raise ArgumentError(f"vectors have the shape (n_texts, n_dimensions), not {vectors.shape}")
    if len(vectors) != n_texts:
        raise ArgumentError(f"there are {counted(n_texts, 'text')} and {counted(len(vectors), 'vector')}")
    if not missing and not (finite := np.isfinite(vectors).all(axis=1)).all():
        n = int((~finite).sum())
        others = "" if n == 1 else f", nor {'is another' if n == 2 else f'are {n - 1:,} others'}"
        raise ArgumentError(
            f"vectors[{int(finite.argmin())}] is not finite{others}: leave out the texts that have no vector"
        )
    return vectors
