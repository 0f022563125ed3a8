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
from embedclf.printing.lines import Line, plain
from embedclf.printing.tables import Rows
from embedclf.quality.findings import DataCheck

if TYPE_CHECKING:
    from embedclf.exploration.retrieval import Hit

_REST = "to_dict() has all"


def text_of(result: object) -> str:
    """Return what ``print`` shows of a result."""
    return "\n".join(plain(line).rstrip(" ") for line in lines_of(result))


@singledispatch
def lines_of(result: object) -> list[Line]:
    """Return a result as lines of text."""
    raise NotImplementedError(type(result).__name__)


@lines_of.register
def _(result: TextClassifier) -> list[Line]:
    return figures.classifier_lines(result)


@lines_of.register
def _(result: Report) -> list[Line]:
    return figures.report_lines(result, Rows(), Rows("train row"), errors_are_written=True, rest=_REST)


@lines_of.register
def _(result: CrossValidation) -> list[Line]:
    return figures.cross_validation_lines(result, _REST)


@lines_of.register
def _(result: LearningCurve) -> list[Line]:
    return figures.learning_curve_lines(result)


@lines_of.register
def _(result: Comparison) -> list[Line]:
    return figures.comparison_lines(result)


@lines_of.register
def _(result: DataCheck) -> list[Line]:
    return findings.finding_lines(result, Rows(), Rows("row of against"), in_python=True)


@lines_of.register(SearchResult)
@lines_of.register(Recommendation)
def _(result: SearchResult | Recommendation) -> list[Line]:
    return _found(result.hits)


@lines_of.register
def _(result: Clustering) -> list[Line]:
    return explored.cluster_lines(result, Rows())


@lines_of.register
def _(result: Suggestions) -> list[Line]:
    return explored.suggestion_lines(result, Rows())


@lines_of.register
def _(result: TextMap) -> list[Line]:
    return explored.map_lines(result)


def _found(hits: "Sequence[Hit]") -> list[Line]:
    return explored.found(hits, Rows()) if hits else ["No other rows."]
