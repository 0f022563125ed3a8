"""The scikit-learn door: what scikit-learn promises of an estimator holds for ours, of texts."""

import inspect
import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from langchain_core.embeddings import Embeddings
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, TEXTS
from embedclf.embedding.base import EmbedderSpec
from embedclf.training.estimators import EmbeddingClassifier, EmbeddingTransformer
from embedclf.training.recipe import Recipe

BOTH = [EmbeddingClassifier, EmbeddingTransformer]


class Lengths(Embeddings):
    """A LangChain embedder that needs no server; it holds what cannot be copied."""

    def __init__(self) -> None:
        import threading

        self.lock = threading.Lock()
        self.asked: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked += texts
        return [[len(text), text.count("e") + 1, text.count("y") * 9, text.count("p") * 9] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


@pytest.mark.parametrize("kind", BOTH)
def test_init_only_stores(kind: type):
    """Each parameter comes back from get_params as it was given, nothing is opened or checked, set_params sets."""
    names = list(inspect.signature(kind).parameters)
    given: dict[str, Any] = {name: object() for name in names}
    estimator = kind(**given)
    assert vars(estimator) == given
    assert estimator.get_params(deep=False) == given
    estimator.set_params(dimensions=5)
    assert estimator.dimensions == 5
    with pytest.raises(ValueError, match="Invalid parameter 'nothing'"):
        estimator.set_params(nothing=1)


@pytest.mark.parametrize("kind", BOTH)
def test_clone_shares_the_embedder_and_nothing_fitted(kind: type):
    """Also one that cannot be copied."""
    embedder = Lengths()
    estimator = (
        kind(embedder, cache=False).set_output(transform="pandas") if kind is EmbeddingTransformer else kind(embedder)
    )
    estimator.fit(TEXTS, LABELS)
    copied = clone(estimator)
    assert copied.embedder is embedder
    assert copied.get_params() == estimator.get_params()
    with pytest.raises(NotFittedError):
        copied.predict(TEXTS) if kind is EmbeddingClassifier else copied.transform(TEXTS)


def test_not_fitted():
    """Every method that needs a fit says so."""
    classifier = EmbeddingClassifier()
    for method in (classifier.predict, classifier.predict_proba):
        with pytest.raises(NotFittedError):
            method(TEXTS)
    with pytest.raises(NotFittedError):
        classifier.to_text_classifier()
    with pytest.raises(NotFittedError):
        EmbeddingTransformer().transform(TEXTS)


def test_a_refit_is_a_fresh_fit():
    """Nothing of the first fit is left."""
    first = EmbeddingClassifier("wordllama").fit(TEXTS[:20], LABELS[:20])
    first.set_params(dimensions=64).fit(TEXTS, LABELS)
    fresh = EmbeddingClassifier("wordllama", dimensions=64).fit(TEXTS, LABELS)
    assert (first.predict_proba(TEXTS) == fresh.predict_proba(TEXTS)).all()
    assert first.model_.weights.shape == (3, 64)


@pytest.mark.parametrize("kind", BOTH)
def test_pickles_before_and_after_fit(kind: type):
    """And gives the same answers."""
    estimator = pickle.loads(pickle.dumps(kind("wordllama", dimensions=64)))
    estimator.fit(TEXTS, LABELS)
    again = pickle.loads(pickle.dumps(estimator))
    name = "predict_proba" if kind is EmbeddingClassifier else "transform"
    assert (getattr(again, name)(TEXTS) == getattr(estimator, name)(TEXTS)).all()


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        np.array(LABELS),
        np.array(LABELS, dtype=object),
        pd.Series(LABELS),
        pd.Series(LABELS).map({"delivery": 7, "password": 1, "refund": 3}),
        np.array([label == "refund" for label in LABELS]),
        pd.Series(LABELS, dtype="category"),
    ],
    ids=["list", "str", "object", "series", "int", "bool", "category"],
)
def test_classes_are_of_the_labels_own_type(labels: Any):
    """classes_ is numpy.unique of the labels; predict gives such labels back."""
    classifier = EmbeddingClassifier("wordllama").fit(TEXTS, labels)
    expected = np.unique(np.asarray(labels))
    assert (classifier.classes_ == expected).all()
    assert classifier.classes_.dtype == expected.dtype
    predicted = classifier.predict(TEXTS)
    assert predicted.dtype == expected.dtype
    assert classifier.score(TEXTS, labels) > 0.9
    assert classifier.predict_proba(TEXTS).shape == (30, len(expected))


@pytest.mark.parametrize(
    "texts",
    [TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object), pd.Series(TEXTS, index=range(100, 130))],
    ids=["list", "tuple", "str", "object", "series"],
)
def test_texts_come_in_any_container(texts: Any):
    """Lists, arrays and Series give the same answers."""
    reference = EmbeddingClassifier("wordllama").fit(TEXTS, LABELS).predict_proba(TEXTS)
    assert (EmbeddingClassifier("wordllama").fit(texts, LABELS).predict_proba(texts) == reference).all()
    assert EmbeddingTransformer("wordllama").fit_transform(texts).shape == (30, 256)


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        ("a text", ["a"], TypeError, "texts must be a list of strings, not a single str"),
        (
            pd.DataFrame({"text": TEXTS}),
            LABELS,
            ValueError,
            r"expected a one-dimensional array of texts, got shape \(30, 1\)",
        ),
        ([1, 2, 3], ["a", "b", "c"], TypeError, "texts must be strings"),
        (["a", ""], ["x", "y"], ValueError, "the text is empty"),
        (["a", "b", "c"], ["x", "y"], ValueError, "inconsistent numbers of samples"),
        (["a", "b"], ["x", "x"], ValueError, "only one class, 'x'"),
    ],
)
def test_what_cannot_be_fitted(X: Any, y: Any, error: Any, message: str):
    """A clear error of the kind that scikit-learn's users expect."""
    with pytest.raises(error, match=message):
        EmbeddingClassifier("wordllama").fit(X, y)


@pytest.mark.slow
def test_in_a_pipeline():
    """The transformer before scikit-learn's own classifier; both heads behind cross_val_score."""
    pipeline = make_pipeline(EmbeddingTransformer("wordllama"), LogisticRegression(C=10))
    assert pipeline.fit(TEXTS, LABELS).score(TEXTS, LABELS) == 1
    assert "embedder='wordllama'" in repr(pipeline)
    assert cross_val_score(EmbeddingClassifier("wordllama"), TEXTS, LABELS, cv=3).mean() > 0.6


@pytest.mark.slow
def test_a_grid_search_in_two_processes():
    """Parameters of ours are searched like any others."""
    search = GridSearchCV(
        EmbeddingClassifier("wordllama"), {"head": ["logistic", "centroid"], "dimensions": [64, 256]}, cv=2, n_jobs=2
    )
    search.fit(TEXTS, LABELS)
    assert set(search.best_params_) == {"head", "dimensions"}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_set_output_gives_a_data_frame():
    """With named columns."""
    frame = EmbeddingTransformer("wordllama", dimensions=64).set_output(transform="pandas").fit_transform(TEXTS)
    assert isinstance(frame, pd.DataFrame)
    assert frame.shape == (30, 64)
    assert list(frame.columns[:2]) == ["embeddingtransformer0", "embeddingtransformer1"]


def test_it_becomes_a_text_classifier():
    """Which is saved and loaded, and answers the same."""
    classifier = EmbeddingClassifier("wordllama", head="centroid").fit(
        TEXTS, np.array([len(label) for label in LABELS])
    )
    classifier.to_text_classifier().save("m.safetensors")
    loaded = embedclf.load("m.safetensors")
    assert loaded.classes == ("6", "8")
    assert (loaded.predict_proba(TEXTS) == classifier.predict_proba(TEXTS)).all()
    assert loaded.card.head == "centroid"


class TestAnyLangChainEmbeddings:
    """An embedder that is not ours."""

    def test_it_is_not_cached_without_a_name(self):
        """Nothing tells whether two of them give the same vectors."""
        embedder = Lengths()
        for _ in range(2):
            EmbeddingTransformer(embedder).fit_transform(TEXTS)
        assert len(embedder.asked) == 60

    def test_it_is_cached_under_a_name(self):
        """Which says that they do."""
        embedder = Lengths()
        vectors = [EmbeddingTransformer(embedder, cache_name="lengths").fit_transform(TEXTS) for _ in range(2)]
        assert len(embedder.asked) == 30
        assert (vectors[0] == vectors[1]).all()
        EmbeddingTransformer(embedder, cache_name="others").fit_transform(TEXTS)
        assert len(embedder.asked) == 60

    def test_a_classifier_on_it_is_saved_as_external(self):
        """load must be handed it again; another dimension is refused."""
        classifier = embedclf.train(TEXTS, LABELS, embedder=Lengths())
        assert classifier.card.embedder == EmbedderSpec("external", "Lengths", 4)
        classifier.save("m.safetensors")
        with pytest.raises(
            embedclf.EmbedderError, match=r"a third-party embedder \(Lengths\): pass it in Python, with embedclf.load"
        ):
            embedclf.load("m.safetensors")
        loaded = embedclf.load("m.safetensors", embedder=Lengths())
        assert loaded.predict(TEXTS) == classifier.predict(TEXTS)
        with pytest.raises(embedclf.ModelFileError, match=r"trained with external:Lengths \(4 dimensions\), but"):
            embedclf.load("m.safetensors", embedder=embedclf.open_embedder("wordllama"))

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (lambda texts: [[1.0, 2.0]], r"Odd returned vectors of shape \(1, 2\), expected \(3, n\)"),
            (lambda texts: [[1.0]] * 2 + [[1.0, 2.0]], "did not return a list of equally long vectors"),
            (lambda texts: [[float("nan")]] * 3, "zero or not finite"),
            (lambda texts: [[0.0]] * 3, "zero or not finite"),
            (lambda texts: None, "Odd returned"),
        ],
    )
    def test_what_it_answers_is_checked(self, answer: Any, message: str):
        """As the API's answers are."""

        class Odd(Lengths):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return answer(texts)

        with pytest.raises(embedclf.EmbedderError, match=message):
            embedclf.from_langchain(Odd()).embed(["a", "b", "c"])

    def test_what_is_no_embedder_at_all(self):
        """Is a TypeError that says what would be one."""
        with pytest.raises(TypeError, match="embedder must be a name, an Embedder or a LangChain Embeddings, got int"):
            embedclf.train(TEXTS, LABELS, embedder=5)


class TestOurEmbedderInLangChain:
    """The LangChain door."""

    def test_as_langchain_gives_embeddings_with_the_cache_behind(self, api: AimlapiServer):
        """Sync and async, lists of floats; each text is sent once."""
        import asyncio

        embeddings = embedclf.as_langchain(embedclf.open_embedder("aimlapi:text-embedding-3-small", cache=True))
        assert isinstance(embeddings, Embeddings)
        documents = embeddings.embed_documents(["a", "b", "a"])
        assert type(documents) is list
        assert type(documents[0]) is list
        assert type(documents[0][0]) is float
        assert documents[0] == documents[2] == embeddings.embed_query("a")

        async def ask() -> tuple[list[list[float]], list[float]]:
            return await embeddings.aembed_documents(["a", "b"]), await embeddings.aembed_query("b")

        assert asyncio.run(ask()) == (documents[:2], documents[1])
        assert asyncio.run(ask()) == (documents[:2], documents[1])
        assert api.texts_sent == ["a", "b"]

    def test_a_vector_store_uses_it(self):
        """LangChain's own."""
        from langchain_core.vectorstores import InMemoryVectorStore

        store = InMemoryVectorStore(embedclf.as_langchain(embedclf.open_embedder("wordllama")))
        store.add_texts(TEXTS)
        (best,) = store.similarity_search("my parcel is late", k=1)
        assert best.page_content in TEXTS[:10]


class TakesMatrices:
    """Takes matrices as they are, so that scikit-learn's own checks can be run on all the rest."""

    def _embed(self, X: Any, *, reset: bool) -> Any:
        vectors = validate_data(self, X, reset=reset, dtype=np.float64)
        if reset:
            self.embedder_ = SimpleNamespace(spec=EmbedderSpec("external", "identity", self.n_features_in_))
        return vectors

    def _open(self, X: Any, recipe: Recipe) -> tuple[embedclf.EmbeddedTexts, Recipe]:
        vectors = self._embed(X, reset=True)
        return embedclf.EmbeddedTexts([row.tobytes().hex() for row in vectors], vectors=vectors), recipe

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.string = False
        tags.no_validation = False
        return tags


class IdentityClassifier(TakesMatrices, EmbeddingClassifier):
    """The classifier, of matrices."""


class IdentityTransformer(TakesMatrices, EmbeddingTransformer):
    """The transformer, of matrices."""


ON_VECTORS = {"features": "embedding", "label_names": False}


@parametrize_with_checks(
    [
        IdentityClassifier(regularization=1.0, **ON_VECTORS),
        IdentityClassifier(head="centroid", **ON_VECTORS),
        IdentityTransformer(),
    ]
)
@pytest.mark.filterwarnings("default")
def test_scikit_learns_own_checks(estimator: Any, check: Any):
    """The whole suite, on estimators that differ from ours only in what they embed."""
    check(estimator)
