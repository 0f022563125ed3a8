"""HTML and SVG as text in which everything that is not markup is escaped."""

import html
import re
from collections.abc import Iterable

# Elements of HTML without an end tag, and shapes of SVG, which have no content.
_VOID = {"input", "wbr"}
_SHAPES = {"circle", "line", "path", "rect"}
# An option of a command, within which no line may break.
_OPTION = re.compile(r"(?<!\S)--[a-z-]{1,30}(?!\S)")


class Markup(str):
    """Text that is HTML already, so that it is not escaped again."""

    __slots__ = ()


def escaped(value: object) -> Markup:
    """Return a value as HTML: markup as it is, anything else as text."""
    if isinstance(value, Markup):
        return value
    # No HTML may contain the character NUL, not even escaped.
    return Markup(html.escape(str(value)).replace("\0", "\ufffd"))


def joined(parts: Iterable[object], between: str = "") -> Markup:
    """Return several parts as one piece of HTML."""
    return Markup(between.join(map(escaped, parts)))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element.

    Parameters
    ----------
    name : str
    *children : object
        What it contains; everything but `Markup` is escaped.
    **attributes : object
        Underscores stand for hyphens, and one at the end is dropped: ``class_="note"``. None and False leave the
        attribute out, True writes its name alone.
    """
    written = "".join(
        _attribute(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _SHAPES:
        return Markup(f"<{name}{written}/>")
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def breakable(name: str) -> Markup:
    """Return a name in which a line may break after an underscore or a colon, but not within an option of a command."""
    marked = _OPTION.sub(r'<span class="whole">\g<0></span>', escaped(name))
    return Markup(marked.replace("_", "_<wbr>").replace(":", ":<wbr>"))


def _attribute(name: str, value: object) -> str:
    if value is True:
        return f" {name}"
    if isinstance(value, float):
        value = f"{value:.1f}".removesuffix(".0")
    return f' {name}="{html.escape(str(value))}"'
