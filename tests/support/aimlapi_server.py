"""AI/ML API's embeddings endpoint on the loopback interface, so that tests need neither a network nor a key.

It refuses what the real one refuses, answers with vectors a classifier can learn from, counts what it was asked, and
fails on demand::

    with AimlapiServer() as server:
        server.fault = lambda request: error(503, "Service Unavailable") if request.number == 0 else None
        ...  # ask server.base_url, with the key "test-key"
        assert server.texts_sent == ["a", "b"]

As a process of its own, ``python tests/support/aimlapi_server.py`` prints its base URL on the first line of stdout and
serves until its stdin closes or it is terminated.
"""

import argparse
import base64
import json
import math
import re
import signal
import socket
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray

MODELS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
"""The models served by default, and the full length of their vectors."""


MAX_INPUTS = 2_048
MAX_TOKENS_A_TEXT = 8_191


@dataclass(frozen=True)
class Schema:
    """What another model of the endpoint takes, and the full length of its vectors."""

    size: int
    fields: frozenset[str] = frozenset()
    """Beside ``model`` and ``input``; any other is refused."""
    one_string: bool = False
    """Whether ``input`` must be a string."""
    lengths: tuple[int, ...] | None = None
    """What ``dimensions`` may be; None is any whole number up to the full length."""
    max_inputs: int = MAX_INPUTS
    max_tokens: int = MAX_TOKENS_A_TEXT
    max_characters: int | None = None
    """Of an input that is a string."""
    max_characters_each: int | None = None
    """Of the elements of an input that is an array."""
    says_total_only: bool = False
    """Whether ``usage`` has ``total_tokens`` only."""


_GOOGLES = frozenset({"dimensions", "auto_truncate", "task_type", "title"})


def _voyage(size: int, max_tokens: int) -> Schema:
    return Schema(
        size,
        frozenset({"input_type"}),
        max_inputs=128,
        max_tokens=max_tokens,
        max_characters=8_000,
        max_characters_each=800,
        says_total_only=True,
    )


OTHER_MODELS = {
    "voyage-2": _voyage(1024, 4_000),
    "voyage-large-2": _voyage(1536, 16_000),
    "voyage-large-2-instruct": _voyage(1024, 16_000),
    "voyage-code-2": _voyage(1536, 16_000),
    "voyage-finance-2": _voyage(1024, 32_000),
    "voyage-law-2": _voyage(1024, 16_000),
    "voyage-multilingual-2": _voyage(1024, 32_000),
    "text-multilingual-embedding-002": Schema(768, _GOOGLES, max_inputs=250, max_tokens=2_048),
    "BAAI/bge-base-en-v1.5": Schema(768, frozenset({"encoding_format"}), one_string=True),
    "alibaba/qwen-text-embedding-v3": Schema(
        1024, frozenset({"dimensions"}), lengths=(512, 768, 1024), max_inputs=10, max_tokens=8_192
    ),
    "alibaba/qwen-text-embedding-v4": Schema(
        1024,
        frozenset({"dimensions"}),
        lengths=(64, 128, 256, 512, 768, 1024, 1536, 2048),
        max_inputs=10,
        max_tokens=8_192,
    ),
    "textembedding-gecko@003": Schema(768, frozenset({"encoding_format", "dimensions", "auto_truncate"})),
}
"""The other models, as AI/ML API's schemas have them (repository aimlapi/api-docs), and their makers' limits."""

TASK_TYPES = (
    *("RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING"),
    *("QUESTION_ANSWERING", "FACT_VERIFICATION"),
)

_OWN_FIELDS = frozenset({"encoding_format", "dimensions"})

CREDITS_PER_DOLLAR = 2_000_000
PRICES = {"text-embedding-3-small": 0.02, "text-embedding-3-large": 0.13, "text-embedding-ada-002": 0.1}
"""What is charged at a factor of 1, in dollars per million tokens; models without a price cost `OTHER_PRICE`."""
OTHER_PRICE = 0.12

ENDPOINT = "/v1/embeddings"
FIXED_LENGTH = {"text-embedding-ada-002"}
MAX_TOKENS_A_REQUEST = 300_000

NO_KEY = (
    "This request requires a valid API key. "
    "You can create a new API key on the Billing page: https://aimlapi.com/app/keys"
)

_OF_THE_TEXT = 0.05
"""How much of a text's vector is its own: enough to be seen in float32, too little to hide the words."""
_OF_THE_TASK = 0.1


@dataclass
class Request:
    """What a fault is asked about: a POST that passed every check."""

    number: int
    """How many POSTs came before it since the start or the last reset, the refused ones included."""
    texts: list[str]
    body: dict[str, Any]


@dataclass
class Response:
    """What is sent back."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    """Announce the whole body, send only so many bytes of it, and close the connection."""
    drop: bool = False
    """Close the connection without a word."""
    raw: Iterable[bytes] | None = None
    """Send this in place of all else, the head included, and close the connection; what sleeps comes slowly."""


@dataclass
class Recorded:
    """A POST as it was seen."""

    body: dict[str, Any]
    """Empty when what came was no JSON object."""
    headers: dict[str, str]
    """The names in lower case."""
    path: str
    started: float
    """In seconds of `time.monotonic`, as is `ended`."""
    ended: float = 0.0
    """Just before the answer is sent; 0 until then."""
    status: int = 0
    """0 while under way, and for good when the connection was dropped."""
    credits: int = 0
    """What it was charged."""
    inference_id: str = ""
    """What the answer was given as its id."""


def error(status: int, message: str, *, path: str = ENDPOINT, **headers: str) -> Response:
    """Make an error of AI/ML API's own shape; ``retry_after="1"`` adds the header ``retry-after``."""
    body = {
        "message": message,
        "path": path,
        "requestId": str(uuid.uuid4()),
        "statusCode": status,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return Response(status, json.dumps(body).encode(), {key.replace("_", "-"): value for key, value in headers.items()})


def html(status: int = 200) -> Response:
    """Make the page of a proxy or a captive portal."""
    return Response(status, b"<!DOCTYPE html><title>Welcome</title><h1>Welcome</h1>", {"content-type": "text/html"})


def tokens(text: str) -> int:
    """Count a text's tokens as this server does: four bytes each."""
    return math.ceil(len(_utf8(text)) / 4)


def charge(n_tokens: int, price: float, factor: float = 1.0) -> int:
    """Return what a request costs in credits, which are whole and rounded up for each request."""
    exact = Decimal(n_tokens) * Decimal(str(price)) * Decimal(str(factor)) * CREDITS_PER_DOLLAR / 1_000_000
    return int(exact.to_integral_value(ROUND_CEILING))


def embed(
    text: str, model: str, size: int, dimensions: int | None = None, task_type: str | None = None
) -> NDArray[np.float32]:
    """Return the text's vector of unit length: near to that of a text with the same words, equal to no other.

    `size` is the model's full length; `dimensions` cuts the vector shorter before it is scaled; each `task_type` has
    other vectors.
    """
    vector = _OF_THE_TEXT * _gaussian("text", model, text, size)
    if task_type is not None:
        vector += _gaussian("task", model, f"{task_type} {text}", size) * _OF_THE_TASK
    for word, times in Counter(re.findall(r"\w+", text.lower())).items():
        vector += times * _of_a_word("word", model, word, size)
    vector = vector[:dimensions]
    return vector / np.linalg.norm(vector)


def _gaussian(kind: str, model: str, text: str, size: int) -> NDArray[np.float32]:
    # Python's own hash() differs from one process to the next.
    seed = blake2b(_utf8("\0".join((kind, model, text))), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(seed)).standard_normal(size, dtype=np.float32)


# At most 100 MB with vectors of 3,072.
_of_a_word = lru_cache(maxsize=8_192)(_gaussian)


def _utf8(text: str) -> bytes:
    # JSON's escapes can carry a lone surrogate, which must not end the thread that meets it.
    return text.encode(errors="surrogatepass")


def _json_type(value: object) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _invalid(hint: str) -> _RefusedError:
    return _RefusedError(400, f"Body validation error\n{hint}")


class AimlapiServer:
    """The server: listens from ``with`` to the end of its block, and may be entered again, on the same port.

    Parameters
    ----------
    api_key
        The one key that is let in.
    models
        What is served beside `MODELS`, and the full length of each model's vectors.
    allow_base64
        When false, ``"encoding_format": "base64"`` is refused.
    always_float
        Answer in lists of floats whatever was asked for.
    max_concurrent, retry_after
        With so many POSTs under way, a further one is answered 429 at once, with this ``Retry-After`` if it is given.
    delay
        Seconds before each answer with vectors; refusals and faults do not wait (a fault may sleep by itself).
    port
        0 takes a free one.
    count_file
        Each accepted text is appended to it, a JSON line each, before its answer is sent.
    factor
        What is charged is the price times this.
    prices
        In dollars per million tokens, in place of some of `PRICES`.
    tells
        Where the answer says what was charged: in the headers ``usd`` and ``credits``, in the ``body``.
    balance
        In dollars. When it is spent, requests are answered 403; None does not end.

    Attributes
    ----------
    hidden
        Models that `GET /v1/models` does not list, and POST does not know.
    fault
        Asked for every POST that passed the checks; what it returns is sent in place of the answer.
    lookup_fault
        Asked for every GET, by its path; what it returns is sent in place of the answer.
    tamper
        Is given each answer before it is sent, to change it in place or to return another.
        An exception in either is raised again at the end of the block.
    """

    def __init__(
        self,
        *,
        api_key: str = "test-key",
        models: dict[str, int] | None = None,
        allow_base64: bool = True,
        always_float: bool = False,
        max_concurrent: int | None = None,
        retry_after: float | None = None,
        delay: float = 0.0,
        port: int = 0,
        count_file: Path | None = None,
        factor: float = 1.0,
        prices: dict[str, float] | None = None,
        tells: Collection[str] = ("usd", "credits", "body"),
        balance: float | None = None,
    ) -> None:
        self.api_key = api_key
        self.models = MODELS | {name: schema.size for name, schema in OTHER_MODELS.items()} | (models or {})
        self.allow_base64 = allow_base64
        self.always_float = always_float
        self.max_concurrent = max_concurrent
        self.retry_after = retry_after
        self.delay = delay
        self.port = port
        self.count_file = count_file
        self.factor = factor
        self.prices = PRICES | (prices or {})
        self.tells = tells
        self.balance = balance
        self.hidden: set[str] = set()
        self.fault: Callable[[Request], Response | None] | None = None
        self.lookup_fault: Callable[[str], Response | None] | None = None
        self.tamper: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None

        self._lock = threading.Lock()
        self._requests: list[Recorded] = []
        self._lookups: list[Recorded] = []
        self._texts_sent: list[str] = []
        self._in_flight = 0
        self._admitted = 0  # those in flight that max_concurrent let in
        self._most_at_once = 0
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        self._closing.clear()
        self._http = _HttpServer(self, self.port)
        self.port = self._http.server_port
        # The default is to look every half second whether to stop.
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.005,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._http.hang_up()
        if self._http.failures and kind is None:
            raise RuntimeError("the server failed while it answered") from self._http.failures[0]

    @property
    def base_url(self) -> str:
        """What a client is given, such as ``http://127.0.0.1:40000/v1``."""
        if not self.port:
            raise RuntimeError("the server has not been started")
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> list[Recorded]:
        """Every POST in order of arrival, those under way and the refused ones included."""
        with self._lock:
            return list(self._requests)

    @property
    def n_requests(self) -> int:
        """How many POSTs arrived."""
        with self._lock:
            return len(self._requests)

    @property
    def lookups(self) -> list[Recorded]:
        """Every GET in order of arrival; the path has its query."""
        with self._lock:
            return list(self._lookups)

    @property
    def credits_charged(self) -> int:
        """What all accepted requests were charged, whatever became of their answers."""
        with self._lock:
            return sum(one.credits for one in self._requests)

    @property
    def dollars_charged(self) -> float:
        """`credits_charged` in dollars."""
        return self.credits_charged / CREDITS_PER_DOLLAR

    @property
    def texts_sent(self) -> list[str]:
        """The texts of the accepted requests, in order of arrival.

        Accepted is what passed every check, met no fault and is answered with vectors: what would be paid for.
        """
        with self._lock:
            return list(self._texts_sent)

    @property
    def n_connections(self) -> int:
        """How many connections were opened."""
        return self._http.n_connections

    @property
    def most_at_once(self) -> int:
        """The highest number of POSTs in flight together, those answered 429 included."""
        with self._lock:
            return self._most_at_once

    def reset(self) -> None:
        """Count from nothing again; settings, fault and tamper stay."""
        with self._lock:
            self._requests.clear()
            self._lookups.clear()
            self._texts_sent.clear()
            self._most_at_once = self._in_flight

    def _post(self, path: str, headers: dict[str, str], raw: bytes) -> Response:
        """Answer a POST.

        All is recorded before the answer leaves: who has read it finds it counted, and a client that sends one request
        after another is never seen with two in flight.
        """
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        recorded = Recorded(body if isinstance(body, dict) else {}, headers, path, time.monotonic())
        recorded.inference_id = uuid.uuid4().hex
        with self._lock:
            number = len(self._requests)
            self._requests.append(recorded)
            self._in_flight += 1
            self._most_at_once = max(self._most_at_once, self._in_flight)
            admitted = self.max_concurrent is None or self._admitted < self.max_concurrent
            self._admitted += admitted
        status = 0
        try:
            response = self._decide(number, recorded, body) if admitted else self._too_many()
            if path == ENDPOINT:
                response.headers.setdefault("x-inference-id", recorded.inference_id)
                own_id = headers.get("x-client-request-id", "")
                if re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", own_id):
                    response.headers.setdefault("x-client-request-id", own_id)
            status = 0 if response.drop else response.status
        finally:
            with self._lock:
                self._in_flight -= 1
                self._admitted -= admitted
                recorded.ended = time.monotonic()
                recorded.status = status
        return response

    def _too_many(self) -> Response:
        headers = {} if self.retry_after is None else {"retry_after": f"{self.retry_after:g}"}
        return error(429, "Too Many Requests", **headers)

    def _get(self, path: str, headers: dict[str, str]) -> Response:
        """Answer a GET: the models, which need no key, and the balance, which does."""
        recorded = Recorded({}, headers, path, time.monotonic(), ended=time.monotonic())
        with self._lock:
            self._lookups.append(recorded)
        at = urlsplit(path)
        if self.lookup_fault is not None and (fault := self.lookup_fault(path)) is not None:
            response = fault
        elif at.path == "/v1/models":
            response = self._list_models(parse_qs(at.query), headers)
        elif at.path == "/v2/billing" and headers.get("authorization") != f"Bearer {self.api_key}":
            response = error(401, NO_KEY, path=at.path)
        elif at.path == "/v2/billing":
            left = 100.0 if self.balance is None else self.balance
            response = Response(200, json.dumps({"current_balance": left, "currency": "USD"}).encode())
        else:
            response = error(404, f"Cannot GET {at.path}", path=at.path)
        recorded.status = response.status
        return response

    def _list_models(self, query: dict[str, list[str]], headers: dict[str, str]) -> Response:
        wanted = {name.lower() for values in query.get("id", []) for name in values.split(",")}
        with_prices = {"pricing", "all"} & set(",".join(query.get("include", [])).split(","))
        data: list[dict[str, Any]] = [
            {
                "id": "openai/gpt-5",
                "aliases": ["gpt-5"],
                "type": "openai/chat-completions",
                "info": {"name": "GPT-5", "developer": "Open AI"},
                "tags": [],
                **({"pricing": {"kind": "variable", "currency": "USD"}} if with_prices else {}),
            }
        ]
        for model in self.models.keys() - self.hidden:
            is_openai = model.startswith("text-embedding-")
            one: dict[str, Any] = {
                "id": f"openai/{model}" if is_openai else model,
                "aliases": [model] if is_openai else [],
                "type": "openai/embeddings",
                "info": {"name": model, "developer": "Open AI" if is_openai else "Another"},
                "tags": [],
            }
            if with_prices:
                price = Decimal(str(self.prices.get(model, OTHER_PRICE))) * Decimal(str(self.factor))
                # Not per million for all: who compares prices without it is wrong by a factor of a thousand.
                per = 1_000_000 if is_openai else 1_000
                unit = {"name": "token", "measure": "input", "price": float(price * per / 1_000_000), "per": per}
                one["pricing"] = {"kind": "fixed", "currency": "USD", "units": [unit]}
            data.append(one)
        if wanted:
            data = [one for one in data if wanted & {name.lower() for name in (one["id"], *one["aliases"])}]
        body = json.dumps({"object": "list", "data": sorted(data, key=lambda one: str(one["id"]))}).encode()
        tag = f'W/"{blake2b(body, digest_size=8).hexdigest()}"'
        if headers.get("if-none-match") == tag:
            return Response(304, b"", {"etag": tag})
        return Response(200, body, {"etag": tag})

    def _decide(self, number: int, recorded: Recorded, body: Any) -> Response:
        path, headers = recorded.path, recorded.headers
        try:
            if path != ENDPOINT:
                raise _RefusedError(404, f"Cannot POST {path}")
            if headers.get("authorization") != f"Bearer {self.api_key}":
                raise _RefusedError(401, NO_KEY)
            texts = self._checked(body)
            if self.balance is not None and self.balance <= 0:
                raise _RefusedError(403, "You've run out of credits. Please top up your balance.")
        except _RefusedError as refusal:
            return error(refusal.status, str(refusal), path=path)
        if self.fault is not None and (response := self.fault(Request(number, texts, body))) is not None:
            return response
        n_tokens = sum(map(tokens, texts))
        cost = charge(n_tokens, self.prices.get(body["model"], OTHER_PRICE), self.factor)
        self._accept(texts, recorded, cost)
        if self._closing.wait(self.delay):
            return Response(drop=True)
        answer = self._answer(texts, body)
        headers = {}
        dollars = Decimal(cost) / CREDITS_PER_DOLLAR
        if "usd" in self.tells:
            headers["x-aimlapi-usd-spent"] = f"{dollars:.9f}"
        if "credits" in self.tells:
            headers["x-aimlapi-credits-used"] = str(cost)
        if "body" in self.tells:
            answer["meta"] = {"usage": {"credits_used": cost, "usd_spent": float(dollars)}}
        if self.tamper is not None:
            changed = self.tamper(answer)
            answer = answer if changed is None else changed
        return Response(200, json.dumps(answer).encode(), headers)

    def _checked(self, body: Any) -> list[str]:
        """Return the texts of a body that the schema, and OpenAI behind it, would take."""
        if not isinstance(body, dict):
            raise _invalid(f"Expected a JSON object, received {_json_type(body)}")
        schema = OTHER_MODELS.get(body["model"]) if isinstance(body.get("model"), str) else None
        fields = _OWN_FIELDS if schema is None else schema.fields
        if unknown := sorted(body.keys() - fields - {"model", "input"}):
            raise _invalid(f"Unrecognized key(s) in object: {', '.join(map(repr, unknown))}")
        for name in ("model", "input"):
            if name not in body:
                raise _invalid(f"{name}: Required")

        model = body["model"]
        if not isinstance(model, str):
            raise _invalid(f"model: Expected string, received {_json_type(model)}")
        if model not in self.models or model in self.hidden:
            raise _RefusedError(404, f"The model {model!r} does not exist")

        if schema is not None and schema.one_string and not isinstance(body["input"], str):
            raise _invalid(f"input: Expected string, received {_json_type(body['input'])}")
        texts = self._checked_texts(body["input"], schema or Schema(self.models[model]), body)
        self._check_format(body.get("encoding_format"))
        self._check_dimensions(body.get("dimensions"), model, schema)
        self._check_task(body)
        return texts

    def _checked_texts(self, value: Any, schema: Schema, body: dict[str, Any]) -> list[str]:
        if not isinstance(value, str | list):
            raise _invalid(f"input: Expected string or array, received {_json_type(value)}")
        if not value:
            raise _invalid(f"input: {_json_type(value)} must contain at least 1 element(s), received 0")
        texts = [value] if isinstance(value, str) else value
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise _invalid(f"input[{index}]: Expected string, received {_json_type(text)}")
            if not text:
                raise _RefusedError(400, "'$.input' is invalid: an empty string")

        longest = schema.max_characters if isinstance(value, str) else schema.max_characters_each
        for index, text in enumerate(texts):
            if longest is not None and len(text) > longest:
                where = "input" if isinstance(value, str) else f"input[{index}]"
                raise _invalid(f"{where}: String must contain at most {longest} character(s)")
        most = schema.max_inputs
        if len(texts) > most:
            raise _RefusedError(400, f"Invalid 'input': array too long. Maximum {most}, received {len(texts)}")
        counts = [tokens(text) for text in texts]
        cuts = "auto_truncate" in schema.fields and body.get("auto_truncate", True)
        if max(counts) > schema.max_tokens and not cuts:
            limit = 8192 if schema.max_tokens == MAX_TOKENS_A_TEXT else schema.max_tokens
            hint = f"This model's maximum context length is {limit} tokens, however you requested {max(counts)} tokens"
            raise _RefusedError(400, hint)
        if sum(counts) > MAX_TOKENS_A_REQUEST:
            hint = f"Requested {sum(counts)} tokens, max {MAX_TOKENS_A_REQUEST} tokens per request"
            raise _RefusedError(400, hint)
        return texts

    def _check_format(self, value: Any) -> None:
        allowed = ["float", "base64"] if self.allow_base64 else ["float"]
        if value is not None and value not in allowed:
            expected = " | ".join(map(repr, allowed))
            raise _invalid(f"encoding_format: Invalid enum value. Expected {expected}, received {value!r}")

    def _check_task(self, body: dict[str, Any]) -> None:
        if not isinstance(cuts := body.get("auto_truncate", True), bool):
            raise _invalid(f"auto_truncate: Expected boolean, received {_json_type(cuts)}")
        if (kind := body.get("input_type", "document")) != "document":
            raise _invalid(f"input_type: Invalid enum value. Expected 'document', received {kind!r}")
        if "task_type" in body and body["task_type"] not in TASK_TYPES:
            expected = " | ".join(map(repr, TASK_TYPES))
            raise _invalid(f"task_type: Invalid enum value. Expected {expected}, received {body['task_type']!r}")

    def _check_dimensions(self, value: Any, model: str, schema: Schema | None) -> None:
        if value is None:
            return
        if _json_type(value) != "number":
            raise _invalid(f"dimensions: Expected number, received {_json_type(value)}")
        if model in FIXED_LENGTH:
            raise _RefusedError(400, "This model does not support specifying dimensions.")
        if schema is not None and schema.lengths is not None:
            if value not in schema.lengths:
                expected = ", ".join(map(str, schema.lengths))
                raise _RefusedError(
                    400, f"Invalid value for 'dimensions'. Expected one of {expected}, received {value}"
                )
            return
        if value != value or value < 1 or value > self.models[model] or value != int(value):
            hint = f"Expected a whole number from 1 to {self.models[model]}, received {value}"
            raise _RefusedError(400, f"Invalid value for 'dimensions'. {hint}")

    def _accept(self, texts: list[str], recorded: Recorded, cost: int) -> None:
        with self._lock:
            recorded.credits = cost
            if self.balance is not None:
                self.balance -= cost / CREDITS_PER_DOLLAR
            self._texts_sent += texts
            if self.count_file is not None:
                # Opened each time: what is closed is in the file, whatever becomes of this process.
                with self.count_file.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(text) + "\n" for text in texts)

    def _answer(self, texts: list[str], body: dict[str, Any]) -> dict[str, Any]:
        n_tokens = sum(map(tokens, texts))
        schema = OTHER_MODELS.get(body["model"])
        if schema is not None and "auto_truncate" in schema.fields:
            # Cut silently where that was not refused.
            texts = [_utf8(text)[: 4 * schema.max_tokens].decode(errors="ignore") for text in texts]
        model, dimensions = body["model"], body.get("dimensions")
        as_base64 = body.get("encoding_format") == "base64" and not self.always_float
        data = []
        length = None if dimensions is None else int(dimensions)
        size = max(self.models[model], length or 0)
        for index, text in enumerate(texts):
            vector = embed(text, model, size, length, body.get("task_type"))
            encoded = base64.b64encode(vector.astype("<f4").tobytes()).decode() if as_base64 else vector.tolist()
            data.append({"object": "embedding", "index": index, "embedding": encoded})
        usage = {"prompt_tokens": n_tokens, "total_tokens": n_tokens}
        if schema is not None and schema.says_total_only:
            del usage["prompt_tokens"]
        return {"object": "list", "data": data, "model": model, "usage": usage}


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, owner: AimlapiServer, port: int) -> None:
        self.owner = owner
        self.failures: list[BaseException] = []
        self._connections: set[Any] = set()
        self.n_connections = 0
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's, which looks up the host's name: that can take seconds where there is no network.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._connections.add(request)
            self.n_connections += 1
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        super().close_request(request)
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()

    def hang_up(self) -> None:
        """Close the connections clients keep alive, and wait for the threads that serve them."""
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            # Only a fault that sleeps on its own takes longer.
            self._changed.wait_for(lambda: not self._connections, timeout=2)

    def handle_error(self, request: Any, client_address: Any) -> None:
        failure = sys.exc_info()[1]
        # A client that went away is nothing to report.
        if failure is not None and not isinstance(failure, OSError):
            self.failures.append(failure)


class _Handler(BaseHTTPRequestHandler):
    server: _HttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        if (raw := self._read()) is not None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(self.server.owner._post(self.path, headers, raw))

    def do_GET(self) -> None:
        if self._read() is not None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(self.server.owner._get(self.path, headers))

    def do_PUT(self) -> None:
        if self._read() is not None:
            self._send(error(404, f"Cannot {self.command} {self.path}", path=self.path))

    do_PATCH = do_DELETE = do_PUT  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _read(self) -> bytes | None:
        """Read the body to its end, or the next request on this connection would begin with it."""
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._send(error(411, "Length Required", path=self.path))
            return None
        length = int(self.headers.get("Content-Length", "0"))
        raw = self.rfile.read(length)
        if len(raw) < length:
            self.close_connection = True
            return None
        return raw

    def _send(self, response: Response) -> None:
        if response.drop or response.cut_after is not None or response.raw is not None:
            self.close_connection = True
        if response.drop:
            return
        if response.raw is not None:
            for piece in response.raw:
                self.wfile.write(piece)
            return
        self.send_response(response.status)
        headers = {"content-type": "application/json", "content-length": str(len(response.body))}
        for name, value in (headers | {name.lower(): value for name, value in response.headers.items()}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body[: response.cut_after])


def main() -> None:
    """Serve as a process of its own."""
    parser = argparse.ArgumentParser(description="AI/ML API's embeddings endpoint, for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key", default="test-key")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--max-concurrent", type=int, help="with so many requests under way, answer 429")
    parser.add_argument("--factor", type=float, default=1.0, help="charge the price times this")
    parser.add_argument("--count-file", type=Path, help="append each accepted text to it, as a JSON line")
    options = vars(parser.parse_args())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    with AimlapiServer(**options) as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()  # returns when the other end closes it


if __name__ == "__main__":
    main()
