"""The doors of other libraries: what they do with an estimator of scikit-learn, they can do with ours."""

import copy
import io
import logging
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from imblearn.over_sampling import RandomOverSampler
from langchain_core.embeddings import Embeddings
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, TEXTS
from embedclf.training.estimators import EmbeddingClassifier, EmbeddingTransformer

LOCAL = "wordllama"
REMOTE = "aimlapi:text-embedding-3-small"
QUICK = {"features": "embedding", "label_names": False, "regularization": 1.0}
OURS = ["embedclf.training.estimators.EmbeddingClassifier", "embedclf.training.estimators.EmbeddingTransformer"]
FRAME = pd.DataFrame({"text": TEXTS, "channel": "mail"})


class Holder(Embeddings):
    """A third party's embedder, with a key in it."""

    def __init__(self) -> None:
        self.api_key = "sk-secret"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[len(text), text.count("e") + 1, text.count("y") * 9, text.count("p") * 9] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def by_skops(estimator: Any) -> Any:
    """Store and load, trusting each type that the file has."""
    data = skops.io.dumps(estimator)
    assert b"test-key" not in data
    return skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))


def by_joblib(estimator: Any) -> Any:
    file = io.BytesIO()
    joblib.dump(estimator, file)
    assert b"test-key" not in file.getvalue()
    file.seek(0)
    return joblib.load(file)


def fitted(embedder: Any, **settings: Any) -> EmbeddingClassifier:
    return EmbeddingClassifier(embedder, **QUICK | settings).fit(TEXTS, np.array(LABELS, dtype=object))


WAYS = [by_skops, by_joblib, lambda estimator: pickle.loads(pickle.dumps(estimator)), copy.deepcopy, copy.copy]


class TestStoring:
    """What is stored comes back the same, and no key is in it."""

    @pytest.mark.parametrize(
        "embedder",
        [LOCAL, REMOTE, "words", lambda: embedclf.open_embedder(LOCAL), lambda: embedclf.open_embedder(REMOTE)],
        ids=["local", "remote", "words", "opened-local", "opened-remote"],
    )
    def test_both_estimators(self, api: AimlapiServer, embedder: Any):
        """Before and after fit, embedders included."""
        given = embedder() if callable(embedder) else embedder
        blank = EmbeddingClassifier(given, head="centroid")
        classifier = fitted(given, **({"features": "words"} if given == "words" else {}))
        transformer = EmbeddingTransformer(given).fit(FRAME[["text"]])
        probabilities, vectors = classifier.predict_proba(TEXTS), transformer.transform(TEXTS)
        for way in WAYS:
            assert repr(way(blank)) == repr(blank)
            again, other = way(classifier), way(transformer)
            assert (again.predict_proba(TEXTS) == probabilities).all()
            assert again.predict(TEXTS[:1]).tolist() == LABELS[:1]
            assert again.to_text_classifier().card == classifier.to_text_classifier().card
            assert again.embedder_.spec == classifier.embedder_.spec
            assert repr(clone(again)) == repr(clone(classifier))
            assert (other.transform(TEXTS) == vectors).all()
            assert list(other.get_feature_names_out()) == list(transformer.get_feature_names_out())
            assert list(other.feature_names_in_) == ["text"]

    def test_the_types_to_trust_are_the_estimator_and_an_opened_embedder(self):
        """As the documentation lists them."""
        pipeline = make_pipeline(EmbeddingTransformer(LOCAL), LogisticRegression()).fit(TEXTS, LABELS)
        assert skops.io.get_untrusted_types(data=skops.io.dumps(pipeline)) == OURS[1:]
        assert skops.io.get_untrusted_types(data=skops.io.dumps(fitted(LOCAL))) == OURS[:1]
        opened = skops.io.dumps(EmbeddingClassifier(embedclf.open_embedder(REMOTE, cache=True)))
        assert skops.io.get_untrusted_types(data=opened) == [
            "embedclf.embedding.aimlapi.model.AimlapiModel",
            "embedclf.embedding.cache.vector_cache.VectorCache",
            "embedclf.embedding.cached_embedder.CachedEmbedder",
            *OURS[:1],
        ]

    def test_no_url_in_a_file_is_called(self, api: AimlapiServer, monkeypatch: pytest.MonkeyPatch):
        """Whether the embedder was given by name or as an object."""
        stored = [skops.io.dumps(fitted(given)) for given in (REMOTE, embedclf.open_embedder(REMOTE))]
        monkeypatch.setenv("AIMLAPI_BASE_URL", "https://other.example/v1")
        for data in stored:
            with pytest.raises(embedclf.EmbedclfError, match=r"URL in a .*file is never called automatically"):
                skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))

    @pytest.mark.parametrize("embedder", [Holder(), embedclf.from_langchain(Holder())], ids=["object", "wrapped"])
    def test_the_embedder_of_a_third_party_is_passed_again(self, embedder: Any, caplog: pytest.LogCaptureFixture):
        """Since it may hold a key, and a file cannot choose what is loaded."""
        classifier = fitted(embedder)
        with caplog.at_level(logging.WARNING):
            data = skops.io.dumps(classifier)
        assert "the embedder external:Holder is not stored" in caplog.text
        assert b"sk-secret" not in data
        again = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
        with pytest.raises(embedclf.EmbedderError, match=r"\(Holder\): pass it with set_params\(embedder=…\)"):
            again.predict(TEXTS)
        again.set_params(embedder=Holder())
        assert (again.predict(TEXTS) == classifier.predict(TEXTS)).all()
        with pytest.raises(embedclf.EmbedderError, match="may hold a key"):
            skops.io.dumps(embedclf.from_langchain(Holder()))

    @pytest.mark.slow
    @pytest.mark.filterwarnings("default")
    def test_mlflow(self, tmp_path: Path):
        """skops is its default; a served model gets its texts as a data frame."""
        mlflow = pytest.importorskip("mlflow")
        classifier = fitted(LOCAL)
        model = tmp_path / "model"
        # The requirements are given, since finding them starts processes.
        mlflow.sklearn.save_model(classifier, model, skops_trusted_types=OURS, pip_requirements=["embedclf"])
        assert (model / "model.skops").is_file()
        loaded = mlflow.sklearn.load_model(str(model))
        assert (loaded.predict_proba(TEXTS) == classifier.predict_proba(TEXTS)).all()
        served = mlflow.pyfunc.load_model(str(model))
        assert (served.predict(FRAME[["text"]]) == classifier.predict(TEXTS)).all()


class TestOneColumn:
    """Texts also come as the only column of a table."""

    @pytest.mark.parametrize(
        "X",
        [FRAME[["text"]], FRAME[["text"]].to_numpy(), np.array(TEXTS)[:, None], [[text] for text in TEXTS]],
        ids=["frame", "objects", "strings", "lists"],
    )
    def test_it_is_taken(self, X: Any):
        """And gives what its texts give."""
        alone = EmbeddingTransformer(LOCAL).fit(TEXTS)
        of_column = EmbeddingTransformer(LOCAL).fit(X)
        assert (of_column.transform(X) == alone.transform(TEXTS)).all()
        assert of_column.n_features_in_ == 1
        assert not hasattr(alone, "n_features_in_")
        assert (fitted(LOCAL).predict_proba(X) == fitted(LOCAL).predict_proba(TEXTS)).all()
        of_column.fit(TEXTS)
        assert not hasattr(of_column, "n_features_in_")

    def test_a_column_of_another_name(self):
        """Is refused as by scikit-learn; texts without a column have no name."""
        transformer = EmbeddingTransformer(LOCAL).fit(FRAME[["text"]])
        transformer.transform(TEXTS)
        with pytest.raises(ValueError, match="feature names should match"):
            transformer.transform(FRAME[["text"]].rename(columns={"text": "body"}))

    @pytest.mark.parametrize(
        ("X", "n", "name"),
        [
            (FRAME, 2, '"text"'),
            (pd.DataFrame({"n": 1, "body": TEXTS}), 2, '"body"'),
            (pd.DataFrame({0: 1, 1: TEXTS}), 2, "1"),
            (FRAME.to_numpy(), 2, '"text"'),
            ([[text, "mail", "x"] for text in TEXTS], 3, '"text"'),
        ],
    )
    def test_the_column_must_be_chosen_among_several(self, X: Any, n: int, name: str):
        """And the message says how."""
        for estimator in (EmbeddingTransformer(LOCAL), EmbeddingClassifier(LOCAL)):
            with pytest.raises(embedclf.ArgumentError) as raised:
                estimator.fit(X, LABELS)
            assert str(raised.value) == (
                f"expected texts, or one column of them, got {n} columns: choose the column of the texts with "
                f'ColumnTransformer([("t", EmbeddingTransformer(), {name})])'
            )

    def test_a_missing_text_of_a_column(self):
        """Is named, before anything is embedded."""
        with pytest.raises((TypeError, ValueError), match=r"texts\[1\] is missing"):
            EmbeddingTransformer(LOCAL).fit(pd.DataFrame({"text": ["a b", None, "c"]}))

    @pytest.mark.parametrize("column", ["text", ["text"]], ids=["name", "list"])
    def test_a_column_transformer(self, column: Any):
        """Passes a Series or a frame."""
        columns = ColumnTransformer([("t", EmbeddingTransformer(LOCAL), column)]).set_output(transform="pandas")
        assert columns.fit_transform(FRAME).shape == (30, 256)
        assert columns.get_feature_names_out()[0] == "t__embeddingtransformer0"

    def test_skrub(self):
        """Column by column, and chosen for texts of many values."""
        skrub = pytest.importorskip("skrub")
        applied = skrub.ApplyToCols(EmbeddingTransformer(LOCAL, dimensions=64), cols=["text"]).fit_transform(FRAME)
        assert applied.shape == (30, 65)
        table = skrub.TableVectorizer(cardinality_threshold=5, high_cardinality=EmbeddingTransformer(LOCAL))
        assert table.fit_transform(FRAME).shape[1] > 256

    def test_imbalanced_learn(self):
        """Which repeats rows of a table."""
        kept = FRAME[["text"]].iloc[:25]
        X, y = RandomOverSampler(random_state=0).fit_resample(kept, LABELS[:25])
        assert len(X) == 30
        assert EmbeddingClassifier(LOCAL, **QUICK).fit(X, y).score(X, y) > 0.9

    @pytest.mark.parametrize("kind", [BaggingClassifier, CalibratedClassifierCV])
    def test_ensembles(self, kind: type):
        """Which index rows of a table, and weigh them."""
        X = FRAME[["text"]].to_numpy()
        count = {"n_estimators": 2} if kind is BaggingClassifier else {"cv": 2}
        assert kind(EmbeddingClassifier(LOCAL, **QUICK), **count).fit(X, LABELS).score(X, LABELS) > 0.8


class TestExplainers:
    """They ask about texts of which they removed every word."""

    def test_an_empty_text_is_an_error_or_has_no_preference(self):
        """For both kinds of classifiers; others of the same call are answered as ever."""
        estimator = fitted(LOCAL)
        for classifier in (estimator, estimator.to_text_classifier()):
            with pytest.raises(embedclf.TextError, match="the text is empty"):
                classifier.predict_proba(["", *TEXTS])
            given = classifier.predict_proba(["", *TEXTS, " \n"], on_empty="uniform")
            assert (given[1:-1] == classifier.predict_proba(TEXTS)).all()
            assert given[[0, -1]].tolist() == [[pytest.approx(1 / 3)] * 3] * 2
            assert classifier.predict_proba([""], on_empty="uniform").shape == (1, 3)
            with pytest.raises(embedclf.ArgumentError, match="on_empty must be 'error' or 'uniform', got 'none'"):
                classifier.predict_proba(TEXTS, on_empty="none")

    def test_lime(self):
        """The words that speak for a label are found, also in a text of one word."""
        lime_text = pytest.importorskip("lime.lime_text")
        classifier = fitted(LOCAL)
        explainer = lime_text.LimeTextExplainer(class_names=list(classifier.classes_), random_state=0)
        ask = partial(classifier.predict_proba, on_empty="uniform")
        for text in ("refund", "When will the parcel arrive?"):
            found = explainer.explain_instance(text, ask, top_labels=1, num_samples=200)
            assert dict(found.as_list(found.available_labels()[0]))[text.split()[-1].strip("?")] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_mlflow_autologging_sees_no_inner_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Training fits no estimator of scikit-learn, whose fits would be a run each."""
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    mlflow.sklearn.autolog(log_models=False)
    try:
        embedclf.train(TEXTS, LABELS, embedder=LOCAL, **QUICK)
        assert len(mlflow.search_runs()) == 0
        LogisticRegression().fit([[0.0], [1.0]], ["a", "b"])
        assert len(mlflow.search_runs()) == 1
    finally:
        mlflow.sklearn.autolog(disable=True)
