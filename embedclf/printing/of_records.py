"""The lines that ``print`` shows for each kind of result: those of its command, with rows named by their index."""

from collections.abc import Sequence
from functools import singledispatch
from typing import TYPE_CHECKING

from embedclf.classifier.text_classifier import TextClassifier
from embedclf.evaluation.comparison import Comparison
from embedclf.evaluation.cross_validation import CrossValidation
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.report import Report
from embedclf.exploration.clustering import Clustering
from embedclf.exploration.projection import TextMap
from embedclf.exploration.recommendation import Recommendation
from embedclf.exploration.retrieval import SearchResult
from embedclf.exploration.suggestions import Suggestions
from embedclf.printing import explored, figures, findings
from embedclf.printing.tables import Rows
from embedclf.quality.findings import DataCheck

if TYPE_CHECKING:
    from embedclf.exploration.retrieval import Hit


@singledispatch
def lines_of(result: object) -> list[str]:
    """Return a result as lines of text."""
    raise NotImplementedError(type(result).__name__)


@lines_of.register
def _(result: TextClassifier) -> list[str]:
    return figures.classifier_lines(result)


@lines_of.register
def _(result: Report) -> list[str]:
    return figures.report_lines(result, Rows(), Rows("train row"), errors_are_written=True)


@lines_of.register
def _(result: CrossValidation) -> list[str]:
    return figures.cross_validation_lines(result)


@lines_of.register
def _(result: LearningCurve) -> list[str]:
    return figures.learning_curve_lines(result)


@lines_of.register
def _(result: Comparison) -> list[str]:
    return figures.comparison_lines(result)


@lines_of.register
def _(result: DataCheck) -> list[str]:
    return findings.finding_lines(result, Rows(), Rows("row of against"), rest="to_frame() has all")


@lines_of.register(SearchResult)
@lines_of.register(Recommendation)
def _(result: SearchResult | Recommendation) -> list[str]:
    return _found(result.hits)


@lines_of.register
def _(result: Clustering) -> list[str]:
    return explored.cluster_lines(result, Rows())


@lines_of.register
def _(result: Suggestions) -> list[str]:
    return explored.suggestion_lines(result, Rows())


@lines_of.register
def _(result: TextMap) -> list[str]:
    return explored.map_lines(result)


def _found(hits: "Sequence[Hit]") -> list[str]:
    return explored.found(hits, Rows()) if hits else ["No other rows."]
