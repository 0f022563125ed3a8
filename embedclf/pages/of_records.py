"""The page of each kind of result that has one."""

import os
from collections.abc import Callable
from typing import Any

from embedclf.data.atomic_file import AtomicFile
from embedclf.evaluation.comparison import Comparison
from embedclf.evaluation.cross_validation import CrossValidation
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.model_diff import ModelDiff
from embedclf.evaluation.multilabel_cross_validation import MultiLabelCrossValidation
from embedclf.evaluation.multilabel_report import MultiLabelReport
from embedclf.evaluation.report import Report
from embedclf.exploration.clustering import Clustering
from embedclf.exploration.drift_result import Drift
from embedclf.exploration.projection import TextMap
from embedclf.pages import checks, clusters, diffs, drifted, maps, multilabel, reports
from embedclf.quality.findings import DataCheck

# What makes the page of each kind of result, and its usual title.
_PAGES: dict[type, tuple[Callable[[Any, str], str], str]] = {
    Report: (reports.evaluation_page, "Evaluation"),
    CrossValidation: (reports.cross_validation_page, "Cross-validation"),
    MultiLabelReport: (multilabel.multilabel_page, "Evaluation"),
    MultiLabelCrossValidation: (multilabel.multilabel_cross_validation_page, "Cross-validation"),
    LearningCurve: (reports.learning_curve_page, "Learning curve"),
    Comparison: (reports.comparison_page, "Comparison"),
    ModelDiff: (diffs.diff_page, "Comparison of two models"),
    DataCheck: (checks.check_page, "Check"),
    Clustering: (clusters.cluster_page, "Clusters"),
    Drift: (drifted.drift_page, "Drift"),
    TextMap: (maps.map_page, "Map"),
}


def write_page(result: object, path: str | os.PathLike[str], title: str | None) -> None:
    """Write the page of a result to a file; see `WithPage.to_html`."""
    make, usual_title = _PAGES[type(result)]
    page = make(result, title or usual_title)
    with AtomicFile(path) as file:
        file.write(page.encode(errors="backslashreplace"))
