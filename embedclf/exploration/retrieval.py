"""Search: the texts that are nearest to a text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Vectors
from embedclf.embedding.base import check_vectors
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.factory import as_embedder
from embedclf.errors import EmbedclfError, TextError
from embedclf.formatting import counted
from embedclf.stats.neighbours import nearest, of_unit_length
from embedclf.validation import check_texts, check_whole, list_of_strings, text_fault


class Hit(NamedTuple):
    """A text that was found.

    Attributes
    ----------
    row : int
        Which of the texts.
    text : str
    label : str or None
        None if there is none.
    similarity : float
        Cosine similarity to what was looked for, from −1 to 1.
    """

    row: int
    text: str
    label: str | None
    similarity: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The texts that are nearest to a query.

    Attributes
    ----------
    query : str
    n_texts : int
        How many were searched.
    hits : tuple of Hit
        The nearest first; of equals, the first row.
    """

    query: str
    n_texts: int
    hits: tuple[Hit, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain types, for JSON."""
        return {"query": self.query, "n_texts": self.n_texts, "hits": [hit._asdict() for hit in self.hits]}


def search(
    texts: Iterable[str],
    query: str,
    k: int = 5,
    *,
    labels: Iterable[str] | None = None,
    embedder: Any = None,
    dimensions: int | None = None,
    cache: VectorCache | bool = True,
    vectors: Vectors | None = None,
    query_vector: Vectors | None = None,
) -> SearchResult:
    """Find the texts that are nearest to a query, by the cosine similarity of their vectors; exactly.

    Equal texts are each found: they are rows of their own.

    Parameters
    ----------
    texts : iterable of str
    query : str
    k : int
        How many to find; fewer, if there are no more texts.
    labels : iterable of str, optional
        One a text, empty where there is none.
    embedder, dimensions, cache
        As of `embedclf.train`.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the embedder makes of the texts, if that is at hand; may be mapped from a file. None embeds them.
    query_vector : ndarray of shape (n_dimensions,), float32, optional
        What it makes of the query, if that is at hand.

    Raises
    ------
    EmbedclfError
        If there are no texts, or not one label or vector a text, or the query cannot be embedded.
    TextError
        If a text that is to be embedded is empty, not Unicode, or refused by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    texts, names = check_rows(texts, labels, to_embed=vectors is None)
    check_text(query, "query")
    check_whole(k, "k", least=1)
    vectors, of_query = with_vector_of(query, "query", texts, embedder, dimensions, cache, vectors, query_vector)
    found = nearest(vectors, of_query[None, :], k)
    return SearchResult(query, len(texts), hits_of(texts, names, found.rows[0], found.similarities[0]))


def check_rows(texts: Iterable[str], labels: Iterable[str] | None, *, to_embed: bool) -> tuple[list[str], list[str]]:
    """See that there are texts to look among, and a label for each; gives an empty one where there is none.

    What is embedded already is not looked at once more: of a million texts that takes longer than to search them.

    Raises
    ------
    EmbedclfError
    TextError
        If a text is empty or not Unicode.
    """
    texts = check_texts(texts) if to_embed else list_of_strings(texts, "texts")
    names = [""] * len(texts) if labels is None else list_of_strings(labels, "labels")
    if len(names) != len(texts):
        raise EmbedclfError(f"there are {counted(len(texts), 'text')} and {counted(len(names), 'label')}")
    if not texts:
        raise EmbedclfError("there are no texts to look among")
    return texts, names


def check_text(text: str, kind: str) -> None:
    """See that a text can be looked for; `kind` is what messages call it.

    Raises
    ------
    TypeError
        If it is not a string.
    EmbedclfError
        If it is empty or not Unicode.
    """
    if not isinstance(text, str):
        raise TypeError(f"the {kind} is a string, not of type {type(text).__name__}")
    if fault := text_fault(text, kind):
        raise EmbedclfError(fault)


def with_vector_of(
    text: str,
    kind: str,
    texts: Sequence[str],
    embedder: Any,
    dimensions: int | None,
    cache: VectorCache | bool,
    vectors: Vectors | None,
    of_text: Vectors | None,
) -> tuple[Vectors, Vectors]:
    """Embed some texts and one more, but what is at hand; together, so that it is one cost.

    Returns
    -------
    vectors : ndarray of shape (n_texts, n_dimensions), float32
    of_text : ndarray of shape (n_dimensions,), float32
    """
    wanted = [*(texts if vectors is None else []), *([text] if of_text is None else [])]
    if wanted:
        try:
            embedded = as_embedder(embedder, dimensions=dimensions, cache=cache).embed(wanted)
        except TextError as error:
            if of_text is None and (reason := error.reasons.get(len(wanted) - 1)):
                raise EmbedclfError(f"the {kind} cannot be embedded: {reason}") from error
            raise
        vectors = embedded[: len(texts)] if vectors is None else vectors
        of_text = embedded[-1] if of_text is None else of_text
    vectors = check_vectors(vectors, len(texts), missing=True)  # type: ignore[arg-type]  # embedded, if there were none
    of_text = np.asarray(of_text, dtype=np.float32)
    if of_text.shape != vectors.shape[1:]:
        raise EmbedclfError(
            f"the vectors of the texts have {counted(vectors.shape[1], 'dimension')}, and that of the {kind} has the "
            f"shape {of_text.shape}: they are of one embedder"
        )
    return of_unit_length(vectors), of_unit_length(of_text[None, :])[0]


def hits_of(
    texts: Sequence[str],
    names: Sequence[str],
    rows: "np.ndarray[Any, np.dtype[np.intp]]",
    similarities: Vectors,
) -> tuple[Hit, ...]:
    """Give some rows with what stands in them."""
    pairs = zip(rows.tolist(), similarities.tolist(), strict=True)
    return tuple(Hit(row, texts[row], names[row] or None, similarity) for row, similarity in pairs)
