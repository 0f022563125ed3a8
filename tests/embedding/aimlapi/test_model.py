"""The AI/ML API embedder against a loopback server: what it sends, what it takes, and what it says."""

import base64
import json
import logging
import os
import pickle
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import trustme

import aimlapi_server
import embedclf
from aimlapi_server import AimlapiServer, Response, error, html
from corpus import LABELS, QUICK, QUICKLY, TEXTS
from running import Cli

SMALL_MODEL = "aimlapi:text-embedding-3-small"


def expected(texts: list[str], model: str = "text-embedding-3-small", size: int = 1536, dimensions: int | None = None):
    return np.stack([aimlapi_server.embed(text, model, size, dimensions) for text in texts])


@pytest.mark.parametrize(
    ("model", "size"),
    [("text-embedding-3-small", 1536), ("text-embedding-3-large", 3072), ("text-embedding-ada-002", 1536)],
)
def test_every_model_of_the_card(api: AimlapiServer, model: str, size: int):
    """Strings are sent, in base64, with their dimensions for the -3- models only; the vectors are the server's."""
    embedder = embedclf.open_embedder(f"aimlapi:{model}")
    vectors = embedder.embed(TEXTS)
    np.testing.assert_allclose(vectors, expected(TEXTS, model, size), atol=1e-6)
    assert vectors.dtype == np.float32
    fields = {"model": model, "input": TEXTS, "encoding_format": "base64"}
    if model != "text-embedding-ada-002":
        fields["dimensions"] = size
    assert [request.body for request in api.requests] == [fields]
    assert embedder.spec == embedclf.embedding.base.EmbedderSpec("aimlapi", model, size, api.base_url)


def test_shorter_vectors_are_those_the_api_would_cut(api: AimlapiServer):
    """--dimensions cuts and renormalises as the documentation of the API describes it."""
    vectors = embedclf.open_embedder(SMALL_MODEL, dimensions=256).embed(TEXTS)
    np.testing.assert_allclose(vectors, expected(TEXTS, dimensions=256), atol=1e-6)


@pytest.mark.parametrize(
    ("model", "dimensions", "message"),
    [
        ("text-embedding-ada-002", 256, "supports only 1536 dimensions: its vectors cannot be shortened"),
        ("text-embedding-3-small", 2000, "supports 1 to 1,536 dimensions, got 2,000"),
    ],
)
def test_dimensions_that_cannot_be(model: str, dimensions: int, message: str):
    """Said before anything is sent."""
    with pytest.raises(embedclf.EmbedderError, match=message):
        embedclf.open_embedder(f"aimlapi:{model}", dimensions=dimensions)


def test_a_text_that_comes_twice_is_sent_once(api: AimlapiServer):
    """Duplicates are scattered back to their places."""
    texts = ["a b", "c", "a b", "d", "c"]
    vectors = embedclf.open_embedder(SMALL_MODEL).embed(texts)
    assert api.texts_sent == ["a b", "c", "d"]
    np.testing.assert_allclose(vectors, expected(texts), atol=1e-6)


def test_batches_stay_within_the_apis_limits(api: AimlapiServer):
    """At most 2,048 texts and 300,000 tokens a request, a token being at least a byte."""
    texts = [f"text {number} " + "wörter " * 2_000 for number in range(60)] + [f"short {i}" for i in range(1_200)]
    embedclf.open_embedder(SMALL_MODEL).embed(texts)
    assert sorted(api.texts_sent) == sorted(texts)
    for request in api.requests:
        assert len(request.body["input"]) <= 2_048
        assert sum(len(text.encode()) for text in request.body["input"]) <= 300_000


def test_a_server_that_answers_in_floats_is_served(api: AimlapiServer):
    """Whatever was asked for."""
    api.always_float = True
    np.testing.assert_allclose(embedclf.open_embedder(SMALL_MODEL).embed(TEXTS), expected(TEXTS), atol=1e-6)


def test_a_server_that_refuses_base64_is_asked_for_floats(api: AimlapiServer):
    """Once refused, it is not asked for again."""
    api.allow_base64 = False
    embedder = embedclf.open_embedder(SMALL_MODEL)
    np.testing.assert_allclose(embedder.embed(TEXTS), expected(TEXTS), atol=1e-6)
    embedder.embed(["another"])
    assert [request.body["encoding_format"] for request in api.requests] == ["base64", "float", "float"]


@pytest.mark.slow
def test_an_unknown_models_length_is_remembered(api: AimlapiServer, cli: Cli, dataset, tmp_path: Path):
    """What is trained from the cache alone is as good as what was trained from answers."""
    api.models = {**api.models, "strange": 48}
    options = ("train", dataset, "--embedder", "aimlapi:strange", "-o")
    assert cli(*options, "first.safetensors").exit_code == 0
    result = cli(*options, "second.safetensors")
    assert "Embedder: aimlapi:strange (48 dimensions)\n" in result.stderr
    assert Path("second.safetensors").read_bytes() == Path("first.safetensors").read_bytes()
    assert cli("predict", "-m", "second.safetensors", "my parcel is new").exit_code == 0


def test_an_unknown_model_is_observed(api: AimlapiServer):
    """Its length is known from its first answer on, no field is sent that it may refuse, and it loads again."""
    api.models = {**api.models, "other-model": 48}
    embedder = embedclf.open_embedder("aimlapi:other-model")
    assert embedder.spec.dimensions is None
    classifier = embedclf.train(TEXTS, LABELS, embedder=embedder, **QUICK)
    assert embedder.spec.dimensions == 48
    assert set(api.requests[0].body) == {"model", "input", "encoding_format"}
    classifier.save("m.safetensors")
    assert embedclf.load("m.safetensors").predict(TEXTS[:2]) == classifier.predict(TEXTS[:2])
    assert pickle.loads(pickle.dumps(embedder)).spec.dimensions == 48
    # A model of another length is another model, even if it can be asked for vectors as long as those.
    for length in (40, 50):
        api.models = {**api.models, "other-model": length}
        for copy in (embedclf.load("m.safetensors").embedder, pickle.loads(pickle.dumps(embedder))):
            with pytest.raises(embedclf.EmbedderError, match=f"its vectors have {length} dimensions, expected 48"):
                copy.embed(["something else"])


def floats(answer: dict) -> None:
    for item in answer["data"]:
        if isinstance(item["embedding"], str):
            item["embedding"] = np.frombuffer(base64.b64decode(item["embedding"]), "<f4").tolist()


def tampered(change: Callable[[dict], None]) -> Callable[[dict], dict]:
    def tamper(answer: dict) -> dict:
        floats(answer)
        change(answer)
        return answer

    return tamper


def test_vectors_out_of_order_are_put_right(api: AimlapiServer):
    """By their index."""
    api.tamper = tampered(lambda answer: answer["data"].reverse())
    np.testing.assert_allclose(embedclf.open_embedder(SMALL_MODEL).embed(TEXTS), expected(TEXTS), atol=1e-6)


def test_vectors_of_any_length_are_scaled_to_one(api: AimlapiServer):
    """Some servers leave that to the client."""

    def stretch(answer: dict) -> None:
        for item in answer["data"]:
            item["embedding"] = [3 * number for number in item["embedding"]]

    api.tamper = tampered(stretch)
    np.testing.assert_allclose(embedclf.open_embedder(SMALL_MODEL).embed(TEXTS), expected(TEXTS), atol=1e-6)


def _set(place: int, value: object) -> Callable[[dict], None]:
    return lambda answer: answer["data"][0]["embedding"].__setitem__(place, value)


BAD_ANSWERS = {
    "too few": (lambda a: a["data"].pop(), "it contains 29 vectors for 30 texts"),
    "too many": (lambda a: a["data"].append(a["data"][0]), "it contains 31 vectors for 30 texts"),
    "index missing": (lambda a: a["data"][3].pop("index"), "the indices of its vectors do not match the texts"),
    "index twice": (lambda a: a["data"][3].update(index=4), "the indices of its vectors do not match the texts"),
    "index is text": (lambda a: a["data"][3].update(index="3"), "the indices of its vectors do not match the texts"),
    "NaN": (_set(7, float("nan")), "some of its numbers are not finite"),
    "infinity": (_set(7, float("inf")), "some of its numbers are not finite"),
    "null": (_set(7, None), "some of its numbers are not finite"),
    "text": (_set(7, "x"), "some of its vectors are neither base64 nor lists of numbers"),
    "zero": (lambda a: a["data"][0].update(embedding=[0.0] * 1536), "some of its vectors are zero"),
    "one short": (lambda a: a["data"][0]["embedding"].pop(), "its vectors have 1535, 1536 dimensions, expected 1536"),
    "all short": (
        lambda a: [item["embedding"].pop() for item in a["data"]],
        "its vectors have 1535 dimensions, expected 1536",
    ),
    "not base64": (
        lambda a: a["data"][0].update(embedding="%%%"),
        "some of its vectors are neither base64 nor lists of numbers",
    ),
    "half a float": (
        lambda a: a["data"][0].update(embedding=base64.b64encode(b"123").decode()),
        "some of its vectors are neither base64 nor lists of numbers",
    ),
    "no vector": (lambda a: a["data"][0].pop("embedding"), "some of its vectors are neither base64 nor lists"),
    "no data": (lambda a: a.pop("data"), "it contains no list of vectors"),
    "data is text": (lambda a: a.update(data="x"), "it contains no list of vectors"),
}


@pytest.mark.parametrize("kind", BAD_ANSWERS)
def test_an_answer_that_cannot_be_put_right(api: AimlapiServer, kind: str):
    """Is one clear error, and never cached: asked again, all of it is sent again."""
    change, message = BAD_ANSWERS[kind]
    api.tamper = tampered(change)
    embedder = embedclf.open_embedder(SMALL_MODEL, cache=True)
    with pytest.raises(embedclf.EmbedderError) as caught:
        embedder.embed(TEXTS)
    assert str(caught.value).startswith(f"{SMALL_MODEL} at {api.base_url} returned an unusable response: {message}")
    assert caught.value.__cause__ is None
    api.tamper = None
    np.testing.assert_allclose(embedder.embed(TEXTS), expected(TEXTS), atol=1e-6)
    assert len(api.texts_sent) == 60


def test_the_error_of_a_bad_answer_names_the_request(api: AimlapiServer):
    """HTML with status 200, and JSON that is cut short; the request's id is what support asks for."""
    api.fault = lambda request: Response(200, html().body, {"x-request-id": "req-77", "content-type": "text/html"})
    with pytest.raises(
        embedclf.EmbedderError, match=r"it is not JSON, or was cut off \(it starts with '<.*\(request req-77, "
    ):
        embedclf.open_embedder(SMALL_MODEL).embed(["a"])
    api.fault = lambda request: Response(200, b'{"object": "list", "data": [{', {"content-type": "application/json"})
    with pytest.raises(embedclf.EmbedderError, match="it is not JSON, or was cut off"):
        embedclf.open_embedder(SMALL_MODEL).embed(["a"])


@pytest.mark.parametrize(
    ("status", "said", "advice"),
    [
        (400, "Body validation error", ""),
        (401, "This request requires a valid API key", "; check AIMLAPI_API_KEY (create keys at"),
        (403, "You've run out of credits. Please top up", "; top up the account"),
        (404, "Not Found", "; check the model name and the base URL"),
    ],
)
def test_a_refused_request_is_told_in_the_providers_words(cli: Cli, api: AimlapiServer, dataset, status, said, advice):
    """With the request's id and what to do; one line, exit code 1, no traceback."""
    refusal = error(status, said)
    api.fault = lambda request: refusal
    result = cli("train", dataset, *QUICKLY)
    identity = json.loads(refusal.body)["requestId"]
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    sent = api.requests[0]  # of a 400, the next is a harmless text alone
    ids = f"request {identity}, inference {sent.inference_id}"
    assert last.startswith(f"Error: {SMALL_MODEL} at {api.base_url} returned {status}: “{said}” ({ids}){advice}")


def test_a_redirect_is_not_followed(api: AimlapiServer):
    """The texts would go to another host, and the key with them."""
    with AimlapiServer() as other:
        api.fault = lambda request: Response(307, b"", {"location": f"{other.base_url}/embeddings"})
        with pytest.raises(embedclf.EmbedderError, match=r"returned 307: .*redirects are not followed"):
            embedclf.open_embedder(SMALL_MODEL).embed(["a"])
        assert other.n_requests == 0


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch):
    """A server that is not there is one line."""
    monkeypatch.setenv("AIMLAPI_API_KEY", "test-key")
    with pytest.raises(embedclf.EmbedderError, match=r"^http://127.0.0.1:9/v1 cannot be reached: .*refused"):
        embedclf.open_embedder(SMALL_MODEL, base_url="http://127.0.0.1:9/v1", retries=0).embed(["a"])


def test_only_our_key_is_sent(api: AimlapiServer, monkeypatch: pytest.MonkeyPatch):
    """No OPENAI_* variable reaches the server, and none breaks the request."""
    for name in ("API_KEY", "ORG_ID", "ORGANIZATION", "PROJECT_ID", "WEBHOOK_SECRET", "ADMIN_KEY"):
        monkeypatch.setenv(f"OPENAI_{name}", f"planted-{name}")
    planted = [f"{name}: planted" for name in ("Authorization", "X-A", "Host", "User-Agent", "Accept", "X-Stainless-A")]
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "\n".join([*planted, "Content-Type: text/planted", "X-B: €"]))
    monkeypatch.setenv("OPENAI_API_TYPE", "azure")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_VERSION", "planted")
    embedclf.open_embedder(SMALL_MODEL).embed(["a text"])
    (request,) = api.requests
    assert request.headers["authorization"] == "Bearer test-key"
    assert "planted" not in str(request.headers).lower()
    assert not any(name.startswith("openai") for name in request.headers)
    assert request.path == "/v1/embeddings"


def test_no_proxy_stands_before_this_machine(api: AimlapiServer, monkeypatch: pytest.MonkeyPatch):
    """A proxy of the environment's would read the key."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    embedclf.open_embedder(SMALL_MODEL).embed(["a text"])
    assert api.n_requests == 1


@pytest.mark.parametrize("key", ["", "  \n"])
def test_without_a_key_the_error_says_where_to_get_one(api: AimlapiServer, monkeypatch: pytest.MonkeyPatch, key: str):
    """What is cached needs none; a server on this machine says itself whether it does, any other is not asked."""
    embedder = embedclf.open_embedder(SMALL_MODEL, cache=True)
    embedder.embed(["a text"])
    monkeypatch.setenv("AIMLAPI_API_KEY", key)
    embedder.embed(["a text"])
    with pytest.raises(
        embedclf.EmbedderError, match=r"get a key at https://aimlapi.com/app/keys and set it with: export"
    ):
        embedder.embed(["another text"])
    assert [request.headers.get("authorization") for request in api.requests] == ["Bearer test-key", None]
    with pytest.raises(embedclf.EmbedderError, match=r"^AIMLAPI_API_KEY is not set, but this model needs AI/ML API"):
        embedclf.open_embedder(SMALL_MODEL, base_url="https://api.nowhere.example/v1").embed(["another text"])


def test_a_key_with_a_line_break_at_its_end_works(api: AimlapiServer, monkeypatch: pytest.MonkeyPatch):
    """As it comes out of a file."""
    monkeypatch.setenv("AIMLAPI_API_KEY", "test-key\n")
    embedclf.open_embedder(SMALL_MODEL).embed(["a text"])
    monkeypatch.setenv("AIMLAPI_API_KEY", "test\nkey")
    with pytest.raises(embedclf.EmbedderError, match="contains characters that no key has") as caught:
        embedclf.open_embedder(SMALL_MODEL).embed(["a text"])
    assert "test" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.com/v1", "is not encrypted, so anyone on the network could read the key and the texts"),
        ("http://127.0.0.1.example.com/v1", "is not encrypted"),
        ("ftp://example.com", "is not a valid URL (expected something like https://api.aimlapi.com/v1"),
        ("api.aimlapi.com/v1", "is not a valid URL (did you mean https://api.aimlapi.com/v1?)"),
        ("localhost:8080/v1", "is not a valid URL (did you mean http://localhost:8080/v1?)"),
        ("https://example.com/v1/embeddings", "give the base URL without /embeddings: https://example.com/v1"),
        ("https://", "is not a valid URL"),
        ("https://a\tb/v1", "is not a valid URL"),
        ("https://a b/v1", "is not a valid URL"),
        ("https://me:secret@example.com/v1", "must not contain a user name, a password, a query or a fragment"),
        ("https://example.com/v1?key=secret", "must not contain a user name, a password, a query or a fragment"),
    ],
)
def test_addresses_that_are_refused(cli: Cli, dataset, url: str, message: str):
    """Said before anything is sent; a secret in one is not repeated."""
    result = cli("train", dataset, *QUICKLY, "--embedder", SMALL_MODEL, "--base-url", url)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "secret" not in result.stderr


def test_plain_http_can_be_allowed():
    """By the person who knows the way; loopback needs no leave."""
    embedclf.open_embedder(SMALL_MODEL, base_url="http://10.0.0.1/v1", allow_http=True)
    for host in ("127.0.0.1", "localhost", "[::1]", "127.8.9.1", "LocalHost"):
        # Some programs keep the quotes of an environment file.
        embedder = embedclf.open_embedder(SMALL_MODEL, base_url=f'"HTTP://{host}:8080/v1/" ')
        assert embedder.spec.endpoint == f"http://{host.lower()}:8080/v1"


def test_it_goes_to_another_process_without_its_client(api: AimlapiServer):
    """Pickled before and after use, with neither key nor connection in it."""
    embedder = embedclf.open_embedder(SMALL_MODEL, dimensions=64, cache=True)
    for _ in range(2):
        data = pickle.dumps(embedder)
        assert b"test-key" not in data
        copy = pickle.loads(data)
        assert copy.spec == embedder.spec
        assert (copy.embed(["a text"]) == embedder.embed(["a text"])).all()
    assert api.n_requests == 1


def test_threads_share_one_client(api: AimlapiServer):
    """32 threads at once get the vectors that belong to their texts."""
    api.models = {"text-embedding-ada-002": 32}
    embedder = embedclf.open_embedder("aimlapi:ada", base_url=api.base_url)
    api.models = {"ada": 32}
    wrong: list[str] = []

    def ask(number: int) -> None:
        texts = [f"text {number} {i}" for i in range(5)]
        if not np.allclose(embedder.embed(texts), expected(texts, "ada", 32), atol=1e-6):
            wrong.append(texts[0])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert api.n_requests == 32


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_gets_its_own_vectors(api: AimlapiServer):
    """The connections that it inherits are its parent's: it makes its own."""
    embedder = embedclf.open_embedder(SMALL_MODEL)
    embedder.embed(["warm"])
    children = []
    for number in range(8):
        if (child := os.fork()) == 0:
            texts = [f"child {number} {i}" for i in range(20)]
            right = all(np.allclose(embedder.embed([text]), expected([text]), atol=1e-6) for text in texts)
            os._exit(0 if right else 3)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 8


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "socks5://127.0.0.1:9"),
        ("HTTPS_PROXY", "foo://127.0.0.1:9"),
        ("HTTPS_PROXY", "http://127.0.0.1:port"),
        ("SSL_CERT_FILE", "/nonexistent"),
    ],
)
def test_an_environment_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    """Proxies and certificates that are set wrong are one line."""
    monkeypatch.setenv("AIMLAPI_API_KEY", "test-key")
    monkeypatch.setenv(name, value)
    with pytest.raises(
        embedclf.EmbedderError, match=r"^(requests to )?https://127.0.0.1:9/v1 cannot be (sent|reached): "
    ):
        embedclf.open_embedder(SMALL_MODEL, base_url="https://127.0.0.1:9/v1", retries=0).embed(["a"])


def test_what_a_server_says_is_shown_in_one_line_without_the_key(api: AimlapiServer):
    """Also in an answer with status 200, nested without end, or with a terminal's commands in it."""
    answers = [
        (
            200,
            b'{"message": "no \\u001b[31mcredits, test-key", "requestId": "rid-1"}',
            "message “no [31mcredits, …” (request rid-1, inference ",
        ),
        (200, b"test-key is no JSON", "it starts with '… is no JSON'"),
        (200, b"[" * 9_000, "it is not JSON, or was cut off"),
        (400, b"[" * 200_000, "returned 400: “Bad Request”"),
    ]
    for status, body, message in answers:
        api.fault = lambda request, status=status, body=body: Response(status, body, {"content-type": "text/html"})
        with pytest.raises(embedclf.EmbedderError) as caught:
            embedclf.open_embedder(SMALL_MODEL).embed(["a"])
        assert message in str(caught.value)


def test_an_index_may_be_written_as_any_number(api: AimlapiServer):
    """The schema says "number"."""
    api.tamper = tampered(lambda answer: [item.update(index=float(item["index"])) for item in answer["data"]])
    np.testing.assert_allclose(embedclf.open_embedder(SMALL_MODEL).embed(TEXTS), expected(TEXTS), atol=1e-6)


def test_base_url_needs_an_embedder_that_it_is_for(cli: Cli, dataset):
    """It is not silently passed over."""
    result = cli("train", dataset, *QUICKLY, "--base-url", "http://127.0.0.1:9/v1")
    assert result.exit_code == 2
    assert "--base-url only applies to aimlapi embedders: set AIMLAPI_API_KEY, or use --embedder" in result.stderr


def test_the_default_embedder_depends_on_the_key(
    cli: Cli, api: AimlapiServer, dataset, monkeypatch: pytest.MonkeyPatch
):
    """AI/ML API's if its key is set, else WordLlama; which and why is said on stderr."""
    assert (
        f"Embedder: {SMALL_MODEL} (1536 dimensions; AIMLAPI_API_KEY is set)\n" in cli("train", dataset, *QUICKLY).stderr
    )
    monkeypatch.delenv("AIMLAPI_API_KEY")
    said = cli("train", dataset, *QUICKLY).stderr
    assert "Embedder: wordllama:l2_supercat (256 dimensions; AIMLAPI_API_KEY is not set)\n" in said
    said = cli("train", dataset, *QUICKLY, "--embedder", "wordllama").stderr
    assert "Embedder: wordllama:l2_supercat (256 dimensions)\n" in said


def test_a_model_is_used_with_the_embedder_that_it_was_trained_with(
    cli: Cli, api: AimlapiServer, dataset, monkeypatch: pytest.MonkeyPatch
):
    """Whatever the environment says now; without the key, the error says where to get one."""
    cli("train", dataset, *QUICKLY, "-o", "wl.safetensors", "--embedder", "wordllama")
    cli("train", dataset, *QUICKLY, "-o", "api.safetensors", "--dimensions", 128)
    assert cli("predict", "-m", "wl.safetensors", "my parcel please").exit_code == 0
    assert api.n_requests == 1
    assert cli("predict", "-m", "api.safetensors", "my parcel please").stdout.startswith("delivery\t")
    assert api.texts_sent[-1] == "my parcel please"
    monkeypatch.delenv("AIMLAPI_API_KEY")
    result = cli("predict", "-m", "api.safetensors", "my other parcel")
    assert result.exit_code == 1
    assert "; the server asks for a key, but AIMLAPI_API_KEY is not set: get a key at " in result.stderr


def test_a_model_file_cannot_make_anyone_call_an_address(cli: Cli, api: AimlapiServer, dataset, monkeypatch):
    """A file that names a strange server is refused, and that server never hears of it."""
    with AimlapiServer() as strange:
        cli("train", dataset, *QUICKLY, "-o", "m.safetensors", "--base-url", strange.base_url)
        asked = strange.n_requests
        result = cli("predict", "-m", "m.safetensors", "a secret text")
        assert result.exit_code == 1
        assert result.stderr == (
            f"Error: m.safetensors was trained with {SMALL_MODEL} at {strange.base_url}, but would now call "
            f"{api.base_url}. A URL in a model file is never called automatically: if you trust it, pass it with "
            "--base-url or AIMLAPI_BASE_URL (in Python: base_url=…)\n"
        )
        assert (strange.n_requests, api.n_requests) == (asked, 0)
        assert cli("predict", "-m", "m.safetensors", "--base-url", strange.base_url, "a text").exit_code == 0


class TestTheKeyStaysInside:
    """The key is in the requests to the server and nowhere else."""

    KEY = "sk-planted-0123456789abcdef"

    @pytest.fixture(autouse=True)
    def _planted(self, api: AimlapiServer, monkeypatch: pytest.MonkeyPatch) -> None:
        api.api_key = self.KEY
        monkeypatch.setenv("AIMLAPI_API_KEY", self.KEY)

    @pytest.mark.slow
    def test_a_full_run_leaves_it_nowhere(
        self, cli: Cli, api: AimlapiServer, dataset, tmp_path, tmp_path_factory, caplog
    ):
        """Not in any file, output or log at any level, with all that can fail failing on the way."""
        caplog.set_level(logging.DEBUG)
        logging.getLogger("embedclf").propagate = True
        said = []
        api.fault = lambda request: error(503, "busy", retry_after="0") if request.number == 0 else None
        said.append(cli("train", dataset, *QUICKLY).output)
        said.append(cli("evaluate", dataset, "--json").output)
        said.append(cli("predict", "a new text").output)
        for fault in (error(401, f"key {self.KEY} is wrong"), error(400, "no"), html(), Response(drop=True)):
            api.fault = lambda request, fault=fault: fault
            said.append(cli("predict", "--retries", 1, "another text").output)
        said.append(cli("cache", "info").output)
        assert api.n_requests >= 5
        assert self.KEY not in "".join(said)
        assert self.KEY not in caplog.text
        for folder in (tmp_path, tmp_path_factory.getbasetemp()):
            for path in folder.rglob("*"):
                if path.is_file():
                    assert self.KEY.encode() not in path.read_bytes(), path

    def test_no_object_holds_it(self, api: AimlapiServer, dataset):
        """Not in repr, str, pickle, joblib dump or scikit-learn's parameters, before and after use."""
        import joblib

        estimator = embedclf.EmbeddingClassifier()
        classifier = embedclf.train(TEXTS, LABELS, **QUICK)
        estimator.fit(TEXTS, LABELS)
        transformer = embedclf.EmbeddingTransformer().fit(TEXTS)
        for thing in (
            classifier,
            classifier.embedder,
            estimator,
            transformer,
            embedclf.as_langchain(classifier.embedder),
        ):
            assert self.KEY not in repr(thing) + str(thing) + str(vars(thing))
            assert self.KEY.encode() not in pickle.dumps(thing)
            joblib.dump(thing, "dump")
            assert self.KEY.encode() not in Path("dump").read_bytes()
        assert self.KEY not in str(estimator.get_params()) + estimator._repr_html_()

    @pytest.mark.slow
    def test_no_traceback_holds_it(self, api: AimlapiServer):
        """Not even with the locals of every frame that an error of ours still shows."""
        import traceback

        huge = Response(200, b" " * 2_000_000)
        for fault in (error(401, "no"), error(500, "no", retry_after="0"), Response(drop=True), html(), huge):
            api.fault = lambda request, fault=fault: fault
            with pytest.raises(embedclf.EmbedderError) as caught:
                embedclf.open_embedder(SMALL_MODEL, retries=1).embed(["a text"])
            shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            assert self.KEY not in "".join(line for line in shown.format() if "KEY" not in line)
            assert self.KEY not in repr(caught.value)
            # nothing behind it that a crash reporter could follow to the request
            behind = caught.value
            while (behind := behind.__context__) is not None:
                assert not hasattr(behind, "request")


def test_a_server_with_a_certificate_of_its_own_is_not_trusted(monkeypatch: pytest.MonkeyPatch):
    """A fault of TLS is one line, too."""
    monkeypatch.setenv("AIMLAPI_API_KEY", "test-key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    class Quiet(HTTPServer):
        def handle_error(self, *args: object) -> None:
            """A client that turns away is no error here."""

    with Quiet(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"https://localhost:{server.server_port}/v1"
        with pytest.raises(embedclf.EmbedderError, match=rf"^{url} cannot be reached: .*[Cc]ertificate"):
            embedclf.open_embedder(SMALL_MODEL, base_url=url).embed(["a text"])
        server.shutdown()
        thread.join()
