"""How much of a spending limit is used when it stops a run, and whether more than that is ever charged.

The server of the tests charges a factor of its price, and rounds each request up to a whole credit. Texts have 2 to
8,000 characters, in three orders, or are all alike; 32 requests are in flight, each taking 20 ms. The price is listed
or unknown. A limit that is not reached is compared with no limit at all.

    python benchmarks/limits.py
"""

import os
import random
import sys
import time
from contextlib import suppress
from pathlib import Path

import embedclf

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

from aimlapi_server import AimlapiServer, tokens

FACTORS = (1.0, 1.05, 1.3, 2.0)
MODELS = {"text-embedding-3-small": "listed", "of-unknown-price": "unknown"}
N_TEXTS = 1_500


def kinds() -> dict[str, list[str]]:
    rng = random.Random(0)
    mixed = [(f"w{number} " * 2_000)[: int(10 ** rng.uniform(0.3, 3.9))] for number in range(N_TEXTS)]
    mixed = list(dict.fromkeys(mixed))
    return {
        "of any length": mixed,
        "shortest first": sorted(mixed, key=len),
        "longest first": sorted(mixed, key=len, reverse=True),
        "alike": [f"this is row number {number:04}." for number in range(N_TEXTS)],
        "of a few letters": [f"{number:x}" for number in range(N_TEXTS)],
    }


def run(server: AimlapiServer, model: str, texts: list[str], limit: float | None) -> tuple[float, float]:
    """Return the dollars charged and the seconds taken."""
    server.reset()
    embedder = embedclf.open_embedder(f"aimlapi:{model}", base_url=server.base_url, max_cost=limit, concurrency=32)
    began = time.perf_counter()
    with suppress(embedclf.MaxCostError):
        embedder.embed(texts)
    if abs((embedder.usage.dollars or 0.0) - server.dollars_charged) > 1e-12:
        raise SystemExit("what is reported is not what was charged")
    return server.dollars_charged, time.perf_counter() - began


def main() -> None:
    os.environ["AIMLAPI_API_KEY"] = "test-key"
    print("texts, price: least and most of the limit that was charged, at factors", *FACTORS)
    for kind, texts in kinds().items():
        for model, price in MODELS.items():
            shares = []
            for factor in FACTORS:
                with AimlapiServer(
                    factor=factor, models={"of-unknown-price": 64}, prices={"of-unknown-price": 0.05}, delay=0.02
                ) as server:
                    limit = 0.5 * factor * sum(map(tokens, texts)) * server.prices[model] / 1e6
                    if price == "listed":  # at least the estimate, or the run would not begin
                        limit = max(limit, 1.001 * sum(map(tokens, texts)) * server.prices[model] / 1e6)
                    shares.append(run(server, model, texts, limit)[0] / limit)
            print(f"{kind}, {price}: {min(shares):.1%} to {max(shares):.1%}")
    texts = kinds()["of any length"]
    with AimlapiServer(delay=0.02) as server:
        run(server, "text-embedding-3-small", texts, None)  # imports
        without, limited = [], []
        for _ in range(5):
            without.append(run(server, "text-embedding-3-small", texts, None)[1])
            n_without = server.n_requests
            limited.append(run(server, "text-embedding-3-small", texts, 1.0)[1])
            n_limited = server.n_requests
    ratio = sorted(limited)[2] / sorted(without)[2]
    print(f"a limit that is not reached: {n_limited} requests instead of {n_without}, {ratio:.2f} × the time")


if __name__ == "__main__":
    main()
