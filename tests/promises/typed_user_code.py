"""What a user writes, as type checkers see it: checked by mypy and basedpyright, and never run."""

import asyncio
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import embedclf


class Own(embedclf.Embedder):
    """An embedder of one's own."""

    @property
    def spec(self) -> embedclf.EmbedderSpec:
        return embedclf.EmbedderSpec("own", "constant", 2)

    def embed(self, texts: Any) -> npt.NDArray[np.float32]:
        return np.ones((len(texts), 2), dtype=np.float32)


def train(texts: list[str], labels: list[str]) -> embedclf.TextClassifier:
    embedder = embedclf.open_embedder("wordllama", dimensions=64, cache=False)
    assert_type(embedder, embedclf.Embedder)
    embedclf.train(texts, labels, embedder=Own())
    data = embedclf.EmbeddedTexts(texts, labels, embedder=embedder)
    assert_type(data.vectors, npt.NDArray[np.float32])
    classifier = embedclf.train(texts, labels, embedder=embedder, head="centroid", features="both")
    assert_type(classifier, embedclf.TextClassifier)
    classifier.save("model.safetensors")
    return classifier


def predict(classifier: embedclf.TextClassifier, texts: list[str]) -> None:
    assert_type(classifier.predict(texts), list[str | None])
    assert_type(classifier.predict_proba(texts), npt.NDArray[np.float32])
    assert_type(asyncio.run(classifier.apredict(texts)), list[str | None])
    for prediction in classifier.classify(texts, top_k=3):
        assert_type(prediction, embedclf.Prediction)
        assert_type(prediction.confidence, float | None)
        assert_type([likely.label for likely in prediction.top], list[str])
    assert_type(asyncio.run(classifier.aclassify(texts)), list[embedclf.Prediction])
    for explanation in classifier.explain(texts):
        assert_type(explanation, embedclf.Explanation)
    done = embedclf.predict_file(embedclf.load("model.safetensors"), "in.csv", "out.csv", top_k=3)
    assert_type(done, embedclf.FilePrediction)


def measure(classifier: embedclf.TextClassifier, texts: list[str], labels: list[str]) -> float:
    report = embedclf.evaluate(classifier, texts, labels)
    assert_type(report, embedclf.Report)
    assert_type(embedclf.cross_validate(texts, labels, folds=3), embedclf.CrossValidation)
    assert_type(embedclf.cross_validate(texts, [[label] for label in labels]), embedclf.MultiLabelCrossValidation)
    if isinstance(classifier, embedclf.MultiLabelClassifier):
        assert_type(embedclf.evaluate(classifier, texts, labels), embedclf.MultiLabelReport)
    assert_type(embedclf.compare(texts, labels, embedders=["wordllama"]), embedclf.Comparison)
    assert_type(embedclf.learning_curve(texts, labels), embedclf.LearningCurve)
    assert_type(embedclf.retrain("tickets.safetensors", embedder="wordllama"), embedclf.Retraining)
    embedclf.train(texts, [0, 1])
    report.to_html("report.html", title="A report")
    return report.accuracy


def look(texts: list[str], labels: list[str], classifier: embedclf.TextClassifier) -> None:
    assert_type(embedclf.check(texts, labels), embedclf.DataCheck)
    assert_type(embedclf.search(texts, "a query", k=3), embedclf.SearchResult)
    assert_type(embedclf.cluster(texts), embedclf.Clustering)
    assert_type(embedclf.suggest(classifier, texts), embedclf.Suggestions)
    labelled = embedclf.label(texts, "labelled.csv")
    assert_type(labelled, embedclf.Labelled)
    embedclf.train(*labelled.training)
    embedclf.evaluate(classifier, *labelled.test)
    assert_type(embedclf.text_map(texts, labels), embedclf.TextMap)


def catch() -> str | None:
    try:
        embedclf.load("model.safetensors")
    except embedclf.ModelFileError as error:
        return error.path
    except (embedclf.ArgumentError, embedclf.EmbedderError, embedclf.EmbedclfError):
        return None
    return None
