"""The server of the labelling page, over loopback: whom it lets in, and what becomes of an answer."""

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from corpus import TEXTS
from embedclf.errors import EmbedclfError, OutputError
from embedclf.labelling import windows
from embedclf.labelling.answers import AnswersFile
from embedclf.labelling.app import create_app
from embedclf.labelling.server import serve
from embedclf.labelling.session import Session
from embedclf.service.server import listen
from label_server import Learned, answers_in, labelling, session_of, texts_of
from running import PATIENCE
from serving import serving

TOKEN, PORT = "a-token", 8123
POSTED = ("ask", "answer", "skip", "undo", "leave", "finish")
JSON = {"content-type": "application/json"}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "labelled.csv"


@pytest.fixture
def file(output: Path) -> Iterator[AnswersFile]:
    with AnswersFile(output) as file:
        yield file


@pytest.fixture
def opened(file: AnswersFile) -> Iterator[Callable[..., httpx.Client]]:
    """Serve a session; gives a client of it, let in unless it is not to be."""
    ends: list[Any] = []

    def opening(
        session: Session | None = None, *, finish: Callable[[], str] = lambda: "", is_let_in: bool = True
    ) -> httpx.Client:
        session = session_of(file, texts_of(4)) if session is None else session
        running = serving(create_app(session, token=TOKEN, port=PORT, finish=finish))
        ends.append(running)
        client = running.__enter__()
        if is_let_in:
            assert client.get("/", params={"token": TOKEN}).status_code == 200
        return client

    yield opening
    for running in ends:
        running.__exit__(None, None, None)


def ask(client: httpx.Client, window: str = "one") -> dict[str, Any]:
    return client.post("/ask", json={"window": window}).raise_for_status().json()


def answer(client: httpx.Client, question: dict[str, Any], *labels: str, window: str = "one", **more: Any) -> Any:
    body = {"window": window, "row": question["row"], "revision": question["revision"], "labels": labels, **more}
    return client.post("/answer", json=body)


class TestAccess:
    def test_the_token_works_once_and_in_one_browser(self, opened: Any):
        """It brings a cookie for that browser alone, and leads to the address without it; elsewhere it is spent."""
        client = opened(is_let_in=False)
        assert client.get("/").status_code == 403
        first = client.get("/", params={"token": TOKEN})
        assert first.status_code == 200
        assert '<meta http-equiv="refresh" content="0;url=/">' in first.text
        cookie = first.headers["set-cookie"]
        assert cookie.startswith(f"embedclf-label-{PORT}=")
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Path=/" in cookie
        assert TOKEN not in first.text
        assert "<title>embedclf label</title>" in client.get("/").text
        assert client.get("/", params={"token": TOKEN}).status_code == 200  # the same browser
        client.cookies.clear()
        again = client.get("/", params={"token": TOKEN})
        assert again.status_code == 403
        assert "This address has already been used" in again.text
        assert "run it again: it prints a new address" in again.text
        assert "set-cookie" not in again.headers

    def test_a_wrong_token_or_cookie_lets_nobody_in(self, opened: Any):
        """And does not spend the right one; nor does asking for the headers alone."""
        client = opened(is_let_in=False)
        for params in ({"token": "other"}, {"token": ""}, {"token": "ü"}, {}):
            refused = client.get("/", params=params)
            assert refused.status_code == 403
            assert "Open the address that the command printed" in refused.text
        assert client.get("/", headers={"cookie": f"embedclf-label-{PORT}=guessed"}).status_code == 403
        assert client.head("/", params={"token": TOKEN}).status_code == 403
        assert client.get("/", params={"token": TOKEN}).status_code == 200

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/progress"),
            *(("POST", f"/{name}") for name in POSTED),
        ],
    )
    def test_nothing_is_said_without_the_cookie(self, opened: Any, method: str, path: str):
        """No text, no count, and no way to end it."""
        client = opened(is_let_in=False)
        refused = client.request(method, path, params={"token": TOKEN}, json={"window": "one"})
        assert refused.status_code == 403
        assert refused.json() == {"detail": "Open the address that the command printed"}

    @pytest.mark.parametrize(
        "headers",
        [
            {"host": "evil.example"},
            {"host": f"evil.example:{PORT}"},
            {"host": "127.0.0.1.evil.example"},
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": "http://127.0.0.1:1"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"content-type": "text/plain"},
            {"content-type": "application/x-www-form-urlencoded"},
        ],
    )
    def test_other_pages_cannot_make_the_browser_ask(self, opened: Any, output: Path, headers: dict[str, str]):
        """Whatever name leads to this machine, and though the cookie is sent along."""
        client = opened()
        question = ask(client)["question"]
        body = {"window": "one", "row": question["row"], "revision": 0, "labels": ["refund"]}
        refused = client.post("/answer", content=json.dumps(body), headers=JSON | headers)
        assert refused.status_code in (403, 415, 421)
        assert "access-control-allow-origin" not in refused.headers
        assert answers_in(output) == []

    def test_its_own_page_may_ask_through_a_forwarded_port(self, opened: Any):
        """As over ssh, where the port of the address is another."""
        client = opened()
        headers = {"host": "localhost:9000", "origin": "http://localhost:9000", "sec-fetch-site": "same-origin"}
        assert client.post("/ask", json={"window": "one"}, headers=headers).status_code == 200

    def test_a_link_in_another_page_opens_it(self, opened: Any):
        """Such as a terminal in the browser."""
        client = opened(is_let_in=False)
        assert client.get("/", params={"token": TOKEN}, headers={"sec-fetch-site": "cross-site"}).status_code == 200

    def test_nothing_is_kept_by_the_browser_or_shown_in_a_frame(self, opened: Any):
        """Nor told to other servers; the page runs its own script only."""
        client = opened()
        for response in (client.get("/"), client.get("/progress"), client.get("/", params={"token": "x"})):
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["referrer-policy"] == "no-referrer"
        policy = client.get("/").headers["content-security-policy"]
        assert "default-src 'none'; script-src 'sha256-" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy

    @pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/redoc", "/answers", "/../x"])
    def test_there_is_nothing_else(self, opened: Any, path: str):
        """No description of what it takes, and no files."""
        assert opened().get(path).status_code == 404


class TestAnswers:
    def test_an_answer_is_on_disk_and_brings_the_next_text(self, opened: Any, output: Path):
        """With the progress, in one round trip."""
        client = opened()
        began = ask(client)
        assert began["question"] == {
            "row": 0,
            "place": "inbox.csv:2",
            "text": f"{TEXTS[0]} #0",
            "guesses": [["delivery", None], ["password", None], ["refund", None]],
            "labels": None,
            "note": "",
            "is_test": False,
            "revision": 0,
        }
        after = answer(client, began["question"], "delivery", note=" late \n").json()
        assert after["question"]["row"] == 1
        assert after["progress"]["n_labelled"] == 1
        assert after["progress"]["of_labels"] == [["delivery", 1]]
        (kept,) = answers_in(output)
        assert (kept["row"], kept["labels"], kept["note"]) == (0, ["delivery"], "late")

    def test_skipping_and_taking_back(self, opened: Any):
        """Several times; what was taken back is asked again at once."""
        client = opened()
        question = ask(client)["question"]
        second = answer(client, question, "refund").json()["question"]
        body = {"window": "one", "row": second["row"], "revision": 0}
        assert client.post("/skip", json=body).json()["progress"]["n_skipped"] == 1
        undone = [client.post("/undo", json={"window": "one"}).json() for _ in range(3)]
        assert [one["question"]["row"] for one in undone] == [1, 0, 0]
        assert [one["is_undone"] for one in undone] == [True, True, False]
        assert undone[-1]["progress"]["n_labelled"] == undone[-1]["progress"]["n_skipped"] == 0
        assert undone[-1]["question"]["revision"] == 2

    def test_an_answer_to_what_has_been_answered_elsewhere_is_not_kept(self, opened: Any, output: Path):
        """It says what the other was, and brings the next text."""
        client = opened()
        question = ask(client)["question"]
        answer(client, question, "refund")
        late = answer(client, question, "delivery", window="two")
        assert late.status_code == 409
        assert late.json()["answered"] == ["refund"]
        assert late.json()["question"]["row"] == 2  # the first window shows row 1
        assert [kept["labels"] for kept in answers_in(output)] == [["refund"]]

    def test_two_windows_show_different_texts(self, opened: Any):
        """And each keeps its own when it is loaded again."""
        client = opened()
        rows = [ask(client, window)["question"]["row"] for window in ("one", "two", "one", "two")]
        assert rows == [0, 1, 0, 1]

    def test_the_text_of_a_closed_window_is_asked_elsewhere(
        self, opened: Any, file: AnswersFile, monkeypatch: pytest.MonkeyPatch
    ):
        """After a while, since one that is loaded again says that it closes, too."""
        client = opened(session_of(file, texts_of(2)))
        assert [ask(client, window)["question"]["row"] for window in ("one", "two")] == [0, 1]
        client.post("/leave", json={"window": "one"})
        assert ask(client, "three")["question"] is None
        assert ask(client)["question"]["row"] == 0  # it was only loaded again
        client.post("/leave", json={"window": "one"})
        monkeypatch.setattr(windows, "_BACK_SECONDS", 0)
        assert ask(client, "three")["question"]["row"] == 0

    def test_a_text_of_the_test_set_comes_without_guesses(self, opened: Any, file: AnswersFile):
        """The labels are in alphabetical order then."""
        client = opened(session_of(file, texts_of(4), is_learned=True, has_test=True))
        questions = [ask(client, window)["question"] for window in "abcd"]
        assert questions[0]["guesses"][0] == ["delivery", 0.839]
        assert questions[3]["is_test"]
        assert questions[3]["guesses"] == [["delivery", None], ["password", None], ["refund", None]]

    def test_the_curve_has_as_many_points_as_can_be_seen(self, file: AnswersFile, opened: Any):
        """The first and the last among them, however long the work lasts."""
        session = session_of(file, ["x"], is_learned=True)
        learned = Learned([])
        learned.learn(dict.fromkeys(range(5_000)), {})
        session._learner = learned
        client = opened(session)
        curve = client.get("/progress").json()["progress"]["curve"]
        assert len(curve) == 60
        assert curve[0] == {"n_labels": 10, "accuracy": 0.8, "low": 0.6, "high": 0.9}
        assert curve[-1]["n_labels"] == 5_000


class TestBadRequests:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ({}, "window: field required"),
            ({"window": "one", "row": 0, "revision": 0}, "labels: field required"),
            ({"window": "<b>"}, "window: string should match pattern '^[0-9A-Za-z-]{1,64}$'"),
            ({"window": "one", "row": "0", "revision": 0, "labels": []}, "row: input should be a valid integer"),
            ({"window": "one", "row": 0, "revision": 0, "labels": "refund"}, "labels: input should be a valid list"),
            ({"window": "one", "row": 0, "revision": 0, "labels": ["a"], "x": 1}, "x: extra inputs are not permitted"),
            ({"window": "one", "row": 9, "revision": 0, "labels": ["a"]}, "there is no text 9"),
            ({"window": "one", "row": 0, "revision": 0, "labels": ["a", "b"]}, "a text must have exactly one label"),
            ({"window": "one", "row": 0, "revision": 0, "labels": ["\ud800"]}, "labels.0: "),
            ({"window": "one", "row": 0, "revision": 0, "labels": [" "]}, "the label is empty"),
            (
                {"window": "one", "row": 0, "revision": 0, "labels": ["a" * 201]},
                "labels.0: string should have at most 200 characters",
            ),
            (
                {"window": "one", "row": 0, "revision": 0, "labels": ["a"], "note": "a" * 2_001},
                "note: string should have at most 2000 characters",
            ),
        ],
    )
    def test_what_is_wrong_is_said(self, opened: Any, output: Path, body: dict[str, Any], reason: str):
        """And nothing is kept."""
        client = opened()
        content = json.dumps(body).encode()
        refused = client.post("/answer", content=content, headers=JSON)
        assert refused.status_code == 422
        assert refused.json()["detail"].startswith(reason)
        assert answers_in(output) == []

    def test_a_body_is_limited(self, opened: Any):
        """Before it is read in full."""
        client = opened()
        refused = client.post("/ask", content=b" " * 1_000_001, headers=JSON)
        assert refused.status_code == 413
        assert refused.json()["detail"] == "the body exceeds 1,000,000 bytes; shorten the note"

    def test_a_disk_that_is_full_is_told(self, opened: Any, output: Path, monkeypatch: pytest.MonkeyPatch):
        """The text stays, and can be answered once there is room."""
        client = opened()
        question = ask(client)["question"]

        def full(number: int) -> None:
            raise OSError(28, os.strerror(28))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            failed = answer(client, question, "refund")
        assert failed.status_code == 500
        assert failed.json()["detail"].endswith("labelled.csv.answers: No space left on device")
        assert ask(client)["question"] == question
        assert answer(client, question, "refund").status_code == 200
        assert len(answers_in(output)) == 1


class TestFinishing:
    def test_the_page_is_told_what_was_written(self, opened: Any):
        """And if that fails, why, so that the person can go on."""
        outcomes: list[str | EmbedclfError] = [OutputError("the disk is full", path="x"), "Wrote 4 rows to x.csv"]

        def finish() -> str:
            outcome = outcomes.pop(0)
            if isinstance(outcome, EmbedclfError):
                raise outcome
            return outcome

        client = opened(finish=finish)
        failed = client.post("/finish", json={})
        assert (failed.status_code, failed.json()["detail"]) == (500, "the disk is full")
        assert client.post("/finish", json={}).json() == {"said": "Wrote 4 rows to x.csv"}

    @pytest.mark.slow
    def test_the_button_ends_the_server(self, output: Path):
        """Which is on 127.0.0.1 only, and returns with what its button was answered."""
        with labelling(output, texts_of(2), said="Wrote 2 rows") as process:
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", process.address)
            with httpx.Client(base_url=f"http://127.0.0.1:{process.port}", timeout=PATIENCE, trust_env=False) as client:
                assert client.get(process.address).status_code == 200
                answer(client, ask(client)["question"], "refund").raise_for_status()
                assert client.post("/finish", json={}).json() == {"said": "Wrote 2 rows"}
            code, said = process.end()
        assert code == 0
        assert said == "it returned\n"

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_it_with_every_answer(self, output: Path, number: int):
        """Those that are on their way are kept and answered first."""
        statuses: list[int] = []
        with labelling(output, texts_of(2_000)) as process:
            url = f"http://127.0.0.1:{process.port}"
            with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
                client.get(process.address)
                question = ask(client)["question"]

                def keep_answering() -> None:
                    nonlocal question
                    while True:
                        try:
                            response = answer(client, question, "refund")
                        except httpx.ConnectError:  # it listens no more
                            return
                        statuses.append(response.status_code)
                        if response.status_code != 200:
                            return
                        question = response.json()["question"]
                        if len(statuses) == 20:
                            process.signal(number)

                thread = threading.Thread(target=keep_answering)
                thread.start()
                code, _ = process.end()
                thread.join(PATIENCE)
        assert code == 0
        assert statuses.count(200) == len(answers_in(output)) >= 20

    def test_a_port_in_use_is_told(self, file: AnswersFile):
        """With the option that chooses another."""
        with listen("127.0.0.1", 0) as taken, pytest.raises(EmbedclfError) as failed:
            serve(session_of(file, ["x"]), port=taken.getsockname()[1], on_ready=print)
        assert re.fullmatch(
            r"cannot listen on 127\.0\.0\.1, port \d+: Address already in use; choose another with --port \(0 picks a "
            r"free port\)",
            str(failed.value),
        )

    def test_a_missing_package_is_named(self, file: AnswersFile, monkeypatch: pytest.MonkeyPatch):
        """With the command that installs it."""
        monkeypatch.setitem(sys.modules, "uvicorn", None)
        with pytest.raises(EmbedclfError, match=r"needs the package uvicorn.*pip install 'embedclf\[label\]'"):
            serve(session_of(file, ["x"]), on_ready=print)
