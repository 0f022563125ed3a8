"""What pages say of themselves: of what they are, by which version and command."""

import html
import re
from datetime import date
from pathlib import Path

import pytest

import embedclf
from corpus import LABELS, TEXTS
from running import Cli


def facts_of(page: str) -> dict[str, str]:
    written = Path(page).read_text(encoding="utf-8")
    pairs = re.findall(r"<dt>([^<]*)</dt><dd><bdi>(.*?)</bdi></dd>", written)
    return {name: html.unescape(re.sub(r"<[^>]*>", "", value)) for name, value in pairs}


def with_rows(dataset: Path, *rows: tuple[str, str]) -> Path:
    more = "".join(f'"{text}",{label}\n' for text, label in rows)
    path = Path("data.csv")
    path.write_text(dataset.read_text(encoding="utf-8") + more, encoding="utf-8")
    return path


def test_the_facts_at_the_top(cli: Cli, model: Path, dataset: Path):
    """Model, data, sizes, version and command; names without their folders, since pages are shared."""
    assert cli("evaluate", dataset, "-m", model, "--report", "r.html").exit_code == 0
    facts = facts_of("r.html")
    assert facts.pop("model").startswith(f"{model.name} ({model.stat().st_size / 1_000:,.1f} kB; 3 labels; logistic, ")
    assert facts == {
        "data": "small.csv (30 rows, 3 labels)",
        "version": f"embedclf {embedclf.__version__}",
        "command": f"embedclf evaluate small.csv --model {model.name} --report r.html",
    }
    assert f"<title>Evaluation of {model.name} on small.csv</title>" in Path("r.html").read_text(encoding="utf-8")


def test_title_note_and_date(cli: Cli, model: Path, dataset: Path):
    """Those that are asked for; a date only then, so that the same run writes the same page."""
    args = ["evaluate", dataset, "-m", model, "--report", "r.html"]
    cli(*args)
    first = Path("r.html").read_bytes()
    cli(*args)
    assert Path("r.html").read_bytes() == first
    cli(*args, "--title", "Round <2>", "--note", "Before & after.", "--dated")
    written = Path("r.html").read_text(encoding="utf-8")
    assert "<title>Round &lt;2&gt;</title>" in written
    assert '<p class="given" dir="auto">Before &amp; after.</p>' in written
    assert facts_of("r.html")["date"] == date.today().isoformat()
    assert facts_of("r.html")["command"].endswith("--title 'Round <2>' --note 'Before & after.' --dated")


def test_a_title_needs_a_page(cli: Cli, model: Path, dataset: Path):
    for option in (["--title", "x"], ["--note", "x"], ["--dated"]):
        result = cli("evaluate", dataset, "-m", model, *option)
        assert result.exit_code == 2
        assert result.stderr.endswith("Error: --title, --note and --dated are for an HTML page, but none is written.\n")


def test_no_name_of_a_user_gets_into_a_page(cli: Cli, dataset: Path):
    """An address in the command loses the user's name and what comes after a question mark."""
    options = ["--base-url", "https://me:secret@127.0.0.1:9/v1?key=hidden", "--embedder", "wordllama"]
    assert cli("cluster", dataset, "--report", "c.html", *options).exit_code == 2
    assert not Path("c.html").exists()
    from embedclf.cli.pages import _shareable

    assert _shareable(options[1]) == "https://127.0.0.1:9/v1"


@pytest.mark.slow
def test_a_page_of_a_check(cli: Cli, dataset: Path):
    """Every kind of problem with its advice, every row with its place; errors still end with 1."""
    path = with_rows(dataset, (TEXTS[0], "other"), (TEXTS[1], LABELS[1]))
    result = cli("check", path, "--report", "check.html", "--note", "</script><script>alert(1)</script>")
    assert result.exit_code == 1
    assert "Wrote check.html\n" in result.stderr
    written = Path("check.html").read_text(encoding="utf-8")
    assert "<title>Check of data.csv</title>" in written
    assert "Fix the errors before training." in written
    assert "2 rows with conflicting labels for the same text" in written
    assert "Choose one label: no classifier can learn both." in written
    assert '<span class="place">data.csv:32</span>' in written
    assert "<script>alert" not in written
    assert len(written.encode()) < 60_000
    assert cli("check", path, "--report", path).stderr.startswith("Error: --report data.csv is the same file as ")


def test_a_page_of_clusters(cli: Cli, dataset: Path):
    """Each cluster with its words and central texts, and all rows, to be filtered by cluster."""
    assert cli("cluster", dataset, "--clusters", 3, "--report", "clusters.html").exit_code == 0
    written = Path("clusters.html").read_text(encoding="utf-8")
    assert "<title>Clusters of small.csv</title>" in written
    assert "3 clusters: 30 of 30 rows assigned, 0 unassigned." in written
    assert written.count("<tr data-cluster=") == 30
    assert len(re.findall(r'<option value="\d">\d\d_', written)) == 3
    assert facts_of("clusters.html")["command"] == "embedclf cluster small.csv --clusters 3 --report clusters.html"


def test_a_map_with_a_model(cli: Cli, dataset: Path, model: Path):
    """Its predictions can colour the texts, and rows that it takes for another label are marked."""
    path = with_rows(dataset, (TEXTS[0], "other"))
    result = cli("map", path, "-m", model, "--output", "map.html")
    assert result.exit_code == 0, result.stderr
    written = Path("map.html").read_text(encoding="utf-8")
    assert "Rings mark 1 suspected row: another label is predicted, with a confidence of 0.5 or more." in written
    assert '"suspected":[30]' in written
    assert facts_of("map.html")["model"].startswith(model.name)
    result = cli("map", path, "-m", model, "--dimensions", 64, "--output", "map.html")
    assert result.exit_code == 2
    assert "--dimensions does not apply with --model" in result.stderr
