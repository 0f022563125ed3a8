"""WordLlama, the embedded default: a static model whose weights come inside its wheel; no key, no network."""

import logging
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.embedding import EmbedderSpec, Vectors
from embedclf.embedding.usage import OnEvent, Progress
from embedclf.errors import EmbedderError, NotInstalledError, TextError
from embedclf.texts import check_texts, list_of_strings, text_faults

if TYPE_CHECKING:
    from wordllama.inference import WordLlamaInference

_MODEL = "l2_supercat"
# The lengths that the model was trained to be cut to (Matryoshka), of those that the wheel's weights hold.
_DIMENSIONS = (64, 128, 256)

# A batch's memory is bounded by its characters: each is at most 4 tokens (one per byte), each of these 1 kB.
_PIECE_CHARACTERS = 8_192
_BATCH_CHARACTERS = 32_768


class WordLlamaEmbedder:
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
        loaded = _load(dimensions)
        self._tokenizer: Any = loaded.tokenizer
        self._tokenizer.no_padding()
        self._token_vectors: Vectors = loaded.embedding

    def __repr__(self) -> str:
        return f"WordLlamaEmbedder({_MODEL!r}, dimensions={self._dimensions})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _open, (_MODEL, self._dimensions)

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors from another embedder's."""
        return EmbedderSpec("wordllama", _MODEL, self._dimensions)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; see `Embedder.embed`.

        The vector of a text is the same whatever other texts stand beside it.
        """
        vectors, reasons = self.embed_usable(check_texts(texts))
        if reasons:
            raise TextError(reasons)
        return vectors

    def embed_usable(self, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
        """Embed those texts that can be; see the function `embed_usable`."""
        texts = list_of_strings(texts, "texts")
        reasons = text_faults(texts)
        sums = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        pieces = ((index, piece) for index, text in enumerate(texts) if index not in reasons for piece in _cut(text))
        for batch in _batches(pieces):
            encodings = self._tokenizer.encode_batch_fast([piece for _, piece in batch], add_special_tokens=False)
            token_ids = [encoding.ids for encoding in encodings]
            starts = np.cumsum([0, *map(len, token_ids[:-1])])
            piece_sums = np.add.reduceat(self._token_vectors[np.concatenate(token_ids)], starts, axis=0)
            np.add.at(sums, [index for index, _ in batch], piece_sums)
            if self._on_event is not None:
                self._on_event(Progress(batch[-1][0], len(texts), 0, 0.0))
        # The length of the sum and that of the mean differ by a factor only, which the scaling removes.
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        usable = (lengths[:, 0] > 0) & np.isfinite(lengths[:, 0])
        no_vector = {int(index): "WordLlama has no vector for it" for index in np.flatnonzero(~usable)}
        lengths[~usable] = np.nan
        sums /= lengths
        return sums, dict(sorted((no_vector | reasons).items()))


def _open(model: str, dimensions: int) -> WordLlamaEmbedder:
    return WordLlamaEmbedder(model, dimensions=dimensions)


def _load(dimensions: int) -> "WordLlamaInference":
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        import wordllama
    except ImportError as error:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise NotInstalledError(
            "the WordLlama embedder is not installed: its wheels are for Python 3.11 to 3.13 on Linux x86_64, "
            f"Windows x86_64 and macOS, and this is Python {python} on {platform.system()} {platform.machine()}. "
            "Use a Python it has a wheel for, or compile it with: pip install 'wordllama>=0.4.0.post1,<0.5'"
        ) from error
    finally:
        # It sets up logging for the whole process, which is for the program to do.
        root.handlers[:] = handlers
        root.setLevel(level)
    # By itself it looks for its tokenizer in a folder that its wheel does not have, and then asks the network.
    inside_the_wheel = Path(wordllama.__file__).parent
    try:
        return wordllama.WordLlama.load(
            config=_MODEL,
            cache_dir=inside_the_wheel,
            dim=_DIMENSIONS[-1],
            trunc_dim=None if dimensions == _DIMENSIONS[-1] else dimensions,
            disable_download=True,
        )
    except Exception as error:
        raise EmbedderError(f"WordLlama is installed but does not load: {error}") from error


def _cut(text: str) -> Iterator[str]:
    """Cut a long text into pieces, at spaces if it has any: there the tokenizer finds the same tokens."""
    start = 0
    while len(text) - start > _PIECE_CHARACTERS:
        space = text.rfind(" ", start + 1, start + _PIECE_CHARACTERS)
        end = start + _PIECE_CHARACTERS if space < 0 else space
        yield text[start:end]
        start = end if space < 0 else end + 1
    if start < len(text):
        yield text[start:]


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
