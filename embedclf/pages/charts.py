"""The charts of a report."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from embedclf.evaluation.report import Report
from embedclf.stats.metrics import ClassFigures, CoveragePoint

_FEW_IN_MATRIX = 8
# Of fewer answers, the share that is right says nothing.
_LEAST_ANSWERED = 10
_MOST_IN_NAME = 26
_ROW_HEIGHT = 20
# Of the page's style, which has one for the light, one for the dark and one for paper; these change without a redraw.
_INK, _FAINT, _PAPER, _WRONG = "var(--ink)", "var(--faint)", "var(--paper)", "var(--wrong)"
# Black on these, and ink on grey, has the contrast of WCAG's AA.
_OF_MISTAKES = ["#fde3c4", "#f58a3c"]
_OF_RIGHT = "#7c8a99"
# A word is shaded the darker, the larger its weight is beside the largest of its text.
_SHADES = (0.1, 0.3, 0.6)
_PERCENT = {"format": ".0%", "tickCount": 5}


def _heat_map(report: Report, order: Sequence[int]) -> dict[str, Any]:
    rest = sorted(set(range(len(report.classes))) - set(order))
    groups = [[i] for i in order] + ([rest] if rest else [])
    full = [report.classes[i] for i in order] + ([f"{len(rest)} other labels"] if rest else [])
    names = _shown_names(full)
    values = []
    for row, of_row in enumerate(groups):
        total = sum(sum(report.confusion_matrix[i]) for i in of_row)
        for column, of_column in enumerate(groups):
            # Of the others among themselves, only the mistakes.
            right = column == row and len(of_row) == 1
            rows = sum(report.confusion_matrix[i][j] for i in of_row for j in of_column if right or i != j)
            if rows:
                shown = {"y": names[row], "x": names[column], "label": full[row], "taken for": full[column]}
                values.append({**shown, "rows": rows, "right": right, "share": rows / total})
    axis = {"labelLimit": 0, "labelOverlap": False, "grid": True, "tickBand": "extent"}
    top = {**axis, "labelAngle": -90, "orient": "top"}
    x = {"field": "x", "type": "nominal", "scale": {"domain": names}, "axis": top, "title": "taken for"}
    y = {"field": "y", "type": "nominal", "scale": {"domain": names}, "axis": axis, "title": "label"}
    color = {
        "condition": {"test": "datum.right", "value": _OF_RIGHT},
        "field": "share",
        "type": "quantitative",
        "scale": {"range": _OF_MISTAKES, "domain": [0, 0.5], "clamp": True},
        "legend": None,
    }
    tooltip = [{"field": name, "type": "nominal"} for name in ("label", "taken for", "rows")]
    small = len(names) <= _FEW_IN_MATRIX
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
                    "opacity": {"condition": {"test": "datum.right", "value": 0.45}, "value": 1},
                },
            },
            {
                "mark": {"type": "text", "fontSize": 14 if small else 11},
                "encoding": {
                    "text": {"field": "rows"},
                    "color": {"condition": {"test": "!datum.right", "value": "#000"}, "value": _INK},
                },
            },
        ],
    }


def _shown_names(names: Sequence[str]) -> list[str]:
    """Write names short and in one line, no two the same."""
    shown: dict[str, None] = {}
    for name in names:
        # Only what joins emoji is kept of the characters without a shape.
        line = " ".join("".join(c if c.isprintable() or c == "\u200d" else " " for c in name).split())
        short, number = _cut(line, _MOST_IN_NAME), 1
        while short in shown:
            number += 1
            short = f"{_cut(line, _MOST_IN_NAME - len(f' ({number})'))} ({number})"
        shown[short] = None
    return list(shown)


def _cut(name: str, most: int) -> str:
    """Leave out the middle of a long name, for names often differ at their end."""
    widths = [2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in name]
    if sum(widths) <= most:
        return name
    start, end, room = 0, len(name), most - 1
    while room >= (nearer := widths[start] if start <= len(name) - end else widths[end - 1]):
        start, end = (start + 1, end) if start <= len(name) - end else (start, end - 1)
        room -= nearer
    return f"{name[:start]}…{name[end:]}"


def _bars(figures: Sequence[tuple[str, ClassFigures]]) -> dict[str, Any]:
    names = _shown_names([name for name, _ in figures])
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
    # Not stacked: for that, Vega keeps bars under their names, and stumbles over one named toString.
    x = {
        "field": "F1",
        "type": "quantitative",
        "stack": None,
        "scale": {"domain": [0, 1]},
        "axis": {"tickCount": 5},
    }
    # In the bar, or after one that is too short for it.
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


def _reliability(report: Report) -> dict[str, Any]:
    values = [
        {"confidence": one.confidence, "accuracy": one.accuracy, "rows": one.n_examples} for one in report.reliability
    ]
    scale = {"scale": {"domain": [0, 1]}, "axis": _PERCENT}
    x = {"field": "confidence", "type": "quantitative", "title": "confidence", **scale}
    y = {"field": "accuracy", "type": "quantitative", "title": "right", **scale}
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


def _shown_coverage(report: Report) -> list[CoveragePoint]:
    least = min(_LEAST_ANSWERED, report.n_examples)
    return [
        one for one in report.coverage if one.accuracy is not None and one.coverage * report.n_examples >= least - 0.5
    ]


def _coverage(report: Report, points: Sequence[CoveragePoint]) -> dict[str, Any]:
    values = [
        {
            "confidence at least": one.threshold,
            "answered": one.coverage,
            "right": one.accuracy,
            "used": one.threshold == report.threshold,
        }
        for one in points
    ]
    x = {
        "field": "answered",
        "type": "quantitative",
        "title": "answered",
        "axis": _PERCENT,
        "scale": {"domain": [0, 1]},
    }
    y = {
        "field": "right",
        "type": "quantitative",
        "title": "of these right",
        "axis": {"format": "~%", "tickCount": 6},
        "scale": {"zero": False},
    }
    tooltip = [
        {"field": "confidence at least", "type": "quantitative"},
        *({"field": name, "type": "quantitative", "format": ".1%"} for name in ("answered", "right")),
    ]
    layers: list[dict[str, Any]] = [{"mark": {"type": "line", "point": True}}]
    if any(value["used"] for value in values):
        mark = {"type": "point", "filled": True, "size": 160, "color": _WRONG, "opacity": 1}
        layers.append({"transform": [{"filter": "datum.used"}], "mark": mark})
    return {
        "height": 320,
        "data": {"values": values},
        "encoding": {"x": x, "y": y, "tooltip": tooltip, "order": {"field": "confidence at least"}},
        "layer": layers,
    }
