"""Sends requests that are broken in random ways to a running `embedclf serve`.

    python tests/fuzzing/http_heads.py 20000 --seed 1

A case survives if what comes back is HTTP and no 500, the service answers /health soon after it, and its memory has not
grown by more than a bound over the run. The same seed gives the same cases.
"""

import argparse
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


PATIENCE = 60.0
# Health is asked for after so many cases, and has to come within so many seconds; all may take so many MB.
EVERY, SOON, MOST_MB = 20, 10.0, 40.0

HOST = b"Host: localhost\r\n"
HEALTH = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /predict HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
BODY = b'{"texts": ["Where is my refund?", ""], "top_k": 2}'
WHOLE = [
    HEALTH,
    b"HEAD /docs HTTP/1.1\r\n" + HOST + b"Accept: */*\r\nConnection: keep-alive\r\n\r\n",
    b"GET /openapi.json?a=b%20c HTTP/1.0\r\nConnection: close\r\n\r\n",
    POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    POST + b"Transfer-Encoding: chunked\r\n\r\n%x;a=b\r\n" % len(BODY) + BODY + b"\r\n0\r\nTrailer: value\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
]
ODD = [b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\t", b" ", b":", b"%", b"%00", b"\xff", b"\x7f", b"HTTP/9.9",
       b"../", b"Content-Length: 0\r\n", b"Content-Length: -1\r\n", b"Content-Length: 99999999999999999999999\r\n",
       b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity, chunked\r\n", b"Host: evil.example\r\n",
       b"Connection: close\r\n", b"ffffffffffffffff\r\n", b"0\r\n\r\n"]  # fmt: skip


class Outcome(NamedTuple):
    """How many cases were tried and survived, what went wrong, and how often each status came first."""

    tried: int
    survived: int
    lost: list[str]
    statuses: Counter[str]
    slowest: float
    grown: float


def case(chance: random.Random) -> list[bytes]:
    """Make a case: what is sent, in pieces."""
    data = bytearray(b"".join(chance.choices(WHOLE, k=chance.choice((1, 1, 1, 2, 5)))))
    for _ in range(chance.choice((0, 1, 1, 2, 4, 8))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((1, 2, 8, 40)))
        match chance.randrange(8):
            case 0:
                data[start:end] = chance.randbytes(end - start)
            case 1:
                del data[start:end]
            case 2:
                data[start:start] = chance.choice(ODD)
            case 3:
                data[start:end] = chance.choice(ODD)
            case 4:
                data[start:start] = data[start:end] * chance.choice((2, 10, 1_000, 5_000))
            case 5:
                data[start:start] = chance.choice((b"a", b"a: b\r\n", b"\r\n", b";", b"1\r\na\r\n")) * chance.randrange(
                    20_000
                )
            case 6:
                data = bytearray(data.replace(b"\r\n", b"\n", chance.randrange(1, 4)))
            case 7:
                del data[start:]
        if not data:
            data += b"\r"
    cuts = sorted(chance.randrange(len(data)) for _ in range(chance.choice((0, 0, 1, 3, 10))))
    return [bytes(data[start:end]) for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def answer(port: int, pieces: list[bytes], waits: bool) -> bytes:
    """Send a case; gives what comes back until the connection closes."""
    received = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as opened, suppress(ConnectionError):
        for piece in pieces:
            opened.sendall(piece)
        if waits:  # for what comes at once, before it hears that nothing more is sent
            opened.settimeout(0.02)
            with suppress(TimeoutError):
                received += opened.recv(100_000)
            opened.settimeout(PATIENCE)
        with suppress(OSError):  # it may have been closed already
            opened.shutdown(socket.SHUT_WR)
        while part := opened.recv(100_000):
            received += part
    return bytes(received)


@contextmanager
def serving(model: Path) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    command = [sys.executable, "-m", "embedclf", "serve", "--port", "0", "--no-cache", "-m", str(model)]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
        try:
            end = time.monotonic() + PATIENCE
            while not (found := re.search(r"at http://127.0.0.1:(\d+)", Path(log.name).read_text())):
                assert process.poll() is None, Path(log.name).read_text()
                assert time.monotonic() < end
                time.sleep(0.05)
            yield int(found[1]), process
        finally:
            process.kill()
            process.wait()


def memory(pid: int) -> float:
    """The most that a process has had resident since this was asked last, in MB; 0 where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    if found is None:
        return 0.0
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return int(found[1]) / 1_000


def main(n: int, seed: int, model: Path = ROOT / "models" / "example.safetensors") -> Outcome:
    """Try so many cases."""
    chance = random.Random(seed)
    lost: list[str] = []
    statuses: Counter[str] = Counter()
    slowest = before = 0.0
    with serving(model) as (port, process):
        for number in range(n):
            try:
                came = answer(port, case(chance), chance.random() < 0.5)
            except OSError as error:  # it hangs, or cannot be reached
                came = repr(error).encode()
            status = re.match(rb"HTTP/1\.1 (\d{3}) ", came)
            statuses[status[1].decode() if status else "none"] += 1
            if came and (status is None or status[1] == b"500"):
                lost.append(f"case {number} of seed {seed} got {came[:80]!r}")
            if number % EVERY == 0 or number == n - 1:
                began = time.monotonic()
                try:
                    healthy = answer(port, [HEALTH.replace(HOST, HOST + b"Connection: close\r\n")], True)
                except OSError as error:
                    healthy = repr(error).encode()
                slowest = max(slowest, time.monotonic() - began)
                if not healthy.startswith(b"HTTP/1.1 200 ") or time.monotonic() - began > SOON:
                    lost.append(f"up to case {number} of seed {seed}: /health {healthy[:80]!r}")
                if process.poll() is not None:
                    lost.append(f"up to case {number} of seed {seed}: the service ended with {process.returncode}")
                    break
            if number in (min(40, n // 5), min(50, n // 4)):  # it loads a model first, which takes more for a moment
                before = memory(process.pid)
        grown = memory(process.pid) - before if before else 0.0
        if grown > MOST_MB:
            lost.append(f"{n:,} cases of seed {seed}: memory grew by {grown:.0f} MB")
    tried = number + 1
    return Outcome(tried, tried - len(lost), lost, statuses, slowest, grown)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    done = main(options.n, options.seed)
    print(f"{done.tried:,} tried, {done.survived:,} survived, {len(done.lost):,} lost")
    print(f"/health at most {1_000 * done.slowest:.0f} ms, memory {done.grown:+.1f} MB, {dict(done.statuses)}")
    print("\n".join(done.lost[:20]))
    sys.exit(bool(done.lost))
