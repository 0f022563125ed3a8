"""Render the sections of a report into one HTML file.

Charts are drawn by Vega-Lite (https://vega.github.io/vega-lite), whose JavaScript is taken from the vl-convert package
and embedded in the page. Jinja escapes all text.
"""

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from embedclf.classifier.explanation import Span
from embedclf.evaluation.report import Report
from embedclf.formatting import shown_confidence
from embedclf.pages.charts import Chart
from embedclf.validation import check_extra

# Texts are truncated to the largest of these lengths that keeps all of them together within the number of bytes.
_MAX_CHARACTERS = (2_000, 1_000, 500, 250, 120)
_MAX_BYTES = 3_000_000
# Thresholds of the three shades, as shares of the largest weight in the text.
_SHADES = (0.1, 0.3, 0.6)

RowPlace = Callable[[int], str]
"""Returns the origin of a row as `file:line`."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a page.

    Attributes
    ----------
    title, note : str
    charts : sequence of (str, dict)
        Names and Vega-Lite specifications; all charts but the first are collapsed.
    header, rows : sequences
        The header and rows of a table.
    left : sequence of int
        Table columns that contain words; the others contain numbers.
    folded : str
        Summary to click on to expand the table; empty if the table is always visible.
    wrong : Report or None
        The report whose misclassified rows are listed, with filters and a search.
    place, near_place : RowPlace or None
        Origins of these rows and of their nearest training examples; None does not show them.
    half : bool
        Whether the section may take half of the width.
    """

    title: str
    note: str = ""
    charts: Sequence[tuple[str, Chart]] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    left: Sequence[int] = ()
    folded: str = ""
    wrong: Report | None = None
    place: RowPlace | None = None
    near_place: RowPlace | None = None
    half: bool = False


def check_installed() -> None:
    """Check that the packages of reports are installed.

    Raises
    ------
    EmbedclfError
        If one is missing.
    """
    check_extra("report", "a report", "jinja2", "vl_convert")


def render(title: str, tiles: Sequence[tuple[str, str, str]], sections: Sequence[Section]) -> str:
    """Return the HTML of a report.

    Parameters
    ----------
    title : str
    tiles : sequence of (str, str, str)
        The main figures: name, figure and remark.
    sections : sequence of Section

    Raises
    ------
    EmbedclfError
        If a package of reports is not installed.
    """
    check_installed()
    import jinja2
    import vl_convert

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(files("embedclf.pages").joinpath("report.html").read_text(encoding="utf-8"))
    charts: list[Chart] = []
    numbered = []
    for section in sections:
        numbers = []
        for name, chart in section.charts:
            numbers.append((name, len(charts), "width" in chart))
            # Charts without a width fill the page.
            fitted = {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
            charts.append(chart if "width" in chart else {**fitted, **chart})
        numbered.append((section, numbers))
    return template.render(
        title=title,
        tiles=tiles,
        sections=numbered,
        # Only a "<" could end the script element.
        charts=json.dumps(charts, ensure_ascii=False).replace("<", "\\u003c"),
        library=_library(vl_convert),
        shown_confidence=shown_confidence,
        breakable=_breakable,
        shaded=shaded_text,
        most=_max_characters([shown for section in sections if section.wrong for shown in _texts(section.wrong)]),
    )


def _breakable(name: str) -> Any:
    """Return a name with invisible marks where a line may break."""
    from markupsafe import Markup, escape

    return escape(name).replace("_", Markup("_<wbr>")).replace(":", Markup(":<wbr>"))


def shaded_text(text: str, spans: Sequence[Span], most: int) -> Any:
    """Return the first characters of a text as HTML, with words shaded by weight."""
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


def _max_characters(texts: Sequence[tuple[str, Sequence[Span]]]) -> int:
    """Return how many characters of each text are shown."""
    *larger, least = _MAX_CHARACTERS
    for most in larger:
        left = _MAX_BYTES
        for text, spans in texts:
            left -= len(shaded_text(text, spans, most).encode())
            if left < 0:
                break
        else:
            return most
    return least


@functools.cache
def _library(vl_convert: Any) -> str:
    bundle: str = vl_convert.javascript_bundle()
    return bundle.replace("</script", "<\\/script")
