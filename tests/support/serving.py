"""A service in this process or in one of its own, and what is asked of it."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from running import PATIENCE, wait_until

TEXT = "Where is my refund?"


class _Server(uvicorn.Server):
    """Ends at once when it is told to; uvicorn looks ten times a second."""

    async def main_loop(self) -> None:
        await self.on_tick(0)  # sets the date header
        while not self.should_exit:
            await asyncio.sleep(0.005)


@contextmanager
def serving(app: Any, **settings: Any) -> Iterator[httpx.Client]:
    """Serve an application on loopback; gives a client of it."""
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, **settings))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            with client_of(f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def client_of(url: str) -> httpx.Client:
    limits = httpx.Limits(max_connections=100)
    # Nothing is encrypted here, so no certificates are loaded, which would take longer than most requests.
    return httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False, limits=limits, verify=False)


class Process:
    """``embedclf serve`` as a process of its own."""

    def __init__(self, *args: object, **env: str) -> None:
        command = [sys.executable, "-m", "embedclf", "serve", "--port", "0", *map(str, args)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | env
        )

    def __enter__(self) -> "Process":
        self.said: list[str] = []
        # Read to the end, or the process would wait to say more.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        address = re.compile(r"at (http://\S+:\d+)")
        wait_until(lambda: address.search("".join(self.said)) or self._process.poll() is not None)
        found = address.search("".join(self.said))
        assert found, "".join(self.said)
        self.client = client_of(found[1])
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._process.stderr.close()

    def _read(self) -> None:
        for line in self._process.stderr:
            self.said.append(line)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def address(self) -> tuple[str, int]:
        return self.client.base_url.host, self.client.base_url.port

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; gives the exit code, stdout, and stderr."""
        code = self._process.wait(PATIENCE)
        self._reader.join()
        return code, self._process.stdout.read(), "".join(self.said)


def ask(client: httpx.Client, *texts: str, **more: Any) -> httpx.Response:
    return client.post("/predict", json={"texts": list(texts), **more})


def wait_for_draining(client: httpx.Client) -> httpx.Response:
    """Ask on a connection that is open until the service says that it is about to end, which closes it."""
    answers: list[httpx.Response] = []
    wait_until(lambda: answers.append(client.get("/ready")) or answers[-1].status_code == 503)
    return answers[-1]


def count(client: httpx.Client, name: str) -> float:
    """Read one of the counts."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, flags=re.MULTILINE)
    assert found, name
    return float(found[1])


JSON = {"content-type": "application/json"}
