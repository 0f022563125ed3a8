"""AI/ML API: langchain-openai's ``OpenAIEmbeddings`` pointed at it, and every answer checked.

The stock client silently takes what it gets: fewer vectors than texts, in any order, not finite, of any length. Here
the raw answer is read instead, which also keeps its usage, and is decoded straight into float32.
"""

import base64
import binascii
import ipaddress
import logging
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from embedclf import __version__
from embedclf.embedding import Batch, EmbedderSpec, Vectors
from embedclf.embedding.catalogue import CATALOGUE
from embedclf.errors import EmbedderError

if TYPE_CHECKING:
    from langchain_openai import OpenAIEmbeddings

logger = logging.getLogger(__name__)

BASE_URL = "https://api.aimlapi.com/v1"
DEFAULT_MODEL = "text-embedding-3-small"
KEY_VARIABLE = "AIMLAPI_API_KEY"

# OpenAI's limits of one request are 2,048 texts and 300,000 tokens, and a token has at least one byte. A batch is also
# what is lost when the process is killed, so it is smaller than it might be.
_BATCH_TEXTS = 512
_BATCH_BYTES = 300_000

_SECONDS_A_READ = 60.0
_RETRIES = 4

# What is sent beside host, length and key. The openai client would add more, some of it from OPENAI_* variables.
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
    "content-type": "application/json",
    "user-agent": f"embedclf/{__version__}",
}


class AimlapiModel:
    """One model behind an OpenAI-compatible embeddings endpoint, always asked for vectors at full length.

    The key is read from ``AIMLAPI_API_KEY`` when a request is about to be sent, and is kept nowhere.

    Parameters
    ----------
    model : str
    dimensions : int, optional
        The length that a model which is not in the catalogue is known to have; None takes it from its first answer.
    base_url : str, optional
        None takes ``AIMLAPI_BASE_URL``, else AI/ML API itself.
    allow_http : bool
        Whether an address without encryption that is not on this machine is allowed.

    Raises
    ------
    EmbedderError
        If the address cannot be one.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        dimensions: int | None = None,
        base_url: str | None = None,
        allow_http: bool = False,
    ) -> None:
        self._endpoint = _checked_url(base_url or os.environ.get("AIMLAPI_BASE_URL") or BASE_URL, allow_http)
        self._allow_http = allow_http
        self._model = model
        self._facts = CATALOGUE.get(model)
        self._dimensions = self._facts.dimensions if self._facts is not None else dimensions
        self._encoding = "base64"
        self._client: OpenAIEmbeddings | None = None
        self._made_in = 0
        self._making = threading.Lock()

    def __repr__(self) -> str:
        return f"AimlapiModel({self._model!r}, base_url={self._endpoint!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # The client holds a lock and open connections: the copy makes its own.
        return _remake, (self._model, self._dimensions, self._endpoint, self._allow_http)

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors apart; without dimensions while they are not known."""
        return EmbedderSpec("aimlapi", self._model, self._dimensions, self._endpoint)

    @property
    def shortens(self) -> bool:
        """Whether its vectors can be cut and scaled to unit length again."""
        return self._facts is not None and self._facts.shortens

    def embed_batches(self, texts: Sequence[str]) -> Iterator[Batch]:
        """Embed texts, batch by batch; see `BatchEmbedder`."""
        sizes = np.cumsum([0, *(len(text.encode()) for text in texts)])
        bounds = [0]
        while bounds[-1] < len(texts):
            start = bounds[-1]
            within = int(np.searchsorted(sizes, sizes[start] + _BATCH_BYTES, side="right")) - 1
            bounds.append(min(max(within, start + 1), start + _BATCH_TEXTS))
        for start, end in pairwise(bounds):
            vectors, n_tokens = self._request(list(texts[start:end]))
            yield Batch(slice(start, end), vectors, n_tokens)

    def _request(self, texts: list[str]) -> tuple[Vectors, int]:
        _key()  # without one, nothing is imported, made or sent
        answer = self._send(texts)
        if answer is None:
            logger.debug("%s does not answer in base64: asking for floats", self._endpoint)
            self._encoding = "float"
            return self._request(texts)
        if isinstance(answer, EmbedderError):
            raise answer
        try:
            return self._read(answer.content, len(texts))
        except _AnswerError as error:
            raise EmbedderError(
                f"{self.spec} at {self._endpoint} gave an answer that cannot be used: {_told(str(error))}"
                f"{_named(answer.headers.get('x-request-id'))}. Nothing of it was kept; try again, and tell the "
                "provider if it stays so"
            ) from None

    def _send(self, texts: list[str]) -> Any:
        """Give the answer, or the error that it is, or None if base64 is refused.

        An error is given and not raised: what it would be raised from holds the request, and that the key.
        """
        import openai

        fields: dict[str, Any] = {"model": self._model, "input": texts, "encoding_format": self._encoding}
        if self.shortens:
            # The schema's own default length is not the documented one, so the length is always sent.
            fields["dimensions"] = self._dimensions
        try:
            return self._embeddings().client.with_raw_response.create(**fields).http_response
        except openai.APIStatusError as error:
            if self._encoding == "base64" and error.status_code in (400, 422) and _is_about_encoding(error):
                return None
            return _of_status(error, self.spec)
        except openai.APITimeoutError:
            return EmbedderError(f"{self._endpoint} did not answer within {_SECONDS_A_READ:g} s; try again")
        except openai.APIConnectionError as error:
            return EmbedderError(f"{self._endpoint} cannot be reached: {_told(str(error.__cause__ or error))}")
        except EmbedderError as error:
            return error
        except Exception as error:  # noqa: BLE001 - proxies, certificates and addresses fail in many ways
            kind = type(error).__name__
            return EmbedderError(f"{self._endpoint} cannot be asked: {_told(str(error))} ({kind})")

    def _embeddings(self) -> "OpenAIEmbeddings":
        with self._making:
            # Connections that a forked process inherits are still its parent's: answers would be mixed up.
            if self._client is None or self._made_in != os.getpid():
                self._made_in = os.getpid()
                import openai
                from langchain_openai import OpenAIEmbeddings

                http_client = openai.DefaultHttpxClient(
                    follow_redirects=False,
                    event_hooks={"request": [_prepare]},
                    # A proxy of the environment's could read what is not encrypted.
                    trust_env=self._endpoint.startswith("https:"),
                )
                # Its connections are closed with this object, or at the latest when the process ends.
                weakref.finalize(self, http_client.close)
                # Every OPENAI_* variable has a parameter that goes before it, or is undone by `_prepare`.
                self._client = OpenAIEmbeddings(
                    model=self._model,
                    base_url=self._endpoint,
                    api_key=lambda: _PLACEHOLDER,
                    organization=None,
                    openai_api_type="openai",
                    openai_proxy=None,
                    check_embedding_ctx_length=False,
                    timeout=_SECONDS_A_READ,
                    max_retries=_RETRIES,
                    http_client=http_client,
                )
                # From OPENAI_CUSTOM_HEADERS; what no header can hold would fail before `_prepare` sees it.
                self._client.client._client._custom_headers = {}
            return self._client

    def _read(self, content: bytes, n_texts: int) -> tuple[Vectors, int]:
        """Decode and check an answer: float32 of shape (n_texts, n_dimensions), unit length, and its tokens."""
        import jiter  # as the openai client does: four times as fast with floats as json

        try:
            answer = jiter.from_json(content)
        except ValueError:
            start = content[:60].decode("utf-8", "replace")
            raise _AnswerError(f"it is not JSON, or was cut short (it starts {start!r})") from None
        answer = answer if isinstance(answer, dict) else {}
        data = answer.get("data")
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            said = f", but says “{answer['message']}”{_named(answer.get('requestId'))}" if "message" in answer else ""
            raise _AnswerError(f"it holds no list of vectors{said}")
        if len(data) != n_texts:
            raise _AnswerError(f"it holds {len(data)} vectors for {n_texts} texts")
        order = [item.get("index") for item in data]
        if any(type(index) not in (int, float) for index in order) or sorted(order) != list(range(n_texts)):
            raise _AnswerError("its vectors are not numbered as the texts are")
        rows = [_decode(item.get("embedding")) for item in data]
        lengths = {len(row) for row in rows}
        expected = self._dimensions if self._dimensions is not None else len(rows[0])
        if lengths != {expected} or not expected:
            raise _AnswerError(f"its vectors have {', '.join(map(str, sorted(lengths)))} dimensions, not {expected}")
        vectors = np.empty((n_texts, expected), dtype=np.float32)
        for index, row in zip(order, rows, strict=True):
            vectors[int(index)] = row
        squares = np.einsum("ij,ij->i", vectors, vectors)
        if not np.isfinite(squares).all():
            raise _AnswerError("some of its numbers are not finite")
        if not squares.all():
            raise _AnswerError("some of its vectors are zero")
        vectors /= np.sqrt(squares)[:, None]
        self._dimensions = expected
        usage = answer.get("usage")
        tokens = (usage.get("prompt_tokens") or usage.get("total_tokens")) if isinstance(usage, dict) else None
        return vectors, tokens if type(tokens) is int and 0 <= tokens < 1e15 else 0


_PLACEHOLDER = "the key is set on each request"


def _remake(model: str, dimensions: int | None, base_url: str, allow_http: bool) -> AimlapiModel:
    return AimlapiModel(model, dimensions=dimensions, base_url=base_url, allow_http=allow_http)


class _AnswerError(Exception):
    pass


def _decode(embedding: Any) -> Vectors:
    try:
        if isinstance(embedding, str):
            return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
        if isinstance(embedding, list):
            with np.errstate(over="ignore"):  # what becomes infinite is found out with the rest
                return np.fromiter(embedding, dtype=np.float32, count=len(embedding))
    except (binascii.Error, TypeError, ValueError, OverflowError):
        pass
    raise _AnswerError("some of its vectors are neither base64 nor lists of numbers")


def _prepare(request: Any) -> None:
    """Give a request the headers that it needs, the key among them, and leave it no others."""
    for name in list(request.headers):
        # The last is how the openai client knows that the raw answer is wanted.
        if name not in ("content-length", "transfer-encoding", "x-stainless-raw-response"):
            del request.headers[name]
    request.headers.update(_HEADERS)
    request.headers["host"] = request.url.netloc.decode("ascii")
    request.headers["authorization"] = f"Bearer {_key()}"


def has_key() -> bool:
    """Whether a key is set."""
    return bool(os.environ.get(KEY_VARIABLE, "").strip())


def _key() -> str:
    if fault := _key_fault():
        raise EmbedderError(fault)
    return os.environ[KEY_VARIABLE].strip()


def _key_fault() -> str | None:
    # Apart from `_key`, so that no frame of a traceback holds the key.
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        return (
            f"{KEY_VARIABLE} is not set, and the texts are to be embedded by AI/ML API: get a key at "
            f"https://aimlapi.com/app/keys and set it with: export {KEY_VARIABLE}=…"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        return f"{KEY_VARIABLE} holds characters that no key has: set it again"
    return None


def _told(message: str) -> str:
    """Make what others say fit to be shown: without the key, in one line, and not too long."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    message = message.replace(key, "…") if key else message
    return "".join(c if c.isprintable() else " " for c in message)[:500]


def _named(identity: Any) -> str:
    """Name a request by its id, which is what support asks for."""
    return f" (request {_told(str(identity))[:80]})" if identity else ""


def _checked_url(url: str, allow_http: bool) -> str:
    url = url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise EmbedderError(f"the base URL {url!r} is not an address such as {BASE_URL}")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        # The address is noted in the model file, so nothing secret may stand in it.
        raise EmbedderError(f"the base URL of {host} holds a user, a password or a query: give the address alone")
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        raise EmbedderError(
            f"the base URL {url} is not encrypted, so anyone on the way could read the key and the texts: "
            "use https, or allow it with --allow-http (allow_http=True)"
        )
    # Written in one way, so that the cache and model files know it again.
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return parts._replace(netloc=parts.netloc.lower().removesuffix(default)).geturl()


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _is_about_encoding(error: Any) -> bool:
    said = error.response.content.decode("utf-8", "replace").lower()
    return "encoding_format" in said or "base64" in said


def _of_status(error: Any, spec: EmbedderSpec) -> EmbedderError:
    """Say what a refused request means, in the provider's words."""
    import jiter

    status = error.status_code
    try:
        body = jiter.from_json(error.response.content)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    # AI/ML API has `message`, OpenAI itself an object `error` with one.
    of_openai = body.get("error")
    of_openai = of_openai if isinstance(of_openai, dict) else {}
    said = _told(str(body.get("message") or of_openai.get("message") or error.response.reason_phrase))
    request = _named(body.get("requestId") or error.response.headers.get("x-request-id"))
    if 300 <= status < 400:
        advice = "the texts are not sent on to another address; if it has moved, give the new one with --base-url"
    else:
        advice = {
            401: f"check {KEY_VARIABLE}; keys are made at https://aimlapi.com/app/keys",
            403: "top up the account; what was paid for is kept in the cache",
            404: "check the model's name and the base URL",
            429: "wait a while; what was answered is kept in the cache",
        }.get(status, "try again, and tell the provider if it stays so" if status >= 500 else "")
    tail = f": {advice}" if advice else ""
    return EmbedderError(f"{spec} at {spec.endpoint} answered {status}, “{said}”{request}{tail}")
