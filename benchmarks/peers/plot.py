"""peers.svg: one panel for each way to grow, from peers.json. Run with a Python that has matplotlib."""

import json
import sys
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from tables import LIMITS, OURS

BLUE, INK, GREY = "#0550ae", "#1f2328", "#6e7781"
COLOURS = ("#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#9a6700")
PANELS = [
    ("client", "embed", "cpu", "Client: embed so many texts", "CPU seconds"),
    ("cache", "read", "wall", "Cache: read all vectors", "seconds"),
    ("cache", "write", "wall", "Cache: write them", "seconds"),
    ("cache", "one", "wall", "One predict of a cached text, whole process", "seconds"),
    ("training", "fit", "wall", "Training: fit on so many rows", "seconds"),
    ("files", "predict", "wall", "Files: predict so many rows", "seconds"),
    ("files", "predict", "memory", "Files: memory at most", "MB"),
]
_LINE = 0.08  # of a panel's height, that a line of a label takes
_WIDTH = 22  # letters of a label's line


def main(results: Path, path: Path) -> None:
    areas = json.loads(results.read_text())["areas"]
    mpl.rcParams.update(
        {
            "svg.hashsalt": "embedclf",
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.size": 10,
            "text.color": INK,
            "axes.edgecolor": GREY,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )
    figure, axes = plt.subplots(4, 2, figsize=(12, 14.5), facecolor="white")
    for panel, axis in zip(PANELS, axes.flat, strict=False):
        area, step, key, title, unit = panel
        curves = {
            name: ([(point["rows"], point[step][key]) for point in side["points"] if step in point], side["ended"])
            for name, side in areas.get(area, {"sides": {}})["sides"].items()
        }
        growing(axis, curves, title, unit)
    served = areas.get("service", {"sides": {}})["sides"]
    curves = {name: ([(load["connections"], load["rate"]) for load in loads], None) for name, loads in served.items()}
    growing(
        axes.flat[7], curves, "Service: one text a request", "requests a second", "connections at once", linear=True
    )
    figure.subplots_adjust(left=0.075, right=0.835, top=0.95, bottom=0.04, wspace=0.82, hspace=0.36)
    figure.text(0.012, 0.982, "× ends there: the next size would take more time or memory than allowed", color=GREY)
    figure.savefig(path, metadata={"Date": None, "Creator": None})


def growing(
    axis: Axes, curves: dict[str, Any], title: str, unit: str, of: str = "rows", *, linear: bool = False
) -> None:
    axis.set_title(title, loc="left", fontsize=11.5, fontweight="bold")
    axis.set(xscale="log", yscale="log", xlabel=of, ylabel=unit)
    axis.grid(color="#d0d7de", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_axisbelow(True)
    free, ends = list(COLOURS), []
    for name, (points, ended) in curves.items():
        if not points:
            continue
        x, y = zip(*points, strict=True)
        limit, mine = name in LIMITS, name in OURS
        colour = BLUE if mine else GREY if limit else free.pop(0)
        style = "--" if limit or (mine and "," in name) else "-"
        axis.plot(x, y, style, color=colour, linewidth=2.4 if mine else 1.6, marker="o", markersize=4)
        if ended:
            axis.plot(x[-1], y[-1], "x", color=colour, markersize=10, markeredgewidth=2)
        ends.append((name + (" (limit)" if limit else ""), x[-1], y[-1], colour))
    if ends:
        axis.set_xticks(sorted({x for points, _ in curves.values() for x, _ in points}))
        if linear:
            axis.set(yscale="linear", ylim=(0, None))
        else:
            low, high = axis.get_ylim()
            axis.set_ylim(min(low, high / 10), high)
            axis.yaxis.set_major_locator(LogLocator(subs=(1,) if high > 100 * low else (1, 2, 5)))
        label(axis, ends)
    for one in (axis.xaxis, axis.yaxis):
        one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
        one.set_minor_locator(NullLocator())


def label(axis: Axes, ends: list[tuple[str, float, float, str]]) -> None:
    """Name each curve to the right of the panel, none over another, with a line from its end."""
    to_panel = (axis.transData + axis.transAxes.inverted()).transform
    placed = sorted((to_panel((x, y))[1], to_panel((x, y))[0], name, colour) for name, x, y, colour in ends)
    tall = [_LINE * (1 + fill(name, _WIDTH).count("\n")) for *_, name, _ in placed]
    heights: list[float] = []
    for (height, *_), size, below in zip(placed, tall, [0.0, *tall], strict=False):
        heights.append(max(height, heights[-1] + (size + below) / 2) if heights else height)
    top = 1.0
    for number in range(len(heights) - 1, -1, -1):  # back down from the top
        heights[number] = min(heights[number], top - tall[number] / 2)
        top = heights[number] - tall[number] / 2
    for (end, x, name, colour), height in zip(placed, heights, strict=True):
        axis.annotate(
            fill(name, _WIDTH),
            xy=(x, end),
            xycoords="axes fraction",
            xytext=(1.06, height),
            textcoords="axes fraction",
            color=colour,
            fontsize=9.5,
            fontweight="bold" if name in OURS else "normal",
            verticalalignment="center",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "alpha": 0.5, "shrinkA": 0, "shrinkB": 4},
            annotation_clip=False,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
