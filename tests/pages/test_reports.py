"""The pages, in a real browser."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from colours import luminance

import embedclf
from corpus import DATASETS, write_csv
from embedclf.cli import main
from running import Cli

REVIEWS = DATASETS / "product_reviews.csv"
COMPLAINTS = ("error", "warning")
HOSTILE = "<script>document.title='hacked'</script> & </script><b>bold</b> {{ 7 * 7 }}"


@pytest.fixture
def show(browser: Any) -> Iterator[Any]:
    """Open a page from disk, without a network, and see that it complains of nothing."""
    pages: list[tuple[Any, list[str]]] = []

    def opened(path: str | Path, *, width: int = 1_100, scheme: str = "light", scripts: bool = True) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, java_script_enabled=scripts
        )
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type in COMPLAINTS else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url[:5] == "http:" else None)
        page.goto(Path(path).absolute().as_uri())
        assert complaints == []
        pages.append((page, complaints))
        return page

    yield opened
    for page, complaints in pages:
        assert complaints == []
        page.context.close()


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model of product reviews, and a test file in which a wrong row is hostile."""
    from embedclf.data.corpus import read_corpus

    folder = tmp_path_factory.mktemp("reviews")
    corpus, test = read_corpus(REVIEWS), read_corpus(DATASETS / "product_reviews_test.csv")
    embedclf.train(corpus.texts, corpus.labels, holdout=0).save(folder / "m.safetensors")
    rows = [{"text": text, "label": label} for text, label in zip(test.texts, test.labels, strict=True)]
    rows += [{"text": f"{HOSTILE} terrible, broken, never again {number}", "label": "positive"} for number in range(2)]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "m.safetensors", folder / "test.jsonl"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, reviewed: tuple[Path, Path]) -> Path:
    """A folder of pages that several tests look at: one of each command, written by it."""
    folder = tmp_path_factory.mktemp("pages")
    model, test = reviewed
    centroid = [REVIEWS, "--head", "centroid"]
    for name, *args in (
        ("evaluation", "evaluate", test, "-m", model, "--train-set", REVIEWS),
        ("cv", "cross-validate", *centroid, "--repeats", 2),
        ("curve", "learning-curve", *centroid),
        ("compare", "compare", *centroid, "--dimensions", 64, "--dimensions", 256),
        ("check", "check", REVIEWS),
        ("cluster", "cluster", REVIEWS),
    ):
        command = [*map(str, args), "--report", str(folder / f"{name}.html"), "--json"]
        done = CliRunner(catch_exceptions=False).invoke(main, command)
        assert done.exit_code == 0
        (folder / f"{name}.json").write_text(done.stdout)
    return folder


def wrong_rows(page: Any) -> list[str]:
    return page.eval_on_selector_all("#rows tbody tr:not([hidden]) .text", "all => all.map(one => one.textContent)")


@pytest.mark.slow
def test_an_evaluation(cli: Cli, show: Any, reviewed: tuple[Path, Path]):
    """Figures, charts, and the wrong rows, which can be filtered by label and searched."""
    model, test = reviewed
    result = cli("evaluate", test, "-m", model, "--train-set", REVIEWS, "--report", "report.html", "--json")
    assert "Wrote report.html\n" in result.stderr
    report = json.loads(result.stdout)
    assert Path("report.html").stat().st_size < 200_000
    page = show("report.html")
    assert page.title() == "Evaluation of m.safetensors on test.jsonl"
    assert page.locator(".tiles dd").first.text_content() == f"{report['accuracy']:.3f}"
    assert page.locator("h2").all_text_contents() == [
        "Confusion matrix", "Labels", "Reliability", "Coverage", "Words", "Misclassified rows",
    ]  # fmt: skip
    assert page.locator("svg.drawing").count() == 3
    assert wrong_rows(page) == [one["text"] for one in report["wrong"]]

    page.select_option("select[name=label]", "positive")
    expected = [one["text"] for one in report["wrong"] if one["label"] == "positive"]
    assert wrong_rows(page) == expected
    assert page.locator("#shown").text_content() == f"{len(expected)} of {len(report['wrong'])} rows"
    page.get_by_role("combobox", name="predicted", exact=True).select_option("negative")
    page.get_by_label("search").fill("NEVER AGAIN")
    expected = [
        one["text"]
        for one in report["wrong"]
        if one["predicted"] == "negative" and "never again" in one["text"].lower()
    ]
    assert wrong_rows(page) == expected != []
    page.get_by_label("search").fill("no text has this")
    assert wrong_rows(page) == []
    assert page.locator("#shown").text_content() == f"0 of {len(report['wrong'])} rows"
    assert page.get_by_text("No rows match all filters.").is_visible()
    assert not page.locator("#rows").is_visible()
    page.get_by_role("button", name="Clear").click()
    page.wait_for_selector("#rows")
    assert wrong_rows(page) == [one["text"] for one in report["wrong"]]
    assert not page.locator("#nothing").is_visible()


@pytest.mark.slow
def test_texts_are_text(cli: Cli, show: Any, reviewed: tuple[Path, Path]):
    """A row that holds a script shows it, and labels do, too."""
    model, test = reviewed
    cli("evaluate", test, "-m", model, "--report", "report.html")
    page = show("report.html")
    assert page.title() == "Evaluation of m.safetensors on test.jsonl"
    assert any(text.startswith(HOSTILE) for text in wrong_rows(page))
    rows = [{"text": f"a text of {name} {number}", "label": name} for name in (HOSTILE, "b\"'`") for number in range(9)]
    rows.append({"text": f"a text of {HOSTILE} again", "label": "b\"'`"})
    Path("odd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert cli("cross-validate", "odd.jsonl", "--folds", 3, "--report", "odd.html").exit_code == 0
    page = show("odd.html")
    assert page.title() == "Cross-validation: wordllama:l2_supercat, logistic, on odd.jsonl"
    page.select_option("select[name=label]", "b\"'`")
    assert f"a text of {HOSTILE} again" in wrong_rows(page)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1_100])
@pytest.mark.exhaustive
def test_it_fits_and_can_be_read(show: Any, pages: Path, width: int, scheme: str):
    """On a phone and a desk, by day and by night: nothing sticks out, and the contrast is that of WCAG's AA."""
    page = show(pages / "evaluation.html", width=width, scheme=scheme)
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
    labels = page.locator("svg.drawing .names text").first
    assert labels.evaluate("text => getComputedStyle(text).fill") == rgb(colours[2])
    for shade in [f"{side}{number}" for side in ("for", "against") for number in (1, 2, 3)]:
        ground = page.evaluate(
            """name => {
                const mark = document.body.appendChild(document.createElement("mark"));
                mark.className = name;
                const colour = getComputedStyle(mark).backgroundColor;
                mark.remove();
                return colour;
            }""",
            shade,
        )
        *parts, alpha = (float(part) for part in re.findall(r"[\d.]+", ground))
        below = [int(paper[place : place + 2], 16) if len(paper) == 7 else 255 for place in (1, 3, 5)]
        blend = [round(alpha * part + (1 - alpha) * under) for part, under in zip(parts, below, strict=True)]
        one, other = sorted((luminance(colours[2]), luminance(f"#{bytes(blend).hex()}")))
        assert (other + 0.05) / (one + 0.05) >= 4.5, (shade, ground)


@pytest.mark.slow
def test_words_of_wrong_rows_are_shaded(show: Any, pages: Path):
    """By what they say: the words that spoke for the answer in one colour, those against it in another."""
    page = show(pages / "evaluation.html")
    row = page.locator("#rows tbody tr", has_text="terrible, broken, never again 0")
    marks = row.locator(".text mark").evaluate_all("all => all.map(one => [one.textContent, one.className])")
    assert ["terrible", "for3"] in marks or ["never", "for3"] in marks
    assert {name.rstrip("123") for _, name in marks} == {"for", "against"}
    assert row.locator(".text").text_content().startswith(HOSTILE)
    words = page.locator("section", has=page.get_by_role("heading", name="Words", exact=True))
    labels = words.locator("tbody td:first-child").all_text_contents()
    assert sorted(labels) == ["negative", "neutral", "positive"]
    assert re.fullmatch(r"(\S+\u00a0\+\d\.\d\d(, )?){8}", words.locator("tbody td:last-child").first.text_content())


@pytest.mark.slow
def test_shades_stay_within_a_page(tmp_path: Path):
    """They are cut where the text is, what is weak has none, and they count for the size of the page."""
    from embedclf.classifier.explanation import Span
    from embedclf.pages.reports import evaluation_page
    from embedclf.pages.row_list import shaded_text

    spans = [Span(0, 3, 0.05), Span(4, 9, -1.0), Span(10, 14, 0.4), Span(15, 19, 0.9)]
    assert shaded_text("a<b <i>&. some more", spans, 12) == (
        'a&lt;b <mark class="against3">&lt;i&gt;&amp;.</mark> <mark class="for2">so</mark>'
    )
    report, _ = written("plain.html", ["a"] * 500, ["a", "b"], [[0.1, 0.9]] * 500, ["ab " * 700] * 500)
    spans = [Span(3 * number, 3 * number + 2, 1.0) for number in range(700)]
    shaded = replace(report, wrong=tuple(one._replace(spans=tuple(spans)) for one in report.wrong))
    assert len(evaluation_page(shaded, "shaded").encode()) < 5_000_000


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))})"


def written(
    name: str, labels: list[str], classes: list[str], probabilities: Any, texts: list[str] | None = None, **more: Any
) -> tuple[Any, str]:
    """Write the page of an evaluation with these answers; give the report, too."""
    from embedclf.evaluation.measuring import report_on
    from embedclf.pages.reports import evaluation_page

    texts = texts or [f"row {number}" for number in range(len(labels))]
    report = report_on(texts, labels, classes, np.array(probabilities, dtype=np.float32), **more)
    Path(name).write_text(evaluation_page(report, name), encoding="utf-8")
    return report, name


def drawn_names(page: Any, chart: int = 0) -> list[str]:
    """Names of labels beside a matrix."""
    return page.locator("svg.matrix").nth(chart).locator(".names text").all_text_contents()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_many_labels_and_rows(show: Any):
    """77 labels: the busiest part with every mistake in it, and the whole behind a click, to be zoomed."""
    rng = np.random.default_rng(0)
    classes = [f"a label with a rather long name {number:02}, of which two parts differ" for number in range(77)]
    labels = [classes[number] for number in rng.integers(0, 77, 3_100)]
    texts = [f"row {number}: " + "some words of a usual length " * 100 for number in range(3_100)]
    report, path = written("large.html", labels, classes, rng.dirichlet(np.full(77, 0.1), 3_100), texts)
    assert len(report.wrong) > 3_000
    assert Path(path).stat().st_size < 5_000_000
    page = show(path)
    names = drawn_names(page)
    assert len(set(names)) == 26
    assert names[-1] == "52 other labels"
    mistakes = page.locator("svg.matrix").first.locator(".cells text.on").all_text_contents()
    assert sum(map(int, mistakes)) == len(report.wrong)

    page.get_by_text("All 77 labels", exact=True).click()
    whole = page.locator("svg.matrix").nth(1)
    whole.wait_for()
    assert len(set(drawn_names(page, 1))) == 77
    large = whole.bounding_box()["width"]
    assert large > 77 * 20
    assert page.evaluate("document.documentElement.scrollWidth") <= 1_100
    page.get_by_role("button", name="Fit to width").click()
    assert whole.bounding_box()["width"] < 1_100
    page.get_by_role("button", name="Actual size").click()
    assert whole.bounding_box()["width"] == large

    page.get_by_label("search").fill("ROW 17:")
    assert len(wrong_rows(page)) == 1


@pytest.mark.slow
def test_names_that_are_hard_to_write(show: Any):
    """Each is drawn, no two are drawn the same, and what is pointed at is named in full."""
    long = "the same long beginning " * 12
    classes = sorted([
        *(long + end for end in ("1", "2", "and 1 of the same", "and 2 of the same")),
        "<b>bold</b>", "</script><!--<script>",
        "q\"'`\\ \\n", "two\nlines", "two lines", "😀👩‍👩‍👧", "שלום עולם",
        "日本語のとても長いラベルの名前です、はい、そうです", "a" * 300,
        "toString", "__proto__", "null", "a.b['c']", "Refund", "refund",
    ])  # fmt: skip
    n = len(classes)
    probabilities = 0.5 * np.roll(np.eye(n), 1, axis=1) + 0.5 / n
    report, path = written("odd.html", classes, classes, probabilities, [f"of {name}" for name in classes])
    page = show(path)
    names = drawn_names(page)
    assert len(set(names)) == n
    assert max(map(len, names)) <= 30
    # All are mistaken as often, and so in their order, with one cell in each row.
    page.locator("svg.matrix .cells g").nth(classes.index(long + "1")).hover()
    assert page.locator("#tip").text_content().startswith(long + "1, predicted as ")
    for one in report.wrong:
        for field, name in (("label", one.label), ("predicted", one.predicted)):
            choice = page.get_by_role("combobox", name=field, exact=True)
            # By its place, for by its name Playwright takes two lines for one.
            choices = choice.evaluate("choice => [...choice.options].map(one => one.textContent)")
            choice.select_option(index=choices.index(name))
        assert wrong_rows(page) == [one.text]


@pytest.mark.slow
def test_few_rows(show: Any):
    """One wrong row, none, and a single row."""
    page = show(written("one.html", ["a", "b", "a"], ["a", "b"], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])[1])
    assert page.locator("#shown").text_content() == "1 of 1 row"
    for labels in (["a", "b"], ["a"]):
        page = show(written("none.html", labels, ["a", "b"], np.eye(2)[: len(labels)] * 0.8 + 0.1)[1])
        assert page.locator("section").last.inner_text() == "Misclassified rows\n\nNone."
        assert page.locator("svg.drawing").count() == 3


@pytest.mark.slow
def test_confidences(show: Any):
    """Four decimals, rounded down: what is shown is below the threshold just where the classifier abstains."""
    rows = [[0.69999, 0.30001], [0.70001, 0.29999], [0.5, 0.5], [1.0, 0.0]]
    page = show(written("sure.html", ["b"] * 4, ["a", "b"], rows, threshold=0.7)[1])
    assert page.locator("#rows .number").all_text_contents()[1:] == ["1.0000", "0.7000", "0.6999", "0.5000"]
    assert page.locator(".tiles dt").all_text_contents()[-2:] == ["coverage at threshold 0.7000", "accuracy on these"]
    page = show(written("fine.html", ["b"] * 4, ["a", "b"], rows, threshold=0.123456)[1])
    assert page.locator(".tiles dt").all_text_contents()[-2] == "coverage at threshold 0.123456"


@pytest.mark.slow
def test_long_texts(show: Any):
    """They are cut, to less where there are many."""
    rows = [[0.9, 0.1]] * 2
    page = show(written("few.html", ["b"] * 2, ["a", "b"], rows, ["<" * 10_000_000, "short"])[1])
    assert wrong_rows(page) == ["<" * 2_000 + " …", "short"]
    assert Path("few.html").stat().st_size < 1_500_000
    page = show(written("many.html", ["b"] * 3_000, ["a", "b"], rows * 1_500, ["<" * 5_000] * 3_000)[1])
    assert Path("many.html").stat().st_size < 5_000_000
    assert wrong_rows(page)[0] == "<" * 250 + " …"


@pytest.mark.slow
def test_on_paper(show: Any):
    """Of a dark screen, too: black on white, every chart, all figures, no filters, and nothing sticks out."""
    rng = np.random.default_rng(0)
    classes = [f"a_label_with_a_long_name_number_{number:02}" for number in range(40)]
    labels = [classes[number] for number in rng.integers(0, 40, 400)]
    page = show(written("paper.html", labels, classes, rng.dirichlet(np.full(40, 0.1), 400))[1], scheme="dark")
    page.set_viewport_size({"width": 680, "height": 900})
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.scrollWidth") <= 680
    assert page.locator(".wide").evaluate_all(
        "all => all.filter(one => one.checkVisibility() && one.scrollWidth > one.clientWidth).length"
    ) == 0  # fmt: skip
    text = page.locator("svg.drawing .names text").first
    assert luminance(page.evaluate("getComputedStyle(document.body).getPropertyValue('--paper').trim()")) == 1
    assert text.evaluate("text => getComputedStyle(text).fill") == "rgb(27, 31, 36)"
    assert [one.is_visible() for one in page.locator("svg.drawing").all()] == [True, False, True, True]
    assert page.get_by_role("cell", name=classes[-1]).first.is_visible()
    assert not page.locator("#filters").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


@pytest.mark.slow
def test_the_scheme_changes_while_it_is_open(show: Any):
    """Charts change their colours with the page."""
    page = show(written("live.html", ["a", "b", "a"], ["a", "b"], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])[1])
    colour = "text => getComputedStyle(text).fill"
    text = page.locator("svg.drawing .names text").first
    assert text.evaluate(colour) == "rgb(27, 31, 36)"
    page.emulate_media(color_scheme="dark")
    assert text.evaluate(colour) == "rgb(232, 234, 237)"


@pytest.mark.slow
def test_it_can_be_used_without_a_mouse_or_eyes(show: Any):
    """A language, headings in order, named fields and columns, and a focus that is seen."""
    rng = np.random.default_rng(0)
    classes = [f"label {number}" for number in range(30)]
    labels = [classes[number] for number in rng.integers(0, 30, 90)]
    page = show(written("use.html", labels, classes, rng.dirichlet(np.full(30, 0.1), 90))[1])
    assert page.locator("html").get_attribute("lang") == "en"
    headings = page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(one => one.tagName)")
    assert headings == ["H1", *["H2"] * 5]
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("select, input").evaluate_all("all => all.filter(one => !one.labels.length).length") == 0
    assert page.get_by_role("img", name="Reliability").is_visible()
    reached = set()
    for _ in range(14):
        page.keyboard.press("Tab")
        tag, style = page.evaluate(
            "[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert tag == "BODY" or style == "solid", tag
        reached.add(tag)
    assert {"SUMMARY", "SELECT", "INPUT", "BUTTON", "DIV"} <= reached


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_other_pages(show: Any, pages: Path, scheme: str):
    """Of cross-validation, the learning curve and a comparison."""
    page = show(pages / "cv.html", scheme=scheme)
    assert page.locator("h2").all_text_contents()[-1] == "Folds"
    assert page.locator("table").last.locator("tbody tr").count() == 10
    page = show(pages / "curve.html", scheme=scheme)
    assert page.locator(".verdict").first.text_content().startswith("From 252 to 504 labelled rows, accuracy ")
    assert page.locator("svg.drawing").count() == 1
    page = show(pages / "compare.html", width=400, scheme=scheme)
    assert page.locator("tbody tr").count() == 2
    assert page.locator("tbody td").first.text_content() == "wordllama:l2_supercat"
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


@pytest.mark.slow
def test_no_package_is_needed(dataset: Path, tmp_path: Path):
    """A page is written by what the bare installation brings: no template engine, no drawing library."""
    absent = ("jinja2", "markupsafe", "vl_convert", "altair", "matplotlib")
    for name in absent:
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('no {name}', name={name!r})")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from embedclf.cli import main; main()"
    command = [sys.executable, "-c", code, "cross-validate", str(dataset), "--head", "centroid", "--report", "r.html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path("r.html").exists()


def test_a_report_that_cannot_be_written(cli: Cli, model: Path):
    """Found out before the work."""
    path = write_csv(Path("t.csv"), [("my parcel", "delivery"), ("my refund", "refund")])
    result = cli("evaluate", path, "-m", model, "--report", ".")
    assert result.exit_code == 1
    assert result.stderr == "Error: cannot write .: it is a folder\n"


@pytest.mark.slow
def test_a_name_that_is_not_utf8(cli: Cli, show: Any, reviewed: tuple[Path, Path]):
    """A file's name may hold any bytes; the page shows those that are no letters as escapes."""
    model, test = reviewed
    name = os.fsdecode(b"caf\xe9.jsonl")
    shutil.copy(test, name)
    result = cli("evaluate", name, "-m", model, "--report", "report.html")
    assert result.exit_code == 0
    page = show("report.html")
    assert page.title() == "Evaluation of m.safetensors on caf\\udce9.jsonl"
    assert page.locator("#rows .place").first.text_content().startswith("caf\\udce9.jsonl:")


@pytest.mark.slow
def test_the_dot_is_spoken_of_where_there_is_one(cli: Cli, reviewed: tuple[Path, Path]):
    """A threshold at which fewer than ten rows are answered has no point on the curve, and the page says so."""
    model, test = reviewed
    for threshold, dotted in (("0.6", True), ("1", False)):
        cli("evaluate", test, "-m", model, "--min-confidence", threshold, "--report", "report.html")
        written = Path("report.html").read_text()
        assert ('class="dot used"' in written) == dotted
        assert ("The large dot marks the model’s threshold 0.6000." in written) == dotted
        assert ("Too few rows are answered at the model’s threshold 1.0000 to mark it." in written) != dotted


@pytest.mark.slow
def test_which_repeat_a_page_shows(cli: Cli):
    """The figures at the top are of all repeats, what follows is of the first: the page says which is which."""
    for repeats in (1, 2):
        cli("cross-validate", REVIEWS, "--head", "centroid", "--repeats", repeats, "--report", "report.html")
        written = Path("report.html").read_text()
        notes = re.findall(r"<h2>(.*?)</h2><p class=\"note\">(.*?)</p>", written)
        assert len(notes) == 6
        assert [title for title, note in notes if "First repeat only." in note] == (
            [] if repeats == 1 else ["Confusion matrix", "Labels", "Reliability", "Coverage", "Misclassified rows"]
        )


@pytest.mark.slow
def test_a_click_in_the_matrix_lists_its_rows(show: Any, pages: Path):
    """A cell, by a click; or a link, by the keyboard, too."""
    page = show(pages / "evaluation.html")
    everything = wrong_rows(page)
    cell = page.locator("svg.matrix g[data-label]").first
    cell.hover()
    label, predicted, n = re.fullmatch(
        r"(\S+), predicted as (\S+): (\d+) rows?", page.locator("#tip").text_content()
    ).groups()
    cell.click()
    assert page.locator("#shown").text_content() == f"{n} of {len(everything)} rows"
    rows = page.locator("#rows tbody tr:not([hidden])")
    assert set(rows.locator("[data-name=label]").all_text_contents()) == {label}
    assert set(rows.locator("[data-name=predicted]").all_text_contents()) == {predicted}
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Most frequent confusions", exact=True).click()
    link = page.locator("a[data-label]").first
    link.focus()
    page.keyboard.press("Enter")
    n = link.evaluate("one => one.closest('tr').querySelector('.number').textContent")
    assert page.locator("#shown").text_content() == f"{n} of {len(everything)} rows"


@pytest.mark.slow
def test_the_matrix_is_one_stop_of_the_keyboard(show: Any, pages: Path):
    """Arrow keys go from cell to cell, each with its tooltip, and Enter lists its rows."""
    page = show(pages / "evaluation.html")
    cells = page.locator("svg.matrix [role=button]")
    assert page.locator("svg.matrix [tabindex='0']").count() == 1
    page.locator(".wide:has(svg.matrix)").focus()
    page.keyboard.press("Tab")
    seen = []
    for _ in range(cells.count()):
        name = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert page.locator("#tip").text_content() == name
        seen.append(name)
        page.keyboard.press("ArrowRight")
    assert seen == cells.evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    name = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert name.split(",")[0] != seen[0].split(",")[0]
    page.keyboard.press("Enter")
    n = re.search(r"(\d+) rows?$", name)[1]
    assert page.locator("#shown").text_content().startswith(f"{n} of ")


@pytest.mark.slow
def test_a_slider_for_the_threshold(show: Any, pages: Path):
    """It says what share would be answered and how much of that is wrong, and marks the point of the chart."""
    page = show(pages / "evaluation.html")
    slider = page.get_by_label("threshold")
    slider.fill("0")
    report = json.loads((pages / "evaluation.json").read_text())
    n, n_wrong = report["n_examples"], len(report["wrong"])
    assert page.locator("output").text_content() == (
        f"Threshold 0.0000: 100.0 % answered ({n} rows), {100 * n_wrong / n:.1f} % of these wrong ({n_wrong})."
    )
    assert page.locator(".now").get_attribute("transform").startswith("translate(")
    slider.press("ArrowRight")
    assert page.locator("output").text_content().startswith("Threshold 0.0100: ")
    assert slider.get_attribute("aria-valuetext").startswith("Threshold 0.0100: ")


@pytest.mark.slow
def test_without_scripts(show: Any, pages: Path):
    """All of it is there to read: the verdict, the charts, the rows; nothing that would not work is shown."""
    page = show(pages / "evaluation.html", scripts=False)
    assert page.locator(".verdict").count() == 3
    assert page.locator("svg.drawing").count() == 3
    assert all(one.is_visible() for one in page.locator("svg.drawing").all())
    assert page.locator("#rows tbody tr").first.is_visible()
    assert page.locator("output").is_visible()
    for control in ("#filters", ".slider input", ".zoom"):
        assert page.locator(control).locator("visible=true").count() == 0


@pytest.mark.slow
def test_labels_have_one_order(show: Any, pages: Path):
    """The weakest first, in the matrix, in the tables, and in the filters."""
    page = show(pages / "evaluation.html")
    order = page.locator("section", has_text="F1 of each label").locator("tbody td:first-child").all_text_contents()
    assert len(order) == 3
    assert drawn_names(page) == order
    words = page.locator("section", has=page.get_by_role("heading", name="Words", exact=True))
    assert words.locator("tbody td:first-child").all_text_contents() == order
    offered = page.locator("select[name=label] option").all_text_contents()
    assert offered == ["all", *(name for name in order if name in offered)]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_it_prints_on_four_pages(show: Any, pages: Path):
    """Whatever there is: 77 labels, and thousands of long rows."""
    rng = np.random.default_rng(0)
    classes = [f"a_label_with_a_long_name_{number:02}" for number in range(77)]
    labels = [classes[number] for number in rng.integers(0, 77, 3_000)]
    texts = [f"row {number}: " + "some words of a usual length " * 40 for number in range(3_000)]
    _, large = written("large.html", labels, classes, rng.dirichlet(np.full(77, 0.1), 3_000), texts)
    for path in (large, pages / "evaluation.html", pages / "cv.html", pages / "check.html", pages / "cluster.html"):
        printed = show(path).pdf(format="A4", print_background=True)
        assert len(re.findall(rb"/Type\s*/Page[^s]", printed)) <= 4, path


@pytest.mark.slow
def test_nothing_else_can_run(show: Any):
    """The page allows its own script, by its hash, and no other; text that turns the direction stays in its place."""
    texts = [f"{HOSTILE} \u202edesrever \u2066", "<img src=x onerror=alert(1)>", "fine"]
    labels = ["\u202eevil", "<b>", "\u202eevil"]
    _, path = written("odd.html", labels, ["<b>", "\u202eevil"], [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]], texts)
    page = show(path)
    assert set(wrong_rows(page)) == set(texts[:2])
    assert page.locator("b, img").count() == 0
    assert all("\u202e" not in name for name in drawn_names(page))
    assert page.locator(".text").first.evaluate("one => getComputedStyle(one).unicodeBidi") in ("isolate", "plaintext")
    assert page.title() == "odd.html"


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1_100])
def test_pages_of_a_check_and_of_clusters(show: Any, pages: Path, width: int):
    """In the same dress: filters and a search, and nothing sticks out."""
    page = show(pages / "check.html", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shown = page.locator("#shown").text_content()
    page.get_by_role("combobox", name="suggested", exact=True).select_option("negative")
    assert page.locator("#shown").text_content() != shown
    page = show(pages / "cluster.html", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("combobox", name="cluster", exact=True).select_option(index=1)
    size = page.locator("section").first.locator("tbody tr").first.locator("td").nth(1).text_content()
    assert page.locator("#shown").text_content() == f"{size} of 630 rows"


@pytest.mark.slow
def test_a_comparison_of_two_models(cli: Cli, show: Any, reviewed: tuple[Path, Path]):
    """The verdict, the figures, and the rows with another answer, filtered by what became of them."""
    model, test = reviewed
    cli("train", REVIEWS, "--features", "embedding", "--regularization", 1, "--holdout", 0, "-o", "old.safetensors")
    result = cli("diff", "old.safetensors", model, test, "--report", "diff.html", "--json")
    assert "Wrote diff.html\n" in result.stderr
    shown = json.loads(result.stdout)
    page = show("diff.html", width=400, scheme="dark")
    assert page.title() == "old.safetensors and m.safetensors on test.jsonl"
    assert page.locator(".verdict").first.inner_text().startswith(("The new model is", "Cannot tell", "No difference"))
    assert len(wrong_rows(page)) == len(shown["changed"])
    assert page.locator("#rows mark").count() > 0
    for kind in ("worse", "better"):
        page.select_option("select[name=change]", label=kind)
        assert len(wrong_rows(page)) == shown[f"n_{kind}"] > 0
    page.select_option("select[name=new]", label="positive")
    chosen = [one for one in shown["changed"] if (one["change"], one["new"]) == ("better", "positive")]
    assert sorted(wrong_rows(page)) == sorted(one["text"] for one in chosen)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
