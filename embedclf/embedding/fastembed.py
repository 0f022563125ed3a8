"""Embedding models as ONNX files on one's own machine: those that fastembed names, and those in a folder.

A model that fastembed names is downloaded from its hub when it is first used, and never looked for there again. Nothing
is downloaded for a folder.
"""

import ctypes
import os
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakSet

import numpy as np

from embedclf.arrays import Vectors
from embedclf.embedding.base import FOLDER, EmbedderSpec
from embedclf.embedding.batch_embedder import Batch, BatchEmbedder, Refused
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.cached_embedder import CachedEmbedder
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.embedding.onnx_folder import OnnxFolder, TokenIds, digest_of
from embedclf.embedding.requests.cancellation import check_not_stopped
from embedclf.embedding.shared_spending import SharedSpending
from embedclf.embedding.usage import Meter, OnEvent
from embedclf.errors import EmbedderError, NotInstalledError
from embedclf.threads import n_cores

DEFAULT_MODEL = "BAAI/bge-small-en-v1.5"
_EXTRA = "embedclf[fastembed]"

# Attention needs memory for the square of a text's tokens: at these, about 200 MB for 12 heads, and no text alone more.
_MOST_TOKENS = 2_048
# Tokens of one call. With eight times as many, MiniLM was a quarter slower, since they no longer fit into the caches of
# a processor, and needed 400 MB more.
_BATCH_TOKENS = 1_024
# Texts whose tokens are kept at once, to be sorted by length; and bytes tokenized at once.
_TEXTS_AT_ONCE = 2_048
_BYTES_AT_ONCE = 2**18
# A text of more bytes per token than this is not tokenized as a whole: hardly any is within the limit.
_MOST_BYTES_PER_TOKEN = 32
# Vectors are passed on, and so cached, when there are this many, or after this many seconds.
_PASSED_ON, _SECONDS = 256, 1.0


class Encoder(Protocol):
    """A model that is loaded."""

    max_tokens: int

    @property
    def can_pad(self) -> bool:
        """Whether texts of different length can be embedded in one call."""

    def token_ids(self, texts: list[str]) -> list[TokenIds]:
        """Return the tokens of texts, which are not cut."""

    def embed(self, texts: list[str], token_ids: list[TokenIds]) -> Vectors:
        """Return the vectors of texts, of any length, in one call of the model."""


_LOADED: WeakSet[Encoder] = WeakSet()


def _never_free() -> None:
    """Keep what a forked process has inherited until it ends: freeing it would wait for threads that are not there."""
    for encoder in _LOADED:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(encoder))
    _LOADED.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_never_free)


class FastembedModel(BatchEmbedder):
    """A model that fastembed names, or one in a folder, loaded when it is first used. Thread-safe; one call at a time.

    Parameters
    ----------
    name : str
        As fastembed writes it, or `FOLDER` and the digest of the folder.
    folder : Path, optional
        An absolute path; None for a model that fastembed names.
    dimensions : int, optional
        The known length of its vectors; None takes it from the first.
    knows_only_english : bool
    n_threads : int, optional
        Of one call; None uses all cores.
    """

    def __init__(
        self,
        name: str,
        folder: Path | None = None,
        *,
        dimensions: int | None = None,
        knows_only_english: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self._name = name
        self._folder = folder
        self._dimensions = dimensions
        self._knows_only_english = knows_only_english
        self._n_threads = n_threads
        self.meter = Meter(0.0)
        self._lock = ForkSafeLock()
        # With the process that loaded it: its threads do not survive a fork.
        self._loaded: tuple[int, Encoder] | None = None

    def __repr__(self) -> str:
        return f"FastembedModel({self._name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (self._name, self._folder, self._settings)

    def __getstate__(self) -> dict[str, Any]:
        # For skops, whose files hold plain values. A pickle, which can run code anyway, uses `__reduce__`.
        if self._folder is not None:
            raise EmbedderError(f"{self.spec} cannot be stored: a file cannot choose which folder is read")
        return {"name": self._name, **self._settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        _check_installed()
        FastembedModel.__init__(self, **state)

    @property
    def _settings(self) -> dict[str, Any]:
        return {
            "dimensions": self._dimensions,
            "knows_only_english": self._knows_only_english,
            "n_threads": self._n_threads,
        }

    @property
    def spec(self) -> EmbedderSpec:
        """The model that its vectors come from; dimensions is None while unknown."""
        return EmbedderSpec("fastembed", self._name, self._dimensions)

    @property
    def is_local(self) -> bool:
        """True: it runs in this process, and is free."""
        return True

    @property
    def knows_only_english(self) -> bool:
        """Whether fastembed says that it is for English only."""
        return self._knows_only_english

    def split(self, n: int, shared: SharedSpending | None = None) -> "FastembedModel":
        """Return the same model with 1/n of the cores, at least one, for each of n processes."""
        return _remake(self._name, self._folder, self._settings | {"n_threads": max(1, n_cores() // n)})

    def warm_up(self) -> None:
        """Load the model, which is downloaded if it is not on this machine yet."""
        self._encoder()

    def embed_batches(self, texts: Sequence[str], keep: Callable[[Batch], None]) -> dict[int, Refused]:
        """Embed texts of similar length together; see `BatchEmbedder`. Texts that are too long are refused."""
        encoder, refused = self._encoder(), dict[int, Refused]()
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            part = range(start, min(start + _TEXTS_AT_ONCE, len(texts)))
            tokens = self._tokens_of(encoder, texts, part, refused)
            places, rows, since = list[int](), list[Vectors](), time.monotonic()
            try:
                for batch in _batches(tokens, encoder.can_pad):
                    check_not_stopped()
                    with self._lock:
                        vectors = encoder.embed([texts[place] for place in batch], [tokens[place] for place in batch])
                    usable, lengths = self._checked(vectors, len(batch))
                    refused |= {
                        place: Refused(f"{self._name} has no vector for this text", None)
                        for place, is_usable in zip(batch, usable, strict=True)
                        if not is_usable
                    }
                    places += [place for place, is_usable in zip(batch, usable, strict=True) if is_usable]
                    rows.append((vectors / lengths)[usable])
                    if len(places) >= _PASSED_ON or time.monotonic() - since > _SECONDS:
                        keep(Batch(np.array(places, dtype=np.intp), np.concatenate(rows), 0))
                        places, rows, since = [], [], time.monotonic()
            finally:
                if places:
                    keep(Batch(np.array(places, dtype=np.intp), np.concatenate(rows), 0))
        return refused

    def _tokens_of(
        self, encoder: Encoder, texts: Sequence[str], part: range, refused: dict[int, Refused]
    ) -> dict[int, TokenIds]:
        """Return the tokens of some of the texts, by index, and add those that are too long to `refused`."""
        limit = min(encoder.max_tokens, _MOST_TOKENS)
        most_bytes = limit * _MOST_BYTES_PER_TOKEN
        tokens: dict[int, TokenIds] = {}

        def read(places: list[int]) -> None:
            # Of a very long text, only the beginning is read, which tells into how many pieces to cut it.
            read = [texts[place][:most_bytes] for place in places]
            for place, beginning, ids in zip(places, read, encoder.token_ids(read), strict=True):
                size, n_read = len(texts[place].encode()), len(beginning.encode())
                if len(ids) <= limit and size == n_read:
                    tokens[place] = ids
                    continue
                reason = f"longer than the {limit:,} tokens of {self._name}"
                # A little less than what fits on average, so that few pieces have to be cut again.
                piece = min(max(4, int(0.9 * limit * n_read / len(ids))), most_bytes)
                refused[place] = Refused(reason, piece if piece < size else None)

        together, n_bytes = list[int](), 0
        for place in part:
            together.append(place)
            n_bytes += len(texts[place])
            if n_bytes > _BYTES_AT_ONCE:
                read(together)
                together, n_bytes = [], 0
        read(together)
        return tokens

    def _checked(self, vectors: Vectors, n: int) -> tuple[Any, Any]:
        """Return which vectors are usable, and their lengths."""
        if vectors.ndim != 2 or len(vectors) != n or vectors.shape[1] != (self._dimensions or vectors.shape[1]):
            shape = f"({n}, {self._dimensions or 'n'})"
            asked = "" if self._folder is None else ", and its vectors cannot be shortened"
            raise EmbedderError(f"{self.spec} returned vectors of shape {vectors.shape}, expected {shape}{asked}")
        self._dimensions = vectors.shape[1]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (lengths[:, 0] > 0) & np.isfinite(lengths[:, 0]), lengths

    def _encoder(self) -> Encoder:
        with self._lock:
            if self._loaded is None or self._loaded[0] != os.getpid():
                encoder = self._load()
                _LOADED.add(encoder)
                self._loaded = os.getpid(), encoder
            return self._loaded[1]

    def _load(self) -> Encoder:
        if self._folder is None:
            from embedclf.embedding.fastembed_names import NamedModel

            return NamedModel(self._name, self._n_threads)
        loaded = OnnxFolder(self._folder, self._n_threads or n_cores())
        if (here := f"{FOLDER}{digest_of(self._folder)}") != self._name:
            raise EmbedderError(f"the model in {self._folder} has changed: it was {self._name}, and is now {here}")
        return loaded


def _batches(tokens: dict[int, TokenIds], can_pad: bool) -> Iterator[list[int]]:
    """Yield the places of texts to embed in one call, the longest first, which shows early if memory is short."""
    batch: list[int] = []
    for place in sorted(tokens, key=lambda place: -len(tokens[place])):
        longest = len(tokens[batch[0]]) if batch else 0
        is_other = not can_pad and len(tokens[place]) != longest
        if batch and (is_other or (len(batch) + 1) * longest > _BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _remake(name: str, folder: Path | None, settings: dict[str, Any]) -> FastembedModel:
    return FastembedModel(name, folder, **settings)


def open_fastembed(
    model: str,
    *,
    dimensions: int | None = None,
    cache: VectorCache | None = None,
    on_event: OnEvent | None = None,
    prompt: str | None = None,
) -> CachedEmbedder:
    """Open a model of fastembed, or one in a folder, without loading or downloading it.

    Parameters
    ----------
    model : str
        A name that fastembed has, or the path of a folder that begins with ``/``, ``./``, ``../`` or ``~``; empty opens
        `DEFAULT_MODEL`.
    dimensions, cache, on_event, prompt
        See `CachedEmbedder`.

    Raises
    ------
    EmbedderError
        If fastembed is not installed or does not have the model, the folder has none, or its vectors have another
        length.
    """
    _check_installed()
    if _is_path(model):
        folder = Path(model).expanduser().absolute()
        behind = FastembedModel(f"{FOLDER}{digest_of(folder)}", folder, dimensions=dimensions)
    else:
        from embedclf.embedding.fastembed_names import facts_of

        facts = facts_of(model or DEFAULT_MODEL)
        behind = FastembedModel(facts.name, dimensions=facts.dimensions, knows_only_english=facts.english_only)
    return CachedEmbedder(behind, dimensions=dimensions, cache=cache, on_event=on_event, prompt=prompt)


def _is_path(model: str) -> bool:
    return Path(model).is_absolute() or model.startswith(("./", "../", ".\\", "..\\", "~")) or model in (".", "..")


def _check_installed() -> None:
    spec = find_spec("fastembed")
    if spec is None or spec.origin is None:  # the origin is None for a folder that happens to have the same name
        raise NotInstalledError(f"the fastembed embedder is not installed: pip install '{_EXTRA}'")
