"""Text classification on embedding features.

>>> import embedclf
>>> classifier = embedclf.train(texts, labels)  # doctest: +SKIP
>>> classifier.predict(["Where is my refund?"])  # doctest: +SKIP
['refund']

The public names are loaded when first used, so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedclf.classifier.explanation import Explanation as Explanation
    from embedclf.classifier.linear import LinearModel as LinearModel
    from embedclf.classifier.text_classifier import TextClassifier as TextClassifier
    from embedclf.classifier.text_classifier import load as load
    from embedclf.embedding.base import Embedder as Embedder
    from embedclf.embedding.cache.vector_cache import VectorCache as VectorCache
    from embedclf.embedding.factory import open_embedder as open_embedder
    from embedclf.embedding.langchain import as_langchain as as_langchain
    from embedclf.embedding.langchain import from_langchain as from_langchain
    from embedclf.errors import BadRowsError as BadRowsError
    from embedclf.errors import DataError as DataError
    from embedclf.errors import EmbedclfError as EmbedclfError
    from embedclf.errors import EmbedderError as EmbedderError
    from embedclf.errors import MaxCostError as MaxCostError
    from embedclf.errors import ModelFileError as ModelFileError
    from embedclf.errors import OutputError as OutputError
    from embedclf.errors import TextError as TextError
    from embedclf.errors import TrainingError as TrainingError
    from embedclf.evaluation.comparison import Comparison as Comparison
    from embedclf.evaluation.comparison import compare as compare
    from embedclf.evaluation.cross_validation import CrossValidation as CrossValidation
    from embedclf.evaluation.cross_validation import cross_validate as cross_validate
    from embedclf.evaluation.learning import LearningCurve as LearningCurve
    from embedclf.evaluation.learning import learning_curve as learning_curve
    from embedclf.evaluation.neighbourhood import explain as explain
    from embedclf.evaluation.report import Report as Report
    from embedclf.evaluation.report import evaluate as evaluate
    from embedclf.exploration.clustering import Clustering as Clustering
    from embedclf.exploration.clustering import cluster as cluster
    from embedclf.exploration.projection import TextMap as TextMap
    from embedclf.exploration.projection import text_map as text_map
    from embedclf.exploration.recommendation import Recommendation as Recommendation
    from embedclf.exploration.recommendation import recommend as recommend
    from embedclf.exploration.retrieval import SearchResult as SearchResult
    from embedclf.exploration.retrieval import search as search
    from embedclf.exploration.suggestions import Suggestions as Suggestions
    from embedclf.exploration.suggestions import suggest as suggest
    from embedclf.pages.maps import map_page as map_page
    from embedclf.prediction.predict_files import FilePrediction as FilePrediction
    from embedclf.prediction.predict_files import predict_file as predict_file
    from embedclf.quality.data_check import check as check
    from embedclf.quality.findings import DataCheck as DataCheck
    from embedclf.service.app import create_app as create_app
    from embedclf.service.limits import Limits as Limits
    from embedclf.training.estimators import EmbeddingClassifier as EmbeddingClassifier
    from embedclf.training.estimators import EmbeddingTransformer as EmbeddingTransformer
    from embedclf.training.label_names import label_name_texts as label_name_texts
    from embedclf.training.trainer import train as train

from embedclf._version import __version__

_HOMES = {
    "BadRowsError": "embedclf.errors",
    "Clustering": "embedclf.exploration.clustering",
    "Comparison": "embedclf.evaluation.comparison",
    "CrossValidation": "embedclf.evaluation.cross_validation",
    "DataCheck": "embedclf.quality.findings",
    "DataError": "embedclf.errors",
    "EmbedclfError": "embedclf.errors",
    "Embedder": "embedclf.embedding",
    "EmbedderError": "embedclf.errors",
    "EmbeddingClassifier": "embedclf.training.estimators",
    "EmbeddingTransformer": "embedclf.training.estimators",
    "Explanation": "embedclf.classifier.explanation",
    "FilePrediction": "embedclf.prediction.predict_files",
    "LearningCurve": "embedclf.evaluation.learning",
    "Limits": "embedclf.service.app",
    "LinearModel": "embedclf.classifier.linear",
    "MaxCostError": "embedclf.errors",
    "ModelFileError": "embedclf.errors",
    "OutputError": "embedclf.errors",
    "Recommendation": "embedclf.exploration.recommendation",
    "Report": "embedclf.evaluation.report",
    "SearchResult": "embedclf.exploration.retrieval",
    "Suggestions": "embedclf.exploration.suggestions",
    "TextClassifier": "embedclf.classifier.text_classifier",
    "TextError": "embedclf.errors",
    "TextMap": "embedclf.exploration.projection",
    "TrainingError": "embedclf.errors",
    "VectorCache": "embedclf.embedding.cache.model_cache",
    "as_langchain": "embedclf.embedding.langchain",
    "cluster": "embedclf.exploration.clustering",
    "check": "embedclf.quality.data_check",
    "compare": "embedclf.evaluation.comparison",
    "create_app": "embedclf.service.app",
    "cross_validate": "embedclf.evaluation.cross_validation",
    "evaluate": "embedclf.evaluation.report",
    "explain": "embedclf.evaluation.neighbourhood",
    "from_langchain": "embedclf.embedding.langchain",
    "label_name_texts": "embedclf.training.label_names",
    "learning_curve": "embedclf.evaluation.learning",
    "load": "embedclf.classifier.text_classifier",
    "map_page": "embedclf.pages.maps",
    "open_embedder": "embedclf.embedding",
    "predict_file": "embedclf.prediction.predict_files",
    "recommend": "embedclf.exploration.recommendation",
    "search": "embedclf.exploration.retrieval",
    "suggest": "embedclf.exploration.suggestions",
    "text_map": "embedclf.exploration.projection",
    "train": "embedclf.training.trainer",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'embedclf' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
