"""The scikit-learn door: texts go in where scikit-learn's estimators take matrices."""

import copy
from collections.abc import Iterable
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
from embedclf.embedding.base import Embedder
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import as_embedder
from embedclf.errors import ArgumentError
from embedclf.training.checks import check_classes
from embedclf.training.fitting import fit_classifier
from embedclf.training.recipe import Features, Recipe, check_recipe
from embedclf.training.trainer import open_for
from embedclf.training.training_set import make_training_set
from embedclf.validation import check_texts


class _TextEstimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: the embedder as a parameter, and texts as input.

    The embedder's settings are parameters of their own here, unlike in the functions of the package, since a grid
    search tunes parameters: ``{"dimensions": [64, 256]}``.
    """

    embedder: Any
    dimensions: int | None
    cache: VectorCache | bool
    cache_name: str | None

    @property
    def _settings(self) -> dict[str, Any]:
        """How an embedder that is not open is opened; see `as_embedder`."""
        return {"dimensions": self.dimensions, "cache": self.cache, "cache_name": self.cache_name}

    def _embed(self, X: Any, *, reset: bool) -> Vectors:
        """Make vectors of the input, (n, n_dimensions); `reset` while fitting."""
        if reset:
            self.embedder_: Embedder = as_embedder(self.embedder, **self._settings)
        return self.embedder_.embed(_in_one_dimension(X))

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


def _in_one_dimension(X: Any) -> Any:
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) != 1:
        raise ArgumentError(f"expected texts in one dimension, got an array of shape {tuple(shape)}")
    return X


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
        texts, recipe = self._open(X, recipe)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        check_consistent_length(texts.texts, y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        classes = check_classes(str(name) for name in self.classes_)
        self.model_: LinearModel
        self.model_, self._card = fit_classifier(
            make_training_set(recipe, texts, classes, numbers),
            recipe,
            spec=self.embedder_.spec,
            seed=self.random_state,
        )
        return self

    def _open(self, X: Any, recipe: Recipe) -> tuple[EmbeddedTexts, Recipe]:
        """Open the embedder that a recipe needs, and check the texts that it is to embed; nothing is embedded yet."""
        self.embedder_, recipe = open_for(recipe, self.embedder, **self._settings)
        return EmbeddedTexts(_in_one_dimension(X), embedder=self.embedder_), recipe

    def predict_proba(self, X: Iterable[str]) -> Vectors:
        """Return each class's calibrated probability for each text: (n, n_classes) float32, columns as `classes_`."""
        check_is_fitted(self)
        model = self.model_
        if model.words is None:
            return model.probabilities(self._embed(X, reset=False))
        texts = check_texts(_in_one_dimension(X))
        terms = model.words.vocabulary.terms(texts)
        if model.uses_vectors:
            return model.probabilities(self.embedder_.embed_checked(texts), terms)
        return model.probabilities(np.empty((len(texts), 0), dtype=np.float32), terms)

    def predict(self, X: Iterable[str]) -> Any:
        """Label texts: (n,), of the labels' own type."""
        check_is_fitted(self)
        return self.classes_[rank(self.predict_proba(X)).likeliest]

    def to_text_classifier(self) -> TextClassifier:
        """Make a `TextClassifier` of it, which can be saved; its labels are the text of these."""
        check_is_fitted(self)
        return TextClassifier(self.embedder_, self.model_, self._card)
