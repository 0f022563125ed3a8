"""`embedclf serve` under load: errors, memory, throughput against one request at a time, latency against a bare route.

    python benchmarks/service.py

Each service is a process of its own on loopback, and so is the bare FastAPI route, which takes the same body and gives
as much back. The client opens its connections once, and sends the support tickets over and over, one a request. One at
a time is one connection, each request after the answer to the one before; the load is 32 such connections at once.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles

import psutil
from in_flight import serving as serving_the_api

import embedclf
from embedclf.data.corpus import Corpus, read_corpus

TICKETS = Path(__file__).parent.parent / "datasets" / "support_tickets.csv"
HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
BARE = """
import socket, sys
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

class Asked(BaseModel):
    texts: list[str]

app = FastAPI()

@app.post("/predict")
async def predict(asked: Asked) -> dict[str, list[dict[str, str | float]]]:
    return {"predictions": [{"label": "billing", "confidence": 0.996634} for _ in asked.texts]}

listening = socket.create_server(("127.0.0.1", 0))
listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print(f"at http://127.0.0.1:{listening.getsockname()[1]}", file=sys.stderr, flush=True)
uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])
"""


@cache
def tickets() -> Corpus:
    return read_corpus(TICKETS)


@contextmanager
def serving(*command: str, log: Path) -> Iterator[tuple[int, psutil.Process]]:
    """Run a service; gives its port, and its process."""
    with log.open("w") as file, subprocess.Popen([sys.executable, *command], stderr=file) as process:
        try:
            while not (found := re.search(r"at http://127.0.0.1:(\d+)", log.read_text())):
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield int(found[1]), psutil.Process(process.pid)
        finally:
            process.terminate()
    assert process.returncode == 0 or command[0] == "-c", log.read_text()


class Load:
    """What some connections sent one after another, and when they were answered."""

    def __init__(self, port: int, connections: int, seconds: float) -> None:
        self._port, self._texts = port, cycle(tickets().texts)
        self.latencies: list[float] = []
        self.errors = 0
        asyncio.run(self._run(connections, seconds))
        self.rate = len(self.latencies) / self.seconds

    async def _run(self, connections: int, seconds: float) -> None:
        begin = time.perf_counter()
        await asyncio.gather(*(self._ask(begin + seconds) for _ in range(connections)))
        self.seconds = time.perf_counter() - begin

    async def _ask(self, until: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while (began := time.perf_counter()) < until:
            body = json.dumps({"texts": [next(self._texts)]}).encode()
            writer.write(HEAD % len(body) + body)
            answered = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answered)
            assert length is not None
            said = json.loads(await reader.readexactly(int(length[1])))
            self.latencies.append(time.perf_counter() - began)
            self.errors += not answered.startswith(b"HTTP/1.1 200 ") or said["predictions"][0]["label"] is None
        writer.close()
        await writer.wait_closed()


def latency(ours: int, bare: int, seconds: float) -> None:
    """Both in turn, five times."""
    found: dict[int, list[float]] = {ours: [], bare: []}
    for _ in range(5):
        for port, latencies in found.items():
            latencies.extend(Load(port, 1, seconds / 10).latencies)
    of_ours, of_bare = (1_000 * median(found[port]) for port in (ours, bare))
    print(f"p50 of one at a time: {of_ours:.2f} ms, a bare route {of_bare:.2f} ms, {of_ours - of_bare:.2f} ms more")


def throughput(name: str, port: int, process: psutil.Process, seconds: float, connections: int) -> None:
    """Both in turn, five times."""
    Load(port, connections, seconds / 4)  # until then, buffers, threads and the tokenizer's memory of words are made
    before = process.memory_info().rss
    one, many = [], []
    for _ in range(5):
        one.append(Load(port, 1, seconds / 10))
        many.append(Load(port, connections, seconds / 5))
    grown = (process.memory_info().rss - before) / 1e6
    print(f"{name}, one at a time: {shown(one)}")
    print(f"{name}, {connections} at once for {seconds:g} s: {shown(many)}")
    print(f"{name}: {rate(many) / rate(one):.2f} × as many at once as one at a time")
    n = sum(len(load.latencies) for load in one + many)
    print(f"{name}, memory: {before / 1e6:.0f} MB, and {grown:+.1f} MB after {n:,} requests")


def rate(loads: list[Load]) -> float:
    return median(load.rate for load in loads)


def shown(loads: list[Load]) -> str:
    latencies = [1_000 * latency for load in loads for latency in load.latencies]
    p50, p99 = median(latencies), quantiles(latencies, n=100)[98]
    errors = sum(load.errors for load in loads)
    return f"{rate(loads):,.0f} requests/s (median of 5 times), p50 {p50:.2f} ms, p99 {p99:.2f} ms, {errors} errors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of the load")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds that the API takes for a request")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log, other = Path(folder) / "log", Path(folder) / "bare"
        model = str(Path(folder) / "model.safetensors")
        rows = tickets().texts, tickets().labels
        embedclf.train(*rows, embedder="wordllama").save(model)
        serve = ("-m", "embedclf", "serve", "--port", "0", "-m", model, "--no-cache")
        with serving(*serve, log=log) as (port, process), serving("-c", BARE, log=other) as (bare, _):
            latency(port, bare, options.seconds)
            throughput("WordLlama", port, process, options.seconds, options.connections)
        with serving_the_api("--delay", str(options.delay)) as url:
            os.environ |= {"AIMLAPI_BASE_URL": url, "AIMLAPI_API_KEY": "test-key"}
            embedclf.train(*rows, embedder=embedclf.open_embedder("aimlapi")).save(model)
            with serving(*serve, log=log) as (port, process):
                throughput("an API", port, process, options.seconds, options.connections)


if __name__ == "__main__":
    main()
