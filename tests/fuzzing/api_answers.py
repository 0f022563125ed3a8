"""Reads answers of the API that are broken in random ways, from memory and from a server on loopback.

    python tests/fuzzing/api_answers.py 20000 --seed 1

A case survives if it brings one vector of unit length for each text, or an error of embedclf's own whose message is one
short line that a terminal can show. Every eighth case is sent over HTTP, head and all. The same seed gives the same
cases.
"""

import argparse
import base64
import json
import os
import random
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import embedclf
from aimlapi_server import AimlapiServer, Response
from embedclf.embedding.aimlapi.answers import AnswerError, read_answer

TEXTS = ["one", "two", "three"]
SIZE = 4
MODEL = "tiny"
OVER_HTTP = 8  # one in so many
LONGEST_MESSAGE = 2_000

ODD_VALUES: list[Any] = [None, True, -1, 0, 1, 2.5, 1e308, -1e-320, 10**30, "", "a", "AAAA", "AACAPwAAgD8AAIA/AACAPw==",
                         "NaN", "\x1b[31m\u202e", "\u2028" * 99, [], [[]], {}, [1.0] * SIZE, [0.0] * SIZE,
                         ["1"] * SIZE, [None] * SIZE, [10**400] * SIZE, {"message": {"a": ["b"]}}]  # fmt: skip
ODD_BYTES = [b"\0", b"\r\n", b"\n", b" ", b"\xff", b"\xed\xa0\x80", b"\x1b]0;x\x07", b"NaN", b"Infinity", b"1e999",
             b"-", b"9" * 5_000, b"[" * 500, b'{"":' * 500, b"\\ud800", b"\\u0000", b",", b"]", b"}", b'"',
             b":"]  # fmt: skip
STATUSES = [b"200 OK"] * 6 + [b"101 Switching Protocols", b"103 Early Hints", b"204 No Content", b"302 Found",
            b"400 No", b"401 No", b"404 \x1b[2J", b"413 No", b"429 No", b"500 No", b"999 No",
            b"000 No", b"OK"]  # fmt: skip
HEADERS = [b"content-encoding: gzip", b"content-encoding: br", b"content-encoding: gzip, gzip",
           b"content-encoding: \xff",
           b"transfer-encoding: chunked", b"transfer-encoding: gzip", b"content-length: 5", b"content-length: 99999999",
           b"content-length: -1", b"content-length: 9" + b"9" * 500, b"retry-after: 1e999", b"retry-after: nan",
           b"retry-after: Mon, 01 Jan 0001 00:00:00 +9999", b"retry-after-ms: 0.1", b"location: \xff://x",
           b"x-request-id: \x9b31m" + b"x" * 500, b"x-should-retry: true", b"set-cookie: a=b; domain=x",
           b"connection: close", b"upgrade: h2c", b"x: " + b"x" * 70_000, b": x", b"x", b" x: x",
           b"content-type: text/html; charset=utf-7"]  # fmt: skip


class Outcome(NamedTuple):
    """How many cases were tried and survived, what went wrong, and how often each kind of end came."""

    tried: int
    survived: int
    lost: list[str]
    ends: Counter[str]


def answer(chance: random.Random) -> Any:
    """Make an answer of the right shape, or one of its errors."""
    if chance.random() < 0.1:
        return {chance.choice(["message", "error", "detail", "x"]): chance.choice(ODD_VALUES), "requestId": "r"}
    vectors = np.array([[chance.gauss(0, 1) for _ in range(SIZE)] for _ in TEXTS], dtype="<f4")
    coded = chance.random() < 0.5
    data = [
        {"index": i, "embedding": base64.b64encode(v.tobytes()).decode() if coded else v.tolist()}
        for i, v in enumerate(vectors)
    ]
    return {"object": "list", "data": data, "model": MODEL, "usage": {"prompt_tokens": 3, "total_tokens": 3}}


def changed(value: Any, chance: random.Random) -> Any:
    """Put an odd value somewhere in an answer, drop or repeat something of it."""
    if isinstance(value, dict | list) and value and chance.random() < 0.85:
        value = value.copy()
        key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
        match chance.randrange(8):
            case 0:
                del value[key]
            case 1 if isinstance(value, list):
                value.insert(key, value[key])
            case _:
                value[key] = changed(value[key], chance)
        return value
    return chance.choice(ODD_VALUES)


def broken(data: bytes, chance: random.Random) -> bytes:
    """Change some of the bytes."""
    whole = bytearray(data)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 5))):
        start = chance.randrange(len(whole) + 1)
        end = min(len(whole), start + chance.choice((1, 2, 8, 40)))
        match chance.randrange(5):
            case 0:
                whole[start:end] = chance.randbytes(end - start)
            case 1:
                del whole[start:end]
            case 2:
                whole[start:start] = chance.choice(ODD_BYTES)
            case 3:
                whole[start:start] = whole[start:end] * chance.choice((2, 100, 20_000))
            case 4:
                del whole[start:]
    return bytes(whole)


def body(chance: random.Random) -> bytes:
    """Make the body of an answer."""
    value = answer(chance)
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        value = changed(value, chance)
    return broken(json.dumps(value).encode(), chance)


def response(chance: random.Random) -> bytes:
    """Make an answer with its head."""
    content = body(chance)
    headers = chance.sample(HEADERS, chance.choice((0, 0, 1, 2, 5)))
    if any(b"gzip" in header for header in headers) and chance.random() < 0.8:
        content = broken(zlib.compress(content, wbits=31), chance)
    if b"transfer-encoding: chunked" in headers and chance.random() < 0.8:
        cuts = sorted(chance.randrange(len(content) + 1) for _ in range(3))
        pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
        content = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"
    head = b"\r\n".join([b"HTTP/1.1 " + chance.choice(STATUSES), *headers, b"", b""])
    before = b"HTTP/1.1 100 Continue\r\n\r\n" * chance.choice((0, 0, 0, 1, 1_000))
    return broken(before + head, chance) + content if chance.random() < 0.3 else before + head + content


def outcome_of(work: Callable[[], Any]) -> tuple[str, str]:
    """Do something; gives how it ended, and what is wrong with that, if anything is."""
    try:
        vectors = work()
    except (embedclf.EmbedclfError, AnswerError) as error:
        said = str(error)
        fault = "" if said.isprintable() and 0 < len(said) <= LONGEST_MESSAGE else f"the message {said[:200]!r}"
        return type(error).__name__, fault
    except BaseException as error:
        return type(error).__name__, repr(error)[:300]
    good = len(vectors) == len(TEXTS) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    return "vectors", "" if good else f"the vectors {vectors!r}"


def main(n: int, seed: int) -> Outcome:
    """Try so many cases."""
    lost: list[str] = []
    ends: Counter[str] = Counter()
    with AimlapiServer(models={MODEL: SIZE}) as server, patch.dict(os.environ, AIMLAPI_API_KEY="test-key"):
        for number in range(n):
            chance = random.Random(f"{seed} {number}")
            size = chance.choice((None, SIZE))
            if number % OVER_HTTP:
                content = body(chance)
                end, fault = outcome_of(lambda c=content, s=size: read_answer(c, len(TEXTS), s, {}).vectors)
            else:
                content = response(chance)
                server.fault = lambda _, c=content: Response(raw=[c])
                embedder = embedclf.open_embedder(
                    f"aimlapi:{MODEL}", base_url=server.base_url, dimensions=size, retries=0, timeout=10
                )
                end, fault = outcome_of(lambda e=embedder: e.embed(TEXTS))
            ends[end] += 1
            if fault:
                lost.append(f"{number}: {end}: {fault} of {content[:500]!r}")
    return Outcome(n, n - len(lost), lost, ends)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    done = main(options.n, options.seed)
    counts = f"{done.tried:,} tried, {done.survived:,} survived, {len(done.lost):,} lost: {dict(done.ends)}"
    sys.stdout.write("\n".join([counts, *done.lost[:20], ""]))
    sys.exit(bool(done.lost))
