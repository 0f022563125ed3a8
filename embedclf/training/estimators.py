"""scikit-learn estimators whose input is texts instead of a matrix."""

import copy
from collections.abc import Iterable
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from embedclf.arrays import Vectors
from embedclf.classifier.decisions import MultiLabelDecision, rank
from embedclf.classifier.empty_texts import OnEmpty, around_empty
from embedclf.classifier.linear import LinearModel, log_logistic, log_softmax
from embedclf.classifier.model_card import Head
from embedclf.classifier.multilabel import make_classifier
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data_frames import check_order, index_of
from embedclf.embedding.base import Embedder
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import as_embedder
from embedclf.errors import TextError
from embedclf.training.checks import check_classes, rarest_labels
from embedclf.training.estimator_inputs import labels_in_rows, labels_of, n_columns, one_dimension, several_labels
from embedclf.training.estimator_state import StoredEstimator
from embedclf.training.fitting import fit_classifier
from embedclf.training.recipe import Features, check_recipe
from embedclf.training.trainer import open_for
from embedclf.training.training_set import make_training_set
from embedclf.training.weights import ClassWeight, check_sample_weight, weights_of_classes
from embedclf.validation import check_texts, label_of, list_of_strings


class _TextEstimator(StoredEstimator, BaseEstimator):  # type: ignore[misc]
    """Base class of both estimators: takes an embedder as a parameter and texts as input.

    Unlike in the package's functions, the embedder's settings are separate parameters, so that a grid search can tune
    them: ``{"dimensions": [64, 256]}``.
    """

    embedder: Any
    dimensions: int | None
    cache: VectorCache | bool
    cache_name: str | None
    # Those of estimators that older versions have stored.
    task: str | None = None
    prompt: str | None = None

    @property
    def _settings(self) -> dict[str, Any]:
        """Settings for opening the embedder; see `as_embedder`."""
        names = ("dimensions", "task", "prompt", "cache", "cache_name")
        return {name: getattr(self, name) for name in names}

    def _texts(self, X: Any, *, reset: bool, may_be_empty: bool = False) -> list[str]:
        """Check the texts and return them as a list; with `reset`, used in fitting, remember the name of their column.

        A column counts as one feature, which may have a name. Texts in one dimension have none, and always fit.
        """
        given = one_dimension(X)
        texts = list_of_strings(given, "texts") if may_be_empty else check_texts(given)
        if reset:
            for name in {"n_features_in_", "feature_names_in_"} & vars(self).keys():
                delattr(self, name)
        named = hasattr(X, "columns") and hasattr(self, "feature_names_in_")
        if named or (reset and n_columns(X) is not None):
            validate_data(self, X, reset=reset, skip_check_array=True)
        return texts

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


class EmbeddingTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _TextEstimator):  # type: ignore[misc]
    """Embed texts, as a step of a scikit-learn pipeline.

    The texts are a list, array or Series of strings, or a table with one column, such as a data frame.

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
    task : {"classification", "clustering", "similarity", "none"}, optional
        What to tell an embedder given by name that its vectors are for; see `open_embedder`.
    prompt : str, optional
        An instruction to put before each text; not for an embedclf embedder, which has its own.

    Attributes
    ----------
    embedder_ : Embedder
    n_features_in_ : int
        1, if the texts were the column of a table.
    feature_names_in_ : ndarray of shape (1,)
        The name of that column, if it has one.
    """

    def __init__(
        self,
        embedder: Any = None,
        *,
        dimensions: int | None = None,
        cache: VectorCache | bool = True,
        cache_name: str | None = None,
        task: str | None = None,
        prompt: str | None = None,
    ) -> None:
        self.embedder = embedder
        self.dimensions = dimensions
        self.cache = cache
        self.cache_name = cache_name
        self.task = task
        self.prompt = prompt

    def fit(self, X: Iterable[str], y: object = None) -> Self:
        """Open the embedder, and embed the texts to find the number of dimensions."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Iterable[str], y: object = None, **fit_params: object) -> Vectors:
        """Open the embedder and embed the texts: (n, n_dimensions) float32."""
        texts = self._texts(X, reset=True)
        self.embedder_: Embedder = as_embedder(self.embedder, **self._settings)
        vectors = self.embedder_.embed_checked(texts)
        self._n_features_out = vectors.shape[1]
        return vectors

    def transform(self, X: Iterable[str]) -> Vectors:
        """Embed texts: (n, n_dimensions) float32, unit length."""
        check_is_fitted(self)
        return self._opened().embed_checked(self._texts(X, reset=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # vectors are float32, whatever the texts are
        return tags


class EmbeddingClassifier(ClassifierMixin, _TextEstimator):  # type: ignore[misc]
    """Text classifier with the interface of scikit-learn.

    The texts are a list, array or Series of strings, or a table with one column, such as a data frame.

    Parameters
    ----------
    embedder, dimensions, cache, cache_name, task, prompt
        See `EmbeddingTransformer`.
    head : {"logistic", "centroid"}
        Logistic regression or nearest centroid.
    regularization : float or "auto"
        scikit-learn's C for the logistic head; "auto" chooses it by cross-validated log loss. The centroid head ignores
        it.
    features : {"auto", "embedding", "words", "both"}
        Which features of a text to use; see `embedclf.train`.
    label_names : bool, optional
        Whether to use the name of each label as a training text; see `embedclf.train`.
    class_weight : dict, "balanced" or None
        The weight of each class, 1 if it is not in the dict; the weights of its examples are multiplied by it.
        "balanced" makes all classes count the same, however many examples they have. As scikit-learn has it, this is
        the same as `sample_weight`, and the prediction is the class with the largest probability. So the probabilities
        are those of texts in which classes are as frequent as their weights say; `embedclf.train` corrects them. If
        texts may have several labels, a weight is how much a text with the label counts, compared with one without it;
        thresholds follow it, and probabilities are corrected, as in `embedclf.train`.
    random_state : int
        Seed for the folds on which C and the temperature are chosen.

    Attributes
    ----------
    embedder_ : Embedder
    model_ : LinearModel
    classes_ : ndarray of shape (n_classes,)
        The labels, in their original type. For a matrix of labels, the numbers of its columns, or their names.
    n_features_in_, feature_names_in_
        See `EmbeddingTransformer`.
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
        class_weight: ClassWeight = None,
        random_state: int = 0,
        task: str | None = None,
        prompt: str | None = None,
    ) -> None:
        self.embedder = embedder
        self.dimensions = dimensions
        self.cache = cache
        self.cache_name = cache_name
        self.task = task
        self.prompt = prompt
        self.head = head
        self.regularization = regularization
        self.features = features
        self.label_names = label_names
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Iterable[str], y: Any, sample_weight: Any = None) -> Self:
        """Embed the texts and fit the head; C and the temperature are chosen by cross-validation.

        Everything is checked before anything is embedded.

        Parameters
        ----------
        X : list, array or Series of str, or a table with one column
        y : list, array or Series
            Labels of any sortable type. Texts may have several labels: a matrix or data frame of 0 and 1 with a column
            per label, or a list of lists of labels.
        sample_weight : array of shape (n_texts,), optional
            How many texts each text counts for, in the fit and in the choice of C and temperature. A text of weight 0
            is left out.
        """
        # As in scikit-learn's own estimators, what does not apply is ignored, so that searches can vary both.
        C = "auto" if self.head == "centroid" else self.regularization
        recipe = check_recipe(self.head, C, self.features, self.label_names)
        several = several_labels(y)
        for name, values in (("y", y), ("sample_weight", sample_weight)):
            check_order(values, name, index_of(X))
        labels = labels_of(y, type(self).__name__) if several is None else several.given
        texts = self._texts(X, reset=True)
        check_consistent_length(texts, labels)
        weights = check_sample_weight(sample_weight, len(texts))
        if weights is not None and not weights.all():
            used = np.flatnonzero(weights)
            texts, labels, weights = [texts[row] for row in used], labels[used], weights[used]
        given = None
        if several is None:
            self.classes_, numbers = np.unique(labels, return_inverse=True)
        else:
            self.classes_, given, numbers = several.classes, labels, rarest_labels(labels)
        self._returns_lists = several is not None and not several.is_matrix
        classes = check_classes(label_of(name) if isinstance(name, Real) else str(name) for name in self.classes_)
        of_classes = weights_of_classes(weights, self.class_weight, self.classes_.tolist(), numbers, given)
        if of_classes is not None and several is None:
            weights, of_classes = of_classes[numbers] * (1.0 if weights is None else weights), None
        self.embedder_: Embedder
        self.embedder_, recipe = open_for(recipe, self.embedder, **self._settings)
        embedded = EmbeddedTexts(texts, embedder=self.embedder_)
        self.model_: LinearModel
        self.model_, self._card, _ = fit_classifier(
            make_training_set(
                recipe, embedded, classes, numbers, sample_weight=weights, given=given, class_weight=of_classes
            ),
            recipe,
            spec=self.embedder_.spec,
            seed=self.random_state,
        )
        return self

    def decision_function(self, X: Iterable[str]) -> Vectors:
        """Return the scores whose softmax are the probabilities.

        Returns
        -------
        ndarray of shape (n_texts, n_classes), float32
            With two classes, (n_texts,): the score of the second class less that of the first. If texts may have
            several labels, the probability is the logistic function of the score of each.
        """
        scores = self._scores(self._fitted_texts(X))
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 and not self.model_.is_multilabel else scores

    def predict_proba(self, X: Iterable[str], *, on_empty: OnEmpty = "error") -> Vectors:
        """Return calibrated probabilities: (n, n_classes) float32, columns in the order of `classes_`.

        `on_empty` says what to return for an empty text; see `TextClassifier.predict_proba`.
        """
        check_is_fitted(self)
        texts = self._texts(X, reset=False, may_be_empty=True)
        return around_empty(texts, len(self.classes_), on_empty, self._probabilities)

    def predict_log_proba(self, X: Iterable[str]) -> Vectors:
        """Return the logarithms of the probabilities: (n, n_classes) float32; also finite where one rounds to 0."""
        scores = self._scores(self._fitted_texts(X))
        return log_logistic(scores) if self.model_.is_multilabel else log_softmax(scores)

    def predict(self, X: Iterable[str]) -> Any:
        """Return the predicted labels: (n,), in their original type.

        If texts may have several labels, they are in the form of y: a matrix of 0 and 1, or a list of tuples, as
        `sklearn.preprocessing.MultiLabelBinarizer` returns them.
        """
        probabilities = self._probabilities(self._fitted_texts(X))
        decision = self._card.decision(self.model_.classes)
        if not isinstance(decision, MultiLabelDecision):
            return self.classes_[rank(probabilities).likeliest]
        given = decision.given(probabilities)
        return labels_in_rows(self.classes_, given) if self._returns_lists else given.astype(np.intp)

    def score(self, X: Iterable[str], y: Any, sample_weight: Any = None) -> float:
        """Return the share of texts whose label, or whose labels, all and no others, are predicted."""
        predicted = self.predict(X)
        if self.model_.is_multilabel and self._returns_lists:
            right = [set(one) == set(labels) for one, labels in zip(predicted, y, strict=True)]
            return float(np.average(right, weights=sample_weight))
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def to_text_classifier(self) -> TextClassifier:
        """Return a `TextClassifier`, which can be saved; its labels are these labels converted to str."""
        check_is_fitted(self)
        return make_classifier(self._opened(), self.model_, self._card)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _probabilities(self, texts: list[str]) -> Vectors:
        return self.model_.to_probabilities(self._scores(texts))

    def _fitted_texts(self, X: Any) -> list[str]:
        check_is_fitted(self)
        return self._texts(X, reset=False)

    def _scores(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.empty((0, len(self.classes_)), dtype=np.float32)
        classifier = self.to_text_classifier()
        vectors, reasons = classifier.embed_partial(texts)
        if reasons:
            raise TextError(reasons)
        return classifier.scores(vectors, texts)
