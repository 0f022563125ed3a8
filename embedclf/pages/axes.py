"""The axes of charts: where values are, and how their ticks and lines are drawn."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from embedclf.pages.markup import Markup, joined, tag

_STEPS = (1, 2, 2.5, 5, 10)
# Widths of characters of a sans-serif font, in parts of its size; rather too wide than too narrow.
_WIDE, _CAPITAL, _SMALL, _THIN = 1.1, 0.72, 0.58, 0.36

Tick = tuple[float, str]
"""A value and how it is shown."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high`, drawn from `start` to `end` in pixels.

    Attributes
    ----------
    low, high : float
        They must differ.
    start, end : float
    logarithmic : bool
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high, value = map(math.log, (self.low, self.high, value)) if self.logarithmic else (*self.ends, value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return self.low, self.high


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` + 1 round values from `low` to `high`."""
    least = (high - low) / most
    power = 10 ** math.floor(math.log10(least))
    step = next(power * step for step in _STEPS if power * step >= least * (1 - 1e-9))
    return [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def around(low: float, high: float) -> tuple[float, float]:
    """Return a range of shares somewhat wider than the given one, but within 0 and 1."""
    pad = max(0.05 * (high - low), 0.01)
    return max(0.0, low - pad), min(1.0, high + pad)


def frame(x: Axis, y: Axis, *, across: Sequence[Tick], up: Sequence[Tick], x_title: str, y_title: str = "") -> Markup:
    """Return the grid, the ticks and the titles of a chart with two axes; `y` starts at the bottom."""
    lines = [f"M{x.at(value):.1f} {y.start:.1f}V{y.end:.1f}" for value, _ in across]
    lines += [f"M{x.start:.1f} {y.at(value):.1f}H{x.end:.1f}" for value, _ in up]
    middle = (y.start + y.end) / 2
    return joined(
        [
            tag("path", class_="grid", d="".join(lines), stroke="#d0d7de", fill="none"),
            *(tag("text", name, x=x.at(value), y=y.start + 16, text_anchor="middle") for value, name in across),
            *(tag("text", name, x=x.start - 6, y=y.at(value) + 4, text_anchor="end") for value, name in up),
            tag("text", x_title, class_="title", x=(x.start + x.end) / 2, y=y.start + 34, text_anchor="middle"),
            tag(
                *("text", y_title),
                class_="title",
                transform=f"translate(12 {middle:.1f})rotate(-90)",
                text_anchor="middle",
            )
            if y_title
            else "",
        ]
    )


def drawing(name: str, width: float, height: float, *parts: object, class_: str = "") -> Markup:
    """Return an SVG image; `name` is what it shows, in words, for those who do not see it."""
    return tag(
        "svg",
        *parts,
        class_=f"drawing {class_}".rstrip(),
        role="img",
        aria_label=name,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        style=f"--width: {width:.0f}px",
        # For where style sheets are ignored.
        fill="#1b1f24",
        font_family="system-ui, sans-serif",
        font_size=11,
    )


def width_of(name: str, size: float = 11) -> float:
    """Return about how wide a name is, in pixels, at a font size."""
    return size * sum(map(_width, name))


def _width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return _WIDE
    if character in "ijlftI.,:;'|!() ":
        return _THIN
    return _CAPITAL if character.isupper() or character in "mwMW@%&" else _SMALL
