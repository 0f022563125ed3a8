"""The page of a comparison of new texts with old ones, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from colours import luminance

import embedclf
from embedclf.embedding.embedded_texts import EmbeddedTexts

pytestmark = pytest.mark.slow

HOSTILE = "<script>document.title='hacked'</script> <b>kettle</b> number"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of texts with a hostile new subject, labels, and a model."""
    usual = [f"Where is my parcel number {n}?" for n in range(80)]
    labels = ["delivery" if n % 2 else "a_very_long_label_" * 4 for n in range(80)]
    new = [f"{HOSTILE} {n}" for n in range(40)]
    classifier = embedclf.train(usual, labels, features="embedding", label_names=False, regularization=1.0, holdout=0)
    found = embedclf.drift(
        EmbeddedTexts([*new, *usual[:40]], labels, embedder=classifier.embedder),
        EmbeddedTexts(usual[40:], labels[40:], embedder=classifier.embedder),
        model=classifier,
    )
    path = tmp_path_factory.mktemp("drift") / "drift.html"
    found.to_html(path)
    return path


@pytest.fixture
def opened(browser: Any, written: Path) -> Iterator[Any]:
    """Open the page from disk, without a network, and see that it complains of nothing."""
    contexts = []

    def show(width: int, scheme: str) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        contexts.append(context)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(written.as_uri())
        assert complaints == []
        return page

    yield show
    for context in contexts:
        context.close()


def test_the_verdict_comes_first(opened: Any):
    """Then the figures, the groups, the words, the rows, and what the model answers."""
    page = opened(1_100, "light")
    assert page.locator(".verdict").first.text_content() == "The texts have changed."
    assert page.title() == "Drift"
    titles = page.locator("h2").all_text_contents()
    assert titles[0] == "Groups"
    assert titles[-2:] == ["Answers of the classifier", "Predicted labels"]
    assert "New texts least like the old ones" in titles
    assert HOSTILE in page.locator("section").first.text_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen(opened: Any, scheme: str):
    """Nothing is wider than 400 pixels but tables, which scroll and have names; the dark is dark."""
    page = opened(400, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    paper = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper').trim()")
    assert (luminance(paper) > 0.5) == (scheme == "light")
    names = page.locator(".wide").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert all(names)
    assert len(names) == len(set(names))
