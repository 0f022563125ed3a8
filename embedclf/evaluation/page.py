"""Pages to look at and to send: one self-contained HTML file, which opens from disk and asks no network.

The charts are Vega-Lite's (https://vega.github.io/vega-lite), whose JavaScript comes inside the wheel of vl-convert and
is put into the page. Every text goes through Jinja's escaping.
"""

import functools
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from embedclf.classifier.explanation import Span
from embedclf.errors import counted
from embedclf.evaluation.comparison import Comparison
from embedclf.evaluation.cross_validation import CrossValidation
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.report import Report
from embedclf.extras import check_extra
from embedclf.intervals import Interval
from embedclf.metrics import ClassFigures, CoveragePoint, shown_confidence, shown_share, shown_threshold

# A larger matrix is shown by its busiest part, with the whole behind a click; and more bars by the worst.
_MOST_IN_MATRIX = 25
_FEW_IN_MATRIX = 8
# Of fewer answers, the share that is right says nothing.
_LEAST_ANSWERED = 10
# How much of a text is shown: the most at which all of them together stay within the budget.
_MOST_CHARACTERS = (2_000, 1_000, 500, 250, 120)
_MOST_BYTES = 3_000_000
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
    left : sequence of int
        Its columns of words; the others are of numbers.
    folded : str
        What is to be clicked to see the table; empty if it is in sight.
    wrong : Report or None
        Its wrong rows, to be filtered and searched.
    place, near_place : RowPlace or None
        Where these stand, and their nearest training examples; None does not say it.
    half : bool
        Whether it can stand beside another.
    """

    title: str
    note: str = ""
    charts: Sequence[tuple[str, dict[str, Any]]] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    left: Sequence[int] = ()
    folded: str = ""
    wrong: Report | None = None
    place: RowPlace | None = None
    near_place: RowPlace | None = None
    half: bool = False


def check_installed() -> None:
    """See that what pages are made with is installed.

    Raises
    ------
    EmbedclfError
    """
    check_extra("report", "a report", "jinja2", "vl_convert")


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
    sections = _sections(result.report, place)
    if result.n_repeats > 1:
        sections = [replace(section, note=f"{section.note} Of the first repeat.") for section in sections]
    return _page(title, tiles, [*sections, folds])


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
    # A tick where there is a point; each is about twice the one before.
    axis = {"values": [one.n_labels for one in curve.points], "format": ",", "labelOverlap": True}
    x = {"field": "labels", "type": "quantitative", "scale": {"type": "log"}, "title": "labels", "axis": axis}
    y = {"type": "quantitative", "title": "accuracy", "scale": {"zero": False}, "axis": {"tickCount": 6}}
    kinds = (("labels", ","), ("accuracy", ".3f"), ("low", ".3f"), ("high", ".3f"))
    tooltip = [{"field": name, "type": "quantitative", "format": kind} for name, kind in kinds]
    chart = {
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
    embedders = [_cut(one.embedder, 2 * _MOST_IN_NAME) for one in result.candidates]
    names = [
        f"{name}\n{one.dimensions:,} dimensions, {one.head}"
        for name, one in zip(embedders, result.candidates, strict=True)
    ]
    tiles = [
        ("the best", best.embedder, f"{best.dimensions:,} dimensions, {best.head}"),
        _tile("its accuracy", best.accuracy, best.accuracy_interval),
        ("rows", f"{result.n_examples:,}", f"in {result.n_folds} folds"),
    ]
    values = [
        {"name": name, "accuracy": one.accuracy, "low": one.accuracy_interval.low, "high": one.accuracy_interval.high}
        for name, one in zip(names, result.candidates, strict=True)
    ]
    axis = {"labelLimit": 0, "labelExpr": "split(datum.label, '\\n')"}
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": axis}
    x = {"type": "quantitative", "title": "accuracy", "scale": {"zero": False}, "axis": {"tickCount": 5}}
    tooltip = [{"field": name, "type": "quantitative", "format": ".3f"} for name in ("accuracy", "low", "high")]
    chart = {
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
    rows = []
    for place, one in enumerate(result.candidates):
        low, high = (-100 * end for end in reversed(one.difference_interval))
        behind = f"{-100 * one.difference:z.1f} ({low:z.1f} to {high:z.1f}){'' if one.worse else ', may be chance'}"
        tokens = "–" if one.tokens is None else f"{one.tokens:,}"
        dollars = "free" if one.tokens is None else "not known" if one.dollars is None else f"${one.dollars:,.4f}"
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
                f"{one.ms_to_classify + (one.ms_to_embed or 0):.2f}{'' if one.ms_to_embed is not None else ' + API'}",
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
        Section("Figures", header=header, rows=rows, left=(0, 2)),
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
        right = "" if point.accuracy is None else f"{shown_share(point.accuracy)} of these right"
        tiles.append((f"answered from {shown_threshold(report.threshold)} on", shown_share(point.coverage), right))
    if outside := report.out_of_scope:
        rejected = "" if outside.recall is None else f"{shown_share(outside.recall)} rejected"
        tiles.append(("out of scope: AUROC", f"{outside.auroc:.3f}", rejected))
    return tiles


def _n_wrong(report: Report) -> str:
    if report.out_of_scope is None or not report.out_of_scope.n_answered:
        return f"{len(report.wrong):,} wrong"
    answered = report.out_of_scope.n_answered
    return f"{len(report.wrong) - answered:,} wrong, and {answered:,} out of scope answered"


def _sections(report: Report, place: RowPlace | None, near_place: RowPlace | None = None) -> list[Section]:
    shown = _shown_coverage(report)
    used = ""
    if report.threshold is not None:
        threshold, dotted = shown_threshold(report.threshold), any(one.threshold == report.threshold for one in shown)
        used = (
            f" The dot is the threshold {threshold}."
            if dotted
            else f" At the threshold {threshold} too few are answered for a dot."
        )
    note = "The surest first: these are the likeliest to be labelled wrong."
    if any(one.spans for one in report.wrong):
        note += (
            " Words in blue spoke for the label that the text was taken for, words in orange for the next likeliest."
        )
    wrong = Section("Wrong rows", note, wrong=report, place=place, near_place=near_place)
    if not report.wrong:
        wrong = Section("Wrong rows", "None.")
    return [
        Section("Confusion matrix", *_confusion_matrix(report)),
        _labels(report),
        Section(
            "Reliability",
            "Of answers with a confidence of 80 %, 80 % should be right: on the line.",
            [("Reliability", _reliability(report))],
            half=True,
        ),
        Section(
            "Coverage",
            f"How much is answered, and how well, when the classifier abstains below a confidence.{used}",
            [("Coverage", _coverage(report, shown))],
            half=True,
        ),
        *_words(report),
        wrong,
    ]


def _words(report: Report) -> list[Section]:
    if not report.words_by_label:
        return []
    rows = [
        # A figure stays on the line of its word.
        [label, ", ".join(f"{_cut(one.word, _MOST_IN_NAME)}\u00a0{one.weight:+.2f}" for one in words)]
        for label, words in report.words_by_label.items()
    ]
    note = (
        "What speaks most for each label: how much a word adds to its score, over the score of the next likeliest "
        "label, on average over the texts that are answered with it."
    )
    folded = "" if len(rows) <= _MOST_IN_MATRIX + 1 else f"Words of all {counted(len(rows), 'label')}"
    return [Section("Words", note, header=["label", "words"], rows=rows, left=(0, 1), folded=folded)]


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
    # A single label is not put together with others: it is no longer than they would be.
    if n <= _MOST_IN_MATRIX + 1:
        return note, [("Confusion matrix", _heat_map(report, order))]
    note += f" The mistakes with the {n - _MOST_IN_MATRIX} labels that have fewest are in the last row and column."
    return note, [
        (f"The {_MOST_IN_MATRIX} labels with most mistakes", _heat_map(report, order[:_MOST_IN_MATRIX])),
        (f"All {n} labels", _heat_map(report, order)),
    ]


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


def _labels(report: Report) -> Section:
    ordered = sorted(report.per_class.items(), key=lambda pair: pair[1].f1)
    n = len(ordered)
    few = n <= _MOST_IN_MATRIX + 1
    bars = ordered if few else ordered[:_MOST_IN_MATRIX]
    return Section(
        "Labels",
        f"F1 of {'each label' if few else f'the {len(bars)} worst of {n} labels'}, the worst first.",
        [("F1 of labels", _bars(bars))],
        header=["label", "F1", "precision", "recall", "rows"],
        rows=[[name, *_three(one.f1, one.precision, one.recall), f"{one.support:,}"] for name, one in ordered],
        left=(0,),
        folded=f"Figures of {'all ' if n > 1 else ''}{counted(n, 'label')}",
    )


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


def _page(title: str, tiles: Sequence[tuple[str, str, str]], sections: Sequence[Section]) -> str:
    check_installed()
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
            numbers.append((name, len(charts), "width" in chart))
            # As wide as the page is, if it has no size of its own.
            fitted = {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
            charts.append(chart if "width" in chart else {**fitted, **chart})
        numbered.append((section, numbers))
    return template.render(
        title=title,
        tiles=tiles,
        sections=numbered,
        # Within a script, only a "<" could end it.
        charts=json.dumps(charts, ensure_ascii=False).replace("<", "\\u003c"),
        library=_library(vl_convert),
        shown_confidence=shown_confidence,
        breakable=_breakable,
        shaded=_shaded,
        most=_most_characters([shown for section in sections if section.wrong for shown in _texts(section.wrong)]),
    )


def _breakable(name: str) -> Any:
    """Tell where a long name had better be broken; its text stays the same."""
    from markupsafe import Markup, escape

    return escape(name).replace("_", Markup("_<wbr>")).replace(":", Markup(":<wbr>"))


def _shaded(text: str, spans: Sequence[Span], most: int) -> Any:
    """Mark the words of a text by what they say; at most so many of its characters."""
    from markupsafe import Markup, escape

    largest = max((abs(span.weight) for span in spans), default=0.0)
    pieces, done = [], 0
    for start, end, weight in spans:
        shade = sum(abs(weight) >= share * largest for share in _SHADES)
        if shade and start < most:
            side, end = "for" if weight > 0 else "against", min(end, most)
            pieces += [escape(text[done:start]), f'<mark class="{side}{shade}">', escape(text[start:end]), "</mark>"]
            done = end
    return Markup("".join([*pieces, escape(text[done:most])]))  # noqa: S704 - all of the text is escaped


def _texts(report: Report) -> Iterator[tuple[str, Sequence[Span]]]:
    for one in report.wrong:
        yield one.text, one.spans
        yield from ((near.text, ()) for near in one.neighbours)


def _most_characters(texts: Sequence[tuple[str, Sequence[Span]]]) -> int:
    """Choose how much of each text is shown."""
    *larger, least = _MOST_CHARACTERS
    for most in larger:
        left = _MOST_BYTES
        for text, spans in texts:
            left -= len(_shaded(text, spans, most).encode())
            if left < 0:  # where that is so, it is found out early
                break
        else:
            return most
    return least


@functools.cache
def _library(vl_convert: Any) -> str:
    bundle: str = vl_convert.javascript_bundle()
    return bundle.replace("</script", "<\\/script")
