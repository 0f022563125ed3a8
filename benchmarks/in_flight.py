"""Many requests under way at once, against `OpenAIEmbeddings.embed_documents`: 3,200 texts, 200 ms a request.

    python benchmarks/in_flight.py

The server is a process of its own on loopback that costs next to nothing itself. Both sides send batches of 100, in
turn, on connections that are open already; median of several runs. Then a server that allows 8 requests at once is
asked by 32, and each text must get its vector. Last, a million texts: the memory beyond the vectors.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from langchain_openai import OpenAIEmbeddings

import embedclf

SERVER = Path(__file__).parent / "fast_server.py"
TEXTS = [f"text number {number} of a few" for number in range(3_200)]


@contextmanager
def serving(*options: str) -> Iterator[str]:
    command = [sys.executable, str(SERVER), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def opened(url: str, **settings: object) -> "embedclf.Embedder":
    embedder = embedclf.open_embedder("aimlapi:text-embedding-3-small", base_url=url, **settings)
    embedder.embed(["one that opens a connection"])
    return embedder


def speed_up(runs: int) -> None:
    with serving("--delay", "0.2") as url:
        ours = opened(url, batch_size=100)
        stock = OpenAIEmbeddings(
            model="text-embedding-3-small",
            base_url=url,
            api_key="test-key",
            check_embedding_ctx_length=False,
            chunk_size=100,
        )
        stock.embed_documents(["one that opens a connection"])
        ours.embed(TEXTS)
        times = [
            (seconds(lambda: ours.embed(TEXTS)), seconds(lambda: stock.embed_documents(TEXTS))) for _ in range(runs)
        ]
    fast, slow = (median(side) for side in zip(*times, strict=True))
    print(f"embedclf {fast:.2f} s, OpenAIEmbeddings {slow:.2f} s: {slow / fast:.1f} × as fast (at least 10)")


def limited() -> None:
    with serving("--delay", "0.2", "--max-concurrent", "8") as url:
        ours = opened(url, batch_size=20, concurrency=32)
        taken = seconds(lambda: ours.embed(TEXTS))
        usage = ours.usage
        least = 0.2 * len(TEXTS) / 20 / 8
        print(
            f"a server that allows 8, asked by 32: all of {usage.texts - 1:,} texts embedded in {taken:.1f} s "
            f"({taken / least:.2f} × the {least:.1f} s of exactly 8 at once), {usage.requests - 1 - 160} of "
            f"{usage.requests - 1} requests told to wait"
        )


def memory(n_texts: int) -> None:
    texts = [f"text number {number}" for number in range(n_texts)]
    with serving() as url:
        # Short vectors, so that it is the rest that is seen.
        ours = embedclf.open_embedder("aimlapi:text-embedding-3-small", base_url=url, dimensions=64)
        ours.embed(texts[:64])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        vectors = ours.embed(texts)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 - vectors.nbytes
    print(f"{n_texts:,} texts: {grown / 1e6:,.0f} MB beyond texts and vectors, {grown / n_texts:,.0f} bytes a text")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    os.environ["AIMLAPI_API_KEY"] = "test-key"
    speed_up(args.runs)
    limited()
    for n_texts in (100_000, 1_000_000):
        memory(n_texts)


if __name__ == "__main__":
    main()
