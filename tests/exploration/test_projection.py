"""The map: where texts are placed, and the page in a real browser."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from colours import luminance

import embedclf
from aimlapi_server import AimlapiServer
from corpus import DATASETS, LABELS, TEXTS, write_csv
from embedclf.cli import main
from embedclf.pages.palette import DAY, NIGHT
from running import Cli

HOSTILE = "<script>document.title='hacked'</script> & </script><b>bold</b> {{ title }} ${title}"


# --- the places ---


def test_the_command(cli: Cli, dataset: Path):
    """It writes the page, and says how far the places can be trusted."""
    result = cli("map", dataset, "--output", "map.html")
    assert result.exit_code == 0
    assert result.stderr == (
        f"{dataset}: 30 rows, 3 labels\n"
        "Embedder: wordllama:l2_supercat (256 dimensions; AIMLAPI_API_KEY is not set)\n"
        "Wrote map.html\n"
    )
    (line,) = result.stdout.splitlines()
    assert re.fullmatch(r"t-SNE map of 30 texts; \d\d\.\d % of each text's 10 nearest neighbours preserved", line)
    assert "<title>Map: wordllama:l2_supercat on small.csv</title>" in Path("map.html").read_text()


def test_json(cli: Cli, dataset: Path):
    """The place of each row, with or without a page, and the same as in Python."""
    result = cli("map", dataset, "--json")
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    made = embedclf.text_map(TEXTS, LABELS)
    assert shown.pop("usage")["requests"] == 0
    expected = made.to_dict()
    assert [point.pop("line") for point in shown["points"]] == list(range(2, 32))
    assert shown == expected
    assert expected["points"][0].keys() == {"row", "x", "y", "label"}
    assert (expected["method"], expected["points"][0]["label"]) == ("t-SNE", "delivery")
    assert list(Path().glob("*.html")) == []
    assert json.loads(cli("map", dataset, "--json", "--output", "m.html").stdout)["points"][0]["line"] == 2
    assert Path("m.html").exists()


def test_what_is_alike_is_near():
    """Texts of a label are nearer to each other than to others, and the same texts get the same places."""
    vectors = np.random.default_rng(0).normal(size=(3, 8))[np.arange(60) % 3] * 4
    vectors += np.random.default_rng(1).normal(size=vectors.shape) * 0.2
    texts = [f"text {number}" for number in range(60)]
    made = embedclf.text_map(texts, vectors=vectors.astype(np.float32))
    assert made.positions.shape == (60, 2)
    assert made.positions.dtype == np.float32
    groups = [made.positions[start::3] for start in range(3)]
    within = max(np.linalg.norm(group - group.mean(axis=0), axis=1).max() for group in groups)
    apart = min(np.linalg.norm(groups[i].mean(axis=0) - groups[j].mean(axis=0)) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert apart > 2 * within
    assert (made.positions == embedclf.text_map(texts, vectors=vectors.astype(np.float32)).positions).all()
    # 20 in each group, of which each place has the 10 nearest, more or less.
    assert 0.5 < made.neighbours_kept <= 1
    assert made.labels == ("",) * 60
    assert made.to_dict()["points"][7]["label"] is None


def test_neighbours_kept_is_counted_right():
    """Against a count of our own, of all pairs."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 16)).astype(np.float32)
    made = embedclf.text_map([f"text {number}" for number in range(50)], vectors=vectors)

    def ten_nearest(points: Any) -> list[set[int]]:
        distances = np.linalg.norm(points[:, None] - points[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        return [set(row[:10]) for row in distances.argsort(axis=1).tolist()]

    pairs = zip(ten_nearest(vectors), ten_nearest(made.positions), strict=True)
    assert made.neighbours_kept == pytest.approx(np.mean([len(one & other) / 10 for one, other in pairs]))


@pytest.mark.parametrize("n", [1, 2, 3, 11, 12, 13, 20, 21])
def test_few_texts(n: int):
    """Principal components where t-SNE has too few neighbours, and a figure only where it says something."""
    texts = TEXTS[:n]
    made = embedclf.text_map(texts)
    assert made.method == ("PCA" if n < 12 else "t-SNE")
    assert np.isfinite(made.positions).all()
    assert len({tuple(place) for place in made.positions.tolist()}) == n
    assert (made.neighbours_kept is None) == (n < 21)


def test_equal_texts_are_at_the_same_place():
    """However many, and though all are equal; the page puts them beside each other."""
    made = embedclf.text_map(["the same"] * 50)
    assert made.method == "PCA"
    assert (made.positions == made.positions[0]).all()
    made = embedclf.text_map([*TEXTS, *["the same"] * 500])
    assert (made.positions[30:] == made.positions[30]).all()
    data = data_of(embedclf.map_page(made, "a title"))
    assert len(set(zip(data["x"], data["y"], strict=True))) == 530
    # All in one small heap, a hundredth of the map.
    assert max(data["x"][30:]) - min(data["x"][30:]) < 1_000


def test_one_dimension():
    """Vectors that short are a line."""
    made = embedclf.text_map(TEXTS, vectors=np.arange(30, dtype=np.float32)[:, None])
    assert np.abs(np.diff(made.positions[:, 0])) == pytest.approx(1, abs=1e-5)
    assert (made.positions[:, 1] == 0).all()


def test_arguments_that_do_not_fit():
    """Nothing to place, or not as many."""
    with pytest.raises(embedclf.ArgumentError, match="there are no texts to map"):
        embedclf.text_map([])
    with pytest.raises(embedclf.ArgumentError, match="got 2 texts but 1 label"):
        embedclf.text_map(["a", "b"], ["x"])
    with pytest.raises(embedclf.EmbedclfError, match="got 2 texts but 3 vectors"):
        embedclf.text_map(["a", "b"], vectors=np.eye(3, dtype=np.float32))
    with pytest.raises(TypeError, match="texts must be a list of strings"):
        embedclf.text_map("a text")


def test_embedded_texts():
    """One stands for its texts, labels and vectors."""
    embedded = embedclf.EmbeddedTexts(TEXTS, LABELS, embedder="wordllama")
    made, same = embedclf.text_map(embedded), embedclf.text_map(TEXTS, LABELS, vectors=embedded.vectors)
    assert (made.texts, made.labels) == (tuple(TEXTS), tuple(LABELS))
    assert (made.positions == same.positions).all()


def test_a_long_wait_is_announced(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    """How many and about how long, before it begins; nothing is said of few."""
    monkeypatch.setattr("embedclf.exploration.projection._MANY", 20)
    caplog.set_level("INFO", "embedclf")
    embedclf.text_map(TEXTS[:20])
    assert caplog.messages == []
    embedclf.text_map(TEXTS)
    assert caplog.messages == ["Laying out 30 distinct texts (about 0 s) …"]


# --- the command's manners ---


def test_where_to_write(cli: Cli, dataset: Path):
    """An .html file that is not the dataset, or nothing but the places."""
    result = cli("map", dataset)
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: Missing --output FILE.html (or use --json for the coordinates only).\n")
    result = cli("map", dataset, "--output", "map.png")
    assert (result.exit_code, result.stderr) == (1, "Error: cannot write map.png: a page must be an .html file\n")
    result = cli("map", dataset, "--output", ".")
    assert result.exit_code == 1
    page = dataset.rename(dataset.with_suffix(".html"))
    result = cli("map", page, "--output", page)
    assert result.exit_code == 1
    assert result.stderr == f"Error: --output {page} is the same file as the dataset {page}: choose another\n"
    assert page.read_text().startswith("text,label")


@pytest.mark.slow
def test_a_file_name_of_other_bytes(process: Callable[..., Any], dataset: Path):
    """Is written as escapes: on Linux a name need not be Unicode."""
    dataset.rename(dataset.with_name("caf\udce9.csv"))
    result = process("map", "caf\udce9.csv", "--output", "map.html")
    assert result.returncode == 0, result.stderr
    page = Path("map.html").read_text(encoding="utf-8")
    assert r"<title>Map: wordllama:l2_supercat on caf\udce9.csv</title>" in page
    assert r'"source":"caf\udce9.csv"' in page  # where it is an escape of JSON


def test_without_labels_and_by_another_column(cli: Cli):
    """One colour, or that of the column which is named."""
    path = write_csv(Path("t.csv"), [(f"text {number}", str(number % 2)) for number in range(30)], ("text", "cluster"))
    assert cli("map", path, "--output", "m.html").exit_code == 0
    data = data_of(Path("m.html").read_text())
    assert (data["labels"], data["of"], data["day"]) == ([""], [0] * 30, [])
    assert cli("map", path, "--label-column", "cluster", "--output", "m.html").exit_code == 0
    data = data_of(Path("m.html").read_text())
    assert (data["labels"], data["of"]) == (["0", "1"], [0, 1] * 15)
    assert len(data["day"]) == len(data["night"]) == 2


def test_money(cli: Cli, dataset: Path, api: AimlapiServer):
    """A dry run sends nothing, and vectors are kept."""
    result = cli("map", dataset, "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("30 rows, 30 unique, 0 cached, 30 to embed: ")
    assert api.n_requests == 0
    assert cli("map", dataset, "--output", "m.html").exit_code == 0
    sent = api.n_requests
    assert sent
    assert json.loads(cli("map", dataset, "--json").stdout)["usage"]["from_cache"] == 30
    assert api.n_requests == sent


# --- the page's data ---


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_ten_thousand_texts_are_about_a_megabyte():
    """As whole numbers, texts cut where they are long; the longer side has its full resolution."""
    rng = np.random.default_rng(0)
    made = embedclf.TextMap(
        rng.normal(size=(10_000, 2)).astype(np.float32),
        tuple(f"{number} " + "some words of a usual length " * 3 for number in range(10_000)),
        tuple(f"label {number % 77}" for number in range(10_000)),
        "t-SNE",
        0.5,
    )
    page = embedclf.map_page(made, "large", source="large.csv", lines=range(2, 10_002))
    assert len(page.encode()) < 1_500_000
    data = data_of(page)
    assert max(max(data["x"]) - min(data["x"]), max(data["y"]) - min(data["y"])) == 65_535
    assert data["lines"][9_999] == 10_001
    long = embedclf.TextMap(np.eye(2, dtype=np.float32), ("<" * 10_000_000, "short"), ("", "a"), "PCA", None)
    page = embedclf.map_page(long, "long")
    assert len(page.encode()) < 100_000
    assert data_of(page)["texts"] == ["<" * 2_000 + " …", "short"]
    assert data_of(page)["labels"] == ["a", ""]


@pytest.mark.parametrize(("n", "least"), [(2, 0.25), (12, 0.1), (25, 0.07), (48, 0.04), (96, 0.025)])
@pytest.mark.parametrize(("colors", "background"), [(DAY, "#ffffff"), (NIGHT, "#14171a")], ids=["day", "night"])
def test_the_colors(colors: list[str], background: str, n: int, least: float):
    """Each is visible on its background (3 to 1, WCAG 2's for graphics), and far from all before it in OKLab."""
    assert len(colors) == 96
    for color in colors[:n]:
        one, other = sorted((luminance(color), luminance(background)))
        assert (other + 0.05) / (one + 0.05) >= 3, color
    places = oklab(colors[:n])
    assert (np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(n)).min() > least


def test_the_colors_are_the_same_by_day_and_by_night():
    """A label keeps its hue; and a further color is never farther from the others than those before it were."""
    day, night = oklab(DAY), oklab(NIGHT)
    turned = np.rad2deg(np.arctan2(day[:, 2], day[:, 1]) - np.arctan2(night[:, 2], night[:, 1]))
    assert np.abs((turned + 180) % 360 - 180).max() < 2
    distances = np.minimum(*(np.linalg.norm(one[:, None] - one[None], axis=2) for one in (day, night)))
    nearest = [distances[n, :n].min() for n in range(1, 96)]
    assert np.diff(nearest).max() < 0.003  # they are rounded to 8 bits


def oklab(colors: list[str]) -> Any:
    """OKLab coordinates, by the matrices of Björn Ottosson's "A perceptual color space for image processing" (2020)."""
    rgb = np.array([[int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)] for color in colors])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_cones = np.array([
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ])  # fmt: skip
    to_lab = np.array([
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ])  # fmt: skip
    return np.cbrt(linear @ to_cones.T) @ to_lab.T


# --- the page in a browser ---


@pytest.fixture
def show(browser: Any) -> Iterator[Any]:
    """Open a page from disk, without a network, and see that it complains of nothing."""
    pages: list[tuple[Any, list[str]]] = []

    def opened(path: str | Path, *, width: int = 1_100, scheme: str = "light", touch: bool = False) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True, has_touch=touch
        )
        page = context.new_page()
        complaints: list[str] = []
        pages.append((page, complaints))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url[:4] == "http" else None)
        page.goto(Path(path).absolute().as_uri())
        page.wait_for_selector("html[data-drawn]")
        return page

    yield opened
    for page, complaints in pages:
        assert complaints == []
        page.context.close()


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The map of a dataset, written by the command."""
    path = tmp_path_factory.mktemp("reviews") / "map.html"
    command = ["map", str(DATASETS / "product_reviews.csv"), "--output", str(path)]
    assert CliRunner(catch_exceptions=False).invoke(main, command).exit_code == 0
    return path


def written(positions: Any, texts: list[str], labels: list[str], **more: Any) -> str:
    """Write a page of points at these places."""
    made = embedclf.TextMap(np.array(positions, dtype=np.float32), tuple(texts), tuple(labels), "PCA", None)
    Path("map.html").write_text(embedclf.map_page(made, "A map", **more), encoding="utf-8")
    return "map.html"


# The lowest strip of the map is left to its buttons.
STRIP = 44
# A square with a label at each corner but one, which has none, and one in the middle that is there three times.
CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
NAMES = ["a", "b", "c", "", "a", "a", "b"]
SQUARE = ["one", "two", "three", "four", "middle first", "middle second", "middle third"]


def square(**more: Any) -> str:
    return written(CORNERS, SQUARE, NAMES, **more)


def point_at(page: Any, right: float, down: float, *, click: bool = False) -> None:
    """Point at a place in the square, from 0 to 1."""
    box = page.locator("#map").bounding_box()
    side = min(box["width"], box["height"] - STRIP) - 2 * min(36, box["width"] / 12)
    x = box["x"] + box["width"] / 2 + (right - 0.5) * side
    y = box["y"] + (box["height"] - STRIP) / 2 + (down - 0.5) * side
    page.mouse.move(x, y)
    if click:
        page.mouse.click(x, y)


def listed(page: Any) -> list[str]:
    return page.locator("#texts .text").all_text_contents() if page.locator("#found").is_visible() else []


def colour_at(page: Any, right: float, down: float) -> list[int]:
    """Give the colour in the middle of a point."""
    return page.evaluate(
        """([right, down, strip]) => {
          const canvas = document.getElementById("canvas"), width = canvas.width, height = canvas.height - strip;
          const side = Math.min(width, height) - 2 * Math.min(36, width / 12);
          const at = (length, share) => Math.round(length / 2 + (share - 0.5) * side);
          return [...canvas.getContext("2d").getImageData(at(width, right), at(height, down), 1, 1).data];
        }""",
        [right, down, STRIP],
    )[:3]


@pytest.mark.slow
def test_pointing_shows_the_text(show: Any):
    """With its label and place; away from points nothing; a click lists it."""
    page = show(square(source="t.csv", lines=[2, 3, 4, 5, 7, 8, 9]))
    assert page.title() == "A map"
    assert page.locator("#what").text_content() == "7 texts, 3 labels. Nearby texts are similar."
    assert not page.locator("#tip").is_visible()
    point_at(page, 1, 0)
    assert page.locator("#tip").text_content() == "bt.csv:3two"
    assert page.locator("#ring").is_visible()
    point_at(page, 0, 1)
    assert page.locator("#tip").text_content() == "no labelt.csv:5four"
    point_at(page, 0.25, 0.5)
    assert not page.locator("#tip").is_visible()
    assert not page.locator("#ring").is_visible()
    point_at(page, 1, 1, click=True)
    assert listed(page) == ["three"]
    page.get_by_role("button", name="Close").click()
    assert listed(page) == []


@pytest.mark.slow
def test_points_on_each_other_can_all_be_read(show: Any):
    """The tooltip counts them, a click lists them, and zooming parts them."""
    page = show(square(), width=400)
    point_at(page, 0.5, 0.5)
    assert page.locator("#tip").text_content() == "atext 5middle firstand 2 more texts here (click to list all)"
    point_at(page, 0.5, 0.5, click=True)
    assert listed(page) == SQUARE[4:]
    assert page.locator("#which").text_content() == "Texts at this spot"
    page.locator("#texts button").nth(1).click()
    page.locator("#canvas").focus()
    for _ in range(12):
        page.keyboard.press("+")
    found = set()
    box = page.locator("#map").bounding_box()
    for right in range(10, int(box["width"]), 20):
        for down in range(10, int(box["height"]), 40):
            page.mouse.move(box["x"] + right, box["y"] + down)
            if page.locator("#tip").is_visible():
                found.add(page.locator("#tip .text").text_content())
    assert found == set(SQUARE[4:])


@pytest.mark.slow
def test_a_label_is_singled_out(show: Any):
    """By a click in the legend or the keyboard: the others go pale and are not pointed at; again, and all are back."""
    page = show(square())
    pressed = "all => all.map(one => [one.textContent, one.getAttribute('aria-pressed')])"
    legend = page.locator("#legend button")
    assert legend.evaluate_all(pressed) == [["a3", "false"], ["b2", "false"], ["c1", "false"], ["no label1", "false"]]
    bright = colour_at(page, 1, 0)
    legend.nth(0).click()
    assert legend.evaluate_all(pressed)[:2] == [["a3", "true"], ["b2", "false"]]
    assert page.locator("#shown").text_content() == "3 of 7 texts"
    assert listed(page) == ["one", "middle first", "middle second"]
    page.wait_for_function("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
    assert colour_at(page, 1, 0) == [0xD9, 0xDD, 0xE2] != bright
    point_at(page, 1, 0)
    assert not page.locator("#tip").is_visible()
    point_at(page, 0, 0)
    assert page.locator("#tip .text").text_content() == "one"
    legend.nth(0).click()
    assert page.locator("#shown").text_content() == "7 texts"

    legend.nth(1).focus()
    page.keyboard.press("Enter")
    assert page.locator("#shown").text_content() == "2 of 7 texts"
    page.get_by_role("button", name="Show all").click()
    assert page.locator("#shown").text_content() == "7 texts"
    assert listed(page) == []
    legend.nth(3).focus()
    page.keyboard.press("Space")
    assert listed(page) == ["four"]
    page.keyboard.press("Escape")
    assert page.locator("#shown").text_content() == "7 texts"


@pytest.mark.slow
def test_search(show: Any):
    """What is found is lit and listed, whatever its case; together with a label, too."""
    page = show(square())
    page.get_by_label("Search texts").fill("MIDDLE")
    assert page.locator("#shown").text_content() == "3 of 7 texts"
    assert listed(page) == SQUARE[4:]
    page.locator("#legend button").nth(1).click()
    assert listed(page) == ["middle third"]
    page.get_by_label("Search texts").fill("no text has this")
    assert page.locator("#shown").text_content() == "0 of 7 texts"
    assert listed(page) == []
    page.get_by_role("button", name="Show all").click()
    assert page.locator("#shown").text_content() == "7 texts"
    assert page.get_by_label("Search texts").input_value() == ""


@pytest.mark.slow
def test_zooming_and_moving(show: Any):
    """By wheel, hand, keys and buttons; and back to the whole."""
    page = show(square())
    point_at(page, 1, 0)
    page.mouse.wheel(0, -300)
    point_at(page, 1, 0)  # what was pointed at stays under the pointer
    assert page.locator("#tip .text").text_content() == "two"
    point_at(page, 0, 0)
    assert not page.locator("#tip").is_visible()
    page.get_by_role("button", name="Whole map").click()
    point_at(page, 0, 0)
    assert page.locator("#tip .text").text_content() == "one"
    page.mouse.down()
    point_at(page, 0.3, 0.2)
    page.mouse.up()
    page.mouse.move(0, 0)
    point_at(page, 0.3, 0.2)
    assert page.locator("#tip .text").text_content() == "one"
    assert listed(page) == []
    page.locator("#canvas").focus()
    page.keyboard.press("0")
    point_at(page, 0, 0)
    assert page.locator("#tip .text").text_content() == "one"
    page.keyboard.press("+")
    point_at(page, 0, 0)
    assert not page.locator("#tip").is_visible()
    page.keyboard.press("-")
    point_at(page, 0, 0)
    assert page.locator("#tip .text").text_content() == "one"


@pytest.mark.slow
def test_fingers(show: Any):
    """A tap shows and lists a text; two fingers that part zoom."""
    page = show(square(), width=400, touch=True)
    box = page.locator("#map").bounding_box()
    side = min(box["width"], box["height"] - STRIP) - 2 * min(36, box["width"] / 12)
    x, y = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - STRIP - side) / 2
    page.touchscreen.tap(x, y)
    assert page.locator("#tip .text").text_content() == "one"
    assert listed(page) == ["one"]
    session = page.context.new_cdp_session(page)
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]

    def touch(kind: str, *apart: int) -> None:
        points = [{"x": middle[0] + part, "y": middle[1], "id": number} for number, part in enumerate(apart)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", -30, 30)
    for reach in (50, 80, 120):
        touch("touchMove", -reach, reach)
    touch("touchEnd")
    page.touchscreen.tap(x, y)
    assert not page.locator("#tip").is_visible()
    assert page.locator("#ring").is_hidden()


@pytest.mark.slow
def test_texts_are_text(show: Any):
    """Scripts in texts, labels and titles are shown, not run."""
    made = embedclf.TextMap(
        np.eye(2, dtype=np.float32), (HOSTILE, "b\0\x1b[31m"), (HOSTILE, "tab\tline\n"), "PCA", None
    )
    page_of = embedclf.map_page(made, HOSTILE, source=HOSTILE, lines=[2, 3])
    Path("odd.html").write_text(page_of, encoding="utf-8")
    page = show("odd.html")
    assert page.title() == HOSTILE
    assert page.locator("h1").text_content() == HOSTILE
    page.get_by_label("Search texts").fill("hacked")
    assert listed(page) == [HOSTILE]
    assert page.locator("#texts .name").text_content() == HOSTILE
    assert page.locator("#texts .place").text_content() == f"{HOSTILE}:2"
    assert page.locator("#legend .name").all_text_contents() == [HOSTILE, "tab\tline\n"]
    assert page.locator("b").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1_100])
@pytest.mark.exhaustive
def test_it_fits_and_can_be_read(show: Any, reviews: Path, width: int, scheme: str):
    """On a phone and a desk, by day and by night: nothing sticks out, every label is in the legend."""
    page = show(reviews, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#legend .name").all_text_contents() == ["negative", "neutral", "positive"]
    assert all(button.is_visible() for button in page.locator("#legend button").all())
    paper, *inks = page.evaluate(
        "['--paper', '--ink', '--faint', '--accent']"
        ".map(name => getComputedStyle(document.documentElement).getPropertyValue(name).trim())"
    )
    paper = {"#fff": "#ffffff"}.get(paper, paper)
    assert (luminance(paper) > 0.5) == (scheme == "light")
    for ink in inks:
        one, other = sorted((luminance(ink), luminance(paper)))
        assert (other + 0.05) / (one + 0.05) >= 4.5, ink
    corner = page.evaluate("[...document.getElementById('canvas').getContext('2d').getImageData(1, 1, 1, 1).data]")
    assert corner[:3] == [int(paper[place : place + 2], 16) for place in (1, 3, 5)]
    page.locator("#search").fill("quality")
    box = page.locator("#map").bounding_box()
    for down in range(10, int(box["height"]), 20):
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + down)
        if page.locator("#tip").is_visible():
            tip = page.locator("#tip").bounding_box()
            assert tip["x"] >= 0
            assert tip["x"] + tip["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def becomes(true: Callable[[], bool]) -> bool:
    """Whether something is so in the end: a page is drawn anew with the next frame."""
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


@pytest.mark.slow
def test_paper_and_a_change_of_scheme(show: Any):
    """Of a dark screen, too, it prints on white with the legend; the colours follow the screen."""
    page = show(square(), scheme="dark")
    assert becomes(lambda: sum(colour_at(page, 0.25, 0.5)) < 100)
    page.emulate_media(color_scheme="light")
    assert becomes(lambda: colour_at(page, 0.25, 0.5) == [255, 255, 255])
    page.emulate_media(color_scheme="dark", media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert becomes(lambda: colour_at(page, 0.25, 0.5) == [255, 255, 255])
    assert page.locator("#legend").is_visible()
    assert not page.locator("#search").is_visible()
    assert not page.locator("#zoom").is_visible()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert becomes(lambda: sum(colour_at(page, 0.25, 0.5)) < 100)


@pytest.mark.slow
def test_many_labels(show: Any):
    """The legend of many can be filtered; colours come again where there are too many to tell apart."""
    rng = np.random.default_rng(0)
    labels = [f"label {number % 300:03}" for number in range(900)]
    page = show(written(rng.normal(size=(900, 2)), [f"text {number}" for number in range(900)], labels))
    assert page.locator("#legend li:visible").count() == 300
    page.get_by_label("Find a label").fill("LABEL 29")
    assert page.locator("#legend li:visible .name").all_text_contents() == [f"label 29{digit}" for digit in range(10)]
    page.locator("#legend li:visible button").nth(7).click()
    assert listed(page) == ["text 297", "text 597", "text 897"]


@pytest.mark.slow
def test_without_labels_there_is_no_legend(show: Any):
    """Only the search, and what is pointed at; a single text is no trouble."""
    page = show(written([[0, 0], [1, 1]], ["one", "two"], ["", ""]))
    assert page.locator("#what").text_content() == "2 texts. Nearby texts are similar."
    assert not page.locator("#labels").is_visible()
    assert not page.locator("#naming").is_visible()
    point_at(page, 0, 0)
    assert page.locator("#tip").text_content() == "text 1one"
    page = show(written([[3, 3]], ["alone"], ["x"]))
    point_at(page, 0.5, 0.5)
    assert page.locator("#tip .text").text_content() == "alone"


@pytest.mark.slow
def test_it_can_be_used_without_a_mouse_or_eyes(show: Any):
    """A language, named fields and buttons, a focus that is seen, and all of it reached by the Tab key."""
    page = show(square())
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("h1, h2").first.evaluate("one => one.tagName") == "H1"
    unnamed = "all => all.filter(one => !one.labels?.length && !one.ariaLabel && !one.textContent.trim()).length"
    assert page.locator("input, button").evaluate_all(unnamed) == 0
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        name, style = page.evaluate(
            "[document.activeElement === document.body ? 'body'"
            " : document.activeElement.id || document.activeElement.textContent,"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert name == "body" or style == "solid", name
        reached.add(name)
    assert {"canvas", "names", "in", "out", "whole", "search", "a3", "b2", "c1", "no label1"} <= reached
    page.locator("#search").fill("two")
    page.keyboard.press("Tab")
    for _ in range(9):
        page.keyboard.press("Tab")
        if page.evaluate("Boolean(document.activeElement.closest('#texts'))"):
            break
    assert page.locator("#ring").is_visible()


@pytest.mark.slow
def test_a_lasso_selects_texts_whose_lines_can_be_copied(show: Any):
    """By the button, or with Shift held; a new loop selects anew, and Escape ends it."""
    page = show(square(source=["t.csv", *["u.csv"] * 6], lines=[2, 2, 3, 4, 6, 7, 8]))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Lasso").click()
    draw(page, (-0.05, -0.05), (1.05, -0.05), (1.05, 0.1), (-0.05, 0.1))
    assert page.locator("#which").text_content() == "Selected texts"
    assert listed(page) == ["one", "two"]
    page.get_by_role("button", name="Copy lines").click()
    assert becomes(lambda: page.locator("#shown").text_content() == "2 lines copied")
    assert page.evaluate("navigator.clipboard.readText()") == "t.csv:2\nu.csv:2"
    page.keyboard.press("Escape")
    assert listed(page) == []
    page.keyboard.down("Shift")
    draw(page, (-0.05, 0.9), (1.05, 0.9), (1.05, 1.02), (-0.05, 1.02))
    page.keyboard.up("Shift")
    assert sorted(listed(page)) == ["four", "three"]
    page.get_by_role("button", name="Show all").click()
    assert page.locator("#shown").text_content() == "7 texts"


@pytest.mark.slow
def test_predictions_can_be_seen(show: Any):
    """As colours, beside the label, and as rings around rows that a model takes for another label."""
    predictions = [("a", 0.9), ("a", 0.8), ("c", 0.9), ("b", 0.9), ("a", 0.9), ("d", 0.4), ("b", 0.9)]
    page = show(square(predictions=predictions))
    legend = page.locator("#legend li:visible")
    assert legend.all_text_contents() == ["a3", "b2", "c1", "no label1"]
    before = colour_at(page, 1, 0)
    point_at(page, 1, 0)
    assert page.locator("#tip").text_content() == "btext 2predicteda80 %two"
    page.get_by_label("Colour by").select_option("predicted label")
    assert becomes(lambda: colour_at(page, 1, 0) != before)
    assert legend.all_text_contents() == ["a3", "b2", "c1", "d1"]
    page.get_by_role("button", name="1 suspected row").click()
    assert listed(page) == ["two"]
    assert page.get_by_role("button", name="1 suspected row").get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert page.locator("#shown").text_content() == "7 texts"


def draw(page: Any, *shares: tuple[float, float]) -> None:
    """Draw around a part of the map, at shares of the square."""
    for number, (right, down) in enumerate(shares):
        point_at(page, right, down)
        if not number:
            page.mouse.down()
    page.mouse.up()
