"""The pages, in a real browser."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import embedclf
from conftest import DATASETS, Cli, write_csv

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
REVIEWS = DATASETS / "product_reviews.csv"
HOSTILE = "<script>document.title='hacked'</script> & </script><b>bold</b> {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    if BROWSER is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Any) -> Iterator[Any]:
    """Open a page from disk, without a network, and see that it complains of nothing."""
    contexts = []

    def opened(path: str, *, width: int = 1_100, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        contexts.append(context)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url[:5] == "http:" else None)
        page.goto(Path(path).absolute().as_uri())
        assert complaints == []
        page.wait_for_selector("html[data-drawn]")
        assert complaints == []
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model of product reviews, and a test file in which a wrong row is hostile."""
    from embedclf.corpus import read_corpus

    folder = tmp_path_factory.mktemp("reviews")
    corpus, test = read_corpus(REVIEWS), read_corpus(DATASETS / "product_reviews_test.csv")
    embedclf.train(corpus.texts, corpus.labels, holdout=0).save(folder / "m.safetensors")
    rows = [{"text": text, "label": label} for text, label in zip(test.texts, test.labels, strict=True)]
    rows += [{"text": f"{HOSTILE} terrible, broken, never again {number}", "label": "positive"} for number in range(2)]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "m.safetensors", folder / "test.jsonl"


def wrong_rows(page: Any) -> list[str]:
    return page.eval_on_selector_all("#wrong tbody tr:not([hidden]) .text", "all => all.map(one => one.textContent)")


def test_an_evaluation(cli: Cli, show: Any, reviewed: tuple[Path, Path]):
    """Figures, charts, and the wrong rows, which can be filtered by label and searched."""
    model, test = reviewed
    result = cli("evaluate", test, "-m", model, "--train-set", REVIEWS, "--report", "report.html", "--json")
    assert "Wrote report.html\n" in result.stderr
    report = json.loads(result.stdout)
    assert Path("report.html").stat().st_size < 1_500_000
    page = show("report.html")
    assert page.title() == "wordllama:l2_supercat on test.jsonl"
    assert page.locator(".tiles dd").first.text_content() == f"{report['accuracy']:.3f}"
    assert page.locator("h2").all_text_contents() == [
        "Confusion matrix", "Labels", "Reliability", "Coverage", "Wrong rows",
    ]  # fmt: skip
    assert page.locator(".chart svg").count() == 4
    assert wrong_rows(page) == [one["text"] for one in report["wrong"]]

    page.select_option("select[name=label]", "positive")
    expected = [one["text"] for one in report["wrong"] if one["label"] == "positive"]
    assert wrong_rows(page) == expected
    assert page.locator("#shown").text_content() == f"{len(expected)} of {len(report['wrong'])} rows"
    page.select_option("select[name=predicted]", "negative")
    page.fill("input[name=search]", "NEVER AGAIN")
    expected = [
        one["text"]
        for one in report["wrong"]
        if one["predicted"] == "negative" and "never again" in one["text"].lower()
    ]
    assert wrong_rows(page) == expected != []


def test_texts_are_text(cli: Cli, show: Any, reviewed: tuple[Path, Path]):
    """A row that holds a script shows it, and labels do, too."""
    model, test = reviewed
    cli("evaluate", test, "-m", model, "--report", "report.html")
    page = show("report.html")
    assert page.title() == "wordllama:l2_supercat on test.jsonl"
    assert any(text.startswith(HOSTILE) for text in wrong_rows(page))
    rows = [{"text": f"a text of {name} {number}", "label": name} for name in (HOSTILE, "b\"'`") for number in range(9)]
    rows.append({"text": f"a text of {HOSTILE} again", "label": "b\"'`"})
    Path("odd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert cli("cross-validate", "odd.jsonl", "--folds", 3, "--report", "odd.html").exit_code == 0
    page = show("odd.html")
    assert page.title() == "Cross-validation: wordllama:l2_supercat, logistic, on odd.jsonl"
    page.select_option("select[name=label]", "b\"'`")
    assert f"a text of {HOSTILE} again" in wrong_rows(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1_100])
def test_it_fits_and_can_be_read(cli: Cli, show: Any, reviewed: tuple[Path, Path], width: int, scheme: str):
    """On a phone and a desk, by day and by night: nothing sticks out, and the contrast is that of WCAG's AA."""
    model, test = reviewed
    cli("evaluate", test, "-m", model, "--train-set", REVIEWS, "--report", "report.html")
    page = show("report.html", width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colours = page.evaluate(
        "['--paper', '--tile', '--ink', '--faint', '--accent', '--wrong']"
        ".map(name => getComputedStyle(document.documentElement).getPropertyValue(name).trim())"
    )
    paper, tile, *inks = colours
    assert (luminance(paper) > 0.5) == (scheme == "light")
    for ink in inks:
        for ground in (paper, tile):
            one, other = sorted((luminance(ink), luminance(ground)))
            assert (other + 0.05) / (one + 0.05) >= 4.5, (ink, ground)
    labels = page.locator(".chart svg text").first
    assert labels.evaluate("text => getComputedStyle(text).fill") == rgb(colours[2])


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))})"


def test_many_labels_and_rows(show: Any):
    """77 labels: the busiest part first, the whole behind a click; 3,000 wrong rows stay under 5 MB."""
    import numpy as np

    from embedclf.evaluation.page import evaluation_page
    from embedclf.evaluation.report import report_on

    rng = np.random.default_rng(0)
    classes = [f"a label with a rather long name {number:02}" for number in range(77)]
    labels = [classes[number] for number in rng.integers(0, 77, 3_100)]
    probabilities = rng.dirichlet(np.full(77, 0.1), 3_100).astype(np.float32)
    texts = [f"row {number}: " + "some words of a usual length " * 6 for number in range(3_100)]
    report = report_on(texts, labels, classes, probabilities)
    assert len(report.wrong) > 3_000
    Path("large.html").write_text(evaluation_page(report, "large"))
    assert Path("large.html").stat().st_size < 5_000_000
    page = show("large.html")
    first = page.locator("[data-chart='0'] svg")
    assert first.locator("text", has_text=re.compile("rather long name|…")).count() >= 50
    page.get_by_text("All 77 labels", exact=True).click()
    page.wait_for_selector("[data-chart='1'] svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1_100
    page.fill("input[name=search]", "row 17:")
    assert len(wrong_rows(page)) == 1


def test_the_other_pages(cli: Cli, show: Any):
    """Of cross-validation, the learning curve and a comparison."""
    cli("cross-validate", REVIEWS, "--head", "centroid", "--repeats", 2, "--report", "cv.html")
    page = show("cv.html")
    assert page.locator("h2").all_text_contents()[-1] == "Folds"
    assert page.locator("table").last.locator("tbody tr").count() == 10
    cli("learning-curve", REVIEWS, "--head", "centroid", "--report", "curve.html")
    page = show("curve.html", scheme="dark")
    assert page.locator(".note").first.text_content().startswith("From 252 to 504 labels the accuracy rose by ")
    assert page.locator(".chart svg").count() == 1
    cli("compare", REVIEWS, "--head", "centroid", "--dimensions", 64, "--dimensions", 256, "--report", "compare.html")
    page = show("compare.html", width=400)
    assert page.locator("tbody tr").count() == 2
    assert page.locator("tbody td").first.text_content() == "wordllama:l2_supercat"
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_without_the_extra(process: Any, dataset: Path, tmp_path: Path):
    """The missing package is named, and what installs it, before any work."""
    for name in ("jinja2", "vl_convert"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.py").write_text(f"raise ImportError('no {name}', name={name!r})")
        code = f"import sys; sys.path.insert(0, {str(folder)!r}); from embedclf.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, "cross-validate", str(dataset), "--report", "r.html"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == (
            f"Error: a report needs the package {name}, which is not installed: pip install 'embedclf[report]'"
        )
        assert not Path("r.html").exists()


def test_a_report_that_cannot_be_written(cli: Cli, model: Path):
    """Found out before the work."""
    path = write_csv(Path("t.csv"), [("my parcel", "delivery"), ("my refund", "refund")])
    result = cli("evaluate", path, "-m", model, "--report", ".")
    assert result.exit_code == 1
    assert result.stderr == "Error: cannot write .: it is a folder\n"
