"""Semantic search: the texts nearest to a query."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Ints, Vectors
from embedclf.data.label_sets import AnyLabels, as_label_sets, joined_labels
from embedclf.data_frames import DataFrame, data_frame, texts_and_labels
from embedclf.embedding.base import EmbedderLike, check_vectors
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import as_embedder
from embedclf.errors import ArgumentError, EmbedclfError, MissingValueError, TextError
from embedclf.formatting import counted
from embedclf.missing import is_missing
from embedclf.records import Printable
from embedclf.stats.neighbours import nearest, of_unit_length
from embedclf.validation import check_whole, list_of_labels, list_of_strings, text_fault


class Hit(NamedTuple):
    """A text found by a search.

    Attributes
    ----------
    row : int
        Index of the text.
    text : str
    label : str or None
        None if the text has no label.
    similarity : float
        Cosine similarity to the query, from −1 to 1.
    """

    row: int
    text: str
    label: str | None
    similarity: float


@dataclass(frozen=True, slots=True)
class SearchResult(Printable):
    """The texts nearest to a query.

    Attributes
    ----------
    query : str
    n_texts : int
        Number of texts searched.
    hits : tuple of Hit
        The nearest first; ties in order of their rows.
    """

    query: str
    n_texts: int
    hits: tuple[Hit, ...]

    def __repr__(self) -> str:
        return f"<SearchResult: {counted(len(self.hits), 'hit')} of {counted(self.n_texts, 'text')}>"

    def to_frame(self) -> Any:
        """Return the hits as a data frame of pandas, or of Polars if only that is installed."""
        return data_frame([hit._asdict() for hit in self.hits], Hit._fields)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types, for JSON."""
        return {"query": self.query, "n_texts": self.n_texts, "hits": [hit._asdict() for hit in self.hits]}


def search(
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    query: str,
    k: int = 5,
    *,
    labels: AnyLabels | None = None,
    text: str | None = None,
    label: str | None = None,
    embedder: EmbedderLike | None = None,
    vectors: Vectors | None = None,
    query_vector: Vectors | None = None,
) -> SearchResult:
    """Find the texts nearest to a query by cosine similarity (exact search).

    Repeated texts are separate rows, and each of them is found.

    Parameters
    ----------
    texts : iterable of str, DataFrame or EmbeddedTexts
        A data frame brings its labels; an EmbeddedTexts brings labels, embedder and vectors.
    query : str
    k : int
        How many to find; fewer are returned if there are fewer texts.
    labels : iterable of str, or of lists of str, optional
        One per text, empty if it has none.
    text, label : str, optional
        The columns of a data frame; None means "text" and, if there is one, "label".
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As for `embedclf.train`.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        Precomputed embeddings of the texts; may be memory-mapped. None embeds them.
    query_vector : ndarray of shape (n_dimensions,), float32, optional
        Precomputed embedding of the query.

    Raises
    ------
    ArgumentError
        If there are no texts, the numbers of texts and labels or vectors differ, or the query is empty.
    TextError
        If a text to be embedded is empty, not valid Unicode, or rejected by the embedder.
    EmbedclfError
        If the embedder rejects the query.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    searched = SearchedTexts(texts, labels, text=text, label=label, embedder=embedder, vectors=vectors)
    check_text(query, "query")
    check_whole(k, "k", least=1)
    of_texts, of_query = searched.vectors_with(query, "query", query_vector)
    found = nearest(of_texts, of_query[None, :], k)
    return SearchResult(query, len(searched.texts), searched.hits(found.rows[0], found.similarities[0]))


def check_text(text: str, kind: str) -> None:
    """Check that a text can be searched for; `kind` is its name in messages.

    Raises
    ------
    TypeError
        If it is not a string.
    ArgumentError
        If it is empty or not valid Unicode.
    """
    if is_missing(text):
        raise MissingValueError(f"the {kind} is missing ({text})")
    if not isinstance(text, str):
        raise TypeError(f"the {kind} must be a string, not of type {type(text).__name__}")
    if fault := text_fault(text, kind):
        raise ArgumentError(fault)


class SearchedTexts:
    """Texts to search, with their labels and vectors.

    Parameters
    ----------
    texts, labels, text, label, embedder, vectors
        As for `search`.

    Attributes
    ----------
    texts : list of str
    labels : list of str
        Empty for a text without a label.

    Raises
    ------
    ArgumentError
        If there are no texts, or the numbers of texts and labels or vectors differ.
    TextError
        If a text to be embedded is empty or not valid Unicode.
    """

    def __init__(
        self,
        texts: Iterable[str] | DataFrame | EmbeddedTexts,
        labels: AnyLabels | None = None,
        *,
        text: str | None = None,
        label: str | None = None,
        embedder: EmbedderLike | None = None,
        vectors: Vectors | None = None,
    ) -> None:
        self._embedder = embedder
        self._embedded: EmbeddedTexts | None = None
        self._vectors: Vectors | None = None
        if vectors is None or isinstance(texts, EmbeddedTexts):
            self._embedded = EmbeddedTexts.of(texts, labels, text=text, label=label, embedder=embedder, vectors=vectors)
            self.texts, names = self._embedded.texts, self._embedded.shown_labels
        else:
            # Texts that come with vectors are not checked again: for a million texts, that takes longer than the search
            # itself. A text without a vector is not found.
            own_texts, labels = texts_and_labels(texts, labels, text=text, label=label)
            self.texts = list_of_strings(own_texts, "texts")
            names = None if labels is None else _shown(labels)
            if names is not None and len(names) != len(self.texts):
                raise ArgumentError(f"got {counted(len(self.texts), 'text')} but {counted(len(names), 'label')}")
            self._vectors = check_vectors(vectors, len(self.texts), missing=True)
        if not self.texts:
            raise ArgumentError("there are no texts to search")
        self.labels = [""] * len(self.texts) if names is None else names

    @property
    def vectors(self) -> Vectors:
        """The vectors of the texts, of unit length: (n_texts, n_dimensions). Embeds the texts on first use."""
        return of_unit_length(self._embedded.vectors if self._vectors is None else self._vectors)  # type: ignore[union-attr]

    def vectors_with(self, text: str, kind: str, of_text: Vectors | None) -> tuple[Vectors, Vectors]:
        """Return the vectors of the texts, and that of one more text, embedding both together if needed.

        Parameters
        ----------
        text : str
        kind : str
            Name of this text in messages.
        of_text : ndarray of shape (n_dimensions,), float32, optional
            Precomputed embedding of this text.

        Returns
        -------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
            Of unit length.
        of_text : ndarray of shape (n_dimensions,), float32
            Of unit length.
        """
        if of_text is None:
            of_text = self._embed_with_texts(text, kind)
        vectors, of_text = self.vectors, np.asarray(of_text, dtype=np.float32)
        if of_text.shape != vectors.shape[1:]:
            raise ArgumentError(
                f"the vectors of the texts have {counted(vectors.shape[1], 'dimension')}, but that of the {kind} has "
                f"the shape {of_text.shape}: both must come from the same embedder"
            )
        return vectors, of_unit_length(of_text[None, :])[0]

    def _embed_with_texts(self, text: str, kind: str) -> Vectors:
        """Embed one more text, together with the texts if these are not embedded yet, so that there is one cost."""
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
        """Return the hits for some rows and their similarities."""
        pairs = zip(rows.tolist(), similarities.tolist(), strict=True)
        return tuple(Hit(row, self.texts[row], self.labels[row] or None, similarity) for row, similarity in pairs)


def _shown(labels: AnyLabels) -> list[str]:
    """Return the label of each text, or several joined by a separator."""
    given: Any = list(labels) if isinstance(labels, Iterator) else labels
    sets = as_label_sets(given)
    return list_of_labels(given) if sets is None else joined_labels(sets)
