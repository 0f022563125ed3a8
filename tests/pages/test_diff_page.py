"""The page of a comparison of two classifiers, in a real browser."""

from pathlib import Path
from typing import Any

import pytest

import embedclf
from corpus import LABELS, QUICK, TEXTS

pytestmark = pytest.mark.slow

LONG = {label: f"{label}_a_label_with_quite_a_long_name" for label in LABELS}


@pytest.mark.parametrize("width", [1_100, 800, 400])
def test_no_column_is_cut_off(browser: Any, tmp_path: Path, width: int):
    """Both confidences can be read beside three long labels, and the texts have room."""
    kinds = sorted(LONG)
    names = [LONG[label] for label in LABELS]
    confused = [LONG[kinds[kinds.index(label) - 1]] for label in LABELS]
    old, new = (embedclf.train(TEXTS, labels, **QUICK) for labels in (confused, names))
    found = embedclf.diff(old, new, TEXTS, names)
    assert found.changed
    found.to_html(tmp_path / "diff.html")
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    page.goto((tmp_path / "diff.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    row = page.locator("#rows tbody tr").first
    assert row.locator(".number").evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    assert row.locator("td").first.bounding_box()["width"] >= 190
    context.close()
