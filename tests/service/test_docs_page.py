"""The service's page, in a real browser."""

import base64
import contextlib
import hashlib
import io
import re
import subprocess
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest

import embedclf
from corpus import LABELS, QUICK, TEXTS
from serving import TEXT, serving

HOSTILE = "<script>document.title='hacked'</script> & <b>bold</b>"
TOKEN = "a-good-token"


@pytest.fixture(scope="module")
def hostile() -> embedclf.TextClassifier:
    """A classifier one of whose labels is HTML."""
    labels = [HOSTILE if label == "refund" else label for label in LABELS]
    return embedclf.train(TEXTS, labels, **QUICK)


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page; it may ask its own service only, and complain of nothing but what a test expects."""
    opened: list[tuple[Any, list[str], int]] = []

    def open_page(url: str, *, width: int = 1_100, complaints: int = 0) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900})
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(url) else said.append(request.url))
        page.goto(url)
        opened.append((page, said, complaints))
        return page

    yield open_page
    for page, said, complaints in opened:
        assert len(said) == complaints, said
        page.context.close()


def try_text(page: Any, text: str) -> None:
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Classify").click()


def snippet(html: str, name: str) -> str:
    (found,) = re.findall(rf'<code id="in-{name}"[^>]*>(.*?)</code>', html, flags=re.DOTALL)
    return unescape(found)


class TestWithoutToken:
    @pytest.mark.slow
    def test_a_text_is_tried(self, trained: embedclf.TextClassifier, show: Any):
        """Its label, the likeliest labels and the words that counted; offsets count emoji as one character."""
        with serving(embedclf.create_app(trained)) as client:
            page = show(str(client.base_url))
            try_text(page, "\U0001f600 Where is my refund?")
            page.wait_for_selector("#verdict h3")
            assert page.locator("#verdict h3").text_content() == "refund"
            assert page.locator(".bars tr").count() == 3
            assert page.locator(".words").text_content() == "\U0001f600 Where is my refund?"
            assert "refund" in page.locator(".words mark").all_text_contents()
            assert "For refund: refund" in page.locator("#details > .note").text_content()

    @pytest.mark.slow
    def test_the_model_is_described(self, trained: embedclf.TextClassifier, show: Any):
        """Its classes, embedder, features and accuracy."""
        with serving(embedclf.create_app(trained)) as client:
            page = show(str(client.base_url.join("/docs")).removesuffix("docs"))
            page.wait_for_selector("#card dl")
            said = page.locator("#card").text_content()
        assert "Classes3: delivery, password, refund" in said
        assert "Embedderwordllama:l2_supercat (256 dimensions)" in said
        assert re.search(r"Accuracy[\d.]+\s% of 6 held-out texts", said)

    @pytest.mark.slow
    def test_abstaining_and_faults_are_said(self, trained: embedclf.TextClassifier, show: Any):
        """In words, and a fault of one text does not stay."""
        with serving(embedclf.create_app(trained.with_min_confidence(1.0))) as client:
            page = show(str(client.base_url), complaints=1)
            try_text(page, TEXT)
            page.wait_for_selector("text=The classifier abstains")
            try_text(page, "")
            page.wait_for_selector("text=Cannot be classified: the text is empty")
            try_text(page, "a" * 20_001)
            page.wait_for_selector("text=422: text: 20,001 characters exceed the limit")
            try_text(page, TEXT)
            page.wait_for_selector("text=The classifier abstains")
            assert page.locator("#fault").text_content() == ""

    @pytest.mark.slow
    def test_labels_and_texts_are_text(self, hostile: embedclf.TextClassifier, show: Any):
        """Never HTML."""
        with serving(embedclf.create_app(hostile)) as client:
            page = show(str(client.base_url))
            try_text(page, f"refund {HOSTILE} refund")
            page.wait_for_selector("#verdict h3")
            assert page.locator("#verdict h3").text_content() == HOSTILE
            assert HOSTILE in page.locator("#card").text_content()
            assert page.title() == f"embedclf {embedclf.__version__}"
            assert page.locator("main script, main b").count() == 0

    @pytest.mark.slow
    def test_it_fits_a_phone_and_a_keyboard(self, trained: embedclf.TextClassifier, show: Any):
        """Nothing sticks out at 400 pixels; the keys reach everything, and each thing has a name."""
        with serving(embedclf.create_app(trained)) as client:
            page = show(str(client.base_url), width=400)
            page.wait_for_selector("#card dl")
            page.keyboard.press("Tab")
            page.keyboard.type(TEXT)
            page.keyboard.press("Control+Enter")
            page.wait_for_selector(".bars")
            page.locator("summary").first.click()
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
            for one in page.locator("button:visible, textarea:visible, [tabindex]:visible").all():
                named = one.evaluate("e => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent")
                assert named.strip()


class TestWithToken:
    @pytest.mark.slow
    def test_it_asks_for_the_token_and_keeps_it_in_memory(self, trained: embedclf.TextClassifier, show: Any):
        """Nothing is stored; loaded again, it asks again."""
        with serving(embedclf.create_app(trained, token=TOKEN)) as client:
            page = show(str(client.base_url), complaints=1)
            assert not page.get_by_label("Text", exact=True).is_visible()
            page.get_by_label("Token").fill("wrong")
            page.keyboard.press("Enter")
            page.wait_for_selector("text=The token is missing or wrong.")
            page.get_by_label("Token").fill(TOKEN)
            page.keyboard.press("Enter")
            page.wait_for_selector("#card dl")
            try_text(page, TEXT)
            page.wait_for_selector("#verdict h3")
            kept = "localStorage.length + sessionStorage.length + document.cookie.length"
            assert page.evaluate(kept) == 0
            assert page.url == f"{client.base_url}/"
            assert TOKEN not in page.content()
            page.reload()
            page.wait_for_selector("#token:visible")
            assert page.get_by_label("Token").input_value() == ""

    def test_the_page_tells_nothing_of_the_model(self, trained: embedclf.TextClassifier):
        """Nor does the description: both can be read without the token."""
        with serving(embedclf.create_app(trained, token=TOKEN)) as client:
            for path in ("/", "/docs", "/openapi.json"):
                answer = client.get(path)
                assert answer.status_code == 200
                for secret in (TOKEN, "wordllama", "refund", "delivery"):
                    assert secret not in answer.text


class TestSource:
    def test_it_contacts_nothing_else(self, trained: embedclf.TextClassifier):
        """It holds no address but its own; only its own script and style may run, by their digests."""
        with serving(embedclf.create_app(trained)) as client:
            page, docs = client.get("/"), client.get("/docs")
            paths = client.get("/openapi.json").json()["paths"]
        assert page.text == docs.text
        for path in ("/predict", "/health", "/ready", "/model", "/metrics"):
            assert path in paths
            assert f" {path}</code></h3>" in page.text
        assert set(re.findall(r'(?:src|href)="(.*?)"', page.text)) == {"/openapi.json"}
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        for kind in ("script", "style"):
            (inline,) = re.findall(rf"<{kind}>(.*?)</{kind}>", page.text, flags=re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}';" in policy
        assert not re.search(r"\s(style|on\w+)=", page.text.partition("<script>")[0])

    @pytest.mark.parametrize("token", [None, TOKEN])
    def test_the_snippets_work(self, trained: embedclf.TextClassifier, token: str | None, monkeypatch: Any):
        """In Python, and with curl if it is there."""
        with serving(embedclf.create_app(trained, token=token)) as client:
            html = client.get("/").text.replace("http://127.0.0.1:8000", str(client.base_url))
            if token is not None:
                monkeypatch.setenv("EMBEDCLF_TOKEN", token)
            monkeypatch.setenv("no_proxy", "*")
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(snippet(html, "python"), {})
            assert printed.getvalue().split()[0] in trained.classes
            with contextlib.suppress(FileNotFoundError):
                subprocess.run(["curl", "--version"], check=True, capture_output=True)
                curl = snippet(html, "curl").replace("curl ", "curl -sS --fail ", 1)
                done = subprocess.run(curl, shell=True, check=True, capture_output=True, text=True)
                assert done.stdout.startswith('{"predictions":[{"label":"')
        assert (token is not None) == ("EMBEDCLF_TOKEN" in snippet(html, "javascript"))

    def test_every_field_is_in_the_tables(self, trained: embedclf.TextClassifier):
        """With its limits."""
        limits = embedclf.Limits(texts=7, characters=1_234)
        with serving(embedclf.create_app(trained, limits=limits)) as client:
            page = client.get("/").text
        rows = re.findall(r"<tr><td><code>(\w+)</code></td>(?:<td>(.*?)</td>)?<td>(.+?)</td></tr>", page)
        assert [(name, kind) for name, kind, _ in rows if not name.isdigit()] == [
            ("text", "string, at most 1,234 characters or null"),
            ("texts", "array of at most 7 strings"),
            ("top_k", "integer or null"),
            ("coverage", "number or null"),
            ("explain", "boolean"),
            ("label", "string or null"),
            ("confidence", "number or null"),
            ("labels", "array of objects or null"),
            ("top", "array of objects or null"),
            ("label_set", "array of objects or null"),
            ("error", "string or null"),
            ("explanation", "object or null"),
        ]
