"""An embedder as a LangChain ``Embeddings``, for vector stores and the like."""

from langchain_core.embeddings import Embeddings

from embedclf.embedding import Embedder


class EmbedclfEmbeddings(Embeddings):
    """A LangChain ``Embeddings`` with one of our embedders, and its cache, behind it.

    The asynchronous methods are LangChain's own: they run these in a thread.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts: a unit-length vector each."""
        vectors: list[list[float]] = self.embedder.embed(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Embed one text, as `embed_documents` does."""
        return self.embed_documents([text])[0]


def as_langchain(embedder: Embedder) -> Embeddings:
    """Make a LangChain ``Embeddings`` of an embedder.

    Parameters
    ----------
    embedder : Embedder
        From `embedclf.open_embedder`; with ``cache=True`` it keeps what it embeds.
    """
    return EmbedclfEmbeddings(embedder)
