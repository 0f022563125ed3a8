"""scikit-learn estimators whose input is texts instead of a matrix."""

import copy
from collections.abc import Iterable
from numbers import Real
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
from embedclf.missing import check_none_missing
from embedclf.training.checks import check_classes
from embedclf.training.fitting import fit_classifier
from embedclf.training.recipe import Features, Recipe, check_recipe
from embedclf.training.trainer import open_for
from embedclf.training.training_set import make_training_set
from embedclf.validation import check_texts, label_of


class _TextEstimator(BaseEstimator):  # type: ignore[misc]
    """Base class of both estimators: takes an embedder as a parameter and texts as input.

    Unlike in the package's functions, the embedder's settings are separate parameters, so that a grid search can tune
    them: ``{"dimensions": [64, 256]}``.
    """

    embedder: Any
    dimensions: int | None
    cache: VectorCache | bool
    cache_name: str | None

    @property
    def _settings(self) -> dict[str, Any]:
        """Settings for opening the embedder; see `as_embedder`."""
        return {"dimensions": self.dimensions, "cache": self.cache, "cache_name": self.cache_name}

    def _embed(self, X: Any, *, reset: bool) -> Vectors:
        """Embed the input: (n, n_dimensions). With `reset`, used in fitting, open the embedder first."""
        if reset:
            self.embedder_: Embedder = as_embedder(self.embedder, **self._settings)
        return self.embedder_.embed_checked(check_texts(_in_one_dimension(X)))

    def __sklearn_clone__(self) -> Self:
        # An embedder may hold locks and connections, which cannot be copied: the clone shares it.
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
        raise ArgumentError(f"expected a one-dimensional array of texts, got shape {tuple(shape)}")
    return X


class EmbeddingTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _TextEstimator):  # type: ignore[misc]
    """Embed texts, as a step of a scikit-learn pipeline.

    Parameters
    ----------
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        A ``provider:model``, an embedclf embedder, or any LangChain ``Embeddings``; None uses the default embedder.
    dimensions : int, optional
        Length of the vectors, for an embedder given by name.
    cache : VectorCache or bool
        Where an embedder given by name stores its vectors; True uses the same cache as the command line.
    cache_name : str, optional
        Name under which the vectors of a LangChain ``Embeddings`` are cached; None does not cache them.

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
        """Open the embedder, and embed the texts to find the number of dimensions."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Iterable[str], y: object = None, **fit_params: object) -> Vectors:
        """Open the embedder and embed the texts: (n, n_dimensions) float32."""
        vectors = self._embed(X, reset=True)
        self._n_features_out = vectors.shape[1]
        return vectors

    def transform(self, X: Iterable[str]) -> Vectors:
        """Embed texts: (n, n_dimensions) float32, unit length."""
        check_is_fitted(self)
        return self._embed(X, reset=False)


class EmbeddingClassifier(ClassifierMixin, _TextEstimator):  # type: ignore[misc]
    """Text classifier with the interface of scikit-learn.

    Parameters
    ----------
    embedder, dimensions, cache, cache_name
        See `EmbeddingTransformer`.
    head : {"logistic", "centroid"}
        Logistic regression or nearest centroid.
    regularization : float or "auto"
        scikit-learn's C for the logistic head; "auto" chooses it by cross-validated log loss.
    features : {"auto", "embedding", "words", "both"}
        Which features of a text to use; see `embedclf.train`.
    label_names : bool, optional
        Whether to use the name of each label as a training text; see `embedclf.train`.
    random_state : int
        Seed for the folds on which C and the temperature are chosen.

    Attributes
    ----------
    embedder_ : Embedder
    model_ : LinearModel
    classes_ : ndarray of shape (n_classes,)
        The labels, in their original type.
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
        """Embed the texts and fit the head; C and the temperature are chosen by cross-validation.

        Parameters
        ----------
        X : list, array or Series of str
        y : list, array or Series
            Labels of any sortable type.
        """
        recipe = check_recipe(self.head, self.regularization, self.features, self.label_names)
        check_none_missing(y, "y")
        texts, recipe = self._open(X, recipe)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        check_consistent_length(texts.texts, y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        classes = check_classes(label_of(name) if isinstance(name, Real) else str(name) for name in self.classes_)
        self.model_: LinearModel
        self.model_, self._card = fit_classifier(
            make_training_set(recipe, texts, classes, numbers),
            recipe,
            spec=self.embedder_.spec,
            seed=self.random_state,
        )
        return self

    def _open(self, X: Any, recipe: Recipe) -> tuple[EmbeddedTexts, Recipe]:
        """Open the embedder that a recipe needs, and check the texts without embedding them."""
        self.embedder_, recipe = open_for(recipe, self.embedder, **self._settings)
        return EmbeddedTexts(_in_one_dimension(X), embedder=self.embedder_), recipe

    def predict_proba(self, X: Iterable[str]) -> Vectors:
        """Return calibrated probabilities: (n, n_classes) float32, columns in the order of `classes_`."""
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
        """Return the predicted labels: (n,), in their original type."""
        check_is_fitted(self)
        return self.classes_[rank(self.predict_proba(X)).likeliest]

    def to_text_classifier(self) -> TextClassifier:
        """Return a `TextClassifier`, which can be saved; its labels are these labels converted to str."""
        check_is_fitted(self)
        return TextClassifier(self.embedder_, self.model_, self._card)
