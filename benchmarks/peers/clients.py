"""The embedding client: texts to vectors of 1,536 over HTTP; the server is on loopback and costs next to nothing."""

import base64
import http.client
import json
import os
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import numpy as np
from measuring import Curve, Figures, Setting, Step, chunks, grow, in_a_process, report

MODEL = "text-embedding-3-small"
Embed = Callable[[list[str]], object]


def ours(url: str, **settings: int) -> Embed:
    import embedclf

    return embedclf.open_embedder(f"aimlapi:{MODEL}", base_url=url, **settings).embed


def one_at_a_time(url: str) -> Embed:
    return ours(url, concurrency=1)


def stock(url: str) -> Embed:
    from langchain_openai import OpenAIEmbeddings

    # Counting tokens first, as it would, needs a file from the network.
    return OpenAIEmbeddings(
        model=MODEL, base_url=url, api_key="test-key", check_embedding_ctx_length=False
    ).embed_documents


def raw(url: str) -> Embed:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)

    def embed(texts: list[str]) -> list[np.ndarray]:
        vectors = []
        for start, stop in chunks(len(texts), 1_000):
            body = {"model": MODEL, "input": texts[start:stop], "encoding_format": "base64"}
            connection.request("POST", f"{parts.path}/embeddings", json.dumps(body))
            data = json.loads(connection.getresponse().read())["data"]
            vectors += [np.frombuffer(base64.b64decode(one["embedding"]), dtype="<f4") for one in data]
        return vectors

    return embed


SIDES = {
    "embedclf": ours,
    "embedclf, one request at a time": one_at_a_time,
    "OpenAIEmbeddings": stock,
    "raw HTTP": raw,
}


def measure(setting: Setting) -> dict[str, object]:
    from in_flight import serving

    with serving() as url:

        def run(side: str, n: int) -> Figures:
            return in_a_process([sys.executable, __file__, side, url, str(n)], setting)

        curves = [Curve(name, [Step("embed", lambda n, name=name: run(name, n))]) for name in SIDES]
        return {"sides": grow(curves, setting)}


def main(side: str, url: str, n: int) -> None:
    os.environ["AIMLAPI_API_KEY"] = "test-key"
    embed = SIDES[side](url)
    embed(["one that imports and connects"])

    def work() -> None:
        for start, stop in chunks(n):
            embed([f"text number {number} of a few" for number in range(start, stop)])

    report(work)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
