"""The charts of a report, as Vega-Lite specifications."""

from collections.abc import Sequence
from typing import Any

from embedclf.evaluation.comparison import Comparison
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.report import Report
from embedclf.pages.names import MOST_IN_NAME, distinct_names, shortened
from embedclf.stats.metrics import ClassFigures, CoveragePoint

Chart = dict[str, Any]

_SMALL_MATRIX = 8
# Accuracy over fewer answers than this is not meaningful.
_MIN_ANSWERED = 10
_ROW_HEIGHT = 20
# CSS variables of the page for light mode, dark mode and print, so colours change without a redraw.
_INK, _FAINT, _PAPER, _WRONG = "var(--ink)", "var(--faint)", "var(--paper)", "var(--wrong)"
# Black on the error colours, and ink on grey, meet the contrast of WCAG's level AA.
_ERROR_COLOURS = ["#fde3c4", "#f58a3c"]
_CORRECT_COLOUR = "#7c8a99"
_PERCENT = {"format": ".0%", "tickCount": 5}


def confusion_chart(report: Report, order: Sequence[int]) -> Chart:
    """Return the confusion matrix of the labels in `order`; all other labels share the last row and column."""
    rest = sorted(set(range(len(report.classes))) - set(order))
    groups = [[i] for i in order] + ([rest] if rest else [])
    full = [report.classes[i] for i in order] + ([f"{len(rest)} other labels"] if rest else [])
    names = distinct_names(full)
    values = []
    for row, of_row in enumerate(groups):
        total = sum(sum(report.confusion_matrix[i]) for i in of_row)
        for column, of_column in enumerate(groups):
            # The cell of the other labels among themselves counts errors only.
            correct = column == row and len(of_row) == 1
            rows = sum(report.confusion_matrix[i][j] for i in of_row for j in of_column if correct or i != j)
            if rows:
                shown = {"y": names[row], "x": names[column], "label": full[row], "predicted": full[column]}
                values.append({**shown, "rows": rows, "correct": correct, "share": rows / total})
    axis = {"labelLimit": 0, "labelOverlap": False, "grid": True, "tickBand": "extent"}
    top = {**axis, "labelAngle": -90, "orient": "top"}
    x = {"field": "x", "type": "nominal", "scale": {"domain": names}, "axis": top, "title": "predicted"}
    y = {"field": "y", "type": "nominal", "scale": {"domain": names}, "axis": axis, "title": "label"}
    color = {
        "condition": {"test": "datum.correct", "value": _CORRECT_COLOUR},
        "field": "share",
        "type": "quantitative",
        "scale": {"range": _ERROR_COLOURS, "domain": [0, 0.5], "clamp": True},
        "legend": None,
    }
    tooltip = [{"field": name, "type": "nominal"} for name in ("label", "predicted", "rows")]
    small = len(names) <= _SMALL_MATRIX
    size = {"step": 2 * _ROW_HEIGHT if small else _ROW_HEIGHT + 2}
    return {
        "data": {"values": values},
        "width": size,
        "height": size,
        "encoding": {"x": x, "y": y, "tooltip": tooltip},
        "layer": [
            {
                "mark": "rect",
                "encoding": {
                    "color": color,
                    "opacity": {"condition": {"test": "datum.correct", "value": 0.45}, "value": 1},
                },
            },
            {
                "mark": {"type": "text", "fontSize": 14 if small else 11},
                "encoding": {
                    "text": {"field": "rows"},
                    "color": {"condition": {"test": "!datum.correct", "value": "#000"}, "value": _INK},
                },
            },
        ],
    }


def f1_chart(figures: Sequence[tuple[str, ClassFigures]]) -> Chart:
    """Return a bar chart of the F1 of labels."""
    names = distinct_names([name for name, _ in figures])
    values = [
        {"y": shown, "label": name, "F1": one.f1, "precision": one.precision, "recall": one.recall, "rows": one.support}
        for shown, (name, one) in zip(names, figures, strict=True)
    ]
    fields = [("label", "nominal"), *((name, "quantitative") for name in ("F1", "precision", "recall", "rows"))]
    tooltip = [
        {"field": name, "type": kind, **({"format": ".3f"} if kind != "nominal" and name != "rows" else {})}
        for name, kind in fields
    ]
    y = {"field": "y", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 0, "grid": False}}
    # Not stacked: to stack, Vega uses names as keys of a JavaScript object, which fails for a label named toString.
    x = {
        "field": "F1",
        "type": "quantitative",
        "stack": None,
        "scale": {"domain": [0, 1]},
        "axis": {"tickCount": 5},
    }
    # The number goes into the bar, or next to it if the bar is too short.
    inside = "datum.F1 >= 0.2"
    mark = {
        "type": "text",
        "align": {"expr": f"{inside} ? 'right' : 'left'"},
        "dx": {"expr": f"{inside} ? -5 : 5"},
    }
    return {
        "data": {"values": values},
        "height": _ROW_HEIGHT * len(values),
        "encoding": {"y": y, "x": x, "tooltip": tooltip},
        "layer": [
            {"mark": {"type": "bar", "height": {"band": 0.8}, "cornerRadiusEnd": 2}},
            {
                "mark": mark,
                "encoding": {
                    "text": {"field": "F1", "type": "quantitative", "format": ".3f"},
                    "color": {"condition": {"test": inside, "value": _PAPER}, "value": _INK},
                },
            },
        ],
    }


def reliability_chart(report: Report) -> Chart:
    """Return a reliability diagram: accuracy by confidence."""
    values = [
        {"confidence": one.confidence, "accuracy": one.accuracy, "rows": one.n_examples} for one in report.reliability
    ]
    scale = {"scale": {"domain": [0, 1]}, "axis": _PERCENT}
    x = {"field": "confidence", "type": "quantitative", "title": "confidence", **scale}
    y = {"field": "accuracy", "type": "quantitative", "title": "accuracy", **scale}
    return {
        "height": 320,
        "layer": [
            {
                "data": {"values": [{"confidence": 0, "accuracy": 0}, {"confidence": 1, "accuracy": 1}]},
                "mark": {"type": "line", "strokeDash": [5, 5], "color": _FAINT},
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


def coverage_points(report: Report) -> list[CoveragePoint]:
    """Return the points of the coverage chart, leaving out those with too few answers."""
    least = min(_MIN_ANSWERED, report.n_examples)
    return [
        one for one in report.coverage if one.accuracy is not None and one.coverage * report.n_examples >= least - 0.5
    ]


def coverage_chart(report: Report, points: Sequence[CoveragePoint]) -> Chart:
    """Return a chart of accuracy by coverage, with a dot at the model's threshold."""
    values = [
        {
            "threshold": one.threshold,
            "coverage": one.coverage,
            "accuracy": one.accuracy,
            "used": one.threshold == report.threshold,
        }
        for one in points
    ]
    x = {
        "field": "coverage",
        "type": "quantitative",
        "title": "coverage",
        "axis": _PERCENT,
        "scale": {"domain": [0, 1]},
    }
    y = {
        "field": "accuracy",
        "type": "quantitative",
        "title": "accuracy",
        "axis": {"format": "~%", "tickCount": 6},
        "scale": {"zero": False},
    }
    tooltip = [
        {"field": "threshold", "type": "quantitative"},
        *({"field": name, "type": "quantitative", "format": ".1%"} for name in ("coverage", "accuracy")),
    ]
    layers: list[dict[str, Any]] = [{"mark": {"type": "line", "point": True}}]
    if any(value["used"] for value in values):
        mark = {"type": "point", "filled": True, "size": 160, "color": _WRONG, "opacity": 1}
        layers.append({"transform": [{"filter": "datum.used"}], "mark": mark})
    return {
        "height": 320,
        "data": {"values": values},
        "encoding": {"x": x, "y": y, "tooltip": tooltip, "order": {"field": "threshold"}},
        "layer": layers,
    }


def learning_chart(curve: LearningCurve) -> Chart:
    """Return a chart of accuracy by the number of training rows, with its interval."""
    values = [
        {"training rows": one.n_labels, "accuracy": one.accuracy, "low": one.interval.low, "high": one.interval.high}
        for one in curve.points
    ]
    # One tick per point, since the points are about evenly spaced on the logarithmic scale.
    axis = {"values": [one.n_labels for one in curve.points], "format": ",", "labelOverlap": True}
    x = {
        "field": "training rows",
        "type": "quantitative",
        "scale": {"type": "log"},
        "title": "training rows",
        "axis": axis,
    }
    y = {"type": "quantitative", "title": "accuracy", "scale": {"zero": False}, "axis": {"tickCount": 6}}
    kinds = (("training rows", ","), ("accuracy", ".3f"), ("low", ".3f"), ("high", ".3f"))
    tooltip = [{"field": name, "type": "quantitative", "format": kind} for name, kind in kinds]
    return {
        "data": {"values": values},
        "height": 300,
        "encoding": {"x": x, "tooltip": tooltip},
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.25},
                "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "line", "point": {"size": 60}},
                "encoding": {"y": {**y, "field": "accuracy"}},
            },
        ],
    }


def comparison_chart(result: Comparison) -> Chart:
    """Return a chart of the accuracy of each candidate, with its interval."""
    embedders = [shortened(one.embedder, 2 * MOST_IN_NAME) for one in result.candidates]
    names = [
        f"{name}\n{one.dimensions:,} dimensions, {one.head}"
        for name, one in zip(embedders, result.candidates, strict=True)
    ]
    values = [
        {"name": name, "accuracy": one.accuracy, "low": one.accuracy_interval.low, "high": one.accuracy_interval.high}
        for name, one in zip(names, result.candidates, strict=True)
    ]
    axis = {"labelLimit": 0, "labelExpr": "split(datum.label, '\\n')"}
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": axis}
    x = {"type": "quantitative", "title": "accuracy", "scale": {"zero": False}, "axis": {"tickCount": 5}}
    tooltip = [{"field": name, "type": "quantitative", "format": ".3f"} for name in ("accuracy", "low", "high")]
    return {
        "data": {"values": values},
        "height": 2 * _ROW_HEIGHT * len(values),
        "encoding": {"y": y, "tooltip": tooltip},
        "layer": [
            {"mark": {"type": "rule", "size": 2}, "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}}},
            {
                "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
                "encoding": {"x": {**x, "field": "accuracy"}},
            },
        ],
    }
