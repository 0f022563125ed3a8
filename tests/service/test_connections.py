"""What the clients of a service can make it take on: heads, answers, connections, and what they do not read."""

import os
import re
import resource
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

import embedclf
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.service import connections
from embedclf.service.connections import HEAD_BYTES, bounded_protocol
from running import PATIENCE, wait_until
from serving import JSON, TEXT, Process, ask, serving

GET = b"GET /health HTTP/1.1\r\nhost: localhost\r\n"
CHUNKED = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
TOO_LARGE = b'{"detail": "the request line and headers exceed 64,000 bytes"}'
N_LABELS = 5_000


@pytest.fixture(params=["httptools", "h11"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What reads the requests: httptools where it is installed, else h11. Processes that a test starts have it, too."""
    if request.param == "h11":
        monkeypatch.setattr("uvicorn.protocols.http.auto.AutoHTTPProtocol", H11Protocol)
        folder = Path("without_httptools").absolute()
        folder.mkdir()
        (folder / "httptools.py").write_text("raise ImportError")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    else:
        pytest.importorskip("httptools")
    return request.param


@pytest.fixture(scope="module")
def large(trained: TextClassifier) -> TextClassifier:
    """A classifier with so many labels that a short request gets megabytes."""
    random = np.random.default_rng(0)
    weights = random.normal(size=(N_LABELS, trained.model.weights.shape[1])).astype(np.float32)
    classes = tuple(f"label {number:05}" for number in range(N_LABELS))
    return TextClassifier(trained.embedder, LinearModel(weights, np.zeros(N_LABELS, np.float32), classes), trained.card)


@contextmanager
def connection(client: httpx.Client) -> Iterator[socket.socket]:
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=PATIENCE) as opened:
        yield opened


def until_closed(opened: socket.socket) -> bytes:
    """Read until the service closes the connection."""
    return b"".join(iter(lambda: opened.recv(100_000), b""))


def exchange(client: httpx.Client, sent: bytes) -> bytes:
    """Send something on a connection of its own; gives what comes until the service closes it."""
    with connection(client) as opened:
        opened.sendall(sent)
        return until_closed(opened)


def predict(*texts: str, top_k: int) -> bytes:
    """The bytes of a request."""
    request = httpx.Request("POST", "http://localhost/predict", json={"texts": texts, "top_k": top_k})
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST /predict HTTP/1.1\r\n{head}\r\n".encode() + request.read()


def memory(pid: int) -> float:
    """The most that a process has had resident since this was asked last, in MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return int(found[1]) / 1_000


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.mark.usefixtures("parser")
class TestHeads:
    @pytest.mark.parametrize(
        "sent",
        [
            GET + b"a: b\r\n" * (HEAD_BYTES // 6),
            GET + b"a: " + b"b" * HEAD_BYTES,
            GET + b"a" * HEAD_BYTES,
            b"GET /" + b"a" * HEAD_BYTES,
            b"\r\n" * (HEAD_BYTES // 2 + 1),
            GET + b"\r\n" + GET + b"a: " + b"b" * 2 * HEAD_BYTES,
        ],
        ids=["many headers", "a long value", "a long name", "a long address", "empty lines", "the second"],
    )
    def test_one_that_is_too_large_is_refused(self, trained: TextClassifier, parser: str, sent: bytes):
        """With 431, and the connection is closed; what was asked before is answered first."""
        app = embedclf.create_app(trained, token="a-good-token")
        with serving(app, http=bounded_protocol(embedclf.Limits())) as client:
            answer = exchange(client, sent)
            if sent.count(GET) == 2:
                # httptools has both requests at once, and cannot answer the second before the first.
                assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 431 "))
                answer = answer[answer.index(b"HTTP/1.1 431 ") :]
            if parser == "h11" and sent.startswith(b"\r\n"):
                assert answer.startswith(b"HTTP/1.1 400 ")  # it takes no empty line at all
                return
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
            assert b"\r\nconnection: close" in head
            assert body in (TOO_LARGE, b'{"detail": "the request has more than 200 headers"}')
            assert client.get("/health").status_code == 200

    def test_each_of_a_connection_is_bounded(self, trained: TextClassifier):
        """What came before does not count."""
        almost = GET + b"a: " + b"b" * (HEAD_BYTES - len(GET) - 7) + b"\r\n\r\n"
        assert len(almost) == HEAD_BYTES
        with (
            serving(embedclf.create_app(trained), http=bounded_protocol(embedclf.Limits())) as client,
            connection(client) as opened,
        ):
            for _ in range(5):
                opened.sendall(almost)
                assert opened.recv(1_000).startswith(b"HTTP/1.1 200 ")
            opened.sendall(almost.replace(b"a: ", b"aa: "))
            assert until_closed(opened).startswith(b"HTTP/1.1 431 ")

    def test_bodies_do_not_count(self, trained: TextClassifier):
        """Of any length that is allowed, in one piece or in many; nor do they make room for a larger head."""
        body = b'{"texts": ["' + b"x" * 19_000 + b'"' + b" " * 1_000_000 + b"]}"
        with serving(embedclf.create_app(trained), http=bounded_protocol(embedclf.Limits())) as client:
            for content in (body, iter([body[start : start + 10_000] for start in range(0, len(body), 10_000)])):
                assert client.post("/predict", content=content, headers=JSON).status_code == 200
            head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            with connection(client) as opened:
                opened.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
                assert opened.recv(1_000).startswith(b"HTTP/1.1 200 ")
                with suppress(ConnectionError):
                    opened.sendall(GET + b"a: " + b"b" * 2 * HEAD_BYTES)
                assert b"HTTP/1.1 431 " in until_closed(opened)

    @pytest.mark.parametrize(
        "rest",
        [b"1\r\na\r\n0\r\n" + b"b: c\r\n" * (2 * HEAD_BYTES // 6), b"1;" + b"a" * 2 * HEAD_BYTES],
        ids=["trailers", "an extension"],
    )
    def test_what_stands_around_chunks_is_bounded(self, trained: TextClassifier, rest: bytes):
        """It is neither body nor head, and is kept nowhere."""
        with serving(embedclf.create_app(trained), http=bounded_protocol(embedclf.Limits())) as client:
            assert exchange(client, CHUNKED + rest).startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
            assert client.get("/health").status_code == 200

    def test_what_is_not_http_is_refused(self, trained: TextClassifier):
        """With a reason."""
        with serving(embedclf.create_app(trained), http=bounded_protocol(embedclf.Limits())) as client:
            answer = exchange(client, b"\x16\x03\x01\x02\x00\x01\x00 this is TLS\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert answer.endswith(b'{"detail": "not a valid HTTP/1.1 request"}')

    @pytest.mark.slow
    @needs_proc
    def test_they_take_no_memory_and_stop_nobody(self, model: Path):
        """Whatever is sent: 40 MB of tiny headers, one of 69 MB, and many requests ahead of their answers."""
        floods = [
            GET + b"a: b\r\n" * 7_000_000,
            GET + b"a: " + b"b" * 69_000_000,
            (GET + b"\r\n") * 5_000,
        ]
        with Process("-m", model) as served:
            assert ask(served.client, TEXT).status_code == 200
            memory(served.pid)  # while it started
            assert ask(served.client, TEXT).status_code == 200
            before = memory(served.pid)
            longest = 0.0
            for flood in floods:
                sender = threading.Thread(target=_send, args=(served.address, flood))
                sender.start()
                while sender.is_alive():
                    answer = served.client.get("/health")
                    assert answer.status_code == 200
                    longest = max(longest, answer.elapsed.total_seconds())
                sender.join()
            assert memory(served.pid) - before < 10
            assert longest < 10


def _send(address: tuple[str, int], data: bytes) -> None:
    with socket.create_connection(address, timeout=PATIENCE) as opened, suppress(ConnectionError):
        opened.sendall(data)


class TestAnswers:
    def test_one_has_so_many_labels(self, trained: TextClassifier):
        """Those that there are count, and not what is asked for."""
        app = embedclf.create_app(trained, limits=embedclf.Limits(answers=5))
        with serving(app) as client:
            for n_texts, top_k in ((1, 10**30), (2, 2), (5, 1), (5, None), (6, None)):
                more = {} if top_k is None else {"top_k": top_k}
                assert ask(client, *[TEXT] * n_texts, **more).status_code == (422 if n_texts > 5 else 200)
            answer = ask(client, TEXT, TEXT, top_k=10**30)
            assert (answer.status_code, answer.json()) == (
                422,
                {
                    "detail": "top_k: 6 labels for 2 texts exceed the limit of 5 per response; send fewer texts or a "
                    "smaller top_k"
                },
            )

    @pytest.mark.slow
    def test_many_labels_do_not_hold_up_others(self, large: TextClassifier, monkeypatch: pytest.MonkeyPatch):
        """Few texts are labelled in the event loop, unless their labels are many."""
        threads = []

        def noting(classifier: TextClassifier, texts: list[str]) -> Any:
            threads.append(threading.current_thread().name)
            return usable(classifier, texts)

        usable = TextClassifier.scores_usable
        monkeypatch.setattr(TextClassifier, "scores_usable", noting)
        with serving(embedclf.create_app(large)) as client:
            for texts, top_k in (([TEXT], 1), ([TEXT], N_LABELS), ([""] * 1_000, 1), (["a"] * 20, N_LABELS)):
                answer = ask(client, *texts, top_k=top_k)
                assert answer.status_code == 200
                assert len(answer.json()["predictions"]) == len(texts)
            assert ask(client, *["a"] * 21, top_k=N_LABELS).status_code == 422
        assert [name.startswith("embedclf") for name in threads] == [False, True, True, True]


class TestUnread:
    @pytest.mark.slow
    def test_who_does_not_read_is_cut_off(self, large: TextClassifier):
        """After as many seconds as a request may take to come."""
        lost = threading.Event()

        class Noted(bounded_protocol(embedclf.Limits(seconds=0.2))):
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                lost.set()

        with serving(embedclf.create_app(large), http=Noted) as client, unread(client) as opened:
            assert lost.wait(PATIENCE)
            assert _n_answers(opened) < N_UNREAD
            assert client.get("/health").status_code == 200

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_all_unread_answers_are_bounded(self, large: TextClassifier, monkeypatch: pytest.MonkeyPatch):
        """Those that have waited longest are cut off; who reads gets it all."""
        monkeypatch.setattr(connections, "_UNREAD_BYTES", 100_000)
        monkeypatch.setattr(connections, "_UNREAD_SECONDS", 0.5)
        lost = []

        class Noted(bounded_protocol(embedclf.Limits())):
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                lost.append(self)

        with (
            serving(embedclf.create_app(large), http=Noted) as client,
            unread(client) as first,
            unread(client) as second,
        ):
            wait_until(lambda: ask(client, *["a"] * 20, top_k=N_LABELS).is_success and len(lost) == 2)
            assert _n_answers(first) < N_UNREAD
            assert _n_answers(second) < N_UNREAD

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_they_do_not_delay_the_end(self, model: Path, large: TextClassifier):
        """SIGTERM ends the process within seconds, and not after the time that a client has to read."""
        large.save("large.safetensors")
        with Process("-m", "large.safetensors") as served, ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(unread(served.client))
            assert ask(served.client, *["a"] * 20, top_k=N_LABELS).status_code == 200
            served.client.close()
            began = time.monotonic()
            served.signal(15)
            code, _, _ = served.end()
        assert code == 0
        assert time.monotonic() - began < 20


N_UNREAD = 4


@contextmanager
def unread(client: httpx.Client) -> Iterator[socket.socket]:
    """Ask for 20 MB, and leave them there."""
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
        opened.settimeout(PATIENCE)
        opened.connect((client.base_url.host, client.base_url.port))
        opened.sendall(predict(*["a"] * 20, top_k=N_LABELS) * N_UNREAD)
        yield opened


def _n_answers(opened: socket.socket) -> int:
    """How many whole answers still come."""
    received = bytearray()
    with suppress(ConnectionError):
        while part := opened.recv(1_000_000):
            received += part
    return received.count(b'"}]}]}') + received.count(b"}]}]}")


class TestConnections:
    @pytest.mark.usefixtures("parser")
    def test_they_are_bounded_in_number(self, trained: TextClassifier, caplog: pytest.LogCaptureFixture):
        """One too many is told so; those that are open are served, and the log says it once."""
        app = embedclf.create_app(trained)
        with serving(app, http=bounded_protocol(embedclf.Limits(connections=3))) as client, ExitStack() as stack:
            opened = [stack.enter_context(connection(client)) for _ in range(3)]
            for one in opened:
                _see_health(one)
            for _ in range(5):
                answer = exchange(client, GET + b"\r\n")
                assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
                assert answer.endswith(b'{"detail": "too many open connections; retry later"}')
            for one in opened:
                _see_health(one)
            opened[0].close()
            wait_until(lambda: client.get("/health").status_code == 200)
        said = [record.getMessage() for record in caplog.records if "connections" in record.getMessage()]
        assert said == ["connection limit reached (3 open); refusing new connections"]

    def test_far_too_many_are_dropped(self, trained: TextClassifier):
        """Without a word; what is open is served, and the next one when there is room again."""
        app = embedclf.create_app(trained)
        with serving(app, http=bounded_protocol(embedclf.Limits(connections=1))) as client:
            with connection(client) as first, ExitStack() as stack:
                _see_health(first)
                for _ in range(200):
                    stack.enter_context(connection(client))
                _see_health(first)
            wait_until(lambda: _status_of(client) == 200)

    @pytest.mark.slow
    @needs_proc
    def test_they_leave_files_for_other_things(self, model: Path):
        """A process that may open few files takes few connections, and does not run out of files."""
        most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, most[1]))
        try:
            process = Process("-m", model)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, most)
        with process as served, ExitStack() as stack:
            opened = [stack.enter_context(connection(served.client)) for _ in range(200)]
            assert opened[60].recv(1_000).startswith(b"HTTP/1.1 503 ")
            _see_health(opened[0])
            assert len(list(Path(f"/proc/{served.pid}/fd").iterdir())) < 100
            for one in opened:
                one.close()
            wait_until(lambda: _status_of(served.client) == 200)
            assert ask(served.client, TEXT).status_code == 200
            served.client.close()
            served.signal(15)
            code, _, err = served.end()
        assert code == 0
        assert "Warning: connection limit reached (50 open); refusing new connections\n" in err
        assert "Too many open files" not in err


def _see_health(opened: socket.socket) -> None:
    opened.sendall(GET + b"\r\n")
    answer = b""
    while not answer.endswith(b"}"):  # the head may come before the body
        part = opened.recv(1_000)
        assert part, answer
        answer += part
    assert answer.startswith(b"HTTP/1.1 200 ")


def _status_of(client: httpx.Client) -> int:
    try:
        return client.get("/health").status_code
    except httpx.TransportError:
        return 0
