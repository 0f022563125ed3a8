"""The base classes of embedders."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.embedding.charges import Price
from embedclf.embedding.usage import Estimate, Usage
from embedclf.errors import ArgumentError, EmbedderError, TextError
from embedclf.formatting import counted
from embedclf.phases import phase
from embedclf.validation import check_texts, text_fault, usable_texts

EXTERNAL = "external"
"""The provider of embedders that are passed as objects."""

WORDS = "words"
"""The provider of vectors of word n-grams, which need no model weights."""

OURS = ("aimlapi", "fastembed", "wordllama", WORDS)
"""The built-in providers."""

FOLDER = "folder@"
"""What the name of a model in a folder begins with, before a digest of its content: no file says where that is."""

LOCAL_PROVIDERS = ("huggingface",)
"""The LangChain providers whose models run in this process."""

_WHERE_SET = ("shortened", "task", "prompt")
_SHOWN_OF_PROMPT = 30


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """Identifies the model that vectors come from. Vectors with different specs cannot be mixed.

    Attributes
    ----------
    provider, model : str
        As in the string ``provider:model``.
    dimensions : int or None
        Length of a vector; None while unknown.
    endpoint : str or None
        The server's URL; None if the model runs in this process. It is only compared, never called.
    shortened : bool
        Whether the own vectors of a model that is not in the catalogue have another length, and this one is requested.
    task : str or None
        What the model is told that its vectors are for; None if it is not told.
    prompt : str or None
        What is put before each text; None if nothing is.
    """

    provider: str
    model: str
    dimensions: int | None
    endpoint: str | None = None
    shortened: bool = field(default=False, compare=False)
    task: str | None = None
    prompt: str | None = None

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"

    @property
    def told(self) -> str:
        """The task and the prompt as people read them; empty if there is neither."""
        prompt = self.prompt
        if prompt is not None and len(prompt) > 2 * _SHOWN_OF_PROMPT:
            prompt = f"{prompt[:_SHOWN_OF_PROMPT]}…{prompt[-_SHOWN_OF_PROMPT:]}"  # prompts may differ at either end
        parts = {"task": self.task, "prompt": None if prompt is None else repr(prompt)}
        return ", ".join(f"{name}: {value}" for name, value in parts.items() if value is not None)

    @property
    def described(self) -> str:
        """``provider:model``, with the task and the prompt if there are any."""
        return f"{self} ({self.told})" if self.told else str(self)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON; ``shortened``, ``task`` and ``prompt`` only where they say something."""
        return {name: value for name, value in asdict(self).items() if value or name not in _WHERE_SET}

    @property
    def is_enough(self) -> bool:
        """Whether `load` opens the embedder by itself; any other must be passed again to load a model."""
        return self.provider in OURS and not self.is_in_folder

    @property
    def is_in_folder(self) -> bool:
        """Whether it is a model in a folder, known by its content."""
        return self.provider == "fastembed" and self.model.startswith(FOLDER)


def is_alike(new: EmbedderSpec, known: EmbedderSpec) -> bool:
    """Return whether embedders make the same vectors; a length that is not known yet is taken to be the same."""
    return replace(new, dimensions=new.dimensions or known.dimensions) == known


class Embedder(ABC):
    """Turns texts into vectors.

    To write a custom embedder, derive from this class and implement `spec` and `embed`. The other methods have defaults
    that suit a model which runs in this process and costs nothing.
    """

    @property
    @abstractmethod
    def spec(self) -> EmbedderSpec:
        """The model that its vectors come from."""

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
            If a text is empty, not valid Unicode, or rejected by the model.
        EmbedderError
            If the embedder fails.
        """

    def embed_partial(self, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
        """Embed the texts that can be embedded.

        Returns
        -------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
            NaN for texts that cannot be embedded.
        reasons : dict of int to str
            Why texts cannot be embedded, by index; a missing text (None, NaN) is one of them.

        Raises
        ------
        EmbedderError
            If the embedder fails.
        """
        texts, reasons = usable_texts(texts)
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
        """Embed texts returned by `check_texts`, and check the vectors, since the embedder may be third-party code.

        Raises
        ------
        TextError
            If a text is rejected by the model.
        EmbedderError
            If the embedder fails, or does not return one finite vector per text.
        """
        try:
            with phase("Embedding"):
                vectors = self.embed(texts)
            return check_vectors(vectors, len(texts))
        except ArgumentError as error:
            raise EmbedderError(f"{self.spec}: {error}") from error

    @property
    def is_local(self) -> bool:
        """Whether it runs in this process, so that nothing is sent or paid for."""
        return self.spec.endpoint is None

    @property
    def is_lexical(self) -> bool:
        """Whether its vectors only hash word n-grams, which a classifier can use as features directly."""
        return False

    @property
    def knows_only_english(self) -> bool:
        """Whether its vectors carry little meaning for texts in other languages."""
        return False

    @property
    def source(self) -> Hashable:
        """What its vectors are cut from. Embedders with equal sources share cached vectors."""
        return self.spec

    @property
    def usage(self) -> Usage:
        """What it has used since it was opened."""
        return Usage()

    def estimate(self, texts: Iterable[str], *, anew: bool = False) -> Estimate:
        """Estimate the tokens and cost of embedding texts, without sending anything or needing a key.

        Parameters
        ----------
        texts : iterable of str
            Texts that cannot be embedded are skipped.
        anew : bool
            Whether to ignore cached vectors.

        Raises
        ------
        EmbedderError
            If the model is no longer served, and not all vectors are cached.
        """
        with phase("Estimating the cost"):
            usable = [text for text in texts if text_fault(text) is None]
            unique = len(set(usable))
        return Estimate(len(usable), unique, 0, unique, 0, 0, 0.0, 0.0)

    def quote(self, price: Price) -> None:  # noqa: B027 - what costs nothing has no price
        """Go by a price that the server has named when estimating."""

    def check_cost(self, estimate: Estimate) -> None:  # noqa: B027 - no limit by default
        """Check that an estimated cost is within what is left of its spending limit.

        Raises
        ------
        MaxCostError
            If it exceeds the limit.
        """

    def length_warning(self, text: str) -> str | None:
        """Return why a text may be too long for the model, or None."""
        return None

    @property
    def max_cost(self) -> float | None:
        """The spending limit in dollars; None if there is none."""
        return None

    @property
    def spent(self) -> float:
        """What was spent of the limit in dollars, including what may have been by requests without an answer."""
        return self.usage.known_dollars

    @property
    def max_concurrency(self) -> int | None:
        """The maximum number of concurrent requests; None if there is no limit."""
        return None

    def split(self, n: int) -> "Embedder":
        """Return the same embedder for each of n processes: with 1/n of its concurrent requests, and of its limit."""
        return self

    def uncached(self) -> "Embedder":
        """Return the same embedder without its cache."""
        return self

    def warm_up(self) -> None:  # noqa: B027 - nothing by default
        """Load what the first call would otherwise wait for, without sending anything."""

    def token_shares(self, text: str, direction: npt.NDArray[np.float64]) -> "TokenShares | None":
        """Split the dot product of a text's vector and a direction into one share per token.

        Parameters
        ----------
        text : str
            A text that can be embedded.
        direction : ndarray of shape (n_dimensions,), float64

        Returns
        -------
        TokenShares or None
            None if its vectors are not sums over tokens; see `has_token_shares`.
        """
        return None

    @property
    def has_token_shares(self) -> bool:
        """Whether its vectors are sums over tokens, so that each token contributes a separate share to a score."""
        return False


class LangChainEmbeddings(Protocol):
    """LangChain's ``Embeddings``, as far as it is used here."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one vector per text."""


EmbedderLike: TypeAlias = str | Embedder | LangChainEmbeddings
"""What an argument `embedder` may be: a ``provider:model``, an embedder, or a LangChain ``Embeddings``."""


class PartialEmbedder(Embedder):
    """An embedder that implements a single method, `embed_usable`, which skips texts that cannot be embedded."""

    @abstractmethod
    def embed_usable(self, texts: list[str], faults: dict[int, str]) -> tuple[Vectors, dict[int, str]]:
        """Embed the texts that have no fault and are not rejected by the model.

        Parameters
        ----------
        texts : list of str
        faults : dict of int to str
            Why some texts cannot be embedded; see `usable_texts`.

        Returns
        -------
        vectors, reasons
            See `embed_partial`; the reasons include the faults.
        """

    def embed_partial(self, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
        """Embed the texts that can be embedded; see `Embedder.embed_partial`."""
        return self.embed_usable(*usable_texts(texts))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; see `Embedder.embed`."""
        return self.embed_checked(check_texts(texts))

    def embed_checked(self, texts: list[str]) -> Vectors:
        """Embed texts returned by `check_texts`; see `Embedder.embed_checked`."""
        vectors, reasons = self.embed_usable(texts, {})
        if reasons:
            raise TextError(reasons)
        return vectors


class TokenShares(NamedTuple):
    """The share of each token of a text in the dot product of its vector and another.

    Attributes
    ----------
    starts, ends : ndarray of shape (n_tokens,)
        Character offsets of each token in the text; tokens that encode parts of one character have the same offsets.
    values : ndarray of shape (n_tokens,), float64
        The shares, which sum to the dot product.
    """

    starts: npt.NDArray[np.intp]
    ends: npt.NDArray[np.intp]
    values: npt.NDArray[np.float64]


def check_vectors(vectors: Vectors, n_texts: int, *, missing: bool = False) -> Vectors:
    """Return vectors as float32 after checking that there is one finite vector per text.

    Parameters
    ----------
    vectors : ndarray of shape (n_texts, n_dimensions), float32
    n_texts : int
    missing : bool
        Whether rows may be NaN, for texts that have no vector.

    Raises
    ------
    ArgumentError
        If the vectors have the wrong shape or number, or are not finite.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2:
        raise ArgumentError(f"vectors must have shape (n_texts, n_dimensions), got {vectors.shape}")
    if len(vectors) != n_texts:
        raise ArgumentError(f"got {counted(n_texts, 'text')} but {counted(len(vectors), 'vector')}")
    if not missing and not (finite := np.isfinite(vectors).all(axis=1)).all():
        n = int((~finite).sum())
        others = "" if n == 1 else f", nor {'is 1 other row' if n == 2 else f'are {n - 1:,} other rows'}"
        raise ArgumentError(f"vectors[{int(finite.argmin())}] is not finite{others}: drop texts that have no vector")
    return vectors
