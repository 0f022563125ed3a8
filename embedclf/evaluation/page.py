"""Pages to look at and to send: one self-contained HTML file, which opens from disk and asks no network.

The charts are Vega-Lite's (https://vega.github.io/vega-lite), whose JavaScript comes inside the wheel of vl-convert and
is put into the page. Every text goes through Jinja's escaping.
"""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from embedclf.errors import EmbedclfError
from embedclf.evaluation.comparison import Comparison
from embedclf.evaluation.cross_validation import CrossValidation
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.report import Report
from embedclf.intervals import Interval
from embedclf.metrics import shown_confidence, shown_threshold

# A larger matrix is shown by its busiest part, with the whole behind a click.
_MOST_IN_MATRIX = 25
_FEW_IN_MATRIX = 8
# Of fewer answers, the share that is right says nothing.
_LEAST_ANSWERED = 10
_MOST_CHARACTERS = 2_000
_ROW_HEIGHT = 20

# What says where a row stands: `file:line`, as whoever has read the file knows it.
RowPlace = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page.

    Attributes
    ----------
    title, note : str
    charts : sequence of (str, dict)
        Vega-Lite specifications, and what each is called; all but the first are behind a click.
    header, rows : sequences
        A table.
    wrong : Report or None
        Its wrong rows, to be filtered and searched.
    place, near_place : RowPlace or None
        Where these stand, and their nearest training examples; None does not say it.
    """

    title: str
    note: str = ""
    charts: Sequence[tuple[str, dict[str, Any]]] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    wrong: Report | None = None
    place: RowPlace | None = None
    near_place: RowPlace | None = None


def check_extra() -> None:
    """See that what pages are made with is installed.

    Raises
    ------
    EmbedclfError
    """
    try:
        import jinja2  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise EmbedclfError(
            f"a report needs the package {error.name}, which is not installed: pip install 'embedclf[report]'"
        ) from None


def evaluation_page(
    report: Report, title: str, place: RowPlace | None = None, near_place: RowPlace | None = None
) -> str:
    """Make the page of an evaluation, which says where rows and training examples stand, if that is known."""
    return _page(title, _tiles(report), _sections(report, place, near_place))


def cross_validation_page(result: CrossValidation, title: str, place: RowPlace | None = None) -> str:
    """Make the page of a cross-validation: its figures, each fold's, and all about the first repeat."""
    tiles = [
        _tile("accuracy", result.accuracy, result.accuracy_interval),
        _tile("macro-F1", result.macro_f1, result.macro_f1_interval),
        ("calibration error", f"{result.ece:.3f}", ""),
        ("rows", f"{result.n_examples:,}", f"in {result.n_folds} folds, {result.n_repeats} ×"),
    ]
    folds = Section(
        "Folds",
        "How far apart they lie.",
        header=["repeat", "fold", "rows", "accuracy", "macro-F1", "log loss"],
        rows=[
            [str(one.repeat), str(one.fold), f"{one.n_examples:,}", *_three(one.accuracy, one.macro_f1, one.log_loss)]
            for one in result.folds
        ],
    )
    return _page(title, tiles, [*_sections(result.report, place), folds])


def learning_curve_page(curve: LearningCurve, title: str) -> str:
    """Make the page of a learning curve."""
    last = curve.points[-1]
    tiles = [
        _tile(f"accuracy with {last.n_labels:,} labels", last.accuracy, last.interval),
        ("last doubling", f"{100 * curve.gain:+z.1f} points", _between(curve.gain_interval, 100, 1)),
        ("rows held out", f"{curve.n_held_out:,}", ""),
    ]
    values = [
        {"labels": one.n_labels, "accuracy": one.accuracy, "low": one.interval.low, "high": one.interval.high}
        for one in curve.points
    ]
    x = {"field": "labels", "type": "quantitative", "scale": {"type": "log"}, "title": "labels"}
    y = {"type": "quantitative", "title": "accuracy", "scale": {"zero": False}}
    chart = {
        "data": {"values": values},
        "height": 300,
        "encoding": {"x": x},
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.25},
                "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "line", "point": True, "tooltip": {"content": "data"}},
                "encoding": {"y": {**y, "field": "accuracy"}},
            },
        ],
    }
    table = Section(
        "Figures",
        header=["labels", "accuracy", "95 % interval", "choices"],
        rows=[
            [f"{one.n_labels:,}", f"{one.accuracy:.3f}", _between(one.interval), str(one.n_draws)]
            for one in curve.points
        ],
    )
    return _page(title, tiles, [Section("Would more labels help?", curve.verdict, [("Accuracy", chart)]), table])


def comparison_page(result: Comparison, title: str) -> str:
    """Make the page of a comparison."""
    best = result.candidates[0]
    names = [f"{one.embedder}, {one.dimensions:,}, {one.head}" for one in result.candidates]
    tiles = [
        ("the best", best.embedder, f"{best.dimensions:,} dimensions, {best.head}"),
        _tile("its accuracy", best.accuracy, best.accuracy_interval),
        ("rows", f"{result.n_examples:,}", f"in {result.n_folds} folds"),
    ]
    values = [
        {"name": name, "accuracy": one.accuracy, "low": one.accuracy_interval.low, "high": one.accuracy_interval.high}
        for name, one in zip(names, result.candidates, strict=True)
    ]
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 260}}
    x = {"type": "quantitative", "title": "accuracy", "scale": {"zero": False}}
    chart = {
        "data": {"values": values},
        "height": {"step": 2 * _ROW_HEIGHT},
        "encoding": {"y": y},
        "layer": [
            {"mark": "rule", "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}}},
            {
                "mark": {"type": "point", "filled": True, "size": 80, "tooltip": {"content": "data"}},
                "encoding": {"x": {**x, "field": "accuracy"}},
            },
        ],
    }
    rows = []
    for place, one in enumerate(result.candidates):
        low, high = (-100 * end for end in reversed(one.difference_interval))
        behind = f"{-100 * one.difference:z.1f} ({low:z.1f} to {high:z.1f}){'' if one.worse else ', may be chance'}"
        tokens = "–" if one.tokens is None else f"{one.tokens:,}"
        dollars = "not known" if one.dollars is None else f"${one.dollars:,.4f}"
        rows.append(
            [
                *(
                    one.embedder,
                    f"{one.dimensions:,}",
                    one.head,
                    f"{one.accuracy:.3f}",
                    _between(one.accuracy_interval),
                ),
                *("the best" if place == 0 else behind, tokens, dollars, f"{one.model_bytes / 1_000:,.1f} kB"),
                f"{one.ms_to_classify + (one.ms_to_embed or 0):.3f}{'' if one.ms_to_embed is not None else ' + API'}",
            ]
        )
    header = [
        *("embedder", "dimensions", "head", "accuracy", "95 % interval", "points behind"),
        *("tokens", "dollars", "model", "ms a text"),
    ]
    sections = [
        Section(
            "Accuracy", "With 95 % intervals. The differences below are paired, and tell more.", [("Accuracy", chart)]
        ),
        Section("Figures", header=header, rows=rows),
    ]
    return _page(title, tiles, sections)


def _tile(name: str, figure: float, interval: Interval) -> tuple[str, str, str]:
    return name, f"{figure:.3f}", _between(interval)


def _between(interval: Interval, factor: float = 1, decimals: int = 3) -> str:
    low, high = (factor * end for end in interval)
    return f"{low:z.{decimals}f} to {high:z.{decimals}f}"


def _three(*figures: float) -> list[str]:
    return [f"{figure:.3f}" for figure in figures]


def _tiles(report: Report) -> list[tuple[str, str, str]]:
    tiles = [
        _tile("accuracy", report.accuracy, report.accuracy_interval),
        _tile("macro-F1", report.macro_f1, report.macro_f1_interval),
        ("calibration error", f"{report.ece:.3f}", ""),
        ("rows", f"{report.n_examples:,}", _n_wrong(report)),
    ]
    if report.threshold is not None:
        (point,) = [one for one in report.coverage if one.threshold == report.threshold]
        right = "" if point.accuracy is None else f"{point.accuracy:.1%} of these right"
        tiles.append((f"answered from {shown_threshold(report.threshold)} on", f"{point.coverage:.1%}", right))
    if outside := report.out_of_scope:
        rejected = "" if outside.recall is None else f"{outside.recall:.1%} rejected"
        tiles.append(("out of scope: AUROC", f"{outside.auroc:.3f}", rejected))
    return tiles


def _n_wrong(report: Report) -> str:
    if report.out_of_scope is None or not report.out_of_scope.n_answered:
        return f"{len(report.wrong):,} wrong"
    answered = report.out_of_scope.n_answered
    return f"{len(report.wrong) - answered:,} wrong, and {answered:,} out of scope answered"


def _sections(report: Report, place: RowPlace | None, near_place: RowPlace | None = None) -> list[Section]:
    note = "The surest first: these are the likeliest to be labelled wrong."
    wrong = Section("Wrong rows", note, wrong=report, place=place, near_place=near_place)
    return [
        Section("Confusion matrix", *_confusion_matrix(report)),
        Section("Labels", "F1 of each label, the worst first.", [("F1 of each label", _bars(report))]),
        Section(
            "Reliability",
            "Of answers with a confidence of 80 %, 80 % should be right: on the line.",
            [("Reliability", _reliability(report))],
        ),
        Section(
            "Coverage",
            "How much is answered, and how well, when the classifier abstains below a confidence.",
            [("Coverage", _coverage(report))],
        ),
        *([wrong] if report.wrong else []),
    ]


def _confusion_matrix(report: Report) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    n = len(report.classes)
    mistakes = [
        sum(report.confusion_matrix[i])
        - report.confusion_matrix[i][i]
        + sum(row[i] for row in report.confusion_matrix)
        - report.confusion_matrix[i][i]
        for i in range(n)
    ]
    # The busiest first; a stable sort keeps the others in order.
    order = sorted(range(n), key=lambda i: -mistakes[i])
    note = "Rows are the labels, columns what they were taken for; the labels with most mistakes first."
    if n <= _MOST_IN_MATRIX:
        return note, [("Confusion matrix", _heat_map(report, order))]
    note += f" Of {n} labels, the {_MOST_IN_MATRIX} with most mistakes."
    return note, [
        (f"The {_MOST_IN_MATRIX} labels with most mistakes", _heat_map(report, order[:_MOST_IN_MATRIX])),
        (f"All {n} labels", _heat_map(report, order)),
    ]


def _heat_map(report: Report, order: Sequence[int]) -> dict[str, Any]:
    names = [report.classes[i] for i in order]
    values = [
        {
            "label": report.classes[i],
            "taken for": report.classes[j],
            "rows": report.confusion_matrix[i][j],
            "right": i == j,
            "share": report.confusion_matrix[i][j] / max(1, sum(report.confusion_matrix[i])),
        }
        for i in order
        for j in order
        if report.confusion_matrix[i][j]
    ]
    axis = {"labelLimit": 130, "labelOverlap": False}
    x = {"field": "taken for", "type": "nominal", "scale": {"domain": names}, "axis": {**axis, "labelAngle": -90}}
    y = {"field": "label", "type": "nominal", "scale": {"domain": names}, "axis": axis}
    color = {
        "condition": {"test": "datum.right", "value": "#7c8a99"},
        "field": "share",
        "type": "quantitative",
        "scale": {"scheme": "oranges", "domain": [0, 0.5], "clamp": True},
        "legend": None,
    }
    tooltip = [{"field": name, "type": kind} for name, kind in (("label", "nominal"), ("taken for", "nominal"))]
    small, large = len(names) <= _FEW_IN_MATRIX, len(names) > _MOST_IN_MATRIX
    size = {"step": 2 * _ROW_HEIGHT if small else 14 if large else _ROW_HEIGHT}
    return {
        "data": {"values": values},
        "width": size,
        "height": size,
        "encoding": {"x": x, "y": y, "tooltip": [*tooltip, {"field": "rows", "type": "quantitative"}]},
        "layer": [
            {
                "mark": "rect",
                "encoding": {
                    "color": color,
                    "opacity": {"condition": {"test": "datum.right", "value": 0.45}, "value": 1},
                },
            },
            {
                "mark": {"type": "text", "fontSize": 13 if small else 8 if large else 10},
                "encoding": {
                    "text": {"field": "rows"},
                    "color": {"condition": {"test": "!datum.right", "value": "#000"}, "value": {"expr": "ink"}},
                },
            },
        ],
    }


def _bars(report: Report) -> dict[str, Any]:
    ordered = sorted(report.per_class.items(), key=lambda pair: pair[1].f1)
    values = [
        {"label": name, "F1": one.f1, "precision": one.precision, "recall": one.recall, "rows": one.support}
        for name, one in ordered
    ]
    fields = [("label", "nominal"), *((name, "quantitative") for name in ("F1", "precision", "recall", "rows"))]
    return {
        "data": {"values": values},
        "height": {"step": _ROW_HEIGHT},
        "mark": "bar",
        "encoding": {
            "y": {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 180}},
            "x": {"field": "F1", "type": "quantitative", "scale": {"domain": [0, 1]}},
            "tooltip": [
                {"field": name, "type": kind, **({"format": ".3f"} if kind != "nominal" and name != "rows" else {})}
                for name, kind in fields
            ],
        },
    }


def _reliability(report: Report) -> dict[str, Any]:
    values = [
        {"confidence": one.confidence, "accuracy": one.accuracy, "rows": one.n_examples} for one in report.reliability
    ]
    x = {"field": "confidence", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": "confidence"}
    y = {"field": "accuracy", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": "accuracy"}
    return {
        "height": 320,
        "layer": [
            {
                "data": {"values": [{"confidence": 0, "accuracy": 0}, {"confidence": 1, "accuracy": 1}]},
                "mark": {"type": "line", "strokeDash": [5, 5], "color": "#7c8a99"},
                "encoding": {"x": x, "y": y},
            },
            {
                "data": {"values": values},
                "mark": {"type": "line", "opacity": 0.6},
                "encoding": {"x": x, "y": y},
            },
            {
                "data": {"values": values},
                "mark": {"type": "point", "filled": True, "opacity": 1},
                "encoding": {
                    "x": x,
                    "y": y,
                    "size": {"field": "rows", "type": "quantitative", "legend": None, "scale": {"range": [20, 400]}},
                    "tooltip": [
                        {"field": "confidence", "type": "quantitative", "format": ".3f"},
                        {"field": "accuracy", "type": "quantitative", "format": ".3f"},
                        {"field": "rows", "type": "quantitative"},
                    ],
                },
            },
        ],
    }


def _coverage(report: Report) -> dict[str, Any]:
    values = [
        {
            "confidence at least": one.threshold,
            "answered": one.coverage,
            "right": one.accuracy,
            "used": one.threshold == report.threshold,
        }
        for one in report.coverage
        if one.accuracy is not None and one.coverage * report.n_examples >= _LEAST_ANSWERED
    ]
    x = {
        "field": "answered",
        "type": "quantitative",
        "title": "answered",
        "axis": {"format": "%"},
        "scale": {"domain": [0, 1]},
    }
    y = {
        "field": "right",
        "type": "quantitative",
        "title": "of these right",
        "axis": {"format": "%"},
        "scale": {"zero": False},
    }
    tooltip = [
        {"field": "confidence at least", "type": "quantitative"},
        *({"field": name, "type": "quantitative", "format": ".1%"} for name in ("answered", "right")),
    ]
    layers: list[dict[str, Any]] = [{"mark": {"type": "line", "point": True}}]
    if any(value["used"] for value in values):
        mark = {"type": "point", "filled": True, "size": 160, "color": "#c2410c", "opacity": 1}
        layers.append({"transform": [{"filter": "datum.used"}], "mark": mark})
    return {
        "height": 300,
        "data": {"values": values},
        "encoding": {"x": x, "y": y, "tooltip": tooltip, "order": {"field": "confidence at least"}},
        "layer": layers,
    }


def _page(title: str, tiles: Sequence[tuple[str, str, str]], sections: Sequence[Section]) -> str:
    check_extra()
    import jinja2
    import vl_convert

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(files("embedclf.evaluation").joinpath("page.html").read_text(encoding="utf-8"))
    charts: list[dict[str, Any]] = []
    numbered = []
    for section in sections:
        numbers = []
        for name, chart in section.charts:
            numbers.append((name, len(charts), isinstance(chart.get("width"), dict)))
            charts.append({"width": "container", **chart})
        numbered.append((section, numbers))
    return template.render(
        title=title,
        tiles=tiles,
        sections=numbered,
        # Within a script, only a "<" could end it.
        charts=json.dumps(charts, ensure_ascii=False).replace("<", "\\u003c"),
        library=_library(vl_convert),
        most=_MOST_CHARACTERS,
        shown_confidence=shown_confidence,
    )


@functools.cache
def _library(vl_convert: Any) -> str:
    bundle: str = vl_convert.javascript_bundle()
    return bundle.replace("</script", "<\\/script")
