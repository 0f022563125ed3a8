"""Which names a service answers to: a web page whose name has been made to lead to this machine must not read it."""

import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

import embedclf
from running import PATIENCE, Cli
from serving import TEXT, Process, ask, serving

NOT_SERVED = {
    "detail": "this host name is not allowed: use localhost or 127.0.0.1, or allow it with --allowed-host "
    "(in Python: allowed_hosts)"
}
LOCAL = ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8000", "localhost:"]
FOREIGN = ["", "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example",
           "evil.localhost", "localhost:80:80", "localhost a", "::1", "[::1", "127.0.0.1@evil.example",
           "locälhost", "*"]  # fmt: skip


def status_for(client: httpx.Client, host: str, path: str = "/health") -> int:
    return client.get(path, headers={"host": host.encode()}).status_code


def raw_status(client: httpx.Client, request: bytes) -> int:
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=PATIENCE) as opened:
        opened.sendall(request)
        return int(opened.recv(1_000).split()[1])


class TestOnLoopback:
    @pytest.mark.slow
    def test_only_local_names_are_served(self, model: Path):
        """With any port, whatever is asked for; and what to do is said."""
        with Process("-m", model) as served:
            for host in LOCAL:
                assert status_for(served.client, host) == 200, host
            for host in FOREIGN:
                assert status_for(served.client, host) == 421, host
            for path in ("/", "/predict", "/ready", "/model", "/metrics", "/docs", "/openapi.json"):
                answer = served.client.get(path, headers={"host": "evil.example"})
                assert (answer.status_code, answer.json()) == (421, NOT_SERVED)
            answer = served.client.post("/predict", json={"texts": [TEXT]}, headers={"host": "evil.example"})
            assert (answer.status_code, answer.json()) == (421, NOT_SERVED)
            assert ask(served.client, TEXT).status_code == 200

    @pytest.mark.slow
    def test_a_request_names_one_host(self, model: Path):
        """HTTP/1.0 knows no Host, and no browser sends a request without."""
        with Process("-m", model) as served:
            for request, status in (
                (b"GET /health HTTP/1.0\r\n\r\n", 200),
                (b"GET /health HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421),
                (b"GET /health HTTP/1.1\r\n\r\n", 400),
                (b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
                (b"GET /health HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n", 400),
            ):
                assert raw_status(served.client, request) == status, request

    def test_names_can_be_allowed(self, model: Path):
        """Beside the local ones."""
        options = ("--allowed-host", "Labels.example", "--allowed-host", "fe80::1")
        with Process("-m", model, *options) as served:
            for host in (*LOCAL, "labels.example", "labels.example:443", "[fe80::1]:8000"):
                assert status_for(served.client, host) == 200, host
            for host in (*FOREIGN, "other.labels.example"):
                assert status_for(served.client, host) == 421, host

    def test_another_address_of_the_machine_is_a_name_of_it(self, model: Path):
        """The whole of 127.0.0.0/8 leads here."""
        with Process("-m", model, "--host", "127.0.0.2") as served:
            assert served.client.get("/health").status_code == 200
            assert status_for(served.client, "evil.example") == 421

    @pytest.mark.slow
    def test_with_a_token_any_name_is_served(self, model: Path):
        """A page that does not have it learns nothing; given names are held to all the same."""
        with Process("-m", model, EMBEDCLF_TOKEN="a-good-token") as served:
            assert status_for(served.client, "labels.example") == 200
            assert status_for(served.client, "labels.example", "/model") == 401
        with Process("-m", model, "--allowed-host", "labels.example", EMBEDCLF_TOKEN="a-good-token") as served:
            assert status_for(served.client, "labels.example") == 200
            assert status_for(served.client, "evil.example") == 421

    def test_elsewhere_any_name_is_served(self, model: Path):
        """Others reach it by names that it cannot know."""
        with Process("-m", model, "--host", "0.0.0.0") as served:
            local = f"http://127.0.0.1:{served.client.base_url.port}"
            assert httpx.get(f"{local}/health", headers={"host": "labels.example"}, trust_env=False).is_success


class TestApplication:
    def test_it_serves_any_name_unless_told(self, trained: embedclf.TextClassifier):
        """Where it listens is not its own to know."""
        for hosts, status in ((None, 200), ([], 421), (["labels.example"], 421), (["evil.example"], 200)):
            with serving(embedclf.create_app(trained, allowed_hosts=hosts)) as client:
                assert status_for(client, "evil.example") == status
                assert status_for(client, "localhost") == 200

    @pytest.mark.parametrize(
        "name", ["http://labels.example", "labels.example:80", "a/b", "", "*", "a b", "zwölf.example"]
    )
    def test_what_is_no_name_is_refused(self, cli: Cli, model: Path, trained: Any, name: str):
        """It would never be asked for."""
        said = f"{name!r} is not a host name; use the name without scheme, port or path, such as labels.example"
        with pytest.raises(embedclf.EmbedclfError) as caught:
            embedclf.create_app(trained, allowed_hosts=[name])
        assert str(caught.value) == said
        assert cli("serve", "-m", model, "--allowed-host", name).stderr == f"Error: {said}\n"
