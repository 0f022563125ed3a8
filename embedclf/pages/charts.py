"""The charts of reports, as static SVG, which needs no script.

Colours that differ between light and dark mode are given by the style sheet, `report.css`.
"""

from collections.abc import Sequence
from itertools import chain
from math import sqrt

from embedclf.evaluation.comparison import Compared, Comparison
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.report import Report
from embedclf.formatting import counted, shown_interval, shown_share, shown_threshold
from embedclf.pages.axes import Axis, around, drawing, frame, ticks, width_of
from embedclf.pages.markup import Markup, tag
from embedclf.pages.names import MOST_IN_NAME, capitalized, distinct_names, in_one_line, shortened
from embedclf.stats.metrics import CoveragePoint, ReliabilityBin

_SMALL_MATRIX = 8
_CELL, _LARGE_CELL = 22, 40
# Accuracy over fewer answers than this is not meaningful.
_MIN_ANSWERED = 10
# Black on these, and ink on the grey, meet the contrast of WCAG's level AA.
_PALE_ERROR, _STRONG_ERROR = (0xFD, 0xE3, 0xC4), (0xF5, 0x8A, 0x3C)
_CORRECT_COLOUR = "#7c8a99"
_STRONG_SHARE = 0.5
_ACCENT, _FAINT = "#0b5cad", "#57606a"
# Characters of a task and a prompt, which have a line in small print.
_MOST_TOLD = 44
# Thresholds that have a dot in the coverage chart, in hundredths.
_ROUND = {*range(0, 100, 5), 99}
_PERCENT = [(step / 5, f"{20 * step} %") for step in range(6)]


def confusion_chart(report: Report, order: Sequence[int], n_shown: int) -> Markup:
    """Return the confusion matrix.

    Parameters
    ----------
    report : Report
    order : sequence of int
        Indices of all labels, in the order in which they are shown.
    n_shown : int
        How many of them have a row and a column of their own; all others share the last ones.
    """
    groups = [[label] for label in order[:n_shown]]
    full = [report.classes[label] for label in order[:n_shown]]
    if rest := list(order[n_shown:]):
        groups.append(rest)
        full.append(f"{len(rest)} other labels")
    names = distinct_names(full)
    lines = [in_one_line(name) for name in full]
    n = len(names)
    cell = _LARGE_CELL if n <= _SMALL_MATRIX else _CELL
    size = 13 if n <= _SMALL_MATRIX else 11
    margin = max(map(width_of, names)) + 26
    cells = []
    for row, of_row in enumerate(groups):
        total = sum(sum(report.confusion_matrix[i]) for i in of_row)
        for column, of_column in enumerate(groups):
            # The cell of the other labels among themselves counts errors only.
            correct = column == row and len(of_row) == 1
            rows = sum(report.confusion_matrix[i][j] for i in of_row for j in of_column if correct or i != j)
            if rows:
                what = "correct" if correct else f"predicted as {lines[column]}"
                x, y = margin + column * cell, margin + row * cell
                cells.append(
                    tag(
                        "g",
                        tag("title", f"{lines[row]}, {what}: {counted(rows, 'row')}"),
                        tag(
                            "rect",
                            x=x + 1,
                            y=y + 1,
                            width=cell - 2,
                            height=cell - 2,
                            fill=_CORRECT_COLOUR if correct else _error_colour(rows / total),
                            fill_opacity=".45" if correct else None,
                        ),
                        tag("text", rows, x=x + cell / 2, y=y + cell / 2 + 4, class_=None if correct else "on"),
                        # The script lists the rows of a cell by these numbers.
                        data_label=row if not correct and max(row, column) < n_shown else None,
                        data_predicted=column if not correct and max(row, column) < n_shown else None,
                    )
                )
    side = n * cell
    lines_between = "".join(
        f"M{margin + step * cell:.1f} {margin:.1f}v{side}M{margin:.1f} {margin + step * cell:.1f}h{side}"
        for step in range(n + 1)
    )
    middle = margin + side / 2
    parts = [
        tag("path", class_="grid", d=lines_between, stroke="#d0d7de", fill="none"),
        tag("text", "predicted", class_="title", x=middle, y=12, text_anchor="middle"),
        tag("text", "label", class_="title", transform=f"translate(12 {middle:.1f})rotate(-90)", text_anchor="middle"),
        tag(
            "g",
            *(tag("text", name, x=margin - 6, y=margin + (row + 0.5) * cell + 4) for row, name in enumerate(names)),
            class_="names",
            text_anchor="end",
        ),
        tag(
            "g",
            *(
                tag(
                    "text",
                    name,
                    transform=f"translate({margin + (column + 0.5) * cell + 4:.1f} {margin - 6:.1f})rotate(-90)",
                )
                for column, name in enumerate(names)
            ),
        ),
        tag("g", *cells, class_="cells", text_anchor="middle", font_size=size),
    ]
    right = sum(report.confusion_matrix[i][i] for i in range(len(report.classes)))
    name = (
        f"Confusion matrix of {counted(len(order), 'label')}: {right:,} of {counted(report.n_examples, 'row')} correct"
    )
    if report.confusions:
        worst = report.confusions[0]
        name += (
            f"; most often confused: {in_one_line(worst.label)}, predicted as {in_one_line(worst.predicted)} "
            f"({counted(worst.n_texts, 'row')})"
        )
    return drawing(f"{name}.", margin + side + 2, margin + side + 2, *parts, class_="own matrix")


def _error_colour(share: float) -> str:
    part = min(1.0, share / _STRONG_SHARE)
    mixed = (round(pale + part * (strong - pale)) for pale, strong in zip(_PALE_ERROR, _STRONG_ERROR, strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def bar(share: float) -> Markup:
    """Return a bar as long as a share, for a cell of a table that also has the number."""
    return tag(
        "svg",
        tag("rect", width=100 * share, height=10, rx=1.5),
        class_="bar",
        aria_hidden="true",
        viewBox="0 0 100 10",
        width=100,
        height=10,
        fill=_ACCENT,
    )


def reliability_chart(
    bins: Sequence[ReliabilityBin], sure: str = "confidence", right: str = "accuracy", things: str = "row"
) -> Markup:
    """Return a reliability diagram: accuracy by confidence, or whatever these are called."""
    x, y = Axis(0, 1, 52, 380), Axis(0, 1, 250, 8)
    points = [(x.at(one.confidence), y.at(one.accuracy), one) for one in bins]
    most = max(one.n_examples for one in bins)
    dots = [
        tag(
            "circle",
            cx=across,
            cy=up,
            r=3 + 6 * sqrt(one.n_examples / most),
        )
        for across, up, one in points
    ]
    titles = [
        f"{sure} {one.confidence:.3f}, {right} {one.accuracy:.3f}, {counted(one.n_examples, things)}" for one in bins
    ]
    parts = [
        frame(x, y, across=_PERCENT, up=_PERCENT, x_title=sure, y_title=right),
        tag(
            "path", class_="ideal", d=_path([(x.start, y.start), (x.end, y.end)]), stroke=_FAINT, stroke_dasharray="5 5"
        ),
        tag("path", class_="line", d=_path([point[:2] for point in points]), stroke=_ACCENT, fill="none"),
        *(
            tag("g", tag("title", title), dot, class_="dot", fill=_ACCENT)
            for title, dot in zip(titles, dots, strict=True)
        ),
    ]
    name = "Reliability: " + "; ".join(f"{one.accuracy:.0%} correct at {one.confidence:.0%} {sure}" for one in bins)
    return drawing(f"{name}.", 400, 290, *parts)


def coverage_points(report: Report) -> list[CoveragePoint]:
    """Return the points of the coverage chart, without those that have too few answers."""
    least = min(_MIN_ANSWERED, report.n_examples)
    return [
        one for one in report.coverage if one.accuracy is not None and one.coverage * report.n_examples >= least - 0.5
    ]


def main_points(report: Report, points: Sequence[CoveragePoint]) -> list[CoveragePoint]:
    """Return the points that have a dot and a line in the table: at round thresholds, at 0.99, and at the model's."""
    return [one for one in points if round(100 * one.threshold) in _ROUND or one.threshold == report.threshold]


def coverage_places(points: Sequence[CoveragePoint]) -> list[tuple[float, float]]:
    """Return where the points are in the coverage chart."""
    x, y = _coverage_axes(points)
    return [(x.at(one.coverage), y.at(one.accuracy or 0.0)) for one in points]


def _coverage_axes(points: Sequence[CoveragePoint]) -> tuple[Axis, Axis]:
    accuracies = [one.accuracy or 0.0 for one in points]
    return Axis(0, 1, 52, 380), Axis(*around(min(accuracies, default=0), max(accuracies, default=1)), 250, 8)


def coverage_chart(report: Report, points: Sequence[CoveragePoint]) -> Markup:
    """Return a chart of accuracy by coverage, with a dot at the model's threshold, and one for a slider to move."""
    x, y = _coverage_axes(points)
    places = coverage_places(points)
    dotted = main_points(report, points)
    up = ticks(*y.ends, 5)
    decimals = 0 if len(up) > 1 and up[1] - up[0] >= 0.0099 else 1
    dots = []
    for one, (across, height) in zip(points, places, strict=True):
        if one not in dotted:
            continue
        used = one.threshold == report.threshold
        title = f"threshold {shown_threshold(one.threshold)}, coverage {shown_share(one.coverage)}, "
        title += f"accuracy {shown_share(one.accuracy or 0.0)}"
        dots.append(
            tag(
                "g",
                tag("title", title),
                tag("circle", cx=across, cy=height, r=6 if used else 3),
                class_="dot used" if used else "dot",
                fill="#b42318" if used else _ACCENT,
            )
        )
    parts = [
        frame(
            *(x, y),
            across=_PERCENT,
            up=[(value, f"{100 * value:.{decimals}f} %") for value in up],
            x_title="coverage",
            y_title="accuracy",
        ),
        tag("path", class_="line", d=_path(places), stroke=_ACCENT, fill="none"),
        *dots,
        tag("circle", class_="now", r=7, visibility="hidden"),
    ]
    name = "Coverage"
    if points:
        first, last = points[0], points[-1]
        name += (
            f": {shown_share(first.accuracy or 0)} correct if {shown_share(first.coverage)} of the texts are answered, "
            f"{shown_share(last.accuracy or 0)} if {shown_share(last.coverage)} are"
        )
    return drawing(f"{name}.", 400, 290, *parts)


def learning_chart(curve: LearningCurve) -> Markup:
    """Return a chart of accuracy by the number of training rows, with its interval."""
    low, high = (min(one.interval.low for one in curve.points), max(one.interval.high for one in curve.points))
    counts = [one.n_labels for one in curve.points]
    x, y = Axis(counts[0], counts[-1], 56, 616, logarithmic=True), Axis(*around(low, high), 250, 8)
    line = [(x.at(one.n_labels), y.at(one.score)) for one in curve.points]
    upper = [(x.at(one.n_labels), y.at(one.interval.high)) for one in curve.points]
    lower = [(x.at(one.n_labels), y.at(one.interval.low)) for one in curve.points]
    parts = [
        # One tick per point, since the points are about evenly spaced on the logarithmic scale.
        frame(
            *(x, y),
            across=[(count, f"{count:,}") for count in counts],
            up=[(value, f"{value:.2f}") for value in ticks(*y.ends, 6)],
            x_title="training rows",
            y_title=curve.metric,
        ),
        tag("path", class_="area", d=f"{_path([*upper, *reversed(lower)])}Z", fill=_ACCENT, fill_opacity=".25"),
        tag("path", class_="line", d=_path(line), stroke=_ACCENT, fill="none"),
        *(
            tag(
                "g",
                tag(
                    "title",
                    f"{one.n_labels:,} training rows: {curve.metric} {one.score:.3f} ({shown_interval(one.interval)})",
                ),
                tag("circle", cx=across, cy=up, r=4),
                class_="dot",
                fill=_ACCENT,
            )
            for one, (across, up) in zip(curve.points, line, strict=True)
        ),
    ]
    name = "; ".join(f"{one.score:.3f} with {one.n_labels:,} training rows" for one in curve.points)
    return drawing(f"{capitalized(curve.metric)}: {name}.", 640, 290, *parts)


def made_of(candidate: Compared) -> str:
    """Return what distinguishes a candidate from others with the same embedder."""
    told = f"{candidate.told}, " if candidate.told else ""
    return f"{told}{_made_of_vectors(candidate)}"


def _made_of_vectors(candidate: Compared) -> str:
    dimensions = f"{candidate.dimensions:,} dimensions, " if candidate.dimensions else ""
    return f"{dimensions}{candidate.head}, features {candidate.features}"


def comparison_chart(result: Comparison) -> Markup:
    """Return a chart of the accuracy of each candidate, with its interval."""
    embedders = [in_one_line(shortened(one.embedder, 2 * MOST_IN_NAME)) for one in result.candidates]
    below = [
        [line for line in (in_one_line(shortened(one.told, _MOST_TOLD)), _made_of_vectors(one)) if line]
        for one in result.candidates
    ]
    margin = min(260.0, max(map(width_of, [*embedders, *chain.from_iterable(below)]))) + 16
    low = min(one.score.interval.low for one in result.candidates)
    high = max(one.score.interval.high for one in result.candidates)
    step = 12 + 14 * (1 + max(map(len, below)))
    bottom = 12 + step * len(embedders)
    x, y = Axis(*around(low, high), margin, 628), Axis(0, 1, bottom, 8)
    across = [(value, f"{value:.3f}".rstrip("0").rstrip(".")) for value in ticks(*x.ends, 5)]
    parts = [frame(x, y, across=across, up=[], x_title=result.metric)]
    for number, (one, name, more) in enumerate(zip(result.candidates, embedders, below, strict=True)):
        up, (start, end) = 28 + step * number, one.score.interval
        said = f"{name}, {made_of(one)}: {result.metric} {one.score.value:.3f} ({shown_interval(one.score.interval)})"
        parts += [
            tag("text", name, x=margin - 10, y=up - 2, text_anchor="end"),
            *(
                tag("text", line, class_="title", x=margin - 10, y=up + 12 + 14 * place, text_anchor="end")
                for place, line in enumerate(more)
            ),
            tag(
                "g",
                tag("title", said),
                tag("path", class_="line", d=_path([(x.at(start), up), (x.at(end), up)]), stroke=_ACCENT),
                tag("circle", cx=x.at(one.score.value), cy=up, r=5),
                class_="dot",
                fill=_ACCENT,
            ),
        ]
    pairs = zip(result.candidates, embedders, strict=True)
    name = "; ".join(f"{one.score.value:.3f} with {embedder}, {made_of(one)}" for one, embedder in pairs)
    return drawing(f"{capitalized(result.metric)}: {name}.", 640, bottom + 40, *parts)


def _path(points: Sequence[tuple[float, ...]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""
