"""Texts with their labels and vectors, checked and embedded once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from embedclf.arrays import Ints, Vectors
from embedclf.data.columns import DEFAULT, Columns, as_text_column
from embedclf.data.label_sets import AnyLabels, Labels, LabelSet, as_label_sets, joined_labels, written_labels
from embedclf.data_frames import DataFrame, check_order, index_of, is_data_frame, texts_and_labels
from embedclf.embedding.base import Embedder, EmbedderLike, EmbedderSpec, check_vectors
from embedclf.embedding.factory import as_embedder
from embedclf.embedding.tasks import CLASSIFICATION
from embedclf.errors import ArgumentError, EmbedderError, NotInstalledError
from embedclf.formatting import counted
from embedclf.validation import check_texts, group_duplicates, list_of_labels


class EmbeddedTexts:
    """Texts with their vectors, and optionally their labels.

    Texts are checked on creation, and embedded when their vectors are first needed. Every function that accepts texts
    also accepts an `EmbeddedTexts`, so that several functions can share the vectors.

    Parameters
    ----------
    texts : iterable of str, or DataFrame
        A data frame of pandas or Polars brings its labels.
    labels : iterable of str or int, or of lists of these, optional
        One per text, or a list per text; a whole number is a label as it is written: ``"1"``. A matrix or data frame of
        0 and 1, with a column per label, is a list of labels per text as well.
    text, label : str or sequence of str, optional
        The columns of a data frame; None means "text" and, if there is one, "label". Several columns of texts are
        joined by line breaks; several columns of labels hold 0 and 1.
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As in `embedclf.train`. An embedder given by name is opened with the cache of the command line.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        The texts' vectors, if you have them; None embeds the texts.

    Attributes
    ----------
    texts : list of str
    labels : list of str or None
        The label of each text; None if there are none, or lists of labels.
    label_sets : list of tuple of str, or None
        The labels of each text, sorted; None if texts have one label or none.
    columns : Columns or None
        The names of the columns of the data frame; None if there was none.
    is_embedder_named : bool
        Whether an `embedder` was passed; otherwise the default embedder is used.
    are_vectors_given : bool
        Whether `vectors` were passed.

    Raises
    ------
    MissingValueError
        If a text or a label is missing (None, NaN).
    TypeError
        If texts or labels are a single string, or not strings.
    ArgumentError
        If there is not one label or one finite vector per text.
    TextError
        If a text is empty or not valid Unicode; on embedding, also if the embedder rejects a text.
    EmbedderError
        On embedding, if the embedder is unknown, not installed, or fails.
    """

    def __init__(
        self,
        texts: Iterable[str] | DataFrame,
        labels: AnyLabels | None = None,
        *,
        text: str | Sequence[str] | None = None,
        label: str | Sequence[str] | None = None,
        embedder: EmbedderLike | None = None,
        vectors: Vectors | None = None,
    ) -> None:
        own_texts, own_labels = texts_and_labels(texts, labels, text=text, label=label)
        self._index = index_of(own_texts)
        self.texts = check_texts(own_texts)
        check_order(own_labels, "labels", self._index)
        check_order(vectors, "vectors", self._index)
        if isinstance(own_labels, Iterator):
            own_labels = list(own_labels)
        self.label_sets = as_label_sets(own_labels)
        self.labels = None if own_labels is None or self.is_multilabel else list_of_labels(own_labels)
        for given, what in ((self.labels, "label"), (self.label_sets, "list")):
            if given is not None and len(given) != len(self.texts):
                suffix = " of labels" if what == "list" else ""
                raise ArgumentError(f"got {counted(len(self.texts), 'text')} but {counted(len(given), what)}{suffix}")
        of_frame = is_data_frame(texts)
        of_labels = label if isinstance(label, str) else DEFAULT.label
        self.columns = Columns(as_text_column(text) or DEFAULT.text, of_labels) if of_frame else None
        self.is_embedder_named = embedder is not None
        self.are_vectors_given = vectors is not None
        self._given = embedder
        self._usual_task = CLASSIFICATION
        self._vectors = None if vectors is None else check_vectors(vectors, len(self.texts))

    @classmethod
    def of(
        cls,
        texts: "Iterable[str] | DataFrame | EmbeddedTexts",
        labels: AnyLabels | None = None,
        *,
        text: str | Sequence[str] | None = None,
        label: str | Sequence[str] | None = None,
        embedder: EmbedderLike | None = None,
        vectors: Vectors | None = None,
        usual_task: str = CLASSIFICATION,
    ) -> "EmbeddedTexts":
        """Return `texts` if it is an `EmbeddedTexts` already, else create one.

        An embedder given by name that can be told what its vectors are for is told the `usual_task`.

        Raises
        ------
        TypeError
            If `texts` is an `EmbeddedTexts` and another argument is passed.
        """
        if not isinstance(texts, EmbeddedTexts):
            made = cls(texts, labels, text=text, label=label, embedder=embedder, vectors=vectors)
            made._usual_task = usual_task
            return made
        given = {"labels": labels, "text": text, "label": label, "embedder": embedder, "vectors": vectors}
        if extra := [name for name, value in given.items() if value is not None]:
            raise TypeError(f"an EmbeddedTexts already has its own {extra[0]}: do not pass {extra[0]}=")
        return texts

    @classmethod
    def by(
        cls,
        embedder: Embedder,
        texts: "Iterable[str] | DataFrame | EmbeddedTexts",
        labels: AnyLabels | None = None,
        *,
        text: str | Sequence[str] | None = None,
        label: str | Sequence[str] | None = None,
        vectors: Vectors | None = None,
    ) -> "EmbeddedTexts":
        """Return `texts` if it is an `EmbeddedTexts` of this embedder, else create one with the embedder.

        Raises
        ------
        EmbedderError
            If `texts` is an `EmbeddedTexts` of another embedder.
        TypeError
            If `texts` is an `EmbeddedTexts` and labels or vectors are passed.
        """
        if not isinstance(texts, EmbeddedTexts):
            return cls(texts, labels, text=text, label=label, embedder=embedder, vectors=vectors)
        made = cls.of(texts, labels, text=text, label=label, vectors=vectors)
        if not made.is_by(embedder):
            theirs, needed = made.spec.described, embedder.spec.described
            raise EmbedderError(f"the texts are embedded with {theirs}, but vectors from {needed} are needed")
        return made

    def is_by(self, embedder: Embedder) -> bool:
        """Return whether the vectors come from an embedder, ignoring their length; True if their origin is unknown."""
        if self.are_vectors_given and not self.is_embedder_named:
            return True
        try:
            theirs = self.spec
        except NotInstalledError:
            return False
        return replace(theirs, dimensions=None) == replace(embedder.spec, dimensions=None)

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        return f"<EmbeddedTexts: {counted(len(self), 'text')}, {'embedded' if self.is_embedded else 'not embedded'}>"

    @cached_property
    def embedder(self) -> Embedder:
        """The embedder, opened on first use."""
        return as_embedder(self._given, usual_task=self._usual_task, cache=True)

    @property
    def spec(self) -> EmbedderSpec:
        """The model that the vectors come from."""
        return self.embedder.spec

    @property
    def known_labels(self) -> list[str]:
        """The labels.

        Raises
        ------
        ArgumentError
            If the texts have no labels, or lists of them.
        """
        if self.is_multilabel:
            raise ArgumentError("these texts have several labels each, but this takes one label per text")
        if self.labels is None:
            raise ArgumentError(
                "labels are required, but the texts have none (the column of a data frame is named by label=)"
            )
        return self.labels

    @property
    def is_multilabel(self) -> bool:
        """Whether a text may have several labels."""
        return self.label_sets is not None

    @property
    def known_label_sets(self) -> list[LabelSet]:
        """The labels of each text.

        Raises
        ------
        ArgumentError
            If the texts have one label each, or none.
        """
        if self.label_sets is None:
            raise ArgumentError("the classifier gives several labels to a text: pass a list of labels per text")
        return self.label_sets

    @property
    def given_labels(self) -> Labels:
        """The label of each text, or its labels if it may have several.

        Raises
        ------
        ArgumentError
            If the texts have no labels.
        """
        return self.known_labels if self.label_sets is None else self.label_sets

    @property
    def written_labels(self) -> list[str]:
        """The labels of each text as one string: itself, or several as a JSON list.

        Raises
        ------
        ArgumentError
            If the texts have no labels.
        """
        return written_labels(self.given_labels)

    @property
    def shown_labels(self) -> list[str] | None:
        """The label of each text to be shown, or all of its labels joined by a separator; None if there are none."""
        return self.labels if self.label_sets is None else joined_labels(self.label_sets)

    def weights(self, sample_weight: Any) -> Any:
        """Return weights of the texts, a list for an iterator, after checking that those of pandas are in their order.

        Raises
        ------
        ArgumentError
            If they are in another.
        """
        check_order(sample_weight, "sample_weight", self._index)
        return list(sample_weight) if isinstance(sample_weight, Iterator) else sample_weight

    @property
    def is_embedded(self) -> bool:
        """Whether the texts have been embedded."""
        return self._vectors is not None

    @property
    def vectors(self) -> Vectors:
        """The vectors, (n_texts, n_dimensions); the texts are embedded on first use."""
        return self.vectors_with(())[0]

    def vectors_with(self, others: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return the vectors, and those of other texts; all texts without a vector are embedded in one call.

        Returns
        -------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
        others : ndarray of shape (n_others, n_dimensions), float32
        """
        new = [*([] if self._vectors is not None else self.texts), *check_texts(others)]
        embedded = self.embedder.embed_checked(new) if new else np.empty((0, 0), dtype=np.float32)
        of_others = embedded[len(new) - len(others) :]
        if self._vectors is None:
            self._vectors = embedded[: len(self.texts)]
        return self._vectors, of_others

    @cached_property
    def groups(self) -> Ints:
        """A group number per text, the same for equal texts: (n_texts,)."""
        return group_duplicates(self.texts)
