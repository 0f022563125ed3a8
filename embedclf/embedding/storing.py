"""Embedding texts and storing each batch in the cache before it is used."""

from collections.abc import Callable, Sequence

from embedclf.embedding.batch_embedder import Batch, BatchEmbedder, Refused
from embedclf.embedding.cache.keys import Keys
from embedclf.embedding.cache.model_cache import ModelCache
from embedclf.embedding.vector_rows import check_length

Keep = Callable[[Batch], None]
"""Called with each full-length batch once it is stored, from any thread."""


class StoringEmbedder:
    """Wraps a `BatchEmbedder` to store batches in the cache before passing them on. Each call uses a new one.

    Parameters
    ----------
    behind : BatchEmbedder
    part : ModelCache or None
        None stores nothing.

    Attributes
    ----------
    behind, part
        As passed.
    has_stored : bool
        Whether this call has stored anything.
    """

    def __init__(self, behind: BatchEmbedder, part: ModelCache | None) -> None:
        self.behind = behind
        self.part = part
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
        return self.behind.embed_batches(texts, lambda batch: self.store(batch, keys, keep))

    def store(self, batch: Batch, keys: Keys | None, keep: Keep) -> None:
        """Store a batch and pass it on; see `embed`."""
        if self.part is not None and keys is not None:
            check_length(self.part.dimensions, batch.vectors.shape[1], self.name)
            if self.part.write(keys[batch.places], batch.vectors, batch.n_tokens):
                self.has_stored = True
        keep(batch)
