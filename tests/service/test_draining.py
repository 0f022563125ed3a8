"""How a service ends: nobody can connect any more, and whoever is connected gets an answer."""

import http.client
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from running import PATIENCE, wait_until
from serving import TEXT, Process, ask, wait_for_draining

N_CLIENTS = 8
BODY = b'{"texts": ["Where is my refund?"]}'


class KeptAlive:
    """A client that asks without a pause on one connection, until it is told that it closes, and then on a new one."""

    def __init__(self, served: Process, method: str, path: str) -> None:
        self.served, self.method, self.path = served, method, path
        self.statuses: list[int] = []
        self.lost: list[str] = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while True:
            connection = http.client.HTTPConnection(*self.served.address, timeout=PATIENCE)
            try:
                connection.connect()
            except ConnectionError:
                return  # a clean refusal
            closes, answered = False, 0
            while not closes:
                body = BODY if self.method == "POST" else None
                try:
                    connection.request(self.method, self.path, body, {"content-type": "application/json"})
                    answer = connection.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException) as error:
                    if answered:  # else it had connected, but was never taken in
                        self.lost.append(repr(error))
                    return
                answered += 1
                self.statuses.append(answer.status)
                closes = answer.headers.get("connection") == "close"
            connection.close()


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), [("GET", "/health"), ("POST", "/predict")])
def test_no_request_on_an_open_connection_is_lost(model: Path, method: str, path: str):
    """Each is answered, with `Connection: close` once the service drains; then there is nothing to connect to."""
    with Process("-m", model) as served:
        clients = [KeptAlive(served, method, path) for _ in range(N_CLIENTS)]
        wait_until(lambda: all(len(client.statuses) > 20 for client in clients))
        served.signal(signal.SIGTERM)
        for client in clients:
            client.thread.join(PATIENCE)
            assert not client.thread.is_alive()
        code, _, _ = served.end()
    assert code == 0
    assert [lost for client in clients for lost in client.lost] == []
    assert {status for client in clients for status in client.statuses} <= {200, 503}


@pytest.mark.slow
def test_a_body_that_is_still_coming_is_answered(model: Path):
    """A client that sends one reads the answer, although its connection is closed after that."""
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    head %= 1_000_000
    with Process("-m", model) as served, socket.create_connection(served.address, timeout=PATIENCE) as opened:
        opened.sendall(head[:20])
        assert served.client.get("/ready").is_success  # so the connection before has been taken in, too
        served.signal(signal.SIGTERM)
        wait_for_draining(served.client)
        opened.sendall(head[20:] + BODY + b" " * (1_000_000 - len(BODY)))
        answer = b"".join(iter(lambda: opened.recv(100_000), b""))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" in answer.lower()
        assert served.end()[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "started",
    [b"", b"GET /hea", b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n\r\n{"],
    ids=["nothing", "a part of a head", "a part of a body"],
)
@pytest.mark.exhaustive
def test_a_client_that_does_nothing_does_not_delay_the_end(model: Path, started: bytes):
    """It is waited for only a few seconds, in which it could still ask."""
    with Process("-m", model) as served, socket.create_connection(served.address, timeout=PATIENCE) as opened:
        opened.sendall(started)
        assert ask(served.client, TEXT).status_code == 200
        served.client.close()
        began = time.monotonic()
        served.signal(signal.SIGTERM)
        with suppress(ConnectionError):
            assert opened.recv(1) == b""
        assert served.end()[0] == 0
        assert time.monotonic() - began < 20


@pytest.mark.slow
def test_pressing_ctrl_c_twice_ends_it_at_once_and_in_silence(model: Path):
    """A client that has begun to ask is not waited for then, and no traceback is shown."""
    with Process("-m", model) as served, socket.create_connection(served.address, timeout=PATIENCE) as opened:
        opened.sendall(b"GET /hea")
        assert ask(served.client, TEXT).status_code == 200
        served.signal(signal.SIGINT)
        wait_for_draining(served.client)
        served.signal(signal.SIGINT)
        code, _, said = served.end()
    assert code == 0
    assert "Warning" not in said
