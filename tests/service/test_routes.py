"""``embedclf serve``, and the application that it serves."""

import asyncio
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Header, HTTPException

import embedclf
from aimlapi_server import AimlapiServer, Request, Response, error, html
from corpus import LABELS, QUICK, ROOT, TEXTS
from embedclf.classifier.model_card import HeldOut
from embedclf.formatting import rounded_down
from embedclf.service.batching import Batcher
from embedclf.service.connections import bounded_protocol
from embedclf.service.reloading import ModelFile
from embedclf.service.server import listen
from running import PATIENCE, Cli, wait_until
from serving import JSON, TEXT, Process, ask, client_of, count, serving, wait_for_draining


class Held:
    """Holds the requests that AI/ML API gets until they are let go."""

    def __init__(self, api: AimlapiServer) -> None:
        self._go = threading.Event()
        self._come = threading.Semaphore(0)
        api.fault = self._hold

    def _hold(self, request: Request) -> None:
        self._come.release()
        assert self._go.wait(PATIENCE)

    def wait_for(self, number: int) -> None:
        """Wait until so many more have come."""
        for _ in range(number):
            assert self._come.acquire(timeout=PATIENCE)

    def let_go(self) -> None:
        self._go.set()


@pytest.fixture
def sent(api: AimlapiServer) -> embedclf.TextClassifier:
    """A classifier whose texts are sent to the running AI/ML API, and not cached."""
    embedder = embedclf.open_embedder("aimlapi", retries=0)
    classifier = embedclf.train(TEXTS, LABELS, embedder=embedder, **QUICK)
    api.reset()
    return classifier


@pytest.fixture
def held(api: AimlapiServer, sent: embedclf.TextClassifier) -> Iterator[Held]:
    """Holds what is sent from now on."""
    holding = Held(api)
    yield holding
    holding.let_go()


class TestPredict:
    def test_labels_and_confidences_are_those_of_the_classifier(self, trained: embedclf.TextClassifier):
        """In the order of the texts, the confidences rounded down."""
        with serving(embedclf.create_app(trained)) as client:
            answer = ask(client, *TEXTS)
        assert answer.status_code == 200
        confidences = trained.predict_proba(TEXTS).max(axis=1)
        assert answer.json() == {
            "predictions": [
                {"label": label, "confidence": rounded_down(float(confidence), 6)}
                for label, confidence in zip(trained.predict(TEXTS), confidences, strict=True)
            ]
        }

    def test_the_likeliest_labels_are_given_when_asked_for(self, trained: embedclf.TextClassifier):
        """As many as there are, the likeliest first."""
        with serving(embedclf.create_app(trained)) as client:
            two, all_three = (ask(client, TEXT, top_k=k).json()["predictions"][0] for k in (2, 99))
        assert all_three["top"][0]["label"] == all_three["label"] == "refund"
        assert len(all_three["top"]) == 3
        assert two["top"] == all_three["top"][:2]
        assert two["top"][0]["confidence"] == two["confidence"]

    def test_the_label_is_null_where_it_abstains(self, trained: embedclf.TextClassifier):
        """With the confidence of the label that it does not give."""
        with serving(embedclf.create_app(trained.with_min_confidence(1.0))) as client:
            (prediction,) = ask(client, TEXT).json()["predictions"]
            assert count(client, 'embedclf_texts_total{result="abstained"}') == 1
        assert prediction["label"] is None
        assert 0 < prediction["confidence"] < 1

    def test_a_text_that_cannot_be_labelled_does_not_sink_the_others(self, trained: embedclf.TextClassifier):
        """It has an error."""
        body = b'{"texts": ["", "Where is my refund?", "half \\ud83d", null, NaN], "top_k": 1}'
        with serving(embedclf.create_app(trained)) as client:
            answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
        empty, sound, half, *missing = answer.json()["predictions"]
        assert empty == {"label": None, "confidence": None, "error": "the text is empty"}
        assert sound["label"] == "refund"
        assert half["error"] == "the text contains half a character (lone surrogate \\ud83d)"
        assert missing == [{"label": None, "confidence": None, "error": "the text is missing"}] * 2

    def test_one_text_need_not_be_a_list(self, trained: embedclf.TextClassifier):
        """The answer is that for a list of one."""
        with serving(embedclf.create_app(trained)) as client:
            for text in (TEXT, "", None):
                for more in ({}, {"top_k": 2}):
                    one = client.post("/predict", json={"text": text, **more})
                    assert (one.status_code, one.json()) == (200, ask(client, text, **more).json())

    def test_a_text_that_the_api_refuses_does_not_sink_the_others(self, api: AimlapiServer, sent: Any):
        """Those of other requests neither."""
        api.fault = lambda request: error(400, "no such words") if "bad" in request.texts else None
        with serving(embedclf.create_app(sent)) as client:
            bad, sound = ask(client, "bad", TEXT).json()["predictions"]
        assert "no such words" in bad["error"]
        assert sound["label"] == "refund"


class TestExplanation:
    def test_the_words_of_one_text_are_weighed(self, trained: embedclf.TextClassifier):
        """Their weights, with the rest, make the difference between the likeliest label and the next."""
        with serving(embedclf.create_app(trained)) as client:
            (prediction,) = client.post("/predict", json={"text": TEXT, "explain": True}).json()["predictions"]
            (empty,) = client.post("/predict", json={"text": "", "explain": True}).json()["predictions"]
        (why,) = trained.explain([TEXT])
        explained = prediction.pop("explanation")
        assert prediction["label"] == why.label == "refund"
        assert explained["runner_up"] == why.runner_up
        assert "refund" in [TEXT[span["start"] : span["end"]] for span in explained["spans"]]
        total = sum(span["weight"] for span in explained["spans"]) + explained["vector"] + explained["bias"]
        assert total == pytest.approx(why.difference, abs=1e-4)
        assert "explanation" not in empty

    def test_it_is_left_out_if_words_are_not_weighed(self, sent: embedclf.TextClassifier):
        """A vector from an API is not a sum over words."""
        with serving(embedclf.create_app(sent)) as client:
            (prediction,) = client.post("/predict", json={"text": TEXT, "explain": True}).json()["predictions"]
        assert set(prediction) == {"label", "confidence"}

    @pytest.mark.parametrize("cache", [True, False])
    def test_no_text_is_paid_for_twice(self, api: AimlapiServer, cache: bool):
        """Its vector comes from the cache; without one, there is no explanation."""
        embedder = embedclf.open_embedder("aimlapi", retries=0, cache=cache)
        weighing = embedclf.train(TEXTS, LABELS, embedder=embedder, **QUICK | {"features": "both"})
        assert weighing.model.words is not None
        api.reset()
        with serving(embedclf.create_app(weighing)) as client:
            asked = {"text": "a text that nobody has embedded", "explain": True}
            (prediction,) = client.post("/predict", json=asked).json()["predictions"]
        assert prediction["label"] is not None
        assert ("explanation" in prediction) == cache
        assert api.n_requests == 1


class TestBounds:
    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ('{"texts": []}', "texts: at least one text is required"),
            ('{"texts": ["a", "b", "c", "d"]}', "texts: 4 texts exceed the limit of 3 per request"),
            ('{"texts": ["a", "123456789"]}', "texts[1]: 9 characters exceed the limit of 8 per text"),
            ('{"texts": ["a", 3]}', "texts[1]: a text must be a string"),
            ('{"texts": [null, {}]}', "texts[1]: a text must be a string"),
            ('{"texts": "a"}', "texts: input should be a valid list"),
            ('{"texts": ["a"], "top_k": 0}', "top_k: input should be greater than or equal to 1"),
            ('{"texts": ["a"], "top_k": NaN}', "top_k: input should be a valid integer"),
            ('{"texts": ["a"], "top_k": "2"}', "top_k: input should be a valid integer"),
            ('{"texts": ["a"], "top_k": true}', "top_k: input should be a valid integer"),
            ('{"texts": ["a"], "text": "a"}', "text: unknown field"),
            ('{"texts": ["a"], "explain": true}', 'explain: needs "text", one text, instead of "texts"'),
            ('{"text": ["a"]}', "text: a text must be a string"),
            ('{"text": "123456789"}', "text: 9 characters exceed the limit of 8 per text"),
            ('{"text": "a", "explain": 1}', "explain: input should be a valid boolean"),
            ('{"text": "a", "label": "b"}', "label: unknown field"),
            ('{"text": "a", "coverage": 1}', "coverage: input should be less than 1"),
            (
                json.dumps({"text": "a"} | {f"secret {number}": 1 for number in range(100)}),
                "the body has 101 fields, expected only text, top_k, coverage and explain",
            ),
            (
                json.dumps({"texts": ["a"]} | {f"secret {number}": 1 for number in range(100_000)}),
                "the body has 100,001 fields, expected only texts, top_k and coverage",
            ),
            ("{}", "texts: field required"),
            ('{"texts": ["a"', "the body is not valid JSON (at character 14)"),
            (
                '["a"]',
                'the body must be {"texts": ["…"]}, with the header Content-Type: application/json',
            ),
        ],
    )
    def test_what_is_wrong_with_a_request_is_said(self, trained: embedclf.TextClassifier, body: str, detail: str):
        """Where and why, with 422, and without the texts."""
        app = embedclf.create_app(trained, limits=embedclf.Limits(texts=3, characters=8))
        with serving(app) as client:
            answer = client.post("/predict", content=body, headers=JSON)
            assert (answer.status_code, answer.json()) == (422, {"detail": detail})
            assert ask(client, "12345678", "b", "c").status_code == 200

    def test_a_body_that_is_too_large_is_not_read(self, trained: embedclf.TextClassifier):
        """Whether it says how large it is or not."""
        with serving(embedclf.create_app(trained, limits=embedclf.Limits(body_bytes=100))) as client:
            for content in (b"x" * 101, iter([b"x" * 60, b"y" * 60])):
                answer = client.post("/predict", content=content, headers=JSON)
                assert answer.status_code == 413
                assert answer.json() == {"detail": "the body exceeds 100 bytes; send fewer texts per request"}
            assert ask(client, TEXT).status_code == 200

    def test_a_body_that_does_not_come_is_not_waited_for(self, trained: embedclf.TextClassifier):
        """Not for longer than allowed: it would take up a place."""
        app = embedclf.create_app(trained, limits=embedclf.Limits(seconds=0.05, requests=1))
        head = b"POST /predict HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{"
        with serving(app) as client:
            address = (client.base_url.host, client.base_url.port)
            with socket.create_connection(address, timeout=PATIENCE) as slow:
                slow.sendall(head)
                assert slow.recv(1_000).startswith(b"HTTP/1.1 408 ")
            assert ask(client, TEXT).status_code == 200

    def test_a_request_that_never_begins_is_not_waited_for(self, held: Held, sent: Any):
        """Neither the first of a connection nor a later one; an answer that takes longer is given."""
        answered = b"GET /health HTTP/1.1\r\nhost: here\r\n\r\n"
        with (
            serving(embedclf.create_app(sent), http=bounded_protocol(embedclf.Limits(seconds=0.1))) as client,
            ThreadPoolExecutor(1) as pool,
        ):
            late = pool.submit(ask, client, TEXT)
            held.wait_for(1)
            address = (client.base_url.host, client.base_url.port)
            for start in (b"", b"GET /health HTTP/1.1\r\nhost:", answered + b"GET /hea"):
                with socket.create_connection(address, timeout=PATIENCE) as slow:
                    slow.sendall(start)
                    said = b"".join(iter(lambda: slow.recv(1_000), b""))  # until it is closed
                    assert said.count(b"HTTP/1.1 200 OK") == start.count(answered)
            held.let_go()
            assert late.result().status_code == 200

    def test_json_too_deep_to_read_is_refused(self, trained: embedclf.TextClassifier):
        """As what cannot be read."""
        with serving(embedclf.create_app(trained)) as client:
            assert client.post("/predict", content=b"[" * 100_000, headers=JSON).status_code in (400, 422)

    def test_one_too_many_is_told_to_come_back(self, held: Held, sent: Any):
        """With 503 and Retry-After, while those in hand are answered."""
        app = embedclf.create_app(sent, limits=embedclf.Limits(requests=2))
        with serving(app) as client, ThreadPoolExecutor(2) as pool:
            in_hand = [pool.submit(ask, client, text) for text in TEXTS[:2]]
            held.wait_for(2)
            answer = ask(client, TEXT)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json() == {"detail": "too many requests (2 in flight); retry later"}
            assert client.get("/ready").status_code == 200
            held.let_go()
            assert [one.result().status_code for one in in_hand] == [200, 200]
            assert ask(client, TEXT).status_code == 200


def _noting(sizes: list[int], ask: Callable[..., Any]) -> Callable[..., Any]:
    def noted(batcher: Any, asked: Any, size: int) -> Any:
        sizes.append(size)
        return ask(batcher, asked, size)

    return noted


class TestBatcher:
    def test_what_waits_goes_in_one_call(self, api: AimlapiServer, held: Held, sent: Any):
        """While as many calls are under way as may be, all that comes is gathered."""
        with serving(embedclf.create_app(sent)) as client, ThreadPoolExecutor(30) as pool:
            asked = []
            for number in range(8):  # one after another, so that each is a call
                asked.append(pool.submit(ask, client, TEXTS[number]))
                held.wait_for(1)
            asked += [pool.submit(ask, client, text) for text in TEXTS[8:]]
            wait_until(lambda: count(client, "embedclf_waiting_requests") == 22)
            held.let_go()
            answers = [one.result() for one in asked]
            assert count(client, "embedclf_batch_texts_count") == 9
            assert count(client, "embedclf_batch_texts_sum") == 30
            assert count(client, "embedclf_waiting_requests") == 0
        assert api.n_requests == 9
        # Each got its own.
        assert [answer.json()["predictions"][0]["label"] for answer in answers] == sent.predict(TEXTS)

    def test_one_alone_does_not_wait(self):
        """The call begins before anything else is done."""

        async def alone() -> None:
            batcher: Batcher[int, int] = Batcher(lambda asked: asked, max_inline_size=0, max_calls=1, max_batch_size=10)
            asked = batcher.submit(1, 1)
            assert batcher.n_waiting == 0
            assert await asked == 1

        asyncio.run(alone())

    def test_a_call_is_not_larger_than_allowed(self):
        """Unless one alone is."""
        go, calls = threading.Event(), []

        def work(asked: Sequence[int]) -> Sequence[int]:
            assert go.wait(PATIENCE)
            calls.append(list(asked))
            return asked

        async def together() -> list[int]:
            batcher: Batcher[int, int] = Batcher(work, max_inline_size=0, max_calls=1, max_batch_size=10)
            asked = [batcher.submit(size, size) for size in (1, 4, 6, 3, 20, 1)]
            await asyncio.sleep(0)
            go.set()
            return await asyncio.gather(*asked)

        assert asyncio.run(together()) == [1, 4, 6, 3, 20, 1]
        assert calls == [[1], [4, 6], [3], [20], [1]]

    def test_what_looks_short_is_not_small(self, trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch):
        """A character beyond ASCII takes as much longer as it has more bytes; texts and labels have a size, too."""
        sizes = []
        monkeypatch.setattr(Batcher, "submit", _noting(sizes, Batcher.submit))
        with serving(embedclf.create_app(trained)) as client:
            for text in ("abc", "äbc", "\U0001f600bc", "\ud83dbc"):
                assert client.post("/predict", content=json.dumps({"texts": [text, "d"]}), headers=JSON).is_success
            assert [size - sizes[0] for size in sizes] == [0, 1, 3, 2]
            sizes.clear()
            for texts, more in ((["a"], {}), (["a", ""], {}), (["a"], {"top_k": 2}), (["a"], {"top_k": 10**9})):
                assert ask(client, *texts, **more).is_success
            one, two, two_labels, all_three = sizes
            assert two - one > 0
            assert (two_labels - one) * 3 == (all_three - one) * 2 > 0

    def test_what_is_small_needs_no_thread(self):
        """All that has come is done together in the event loop, up to a size; what is large does not hold it up."""
        loop, calls = threading.get_ident(), []
        go = threading.Event()

        def work(asked: Sequence[int]) -> Sequence[int]:
            if threading.get_ident() != loop:
                assert go.wait(PATIENCE)
            calls.append((list(asked), threading.get_ident() == loop))
            return asked

        async def together() -> None:
            batcher: Batcher[int, int] = Batcher(work, max_inline_size=10, max_calls=1, max_batch_size=100)
            large = batcher.submit(10, 10)
            small = [batcher.submit(size, size) for size in (5, 5, 1, 9, 2)]
            gone = batcher.submit(3, 3)
            gone.cancel()
            assert await asyncio.gather(*small) == [5, 5, 1, 9, 2]
            assert not large.done()
            go.set()
            assert await large == 10

        asyncio.run(together())
        assert calls == [([5, 5], True), ([1, 9], True), ([2], True), ([10], False)]

    def test_what_fails_in_the_loop_fails_for_those_of_its_call(self):
        """And what comes after is answered."""

        def work(asked: Sequence[int]) -> Sequence[int]:
            if 1 in asked:
                raise ValueError("out of order")
            return asked

        async def together() -> None:
            batcher: Batcher[int, int] = Batcher(work, max_inline_size=10, max_calls=1, max_batch_size=10)
            failed = [batcher.submit(number, 1) for number in (1, 2)]
            for one in failed:
                with pytest.raises(ValueError, match="out of order"):
                    await one
            assert await batcher.submit(3, 1) == 3

        asyncio.run(together())

    def test_who_has_gone_breaks_nothing(self, api: AimlapiServer, held: Held, sent: Any):
        """What waited for a client that hung up is not sent; the others get their answers."""
        with serving(embedclf.create_app(sent)) as client, ThreadPoolExecutor(20) as pool:
            asked = []
            for number in range(8):
                asked.append(pool.submit(ask, client, TEXTS[number]))
                held.wait_for(1)
            with client_of(str(client.base_url)) as impatient, pytest.raises(httpx.ReadTimeout):
                impatient.post("/predict", json={"texts": ["I have gone"]}, timeout=0.2)
            asked.append(pool.submit(ask, client, TEXT))
            gone = 'embedclf_requests_total{path="/predict",status="499"}'
            wait_until(lambda: gone in client.get("/metrics").text)
            wait_until(lambda: count(client, "embedclf_waiting_requests") == 2)
            held.let_go()
            assert [one.result().status_code for one in asked] == [200] * 9
        assert "I have gone" not in api.texts_sent
        assert TEXT in api.texts_sent


class TestFailures:
    @pytest.mark.parametrize(
        ("fault", "status", "said"),
        [
            (lambda request: error(500, "out of order"), 502, "returned 500: “out of order”"),
            (lambda request: error(401, "Invalid API key test-key"), 502, "check AIMLAPI_API_KEY"),
            (lambda request: error(429, "free tier limit"), 503, "quota used up"),
            (lambda request: error(503, "overloaded"), 503, "returned 503"),
            (lambda request: Response(drop=True), 502, "closed the connection"),
            (lambda request: html(), 502, "unusable response"),
        ],
    )
    def test_a_failing_api_is_told_apart(
        self,
        api: AimlapiServer,
        sent: Any,
        fault: Callable[[Request], Response],
        status: int,
        said: str,
        caplog: pytest.LogCaptureFixture,
    ):
        """Clients learn what to do, the log the reason and the address, nobody the key; and the service lives on."""
        with serving(embedclf.create_app(sent)) as client:
            api.fault = fault
            answer = ask(client, TEXT)
            assert answer.status_code == status
            assert (
                answer.json()["detail"]
                == {
                    502: "the embedder failed; see the service's log",
                    503: "the embedder is not accepting requests at the moment; retry later",
                }[status]
            )
            assert said in caplog.text
            assert api.base_url in caplog.text
            assert "test-key" not in answer.text + caplog.text
            assert ("retry-after" in answer.headers) == (status == 503)
            api.fault = None
            assert ask(client, TEXT).json()["predictions"][0]["label"] == "refund"
            assert count(client, "embedclf_failures_total") == 1

    def test_an_api_that_is_late_is_a_504(self, api: AimlapiServer, sent: Any, monkeypatch: pytest.MonkeyPatch):
        """So that whoever asked knows that it may have been paid for."""
        sent.embedder = embedclf.open_embedder("aimlapi", retries=0, timeout=0.1)
        held = Held(api)
        with serving(embedclf.create_app(sent)) as client:
            answer = ask(client, TEXT)
            held.let_go()
        assert answer.status_code == 504
        assert answer.json() == {"detail": "the embedder timed out; it may still bill for these texts"}

    def test_one_that_costs_too_much_does_not_sink_what_it_was_gathered_with(self, api: AimlapiServer, sent: Any):
        """It alone gets a 503; the spending is counted."""
        sent.embedder = embedclf.open_embedder("aimlapi", retries=0, max_cost=1e-5)
        held = Held(api)
        with serving(embedclf.create_app(sent)) as client, ThreadPoolExecutor(20) as pool:
            first = pool.submit(ask, client, TEXTS[0])
            held.wait_for(1)
            dear = pool.submit(ask, client, *["a long text " * 1_000] * 3)
            cheap = pool.submit(ask, client, TEXT)
            held.let_go()
            assert first.result().status_code == cheap.result().status_code == 200
            assert dear.result().status_code == 503
            assert dear.result().json() == {
                "detail": "embedding these texts would exceed the service's cost limit (--max-cost)"
            }
            assert 0 < count(client, "embedclf_dollars_total") < 1e-5
            assert count(client, "embedclf_charged_dollars_total") == pytest.approx(api.dollars_charged)
            assert count(client, "embedclf_tokens_total") > 0


class TestToken:
    def test_it_is_asked_for(self, trained: embedclf.TextClassifier):
        """By what costs or tells something; before the body is read."""
        app = embedclf.create_app(trained, token="a-good-token", limits=embedclf.Limits(body_bytes=1_000))
        with serving(app) as client:
            for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic a-good-token"}):
                for method, path in (("POST", "/predict"), ("GET", "/model"), ("GET", "/metrics")):
                    answer = client.request(method, path, headers=given, content=b"x" * 5_000)
                    assert answer.status_code == 401
                    assert answer.headers["www-authenticate"] == 'Bearer realm="embedclf"'
            for path in ("/health", "/ready", "/docs", "/openapi.json"):
                assert client.get(path).status_code == 200
            client.headers["authorization"] = "bearer a-good-token"
            assert ask(client, TEXT).status_code == client.get("/metrics").status_code == 200

    @pytest.mark.parametrize(("token", "said"), [("", "is empty"), ("zwölf", "a character"), ("a b", "a space")])
    def test_one_that_cannot_be_one_is_refused(self, trained: embedclf.TextClassifier, token: str, said: str):
        """Not taken for none, and not shown."""
        with pytest.raises(embedclf.EmbedclfError, match=said) as caught:
            embedclf.create_app(trained, token=token)
        assert not token or token not in str(caught.value)

    @pytest.mark.slow
    def test_it_comes_from_a_file_or_the_environment(self, model: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch):
        """The file goes first; what is wrong with either is said."""
        Path("token").write_text("from-the-file\n")
        with Process("-m", model, "--token-file", "token", EMBEDCLF_TOKEN="from-the-environment") as served:
            for token, status in (("from-the-file", 200), ("from-the-environment", 401)):
                answer = served.client.get("/model", headers={"authorization": f"Bearer {token}"})
                assert answer.status_code == status
            served.signal(signal.SIGTERM)
            code, _, err = served.end()
        assert code == 0
        assert "from-the" not in err
        Path("token").write_text("\n")
        assert cli("serve", "-m", model, "--token-file", "token").stderr == (
            "Error: the token in token is empty, which would let anyone in; set a token, or unset it\n"
        )
        assert cli("serve", "-m", model, "--token-file", "none").stderr == (
            "Error: cannot read none: No such file or directory\n"
        )
        monkeypatch.setenv("EMBEDCLF_TOKEN", "")
        assert "the token in EMBEDCLF_TOKEN is empty" in cli("serve", "-m", model).stderr


class TestProcess:
    @pytest.mark.slow
    def test_what_it_says(self, model: Path):
        """Where it serves, and a line a request without its text; Ctrl-C ends it well."""
        with Process("-m", model) as served:
            assert ask(served.client, TEXT, "another").status_code == 200
            served.client.get("/nothing%0a%1b?secret=1")
            served.signal(signal.SIGINT)
            code, out, err = served.end()
        assert (code, out) == (0, "")
        assert re.sub(r"[\d.]+ ms", "# ms", re.sub(r":\d+(?=[ /])", ":#", err)) == (
            f"Serving {model} at http://127.0.0.1:# (API docs: http://127.0.0.1:#/docs)\n"
            "127.0.0.1 POST /predict 200, 2 texts, # ms\n"
            "127.0.0.1 GET /nothing%0a%1b 404, # ms\n"
        )

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_what_is_in_hand_is_finished(self, api: AimlapiServer):
        """After SIGTERM, no more is taken on, open connections are told so once, and the exit code is 0."""
        embedclf.train(TEXTS, LABELS, **QUICK).save("paid.safetensors")
        held = Held(api)
        with Process("-m", "paid.safetensors") as served, ThreadPoolExecutor(1) as pool, ExitStack() as stack:
            ready, health, asking = (stack.enter_context(client_of(str(served.client.base_url))) for _ in range(3))
            for client in (ready, health, asking):
                assert client.get("/ready").json() == {"status": "ready"}
            in_hand = pool.submit(ask, served.client, "a text that nobody has embedded")
            held.wait_for(1)
            served.signal(signal.SIGTERM)
            answer = wait_for_draining(ready)
            assert (answer.status_code, answer.json()) == (503, {"status": "draining"})
            assert answer.headers["connection"] == "close"
            with pytest.raises(httpx.ConnectError):
                ready.get("/ready")
            assert health.get("/health").status_code == 200
            refused = ask(asking, TEXT)
            assert (refused.status_code, refused.json()) == (503, {"detail": "the service is shutting down"})
            assert refused.headers["retry-after"] == "5"
            held.let_go()
            assert in_hand.result().status_code == 200
            assert in_hand.result().headers["connection"] == "close"
            code, _, err = served.end()
        assert code == 0
        assert err.splitlines()[-1].startswith("Embedding: 1 text, 0 from cache, 0 duplicates, 1 request, ")

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_a_cached_text_is_not_sent_again(self, api: AimlapiServer):
        """The cache is the one of the other commands; --no-cache does without."""
        embedclf.train(TEXTS, LABELS, **QUICK).save("paid.safetensors")
        api.reset()
        for options, n_requests in (([], 0), (["--no-cache"], 1)):
            with Process("-m", "paid.safetensors", *options) as served:
                assert ask(served.client, TEXTS[0]).status_code == 200
            assert api.n_requests == n_requests

    def test_an_answer_does_not_wait_for_the_clients_word(self):
        """Its second packet is sent at once: else each takes 40 ms."""
        with (
            listen("127.0.0.1", 0) as listening,
            socket.create_connection(listening.getsockname()),
            listening.accept()[0] as accepted,
        ):
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    def test_a_port_that_is_taken_is_named(self, cli: Cli, model: Path):
        """With what to do."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            assert cli("serve", "-m", model, "--port", port).stderr == (
                f"Error: cannot listen on 127.0.0.1, port {port}: Address already in use; choose another with --host "
                "or --port (0 picks a free port)\n"
            )

    def test_it_warns_where_others_can_reach_it(self, cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch):
        """Without a token. Here, it does not come to answer."""
        monkeypatch.setattr("embedclf.service.server.serve_on", lambda *_, **settings: None)
        warning = "Warning: 0.0.0.0 can be reached from other machines, and no token is required: "
        assert warning in cli("serve", "-m", model, "--host", "0.0.0.0", "--port", "0").stderr
        assert "Warning" not in cli("serve", "-m", model, "--port", "0").stderr
        monkeypatch.setenv("EMBEDCLF_TOKEN", "a-good-token")
        assert "Warning" not in cli("serve", "-m", model, "--host", "0.0.0.0", "--port", "0").stderr

    @pytest.mark.parametrize("name", ["fastapi", "prometheus_client", "uvicorn"])
    def test_without_the_extra(self, cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch, name: str):
        """What is missing is named, and what installs it."""
        monkeypatch.setitem(sys.modules, name, None)
        assert cli("serve", "-m", model).stderr == (
            f"Error: a service needs the package {name}, which is not installed: pip install 'embedclf[serve]'\n"
        )


class TestDescription:
    def test_the_model_is_described(self, trained: embedclf.TextClassifier):
        """As its to_dict has it, figures that few classifiers have included, and what its features are."""
        figures = HeldOut(accuracy=1.0, macro_f1=1.0, ece=0.0, n_examples=9, level_accuracies=(1.0, 0.5))
        measured = type(trained)(trained.embedder, trained.model, replace(trained.card, held_out=figures))
        with serving(embedclf.create_app(measured)) as client:
            assert client.get("/model").json() == json.loads(json.dumps(measured.to_dict())) | {"features": "embedding"}
            described = client.get("/openapi.json").json()
            operations = {one["operationId"] for path in described["paths"].values() for one in path.values()}
            assert operations == {"predict", "health", "ready", "model", "metrics"}
            assert described["components"]["schemas"]["Model"]["required"][0] == "classes"
            for path in ("/health", "/ready"):
                answer = client.head(path)
                assert (answer.status_code, answer.content) == (200, b"")

    def test_each_application_counts_for_itself(self, trained: embedclf.TextClassifier):
        """Two in one process do not get in each other's way; paths that are not ours are one."""
        first, second = embedclf.create_app(trained), embedclf.create_app(trained)
        with serving(first) as client, serving(second) as other:
            ask(client, TEXT)
            client.get("/a")
            client.get("/b")
            assert count(client, 'embedclf_requests_total{path="other",status="404"}') == 2
            assert count(other, 'embedclf_texts_total{result="labelled"}') == 0

    def test_its_routes_can_be_included_in_another(self, trained: embedclf.TextClassifier):
        """The application's own dependencies guard them; their limits, errors and counts are the service's."""

        def signed_in(user: str | None = Header(None)) -> None:
            if user is None:
                raise HTTPException(401, "sign in first")

        app = FastAPI()
        router = embedclf.create_router(trained, limits=embedclf.Limits(body_bytes=100))
        app.include_router(router, prefix="/tickets", dependencies=[Depends(signed_in)])
        app.include_router(embedclf.create_router(trained), prefix="/open")
        assert {"/tickets/predict", "/tickets/model", "/tickets/metrics"} <= app.openapi()["paths"].keys()
        with serving(app) as client:
            assert client.post("/open/predict", json={"text": TEXT}).status_code == 200
            asked = [{"text": TEXT}, {"text": "x" * 100}, {"text": 1}]
            assert [client.post("/tickets/predict", json=body).status_code for body in asked] == [401, 413, 401]
            client.headers["user"] = "me"
            answers = [client.post("/tickets/predict", json=body) for body in asked]
            assert [answer.status_code for answer in answers] == [200, 413, 422]
            assert answers[0].json()["predictions"][0]["label"] == trained.predict([TEXT])[0]
            assert answers[2].json() == {"detail": "text: a text must be a string"}
            assert client.get("/tickets/model").json()["classes"] == list(trained.classes)
            counted = client.get("/tickets/metrics").text
            assert 'embedclf_requests_total{path="/predict",status="200"} 1.0' in counted
            assert 'embedclf_requests_total{path="/predict",status="401"} 2.0' in counted

    def test_it_can_be_mounted_in_another(self, trained: embedclf.TextClassifier):
        """Its door goes with it."""
        app = FastAPI()
        app.mount("/labels", embedclf.create_app(trained, token="a-good-token"))
        with serving(app) as client:
            assert client.get("/labels/model").status_code == 401
            assert client.post("/labels/predict", json={"texts": [TEXT]}).status_code == 401
            answer = client.post(
                "/labels/predict", json={"texts": [TEXT]}, headers={"authorization": "Bearer a-good-token"}
            )
            assert answer.status_code == 200
            assert 'href="/labels/openapi.json"' in client.get("/labels/docs").text

    @pytest.mark.parametrize(("path", "root"), [("/predict", "/"), ("/predict", "/pre"), ("/model", "/m")])
    def test_the_door_and_the_routes_read_one_path(self, trained: embedclf.TextClassifier, path: str, root: str):
        """Some servers leave the root path out of the path; it may then begin like it, and a token is asked for."""
        app = embedclf.create_app(trained, token="a-good-token")
        transport = httpx.ASGITransport(app, root_path=root)

        async def statuses() -> list[int]:
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                method = "POST" if path == "/predict" else "GET"
                return [
                    (await client.request(method, path, json={"texts": [TEXT]}, headers=headers)).status_code
                    for headers in ({}, {"authorization": "Bearer a-good-token"})
                ]

        assert asyncio.run(statuses()) == [401, 200]

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_it_does_as_its_description_says(self, trained: embedclf.TextClassifier):
        """Whatever schemathesis makes of it."""
        pytest.importorskip("schemathesis", reason="schemathesis is not installed")
        # With a whole request of the longest texts below the limit of its bytes, as the description cannot say that.
        limits = embedclf.Limits(texts=10, characters=100)
        trained.save("model.safetensors")
        source = ModelFile("model.safetensors")
        app = embedclf.create_app(source.load(), token="a-good-token", limits=limits, source=source)
        with serving(app) as client:
            command = [
                *(sys.executable, "-m", "schemathesis.cli", "run", str(client.base_url.join("/openapi.json"))),
                *("-H", "Authorization: Bearer a-good-token", "--checks", "all", "--max-examples", "15"),
                *("--generation-deterministic", "--no-color"),
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-5_000:]


def test_the_page_on_serving_shows_what_it_answers():
    """The command, the request and the answer of docs/serve.md."""
    section = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    serve, asked = re.findall(r"```bash\n(.*?)```", section, flags=re.DOTALL)
    (answer,) = re.findall(r"```json\n(.*?)```", section, flags=re.DOTALL)
    name, command, *options = shlex.split(serve)
    assert (name, command) == ("embedclf", "serve")
    options = [str(ROOT / option) if option.startswith("models/") else option for option in options]
    curl, url, *rest = shlex.split(asked.replace("\\\n", ""))
    assert curl == "curl"
    assert url == "http://127.0.0.1:8000/predict"
    headers = dict(rest[place + 1].split(": ") for place, word in enumerate(rest) if word == "-H")
    body = rest[rest.index("-d") + 1]
    with Process(*options) as served:
        got = served.client.post("/predict", content=body, headers=headers)
    shown = json.loads(answer)
    assert got.status_code == 200
    assert got.json().keys() == shown.keys()
    for one, other in zip(got.json()["predictions"], shown["predictions"], strict=True):
        assert one.keys() == other.keys()
        assert one["label"] == other["label"]
        assert one["confidence"] == pytest.approx(other["confidence"], abs=0.02)
        assert [like["label"] for like in one.get("top", [])] == [like["label"] for like in other.get("top", [])]


def test_the_application_of_the_page_on_python_answers():
    """The FastAPI example of docs/python.md, as a program of its own."""
    readme = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    first = next(block for block in blocks if block.startswith("import embedclf\n"))
    (example,) = [block for block in blocks if "FastAPI()" in block]
    space: dict[str, Any] = {}
    exec(first + example, space)
    with serving(space["app"]) as client:
        labelled, refused = client.post("/label", json=[TEXT, ""]).json()
        assert (labelled["label"], labelled["error"]) == ("refund", None)
        assert (refused["label"], refused["error"]) == (None, "the text is empty")
        client.headers["authorization"] = "Bearer one-that-is-hard-to-guess"
        answer = client.post("/tickets/predict", json={"texts": [TEXT]})
    assert answer.json()["predictions"][0]["label"] == "refund"
