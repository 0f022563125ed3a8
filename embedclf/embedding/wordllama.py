"""WordLlama, the default without an API key: a static model whose weights ship in its wheel; no network needed."""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.embedding.base import EmbedderSpec, PartialEmbedder, TokenShares
from embedclf.embedding.usage import OnEvent, Progress
from embedclf.errors import EmbedderError, NotInstalledError
from embedclf.phases import phase

_MODEL = "l2_supercat"
# The Matryoshka lengths that the model was trained for, up to that of the wheel's weights.
_DIMENSIONS = (64, 128, 256)
# Paths inside the package; the compiled and the pure-Python wheels contain the same vectors.
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
# Recommended for manual installation: the pure-Python version installs everywhere.
_REQUIREMENT = "wordllama==0.2.2.post0"

# Converting all 32,000 vectors to float32 takes longer than reading them, and one text needs only a few. So vectors are
# converted on demand at first, and all at once after this many.
_FEW_TOKENS = 4_000

# Characters bound a batch's memory: each has at most 4 tokens (one per byte) of 1 kB.
_PIECE_CHARACTERS = 8_192
_BATCH_CHARACTERS = 32_768


# In bytes. The mean of about 2,000 tokens (at OpenAI's 4 bytes per token) no longer represents any single subject.
# It is also close to the input limit of most models in the catalogue.
_LONG_TEXT_BYTES = 8_192


class WordLlamaEmbedder(PartialEmbedder):
    """Embeds texts with WordLlama: the mean of a text's token vectors, scaled to unit length.

    The vectors equal those of ``WordLlama.embed(texts, norm=True)``. To bound memory, texts are not padded to the
    longest of a batch, and long texts are processed in pieces.

    Parameters
    ----------
    model : str, optional
        Only ``l2_supercat``, the model in the wheel.
    dimensions : int, optional
        64, 128 or 256 (the default).
    on_event : callable, optional
        Called with a `Progress` as texts are embedded.

    Raises
    ------
    EmbedderError
        If WordLlama is not installed, or does not support the model or the dimensions.
    """

    def __init__(
        self, model: str | None = None, *, dimensions: int | None = None, on_event: OnEvent | None = None
    ) -> None:
        if model not in (None, _MODEL):
            raise EmbedderError(f"unknown WordLlama model {model!r}; its wheel contains only 'wordllama:{_MODEL}'")
        dimensions = _DIMENSIONS[-1] if dimensions is None else dimensions
        if dimensions not in _DIMENSIONS:
            known = ", ".join(map(str, _DIMENSIONS[:-1])) + f" or {_DIMENSIONS[-1]}"
            raise EmbedderError(f"wordllama:{_MODEL} supports {known} dimensions, got {dimensions}")
        self._dimensions = dimensions
        self._on_event = on_event
        self._tokenizer, token_vectors = _load()
        self._token_vectors: npt.NDArray[np.float16] | Vectors = token_vectors[:, :dimensions]
        self._n_converted = 0

    def __repr__(self) -> str:
        return f"WordLlamaEmbedder({_MODEL!r}, dimensions={self._dimensions})"

    def __getstate__(self) -> dict[str, Any]:
        return {"dimensions": self._dimensions}

    def __setstate__(self, state: dict[str, Any]) -> None:
        WordLlamaEmbedder.__init__(self, **state)

    @property
    def spec(self) -> EmbedderSpec:
        """The model that its vectors come from."""
        return EmbedderSpec("wordllama", _MODEL, self._dimensions)

    @property
    def knows_only_english(self) -> bool:
        """True: it was trained on English texts."""
        return True

    def embed_usable(self, texts: list[str], faults: dict[int, str]) -> tuple[Vectors, dict[int, str]]:
        """Embed the texts that have a vector; see `PartialEmbedder.embed_usable`.

        A text's vector does not depend on the other texts of the call.
        """
        sums = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        pieces = ((index, piece) for index, text in enumerate(texts) if index not in faults for _, piece in _cut(text))
        with phase("Embedding", len(texts), "text") as embedding:
            for batch in _batches(pieces):
                encodings = self._tokenizer.encode_batch_fast([piece for _, piece in batch], add_special_tokens=False)
                token_ids = [encoding.ids for encoding in encodings]
                starts = np.cumsum([0, *map(len, token_ids[:-1])])
                piece_sums = np.add.reduceat(self._vectors_of(np.concatenate(token_ids)), starts, axis=0)
                np.add.at(sums, [index for index, _ in batch], piece_sums)
                embedding.reach(batch[-1][0])
                if self._on_event is not None:
                    self._on_event(Progress(embedding.done, len(texts), 0, 0.0))
        # Sum and mean differ only by a factor, which scaling to unit length removes.
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        usable = (lengths[:, 0] > 0) & np.isfinite(lengths[:, 0])
        no_vector = {int(index): "WordLlama has no vector for this text" for index in np.flatnonzero(~usable)}
        lengths[~usable] = np.nan
        sums /= lengths
        return sums, dict(sorted((no_vector | faults).items()))

    def length_warning(self, text: str) -> str | None:
        """Return why a text may be too long, or None: the mean of many words represents none of them well."""
        # A character has at most 4 bytes, so most texts need not be encoded.
        if len(text) * 4 <= _LONG_TEXT_BYTES or (size := len(text.encode())) <= _LONG_TEXT_BYTES:
            return None
        return f"{size:,} bytes averaged into one vector"

    @property
    def has_token_shares(self) -> bool:
        """True: a vector is the sum of its tokens' vectors, scaled."""
        return True

    def token_shares(self, text: str, direction: npt.NDArray[np.float64]) -> TokenShares:
        """Split the dot product of a text's vector and another among its tokens; see `Embedder.token_shares`."""
        total = np.zeros(self._dimensions)
        places, values = [], []
        for start, piece in _cut(text):
            # `encode_batch_fast` returns no offsets.
            (encoding,) = self._tokenizer.encode_batch([piece], add_special_tokens=False)
            token_vectors = self._vectors_of(np.array(encoding.ids, dtype=np.intp)).astype(np.float64)
            total += token_vectors.sum(axis=0)
            places.append(start + np.array(encoding.offsets, dtype=np.intp))
            values.append(token_vectors @ direction)
        starts, ends = np.concatenate(places).T
        return TokenShares(starts, ends, np.concatenate(values) / np.linalg.norm(total))

    def _vectors_of(self, token_ids: npt.NDArray[np.intp]) -> Vectors:
        token_vectors = self._token_vectors
        if token_vectors.dtype == np.float16:
            self._n_converted += len(token_ids)
            if self._n_converted > _FEW_TOKENS:
                token_vectors = self._token_vectors = token_vectors.astype(np.float32)
        return token_vectors[token_ids].astype(np.float32, copy=False)


def _load() -> tuple[Any, npt.NDArray[np.float16]]:
    """Read the tokenizer and the token vectors from the installed package, without importing it.

    Importing it would configure logging for the whole process, allow downloads, and take longer than everything else.
    """
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:  # the origin is None for a folder that happens to have the same name
        raise NotInstalledError(f"the WordLlama embedder is not installed: pip install '{_REQUIREMENT}'")
    return _read(Path(spec.origin).parent)


@cache
def _read(package: Path) -> tuple[Any, npt.NDArray[np.float16]]:
    """Read them once per process; threads can share the tokenizer, since it does not change after this."""
    tokens, weights = (package / name for name in (_TOKENIZER, _WEIGHTS))
    for file in (tokens, weights):
        if not file.is_file():  # reading a named pipe could block
            raise _does_not_load(f"file not found: {file}")
    from safetensors import safe_open
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(tokens))
    except Exception as error:  # the library raises plain Exception
        raise _does_not_load(f"{tokens}: {error}") from error
    try:
        with safe_open(weights, framework="np") as tensors:
            token_vectors: npt.NDArray[np.float16] = tensors.get_tensor("embedding.weight")
    except Exception as error:  # SafetensorError or OSError
        raise _does_not_load(f"{weights}: {error}") from error
    shape = (tokenizer.get_vocab_size(), _DIMENSIONS[-1])
    if token_vectors.dtype != np.float16 or token_vectors.shape != shape:
        found = f"{token_vectors.dtype} of shape {token_vectors.shape}"
        raise _does_not_load(f"{weights}: expected float16 vectors of shape {shape}, got {found}")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, token_vectors


def _does_not_load(why: str) -> EmbedderError:
    return EmbedderError(
        f"WordLlama is installed but cannot be loaded ({why}); "
        f"reinstall it: pip install --force-reinstall --no-deps '{_REQUIREMENT}'"
    )


def _cut(text: str) -> Iterator[tuple[int, str]]:
    """Yield the pieces of a long text, each with its start.

    Cut at spaces where possible, since this does not change the tokens.
    """
    start = 0
    while len(text) - start > _PIECE_CHARACTERS:
        space = text.rfind(" ", start + 1, start + _PIECE_CHARACTERS)
        end = start + _PIECE_CHARACTERS if space < 0 else space
        yield start, text[start:end]
        start = end if space < 0 else end + 1
    if start < len(text):
        yield start, text[start:]


def _batches(pieces: Iterator[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    batch: list[tuple[int, str]] = []
    characters = 0
    for piece in pieces:
        if batch and characters + len(piece[1]) > _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
        batch.append(piece)
        characters += len(piece[1])
    if batch:
        yield batch
