"""The HTML page of a map: one self-contained file, which opens from disk and needs no network.

The page's own script draws the points on a canvas. Everything that comes from the texts is in one JSON script, from
where it is inserted into the page as text, never as markup.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embedclf.exploration.projection import N_NEAREST, TextMap
from embedclf.formatting import counted, shown_share, to_json
from embedclf.pages import palette
from embedclf.pages.markup import Markup, escaped
from embedclf.pages.rendering import Facts, asset, facts_and_note, filled, spaced, whole_page

# Coordinates are integers; this is the longer side of the map.
_SIDE = 65_535
# Spacing of points at the same position, in units of `_SIDE`: together they look like one dot on the whole map, and
# separate when zoomed in.
_SPACING = 20
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
# Texts are truncated to the largest of these lengths that keeps all of them together within the number of bytes.
_MAX_CHARACTERS = (2_000, 500, 250, 120)
_MAX_BYTES = 2_000_000
# A row is suspected if another label than its own is predicted with at least this confidence.
_SUSPICIOUS = 0.5


def map_page(
    text_map: TextMap,
    title: str,
    *,
    source: str | Sequence[str] = "",
    lines: Sequence[int] | None = None,
    predictions: Sequence[tuple[str, float]] | None = None,
    facts: Facts = (),
    note: str = "",
) -> str:
    """Return the HTML page of a map.

    Parameters
    ----------
    text_map : TextMap
    title : str
    source : str or sequence of str
        Name of the file that the texts are from, or that of each text.
    lines : sequence of int, optional
        Line of each text in its file; None numbers the texts from 1.
    predictions : sequence of (str, float), optional
        A classifier's label for each text, and its confidence. The texts can be coloured by them, and rows for which
        another label than their own is predicted with a confidence of 0.5 or more are marked with rings.
    facts : sequence of (str, str)
        What the map shows, and how it was made: names and values.
    note : str
        A remark to show at the top.

    Returns
    -------
    str
        HTML, to be encoded as UTF-8.
    """
    # The most frequent labels first, since the first colours differ most; unlabelled rows last.
    counts = sorted(Counter(text_map.labels).items(), key=lambda pair: (not pair[0], -pair[1], pair[0]))
    numbers = {label: number for number, (label, _) in enumerate(counts)}
    # Labels that are only predicted come last, so that those of the texts have the same colours with and without.
    for label, _ in predictions or ():
        numbers.setdefault(label, len(numbers))
    # If there are more labels than colours, the page starts over with the first colour.
    n_labels = len(numbers.keys() - {""})
    suspected = [
        row
        for row, (own, (label, confidence)) in enumerate(zip(text_map.labels, predictions or (), strict=False))
        if own not in ("", label) and confidence >= _SUSPICIOUS
    ]
    x, y = _coordinates(text_map.positions).T.tolist()
    most = _max_characters(text_map.texts)
    data = {
        "x": x,
        "y": y,
        "texts": [text if len(text) <= most else f"{text[:most]} …" for text in text_map.texts],
        "of": [numbers[label] for label in text_map.labels],
        "labels": list(numbers),
        "predicted": [numbers[label] for label, _ in predictions or ()],
        "confidence": [int(100 * confidence) for _, confidence in predictions or ()],
        "suspected": suspected,
        "day": palette.DAY[:n_labels],
        "night": palette.NIGHT[:n_labels],
        "source": source,
        "lines": list(lines) if lines is not None else [],
    }
    if not isinstance(source, str):
        files = {name: number for number, name in enumerate(dict.fromkeys(source))}
        data |= {"source": list(files), "source_of": [files[name] for name in source]}
    values = {
        "title": escaped(title),
        "about": facts_and_note(facts, note),
        "kept": spaced(_fidelity_note(text_map) + (_rings_note(len(suspected)) if predictions is not None else "")),
        # Only a "<" could end the script element.
        "data": to_json(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    return whole_page(title, Markup(filled(asset("map.html"), values)), "map")


def _fidelity_note(text_map: TextMap) -> str:
    if text_map.neighbours_kept is None:
        return "Nearby texts are similar."
    return (
        f"Nearby texts are similar: {shown_share(text_map.neighbours_kept)} of each text’s {N_NEAREST} nearest "
        "neighbours are preserved on the map. The axes, and the distances between groups, carry no meaning."
    )


def _rings_note(n_suspected: int) -> str:
    if not n_suspected:
        return " No row is suspected: for none is another label predicted with a confidence of 0.5 or more."
    return (
        f" Rings mark {counted(n_suspected, 'suspected row')}: another label is predicted, with a confidence of 0.5 or "
        "more."
    )


def _coordinates(positions: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return integer coordinates; points at the same position are spread out like the seeds of a sunflower."""
    low = positions.min(axis=0)
    side = float((positions.max(axis=0) - low).max())
    cells = np.rint((positions - low) * (_SIDE / (side or 1))).astype(np.int64)
    _, place, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(place.ravel(), kind="stable")
    number = np.empty(len(cells), dtype=np.int64)
    number[order] = np.concatenate([np.arange(count) for count in counts])
    # H. Vogel, "A better way to construct the sunflower head", Mathematical Biosciences 44 (1979).
    radius, angle = _SPACING * np.sqrt(number), _GOLDEN_ANGLE * number
    spread = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    places: npt.NDArray[np.int64] = cells + np.rint(spread).astype(np.int64)
    return places


def _max_characters(texts: Sequence[str]) -> int:
    """Return how many characters of each text are shown."""
    *larger, least = _MAX_CHARACTERS
    for most in larger:
        if sum(len(text[:most].encode()) for text in texts) <= _MAX_BYTES:
            return most
    return least
