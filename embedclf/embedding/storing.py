"""Embedding texts and storing what comes, batch by batch: nothing is used before it is in the cache."""

from collections.abc import Callable, Sequence

from embedclf.embedding.batch_embedder import Batch, BatchEmbedder, Refused
from embedclf.embedding.cache.keys import Keys
from embedclf.embedding.cache.model_cache import ModelCache
from embedclf.embedding.vector_rows import check_length

Keep = Callable[[Batch], None]
"""What receives each batch, at full length and stored, from any thread."""


class StoringEmbedder:
    """A `BatchEmbedder` whose batches are in the cache before they are passed on; one for each call.

    Parameters
    ----------
    behind : BatchEmbedder
    part : ModelCache or None
        None stores nothing.

    Attributes
    ----------
    behind, part
        As above.
    has_stored : bool
        Whether anything of this call is in the cache.
    """

    def __init__(self, behind: BatchEmbedder, part: ModelCache | None) -> None:
        self.behind = behind
        self.part = part
        self.has_stored = False

    @property
    def name(self) -> str:
        """What errors call it."""
        return str(self.behind.spec)

    def embed(self, texts: Sequence[str], keys: Keys | None, keep: Keep) -> dict[int, Refused]:
        """Embed distinct texts; see `BatchEmbedder.embed_batches`.

        Parameters
        ----------
        texts : sequence of str, of length n
        keys : ndarray of shape (n,) or None
            Of the texts; None without a cache.
        keep : callable
            Receives each batch when it is stored.
        """
        return self.behind.embed_batches(texts, lambda batch: self.store(batch, keys, keep))

    def store(self, batch: Batch, keys: Keys | None, keep: Keep) -> None:
        """Store a batch, and pass it on; see `embed`."""
        if self.part is not None and keys is not None:
            check_length(self.part.dimensions, batch.vectors.shape[1], self.name)
            if self.part.write(keys[batch.places], batch.vectors, batch.n_tokens):
                self.has_stored = True
        keep(batch)
