"""The page of each kind of result that has one."""

import os
from functools import singledispatch

from embedclf.data.atomic_file import AtomicFile
from embedclf.evaluation.comparison import Comparison
from embedclf.evaluation.cross_validation import CrossValidation
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.report import Report
from embedclf.exploration.projection import TextMap
from embedclf.pages import checks, maps, reports
from embedclf.quality.findings import DataCheck


def write_page(result: object, path: str | os.PathLike[str], title: str | None) -> None:
    """Write the page of a result to a file; see `WithPage.to_html`."""
    page = page_of(result, title)
    with AtomicFile(path) as file:
        file.write(page.encode(errors="backslashreplace"))


@singledispatch
def page_of(result: object, title: str | None) -> str:
    """Return the HTML page of a result."""
    raise NotImplementedError(type(result).__name__)


@page_of.register
def _(result: Report, title: str | None) -> str:
    return reports.evaluation_page(result, title or "Evaluation")


@page_of.register
def _(result: CrossValidation, title: str | None) -> str:
    return reports.cross_validation_page(result, title or "Cross-validation")


@page_of.register
def _(result: LearningCurve, title: str | None) -> str:
    return reports.learning_curve_page(result, title or "Learning curve")


@page_of.register
def _(result: Comparison, title: str | None) -> str:
    return reports.comparison_page(result, title or "Comparison")


@page_of.register
def _(result: DataCheck, title: str | None) -> str:
    return checks.check_page(result, title or "Check")


@page_of.register
def _(result: TextMap, title: str | None) -> str:
    return maps.map_page(result, title or "Map")
