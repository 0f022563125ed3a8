"""Servers that are limited, slow, or fail on some texts: all others get their vectors, after few requests."""

import re
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

import aimlapi_server
import embedclf
from aimlapi_server import AimlapiServer, Request, Response, error
from corpus import QUICK
from embedclf.embedding.aimlapi import client

TINY = "aimlapi:tiny"
TEXTS = [f"text {number}" for number in range(320)]


@pytest.fixture(autouse=True)
def _tiny(api: AimlapiServer) -> None:
    api.models["tiny"] = 8


def vectors_of(texts: list[str]) -> np.ndarray:
    return np.stack([aimlapi_server.embed(text, "tiny", 8) for text in texts])


def at_most(most: int, refusal: Response) -> Callable[[Request], Response | None]:
    return lambda request: refusal if len(request.texts) > most else None


@pytest.mark.parametrize(
    ("refusal", "most_requests"),
    [
        (error(400, "no"), 95),
        (error(413, "no"), 95),
        (error(422, "List should have at most 10 items after validation"), 52),
        (error(429, "Request too large on tokens per min: Limit 40, Requested 52"), 95),
    ],
)
def test_the_number_of_texts_that_a_server_takes_is_learnt(
    api: AimlapiServer, caplog: pytest.LogCaptureFixture, refusal: Response, most_requests: int
):
    """And said once, with the option that saves the trials."""
    caplog.set_level("INFO", "embedclf")
    api.fault = at_most(10, refusal)
    embedder = embedclf.open_embedder(TINY)
    np.testing.assert_allclose(embedder.embed(TEXTS), vectors_of(TEXTS), atol=1e-6)
    assert api.n_requests <= most_requests  # 32 would do; half of those beyond are refused before it is known
    (said,) = [line for line in caplog.messages if "texts per request" in line]
    assert re.fullmatch(
        rf"{TINY}: the server accepts .* texts per request: --batch-size (8|9|10) \(batch_size=.*", said
    )
    api.reset()
    embedder.embed([f"more {text}" for text in TEXTS])
    assert api.n_requests <= 80  # 32 would do, and it may still try more


@pytest.mark.parametrize("fault", [error(500, "Internal Server Error"), Response(drop=True), error(424, "Failed")])
def test_a_text_that_always_fails_is_found(api: AimlapiServer, fault: Response):
    """By a harmless one that passes; the others get their vectors."""
    api.fault = lambda request: fault if "text 7" in request.texts else None
    vectors, reasons = embedclf.open_embedder(TINY, retries=0).embed_partial(TEXTS[:32])
    assert list(reasons) == [7]
    assert reasons[7].startswith("tiny fails on it each time: “")
    np.testing.assert_allclose(np.delete(vectors, 7, 0), vectors_of(TEXTS[:7] + TEXTS[8:32]), atol=1e-6)
    assert api.n_requests < 40


@pytest.mark.parametrize("model", ["tiny", "text-embedding-3-small"])
def test_a_text_that_is_too_large_for_the_server_is_cut(api: AimlapiServer, model: str):
    """Though it says so with a 500, and under whatever name."""
    refusal = error(500, "input is too large to process. increase the physical batch size")
    api.fault = lambda request: refusal if max(map(len, request.texts)) > 2_000 else None
    vectors = embedclf.open_embedder(f"aimlapi:{model}").embed([*TEXTS[:31], "a long text " * 300])
    assert np.isfinite(vectors).all()
    assert api.n_requests < 20


def test_a_server_that_fails_on_everything_is_left(api: AimlapiServer):
    """Whatever the harmless text says."""
    api.fault = lambda request: error(500, "no") if "hello" not in request.texts else None
    with pytest.raises(embedclf.EmbedderError, match="returned 500"):
        embedclf.open_embedder(TINY, retries=0).embed(TEXTS)
    assert api.n_requests < 400


def test_a_rate_limit_does_not_end_a_run_that_makes_progress(api: AimlapiServer):
    """However few requests it allows, and retries there are."""
    accepted: list[float] = []
    lock = threading.Lock()

    def three_in_a_short_minute(request: Request) -> Response | None:
        with lock:
            if sum(time.monotonic() - one < 0.3 for one in accepted) >= 3:
                return error(429, "Rate limit reached on requests per min. Limit: 3 / min.", retry_after="0.2")
            accepted.append(time.monotonic())
            return None

    api.fault = three_in_a_short_minute
    vectors = embedclf.open_embedder(TINY, batch_size=20, retries=2).embed(TEXTS)
    np.testing.assert_allclose(vectors, vectors_of(TEXTS), atol=1e-6)
    assert api.n_requests < 80


def test_a_slow_server_gets_less_at_once(api: AimlapiServer):
    """Though it goes on with what was given up."""
    working = threading.Lock()

    def one_worker(request: Request) -> None:
        with working:
            time.sleep(0.002 * len(request.texts))

    api.fault = one_worker
    embedder = embedclf.open_embedder(TINY, timeout=0.25, concurrency=2)
    np.testing.assert_allclose(embedder.embed(TEXTS[:80]), vectors_of(TEXTS[:80]), atol=1e-6)
    assert len(api.requests[0].body["input"]) == 4  # 30 ms a text for each of both requests would still be in time
    assert len(api.texts_sent) < 160


def test_a_server_that_says_nothing_is_left(
    api: AimlapiServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """After a remark that says what is waited for."""
    caplog.set_level("INFO", "embedclf")
    monkeypatch.setattr(client, "_SECONDS_TO_REMARK", 0.1)
    monkeypatch.setattr(client, "_SECONDS_OF_SILENCE", 0.1)
    left = threading.Event()
    api.fault = lambda request: left.wait(5) and None
    with pytest.raises(embedclf.EmbedderError, match=r"did not respond within 0.4 s: try again, raise --timeout"):
        embedclf.open_embedder(TINY, timeout=0.4, concurrency=2).embed(TEXTS)
    left.set()
    assert api.n_requests == 2
    assert [line for line in caplog.messages if "waiting" in line] == [
        f"{TINY}: waiting for a response for 0.1 s, at most 0.4 s (--timeout)"
    ]


def test_an_error_that_arrives_as_a_success_may_pass(api: AimlapiServer):
    """By the status in its words."""
    passing = Response(200, b'{"error": {"message": "no capacity", "code": "503"}, "data": []}')
    api.fault = lambda request: passing if request.number == 0 else None
    assert embedclf.open_embedder(TINY).embed(["a"]).shape == (1, 8)


def test_vectors_without_numbers_are_in_the_order_of_the_texts(api: AimlapiServer, caplog: pytest.LogCaptureFixture):
    """If none has one; a remark says so once. Numbers in quotes are numbers; the same for all are none."""
    caplog.set_level("INFO", "embedclf")

    def numbered(change: Callable[[dict], object]) -> np.ndarray:
        def tamper(answer: dict) -> None:
            for item in answer["data"]:
                change(item)

        api.tamper = tamper
        return embedclf.open_embedder(TINY).embed(TEXTS[:70])

    np.testing.assert_allclose(numbered(lambda item: item.pop("index")), vectors_of(TEXTS[:70]), atol=1e-6)
    assert [line for line in caplog.messages if "does not number its vectors" in line] == [
        f"{TINY}: the server does not number its vectors: they are taken in the order of the texts"
    ]
    as_text = numbered(lambda item: item.update(index=str(item["index"])))
    np.testing.assert_allclose(as_text, vectors_of(TEXTS[:70]), atol=1e-6)
    with pytest.raises(embedclf.EmbedderError, match="the indices of its vectors do not match the texts"):
        numbered(lambda item: item.update(index=0))


def test_the_dimensions_of_an_unknown_model_are_asked_for(api: AimlapiServer):
    """If its own length is another; before much is sent, and apart from others in the cache."""
    for dimensions in (4, None, 4, 8):
        vectors = embedclf.open_embedder(TINY, dimensions=dimensions, cache=True).embed(TEXTS[:40])
        wanted = [aimlapi_server.embed(text, "tiny", 8, dimensions) for text in TEXTS[:40]]
        np.testing.assert_allclose(vectors, wanted, atol=1e-6)
    sent = [(len(request.body["input"]), request.body.get("dimensions")) for request in api.requests]
    assert sorted(sent, key=str) == sorted([(1, None), (1, 4), (32, 4), (8, 4), (32, None), (8, None)], key=str)
    api.reset()
    embedclf.train(TEXTS[:6], ["a", "b"] * 3, embedder=embedclf.open_embedder(TINY, dimensions=4), **QUICK).save(
        "m.safetensors"
    )
    loaded = embedclf.load("m.safetensors")
    loaded.predict(["new"])
    assert api.requests[-1].body["dimensions"] == loaded.embedder.spec.dimensions == 4
    api.fault = lambda request: error(400, "dimensions: not supported") if "dimensions" in request.body else None
    with pytest.raises(embedclf.EmbedderError, match="dimensions: not supported"):
        embedclf.open_embedder(TINY, dimensions=2).embed(["a"])


def test_another_model_under_a_known_name(api: AimlapiServer):
    """It is to be called by its own."""
    api.models["text-embedding-3-small"] = 384
    api.fault = lambda request: error(400, "dimensions?") if "dimensions" in request.body else None
    with pytest.raises(embedclf.EmbedderError, match=r"; if another model answers here, name it: aimlapi:ITS-NAME$"):
        embedclf.open_embedder("aimlapi").embed(["a"])


def test_a_server_on_this_machine_costs_nothing(api: AimlapiServer, monkeypatch: pytest.MonkeyPatch):
    """Unless there is a key: then it may be a way to AI/ML API, whether it says what it charged or not."""
    monkeypatch.setenv("AIMLAPI_API_KEY", "test-key")
    keyed = embedclf.open_embedder("aimlapi")
    assert keyed.embed(["a"]).shape == (1, 1536)
    assert keyed.usage.dollars
    api.tells = ()
    assert keyed.embed(["b"]).shape == (1, 1536)
    assert keyed.usage.dollars_source == "partly estimated"
    monkeypatch.delenv("AIMLAPI_API_KEY")
    assert embedclf.open_embedder("aimlapi").estimate(["a"]).dollars is None


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ('"test-key"', "test-key"),
        ("'test-key'\n", "test-key"),
        ("“test-key”", "test-key"),
        ("Bearer test-key", "test-key"),
        ("export AIMLAPI_API_KEY='test-key'", "test-key"),
        ("https://host/v1", "is a web address, not a key"),
        ("$AIMLAPI_KEY", "holds a placeholder in place of the key"),
        ("test kéy", r"contains characters that no key has \(letters or signs outside ASCII\)"),
        ("test key", r"contains characters that no key has \(spaces or line breaks\)"),
    ],
)
def test_a_key_as_it_was_copied(api: AimlapiServer, monkeypatch: pytest.MonkeyPatch, value: str, sent: str):
    """Cleaned of what stands around it, or named; never shown."""
    monkeypatch.setenv("AIMLAPI_API_KEY", value)
    embedder = embedclf.open_embedder(TINY)
    if sent == "test-key":
        embedder.embed(["a"])
        assert api.requests[0].headers["authorization"] == "Bearer test-key"
        return
    with pytest.raises(embedclf.EmbedderError, match=f"^AIMLAPI_API_KEY {sent}") as caught:
        embedder.embed(["a"])
    assert value not in str(caught.value)
