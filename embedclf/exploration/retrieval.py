"""Search: the texts that are nearest to a text."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Ints, Vectors
from embedclf.embedding.base import check_vectors
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import as_embedder
from embedclf.errors import ArgumentError, EmbedclfError, TextError
from embedclf.formatting import counted
from embedclf.stats.neighbours import nearest, of_unit_length
from embedclf.validation import check_whole, list_of_strings, text_fault


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
        """Return it as plain types, for JSON."""
        return {"query": self.query, "n_texts": self.n_texts, "hits": [hit._asdict() for hit in self.hits]}


def search(
    texts: Iterable[str] | EmbeddedTexts,
    query: str,
    k: int = 5,
    *,
    labels: Iterable[str] | None = None,
    embedder: Any = None,
    vectors: Vectors | None = None,
    query_vector: Vectors | None = None,
) -> SearchResult:
    """Find the texts that are nearest to a query, by the cosine similarity of their vectors; exactly.

    Equal texts are each found: they are rows of their own.

    Parameters
    ----------
    texts : iterable of str or EmbeddedTexts
        An EmbeddedTexts has its own labels, embedder and vectors.
    query : str
    k : int
        How many to find; fewer, if there are no more texts.
    labels : iterable of str, optional
        One per text, empty where there is none.
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As of `embedclf.train`.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the embedder makes of the texts, if that is known; may be mapped from a file. None embeds them.
    query_vector : ndarray of shape (n_dimensions,), float32, optional
        What it makes of the query, if that is known.

    Raises
    ------
    ArgumentError
        If there are no texts, or not one label or vector per text, or the query is empty.
    TextError
        If a text that is to be embedded is empty, not Unicode, or refused by the embedder.
    EmbedclfError
        If the embedder refuses the query.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    searched = SearchedTexts(texts, labels, embedder=embedder, vectors=vectors)
    check_text(query, "query")
    check_whole(k, "k", least=1)
    of_texts, of_query = searched.vectors_with(query, "query", query_vector)
    found = nearest(of_texts, of_query[None, :], k)
    return SearchResult(query, len(searched.texts), searched.hits(found.rows[0], found.similarities[0]))


def check_text(text: str, kind: str) -> None:
    """Check that a text can be looked for; `kind` is what messages call it.

    Raises
    ------
    TypeError
        If it is not a string.
    ArgumentError
        If it is empty or not Unicode.
    """
    if not isinstance(text, str):
        raise TypeError(f"the {kind} is a string, not of type {type(text).__name__}")
    if fault := text_fault(text, kind):
        raise ArgumentError(fault)


class SearchedTexts:
    """Texts to look among, at least one, with their labels and vectors.

    Parameters
    ----------
    texts, labels, embedder, vectors
        As of `search`.

    Attributes
    ----------
    texts : list of str
    labels : list of str
        Empty where there is none.

    Raises
    ------
    ArgumentError
        If there are no texts, or not one label or vector per text.
    TextError
        If a text that is to be embedded is empty or not Unicode.
    """

    def __init__(
        self,
        texts: Iterable[str] | EmbeddedTexts,
        labels: Iterable[str] | None = None,
        *,
        embedder: Any = None,
        vectors: Vectors | None = None,
    ) -> None:
        self._embedder = embedder
        self._embedded: EmbeddedTexts | None = None
        self._vectors: Vectors | None = None
        if vectors is None or isinstance(texts, EmbeddedTexts):
            self._embedded = EmbeddedTexts.of(texts, labels, embedder=embedder, vectors=vectors)
            self.texts, names = self._embedded.texts, self._embedded.labels
        else:
            # What is embedded already is not looked at once more: of a million texts that takes longer than to search
            # them. A text without a vector is not found.
            self.texts = list_of_strings(texts, "texts")
            names = None if labels is None else list_of_strings(labels, "labels")
            if names is not None and len(names) != len(self.texts):
                raise ArgumentError(f"there are {counted(len(self.texts), 'text')} and {counted(len(names), 'label')}")
            self._vectors = check_vectors(vectors, len(self.texts), missing=True)
        if not self.texts:
            raise ArgumentError("there are no texts to look among")
        self.labels = [""] * len(self.texts) if names is None else names

    @property
    def vectors(self) -> Vectors:
        """Their vectors, of unit length: (n_texts, n_dimensions); embeds them if that has not been done."""
        return of_unit_length(self._embedded.vectors if self._vectors is None else self._vectors)  # type: ignore[union-attr]

    def vectors_with(self, text: str, kind: str, of_text: Vectors | None) -> tuple[Vectors, Vectors]:
        """Return their vectors, and that of one more text, which is embedded with them if `of_text` is None.

        Parameters
        ----------
        text : str
        kind : str
            What messages call it.
        of_text : ndarray of shape (n_dimensions,), float32, optional
            Its vector, if that is known.

        Returns
        -------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
            Of unit length.
        of_text : ndarray of shape (n_dimensions,), float32
            Of unit length.
        """
        if of_text is None:
            of_text = self._embedded_with_these(text, kind)
        vectors, of_text = self.vectors, np.asarray(of_text, dtype=np.float32)
        if of_text.shape != vectors.shape[1:]:
            raise ArgumentError(
                f"the vectors of the texts have {counted(vectors.shape[1], 'dimension')}, and that of the {kind} has "
                f"the shape {of_text.shape}: they are of one embedder"
            )
        return vectors, of_unit_length(of_text[None, :])[0]

    def _embedded_with_these(self, text: str, kind: str) -> Vectors:
        """Embed one more text, together with these if they are not embedded yet, so that it is one cost."""
        embedded = self._embedded
        n_before = 0 if embedded is None or embedded.is_embedded else len(self.texts)
        try:
            if embedded is None:
                (of_text,) = as_embedder(self._embedder, cache=True).embed([text])
            else:
                _, (of_text,) = embedded.vectors_with([text])
        except TextError as error:
            if reason := error.reasons.get(n_before):
                raise EmbedclfError(f"the {kind} cannot be embedded: {reason}") from error
            raise
        return np.asarray(of_text, dtype=np.float32)

    def hits(self, rows: Ints, similarities: Vectors) -> tuple[Hit, ...]:
        """Return some rows with what stands in them."""
        pairs = zip(rows.tolist(), similarities.tolist(), strict=True)
        return tuple(Hit(row, self.texts[row], self.labels[row] or None, similarity) for row, similarity in pairs)
