"""The page of a map: one self-contained HTML file, which opens from disk and asks no network.

The points are drawn by the page's own script, on a canvas. All that comes from texts stands in one JSON script, and
gets from there into the page as text, never as markup.
"""

import html
import json
import re
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from embedclf.exploration.projection import N_NEAREST, TextMap
from embedclf.metrics import shown_share

# The longer side of the map, in whole numbers.
_SIDE = 65_535
# How far apart points of the same place are put, as a share of the longer side: one dot in the whole map, and some
# pixels when it is zoomed.
_APART = 20
_TURN = np.pi * (3 - np.sqrt(5))
# As much of each text as keeps all of them within so many bytes.
_MOST_CHARACTERS = (2_000, 500, 250, 120)
_MOST_BYTES = 2_000_000
# More colours cannot be told apart, so they come again.
_MOST_COLOURS = 96
# Lightness of the colours by day, and what each becomes by night; chroma, from rich to dull.
_LIGHTNESS = {0.44: 0.80, 0.54: 0.70, 0.63: 0.62}
_CHROMA = (0.16, 0.09)


def map_page(text_map: TextMap, title: str, *, source: str = "", lines: Sequence[int] | None = None) -> str:
    """Write the page of a map.

    Parameters
    ----------
    text_map : TextMap
    title : str
    source : str
        Name of the file of the texts.
    lines : sequence of int, optional
        Where each text stands in it; None counts them from 1.

    Returns
    -------
    str
        HTML, to be written as UTF-8.
    """
    # The most frequent first, so that these get the colours that differ most; rows without a label last.
    counts = sorted(Counter(text_map.labels).items(), key=lambda pair: (not pair[0], -pair[1], pair[0]))
    numbers = {label: number for number, (label, _) in enumerate(counts)}
    n_labels = len(numbers.keys() - {""})
    day, night = palette(min(n_labels, _MOST_COLOURS))
    x, y = _on_paper(text_map.positions).T.tolist()
    most = _most_characters(text_map.texts)
    data = {
        "x": x,
        "y": y,
        "texts": [text if len(text) <= most else f"{text[:most]} …" for text in text_map.texts],
        "of": [numbers[label] for label in text_map.labels],
        "labels": list(numbers),
        "counts": [count for _, count in counts],
        "day": day,
        "night": night,
        "source": source,
        "lines": list(lines) if lines is not None else [],
    }
    values = {
        "title": html.escape(title),
        "kept": _kept(text_map),
        # Within a script, only a "<" could end it.
        "data": json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    template = files("embedclf.exploration").joinpath("map.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: values[found[1]], template)


def _kept(text_map: TextMap) -> str:
    if text_map.neighbours_kept is None:
        return "What is near is alike."
    return (
        f"What is near is alike: of each text’s {N_NEAREST} nearest, {shown_share(text_map.neighbours_kept)} are among "
        f"its {N_NEAREST} nearest here. How far apart the groups are means little."
    )


def _on_paper(positions: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Give places in whole numbers, no two the same: equal ones are spread around theirs as sunflower seeds are."""
    low = positions.min(axis=0)
    side = float((positions.max(axis=0) - low).max())
    cells = np.rint((positions - low) * (_SIDE / (side or 1))).astype(np.int64)
    _, place, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(place.ravel(), kind="stable")
    number = np.empty(len(cells), dtype=np.int64)
    number[order] = np.concatenate([np.arange(count) for count in counts])
    # H. Vogel, "A better way to construct the sunflower head", Mathematical Biosciences 44 (1979).
    radius, angle = _APART * np.sqrt(number), _TURN * number
    spread = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    places: npt.NDArray[np.int64] = cells + np.rint(spread).astype(np.int64)
    return places


def _most_characters(texts: Sequence[str]) -> int:
    """Choose how much of each text is shown."""
    *larger, least = _MOST_CHARACTERS
    for most in larger:
        if sum(len(text[:most].encode()) for text in texts) <= _MOST_BYTES:
            return most
    return least


def palette(n: int) -> tuple[list[str], list[str]]:
    """Choose colours that differ as much as they can, each from all before it.

    Distances are those of OKLab (Björn Ottosson, "A perceptual color space for image processing", 2020).

    Parameters
    ----------
    n : int

    Returns
    -------
    day, night : lists of str
        ``#rrggbb``, for a light ground and for a dark one; the same hues.
    """
    if not n:
        return [], []
    hues = np.deg2rad(np.arange(255, 255 + 360, 5) % 360)  # blue first
    grid = np.array([(light, chroma, hue) for light in _LIGHTNESS for chroma in _CHROMA for hue in hues])
    day = _in_gamut(*grid.T)
    night = _in_gamut(np.array([_LIGHTNESS[light] for light in grid[:, 0]]), grid[:, 1], grid[:, 2])
    start = 2 * len(hues)  # the middle lightness
    chosen = [start]
    # What is nearest of all that were chosen, by day and by night.
    distances = np.full(len(grid), np.inf)
    while len(chosen) < n:
        for colours in (day, night):
            distances = np.minimum(distances, np.linalg.norm(colours - colours[chosen[-1]], axis=1))
        chosen.append(int(distances.argmax()))
    return _hex(day[chosen]), _hex(night[chosen])


_Colours = npt.NDArray[np.float64]


def _in_gamut(light: _Colours, chroma: _Colours, hue: _Colours) -> _Colours:
    """Give OKLab colours, their chroma lowered until a screen has them."""
    for _ in range(40):
        lab = np.stack([light, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
        linear = _linear_rgb(lab)
        outside = (linear.min(axis=1) < 0) | (linear.max(axis=1) > 1)
        chroma = np.where(outside, 0.95 * chroma, chroma)
    return lab


def _linear_rgb(lab: _Colours) -> _Colours:
    from_lab = np.array([
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ])  # fmt: skip
    to_rgb = np.array([
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ])  # fmt: skip
    linear: _Colours = (lab @ from_lab.T) ** 3 @ to_rgb.T
    return linear


def _hex(lab: _Colours) -> list[str]:
    linear = _linear_rgb(lab).clip(0, 1)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return ["#" + bytes(one).hex() for one in np.rint(255 * rgb).astype(np.uint8)]
