"""Whatever the API does wrong: what a person sees, how often it was asked, and what is kept."""

import json
import re
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer, Request, Response, embed, error, html
from corpus import LABELS, QUICK, QUICKLY, TEXTS
from embedclf.embedding.cache.vector_cache import VectorCache
from running import Cli

SMALL_MODEL = "aimlapi:text-embedding-3-small"
FREE_TIER = "Free-tier limit: You've reached your free limit for the hour."


def always(response: Response) -> Callable[[AimlapiServer], None]:
    """Answer every request so."""

    def arrange(api: AimlapiServer) -> None:
        api.fault = lambda request: response

    return arrange


def tampered(change: Callable[[dict], object]) -> Callable[[AimlapiServer], None]:
    """Change every answer."""

    def arrange(api: AimlapiServer) -> None:
        def tamper(answer: dict) -> None:
            change(answer)

        api.always_float = True
        api.tamper = tamper

    return arrange


def hang(api: AimlapiServer) -> None:
    def fault(request: Request) -> None:
        time.sleep(0.5)

    api.fault = fault


def first(answer: dict) -> list:
    return answer["data"][0]["embedding"]


ANSWERED = r" \(inference [0-9a-f]{32}\)"
REQUEST = r" \(request [0-9a-f-]{36}, inference [0-9a-f]{32}\)"
AT = rf"{SMALL_MODEL} at http://127\.0\.0\.1:\d+/v1"
URL = r"http://127\.0\.0\.1:\d+/v1"
USELESS = rf"{AT} returned an unusable response: "
AGAIN = rf"{ANSWERED}\. Nothing from it was kept; try again, and report it to the provider if it persists"

# What the server does; the options of `train`; the message; how many requests there were.
FAULTS: dict[str, tuple[Callable[[AimlapiServer], None], list[str], str, int]] = {
    "401": (
        always(error(401, "This request requires a valid API key.")),
        [],
        rf"{AT} returned 401: “This request requires a valid API key.”{REQUEST}; check AIMLAPI_API_KEY "
        r"\(create keys at https://aimlapi\.com/app/keys\)",
        1,
    ),
    "403": (
        always(error(403, "You've run out of credits. Please top up your balance.")),
        [],
        rf"{AT} returned 403: “You've run out of credits. Please top up your balance.”{REQUEST}; top up the account",
        1,
    ),
    "404": (
        always(error(404, "Not Found")),
        [],
        rf"{AT} returned 404: “Not Found”{REQUEST}; check the model name and the base URL",
        1,
    ),
    "429 to the end": (
        always(error(429, "Too Many Requests", retry_after="0.01")),
        ["--retries", "2"],
        rf"{AT} returned 429: “Too Many Requests”{REQUEST}; try again later, or lower --concurrency",
        3,
    ),
    "429 of the free tier": (
        always(error(429, FREE_TIER)),
        [],
        rf"{AT} returned 429: “{re.escape(FREE_TIER)}”{REQUEST}; quota used up: try again after \d\d:\d\d, or top "
        "up the account",
        1,
    ),
    "429 for hours": (
        always(error(429, "Too Many Requests", retry_after="7200")),
        [],
        rf"{AT} returned 429: “Too Many Requests”{REQUEST}; quota used up: try again after \d\d:\d\d, .*",
        1,
    ),
    "400 of the request": (
        always(error(400, "Body validation error\nmodel: Expected string, received number")),
        [],
        rf"{AT} returned 400: “Body validation error model: Expected string, received number”{REQUEST}",
        2,  # and a harmless one
    ),
    "an error with status 200": (
        always(Response(200, b'{"error": {"message": "The model is loading"}}')),
        [],
        rf"{USELESS}it contains no list of vectors, but the message “The model is loading”{AGAIN}",
        1,
    ),
    "500 to the end": (
        always(error(500, "Internal server error")),
        ["--retries", "1"],
        rf"{AT} returned 500: “Internal server error”{REQUEST}; try again, and report it to the provider "
        "if it persists",
        3,  # the last with a harmless text
    ),
    "504 to the end": (
        always(error(504, "Generation timeout")),
        ["--retries", "1"],
        rf"{AT} returned 504: “Generation timeout”{REQUEST}; try again, or lower --batch-size and --concurrency",
        3,
    ),
    "a proxy's page": (
        always(html(502)),
        ["--retries", "0"],
        rf"{AT} returned 502: “Bad Gateway”{ANSWERED}; try again, and report it to the provider if it persists",
        2,
    ),
    "a page": (
        always(html()),
        [],
        rf"{USELESS}it is not JSON, or was cut off \(it starts with '<!DOCTYPE html>.*'\): a page, "
        rf"perhaps a login; check the network and the base URL{AGAIN}",
        1,
    ),
    "hangs": (
        hang,
        ["--retries", "1", "--timeout", "0.1", "--concurrency", "1"],
        rf"{URL} did not respond within 0\.1 s: try again, raise --timeout, or lower --batch-size and --concurrency "
        rf"\(the request may still be billed\)",
        2,
    ),
    "hangs up": (
        always(Response(drop=True)),
        ["--retries", "1"],
        rf"{URL} closed the connection in the middle of a response \(.*\)",
        3,
    ),
    "hangs up in the body": (
        always(Response(200, b'{"object": "list", "data": [{"object"', cut_after=20)),
        ["--retries", "1"],
        rf"{URL} closed the connection in the middle of a response \(.*\)",
        3,
    ),
    "a body that is cut": (
        always(Response(200, b'{"object": "list", "data": [{"object"')),
        [],
        rf"{USELESS}it is not JSON, or was cut off \(it starts with '.*'\){AGAIN}",
        1,
    ),
    "fewer vectors": (
        tampered(lambda a: a["data"].pop()),
        [],
        rf"{USELESS}it contains 29 vectors for 30 texts{AGAIN}",
        1,
    ),
    "more vectors": (
        tampered(lambda a: a["data"].append(a["data"][0])),
        [],
        rf"{USELESS}it contains 31 vectors for 30 texts{AGAIN}",
        1,
    ),
    "no index": (
        tampered(lambda a: a["data"][3].pop("index")),
        [],
        rf"{USELESS}the indices of its vectors do not match the texts{AGAIN}",
        1,
    ),
    "an index twice": (
        tampered(lambda a: a["data"][3].update(index=4)),
        [],
        rf"{USELESS}the indices of its vectors do not match the texts{AGAIN}",
        1,
    ),
    "NaN": (
        tampered(lambda a: first(a).__setitem__(7, float("nan"))),
        [],
        rf"{USELESS}some of its numbers are not finite{AGAIN}",
        1,
    ),
    "infinity": (
        tampered(lambda a: first(a).__setitem__(7, float("inf"))),
        [],
        rf"{USELESS}some of its numbers are not finite{AGAIN}",
        1,
    ),
    "null": (
        tampered(lambda a: first(a).__setitem__(7, None)),
        [],
        rf"{USELESS}some of its numbers are not finite{AGAIN}",
        1,
    ),
    "zero": (
        tampered(lambda a: a["data"][0].update(embedding=[0.0] * 1536)),
        [],
        rf"{USELESS}some of its vectors are zero{AGAIN}",
        1,
    ),
    "another length": (
        tampered(lambda a: [item["embedding"].pop() for item in a["data"]]),
        [],
        rf"{USELESS}its vectors have 1535 dimensions, expected 1536{ANSWERED}\. Nothing from it was kept; "
        "if another model answers here, name it: aimlapi:ITS-NAME",
        1,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_a_person_sees(cli: Cli, api: AimlapiServer, dataset: Path, name: str):
    """One error that says what to do, after no more requests than can help; no traceback; and nothing is cached."""
    arrange, options, message, n_requests = FAULTS[name]
    arrange(api)
    result = cli("train", dataset, *QUICKLY, "--batch-size", "100", *options)
    assert result.exit_code == 1
    assert re.fullmatch(f"Error: {message}", result.stderr.splitlines()[-1]), result.stderr
    assert api.n_requests == n_requests
    assert result.stdout == ""
    assert VectorCache().info() == []
    assert f"Embedding: 30 texts, 0 from cache, 0 duplicates, {n_requests} request" in result.stderr


def test_vectors_out_of_order_are_put_right(api: AimlapiServer):
    """By their index: that is no fault."""
    right = embedclf.open_embedder(SMALL_MODEL).embed(TEXTS)
    tampered(lambda answer: answer["data"].reverse())(api)
    assert abs(embedclf.open_embedder(SMALL_MODEL).embed(TEXTS) - right).max() < 1e-6


def test_a_host_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    """It is not asked for again and again."""
    import socket

    def no_such_host(*args: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setenv("AIMLAPI_API_KEY", "test-key")
    monkeypatch.setattr("socket.getaddrinfo", no_such_host)
    started = time.monotonic()
    with pytest.raises(
        embedclf.EmbedderError,
        match=r"^https://api\.nowhere\.example/v1 cannot be reached: host not found \(.*Name or service not "
        r"known\); check the base URL and the network$",
    ):
        embedclf.open_embedder(SMALL_MODEL, base_url="https://api.nowhere.example/v1").embed(["a"])
    assert time.monotonic() - started < 10


def test_a_key_that_is_taken_away_meanwhile(api: AimlapiServer, monkeypatch: pytest.MonkeyPatch):
    """It is not waited for."""
    monkeypatch.setattr("embedclf.embedding.aimlapi.client.is_loopback_url", lambda url: False)

    def fault(request: Request) -> Response:
        monkeypatch.delenv("AIMLAPI_API_KEY")
        return error(503, "busy")

    api.fault = fault
    with pytest.raises(embedclf.EmbedderError, match=r"^AIMLAPI_API_KEY is not set, ") as caught:
        embedclf.open_embedder(SMALL_MODEL).embed(["a"])
    assert caught.value.__cause__ is None
    assert api.n_requests == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_waited_for_and_said(cli: Cli, api: AimlapiServer, dataset: Path, status: int):
    """The second try succeeds; a remark says that there was one."""
    api.fault = lambda request: error(status, "busy", retry_after="0.01") if request.number == 0 else None
    result = cli("train", dataset, *QUICKLY)
    assert result.exit_code == 0
    said = {429: "too many requests (429): "}.get(status, f"server returned {status}: retrying (1 of at most 10")
    assert f"{SMALL_MODEL}: {said}" in result.stderr
    assert api.n_requests == 2


@pytest.mark.slow
def test_a_wait_is_as_long_as_told_and_shown(cli: Cli, api: AimlapiServer, dataset: Path):
    """Retry-After is honoured."""
    api.fault = lambda request: error(429, "Too Many Requests", retry_after="1.5") if request.number == 0 else None
    result = cli("train", dataset, *QUICKLY, "--concurrency", 8)
    assert (
        f"{SMALL_MODEL}: too many requests (429): waiting 1.5 s as requested, then sending at most 4 at once\n"
    ) in result.stderr
    first_, second = api.requests
    assert second.started - first_.ended >= 1.5


class TestRefusedTexts:
    """A batch that is refused for what stands in it."""

    @pytest.fixture(autouse=True)
    def _refusing(self, api: AimlapiServer) -> None:
        refusal = error(400, "Your input was flagged")
        api.fault = lambda request: refusal if any("BAD" in text for text in request.texts) else None
        self.reason = f"“Your input was flagged” (request {json.loads(refusal.body)['requestId']})"

    @pytest.fixture
    def with_bad(self, tmp_path: Path) -> Path:
        texts = list(TEXTS)
        texts[3] += " BAD"
        texts[17] += " BAD"
        rows = [f'"{text}",{label}\n' for text, label in zip(texts, LABELS, strict=True)]
        path = tmp_path / "bad.csv"
        path.write_text("text,label\n" + "".join(rows))
        return path

    @pytest.mark.parametrize("command", ["train", "evaluate"])
    def test_train_and_evaluate_list_them(self, cli: Cli, api, dataset: Path, with_bad: Path, command: str):
        """By file and line; all others are in the cache, so that nothing is paid for twice."""
        cli("train", dataset, *QUICKLY)
        result = cli(command, with_bad)
        assert result.exit_code == 1
        assert result.stderr.endswith(
            f"Error: 2 rows of {with_bad} cannot be embedded:\n"
            f"  {with_bad}:5: rejected by text-embedding-3-small: {self.reason}\n"
            f"  {with_bad}:19: rejected by text-embedding-3-small: {self.reason}\n"
            "Fix them, or use --skip-bad-rows.\n"
        )
        assert result.stdout == ""
        assert VectorCache().info()[0].n_vectors == 30
        assert sorted(api.texts_sent) == sorted([*TEXTS, "hello"])

    @pytest.mark.slow
    @pytest.mark.parametrize("command", ["train", "evaluate"])
    def test_they_can_be_left_out(self, cli: Cli, dataset: Path, with_bad: Path, command: str):
        """With --skip-bad-rows, named all the same."""
        cli("train", dataset, *QUICKLY)
        result = cli(command, with_bad, "--skip-bad-rows", "--json")
        assert result.exit_code == 0
        assert json.loads(result.stdout)["n_examples"] == 28
        assert (
            f"Skipped 2 rows:\n  {with_bad}:5: rejected by text-embedding-3-small: {self.reason}\n"
            f"  {with_bad}:19: rejected by text-embedding-3-small: {self.reason}\n"
        ) in result.stderr

    def test_predict_finishes_the_others(self, cli: Cli, dataset: Path, with_bad: Path):
        """They get an `error`, the others their labels, and the exit code is 1 with a count."""
        cli("train", dataset, *QUICKLY)
        result = cli("predict", "--input", with_bad, "--output", "out.csv")
        assert result.exit_code == 1
        assert f"Error: 2 of 30 texts could not be classified:\n  {with_bad}:5: rejected by text-emb" in result.stderr
        lines = Path("out.csv").read_text().splitlines()
        assert len(lines) == 31
        assert lines[4].endswith(f",delivery,,,rejected by text-embedding-3-small: {self.reason}")
        assert all(line.endswith(",") for line in [*lines[1:4], *lines[5:18], *lines[19:]])
        result = cli("predict", "--json", "my parcel", "a BAD text")
        good, bad = map(json.loads, result.stdout.splitlines())
        assert good["label"] == "delivery"
        assert (bad["label"], bad["confidence"]) == (None, None)
        assert bad["error"] == f"rejected by text-embedding-3-small: {self.reason}"

    def test_in_python(self, api: AimlapiServer):
        """`predict` raises with the reason by index; `predict_proba_usable` gives the others."""
        classifier = embedclf.train(TEXTS, LABELS, **QUICK)
        texts = ["my parcel", "a BAD text", "my refund", "a BAD text", ""]
        with pytest.raises(embedclf.TextError) as caught:
            classifier.predict(texts[:4])
        assert caught.value.reasons == dict.fromkeys((1, 3), f"rejected by text-embedding-3-small: {self.reason}")
        probabilities, reasons = classifier.predict_proba_usable(texts)
        assert classifier.decide(probabilities) == ["delivery", None, "refund", None, None]
        assert list(reasons) == [1, 3, 4]
        assert reasons[4] == "the text is empty"

    def test_few_requests_find_them(self, api: AimlapiServer):
        """Two for each halving, and none to prove what has been proven."""
        texts = [f"text {number}" for number in range(256)]
        texts[100] = "BAD"
        embedder = embedclf.open_embedder(SMALL_MODEL, batch_size=256)
        embedder.embed(["one that is fine"])
        with pytest.raises(embedclf.TextError, match=r"^1 text cannot be embedded \(texts\[100\]: "):
            embedder.embed(texts)
        assert api.n_requests == 1 + 1 + 1 + 2 * 8  # and a harmless one
        assert sorted(api.texts_sent) == sorted(["one that is fine", "hello", *texts[:100], *texts[101:]])

    def test_all_of_them(self, api: AimlapiServer):
        """Each has its reason; a harmless text was accepted, so it is not the request's fault."""
        with pytest.raises(embedclf.TextError) as caught:
            embedclf.open_embedder(SMALL_MODEL).embed(["BAD 1", "BAD 2", "BAD 3"])
        assert list(caught.value.reasons) == [0, 1, 2]
        assert api.texts_sent == ["hello"]

    def test_one_with_every_other_wrong_way(self, api: AimlapiServer, cli: Cli, dataset: Path):
        """Empty and refused texts in one call."""
        cli("train", dataset, *QUICKLY)
        result = cli("predict", "", "a BAD one", "my refund please")
        assert result.exit_code == 1
        assert result.stdout.splitlines()[:2] == ["-\t-", "-\t-"]
        assert result.stdout.splitlines()[2].startswith("refund\t")
        assert (
            "Error: 2 of 3 texts could not be classified:\n  text:1: the text is empty\n  text:2: rejected by text-emb"
            in (result.stderr)
        )


def test_what_was_accepted_long_ago_proves_nothing(api: AimlapiServer):
    """When every request is refused from now on, few are sent to find it out."""
    embedder = embedclf.open_embedder(SMALL_MODEL)
    embedder.embed(["one that is fine"])
    api.reset()
    api.fault = lambda request: error(400, "the model is retired")
    with pytest.raises(embedclf.EmbedderError, match=r"returned 400: “the model is retired” \(request "):
        embedder.embed([f"text {number}" for number in range(64)])
    assert 2 <= api.n_requests <= 3


def test_when_it_begins_to_refuse_everything(api: AimlapiServer):
    """In the middle of the work: sixteen refusals in a row are enough to doubt."""
    api.fault = lambda request: error(400, "the model is retired") if request.number >= 2 else None
    with pytest.raises(embedclf.EmbedderError, match="the model is retired"):
        embedclf.open_embedder(SMALL_MODEL, batch_size=64, concurrency=1).embed([f"text {i}" for i in range(1_280)])
    assert api.n_requests < 40


def test_a_field_is_left_out_only_where_it_is_refused(api: AimlapiServer):
    """A refused text whose reason speaks of a field changes nothing for the others."""
    embedder = embedclf.open_embedder(SMALL_MODEL)
    embedder.embed(["one that is fine"])
    api.fault = lambda request: error(400, "BAD dimensions of evil, in base64") if "BAD" in request.texts else None
    vectors, reasons = embedder.embed_partial(["BAD", "fine"])
    assert list(reasons) == [0]
    assert vectors.shape == (2, 1536)
    assert all(request.body["encoding_format"] == "base64" for request in api.requests)
    assert all(request.body["dimensions"] == 1536 for request in api.requests)


def test_a_length_that_was_asked_for_is_not_left_out(api: AimlapiServer):
    """A model that does not have it is an error, not another length."""
    api.models["alibaba/qwen-text-embedding-v3"] = 1_024
    api.fault = lambda request: error(400, "dimensions: not supported") if "dimensions" in request.body else None
    embedder = embedclf.open_embedder("aimlapi:alibaba/qwen-text-embedding-v3", dimensions=512)
    with pytest.raises(embedclf.EmbedderError, match="dimensions: not supported"):
        embedder.embed(["a"])


@pytest.mark.slow
def test_retry_after_as_a_date(api: AimlapiServer, caplog: pytest.LogCaptureFixture):
    """HTTP allows it; and a 503 that asks for patience holds all, as a 429 does."""
    date = formatdate(time.time() + 3, usegmt=True)  # of whole seconds
    api.fault = lambda request: error(503, "busy", retry_after=date) if request.number == 0 else None
    embedclf.open_embedder(SMALL_MODEL, batch_size=1).embed(["a", "b", "c"])
    assert min(request.started for request in api.requests[3:]) - api.requests[0].started > 1.5


@pytest.mark.slow
def test_what_is_answered_is_kept_while_a_doubt_is_tested(api: AimlapiServer):
    """The harmless text may take long."""

    def fault(request: Request) -> Response | None:
        if "hello" in request.texts:
            time.sleep(1)
        return error(400, "flagged") if "BAD" in request.texts else None

    api.fault = fault
    embedder = embedclf.open_embedder(SMALL_MODEL, cache=True, batch_size=1)
    work = threading.Thread(target=embedder.embed_partial, args=(["BAD", "one", "two"],))
    work.start()
    while not {"one", "two"} <= set(api.texts_sent):
        time.sleep(0.01)
    time.sleep(0.4)
    assert "hello" not in api.texts_sent
    assert VectorCache().info()[0].n_vectors == 2
    work.join()


def test_one_odd_answer_does_not_change_the_model(api: AimlapiServer):
    """Its length is what the cache has; the next answer is as good as before."""
    api.models = {**api.models, "strange": 64}
    embedclf.open_embedder("aimlapi:strange", cache=True).embed(["a"])
    embedder = embedclf.open_embedder("aimlapi:strange", cache=True)
    api.models = {**api.models, "strange": 32}
    with pytest.raises(embedclf.EmbedderError, match="returned vectors of 32 dimensions, but earlier ones had 64"):
        embedder.embed(["b"])
    api.models = {**api.models, "strange": 64}
    assert embedder.embed(["b"]).shape == (1, 64)
    assert embedder.spec.dimensions == 64


def test_what_cannot_be_used_is_paid_for_all_the_same(api: AimlapiServer):
    """It counts, so that a limit holds."""

    def tamper(answer: dict) -> None:
        answer["data"][0]["index"] = 7

    api.tamper = tamper
    embedder = embedclf.open_embedder(SMALL_MODEL, max_cost=1e-6)
    for number in range(20):
        with pytest.raises(embedclf.EmbedderError):
            embedder.embed([f"a text of about eight tokens {number}"])
    assert 0 < embedder.usage.dollars <= 1e-6
    assert api.n_requests < 20


@pytest.mark.parametrize(
    "body", [{"error": "SAID"}, {"detail": "SAID"}, {"detail": [{"msg": "SAID"}]}, {"message": "SAID"}]
)
def test_other_shapes_of_errors_are_read(api: AimlapiServer, body: dict):
    """What other servers of the same interface say."""
    said = json.dumps(body).replace("SAID", "input is too long, at most 512 tokens")
    api.models["tiny"] = 8
    api.fault = lambda request: Response(400, said.encode()) if len(request.texts[0]) > 512 else None
    embedder = embedclf.open_embedder("aimlapi:tiny")
    assert embedder.embed(["some words " * 100]).shape == (1, 8)
    api.fault = lambda request: Response(400, said.encode())
    with pytest.raises(embedclf.EmbedderError, match="input is too long, at most 512 tokens"):
        embedder.embed(["some"])


class TestKeys:
    """No key is in any message, whole or cut."""

    KEY = "sk-0123456789abcdef0123456789abcdef"

    @pytest.mark.parametrize("filler", [0, 30, 50, 470, 490])
    @pytest.mark.parametrize("status", [200, 400, 401, 500])
    def test_a_server_that_echoes_it(
        self, cli: Cli, api: AimlapiServer, dataset: Path, monkeypatch: pytest.MonkeyPatch, filler: int, status: int
    ):
        """Where a message is cut, it may be cut in the middle of the key."""
        api.api_key = self.KEY
        monkeypatch.setenv("AIMLAPI_API_KEY", self.KEY)
        said = "x" * filler + f" {self.KEY} and {self.KEY[:20]} and …{self.KEY[-12:]}"
        body = json.dumps({"message": said}).encode() if status != 200 else f"<html>{said}".encode()
        api.fault = lambda request: Response(status, body)
        result = cli("train", dataset, *QUICKLY, "--retries", 0)
        assert result.exit_code == 1
        assert "Error: " in result.stderr
        assert self.KEY[:8] not in result.output
        assert self.KEY[-8:] not in result.output

    @pytest.mark.parametrize("url", [KEY, "htps://me:hunter2secret@host/v1", f"https://{KEY}@host/v1"])
    def test_given_as_the_address(self, monkeypatch: pytest.MonkeyPatch, url: str):
        """By mistake."""
        monkeypatch.setenv("AIMLAPI_API_KEY", self.KEY)
        with pytest.raises(embedclf.EmbedderError, match="the base URL ") as caught:
            embedclf.open_embedder(SMALL_MODEL, base_url=url)
        assert self.KEY[:8] not in str(caught.value)
        assert "hunter2" not in str(caught.value)

    def test_of_another_provider(self, monkeypatch: pytest.MonkeyPatch):
        """Neither in the message nor in what it was raised from."""
        import traceback

        from embedclf.embedding.langchain import LangChainModel

        class Failing:
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                raise RuntimeError(f"Incorrect API key provided: {TestKeys.KEY}")

        monkeypatch.setenv("OTHER_API_KEY", self.KEY)
        with pytest.raises(embedclf.EmbedderError, match="failed: Incorrect API key provided: … ") as caught:
            LangChainModel(Failing(), "m", provider="other").embed_batches(["a"], lambda batch: None)
        assert self.KEY[:8] not in "".join(traceback.format_exception(caught.value))


@pytest.mark.slow
def test_an_error_stops_the_rest_and_keeps_what_was_paid_for(api: AimlapiServer):
    """No request starts after it; those under way are answered and cached."""
    api.delay = 0.05
    api.fault = lambda request: error(403, "You've run out of credits") if request.number == 5 else None
    texts = [f"text {number}" for number in range(3_200)]
    with pytest.raises(
        embedclf.EmbedderError, match=r"returned 403.*; top up the account; results received before are in the cache$"
    ):
        embedclf.open_embedder(SMALL_MODEL, cache=True, batch_size=32, concurrency=4).embed(texts)
    asked = api.n_requests
    assert asked <= 10
    time.sleep(0.3)
    assert api.n_requests == asked
    assert VectorCache().info()[0].n_vectors == len(api.texts_sent) >= 32
    api.fault = None
    embedclf.open_embedder(SMALL_MODEL, cache=True).embed(texts)
    assert sorted(api.texts_sent) == sorted(texts)


@pytest.mark.parametrize("seed", range(12))
def test_any_mix_of_texts_gets_its_vectors(api: AimlapiServer, seed: int):
    """Duplicates, empty and refused texts, cached or not, cut or not, in batches of any size: each at its place."""
    api.fault = lambda request: error(400, "flagged") if any("BAD" in text for text in request.texts) else None
    rng = np.random.default_rng(seed)
    dimensions = [None, 64][seed % 2]
    for _ in range(4):
        texts = [
            ["", f"BAD {rng.integers(0, 5)}", f"text {rng.integers(0, 30)}"][rng.choice(3, p=[0.05, 0.1, 0.85])]
            for _ in range(rng.integers(1, 80))
        ]
        batch_size, concurrency = (int(number) for number in rng.integers(1, 9, size=2))
        embedder = embedclf.open_embedder(
            SMALL_MODEL, dimensions=dimensions, cache=bool(seed % 3), batch_size=batch_size, concurrency=concurrency
        )
        vectors, reasons = embedder.embed_partial(texts)
        for index, text in enumerate(texts):
            if text.startswith("text"):
                wanted = embed(text, "text-embedding-3-small", 1536, dimensions)
                np.testing.assert_allclose(vectors[index], wanted, atol=1e-5)
            else:
                assert np.isnan(vectors[index]).all()
        assert list(reasons) == [index for index, text in enumerate(texts) if not text.startswith("text")]
