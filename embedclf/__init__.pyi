from ._version import __version__ as __version__
from .classifier.explanation import Explanation as Explanation
from .classifier.linear import LinearModel as LinearModel
from .classifier.loading import load as load
from .classifier.multilabel import MultiLabelClassifier as MultiLabelClassifier
from .classifier.predictions import Prediction as Prediction
from .classifier.text_classifier import TextClassifier as TextClassifier
from .embedding.base import Embedder as Embedder
from .embedding.base import EmbedderSpec as EmbedderSpec
from .embedding.cache.vector_cache import VectorCache as VectorCache
from .embedding.embedded_texts import EmbeddedTexts as EmbeddedTexts
from .embedding.factory import open_embedder as open_embedder
from .embedding.langchain import as_langchain as as_langchain
from .embedding.langchain import from_langchain as from_langchain
from .errors import ArgumentError as ArgumentError
from .errors import BadRowsError as BadRowsError
from .errors import DataError as DataError
from .errors import EmbedclfError as EmbedclfError
from .errors import EmbedderError as EmbedderError
from .errors import MaxCostError as MaxCostError
from .errors import ModelFileError as ModelFileError
from .errors import OutputError as OutputError
from .errors import TextError as TextError
from .errors import TrainingError as TrainingError
from .evaluation.baseline import Baseline as Baseline
from .evaluation.comparison import Comparison as Comparison
from .evaluation.comparison import compare as compare
from .evaluation.cross_validation import CrossValidation as CrossValidation
from .evaluation.cross_validation import cross_validate as cross_validate
from .evaluation.diffing import diff as diff
from .evaluation.extension import extend as extend
from .evaluation.learning import LearningCurve as LearningCurve
from .evaluation.learning import learning_curve as learning_curve
from .evaluation.measuring import evaluate as evaluate
from .evaluation.model_diff import ModelDiff as ModelDiff
from .evaluation.multilabel_cross_validation import MultiLabelCrossValidation as MultiLabelCrossValidation
from .evaluation.multilabel_report import MultiLabelReport as MultiLabelReport
from .evaluation.neighbourhood import explain as explain
from .evaluation.report import Report as Report
from .evaluation.retraining import retrain as retrain
from .evaluation.retraining_result import Retraining as Retraining
from .exploration.clustering import Clustering as Clustering
from .exploration.clustering import cluster as cluster
from .exploration.drift import drift as drift
from .exploration.drift_result import Drift as Drift
from .exploration.projection import TextMap as TextMap
from .exploration.projection import text_map as text_map
from .exploration.recommendation import Recommendation as Recommendation
from .exploration.recommendation import recommend as recommend
from .exploration.retrieval import SearchResult as SearchResult
from .exploration.retrieval import search as search
from .exploration.suggestions import Suggestions as Suggestions
from .exploration.suggestions import suggest as suggest
from .pages.maps import map_page as map_page
from .prediction.predict_files import FilePrediction as FilePrediction
from .prediction.predict_files import predict_file as predict_file
from .quality.data_check import check as check
from .quality.findings import DataCheck as DataCheck
from .quality.splitting import split as split
from .service.app import create_app as create_app
from .service.app import create_router as create_router
from .service.limits import Limits as Limits
from .training.estimators import EmbeddingClassifier as EmbeddingClassifier
from .training.estimators import EmbeddingTransformer as EmbeddingTransformer
from .training.label_names import label_name_texts as label_name_texts
from .training.trainer import train as train

__all__ = [
    "ArgumentError",
    "BadRowsError",
    "Baseline",
    "Clustering",
    "Comparison",
    "CrossValidation",
    "DataCheck",
    "DataError",
    "Drift",
    "EmbedclfError",
    "EmbeddedTexts",
    "Embedder",
    "EmbedderError",
    "EmbedderSpec",
    "EmbeddingClassifier",
    "EmbeddingTransformer",
    "Explanation",
    "FilePrediction",
    "LearningCurve",
    "Limits",
    "LinearModel",
    "MaxCostError",
    "ModelDiff",
    "ModelFileError",
    "MultiLabelClassifier",
    "MultiLabelCrossValidation",
    "MultiLabelReport",
    "OutputError",
    "Prediction",
    "Recommendation",
    "Report",
    "Retraining",
    "SearchResult",
    "Suggestions",
    "TextClassifier",
    "TextError",
    "TextMap",
    "TrainingError",
    "VectorCache",
    "__version__",
    "as_langchain",
    "check",
    "cluster",
    "compare",
    "create_app",
    "create_router",
    "cross_validate",
    "diff",
    "drift",
    "evaluate",
    "explain",
    "extend",
    "from_langchain",
    "label_name_texts",
    "learning_curve",
    "load",
    "map_page",
    "open_embedder",
    "predict_file",
    "recommend",
    "retrain",
    "search",
    "split",
    "suggest",
    "text_map",
    "train",
]
