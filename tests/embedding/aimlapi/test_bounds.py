"""However much a server answers, and however slowly: no more is taken than vectors need, for no longer than allowed."""

import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pytest
import trustme

import embedclf
from aimlapi_server import AimlapiServer, Request, Response, embed
from corpus import TEXTS
from embedclf.embedding.aimlapi.answers import AnswerError, read_answer
from embedclf.embedding.aimlapi.api_key import redact
from embedclf.embedding.cache.vector_cache import VectorCache
from running import Cli, wait_until

MODEL = "text-embedding-3-small"
SMALL_MODEL = f"aimlapi:{MODEL}"
TOO_LONG = "it is larger than the 1.1 MB allowed for 1 text"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
# More than any bound allows, and less than would harm a machine that takes all of it.
PLENTY = 200_000_000
# A server that trickles gives up after this; the client has to do so long before.
SECONDS = 60


def gzipped(pieces: Iterable[bytes]) -> bytes:
    pack = zlib.compressobj(wbits=31)
    return b"".join([*map(pack.compress, pieces), pack.flush()])


def endless(piece: bytes, n_bytes: int = PLENTY) -> Iterator[bytes]:
    return repeat(piece, n_bytes // len(piece))


def chunks(piece: bytes) -> Iterator[bytes]:
    return endless(b"%x\r\n%b\r\n" % (len(piece), piece))


def packed(body: bytes, packing: str = "gzip") -> Response:
    return Response(200, body, {"content-encoding": packing})


BLANK = b" " * 2**16
GZIP_WITH_A_NAME = b"\x1f\x8b\x08\x08" + bytes(6)
BOMB = gzipped(endless(BLANK))
# What is sent, and what is said of it.
TOO_MUCH: dict[str, tuple[Callable[[], Response], str]] = {
    "a bomb of white space": (lambda: packed(BOMB), TOO_LONG),
    "a bomb of vectors": (lambda: packed(gzipped(endless(b'{"embedding": []},' * 1_000))), TOO_LONG),
    "a bomb in a bomb": (
        lambda: packed(gzipped([BOMB]), "gzip, gzip"),
        "it has a content encoding that was not requested ('gzip, gzip')",
    ),
    "packed otherwise": (
        lambda: packed(zlib.compress(BLANK), "deflate"),
        "it has a content encoding that was not requested ('deflate')",
    ),
    "damaged": (lambda: packed(b"no gzip"), r"its gzip data is damaged (Error -3 "),
    "a header of gzip without end": (
        lambda: Response(raw=chain([HEAD, b"content-encoding: gzip\r\n\r\n", GZIP_WITH_A_NAME], endless(b"x" * 99))),
        TOO_LONG,
    ),
    "more after the end of the gzip": (
        lambda: Response(raw=chain([HEAD, b"content-encoding: gzip\r\n\r\n", gzipped([b"{}"])], endless(BLANK))),
        TOO_LONG,
    ),
    "a body without end": (lambda: Response(raw=chain([HEAD, b"\r\n"], endless(BLANK))), TOO_LONG),
    "chunks without end": (
        lambda: Response(raw=chain([HEAD, b"transfer-encoding: chunked\r\n\r\n"], chunks(BLANK))),
        TOO_LONG,
    ),
    "a length that is a lie": (
        lambda: Response(raw=chain([HEAD, b"content-length: 99999999999999\r\n\r\n"], endless(BLANK))),
        TOO_LONG,
    ),
    "a million empty vectors": (
        lambda: Response(200, b'{"data": [' + b"{}," * 300_000 + b"{}]}"),
        "it contains too many values for the vectors of 1 text",
    ),
    "numbers without end": (
        lambda: Response(200, b'{"data": [{"index": 0, "embedding": [' + b"1," * 300_000 + b"1]}]}"),
        "it contains too many values for the vectors of 1 text",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TOO_MUCH)
def test_an_answer_that_is_too_much(api: AimlapiServer, name: str):
    """One line says so; it is not asked for again, counts as paid for, and the next text gets its vector."""
    response, said = TOO_MUCH[name]
    api.fault = lambda request: response()
    embedder = embedclf.open_embedder(SMALL_MODEL, cache=True)
    with pytest.raises(embedclf.EmbedderError) as caught:
        embedder.embed(["a text of eight tokens or so"])
    message = str(caught.value)
    assert message.startswith(f"{SMALL_MODEL} at {api.base_url} returned an unusable response: {said}"), message
    assert message.endswith(". Nothing from it was kept; try again, and report it to the provider if it persists")
    assert "\n" not in message
    assert len(message) < 400
    assert api.n_requests == embedder.usage.requests == 1
    assert embedder.usage.tokens > 0
    assert VectorCache().info() == []
    api.fault = None
    np.testing.assert_allclose(embedder.embed(["a text"])[0], embed("a text", MODEL, 1536), atol=1e-6)


def test_on_the_command_line(cli: Cli, api: AimlapiServer, dataset: Path):
    """As every other answer that cannot be used."""
    api.fault = lambda request: packed(BOMB)
    result = cli("train", dataset, "--batch-size", 100)
    assert result.exit_code == 1
    assert re.fullmatch(
        rf"Error: {SMALL_MODEL} at http://127\.0\.0\.1:\d+/v1 returned an unusable response: it is larger than "
        r"the 2\.6 MB allowed for 30 texts \(inference [0-9a-f]{32}\)\. "
        "Nothing from it was kept; try again, and report it to the provider if it persists",
        result.stderr.splitlines()[-1],
    )
    assert api.n_requests == 1


def test_what_was_answered_before_is_kept(api: AimlapiServer):
    """And is not asked for again."""
    api.fault = lambda request: packed(BOMB) if "seven" in request.texts else None
    texts = ["five", "six", "seven", "eight"]
    embedder = embedclf.open_embedder(SMALL_MODEL, cache=True, batch_size=1, concurrency=1)
    embedder.embed(texts[:2])
    with pytest.raises(embedclf.EmbedderError, match="larger than"):
        embedder.embed(texts)
    assert VectorCache().info()[0].n_vectors == len(api.texts_sent) >= 2
    api.fault = None
    embedder.embed(texts)
    assert sorted(api.texts_sent) == sorted(texts)


@pytest.mark.slow
def test_memory(api: AimlapiServer):
    """A bomb takes no more than the answer may have, and not what it unpacks to."""
    api.fault = lambda request: packed(BOMB)
    code = f"""
import resource, embedclf
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
embedder = embedclf.open_embedder({SMALL_MODEL!r})
embedder._behind._connected()
before = peak()
try:
    embedder.embed(["a"])
except embedclf.EmbedderError:
    print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    kilobytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 40_000


@pytest.mark.parametrize("status", [302, 400, 401, 429, 500])
@pytest.mark.parametrize("body", [lambda: endless(BLANK), lambda: [BOMB]], ids=["plain", "packed"])
def test_an_error_without_end_is_the_error_that_it_is(api: AimlapiServer, status: int, body: Callable):
    """Read no further than it may say something."""
    packing = b"content-encoding: gzip\r\n" if body() == [BOMB] else b""
    head = b"HTTP/1.1 %d No\r\nretry-after: 0.01\r\n%b\r\n" % (status, packing)
    api.fault = lambda request: Response(raw=chain([head], body()))
    with pytest.raises(embedclf.EmbedderError, match=rf" returned {status}: “No”") as caught:
        embedclf.open_embedder(SMALL_MODEL, retries=1).embed(["a"])
    assert caught.value.status == status
    assert api.n_requests == 1 if status < 429 and status != 400 else 2


def slowly(pieces: Iterable[bytes], hung_up: threading.Event) -> Iterator[bytes]:
    """Give a piece every now and then; the event tells that nobody listened any more."""
    end = time.monotonic() + SECONDS
    try:
        for piece in pieces:
            if time.monotonic() > end:
                return
            yield piece
            time.sleep(0.05)
    except GeneratorExit:
        hung_up.set()


CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
# What is sent first, and what again and again.
TRICKLES = {
    "the head": (b"HTTP/1.1 200 OK\r\nx: ", b"x"),
    "heads before the head": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a flood of heads before the head": (b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 2_000),
    "the body": (HEAD + b"content-length: 1000000\r\n\r\n", b" "),
    "a body of no length": (HEAD + b"\r\n", b" "),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "what comes before a chunk": (CHUNKED + b"1;", b"x"),
    "what comes after the body": (CHUNKED + b"1\r\n \r\n0\r\nx: ", b"x"),
    "an error": (b"HTTP/1.1 400 No\r\n\r\n", b" "),
    "gzip without content": (HEAD + b"content-encoding: gzip\r\n\r\n" + GZIP_WITH_A_NAME, b"x"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TRICKLES)
def test_an_answer_that_trickles(api: AimlapiServer, name: str):
    """The whole of it has to come in time, not only the next byte; then it is asked for again, and given up."""
    hung_up = [threading.Event(), threading.Event()]
    left = iter(hung_up)
    first, then = TRICKLES[name]
    api.fault = lambda request: Response(raw=slowly(chain([first], repeat(then)), next(left)))
    with pytest.raises(embedclf.EmbedderError) as caught:
        embedclf.open_embedder(SMALL_MODEL, timeout=0.5, retries=1).embed(["a"])
    assert str(caught.value) == (
        f"{api.base_url} did not respond within 0.5 s: try again, raise --timeout, or lower --batch-size and "
        "--concurrency (the request may still be billed)"
    )
    assert caught.value.late
    assert api.n_requests == 2
    wait_until(lambda: all(event.is_set() for event in hung_up))


def test_an_answer_that_comes_slowly_but_in_time(api: AimlapiServer):
    """A pause is no fault."""
    body = json.dumps({"data": [{"index": 0, "embedding": [3.0, 4.0]}]}).encode()
    api.models = {**api.models, "tiny": 2}
    api.fault = lambda request: Response(
        raw=slowly([HEAD, b"\r\n", body[:9], body[9:20], body[20:]], threading.Event())
    )
    vectors = embedclf.open_embedder("aimlapi:tiny").embed(["a"])
    np.testing.assert_allclose(vectors, [[0.6, 0.8]], atol=1e-6)


@pytest.mark.parametrize(
    "head",
    [b"x: " + b"x" * 1_000_000, b"x: x\r\n" * 100_000, b"\r\n".join(b"x%d: x" % i for i in range(50_000))],
    ids=["one long line", "many", "many of many names"],
)
def test_a_head_that_is_too_long(api: AimlapiServer, head: bytes):
    """It is no answer, and cut by the HTTP client at about 100 kB."""
    api.fault = lambda request: Response(raw=[HEAD, head, b"\r\n\r\n{}"])
    with pytest.raises(embedclf.EmbedderError, match=r" closed the connection in the middle of a response \(") as e:
        embedclf.open_embedder(SMALL_MODEL, retries=0).embed(["a"])
    assert len(str(e.value)) < 800


@pytest.mark.exhaustive
def test_gzip_is_unpacked_and_its_connection_kept(api: AimlapiServer):
    """As before there were bounds."""
    texts = [f"text {number}" for number in range(40)]

    def fault(request: Request) -> Response:
        return packed(gzipped([json.dumps(api._answer(request.texts, request.body)).encode()]))

    api.fault = fault
    embedder = embedclf.open_embedder(SMALL_MODEL, batch_size=10, concurrency=1)
    wanted = np.stack([embed(text, MODEL, 1536) for text in texts])
    np.testing.assert_allclose(embedder.embed(texts), wanted, atol=1e-6)
    assert (api.n_requests, api.n_connections) == (4, 1)


def test_an_answer_that_is_cut_off_leaves_no_connection(api: AimlapiServer):
    """What is left of it would be taken for the next."""
    api.fault = lambda request: Response(200, b" " * 5_000_000) if request.number == 0 else None
    embedder = embedclf.open_embedder(SMALL_MODEL)
    with pytest.raises(embedclf.EmbedderError):
        embedder.embed(["a"])
    np.testing.assert_allclose(embedder.embed(["b"])[0], embed("b", MODEL, 1536), atol=1e-6)
    assert api.n_connections == 2


def test_an_answer_to_no_question_is_not_taken_for_the_next(api: AimlapiServer):
    """A server that sends two at once sends the second before anyone has asked for it."""

    def fault(request: Request) -> Response | None:
        if request.number:
            return None
        both = [json.dumps({"data": [{"index": 0, "embedding": one}]}).encode() for one in ([1.0, 0.0], [0.0, 1.0])]
        heads = [HEAD + b"content-length: %d\r\n\r\n" % len(body) for body in both]
        return Response(raw=chain([heads[0] + both[0] + heads[1] + both[1]], wait()))

    def wait() -> Iterator[bytes]:
        # With the connection open, or it would not be used again.
        asked_again.wait(SECONDS)
        yield from ()

    asked_again = threading.Event()
    api.fault = fault
    api.models = {**api.models, "tiny": 2}
    embedder = embedclf.open_embedder("aimlapi:tiny", retries=0)
    np.testing.assert_allclose(embedder.embed(["a"]), [[1, 0]], atol=1e-6)
    with pytest.raises(embedclf.EmbedderError, match="unusable response: it arrived before the request was sent"):
        embedder.embed(["b"])
    asked_again.set()
    np.testing.assert_allclose(embedder.embed(["c"])[0], embed("c", "tiny", 2), atol=1e-6)
    assert api.n_connections == 2


@pytest.mark.slow
def test_the_longest_answer_there_is_passes(api: AimlapiServer):
    """Vectors of 3,072 in decimals, with all their digits."""
    api.always_float = True
    texts = [f"text {number}" for number in range(512)]
    vectors = embedclf.open_embedder("aimlapi:text-embedding-3-large", batch_size=512).embed(texts)
    np.testing.assert_allclose(vectors[7], embed(texts[7], "text-embedding-3-large", 3072), atol=1e-6)
    assert api.n_requests == 1


def test_a_model_of_unknown_length_may_have_long_vectors(api: AimlapiServer):
    """As long as any that is known of."""
    api.always_float = True
    api.models = {**api.models, "giant": 12_288}
    assert embedclf.open_embedder("aimlapi:giant").embed(TEXTS[:4]).shape == (4, 12_288)


@pytest.mark.exhaustive
def test_vectors_of_twice_the_length_are_said_to_be_so(api: AimlapiServer):
    """That the wrong model answers is more to the point than that its answer is long."""
    api.always_float = True
    api.models = {**api.models, MODEL: 3_072}
    api._check_dimensions = lambda *_: None
    api.tamper = lambda answer: None
    api.fault = lambda request: Response(
        200, json.dumps(api._answer(request.texts, {**request.body, "dimensions": None})).encode()
    )
    with pytest.raises(embedclf.EmbedderError, match="its vectors have 3072 dimensions, expected 1536"):
        embedclf.open_embedder(SMALL_MODEL).embed(TEXTS)


@pytest.mark.parametrize("body", [b'{"data": [' + b"[]," * 20_000, b'{"data": [' + b"1," * 30_000])
def test_values_are_counted_before_they_are_made(body: bytes):
    """A list of nothing takes 27 times what it takes in JSON."""
    with pytest.raises(AnswerError, match="it contains too many values for the vectors of 2 texts"):
        read_answer(body + b"1]}", 2, 1536, {})


def test_what_others_say_may_be_long(monkeypatch: pytest.MonkeyPatch):
    """To look for a key in all of it would take years."""
    monkeypatch.setenv("SOME_API_KEY", "sk-0123456789abcdef")
    assert redact("a" * 1_000_000) == "a" * 500
    assert redact("sk-0123456789abcdef " + "a" * 1_000_000).startswith("… aaa")


@contextmanager
def proxied(certificate: trustme.LeafCert, port: int) -> Iterator[str]:
    """A proxy that itself stands for the server with that certificate, and passes what it is asked on to a port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while data := source.recv(2**16):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                asked = b""
                while b"\r\n\r\n" not in asked:
                    asked += client.recv(4096)
                assert asked.startswith(b"CONNECT ")
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                inside = context.wrap_socket(client, server_side=True)
                behind = socket.create_connection(("127.0.0.1", port))
                threading.Thread(target=pump, args=(inside, behind), daemon=True).start()
                pump(behind, inside)
                inside.close()
                behind.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(SECONDS)


@pytest.mark.slow
def test_behind_a_proxy_and_with_tls(api: AimlapiServer, tmp_path: Path):
    """The bounds are kept there, too."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    hung_up = threading.Event()
    body = chain([HEAD, b"content-length: 1000000\r\n\r\n"], repeat(b" "))
    api.fault = lambda request: Response(raw=slowly(body, hung_up)) if "slow" in request.texts else None
    code = f"""
import embedclf
embedder = embedclf.open_embedder({SMALL_MODEL!r}, base_url="https://api.example/v1", retries=0, timeout=1)
print(embedder.embed(["a"]).shape)
try:
    embedder.embed(["slow"])
except embedclf.EmbedderError as error:
    print(error.late)
"""
    with proxied(ca.issue_cert("api.example"), api.port) as proxy:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"AIMLAPI_API_KEY": "test-key", "HTTPS_PROXY": proxy, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
            | {"PATH": "", "PYTHONPATH": str(Path(embedclf.__file__).parent.parent)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.stdout.split("\n") == ["(1, 1536)", "True", ""], done.stderr
    wait_until(hung_up.is_set)
