"""WordLlama, the embedded default: a static model whose weights come inside its wheel; no key, no network."""

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

_MODEL = "l2_supercat"
# The lengths that the model was trained to be cut to (Matryoshka), of those that the wheel's weights hold.
_DIMENSIONS = (64, 128, 256)
# Inside the package; the compiled wheels and the pure one have the same vectors.
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
# What to ask for by hand: of pure Python, it installs everywhere.
_REQUIREMENT = "wordllama==0.2.2.post0"

# To convert all 32,000 vectors takes longer than to read them, and one text needs but a few. So they are converted as
# they are needed, until that has cost a fraction of converting them all.
_FEW_TOKENS = 4_000

# A batch's memory is bounded by its characters: each is at most 4 tokens (one per byte), each of these 1 kB.
_PIECE_CHARACTERS = 8_192
_BATCH_CHARACTERS = 32_768


# A text has one vector, the mean of all its tokens: of about 2,000 of them (at OpenAI's 4 bytes a token) no single
# subject stands out. It is also about the limit of most models in the catalogue.
_MEAN_OF_MANY = 8_192


class WordLlamaEmbedder(PartialEmbedder):
    """Embeds texts with WordLlama: the mean of a text's token vectors, scaled to unit length.

    The vectors are those of ``WordLlama.embed(texts, norm=True)``. Texts are not padded to the longest of a batch,
    and long ones are cut into pieces that are averaged by token count, so that memory stays bounded.

    Parameters
    ----------
    model : str, optional
        ``l2_supercat`` is the only one that comes inside the wheel.
    dimensions : int, optional
        64, 128 or 256 (the default).
    on_event : callable, optional
        Is given a `Progress` whenever some texts are done.

    Raises
    ------
    EmbedderError
        If WordLlama is not installed, or has no such model or dimensions.
    """

    def __init__(
        self, model: str | None = None, *, dimensions: int | None = None, on_event: OnEvent | None = None
    ) -> None:
        if model not in (None, _MODEL):
            raise EmbedderError(f"WordLlama has no model {model!r}; the one in its wheel is 'wordllama:{_MODEL}'")
        dimensions = _DIMENSIONS[-1] if dimensions is None else dimensions
        if dimensions not in _DIMENSIONS:
            known = ", ".join(map(str, _DIMENSIONS[:-1])) + f" or {_DIMENSIONS[-1]}"
            raise EmbedderError(f"wordllama:{_MODEL} has vectors of {known} dimensions, not of {dimensions}")
        self._dimensions = dimensions
        self._on_event = on_event
        self._tokenizer, token_vectors = _load()
        self._token_vectors: npt.NDArray[np.float16] | Vectors = token_vectors[:, :dimensions]
        self._n_converted = 0

    def __repr__(self) -> str:
        return f"WordLlamaEmbedder({_MODEL!r}, dimensions={self._dimensions})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _open, (_MODEL, self._dimensions)

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors from another embedder's."""
        return EmbedderSpec("wordllama", _MODEL, self._dimensions)

    def embed_usable(self, texts: list[str], faults: dict[int, str]) -> tuple[Vectors, dict[int, str]]:
        """Embed those texts that have a vector; see `PartialEmbedder.embed_usable`.

        The vector of a text is the same whatever other texts stand beside it.
        """
        sums = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        pieces = ((index, piece) for index, text in enumerate(texts) if index not in faults for _, piece in _cut(text))
        for batch in _batches(pieces):
            encodings = self._tokenizer.encode_batch_fast([piece for _, piece in batch], add_special_tokens=False)
            token_ids = [encoding.ids for encoding in encodings]
            starts = np.cumsum([0, *map(len, token_ids[:-1])])
            piece_sums = np.add.reduceat(self._vectors_of(np.concatenate(token_ids)), starts, axis=0)
            np.add.at(sums, [index for index, _ in batch], piece_sums)
            if self._on_event is not None:
                self._on_event(Progress(batch[-1][0], len(texts), 0, 0.0))
        # The length of the sum and that of the mean differ by a factor only, which the scaling removes.
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        usable = (lengths[:, 0] > 0) & np.isfinite(lengths[:, 0])
        no_vector = {int(index): "WordLlama has no vector for it" for index in np.flatnonzero(~usable)}
        lengths[~usable] = np.nan
        sums /= lengths
        return sums, dict(sorted((no_vector | faults).items()))

    def length_warning(self, text: str) -> str | None:
        """Say why a text may be too long for one vector: the mean of many words says little about any of them."""
        # A character has 4 bytes at most, so most texts need not be encoded.
        if len(text) * 4 <= _MEAN_OF_MANY or (size := len(text.encode())) <= _MEAN_OF_MANY:
            return None
        return f"{size:,} bytes in one vector, which is the mean of all its words"

    @property
    def has_token_shares(self) -> bool:
        """True: a vector is the sum of its tokens' vectors, scaled."""
        return True

    def token_shares(self, text: str, direction: npt.NDArray[np.float64]) -> TokenShares:
        """Divide the product of a text's vector and another among the text's tokens; see `Embedder.token_shares`."""
        total = np.zeros(self._dimensions)
        places, values = [], []
        for start, piece in _cut(text):
            # The fast way of the tokenizer tells no places.
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


def _open(model: str, dimensions: int) -> WordLlamaEmbedder:
    return WordLlamaEmbedder(model, dimensions=dimensions)


def _load() -> tuple[Any, npt.NDArray[np.float16]]:
    """Read the tokenizer and the vectors of its tokens out of the installed package, without importing that.

    The package would set up logging for the whole process, bring its own downloads, and take longer than all the rest.
    """
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:  # a folder that happens to have the name has no origin
        raise NotInstalledError(f"the WordLlama embedder is not installed: pip install '{_REQUIREMENT}'")
    return _read(Path(spec.origin).parent)


@cache
def _read(package: Path) -> tuple[Any, npt.NDArray[np.float16]]:
    """Read them once for the process: threads may share a tokenizer of which nothing is changed any more."""
    tokens, weights = (package / name for name in (_TOKENIZER, _WEIGHTS))
    for file in (tokens, weights):
        if not file.is_file():  # what is no file at all could keep its reader waiting
            raise _does_not_load(f"there is no file {file}")
    from safetensors import safe_open
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(tokens))
    except Exception as error:  # the library raises nothing narrower
        raise _does_not_load(f"{tokens}: {error}") from error
    try:
        with safe_open(weights, framework="np") as tensors:
            token_vectors: npt.NDArray[np.float16] = tensors.get_tensor("embedding.weight")
    except Exception as error:  # its own errors, and the system's
        raise _does_not_load(f"{weights}: {error}") from error
    shape = (tokenizer.get_vocab_size(), _DIMENSIONS[-1])
    if token_vectors.dtype != np.float16 or token_vectors.shape != shape:
        found = f"{token_vectors.dtype} of shape {token_vectors.shape}"
        raise _does_not_load(f"{weights}: its vectors are {found}, not float16 of shape {shape}")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, token_vectors


def _does_not_load(why: str) -> EmbedderError:
    return EmbedderError(
        f"WordLlama is installed but does not load ({why}); "
        f"install it anew: pip install --force-reinstall --no-deps '{_REQUIREMENT}'"
    )


def _cut(text: str) -> Iterator[tuple[int, str]]:
    """Cut a long text into pieces, at spaces if it has any: there the tokenizer finds the same tokens.

    With each piece comes where it starts.
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
