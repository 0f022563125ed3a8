"""Embedding texts and storing each batch in the cache before it is used."""

from collections.abc import Callable, Sequence

from embedclf.embedding.batch_embedder import Batch, BatchEmbedder, Refused
from embedclf.embedding.cache.keys import Keys
from embedclf.embedding.cache.model_cache import ModelCache
from embedclf.embedding.vector_rows import check_length

# A text is not cut into pieces of fewer bytes to make room for a prompt.
_MIN_PIECE = 64

Keep = Callable[[Batch], None]
"""Called with each full-length batch once it is stored, from any thread."""


class StoringEmbedder:
    """Wraps a `BatchEmbedder` to store batches in the cache before passing them on. Each call uses a new one.

    Parameters
    ----------
    behind : BatchEmbedder
    part : ModelCache or None
        None stores nothing.
    prompt : str
        Sent before each text, and before each piece of a long one.

    Attributes
    ----------
    behind, part
        As passed.
    has_stored : bool
        Whether this call has stored anything.
    """

    def __init__(self, behind: BatchEmbedder, part: ModelCache | None, prompt: str = "") -> None:
        self.behind = behind
        self.part = part
        self._prompt = prompt
        self.has_stored = False

    @property
    def name(self) -> str:
        """The name for error messages."""
        return str(self.behind.spec)

    def embed(self, texts: Sequence[str], keys: Keys | None, keep: Keep) -> dict[int, Refused]:
        """Embed distinct texts; see `BatchEmbedder.embed_batches`.

        Parameters
        ----------
        texts : sequence of str, of length n
        keys : ndarray of shape (n,) or None
            The keys of the texts; None without a cache.
        keep : callable
            Called with each batch once it is stored.
        """
        if not self._prompt:
            return self.behind.embed_batches(texts, lambda batch: self.store(batch, keys, keep))
        prompted = [self._prompt + text for text in texts]
        refused = self.behind.embed_batches(prompted, lambda batch: self.store(batch, keys, keep))
        return {place: self._without_prompt(one, texts[place]) for place, one in refused.items()}

    def _without_prompt(self, refused: Refused, text: str) -> Refused:
        """Return why a text was rejected with its prompt, with the bytes that are left for a piece of the text."""
        if refused.piece is None:
            return refused
        size = len(text.encode())
        left = refused.piece - len(self._prompt.encode())
        # What a model accepts may be known only roughly; then the text is halved.
        piece = left if left >= _MIN_PIECE else -(-size // 2)
        return refused._replace(piece=piece if piece >= _MIN_PIECE else None)

    def store(self, batch: Batch, keys: Keys | None, keep: Keep) -> None:
        """Store a batch and pass it on; see `embed`."""
        if self.part is not None and keys is not None:
            check_length(self.part.dimensions, batch.vectors.shape[1], self.name)
            if self.part.write(keys[batch.places], batch.vectors, batch.n_tokens):
                self.has_stored = True
        keep(batch)
