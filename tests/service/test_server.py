"""The server as a function, for programs in Python: with the limits and the end of ``embedclf serve``."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import embedclf
from embedclf.service.server import serve
from running import PATIENCE
from serving import TEXT

PROGRAM = """
import signal, sys
import embedclf
from embedclf.service import server

listen = server.listen
def telling(host, port):
    listening = listen(host, port)
    print(listening.getsockname()[1], flush=True)
    return listening
server.listen = telling
before = signal.getsignal(signal.SIGINT)
server.serve(embedclf.load(sys.argv[1]), port=0, limits=embedclf.Limits(texts=1))
assert signal.getsignal(signal.SIGINT) is before
print("it returned")
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_returns(model: Path, number: int):
    """With its limits, on localhost for local names only; the handlers of signals are then those from before."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(model)], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        try:
            port = int(process.stdout.readline())
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
                answer = client.post("/predict", json={"texts": [TEXT]})
                assert answer.json()["predictions"][0]["label"] == "refund"
                assert client.post("/predict", json={"texts": [TEXT, TEXT]}).status_code == 422
                assert client.get("/health", headers={"host": "evil.example"}).status_code == 421
                assert client.get("/health", headers={"a": "b" * 70_000}).status_code == 431
            process.send_signal(number)
            assert process.stdout.read() == "it returned\n"
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_what_is_wrong_is_said_before_it_serves(trained: Any):
    """A token, a name of a host, a port that is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(embedclf.EmbedclfError, match=f"cannot listen on 127.0.0.1, port {port}"):
            serve(trained, port=port)
    with pytest.raises(embedclf.EmbedclfError, match="the token is empty"):
        serve(trained, port=0, token="")
    with pytest.raises(embedclf.EmbedclfError, match=re.escape("'a b' is not a host name")):
        serve(trained, port=0, allowed_hosts=["a b"])


@pytest.mark.parametrize("name", ["fastapi", "prometheus_client", "uvicorn"])
def test_without_the_extra(trained: Any, monkeypatch: pytest.MonkeyPatch, name: str):
    """What is missing is named when it is needed, and what installs it; to import the functions needs nothing."""
    monkeypatch.setitem(sys.modules, name, None)
    for function in (embedclf.create_app, serve):
        with pytest.raises(embedclf.EmbedclfError, match=f"a service needs the package {name}, which is not installed"):
            function(trained)
    code = f"import sys; sys.modules[{name!r}] = None; import embedclf.service.app, embedclf.service.server"
    subprocess.run([sys.executable, "-c", code], check=True)
