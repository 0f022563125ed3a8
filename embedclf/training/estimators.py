"""The scikit-learn door: texts go in where scikit-learn's estimators take matrices."""

import copy
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from embedclf.arrays import Vectors
from embedclf.classifier.decisions import rank
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_file import Head
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.base import WORDS, Embedder
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.factory import as_embedder, open_embedder
from embedclf.errors import NotInstalledError
from embedclf.training.checks import check_classes
from embedclf.training.recipe import Features, Recipe, check_recipe
from embedclf.training.trainer import fit_classifier, make_inputs, names_for
from embedclf.validation import check_texts, group_duplicates

logger = logging.getLogger(__name__)


class _TextEstimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: the embedder as a parameter, and texts as input."""

    embedder: Any
    dimensions: int | None
    cache: VectorCache | bool
    cache_name: str | None

    def _embed(self, X: Any, *, reset: bool) -> Vectors:
        """Make vectors of the input, (n, n_dimensions); `reset` while fitting."""
        if reset:
            self.embedder_: Embedder = as_embedder(
                self.embedder, dimensions=self.dimensions, cache=self.cache, cache_name=self.cache_name
            )
        return self.embedder_.embed(_texts(X))

    def __sklearn_clone__(self) -> Self:
        # An embedder may hold locks and connections, which no copy can share: the clone gets the same one.
        without = copy.copy(self)
        without.embedder = None
        clone: Self = super(_TextEstimator, without).__sklearn_clone__()
        clone.embedder = self.embedder
        return clone

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags


def _texts(X: Any) -> list[str]:
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) != 1:
        raise ValueError(f"expected texts in one dimension, got an array of shape {tuple(shape)}")
    return check_texts(X)


class EmbeddingTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _TextEstimator):  # type: ignore[misc]
    """Turn texts into vectors, as a step of a scikit-learn pipeline.

    Parameters
    ----------
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        A ``provider:model``, one of our embedders, or any LangChain ``Embeddings``; None takes the default one.
    dimensions : int, optional
        Length of the vectors, for an embedder given by its name.
    cache : VectorCache or bool
        Where an embedder given by its name keeps its vectors; True is the cache that the command line uses.
    cache_name : str, optional
        A name for a LangChain ``Embeddings``, under which its vectors are kept; None does not keep them.

    Attributes
    ----------
    embedder_ : Embedder
    """

    def __init__(
        self,
        embedder: Any = None,
        *,
        dimensions: int | None = None,
        cache: VectorCache | bool = True,
        cache_name: str | None = None,
    ) -> None:
        self.embedder = embedder
        self.dimensions = dimensions
        self.cache = cache
        self.cache_name = cache_name

    def fit(self, X: Iterable[str], y: object = None) -> Self:
        """Open the embedder, and embed the texts so that their number of dimensions is known."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Iterable[str], y: object = None, **fit_params: object) -> Vectors:
        """Open the embedder and embed the texts: (n, n_dimensions) float32."""
        vectors = self._embed(X, reset=True)
        self._n_features_out = vectors.shape[1]
        return vectors

    def transform(self, X: Iterable[str]) -> Vectors:
        """Embed texts: (n, n_dimensions) float32, of unit length."""
        check_is_fitted(self)
        return self._embed(X, reset=False)


class EmbeddingClassifier(ClassifierMixin, _TextEstimator):  # type: ignore[misc]
    """Classify texts, as a scikit-learn classifier.

    Parameters
    ----------
    embedder, dimensions, cache, cache_name
        As those of `EmbeddingTransformer`.
    head : {"logistic", "centroid"}
        Logistic regression or nearest centroid.
    regularization : float or "auto"
        scikit-learn's C for the logistic head; "auto" chooses it by log loss on examples not fitted on.
    features : {"auto", "embedding", "words", "both"}
        What of a text is used; as of `embedclf.train`.
    label_names : bool, optional
        Whether the name of each label is a training text, too; as of `embedclf.train`.
    random_state : int
        For the folds on which C and the temperature are chosen.

    Attributes
    ----------
    embedder_ : Embedder
    model_ : LinearModel
    classes_ : ndarray of shape (n_classes,)
        The labels, of their own type.
    """

    def __init__(
        self,
        embedder: Any = None,
        *,
        dimensions: int | None = None,
        cache: VectorCache | bool = True,
        cache_name: str | None = None,
        head: Head = "logistic",
        regularization: float | Literal["auto"] = "auto",
        features: Features = "auto",
        label_names: bool | None = None,
        random_state: int = 0,
    ) -> None:
        self.embedder = embedder
        self.dimensions = dimensions
        self.cache = cache
        self.cache_name = cache_name
        self.head = head
        self.regularization = regularization
        self.features = features
        self.label_names = label_names
        self.random_state = random_state

    def fit(self, X: Iterable[str], y: Any) -> Self:
        """Embed the texts and fit the head; both C and the temperature are chosen on examples not fitted on.

        Parameters
        ----------
        X : list, array or Series of str
        y : list, array or Series
            Labels of any type that sorts.
        """
        recipe = check_recipe(self.head, self.regularization, self.features, self.label_names)
        vectors, recipe = self._embed_to_fit(X, recipe)
        texts = _texts(X) if recipe.uses_words else [""] * len(vectors)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        check_consistent_length(texts, y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        names = check_classes(str(name) for name in self.classes_)
        of_names = None
        if recipe.uses_vectors and (name_texts := names_for(recipe, names, len(texts))):
            of_names = self.embedder_.embed(name_texts)
        inputs, name_inputs = make_inputs(recipe, self.embedder_, texts, names, vectors, of_names)
        groups = group_duplicates(texts if recipe.uses_words else [vector.tobytes() for vector in vectors])
        self.model_: LinearModel
        self.model_, self._card = fit_classifier(
            inputs,
            numbers,
            groups,
            names,
            recipe,
            spec=self.embedder_.spec,
            seed=self.random_state,
            names=name_inputs,
        )
        return self

    def _embed_to_fit(self, X: Any, recipe: Recipe) -> tuple[Vectors, Recipe]:
        if recipe.uses_vectors:
            try:
                return self._embed(X, reset=True), recipe
            except NotInstalledError as error:
                if self.embedder is not None or recipe.features != "auto":
                    raise
                logger.warning("fitted on words alone, as there is no embedder: %s", error)
        self.embedder_ = open_embedder(WORDS)
        return np.empty((len(_texts(X)), 0), dtype=np.float32), replace(recipe, features="words")

    def predict_proba(self, X: Iterable[str]) -> Vectors:
        """Give each class's calibrated probability for each text: (n, n_classes) float32, columns as `classes_`."""
        check_is_fitted(self)
        model, terms = self.model_, None
        if model.words is not None:
            texts = _texts(X)
            terms = model.words.vocabulary.terms(texts)
        vectors = self._embed(X, reset=False) if model.uses_vectors else np.empty((len(texts), 0), dtype=np.float32)
        return model.probabilities(vectors, terms)

    def predict(self, X: Iterable[str]) -> Any:
        """Label texts: (n,), of the labels' own type."""
        check_is_fitted(self)
        return self.classes_[rank(self.predict_proba(X)).likeliest]

    def to_text_classifier(self) -> TextClassifier:
        """Make a `TextClassifier` of it, which can be saved; its labels are the text of these."""
        check_is_fitted(self)
        return TextClassifier(self.embedder_, self.model_, self._card)
