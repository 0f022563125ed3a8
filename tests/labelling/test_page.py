"""The labelling page, in a real browser."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from colours import luminance

from corpus import LABELS, TEXTS
from embedclf.data.corpus import read_corpus
from label_server import answers_in, label_command, labelling, texts_of
from running import PATIENCE

pytestmark = pytest.mark.slow

HOSTILE = "<script>document.title='hacked'</script> & <b>bold</b>"
READY = "body[data-state=ready]"
DIGIT = {"delivery": "1", "password": "2", "refund": "3"}  # before anything is learned


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "labelled.csv"


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open an address; the page may ask its own server only, and complain of nothing but what a test expects."""
    opened: list[tuple[Any, list[str], bool]] = []

    def open_page(address: str, *, width: int = 1_100, complains: bool = False, **settings: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        context.set_default_timeout(1_000 * PATIENCE)
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        own = address.partition("/?")[0]
        page.on("request", lambda request: None if request.url.startswith(own) else said.append(request.url))
        page.goto(address)
        page.wait_for_selector(READY)
        opened.append((page, said, complains))
        return page

    yield open_page
    for page, said, complains in opened:
        assert complains or said == []
        page.context.close()


def press(page: Any, *keys: str) -> None:
    """Press keys one by one, each once the page takes it."""
    for key in keys:
        page.wait_for_selector(READY)
        page.keyboard.press(key)
    page.wait_for_selector(READY)


def text_on(page: Any) -> str:
    return page.locator("#words").text_content()


def names_on(page: Any) -> list[str]:
    return [button.get_attribute("aria-label") for button in page.locator("#labels button").all()]


def label_by_keys(page: Any, n: int) -> None:
    """Label texts with the labels that they have in the corpus."""
    for _ in range(n):
        page.wait_for_selector(READY)
        text = text_on(page).partition(" #")[0]
        label = LABELS[TEXTS.index(text)]
        # The digits follow the guesses, once something is learned.
        (place,) = [place for place, name in enumerate(names_on(page), 1) if name.startswith(f"{place}: {label}")]
        page.keyboard.press(str(place))
    page.wait_for_selector(READY)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


class TestAtWork:
    def test_a_hundred_texts_by_keys_alone(self, output: Path, show: Any):
        """With the page loaded again in between, the server killed and started again, every answer is kept once."""
        texts, port = texts_of(100), free_port()
        inbox = output.with_name("inbox.csv")
        inbox.write_text("".join(f'"{line}"\n' for line in ["text", *texts]))
        labels = [part for label in DIGIT for part in ("--label", label)]
        command = (inbox, "-o", output, *labels, "--order", "file", "--test-share", 0, "--port", port)
        with label_command(*command) as first:
            page = show(first.address, complains=True)  # about the server that does not answer
            assert page.url == f"http://127.0.0.1:{port}/"
            label_by_keys(page, 30)
            shown = text_on(page)
            page.reload()
            page.wait_for_selector(READY)
            assert text_on(page) == shown
            label_by_keys(page, 20)
        page.keyboard.press("1")  # not kept: nobody is there
        page.get_by_role("alert").get_by_text("The server has stopped. Run the same command again").wait_for()
        assert len(answers_in(output)) == 50
        with label_command(*command) as second:
            # Its page does not know this browser yet.
            page.get_by_role("alert").get_by_text("Open the address that it printed this time").wait_for()
            assert page.context.request.get(second.address).ok  # in another tab, say
            page.get_by_text("The server is back.").wait_for()
            page.wait_for_selector(READY)
            assert page.get_by_role("alert").text_content() == ""
            label_by_keys(page, 50)
            page.get_by_role("heading", name="No texts left").wait_for()
            page.get_by_role("button", name="Finish").click()
            page.get_by_role("heading", name="Finished").wait_for()
            said = page.locator("#over-said").inner_text()
            assert said.startswith(f"Wrote {output} (100 rows)\nTrain with: embedclf train {output}\n")
            code, told = second.end()
            assert code == 0
            assert told == f"{said.partition(chr(10) * 2)[0]}\n"  # no line about each request
        answers = answers_in(output)
        assert sorted(one["row"] for one in answers) == list(range(100))
        written = read_corpus(output)
        assert list(written.texts) == texts
        assert list(written.labels) == [LABELS[row % len(LABELS)] for row in range(100)]

    def test_a_key_is_for_the_text_that_is_seen(self, output: Path, show: Any):
        """Pressed twice or held, it does not answer the text that has only just come."""
        with labelling(output, texts_of(20)) as server:
            page = show(server.address)
            page.evaluate("""() => {
              for (const repeat of [false, false, true, true]) {
                document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "1", repeat, bubbles: true }));
              }
            }""")
            page.wait_for_function("() => document.getElementById('words').textContent.endsWith('#1')")
            page.evaluate(
                "() => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '1', bubbles: true }))"
            )
            page.wait_for_selector(READY)
            assert text_on(page).endswith("#1")
            page.get_by_role("button", name="2: password").dblclick()
            page.wait_for_selector(READY)
            assert text_on(page).endswith("#2")
        assert [one["labels"] for one in answers_in(output)] == [["delivery"], ["password"]]

    def test_skip_undo_and_note(self, output: Path, show: Any):
        """Several answers are taken back one after the other; a note is kept, and comes back with its text."""
        with labelling(output, texts_of(9)) as server:
            page = show(server.address)
            page.keyboard.press("+")
            page.keyboard.type("3 late, see #7")
            page.keyboard.press("Enter")
            press(page, "3")
            assert page.get_by_text("✓ refund").is_visible()
            assert not page.get_by_label("Note, saved with the answer").is_visible()
            press(page, "ArrowRight")
            assert page.get_by_text("Skipped.").is_visible()
            assert "1 of 9 labelled · 1 skipped" in page.locator("header").text_content()
            press(page, "ArrowLeft", "Control+z")
            assert text_on(page).endswith("#0")
            assert page.get_by_text("Undone: refund.").is_visible()
            assert page.get_by_label("Note, saved with the answer").input_value() == "3 late, see #7"
            press(page, "ArrowLeft")
            assert page.get_by_text("There is nothing to undo.").is_visible()
            press(page, "1")
        kept = [one for one in answers_in(output) if "undone" not in one]
        assert [(one["labels"], one.get("note", "")) for one in kept] == [
            (["refund"], "3 late, see #7"),
            (None, ""),
            (["delivery"], "3 late, see #7"),
        ]

    def test_labels_are_found_and_made_by_typing(self, output: Path, show: Any):
        """Enter takes the one that is meant; one that is spelt nearly like another is made on purpose only."""
        known = ["card lost", "Über uns", "refund", "x2"]
        with labelling(output, texts_of(9), known=known) as server:
            page = show(server.address)
            page.keyboard.type("LOST")
            press(page, "Enter")
            page.keyboard.type("uber")
            press(page, "Enter")
            page.keyboard.type("refnud")
            assert "There is no label refnud. Enter chooses refund" in page.locator("#hint").text_content()
            press(page, "Enter")
            page.keyboard.type("Refund")
            assert "Refund is spelt almost like refund" in page.locator("#hint").text_content()
            press(page, "Shift+Enter")
            page.keyboard.type("x2")  # the digit is part of it
            press(page, "Enter")
            page.keyboard.type("quite new")
            assert page.locator("#hint").text_content() == "Enter creates the label quite new."
            press(page, "Enter")
            page.keyboard.type("new")
            assert names_on(page) == ["quite new", "new label new"]
            press(page, "ArrowDown", "Enter")
            page.keyboard.type("ref")
            press(page, "Escape")
            assert page.locator("#find").input_value() == ""
            assert "2: card lost" in names_on(page)
        labels = [one["labels"] for one in answers_in(output)]
        assert labels == [["card lost"], ["Über uns"], ["refund"], ["Refund"], ["x2"], ["quite new"], ["new"]]

    def test_several_labels(self, output: Path, show: Any):
        """Digits choose, Enter goes on; a text without any is asked about once."""
        with labelling(output, texts_of(9), several=True, is_learned=True) as server:
            page = show(server.address)
            press(page, "1", "3", "2", "2")
            assert page.get_by_role("button", name="1: delivery").get_attribute("aria-pressed") == "true"
            assert page.get_by_role("button", name="2: password").get_attribute("aria-pressed") == "false"
            page.keyboard.type("odd")
            press(page, "Enter")
            assert page.get_by_role("button", name="Save 3 labels").is_visible()
            press(page, "Enter", "Enter")
            assert "Press Enter again if the text has none" in page.locator("#hint").text_content()
            press(page, "Enter", "ArrowLeft", "ArrowLeft")
            pressed = page.locator("#labels [aria-pressed=true]").all()
            assert [one.get_attribute("aria-label").partition(": ")[2] for one in pressed] == [
                "delivery, 83\u00a0%", "refund, <\u00a01\u00a0%", "odd"
            ]  # fmt: skip
            press(page, "1", "Enter")
        kept = [one["labels"] for one in answers_in(output) if "undone" not in one]
        assert kept == [["delivery", "odd", "refund"], [], ["odd", "refund"]]

    def test_a_label_is_kept_or_changed(self, output: Path, show: Any):
        """Enter keeps the one that a text has."""
        labels = [["refund"]] * 3
        with labelling(output, texts_of(3), labels=labels, is_learned=True) as server:
            page = show(server.address)
            assert page.get_by_role("button", name="Keep refund").is_visible()
            assert "3: refund, <\u00a01\u00a0%, current label" in names_on(page)
            press(page, "Enter", "1")
        assert [one["labels"] for one in answers_in(output)] == [["refund"], ["delivery"]]

    def test_two_windows(self, output: Path, show: Any):
        """They show different texts; of two answers to one text the first is kept, and the other window told."""
        with labelling(output, texts_of(9)) as server:
            page = show(server.address, complains=True)  # Chromium logs the 409
            other = page.context.new_page()
            other.goto(f"http://127.0.0.1:{server.port}/")
            other.wait_for_selector(READY)
            assert (text_on(page), text_on(other)) == (f"{TEXTS[0]} #0", f"{TEXTS[1]} #1")
            # A window that was copied in the browser has the name of the first, too.
            name = page.evaluate("sessionStorage.getItem('window')")
            other.evaluate("(name) => sessionStorage.setItem('window', name)", name)
            other.reload()
            other.wait_for_selector(READY)
            assert text_on(other) == text_on(page)
            press(page, "1")
            press(other, "2")
            said = other.locator("#said").text_content()
            assert said == "Another window has already labelled this text delivery; your answer was not saved."
            assert not text_on(other).endswith("#0")
        assert [one["labels"] for one in answers_in(output)] == [["delivery"]]

    def test_finishing(self, output: Path, show: Any):
        """The page shows what was written, and the server ends."""
        said = "Wrote 2 rows to labelled.csv\nNext: embedclf train labelled.csv"
        with labelling(output, texts_of(2), said=said) as server:
            page = show(server.address)
            press(page, "1")
            page.get_by_role("button", name="Finish").click()
            page.get_by_role("heading", name="Finished").wait_for()
            assert page.locator("#over-said").inner_text().startswith(said)
            code, _ = server.end()
            assert code == 0
            assert page.get_by_role("alert").text_content() == ""

    def test_a_link_in_another_page_opens_it(self, output: Path, browser: Any):
        """As in a terminal that is in the browser: a strict cookie is not sent after a redirect from there."""
        with labelling(output, texts_of(2)) as server, labelling(output.with_name("o.csv"), ["x"]) as other:
            page = browser.new_page()
            page.goto(f"http://localhost:{other.port}/")  # another site, whatever it shows
            page.evaluate(
                "(url) => { const a = document.createElement('a'); a.href = url; a.id = 'a'; a.textContent = 'open'; "
                "document.body.append(a); }",
                server.address,
            )
            page.click("#a")
            page.wait_for_selector(READY)
            assert page.url == f"http://127.0.0.1:{server.port}/"
            page.close()


class TestProgress:
    def test_what_the_labels_bring_is_shown(self, output: Path, show: Any):
        """The accuracy with its interval and curve, in words too, the test set, the counts, and advice."""
        with labelling(output, texts_of(40), is_learned=True, has_test=True) as server:
            page = show(server.address)
            assert page.get_by_text("Measured once there are enough labels.").is_visible()
            for number in range(28):
                press(page, "1")
                assert page.locator("#apart").is_visible() == (number % 4 == 2)
            beside = page.get_by_role("complementary", name="Progress")
            said = beside.inner_text()
            assert "90.0\u00a0%\n80.0 to 95.0\u00a0% (95\u00a0%), out of fold on 20 labelled texts" in re.sub(
                r"\n+", "\n", said
            )
            assert "The last 10 labels changed the accuracy by +0.4 points (−1.1 to +1.9)." in said
            assert "50.0 to 90.0\u00a0% (95\u00a0%), on 12 random texts" in said
            curve = beside.get_by_role("img").get_attribute("aria-label")
            assert curve == ("Accuracy against the number of labels: 80.0\u00a0% with 10; 90.0\u00a0% with 20.")
            rows = beside.get_by_role("row").all_inner_texts()
            assert sum(int(row.split()[-1]) for row in rows) == 28
            assert "28 of 40 labelled · 7 for the test" in page.get_by_role("banner").inner_text()


class TestLook:
    @pytest.mark.parametrize("dark", [False, True])
    def test_it_fits_a_phone(self, output: Path, show: Any, dark: bool):
        """Nothing sticks out at 400 pixels, buttons are large enough for a thumb, and colours differ enough."""
        known = [f"a_rather_long_name_of_a_label_{number}_that_does_not_fit_into_one_line" for number in range(30)]
        scheme = "dark" if dark else "light"
        settings = {"color_scheme": scheme, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
        with labelling(output, ["w" * 3_000, *texts_of(20)], known=known, is_learned=True) as server:
            page = show(server.address, width=400, **settings)
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
            page.locator("summary").tap()
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
            for button in page.locator("button:visible").all():
                assert button.bounding_box()["height"] >= 44
            for _ in range(12):
                page.locator("#labels button").first.tap()
                page.wait_for_selector(READY)
                page.wait_for_timeout(300)  # two quick taps at one place would be one gesture
            assert page.locator("#curve svg").is_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
            # The tools stay within reach, wherever the page is scrolled.
            page.evaluate("scrollTo(0, 0)")
            assert page.get_by_role("button", name="Undo").bounding_box()["y"] < 900
            names = ("paper", "ink", "faint", "accent", "wrong", "tile")
            read = "(name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()"
            seen = {name: luminance(page.evaluate(read, name)) for name in names}
            assert (seen["paper"] < 0.5) is dark
            for ground in ("paper", "tile"):
                for name in ("ink", "faint", "accent", "wrong"):
                    low, high = sorted((seen[ground], seen[name]))
                    assert (high + 0.05) / (low + 0.05) >= 4.5

    def test_everything_has_a_name_and_a_key(self, output: Path, show: Any):
        """A screen reader hears each new text; the keys reach everything, and are listed."""
        with labelling(output, texts_of(9), is_learned=True) as server:
            page = show(server.address)
            assert page.get_by_role("button", name="1: delivery, 83\u00a0%").is_visible()
            assert page.locator("#words").get_attribute("aria-live") == "polite"
            assert page.evaluate("document.activeElement.id") == "find"
            for one in page.locator("button:visible, input:visible, [tabindex]:visible, progress").all():
                named = one.evaluate("e => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent")
                assert named.strip()
            press(page, "?")
            dialog = page.get_by_role("dialog", name="Keys")
            assert "Skip the text" in dialog.inner_text()
            page.keyboard.press("1")  # not while it is open
            page.keyboard.press("Escape")
            assert text_on(page).endswith("#0")
            # A button that has the focus is pressed by its own keys.
            page.get_by_role("button", name="2: password").focus()
            page.keyboard.press("Enter")
            page.wait_for_selector(READY)
            page.get_by_role("button", name="Skip").focus()
            page.keyboard.press("Space")
            page.wait_for_selector(READY)
            assert text_on(page).endswith("#2")
        assert [one["labels"] for one in answers_in(output)] == [["password"], None]

    def test_texts_and_labels_are_text(self, output: Path, show: Any):
        """Never HTML, in whatever direction they are written, with their line breaks."""
        arabic = "أين طردي؟"
        texts = [f"one\n  two {HOSTILE}", arabic, *texts_of(3)]
        with labelling(output, texts, known=[HOSTILE, arabic]) as server:
            page = show(server.address)
            assert page.locator("#words").inner_text() == texts[0]
            assert page.locator("main script, main b").count() == 0
            press(page, "1")
            assert page.title() == "1 of 5 – embedclf label"
            assert HOSTILE in page.locator("#said").text_content()
            assert page.locator("#words").evaluate("e => getComputedStyle(e).direction") == "rtl"
            page.keyboard.type("<b>x</b>")
            assert page.locator("main script, main b").count() == 0
            press(page, "Shift+Enter")
            assert HOSTILE in page.locator("#of-labels").text_content()
        assert [one["labels"] for one in answers_in(output)] == [[HOSTILE], ["<b>x</b>"]]

    def test_a_long_text_is_scrolled_by_keys(self, output: Path, show: Any):
        """And the next one starts at its top, with the labels where they were."""
        with labelling(output, ["line\n" * 300, "line\n" * 301]) as server:
            page = show(server.address)
            where = page.locator("#labels").bounding_box()
            press(page, "PageDown")
            assert page.evaluate("document.getElementById('text').scrollTop") > 50
            press(page, "1")
            assert page.evaluate("document.getElementById('text').scrollTop") == 0
            assert page.locator("#labels").bounding_box()["y"] == where["y"]
