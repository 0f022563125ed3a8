"""Texts with their labels and vectors: checked once, embedded once."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from embedclf.arrays import Ints, Vectors
from embedclf.embedding.base import Embedder, EmbedderSpec, check_vectors, embed_checked
from embedclf.embedding.factory import as_embedder
from embedclf.errors import ArgumentError
from embedclf.formatting import counted
from embedclf.validation import check_texts, group_duplicates, list_of_strings


class EmbeddedTexts:
    """Texts, their labels if they have any, and their vectors.

    The texts are checked when it is made, and embedded when their vectors are first needed. Every function that takes
    texts takes one of these as well, so that several can share it.

    Parameters
    ----------
    texts : iterable of str
    labels : iterable of str, optional
        One per text.
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As of `embedclf.train`.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the embedder makes of the texts, if that is known; None embeds them.

    Attributes
    ----------
    texts : list of str
    labels : list of str or None

    Raises
    ------
    TypeError
        If texts or labels are a single string, or not strings.
    ArgumentError
        If there is not one label or one finite vector per text.
    TextError
        If a text is empty or not Unicode; when it is embedded, also if the embedder refuses one.
    EmbedderError
        When the vectors are needed: if the embedder is unknown, not installed, or fails.
    """

    def __init__(
        self,
        texts: Iterable[str],
        labels: Iterable[str] | None = None,
        *,
        embedder: Any = None,
        vectors: Vectors | None = None,
    ) -> None:
        self.texts = check_texts(texts)
        self.labels = None if labels is None else list_of_strings(labels, "labels")
        if self.labels is not None and len(self.labels) != len(self.texts):
            raise ArgumentError(
                f"there are {counted(len(self.texts), 'text')} and {counted(len(self.labels), 'label')}"
            )
        self._given = embedder
        self._vectors = None if vectors is None else check_vectors(vectors, len(self.texts))

    @classmethod
    def of(
        cls,
        texts: "Iterable[str] | EmbeddedTexts",
        labels: Iterable[str] | None = None,
        *,
        embedder: Any = None,
        vectors: Vectors | None = None,
    ) -> "EmbeddedTexts":
        """Return the one that is passed in place of texts, or make one.

        Raises
        ------
        TypeError
            If there is one already, and anything beside it.
        """
        if not isinstance(texts, EmbeddedTexts):
            return cls(texts, labels, embedder=embedder, vectors=vectors)
        given = {"labels": labels, "embedder": embedder, "vectors": vectors}
        if extra := [name for name, value in given.items() if value is not None]:
            raise TypeError(f"an EmbeddedTexts has its own {extra[0]}: leave out {extra[0]}=")
        return texts

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        return f"<EmbeddedTexts: {counted(len(self), 'text')}, {'embedded' if self.is_embedded else 'not embedded'}>"

    @cached_property
    def embedder(self) -> Embedder:
        """What makes the vectors, opened when it is first needed."""
        return as_embedder(self._given, cache=True)

    @property
    def spec(self) -> EmbedderSpec:
        """What tells the vectors from another embedder's."""
        return self.embedder.spec

    @property
    def is_embedded(self) -> bool:
        """Whether the vectors are there."""
        return self._vectors is not None

    @property
    def vectors(self) -> Vectors:
        """The vectors, of shape (n_texts, n_dimensions); embeds the texts if that has not been done."""
        return self.vectors_with(())[0]

    def vectors_with(self, others: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return the vectors, and those of some other texts, which are embedded together with these as far as needed.

        Returns
        -------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
        others : ndarray of shape (n_others, n_dimensions), float32
        """
        new = [*([] if self._vectors is not None else self.texts), *others]
        embedded = embed_checked(self.embedder, new) if new else np.empty((0, 0), dtype=np.float32)
        of_others = embedded[len(new) - len(others) :]
        if self._vectors is None:
            self._vectors = embedded[: len(self.texts)]
        return self._vectors, of_others

    @cached_property
    def groups(self) -> Ints:
        """A number for each text, the same for equal ones: (n_texts,)."""
        return group_duplicates(self.texts)
