"""What reading the answers of the API costs: CPU time per 1,000 vectors of 1,536, ours and the stock client's.

    python benchmarks/client.py

The server is a process of its own on loopback. CPU time is that of this process alone (user and system), median of
several runs in turn, after one that warms up.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from langchain_openai import OpenAIEmbeddings

import embedclf

SERVER = Path(__file__).parent.parent / "tests" / "support" / "aimlapi_server.py"
TEXTS = [f"text number {number}" for number in range(1_000)]


def cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return 1_000 * (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    os.environ["AIMLAPI_API_KEY"] = "test-key"
    with subprocess.Popen([sys.executable, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        url = server.stdout.readline().strip()
        ours = embedclf.open_embedder("aimlapi:text-embedding-3-small", base_url=url)
        floats = embedclf.open_embedder("aimlapi:text-embedding-3-small", base_url=url)
        floats._behind._fields = {
            **floats._behind._fields,
            "encoding_format": "float",
        }  # as after a server has refused base64
        common = {
            "model": "text-embedding-3-small",
            "base_url": url,
            "api_key": "test-key",
            "check_embedding_ctx_length": False,
            "chunk_size": 512,
        }
        stock = OpenAIEmbeddings(**common)
        stock_floats = OpenAIEmbeddings(**common, model_kwargs={"encoding_format": "float"})
        sides = {
            "base64, embedclf (at most 60)": lambda: ours.embed(TEXTS),
            "base64, OpenAIEmbeddings": lambda: stock.embed_documents(TEXTS),
            "floats, embedclf (at most 250)": lambda: floats.embed(TEXTS),
            "floats, OpenAIEmbeddings": lambda: stock_floats.embed_documents(TEXTS),
        }
        for work in sides.values():
            work()
        times: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(args.runs):
            for name, work in sides.items():
                times[name].append(cpu(work))
        for name, taken in times.items():
            print(f"{name:<32} {median(taken):7.0f} ms of CPU per 1,000 vectors")
        server.stdin.close()


if __name__ == "__main__":
    main()
