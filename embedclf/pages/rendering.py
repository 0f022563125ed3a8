"""From sections to one HTML file."""

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from embedclf.classifier.explanation import Span
from embedclf.evaluation.report import Report
from embedclf.formatting import shown_confidence
from embedclf.pages.charts import _SHADES
from embedclf.validation import check_extra

# How much of a text is shown: the most at which all of them together stay within the budget.
_MOST_CHARACTERS = (2_000, 1_000, 500, 250, 120)
_MOST_BYTES = 3_000_000

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


def _page(title: str, tiles: Sequence[tuple[str, str, str]], sections: Sequence[Section]) -> str:
    check_installed()
    import jinja2
    import vl_convert

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(files("embedclf.pages").joinpath("report.html").read_text(encoding="utf-8"))
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
