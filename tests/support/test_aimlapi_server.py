"""The stand-in for AI/ML API that other tests rest on."""

import base64
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

import aimlapi_server
from aimlapi_server import AimlapiServer, Request, Response, charge, error, html

SMALL = "text-embedding-3-small"
ADA = "text-embedding-ada-002"


@pytest.fixture
def server() -> Iterator[AimlapiServer]:
    with AimlapiServer() as running:
        yield running


def connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    assert parts.hostname
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)


def post(
    url: str, body: object, key: str = "test-key", path: str = "/v1/embeddings", own_id: str | None = None
) -> tuple[int, Any, dict[str, str]]:
    with closing(connect(url)) as connection:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key}"} | ({"X-Client-Request-Id": own_id} if own_id else {})
        connection.request("POST", path, raw, headers)
        answer = connection.getresponse()
        content = answer.read()
        is_json = answer.headers["content-type"] == "application/json"
        return answer.status, json.loads(content) if is_json else content, dict(answer.headers)


def vectors(server: AimlapiServer, *texts: str, **options: Any) -> np.ndarray:
    status, answer, _ = post(server.base_url, {"model": SMALL, "input": texts} | options)
    assert status == 200, answer
    assert [item["index"] for item in answer["data"]] == list(range(len(texts)))
    rows = [item["embedding"] for item in answer["data"]]
    if options.get("encoding_format") == "base64":
        rows = [np.frombuffer(base64.b64decode(row), "<f4") for row in rows]
    return np.array(rows, dtype=np.float32)


def test_the_answer_has_the_shape_of_the_sample_answers(server: AimlapiServer):
    """One text given as a string is answered with one vector, what it used and what it cost."""
    status, answer, _ = post(server.base_url, {"model": SMALL, "input": "Where is it?"})
    assert status == 200
    assert len(answer.pop("data")[0]["embedding"]) == 1536
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    meta = {"usage": {"credits_used": 1, "usd_spent": 5e-7}}
    assert answer == {"object": "list", "model": SMALL, "usage": usage, "meta": meta}


def test_the_vectors_depend_on_model_and_text_alone(server: AimlapiServer):
    """Floats, base64 and another server give the same vectors; another text or model never does."""
    first = vectors(server, "a parcel", "A parcel", "?", "!")
    np.testing.assert_array_equal(first, vectors(server, "a parcel", "A parcel", "?", "!", encoding_format="base64"))
    with AimlapiServer(allow_base64=False, always_float=True) as other:
        np.testing.assert_array_equal(first[:2], vectors(other, "a parcel", "A parcel"))
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
    assert len(np.unique(first, axis=0)) == 4
    assert not np.allclose(first[0], vectors(server, "a parcel", model=ADA)[0], atol=0.01)


def test_texts_with_words_in_common_are_near(server: AimlapiServer):
    """A text is nearer to one it shares words with than to one it shares none with."""
    base, near, far = vectors(server, "my parcel is late", "The parcel is lost", "forgot a password")
    assert base @ near > 0.4 > 0.2 > abs(base @ far)


def test_fewer_dimensions_are_the_first_ones_scaled(server: AimlapiServer):
    """`dimensions` cuts the full vector and brings it back to unit length."""
    full, short = vectors(server, "a parcel"), vectors(server, "a parcel", dimensions=64)
    np.testing.assert_allclose(short[0], full[0, :64] / np.linalg.norm(full[0, :64]), rtol=1e-5)


@pytest.mark.parametrize(
    ("body", "status", "hint"),
    [
        (b"{", 400, "Body validation error"),
        ([], 400, "received array"),
        ({"model": SMALL}, 400, "input: Required"),
        ({"model": SMALL, "input": "a", "user": "me"}, 400, "'user'"),
        ({"model": 3, "input": "a"}, 400, "Expected string, received number"),
        ({"model": "gpt-4o", "input": "a"}, 404, "gpt-4o"),
        ({"model": SMALL, "input": ""}, 400, "at least 1"),
        ({"model": SMALL, "input": []}, 400, "at least 1"),
        ({"model": SMALL, "input": [[1, 2]]}, 400, "Expected string, received array"),
        ({"model": SMALL, "input": ["a", None]}, 400, "input[1]: Expected string, received null"),
        ({"model": SMALL, "input": ["a", ""]}, 400, "empty"),
        ({"model": SMALL, "input": ["a"] * 2049}, 400, "2048"),
        ({"model": SMALL, "input": "a" * 4 * 8192}, 400, "maximum context length is 8192 tokens"),
        ({"model": SMALL, "input": ["a" * 4 * 8000] * 38}, 400, "max 300000 tokens"),
        ({"model": SMALL, "input": "a", "encoding_format": "int8"}, 400, "'float' | 'base64'"),
        ({"model": SMALL, "input": "a", "dimensions": "64"}, 400, "Expected number, received string"),
        ({"model": SMALL, "input": "a", "dimensions": True}, 400, "Expected number, received boolean"),
        ({"model": SMALL, "input": "a", "dimensions": 1537}, 400, "1536"),
        ({"model": SMALL, "input": "a", "dimensions": float("nan")}, 400, "dimensions"),
        ({"model": ADA, "input": "a", "dimensions": 1536}, 400, "does not support specifying dimensions"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_the_api_refuses_is_refused(server: AimlapiServer, body: object, status: int, hint: str):
    """It says why in an error of AI/ML API's shape, and counts none of the texts as sent."""
    got, answer, _ = post(server.base_url, body)
    assert (got, answer["statusCode"]) == (status, status)
    assert set(answer) == {"message", "path", "requestId", "statusCode", "timestamp"}
    assert hint in answer["message"]
    assert (server.n_requests, server.texts_sent) == (1, [])


def test_what_the_api_takes_is_taken():
    """Nulls, whole floats, a lone surrogate, the largest text and models added by the test are no errors."""
    with AimlapiServer(models={"voyage-2": 1024}) as server:
        assert vectors(server, "a", encoding_format=None, dimensions=None).shape == (1, 1536)
        assert vectors(server, "a\ud800", dimensions=8.0).shape == (1, 8)
        assert vectors(server, "a" * 4 * 8191, model=ADA).shape == (1, 1536)
        assert vectors(server, "a", model="voyage-2").shape == (1, 1024)


def test_a_wrong_key_and_a_wrong_path_are_refused(server: AimlapiServer):
    """401 for another key, 404 for another path or method, and 400 for base64 where it is not allowed."""
    body = {"model": SMALL, "input": "a", "encoding_format": "base64"}
    status, answer, _ = post(server.base_url, body, key="another")
    assert (status, answer["message"][:38]) == (401, "This request requires a valid API key.")
    status, answer, _ = post(server.base_url, body, path="/embeddings")
    assert (status, answer["path"]) == (404, "/embeddings")
    with closing(connect(server.base_url)) as connection:
        connection.request("GET", "/v1/embeddings")
        assert connection.getresponse().status == 404
    server.allow_base64 = False
    assert post(server.base_url, body)[0] == 400


def test_what_is_charged_is_rounded_up_for_each_request():
    """In whole credits, at a factor of the price; headers and body say so, as far as the server is told to."""
    assert [charge(5, 0.02), charge(1_000, 0.02, 1.3), charge(25, 0.02)] == [1, 52, 1]
    with AimlapiServer(factor=1.3, tells=["usd", "credits"]) as server:
        _, answer, headers = post(server.base_url, {"model": SMALL, "input": ["a" * 4_000]})
        assert (headers["x-aimlapi-usd-spent"], headers["x-aimlapi-credits-used"]) == ("0.000026000", "52")
        assert "meta" not in answer
        assert server.credits_charged == server.requests[0].credits == 52
        server.tells = ()
        _, _, headers = post(server.base_url, {"model": SMALL, "input": ["a"]})
        assert not [name for name in headers if name.startswith("x-aimlapi")]
        assert server.dollars_charged == 53 / 2_000_000


def test_a_request_can_be_followed(server: AimlapiServer):
    """Each answer has an id of its own; the client's comes back if it is well-formed."""
    body = {"model": SMALL, "input": "a"}
    for own, echoed in (("run:1-a.b_c", "run:1-a.b_c"), ("two words", None), ("a" * 129, None)):
        _, _, headers = post(server.base_url, body, own_id=own)
        assert headers.get("x-client-request-id") == echoed
        assert headers["x-inference-id"] == server.requests[-1].inference_id


def get(server: AimlapiServer, path: str, **headers: str) -> tuple[int, Any, dict[str, str]]:
    with closing(connect(server.base_url)) as connection:
        connection.request("GET", path, headers={key.replace("_", "-"): value for key, value in headers.items()})
        response = connection.getresponse()
        raw = response.read()
        return response.status, json.loads(raw) if raw else None, dict(response.getheaders())


def test_models_and_balance(server: AimlapiServer):
    """The models with aliases and prices per so many tokens, by their ETag; the balance for the key."""
    path = "/v1/models?id=text-embedding-3-small,voyage-2,gone&include=pricing"
    _, answer, headers = get(server, path)
    prices = {one["id"]: one["pricing"]["units"][0] for one in answer["data"]}
    assert prices == {
        "openai/text-embedding-3-small": {"name": "token", "measure": "input", "price": 0.02, "per": 1_000_000},
        "voyage-2": {"name": "token", "measure": "input", "price": 0.00012, "per": 1_000},
    }
    assert get(server, path, if_none_match=headers["etag"])[:2] == (304, None)
    server.hidden.add("voyage-2")
    assert [one["id"] for one in get(server, path)[1]["data"]] == ["openai/text-embedding-3-small"]
    assert get(server, "/v2/billing")[0] == 401
    server.balance = 3.0
    balance = get(server, "/v2/billing", authorization=f"Bearer {server.api_key}")
    assert balance[1] == {"current_balance": 3.0, "currency": "USD"}
    assert len(server.lookups) == 5


@pytest.mark.parametrize(
    ("model", "value", "fields"),
    [
        ("voyage-2", "a" * 8_001, {}),
        ("voyage-2", ["a" * 801], {}),
        ("voyage-2", "a", {"encoding_format": "float"}),
        ("voyage-2", "a", {"dimensions": 1024}),
        ("voyage-2", "a", {"input_type": "query"}),
        ("text-multilingual-embedding-002", "a" * 8_193, {"auto_truncate": False}),
        ("text-multilingual-embedding-002", "a", {"task_type": "classification"}),
        ("text-multilingual-embedding-002", "a", {"encoding_format": "base64"}),
        ("alibaba/qwen-text-embedding-v3", "a", {"dimensions": 2048}),
        ("alibaba/qwen-text-embedding-v4", "a", {"dimensions": 100}),
        ("alibaba/qwen-text-embedding-v4", ["a"] * 11, {}),
        (SMALL, "a", {"task_type": "CLASSIFICATION"}),
    ],
)
def test_what_the_schema_of_a_model_refuses_is_refused(server: AimlapiServer, model: str, value: Any, fields: dict):
    """Its own fields only, and inputs of its own lengths."""
    assert post(server.base_url, {"model": model, "input": value, **fields})[0] == 400


def test_what_it_takes(server: AimlapiServer):
    """A long text alone, a long text that is cut in silence, lengths, and a task, which has other vectors."""
    assert vectors(server, *["a" * 800] * 2, model="voyage-2").shape == (2, 1024)
    assert post(server.base_url, {"model": "voyage-2", "input": "a" * 8_000})[0] == 200
    google = "text-multilingual-embedding-002"
    cut = vectors(server, "a" * 8_192, "a" * 9_000, model=google)
    np.testing.assert_array_equal(cut[0], cut[1])
    plain, classed = (vectors(server, "a b", model=google, **task) for task in ({}, {"task_type": "CLASSIFICATION"}))
    assert 0.9 < plain[0] @ classed[0] < 0.9999
    assert vectors(server, "a", model="alibaba/qwen-text-embedding-v4", dimensions=2048).shape == (1, 2048)


def test_a_spent_balance_ends_it(server: AimlapiServer):
    """What is asked for after that is refused."""
    server.balance = 1e-7
    assert [post(server.base_url, {"model": SMALL, "input": "a"})[0] for _ in range(2)] == [200, 403]


def test_it_counts(server: AimlapiServer):
    """Requests, their texts in order and the most in flight are counted before the answer can be read."""
    for text in "abc":
        vectors(server, text, "again")
    assert server.texts_sent == ["a", "again", "b", "again", "c", "again"]
    assert (server.n_requests, server.most_at_once) == (3, 1)
    last = server.requests[-1]
    assert (last.path, last.status, last.body["input"]) == ("/v1/embeddings", 200, ["c", "again"])
    assert last.headers["authorization"] == "Bearer test-key"
    assert 0 < last.started <= last.ended <= time.monotonic()

    server.reset()
    assert (server.n_requests, server.texts_sent, server.most_at_once) == (0, [], 0)
    together = threading.Barrier(4, timeout=10)

    def meet(_: Request) -> None:
        together.wait()

    server.fault = meet
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda text: vectors(server, text), "abcd"))
    assert (server.n_requests, server.most_at_once, sorted(server.texts_sent)) == (4, 4, list("abcd"))


def test_one_more_than_the_most_is_told_to_wait():
    """With `max_concurrent` under way the next is answered 429 at once, and is no text sent."""
    arrived, go_on = threading.Semaphore(0), threading.Event()

    def hold(_: Request) -> None:
        arrived.release()
        go_on.wait(10)

    with AimlapiServer(max_concurrent=2, retry_after=0.5) as server, ThreadPoolExecutor(2) as pool:
        server.fault = hold
        held = [pool.submit(vectors, server, text) for text in "ab"]
        assert all(arrived.acquire(timeout=10) for _ in held)
        status, answer, headers = post(server.base_url, {"model": SMALL, "input": "c"})
        go_on.set()
        assert (status, answer["message"], headers["retry-after"]) == (429, "Too Many Requests", "0.5")
        assert [len(each.result()) for each in held] == [1, 1]
        assert (server.n_requests, server.most_at_once, sorted(server.texts_sent)) == (3, 3, ["a", "b"])
        assert post(server.base_url, {"model": SMALL, "input": "c"})[0] == 200


def test_faults_take_the_place_of_the_answer(server: AimlapiServer):
    """An error, a page, a cut body and a dropped connection come when asked for, and None lets the answer through."""
    faults = [
        error(503, "later", retry_after="7"),
        html(),
        Response(200, b"{}" * 50, cut_after=10),
        Response(drop=True),
    ]
    seen: list[Request] = []

    def fault(request: Request) -> Response | None:
        seen.append(request)
        return faults[request.number] if request.number < len(faults) else None

    server.fault = fault
    body = {"model": SMALL, "input": "a"}
    status, answer, headers = post(server.base_url, body)
    assert (status, answer["message"], headers["retry-after"]) == (503, "later", "7")
    status, page, headers = post(server.base_url, body)
    assert (status, page[:9], headers["content-type"]) == (200, b"<!DOCTYPE", "text/html")
    with pytest.raises(http.client.IncompleteRead) as cut:
        post(server.base_url, body)
    assert len(cut.value.partial) == 10
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        post(server.base_url, body)
    assert server.texts_sent == []
    assert post(server.base_url, body)[0] == 200
    assert server.texts_sent == ["a"]
    assert [(request.number, request.texts) for request in seen] == [(number, ["a"]) for number in range(5)]
    assert [request.status for request in server.requests] == [503, 200, 200, 0, 200]


def test_an_answer_can_be_tampered_with(server: AimlapiServer):
    """`tamper` changes the answer in place or returns another."""
    server.tamper = lambda answer: answer["data"].reverse()
    _, answer, _ = post(server.base_url, {"model": SMALL, "input": ["a", "b"]})
    assert [item["index"] for item in answer["data"]] == [1, 0]
    server.tamper = lambda answer: answer | {"data": [float("nan")]}
    _, answer, _ = post(server.base_url, {"model": SMALL, "input": ["a", "b"]})
    assert np.isnan(answer["data"]).all()


def test_a_mistake_in_a_fault_is_not_lost():
    """What a fault or a tamper raises is raised at the end of the block."""

    def run() -> None:
        with AimlapiServer() as server:
            server.fault = lambda request: faults[request.number]
            with pytest.raises(http.client.RemoteDisconnected):
                post(server.base_url, {"model": SMALL, "input": "a"})

    faults: list[Response] = []
    with pytest.raises(RuntimeError, match="the server failed") as failure:
        run()
    assert isinstance(failure.value.__cause__, IndexError)


def test_after_the_block_it_is_closed():
    """A connection kept alive and an answer still delayed hold nothing up; the port is free for the next block."""
    server = AimlapiServer()
    with closing(http.client.HTTPConnection("127.0.0.1")) as kept, ThreadPoolExecutor(1) as pool:
        with server:
            url = server.base_url
            kept.port = server.port
            kept.request("POST", "/")
            kept.getresponse().read()
            server.delay = 60
            waiting = pool.submit(post, url, {"model": SMALL, "input": "a"})
            while not server.texts_sent:
                time.sleep(0.01)
            started = time.monotonic()
        assert time.monotonic() - started < 1
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            waiting.result()
        assert kept.sock.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            post(url, {})
    server.delay = 0
    with server:
        assert server.base_url == url
        assert len(vectors(server, "a")) == 1


def test_a_text_is_in_the_file_before_it_is_answered(tmp_path: Path):
    """The file has the texts of a request before its answer is made, and of a refused one never."""
    counted = tmp_path / "asked.jsonl"
    seen: list[str] = []
    with AimlapiServer(count_file=counted) as server:
        server.tamper = lambda _: seen.append(counted.read_text())
        vectors(server, "a\n", "é")
        assert post(server.base_url, {"model": SMALL, "input": ["b", ""]})[0] == 400
    assert seen == [counted.read_text()]
    assert [json.loads(line) for line in counted.read_text().splitlines()] == ["a\n", "é"]


@pytest.mark.parametrize("end", ["stdin", "SIGTERM"])
def test_it_runs_as_a_process(tmp_path: Path, end: str):
    """It prints its URL first, counts into the file, and ends without a word."""
    counted = tmp_path / "asked.jsonl"
    command = [sys.executable, aimlapi_server.__file__, "--port", "0", "--delay", "0.1", "--count-file", counted]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            started = time.monotonic()
            assert post(url, {"model": SMALL, "input": ["a", "b"]})[0] == 200
            assert time.monotonic() - started >= 0.1
            assert counted.read_text().splitlines() == ['"a"', '"b"']
            if end == "SIGTERM":
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0
            assert process.communicate(timeout=10) == ("", "")
            assert process.returncode == 0
        finally:
            process.kill()
