"""The lines that ``print`` shows for each kind of result: those of its command, with rows named by their index."""

from collections.abc import Sequence
from functools import singledispatch
from typing import TYPE_CHECKING

from embedclf.classifier.explanation import Explanation
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.spending import Spending
from embedclf.evaluation.comparison import Comparison
from embedclf.evaluation.cross_validation import CrossValidation
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.model_diff import ModelDiff
from embedclf.evaluation.multilabel_cross_validation import MultiLabelCrossValidation
from embedclf.evaluation.multilabel_report import MultiLabelReport
from embedclf.evaluation.report import Report
from embedclf.evaluation.retraining_result import Retraining
from embedclf.exploration.clustering import Clustering
from embedclf.exploration.drift_result import Drift
from embedclf.exploration.projection import TextMap
from embedclf.exploration.recommendation import Recommendation
from embedclf.exploration.retrieval import SearchResult
from embedclf.exploration.suggestions import Suggestions
from embedclf.formatting import counted, shown_confidence
from embedclf.prediction.predict_files import FilePrediction
from embedclf.printing import (
    cross_validation,
    diffs,
    drifted,
    explained,
    explored,
    figures,
    findings,
    multilabel,
    retrained,
    spending,
)
from embedclf.printing.lines import Line, plain
from embedclf.printing.tables import Rows, shortened, shown_label
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
def _(result: MultiLabelReport) -> list[Line]:
    return multilabel.multilabel_report_lines(result, Rows(), Rows("train row"), errors_are_written=True, rest=_REST)


@lines_of.register
def _(result: CrossValidation) -> list[Line]:
    return cross_validation.cross_validation_lines(result, _REST)


@lines_of.register
def _(result: MultiLabelCrossValidation) -> list[Line]:
    return cross_validation.multilabel_cross_validation_lines(result, _REST)


@lines_of.register
def _(result: LearningCurve) -> list[Line]:
    return figures.learning_curve_lines(result)


@lines_of.register
def _(result: Comparison) -> list[Line]:
    return figures.comparison_lines(result)


@lines_of.register
def _(result: Retraining) -> list[Line]:
    return retrained.retraining_lines(result)


@lines_of.register
def _(result: ModelDiff) -> list[Line]:
    return diffs.diff_lines(result, Rows(), "", "to_frame()")


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
def _(result: Drift) -> list[Line]:
    return drifted.drift_lines(result, Rows(), Rows("old row"), _REST)


@lines_of.register
def _(result: Suggestions) -> list[Line]:
    return explored.suggestion_lines(result, Rows())


@lines_of.register
def _(result: TextMap) -> list[Line]:
    return explored.map_lines(result)


@lines_of.register
def _(result: Explanation) -> list[Line]:
    trained_on = Rows("train row") if result.supporting or result.opposing else None
    return [
        shortened(result.text),
        f"{shown_label(result.label)}  {shown_confidence(result.confidence)}",
        *explained.explanation_lines(result, trained_on),
    ]


@lines_of.register
def _(result: FilePrediction) -> list[Line]:
    before = f" ({result.rows_before:,} by an earlier run)" if result.rows_before else ""
    lines: list[Line] = [f"Wrote {counted(result.rows, 'row')}{before} in {result.seconds:,.1f} s"]
    if result.usage.tokens:
        lines.append(f"{counted(result.usage.tokens, 'token')}, {result.usage.shown_cost}")
    if result.n_faults:
        lines.append(f"{counted(result.n_faults, 'row')} could not be classified:")
        lines += [f"  line {fault.line}: {fault.reason}" for fault in result.faults]
        if left := result.n_faults - len(result.faults):
            lines.append(f"  … and {left:,} more")
    if result.shift is not None and (remark := result.shift.remark) is not None:
        lines.append(remark)
    return lines


@lines_of.register
def _(result: Spending) -> list[Line]:
    return spending.spending_lines(result)


def _found(hits: "Sequence[Hit]") -> list[Line]:
    return explored.found(hits, Rows()) if hits else ["No other rows."]
