"""README and docs/: what they show is what the program does; what is made from the program is up to date.

After a change of messages, options or docstrings, `python docs/renew.py` brings the pages up to date.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import embedclf
import generate
import shown

ROOT = shown.ROOT
RENEW = "run python docs/renew.py"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors_of(path: Path) -> set[str]:
    """Return what the headings of a page are called in links."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links_of(path: Path) -> list[str]:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"\]\((?![a-z]+:)([^)\s]+)\)", text)


WRITTEN = [*shown.pages(), *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"))]


# What these show trains for longest.
LONGEST = {f"docs/{name}.md" for name in ("comparing", "tutorial", "data-quality", "embedders", "exploring", "python")}


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(page, id=name_of(page), marks=pytest.mark.exhaustive if name_of(page) in LONGEST else ())
        for page in shown.pages()
        if "```" in page.read_text(encoding="utf-8")
    ],
)
def test_a_page_shows_what_is_printed(path: Path, tmp_path: Path):
    """Its commands end well, its Python runs, its requests are answered, and each shown output is a real one."""
    for one in shown.run_page(path, tmp_path):
        assert one.same, (
            f"{one.source}\n\nshown, not printed:\n{shown.difference(one.printed, one.block.text)}\n"
            f"printed:\n{one.printed}\n{RENEW} {name_of(path)}"
        )


def test_the_reference_of_commands_is_up_to_date():
    assert (generate.REFERENCE / "commands.md").read_text(encoding="utf-8") == generate.commands_page(), RENEW


def test_the_reference_of_python_is_up_to_date():
    page = (generate.REFERENCE / "python-api.md").read_text(encoding="utf-8")
    assert page == generate.python_page(), RENEW
    for name in set(embedclf.__all__) - {"__version__"}:
        assert f"\n### {name}\n" in page


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_links_lead_somewhere(path: Path):
    """Each link to a file of the repository, and each to a heading of a page."""
    for link in links_of(path):
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        if there.name == "architecture.md" and not there.exists():
            continue
        assert there.exists(), link
        if anchor:
            assert anchor in anchors_of(there), link


def test_every_page_is_in_the_index():
    linked = {Path(link.partition("#")[0]).name for link in links_of(ROOT / "docs" / "index.md")}
    pages = {path.name for path in (ROOT / "docs").rglob("*.md")}
    assert pages - linked == {"index.md"}


def test_the_table_of_errors_is_the_tree():
    """Every public error is in it, and of the tree."""
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(\w+Error)` \|", page, flags=re.MULTILINE)
    assert {*named, "EmbedclfError"} == {name for name in embedclf.__all__ if name.endswith("Error")}
    assert all(issubclass(getattr(embedclf, name), embedclf.EmbedclfError) for name in named)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("material") is None, reason="needs embedclf[docs]")
def test_the_site_builds_and_calls_nobody(tmp_path: Path):
    """No page loads anything from another address; links may lead to some."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        html = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//[^\s\">]*", html)
        loaded += re.findall(r"<link\b(?![^>]*rel=\"?canonical)[^>]*\bhref=\"?(?:https?:)?//[^\s\">]*", html)
        loaded += re.findall(r"data-md-component=\"?source\b", html)  # it would ask the code host for stars
        assert loaded == [], page


# How renewing finds the lines that were left out of an output.


def test_an_output_is_renewed_where_lines_were_left_out():
    old = "Model: a\nrows  252\n…\n56 rows are wrong; the surest:\n  first.csv:1  a\n…\n"
    printed = "Using model a\nrows  253\n\ntable\n60 misclassified rows, the surest:\n  first.csv:2  a\n  second\n"
    assert shown.difference(printed, old) == "Model: a\nrows  252"
    new = shown.renewed(printed, old)
    assert new == "Using model a\nrows  253\n…\n60 misclassified rows, the surest:\n  first.csv:2  a\n…\n"
    assert shown.difference(printed, new) == ""


def test_a_difference_is_seen():
    assert shown.difference("accuracy 0.743\n", "accuracy 0.749\n") == ""
    assert shown.difference("accuracy 0.743\n", "accuracy 0.843\n") == "accuracy 0.843"
    assert shown.difference("accuracy 0.743\nmore\n", "accuracy 0.743\n") == "(more is printed behind it)"
    assert shown.difference("a\nb\nc\n", "a\n…\nc\n") == ""
    assert shown.difference("a\nb\nc\n", "a\n…\nd\n") == "d"
