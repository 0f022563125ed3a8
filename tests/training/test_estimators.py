"""The scikit-learn door: what scikit-learn promises of an estimator holds for ours, of texts."""

import inspect
import pickle
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from langchain_core.embeddings import Embeddings
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, TEXTS
from embedclf.embedding.base import Embedder, EmbedderSpec
from embedclf.training.estimators import EmbeddingClassifier, EmbeddingTransformer

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
        (np.array(TEXTS).reshape(5, 3, 2), LABELS, ValueError, r"got an array of shape \(5, 3, 2\)"),
        ([1, 2, 3], ["a", "b", "c"], TypeError, "texts must be strings"),
        (["a", ""], ["x", "y"], ValueError, "the text is empty"),
        (["a", "b", "c"], ["x", "y"], ValueError, "inconsistent numbers of samples"),
        (["a", "b"], ["x", "x"], ValueError, "only one class, 'x'"),
        (["a", "b", "c"], ["x", float("nan"), "y"], ValueError, r"y\[1\] is missing \(nan\): leave such rows out"),
        (["a", "b", "c"], pd.Series(["x", "y", None]), ValueError, r"y\[2\] is missing"),
        (["a", "b", "c"], [["x"], [None], ["y"]], ValueError, r"y\[1\] is missing"),
        (
            ["a", "b"],
            np.array(["x", 1], dtype=object),
            ValueError,
            r"y mixes labels of several types \(int, str\): convert them to one",
        ),
        (["a", "b", "c"], [0.5, 1.5, 2.7], ValueError, "Unknown label type: continuous"),
        (["a", "b"], None, ValueError, "requires y to be passed, but the target y is None"),
    ],
)
def test_what_cannot_be_fitted(X: Any, y: Any, error: Any, message: str):
    """A clear error of the kind that scikit-learn's users expect."""
    embedder = Lengths()
    with pytest.raises(error, match=message):
        EmbeddingClassifier(embedder).fit(X, y)
    assert not embedder.asked  # nothing was paid for


@pytest.mark.slow
def test_in_a_pipeline():
    """The transformer before scikit-learn's own classifier; both heads behind cross_val_score."""
    pipeline = make_pipeline(EmbeddingTransformer("wordllama"), LogisticRegression(C=10))
    assert pipeline.fit(TEXTS, LABELS).score(TEXTS, LABELS) == 1
    assert "embedder='wordllama'" in repr(pipeline)
    assert cross_val_score(EmbeddingClassifier("wordllama"), TEXTS, LABELS, cv=3).mean() > 0.6


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_grid_search_in_two_processes():
    """Parameters of ours are searched like any others."""
    grid = {"head": ["logistic", "centroid"], "regularization": [1.0, 10.0], "dimensions": [64, 256]}
    search = GridSearchCV(EmbeddingClassifier("wordllama", features="embedding"), grid, cv=2, n_jobs=2)
    search.fit(TEXTS, LABELS)
    assert set(search.best_params_) == set(grid)
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


def quick(**settings: Any) -> EmbeddingClassifier:
    """A classifier that is trained quickly."""
    return EmbeddingClassifier("wordllama", features="embedding", label_names=False, **settings)


class TestWeights:
    """Weights of texts and of classes."""

    @pytest.mark.parametrize("head", ["logistic", "centroid"])
    def test_a_text_of_weight_zero_is_left_out(self, head: Any):
        """It is not even embedded, and its label may be no class."""
        embedder = Lengths()
        settings = {"features": "embedding", "label_names": False, "head": head, "regularization": 1.0}
        weights = np.array([0 if label == "refund" else 1 for label in LABELS])
        weighted = EmbeddingClassifier(embedder, **settings).fit(TEXTS, LABELS, sample_weight=weights)
        assert weighted.classes_.tolist() == ["delivery", "password"]
        assert embedder.asked == TEXTS[:20]
        removed = EmbeddingClassifier(embedder, **settings).fit(TEXTS[:20], LABELS[:20])
        assert (weighted.predict_proba(TEXTS) == removed.predict_proba(TEXTS)).all()

    def test_they_scale_the_penalty_as_in_scikit_learn(self):
        """And a C that is chosen is as good for weights of any size."""
        three = np.full(30, 3.0)
        assert quick(regularization=1.0).fit(TEXTS, LABELS, three).predict_proba(TEXTS) == pytest.approx(
            quick(regularization=3.0).fit(TEXTS, LABELS).predict_proba(TEXTS), abs=1e-6
        )
        tiny, plain = quick().fit(TEXTS, LABELS, three / 3000), quick().fit(TEXTS, LABELS)
        assert tiny.predict_proba(TEXTS) == pytest.approx(plain.predict_proba(TEXTS), abs=1e-6)
        cards = [one.to_text_classifier().card for one in (tiny, plain)]
        assert cards[0].regularization == pytest.approx(1000 * cards[1].regularization)

    def test_a_class_weight_multiplies_them(self):
        """A dict, or "balanced" as in scikit-learn."""
        rows = slice(0, 24)
        few, labels = TEXTS[rows], LABELS[rows]
        of_class = {"delivery": 24 / 30, "password": 24 / 30, "refund": 2.0}
        balanced = quick(class_weight="balanced", regularization=1.0).fit(few, labels)
        by_dict = quick(class_weight=of_class, regularization=1.0).fit(few, labels)
        by_weight = quick(regularization=1.0).fit(few, labels, [of_class[label] for label in labels])
        assert balanced.predict_proba(TEXTS) == pytest.approx(by_dict.predict_proba(TEXTS), abs=1e-6)
        assert balanced.predict_proba(TEXTS) == pytest.approx(by_weight.predict_proba(TEXTS), abs=1e-6)
        plain = quick(regularization=1.0).fit(few, labels)
        assert balanced.predict_proba(TEXTS)[:, 2].mean() > plain.predict_proba(TEXTS)[:, 2].mean()
        assert by_dict.score(TEXTS, LABELS, sample_weight=[1] * 20 + [0] * 10) > 0.9

    @pytest.mark.parametrize(
        ("settings", "weights", "message"),
        [
            ({}, [1] * 29, r"must be one number per text, 30 in all, got shape \(29,\)"),
            ({}, [1] * 28 + [-1, float("nan")], r"sample_weight\[28\] is -1.0, not a positive number \(and 1 other\)"),
            ({}, [0] * 30, "is zero for every text"),
            ({}, ["x"] * 30, "must be numbers"),
            ({"class_weight": {"refunds": 2}}, None, "class_weight has 'refunds', which is not among the labels"),
            ({"class_weight": {"refund": 0}}, None, "must be positive numbers"),
            ({"class_weight": "equal"}, None, "must be None, 'balanced' or a dict of labels, got 'equal'"),
        ],
    )
    def test_what_is_no_weight(self, settings: Any, weights: Any, message: str):
        """Is an error before anything is embedded."""
        embedder = Lengths()
        with pytest.raises(embedclf.ArgumentError, match=message):
            EmbeddingClassifier(embedder, **settings).fit(TEXTS, LABELS, weights)
        assert not embedder.asked

    @pytest.mark.slow
    def test_metadata_is_routed(self):
        """Through a pipeline and a search, to fit and to score."""
        weights = np.arange(1.0, 31)
        with config_context(enable_metadata_routing=True):
            inner = quick(regularization=1.0).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
            pipeline = make_pipeline(inner).fit(TEXTS, LABELS, sample_weight=weights)
            direct = clone(inner).fit(TEXTS, LABELS, sample_weight=weights)
            assert (pipeline.predict_proba(TEXTS) == direct.predict_proba(TEXTS)).all()
            search = GridSearchCV(inner, {"class_weight": [None, "balanced"]}, cv=2, error_score="raise")
            search.fit(TEXTS, LABELS, sample_weight=weights)
            assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_and_logarithms_agree_with_the_probabilities(n_classes: int):
    """decision_function has one column with two classes; logarithms are finite where a probability rounds to 0."""
    texts, labels = TEXTS[: 10 * n_classes], LABELS[: 10 * n_classes]
    classifier = quick(regularization=1e6).fit(texts, labels)
    probabilities, scores = classifier.predict_proba(texts), classifier.decision_function(texts)
    logarithms = classifier.predict_log_proba(texts)
    assert np.exp(logarithms) == pytest.approx(probabilities, abs=1e-6)
    assert np.isfinite(logarithms).all()
    if n_classes == 2:
        assert 1 / (1 + np.exp(-scores)) == pytest.approx(probabilities[:, 1], abs=1e-6)
    else:
        assert (scores.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert classifier.predict_proba([]).shape == (0, n_classes)


class Decodes(Embedder):
    """The stand-in's embedder: reads the numbers of a text that was written from them."""

    def __repr__(self) -> str:
        return "Decodes()"  # in the names of the tests

    @property
    def spec(self) -> EmbedderSpec:
        return EmbedderSpec("external", "numbers", None)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([np.frombuffer(bytes.fromhex(text)) for text in texts], dtype=np.float32)


class TakesMatrices:
    """Writes the rows of a matrix as texts, so that scikit-learn's own checks can be run on all the rest."""

    def _texts(self, X: Any, *, reset: bool, may_be_empty: bool = False) -> list[str]:
        matrix = validate_data(self, X, reset=reset, dtype=np.float64)
        return [row.tobytes().hex() for row in matrix]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.string = False
        tags.no_validation = False
        return tags


class NumbersClassifier(TakesMatrices, EmbeddingClassifier):
    """The classifier, of matrices."""


class NumbersTransformer(TakesMatrices, EmbeddingTransformer):
    """The transformer, of matrices."""


ON_VECTORS = {"features": "embedding", "label_names": False}
FOLDS = "the temperature is chosen on folds of texts, and a repeated text is another fold than a weighted one"


def expected_to_fail(estimator: Any) -> dict[str, str]:
    """Return why a check cannot hold."""
    if isinstance(estimator, NumbersTransformer):
        return {}
    out = {"check_sample_weight_equivalence_on_dense_data": FOLDS}
    if estimator.head == "centroid":
        out["check_class_weight_classifiers"] = "where a centroid lies does not depend on the weight of its class"
    return out


@parametrize_with_checks(
    [
        NumbersClassifier(Decodes(), regularization=1.0, **ON_VECTORS),
        NumbersClassifier(Decodes(), head="centroid", **ON_VECTORS),
        NumbersTransformer(Decodes()),
    ],
    expected_failed_checks=expected_to_fail,
)
@pytest.mark.filterwarnings("default")
def test_scikit_learns_own_checks(estimator: Any, check: Any):
    """The whole suite, on estimators that differ from ours only in what they embed."""
    check(estimator)


class TestSeveralLabels:
    """A text may have several labels: a matrix, or lists of labels, with MultiLabelBinarizer's conventions."""

    NAMES = ("delivery", "password", "refund")
    LISTS = tuple([label, "urgent"] if number % 3 == 0 else [label] for number, label in enumerate(LABELS))

    def fitted(self, y: Any) -> EmbeddingClassifier:
        return EmbeddingClassifier("wordllama", features="embedding", label_names=False, regularization=1.0).fit(
            TEXTS, y
        )

    def test_a_matrix_comes_back_as_a_matrix(self):
        """Whether it is an array, sparse, a data frame, or in lists."""
        binarizer = MultiLabelBinarizer()
        matrix = binarizer.fit_transform(self.LISTS)
        first = self.fitted(matrix)
        assert first.classes_.tolist() == [0, 1, 2, 3]
        predicted = first.predict(TEXTS)
        assert predicted.shape == matrix.shape
        assert first.score(TEXTS, matrix) == (predicted == matrix).all(axis=1).mean()
        assert first.predict_proba(TEXTS).shape == matrix.shape
        assert first.decision_function(TEXTS).shape == matrix.shape
        assert np.exp(first.predict_log_proba(TEXTS)) == pytest.approx(first.predict_proba(TEXTS), abs=1e-6)
        frame = pd.DataFrame(matrix, columns=binarizer.classes_)
        for other in (csr_array(matrix), matrix.tolist(), frame, matrix.astype(str), pd.Series(matrix.tolist())):
            assert (self.fitted(other).predict(TEXTS) == predicted).all()
        assert self.fitted(frame).classes_.tolist() == [*self.NAMES, "urgent"]

    def test_a_label_may_weigh_more(self):
        """As in `embedclf.train`: the probabilities stay those of the texts, and more of them get the label."""
        few = [labels if number % 4 == 0 else labels[:1] for number, labels in enumerate(self.LISTS)]
        settings = {"features": "embedding", "label_names": False}
        plain, weighted = (
            EmbeddingClassifier("wordllama", regularization=1.0, class_weight=weights, **settings).fit(TEXTS, few)
            for weights in (None, {"urgent": 30})
        )
        urgent = [sum("urgent" in labels for labels in one.predict(TEXTS)) for one in (plain, weighted)]
        assert urgent[1] > urgent[0]
        same = embedclf.train(TEXTS, few, embedder="wordllama", class_weight={"urgent": 30}, C=1, holdout=0, **settings)
        assert (weighted.predict_proba(TEXTS) == same.predict_proba(TEXTS)).all()

    def test_lists_come_back_as_tuples(self):
        """And the classifier can be saved."""
        estimator = self.fitted(list(self.LISTS))
        predicted = estimator.predict(TEXTS)
        binarizer = MultiLabelBinarizer().fit(self.LISTS)
        assert predicted == binarizer.inverse_transform(binarizer.transform(predicted))
        assert estimator.score(TEXTS, predicted) == 1.0
        assert self.fitted(pd.Series(self.LISTS)).predict(TEXTS) == predicted
        kept = clone(estimator).fit(TEXTS, self.LISTS).to_text_classifier()
        assert [sorted(labels) for labels in kept.predict(TEXTS)] == [sorted(labels) for labels in predicted]

    def test_a_search_scores_them(self):
        """With scikit-learn's own metric."""
        matrix = MultiLabelBinarizer().fit_transform(self.LISTS)
        estimator = EmbeddingClassifier("wordllama", features="embedding", label_names=False)
        search = GridSearchCV(
            estimator, {"regularization": [1.0, 10.0]}, scoring="f1_micro", cv=KFold(2, shuffle=True, random_state=0)
        )
        assert search.fit(TEXTS, matrix).best_score_ > 0.5

    @pytest.mark.parametrize(
        ("y", "message"),
        [
            ([["a", "b"], [1], *[["a"]] * 28], "every y must be a list of labels of one type"),
            ([["a", "b"], None, *[["a"]] * 28], "y[1] is missing"),
            ([["a", "b"], "ab", *[["a"]] * 28], "y[1] is of type str, but others are lists of labels: pass a list"),
        ],
    )
    def test_what_are_no_labels(self, y: Any, message: str):
        """Are refused by name."""
        with pytest.raises(ValueError, match=re.escape(message)):
            self.fitted(y)
