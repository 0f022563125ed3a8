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
from embedclf.formatting import shown_share
from embedclf.pages import palette

# The longer side of the map, in whole numbers.
_SIDE = 65_535
# How far apart points of the same place are put, as a share of the longer side: one dot in the whole map, and some
# pixels when it is zoomed.
_APART = 20
_TURN = np.pi * (3 - np.sqrt(5))
# As much of each text as keeps all of them within so many bytes.
_MOST_CHARACTERS = (2_000, 500, 250, 120)
_MOST_BYTES = 2_000_000


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
    # The most frequent labels first, since the first colors differ most; rows without a label last.
    counts = sorted(Counter(text_map.labels).items(), key=lambda pair: (not pair[0], -pair[1], pair[0]))
    numbers = {label: number for number, (label, _) in enumerate(counts)}
    # Of more labels than colors, some share one: the page goes around.
    n_labels = len(numbers.keys() - {""})
    x, y = _on_paper(text_map.positions).T.tolist()
    most = _most_characters(text_map.texts)
    data = {
        "x": x,
        "y": y,
        "texts": [text if len(text) <= most else f"{text[:most]} …" for text in text_map.texts],
        "of": [numbers[label] for label in text_map.labels],
        "labels": list(numbers),
        "counts": [count for _, count in counts],
        "day": palette.DAY[:n_labels],
        "night": palette.NIGHT[:n_labels],
        "source": source,
        "lines": list(lines) if lines is not None else [],
    }
    values = {
        "title": html.escape(title),
        "kept": _kept(text_map),
        # Within a script, only a "<" could end it.
        "data": json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    template = files("embedclf.pages").joinpath("map.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: values[found[1]], template)


def _kept(text_map: TextMap) -> str:
    if text_map.neighbours_kept is None:
        return "What is near is alike."
    return (
        f"What is near is alike: of each text’s {N_NEAREST} nearest, {shown_share(text_map.neighbours_kept)} are among "
        f"its {N_NEAREST} nearest here. How far apart the groups are means little."
    )


def _on_paper(positions: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return places as whole numbers, no two the same: equal ones are spread like the seeds of a sunflower."""
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
