"""The labelling page. One HTML file that contacts no other server, without texts: its script asks for them."""

from importlib.resources import files

from embedclf.pages.markup import Markup, tag
from embedclf.pages.rendering import asset, filled
from embedclf.service.inline_pages import content_security_policy


def _own(name: str) -> str:
    return files("embedclf.labelling").joinpath(name).read_text(encoding="utf-8")


_STYLE = asset("page.css") + _own("page.css")
_SCRIPT = "".join(map(_own, ("finding.js", "progress.js", "page.js")))

POLICY = content_security_policy(_SCRIPT, _STYLE)
MESSAGE_POLICY = content_security_policy("", _STYLE)


def page(*, several: bool) -> str:
    """Return the HTML of the page.

    Parameters
    ----------
    several : bool
        Whether a text may have several labels.
    """
    return filled(_own("page.html"), {"several": "true" if several else "false", "style": _STYLE, "script": _SCRIPT})


def message_page(title: str, *sentences: str, forward: bool = False) -> str:
    """Return the HTML of a page with a message.

    Parameters
    ----------
    title : str
    *sentences : str
        A paragraph each.
    forward : bool
        Whether it forwards to the labelling page at once.
    """
    onward = Markup('<meta http-equiv="refresh" content="0;url=/">') if forward else ""
    link = tag("p", tag("a", "Continue to the page", href="/")) if forward else ""
    head = (
        tag("title", title),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("style", Markup(_STYLE)),
        onward,
    )
    said = (tag("p", sentence) for sentence in sentences)
    body = tag("body", tag("h1", title), *said, link, class_="message")
    return f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{"".join(head)}</head>\n{body}</html>\n'
